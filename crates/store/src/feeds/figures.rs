//! The windows that intervals are made of.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::{Instant, JsonText};
use schema::{MetricVersion, UtcMicros};

/// What a feed asks of the windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The dimensions, sorted, with commas.
    pub group_by: &'a str,
    /// `15m`, `30m`, `60m` or `day`.
    pub size: &'a str,
    /// The KPIs, by name; without a version whichever is current.
    pub kpis: &'a [(String, Option<MetricVersion>)],
}

/// One KPI of one group over one window.
#[derive(Debug, Clone, PartialEq)]
pub struct FigureRow {
    /// Which of the intervals that were asked for.
    pub interval: usize,
    /// Which of the KPIs that were asked for.
    pub kpi: usize,
    /// The version of its definition.
    pub version: MetricVersion,
    /// The values of the dimensions, a JSON array.
    pub group_key: String,
    /// Its first instant.
    pub window_start: UtcMicros,
    /// The first instant after it.
    pub window_end: UtcMicros,
    /// How many values it is made of.
    pub items: i64,
    /// The sum of the values, times the scale.
    pub numerator: i64,
    /// How many values, or milliseconds.
    pub denominator: i64,
    /// What values were multiplied by.
    pub scale: i64,
    /// The least value.
    pub minimum: Option<f64>,
    /// The greatest value.
    pub maximum: Option<f64>,
    /// Percentiles by name, a JSON object.
    pub percentiles_json: Option<String>,
    /// The KPI.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: String,
}

/// The KPIs in the versions that count, by their places from 1.
macro_rules! asked {
    () => {
        "asked AS ( \
             SELECT a.place, a.name, coalesce(a.version, k.version) AS version \
             FROM unnest($4::text[], $5::integer[]) WITH ORDINALITY AS a (name, version, place) \
             LEFT JOIN kpi_definitions k ON k.name = a.name AND k.status = 'current' AND a.version IS NULL \
         )"
    };
}
pub(super) use asked;

/// What tells two states of a window apart. Of its content: a row that went and came again is what it was.
macro_rules! content {
    () => {
        "hash_record_extended(ROW(w.metric_type, w.metric_version, w.group_key, w.window_start, w.window_end, w.items, w.numerator, \
                                  w.denominator, w.scale, w.minimum, w.maximum, w.percentiles, w.value, w.unit), 0)"
    };
}
pub(super) use content;

// A window that reaches over an edge is wanted, too: whoever makes the interval up says so. How long before the edge such a one may begin is a
// parameter ([`longest`]). The bounds of all intervals together, which are parameters, let the months be passed over that none is in.
pub(super) static FIGURES: Sql = Sql {
    step: "read the figures of intervals",
    text: concat!(
        "WITH ",
        asked!(),
        " SELECT i.place, a.place, w.metric_version, w.group_key, w.window_start, w.window_end, w.items, w.numerator, w.denominator, \
                 w.scale, w.minimum, w.maximum, w.percentiles, w.value, w.unit \
          FROM unnest($6::timestamptz[], $7::timestamptz[]) WITH ORDINALITY AS i (from_at, to_at, place) \
          CROSS JOIN asked a \
          JOIN window_metrics w ON w.tenant = $1 AND w.group_by = $2 AND w.size = $3 AND w.metric_version > 0 \
               AND w.metric_type = a.name AND w.metric_version = a.version \
               AND w.window_start > i.from_at - $10 * interval '1 second' AND w.window_start < i.to_at AND w.window_end > i.from_at \
          WHERE w.window_start > $8::timestamptz - $10 * interval '1 second' AND w.window_start < $9 \
          ORDER BY i.place, a.place, w.group_key, w.window_start"
    ),
};

pub(super) static STAMPS: Sql = Sql {
    step: "stamp the windows of intervals",
    text: concat!(
        "WITH ",
        asked!(),
        " SELECT i.place, count(w.tenant) || '/' || coalesce(sum(",
        content!(),
        ") FILTER (WHERE w.tenant IS NOT NULL), 0) \
          FROM unnest($6::timestamptz[], $7::timestamptz[]) WITH ORDINALITY AS i (from_at, to_at, place) \
          CROSS JOIN asked a \
          LEFT JOIN window_metrics w ON w.tenant = $1 AND w.group_by = $2 AND w.size = $3 AND w.metric_version > 0 \
               AND w.metric_type = a.name AND w.metric_version = a.version \
               AND w.window_start >= i.from_at AND w.window_start < i.to_at AND w.window_start >= $8 AND w.window_start < $9 \
          GROUP BY i.place ORDER BY i.place"
    ),
};

