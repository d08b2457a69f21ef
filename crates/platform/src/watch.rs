//! What a binary may want to know about the requests of a credential: to count them, to show the breaker, to raise an alarm.

use crate::breaker::State;
use crate::client::Method;
use std::fmt;
use std::time::Duration;

/// One request, when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Called<'a> {
    /// The route.
    pub route: &'a str,
    /// What was done.
    pub method: Method,
    /// The status; `None` where there was no answer.
    pub status: Option<u16>,
    /// What became of it: `ok`, `throttled`, `unauthorised`, `forbidden`, `refused`, `failed`, `no_connection`, `timed_out`, `broken`,
    /// `too_long`.
    pub outcome: &'static str,
    /// From sending to the last byte.
    pub took: Duration,
    /// Bytes of the answer's body.
    pub bytes: usize,
}

/// The breaker has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turned<'a> {
    /// What it is now.
    pub state: State,
    /// Failures in a row.
    pub failures: u32,
    /// How long it stays so if it is open.
    pub wait: Duration,
    /// The last failure's words; empty when it closes.
    pub why: &'a str,
}

/// Is told. Called from within a request: it returns at once, and leaves what takes time to somebody else.
pub trait Watch: Send + Sync + fmt::Debug {
    /// A request is over.
    fn called(&self, _call: &Called<'_>) {}

    /// The breaker has changed.
    fn breaker(&self, _turned: &Turned<'_>) {}

    /// The platform refuses the credential (401, 403, with a fresh token too): somebody has to look.
    fn refused(&self, _route: &str, _status: u16, _why: &str) {}
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {}
