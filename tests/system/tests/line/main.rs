//! The whole line: the real binaries on a real PostgreSQL and RabbitMQ, between the platform double's two ends.
//!
//! Each test has its own database, queue prefix and processes. What is expected comes from the double's truth, which shares no
//! code with the product, or from the peers' reference rule where Python and the shared material are at hand.

// A test that cannot be set up has failed. Counts and rates here are small: no cast loses anything.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

mod backfill;
mod balancer;
mod definitions;
mod deliver_day;
mod failover;
mod flow;
mod freshness;
mod harness;
mod kills;
mod load;
mod operation;
mod outages;
mod private_ca;
mod privileges;
mod reconciliation;
mod replay;
mod replicas;
mod restore;
mod secrets;
mod servers;
mod storm;
mod upgrade;
mod windows;
