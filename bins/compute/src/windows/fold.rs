//! Items → what each group has in each quarter hour of a day.

use super::rules::Rules;
use rustc_hash::FxHashMap;
use window::{Cell, Dimensions, GroupKey, Measure, Totals};

/// What the items of some cells of one day have come to.
#[derive(Debug)]
pub(super) struct Fold<'r> {
    rules: &'r Rules,
    /// By the place of what groups are by: the groups found, by key.
    known: Vec<FxHashMap<GroupKey, usize>>,
    groups: Vec<Group>,
    /// Of the item at hand: the group it belongs to, by the place of what groups are by.
    of_item: Vec<Option<usize>>,
    key: String,
}

/// What one group has.
#[derive(Debug)]
pub(super) struct Group {
    /// The place of what it is by.
    pub(super) by: usize,
    pub(super) key: GroupKey,
    /// By cell, each once.
    cells: Vec<(Cell, Totals)>,
}

impl<'r> Fold<'r> {
    pub(super) fn new(rules: &'r Rules) -> Self {
        Self {
            rules,
            known: rules.by().iter().map(|_| FxHashMap::default()).collect(),
            groups: Vec::new(),
            of_item: vec![None; rules.by().len()],
            key: String::new(),
        }
    }

    /// Adds what one item has: definition, scaled sum and weight of each measure. Those of definitions without windows are passed over.
    pub(super) fn add(&mut self, cell: Cell, of: &Dimensions<'_>, measures: &[(i32, i64, i64)]) {
        self.of_item.fill(None);
        for &(definition, sum, weight) in measures {
            let Some(rule) = self.rules.get(definition) else {
                continue;
            };
            for (by, _) in &rule.sets {
                let group = match self.of_item[*by] {
                    Some(group) => group,
                    None => self.group(*by, of),
                };
                let totals = self.groups[group].cell(cell);
                totals.add(definition, Measure { sum, weight }, rule.wants);
            }
        }
    }

    fn group(&mut self, by: usize, of: &Dimensions<'_>) -> usize {
        let group_by = &self.rules.by()[by];
        group_by.key_into(of, &mut self.key);
        let group = if let Some(group) = self.known[by].get(self.key.as_str()) {
            *group
        } else {
            let group = self.groups.len();
            let key = group_by.key(of);
            self.known[by].insert(key.clone(), group);
            self.groups.push(Group {
                by,
                key,
                cells: Vec::new(),
            });
            group
        };
        self.of_item[by] = Some(group);
        group
    }

    /// The groups found.
    pub(super) fn into_groups(self) -> Vec<Group> {
        self.groups
    }
}

impl Group {
    /// What it has in a cell, which is made if it has nothing there yet. Items come by cells mostly, so the last one is looked at first.
    fn cell(&mut self, cell: Cell) -> &mut Totals {
        let found = self.cells.iter().rposition(|(known, _)| *known == cell);
        let index = found.unwrap_or_else(|| {
            self.cells.push((cell, Totals::default()));
            self.cells.len() - 1
        });
        &mut self.cells[index].1
    }

    /// Takes out what it has in a cell.
    pub(super) fn take(&mut self, cell: Cell) -> Totals {
        let found = self.cells.iter().rposition(|(known, _)| *known == cell);
        found.map_or_else(Totals::default, |index| self.cells.swap_remove(index).1)
    }
}
