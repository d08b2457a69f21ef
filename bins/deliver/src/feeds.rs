//! Interval feeds: files of the windows for planning tools and clients, one an interval and revision.
//!
//! The loop of one feed ([`worker`]) plans the intervals whose time has come, has those made up again whose windows have changed, takes some
//! under a lease, makes them up in one look at the windows ([`content`]), writes each down, sends it ([`sink`]) and settles it. What is due,
//! what is in a file and what a revision is decides `crates/feed`; what a feed is the file says ([`mod@file`]).
//!
//! A file is written down before it is sent, and its revision is one content for ever. So whatever is killed, the receiver gets each
//! interval, at worst the same file twice.

pub mod content;
pub mod file;
pub mod meters;
pub mod sink;
pub mod worker;

use feed::Definition;
use platform::breaker;
use platform::client::Timeouts;
use platform::retry::Schedule;
use schema::UtcMicros;
use sink::Place;
use std::time::Duration;

/// One feed, as the file says.
#[derive(Debug, Clone)]
pub struct Feed {
    /// What it is.
    pub definition: Definition,
    /// From when on intervals are sent, of a feed that is new; none: from its first start on.
    pub from: Option<UtcMicros>,
    /// How often it is looked whether windows have changed.
    pub correct_every: Duration,
    /// For how long after its beginning an interval is looked at for that.
    pub correct_for: Duration,
    /// Where its files go.
    pub place: Place,
    /// Bounds of one request.
    pub timeouts: Timeouts,
    /// When a failed interval goes again.
    pub schedule: Schedule,
    /// When the receiver is left alone.
    pub breaker: breaker::Policy,
}
