//! The figures of a chart: one line a version, group or zone, one row a window.

use super::choice::{BY_ZONE, Choice};
use crate::api::catalogue::Kpi;
use crate::api::problem::Problem;
use crate::api::windows::is_doubtful;
use crate::page::visit::Visit;
use crate::page::words;
use kpi::Aggregation;
use schema::{MetricVersion, UtcMicros};
use std::collections::BTreeMap;
use store::freshness::{Untrusted, stretches};
use store::reading::windows::by_zone::{ZoneWindow, by_zone};
use store::reading::windows::groups::{Group, groups};
use store::reading::windows::{Filter, Having, WindowState, page};
use timezone::Zone;
use window::GroupKey;

/// Lines of one chart: more cannot be told apart.
pub(super) const LINES_MAX: usize = 6;
/// Groups that can be picked from.
const GROUPS_MAX: u32 = 200;
/// Windows of one line, and of all zones together.
const ROWS_MAX: u32 = 1000;
const ZONE_ROWS_MAX: u32 = 6000;

/// What is drawn and what stands in the table.
#[derive(Debug)]
pub(super) struct Chart {
    /// What each line is of.
    pub(super) lines: Vec<String>,
    /// By window.
    pub(super) rows: Vec<Row>,
    /// The unit of all values.
    pub(super) unit: String,
    /// The groups that could be shown, with the most in them first.
    pub(super) groups: Vec<Group>,
    /// Those that are.
    pub(super) shown: Vec<String>,
    /// Stretches in which data are missing or late.
    pub(super) untrusted: Vec<Untrusted>,
}

/// One window.
#[derive(Debug)]
pub(super) struct Row {
    /// Its first instant.
    pub(super) start: UtcMicros,
    /// How it is called, by its own clock.
    pub(super) name: String,
    /// Data of its time are missing or late.
    pub(super) doubtful: bool,
    /// By line; `None` where there is no such window.
    pub(super) cells: Vec<Option<Cell>>,
}

/// One value.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// `None`: absent.
    pub(super) value: Option<f64>,
    /// Of how many values.
    pub(super) items: i64,
    /// Whether it may still change.
    pub(super) state: WindowState,
}

/// A window of one line, wherever it was read.
struct Point {
    start: UtcMicros,
    end: UtcMicros,
    zone: String,
    cell: Cell,
}

impl Chart {
    /// Reads what was chosen.
    pub(super) async fn read(
        visit: &Visit,
        tenant: &str,
        choice: &Choice<'_>,
    ) -> Result<Self, Problem> {
        let filter = |version: MetricVersion| Filter {
            tenant,
            metric_type: choice.first().map_or("", |kpi| kpi.name.as_str()),
            metric_version: version,
            group_by: &choice.group_by,
            size: choice.size.name(),
            group_key: None,
            having: Having::default(),
            from: choice.from,
            to: visit.now,
        };
        let first = choice
            .first()
            .map_or(MetricVersion::FIRST, |kpi| kpi.version);
        let mut lines: Vec<(String, Vec<Point>)> = Vec::new();
        let (mut known, mut shown) = (Vec::new(), Vec::new());
        if choice.by == BY_ZONE {
            let version = choice.first();
            let value = version.and_then(|kpi| kpi.text.as_ref()?.aggregations.first().copied());
            let rows = by_zone(&visit.client, &filter(first), ZONE_ROWS_MAX).await?;
            lines.extend(of_zones(rows, value));
        } else {
            if !choice.by.is_empty() {
                known = groups(&visit.client, &filter(first), GROUPS_MAX).await?;
            }
            shown = picked(choice, &known);
            for kpi in &choice.versions {
                for group in &shown {
                    let filter = Filter {
                        group_key: Some(group),
                        ..filter(kpi.version)
                    };
                    let rows = page(&visit.client, &filter, None, ROWS_MAX).await?;
                    let points = rows.into_iter().map(|row| Point {
                        start: row.window_start,
                        end: row.window_end,
                        zone: row.zone,
                        cell: Cell {
                            value: row.value,
                            items: row.items,
                            state: row.state,
                        },
                    });
                    lines.push((line_name(choice, kpi, group), points.collect()));
                }
            }
        }
        lines.truncate(LINES_MAX);
        let untrusted = stretches(&visit.client, tenant, choice.from, visit.now).await?;
        Ok(Self {
            rows: rows(&lines, choice.size.name(), &untrusted),
            lines: lines.into_iter().map(|(name, _)| name).collect(),
            unit: choice
                .first()
                .map_or_else(String::new, |kpi| kpi.unit.clone()),
            groups: known,
            shown,
            untrusted,
        })
    }
}

