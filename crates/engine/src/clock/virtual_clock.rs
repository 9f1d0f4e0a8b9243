//! Time that passes only when everybody waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::clock::{Clock, Moment};

/// Time that jumps to the next timer as soon as nobody works: what takes a quarter of an hour takes milliseconds, and
/// every run with the same inputs is the same run, because timers fire one at a time.
///
/// Clones share the same time.
#[derive(Clone)]
pub struct VirtualClock(Arc<Shared>);

struct Shared {
    epoch: Timestamp,
    /// How many virtual seconds pass in a real one; without, as many as can.
    pace: Option<u32>,
    inner: Mutex<Inner>,
}

struct Inner {
    now: Moment,
    /// The number of holds, less the number of holders that pause.
    working: i64,
    /// The timers by when they fire and in which order they were set.
    timers: BTreeMap<(Moment, u64), oneshot::Sender<Hold>>,
    /// How many timers were ever set.
    set: u64,
}

/// How often everything that can go on goes on before the work of another thread counts as done.
const ROUNDS: usize = 4;

/// Keeps a virtual clock from advancing while it exists.
#[must_use = "virtual time goes on as soon as this is dropped"]
pub struct Hold(Option<Arc<Shared>>);

impl VirtualClock {
    /// Makes a clock that shows `epoch` as its time of day when it begins.
    pub fn new(epoch: Timestamp) -> Self {
        Self::paced(epoch, None)
    }

    /// The same, in which so many seconds pass in a real one, so that people can watch. While nobody works, it stops the thread that
    /// was the last to work until the next timer fires.
    pub fn paced(epoch: Timestamp, pace: Option<u32>) -> Self {
        let inner = Inner { now: Moment::START, working: 0, timers: BTreeMap::new(), set: 0 };
        Self(Arc::new(Shared { epoch, pace: pace.filter(|pace| *pace > 0), inner: Mutex::new(inner) }))
    }
}

impl Hold {
    /// The hold of a clock that needs none.
    pub(crate) fn none() -> Self {
        Self(None)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.work(-1);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change of the state is a single assignment: a panic elsewhere leaves it whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a beginning or an end of work, and lets time go on when it was the last.
    fn work(self: &Arc<Self>, change: i64) {
        self.lock().working += change;
        self.advance();
    }

    /// Fires the next timer that somebody waits for, unless somebody works.
    fn advance(self: &Arc<Self>) {
        let mut pace = self.pace;
        loop {
            let mut inner = self.lock();
            if inner.working > 0 {
                return;
            }
            let Some(((moment, set), timer)) = inner.timers.pop_first() else { return };
            if timer.is_canceled() {
                continue;
            }
            if let Some(pace) = pace.take() {
                let gap = moment.since(inner.now);
                // Others may look at the clock meanwhile.
                inner.timers.insert((moment, set), timer);
                drop(inner);
                std::thread::sleep(gap / pace);
                continue;
            }
            inner.now = inner.now.max(moment);
            inner.working += 1;
            drop(inner);
            // When the waiter has just gone, the hold comes back, is dropped here, and the next timer is tried.
            if timer.send(Hold(Some(Arc::clone(self)))).is_ok() {
                return;
            }
        }
    }
}

/// Takes back a pause, whether it ended or was given up.
struct Pause(Arc<Shared>);

impl Drop for Pause {
    fn drop(&mut self) {
        self.0.lock().working += 1;
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Moment {
        self.0.lock().now
    }

    fn wall(&self) -> Timestamp {
        self.0.epoch + self.now().since(Moment::START)
    }

    fn timer(&self, moment: Moment) -> BoxFuture<'static, Hold> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut inner = self.0.lock();
            inner.set += 1;
            let key = (moment, inner.set);
            inner.timers.insert(key, sender);
        }
        self.0.advance();
        let shared = Arc::clone(&self.0);
        async move {
            // Keeps the clock alive, so that the sender is not dropped before it fires.
            let _shared = shared;
            receiver.await.unwrap_or_else(|_| Hold::none())
        }
        .boxed()
    }

    fn hold(&self) -> Hold {
        self.0.lock().working += 1;
        Hold(Some(Arc::clone(&self.0)))
    }

    async fn sleep(&self, duration: Duration) {
        let timer = self.timer(self.now() + duration);
        self.0.work(-1);
        let pause = Pause(Arc::clone(&self.0));
        let hold = timer.await;
        // The caller works again before the timer's hold ends.
        drop(pause);
        drop(hold);
    }

    async fn settle(&self) {
        // What libraries do besides, such as giving back a connection, holds no clock: it is done when nothing else can go on.
        for _ in 0..ROUNDS {
            tokio::task::yield_now().await;
        }
        self.sleep(Duration::ZERO).await;
    }
}
