//! Definitions at work: a timeline in, the rows of all definitions out.
//!
//! What holds for every row: nothing before a terminal state, unless the interaction was given up as incomplete; one row a definition
//! (and agent's leg), with a value or with the reason why there is none; a value that cannot be given is *absent*, never zero, unless the
//! definition asks for the zero. Same facts, definitions and library give the same bytes.

use crate::definition::{Definition, Grain};
use crate::journey::Journey;
use crate::library::{Library, shipped_definitions};
use crate::measure::{Nobody, Watcher, measure, steps_for_each_of};
use crate::record::{Record, Subject};
use crate::scene::Scene;
use crate::value::{Metadata, MetricValue, Provenance, Reason, Scope};
use expression::Run;
use schema::{AgentId, LegId, LegKind, QueueId, UtcMicros};
use session::Status;
use std::sync::Arc;

/// Definitions, in the order in which they are evaluated, and what they refer to. Immutable.
#[derive(Debug)]
pub struct Catalogue {
    definitions: Vec<Arc<Definition>>,
    library: Library,
}

impl Catalogue {
    /// A catalogue of these definitions, which were read with this library.
    pub const fn new(definitions: Vec<Arc<Definition>>, library: Library) -> Self {
        Self {
            definitions,
            library,
        }
    }

    /// What ships with this release.
    pub fn shipped() -> Self {
        let library = Library::shipped();
        // That every one can be read is what a test looks at.
        let definitions = shipped_definitions()
            .iter()
            .filter_map(|shipped| Definition::read(shipped.file, shipped.text, &library).ok())
            .map(Arc::new)
            .collect();
        Self::new(definitions, library)
    }

    /// The definitions, in the order in which they are evaluated.
    pub fn definitions(&self) -> &[Arc<Definition>] {
        &self.definitions
    }

    /// What they refer to.
    pub const fn library(&self) -> &Library {
        &self.library
    }

    /// Appends the rows of all definitions; none before a terminal state. Definitions of journeys and of agents' time
    /// give none here.
    pub fn evaluate(&self, subject: &Subject<'_>, out: &mut Vec<MetricValue>) {
        self.evaluate_those(self.definitions.iter(), subject, out);
    }

    /// Like [`Catalogue::evaluate`], for some definitions by their places in [`Catalogue::definitions`]; places that nothing is at are
    /// passed over.
    pub fn evaluate_some(
        &self,
        which: &[usize],
        subject: &Subject<'_>,
        out: &mut Vec<MetricValue>,
    ) {
        let definitions = which
            .iter()
            .filter_map(|place| self.definitions.get(*place));
        self.evaluate_those(definitions, subject, out);
    }

    fn evaluate_those<'d>(
        &self,
        definitions: impl Iterator<Item = &'d Arc<Definition>>,
        subject: &Subject<'_>,
        out: &mut Vec<MetricValue>,
    ) {
        let Some(evaluation) = Evaluation::of(subject, &self.library) else {
            return;
        };
        let mut run = Run::default();
        for definition in definitions {
            evaluation.rows(definition, &mut run, &mut Nobody, out);
        }
    }

    /// The contacts of one customer in one organisation, ready to be evaluated by the definitions of journeys. In any order, each once.
    ///
    /// A row depends on the contacts of its chain and on those within the rule's `within` of it: all of these must be there, and
    /// others change nothing. What is not known yet is what `as_of` says.
    pub fn journey<'a>(&self, contacts: &[Subject<'a>]) -> Journey<'a, '_> {
        Journey::new(&self.definitions, &self.library, contacts)
    }
}

/// What a row is about.
pub(crate) struct About {
    scope: Scope,
    timestamp: UtcMicros,
    agent: Option<AgentId>,
    queue: Option<QueueId>,
}

impl About {
    /// About an interaction as a whole.
    pub(crate) fn record(record: &Record<'_>, scope: Scope) -> Self {
        Self {
            scope,
            timestamp: record.start,
            agent: record.agent().map(|agent| agent.id.clone()),
            queue: record.queue().cloned(),
        }
    }

    /// A row that says what it is about, and nothing else yet.
    #[inline]
    pub(crate) fn row(self, definition: &Definition) -> MetricValue {
        MetricValue {
            metric: definition.name.clone(),
            version: definition.version,
            scope: self.scope,
            value: None,
            timestamp: self.timestamp,
            counted_at: None,
            agent: self.agent,
            queue: self.queue,
            metadata: Metadata {
                unit: definition.unit,
                ..Metadata::default()
            },
            provenance: Provenance {
                definition: definition.digest_prefix(),
                tzdb: None,
                schedules: definition.schedule_names.clone(),
                places: None,
            },
        }
    }
}

