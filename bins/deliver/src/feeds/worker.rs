//! The loop of one feed.

use super::Feed;
use super::content;
use super::meters::{Meters, Outcome};
use super::sink::{Fate, Parcel, Sink};
use crate::send::grace_nearly_over;
use access::StoreBreaker;
use feed::{Digest, Figure, Format, Last, LayoutVersion, Revision, Step, Table, due, encode, step};
use platform::breaker::Signal;
use platform::breaker::shared::{Leave, Permission, Shared};
use platform::client::CallError;
use platform::retry::Cause;
use runtime::metrics::CounterHandle;
use runtime::{Backoff, Shutdown, chain};
use schema::{MetricVersion, Millis, UtcMicros};
use std::time::{Duration, Instant};
use store::feeds::{self, Ask, Due, File, Known, LastState, Lease, Registered, Wanted};
use store::{Class, Store, StoreError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use window::Window;

/// So many intervals are planned at once: of a feed that begins in the past.
const PLAN_MAX: usize = 500;
/// So many are made up in one look at the windows; of those that are made of several windows one, for these may be many.
const CLAIM_MAX: u32 = 8;
/// A lease is for so many requests that take as long as they may.
const REQUESTS_A_LEASE: u32 = 4;
/// An open breaker is looked at again after so long: an operator may close it.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// So much of the past is looked at in one statement for windows that have changed: in one for all of `correct_for` the database might have to
/// read more than it has time for.
const LOOK: i64 = 86_400_000_000;
/// How often what waits is counted.
const COUNT_EVERY: Duration = Duration::from_secs(10);

/// What a worker is built from.
#[derive(Debug)]
pub struct Parts {
    /// The feed.
    pub feed: Feed,
    /// The store.
    pub store: Store,
    /// Its counters.
    pub meters: Meters,
    /// Counts failures of the store.
    pub store_retries: CounterHandle,
    /// How often to look for what is due.
    pub poll: Duration,
    /// How much longer than requests take at most a lease is.
    pub lease_margin: Duration,
    /// When the process is to stop, and how long it has then.
    pub shutdown: Shutdown,
}

/// One feed's loop and what it remembers between rounds.
#[derive(Debug)]
pub struct Worker {
    feed: Feed,
    kpis: Vec<(String, Option<MetricVersion>)>,
    group_by: String,
    store: Store,
    sink: Sink,
    breaker: Option<Shared<StoreBreaker>>,
    meters: Meters,
    store_retries: CounterHandle,
    poll: Duration,
    /// How many intervals are made up in one look.
    most: u32,
    lease: Duration,
    lease_margin: Duration,
    shutdown: Shutdown,
    stop: CancellationToken,
    /// When it is looked next whether windows have changed.
    look_at: Instant,
    /// What is left of the look that is under way.
    looking: Option<Look>,
    /// When what waits is counted next.
    count_at: Instant,
    /// Until then nothing is sent: the receiver asked for it, or is in trouble.
    rest_until: Instant,
}

/// Which intervals are still to be looked at for windows that have changed: those that begin between the two.
#[derive(Debug, Clone, Copy)]
struct Look {
    since: UtcMicros,
    until: UtcMicros,
}

/// What a round came to.
enum Round {
    /// There may be more.
    Worked,
    /// Nothing to do before this is over.
    Idle(Duration),
}

/// Whether the intervals that are left of a claim may go on.
enum Next {
    /// They may.
    Go,
    /// Not now: the receiver is in trouble or asked to wait so long.
    Rest(Duration),
}

/// An interval made up: its file's content and what to do with it.
struct Made {
    table: Table,
    digest: Digest,
    step: Step,
}

/// One interval under a lease.
struct Held<'a> {
    lease: Lease<'a>,
    due: &'a Due,
    stamp: &'a str,
    ends: Instant,
}

impl Worker {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Result<Self, CallError> {
        let feed = parts.feed;
        let definition = &feed.definition;
        let breaker = feed.place.breaker_name().map(|name| {
            let keeper = StoreBreaker::new(parts.store.clone(), name, feed.breaker);
            Shared::new(keeper, feed.timeouts.total + parts.lease_margin)
        });
        let now = Instant::now();
        Ok(Self {
            kpis: definition
                .kpis
                .iter()
                .map(|kpi| (kpi.name.clone(), kpi.version))
                .collect(),
            group_by: definition.by.text(),
            sink: Sink::new(&feed)?,
            breaker,
            store: parts.store,
            meters: parts.meters,
            store_retries: parts.store_retries,
            poll: parts.poll,
            most: if definition.window == definition.interval {
                CLAIM_MAX
            } else {
                1
            },
            lease: feed.timeouts.total * REQUESTS_A_LEASE + parts.lease_margin,
            lease_margin: parts.lease_margin,
            stop: parts.shutdown.token(),
            shutdown: parts.shutdown,
            look_at: now,
            looking: None,
            count_at: now,
            rest_until: now,
            feed,
        })
    }

