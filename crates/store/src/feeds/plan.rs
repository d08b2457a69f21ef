//! Which intervals are to be sent: those whose time has come, and those whose windows have changed since.

use super::figures::{Ask, asked, content, kpis};
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::{Connection, Store};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// A feed as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered<'a> {
    /// Its name: the key.
    pub feed: &'a str,
    /// The organisation. A registered feed keeps it.
    pub tenant: &'a str,
    /// The size of its intervals.
    pub size: &'a str,
    /// The receiver's zone.
    pub zone: &'a str,
    /// The version of its layout.
    pub layout: u16,
    /// What that version is.
    pub layout_text: &'a str,
    /// From when on intervals are sent, of a feed that is new; none: from now on.
    pub from: Option<UtcMicros>,
}

/// Why a feed is not registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It is.
    Yes,
    /// Under this version the layout was another; its text.
    AsOther(String),
}

/// How far a feed is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// Intervals that begin before this are.
    pub until: UtcMicros,
    /// The database's clock.
    pub now: UtcMicros,
}

pub(super) static OWNER: Sql = Sql {
    step: "look up the tenant of a feed",
    text: "SELECT tenant FROM feeds WHERE feed = $1",
};

pub(super) static REGISTER: Sql = Sql {
    step: "register a feed",
    text: "INSERT INTO feeds AS f (feed, tenant, size, zone, layout, planned_until) \
           VALUES ($1, $2, $3, $4, $5, coalesce($6::timestamptz, now())) \
           ON CONFLICT (feed) DO UPDATE SET size = EXCLUDED.size, zone = EXCLUDED.zone, layout = EXCLUDED.layout \
           WHERE (f.size, f.zone, f.layout) IS DISTINCT FROM (EXCLUDED.size, EXCLUDED.zone, EXCLUDED.layout)",
};

pub(super) static REMEMBER: Sql = Sql {
    step: "remember the layout of a feed",
    text: "INSERT INTO feed_layouts (feed, layout, text) VALUES ($1, $2, $3) ON CONFLICT (feed, layout) DO NOTHING",
};

pub(super) static LAYOUT: Sql = Sql {
    step: "read the layout of a feed",
    text: "SELECT text FROM feed_layouts WHERE feed = $1 AND layout = $2",
};

pub(super) static PLANNED: Sql = Sql {
    step: "read how far a feed is planned",
    text: "SELECT planned_until, clock_timestamp() FROM feeds WHERE feed = $1",
};

// One statement: of two processes that plan the same, one moves the mark and the other nothing.
pub(super) static PLAN: Sql = Sql {
    step: "plan the intervals of a feed",
    text: "WITH moved AS ( \
               UPDATE feeds SET planned_until = $3 WHERE feed = $1 AND planned_until = $2 AND $3 > $2 RETURNING feed \
           ) \
           INSERT INTO feed_intervals (feed, interval_start, interval_end) \
           SELECT moved.feed, i.from_at, i.to_at \
           FROM moved CROSS JOIN unnest($4::timestamptz[], $5::timestamptz[]) AS i (from_at, to_at) \
           ON CONFLICT (feed, interval_start) DO NOTHING",
};

// Rows that are to be sent anyway are left alone: they will be made of what there is then. No interval is longer than a day of 25 hours; the
// bounds of all windows together, which are parameters, let the months be passed over that none is in.
pub(super) static TOUCHED: Sql = Sql {
    step: "find intervals whose windows have changed",
    text: concat!(
        "WITH ",
        asked!(),
        ", now_is AS ( \
             SELECT i.interval_start, count(w.tenant) || '/' || coalesce(sum(",
        content!(),
        ") FILTER (WHERE w.tenant IS NOT NULL), 0) AS stamp \
             FROM feed_intervals i \
             CROSS JOIN asked a \
             LEFT JOIN window_metrics w ON w.tenant = $1 AND w.group_by = $2 AND w.size = $3 AND w.metric_version > 0 \
                  AND w.metric_type = a.name AND w.metric_version = a.version \
                  AND w.window_start >= i.interval_start AND w.window_start < i.interval_end \
                  AND w.window_start >= $7 AND w.window_start < $8::timestamptz + interval '25 hours' \
             WHERE i.feed = $6 AND i.interval_start >= $7 AND i.interval_start < $8::timestamptz AND i.state IN ('sent', 'empty') \
             GROUP BY i.interval_start \
         ) \
         UPDATE feed_intervals f SET state = 'pending', wanted = 'correction', due_at = now(), attempt = 0, error = NULL, queued_at = now() \
         FROM now_is n \
         WHERE f.feed = $6 AND f.interval_start = n.interval_start AND f.state IN ('sent', 'empty') \
           AND f.stamp IS DISTINCT FROM n.stamp",
    ),
};

