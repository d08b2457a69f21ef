//! Claimed rows into requests within the target's limits. Pure.

use crate::facets::FacetsOf;
use schema::{LegId, UtcMicros};
use std::collections::{BTreeMap, HashMap};
use store::sync::{DayFigures, Due, Fate, Last, MetricKey, Pushed, Subject as Stored, Versions};
use target::{
    Adapter, Amount, Encoded, Facets, Figures, Filter, Finite, Held, Item, Step, Subject,
};

/// A claimed row, as the target may get it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// As it was claimed.
    pub due: Due,
    /// What is to be pushed; without a value also where the target does not want it.
    pub item: Item,
}

/// A row ready to go.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// As it was claimed.
    pub due: Due,
    /// What is pushed.
    pub item: Item,
    /// As it stands in the body.
    pub encoded: Encoded,
    /// The same for every attempt at this value.
    pub idempotency_key: String,
    /// What the log says was pushed; absent where a value is taken back.
    pub pushed: Option<Pushed>,
}

/// A row that is not sent and leaves the queue, or rests in it.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenUp {
    /// As it was claimed.
    pub due: Due,
    /// The same for every attempt at this value.
    pub idempotency_key: String,
    /// What is written down.
    pub fate: Fate,
    /// Why.
    pub why: String,
}

/// What to do with the rows of one claim.
#[derive(Debug, Default, PartialEq)]
pub struct Plan {
    /// Rows by request, each within the limits.
    pub requests: Vec<Vec<Prepared>>,
    /// Rows of which there is nothing to send: the target has nothing of them, or just this.
    pub done: Vec<Due>,
    /// Rows that can never be sent.
    pub given_up: Vec<GivenUp>,
}

/// Rows of a claim where each may need a request of its own: what is claimed and cannot go in time is given back.
const CLAIMED_ALONE: usize = 20;

/// Bounds of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Rows.
    pub rows: usize,
    /// Bytes of the body.
    pub bytes: usize,
    /// Rows that are claimed for one.
    pub claimed: usize,
}

impl Bounds {
    /// The platform's, or less where the target says so.
    #[must_use]
    pub fn of(adapter: &Adapter, batch_max: usize) -> Self {
        let capabilities = adapter.capabilities();
        let rows = batch_max.clamp(1, capabilities.items_max);
        Self {
            rows,
            bytes: capabilities.bytes_max,
            claimed: if capabilities.one_subject {
                rows.min(CLAIMED_ALONE)
            } else {
                rows
            },
        }
    }
}

/// The rows as the target may get them: the newest revision per key, and without a value where the filter does not hold.
#[must_use]
pub fn candidates(due: Vec<Due>, filter: Option<&Filter>, facets: &FacetsOf) -> Vec<Candidate> {
    newest_per_key(due)
        .into_iter()
        .map(|due| {
            let item = item(&due);
            let wanted = filter.is_none_or(|filter| filter.holds(&item, of(facets, &due.key)));
            let item = Item {
                value: item.value.filter(|_| wanted),
                ..item
            };
            Candidate { due, item }
        })
        .collect()
}

/// What the facts say of what a key is of.
pub(crate) fn of<'f>(facets: &'f FacetsOf, key: &MetricKey) -> &'f Facets {
    static NONE: Facets = Facets {
        media: None,
        direction: None,
    };
    let interaction = key.subject.interaction();
    let found = interaction.and_then(|interaction| {
        let key = (key.tenant.clone(), interaction.to_owned());
        facets.get(&key)
    });
    found.unwrap_or(&NONE)
}

impl Candidate {
    /// Whether it must be known what the target has of it: what is absent may have to be taken back, and some targets get nothing that they
    /// have.
    #[must_use]
    pub fn asks_for_held(&self, adapter: &Adapter) -> bool {
        self.item.value.is_none() || adapter.capabilities().compares
    }
}

/// How the target keeps versions of a KPI apart.
#[must_use]
pub const fn versions(adapter: &Adapter) -> Versions {
    if adapter.kind().takes_one_version() {
        Versions::Together
    } else {
        Versions::Apart
    }
}

/// What the log says, as adapters take it.
#[must_use]
pub fn held(last: Last) -> Held {
    match last {
        Last::Nothing => Held::Nothing,
        Last::Has(pushed) => Held::Has(pushed.map(|pushed| Amount {
            value: pushed.value,
            points: pushed.points,
        })),
        Last::Unknown => Held::Unknown,
    }
}

