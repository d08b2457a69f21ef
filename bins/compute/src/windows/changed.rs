//! What a round found to differ: the groups, and by definition the cells.

use super::merge::Sizes;
use std::collections::{BTreeMap, BTreeSet};
use window::{Cell, GroupKey};

/// By definition the cells in which its sums changed.
type CellsOf = BTreeMap<i32, BTreeSet<Cell>>;

/// The groups in which anything changed, and where.
#[derive(Debug, Default)]
pub(super) struct Changed(BTreeMap<(usize, GroupKey), CellsOf>);

/// One of them: the place of what it is by, its key, and where.
#[derive(Debug)]
pub(super) struct ChangedGroup {
    pub(super) by: usize,
    pub(super) key: GroupKey,
    /// Definitions, and the cells in which the sums of all of them changed.
    pub(super) cells: Vec<(Vec<i32>, BTreeSet<Cell>)>,
    /// Which windows are to be computed: the others are as they should be.
    pub(super) sizes: Sizes,
}

impl Changed {
    pub(super) fn add(&mut self, by: usize, key: &GroupKey, cells: Vec<(Cell, Vec<i32>)>) {
        let of_group = self.0.entry((by, key.clone())).or_default();
        for (cell, definitions) in cells {
            for definition in definitions {
                of_group.entry(definition).or_default().insert(cell);
            }
        }
    }

    pub(super) fn into_groups(self) -> Vec<ChangedGroup> {
        self.0
            .into_iter()
            .map(|((by, key), cells)| ChangedGroup {
                by,
                key,
                cells: together(cells),
                sizes: Sizes::All,
            })
            .collect()
    }
}

/// The definitions of the same cells together: most are.
fn together(cells: CellsOf) -> Vec<(Vec<i32>, BTreeSet<Cell>)> {
    let mut together: Vec<(Vec<i32>, BTreeSet<Cell>)> = Vec::new();
    for (definition, cells) in cells {
        match together.iter_mut().find(|(_, others)| *others == cells) {
            Some((definitions, _)) => definitions.push(definition),
            None => together.push((vec![definition], cells)),
        }
    }
    together
}
