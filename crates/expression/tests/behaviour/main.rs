//! What the crate promises, from the outside.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bounds;
mod evaluation;
mod oracle;
mod problems;
mod random;
mod world;
