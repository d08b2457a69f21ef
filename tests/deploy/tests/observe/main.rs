//! What an installation is watched by, and what it is made of: alerts, dashboards, images, the compose project.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alerts;
mod compose;
mod dashboards;
mod dockerfile;
mod image;
mod inhibition;
mod panels;
mod support;
