//! One round: lock, read, evaluate, write, forget the marks; one transaction.

use super::ask::{self, Ask, Definitions, Task, Tasks};
use super::evaluate::{Results, Work};
use super::matter::{Reached, reached};
use super::reach::{self, Near};
use super::sessions::Sessions;
use super::{Drained, JourneyWorker, Key};
use crate::catalogue::Active;
use crate::items::{self, Cells};
use kpi::Reason;
use schema::{Millis, UtcMicros};
use std::collections::{BTreeMap, BTreeSet};
use store::journeys::{self, Locked, Noted, Whose};
use store::marks::{self, Kind, Mark};
use store::partitions::Table;
use store::window_items::Source;
use store::{StoreError, Transaction, metrics};

/// So many contacts are read with their facts in one round; what is left waits for the next.
const CONTACTS: usize = 4_000;

/// One customer in a round.
struct Customer<'a> {
    locked: &'a Locked,
    task: &'a Task,
    /// Tenant and id of contacts that left it and are nobody's until the commit.
    nobodys: Vec<(&'a str, &'a str)>,
    longest: Millis,
    /// The largest matter found.
    contacts: usize,
    /// When the first verdict that is not final yet will be.
    due: Option<UtcMicros>,
    /// What the next round has to do.
    rest: Vec<Ask>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not yet, or not any more: this round has too much to do.
    Waits,
    Done,
    /// A contact cannot be read.
    Unreadable,
    /// A contact that left is being changed at this moment: the next round knows whose it is.
    Unsettled,
}

/// A matter to be evaluated by some definitions.
struct Chosen {
    /// The place of the stretch it is near to.
    near: usize,
    /// The place of the definitions among those of the ask.
    group: usize,
    reached: Reached,
}

impl JourneyWorker {
    /// Does what is asked for, as far as no other worker has it at hand, and commits. Tells also which customers cannot be read.
    pub(super) async fn round(
        &self,
        tx: Transaction<'_>,
        active: &Active,
        tasks: &Tasks,
        as_of: UtcMicros,
    ) -> Result<(Drained, Vec<Key>), StoreError> {
        let keys: Vec<(&str, &str)> = tasks.keys().map(|key| (&*key.0, &*key.1)).collect();
        if keys.is_empty() {
            return Ok((Drained::default(), Vec::new()));
        }
        let locked = journeys::lock(&tx, &keys).await?;
        let nothing = Task::default();
        let mut customers: Vec<Customer<'_>> = locked
            .iter()
            .map(|locked| {
                let key = (locked.tenant.clone(), locked.customer_key.clone());
                Customer::new(locked, tasks.get(&key).unwrap_or(&nothing))
            })
            .collect();
        let mut definitions = Definitions::new(active);
        let mut sessions = Sessions::default();
        let mut results = Results::new(active);
        // First, so that what is read of a contact is what is held.
        hold(&tx, &mut customers, &mut sessions).await?;
        let near = self
            .near(&tx, &mut customers, &mut definitions, &mut sessions, as_of)
            .await?;
        self.evaluate(
            &tx,
            &near,
            &mut customers,
            &mut sessions,
            &mut results,
            as_of,
        )
        .await?;
        gone(&tx, &customers, &sessions, &mut results, as_of).await?;
        let months: Vec<UtcMicros> = results.months().collect();
        self.partitions
            .ensure(Table::ComputedMetrics, months)
            .await?;
        let upserted = metrics::upsert(&tx, &results.as_rows()).await?;
        let mut cells = Cells::new();
        items::write(&tx, Source::Journey, &results.contributions(), &mut cells).await?;
        let cells = items::mark(&tx, &cells).await?;
        let found = self.findings.record(&tx, results.evaluated()).await?;
        leave(&tx, &customers, as_of, &active.unreadable).await?;
        tx.commit().await?;
        self.findings.keep(found);
        let of = |state: State| customers.iter().filter(move |it| it.state == state);
        let unreadable: Vec<Key> = of(State::Unreadable).map(Customer::key).collect();
        let done = Drained {
            customers: of(State::Done).count() as u64,
            evaluated: results.rows.len() as u64,
            written: upserted.written,
            queued: upserted.queued,
            cells,
            unreadable: unreadable.len() as u64,
        };
        Ok((done, unreadable))
    }

    /// The contacts near all that changed or is due, with the place of their customer.
    async fn near<'a>(
        &self,
        tx: &Transaction<'_>,
        customers: &mut [Customer<'a>],
        definitions: &mut Definitions<'_>,
        sessions: &mut Sessions,
        as_of: UtcMicros,
    ) -> Result<Vec<(usize, Near<'a>)>, StoreError> {
        let most = self.config.contacts_max.max(1);
        let (mut owners, mut near) = (Vec::new(), Vec::new());
        for (place, customer) in customers.iter().enumerate() {
            if customer.state != State::Waits {
                continue;
            }
            let locked = customer.locked;
            for ask in definitions.asks(customer.task, locked, as_of) {
                let key = (locked.tenant.as_str(), locked.customer_key.as_str());
                owners.push(place);
                near.push(Near::new(key, ask, locked.longest, most));
            }
        }
        reach::read(tx, &mut near, sessions).await?;
        for (owner, near) in owners.iter().zip(&near) {
            let customer = &mut customers[*owner];
            customer.longest = customer.longest.max(near.longest);
            if near.unreadable {
                customer.state = State::Unreadable;
            }
        }
        Ok(owners.into_iter().zip(near).collect())
    }

