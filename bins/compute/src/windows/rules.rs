//! What is added up: of every definition with windows its groups, sizes and shifts, as the catalogue has them.

use crate::catalogue::Active;
use kpi::{Aggregation, Definition};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use timezone::Schedule;
use window::{GroupBy, Size, Wants};

/// The windows of all definitions of a catalogue.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// What groups are by, each once. Others are named by their place here.
    by: Vec<GroupBy>,
    /// By the number of the definition.
    rules: FxHashMap<i32, Rule>,
}

/// The windows of one definition.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) definition: Arc<Definition>,
    pub(super) wants: Wants,
    /// What the window's value is.
    pub(super) value: Aggregation,
    /// What a scaled sum is divided by to be in the unit.
    pub(super) scale: i64,
    /// The places of what its groups are by, and the sizes of the windows of those groups.
    pub(super) sets: Vec<(usize, Vec<Tiling>)>,
}

/// One way in which time is cut into windows.
#[derive(Debug, Clone)]
pub(super) struct Tiling {
    pub(super) size: Size,
    /// The schedule whose spans are the windows, of shifts.
    pub(super) shift: Option<Arc<Schedule>>,
}

impl Rules {
    /// The windows of all definitions that were ever switched on: what a retired one computed stays, and is kept as its items are.
    pub(super) fn of(active: &Active) -> Self {
        let mut rules = Self::default();
        for (index, definition) in active.catalogue.definitions().iter().enumerate() {
            let (Some(windows), Some(id)) = (definition.windows(), active.definition_id(index))
            else {
                continue;
            };
            let sets = windows.sets.iter().map(|set| {
                let tilings = set.sizes.iter().map(|size| Tiling {
                    size: *size,
                    shift: set.shift.clone().filter(|_| *size == Size::Shift),
                });
                (rules.place_of(&set.by), tilings.collect())
            });
            let rule = Rule {
                wants: windows.wants,
                value: windows.value,
                scale: windows.scale,
                sets: sets.collect(),
                definition: Arc::clone(definition),
            };
            rules.rules.insert(id, rule);
        }
        rules
    }

    fn place_of(&mut self, by: &GroupBy) -> usize {
        let found = self.by.iter().position(|known| known == by);
        found.unwrap_or_else(|| {
            self.by.push(by.clone());
            self.by.len() - 1
        })
    }

    /// What groups are by.
    pub(super) fn by(&self) -> &[GroupBy] {
        &self.by
    }

    /// The definitions that have groups by this, ascending.
    pub(super) fn of_group(&self, by: usize) -> Vec<i32> {
        let rules = self.rules.iter();
        let mut found: Vec<i32> = rules
            .filter(|(_, rule)| rule.sets.iter().any(|(of, _)| *of == by))
            .map(|(definition, _)| *definition)
            .collect();
        found.sort_unstable();
        found
    }

    /// Whether groups by this have windows of shifts, which may be as short as a quarter hour.
    pub(super) fn has_shifts(&self, by: usize) -> bool {
        let sets = self.rules.values().flat_map(|rule| &rule.sets);
        let mut tilings = sets.filter(|(of, _)| *of == by).flat_map(|(_, all)| all);
        tilings.any(|tiling| tiling.size == Size::Shift)
    }

    /// The windows of a definition; none of one that has none, or that this release cannot read.
    pub(super) fn get(&self, definition: i32) -> Option<&Rule> {
        self.rules.get(&definition)
    }
}

impl Tiling {
    /// Whether both cut time in the same way.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.size == other.size
            && match (&self.shift, &other.shift) {
                (None, None) => true,
                (Some(one), Some(other)) => Arc::ptr_eq(one, other),
                _ => false,
            }
    }
}
