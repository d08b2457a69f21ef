//! Interactions and definitions together: every stored interaction, or those of event files, under one definition or two.
//!
//! Stored ones are read page by page in the order of their keys; while the next page is fetched, all cores decode and evaluate the ones
//! before. What is kept is counts, one number a value, and the few interactions whose change is to be explained.

use super::compare::{Change, Comparison, Passed};
use super::progress;
use super::reasoning::{Parting, Rule, parting};
use super::report::Explained;
use super::rows;
use super::tally::Outcome;
use crate::replay_file::{describe, input, refuse_unreadable};
use anyhow::{Context as _, bail};
use compact_str::CompactString;
use indicatif::ProgressBar;
use kpi::{Catalogue, Definition, Grain, Library, MetricValue, Subject};
use schema::{BodyFormat, UtcMicros};
use session::Session;
use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use store::Store;
use store::interactions::{self, Filter, Stored};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Interactions read at a time: about a megabyte.
const PAGE: u32 = 1000;
/// Pages that wait to be evaluated.
const PAGES_AHEAD: usize = 4;
/// Journeys need all of their interactions at once.
const JOURNEY_INTERACTIONS_MAX: u64 = 500_000;

/// The places of the definitions in their catalogue.
const NEW: usize = 0;
const OLD: usize = 1;

/// The definition tried out, and the one beside it.
#[derive(Debug)]
pub(super) struct Pair {
    catalogue: Catalogue,
    /// Until when contacts are known: verdicts on journeys that later ones could change are not final.
    as_of: UtcMicros,
}

/// An interaction, kept to be explained or put together with others.
#[derive(Debug, Clone)]
pub(super) struct Carried {
    session: Session,
    swept: bool,
}

/// The interactions of one customer in one organisation.
type Journeys = BTreeMap<(String, String), Vec<(String, Carried)>>;

/// What one worker has found.
#[derive(Debug)]
struct Part {
    comparison: Comparison<Carried>,
    journeys: Journeys,
    /// The rows themselves as text, by interaction, where somebody wants them.
    lines: Option<Vec<(String, Vec<u8>)>>,
}

impl Pair {
    pub(super) fn new(
        new: Arc<Definition>,
        old: Option<Arc<Definition>>,
        library: Library,
        as_of: UtcMicros,
    ) -> Self {
        let definitions = [new].into_iter().chain(old).collect();
        Self {
            catalogue: Catalogue::new(definitions, library),
            as_of,
        }
    }

    fn compares(&self) -> bool {
        self.catalogue.definitions().len() > OLD
    }

    fn is_about_journeys(&self) -> bool {
        self.catalogue
            .definitions()
            .iter()
            .any(|definition| definition.scope() == Grain::Journey)
    }

    /// Evaluates one interaction; one that belongs to a journey waits for the others.
    fn see(
        &self,
        tenant: &str,
        interaction: &str,
        session: Session,
        swept: bool,
        rows: &mut [Vec<MetricValue>; 2],
        part: &mut Part,
    ) {
        if self.is_about_journeys() {
            let customer = session
                .timeline()
                .customer_key()
                .map(|key| key.as_str().to_owned());
            match customer {
                Some(customer) => {
                    part.comparison.interactions += 1;
                    part.journeys
                        .entry((tenant.to_owned(), customer))
                        .or_default()
                        .push((interaction.to_owned(), Carried { session, swept }));
                }
                None => part.comparison.pass(Passed::NoCustomer),
            }
            return;
        }
        let timeline = session.timeline();
        let subject = Subject {
            tenant,
            interaction,
            timeline: &timeline,
            swept,
        };
        for (place, rows) in [NEW, OLD].into_iter().zip(rows.iter_mut()) {
            rows.clear();
            self.catalogue.evaluate_some(&[place], &subject, rows);
        }
        let [new, old] = rows;
        part.line(tenant, interaction, new);
        if new.is_empty() && old.is_empty() {
            part.comparison.pass(match timeline.status() {
                session::Status::Open => Passed::NotEnded,
                _ => Passed::NoLeg,
            });
            return;
        }
        part.comparison.add(
            tenant,
            interaction,
            &outcomes(old),
            &outcomes(new),
            self.compares(),
            || Carried {
                session: session.clone(),
                swept,
            },
        );
    }

