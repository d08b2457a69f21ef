//! `/api/v1/windows`: values over windows of local time, one version beside another.

mod group;

use super::access::TENANT;
use super::answer::{self, Answer};
use super::metrics::{CURSOR, LIMIT, METRIC, kpi};
use super::problem::Problem;
use super::query::{Kind, Parameter, SIZES};
use super::resource::{About, Asked, ROOT};
use super::values::{At, Object};
use super::{Context, cursor, range};
use schema::{MetricVersion, UtcMicros};
use schemars::JsonSchema;
use serde::Serialize;
use store::freshness::{Untrusted, stretches};
use store::reading::windows::{Filter, WindowSeen, page};
use timezone::Zone;
use window::{GroupBy, GroupKey};

/// The longest stretch of windows shorter than a day, and of others.
const DAYS_MAX: (i64, i64) = (366, 3660);

const VERSIONS: Parameter = Parameter {
    name: "versions",
    kind: Kind::Versions,
    required: false,
    about: "The versions of its definition, to compare them; without it the current one.",
    example: None,
};

const GROUP_BY: Parameter = Parameter {
    name: "group_by",
    kind: Kind::GroupBy,
    required: false,
    about: "Whose windows: of each queue, agent, team …; without it of the whole organisation. `/kpis` has those there are.",
    example: Some("queue"),
};

const SIZE: Parameter = Parameter {
    name: "size",
    kind: Kind::OneOf(&SIZES),
    required: true,
    about: "How long the windows are, by the clock of the group's zone. `/kpis` has those there are.",
    example: Some("30m"),
};

macro_rules! having {
    ($($constant:ident $name:literal $about:literal),*) => {
        $(const $constant: Parameter = Parameter {
            name: $name,
            kind: Kind::Text,
            required: false,
            about: $about,
            example: None,
        };)*
    };
}

having! {
    QUEUE "queue" "Only groups of this queue.",
    AGENT "agent" "Only groups of this agent.",
    TEAM "team" "Only groups of this team.",
    MEDIA "media" "Only groups of this media.",
    DIRECTION "direction" "Only groups of this direction.",
    PLATFORM "platform" "Only groups of this platform.",
    ZONE "zone" "Only windows that go by the clock of this zone, by its IANA name."
}

/// What is said of it.
pub(super) const ABOUT: About = About {
    path: "windows",
    summary: "Values of one KPI over windows of local time.",
    description: "Version by version, in each by the window's first instant and then by group. The stretch is of first instants, and may have 366 days, \
                  3660 of windows of days and longer ones. A window with nothing in it has no row. What is `open` has not ended, what is \
                  `settling` may still change. A mean over several rows is sum(numerator) / scale / sum(denominator).",
    parameters: &[
        TENANT,
        METRIC,
        VERSIONS,
        GROUP_BY,
        SIZE,
        QUEUE,
        AGENT,
        TEAM,
        MEDIA,
        DIRECTION,
        PLATFORM,
        ZONE,
        range::FROM,
        range::TO,
        LIMIT,
        CURSOR,
    ],
    schema: |generator| generator.subschema_for::<WindowList>(),
};

/// A page of windows.
#[derive(Debug, Serialize, JsonSchema)]
struct WindowList {
    /// The organisation.
    tenant: String,
    /// The KPI.
    metric: String,
    /// The dimensions of the groups, with commas; empty: the whole organisation.
    group_by: String,
    /// How long the windows are.
    size: String,
    /// The versions that were asked for.
    versions: Vec<u16>,
    /// The rows.
    items: Vec<WindowItem>,
    /// The cursor of the page behind; null: this was the last one.
    next: Option<String>,
}

