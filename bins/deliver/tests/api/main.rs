//! The read API and the status page, in this process, on a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests: what fails there fails the test

mod ask;
mod auth;
mod description;
mod figures;
mod filled;
mod pages;
mod schema;
mod server;
