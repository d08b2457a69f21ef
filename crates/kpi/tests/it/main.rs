//! The crate from outside: golden cases, laws, the shipped catalogue metric by metric, definitions that cannot be read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod call;
mod golden;
mod shipped;
mod times;
