//! Which definitions an interaction is evaluated by, and what follows from them. The same for almost all interactions of a batch, so it is
//! worked out once.

use crate::catalogue::Active;
use schema::MetricVersion;
use std::collections::BTreeSet;
use std::sync::Arc;

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
}

/// The choices made for a batch.
#[derive(Debug)]
pub(super) struct Choices<'a> {
    active: &'a Active,
    made: Vec<(bool, BTreeSet<MetricVersion>, Arc<Choice>)>,
}

impl<'a> Choices<'a> {
    pub(super) const fn new(active: &'a Active) -> Self {
        Self {
            active,
            made: Vec::new(),
        }
    }

    pub(super) const fn active(&self) -> &'a Active {
        self.active
    }

    /// For an interaction with news: all that is switched on, and what jobs ask for. For one without: only that.
    pub(super) fn of(&mut self, news: bool, jobs: &BTreeSet<MetricVersion>) -> Arc<Choice> {
        let mut made = self.made.iter();
        if let Some((.., choice)) = made.find(|(of, asked, _)| *of == news && asked == jobs) {
            return Arc::clone(choice);
        }
        let choice = Arc::new(Choice::of(self.active, news, jobs));
        self.made.push((news, jobs.clone(), Arc::clone(&choice)));
        choice
    }
}

impl Choice {
    fn of(active: &Active, news: bool, jobs: &BTreeSet<MetricVersion>) -> Self {
        let which = if news {
            active.of_news(jobs)
        } else {
            active.of_jobs(jobs)
        };
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
            agent_time: active.has_agent_time(&which),
            journeys: active.has_journeys(&which),
            asked_of_agents: active.retired_agent_time(jobs),
            which,
        }
    }
}
