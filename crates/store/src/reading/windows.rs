//! KPIs over windows of local time.

pub mod by_zone;
pub mod groups;
pub mod recent;

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::jobs::word;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::{Instant, JsonText};
use schema::{MetricVersion, UtcMicros};
use tokio_postgres::Row;

/// Which windows of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The KPI.
    pub metric_type: &'a str,
    /// The version of its definition.
    pub metric_version: MetricVersion,
    /// The dimensions, sorted, with commas; empty for the whole organisation.
    pub group_by: &'a str,
    /// `15m`, `30m`, `60m`, `day`, `week`, `month` or `shift`.
    pub size: &'a str,
    /// One group, as it is stored: a JSON array of the dimensions' values.
    pub group_key: Option<&'a str>,
    /// Only groups that have these.
    pub having: Having<'a>,
    /// The first instant: windows that begin then or later.
    pub from: UtcMicros,
    /// The end: windows that begin before it.
    pub to: UtcMicros,
}

/// What groups have that are wanted, where they are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Having<'a> {
    /// The queue.
    pub queue_id: Option<&'a str>,
    /// The agent.
    pub agent_id: Option<&'a str>,
    /// The team.
    pub team: Option<&'a str>,
    /// The media.
    pub media: Option<&'a str>,
    /// The direction.
    pub direction: Option<&'a str>,
    /// The platform.
    pub platform: Option<&'a str>,
    /// The zone that the windows go by.
    pub zone: Option<&'a str>,
}

/// Whether a window may still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WindowState {
    /// Nothing more is expected.
    Settled,
    /// It has ended and may still change.
    Settling,
    /// It has not ended.
    Open,
}

impl WindowState {
    /// As the views say it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Settling => "settling",
            Self::Open => "open",
        }
    }

    fn read(text: String) -> Result<Self, StoreError> {
        word("window_metrics_all.state", text, |text| {
            [Self::Settled, Self::Settling, Self::Open]
                .into_iter()
                .find(|state| state.as_str() == text)
        })
    }
}

/// A window as readers see it.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowSeen {
    /// The version of the KPI's definition.
    pub metric_version: MetricVersion,
    /// Its first instant.
    pub window_start: UtcMicros,
    /// The first instant after it.
    pub window_end: UtcMicros,
    /// The values of the group's dimensions as a JSON array.
    pub group_key: String,
    /// The group's queue.
    pub queue_id: Option<String>,
    /// The group's media.
    pub media: Option<String>,
    /// The group's direction.
    pub direction: Option<String>,
    /// The group's agent.
    pub agent_id: Option<String>,
    /// The group's team.
    pub team: Option<String>,
    /// The group's platform.
    pub platform: Option<String>,
    /// The group's declared attributes, as a JSON object.
    pub attributes_json: Option<String>,
    /// The first of the definition's aggregations, in the unit; absent where there is nothing to divide by.
    pub value: Option<f64>,
    /// The unit.
    pub unit: String,
    /// How many values it is made of.
    pub items: i64,
    /// The sum of the values times the scale.
    pub numerator: i64,
    /// How many values there are; for a share of time: milliseconds; of a time: 0.
    pub denominator: i64,
    /// What values were multiplied by to be whole numbers.
    pub scale: i64,
    /// The least value.
    pub minimum: Option<f64>,
    /// The greatest value.
    pub maximum: Option<f64>,
    /// By name, in the unit, as a JSON object.
    pub percentiles_json: Option<String>,
    /// Whether it may still change.
    pub state: WindowState,
    /// Whose clock it goes by.
    pub zone: String,
    /// Who named it.
    pub zone_source: String,
    /// When changes are no longer expected.
    pub settles_at: UtcMicros,
    /// Rises by one with each real change.
    pub revision: i64,
    /// When it last changed.
    pub computed_at: UtcMicros,
}

/// What [`WindowSeen`] is read from, of `window_metrics_all w`.
macro_rules! seen {
    () => {
        "w.metric_version, w.window_start, w.window_end, w.group_key, w.queue_id, w.media, w.direction, w.agent_id, w.team, w.platform, \
         w.attributes, w.value, w.unit, w.items, w.numerator, w.denominator, w.scale, w.minimum, w.maximum, w.percentiles, w.state, w.zone, \
         w.zone_source, w.settles_at, w.revision, w.computed_at"
    };
}
use seen;

/// What both statements ask for, whichever index they read along.
macro_rules! of_kpi {
    () => {
        "w.tenant = $1 AND w.metric_type = $2 AND w.metric_version = $3 AND w.group_by = $4 AND w.size = $5 \
         AND w.window_start >= greatest($6, $8::timestamptz) AND w.window_start < $7 \
         AND ($8 IS NULL OR (w.window_start, w.group_key) > ($8, $9::text))"
    };
}

