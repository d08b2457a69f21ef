//! Who is at the other end of an encrypted connection, and who we are: for PostgreSQL and RabbitMQ alike.
//!
//! [`Files`] names the roots to trust and our own certificate; [`Files::client_config`] reads them, each time anew, so that a renewed
//! certificate counts from the next connection on. What the server must prove is never negotiable here: its certificate chains to a trusted root, is
//! valid now and bears the name that the URL asks for. [`advice()`] says in words what to do when it does not.
//!
//! What this crate never does: connect, log, read the environment (but for the machine's roots, which `SSL_CERT_FILE` names).

mod advice;
mod files;
mod query;

pub use advice::{advice, is_distrust};
pub use files::{Files, TlsError};
pub use query::{Asked, add, take};

use rustls::crypto::{CryptoProvider, ring};
use std::sync::Arc;

/// What everything here computes with.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
