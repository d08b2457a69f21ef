//! *receive*: HTTP in, broker messages out, 2xx only after the broker's confirm. Needs no PostgreSQL.
//!
//! A request passes these steps: [`decision`] looks at its head, [`gate`] at what its subscription may still take, then
//! [`auth`](crate::auth) at whatever proves its sender, [`body`] reads it within limits, a signature is verified over the bytes that were
//! sent or over the plain ones, [`inflate`] and [`content`] take it out of what it is wrapped in, [`handler`] puts it into the inbox and
//! waits. [`publisher`] empties the inbox: what arrived together shares one message ([`batch`]) and one confirm; bodies that came
//! before ([`seen`]) wait in a lane of their own ([`lanes`]). [`server`] and [`connection`] are what is below: TLS ([`tls`]), HTTP/1.1 and HTTP/2. What platforms ask before they send is [`handshake`].

pub mod answer;
pub mod batch;
pub mod body;
pub mod budget;
pub mod coding;
pub mod connection;
pub mod content;
pub mod decision;
pub mod fit;
pub mod gate;
pub mod handler;
pub mod handshake;
pub mod inflate;
pub mod lanes;
pub mod publisher;
pub mod reload;
pub mod route;
pub mod seen;
pub mod server;
pub mod streak;
pub mod tls;
pub mod wire;

use crate::config::replay::Memory;
use std::time::Duration;

/// The least memory for bodies: what one body may need (as sent, decompressed and growing, with a decompressor's window of 16 MiB) is less
/// than half of it where limits are as they come, and somebody who asks for less would answer 503 for ever.
pub const MEMORY_MIN: usize = 64 << 20;

/// Limits of the receiving side. All of them bound memory or time.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections served at once.
    pub connections_max: usize,
    /// The longest wait for a request's head.
    pub header_timeout: Duration,
    /// The longest wait for a request's body.
    pub body_timeout: Duration,
    /// The longest wait for the broker's confirm before the answer is 503.
    pub answer_timeout: Duration,
    /// Bytes of all bodies in memory, from the first byte read to the confirm.
    pub memory_max: usize,
    /// Deliveries waiting to be published.
    pub inbox_max: usize,
    /// Deliveries in one broker message.
    pub batch_max: usize,
    /// Bytes of bodies in one broker message, unless one body alone is larger.
    pub batch_bytes_max: usize,
    /// Messages on their way to the broker at once.
    pub in_flight_max: usize,
    /// Accepted bodies that are remembered, to tell what is suspected to be a redelivery.
    pub seen: Memory,
}
