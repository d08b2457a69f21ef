//! A lane: takes a chunk, fetches its pages one by one, gives it back whenever it would have to wait, and takes another.
//!
//! A page is published and confirmed before the cursor is written that points behind it, and the next is fetched after that: whatever ends the
//! process, each lane's chunk goes on in another one with at most one page fetched again.
//!
//! Chunks of the live lane never wait behind those of the history lane, which may take hours: while something is followed, one of several lanes
//! takes nothing else, and where chunks of it wait all the same, a lane gives its history back after its page.

mod checkpoint;
mod cut;
mod message;

use crate::finish::{self, Finishing};
use crate::import::{FileChunks, ReadError};
use crate::outlet::Outlet;
use crate::platforms::Platform;
use crate::ready::{Ready, Unready};
use crate::replay;
use crate::source::Source;
use crate::sources::{self, Ask, Caller, Fault, Memory, Page, Step};
use crate::worker::gate::Gate;
use crate::worker::live::LiveLane;
use crate::worker::meters::Meters;
use crate::worker::outlets::{Outlets, Published};
use adapter::Mappings;
use checkpoint::{Unsaved, Write};
use message::Origin;
use platform::retry::{Cause, Schedule};
use runtime::{Backoff, chain};
use schema::UtcMicros;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::chunks::{self, Chunk, Filter, Hold, Progress, State, Why};
use store::jobs::{self, Job};
use store::{Class, Store, StoreError};
use tokio_util::sync::CancellationToken;

/// How often a lane without work looks for some.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How long a chunk rests that has to wait for the line.
const LINE_WAIT: Duration = Duration::from_millis(500);
/// So often in a row an answer to one cursor may be unreadable, until the chunk is given up.
const UNREADABLE_MAX: u32 = 8;
/// How soon it is looked at whether what was fetched has arrived.
const ARRIVES_IN: Duration = Duration::from_secs(1);

/// A platform as the lanes ask it.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) platform: Platform,
    pub(crate) caller: Caller,
    pub(crate) memory: Memory,
}

/// What all lanes of a process share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) outlets: Arc<Outlets>,
    pub(crate) gate: Gate,
    pub(crate) live: LiveLane,
    pub(crate) meters: Meters,
    pub(crate) platforms: BTreeMap<String, Reached>,
    pub(crate) names: Vec<String>,
    pub(crate) finishing: Finishing,
    pub(crate) reading: Arc<replay::Reading>,
    pub(crate) mappings: Arc<Mappings>,
    /// How long a chunk is ours without a sign of life.
    pub(crate) lease: Duration,
    pub(crate) page_bytes: usize,
    pub(crate) stop: CancellationToken,
}

/// One lane.
pub(crate) struct Lane {
    shared: Arc<Shared>,
    owner: String,
    /// It takes no history while something is followed.
    kept: bool,
    files: FileChunks,
    /// For a look at the queues when something has not arrived.
    outlet: Outlet,
}

/// How work on a chunk goes on.
enum Next {
    /// With the next step, from this cursor.
    Step(String),
    /// Not here: the chunk was given back or is over.
    Left,
}

impl Lane {
    /// One of a process's lanes; `owner` is a name that no other lane ever has. `kept`: the one that is for the live lane while there is
    /// something of it.
    pub(crate) fn new(shared: Arc<Shared>, owner: String, kept: bool) -> Self {
        let files = FileChunks::new(shared.mappings.clone());
        let finishing = &shared.finishing;
        let outlet = Outlet::new(finishing.broker.clone(), shared.stop.clone());
        Self {
            shared,
            owner,
            kept,
            files,
            outlet,
        }
    }