/// The groups that were picked, as far as they can be told apart; those with the most in them where none was.
fn picked(choice: &Choice<'_>, known: &[Group]) -> Vec<String> {
    if choice.by.is_empty() {
        return vec![GroupKey::new([]).text().to_owned()];
    }
    // Each version of each group is a line.
    let most = (LINES_MAX / choice.versions.len().max(1)).max(1);
    let is_known = |key: &String| known.iter().any(|group| group.group_key == *key);
    let mut picked: Vec<String> = choice
        .groups
        .iter()
        .filter(|key| is_known(key))
        .cloned()
        .collect();
    if picked.is_empty() {
        picked.extend(known.iter().map(|group| group.group_key.clone()));
    }
    picked.truncate(most);
    picked
}

fn line_name(choice: &Choice<'_>, kpi: &Kpi, group: &str) -> String {
    let version = format!("version {}", kpi.version.0);
    match (choice.by.is_empty(), choice.versions.len() > 1) {
        (true, true) => version,
        (true, false) => "Whole organisation".to_owned(),
        (false, true) => format!("{}, {version}", group_name(group)),
        (false, false) => group_name(group),
    }
}

/// A group as people call it: the values of its dimensions.
pub(super) fn group_name(key: &str) -> String {
    let Ok(key) = GroupKey::parse(key) else {
        return key.to_owned();
    };
    let values: Vec<String> = key
        .values()
        .into_iter()
        .map(|value| value.map_or_else(|| "none".to_owned(), |value| value.to_string()))
        .collect();
    values.join(" · ")
}

/// One line a zone, those with the most in them first.
fn of_zones(rows: Vec<ZoneWindow>, value: Option<Aggregation>) -> Vec<(String, Vec<Point>)> {
    let mut zones: BTreeMap<String, (i64, Vec<Point>)> = BTreeMap::new();
    for row in rows {
        let (items, points) = zones.entry(row.zone.clone()).or_default();
        *items += row.items;
        points.push(Point {
            start: row.window_start,
            end: row.window_end,
            cell: Cell {
                value: together(&row, value),
                items: row.items,
                state: row.state,
            },
            zone: row.zone,
        });
    }
    let mut lines: Vec<_> = zones.into_iter().collect();
    lines.sort_by_key(|(_, (items, _))| std::cmp::Reverse(*items));
    lines
        .into_iter()
        .map(|(zone, (_, points))| (zone, points))
        .collect()
}

/// The value of several windows put together, by the rule of one.
fn together(row: &ZoneWindow, value: Option<Aggregation>) -> Option<f64> {
    match value? {
        Aggregation::Mean => (row.weight > 0.0).then(|| row.sum / row.weight),
        Aggregation::Sum => Some(row.sum),
        #[allow(clippy::cast_precision_loss, reason = "counts far below 2^53")]
        Aggregation::Count => Some(row.items as f64),
        Aggregation::Min => row.minimum,
        Aggregation::Max => row.maximum,
        Aggregation::Percentile(_) => None,
    }
}

