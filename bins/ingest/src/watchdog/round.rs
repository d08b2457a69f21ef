//! One turn of the watchdog: report what was received; if this process leads, ask, decide, write and tell.

use super::checks::{Checked, Checks};
use super::decide::{Known, Verdict, decide, may_be_quiet};
use super::traffic::Traffic;
use super::{Watch, meters};
use crate::subscriptions::Subscription;
use crate::subscriptions::platform::QuietWhen;
use freshness::usual::{Usual, WEEKS};
use runtime::Metrics;
use schema::{Millis, UtcMicros};
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;
use store::leader::{self, Contender};
use store::subscriptions::{Change, Heard, News, Standing, State};
use store::{Store, StoreError, status, subscriptions};

/// The name of the lead.
const LEAD: &str = "ingest watchdog";
/// The component in `pipeline_status`. One leads, so there is one instance.
const COMPONENT: &str = "ingest watchdog";
const INSTANCE: &str = "leader";
/// How often the leader says something there though nothing has changed.
const TELL_EVERY: Millis = Millis(30_000);
/// How long what is usual is taken for known.
const USUAL_FOR: Millis = Millis(600_000);
const HOUR: i64 = 3_600_000_000;

/// What the watchdog of a process works with.
#[derive(Debug)]
pub struct Round {
    store: Store,
    traffic: Traffic,
    metrics: Metrics,
    watched: Vec<Watched>,
    contender: Contender,
    checks: Checks,
    usual: HashMap<usize, (UtcMicros, Usual)>,
    /// The rows of all subscriptions are there.
    begun: bool,
    told_at: Option<UtcMicros>,
}

/// One subscription.
#[derive(Debug)]
struct Watched {
    name: String,
    tenant: String,
    quiet_after: Duration,
    quiet_when: QuietWhen,
    findings: Option<String>,
}

