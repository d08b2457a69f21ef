//! What is known of one platform at one look.

use crate::health::Said;
use schema::UtcMicros;
use std::time::Duration;

/// A piece of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen<T> {
    /// Nobody watches this: it speaks for nothing, and what it spoke for before is forgotten.
    Unwatched,
    /// It could not be found out at this look: what it spoke for before still stands.
    Unknown,
    /// This.
    Known(T),
}

impl<T> Seen<T> {
    /// What was found out, made into something else.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Self::Unwatched => Seen::Unwatched,
            Self::Unknown => Seen::Unknown,
            Self::Known(known) => Seen::Known(make(known)),
        }
    }

    /// What was found out, borrowed.
    pub const fn as_ref(&self) -> Seen<&T> {
        match self {
            Self::Unwatched => Seen::Unwatched,
            Self::Unknown => Seen::Unknown,
            Self::Known(known) => Seen::Known(known),
        }
    }
}

/// A way by which events come.
#[derive(Debug, Clone, PartialEq)]
pub enum Feed {
    /// The platform delivers.
    Pushed {
        /// The subscription.
        name: String,
        /// When the newest delivery with anything new in it was received; none: never.
        heard: Option<UtcMicros>,
        /// The newest event's own instant, no later than its reception; none: not known.
        newest: Option<UtcMicros>,
        /// Up to when everything received is worked off: silence is measured up to here. None: not known.
        until: Option<UtcMicros>,
        /// How many events are to be expected from `heard` to `until`; none: it has to deliver whatever is usual.
        expected: Option<f64>,
        /// Why it delivers nothing, where the platform says so.
        off: Option<String>,
    },
    /// We fetch.
    Followed {
        /// The source.
        name: String,
        /// Up to when everything is fetched.
        until: UtcMicros,
        /// How far behind now that is as a rule.
        usual: Duration,
    },
}

/// Quarter hours of the newest time whose windows wait to be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// How many marks wait.
    pub count: u64,
    /// Since when the oldest does.
    pub since: UtcMicros,
    /// The earliest instant that they are about.
    pub from: UtcMicros,
}

/// Whether less is computed than could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storm {
    /// There is one.
    pub active: bool,
    /// Interactions that are still to be evaluated.
    pub owed: u64,
    /// Since when; none: nothing is missing.
    pub from: Option<UtcMicros>,
}

/// What the platform counts of an interval, and what is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Half-open.
    pub from: UtcMicros,
    /// Its end.
    pub to: UtcMicros,
    /// The platform's count.
    pub theirs: u64,
    /// Ours.
    pub ours: u64,
    /// Too few are here, and have been for long enough.
    pub short: bool,
}

impl Counted {
    /// How many are missing.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        self.theirs.saturating_sub(self.ours)
    }
}

/// Everything that is known at one look.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// When.
    pub now: UtcMicros,
    /// How events come.
    pub feeds: Seen<Vec<Feed>>,
    /// How long what was received last had to wait until it was processed, or has waited so far.
    pub line: Seen<Duration>,
    /// Messages in the queues of the live lane.
    pub queue: Seen<u64>,
    /// What windows wait for; `None`: nothing waits.
    pub windows: Seen<Option<Marks>>,
    /// Whether there is a storm.
    pub storm: Seen<Storm>,
    /// The newest intervals that the platform counted.
    pub counts: Seen<Vec<Counted>>,
    /// The platform's own word.
    pub health: Seen<Said>,
}

impl Evidence {
    /// Nothing is watched.
    #[must_use]
    pub const fn none(now: UtcMicros) -> Self {
        Self {
            now,
            feeds: Seen::Unwatched,
            line: Seen::Unwatched,
            queue: Seen::Unwatched,
            windows: Seen::Unwatched,
            storm: Seen::Unwatched,
            counts: Seen::Unwatched,
            health: Seen::Unwatched,
        }
    }
}
