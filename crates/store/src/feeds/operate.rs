//! What operators see of feeds, and what they ask for.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// One feed, and how it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Its name.
    pub name: String,
    /// The organisation.
    pub tenant: String,
    /// The size of its intervals.
    pub size: String,
    /// The receiver's zone.
    pub zone: String,
    /// The version of its layout.
    pub layout: u32,
    /// Intervals that begin before this are sent or waiting.
    pub planned_until: UtcMicros,
    /// Intervals that wait, or are being sent.
    pub waiting: i64,
    /// Of these, how many have failed.
    pub failing: i64,
    /// Since when the first of them waits.
    pub oldest: Option<UtcMicros>,
    /// The failure of the earliest that failed.
    pub error: Option<String>,
    /// When a file was sent last.
    pub sent_at: Option<UtcMicros>,
}

/// What of a feed waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Intervals that wait, or are being sent.
    pub intervals: i64,
    /// Since when the first of them waits.
    pub oldest: Option<UtcMicros>,
}

/// One file of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Where the interval begins.
    pub start: UtcMicros,
    /// The first instant after it.
    pub end: UtcMicros,
    /// The state of the interval.
    pub interval_state: String,
    /// Why the interval was to be sent last.
    pub wanted: String,
    /// Why the interval could not be sent last.
    pub interval_error: Option<String>,
    /// The file; none: nothing of the interval was sent.
    pub file: Option<Sent>,
}

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The revision.
    pub revision: u32,
    /// The version of the layout.
    pub layout: u32,
    /// The digest of the content.
    pub digest: Vec<u8>,
    /// Whether it corrects an earlier revision.
    pub is_correction: bool,
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: i64,
    /// Its bytes.
    pub bytes: i64,
    /// `sending`, `failed`, `sent` or `unknown`.
    pub state: String,
    /// How often it was sent or tried.
    pub attempts: i32,
    /// When it was sent last.
    pub sent_at: Option<UtcMicros>,
    /// Why it could not be sent last.
    pub error: Option<String>,
}

pub(super) static LIST: Sql = Sql {
    step: "list feeds",
    text: "SELECT f.feed, f.tenant, f.size, f.zone, f.layout, f.planned_until, w.waiting, w.failing, w.oldest, w.error, \
                  (SELECT max(d.sent_at) FROM feed_deliveries d WHERE d.feed = f.feed) \
           FROM feeds f \
           CROSS JOIN LATERAL (SELECT count(*) AS waiting, count(*) FILTER (WHERE i.attempt > 0) AS failing, min(i.queued_at) AS oldest, \
                                      (array_agg(i.error ORDER BY i.interval_start) FILTER (WHERE i.error IS NOT NULL))[1] AS error \
                               FROM feed_intervals i WHERE i.feed = f.feed AND i.state IN ('pending', 'leased')) w \
           ORDER BY f.feed",
};

pub(super) static WAITING: Sql = Sql {
    step: "count what of a feed waits",
    text: "SELECT count(*), min(queued_at) FROM feed_intervals WHERE feed = $1 AND state IN ('pending', 'leased')",
};

pub(super) static DELIVERIES: Sql = Sql {
    step: "list the files of a feed",
    text: "SELECT i.interval_start, i.interval_end, i.state, i.wanted, i.error, d.revision, d.layout, d.digest, d.correction, d.file, \
                  d.rows, d.bytes, d.state, d.attempts, d.sent_at, d.error \
           FROM feed_intervals i \
           LEFT JOIN feed_deliveries d ON d.feed = i.feed AND d.interval_start = i.interval_start \
           WHERE i.feed = $1 AND i.interval_start >= $2 AND i.interval_start < $3 \
           ORDER BY i.interval_start DESC, d.revision DESC LIMIT $4",
};

// What is being sent stays its holder's, who does not know of the wish: SETTLE has it sent again after, and where the holder dies, the next one
// finds it. All expressions see the row as it was.
pub(super) static REPLAY: Sql = Sql {
    step: "ask for intervals of a feed again",
    text: "INSERT INTO feed_intervals AS f (feed, interval_start, interval_end, wanted) \
           SELECT $1, i.from_at, i.to_at, 'replay' FROM unnest($2::timestamptz[], $3::timestamptz[]) AS i (from_at, to_at) \
           ON CONFLICT (feed, interval_start) DO UPDATE SET \
                  wanted = 'replay', \
                  state = CASE f.state WHEN 'leased' THEN 'leased' ELSE 'pending' END, \
                  due_at = CASE f.state WHEN 'leased' THEN f.due_at ELSE now() END, \
                  interval_end = CASE f.state WHEN 'leased' THEN f.interval_end ELSE EXCLUDED.interval_end END, \
                  attempt = CASE f.state WHEN 'leased' THEN f.attempt ELSE 0 END, \
                  error = CASE f.state WHEN 'leased' THEN f.error END, \
                  queued_at = CASE f.state WHEN 'leased' THEN f.queued_at ELSE now() END",
};

