//! What was chosen to be shown; whatever does not go together is replaced by what is nearest to it.

use crate::api::catalogue::{Kpi, Kpis};
use crate::page::visit::Visit;
use kpi::Aggregation;
use schema::{Millis, UtcMicros};
use store::definitions::Status;
use window::{Dimension, GroupBy, Size};

const DAY: i64 = 86_400_000;

/// How far back charts may look.
pub(super) const SPANS: [(&str, &str, i64); 6] = [
    ("1d", "24 hours", DAY),
    ("7d", "7 days", 7 * DAY),
    ("14d", "14 days", 14 * DAY),
    ("31d", "31 days", 31 * DAY),
    ("92d", "3 months", 92 * DAY),
    ("366d", "a year", 366 * DAY),
];

/// Points of one line: more are neither seen on a screen nor read in a table.
const POINTS_MAX: i64 = 750;

/// By zone is no dimension of windows: groups are put together by the clock that they go by.
pub(super) const BY_ZONE: &str = "zone";

/// What is shown.
#[derive(Debug)]
pub(super) struct Choice<'a> {
    /// The versions of one KPI, the one that readers see first.
    pub(super) versions: Vec<&'a Kpi>,
    /// All versions that could be shown.
    pub(super) known: Vec<&'a Kpi>,
    /// By what its windows are grouped: `""`, `queue` …, or by zone.
    pub(super) by: String,
    /// By what they can be.
    pub(super) groupings: Vec<String>,
    /// What is read: the groups themselves, or those that are put together by zone.
    pub(super) group_by: String,
    /// How long the windows are.
    pub(super) size: Size,
    /// How long they can be.
    pub(super) sizes: Vec<Size>,
    /// How far back, one of [`SPANS`].
    pub(super) span: (&'static str, &'static str, i64),
    /// It was to be longer, and such short windows are not shown for so long.
    pub(super) shortened: bool,
    /// The first instant.
    pub(super) from: UtcMicros,
    /// The groups that were picked, as they are stored.
    pub(super) groups: Vec<String>,
}

impl<'a> Choice<'a> {
    /// From the address; `None` where no KPI has windows.
    pub(super) fn of(visit: &Visit, kpis: &'a Kpis) -> Option<Self> {
        let asked = visit.chosen("metric");
        let shown = |kpi: &&Kpi| !kpi.windows().is_empty();
        let name = asked
            .filter(|name| {
                kpis.all()
                    .iter()
                    .any(|kpi| kpi.name == *name && shown(&kpi))
            })
            .or_else(|| {
                let mut current = kpis
                    .all()
                    .iter()
                    .filter(|kpi| kpi.status == Status::Current);
                current.find(shown).map(|kpi| kpi.name.as_str())
            })?;
        let mut known: Vec<&Kpi> = kpis
            .all()
            .iter()
            .filter(|kpi| kpi.name == name)
            .filter(shown)
            .collect();
        known.sort_by_key(|kpi| (kpi.status != Status::Current, kpi.version));
        let picked: Vec<&str> = visit.all_chosen("version").collect();
        let mut versions: Vec<&Kpi> = known
            .iter()
            .filter(|kpi| picked.contains(&kpi.version.0.to_string().as_str()))
            .copied()
            .collect();
        if versions.is_empty() {
            versions.extend(known.first());
        }
        let first = versions.first()?;
        let groupings = groupings(first);
        let by = visit.chosen("by").unwrap_or_default();
        let by = if groupings.iter().any(|one| one == by) {
            by.to_owned()
        } else {
            groupings.first()?.clone()
        };
        let groups = if by == BY_ZONE {
            zone_groups(first)
        } else {
            vec![by.clone()]
        };
        let sizes = sizes(first, &groups);
        let asked = visit.chosen("size").and_then(Size::from_name);
        let size = asked
            .filter(|size| sizes.contains(size))
            .or_else(|| sizes.iter().find(|size| **size == Size::Day).copied())
            .or_else(|| sizes.first().copied())?;
        let group_by = groups
            .into_iter()
            .find(|group_by| has_size(first, group_by, size))?;
        let (span, shortened) = span(visit.chosen("span"), size);
        Some(Self {
            versions,
            known,
            by,
            groupings,
            group_by,
            size,
            sizes,
            span,
            shortened,
            from: visit.now.plus(Millis(-span.2)),
            groups: visit.all_chosen("group").map(str::to_owned).collect(),
        })
    }

