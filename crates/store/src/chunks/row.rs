//! The rows of `backfill_chunks` as they are given and read.

use crate::error::StoreError;
use crate::jobs::word;
use crate::sql::{self, Sql};
use crate::types::{Instant, Json, JsonText};
use schema::{JobId, UtcMicros};
use std::time::Duration;
use tokio_postgres::Row;

/// Where a chunk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// There are pages to fetch.
    Open,
    /// Every page was confirmed; what came of it is to be compared with what the platform counts.
    Fetched,
    /// Ended well.
    Done,
    /// Given up; the last error says why.
    Failed,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Open, Self::Fetched, Self::Done, Self::Failed];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Fetched => "fetched",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A chunk to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChunk {
    /// Where its stretch begins.
    pub from: UtcMicros,
    /// Where it ends, exclusive.
    pub to: UtcMicros,
    /// How long from now it may not be taken.
    pub due_in: Duration,
    /// Where to begin, as JSON; none: at the beginning.
    pub cursor_json: Option<String>,
}

/// Chunks to add, as columns.
pub(crate) struct ChunkColumns<'c> {
    pub(crate) from: Vec<Instant>,
    pub(crate) to: Vec<Instant>,
    /// Seconds.
    pub(crate) due_in: Vec<f64>,
    pub(crate) cursor: Vec<Option<Json<'c>>>,
}

impl<'c> ChunkColumns<'c> {
    pub(crate) fn of(chunks: &'c [NewChunk]) -> Self {
        let cursor = |chunk: &'c NewChunk| chunk.cursor_json.as_deref().map(Json::new);
        Self {
            from: chunks.iter().map(|chunk| Instant(chunk.from)).collect(),
            to: chunks.iter().map(|chunk| Instant(chunk.to)).collect(),
            due_in: chunks
                .iter()
                .map(|chunk| chunk.due_in.as_secs_f64())
                .collect(),
            cursor: chunks.iter().map(cursor).collect(),
        }
    }
}

/// A chunk as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its job.
    pub job: JobId,
    /// Its number in the job, from 0.
    pub number: i32,
    /// Where its stretch begins.
    pub from: UtcMicros,
    /// Where it ends, exclusive.
    pub to: UtcMicros,
    /// Where it stands.
    pub state: State,
    /// Not before.
    pub due_at: UtcMicros,
    /// Who works on it, or did and died.
    pub lease_owner: Option<String>,
    /// Until when nobody else may.
    pub lease_until: Option<UtcMicros>,
    /// How far it is, as JSON; the kind of the job knows how to read it.
    pub cursor_json: Option<String>,
    /// Failures in a row.
    pub attempt: i32,
    /// Pages that were confirmed.
    pub pages: i64,
    /// Records in them.
    pub records: i64,
    /// Bytes of them.
    pub bytes: i64,
    /// Requests to the platform.
    pub calls: i64,
    /// How many records the platform counts.
    pub expected: Option<i64>,
    /// How many of them the store has.
    pub arrived: Option<i64>,
    /// How often it was fetched anew because some were missing.
    pub reopened: i32,
    /// What it waits for, where that is no failure.
    pub waiting_for: Option<String>,
    /// What went wrong last. Stays until something goes well.
    pub last_error: Option<String>,
    /// When its first cursor was written.
    pub started_at: Option<UtcMicros>,
    /// When it was last written.
    pub updated_at: UtcMicros,
    /// When its last page was confirmed.
    pub fetched_at: Option<UtcMicros>,
    /// When it was done or given up.
    pub finished_at: Option<UtcMicros>,
}

