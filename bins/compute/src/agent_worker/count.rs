//! What intervals add to windows: milliseconds by quarter hour, team and definition. Pure.

use crate::catalogue::Active;
use agent::{Interval, State};
use kpi::AgentTimeRule;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use store::window_items::Item;
use window::Cell;

/// A definition of agents' time with its number.
#[derive(Debug, Clone, Copy)]
struct Counted<'a> {
    definition: i32,
    rule: &'a AgentTimeRule,
}

/// Definitions of agents' time, by whether they are switched on.
#[derive(Debug)]
pub(super) struct Definitions<'a> {
    on: Vec<Counted<'a>>,
    off: Vec<Counted<'a>>,
}

impl<'a> Definitions<'a> {
    pub(super) fn of(active: &'a Active) -> Self {
        let on: BTreeSet<usize> = active.of_news(&BTreeSet::new()).into_iter().collect();
        let (mut definitions, mut off) = (Vec::new(), Vec::new());
        for (index, definition) in active.catalogue.definitions().iter().enumerate() {
            let (Some(rule), Some(number)) = (definition.agent_time(), active.definition_id(index))
            else {
                continue;
            };
            let counted = Counted {
                definition: number,
                rule,
            };
            if on.contains(&index) {
                definitions.push(counted);
            } else {
                off.push(counted);
            }
        }
        Self {
            on: definitions,
            off,
        }
    }

    /// What counts the time of an agent: what is switched on, and of the rest what was asked for.
    pub(super) fn counter<'i>(&self, agent_id: &'i str, asked: &[i32]) -> Counter<'a, 'i> {
        let asked = self
            .off
            .iter()
            .filter(|counted| asked.contains(&counted.definition));
        Counter {
            agent_id,
            definitions: self.on.iter().chain(asked).copied().collect(),
            known: HashMap::new(),
        }
    }
}

/// Counts the time of one agent.
#[derive(Debug)]
pub(super) struct Counter<'a, 'i> {
    agent_id: &'i str,
    definitions: Vec<Counted<'a>>,
    /// Where each state is counted: asked once, however many intervals there are of it.
    known: HashMap<State, Vec<Where>>,
}

/// In which parts of a definition a state's time is.
#[derive(Debug, Clone, Copy)]
struct Where {
    definition: i32,
    numerator: bool,
    denominator: bool,
}

/// Sum and weight by definition.
type Measures = BTreeMap<i32, (i64, i64)>;

impl Counter<'_, '_> {
    /// The numbers of the definitions that count.
    pub(super) fn definitions(&self) -> BTreeSet<i32> {
        self.definitions.iter().map(|it| it.definition).collect()
    }

    /// What these intervals add. The items of a quarter hour are told apart by their teams.
    pub(super) fn count(&mut self, intervals: &[Interval]) -> Sums {
        let mut sums: BTreeMap<Cell, BTreeMap<Option<String>, Measures>> = BTreeMap::new();
        for interval in intervals {
            let places = self.places(&interval.state);
            if places.is_empty() {
                continue;
            }
            for (cell, from, to) in window::split(interval.from, interval.to) {
                // The borders are rounded, not the length: so parts add up to the whole.
                let millis = to.millis() - from.millis();
                if millis == 0 {
                    continue;
                }
                let team = interval.state.team.as_ref().map(ToString::to_string);
                let measures = sums.entry(cell).or_default().entry(team).or_default();
                for place in places {
                    let (sum, weight) = measures.entry(place.definition).or_default();
                    *sum += if place.numerator { millis } else { 0 };
                    *weight += if place.denominator { millis } else { 0 };
                }
            }
        }
        Sums(sums)
    }

    fn places(&mut self, state: &State) -> &[Where] {
        if !self.known.contains_key(state) {
            let counts = self.definitions.iter().map(|counted| {
                let (numerator, denominator) = counted.rule.counts(self.agent_id, state);
                Where {
                    definition: counted.definition,
                    numerator,
                    denominator,
                }
            });
            let places = counts
                .filter(|place| place.numerator || place.denominator)
                .collect();
            self.known.insert(state.clone(), places);
        }
        self.known.get(state).map_or(&[], Vec::as_slice)
    }
}

/// By quarter hour and team what an agent's time adds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Sums(BTreeMap<Cell, BTreeMap<Option<String>, Measures>>);

impl Sums {
    /// Adds what is stored by definitions that were not evaluated: it stays.
    pub(super) fn keep(&mut self, stored: &[Item], evaluated: &BTreeSet<i32>) {
        for item in stored {
            for (definition, sum, weight) in &item.measures {
                if evaluated.contains(definition) {
                    continue;
                }
                let teams = self.0.entry(Cell::of(item.cell)).or_default();
                let measures = teams.entry(item.team.clone()).or_default();
                measures.insert(*definition, (*sum, *weight));
            }
        }
    }

    /// As items, ascending.
    pub(super) fn into_items(self, agent_id: &str) -> Vec<Item> {
        let mut items = Vec::with_capacity(self.0.len());
        for (cell, teams) in self.0 {
            for (ordinal, (team, measures)) in (0..).zip(teams) {
                let measures = measures
                    .into_iter()
                    .map(|(definition, (sum, weight))| (definition, sum, weight));
                items.push(Item {
                    subject: agent_id.to_owned(),
                    cell: cell.start(),
                    ordinal,
                    agent_id: Some(agent_id.to_owned()),
                    queue_id: None,
                    media: None,
                    direction: None,
                    team,
                    attributes: None,
                    measures: measures.collect(),
                });
            }
        }
        items
    }
}
