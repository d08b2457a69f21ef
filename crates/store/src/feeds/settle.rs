//! What is written down before a file is sent, and after.

use super::claim::Wanted;
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::json::printable;
use crate::pool::{Connection, Store};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::time::Duration;
use uuid::Uuid;

/// An interval that this process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease<'a> {
    /// The lease.
    pub id: Uuid,
    /// The feed.
    pub feed: &'a str,
    /// Where the interval begins.
    pub start: UtcMicros,
    /// Why it was to be sent when it was claimed.
    pub wanted: Wanted,
}

/// A file, before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File<'a> {
    /// The revision that it is of.
    pub revision: u32,
    /// The version of the layout.
    pub layout: u16,
    /// What tells its content from another.
    pub digest: &'a [u8; 32],
    /// Whether it corrects an earlier revision.
    pub is_correction: bool,
    /// Its name.
    pub name: &'a str,
    /// Its rows.
    pub rows: usize,
    /// Its bytes.
    pub bytes: usize,
}

pub(super) static HOLD: Sql = Sql {
    step: "hold an interval of a feed",
    text: "SELECT 1 FROM feed_intervals WHERE feed = $1 AND interval_start = $2 AND lease_id = $3 AND state = 'leased' FOR UPDATE",
};

pub(super) static SUPERSEDE: Sql = Sql {
    step: "give up earlier revisions of an interval",
    text: "UPDATE feed_deliveries SET state = 'unknown' \
           WHERE feed = $1 AND interval_start = $2 AND revision < $3 AND state IN ('sending', 'failed')",
};

// A revision that was sent, or may have been, stays doubtful whatever becomes of another try; one that certainly was not may be given another
// content, and is as new.
pub(super) static PREPARE: Sql = Sql {
    step: "write down a file before it is sent",
    text: "INSERT INTO feed_deliveries AS d (feed, interval_start, revision, layout, digest, correction, file, rows, bytes, state) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'sending') \
           ON CONFLICT (feed, interval_start, revision) DO UPDATE SET \
                  layout = EXCLUDED.layout, digest = EXCLUDED.digest, correction = EXCLUDED.correction, file = EXCLUDED.file, \
                  rows = EXCLUDED.rows, bytes = EXCLUDED.bytes, doubtful = d.doubtful OR d.state <> 'failed', state = 'sending', \
                  attempts = d.attempts + 1",
};

pub(super) static SENT: Sql = Sql {
    step: "write down that a file was sent",
    text: "UPDATE feed_deliveries SET state = 'sent', sent_at = now(), error = NULL \
           WHERE feed = $1 AND interval_start = $2 AND revision = $3",
};

// A replay that was asked for while the interval was held for another reason is still to come: the holder did not know of it.
pub(super) static SETTLE: Sql = Sql {
    step: "settle an interval of a feed",
    text: "UPDATE feed_intervals SET stamp = $5, lease_id = NULL, attempt = 0, error = NULL, \
                  state = CASE WHEN wanted = 'replay' AND $6::text <> 'replay' THEN 'pending' ELSE $4::text END, \
                  due_at = CASE WHEN wanted = 'replay' AND $6::text <> 'replay' THEN now() ELSE due_at END, \
                  queued_at = CASE WHEN wanted = 'replay' AND $6::text <> 'replay' THEN now() ELSE queued_at END \
           WHERE feed = $1 AND interval_start = $2 AND lease_id = $3 AND state = 'leased'",
};

pub(super) static NOTE: Sql = Sql {
    step: "write down that a file was not sent",
    text: "UPDATE feed_deliveries SET error = $5, state = CASE WHEN $4 AND NOT doubtful THEN 'failed' ELSE state END \
           WHERE feed = $1 AND interval_start = $2 AND revision = $3 AND state = 'sending'",
};

pub(super) static FAILED: Sql = Sql {
    step: "put an interval of a feed off",
    text: "UPDATE feed_intervals SET state = 'pending', lease_id = NULL, attempt = $4, error = $5, due_at = now() + $6 * interval '1 second' \
           WHERE feed = $1 AND interval_start = $2 AND lease_id = $3 AND state = 'leased'",
};

