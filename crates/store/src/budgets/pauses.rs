//! What platforms refused for a while.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::json::printable;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::time::Duration;

/// A pause in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The credential.
    pub credential: String,
    /// The route; none: all of them.
    pub route: Option<String>,
    /// Until when.
    pub until: UtcMicros,
    /// How long that is from now.
    pub left: Duration,
    /// Why.
    pub reason: String,
}

/// What came of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paused {
    /// How long the route, or all of them, rests from now: longer than was asked, where it was paused for longer already.
    pub left: Duration,
    /// How many other routes of the credential are paused now.
    pub other_routes: i64,
}

// Never shortened: of two answers the later end holds, and its reason.
pub(super) static PAUSE: Sql = Sql {
    step: "pause requests to a platform",
    text: "INSERT INTO rate_pauses AS p (credential, route, until, reason) \
           VALUES ($1, $2, clock_timestamp() + $3 * interval '1 second', $4) \
           ON CONFLICT (credential, route) DO UPDATE \
           SET until = greatest(p.until, EXCLUDED.until), reason = CASE WHEN EXCLUDED.until >= p.until THEN EXCLUDED.reason ELSE p.reason END \
           RETURNING extract(epoch FROM p.until - clock_timestamp())::float8, \
                     (SELECT count(*) FROM rate_pauses o \
                      WHERE o.credential = $1 AND o.route NOT IN ('', $2) AND o.until > clock_timestamp())",
};

pub(super) static PAUSES: Sql = Sql {
    step: "list the pauses of platforms",
    text: "SELECT credential, nullif(route, ''), until, extract(epoch FROM until - now())::float8, reason FROM rate_pauses \
           WHERE until > now() ORDER BY credential, route",
};

/// Has nobody send anything with this credential for so long from now, to one route or to any. A longer pause is left as it is.
pub async fn pause(
    conn: &impl Connection,
    credential: &str,
    route: Option<&str>,
    wait: Duration,
    reason: &str,
) -> Result<Paused, StoreError> {
    no_nul("credential", credential)?;
    let route = route.unwrap_or_default();
    no_nul("route", route)?;
    // A platform that says "in ten years" is not believed.
    let wait = wait.min(Duration::from_secs(86_400));
    let params: sql::Params<'_> = &[&credential, &route, &wait.as_secs_f64(), &printable(reason)];
    let row = sql::query_one(conn, &PAUSE, params).await?;
    Ok(Paused {
        left: seconds(sql::get(&row, &PAUSE, 0)?),
        other_routes: sql::get(&row, &PAUSE, 1)?,
    })
}

/// The pauses in force, by credential and route.
pub async fn pauses(conn: &impl Connection) -> Result<Vec<Pause>, StoreError> {
    sql::query(conn, &PAUSES, &[])
        .await?
        .iter()
        .map(|row| {
            Ok(Pause {
                credential: sql::get(row, &PAUSES, 0)?,
                route: sql::get(row, &PAUSES, 1)?,
                until: sql::get::<Instant>(row, &PAUSES, 2)?.0,
                left: seconds(sql::get(row, &PAUSES, 3)?),
                reason: sql::get(row, &PAUSES, 4)?,
            })
        })
        .collect()
}

/// A length in seconds; a negative one is none at all.
pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}