impl Round {
    /// The watchdog of a process. The function looks up environment variables for the platforms' credentials.
    pub fn new(
        store: Store,
        watch: &Watch,
        traffic: Traffic,
        metrics: Metrics,
        variable: fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            watched: watched(watch),
            checks: Checks::new(
                &watch.subscriptions,
                watch.check_every,
                variable,
                store.clone(),
            ),
            contender: Contender::new(store.clone(), LEAD),
            store,
            traffic,
            metrics,
            usual: HashMap::new(),
            begun: false,
            told_at: None,
        }
    }

    /// Watches other subscriptions from now on. What is known of those that stay is in their rows.
    pub fn watch(&mut self, watch: &Watch) {
        let before = std::mem::replace(&mut self.watched, watched(watch));
        for old in before {
            match self.watched.iter_mut().find(|found| found.is(&old)) {
                Some(found) => found.findings = old.findings,
                None => meters::forget(&self.metrics, &old.name),
            }
        }
        self.checks.replace(&watch.subscriptions, watch.check_every);
        self.usual.clear();
        self.begun = false;
        self.told_at = None;
    }

    /// One turn. Says whether this process leads.
    pub async fn run(&mut self, now: UtcMicros) -> Result<bool, StoreError> {
        if !self.begin(now).await? {
            return Ok(false); // the workers say that the schema is missing
        }
        // Looked at before what was heard is taken: everything up to then is written with it or before it.
        let worked_off = self.traffic.worked_off(now);
        self.report().await?;
        if let Some(at) = worked_off {
            subscriptions::note_worked_off(&self.store.client().await?, at).await?;
        }
        let leads = match self.contender.standing().await? {
            leader::Standing::Follows => false,
            leader::Standing::Leads => true,
            leader::Standing::TookOver => {
                tracing::info!("watches over the subscriptions");
                self.checks.forget();
                self.told_at = None;
                true
            }
        };
        if leads {
            let answers = self.checks.answers(now);
            self.note(answers, now).await?;
            self.checks.start_due(now);
        }
        // Read before the rows: a delivery of the meantime may only be missing there.
        let worked_off = subscriptions::worked_off(&self.store.client().await?).await?;
        let worked_off = worked_off.map(|at| at.min(now));
        let mut standings = subscriptions::list(&self.store.client().await?).await?;
        if leads && self.judge(&standings, worked_off, now).await? {
            standings = subscriptions::list(&self.store.client().await?).await?;
            self.told_at = None;
        }
        let ours: Vec<&Standing> = self
            .watched
            .iter()
            .filter_map(|watched| watched.among(&standings))
            .collect();
        meters::show(&self.metrics, &ours, now);
        if leads {
            self.tell(&standings, now).await?;
        }
        Ok(leads)
    }

    /// Waits for the platforms' answers to questions under way, and notes them.
    pub async fn answered(&mut self, now: UtcMicros) -> Result<(), StoreError> {
        let answers = self.checks.all_answers(now).await;
        self.note(answers, now).await
    }

    /// Writes when deliveries were received since the last time, and how new what was in them is.
    pub async fn report(&self) -> Result<(), StoreError> {
        self.report_heard().await?;
        self.report_news().await
    }

    async fn report_news(&self) -> Result<(), StoreError> {
        let news = self.traffic.take_news();
        if news.is_empty() {
            return Ok(());
        }
        let rows: Vec<News<'_>> = news
            .iter()
            .map(|((name, tenant), newest)| News {
                subscription: name.as_str(),
                tenant: tenant.as_str(),
                event: newest.event,
                received: newest.received,
            })
            .collect();
        let written = match self.store.client().await {
            Ok(client) => subscriptions::note_news(&client, &rows).await,
            Err(error) => Err(error),
        };
        if written.is_err() {
            self.traffic.give_back_news(news);
        }
        written
    }

    async fn report_heard(&self) -> Result<(), StoreError> {
        let heard = self.traffic.take();
        if heard.is_empty() {
            return Ok(());
        }
        let rows: Vec<Heard<'_>> = heard
            .iter()
            .map(|((name, tenant), (first, last))| Heard {
                subscription: name.as_str(),
                tenant: tenant.as_str(),
                first: *first,
                last: *last,
            })
            .collect();
        let written = match self.store.client().await {
            Ok(client) => subscriptions::heard(&client, &rows).await,
            Err(error) => Err(error),
        };
        if written.is_err() {
            self.traffic.give_back(heard);
        }
        written
    }

    async fn begin(&mut self, now: UtcMicros) -> Result<bool, StoreError> {
        if self.begun {
            return Ok(true);
        }
        if !store::migrate::state(&self.store).await?.ready {
            return Ok(false);
        }
        let names: Vec<(&str, &str)> = self
            .watched
            .iter()
            .map(|watched| (watched.name.as_str(), watched.tenant.as_str()))
            .collect();
        subscriptions::watch(&self.store.client().await?, &names, now).await?;
        self.begun = true;
        Ok(true)
    }

    /// Notes what the platforms said. A word that is new is told.
    async fn note(&mut self, answers: Vec<Checked>, now: UtcMicros) -> Result<(), StoreError> {
        for checked in answers {
            let Some(watched) = self.watched.get_mut(checked.index) else {
                continue;
            };
            let line = checked.seen.line();
            let at = checked.answered.then_some(now);
            let client = self.store.client().await?;
            subscriptions::checked(&client, &watched.name, &watched.tenant, at, &line).await?;
            if watched.findings.as_ref() != Some(&line) {
                let (subscription, platform) = (&watched.name, checked.seen.view.word());
                if line.is_empty() {
                    tracing::info!(
                        subscription,
                        platform,
                        "the platform's side is as it should be"
                    );
                } else {
                    tracing::warn!(
                        subscription,
                        platform,
                        findings = line,
                        "the platform's side is not as it should be"
                    );
                }
                watched.findings = Some(line);
            }
        }
        Ok(())
    }

    /// Decides about each, and writes what has changed. Says whether anything has.
    async fn judge(
        &mut self,
        standings: &[Standing],
        worked_off: Option<UtcMicros>,
        now: UtcMicros,
    ) -> Result<bool, StoreError> {
        let mut changed = false;
        for index in 0..self.watched.len() {
            let watched = &self.watched[index];
            let (quiet_after, quiet_when) = (watched.quiet_after, watched.quiet_when);
            let Some(standing) = watched.among(standings) else {
                self.begun = false; // somebody has deleted the row
                continue;
            };
            // In a silence under way, too: a pause that is usual is no end of the deliveries that have begun again.
            let asks =
                quiet_when == QuietWhen::Unusual && may_be_quiet(standing, worked_off, quiet_after);
            if asks {
                self.look_back(index, standing, now).await?;
            }
            let verdict = decide(Known {
                standing,
                now,
                worked_off,
                quiet_after,
                usual: self
                    .usual
                    .get(&index)
                    .filter(|_| asks)
                    .map(|(_, usual)| usual),
                word: self.checks.word(index),
            });
            if let Some(verdict) = verdict {
                changed |= self.write(standing, &verdict).await?;
            }
        }
        for standing in self.unwatched(standings) {
            changed |= self.write(standing, &unwatched(standing, now)).await?;
        }
        Ok(changed)
    }

    /// Rows that the file does not have any more, and that still say something.
    fn unwatched<'s>(&self, standings: &'s [Standing]) -> impl Iterator<Item = &'s Standing> {
        let ours = |found: &Standing| {
            let mut watched = self.watched.iter();
            watched
                .any(|watched| watched.name == found.subscription && watched.tenant == found.tenant)
        };
        let rows = standings.iter().filter(move |found| !ours(found));
        rows.filter(|found| found.state != State::Unknown)
    }

    /// What is usual for one, read again now and then.
    async fn look_back(
        &mut self,
        index: usize,
        standing: &Standing,
        now: UtcMicros,
    ) -> Result<(), StoreError> {
        if let Some((read_at, _)) = self.usual.get(&index)
            && now.since(*read_at) < USUAL_FOR
        {
            return Ok(());
        }
        let back = (WEEKS + 1) * 7 * 24 * HOUR;
        let from = UtcMicros(now.0.saturating_sub(back));
        let client = self.store.client().await?;
        let (name, tenant) = (&standing.subscription, &standing.tenant);
        let hours = subscriptions::hours(&client, name, tenant, from, now).await?;
        self.usual.insert(index, (now, Usual::new(&hours)));
        Ok(())
    }

    /// Writes a verdict with its gap in one transaction. A row that is not as it was any more is left for the next round.
    async fn write(&self, standing: &Standing, verdict: &Verdict) -> Result<bool, StoreError> {
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let made = subscriptions::change(
            &tx,
            &Change {
                seen: standing,
                state: verdict.state,
                since: verdict.since,
                reason: &verdict.reason,
                silent_from: verdict.silent_from,
                resumed_at: verdict.resumed_at,
                gap: verdict.gap,
            },
        )
        .await?;
        tx.commit().await?;
        if made {
            tell_change(standing, verdict);
        }
        Ok(made)
    }

    /// The leader's word in `pipeline_status`.
    async fn tell(&mut self, standings: &[Standing], now: UtcMicros) -> Result<(), StoreError> {
        if self.told_at.is_some_and(|at| now.since(at) < TELL_EVERY) {
            return Ok(());
        }
        let at = |at: Option<UtcMicros>| at.map(|at| at.to_string());
        let list: Vec<_> = self
            .watched
            .iter()
            .filter_map(|watched| watched.among(standings))
            .map(|standing| {
                json!({
                    "subscription": standing.subscription,
                    "tenant": standing.tenant,
                    "state": standing.state.word(),
                    "since": standing.since.to_string(),
                    "reason": standing.reason,
                    "last_received_at": at(standing.last_received_at),
                    "checked_at": at(standing.checked_at),
                    "findings": standing.findings,
                })
            })
            .collect();
        let word = json!({ "subscriptions": list }).to_string();
        let client = self.store.client().await?;
        status::put(&client, COMPONENT, INSTANCE, &word).await?;
        self.told_at = Some(now);
        Ok(())
    }
}