pub(super) static GIVE_BACK: Sql = Sql {
    step: "give intervals of a feed back",
    text: "UPDATE feed_intervals SET state = 'pending', lease_id = NULL, due_at = now() + $3 * interval '1 second' \
           WHERE feed = $1 AND lease_id = $2 AND state = 'leased'",
};

/// Writes a file down before it is sent. `false`: the lease is not ours any more, and nothing is to be sent.
pub async fn prepare(store: &Store, lease: Lease<'_>, file: &File<'_>) -> Result<bool, StoreError> {
    no_nul("file", file.name)?;
    let start = Instant(lease.start);
    let revision = number(file.revision);
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    let held = sql::query(&tx, &HOLD, &[&lease.feed, &start, &lease.id]).await?;
    if held.is_empty() {
        return Ok(false);
    }
    sql::execute(&tx, &SUPERSEDE, &[&lease.feed, &start, &revision]).await?;
    let params: sql::Params<'_> = &[
        &lease.feed,
        &start,
        &revision,
        &i32::from(file.layout),
        &file.digest.as_slice(),
        &file.is_correction,
        &file.name,
        &i64::try_from(file.rows).unwrap_or(i64::MAX),
        &i64::try_from(file.bytes).unwrap_or(i64::MAX),
    ];
    sql::execute(&tx, &PREPARE, params).await?;
    tx.commit().await?;
    Ok(true)
}

/// The receiver has it. `false`: the lease had run out; whoever has it now sends the same again, or what has come since.
pub async fn sent(
    store: &Store,
    lease: Lease<'_>,
    revision: u32,
    stamp: &str,
) -> Result<bool, StoreError> {
    let start = Instant(lease.start);
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    let params: sql::Params<'_> = &[
        &lease.feed,
        &start,
        &lease.id,
        &"sent",
        &stamp,
        &lease.wanted.as_str(),
    ];
    if sql::execute(&tx, &SETTLE, params).await? == 0 {
        return Ok(false);
    }
    sql::execute(&tx, &SENT, &[&lease.feed, &start, &number(revision)]).await?;
    tx.commit().await?;
    Ok(true)
}

/// It was not sent, or nobody knows whether it was; it goes again after so long. `revision`: the file that was tried, and whether it is
/// certain that the receiver does not have it.
pub async fn failed(
    store: &Store,
    lease: Lease<'_>,
    revision: Option<(u32, bool)>,
    attempt: u32,
    retry_in: Duration,
    why: &str,
) -> Result<(), StoreError> {
    let start = Instant(lease.start);
    let why = printable(why);
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    if let Some((revision, is_certain)) = revision {
        let params: sql::Params<'_> = &[
            &lease.feed,
            &start,
            &number(revision),
            &is_certain,
            &why.as_ref(),
        ];
        sql::execute(&tx, &NOTE, params).await?;
    }
    let params: sql::Params<'_> = &[
        &lease.feed,
        &start,
        &lease.id,
        &number(attempt),
        &why.as_ref(),
        &retry_in.as_secs_f64(),
    ];
    sql::execute(&tx, &FAILED, params).await?;
    tx.commit().await
}

/// There is nothing to send: what the receiver has is what there is, or there is nothing (`is_empty`) and it gets no empty files.
pub async fn nothing(
    conn: &impl Connection,
    lease: Lease<'_>,
    is_empty: bool,
    stamp: &str,
) -> Result<(), StoreError> {
    let state = if is_empty { "empty" } else { "sent" };
    let params: sql::Params<'_> = &[
        &lease.feed,
        &Instant(lease.start),
        &lease.id,
        &state,
        &stamp,
        &lease.wanted.as_str(),
    ];
    sql::execute(conn, &SETTLE, params).await.map(|_| ())
}

/// Gives back what is still held under a lease; it is due again after so long.
pub async fn give_back(
    conn: &impl Connection,
    feed: &str,
    lease: Uuid,
    retry_in: Duration,
) -> Result<u64, StoreError> {
    sql::execute(conn, &GIVE_BACK, &[&feed, &lease, &retry_in.as_secs_f64()]).await
}

fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