    /// Evaluates as much of it as one round may, customer by customer.
    async fn evaluate(
        &self,
        tx: &Transaction<'_>,
        near: &[(usize, Near<'_>)],
        customers: &mut [Customer<'_>],
        sessions: &mut Sessions,
        results: &mut Results<'_>,
        as_of: UtcMicros,
    ) -> Result<(), StoreError> {
        let most = self.config.contacts_max.max(1);
        let mut chosen: Vec<Chosen> = Vec::new();
        let mut wanted: BTreeSet<(&str, &str)> = BTreeSet::new();
        let mut full = false;
        for (place, (owner, near)) in near.iter().enumerate() {
            let customer = &mut customers[*owner];
            if customer.state == State::Unreadable {
                continue;
            }
            if full {
                // Of one that was begun the rest is marked anew; the others keep their marks.
                if customer.state == State::Done {
                    customer.rest.push(near.ask.clone());
                }
                continue;
            }
            customer.state = State::Done;
            customer.rest.extend(near.rest.map(|rest| Ask {
                stretch: rest,
                ..near.ask.clone()
            }));
            let spans = near.spans();
            for (group, (within, _)) in near.ask.definitions.groups.iter().enumerate() {
                for reached in reached(&spans, *within, near.stretch, most) {
                    customer.contacts = customer.contacts.max(reached.contacts.len());
                    let ids = contacts(near, &reached).into_iter();
                    wanted.extend(ids.map(|id| (near.tenant, id)));
                    chosen.push(Chosen {
                        near: place,
                        group,
                        reached,
                    });
                }
            }
            full = wanted.len() >= CONTACTS;
        }
        // Without definitions, or without anything near, nothing is left to do of a customer.
        let asked: BTreeSet<usize> = near.iter().map(|(owner, _)| *owner).collect();
        for (place, customer) in customers.iter_mut().enumerate() {
            if customer.state == State::Waits && !asked.contains(&place) {
                customer.state = State::Done;
            }
        }
        sessions.fetch(tx, wanted).await?;
        for chosen in &chosen {
            let (owner, near) = &near[chosen.near];
            let customer = &mut customers[*owner];
            let unreadable = contacts(near, &chosen.reached).into_iter().any(|id| {
                sessions
                    .get(near.tenant, id)
                    .is_some_and(|read| read.session.is_none())
            });
            if unreadable {
                customer.state = State::Unreadable;
            }
        }
        for chosen in &chosen {
            let (owner, near) = &near[chosen.near];
            let customer = &mut customers[*owner];
            if customer.state == State::Unreadable {
                continue;
            }
            let contacts = contacts(near, &chosen.reached);
            let reached = &chosen.reached;
            let work = Work {
                tenant: near.tenant,
                customer_key: Some(near.customer_key),
                write: if reached.crowded {
                    (0..contacts.len()).collect()
                } else {
                    let first = reached.contacts.start;
                    reached.write.iter().map(|place| place - first).collect()
                },
                contacts,
                which: &near.ask.definitions.groups[chosen.group].1,
                withheld: reached.crowded.then_some(Reason::TOO_MANY_CONTACTS),
            };
            let due = results.evaluate(&work, sessions, as_of);
            if near.ask.version.is_none() {
                customer.due = customer.due.into_iter().chain(due).min();
            }
        }
        Ok(())
    }
}

impl<'a> Customer<'a> {
    fn new(locked: &'a Locked, task: &'a Task) -> Self {
        Self {
            locked,
            task,
            nobodys: Vec::new(),
            longest: locked.longest,
            contacts: 0,
            due: None,
            rest: Vec::new(),
            state: State::Waits,
        }
    }

    fn key(&self) -> Key {
        (self.locked.tenant.clone(), self.locked.customer_key.clone())
    }
}

/// The contacts whose facts are needed: of a crowded matter only those that are withheld.
fn contacts<'n>(near: &'n Near<'_>, reached: &Reached) -> Vec<&'n str> {
    let id = |place: usize| near.contacts[place].0.interaction_id.as_str();
    if reached.crowded {
        reached.write.iter().copied().map(id).collect()
    } else {
        reached.contacts.clone().map(id).collect()
    }
}

/// Finds out which contacts that left these customers are nobody's, and keeps them so until the commit. A customer may be found for one at any
/// time, and verdicts as that one's contact are not to be written over.
async fn hold<'a>(
    tx: &Transaction<'_>,
    customers: &mut [Customer<'a>],
    sessions: &mut Sessions,
) -> Result<(), StoreError> {
    let left: BTreeSet<(&str, &str)> = customers
        .iter()
        .flat_map(|customer| {
            let tenant = customer.locked.tenant.as_str();
            let ids = customer.locked.gone.iter();
            ids.map(move |id| (tenant, id.as_str()))
        })
        .collect();
    let left: Vec<(&str, &str)> = left.into_iter().collect();
    let held = journeys::hold(tx, &left).await?;
    let whose: BTreeMap<Key, Whose> = held
        .into_iter()
        .map(|held| ((held.tenant, held.interaction_id), held.whose))
        .collect();
    let mut nobodys: BTreeSet<(&str, &str)> = BTreeSet::new();
    for customer in customers.iter_mut() {
        let locked: &'a Locked = customer.locked;
        for id in &locked.gone {
            match whose.get(&(locked.tenant.clone(), id.clone())) {
                Some(Whose::Nobodys) => {
                    let key = (locked.tenant.as_str(), id.as_str());
                    customer.nobodys.push(key);
                    nobodys.insert(key);
                }
                Some(Whose::Unsettled) => customer.state = State::Unsettled,
                // A mark of the other customer's waits for it; of one that is gone altogether nothing is left to do.
                Some(Whose::Somebodys) | None => {}
            }
        }
    }
    sessions.fetch(tx, nobodys).await?;
    for customer in customers {
        let unreadable = customer.nobodys.iter().any(|(tenant, id)| {
            sessions
                .get(tenant, id)
                .is_some_and(|read| read.session.is_none())
        });
        if unreadable && customer.state == State::Waits {
            customer.state = State::Unreadable;
        }
    }
    Ok(())
}

/// Withholds the rows of contacts that are nobody's any more.
async fn gone(
    tx: &Transaction<'_>,
    customers: &[Customer<'_>],
    sessions: &Sessions,
    results: &mut Results<'_>,
    as_of: UtcMicros,
) -> Result<(), StoreError> {
    let done = customers.iter().filter(|it| it.state == State::Done);
    let nobodys: BTreeSet<(&str, &str)> = done.flat_map(|it| it.nobodys.iter().copied()).collect();
    for (tenant, id) in nobodys {
        let stored = metrics::of_interaction(tx, tenant, id).await?;
        let named: Vec<_> = stored
            .iter()
            .map(|row| (row.metric_type.as_str(), row.metric_version))
            .collect();
        let which = results.journeys(&named);
        let work = Work {
            tenant,
            customer_key: None,
            contacts: vec![id],
            write: vec![0],
            which: &which,
            withheld: Some(Reason::NO_CUSTOMER),
        };
        results.evaluate(&work, sessions, as_of);
    }
    Ok(())
}

/// Notes what comes next, and puts new marks for what is left in the place of those that were read.
async fn leave(
    tx: &Transaction<'_>,
    customers: &[Customer<'_>],
    as_of: UtcMicros,
    not_read: &[i32],
) -> Result<(), StoreError> {
    let done: Vec<&Customer<'_>> = customers
        .iter()
        .filter(|customer| customer.state == State::Done)
        .collect();
    let mut rest: BTreeMap<(&str, String), Vec<(UtcMicros, UtcMicros)>> = BTreeMap::new();
    for customer in &done {
        for ask in &customer.rest {
            let subject = journeys::subject(&customer.locked.customer_key, ask.version);
            let stretch = (ask.stretch.from, ask.stretch.to);
            let key = (customer.locked.tenant.as_str(), subject);
            rest.entry(key).or_default().push(stretch);
        }
    }
    let rest: Vec<Mark<'_>> = rest
        .iter()
        .flat_map(|((tenant, subject), stretches)| {
            stretches.iter().map(move |(from, to)| Mark {
                kind: Kind::Journey,
                tenant,
                subject,
                from: *from,
                to: *to,
            })
        })
        .collect();
    marks::append(tx, &rest).await?;
    let noted: Vec<Noted<'_>> = done
        .iter()
        .map(|customer| {
            let locked = customer.locked;
            // What is not due yet and was not looked at now still waits.
            let waits = locked.due_at.filter(|_| ask::due(locked, as_of).is_none());
            Noted {
                tenant: &locked.tenant,
                customer_key: &locked.customer_key,
                contacts: i32::try_from(customer.contacts).unwrap_or(i32::MAX),
                longest: customer.longest,
                due_at: waits.into_iter().chain(customer.due).min(),
            }
        })
        .collect();
    journeys::note(tx, &noted).await?;
    let read: Vec<i64> = done
        .iter()
        .flat_map(|customer| customer.task.marks.iter().copied())
        .collect();
    marks::finish(tx, &read, not_read).await?;
    let due = done.iter().filter(|it| it.task.marks.is_empty());
    let due: Vec<Mark<'_>> = due
        .filter_map(|customer| {
            let due_at = customer.locked.due_at?;
            Some(Mark {
                kind: Kind::Journey,
                tenant: &customer.locked.tenant,
                subject: &customer.locked.customer_key,
                from: due_at,
                to: due_at,
            })
        })
        .collect();
    marks::miss(tx, &due, not_read).await
}
