//! ingest as a process, on a real PostgreSQL and a real RabbitMQ.

#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on has failed

mod agents;
mod hostile;
mod line;
mod normalising;
mod operating;
mod pitfalls;
mod receiving;