/// Plans the requests for rows, each with what the target has of it: no request beyond the bounds, none about more than one place. Rows of
/// which larger requests were refused share only as small ones as are left to try: so the search for the one that spoils them goes on where
/// it was, whoever claimed them before.
#[must_use]
pub fn plan(
    rows: Vec<(Candidate, Held)>,
    adapter: &Adapter,
    bounds: Bounds,
    now: UtcMicros,
) -> Plan {
    let mut plan = Plan::default();
    let (mut suspects, mut others) = (Vec::new(), Vec::new());
    for (Candidate { due, item }, held) in rows {
        let idempotency_key = item.idempotency_key();
        let (fate, why) = match adapter.step(&item, held, now) {
            Step::Done => {
                plan.done.push(due);
                continue;
            }
            Step::Send(encoded) => {
                let size = encoded.json.len();
                if size + adapter.overhead(&encoded.place, 1) <= bounds.bytes {
                    let pushed = encoded.amount.map(|amount| Pushed {
                        value: amount.value,
                        points: amount.points,
                    });
                    let rows = match due.together {
                        Some(_) => &mut suspects,
                        None => &mut others,
                    };
                    rows.push(Prepared {
                        due,
                        item,
                        encoded,
                        idempotency_key,
                        pushed,
                    });
                    continue;
                }
                let most = bounds.bytes;
                let why = format!("the row alone has {size} bytes; a request may have {most}");
                (Fate::Rejected, why)
            }
            Step::Refused(why) => (Fate::Rejected, why),
            Step::Expired(why) => (Fate::Expired, why),
        };
        plan.given_up.push(GivenUp {
            due,
            idempotency_key,
            fate,
            why,
        });
    }
    suspects.sort_by_key(|row| row.due.together);
    for rows in [suspects, others] {
        plan.requests.extend(requests(rows, adapter, bounds));
    }
    plan
}

/// A request that may take more rows.
struct Open {
    rows: Vec<Prepared>,
    bytes: usize,
    most: usize,
}

/// Rows into requests, in their order. Those that share only small ones come first.
fn requests(rows: Vec<Prepared>, adapter: &Adapter, bounds: Bounds) -> Vec<Vec<Prepared>> {
    let mut requests: Vec<Open> = Vec::new();
    // Of each place the last one.
    let mut last = HashMap::new();
    for row in rows {
        let (size, place) = (row.encoded.json.len(), row.encoded.place.clone());
        let open = last
            .get(&place)
            .and_then(|index: &usize| requests.get_mut(*index))
            .filter(|open| {
                let bytes = open.bytes + size + adapter.overhead(&place, open.rows.len() + 1);
                open.rows.len() < open.most && bytes <= bounds.bytes
            });
        if let Some(open) = open {
            open.bytes += size;
            open.rows.push(row);
        } else {
            let alone = row.due.together.unwrap_or(bounds.rows);
            last.insert(place, requests.len());
            requests.push(Open {
                most: alone.min(bounds.rows),
                bytes: size,
                rows: vec![row],
            });
        }
    }
    requests.into_iter().map(|open| open.rows).collect()
}

/// One row a key, in the order of the claim: a value superseded while waiting is never sent.
fn newest_per_key(due: Vec<Due>) -> Vec<Due> {
    let mut newest: BTreeMap<MetricKey, i64> = BTreeMap::new();
    for row in &due {
        let revision = newest.entry(row.key.clone()).or_insert(row.revision);
        *revision = row.revision.max(*revision);
    }
    due.into_iter()
        .filter(|row| {
            let is_newest = newest.get(&row.key) == Some(&row.revision);
            if is_newest {
                newest.remove(&row.key);
            }
            is_newest
        })
        .collect()
}

/// A claimed row in the words of targets.
fn item(due: &Due) -> Item {
    let key = &due.key;
    Item {
        tenant: key.tenant.as_str().into(),
        subject: subject(key, due.day.as_ref()),
        metric: key.metric_type.clone(),
        version: key.metric_version,
        revision: due.revision,
        value: due.metric_value.and_then(Finite::new),
        timestamp: due.timestamp_utc,
        agent: due.agent_id.as_deref().map(Into::into),
        queue: due.queue_id.as_deref().map(Into::into),
    }
}

/// What a key is of, as adapters take it; an agent's day with what is in it.
pub(crate) fn subject(key: &MetricKey, day: Option<&DayFigures>) -> Subject {
    match &key.subject {
        Stored::Interaction { interaction } => Subject::Interaction {
            interaction: interaction.as_str().into(),
        },
        Stored::Leg { interaction, leg } => Subject::Leg {
            interaction: interaction.as_str().into(),
            leg: LegId::new(leg),
        },
        Stored::AgentDay { agent, day: date } => Subject::AgentDay {
            agent: agent.as_str().into(),
            day: *date,
            figures: day.map(figures),
        },
    }
}

fn figures(day: &DayFigures) -> Figures {
    Figures {
        zone: day.zone.clone(),
        from: day.from,
        to: day.to,
        items: day.items,
        numerator: day.numerator,
        denominator: day.denominator,
        scale: day.scale,
        unit: day.unit.clone(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
