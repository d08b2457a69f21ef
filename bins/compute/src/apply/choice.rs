//! Which definitions an interaction is evaluated by, and what follows from them. The same for almost all interactions of a batch, so it is
//! worked out once.

use crate::catalogue::Active;
use schema::MetricVersion;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How much of what is switched on is evaluated at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Everything,
    /// In a storm: what is critical. The rest is owed.
    Critical,
}

/// Definitions of the catalogue by which an interaction is evaluated.
#[derive(Debug)]
pub(super) struct Choice {
    /// Their places in the catalogue.
    pub(super) which: Vec<usize>,
    /// What names their activations.
    pub(super) activations: Vec<i64>,
    /// The numbers of those whose values of interactions and legs are counted in windows.
    pub(super) windows: BTreeSet<i32>,
    /// Whether one is about the time of agents.
    pub(super) agent_time: bool,
    /// Whether one is about journeys.
    pub(super) journeys: bool,
    /// The numbers of those about the time of agents that a job asked for although they are switched off.
    pub(super) asked_of_agents: Vec<i32>,
    /// The numbers of those that it is to be evaluated by later, for want of time.
    pub(super) owed: Vec<i32>,
}

/// The choices made for a batch.
#[derive(Debug)]
pub(super) struct Choices<'a> {
    active: &'a Active,
    extent: Extent,
    made: Vec<(bool, BTreeSet<MetricVersion>, Arc<Choice>)>,
    /// For those that something was owed to, by what it is.
    of_debts: Vec<(Vec<i32>, Arc<Choice>)>,
}

impl<'a> Choices<'a> {
    pub(super) const fn new(active: &'a Active, extent: Extent) -> Self {
        Self {
            active,
            extent,
            made: Vec::new(),
            of_debts: Vec::new(),
        }
    }

    pub(super) const fn active(&self) -> &'a Active {
        self.active
    }

    /// For an interaction with news: all that is switched on (in a storm: of it what is critical), and what jobs ask for. For one without: only
    /// that.
    pub(super) fn of(&mut self, news: bool, jobs: &BTreeSet<MetricVersion>) -> Arc<Choice> {
        let mut made = self.made.iter();
        if let Some((.., choice)) = made.find(|(of, asked, _)| *of == news && asked == jobs) {
            return Arc::clone(choice);
        }
        let choice = Arc::new(Choice::of(self.active, self.extent, news, jobs));
        self.made.push((news, jobs.clone(), Arc::clone(&choice)));
        choice
    }

    /// For an interaction without news to which an evaluation by these definitions is owed.
    pub(super) fn of_debt(&mut self, ids: &[i32]) -> Arc<Choice> {
        let mut made = self.of_debts.iter();
        if let Some((_, choice)) = made.find(|(of, _)| of == ids) {
            return Arc::clone(choice);
        }
        let choice = Arc::new(Choice::of_debt(self.active, ids));
        self.of_debts.push((ids.to_vec(), Arc::clone(&choice)));
        choice
    }
}

impl Choice {
    fn of(active: &Active, extent: Extent, news: bool, jobs: &BTreeSet<MetricVersion>) -> Self {
        let (which, owed) = match (news, extent) {
            (false, _) => (active.of_jobs(jobs), Vec::new()),
            (true, Extent::Everything) => (active.of_news(jobs), Vec::new()),
            (true, Extent::Critical) => {
                let which = active.of_news_in_storm(jobs);
                let all = active.of_news(jobs).into_iter();
                let owed = all.filter(|index| !which.contains(index));
                let owed = owed.filter_map(|index| active.definition_id(index));
                let owed = owed.collect();
                (which, owed)
            }
        };
        Self {
            agent_time: active.has_agent_time(&which),
            journeys: active.has_journeys(&which),
            asked_of_agents: active.retired_agent_time(jobs),
            owed,
            ..Self::by(active, which)
        }
    }

    /// What stays owed is what this release cannot read. When agents were busy, and whose journeys changed, was noted with the facts.
    fn of_debt(active: &Active, ids: &[i32]) -> Self {
        let (which, owed) = active.of_ids(ids);
        Self {
            owed,
            ..Self::by(active, which)
        }
    }

    /// By these definitions, and nothing else follows.
    fn by(active: &Active, which: Vec<usize>) -> Self {
        let definitions = active.catalogue.definitions();
        let counted = which.iter().filter(|index| {
            let definition = &definitions[**index];
            definition.windows().is_some()
                && definition.journey().is_none()
                && definition.agent_time().is_none()
        });
        Self {
            activations: active.activations(&which),
            windows: counted
                .filter_map(|index| active.definition_id(*index))
                .collect(),
            agent_time: false,
            journeys: false,
            asked_of_agents: Vec::new(),
            owed: Vec::new(),
            which,
        }
    }
}
