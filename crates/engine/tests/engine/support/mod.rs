//! A small made-up cloud, a store that can die, and what stands in for the façade.

pub(crate) mod cases;
pub(crate) mod cloud;
pub(crate) mod graphs;
pub(crate) mod mutant;
pub(crate) mod store;
pub(crate) mod switch;
pub(crate) mod world;

use std::time::Duration;

/// Runs a test. A virtual clock that stalls would wait for ever; the limit is a bound on that, not a measurement.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_mins(20), test).await.expect("the test stalls") })
}
