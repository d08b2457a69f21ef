//! What only one process may do at a time, with a pause between two uses: one data extraction call per tenant, planning a standing job.

use crate::budgets::pauses::seconds;
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use std::time::Duration;

/// What came of asking for a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is ours.
    Yes,
    /// Another one has it, or had it too short a while ago.
    No {
        /// How long from now to ask again; more than nothing.
        retry_in: Duration,
    },
}

// The pause counts from the end of the use. Of a holder that died that is the end of its lease: free_at says so from the beginning.
static TAKE: Sql = Sql {
    step: "take a named lease",
    text: "WITH taken AS ( \
               INSERT INTO backfill_leases AS l (name, owner, until, free_at) \
               VALUES ($1, $2, clock_timestamp() + $3 * interval '1 second', clock_timestamp() + ($3 + $4) * interval '1 second') \
               ON CONFLICT (name) DO UPDATE SET owner = EXCLUDED.owner, until = EXCLUDED.until, free_at = EXCLUDED.free_at \
               WHERE l.free_at <= clock_timestamp() RETURNING name \
           ) \
           SELECT EXISTS (SELECT FROM taken), \
                  coalesce((SELECT extract(epoch FROM l.free_at - clock_timestamp()) FROM backfill_leases l WHERE l.name = $1), 0)::float8",
};

static KEEP: Sql = Sql {
    step: "keep a named lease",
    text: "UPDATE backfill_leases \
           SET until = clock_timestamp() + $3 * interval '1 second', free_at = clock_timestamp() + ($3 + $4) * interval '1 second' \
           WHERE name = $1 AND owner = $2 AND until > clock_timestamp()",
};

static RELEASE: Sql = Sql {
    step: "give up a named lease",
    text: "UPDATE backfill_leases \
           SET owner = NULL, until = clock_timestamp(), free_at = clock_timestamp() + $3 * interval '1 second' \
           WHERE name = $1 AND owner = $2",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&TAKE, &KEEP, &RELEASE];

/// Takes the lease for so long, if nobody has it and the last use ended at least `pause` ago. All users of a name give the same pause.
pub async fn take(
    conn: &impl Connection,
    name: &str,
    owner: &str,
    length: Duration,
    pause: Duration,
) -> Result<Taken, StoreError> {
    no_nul("name", name)?;
    no_nul("owner", owner)?;
    let params: sql::Params<'_> = &[&name, &owner, &length.as_secs_f64(), &pause.as_secs_f64()];
    let row = sql::query_one(conn, &TAKE, params).await?;
    if sql::get(&row, &TAKE, 0)? {
        return Ok(Taken::Yes);
    }
    Ok(Taken::No {
        // Another took it a moment ago: it will not be long.
        retry_in: seconds(sql::get(&row, &TAKE, 1)?).max(Duration::from_millis(100)),
    })
}

/// Extends our lease. `false`: it ran out; stop.
pub async fn keep(
    conn: &impl Connection,
    name: &str,
    owner: &str,
    length: Duration,
    pause: Duration,
) -> Result<bool, StoreError> {
    no_nul("name", name)?;
    no_nul("owner", owner)?;
    let params: sql::Params<'_> = &[&name, &owner, &length.as_secs_f64(), &pause.as_secs_f64()];
    Ok(sql::execute(conn, &KEEP, params).await? == 1)
}

/// Ends our use: the next one may begin after `pause`. `false`: it was no longer ours.
pub async fn release(
    conn: &impl Connection,
    name: &str,
    owner: &str,
    pause: Duration,
) -> Result<bool, StoreError> {
    no_nul("name", name)?;
    no_nul("owner", owner)?;
    let params: sql::Params<'_> = &[&name, &owner, &pause.as_secs_f64()];
    Ok(sql::execute(conn, &RELEASE, params).await? == 1)
}
