//! A cloud that is a folder of files.
//!
//! It proves that a provider is one crate and two lines, and it gives tests of the program a cloud without servers. It has
//! one file a resource, `<folder>/<kind>/<name>.json`; a resource is on its way until `settle_millis` have passed.

mod backend;
mod folder;
mod kinds;
mod provider;

pub use provider::ToyFactory;
