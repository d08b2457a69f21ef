//! In which windows of local time values add up, and for whom.

use super::read::{Common, Reader};
use super::{Aggregation, Grain};
use crate::value::Unit;
use schema::Millis;
use std::sync::Arc;
use timezone::Schedule;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use window::{Counted, Dimension, GroupBy, Size, Wants};

/// How long after its end a window may still change, unless the definition says otherwise: two days.
const SETTLES_AFTER: Millis = Millis(2 * DAY);

const DAY: i64 = 86_400_000;

/// What a definition says of windows.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowRule {
    /// Which instant puts a value into a window. Time that agents spend is where it is spent, whatever this says.
    pub counted: Counted,
    /// For whom, in windows of which sizes. No two with the same group.
    pub sets: Vec<WindowSet>,
    /// How the values of a window are put together to its own.
    pub value: Aggregation,
    /// How long after its end a window may still change.
    pub settles_after: Millis,
    /// What its aggregations need besides sums.
    pub wants: Wants,
    /// By what a sum is to be divided to be in the unit: [`Unit::scale`] of sums of values. Of agents' time, where a sum is one of
    /// milliseconds, 1000 where it is counted in seconds, and 1 where it is shared out over a weight of milliseconds.
    pub scale: i64,
}

/// The windows of one kind of group.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowSet {
    /// What makes a group.
    pub by: GroupBy,
    /// In the order of the text, each once.
    pub sizes: Vec<Size>,
    /// What the windows of [`Size::Shift`] are made of; there exactly where that is among the sizes.
    pub shift: Option<Arc<Schedule>>,
}