    /// Evaluates the contacts of all journeys, now that all of them are there.
    fn journeys(&self, journeys: Journeys, part: &mut Part) {
        let mut rows = [Vec::new(), Vec::new()];
        for ((tenant, _), contacts) in journeys {
            let timelines: Vec<_> = contacts
                .iter()
                .map(|(interaction, carried)| {
                    (interaction, carried.session.timeline(), carried.swept)
                })
                .collect();
            let subjects: Vec<Subject<'_>> = timelines
                .iter()
                .map(|(interaction, timeline, swept)| Subject {
                    tenant: &tenant,
                    interaction,
                    timeline,
                    swept: *swept,
                })
                .collect();
            let journey = self.catalogue.journey(&subjects);
            for (index, subject) in subjects.iter().enumerate() {
                for (place, rows) in [NEW, OLD].into_iter().zip(rows.iter_mut()) {
                    rows.clear();
                    journey.evaluate(&[place], index, self.as_of, rows);
                }
                let [new, old] = &rows;
                part.line(&tenant, subject.interaction, new);
                let comparison = &mut part.comparison;
                // They were counted when they came.
                let counted = comparison.interactions;
                if new.is_empty() && old.is_empty() {
                    comparison.pass(Passed::NotEnded);
                } else {
                    comparison.add(
                        &tenant,
                        subject.interaction,
                        &outcomes(old),
                        &outcomes(new),
                        self.compares(),
                        // What explains it is the others, which are not carried.
                        || Carried {
                            session: Session::default(),
                            swept: false,
                        },
                    );
                }
                comparison.interactions = counted;
            }
        }
    }

    /// A change, with the rule at which the two evaluations part.
    pub(super) fn explained(&self, change: Change<Carried>) -> Explained {
        let Change {
            key,
            kind,
            old,
            new,
            carried,
        } = change;
        let timeline = carried.session.timeline();
        let subject = Subject {
            tenant: &key.tenant,
            interaction: &key.interaction,
            timeline: &timeline,
            swept: carried.swept,
        };
        let rules = |place: usize| -> Vec<Rule> {
            self.catalogue
                .explain(place, &subject)
                .into_iter()
                .find(|explanation| explanation.scope.as_str() == key.leg)
                .map(rules)
                .unwrap_or_default()
        };
        let (before, after) = (rules(OLD), rules(NEW));
        // Where all rules agree, the two may still make different things of an exclusion.
        let parting = parting(&before, &after).or_else(|| {
            Some(Parting {
                old: Some(self.consequence(OLD, before.last()?)?),
                new: Some(self.consequence(NEW, after.last()?)?),
            })
        });
        Change {
            key,
            kind,
            old,
            new,
            carried: parting,
        }
    }

    /// What the definition makes of an exclusion that holds.
    fn consequence(&self, place: usize, last: &Rule) -> Option<Rule> {
        let decided_otherwise = ["filter", "value"].contains(&last.name.as_str());
        let consequence = self
            .catalogue
            .definitions()
            .get(place)?
            .on_excluded()
            .name();
        (!decided_otherwise).then(|| Rule {
            name: "on_excluded".to_owned(),
            text: consequence.to_owned(),
            result: consequence.to_owned(),
            inputs: Vec::new(),
        })
    }
}

/// The rules of an evaluation up to the one that decided.
fn rules(explanation: kpi::Explanation) -> Vec<Rule> {
    explanation
        .steps
        .into_iter()
        // It is evaluated last and decides nothing.
        .filter(|step| step.rule != "platform")
        .map(|step| Rule {
            name: step.rule,
            text: step.text,
            result: step.result,
            inputs: step.inputs,
        })
        .collect()
}

