//! *normalise*: raw deliveries in, one transaction a batch, facts out.
//!
//! A batch passes these steps: [`worker`] takes messages, [`message`] reads envelopes, [`plan`] splits and maps (pure), [`recent`]
//! knows copies, [`apply`] runs the one transaction, [`facts`] packs what is new into messages, [`publish`] has them confirmed; then acknowledge. In that order,
//! so that every crash ends in a redelivery, and a redelivered message publishes its own rows again and counts nothing twice.
//!
//! Mapping files are read again when they change: [`reload`].
//!
//! Personal data stay in the raw bytes: [`personal`] seals these, [`retention`] lets them expire.

pub mod apply;
pub mod facts;
pub mod housekeeping;
pub mod message;
pub mod personal;
pub mod plan;
pub mod publish;
pub mod recent;
pub mod reload;
pub mod retention;
pub mod worker;

use crate::config::replay::Memory;
use std::time::Duration;

/// Limits of one worker.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Unacknowledged messages per queue.
    pub prefetch: u16,
    /// Messages in one batch.
    pub messages_max: usize,
    /// Bytes of messages in one batch; the one that reaches the bound is part of it.
    pub bytes_max: usize,
    /// How long a small batch waits for more.
    pub linger: Duration,
    /// Events that are remembered as logged.
    pub recent: Memory,
    /// How long a batch is held while the store does not answer, and then while the broker takes no facts, before its messages go back.
    pub hold_max: Duration,
}
