//! What the tests share.

pub(crate) mod client;
pub(crate) mod cloud;
pub(crate) mod lab;
pub(crate) mod nodes;
pub(crate) mod proxy;
pub(crate) mod server;