/// A window.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Window")]
struct WindowItem {
    /// The version of the definition.
    version: u16,
    /// Its first instant.
    start: At,
    /// The first instant after it.
    end: At,
    /// Its first instant by the clock of its zone, with the offset from UTC.
    local_start: String,
    /// Whose clock it goes by.
    zone: String,
    /// Who named the zone: `agent`, `schedule`, `team`, `attribute`, `queue`, `organisation`; `none`: UTC for want of any.
    zone_source: String,
    /// Whose values these are.
    group: Group,
    /// The first of the definition's aggregations; null: absent, which is not zero.
    value: Option<f64>,
    /// Of value, minimum, maximum and percentiles.
    unit: String,
    /// How many values it is made of; of agents' time: agents times quarter hours.
    items: i64,
    /// The sum of the values, times scale.
    numerator: i64,
    /// How many there are; of a share of time: milliseconds; of a time: 0.
    denominator: i64,
    /// What values were multiplied by to be whole numbers.
    scale: i64,
    /// The least value, where the definition asks for one.
    minimum: Option<f64>,
    /// The greatest value, where the definition asks for one.
    maximum: Option<f64>,
    /// By name, within one per cent: `{"p90": 41.5}`.
    percentiles: Option<Object>,
    /// `open`: it has not ended. `settling`: it may still change. `settled`: nothing more is expected.
    state: &'static str,
    /// Whether everything that belongs into it is here, as far as is known. False: data of its time are missing or late, see `/status`.
    trusted: bool,
    /// When changes are no longer expected.
    settles_at: At,
    /// Rises by one with each real change.
    revision: i64,
    /// When it last changed.
    computed_at: At,
}

/// A group: null where it is no dimension of it, or absent.
#[derive(Debug, Serialize, JsonSchema)]
struct Group {
    /// The queue.
    queue: Option<String>,
    /// The agent.
    agent: Option<String>,
    /// The team.
    team: Option<String>,
    /// The media.
    media: Option<String>,
    /// The direction.
    direction: Option<String>,
    /// The platform.
    platform: Option<String>,
    /// Declared attributes by name.
    attributes: Option<Object>,
}

/// Whether a stretch of doubtful figures overlaps a window.
#[must_use]
pub fn is_doubtful(untrusted: &[Untrusted], start: UtcMicros, end: UtcMicros) -> bool {
    untrusted
        .iter()
        .any(|stretch| stretch.from < end && stretch.to.is_none_or(|to| to > start))
}

impl WindowItem {
    fn of(row: WindowSeen, untrusted: &[Untrusted]) -> Self {
        Self {
            trusted: !is_doubtful(untrusted, row.window_start, row.window_end),
            version: row.metric_version.0,
            start: At(row.window_start),
            end: At(row.window_end),
            local_start: local(row.window_start, &row.zone),
            zone: row.zone,
            zone_source: row.zone_source,
            group: Group {
                queue: row.queue_id,
                agent: row.agent_id,
                team: row.team,
                media: row.media,
                direction: row.direction,
                platform: row.platform,
                attributes: row.attributes_json.as_deref().map(Object::stored),
            },
            value: row.value,
            unit: row.unit,
            items: row.items,
            numerator: row.numerator,
            denominator: row.denominator,
            scale: row.scale,
            minimum: row.minimum,
            maximum: row.maximum,
            percentiles: row.percentiles_json.as_deref().map(Object::stored),
            state: row.state.as_str(),
            settles_at: At(row.settles_at),
            revision: row.revision,
            computed_at: At(row.computed_at),
        }
    }
}

/// The wall clock at an instant, such as `2024-05-15T14:30:00+02:00`; by UTC where this release does not know the zone.
fn local(at: UtcMicros, zone: &str) -> String {
    let local = Zone::parse(zone).unwrap_or(Zone::UTC).local(at.0);
    let minutes = local.offset_seconds / 60;
    format!(
        "{}T{:02}:{:02}:{:02}{}{:02}:{:02}",
        local.date,
        local.hour,
        local.minute,
        local.second,
        if minutes < 0 { '-' } else { '+' },
        minutes.abs() / 60,
        minutes.abs() % 60
    )
}

