//! What receivers rely on: intervals, files, digests.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests: what fails there fails the test

mod content;
mod definitions;
mod files;
mod given;
mod intervals;
