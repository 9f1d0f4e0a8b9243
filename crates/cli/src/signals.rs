//! Interrupts from the terminal and from the system.

use std::future::Future;
use std::io;
use std::pin::pin;

use howso_infra::interrupt::Trigger;

use crate::failure::Failure;

/// Interrupts: Ctrl-C, a request to terminate, a terminal that was closed.
pub(crate) struct Signals {
    #[cfg(unix)]
    sources: [tokio::signal::unix::Signal; 3],
    has_heard: bool,
}

impl Signals {
    /// Begins to listen. From here on a signal no longer ends the process by itself.
    pub(crate) fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let sources =
                [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
            Ok(Self { sources, has_heard: false })
        }
        #[cfg(not(unix))]
        Ok(Self { has_heard: false })
    }

    /// Whether there was any, also one that came too late to stop something.
    pub(crate) fn have_come(&self) -> bool {
        self.has_heard
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        #[cfg(unix)]
        {
            let [interrupt, terminate, hangup] = &mut self.sources;
            tokio::select! {
                biased;
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
        self.has_heard = true;
    }

    /// Does something that changes nothing and can simply be dropped.
    pub(crate) async fn or_stop<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.next() => Err(Failure::Interrupted),
        }
    }

    /// Does something that should end in order: it is told of the first interrupt and of the second, and dropped at the
    /// third. A run stops at the second; what comes after it only reads.
    pub(crate) async fn or_tell<T>(&mut self, trigger: &Trigger, work: impl Future<Output = T>) -> Result<T, Failure> {
        const TOLD_MAX: u32 = 2;
        let mut work = pin!(work);
        for _ in 0..TOLD_MAX {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = self.next() => trigger.fire(),
            }
        }
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.next() => Err(Failure::Abandoned),
        }
    }
}
