//! `/api/v1/kpis`: what KPIs there are, in which versions, and what each is.

use super::Context;
use super::answer::{self, Answer};
use super::catalogue::Kpi;
use super::problem::Problem;
use super::query::{Kind, Parameter};
use super::resource::{About, Asked};
use super::values::At;
use schemars::JsonSchema;
use serde::Serialize;

const NAME: Parameter = Parameter {
    name: "name",
    kind: Kind::Kpi,
    required: false,
    about: "Only the versions of this KPI.",
    example: None,
};

const STATUS: Parameter = Parameter {
    name: "status",
    kind: Kind::OneOf(&["draft", "candidate", "current", "retired"]),
    required: false,
    about: "Only versions of this status.",
    example: None,
};

/// What is said of it.
pub(super) const ABOUT: About = About {
    path: "kpis",
    summary: "The definitions of KPIs and their versions.",
    description: "By name and version. `current` is the version that readers see who name none; a `candidate` is computed beside it.",
    parameters: &[NAME, STATUS],
    schema: |generator| generator.subschema_for::<KpiList>(),
};

/// Definitions.
#[derive(Debug, Serialize, JsonSchema)]
struct KpiList {
    /// By name and version.
    items: Vec<KpiItem>,
}

/// One version of a KPI.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Kpi")]
struct KpiItem {
    /// Its name: the `metric` of other requests.
    name: String,
    /// Its version.
    version: u16,
    /// `draft`: stored only. `candidate`: computed beside the current one. `current`: what readers see. `retired`: no longer computed.
    status: &'static str,
    /// Of its values: `seconds`, `count`, `share` or `number`.
    unit: String,
    /// When it was stored.
    created_at: At,
    /// When it was last switched on.
    activated_at: Option<At>,
    /// What its text says; null where this release cannot read it.
    definition: Option<KpiText>,
}

/// What a definition says of itself.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "KpiDefinition")]
struct KpiText {
    /// For people.
    title: String,
    /// What it is.
    description: String,
    /// Where the formula comes from, and its variants.
    source: String,
    /// What it is evaluated for: `interaction`, `leg`, `journey` or `agent_time`.
    scope: &'static str,
    /// `critical` or `normal`.
    priority: &'static str,
    /// How values are put together; the first makes a window's value.
    aggregations: Vec<String>,
    /// In which windows they add up.
    windows: Vec<KpiWindows>,
    /// How long after its end a window may still change.
    settles_after_seconds: Option<i64>,
}

/// Windows of one kind of group.
#[derive(Debug, Serialize, JsonSchema)]
struct KpiWindows {
    /// The dimensions with commas; empty: the whole organisation.
    group_by: String,
    /// `15m`, `30m`, `60m`, `day`, `week`, `month` or `shift`.
    sizes: Vec<&'static str>,
}

impl KpiItem {
    fn of(kpi: &Kpi) -> Self {
        Self {
            name: kpi.name.clone(),
            version: kpi.version.0,
            status: kpi.status.as_str(),
            unit: kpi.unit.clone(),
            created_at: At(kpi.created_at),
            activated_at: kpi.activated_at.map(At),
            definition: kpi.text.as_ref().map(|text| KpiText {
                title: text.title.clone(),
                description: text.description.clone(),
                source: text.source.clone(),
                scope: text.scope,
                priority: text.priority,
                aggregations: text.aggregations.iter().map(ToString::to_string).collect(),
                windows: text
                    .windows
                    .iter()
                    .map(|windows| KpiWindows {
                        group_by: windows.by.text(),
                        sizes: windows.sizes.iter().map(|size| size.name()).collect(),
                    })
                    .collect(),
                settles_after_seconds: text.settles_after_seconds,
            }),
        }
    }
}

pub(super) async fn answer(context: &Context, asked: Asked<'_>) -> Result<Answer, Problem> {
    let client = context.store.client().await?;
    let kpis = context.catalogue.get(&client).await?;
    let (name, status) = (asked.query.text(&NAME), asked.query.text(&STATUS));
    let wanted = |kpi: &&Kpi| {
        name.is_none_or(|name| kpi.name == name)
            && status.is_none_or(|status| kpi.status.as_str() == status)
    };
    let items = kpis.all().iter().filter(wanted).map(KpiItem::of).collect();
    answer::json(&KpiList { items })
}