/// Where a page ends: the version, the window, the group.
type Key = (u16, i64, String);

pub(super) async fn answer(context: &Context, asked: Asked<'_>) -> Result<Answer, Problem> {
    let query = asked.query;
    let tenant = asked.access.tenant(query)?;
    let metric = query.text(&METRIC).unwrap_or_default();
    let group_by = query.text(&GROUP_BY).unwrap_or_default();
    let size = query.text(&SIZE).unwrap_or_default();
    let short = size.ends_with('m');
    let (from, to) = range::of(query, if short { DAYS_MAX.0 } else { DAYS_MAX.1 })?;
    let by = GroupBy::parse(group_by).map_err(|unknown| {
        Problem::parameter(GROUP_BY.name, Some(group_by), unknown.to_string())
    })?;
    group::check_dimensions(&by, query)?;
    let limit = query.limit(&LIMIT);
    let client = context.store.client().await?;
    let kpis = context.catalogue.get(&client).await?;
    let named = query.versions(&VERSIONS);
    let mut versions: Vec<MetricVersion> = Vec::new();
    if named.is_empty() {
        versions.push(kpi(&kpis, metric, None)?.version);
    }
    for version in named {
        versions.push(kpi(&kpis, metric, Some(*version))?.version);
    }
    let list = format!("windows {tenant} {versions:?} {}", query.identity());
    let mut after = cursor::read::<Key>(&list, query.text(&CURSOR))?;
    let having = group::having(query);
    let one = group::one_group(&by, &having);
    let mut rows: Vec<WindowSeen> = Vec::new();
    let wanted = limit as usize + 1;
    for version in &versions {
        if after.as_ref().is_some_and(|(at, ..)| *at > version.0) {
            continue;
        }
        // A version that the page before had not begun begins at its beginning.
        let behind = after.take().filter(|(at, ..)| *at == version.0);
        let behind = behind
            .as_ref()
            .map(|(_, start, group)| (UtcMicros((*start).clamp(from.0, to.0)), group.as_str()));
        let filter = Filter {
            tenant: &tenant,
            metric_type: metric,
            metric_version: *version,
            group_by,
            size,
            group_key: one.as_ref().map(GroupKey::text),
            having,
            from,
            to,
        };
        let left = u32::try_from(wanted - rows.len()).unwrap_or(1);
        rows.extend(page(&client, &filter, behind, left).await?);
        if rows.len() >= wanted {
            break;
        }
    }
    let more = rows.len() >= wanted;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).and_then(|row| {
        let key = (row.metric_version.0, row.window_start.0, &row.group_key);
        cursor::write(&list, &key)
    });
    if rows.is_empty() && named.is_empty() {
        group::exists(kpi(&kpis, metric, None)?.windows(), group_by, size)?;
    }
    let last = rows.iter().map(|row| row.window_end).max().unwrap_or(to);
    let untrusted = stretches(&client, &tenant, from, last).await?;
    let items = rows.into_iter().map(|row| WindowItem::of(row, &untrusted));
    let answered = answer::json(&WindowList {
        tenant,
        metric: metric.to_owned(),
        group_by: group_by.to_owned(),
        size: size.to_owned(),
        versions: versions.iter().map(|version| version.0).collect(),
        items: items.collect(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_has_its_offset_and_tells_the_doubled_hour_apart() {
        // 2024-10-27: 02:30 happens twice in Berlin.
        let at = |minutes: i64| UtcMicros((1_729_987_200 + minutes * 60) * 1_000_000);
        assert_eq!(local(at(30), "Europe/Berlin"), "2024-10-27T02:30:00+02:00");
        assert_eq!(local(at(90), "Europe/Berlin"), "2024-10-27T02:30:00+01:00");
        assert_eq!(
            local(at(0), "America/St_Johns"),
            "2024-10-26T21:30:00-02:30"
        );
        assert_eq!(local(at(0), "Mars/Base"), "2024-10-27T00:00:00+00:00");
    }
}
