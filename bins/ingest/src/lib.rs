//! ingest
pub mod signature;
pub mod subscriptions;
pub mod toml_file;
