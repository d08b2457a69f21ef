//! What every binary needs to be operated: flags, secrets, logs, probes, metrics, signals, retry and supervision.
//!
//! Nothing here knows what an event or a metric of the product is. Read in this order: [`args`] (the flags all binaries
//! share), [`service`] (one call that wires logs, signals, probes and metrics), [`tasks`] (what happens when a part ends).

pub mod args;
pub mod error;
pub mod health;
pub mod log;
pub mod metrics;
pub mod ops;
pub mod problems;
pub mod retry;
pub mod seal;
pub mod secret;
pub mod service;
pub mod shutdown;
pub mod table;
pub mod tasks;
pub mod toml_file;

pub use error::chain;
pub use health::Health;
pub use metrics::Metrics;
pub use problems::Problems;
pub use retry::Backoff;
pub use secret::Secret;
pub use service::{ExitWith, Service, install_crypto, run};
pub use shutdown::Shutdown;
pub use tasks::Tasks;
