//! Intervals that are to be sent, under a lease.

use crate::error::StoreError;
use crate::jobs::word;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::time::Duration;
use uuid::Uuid;

/// Why an interval is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Its time had come.
    First,
    /// Its windows have changed since it was sent.
    Correction,
    /// An operator asked for it, whether anything has changed or not.
    Replay,
}

impl Wanted {
    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Correction => "correction",
            Self::Replay => "replay",
        }
    }
}

/// What became of a revision, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastState {
    /// It was being sent, and nobody knows what became of it.
    Sending,
    /// The receiver does not have it.
    Failed,
    /// The receiver has it.
    Sent,
    /// A later revision has taken its place.
    Unknown,
}

/// The newest revision of an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// Its number.
    pub revision: u32,
    /// What is in it.
    pub digest: Vec<u8>,
    /// What became of it.
    pub state: LastState,
    /// The receiver may have it, whatever the state.
    pub is_doubtful: bool,
    /// Whether it was a correction.
    pub is_correction: bool,
}

/// An interval to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its first instant.
    pub start: UtcMicros,
    /// The first instant after it.
    pub end: UtcMicros,
    /// Why.
    pub wanted: Wanted,
    /// Failures so far.
    pub attempt: u32,
    /// What was sent of it last, or tried.
    pub last: Option<Last>,
}

pub(super) static CLAIM: Sql = Sql {
    step: "claim intervals of a feed",
    text: "WITH due AS ( \
               SELECT interval_start FROM feed_intervals \
               WHERE feed = $1 AND state IN ('pending', 'leased') AND due_at <= now() \
               ORDER BY interval_start LIMIT $2 FOR UPDATE SKIP LOCKED \
           ), leased AS ( \
               UPDATE feed_intervals f SET state = 'leased', lease_id = $3, due_at = now() + $4 * interval '1 second' \
               FROM due WHERE f.feed = $1 AND f.interval_start = due.interval_start \
               RETURNING f.interval_start, f.interval_end, f.wanted, f.attempt \
           ) \
           SELECT l.interval_start, l.interval_end, l.wanted, l.attempt, d.revision, d.digest, d.state, d.doubtful, d.correction \
           FROM leased l \
           LEFT JOIN LATERAL (SELECT * FROM feed_deliveries d WHERE d.feed = $1 AND d.interval_start = l.interval_start \
                              ORDER BY d.revision DESC LIMIT 1) d ON true \
           ORDER BY l.interval_start",
};

/// Takes at most `most` due intervals, the earliest first, for so long.
pub async fn claim(
    conn: &impl Connection,
    feed: &str,
    most: u32,
    lease: Uuid,
    length: Duration,
) -> Result<Vec<Due>, StoreError> {
    let params: sql::Params<'_> = &[&feed, &i64::from(most), &lease, &length.as_secs_f64()];
    let rows = sql::query(conn, &CLAIM, params).await?;
    rows.iter()
        .map(|row| {
            let revision: Option<i32> = sql::get(row, &CLAIM, 4)?;
            let last = match revision {
                None => None,
                Some(revision) => Some(Last {
                    revision: u32::try_from(revision).unwrap_or(0),
                    digest: sql::get(row, &CLAIM, 5)?,
                    state: word("feed_deliveries.state", sql::get(row, &CLAIM, 6)?, state)?,
                    is_doubtful: sql::get(row, &CLAIM, 7)?,
                    is_correction: sql::get(row, &CLAIM, 8)?,
                }),
            };
            let attempt: i32 = sql::get(row, &CLAIM, 3)?;
            Ok(Due {
                start: sql::get::<Instant>(row, &CLAIM, 0)?.0,
                end: sql::get::<Instant>(row, &CLAIM, 1)?.0,
                wanted: word("feed_intervals.wanted", sql::get(row, &CLAIM, 2)?, wanted)?,
                attempt: u32::try_from(attempt).unwrap_or(0),
                last,
            })
        })
        .collect()
}

fn state(word: &str) -> Option<LastState> {
    match word {
        "sending" => Some(LastState::Sending),
        "failed" => Some(LastState::Failed),
        "sent" => Some(LastState::Sent),
        "unknown" => Some(LastState::Unknown),
        _ => None,
    }
}

fn wanted(word: &str) -> Option<Wanted> {
    [Wanted::First, Wanted::Correction, Wanted::Replay]
        .into_iter()
        .find(|wanted| wanted.as_str() == word)
}
