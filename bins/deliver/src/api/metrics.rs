//! `/api/v1/metrics`: values of single interactions and legs.

use super::access::TENANT;
use super::answer::{self, Answer};
use super::catalogue::{Kpi, Kpis};
use super::problem::{Kind as Wrong, Problem};
use super::query::{Kind, Parameter};
use super::resource::{About, Asked, ROOT};
use super::values::{At, Object};
use super::{Context, cursor, range};
use schema::{MetricVersion, UtcMicros};
use schemars::JsonSchema;
use serde::Serialize;
use store::reading::metrics::{After, Filter, MetricSeen, page};

/// The longest stretch.
const DAYS_MAX: i64 = 31;

/// Which KPI.
pub(super) const METRIC: Parameter = Parameter {
    name: "metric",
    kind: Kind::Kpi,
    required: true,
    about: "The KPI, by the name of its definition.",
    example: Some("adjusted_aht"),
};

const VERSION: Parameter = Parameter {
    name: "version",
    kind: Kind::Version,
    required: false,
    about: "The version of its definition; without it the current one.",
    example: None,
};

const AGENT: Parameter = Parameter {
    name: "agent",
    kind: Kind::Text,
    required: false,
    about: "Only values attributed to this agent.",
    example: None,
};

const QUEUE: Parameter = Parameter {
    name: "queue",
    kind: Kind::Text,
    required: false,
    about: "Only values attributed to this queue.",
    example: None,
};

/// How many rows of a list.
pub(super) const LIMIT: Parameter = Parameter {
    name: "limit",
    kind: Kind::Limit(1000, 100),
    required: false,
    about: "How many rows a page has at most.",
    example: None,
};

/// Where the list goes on.
pub(super) const CURSOR: Parameter = Parameter {
    name: "cursor",
    kind: Kind::Cursor,
    required: false,
    about: "The `next` of the page before, with the same other parameters.",
    example: None,
};

/// What is said of it.
pub(super) const ABOUT: About = About {
    path: "metrics",
    summary: "Values of one KPI, an interaction or leg a row.",
    description: "By instant, then interaction, then leg. The instant is when the interaction or leg began, as far as is known now. The stretch may \
                  have 31 days. Rows that come or change while pages are read make no other row come twice or be left out.",
    parameters: &[
        TENANT,
        METRIC,
        VERSION,
        AGENT,
        QUEUE,
        range::FROM,
        range::TO,
        LIMIT,
        CURSOR,
    ],
    schema: |generator| generator.subschema_for::<MetricList>(),
};

/// A page of values.
#[derive(Debug, Serialize, JsonSchema)]
struct MetricList {
    /// The organisation.
    tenant: String,
    /// The KPI.
    metric: String,
    /// The version of its definition.
    version: u16,
    /// Of the values: `seconds`, `count`, `share` or `number`.
    unit: String,
    /// The rows.
    items: Vec<MetricItem>,
    /// The cursor of the page behind; null: this was the last one.
    next: Option<String>,
}

/// A value.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Metric")]
struct MetricItem {
    /// The interaction.
    interaction_id: String,
    /// The leg; null for the interaction as a whole.
    leg: Option<String>,
    /// When it began.
    at: At,
    /// The agent it is attributed to.
    agent: Option<String>,
    /// The queue it is attributed to.
    queue: Option<String>,
    /// The value; null: absent, which is not zero.
    value: Option<f64>,
    /// How it came to be: `reason` of an absence, `zone` and who named it, what was not stated.
    metadata: Object,
    /// The interaction has ended, its wrap-up grace is over, and nothing was heard of it since.
    settled: bool,
    /// Rises by one with each real change.
    revision: i64,
    /// When it last changed.
    updated_at: At,
}

impl MetricItem {
    fn of(row: MetricSeen) -> Self {
        Self {
            interaction_id: row.interaction_id,
            leg: Some(row.leg_scope).filter(|leg| !leg.is_empty()),
            at: At(row.timestamp_utc),
            agent: row.agent_id,
            queue: row.queue_id,
            value: row.metric_value,
            metadata: Object::stored(&row.metadata_json),
            settled: row.settled,
            revision: row.revision,
            updated_at: At(row.updated_at),
        }
    }
}

/// The version that was asked for, else the current one.
pub(super) fn kpi<'a>(
    kpis: &'a Kpis,
    metric: &str,
    version: Option<MetricVersion>,
) -> Result<&'a Kpi, Problem> {
    let found = match version {
        Some(version) => kpis.version(metric, version),
        None => kpis.current(metric),
    };
    found.ok_or_else(|| {
        let mut known = kpis.all().iter().filter(|kpi| kpi.name == metric);
        let versions: Vec<String> = known
            .by_ref()
            .map(|kpi| kpi.version.0.to_string())
            .collect();
        let detail = match (versions.is_empty(), version) {
            (true, _) => format!("there is no KPI {metric}; {ROOT}kpis has those there are"),
            (false, Some(version)) => {
                format!(
                    "there is no {metric}@{}; there are: {}",
                    version.0,
                    versions.join(", ")
                )
            }
            (false, None) => {
                format!(
                    "no version of {metric} is current; name one of: {}",
                    versions.join(", ")
                )
            }
        };
        Problem::new(Wrong::NotFound, detail)
    })
}

/// The key of a row: where a page ends.
type Key = (i64, String, String);

pub(super) async fn answer(context: &Context, asked: Asked<'_>) -> Result<Answer, Problem> {
    let query = asked.query;
    let tenant = asked.access.tenant(query)?;
    let metric = query.text(&METRIC).unwrap_or_default();
    let (from, to) = range::of(query, DAYS_MAX)?;
    let limit = query.limit(&LIMIT);
    let client = context.store.client().await?;
    let kpis = context.catalogue.get(&client).await?;
    let kpi = kpi(&kpis, metric, query.versions(&VERSION).first().copied())?;
    let list = format!("metrics {tenant} {} {}", kpi.version.0, query.identity());
    let after = cursor::read::<Key>(&list, query.text(&CURSOR))?;
    let after = after.map(|(at, interaction_id, leg_scope)| After {
        timestamp_utc: UtcMicros(at.clamp(from.0, to.0)),
        interaction_id,
        leg_scope,
    });
    let filter = Filter {
        tenant: &tenant,
        metric_type: metric,
        metric_version: kpi.version,
        agent_id: query.text(&AGENT),
        queue_id: query.text(&QUEUE),
        from,
        to,
    };
    // One more than is shown tells whether there are more.
    let mut rows = page(&client, &filter, after.as_ref(), limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).and_then(|row| {
        let key = (row.timestamp_utc.0, &row.interaction_id, &row.leg_scope);
        cursor::write(&list, &key)
    });
    let answered = answer::json(&MetricList {
        tenant,
        metric: metric.to_owned(),
        version: kpi.version.0,
        unit: kpi.unit.clone(),
        items: rows.into_iter().map(MetricItem::of).collect(),
        next: next.clone(),
    })?;
    let path = format!("{ROOT}{}", ABOUT.path);
    Ok(answer::with_next(
        answered,
        &path,
        asked.text,
        next.as_deref(),
    ))
}
