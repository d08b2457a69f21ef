//! Storms: what is deferred is caught up and in the end nothing tells that there was one, whoever was killed, whoever came and went.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used)]

mod debts;
mod interleavings;
mod reopened;
mod replicas;
mod weather;
mod world;