    /// Runs until told to stop. Only what an operator must mend of the database ends it before. A feed that may not be sent as the file has it
    /// rests until then: targets and other feeds go on.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut backoff = Backoff::for_connections();
        let mut registered = false;
        while !self.stop.is_cancelled() {
            let round = if registered {
                self.round().await
            } else {
                match self.register().await {
                    Ok(Known::Yes) => {
                        registered = true;
                        Ok(Round::Worked)
                    }
                    Ok(Known::AsOther(known)) => {
                        self.refuse(&known);
                        self.stop.cancelled().await;
                        return Ok(());
                    }
                    Err(error @ StoreError::OtherTenant { .. }) => {
                        tracing::error!(
                            feed = self.name(), error = %chain(&error),
                            "another organisation's feed has this name: nothing of this one is sent until it has another name and deliver is \
                             started again"
                        );
                        self.stop.cancelled().await;
                        return Ok(());
                    }
                    Err(error) => Err(error),
                }
            };
            match round {
                Ok(Round::Worked) => backoff.reset(),
                Ok(Round::Idle(wait)) => {
                    backoff.reset();
                    tokio::select! {
                        () = self.stop.cancelled() => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                }
                Err(error) if error.class() == Class::Fatal => return Err(error.into()),
                Err(error) => {
                    self.store_retries.inc();
                    tracing::warn!(feed = self.name(), error = %chain(&error), "the store is in trouble");
                    backoff.pause(&self.stop).await;
                }
            }
        }
        Ok(())
    }

    fn name(&self) -> &str {
        &self.feed.definition.name
    }