fn outcomes(rows: &[MetricValue]) -> Vec<(&str, Outcome)> {
    rows.iter()
        .map(|row| (row.scope.as_str(), outcome(row)))
        .collect()
}

fn outcome(row: &MetricValue) -> Outcome {
    Outcome {
        value: row.value,
        reason: row
            .metadata
            .reason
            .as_ref()
            .map(|reason| CompactString::new(reason.name())),
        not_stated: row.metadata.not_stated.join(", ").into(),
    }
}

impl Part {
    /// `lines`: whether the rows themselves are wanted.
    fn new(most: usize, lines: bool) -> Self {
        Self {
            comparison: Comparison::new(most),
            journeys: Journeys::new(),
            lines: lines.then(Vec::new),
        }
    }

    fn line(&mut self, tenant: &str, interaction: &str, rows: &[MetricValue]) {
        if let Some(lines) = &mut self.lines
            && !rows.is_empty()
        {
            lines.push((
                interaction.to_owned(),
                rows::lines(tenant, interaction, rows),
            ));
        }
    }

    /// The lines since the last call, in the order in which they came.
    fn take_lines(&mut self) -> Vec<u8> {
        let lines = self.lines.as_mut().map(std::mem::take);
        lines
            .into_iter()
            .flatten()
            .flat_map(|(_, line)| line)
            .collect()
    }

    fn join(&mut self, other: Self) {
        self.comparison.join(other.comparison);
        for (customer, contacts) in other.journeys {
            self.journeys.entry(customer).or_default().extend(contacts);
        }
        if let (Some(lines), Some(more)) = (&mut self.lines, other.lines) {
            lines.extend(more);
        }
    }