/// What local time was resolved with.
pub(crate) fn note_zone_data(row: &mut MetricValue, library: &Library) {
    let version = library.places().version();
    row.provenance.tzdb = Some(timezone::TZDB_VERSION);
    row.provenance.places = (version > 0).then_some(version);
}

/// How far an interaction has come, as its rows have it.
pub(crate) struct Stage {
    pub(crate) outcome: Option<&'static str>,
    /// Why no definition has a value, whatever it says.
    pub(crate) withheld: Option<Reason>,
}

impl Stage {
    /// `None` where there is nothing to say yet.
    pub(crate) fn of(record: &Record<'_>) -> Option<Self> {
        let subject = record.subject();
        let withheld = match record.status() {
            Status::Overfull => Some(Reason::OVERFULL_SESSION),
            Status::Open if subject.timeline.is_reopened() => Some(Reason::REOPENED),
            Status::Open if subject.swept => Some(Reason::INCOMPLETE),
            Status::Open => return None,
            Status::Completed | Status::Abandoned | Status::Missed => None,
        };
        let outcome = match record.status() {
            Status::Open | Status::Overfull => None,
            ended => Some(ended.name()),
        };
        Some(Self { outcome, withheld })
    }
}

/// One interaction under evaluation.
pub(crate) struct Evaluation<'a, 'l> {
    record: Record<'a>,
    library: &'l Library,
    stage: Stage,
    withdrawn: Vec<LegId>,
}

impl<'a, 'l> Evaluation<'a, 'l> {
    /// `None` where there is nothing to say yet.
    pub(crate) fn of(subject: &Subject<'a>, library: &'l Library) -> Option<Self> {
        let record = Record::of(*subject)?;
        Some(Self {
            stage: Stage::of(&record)?,
            record,
            library,
            withdrawn: subject.timeline.withdrawn_legs(),
        })
    }

    /// The scene in which a definition is evaluated.
    pub(crate) fn scene<'s>(
        &'s self,
        definition: &'s Definition,
        leg: Option<usize>,
    ) -> Scene<'s, 'a> {
        Scene::new(&self.record, leg, definition, self.library.places())
    }

    /// The place among the legs of the one that a row is about.
    pub(crate) fn place_of(&self, scope: &Scope) -> Option<usize> {
        let mut legs = self.record.legs().iter();
        legs.position(|leg| leg.id == scope.as_str() && *scope != Scope::Interaction)
    }

    /// Appends the rows of one definition.
    pub(crate) fn rows(
        &self,
        definition: &Definition,
        run: &mut Run,
        watcher: &mut impl Watcher,
        out: &mut Vec<MetricValue>,
    ) {
        let record = &self.record;
        match definition.scope {
            Grain::Interaction => {
                let about = About::record(record, Scope::Interaction);
                run.restart(steps_for_each_of(1));
                self.row(definition, None, about, run, watcher, out);
            }
            Grain::Leg => {
                let legs = record.legs().iter().enumerate();
                let legs = legs.filter(|(_, leg)| leg.kind == LegKind::Agent);
                let steps = steps_for_each_of(legs.clone().count());
                for (place, leg) in legs {
                    let about = About {
                        scope: Scope::Leg(LegId::new(&leg.id)),
                        timestamp: leg.started_at,
                        agent: leg.agent.map(|agent| agent.id.clone()),
                        queue: record.queue_of_leg(place).cloned(),
                    };
                    run.restart(steps);
                    self.row(definition, Some(place), about, run, watcher, out);
                }
                for leg in &self.withdrawn {
                    let about = About {
                        scope: Scope::Leg(leg.clone()),
                        timestamp: record.start,
                        agent: None,
                        queue: None,
                    };
                    let mut row = about.row(definition);
                    row.metadata.reason = Some(Reason::WITHDRAWN);
                    row.metadata.outcome = self.stage.outcome;
                    watcher.done();
                    out.push(row);
                }
            }
            Grain::Journey | Grain::AgentTime => {}
        }
    }

    fn row(
        &self,
        definition: &Definition,
        leg: Option<usize>,
        about: About,
        run: &mut Run,
        watcher: &mut impl Watcher,
        out: &mut Vec<MetricValue>,
    ) {
        // In its place at once: a row is large, and there are many.
        out.push(about.row(definition));
        let Some(row) = out.last_mut() else { return };
        if let Some(reason) = &self.stage.withheld {
            row.metadata.reason = Some(reason.clone());
        } else if measure(definition, &self.scene(definition, leg), run, watcher, row) {
            note_zone_data(row, self.library);
        }
        row.note_window(definition, |counted| self.record.counted_at(counted, leg));
        row.metadata.outcome = self.stage.outcome;
        watcher.done();
    }
}