/// All feeds, by name.
pub async fn list(conn: &impl Connection) -> Result<Vec<Feed>, StoreError> {
    let sql = &LIST;
    let instant = |row, column| -> Result<Option<UtcMicros>, StoreError> {
        Ok(sql::get::<Option<Instant>>(row, sql, column)?.map(|at| at.0))
    };
    let rows = sql::query(conn, sql, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Feed {
                name: sql::get(row, sql, 0)?,
                tenant: sql::get(row, sql, 1)?,
                size: sql::get(row, sql, 2)?,
                zone: sql::get(row, sql, 3)?,
                layout: positive(sql::get(row, sql, 4)?),
                planned_until: sql::get::<Instant>(row, sql, 5)?.0,
                waiting: sql::get(row, sql, 6)?,
                failing: sql::get(row, sql, 7)?,
                oldest: instant(row, 8)?,
                error: sql::get(row, sql, 9)?,
                sent_at: instant(row, 10)?,
            })
        })
        .collect()
}

/// What of this feed waits: without what [`list`] reads of its files, for whoever asks often.
pub async fn waiting(conn: &impl Connection, feed: &str) -> Result<Waiting, StoreError> {
    let row = sql::query_one(conn, &WAITING, &[&feed]).await?;
    Ok(Waiting {
        intervals: sql::get(&row, &WAITING, 0)?,
        oldest: sql::get::<Option<Instant>>(&row, &WAITING, 1)?.map(|at| at.0),
    })
}

/// The intervals of a feed that begin in `[from, to)`, the latest first, each with all its revisions: at most `most` rows.
pub async fn deliveries(
    conn: &impl Connection,
    feed: &str,
    from: UtcMicros,
    to: UtcMicros,
    most: u32,
) -> Result<Vec<Delivery>, StoreError> {
    no_nul("feed", feed)?;
    let sql = &DELIVERIES;
    let params: sql::Params<'_> = &[&feed, &Instant(from), &Instant(to), &i64::from(most)];
    let rows = sql::query(conn, sql, params).await?;
    rows.iter()
        .map(|row| {
            let revision: Option<i32> = sql::get(row, sql, 5)?;
            let file = match revision {
                None => None,
                Some(revision) => Some(Sent {
                    revision: positive(revision),
                    layout: positive(sql::get(row, sql, 6)?),
                    digest: sql::get(row, sql, 7)?,
                    is_correction: sql::get(row, sql, 8)?,
                    name: sql::get(row, sql, 9)?,
                    rows: sql::get(row, sql, 10)?,
                    bytes: sql::get(row, sql, 11)?,
                    state: sql::get(row, sql, 12)?,
                    attempts: sql::get(row, sql, 13)?,
                    sent_at: sql::get::<Option<Instant>>(row, sql, 14)?.map(|at| at.0),
                    error: sql::get(row, sql, 15)?,
                }),
            };
            Ok(Delivery {
                start: sql::get::<Instant>(row, sql, 0)?.0,
                end: sql::get::<Instant>(row, sql, 1)?.0,
                interval_state: sql::get(row, sql, 2)?,
                wanted: sql::get(row, sql, 3)?,
                interval_error: sql::get(row, sql, 4)?,
                file,
            })
        })
        .collect()
}

/// Has these intervals (from, to) sent, whether they were before or not, and whether anything has changed or not. Returns how
/// many. One that is being sent for another reason is sent again after.
pub async fn replay(
    conn: &impl Connection,
    feed: &str,
    intervals: &[(UtcMicros, UtcMicros)],
) -> Result<u64, StoreError> {
    no_nul("feed", feed)?;
    let from: Vec<Instant> = intervals.iter().map(|(from, _)| Instant(*from)).collect();
    let to: Vec<Instant> = intervals.iter().map(|(_, to)| Instant(*to)).collect();
    sql::execute(conn, &REPLAY, &[&feed, &from, &to]).await
}

fn positive(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}
