//! The crate from outside: golden cases, laws, the shipped catalogue metric by metric, definitions that cannot be read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod agent_time;
#[path = "../../../session/tests/support/awkward.rs"]
mod awkward;
mod bounds;
mod call;
mod custom;
mod definitions;
mod explained;
mod golden;
mod journeys;
mod laws;
mod legs;
mod real;
mod service_level;
mod shipped;
mod times;
mod windows;
mod zones;
