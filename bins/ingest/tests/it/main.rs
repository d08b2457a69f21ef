//! ingest as a process, on a real PostgreSQL and a real RabbitMQ.

#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on has failed

mod agents;
mod attempt;
mod auth;
mod hostile;
mod line;
mod normalising;
mod operating;
mod pipe;
mod pitfalls;
mod platform_api;
mod privacy;
mod quarantine;
mod receiving;
mod retention;
mod subscription;
mod tls;
mod transport;
mod watchdog;
