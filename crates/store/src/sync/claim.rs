//! Taking rows that are due.

use super::{Lane, MetricKey, Subject};
use crate::error::StoreError;
use crate::metrics::version;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::targets::NotBefore;
use crate::types::{Date, Instant, JsonText};
use schema::{LocalDay, UtcMicros};
use std::time::Duration;
use tokio_postgres::Row;
use uuid::Uuid;

/// A row to push, with the value it has now.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// The row's place in the queue. Give it back when settling.
    pub row: i64,
    /// Which metric of what.
    pub key: MetricKey,
    /// The revision of this value. Give it back when settling.
    pub revision: i64,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// Since when it could have been sent.
    pub queued_at: UtcMicros,
    /// Whether it goes also where the platform has just this by our log.
    pub again: bool,
    /// With how many rows it may share a request, itself included; absent: any.
    pub together: Option<usize>,
    /// The value; absent with a reason in the metadata, or because nothing is in the agent's day any more.
    pub metric_value: Option<f64>,
    /// A JSON object.
    pub metadata_json: String,
    /// What the value is dated by; of an agent's day its first instant.
    pub timestamp_utc: UtcMicros,
    /// The agent it is attributed to.
    pub agent_id: Option<String>,
    /// The queue it is attributed to.
    pub queue_id: Option<String>,
    /// What the value of an agent's day is made of; absent where nothing is in it any more, and of everything else.
    pub day: Option<DayFigures>,
}

/// What the value of an agent's day is made of, as in `window_metrics`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayFigures {
    /// Whose clock the day goes by: an IANA name or a fixed offset.
    pub zone: String,
    /// The day's first instant.
    pub from: UtcMicros,
    /// The first instant after it.
    pub to: UtcMicros,
    /// When changes are no longer expected.
    pub settles_at: UtcMicros,
    /// How many values there are.
    pub items: i64,
    /// The sum of the values, times the scale.
    pub numerator: i64,
    /// The sum of the weights: how many values, or milliseconds; 0 of a time.
    pub denominator: i64,
    /// What the values were multiplied by; more than 0.
    pub scale: i64,
    /// The unit of the definition.
    pub unit: String,
}

/// Rows held under one lease.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The lease. Give it back when settling.
    pub lease: Uuid,
    /// The rows, longest due first.
    pub rows: Vec<Due>,
    /// How many rows were due and were put back, because what they are of has not settled. With some, there may be more to claim although
    /// there are no rows.
    pub put_back: u64,
}

/// What is looked for.
macro_rules! due {
    () => {
        "due AS MATERIALIZED ( \
             SELECT row_id, tenant, interaction_id, grain, state, from_at, to_at, settles_at, due_at FROM sync_queue \
             WHERE target = $1 AND lane = $5 AND state <> 'rejected' AND due_at <= statement_timestamp() \
             ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED \
         )"
    };
}

/// What is taken, and what it says. statement_timestamp(): one end for the whole lease, and, being stable, a bound for the scan of
/// sync_queue_lane_due. One statement, so one snapshot: of an interaction value and revision belong together, and the revision handed out is
/// the value's own and not the queue's, which may have been raised after the snapshot was taken. Of an agent's day both are the row's.
macro_rules! leased {
    ($taken:literal, $put_back:literal) => {
        concat!(
            "leased AS ( \
                 UPDATE sync_queue q \
                 SET state = 'leased', lease_id = $3, due_at = statement_timestamp() + $4 * interval '1 second', attempt = q.attempt + 1, \
                     queued_at = CASE q.state WHEN 'held' THEN d.due_at ELSE q.queued_at END \
                 FROM due d WHERE q.row_id = d.row_id",
            $taken,
            " RETURNING q.row_id, q.tenant, q.interaction_id, q.leg_scope, q.agent_id, q.workday, q.metric_type, q.metric_version, \
                           q.partition_at, q.attempt, q.queued_at, q.revision, q.value, q.zone, q.from_at, q.to_at, q.settles_at, \
                           q.items, q.numerator, q.denominator, q.scale, q.unit, q.together, q.again, d.due_at AS was_due_at \
             ) \
             SELECT l.row_id, l.tenant, l.interaction_id, l.leg_scope, l.agent_id, l.workday, l.metric_type, l.metric_version, l.attempt, \
                    l.queued_at, CASE WHEN l.workday IS NULL THEN m.revision ELSE l.revision END, \
                    CASE WHEN l.workday IS NULL THEN m.metric_value ELSE l.value END, m.metadata, coalesce(m.timestamp_utc, l.from_at), \
                    m.agent_id, m.queue_id, l.zone, l.from_at, l.to_at, l.settles_at, l.items, l.numerator, l.denominator, l.scale, l.unit, \
                    n.put_back, l.together, l.again, \
                    coalesce(CASE WHEN t.versions = '{}' \
                                  THEN l.metric_version = (SELECT k.version FROM kpi_definitions k \
                                                           WHERE k.name = l.metric_type AND k.status = 'current') \
                                  ELSE l.metric_version = ANY (t.versions) END, false) \
             FROM (SELECT ",
            $put_back,
            " AS put_back) n LEFT JOIN leased l ON true LEFT JOIN sync_targets t ON t.target = $1 \
             LEFT JOIN LATERAL (SELECT revision, metric_value, metadata, timestamp_utc, agent_id, queue_id \
                                FROM computed_metrics m \
                                WHERE m.tenant = l.tenant AND m.interaction_id = l.interaction_id AND m.metric_type = l.metric_type \
                                  AND m.metric_version = l.metric_version AND m.leg_scope = l.leg_scope \
                                  AND m.partition_at = l.partition_at OFFSET 0) m ON true \
             ORDER BY l.was_due_at, l.row_id"
        )
    };
}

