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
    /// longest that was asked for in the last five minutes holds.
    pub refill: Duration,
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
    /// Deliver goes first.
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

// One statement: whoever conflicts locks the row, and everything after that sees what the one before left. The clock is read once, under the
// lock. `refill`, `horizon` are intervals, `micros` is the refill in microseconds.
//
// - micros: the longest refill of those who asked lately, so that of two configured limits the lower one holds, and a limit that was raised
//   everywhere holds five minutes later.
// - now: the clock. paused: until when. deliver: whether deliver wants some, and it is not deliver that asks.
// - slot: the first free one, never in the past. Nothing is given further ahead than a minute, so a later one is a clock that was set back.
// - edge: up to where slots are given. While backfill waits for its fifth, deliver leaves one.
// - fits: how many slots there are up to the edge. turn: whether it is backfill's fifth, or deliver let a whole slot pass.
//
// A new row gives nothing yet: its first slot is one refill away, so that nobody gets more by asking under new names or after a clean-up.
pub(super) static RESERVE: Sql = Sql {
    step: "ask for the slots of a platform's budget",
    text: "INSERT INTO rate_budgets AS b (credential, refill_us, refill_at, next_at, deliver_wants_until, slot_at, refused, updated_at) \
           SELECT $1, $3::bigint, t.now, t.now + t.refill, CASE WHEN $4::bool THEN t.now + interval '2 seconds' END, \
                  greatest(t.now + t.refill - $6::bigint * interval '1 microsecond', t.now + interval '1 millisecond'), 'busy', t.now \
           FROM (SELECT clock_timestamp() AS now, $3::bigint * interval '1 microsecond' AS refill OFFSET 0) t \
           ON CONFLICT (credential) DO UPDATE \
           SET (refill_us, refill_at, next_at, history_next_at, history_wants_until, deliver_wants_until, granted, slot_at, refused, updated_at) = ( \
               SELECT g.micros, \
                      CASE WHEN $3 >= g.micros THEN g.now ELSE b.refill_at END, \
                      g.slot + g.granted * g.refill, \
                      CASE WHEN NOT $4 AND g.granted > 0 THEN g.slot + (g.granted + 4) * g.refill ELSE b.history_next_at END, \
                      CASE WHEN $4 THEN b.history_wants_until \
                           WHEN g.granted = 0 AND g.refused IS DISTINCT FROM 'paused' \
                           THEN greatest(b.history_wants_until, g.retry_at + interval '2 seconds') END, \
                      CASE WHEN NOT $4 THEN b.deliver_wants_until \
                           WHEN g.refused IS DISTINCT FROM 'paused' \
                           THEN greatest(g.now, CASE WHEN g.granted = 0 THEN g.retry_at END, b.deliver_wants_until - interval '2 seconds') \
                                + interval '2 seconds' \
                           ELSE b.deliver_wants_until END, \
                      g.granted, \
                      CASE WHEN g.granted > 0 THEN g.slot ELSE g.retry_at END, \
                      g.refused, \
                      g.now \
               FROM (SELECT f.now, f.micros, f.slot, f.refill, w.granted, w.refused, \
                            greatest(f.now + interval '1 millisecond', \
                                     CASE w.refused WHEN 'paused' THEN f.paused \
                                                    WHEN 'busy' THEN f.slot - f.edge \
                                                    WHEN 'yields' THEN least(b.next_at + f.refill, \
                                                                                 greatest(b.history_next_at - f.horizon, f.now + f.refill)) END) \
                            AS retry_at \
                     FROM (SELECT e.*, CASE WHEN e.slot <= e.now + e.edge \
                                            THEN least($5::bigint, 1 + floor(extract(epoch FROM e.now + e.edge - e.slot) * 1000000 / e.micros)::bigint) \
                                            ELSE 0 END AS fits, \
                                  NOT e.deliver OR coalesce(b.history_next_at <= e.slot, true) OR b.next_at + e.refill <= e.now AS turn \
                           FROM (SELECT s.*, CASE WHEN $4 AND coalesce(b.history_wants_until > s.now, false) \
                                                       AND coalesce(b.history_next_at <= s.slot, true) \
                                                  THEN s.horizon - s.refill ELSE s.horizon END AS edge \
                                 FROM (SELECT t.*, \
                                              greatest(t.now, least(b.next_at, t.now + interval '1 minute' \
                                                                               + 2 * greatest(t.refill, b.refill_us * interval '1 microsecond'))) \
                                              AS slot, \
                                              NOT $4 AND coalesce(b.deliver_wants_until > t.now, false) AS deliver, \
                                              (SELECT max(p.until) FROM rate_pauses p \
                                               WHERE p.credential = b.credential AND p.route IN ('', $2) AND p.until > t.now) AS paused \
                                       FROM (SELECT l.now, l.micros, l.micros * interval '1 microsecond' AS refill, \
                                                    $6::bigint * interval '1 microsecond' AS horizon \
                                             FROM (SELECT c.now, greatest($3::bigint, CASE WHEN b.refill_at > c.now - interval '5 minutes' \
                                                                                           THEN b.refill_us END) AS micros \
                                                   FROM (SELECT clock_timestamp() AS now OFFSET 0) c OFFSET 0) l OFFSET 0) t OFFSET 0) s OFFSET 0) e OFFSET 0) f \
                     CROSS JOIN LATERAL (SELECT CASE WHEN f.paused IS NOT NULL OR NOT f.turn THEN 0 \
                                                     WHEN f.deliver THEN least(f.fits, 1) ELSE f.fits END::integer AS granted, \
                                                CASE WHEN f.paused IS NOT NULL THEN 'paused' WHEN NOT f.turn THEN 'yields' \
                                                     WHEN f.fits = 0 THEN 'busy' END AS refused OFFSET 0) w OFFSET 0) g) \
           RETURNING b.granted, b.refused, (extract(epoch FROM b.slot_at - b.updated_at) * 1000000)::bigint, b.refill_us",
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
