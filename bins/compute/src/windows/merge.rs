//! Changed cells → the rows of the windows they are in: whole days and quarter hours, merged upward.

use super::WindowError;
use super::changed::ChangedGroup;
use super::days;
use super::rules::{Rule, Rules, Tiling};
use super::tiles::{Clock, Named, ZoneOf};
use crate::attributes;
use kpi::Aggregation;
use rustc_hash::FxHashMap;
use schema::UtcMicros;
use std::collections::{BTreeMap, BTreeSet};
use store::window_metrics::{self, Covered, WindowRow, Written};
use store::window_rebuild::{ALL, MOVED, SEPARATOR};
use store::{Transaction, sync, window_cells};
use timezone::Places;
use window::{Aggregate, Cell, Cover, Day, DayCells, GroupBy, GroupKey, Totals, Window, cover};

/// Groups whose windows are computed at once: what is read for them is in memory.
const GROUPS: usize = 200;
/// Rows that are written at once, and what the last group adds.
const ROWS: usize = 20_000;

/// What is common to all groups of an organisation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) tenant: &'a str,
    pub(super) rules: &'a Rules,
    pub(super) places: &'a Places,
    /// Zones that events state, by agent.
    pub(super) stated: &'a FxHashMap<String, String>,
    /// Cells that wait to be computed: days and longer windows with one of them in it are left for later.
    pub(super) waiting: &'a BTreeSet<Cell>,
}

/// What was written, and what was left.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) written: Written,
    /// Of groups, by [`subject`]: the stretch of the windows to be computed later.
    pub(super) left: BTreeMap<String, Window>,
}

/// Which windows of a group are meant, by their sizes. Those of many cells are left while cells wait, or they would be computed for
/// each of these; the longer ones apart, because they wait longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sizes {
    /// All of them.
    All,
    /// Days and shifts.
    Days,
    /// Weeks and months.
    Long,
}

impl Sizes {
    /// As part of which a window of this size is left; `None`: it is never.
    const fn of(size: window::Size) -> Option<Self> {
        use window::Size;
        match size {
            Size::Quarter | Size::Half | Size::Hour => None,
            Size::Day | Size::Shift => Some(Self::Days),
            Size::Week | Size::Month => Some(Self::Long),
        }
    }

    fn has(self, size: window::Size) -> bool {
        self == Self::All || Self::of(size) == Some(self)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::All => ALL,
            Self::Days => "days",
            Self::Long => "long",
        }
    }
}

/// A group as the subject of a mark.
fn subject(by: &str, key: &str, sizes: Sizes) -> String {
    let sizes = sizes.name();
    format!("{by}{SEPARATOR}{key}{SEPARATOR}{sizes}")
}

/// The subject of the mark of an agent whose windows go by another clock now.
pub(super) fn moved(agent: &str) -> String {
    let key = GroupKey::new([Some(agent)]);
    format!("agent{SEPARATOR}{}{SEPARATOR}{MOVED}", key.text())
}

/// Of the mark of an agent who moved: the key of the group by nothing but the agent.
pub(super) fn of_moved(subject: &str) -> Option<&str> {
    let (subject, last) = subject.rsplit_once(SEPARATOR)?;
    let (_, key) = subject.split_once(SEPARATOR)?;
    (last == MOVED).then_some(key)
}

/// The group of a mark's subject, and which of its windows are meant; `None` of what no definition is by any more.
pub(super) fn of_subject(rules: &Rules, subject: &str) -> Option<(usize, GroupKey, Sizes)> {
    let mut parts = subject.split(SEPARATOR);
    let (by, key, sizes) = (parts.next()?, parts.next()?, parts.next()?);
    let by = rules.by().iter().position(|known| known.text() == by)?;
    let left = [Sizes::Days, Sizes::Long];
    let sizes = left.into_iter().find(|left| left.name() == sizes);
    Some((by, GroupKey::parse(key).ok()?, sizes.unwrap_or(Sizes::All)))
}

/// Computes the windows that the changed cells are in, and writes those that differ.
pub(super) async fn compute(
    tx: &Transaction<'_>,
    scope: &Scope<'_>,
    changed: &[ChangedGroup],
) -> Result<Merged, WindowError> {
    let mut done = Merged::default();
    let followed = sync::wants_days(tx, scope.tenant).await?;
    let mut groups = Vec::new();
    let mut rows = 0;
    for changed in changed {
        let group = Group::of(scope, changed, &mut done.left);
        if group.windows.is_empty() {
            continue;
        }
        rows += group.most_rows();
        groups.push(group);
        if groups.len() >= GROUPS || rows >= ROWS {
            write(tx, scope, &groups, &followed, &mut done.written).await?;
            groups.clear();
            rows = 0;
        }
    }
    write(tx, scope, &groups, &followed, &mut done.written).await?;
    Ok(done)
}