pub(super) static CLAIM: Sql = Sql {
    step: "claim delivery rows",
    text: concat!("WITH ", due!(), ", ", leased!("", "0::bigint")),
};

// What waits to settle is looked at when it is due, and put back where it has not: an interaction that goes on after it was queued, a window
// with a mark (see the view window_metrics_all). What settles an interaction makes its rows due, and waits for our lock on them; so a row
// is either seen settled here, or made due by that. A push of unknown fate stays one, and is looked at every minute.
pub(super) static CLAIM_SETTLED: Sql = Sql {
    step: "claim settled delivery rows",
    text: concat!(
        "WITH ",
        due!(),
        ", marked AS MATERIALIZED ( \
             SELECT t.tenant, least((SELECT min(m.from_at) FROM dirty_marks m WHERE m.kind = 'group' AND m.tenant = t.tenant), \
                                    (SELECT min(m.from_at) FROM dirty_marks m WHERE m.kind = 'agent' AND m.tenant = t.tenant), \
                                    (SELECT min(m.from_at) FROM dirty_marks m WHERE m.kind = 'journey' AND m.tenant = t.tenant), \
                                    (SELECT min(d.from_at) FROM deferred_evaluations d WHERE d.tenant = t.tenant AND NOT d.written_off)) AS since \
             FROM (SELECT DISTINCT tenant FROM due WHERE grain = 'agent_day') t \
         ), unsettled AS MATERIALIZED ( \
             SELECT d.row_id, CASE WHEN d.grain <> 'agent_day' AND d.state <> 'unknown' THEN statement_timestamp() + interval '6 hours' \
                                   ELSE greatest(d.settles_at, statement_timestamp() + interval '1 minute') END AS next_at \
             FROM due d LEFT JOIN marked k ON k.tenant = d.tenant \
             WHERE CASE WHEN d.grain <> 'agent_day' THEN NOT EXISTS ( \
                            SELECT FROM interactions i \
                            WHERE i.tenant = d.tenant AND i.interaction_id = d.interaction_id AND i.settled_at IS NOT NULL) \
                        ELSE d.settles_at > statement_timestamp() OR d.to_at > k.since \
                             OR EXISTS (SELECT FROM dirty_marks m WHERE m.kind = 'cell' AND m.tenant = d.tenant \
                                          AND m.from_at >= d.from_at AND m.from_at < d.to_at) END \
         ), held AS ( \
             UPDATE sync_queue q \
             SET state = CASE q.state WHEN 'unknown' THEN 'unknown' ELSE 'held' END, lease_id = NULL, due_at = u.next_at \
             FROM unsettled u WHERE q.row_id = u.row_id \
         ), ",
        leased!(
            " AND NOT EXISTS (SELECT FROM unsettled u WHERE u.row_id = q.row_id)",
            "(SELECT count(*) FROM unsettled)"
        )
    ),
};

// Retention dropped the month of a row that was still waiting; or another version was promoted meanwhile, and where both have one name on the
// platform a late value of the old one would take the place of the new one's.
pub(super) static DROP_ORPHANS: Sql = Sql {
    step: "drop delivery rows that nobody wants any more",
    text: "DELETE FROM sync_queue WHERE row_id = ANY ($1) AND lease_id = $2",
};

