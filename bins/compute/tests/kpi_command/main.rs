//! `compute kpi` against a real PostgreSQL: what it prints, what it refuses, and what it leaves in the database.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used)]

mod database;
mod explain;
mod files;
mod life;
mod preview;
mod world;
