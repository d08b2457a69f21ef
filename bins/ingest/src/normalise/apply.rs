//! The one transaction of a batch: claim the messages, append to the log, quarantine, count.
//!
//! A batch that the server refuses is applied again, carefully: each part under a savepoint, halved until the bad item stands alone.
//! It goes to quarantine; claims and counters stay in the same transaction.

use super::message::{Message, Stage};
use super::plan::{Item, Plan, Refused};
use super::recent::Known;
use schema::{DeliveryId, MessageId};
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use store::counts::CountRow;
use store::event_log::{Appended, LogRow};
use store::quarantine::QuarantineRow;
use store::{Class, Store, StoreError, Transaction, counts, event_log, quarantine, raw_messages};

/// What became of a batch.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Applied {
    /// For each item of the plan, whether its facts are to be published.
    pub publish: Vec<bool>,
    /// For each item of the plan that the log was asked about and has now, the delivery that brought it there.
    pub logged: Vec<Option<DeliveryId>>,
    /// The items, by their place in the plan, whose bytes the log has erased on request, or never took for that reason.
    pub erased: Vec<usize>,
    /// Counted for the first time in this batch.
    pub tally: Tally,
    /// Quarantined for the first time in this batch, by stage.
    pub quarantined: Vec<Stage>,
    /// Messages that had been committed before: redelivered after a crash.
    pub repeated: usize,
}

/// How many items met which fate: `received` is the sum of the others.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// All.
    pub received: i64,
    /// New in the log.
    pub logged: i64,
    /// Of these, events that were logged with other content before, as far as this process remembers.
    pub revisions: i64,
    /// In the log already.
    pub duplicates: i64,
    /// In quarantine.
    pub quarantined: i64,
    /// Of a kind nobody asked for.
    pub ignored: i64,
}

/// How the store's refusals are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// All at once; a refusal fails the batch.
    Bold,
    /// In halves under savepoints; a refusal isolates the item.
    Careful,
}

/// The fate of one item.
enum Fate<'a> {
    /// A copy of what this process has logged and published, or found logged: nobody was asked.
    Copy,
    Appended(Appended),
    Refused(Refused<'a>),
}

/// Runs the transaction; `known` says of each item what this process remembers of it. An error leaves nothing behind, or (a failed commit) what a repetition finds and does not do twice.
pub async fn apply(
    store: &Store,
    messages: &[Message],
    plan: &Plan<'_>,
    known: &[Known],
    care: Care,
) -> Result<Applied, StoreError> {
    let mut client = store.client().await?;
    let mut tx = client.transaction().await?;
    let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
    let first = raw_messages::claim(&tx, &ids).await?;
    let asked: Vec<&Item<'_>> = plan
        .items
        .iter()
        .zip(known)
        .filter(|(_, known)| **known != Known::Copy)
        .map(|(item, _)| item)
        .collect();
    let items = asked.iter();
    let subjects: Vec<Cow<'_, str>> = items.map(|item| item.mapped.stated.subject()).collect();
    let rows: Vec<LogRow<'_>> = asked
        .iter()
        .zip(&subjects)
        .filter_map(|(item, subject)| log_row(plan, item, subject))
        .collect();
    let answers = match care {
        Care::Bold => event_log::append(&tx, &rows)
            .await?
            .into_iter()
            .map(Fate::Appended)
            .collect(),
        Care::Careful => append_halving(&mut tx, &rows, &asked).await?,
    };
    let mut answers = answers.into_iter();
    let fates: Vec<Fate<'_>> = known
        .iter()
        .filter_map(|known| match known {
            Known::Copy => Some(Fate::Copy),
            Known::Nothing | Known::OtherContent => answers.next(),
        })
        .collect();
    let (applied, refused, counts) = settle(plan, &first, known, &fates);
    quarantine::insert(&tx, &quarantine_rows(plan, &refused)).await?;
    counts::add(&tx, &counts).await?;
    tx.commit().await?;
    Ok(applied)
}

fn log_row<'p>(plan: &'p Plan<'_>, item: &'p Item<'_>, subject: &'p str) -> Option<LogRow<'p>> {
    let origin = plan.origins.get(item.origin)?;
    Some(LogRow {
        log_key: item.key,
        occurred_at: item.mapped.at,
        tenant: origin.delivery.tenant.as_str(),
        subscription: origin.delivery.subscription.as_str(),
        event_id: item.mapped.event_id.as_str(),
        interaction_id: subject,
        format: &origin.format,
        delivery_id: origin.delivery.id,
        received_at: origin.delivery.received_at,
        digest: item.mapped.digest,
        raw: &item.raw,
        raw_key: plan.raw_key.as_deref(),
    })
}