/// What a claim looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Rows of this target.
    pub target: &'a str,
    /// Rows of this lane.
    pub lane: Lane,
    /// So many at most.
    pub limit: u32,
    /// With [`NotBefore::Settled`] those are put back whose interaction or window has not settled.
    pub not_before: NotBefore,
}

/// Takes rows of the target that are due under this lease, for so long, counting the attempt.
///
/// Rows another replica holds are passed over; rows whose lease ran out are due like any other. Of a version that the target does not want any
/// more, another one having been promoted, rows leave the queue. All clocks are the server's.
pub async fn claim(
    conn: &impl Connection,
    wanted: &Wanted<'_>,
    lease: Uuid,
    length: Duration,
) -> Result<Claimed, StoreError> {
    let sql = match wanted.not_before {
        NotBefore::AtOnce => &CLAIM,
        NotBefore::Settled => &CLAIM_SETTLED,
    };
    let params: sql::Params<'_> = &[
        &wanted.target,
        &i64::from(wanted.limit),
        &lease,
        &length.as_secs_f64(),
        &wanted.lane.name(),
    ];
    let rows = sql::query(conn, sql, params).await?;
    let mut claimed = Claimed {
        lease,
        rows: Vec::with_capacity(rows.len()),
        put_back: 0,
    };
    let mut orphans: Vec<i64> = Vec::new();
    for row in &rows {
        claimed.put_back = sql::get::<i64>(row, sql, 25)?.unsigned_abs();
        // The count comes also where nothing was taken.
        let Some(place) = sql::get::<Option<i64>>(row, sql, 0)? else {
            continue;
        };
        let is_wanted: bool = sql::get(row, sql, 28)?;
        match sql::get::<Option<i64>>(row, sql, 10)?.filter(|_| is_wanted) {
            Some(revision) => claimed.rows.push(due(row, sql, place, revision)?),
            None => orphans.push(place),
        }
    }
    if !orphans.is_empty() {
        sql::execute(conn, &DROP_ORPHANS, &[&orphans, &lease]).await?;
    }
    Ok(claimed)
}

fn due(row: &Row, sql: &Sql, place: i64, revision: i64) -> Result<Due, StoreError> {
    let subject = match sql::get::<Option<Date>>(row, sql, 5)? {
        Some(day) => Subject::AgentDay {
            agent: sql::get(row, sql, 4)?,
            day: LocalDay(day.0),
        },
        None => Subject::of_interaction(
            sql::get::<String>(row, sql, 2)?,
            sql::get::<String>(row, sql, 3)?,
        ),
    };
    let agent_id = match &subject {
        Subject::AgentDay { agent, .. } => Some(agent.clone()),
        Subject::Interaction { .. } | Subject::Leg { .. } => sql::get(row, sql, 14)?,
    };
    let day = figures(row, sql)?;
    let at = |column| sql::get::<Option<Instant>>(row, sql, column);
    Ok(Due {
        row: place,
        key: MetricKey {
            tenant: sql::get(row, sql, 1)?,
            subject,
            metric_type: sql::get(row, sql, 6)?,
            metric_version: version(sql::get(row, sql, 7)?)?,
        },
        revision,
        attempt: sql::get(row, sql, 8)?,
        queued_at: sql::get::<Instant>(row, sql, 9)?.0,
        again: sql::get(row, sql, 27)?,
        together: sql::get::<Option<i32>>(row, sql, 26)?
            .and_then(|rows| usize::try_from(rows).ok()),
        metric_value: sql::get(row, sql, 11)?,
        metadata_json: sql::get::<Option<JsonText>>(row, sql, 12)?
            .map_or_else(|| "{}".to_owned(), |metadata| metadata.0),
        // Of a day that nothing is in any more nobody knows the first instant, nor needs it.
        timestamp_utc: at(13)?.map_or(UtcMicros(0), |at| at.0),
        agent_id,
        queue_id: sql::get(row, sql, 15)?,
        day,
    })
}

/// All or none of these columns are stated.
fn figures(row: &Row, sql: &Sql) -> Result<Option<DayFigures>, StoreError> {
    let Some(zone) = sql::get::<Option<String>>(row, sql, 16)? else {
        return Ok(None);
    };
    let at = |column| sql::get::<Instant>(row, sql, column).map(|at| at.0);
    Ok(Some(DayFigures {
        zone,
        from: at(17)?,
        to: at(18)?,
        settles_at: at(19)?,
        items: sql::get(row, sql, 20)?,
        numerator: sql::get(row, sql, 21)?,
        denominator: sql::get(row, sql, 22)?,
        scale: sql::get(row, sql, 23)?,
        unit: sql::get(row, sql, 24)?,
    }))
}
