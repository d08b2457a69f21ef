//! The real binary on a real store and a real broker.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

mod agents;
mod bench;
mod beside;
mod checkpoints;
mod fetched;
mod files;
mod jobs;
mod lanes;
mod operate;
mod platform;
mod promotion;
mod requests;
mod sealed;
mod waiting;
mod world;