/// The lines side by side, window by window. A window is called by the clock of the first line that has it; where clocks differ the zone
/// is said too.
fn rows(lines: &[(String, Vec<Point>)], size: &str, untrusted: &[Untrusted]) -> Vec<Row> {
    let mut zones: Vec<&str> = lines
        .iter()
        .flat_map(|(_, points)| points.iter().map(|point| point.zone.as_str()))
        .collect();
    zones.sort_unstable();
    zones.dedup();
    let mut rows: BTreeMap<UtcMicros, Row> = BTreeMap::new();
    for (line, (_, points)) in lines.iter().enumerate() {
        for point in points {
            let row = rows.entry(point.start).or_insert_with(|| {
                let zone = Zone::parse(&point.zone).unwrap_or(Zone::UTC);
                let name = words::window(point.start, zone, size);
                Row {
                    start: point.start,
                    name: if zones.len() > 1 {
                        format!("{name} ({})", point.zone)
                    } else {
                        name
                    },
                    doubtful: is_doubtful(untrusted, point.start, point.end),
                    cells: vec![None; lines.len()],
                }
            });
            if let Some(cell) = row.cells.get_mut(line) {
                *cell = Some(point.cell.clone());
            }
        }
    }
    tell_apart(rows.into_values().collect())
}

/// The hour that the clocks repeat is there twice: the second one says so.
fn tell_apart(mut rows: Vec<Row>) -> Vec<Row> {
    let mut before = String::new();
    let mut repeats: Vec<usize> = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if row.name == before || seen.contains(&row.name) {
            repeats.push(at);
        }
        before.clone_from(&row.name);
        seen.push(row.name.clone());
        // A clock goes back by an hour or two: eight quarters.
        if seen.len() > 8 {
            seen.remove(0);
        }
    }
    for at in repeats {
        if let Some(row) = rows.get_mut(at) {
            row.name.push_str(" (again)");
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(minutes: i64, zone: &str) -> Point {
        Point {
            start: UtcMicros((1_729_987_200 + minutes * 60) * 1_000_000),
            end: UtcMicros((1_729_987_200 + minutes * 60 + 1800) * 1_000_000),
            zone: zone.to_owned(),
            cell: Cell {
                value: Some(1.0),
                items: 1,
                state: WindowState::Settled,
            },
        }
    }

    #[test]
    fn the_doubled_hour_is_two_rows_that_are_told_apart() {
        let berlin = "Europe/Berlin";
        let points = (0..5).map(|half| point(half * 30, berlin)).collect();
        let names: Vec<String> = rows(&[("a".to_owned(), points)], "30m", &[])
            .into_iter()
            .map(|row| row.name)
            .collect();
        assert_eq!(
            names,
            [
                "Sun 27 Oct 02:00",
                "Sun 27 Oct 02:30",
                "Sun 27 Oct 02:00 (again)",
                "Sun 27 Oct 02:30 (again)",
                "Sun 27 Oct 03:00"
            ]
        );
    }

    #[test]
    fn lines_of_several_clocks_stand_in_one_row_an_instant_with_the_zone_said() {
        let lines = [
            ("a".to_owned(), vec![point(0, "Europe/Berlin")]),
            (
                "b".to_owned(),
                vec![point(0, "America/New_York"), point(30, "America/New_York")],
            ),
        ];
        let rows = rows(&lines, "30m", &[]);
        let shown: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.name.as_str(),
                    row.cells.iter().map(Option::is_some).collect::<Vec<_>>(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("Sun 27 Oct 02:00 (Europe/Berlin)", vec![true, true]),
                ("Sat 26 Oct 20:30 (America/New_York)", vec![false, true])
            ]
        );
    }

    #[test]
    fn zones_are_put_together_by_the_rule_of_one_value() {
        let row = ZoneWindow {
            zone: "UTC".to_owned(),
            window_start: UtcMicros(0),
            window_end: UtcMicros(1),
            items: 4,
            sum: 10.0,
            weight: 4.0,
            minimum: Some(1.0),
            maximum: Some(5.0),
            unit: "seconds".to_owned(),
            state: WindowState::Open,
        };
        assert_eq!(together(&row, Some(Aggregation::Mean)), Some(2.5));
        assert_eq!(together(&row, Some(Aggregation::Sum)), Some(10.0));
        assert_eq!(together(&row, Some(Aggregation::Count)), Some(4.0));
        assert_eq!(together(&row, Some(Aggregation::Max)), Some(5.0));
        let empty = ZoneWindow { weight: 0.0, ..row };
        assert_eq!(together(&empty, Some(Aggregation::Mean)), None);
    }
}