/// What both statements are given.
struct Columns<'a> {
    names: Vec<&'a str>,
    versions: Vec<Option<i32>>,
    from: Vec<Instant>,
    to: Vec<Instant>,
    first: Instant,
    last: Instant,
}

/// The KPIs as columns.
pub(super) fn kpis<'a>(ask: &Ask<'a>) -> Result<(Vec<&'a str>, Vec<Option<i32>>), StoreError> {
    no_nul("tenant", ask.tenant)?;
    no_nul("group_by", ask.group_by)?;
    no_nul("size", ask.size)?;
    for (name, _) in ask.kpis {
        no_nul("metric_type", name)?;
    }
    Ok((
        ask.kpis.iter().map(|(name, _)| name.as_str()).collect(),
        ask.kpis
            .iter()
            .map(|(_, version)| version.map(|version| i32::from(version.0)))
            .collect(),
    ))
}

impl<'a> Columns<'a> {
    /// `None` where no interval is asked for.
    fn of(ask: &Ask<'a>, intervals: &[(UtcMicros, UtcMicros)]) -> Result<Option<Self>, StoreError> {
        let (names, versions) = kpis(ask)?;
        let first = intervals.iter().map(|(from, _)| *from).min();
        let last = intervals.iter().map(|(_, to)| *to).max();
        Ok(first.zip(last).map(|(first, last)| Self {
            names,
            versions,
            from: intervals.iter().map(|(from, _)| Instant(*from)).collect(),
            to: intervals.iter().map(|(_, to)| Instant(*to)).collect(),
            first: Instant(first),
            last: Instant(last),
        }))
    }
}

/// How many seconds a window of this size has at most: days have 25 hours where the clock is set back, all others lie within an hour.
fn longest(size: &str) -> f64 {
    const HOUR: f64 = 3600.0;
    if size == "day" { 25.0 * HOUR } else { HOUR }
}

fn place(row: &tokio_postgres::Row, sql: &Sql, column: usize) -> Result<usize, StoreError> {
    let place: i64 = sql::get(row, sql, column)?;
    Ok(usize::try_from(place).unwrap_or_default().saturating_sub(1))
}

/// What these intervals (from, to) are made of, by interval, KPI, group and window.
pub async fn figures(
    conn: &impl Connection,
    ask: &Ask<'_>,
    intervals: &[(UtcMicros, UtcMicros)],
) -> Result<Vec<FigureRow>, StoreError> {
    let Some(columns) = Columns::of(ask, intervals)? else {
        return Ok(Vec::new());
    };
    let sql = &FIGURES;
    let params: sql::Params<'_> = &[
        &ask.tenant,
        &ask.group_by,
        &ask.size,
        &columns.names,
        &columns.versions,
        &columns.from,
        &columns.to,
        &columns.first,
        &columns.last,
        &longest(ask.size),
    ];
    let rows = sql::query(conn, sql, params).await?;
    rows.iter()
        .map(|row| {
            Ok(FigureRow {
                interval: place(row, sql, 0)?,
                kpi: place(row, sql, 1)?,
                version: crate::metrics::version(sql::get(row, sql, 2)?)?,
                group_key: sql::get(row, sql, 3)?,
                window_start: sql::get::<Instant>(row, sql, 4)?.0,
                window_end: sql::get::<Instant>(row, sql, 5)?.0,
                items: sql::get(row, sql, 6)?,
                numerator: sql::get(row, sql, 7)?,
                denominator: sql::get(row, sql, 8)?,
                scale: sql::get(row, sql, 9)?,
                minimum: sql::get(row, sql, 10)?,
                maximum: sql::get(row, sql, 11)?,
                percentiles_json: sql::get::<Option<JsonText>>(row, sql, 12)?.map(|text| text.0),
                value: sql::get(row, sql, 13)?,
                unit: sql::get(row, sql, 14)?,
            })
        })
        .collect()
}

/// What tells whether the windows of these intervals are what they were: one text an interval. To be asked for before the figures, so that a
/// change in between is found later and not missed.
pub async fn stamps(
    conn: &impl Connection,
    ask: &Ask<'_>,
    intervals: &[(UtcMicros, UtcMicros)],
) -> Result<Vec<String>, StoreError> {
    let Some(columns) = Columns::of(ask, intervals)? else {
        return Ok(Vec::new());
    };
    let params: sql::Params<'_> = &[
        &ask.tenant,
        &ask.group_by,
        &ask.size,
        &columns.names,
        &columns.versions,
        &columns.from,
        &columns.to,
        &columns.first,
        &columns.last,
    ];
    let rows = sql::query(conn, &STAMPS, params).await?;
    rows.iter().map(|row| sql::get(row, &STAMPS, 1)).collect()
}