/// Computes the windows of these groups, writes those that differ, and queues those that targets follow.
async fn write(
    tx: &Transaction<'_>,
    scope: &Scope<'_>,
    groups: &[Group],
    followed: &BTreeSet<String>,
    done: &mut Written,
) -> Result<(), WindowError> {
    if groups.is_empty() {
        return Ok(());
    }
    let parts = Parts::read(tx, scope.tenant, groups).await?;
    let mut rows = Vec::new();
    for group in groups {
        group.rows(scope.rules, &parts, &mut rows)?;
    }
    let covered: Vec<Covered<'_>> = groups
        .iter()
        .flat_map(|group| group.covered(scope.rules))
        .collect();
    let rows: Vec<WindowRow<'_>> = rows.iter().map(Row::as_row).collect();
    let (written, changes) =
        window_metrics::write_telling(tx, scope.tenant, &rows, &covered, followed).await?;
    sync::queue_days(tx, scope.tenant, &days::of(&changes)).await?;
    done.written += written.written;
    done.removed += written.removed;
    Ok(())
}

/// One group and the windows of it that are to be computed.
struct Group {
    by_text: String,
    key: GroupKey,
    named: Named,
    attributes: Option<String>,
    /// By size and window: its zone, what it is made of, and the definitions that want it.
    windows: BTreeMap<(window::Size, Window), Wanted>,
}

struct Wanted {
    zone: ZoneOf,
    cover: Cover,
    definitions: BTreeSet<i32>,
}

impl Group {
    fn of(scope: &Scope<'_>, changed: &ChangedGroup, left: &mut BTreeMap<String, Window>) -> Self {
        let by: &GroupBy = &scope.rules.by()[changed.by];
        let named = Named::of(by, &changed.key);
        let stated = named
            .agent
            .as_ref()
            .and_then(|agent| scope.stated.get(agent))
            .map(String::as_str);
        let clock = Clock {
            places: scope.places,
            tenant: scope.tenant,
            named: &named,
            stated,
        };
        let by_text = by.text();
        let mut windows: BTreeMap<(window::Size, Window), Wanted> = BTreeMap::new();
        // What was left is looked for at some cells of its stretch: between two of them an agent may have moved and moved again.
        let between = match changed.cells.first() {
            Some((_, cells)) if changed.sizes != Sizes::All => clock.moves(cells),
            _ => BTreeSet::new(),
        };
        // Most definitions of a group want the same windows of the same cells.
        let mut known: Vec<(&Tiling, &BTreeSet<Cell>, BTreeMap<Window, ZoneOf>)> = Vec::new();
        let definitions = changed
            .cells
            .iter()
            .flat_map(|(definitions, cells)| definitions.iter().map(move |one| (one, cells)));
        for (definition, cells) in definitions {
            let Some(rule) = scope.rules.get(*definition) else {
                continue;
            };
            let tilings = rule
                .sets
                .iter()
                .filter(|(by, _)| *by == changed.by)
                .flat_map(|(_, tilings)| tilings)
                .filter(|tiling| changed.sizes.has(tiling.size));
            for tiling in tilings {
                let found = known
                    .iter()
                    .position(|(other, of, _)| other.same(tiling) && std::ptr::eq(*of, cells));
                let found = found.unwrap_or_else(|| {
                    let windows = clock.windows_of(tiling, cells.union(&between).copied());
                    known.push((tiling, cells, windows));
                    known.len() - 1
                });
                for (window, zone) in &known[found].2 {
                    if let Some(sizes) = Sizes::of(tiling.size)
                        && scope.waits(window)
                    {
                        let subject = subject(&by_text, changed.key.text(), sizes);
                        let stretch = left.entry(subject).or_insert(*window);
                        stretch.start = stretch.start.min(window.start);
                        stretch.end = stretch.end.max(window.end);
                        continue;
                    }
                    let wanted = windows
                        .entry((tiling.size, *window))
                        .or_insert_with(|| Wanted {
                            zone: *zone,
                            cover: cover(window),
                            definitions: BTreeSet::new(),
                        });
                    wanted.definitions.insert(*definition);
                }
            }
        }
        let stated = named.attributes.iter();
        let attributes: BTreeMap<&str, &str> = stated
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        Self {
            attributes: attributes::write(&attributes),
            by_text,
            key: changed.key.clone(),
            named,
            windows,
        }
    }

