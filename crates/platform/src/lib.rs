//! The Howso Platform on its cluster, and those who use it.
//!
//! [`values`] are those of the charts that the platform is made of, [`secrets`] what must be there before them, [`releases`] says
//! which releases are wanted and what has to be done for them, [`helm`] is the program that does it, and [`client`] is the configuration of
//! those who use the platform.

pub mod client;
pub mod helm;
pub mod releases;
pub mod secrets;
pub mod values;