/// Appends the rows part by part; a part that is refused is halved, a single row that is refused is the bad one.
async fn append_halving<'a>(
    tx: &mut Transaction<'_>,
    rows: &[LogRow<'_>],
    items: &[&Item<'a>],
) -> Result<Vec<Fate<'a>>, StoreError> {
    let mut fates = Vec::with_capacity(rows.len());
    let mut todo: Vec<Range<usize>> = Vec::new();
    todo.push(0..rows.len());
    while let Some(part) = todo.pop() {
        if part.is_empty() {
            continue;
        }
        let attempt = tx.savepoint().await?;
        match event_log::append(&attempt, &rows[part.clone()]).await {
            Ok(appended) => {
                attempt.commit().await?;
                fates.extend(appended.into_iter().map(Fate::Appended));
            }
            Err(error) if error.class() == Class::Rejected => {
                attempt.rollback().await?;
                if part.len() == 1 {
                    let reason = runtime::chain(&error);
                    fates.push(Fate::Refused(Plan::refuse(items[part.start], &reason)));
                } else {
                    let middle = part.start + part.len() / 2;
                    // The left half is popped first: fates stay in the order of the rows.
                    todo.push(middle..part.end);
                    todo.push(part.start..middle);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(fates)
}

/// Decides what is published, quarantined and counted.
fn settle<'p, 'a>(
    plan: &'p Plan<'a>,
    first: &[bool],
    known: &[Known],
    fates: &'p [Fate<'a>],
) -> (Applied, Vec<&'p Refused<'a>>, Vec<CountRow<'p>>) {
    let is_first = |origin: usize| {
        plan.origins
            .get(origin)
            .and_then(|found| first.get(found.message))
            .is_some_and(|first| *first)
    };
    let mut tallies: Vec<Tally> = plan
        .origins
        .iter()
        .map(|origin| Tally {
            received: origin.received,
            ignored: origin.ignored,
            ..Tally::default()
        })
        .collect();
    let mut applied = Applied {
        repeated: first.iter().filter(|first| !**first).count(),
        ..Applied::default()
    };
    let mut refused: Vec<&Refused<'_>> = plan.refused.iter().collect();
    let mut new = HashSet::new();
    let mut told = HashSet::new();
    for ((item, known), fate) in plan.items.iter().zip(known).zip(fates) {
        let tally = &mut tallies[item.origin];
        let key = (item.mapped.at, item.key);
        let job = plan
            .origins
            .get(item.origin)
            .and_then(|origin| origin.delivery.job);
        // Copies are told once: once for each job, because its version is to be evaluated also where no fact is new.
        let mut tell = || told.insert((key, job.map(|job| (job.id.0, job.version))));
        let publish = match fate {
            Fate::Copy => {
                tally.duplicates += 1;
                false
            }
            Fate::Appended(Appended::New | Appended::NewErased) => {
                if matches!(fate, Fate::Appended(Appended::NewErased)) {
                    // Its place among the fates is its place in the plan.
                    applied.erased.push(applied.publish.len());
                }
                tally.logged += 1;
                tally.revisions += i64::from(*known == Known::OtherContent);
                new.insert(key);
                tell()
            }
            Fate::Appended(Appended::Duplicate {
                delivery_id,
                erased,
            }) => {
                if *erased {
                    applied.erased.push(applied.publish.len());
                }
                // Committed by this very delivery, maybe before a crash: nobody knows whether it was published. The row says so, and
                // for as long as it is kept; the claim of the message is forgotten some day.
                let own = plan.delivery_of(item) == Some(*delivery_id);
                if own && job.is_none() && !new.contains(&key) {
                    // Counted then. (A job that brings its delivery again has found copies.)
                    tally.received -= 1;
                } else {
                    tally.duplicates += 1;
                }
                (own || job.is_some()) && tell()
            }
            Fate::Refused(bad) => {
                refused.push(bad);
                false
            }
        };
        applied.publish.push(publish);
        applied.logged.push(match fate {
            Fate::Appended(Appended::New | Appended::NewErased) => plan.delivery_of(item),
            Fate::Appended(Appended::Duplicate { delivery_id, .. }) => Some(*delivery_id),
            Fate::Copy | Fate::Refused(_) => None,
        });
    }
    refused.retain(|bad| is_first(bad.origin));
    for bad in &refused {
        tallies[bad.origin].quarantined += bad.items;
        applied.quarantined.push(bad.stage);
    }
    let counted = plan
        .origins
        .iter()
        .zip(&tallies)
        .enumerate()
        .filter(|(index, _)| is_first(*index));
    let mut counts = Vec::new();
    for (_, (origin, tally)) in counted {
        applied.tally.add(*tally);
        counts.push(CountRow {
            subscription: origin.delivery.subscription.as_str(),
            tenant: origin.delivery.tenant.as_str(),
            hour: origin.delivery.received_at,
            received: tally.received,
            logged: tally.logged,
            revisions: tally.revisions,
            duplicates: tally.duplicates,
            quarantined: tally.quarantined,
            ignored: tally.ignored,
        });
    }
    (applied, refused, counts)
}

fn quarantine_rows<'p>(plan: &'p Plan<'_>, refused: &[&'p Refused<'_>]) -> Vec<QuarantineRow<'p>> {
    refused
        .iter()
        .filter_map(|bad| {
            let origin = plan.origins.get(bad.origin)?;
            let part = |pick: fn(&(String, String, String)) -> &String| {
                bad.field.as_ref().map(|field| pick(field).as_str())
            };
            Some(QuarantineRow {
                tenant: origin.delivery.tenant.as_str(),
                subscription: origin.delivery.subscription.as_str(),
                delivery_id: origin.delivery.id,
                item_index: bad.index,
                stage: bad.stage.as_str(),
                format: &origin.format,
                reason: &bad.reason,
                field: part(|field| &field.0),
                value: part(|field| &field.1),
                expected: part(|field| &field.2),
                raw: &bad.raw,
                raw_key: plan.raw_key.as_deref(),
                received_at: origin.delivery.received_at,
                correlation: origin.delivery.correlation.as_str(),
                job: origin.delivery.job,
            })
        })
        .collect()
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.received += other.received;
        self.logged += other.logged;
        self.revisions += other.revisions;
        self.duplicates += other.duplicates;
        self.quarantined += other.quarantined;
        self.ignored += other.ignored;
    }
}
