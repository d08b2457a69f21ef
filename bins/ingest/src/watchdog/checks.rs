//! Asks the platforms now and then, beside the rounds: an answer may take long, and the lead is lost by silence.

use super::decide::Word;
use crate::subscription::apis::Apis;
use crate::subscription::finding::{Finding, Inspection, View};
use crate::subscription::inspect::inspect;
use crate::subscriptions::Subscription;
use platform::api::Api;
use platform::retry::{Cause, Schedule};
use schema::{Millis, UtcMicros};
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::task::JoinSet;

/// The first wait after a question that had no answer.
const AGAIN: Duration = Duration::from_secs(60);
/// How much earlier or later than its time a question is asked: many installations must not ask at once.
const JITTER: f64 = 0.1;

/// One subscription whose platform is asked.
#[derive(Debug)]
struct Target {
    /// Its index among those watched.
    index: usize,
    subscription: Arc<Subscription>,
    word: Word,
    due_at: Option<UtcMicros>,
    running: bool,
    failures: u32,
}

/// What the platform said of one.
#[derive(Debug)]
pub struct Checked {
    /// Its index among those watched.
    pub index: usize,
    /// Whether the platform answered.
    pub answered: bool,
    /// What it said.
    pub seen: Inspection,
}

type Answer = (usize, Option<Arc<Api>>, Inspection);

/// All questions.
#[derive(Debug)]
pub struct Checks {
    every: Duration,
    apis: Apis,
    store: Store,
    variable: fn(&str) -> Option<String>,
    targets: Vec<Target>,
    running: JoinSet<Answer>,
}

impl Checks {
    /// Of those subscriptions whose platforms can be asked, within the budgets that the store keeps. The function looks up environment
    /// variables.
    pub fn new(
        subscriptions: &[Subscription],
        every: Duration,
        variable: fn(&str) -> Option<String>,
        store: Store,
    ) -> Self {
        let targets = subscriptions
            .iter()
            .enumerate()
            .filter(|(_, found)| {
                let platform = found.platform.as_ref();
                platform.is_some_and(crate::subscriptions::platform::Platform::can_be_asked)
            })
            .map(|(index, found)| Target {
                index,
                subscription: Arc::new(found.clone()),
                word: Word::none(),
                due_at: None,
                running: false,
                failures: 0,
            })
            .collect();
        Self {
            every,
            apis: Apis::new(Some(store.clone())),
            store,
            variable,
            targets,
            running: JoinSet::new(),
        }
    }

    /// Those of other subscriptions; nothing is known of them yet.
    pub fn replace(&mut self, subscriptions: &[Subscription], every: Duration) {
        *self = Self::new(subscriptions, every, self.variable, self.store.clone());
    }

    /// What the platform last said of the subscription with this index; `None`: it is not asked.
    pub fn word(&self, index: usize) -> Option<&Word> {
        let target = self.targets.iter().find(|target| target.index == index);
        target.map(|target| &target.word)
    }

    /// Knows nothing any more: another process may have asked meanwhile.
    pub fn forget(&mut self) {
        self.running = JoinSet::new();
        for target in &mut self.targets {
            target.word = Word::none();
            target.due_at = None;
            target.running = false;
            target.failures = 0;
        }
    }

    /// Asks those whose time has come.
    pub fn start_due(&mut self, now: UtcMicros) {
        for target in &mut self.targets {
            if target.running || target.due_at.is_some_and(|due| due > now) {
                continue;
            }
            target.running = true;
            let (index, subscription) = (target.index, Arc::clone(&target.subscription));
            let opened = match &subscription.platform {
                Some(platform) => self.apis.open(platform, &self.variable),
                None => Ok(None),
            };
            self.running.spawn(async move {
                match opened {
                    Ok(Some(api)) => {
                        let seen = match &subscription.platform {
                            Some(platform) => inspect(&api, &subscription, platform).await,
                            None => Inspection::unknown(),
                        };
                        (index, Some(api), seen)
                    }
                    Ok(None) => (index, None, Inspection::unknown()),
                    Err(error) => {
                        let mut seen = Inspection::unknown();
                        seen.findings.push(Finding::Unknown {
                            what: "the platform's side".to_owned(),
                            why: runtime::chain(&error),
                        });
                        (index, None, seen)
                    }
                }
            });
        }
    }

    /// The answers that have come.
    pub fn answers(&mut self, now: UtcMicros) -> Vec<Checked> {
        let mut answers = Vec::new();
        while let Some(done) = self.running.try_join_next() {
            match done {
                Ok(answer) => answers.extend(self.settle(answer, now)),
                Err(error) => {
                    // A panic is a mistake of ours; the question is asked again by and by.
                    tracing::error!(error = %runtime::chain(&error), "a look at a platform ended");
                    for target in self.targets.iter_mut().filter(|target| target.running) {
                        target.running = false;
                        target.due_at = Some(now.plus(millis(AGAIN)));
                    }
                    self.running = JoinSet::new();
                }
            }
        }
        answers
    }

    /// As [`Self::answers`], once all questions under way are answered.
    pub async fn all_answers(&mut self, now: UtcMicros) -> Vec<Checked> {
        let mut answers = Vec::new();
        while let Some(done) = self.running.join_next().await {
            if let Ok(answer) = done {
                answers.extend(self.settle(answer, now));
            }
        }
        answers
    }

    fn settle(&mut self, (index, api, seen): Answer, now: UtcMicros) -> Option<Checked> {
        let refused = |finding: &Finding| matches!(finding, Finding::Refused { .. });
        if let Some(api) = api
            && seen.findings.iter().any(refused)
        {
            self.apis.forget(&api);
        }
        let target = self
            .targets
            .iter_mut()
            .find(|target| target.index == index)?;
        let answered = seen.view != View::Unknown;
        target.running = false;
        target.word = Word {
            view: seen.view,
            why: seen.line(),
        };
        let delay = if answered {
            target.failures = 0;
            let jitter = 1.0 - JITTER + 2.0 * JITTER * rand::random::<f64>();
            self.every.mul_f64(jitter)
        } else {
            let schedule = Schedule {
                first: AGAIN,
                longest: self.every.max(AGAIN),
            };
            let next = schedule.next(target.failures, Cause::Failed, None, rand::random());
            target.failures = next.attempt;
            next.delay
        };
        target.due_at = Some(now.plus(millis(delay)));
        Some(Checked {
            index,
            answered,
            seen,
        })
    }
}

fn millis(duration: Duration) -> Millis {
    Millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}