/// Registers a feed, and remembers its layout, unless the layout was another under this version: then nothing is changed.
///
/// A name that is another organisation's is refused with [`StoreError::OtherTenant`].
pub async fn register(store: &Store, feed: &Registered<'_>) -> Result<Known, StoreError> {
    for (column, text) in [
        ("feed", feed.feed),
        ("tenant", feed.tenant),
        ("zone", feed.zone),
        ("layout", feed.layout_text),
    ] {
        no_nul(column, text)?;
    }
    let layout = i32::from(feed.layout);
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    if let Some(row) = sql::query(&tx, &OWNER, &[&feed.feed]).await?.first() {
        let owner: String = sql::get(row, &OWNER, 0)?;
        if owner != feed.tenant {
            return Err(StoreError::OtherTenant {
                target: feed.feed.to_owned(),
                owner,
                tenant: feed.tenant.to_owned(),
            });
        }
    }
    let params: sql::Params<'_> = &[&feed.feed, &layout, &feed.layout_text];
    sql::execute(&tx, &REMEMBER, params).await?;
    let row = sql::query_one(&tx, &LAYOUT, &[&feed.feed, &layout]).await?;
    let known: String = sql::get(&row, &LAYOUT, 0)?;
    if known != feed.layout_text {
        return Ok(Known::AsOther(known));
    }
    let from = feed.from.map(Instant);
    let params: sql::Params<'_> = &[
        &feed.feed,
        &feed.tenant,
        &feed.size,
        &feed.zone,
        &layout,
        &from,
    ];
    sql::execute(&tx, &REGISTER, params).await?;
    tx.commit().await?;
    Ok(Known::Yes)
}

/// How far a registered feed is planned.
pub async fn planned(conn: &impl Connection, feed: &str) -> Result<Planned, StoreError> {
    let row = sql::query_one(conn, &PLANNED, &[&feed]).await?;
    Ok(Planned {
        until: sql::get::<Instant>(&row, &PLANNED, 0)?.0,
        now: sql::get::<Instant>(&row, &PLANNED, 1)?.0,
    })
}

/// Adds these intervals (from, to), the last of which ends where the feed is planned until then. Nothing happens where it is not planned
/// until `until` any more: another process was there first. Returns how many were added.
pub async fn plan(
    conn: &impl Connection,
    feed: &str,
    until: UtcMicros,
    intervals: &[(UtcMicros, UtcMicros)],
) -> Result<u64, StoreError> {
    let Some((_, last)) = intervals.last() else {
        return Ok(0);
    };
    let from: Vec<Instant> = intervals.iter().map(|(from, _)| Instant(*from)).collect();
    let to: Vec<Instant> = intervals.iter().map(|(_, to)| Instant(*to)).collect();
    let params: sql::Params<'_> = &[&feed, &Instant(until), &Instant(*last), &from, &to];
    sql::execute(conn, &PLAN, params).await
}

/// Has intervals that begin in `[from, to)` made up again where their windows are not those any more that they were made of. Returns how
/// many these are. All windows of the stretch are read: a caller with a long one asks for it in parts.
pub async fn touched(
    conn: &impl Connection,
    feed: &str,
    ask: &Ask<'_>,
    from: UtcMicros,
    to: UtcMicros,
) -> Result<u64, StoreError> {
    let (names, versions) = kpis(ask)?;
    let params: sql::Params<'_> = &[
        &ask.tenant,
        &ask.group_by,
        &ask.size,
        &names,
        &versions,
        &feed,
        &Instant(from),
        &Instant(to),
    ];
    sql::execute(conn, &TOUCHED, params).await
}
