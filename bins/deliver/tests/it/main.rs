//! deliver as a process, on real PostgreSQL and RabbitMQ, against the platform double.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests: what fails there fails the test

mod budget;
mod commands;
mod crash;
mod faults;
mod feeds;
mod figures;
mod kinds;
mod lanes;
mod limits;
mod operate;
mod pace;
mod reconciliation;
mod upkeep;
mod values;
mod world;
