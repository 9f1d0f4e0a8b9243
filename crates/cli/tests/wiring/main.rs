//! The real program in a hermetic environment: what a person types, and everything that comes back.
//!
//! No provider is asked anything here: these are the cases that end before a request could leave.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on fails the test")]

mod bad_input;
mod documents;
mod sandbox;
mod verbs;
