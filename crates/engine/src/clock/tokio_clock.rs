//! Real time.

use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::clock::{Clock, Hold, Moment};

/// Real time, by tokio.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    began: Instant,
}

impl TokioClock {
    /// Starts a clock.
    pub fn new() -> Self {
        Self { began: Instant::now() }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for TokioClock {
    fn now(&self) -> Moment {
        Moment::START + self.began.elapsed()
    }

    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    fn timer(&self, moment: Moment) -> BoxFuture<'static, Hold> {
        tokio::time::sleep(moment.since(self.now())).map(|()| Hold::none()).boxed()
    }

    fn hold(&self) -> Hold {
        Hold::none()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
