//! The crate against a small server that answers from a script: what is certain, what is unknown, who waits for whom.

#![allow(clippy::unwrap_used, clippy::let_underscore_must_use, clippy::panic)] // a helper that fails, fails the test; a peer may hang up

mod api;
mod cxone;
mod double;
mod genesys;
mod http;
mod permissions;
mod samples;
mod server;
