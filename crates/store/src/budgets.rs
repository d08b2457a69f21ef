//! The pace of requests with one credential, shared by all processes that use it.
//!
//! Requests have slots, evenly spaced, given out in one order and by this server's clock: one row a credential, whose lock is the order. There
//! is no burst, after idle time neither, and none for a process that is started again and again. A platform that said "not now" is left alone
//! by all: [`pause`], of one route or of all.
//!
//! Backfill gives way to deliver: while deliver waits for slots, backfill gets one in five. While deliver is at work but has what it
//! wants, backfill has all that is left, and deliver a head start on each slot.

pub(crate) mod pauses;
mod reserve;

pub use pauses::{Pause, Paused, pause, pauses};
pub use reserve::{Answer, Ask, Class, Wait, reserve};

use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::time::Duration;

static LIST: Sql = Sql {
    step: "list the budgets of platforms",
    text: "SELECT credential, refill_us, next_at, coalesce(greatest(deliver_wants_until, deliver_at + interval '2 seconds') > now(), false), \
                  coalesce(history_wants_until > now(), false), \
                  granted, refused, updated_at \
           FROM rate_budgets ORDER BY credential",
};

pub(crate) static STATEMENTS: &[&Sql] =
    &[&LIST, &reserve::RESERVE, &pauses::PAUSE, &pauses::PAUSES];

/// How a credential's budget stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The credential.
    pub credential: String,
    /// From one slot to the next.
    pub refill: Duration,
    /// The first slot that nobody has.
    pub next_at: UtcMicros,
    /// Whether deliver waits for slots, or had some a moment ago.
    pub deliver_wants: bool,
    /// Whether backfill waits for slots, as far as deliver is to know.
    pub backfill_waits: bool,
    /// How many slots were given last.
    pub granted: i32,
    /// Why somebody was given none since.
    pub refused: Option<String>,
    /// When that was.
    pub asked_at: UtcMicros,
}

/// All budgets, by credential.
pub async fn list(conn: &impl Connection) -> Result<Vec<Budget>, StoreError> {
    sql::query(conn, &LIST, &[])
        .await?
        .iter()
        .map(|row| {
            let refill: i64 = sql::get(row, &LIST, 1)?;
            Ok(Budget {
                credential: sql::get(row, &LIST, 0)?,
                refill: micros(refill),
                next_at: sql::get::<Instant>(row, &LIST, 2)?.0,
                deliver_wants: sql::get(row, &LIST, 3)?,
                backfill_waits: sql::get(row, &LIST, 4)?,
                granted: sql::get(row, &LIST, 5)?,
                refused: sql::get(row, &LIST, 6)?,
                asked_at: sql::get::<Instant>(row, &LIST, 7)?.0,
            })
        })
        .collect()
}

/// A length in microseconds; a negative one is none at all.
pub(crate) fn micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
