//! The queues, by name.

use std::fmt;

/// All queues of the product. All are durable quorum queues, each behind an exchange of its own: the broker's rights to publish are by exchange, and
/// whoever may publish through the default one may publish to any queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// Deliveries as they came in.
    Raw,
    /// Deliveries that look like repeats of a storm; served last.
    RawSuspect,
    /// History pages and imported files.
    RawHistory,
    /// Facts of interactions that reached a terminal state, live.
    EventsTerminal,
    /// Facts of interactions that go on, live.
    EventsProgress,
    /// Facts on the history lane.
    EventsHistory,
    /// Backfill jobs that somebody wants.
    BackfillJobs,
    /// Notices that backfill jobs have ended, for whoever shows numbers. Nobody has to read them.
    BackfillNotices,
    /// Hints that rows are due.
    DeliverWake,
}

impl Queue {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Raw,
        Self::RawSuspect,
        Self::RawHistory,
        Self::EventsTerminal,
        Self::EventsProgress,
        Self::EventsHistory,
        Self::BackfillJobs,
        Self::BackfillNotices,
        Self::DeliverWake,
    ];

    /// The name without the installation's prefix.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::RawSuspect => "raw.suspect",
            Self::RawHistory => "raw.history",
            Self::EventsTerminal => "events.terminal",
            Self::EventsProgress => "events.progress",
            Self::EventsHistory => "events.history",
            Self::BackfillJobs => "backfill.jobs",
            Self::BackfillNotices => "backfill.notices",
            Self::DeliverWake => "deliver.wake",
        }
    }

    /// The name at the broker.
    #[must_use]
    pub fn name(self, prefix: &str) -> String {
        format!("{prefix}{}", self.suffix())
    }

    /// The name of its exchange. No queue has such a name, so that a right to publish is never one to bind a queue.
    #[must_use]
    pub fn exchange(self, prefix: &str) -> String {
        format!("{prefix}to.{}", self.suffix())
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.suffix())
    }
}
