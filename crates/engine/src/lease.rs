//! Until when a run may change something.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures::future::poll_fn;
use jiff::Timestamp;

use crate::clock::Clock;

/// The end of the lease, as the journal last renewed it. Clones share it.
#[derive(Clone)]
pub(crate) struct Lease(Arc<Mutex<Option<Timestamp>>>);

/// The lease ended before an answer came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LeaseEnded;

impl Lease {
    /// A lease that lasts until then; [`None`] for a lock that does not expire.
    pub(crate) fn new(until: Option<Timestamp>) -> Self {
        Self(Arc::new(Mutex::new(until)))
    }

    /// Takes over when it lasts until now.
    pub(crate) fn renew(&self, until: Option<Timestamp>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// Whether it can end at all.
    pub(crate) fn expires(&self) -> bool {
        self.until().is_some()
    }

    /// Lets a call go on only while the lease lasts.
    ///
    /// The time is looked at before every part of the call, because this process may have slept since the last one (a closed
    /// laptop), and another run may be at work. What the network has taken by then cannot be called back.
    pub(crate) async fn guard<T>(&self, clock: &dyn Clock, call: impl Future<Output = T>) -> Result<T, LeaseEnded> {
        let mut call = pin!(call);
        poll_fn(|context| {
            if self.until().is_some_and(|until| until <= clock.wall()) {
                return Poll::Ready(Err(LeaseEnded));
            }
            call.as_mut().poll(context).map(Ok)
        })
        .await
    }

    fn until(&self) -> Option<Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;
    use crate::clock::VirtualClock;

    /// A call in three parts: on the second the process sleeps for `pause`. Returns how many parts were carried out.
    fn call(lease: &Lease, clock: &VirtualClock, pause: Duration) -> (usize, Result<(), LeaseEnded>) {
        let parts = AtomicUsize::new(0);
        let work = async {
            for _ in 0..3 {
                parts.fetch_add(1, Ordering::Relaxed);
                futures::pending!();
            }
        };
        let mut guarded = pin!(lease.guard(clock, work));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        loop {
            match guarded.as_mut().poll(&mut context) {
                Poll::Ready(result) => return (parts.load(Ordering::Relaxed), result),
                Poll::Pending if parts.load(Ordering::Relaxed) == 2 => {
                    let _hold = clock.hold();
                    clock.sleep(pause).now_or_never().expect("nobody else works, so time goes on at once");
                }
                Poll::Pending => {}
            }
        }
    }

    #[test]
    fn a_call_goes_on_only_while_the_lease_lasts() {
        let clock = VirtualClock::new("2026-11-24T08:00:00Z".parse().unwrap());
        let minute = Duration::from_mins(1);
        let in_a_minute = |clock: &VirtualClock| Some(clock.wall() + minute);
        let short = Duration::from_secs(59);
        assert_eq!(call(&Lease::new(in_a_minute(&clock)), &clock, short), (3, Ok(())));
        assert_eq!(call(&Lease::new(in_a_minute(&clock)), &clock, minute), (2, Err(LeaseEnded)));
        assert_eq!(call(&Lease::new(Some(clock.wall())), &clock, short), (0, Err(LeaseEnded)));
        assert_eq!(call(&Lease::new(None), &clock, minute), (3, Ok(())), "a lock does not expire");
        let renewed = Lease::new(Some(clock.wall()));
        renewed.clone().renew(in_a_minute(&clock));
        assert_eq!(call(&renewed, &clock, short), (3, Ok(())));
    }
}