// Along window_metrics_time, which has the windows of all groups by their beginnings; those that begin together are sorted by group.
pub(super) static ALL_GROUPS: Sql = Sql {
    step: "read a page of windows",
    text: concat!(
        "SELECT ",
        seen!(),
        " FROM window_metrics_all w WHERE ",
        of_kpi!(),
        " AND ($11::text IS NULL OR w.queue_id = $11) AND ($12::text IS NULL OR w.agent_id = $12) \
          AND ($13::text IS NULL OR w.team = $13) AND ($14::text IS NULL OR w.media = $14) \
          AND ($15::text IS NULL OR w.direction = $15) AND ($16::text IS NULL OR w.platform = $16) \
          AND ($17::text IS NULL OR w.zone = $17) \
          ORDER BY w.window_start, w.group_key LIMIT $10"
    ),
};

// Along the key, in which the windows of one group are together.
pub(super) static ONE_GROUP: Sql = Sql {
    step: "read a page of a group's windows",
    text: concat!(
        "SELECT ",
        seen!(),
        " FROM window_metrics_all w WHERE ",
        of_kpi!(),
        " AND w.group_key = $11 AND ($12::text IS NULL OR w.zone = $12) \
          ORDER BY w.window_start, w.group_key LIMIT $10"
    ),
};

impl WindowSeen {
    fn read(row: &Row, sql: &Sql) -> Result<Self, StoreError> {
        let json = |column| -> Result<Option<String>, StoreError> {
            Ok(sql::get::<Option<JsonText>>(row, sql, column)?.map(|text| text.0))
        };
        Ok(Self {
            metric_version: crate::metrics::version(sql::get(row, sql, 0)?)?,
            window_start: sql::get::<Instant>(row, sql, 1)?.0,
            window_end: sql::get::<Instant>(row, sql, 2)?.0,
            group_key: sql::get(row, sql, 3)?,
            queue_id: sql::get(row, sql, 4)?,
            media: sql::get(row, sql, 5)?,
            direction: sql::get(row, sql, 6)?,
            agent_id: sql::get(row, sql, 7)?,
            team: sql::get(row, sql, 8)?,
            platform: sql::get(row, sql, 9)?,
            attributes_json: json(10)?,
            value: sql::get(row, sql, 11)?,
            unit: sql::get(row, sql, 12)?,
            items: sql::get(row, sql, 13)?,
            numerator: sql::get(row, sql, 14)?,
            denominator: sql::get(row, sql, 15)?,
            scale: sql::get(row, sql, 16)?,
            minimum: sql::get(row, sql, 17)?,
            maximum: sql::get(row, sql, 18)?,
            percentiles_json: json(19)?,
            state: WindowState::read(sql::get(row, sql, 20)?)?,
            zone: sql::get(row, sql, 21)?,
            zone_source: sql::get(row, sql, 22)?,
            settles_at: sql::get::<Instant>(row, sql, 23)?.0,
            revision: sql::get(row, sql, 24)?,
            computed_at: sql::get::<Instant>(row, sql, 25)?.0,
        })
    }
}

impl Filter<'_> {
    fn check(&self) -> Result<(), StoreError> {
        no_nul("tenant", self.tenant)?;
        no_nul("metric_type", self.metric_type)?;
        no_nul("group_by", self.group_by)?;
        no_nul("size", self.size)?;
        no_nul("group_key", self.group_key.unwrap_or_default())?;
        let having = &self.having;
        for text in [
            having.queue_id,
            having.agent_id,
            having.team,
            having.media,
            having.direction,
            having.platform,
            having.zone,
        ] {
            no_nul("window_metrics", text.unwrap_or_default())?;
        }
        Ok(())
    }
}

/// At most `limit` windows behind the one that begins there in that group, by beginning and group.
pub async fn page(
    conn: &impl Connection,
    filter: &Filter<'_>,
    after: Option<(UtcMicros, &str)>,
    limit: u32,
) -> Result<Vec<WindowSeen>, StoreError> {
    filter.check()?;
    let version = i32::from(filter.metric_version.0);
    let (from, to) = (Instant(filter.from), Instant(filter.to));
    let start = after.map(|(start, _)| Instant(start));
    let group = after.map(|(_, group)| group);
    let limit = i64::from(limit);
    let having = &filter.having;
    let common: [&(dyn tokio_postgres::types::ToSql + Sync); 10] = [
        &filter.tenant,
        &filter.metric_type,
        &version,
        &filter.group_by,
        &filter.size,
        &from,
        &to,
        &start,
        &group,
        &limit,
    ];
    let mut params = common.to_vec();
    let sql = if filter.group_key.is_some() {
        params.push(&filter.group_key);
        params.push(&having.zone);
        &ONE_GROUP
    } else {
        for text in [
            &having.queue_id,
            &having.agent_id,
            &having.team,
            &having.media,
            &having.direction,
            &having.platform,
            &having.zone,
        ] {
            params.push(text);
        }
        &ALL_GROUPS
    };
    let rows = sql::query(conn, sql, &params).await?;
    rows.iter().map(|row| WindowSeen::read(row, sql)).collect()
}