    /// Works until the process is to stop.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let stop = self.shared.stop.clone();
        let mut backoff = Backoff::for_connections();
        while !stop.is_cancelled() {
            match self.shared.take(&self.owner, self.kept).await {
                Ok(Some((job, chunk))) => {
                    backoff.reset();
                    self.shared.meters.busy.inc();
                    let worked = self.held(&job, &chunk).await;
                    self.shared.meters.busy.dec();
                    if let Err(error) = worked {
                        if error.is::<Unsaved>() {
                            return Err(error);
                        }
                        tracing::warn!(job = %job.id, chunk = chunk.number, error = %chain(error.as_ref()),
                                       "the chunk was left, and is taken again when its lease has run out");
                        if !backoff.pause(&stop).await {
                            break;
                        }
                    }
                }
                Ok(None) => {
                    let pause = LOOK_AGAIN.mul_f64(0.75 + rand::random::<f64>() / 2.0);
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(pause) => {}
                    }
                }
                Err(error) => {
                    if error.class() == Class::Fatal {
                        return Err(error.into());
                    }
                    tracing::warn!(error = %chain(&error), "no chunk can be taken now, trying again");
                    backoff.pause(&stop).await;
                }
            }
        }
        self.outlet.close().await;
        Ok(())
    }

    /// Works on a chunk and shows signs of life meanwhile; stops at once when it is no longer ours.
    async fn held(&mut self, job: &Job, chunk: &Chunk) -> anyhow::Result<()> {
        let (store, owner) = (self.shared.store.clone(), self.owner.clone());
        let length = self.shared.lease;
        // The work goes on while a sign of life is written: it may hold the connection that the sign waits for.
        tokio::select! {
            biased;
            worked = self.work(job, chunk) => worked,
            hold = alive(&store, job, chunk, &owner, length) => {
                tracing::info!(job = %job.id, chunk = chunk.number, ?hold, "the chunk is no longer ours");
                Ok(())
            }
        }
    }

    async fn work(&mut self, job: &Job, chunk: &Chunk) -> anyhow::Result<()> {
        if chunk.state == State::Fetched {
            let finishing = &self.shared.finishing;
            finish::check_chunk(finishing, &mut self.outlet, job, chunk, &self.owner).await?;
            return Ok(());
        }
        let calls = AtomicI64::new(0);
        let hand = Hand {
            shared: &self.shared,
            owner: &self.owner,
            job,
            chunk,
            calls: &calls,
        };
        let Some(source) = Source::parse(&job.kind) else {
            // Not taken in the first place.
            return hand.give_back(LINE_WAIT, Why::Waiting("release")).await;
        };
        let mut cursor = chunk.cursor_json.clone();
        loop {
            if self.shared.stop.is_cancelled() {
                return hand.give_back(Duration::ZERO, Why::Later).await;
            }
            if job.lane == jobs::Lane::History
                && let Some(reason) = self.shared.gate.closed_for().await
            {
                self.shared.meters.given_back(reason);
                return hand.give_back(LINE_WAIT, Why::Waiting(reason)).await;
            }
            if job.lane == jobs::Lane::History && self.shared.makes_room(self.kept).await {
                self.shared.meters.given_back("live_work");
                return hand.give_back(Duration::ZERO, Why::Later).await;
            }
            let next = match source {
                Source::Replay if cursor.as_deref().is_some_and(replay::is_uncut) => {
                    hand.cut().await?
                }
                Source::Replay => {
                    let (store, reading) = (&self.shared.store, &self.shared.reading);
                    let ready = replay::chunk_page(
                        store,
                        reading,
                        (job.id, job.metric_version),
                        job.tenant.as_deref(),
                        chunk.from..chunk.to,
                        cursor.as_deref(),
                    )
                    .await;
                    hand.ready(source, ready).await?
                }
                Source::Files => {
                    let version = (job.id, job.metric_version);
                    let cursor = cursor.as_deref().unwrap_or("{}");
                    let ready = self.files.page(version, &job.params_json, cursor).await;
                    hand.ready(source, ready).await?
                }
                _ => hand.platform(source, cursor.as_deref()).await?,
            };
            match next {
                Next::Step(behind) => cursor = Some(behind),
                Next::Left => return Ok(()),
            }
        }
    }
}

/// Shows signs of life until the chunk is no longer ours.
async fn alive(store: &Store, job: &Job, chunk: &Chunk, owner: &str, length: Duration) -> Hold {
    loop {
        tokio::time::sleep(length / 3).await;
        let written = async {
            let client = store.client().await?;
            chunks::heartbeat(&client, job.id, chunk.number, owner, 0, length).await
        };
        match written.await {
            Ok(hold) if hold.goes_on() => {}
            Ok(hold) => return hold,
            // The lease may run out; the next write tells.
            Err(error) => {
                tracing::warn!(error = %chain(&error), "no sign of life could be written");
            }
        }
    }
}

