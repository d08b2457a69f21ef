//! One organisation in a round: cells that were taken and groups that are marked, each in the transaction that the caller commits.

use super::changed::{Changed, ChangedGroup};
use super::merge::{self, Sizes};
use super::rules::Rules;
use super::{Round, WindowError, cells, tiles};
use rustc_hash::FxHashMap;
use schema::{Millis, UtcMicros};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::marks::{self, Kind, Mark, Pending};
use store::{StoreError, Transaction, agent_zones, window_rebuild};
use timezone::Places;
use window::{Cell, Day, GroupKey, Window};

/// Of a group all of whose windows are asked for, so much time is computed in a round; the rest is marked anew.
const ALL_MAX: Millis = Millis(7 * 86_400_000);
/// No cell waits.
static NONE: BTreeSet<Cell> = BTreeSet::new();

/// One organisation in a round.
pub(super) struct Tenant<'a> {
    pub(super) tx: &'a Transaction<'a>,
    pub(super) name: &'a str,
    pub(super) rules: Arc<Rules>,
    pub(super) places: &'a Places,
    /// Definitions that this release cannot read, and computes without.
    pub(super) not_read: &'a [i32],
}

impl Tenant<'_> {
    /// Computes the cells that were taken, and the windows they are in.
    pub(super) async fn cells(
        &self,
        taken: &BTreeMap<Cell, Pending>,
        waiting: &BTreeSet<Cell>,
    ) -> Result<Round, WindowError> {
        let mut round = Round::default();
        let mut changed = Changed::default();
        let mut days: BTreeMap<Day, Vec<Cell>> = BTreeMap::new();
        for cell in taken.keys() {
            days.entry(cell.day()).or_default().push(*cell);
        }
        for (day, cells) in days {
            round.items += cells::compute(
                self.tx,
                self.name,
                (day, &cells),
                &self.rules,
                self.places,
                &mut changed,
            )
            .await?;
            round.cells += cells.len() as u64;
        }
        let left = self
            .merge(&changed.into_groups(), waiting, &mut round)
            .await?;
        let left: Vec<Mark<'_>> = left
            .iter()
            .map(|(subject, stretch)| Mark {
                kind: Kind::Group,
                tenant: self.name,
                subject,
                from: stretch.start,
                to: stretch.end,
            })
            .collect();
        marks::append(self.tx, &left).await?;
        self.finish(taken.values()).await?;
        Ok(round)
    }

    /// Computes what was left of these groups, or all their windows, and forgets their marks.
    pub(super) async fn marked_groups(&self, marked: &[Pending]) -> Result<Round, WindowError> {
        let mut round = Round::default();
        let mut groups: Vec<ChangedGroup> = Vec::new();
        let mut rest: Vec<Mark<'_>> = Vec::new();
        let mut found = 0;
        for mark in marked {
            round.groups += 1;
            if let Some(agent) = merge::of_moved(&mark.subject) {
                // Under the lease, so that all cells there are are seen.
                found += window_rebuild::mark_agent(self.tx, self.name, agent).await?;
                continue;
            }
            let Some((by, key, sizes)) = merge::of_subject(&self.rules, &mark.subject) else {
                continue;
            };
            let cells: BTreeSet<Cell> = if sizes == Sizes::All {
                // Bounded, however many years are asked for.
                let (from, end) = mark
                    .stretches
                    .first()
                    .copied()
                    .unwrap_or((mark.from, mark.to));
                let to = from.plus(ALL_MAX).min(end);
                let others = mark.stretches.iter().skip(1).copied();
                let left = others.chain((to < end).then_some((to, end)));
                rest.extend(left.map(|(from, to)| Mark {
                    kind: Kind::Group,
                    tenant: self.name,
                    subject: &mark.subject,
                    from,
                    to,
                }));
                self.filled(by, &key, (from, to)).await?
            } else {
                // Every window of the stretch has one of these cells, but where an agent moves: no day is shorter than an hour.
                let step = if self.rules.has_shifts(by) { 1 } else { 4 };
                let stretches = mark.stretches.iter();
                let cells = stretches.flat_map(|(from, to)| {
                    let last = Cell::of(UtcMicros(to.0.saturating_sub(1)));
                    Cell::range(*from, *to).step_by(step).chain([last])
                });
                cells.collect()
            };
            groups.push(ChangedGroup {
                cells: vec![(self.rules.of_group(by), cells)],
                by,
                key,
                sizes,
            });
        }
        self.merge(&groups, &NONE, &mut round).await?;
        round.more = found > 0 || !rest.is_empty();
        marks::append(self.tx, &rest).await?;
        self.finish(marked.iter()).await?;
        Ok(round)
    }

    /// Forgets marks that are done.
    async fn finish<'m>(&self, marks: impl Iterator<Item = &'m Pending>) -> Result<(), StoreError> {
        let ids: Vec<i64> = marks.flat_map(|mark| mark.marks.iter().copied()).collect();
        marks::finish(self.tx, &ids, self.not_read).await?;
        Ok(())
    }

    /// The cells of a stretch in which a group has anything.
    async fn filled(
        &self,
        by: usize,
        key: &GroupKey,
        (from, to): (UtcMicros, UtcMicros),
    ) -> Result<BTreeSet<Cell>, WindowError> {
        let text = self.rules.by()[by].text();
        let days = (Day::of(from).0, Day::of(to).0 + 1);
        let filled = window_rebuild::filled(self.tx, self.name, (&text, key.text()), days).await?;
        let cells = filled.into_iter().flat_map(|(day, mask)| {
            let has = move |cell: &Cell| {
                let quarter = cell.quarter();
                mask[usize::from(quarter / 8)] >> (quarter % 8) & 1 == 1
            };
            Day(day).cells().filter(has)
        });
        Ok(cells.collect())
    }

    async fn merge(
        &self,
        groups: &[ChangedGroup],
        waiting: &BTreeSet<Cell>,
        round: &mut Round,
    ) -> Result<BTreeMap<String, Window>, WindowError> {
        let stated = stated_zones(self.tx, self.name, &self.rules, groups).await?;
        let scope = merge::Scope {
            tenant: self.name,
            rules: &self.rules,
            places: self.places,
            stated: &stated,
            waiting,
        };
        let merged = merge::compute(self.tx, &scope, groups).await?;
        round.written += merged.written.written;
        round.removed += merged.written.removed;
        Ok(merged.left)
    }
}

/// The zones that events state for the agents of these groups.
async fn stated_zones(
    tx: &Transaction<'_>,
    tenant: &str,
    rules: &Rules,
    groups: &[ChangedGroup],
) -> Result<FxHashMap<String, String>, StoreError> {
    let agents: BTreeSet<String> = groups
        .iter()
        .filter_map(|group| tiles::Named::of(&rules.by()[group.by], &group.key).agent)
        .collect();
    let agents: Vec<(&str, &str)> = agents
        .iter()
        .map(|agent| (tenant, agent.as_str()))
        .collect();
    let stated = agent_zones::of_agents(tx, &agents).await?;
    Ok(stated
        .into_iter()
        .map(|stated| (stated.agent_id, stated.zone))
        .collect())
}