fn watched(watch: &Watch) -> Vec<Watched> {
    let watched = |found: &Subscription| Watched {
        name: found.name.to_string(),
        tenant: found.tenant.to_string(),
        quiet_after: found
            .platform
            .as_ref()
            .and_then(|platform| platform.quiet_after)
            .unwrap_or(watch.quiet_after),
        quiet_when: found
            .platform
            .as_ref()
            .map_or(QuietWhen::Unusual, |platform| platform.quiet_when),
        findings: None,
    };
    watch.subscriptions.iter().map(watched).collect()
}

/// Nothing is known of it. What was missing when it was taken out of the file is still missing if it comes back.
fn unwatched(standing: &Standing, now: UtcMicros) -> Verdict {
    Verdict {
        state: State::Unknown,
        since: now,
        reason: "it is not in the subscriptions file".to_owned(),
        silent_from: standing.silent_from,
        resumed_at: standing.resumed_at,
        gap: None,
    }
}

impl Watched {
    fn is(&self, other: &Self) -> bool {
        self.name == other.name && self.tenant == other.tenant
    }

    fn among<'s>(&self, standings: &'s [Standing]) -> Option<&'s Standing> {
        standings
            .iter()
            .find(|found| found.subscription == self.name && found.tenant == self.tenant)
    }
}

/// A line for each change of the state, and for each gap.
fn tell_change(standing: &Standing, verdict: &Verdict) {
    let (subscription, tenant) = (standing.subscription.as_str(), standing.tenant.as_str());
    if let Some((from, to)) = verdict.gap {
        tracing::warn!(subscription, tenant, %from, %to, "nothing was received in between; the gap is recorded");
    }
    if verdict.state == standing.state {
        return;
    }
    let (before, state) = (standing.state.word(), verdict.state.word());
    let last_received_at = standing.last_received_at.map(tracing::field::display);
    match verdict.state {
        State::Quiet | State::Disabled | State::Missing => tracing::warn!(
            subscription,
            tenant,
            before,
            state,
            reason = verdict.reason,
            last_received_at,
            "a subscription does not deliver"
        ),
        State::Unknown => tracing::info!(
            subscription,
            tenant,
            before,
            state,
            reason = verdict.reason,
            "a subscription is not judged"
        ),
        State::Ok => tracing::info!(
            subscription,
            tenant,
            before,
            state,
            last_received_at,
            "a subscription delivers"
        ),
    }
}
