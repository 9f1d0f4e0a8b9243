//! What the Howso Platform is told about its cluster.
//!
//! Pure: texts in, texts out. [`values`] are those of the charts that the platform is made of, [`client`] is the configuration of
//! those who use it.

pub mod client;
pub mod values;