    /// The KPI as readers see it.
    pub(super) fn first(&self) -> Option<&'a Kpi> {
        self.versions.first().copied()
    }
}

/// How the windows of a KPI are grouped, the whole organisation first.
fn groupings(kpi: &Kpi) -> Vec<String> {
    let mut groupings: Vec<String> = kpi
        .windows()
        .iter()
        .map(|windows| windows.by.text())
        .collect();
    groupings.sort_by_key(|by| (by.matches(',').count(), !by.is_empty(), by.clone()));
    if !zone_groups(kpi).is_empty() {
        groupings.push(BY_ZONE.to_owned());
    }
    groupings
}

/// The groups that can be put together by zone: those of one dimension with a clock of its own, agents before teams and queues. Only of
/// values that add up.
fn zone_groups(kpi: &Kpi) -> Vec<String> {
    let value = kpi.text.as_ref().and_then(|text| text.aggregations.first());
    if value.is_none_or(|value| matches!(value, Aggregation::Percentile(_))) {
        return Vec::new();
    }
    [Dimension::Agent, Dimension::Team, Dimension::Queue]
        .into_iter()
        .map(|dimension| GroupBy::new(vec![dimension]).text())
        .filter(|by| kpi.windows().iter().any(|windows| windows.by.text() == *by))
        .collect()
}

/// The sizes of any of these groups.
fn sizes(kpi: &Kpi, groups: &[String]) -> Vec<Size> {
    let mut sizes: Vec<Size> = kpi
        .windows()
        .iter()
        .filter(|windows| groups.contains(&windows.by.text()))
        .flat_map(|windows| windows.sizes.iter().copied())
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

fn has_size(kpi: &Kpi, group_by: &str, size: Size) -> bool {
    kpi.windows()
        .iter()
        .any(|windows| windows.by.text() == group_by && windows.sizes.contains(&size))
}

/// The stretch that was asked for, or the longest that such windows are shown for.
fn span(asked: Option<&str>, size: Size) -> ((&'static str, &'static str, i64), bool) {
    let length = match size {
        Size::Quarter => DAY / 96,
        Size::Half => DAY / 48,
        Size::Hour => DAY / 24,
        Size::Shift => DAY / 3,
        Size::Day => DAY,
        Size::Week => 7 * DAY,
        Size::Month => 28 * DAY,
    };
    let usual = match size {
        Size::Quarter | Size::Half | Size::Hour => "1d",
        Size::Day | Size::Shift => "31d",
        Size::Week => "92d",
        Size::Month => "366d",
    };
    let named = |name: &str| SPANS.into_iter().find(|(one, ..)| *one == name);
    let wanted = asked
        .and_then(named)
        .or_else(|| named(usual))
        .unwrap_or(SPANS[0]);
    if wanted.2 / length <= POINTS_MAX {
        return (wanted, false);
    }
    let longest = SPANS
        .into_iter()
        .rfind(|span| span.2 / length <= POINTS_MAX);
    (longest.unwrap_or(SPANS[0]), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_windows_are_shown_for_as_long_as_they_can_be_read() {
        assert_eq!(span(Some("7d"), Size::Quarter).0.0, "7d");
        assert_eq!(span(Some("31d"), Size::Quarter), (SPANS[1], true));
        assert_eq!(span(Some("31d"), Size::Hour), (SPANS[3], false));
        assert_eq!(span(Some("366d"), Size::Day), (SPANS[5], false));
        assert_eq!(span(Some("ever"), Size::Day).0.0, "31d");
        assert_eq!(span(None, Size::Half).0.0, "1d");
    }
}
