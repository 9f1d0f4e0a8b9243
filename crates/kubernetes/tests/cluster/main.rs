//! The backend on a real API server, through the engine and the library.
//!
//! Real: `kube-apiserver` 1.34 and etcd, built by `tests/images/build`. Emulated: nodes, controllers, the autoscaler and metrics,
//! as objects that the tests write.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api_server;
mod apply;
mod crash;
mod faults;
mod removal;
mod support;
mod verification;