    fn most_rows(&self) -> usize {
        let windows = self.windows.values();
        windows.map(|wanted| wanted.definitions.len()).sum()
    }

    fn rows<'a>(
        &'a self,
        rules: &'a Rules,
        parts: &Parts,
        rows: &mut Vec<Row<'a>>,
    ) -> Result<(), WindowError> {
        for ((size, window), wanted) in &self.windows {
            let totals = parts.totals(&self.by_text, self.key.text(), &wanted.cover)?;
            for definition in &wanted.definitions {
                let (Some(rule), Some(aggregate)) =
                    (rules.get(*definition), totals.get(*definition))
                else {
                    continue;
                };
                rows.push(Row::of(self, rule, *size, *window, wanted.zone, aggregate));
            }
        }
        Ok(())
    }

    fn covered<'a>(&'a self, rules: &'a Rules) -> impl Iterator<Item = Covered<'a>> {
        self.windows
            .iter()
            .flat_map(move |((size, window), wanted)| {
                let rules = wanted
                    .definitions
                    .iter()
                    .filter_map(|definition| rules.get(*definition));
                rules.map(move |rule| Covered {
                    metric_type: rule.definition.name(),
                    metric_version: rule.definition.version(),
                    group_by: &self.by_text,
                    group_key: self.key.text(),
                    size: size.name(),
                    from: window.start,
                    to: window.end,
                })
            })
    }
}

impl Scope<'_> {
    fn waits(&self, window: &Window) -> bool {
        let cells = Cell::of(window.start)..Cell::of(window.end);
        self.waiting.range(cells).next().is_some()
    }
}

/// What windows are merged from: the totals of days and the quarter hours left over.
struct Parts {
    totals: FxHashMap<(String, String, i32), Vec<u8>>,
    quarters: FxHashMap<(String, String, i32), DayCells>,
}

impl Parts {
    async fn read(
        tx: &Transaction<'_>,
        tenant: &str,
        groups: &[Group],
    ) -> Result<Self, WindowError> {
        let mut days: Vec<(&str, &str, i32, i32)> = Vec::new();
        let mut edges: BTreeSet<(i32, &str, &str)> = BTreeSet::new();
        for group in groups {
            let (by, key) = (group.by_text.as_str(), group.key.text());
            let mut whole: Option<(i32, i32)> = None;
            for wanted in group.windows.values() {
                let Cover { days, quarters } = &wanted.cover;
                if !days.is_empty() {
                    let (from, to) = whole.unwrap_or((days.start, days.end));
                    whole = Some((from.min(days.start), to.max(days.end)));
                }
                edges.extend(quarters.iter().map(|cell| (cell.day().0, by, key)));
            }
            days.extend(whole.map(|(from, to)| (by, key, from, to)));
        }
        let totals = window_cells::totals(tx, tenant, &days).await?;
        let edges: Vec<_> = edges.into_iter().collect();
        let mut quarters = FxHashMap::default();
        for row in window_cells::read(tx, tenant, &edges).await? {
            let cells = DayCells::decode(&row.quarters).map_err(|source| WindowError::Cells {
                day: Day(row.day),
                group: format!("{} {}", row.group_by, row.group_key),
                source,
            })?;
            quarters.insert((row.group_by, row.group_key, row.day), cells);
        }
        Ok(Self {
            totals: totals
                .into_iter()
                .map(|(day, by, key, total)| ((by, key, day), total))
                .collect(),
            quarters,
        })
    }

    fn totals(&self, by: &str, key: &str, cover: &Cover) -> Result<Totals, WindowError> {
        let mut totals = Totals::default();
        let mut at = (by.to_owned(), key.to_owned(), 0);
        for day in cover.days.clone() {
            at.2 = day;
            if let Some(total) = self.totals.get(&at) {
                totals
                    .merge_encoded(total)
                    .map_err(|source| WindowError::Cells {
                        day: Day(day),
                        group: format!("{by} {key}"),
                        source,
                    })?;
            }
        }
        for cell in &cover.quarters {
            at.2 = cell.day().0;
            if let Some(cells) = self.quarters.get(&at) {
                totals.merge_entries(cells.get(cell.quarter()));
            }
        }
        Ok(totals)
    }
}

