//! What is asked for: of which customer, by which definitions, near which stretch of time.

use super::Key;
use super::matter::Stretch;
use crate::catalogue::Active;
use schema::{MetricVersion, Millis, UtcMicros};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::journeys::{self, Due, Locked, Subject};
use store::marks::Pending;

/// Changes nearer to each other than this are looked at together.
const TOGETHER: Millis = Millis(30 * 86_400_000);
/// Nothing is stored that begins later than this from now.
const AHEAD: Millis = Millis(400 * 86_400_000);

/// What waits of one customer.
#[derive(Debug, Default)]
pub(super) struct Task {
    /// The marks read, to be deleted with the work.
    pub(super) marks: Vec<i64>,
    /// What changed; by the version that a job asks for, if it does.
    changed: BTreeMap<Option<MetricVersion>, Vec<Stretch>>,
}

/// By customer.
pub(super) type Tasks = BTreeMap<Key, Task>;

/// Definitions of journeys of one catalogue, by what is asked for.
#[derive(Debug)]
pub(super) struct Definitions<'a> {
    active: &'a Active,
    known: BTreeMap<Option<MetricVersion>, Arc<Groups>>,
}

/// Definitions of journeys, those with one `within` together.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) groups: Vec<(Millis, Vec<usize>)>,
    /// The longest of them.
    pub(super) widest: Millis,
}

/// Definitions to be evaluated near one stretch.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) version: Option<MetricVersion>,
    pub(super) definitions: Arc<Groups>,
    pub(super) stretch: Stretch,
}

/// What marks ask for.
pub(super) fn of_marks(pending: Vec<Pending>) -> Tasks {
    let mut tasks = Tasks::new();
    for pending in pending {
        let subject = Subject::read(&pending.subject);
        let key = (pending.tenant, subject.customer_key.to_owned());
        let task = tasks.entry(key).or_default();
        task.marks.extend(pending.marks);
        let stretches = pending.stretches.into_iter();
        task.changed
            .entry(subject.version)
            .or_default()
            .extend(stretches.map(|(from, to)| Stretch { from, to }));
    }
    tasks
}

/// What is due asks for nothing more than being looked at: when it is due is read under the lock.
pub(super) fn of_due(page: &[Due]) -> Tasks {
    page.iter()
        .map(|due| {
            let key = (due.tenant.clone(), due.customer_key.clone());
            (key, Task::default())
        })
        .collect()
}

impl Task {
    /// The subjects of its marks, which are of this customer.
    pub(super) fn subjects(&self, customer_key: &str) -> impl Iterator<Item = String> {
        let versions = self.changed.keys();
        versions.map(move |version| journeys::subject(customer_key, *version))
    }
}

impl<'a> Definitions<'a> {
    pub(super) fn new(active: &'a Active) -> Self {
        Self {
            active,
            known: BTreeMap::new(),
        }
    }

    /// What is switched on, or, for a job, the definitions of its version.
    fn of(&mut self, version: Option<MetricVersion>) -> Arc<Groups> {
        let active = self.active;
        let groups = self.known.entry(version).or_insert_with(|| {
            Arc::new(Groups::of(
                active,
                match version {
                    None => active.of_news(&BTreeSet::new()),
                    Some(version) => active.of_jobs(&BTreeSet::from([version])),
                },
            ))
        });
        groups.clone()
    }

    /// What a locked journey has to be asked, as of an instant.
    pub(super) fn asks(&mut self, task: &Task, locked: &Locked, as_of: UtcMicros) -> Vec<Ask> {
        let mut changed = task.changed.clone();
        if let Some(due_at) = due(locked, as_of) {
            // All whose verdict was not final then, whatever they wait for.
            let widest = self.of(None).widest;
            changed.entry(None).or_default().push(Stretch {
                from: due_at.plus(Millis(-widest.0)),
                to: as_of.plus(AHEAD),
            });
        }
        let mut asks = Vec::new();
        for (version, stretches) in changed {
            let definitions = self.of(version);
            if definitions.groups.is_empty() {
                continue;
            }
            let apart = TOGETHER.max(definitions.widest);
            asks.extend(together(stretches, apart).into_iter().map(|stretch| Ask {
                version,
                definitions: definitions.clone(),
                stretch,
            }));
        }
        asks
    }
}

impl Groups {
    fn of(active: &Active, which: Vec<usize>) -> Self {
        let mut groups: BTreeMap<Millis, Vec<usize>> = BTreeMap::new();
        for index in which {
            let definition = active.catalogue.definitions().get(index);
            if let Some(rule) = definition.and_then(|definition| definition.journey()) {
                groups.entry(rule.within()).or_default().push(index);
            }
        }
        Self {
            widest: groups.keys().next_back().copied().unwrap_or_default(),
            groups: groups.into_iter().collect(),
        }
    }
}

/// Since when the journey has been due, if it is.
pub(super) fn due(locked: &Locked, as_of: UtcMicros) -> Option<UtcMicros> {
    locked.due_at.filter(|due_at| *due_at <= as_of)
}

/// Stretches with less than `apart` between them as one, ascending.
fn together(mut stretches: Vec<Stretch>, apart: Millis) -> Vec<Stretch> {
    stretches.sort_unstable_by_key(|stretch| (stretch.from, stretch.to));
    let mut found: Vec<Stretch> = Vec::new();
    for stretch in stretches {
        match found.last_mut() {
            Some(last) if stretch.from <= last.to.plus(apart) => *last = last.and(stretch),
            _ => found.push(stretch),
        }
    }
    found
}
