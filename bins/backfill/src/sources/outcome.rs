//! What a step comes to.

use schema::BodyFormat;
use std::time::Duration;
use store::StoreError;

/// How long a store that is away is left alone.
const STORE_WAIT: Duration = Duration::from_secs(1);

/// Records, and where to go on behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// How the body is to be read.
    pub(crate) format: BodyFormat,
    /// The records as the platform gave them.
    pub(crate) body: Vec<u8>,
    /// The cursor behind it.
    pub(crate) cursor: String,
}

/// What is to happen next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Publish this, then keep its cursor.
    Page(Page),
    /// Keep this cursor and go on: something happened at the platform, but there are no records yet.
    Moved(String),
    /// Nothing can be done for so long.
    Wait {
        /// The cursor, if it moved.
        cursor: Option<String>,
        /// For how long.
        wait: Duration,
        /// What for: one of a few words, they are a metric's label.
        reason: &'static str,
    },
    /// It did not work and begins again from this cursor, after a pause that grows.
    Again {
        /// The cursor.
        cursor: String,
        /// Why.
        why: String,
        /// How often that happened in a row.
        attempt: u32,
    },
    /// Everything was fetched.
    Done {
        /// How many records that began in the chunk there are, where the platform says it.
        expected: Option<i64>,
    },
}

/// Why a step came to nothing. The cursor stays where it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// It is not our turn: the limit, the platform's wish, a breaker.
    #[error("not for another {wait:?}: {reason}")]
    Later {
        /// For how long.
        wait: Duration,
        /// What for: one of a few words.
        reason: &'static str,
    },
    /// Time may heal it.
    #[error("{why}")]
    Failed {
        /// What happened.
        why: String,
        /// How long the platform asked to wait.
        hint: Option<Duration>,
    },
    /// Somebody has to look: the credential, a permission, the request itself.
    #[error("{why}")]
    Refused {
        /// The platform's words.
        why: String,
    },
    /// More was asked for than the platform answers at once: a smaller stretch may be taken.
    #[error("{why}")]
    TooMuch {
        /// The platform's words.
        why: String,
    },
    /// The platform refuses the request for what is in it.
    #[error("{why}")]
    Unfit {
        /// The platform's words.
        why: String,
    },
    /// Asked sooner after the last time than the platform allows.
    #[error("{why}")]
    TooSoon {
        /// How long it wants to be left alone.
        wait: Duration,
        /// The platform's words.
        why: String,
    },
    /// What was asked for is not there (any more).
    #[error("{why}")]
    Gone {
        /// The platform's words.
        why: String,
    },
}

impl Fault {
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }

    /// The store is away or busy.
    #[allow(clippy::needless_pass_by_value)] // for `map_err`
    pub(crate) fn store(error: StoreError) -> Self {
        tracing::warn!(error = %runtime::chain(&error), "the store is away or busy, trying again");
        Self::Later {
            wait: STORE_WAIT,
            reason: "store",
        }
    }

    pub(crate) fn failed(why: impl Into<String>) -> Self {
        Self::Failed {
            why: why.into(),
            hint: None,
        }
    }
}