impl<'t> Reader<'t, '_> {
    /// The rule, where there are windows. Only of a definition that is sound so far does it say something.
    pub(super) fn windows(
        &mut self,
        table: &DeTable<'t>,
        common: &Common,
        schedules: &[(String, Arc<Schedule>)],
    ) -> Option<WindowRule> {
        let counted = self.one_of(
            table,
            ("counted", "offered, answered, ended"),
            Some(Counted::Ended),
            Counted::from_name,
        );
        let settles_after = self.length(table, "settles_after", (Millis::ZERO, Millis(366 * DAY)));
        let Some((key, value)) = table.get_key_value("windows") else {
            for member in ["counted", "settles_after"] {
                if let Some((key, _)) = table.get_key_value(member) {
                    self.document.problem(
                        key.span().start,
                        format!("`{member}` is about windows, and there are no [[windows]]"),
                    );
                }
            }
            return None;
        };
        if common.scope == Some(Grain::AgentTime)
            && let Some((key, _)) = table.get_key_value("counted")
        {
            self.document.problem(
                key.span().start,
                "time is counted in the windows in which it is spent: leave `counted` out",
            );
        }
        let mut sets: Vec<WindowSet> = Vec::new();
        for item in self.document.array("windows", value).unwrap_or_default() {
            let Some(set) = self.window_set(item, common.scope, schedules) else {
                continue;
            };
            if sets.iter().any(|other| other.by == set.by) {
                let message =
                    "this group has windows already: write all sizes of one group together";
                self.document.problem(item.span().start, message);
                continue;
            }
            sets.push(set);
        }
        if sets.is_empty() && self.document.is_sound() {
            self.document
                .problem(key.span().start, "`windows` names no group");
        }
        let value = common.aggregations.first().copied();
        if value.is_none() && self.document.is_sound() {
            self.document.problem(
                key.span().start,
                "a window's value is the first of `aggregations`, and there is none",
            );
        }
        let aggregations = common.aggregations.iter();
        let any = |of: fn(&Aggregation) -> bool| aggregations.clone().any(of);
        Some(WindowRule {
            counted: counted?,
            sets,
            value: value?,
            settles_after: settles_after.unwrap_or(SETTLES_AFTER),
            wants: Wants {
                extremes: any(|one| matches!(one, Aggregation::Min | Aggregation::Max)),
                percentiles: any(|one| matches!(one, Aggregation::Percentile(_))),
            },
            scale: match (common.scope, common.unit?) {
                (Some(Grain::AgentTime), Unit::Share) => 1,
                (_, unit) => unit.scale(),
            },
        })
    }

    fn window_set(
        &mut self,
        item: &Spanned<DeValue<'t>>,
        scope: Option<Grain>,
        schedules: &[(String, Arc<Schedule>)],
    ) -> Option<WindowSet> {
        let inner = self.document.table("windows", item)?;
        self.document
            .known_members("a set of windows", inner, &["by", "sizes", "shift"]);
        let mut missing = false;
        for (member, what) in [
            (
                "by",
                "`by` is missing: the group's dimensions, [] for everything together",
            ),
            (
                "sizes",
                "`sizes` is missing: some of 15m, 30m, 60m, day, week, month, shift",
            ),
        ] {
            if !inner.contains_key(member) {
                missing = true;
                self.document.problem(item.span().start, what);
            }
        }
        let by = inner.get("by").and_then(|value| self.group(value, scope));
        let sizes = inner.get("sizes").and_then(|value| self.sizes(value));
        let shift = inner.get("shift").map(|value| self.shift(value, schedules));
        if missing {
            return None;
        }
        let (by, sizes) = (by?, sizes?);
        let has_shifts = sizes.contains(&Size::Shift);
        let shift = match (has_shifts, shift) {
            (true, None) => {
                let message = "windows of a shift need `shift`: a name under [schedules]";
                self.document.problem(item.span().start, message);
                return None;
            }
            (false, Some(_)) => {
                let at = inner.get_key_value("shift").map(|(key, _)| key.span());
                let at = at.unwrap_or(item.span()).start;
                let message = "`shift` is for the size \"shift\", which is not among `sizes`";
                self.document.problem(at, message);
                return None;
            }
            (true, Some(shift)) => Some(shift?),
            (false, None) => None,
        };
        Some(WindowSet { by, sizes, shift })
    }

    fn group(&mut self, value: &Spanned<DeValue<'t>>, scope: Option<Grain>) -> Option<GroupBy> {
        let items = self.document.array("by", value)?;
        let mut dimensions: Vec<Dimension> = Vec::new();
        let mut sound = true;
        for item in items {
            let Some(text) = self.document.text("by", item) else {
                sound = false;
                continue;
            };
            let of_time = |dimension: &Dimension| {
                matches!(
                    dimension,
                    Dimension::Agent | Dimension::Team | Dimension::Platform
                )
            };
            let problem = match Dimension::parse(&text.value) {
                Err(unknown) => unknown.to_string(),
                Ok(dimension) if dimensions.contains(&dimension) => {
                    format!("`{}` is named twice", text.value)
                }
                Ok(dimension) if scope == Some(Grain::AgentTime) && !of_time(&dimension) => {
                    format!(
                        "an agent's time has no `{}`: it is grouped by agent, team and platform",
                        text.value
                    )
                }
                Ok(dimension) => {
                    dimensions.push(dimension);
                    continue;
                }
            };
            sound = false;
            self.document.problem(text.span.start, problem);
        }
        sound.then(|| GroupBy::new(dimensions))
    }

    fn sizes(&mut self, value: &Spanned<DeValue<'t>>) -> Option<Vec<Size>> {
        let items = self.document.array("sizes", value)?;
        let mut sizes: Vec<Size> = Vec::new();
        let mut sound = true;
        for item in items {
            let Some(text) = self.document.text("sizes", item) else {
                sound = false;
                continue;
            };
            let problem = match Size::from_name(&text.value) {
                None => format!(
                    "`{}` is no size: there are 15m, 30m, 60m, day, week, month and shift",
                    text.value
                ),
                Some(size) if sizes.contains(&size) => format!("`{}` is named twice", text.value),
                Some(size) => {
                    sizes.push(size);
                    continue;
                }
            };
            sound = false;
            self.document.problem(text.span.start, problem);
        }
        if sizes.is_empty() && sound {
            self.document
                .problem(value.span().start, "`sizes` names none");
            return None;
        }
        sound.then_some(sizes)
    }

    /// The schedule that an alias stands for, if windows can be made of it.
    fn shift(
        &mut self,
        value: &Spanned<DeValue<'t>>,
        schedules: &[(String, Arc<Schedule>)],
    ) -> Option<Arc<Schedule>> {
        let text = self.document.text("shift", value)?;
        let path = format!("schedules.{}", text.value);
        if self.broken_names.contains(&path) {
            return None;
        }
        let found = schedules.iter().find(|(alias, _)| *alias == text.value);
        let Some((_, schedule)) = found else {
            let message = format!("there is no `{path}`");
            self.document.problem(text.span.start, message);
            return None;
        };
        if let Err(edge) = schedule.on_quarter_hours() {
            let message = format!("{edge}, and windows are put together from quarter hours");
            self.document.problem(text.span.start, message);
            return None;
        }
        Some(schedule.clone())
    }
}
