//! Time, passed in.

mod tokio_clock;
mod virtual_clock;

use std::ops::Add;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::Timestamp;

pub use tokio_clock::TokioClock;
pub use virtual_clock::{Hold, VirtualClock};

/// A point in time on a [`Clock`], counted from when that clock began. Never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// When the clock began.
    pub const START: Self = Self(Duration::ZERO);

    /// The time from `earlier` until this; nothing when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// The only source of time in this crate.
///
/// A virtual clock advances when nobody works. So that it can tell, whoever works says so by a [`Hold`]; on a real clock
/// this means nothing.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Moment;

    /// The time of day, for people and for comparison between machines. May jump.
    fn wall(&self) -> Timestamp;

    /// Waits until `moment`. Waiting begins with the call, not with the first poll. Time stands still until the hold that
    /// comes out is dropped, so that whoever waited can do what it waited for.
    fn timer(&self, moment: Moment) -> BoxFuture<'static, Hold>;

    /// Says that work is being done: virtual time stands still until the hold is dropped.
    fn hold(&self) -> Hold;

    /// Pauses the work of a holder: the emulated cloud's answer, a client's own pause. Virtual time may go on although the
    /// caller, or somebody who waits for it, holds the clock. Call it only while one of them does.
    async fn sleep(&self, duration: Duration);

    /// To be called like [`Clock::sleep`] after work that another thread has done, which takes its own real time: in virtual time
    /// it ends after everything else that is under way at this moment, and so always at the same point. Real time does not wait.
    async fn settle(&self) {}
}