impl Shared {
    /// A chunk that is due. While the line has no room, and for the lane that is kept while something is followed, one of the live lane, or
    /// one that is only to be looked at.
    async fn take(&self, owner: &str, kept: bool) -> Result<Option<(Job, Chunk)>, StoreError> {
        // What a newer release has begun is for its workers.
        let kinds = Source::ALL.map(Source::name);
        let any = Filter {
            platforms: Some(&self.names),
            kinds: &kinds,
            ..Filter::default()
        };
        let live_only =
            self.gate.closed_for().await.is_some() || kept && self.live.is_followed().await;
        if !live_only {
            return self.leased(owner, &any).await;
        }
        let live = Filter {
            lane: Some(jobs::Lane::Live),
            ..any
        };
        if let Some(found) = self.leased(owner, &live).await? {
            return Ok(Some(found));
        }
        let fetched = Filter {
            state: Some(State::Fetched),
            ..any
        };
        self.leased(owner, &fetched).await
    }

    /// Whether a lane that works on history gives it back for what is live.
    async fn makes_room(&self, kept: bool) -> bool {
        kept && self.live.is_followed().await || self.live.wants_a_lane().await
    }

    async fn leased(
        &self,
        owner: &str,
        filter: &Filter<'_>,
    ) -> Result<Option<(Job, Chunk)>, StoreError> {
        let client = self.store.client().await?;
        chunks::lease(&client, owner, self.lease, filter).await
    }
}

/// A chunk in a lane's hands.
#[derive(Clone, Copy)]
struct Hand<'a> {
    shared: &'a Shared,
    owner: &'a str,
    job: &'a Job,
    chunk: &'a Chunk,
    calls: &'a AtomicI64,
}

