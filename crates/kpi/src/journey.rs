//! How each contact of a customer stands among the others: which of them follow one another so closely that they are one matter.
//!
//! A contact *counts* where the definition's `repeat` says so. It belongs to the chain of the counting contacts before it if it begins at
//! most `within` after the last end among them, or while one still lasts; else it begins a chain. What does not count belongs to a chain
//! and carries it no further. So a chain ends where there is no counting contact for longer than `within`, and nothing beyond matters.

use crate::catalogue::{About, Stage, note_zone_data};
use crate::definition::Definition;
use crate::library::Library;
use crate::measure::{Nobody, Watcher, measure, steps_for_each_of};
use crate::record::{Record, Subject};
use crate::scene::Scene;
use crate::value::{MetricValue, Reason, Scope};
use expression::{Expression, Run, Value};
use schema::{Millis, UtcMicros};
use std::cell::OnceCell;
use std::sync::Arc;
use timezone::Places;

/// What a definition of journeys says besides its rules.
#[derive(Debug)]
pub struct JourneyRule {
    pub(crate) within: Millis,
    /// Which contacts count.
    pub(crate) repeat: Expression,
    pub(crate) ahead: Ahead,
}

/// Whether rules look at contacts still to come, so that a verdict has to wait for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ahead {
    No,
    /// A repeat decides at once: it is one for good.
    UntilARepeat,
    /// Nothing does. A count that were shown once there is a repeat would leave out those who never came back.
    ToTheEnd,
}

impl JourneyRule {
    /// How long after the end of a contact another one counts as a repeat of it.
    pub const fn within(&self) -> Millis {
        self.within
    }
}

/// The contacts of one customer in one organisation, made ready to be evaluated one after another.
///
/// What is common to all of them is worked out once: evaluating each takes no longer for there being many.
#[derive(Debug)]
pub struct Journey<'a, 'l> {
    definitions: &'l [Arc<Definition>],
    library: &'l Library,
    /// By start, then id.
    records: Vec<Record<'a>>,
    /// By the place at which a contact was given: its place among the records. `None`: nothing is known of it.
    places: Vec<Option<usize>>,
    /// By the place of the definition.
    chains: Vec<OnceCell<Chains>>,
}