/// One row in the making: what the store borrows its columns from.
struct Row<'a> {
    group: &'a Group,
    rule: &'a Rule,
    size: window::Size,
    window: Window,
    zone: ZoneOf,
    items: i64,
    numerator: i64,
    denominator: i64,
    minimum: Option<f64>,
    maximum: Option<f64>,
    percentiles: Option<String>,
    value: Option<f64>,
    settles_at: UtcMicros,
}

impl<'a> Row<'a> {
    fn of(
        group: &'a Group,
        rule: &'a Rule,
        size: window::Size,
        window: Window,
        zone: ZoneOf,
        aggregate: &Aggregate,
    ) -> Self {
        let settles_after = rule
            .definition
            .windows()
            .map_or(schema::Millis::ZERO, |windows| windows.settles_after);
        Self {
            group,
            rule,
            size,
            window,
            zone,
            items: i64::try_from(aggregate.items()).unwrap_or(i64::MAX),
            numerator: narrow(aggregate.sum()),
            denominator: narrow(aggregate.weight()),
            minimum: aggregate
                .min()
                .map(|least| rule.in_unit(float(least.into()))),
            maximum: aggregate.max().map(|most| rule.in_unit(float(most.into()))),
            percentiles: rule.percentiles(aggregate),
            value: rule.value_of(rule.value, aggregate),
            settles_at: window.end.plus(settles_after),
        }
    }

    fn as_row(&self) -> WindowRow<'_> {
        let (group, definition) = (self.group, &self.rule.definition);
        WindowRow {
            metric_type: definition.name(),
            metric_version: definition.version(),
            group_by: &group.by_text,
            size: self.size.name(),
            group_key: group.key.text(),
            window_start: self.window.start,
            window_end: self.window.end,
            zone: self.zone.0.name(),
            zone_source: self.zone.1.as_str(),
            tzdb: timezone::TZDB_VERSION,
            queue_id: group.named.queue.as_deref(),
            media: group.named.media.as_deref(),
            direction: group.named.direction.as_deref(),
            agent_id: group.named.agent.as_deref(),
            team: group.named.team.as_deref(),
            platform: group.named.platform.as_deref(),
            attributes_json: group.attributes.as_deref(),
            items: self.items,
            numerator: self.numerator,
            denominator: self.denominator,
            scale: self.rule.scale,
            minimum: self.minimum,
            maximum: self.maximum,
            percentiles_json: self.percentiles.as_deref(),
            value: self.value,
            unit: definition.unit().name(),
            settles_at: self.settles_at,
        }
    }
}

impl Rule {
    /// A scaled number in the unit of the definition.
    fn in_unit(&self, scaled: f64) -> f64 {
        scaled / float(self.scale.into())
    }

    /// What the values come to by one of the aggregations; `None` where there is nothing to divide by.
    fn value_of(&self, aggregation: Aggregation, of: &Aggregate) -> Option<f64> {
        match aggregation {
            // One division of whole numbers: nothing is rounded twice.
            Aggregation::Mean => (of.weight() > 0).then(|| {
                let by = of.weight().saturating_mul(self.scale.into());
                float(of.sum()) / float(by)
            }),
            Aggregation::Sum => Some(self.in_unit(float(of.sum()))),
            Aggregation::Count => Some(float(of.items().into())),
            Aggregation::Min => of.min().map(|least| self.in_unit(float(least.into()))),
            Aggregation::Max => of.max().map(|most| self.in_unit(float(most.into()))),
            Aggregation::Percentile(percent) => {
                of.percentile(percent).map(|value| self.in_unit(value))
            }
        }
    }

    /// A JSON object of the percentiles that the definition asks for.
    fn percentiles(&self, of: &Aggregate) -> Option<String> {
        let asked = self.definition.aggregations().iter();
        let found: BTreeMap<String, f64> = asked
            .filter(|aggregation| matches!(aggregation, Aggregation::Percentile(_)))
            .filter_map(|aggregation| {
                Some((aggregation.to_string(), self.value_of(*aggregation, of)?))
            })
            .collect();
        (!found.is_empty())
            .then(|| serde_json::to_string(&found).ok())
            .flatten()
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "beyond 2^53 the nearest number will do"
)]
const fn float(number: i128) -> f64 {
    number as f64
}

/// A sum of sums of 64 bits that does not fit is no sum of times or counts.
fn narrow(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}
