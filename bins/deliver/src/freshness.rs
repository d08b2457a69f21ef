//! Watches whether the platforms' numbers are to be trusted, and says so: `platform_states`, `/metrics`, `pipeline_status`.
//!
//! One process at a time looks, by a named lease; when it dies another one goes on from what stands in the rows. All evidence is read from the
//! store and the broker's queues (`look`); the only thing asked of a platform is how it is (`health`), by one process at a time and never
//! more than once a minute. What follows from the evidence is decided by the crate `freshness`, which is pure. Every process shows the
//! gauges, so that none is missing while the lease changes hands.

mod counts;
mod feeds;
pub mod file;
mod health;
mod look;
mod meters;
mod queues;
mod status;
#[cfg(test)]
mod tests;
mod watcher;

pub use file::{HealthSource, SilentWhen, Watch, Watched};
pub use health::Asker;
pub use status::Line;
pub use watcher::Watcher;