impl<'a, 'l> Journey<'a, 'l> {
    pub(crate) fn new(
        definitions: &'l [Arc<Definition>],
        library: &'l Library,
        contacts: &[Subject<'a>],
    ) -> Self {
        let known = contacts.iter().enumerate();
        let known = known.filter_map(|(given, contact)| Some((given, Record::of(*contact)?)));
        let mut known: Vec<(usize, Record<'a>)> = known.collect();
        known.sort_by(|(_, one), (_, other)| {
            let id = |record: &Record<'a>| record.subject().interaction;
            (one.start, id(one)).cmp(&(other.start, id(other)))
        });
        let mut places = vec![None; contacts.len()];
        for (place, (given, _)) in known.iter().enumerate() {
            if let Some(of_given) = places.get_mut(*given) {
                *of_given = Some(place);
            }
        }
        Self {
            definitions,
            library,
            records: known.into_iter().map(|(_, record)| record).collect(),
            places,
            chains: definitions.iter().map(|_| OnceCell::new()).collect(),
        }
    }

    /// Appends the rows of those definitions at these places of the catalogue that are about journeys, for the contact that was given at
    /// `index`: one a definition, none before a terminal state. `as_of`: until when contacts are known. A verdict that one still to come
    /// could change has no value before that.
    pub fn evaluate(
        &self,
        which: &[usize],
        index: usize,
        as_of: UtcMicros,
        out: &mut Vec<MetricValue>,
    ) {
        let mut run = Run::default();
        for place in which {
            out.extend(self.row(*place, index, as_of, &mut run, &mut Nobody));
        }
    }

    /// Like [`Journey::evaluate`], with this reason in place of every value.
    pub fn withhold(
        &self,
        which: &[usize],
        index: usize,
        reason: &Reason,
        out: &mut Vec<MetricValue>,
    ) {
        let Some(record) = self.place_of(index).map(|place| &self.records[place]) else {
            return;
        };
        let Some(stage) = Stage::of(record) else {
            return;
        };
        for place in which {
            if let Some((definition, _, _)) = self.definition(*place) {
                let mut row = About::record(record, Scope::Journey).row(definition);
                let reason = stage.withheld.as_ref().unwrap_or(reason);
                row.metadata.reason = Some(reason.clone());
                row.metadata.outcome = stage.outcome;
                out.push(row);
            }
        }
    }

    /// The instant at which the verdict on a contact is final at the latest, by these definitions. `None` where nothing has to be waited for.
    pub fn final_at(&self, which: &[usize], index: usize) -> Option<UtcMicros> {
        let record = &self.records[self.place_of(index)?];
        Stage::of(record).filter(|stage| stage.withheld.is_none())?;
        let rules = which.iter().filter_map(|place| self.definition(*place));
        let waiting = rules.filter(|(_, rule, _)| rule.ahead != Ahead::No);
        let within = waiting.map(|(_, rule, _)| rule.within).max()?;
        Some(end_of(record).plus(within))
    }

    /// The place among the records of the contact that was given there.
    fn place_of(&self, index: usize) -> Option<usize> {
        *self.places.get(index)?
    }

    fn definition(
        &self,
        place: usize,
    ) -> Option<(&'l Definition, &'l JourneyRule, &OnceCell<Chains>)> {
        let definition = self.definitions.get(place)?;
        Some((
            definition,
            definition.journey.as_ref()?,
            self.chains.get(place)?,
        ))
    }

    /// The scene in which a definition of journeys is evaluated for the contact that was given there.
    pub(crate) fn scene(&self, place: usize, index: usize) -> Option<Scene<'_, 'a>> {
        let own = self.place_of(index)?;
        let (definition, rule, chains) = self.definition(place)?;
        let places = self.library.places();
        let chains = chains.get_or_init(|| Chains::of(&self.records, definition, rule, places));
        let among = chains.of_contact(own)?;
        Scene::among(&self.records, own, among, definition, places)
    }

    /// The row of one definition; `None` where it is not about journeys, and before a terminal state.
    pub(crate) fn row(
        &self,
        place: usize,
        index: usize,
        as_of: UtcMicros,
        run: &mut Run,
        watcher: &mut impl Watcher,
    ) -> Option<MetricValue> {
        let record = &self.records[self.place_of(index)?];
        let (definition, rule, _) = self.definition(place)?;
        let stage = Stage::of(record)?;
        let mut row = About::record(record, Scope::Journey).row(definition);
        row.metadata.outcome = stage.outcome;
        if stage.withheld.is_some() {
            row.metadata.reason = stage.withheld;
        } else {
            let scene = self.scene(place, index)?;
            run.restart(steps_for_each_of(1));
            if measure(definition, &scene, run, watcher, &mut row) {
                note_zone_data(&mut row, self.library);
            }
            let waits = match rule.ahead {
                Ahead::No => false,
                Ahead::UntilARepeat => !scene.is_repeated(),
                Ahead::ToTheEnd => true,
            };
            let is_early = waits && as_of < end_of(record).plus(rule.within);
            // What a rule leaves out is left out for good.
            if is_early && row.metadata.reason.is_none() {
                row.value = None;
                row.metadata.reason = Some(Reason::NOT_FINAL);
            }
            row.note_window(definition, |counted| record.counted_at(counted, None));
        }
        watcher.done();
        Some(row)
    }
}

/// How one contact stands among the others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Among {
    /// How many contacts of its chain count, itself included.
    pub(crate) contacts: usize,
    /// Which of these it is, from 1.
    pub(crate) position: usize,
    pub(crate) since_previous: Option<Millis>,
    pub(crate) until_next: Option<Millis>,
}

/// The chains of one customer's contacts, by the rules of one definition.
#[derive(Debug, Default)]
struct Chains {
    chains: Vec<Chain>,
    /// By the place of the contact: the place of its chain, and how it stands.
    contacts: Vec<(usize, Among)>,
}

#[derive(Debug, Default)]
struct Chain {
    /// The places of its contacts, ascending.
    places: Vec<usize>,
    /// How many of them count.
    counting: usize,
}

impl Chains {
    fn of(
        records: &[Record<'_>],
        definition: &Definition,
        rule: &JourneyRule,
        places: &Places,
    ) -> Self {
        let mut run = Run::default();
        let mut found = Self::default();
        // The starts of those that count, ascending.
        let mut starts = Vec::new();
        // Of those that count so far: the chain of the last one, and the last end.
        let mut last: Option<(usize, UtcMicros)> = None;
        for (place, record) in records.iter().enumerate() {
            run.restart(steps_for_each_of(1));
            let scene = Scene::new(record, None, definition, places);
            let counts = rule.repeat.evaluate(&scene, &mut run) == Ok(Value::Bool(true));
            let follows = last.filter(|(_, end)| record.start <= end.plus(rule.within));
            let number = follows.map_or(found.chains.len(), |(chain, _)| chain);
            if number == found.chains.len() {
                found.chains.push(Chain::default());
            }
            let chain = &mut found.chains[number];
            let among = Among {
                // Those of the chain are added when all of them are known.
                contacts: usize::from(!counts),
                position: chain.counting + 1,
                since_previous: follows.map(|(_, end)| record.start.since(end).max(Millis::ZERO)),
                until_next: None,
            };
            found.contacts.push((number, among));
            chain.places.push(place);
            if counts {
                chain.counting += 1;
                starts.push(record.start);
                let end = end_of(record);
                last = Some((number, follows.map_or(end, |(_, before)| before.max(end))));
            }
        }
        for (record, (chain, among)) in records.iter().zip(&mut found.contacts) {
            among.contacts += found.chains[*chain].counting;
            let end = end_of(record);
            let next = starts.get(starts.partition_point(|start| *start <= end));
            let next = next.filter(|next| **next <= end.plus(rule.within));
            among.until_next = next.map(|next| next.since(end));
        }
        found
    }

    /// How the contact at a place stands, and the places of its chain.
    fn of_contact(&self, place: usize) -> Option<(&Among, &[usize])> {
        let (chain, among) = self.contacts.get(place)?;
        Some((among, &self.chains.get(*chain)?.places))
    }
}

/// When a contact ended, for those around it: when the customer was gone, and of one whose end nobody stated, the last that was heard of it.
/// Never before it began.
fn end_of(record: &Record<'_>) -> UtcMicros {
    let end = record.contact_ended_at().or_else(|| record.last_heard());
    end.map_or(record.start, |end| end.max(record.start))
}
