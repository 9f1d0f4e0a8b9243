//! A small made-up cloud, a store that can die, and what stands in for the façade.

pub(crate) mod cases;
pub(crate) mod cloud;
pub(crate) mod graphs;
pub(crate) mod mutant;
pub(crate) mod store;
pub(crate) mod switch;
pub(crate) mod world;

use std::time::Duration;

/// Runs a test. A virtual clock that stalls would wait for ever: a minute of real time is the bound on that.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_mins(1), test).await.expect("the test stalls") })
}