impl Chunk {
    pub(super) fn read(row: &Row, sql: &Sql, first: usize) -> Result<Self, StoreError> {
        let instant = |column: usize| -> Result<Option<UtcMicros>, StoreError> {
            Ok(sql::get::<Option<Instant>>(row, sql, first + column)?.map(|at| at.0))
        };
        Ok(Self {
            job: JobId(sql::get(row, sql, first)?),
            number: sql::get(row, sql, first + 1)?,
            from: sql::get::<Instant>(row, sql, first + 2)?.0,
            to: sql::get::<Instant>(row, sql, first + 3)?.0,
            state: word(
                "backfill_chunks.state",
                sql::get(row, sql, first + 4)?,
                State::parse,
            )?,
            due_at: sql::get::<Instant>(row, sql, first + 5)?.0,
            lease_owner: sql::get(row, sql, first + 6)?,
            lease_until: instant(7)?,
            cursor_json: sql::get::<Option<JsonText>>(row, sql, first + 8)?.map(|text| text.0),
            attempt: sql::get(row, sql, first + 9)?,
            pages: sql::get(row, sql, first + 10)?,
            records: sql::get(row, sql, first + 11)?,
            bytes: sql::get(row, sql, first + 12)?,
            calls: sql::get(row, sql, first + 13)?,
            expected: sql::get(row, sql, first + 14)?,
            arrived: sql::get(row, sql, first + 15)?,
            reopened: sql::get(row, sql, first + 16)?,
            waiting_for: sql::get(row, sql, first + 17)?,
            last_error: sql::get(row, sql, first + 18)?,
            started_at: instant(19)?,
            updated_at: sql::get::<Instant>(row, sql, first + 20)?.0,
            fetched_at: instant(21)?,
            finished_at: instant(22)?,
        })
    }
}

/// The chunks of one job in sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many there are.
    pub chunks: i64,
    /// With pages to fetch.
    pub open: i64,
    /// Fetched and not yet compared.
    pub fetched: i64,
    /// Ended well.
    pub done: i64,
    /// Of these, those of which fewer records arrived than the platform counts.
    pub short: i64,
    /// Given up.
    pub failed: i64,
    /// That someone works on now.
    pub leased: i64,
    /// Open or fetched ones that wait for something.
    pub waiting: i64,
    /// Pages that were confirmed.
    pub pages: i64,
    /// Records in them.
    pub records: i64,
    /// Bytes of them.
    pub bytes: i64,
    /// Requests to the platform.
    pub calls: i64,
    /// How many records the platform counts, of the chunks of which it was asked.
    pub expected: Option<i64>,
    /// How many of them the store has, of the chunks that were compared.
    pub arrived: Option<i64>,
    /// How often chunks were fetched anew.
    pub reopened: i64,
    /// The error written last.
    pub last_error: Option<String>,
    /// Where the earliest chunk begins that is not done.
    pub first_not_done: Option<UtcMicros>,
    /// Where the latest chunk ends that is done.
    pub last_done: Option<UtcMicros>,
    /// When any was last written.
    pub updated_at: Option<UtcMicros>,
}

impl Totals {
    pub(super) fn read(row: &Row, sql: &Sql) -> Result<Self, StoreError> {
        let instant = |column: usize| -> Result<Option<UtcMicros>, StoreError> {
            Ok(sql::get::<Option<Instant>>(row, sql, column)?.map(|at| at.0))
        };
        Ok(Self {
            chunks: sql::get(row, sql, 1)?,
            open: sql::get(row, sql, 2)?,
            fetched: sql::get(row, sql, 3)?,
            done: sql::get(row, sql, 4)?,
            failed: sql::get(row, sql, 5)?,
            leased: sql::get(row, sql, 6)?,
            waiting: sql::get(row, sql, 7)?,
            pages: sql::get(row, sql, 8)?,
            records: sql::get(row, sql, 9)?,
            bytes: sql::get(row, sql, 10)?,
            calls: sql::get(row, sql, 11)?,
            expected: sql::get(row, sql, 12)?,
            arrived: sql::get(row, sql, 13)?,
            reopened: sql::get(row, sql, 14)?,
            last_error: sql::get(row, sql, 15)?,
            first_not_done: instant(16)?,
            last_done: instant(17)?,
            updated_at: instant(18)?,
            short: sql::get(row, sql, 19)?,
        })
    }
}