    fn ask(&self) -> Ask<'_> {
        Ask {
            tenant: self.feed.definition.tenant.as_str(),
            group_by: &self.group_by,
            size: self.feed.definition.window.name(),
            kpis: &self.kpis,
        }
    }

    async fn register(&self) -> Result<Known, StoreError> {
        let definition = &self.feed.definition;
        let registered = Registered {
            feed: &definition.name,
            tenant: definition.tenant.as_str(),
            size: definition.interval.name(),
            zone: definition.zone.name(),
            layout: definition.layout.0,
            layout_text: &definition.layout_text(),
            from: self.feed.from,
        };
        feeds::register(&self.store, &registered).await
    }

    /// Says what an operator must mend.
    fn refuse(&self, known: &str) {
        let LayoutVersion(layout) = self.feed.definition.layout;
        let next = layout.saturating_add(1);
        let text = self.feed.definition.layout_text();
        tracing::error!(
            feed = self.name(),
            layout,
            "the columns of this feed are not those of layout {layout} any more: nothing of it is sent until it is given layout {next} and \
             deliver is started again. They were:\n{known}They are:\n{text}"
        );
    }

    /// A failure that keeps nothing from being sent is told and passes; one that only an operator can mend does not.
    fn pass(&self, done: Result<(), StoreError>, what: &'static str) -> Result<(), StoreError> {
        match done {
            Err(error) if error.class() != Class::Fatal => {
                self.store_retries.inc();
                tracing::warn!(feed = self.name(), what, error = %chain(&error), "this has to wait: the store is in trouble");
                Ok(())
            }
            done => done,
        }
    }

    async fn round(&mut self) -> Result<Round, StoreError> {
        let planned = self.plan().await?;
        let now = Instant::now();
        // Neither keeps what is due from being sent, and one that fails waits for its next turn.
        let looked = self.look_for_changes(now).await;
        self.pass(looked, "to look for windows that have changed")?;
        if now >= self.count_at {
            self.count_at = now + COUNT_EVERY;
            let counted = self.count().await;
            self.pass(counted, "to count what waits")?;
        }
        let rest = self.rest_until.saturating_duration_since(now);
        if !rest.is_zero() {
            return Ok(Round::Idle(rest.min(LOOK_AGAIN)));
        }
        let leave = match &self.breaker {
            None => None,
            Some(breaker) => match breaker.permit().await? {
                Permission::Granted(leave) => Some(leave),
                Permission::Wait { wait, .. } => return Ok(Round::Idle(wait.min(LOOK_AGAIN))),
            },
        };
        let lease = Uuid::now_v7();
        let ends = Instant::now() + self.lease;
        let claimed = match self.claim(lease).await {
            Ok(claimed) if !claimed.is_empty() => claimed,
            other => {
                self.record(leave, Signal::Neutral, "").await;
                other?;
                let is_more = planned == PLAN_MAX || self.looking.is_some();
                return Ok(if is_more {
                    Round::Worked
                } else {
                    Round::Idle(self.poll)
                });
            }
        };
        self.work(lease, ends, &claimed, leave).await
    }

    async fn claim(&self, lease: Uuid) -> Result<Vec<Due>, StoreError> {
        let client = self.store.client().await?;
        feeds::claim(&client, self.name(), self.most, lease, self.lease).await
    }

    /// Plans the intervals whose time has come; how many these are.
    async fn plan(&self) -> Result<usize, StoreError> {
        let definition = &self.feed.definition;
        let client = self.store.client().await?;
        let planned = feeds::planned(&client, &definition.name).await?;
        let windows = due(
            definition.interval,
            definition.zone,
            planned.until,
            planned.now,
            definition.settle,
            PLAN_MAX,
        );
        let windows: Vec<_> = windows.iter().map(|w| (w.start, w.end)).collect();
        feeds::plan(&client, &definition.name, planned.until, &windows).await?;
        Ok(windows.len())
    }

    /// Looks at a day of intervals, the latest first, where a look is due or under way. A round looks at one day only, so that what is due does
    /// not wait for all of them.
    async fn look_for_changes(&mut self, now: Instant) -> Result<(), StoreError> {
        let look = match self.looking.take() {
            Some(look) => look,
            None if now < self.look_at => return Ok(()),
            None => {
                self.look_at = now + self.feed.correct_every;
                let client = self.store.client().await?;
                let until = feeds::planned(&client, self.name()).await?.now;
                let back = i64::try_from(self.feed.correct_for.as_micros()).unwrap_or(i64::MAX);
                let since = UtcMicros(until.0.saturating_sub(back));
                Look { since, until }
            }
        };
        let from = UtcMicros(look.until.0.saturating_sub(LOOK).max(look.since.0));
        // Moved on first: a day that cannot be read keeps no other from being looked at, and has its turn in the next look.
        self.looking = (from > look.since).then_some(Look {
            until: from,
            ..look
        });
        let client = self.store.client().await?;
        let touched = feeds::touched(&client, self.name(), &self.ask(), from, look.until).await?;
        if touched > 0 {
            tracing::info!(
                feed = self.name(),
                intervals = touched,
                "windows have changed since they were sent"
            );
        }
        Ok(())
    }

    async fn count(&self) -> Result<(), StoreError> {
        let client = self.store.client().await?;
        let waiting = feeds::waiting(&client, self.name()).await?;
        let now = crate::send::now();
        let waited = waiting.oldest.map_or(0, |since| now.since(since).0 / 1000);
        self.meters.waiting(waiting.intervals, waited.max(0));
        Ok(())
    }

    /// Makes up what was claimed, and sends it one by one.
    async fn work(
        &mut self,
        lease: Uuid,
        ends: Instant,
        claimed: &[Due],
        mut leave: Option<Leave>,
    ) -> Result<Round, StoreError> {
        let worked = self.work_through(lease, ends, claimed, &mut leave).await;
        // What it was for was not asked.
        self.record(leave.take(), Signal::Neutral, "").await;
        if let Ok(Next::Rest(rest)) = &worked {
            self.rest_until = Instant::now() + *rest;
        }
        // What was not come to is due at once, and goes before what has failed.
        let client = self.store.client().await?;
        feeds::give_back(&client, self.name(), lease, Duration::ZERO).await?;
        worked.map(|_| Round::Worked)
    }

    async fn work_through(
        &self,
        lease: Uuid,
        ends: Instant,
        claimed: &[Due],
        leave: &mut Option<Leave>,
    ) -> Result<Next, StoreError> {
        let intervals: Vec<_> = claimed.iter().map(|due| (due.start, due.end)).collect();
        let client = self.store.client().await?;
        // The stamps first: a change in between is found later, and not missed.
        let stamps = feeds::stamps(&client, &self.ask(), &intervals).await?;
        let rows = feeds::figures(&client, &self.ask(), &intervals).await?;
        drop(client);
        let figures = content::by_interval(rows, intervals.len());
        for ((due, stamp), figures) in claimed.iter().zip(&stamps).zip(figures) {
            let held = Held {
                lease: Lease {
                    id: lease,
                    feed: self.name(),
                    start: due.start,
                    wanted: due.wanted,
                },
                due,
                stamp,
                ends,
            };
            // The request must be over, and written down, before the lease is.
            let latest = self.feed.timeouts.total + self.lease_margin / 2;
            if self.stop.is_cancelled() || held.ends < Instant::now() + latest {
                return Ok(Next::Go);
            }
            if let Next::Rest(rest) = self.interval(&held, figures, leave).await? {
                return Ok(Next::Rest(rest));
            }
        }
        Ok(Next::Go)
    }

    async fn interval(
        &self,
        held: &Held<'_>,
        figures: Result<Vec<Figure>, String>,
        leave: &mut Option<Leave>,
    ) -> Result<Next, StoreError> {
        let made = figures.and_then(|figures| self.make(held.due, &figures));
        let made = match made {
            Ok(made) => made,
            Err(why) => {
                tracing::error!(feed = self.name(), start = %held.due.start, why, "an interval cannot be made up");
                self.put_off(held, None, Cause::Failed, None, &why).await?;
                return Ok(Next::Go);
            }
        };
        match made.step {
            Step::Done | Step::Skip => {
                let is_empty = made.step == Step::Skip;
                let client = self.store.client().await?;
                feeds::nothing(&client, held.lease, is_empty, held.stamp).await?;
                self.meters.interval(if is_empty {
                    Outcome::Empty
                } else {
                    Outcome::Unchanged
                });
                Ok(Next::Go)
            }
            Step::Send {
                revision,
                is_correction,
            } => self.send(held, made, revision, is_correction, leave).await,
        }
    }

    /// Lays an interval out, and decides.
    fn make(&self, due: &Due, figures: &[Figure]) -> Result<Made, String> {
        let definition = &self.feed.definition;
        let interval = Window {
            start: due.start,
            end: due.end,
        };
        let table = Table::of(definition, interval, figures).map_err(|error| error.to_string())?;
        let digest = table.digest();
        let last = due.last.as_ref().map(last);
        let step = step(
            last.as_ref(),
            digest,
            table.rows().is_empty(),
            due.wanted == Wanted::Replay,
            definition.empty,
        );
        Ok(Made {
            table,
            digest,
            step,
        })
    }

    async fn send(
        &self,
        held: &Held<'_>,
        made: Made,
        revision: Revision,
        is_correction: bool,
        leave: &mut Option<Leave>,
    ) -> Result<Next, StoreError> {
        let definition = &self.feed.definition;
        let rows = made.table.rows().len();
        let interval = made.table.interval();
        let table = made.table.sent_as(revision, is_correction);
        let bytes = match encode(definition, &table) {
            Ok(bytes) => bytes,
            Err(error) => {
                let why = chain(&error);
                tracing::error!(feed = self.name(), start = %held.due.start, why, "a file cannot be written");
                self.put_off(held, None, Cause::Failed, None, &why).await?;
                return Ok(Next::Go);
            }
        };
        let name = definition.file_of(interval, revision);
        let file = File {
            revision: revision.0,
            layout: definition.layout.0,
            digest: &made.digest.0,
            is_correction,
            name: &name,
            rows,
            bytes: bytes.len(),
        };
        let permit = match leave.take() {
            Some(leave) => Some(leave),
            None => match &self.breaker {
                None => None,
                Some(breaker) => match breaker.permit().await? {
                    Permission::Granted(leave) => Some(leave),
                    Permission::Wait { wait, .. } => return Ok(Next::Rest(wait.min(LOOK_AGAIN))),
                },
            },
        };
        let prepared = feeds::prepare(&self.store, held.lease, &file).await;
        if !matches!(prepared, Ok(true)) {
            self.record(permit, Signal::Neutral, "").await;
            prepared?;
            tracing::warn!(feed = self.name(), start = %held.due.start, "the lease of an interval has run out: it is another process's");
            return Ok(Next::Go);
        }
        let parcel = Parcel {
            key: format!("{}/{}/r{}", definition.name, interval.start, revision.0),
            about: self.about(&file, interval),
            content_type: Format::content_type(&definition.format),
            bytes,
            name: name.clone(),
        };
        let began = Instant::now();
        let (fate, signal) = tokio::select! {
            biased;
            sent = self.sink.send(parcel) => sent,
            () = grace_nearly_over(&self.shutdown) => (unknown(), Signal::Neutral),
        };
        self.meters.took(began.elapsed());
        match fate {
            Fate::Taken => {
                self.record(permit, signal, "").await;
                let is_ours = feeds::sent(&self.store, held.lease, revision.0, held.stamp).await?;
                let again = held.due.last.as_ref().is_some_and(|last| {
                    last.revision == revision.0 && last.state != LastState::Failed
                });
                self.meters.interval(match (again, is_correction) {
                    (true, _) => Outcome::Again,
                    (false, true) => Outcome::Corrected,
                    (false, false) => Outcome::Sent,
                });
                tracing::info!(
                    feed = self.name(), start = %interval.start, revision = revision.0, correction = is_correction, file = name, rows,
                    bytes = file.bytes, wanted = held.due.wanted.as_str(), is_ours, "sent a file"
                );
                Ok(Next::Go)
            }
            Fate::Failed {
                is_absent,
                wait,
                is_patient,
                why,
            } => {
                self.record(permit, signal, &why).await;
                tracing::warn!(feed = self.name(), start = %interval.start, revision = revision.0, file = name, why, "a file was not sent");
                let cause = if is_patient {
                    Cause::Snoozed
                } else {
                    Cause::Failed
                };
                let tried = Some((revision.0, is_absent));
                let rest = self.put_off(held, tried, cause, wait, &why).await?;
                // A refusal is of this file. Trouble meets the next one too, but not for as long as this one waits, unless the receiver
                // says so: else one file that it cannot stomach would keep all others.
                Ok(match signal {
                    _ if is_patient || wait.is_some() => Next::Rest(rest),
                    Signal::Failure => Next::Rest(rest.min(LOOK_AGAIN)),
                    Signal::Success | Signal::Neutral => Next::Go,
                })
            }
        }
    }

    /// What the receiver is told of a file beside it.
    fn about(&self, file: &File<'_>, interval: Window) -> Vec<(&'static str, String)> {
        let definition = &self.feed.definition;
        vec![
            ("feed", definition.name.clone()),
            ("layout", file.layout.to_string()),
            ("start", interval.start.to_string()),
            ("end", interval.end.to_string()),
            ("revision", file.revision.to_string()),
            ("correction", file.is_correction.to_string()),
            ("rows", file.rows.to_string()),
            ("digest", Digest(*file.digest).to_string()),
        ]
    }

    /// The interval goes again later; how much later.
    async fn put_off(
        &self,
        held: &Held<'_>,
        tried: Option<(u32, bool)>,
        cause: Cause,
        hint: Option<Duration>,
        why: &str,
    ) -> Result<Duration, StoreError> {
        let attempt = held.due.attempt;
        let next = self
            .feed
            .schedule
            .next(attempt, cause, hint, rand::random());
        self.meters.interval(Outcome::Failed);
        feeds::failed(
            &self.store,
            held.lease,
            tried,
            next.attempt,
            next.delay,
            why,
        )
        .await?;
        Ok(next.delay)
    }

    async fn record(&self, leave: Option<Leave>, signal: Signal, why: &str) {
        if let Some((breaker, leave)) = self.breaker.as_ref().zip(leave)
            && let Err(error) = breaker.record(leave, signal, why).await
        {
            tracing::warn!(
                feed = self.name(), error = %chain(&error),
                "what a request said about the receiver's health could not be written down"
            );
        }
    }
}

fn last(last: &feeds::Last) -> Last {
    let mut digest = [0; 32];
    // The table lets no other length in.
    if last.digest.len() == digest.len() {
        digest.copy_from_slice(&last.digest);
    }
    Last {
        revision: Revision(last.revision),
        digest: Digest(digest),
        is_sent: last.state == LastState::Sent,
        is_absent: last.state == LastState::Failed && !last.is_doubtful,
        is_correction: last.is_correction,
    }
}

fn unknown() -> Fate {
    Fate::Failed {
        is_absent: false,
        wait: None,
        is_patient: false,
        why: "the process was told to stop before the answer came".to_owned(),
    }
}

/// For [`due`]: a duration in whole milliseconds.
#[must_use]
pub(super) fn millis(duration: Duration) -> Millis {
    Millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}
