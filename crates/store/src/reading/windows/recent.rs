//! The newest windows of many KPIs at once.

use super::{WindowSeen, seen};
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{MetricVersion, UtcMicros};

// Along the key, from its end: as many steps as rows.
pub(in crate::reading) static RECENT: Sql = Sql {
    step: "read the newest windows of KPIs",
    text: concat!(
        "SELECT ",
        seen!(),
        ", k.ordinal FROM unnest($2::text[], $3::integer[]) WITH ORDINALITY AS k (metric_type, metric_version, ordinal) \
         CROSS JOIN LATERAL (SELECT * FROM window_metrics_all a \
                             WHERE a.tenant = $1 AND a.metric_type = k.metric_type AND a.metric_version = k.metric_version \
                               AND a.group_by = '' AND a.size = $4 AND a.group_key = '[]' \
                               AND a.window_start >= $5 AND a.window_start <= $6 \
                             ORDER BY a.window_start DESC LIMIT $7) w \
         ORDER BY k.ordinal, w.window_start"
    ),
};

/// Of each KPI the newest windows of the whole organisation that begin from `from` to `now`, at most `limit`, oldest first. One list a KPI, in
/// the order asked for.
pub async fn recent(
    conn: &impl Connection,
    tenant: &str,
    kpis: &[(&str, MetricVersion)],
    size: &str,
    (from, now): (UtcMicros, UtcMicros),
    limit: u32,
) -> Result<Vec<Vec<WindowSeen>>, StoreError> {
    no_nul("tenant", tenant)?;
    no_nul("size", size)?;
    let mut lists = vec![Vec::new(); kpis.len()];
    if kpis.is_empty() {
        return Ok(lists);
    }
    let names: Vec<&str> = kpis.iter().map(|(name, _)| *name).collect();
    let versions: Vec<i32> = kpis
        .iter()
        .map(|(_, version)| i32::from(version.0))
        .collect();
    let params: sql::Params<'_> = &[
        &tenant,
        &names,
        &versions,
        &size,
        &Instant(from),
        &Instant(now),
        &i64::from(limit),
    ];
    for row in &sql::query(conn, &RECENT, params).await? {
        let ordinal: i64 = sql::get(row, &RECENT, 26)?;
        let list = usize::try_from(ordinal - 1)
            .ok()
            .and_then(|at| lists.get_mut(at));
        if let Some(list) = list {
            list.push(WindowSeen::read(row, &RECENT)?);
        }
    }
    Ok(lists)
}
