//! Counts the boundaries between effects, and lets something happen at one of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use howso_infra_engine::{Clock, Hold, Interrupt, VirtualClock};
use tokio::sync::{Notify, mpsc};

#[derive(Clone, Debug)]
pub(crate) enum Trip {
    /// The process dies: nothing that it began goes on.
    Crash,
    /// The user presses Ctrl-C so often.
    Interrupt(usize),
}

#[derive(Default)]
pub(crate) struct Switch {
    count: AtomicUsize,
    trip: Mutex<Option<(usize, Trip)>>,
    is_dead: AtomicBool,
    death: Notify,
    interrupts: Mutex<Option<mpsc::Sender<Interrupt>>>,
    /// A death takes no time.
    freeze: Mutex<Option<(VirtualClock, Option<Hold>)>>,
}

impl Switch {
    /// Lets `trip` happen at the boundary that is `after` boundaries away.
    pub(crate) fn set(&self, after: usize, trip: Trip) {
        *self.trip.lock().unwrap() = Some((self.count() + after, trip));
    }

    pub(crate) fn freeze_on_death(&self, clock: VirtualClock) {
        *self.freeze.lock().unwrap() = Some((clock, None));
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    pub(crate) fn connect(&self, interrupts: mpsc::Sender<Interrupt>) {
        *self.interrupts.lock().unwrap() = Some(interrupts);
    }

    /// Lives again, with nothing set.
    pub(crate) fn reset(&self) {
        self.is_dead.store(false, Ordering::SeqCst);
        *self.trip.lock().unwrap() = None;
        let hold = self.freeze.lock().unwrap().as_mut().and_then(|(_, hold)| hold.take());
        drop(hold);
    }

    pub(crate) async fn boundary(&self) {
        if self.is_dead.load(Ordering::SeqCst) {
            futures::future::pending::<()>().await;
        }
        let here = self.count.fetch_add(1, Ordering::SeqCst);
        let trip = {
            let mut trip = self.trip.lock().unwrap();
            trip.take_if(|(at, _)| *at == here)
        };
        match trip {
            None => {}
            Some((_, Trip::Crash)) => {
                self.is_dead.store(true, Ordering::SeqCst);
                if let Some((clock, hold)) = self.freeze.lock().unwrap().as_mut() {
                    *hold = Some(clock.hold());
                }
                self.death.notify_one();
                futures::future::pending::<()>().await;
            }
            Some((_, Trip::Interrupt(times))) => {
                let interrupts = self.interrupts.lock().unwrap().clone();
                for _ in 0..times {
                    // Before and after the run nobody takes it.
                    let _ = interrupts.as_ref().map(|sender| sender.try_send(Interrupt));
                }
            }
        }
    }

    /// Runs until the end or until death.
    pub(crate) async fn unless_dead<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.death.notified() => None,
            result = work => Some(result),
        }
    }
}