impl Hand<'_> {
    /// One step of a platform's history.
    async fn platform(&self, source: Source, cursor: Option<&str>) -> anyhow::Result<Next> {
        let name = self.job.platform.as_deref().unwrap_or_default();
        let Some(reached) = self.shared.platforms.get(name) else {
            let why = format!("the platforms file has no platform {name:?}");
            self.refused(&why).await?;
            return Ok(Next::Left);
        };
        let ask = Ask {
            platform: &reached.platform,
            caller: &reached.caller,
            memory: &reached.memory,
            store: &self.shared.store,
            job: self.job,
            chunk: self.chunk,
            now: now(),
            calls: self.calls,
        };
        let step = match sources::step(source, &ask, cursor).await {
            Ok(step) => step,
            Err(fault) => {
                self.fault(source, reached.platform.access.schedule, fault)
                    .await?;
                return Ok(Next::Left);
            }
        };
        match step {
            Step::Page(page) => self.page(source, &reached.platform, page).await,
            Step::Moved(cursor) => self.moved(cursor, 0, 0, 0).await,
            Step::Wait {
                cursor,
                wait,
                reason,
            } => {
                if let Some(cursor) = cursor
                    && let Next::Left = self.moved(cursor, 0, 0, 0).await?
                {
                    return Ok(Next::Left);
                }
                self.shared.meters.given_back(reason);
                self.give_back(wait, Why::Waiting(reason)).await?;
                Ok(Next::Left)
            }
            Step::Again {
                cursor,
                why,
                attempt,
            } => {
                if let Next::Step(_) = self.moved(cursor, 0, 0, 0).await? {
                    let schedule = reached.platform.access.schedule;
                    self.failed(source, schedule, attempt, &why, None).await?;
                }
                Ok(Next::Left)
            }
            Step::Done { expected } => {
                self.fetched(expected).await?;
                Ok(Next::Left)
            }
        }
    }

    /// A page of the event log or of a file.
    async fn ready(
        &self,
        source: Source,
        ready: Result<Option<Ready>, Unready>,
    ) -> anyhow::Result<Next> {
        match ready {
            Ok(Some(ready)) => {
                let bytes = ready.bytes();
                if !self.published(&ready.messages).await? {
                    return Ok(Next::Left);
                }
                self.shared.meters.page(source.name(), ready.records, bytes);
                self.moved(ready.cursor_json, 1, ready.records, bytes).await
            }
            Ok(None) => {
                self.fetched(None).await?;
                Ok(Next::Left)
            }
            Err(Unready::Later(error)) => {
                let why = chain(error.as_ref());
                let attempt = attempt(self.chunk);
                self.failed(source, Schedule::default(), attempt, &why, None)
                    .await?;
                Ok(Next::Left)
            }
            Err(Unready::Refused(error)) => {
                self.refused(&chain(error.as_ref())).await?;
                Ok(Next::Left)
            }
        }
    }

    async fn page(&self, source: Source, platform: &Platform, page: Page) -> anyhow::Result<Next> {
        let (mappings, page_bytes) = (self.shared.mappings.clone(), self.shared.page_bytes);
        let (job, chunk) = (self.job.clone(), self.chunk.clone());
        let (tenant, subscription) = (platform.tenant.clone(), platform.subscription.clone());
        // A page may be as large as the longest answer: cut, digested and encoded where nobody else waits for the thread.
        let work = move || {
            let bodies = message::bodies(&page, mappings, page_bytes)?;
            let origin = Origin {
                job: &job,
                chunk: &chunk,
                tenant: &tenant,
                subscription: &subscription,
                now: now(),
            };
            let cut = message::messages(&origin, &page.format, bodies);
            Ok((page.cursor, cut))
        };
        let (cursor, cut) = match tokio::task::spawn_blocking(work).await? {
            Ok((cursor, cut)) => (cursor, cut?),
            Err(error) => {
                // An answer that was cut off comes whole the next time; one of another format does not.
                let why = format!("a page cannot be read: {}", chain(&error));
                let fault = match error {
                    ReadError::Format(_) => Fault::refused(why),
                    _ => Fault::Unreadable { why },
                };
                self.fault(source, platform.access.schedule, fault).await?;
                return Ok(Next::Left);
            }
        };
        if !self.published(&cut.messages).await? {
            return Ok(Next::Left);
        }
        self.shared
            .meters
            .page(source.name(), cut.records, cut.bytes);
        self.moved(cursor, 1, cut.records, cut.bytes).await
    }

    /// Publishes until it is confirmed. `false`: the process stops, and the chunk was given back as it was.
    async fn published(&self, messages: &[broker::Outgoing]) -> anyhow::Result<bool> {
        if messages.is_empty() {
            return Ok(true);
        }
        let stop = &self.shared.stop;
        match self.shared.outlets.publish(messages, stop).await {
            Ok(Published::Yes) => Ok(true),
            Ok(Published::Stopped) => {
                self.give_back(Duration::ZERO, Why::Later).await?;
                Ok(false)
            }
            Err(error) => {
                let why = format!("the broker refuses a page: {}", chain(error.as_ref()));
                self.refused(&why).await?;
                Ok(false)
            }
        }
    }

    /// Writes the cursor. Written however long the store takes to come back: what was published must not be fetched again for that.
    async fn moved(
        &self,
        cursor: String,
        pages: i64,
        records: u64,
        bytes: u64,
    ) -> anyhow::Result<Next> {
        let progress = Progress {
            cursor_json: Some(&cursor),
            pages,
            records: signed(records),
            bytes: signed(bytes),
            calls: self.calls.swap(0, Ordering::Relaxed),
        };
        let hold = self.written(Write::Progress(progress)).await?;
        match hold {
            Hold::Ours => Ok(Next::Step(cursor)),
            Hold::Stopped => {
                tracing::info!(job = %self.job.id, chunk = self.chunk.number, "the job was paused or cancelled");
                Ok(Next::Left)
            }
            Hold::Lost => {
                tracing::warn!(job = %self.job.id, chunk = self.chunk.number, "the chunk was taken over");
                Ok(Next::Left)
            }
        }
    }

    async fn fetched(&self, expected: Option<i64>) -> anyhow::Result<()> {
        // The requests that are not written yet: of the count, above all.
        let calls = self.calls.swap(0, Ordering::Relaxed);
        if calls > 0 {
            self.written(Write::Calls(calls)).await?;
        }
        self.written(Write::Fetched(expected)).await.map(drop)
    }

    async fn fault(&self, source: Source, schedule: Schedule, fault: Fault) -> anyhow::Result<()> {
        match fault {
            Fault::Later { wait, reason } => {
                self.shared.meters.given_back(reason);
                // Nothing is wrong with the chunk; its failures, if it had some, still count.
                let why = if reason == "pause" {
                    Why::Waiting(reason)
                } else {
                    Why::Later
                };
                let spread = wait.min(LINE_WAIT).mul_f64(rand::random::<f64>() / 2.0);
                self.give_back(wait + spread, why).await
            }
            Fault::TooSoon { wait, .. } => {
                self.shared.meters.given_back("pause");
                self.give_back(wait, Why::Waiting("pause")).await
            }
            Fault::Unreadable { why } => {
                let attempt = attempt(self.chunk);
                self.unreadable(source, schedule, attempt, &why).await
            }
            Fault::Failed { why, hint } => {
                let attempt = attempt(self.chunk);
                self.failed(source, schedule, attempt, &why, hint).await
            }
            Fault::Refused { why }
            | Fault::TooMuch { why }
            | Fault::Unfit { why }
            | Fault::Gone { why } => self.refused(&why).await,
        }
    }

    /// It comes again, and is given up when the same cursor brought nothing readable again and again; a failure of another kind in between
    /// begins the count anew. What never ends is not given up.
    async fn unreadable(
        &self,
        source: Source,
        schedule: Schedule,
        attempt: u32,
        why: &str,
    ) -> anyhow::Result<()> {
        let times = unreadable_before(self.chunk.attempt, self.chunk.last_error.as_deref()) + 1;
        let why = format!("{why}{TIMES}{times})");
        if times < UNREADABLE_MAX || self.job.standing {
            return self.failed(source, schedule, attempt, &why, None).await;
        }
        tracing::error!(job = %self.job.id, chunk = self.chunk.number, why, "the chunk is given up; `backfill resume --retry-failed` begins it again");
        self.shared.meters.failed(source.name());
        self.written(Write::Failed(&why)).await.map(drop)
    }

    /// It comes again, by the schedule: never given up, and visible until it works.
    async fn failed(
        &self,
        source: Source,
        schedule: Schedule,
        attempt: u32,
        why: &str,
        hint: Option<Duration>,
    ) -> anyhow::Result<()> {
        let next = schedule.next(attempt, Cause::Failed, hint, rand::random());
        tracing::warn!(job = %self.job.id, chunk = self.chunk.number, why, again_in = ?next.delay, attempt = next.attempt,
                       "the chunk failed and is tried again");
        self.shared.meters.failed(source.name());
        self.give_back(next.delay, Why::Failed(why)).await
    }

    /// Somebody has to look: the job rests with its checkpoint until it is resumed. Unless the chunk is no longer ours: then whoever has it finds
    /// out.
    async fn refused(&self, why: &str) -> anyhow::Result<()> {
        let calls = self.calls.swap(0, Ordering::Relaxed);
        if self.written(Write::Refused { why, calls }).await? == Hold::Lost {
            tracing::warn!(job = %self.job.id, chunk = self.chunk.number, why, "the chunk was taken over, and the job goes on");
        } else {
            tracing::error!(job = %self.job.id, chunk = self.chunk.number, why, "the job is paused; `backfill resume` lets it go on");
        }
        Ok(())
    }

    async fn give_back(&self, due_in: Duration, why: Why<'_>) -> anyhow::Result<()> {
        let calls = self.calls.swap(0, Ordering::Relaxed);
        let release = Write::Release { due_in, why, calls };
        self.written(release).await.map(drop)
    }
}

/// How an error says how often in a row it was met.
const TIMES: &str = " (unreadable in a row: ";

/// How often in a row the chunk's cursor brought nothing readable, as its last error says.
fn unreadable_before(attempt: i32, last_error: Option<&str>) -> u32 {
    let last = last_error.filter(|_| attempt > 0);
    last.and_then(|error| error.rsplit_once(TIMES)?.1.strip_suffix(')')?.parse().ok())
        .unwrap_or(0)
}

fn attempt(chunk: &Chunk) -> u32 {
    u32::try_from(chunk.attempt).unwrap_or(0)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn now() -> UtcMicros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_unreadable_again_and_again_is_counted() {
        let first = "the rows cannot be read: expected value at line 1";
        assert_eq!(unreadable_before(0, None), 0);
        let third = format!("{first}{TIMES}3)");
        assert_eq!(unreadable_before(3, Some(&third)), 3);
        assert_eq!(unreadable_before(0, Some(&third)), 0, "it was begun again");
        assert_eq!(
            unreadable_before(4, Some("HTTP 503")),
            0,
            "another failure came between"
        );
    }
}
