//! Asking for slots.

use super::micros;
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::jobs::word;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use std::time::Duration;

/// Nothing is given further ahead than this, whatever is asked for.
const FARTHEST: Duration = Duration::from_secs(60);

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Live work: deliver, and ingest looking after its subscriptions.
    Deliver,
    /// History.
    Backfill,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// The credential.
    pub credential: &'a str,
    /// Where to: a short name that stays, never a URL with ids. Empty: anywhere.
    pub route: &'a str,
    /// Who asks.
    pub class: Class,
    /// From one slot to the next, as the one who asks has it configured. Where others have a longer one for the same credential, the
    /// longest that was stated in the last five minutes holds.
    pub refill: Duration,
    /// Whether somebody configured it. A mere default changes nothing for a credential that others state a refill of.
    pub stated: bool,
    /// At most so many slots; at least one.
    pub want: u32,
    /// None further ahead than this; at most a minute. Who asks with one credential asks with one horizon.
    pub horizon: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// These slots are ours and nobody else's.
    Granted {
        /// How long from now the first one is.
        first_in: Duration,
        /// How many they are, at least one.
        count: u32,
        /// From one to the next: longer than was asked for where another process has a lower limit configured.
        spacing: Duration,
        /// How long before "now" the question was there already: it waited for others.
        waited: Duration,
    },
    /// None now.
    Wait {
        /// How long from now to ask again; more than nothing.
        retry_in: Duration,
        /// Why.
        reason: Wait,
    },
}

/// Why there are no slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wait {
    /// The platform said so, of this route or of all.
    Paused,
    /// All slots up to the horizon are given.
    Busy,
    /// Another goes first: deliver, or backfill whose fifth it is.
    Yields,
}

impl Wait {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Paused, Self::Busy, Self::Yields];

    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Busy => "busy",
            Self::Yields => "yields",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wait| wait.as_str() == text)
    }
}

// What it does is in the migration, step by step: one round trip, and the row locked only where something is given or changes.
pub(super) static RESERVE: Sql = Sql {
    step: "ask for the slots of a platform's budget",
    text: "SELECT slots, reason, wait_us, spacing_us, waited_us FROM rate_reserve($1, $2, $3, $4, $5, $6, $7)",
};

/// Asks for slots. Outside a transaction: whoever asks with the same credential waits until this one has committed.
pub async fn reserve(conn: &impl Connection, ask: &Ask<'_>) -> Result<Answer, StoreError> {
    no_nul("credential", ask.credential)?;
    no_nul("route", ask.route)?;
    let micros_of = |length: Duration| i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
    // Longer than a year is as good as never, and fits an interval.
    let refill = ask.refill.min(Duration::from_secs(366 * 86_400));
    let params: sql::Params<'_> = &[
        &ask.credential,
        &ask.route,
        &micros_of(refill).max(1),
        &ask.stated,
        &(ask.class == Class::Deliver),
        &i64::from(ask.want.max(1)),
        &micros_of(ask.horizon.min(FARTHEST)),
    ];
    let row = sql::query_one(conn, &RESERVE, params).await?;
    let granted: i32 = sql::get(&row, &RESERVE, 0)?;
    let after = micros(sql::get(&row, &RESERVE, 2)?);
    match u32::try_from(granted) {
        Ok(count) if count > 0 => Ok(Answer::Granted {
            first_in: after,
            count,
            spacing: micros(sql::get(&row, &RESERVE, 3)?),
            waited: micros(sql::get(&row, &RESERVE, 4)?),
        }),
        _ => Ok(Answer::Wait {
            retry_in: after,
            reason: word(
                "rate_budgets.refused",
                sql::get::<Option<String>>(&row, &RESERVE, 1)?.unwrap_or_default(),
                Wait::parse,
            )?,
        }),
    }
}
