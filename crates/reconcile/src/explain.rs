//! Causes that lie in other numbers than the two that differ.

use crate::figure::Subject;
use crate::{Cell, Measure, Policy, Verdict};
use schema::UtcMicros;
use std::collections::BTreeMap;

type Natives<'a> = BTreeMap<(&'a Subject, Measure, UtcMicros, UtcMicros), i64>;

/// Looks through cells that differ. Cells are in order.
pub(crate) fn explain(cells: &mut [Cell], natives: &Natives<'_>, policy: &Policy) {
    for cell in cells.iter_mut() {
        if cell.verdict == Verdict::Differs
            && let Some(verdict) = left_out(cell, natives, policy)
        {
            cell.verdict = verdict;
        }
    }
    neighbours(cells);
}

/// Whether ours is less by exactly what its definition leaves out.
fn left_out(cell: &Cell, natives: &Natives<'_>, policy: &Policy) -> Option<Verdict> {
    let value = |measure| {
        let key = (&cell.subject, measure, cell.from, cell.to);
        natives.get(&key).copied().unwrap_or(0)
    };
    let parts: Vec<(Measure, i64)> = policy
        .left_out_of(cell.measure)
        .map(|part| (part, value(part)))
        .filter(|(_, value)| *value != 0)
        .collect();
    let sum = parts
        .iter()
        .try_fold(0_i64, |sum, (_, value)| sum.checked_add(*value))?;
    let rest = cell.difference().checked_add(sum)?;
    let allowed = policy
        .tolerance
        .of(cell.measure, i64::try_from(parts.len()).unwrap_or(i64::MAX));
    (sum != 0 && rest.unsigned_abs() <= allowed.unsigned_abs())
        .then_some(Verdict::LeftOut { parts })
}

/// Two days that touch and differ by the same, one up and one down: contacts that one side dates by the day they ended on. Each day is used
/// once, the earlier pair first.
fn neighbours(cells: &mut [Cell]) {
    let mut lines: BTreeMap<(Subject, Measure), Vec<usize>> = BTreeMap::new();
    for (index, cell) in cells.iter().enumerate() {
        let line = lines.entry((cell.subject.clone(), cell.measure));
        line.or_default().push(index);
    }
    for line in lines.into_values() {
        let mut used = None;
        for pair in line.windows(2) {
            let [first, second] = *pair else { continue };
            let (Some(one), Some(other)) = (cells.get(first), cells.get(second)) else {
                continue;
            };
            let differ = one.verdict == Verdict::Differs && other.verdict == Verdict::Differs;
            let cancel = one.difference().checked_add(other.difference()) == Some(0);
            if !differ || !cancel || one.to != other.from || used == Some(first) {
                continue;
            }
            let (day, next) = (one.day, other.day);
            set(cells, first, Verdict::Neighbour { day: next });
            set(cells, second, Verdict::Neighbour { day });
            used = Some(second);
        }
    }
}

fn set(cells: &mut [Cell], index: usize, verdict: Verdict) {
    if let Some(cell) = cells.get_mut(index) {
        cell.verdict = verdict;
    }
}