    /// Evaluates the journeys, and writes the lines that nobody has taken yet, by interaction.
    fn finished(
        mut self,
        pair: &Pair,
        out: Option<&mut dyn Write>,
    ) -> anyhow::Result<Comparison<Carried>> {
        let journeys = std::mem::take(&mut self.journeys);
        pair.journeys(journeys, &mut self);
        if let Some(out) = out {
            if let Some(lines) = &mut self.lines {
                lines.sort_by(|left, right| left.0.cmp(&right.0));
            }
            out.write_all(&self.take_lines())
                .context("the output cannot be written")?;
        }
        Ok(self.comparison)
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// A page and its number.
type Page = (u64, Vec<Stored>);

/// Evaluates what is stored. `out`: where the rows themselves go, as lines in the order of their interactions; only of one definition.
pub(super) async fn stored(
    pair: &Arc<Pair>,
    store: &Store,
    filter: &Filter<'_>,
    limit: Option<u64>,
    most: usize,
    mut out: Option<&mut dyn Write>,
) -> anyhow::Result<Comparison<Carried>> {
    let bar = progress::bar(limit);
    let (sender, receiver) = mpsc::channel::<Page>(PAGES_AHEAD);
    let receiver = Arc::new(Mutex::new(receiver));
    let (line_sender, line_receiver) = mpsc::channel(PAGES_AHEAD);
    let line_sender = out.is_some().then_some(line_sender);
    let mut workers = JoinSet::new();
    for _ in 0..cores() {
        let (pair, receiver, bar) = (pair.clone(), receiver.clone(), bar.clone());
        let lines = line_sender.clone();
        workers.spawn_blocking(move || work(&pair, &receiver, lines.as_ref(), most, &bar));
    }
    // The workers hold both: when they are gone, nobody waits for a free place in the channels.
    drop(receiver);
    drop(line_sender);
    let written = async {
        match &mut out {
            Some(out) => rows::write_in_order(line_receiver, &mut **out).await,
            None => Ok(()),
        }
    };
    let fetched = fetch(store, filter, limit, pair.is_about_journeys(), sender);
    let (fetched, written) = tokio::join!(fetched, written);
    written?;
    fetched?;
    let mut whole = Part::new(most, out.is_some());
    while let Some(part) = workers.join_next().await {
        whole.join(part.context("an evaluating thread failed")?);
    }
    bar.finish_and_clear();
    whole.finished(pair, out)
}

/// Sends page after page; ends at the last one, at the limit, or when nobody takes them any more.
async fn fetch(
    store: &Store,
    filter: &Filter<'_>,
    limit: Option<u64>,
    journeys: bool,
    sender: mpsc::Sender<Page>,
) -> anyhow::Result<()> {
    let client = store.client().await?;
    let mut left = limit.unwrap_or(u64::MAX);
    let mut after: Option<(String, String)> = None;
    let (mut sent, mut number) = (0_u64, 0_u64);
    while left > 0 {
        let wanted = u32::try_from(left).map_or(PAGE, |left| left.min(PAGE));
        let behind = after
            .as_ref()
            .map(|(tenant, id)| (tenant.as_str(), id.as_str()));
        let page = interactions::page(&client, filter, behind, wanted).await?;
        let found = page.len() as u64;
        let Some(last) = page.last() else { break };
        after = Some((last.tenant.clone(), last.interaction_id.clone()));
        left -= found.min(left);
        sent += found;
        if journeys && sent > JOURNEY_INTERACTIONS_MAX {
            bail!(
                "a definition of journeys needs all interactions at once, and there are more than {JOURNEY_INTERACTIONS_MAX}: \
                 narrow them down with --tenant, --from and --to"
            );
        }
        if sender.send((number, page)).await.is_err() || found < u64::from(wanted) {
            break;
        }
        number += 1;
    }
    Ok(())
}

fn work(
    pair: &Pair,
    pages: &Mutex<mpsc::Receiver<Page>>,
    lines: Option<&mpsc::Sender<rows::Lines>>,
    most: usize,
    bar: &ProgressBar,
) -> Part {
    let mut part = Part::new(most, lines.is_some());
    let mut rows = [Vec::new(), Vec::new()];
    loop {
        // One waits for the next page, the others for the one that waits.
        let page = pages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        let Some((number, page)) = page else {
            return part;
        };
        let count = page.len() as u64;
        for stored in page {
            match Session::from_json(&stored.state_json) {
                Ok(session) => pair.see(
                    &stored.tenant,
                    &stored.interaction_id,
                    session,
                    stored.swept,
                    &mut rows,
                    &mut part,
                ),
                Err(_) => part.comparison.pass(Passed::Unreadable),
            }
        }
        bar.inc(count);
        if let Some(lines) = lines
            && lines.blocking_send((number, part.take_lines())).is_err()
        {
            // Nobody writes them any more.
            return part;
        }
    }
}

/// Evaluates the events of files.
pub(super) fn files(
    pair: &Pair,
    files: &[PathBuf],
    tenant: &str,
    most: usize,
    out: Option<&mut dyn Write>,
    remarks: &mut impl Write,
) -> anyhow::Result<Comparison<Carried>> {
    let lines = out.is_some();
    let folded = input::fold(files, &BodyFormat::GenesysWebhook, cores())?;
    describe(&folded.bad, folded.counts.bad, remarks)?;
    refuse_unreadable(&folded.counts)?;
    let parts: Vec<Part> = std::thread::scope(|scope| {
        let working: Vec<_> = folded
            .shards
            .into_iter()
            .map(|sessions| {
                scope.spawn(move || {
                    let mut part = Part::new(most, lines);
                    let mut rows = [Vec::new(), Vec::new()];
                    for (interaction, session) in sessions {
                        pair.see(
                            tenant,
                            interaction.as_str(),
                            session,
                            false,
                            &mut rows,
                            &mut part,
                        );
                    }
                    part
                })
            })
            .collect();
        working
            .into_iter()
            .map(|part| {
                part.join()
                    .map_err(|_| anyhow::anyhow!("an evaluating thread failed"))
            })
            .collect::<anyhow::Result<_>>()
    })?;
    let mut whole = Part::new(most, lines);
    for part in parts {
        whole.join(part);
    }
    whole.finished(pair, out)
}
