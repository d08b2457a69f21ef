//! The loop of one target: claim under a lease, push without any transaction open, settle.

use crate::batch::{Bounds, Prepared, plan};
use crate::credential::Credential;
use crate::fate::{self, Next, Settlement};
use crate::health::Health;
use crate::meters::Meters;
use crate::rest::Rest;
use crate::send::{Answered, Sender};
use crate::settle::Books;
use crate::targets::Target;
use platform::breaker::shared::{self, Permission};
use platform::budget::{Budget as _, Throttle};
use platform::outcome::Verdict;
use platform::slots::Slot;
use platform::token::{Bearer, TokenError};
use runtime::metrics::CounterHandle;
use runtime::{Backoff, chain};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::sync::{self, Claimed, Due, Fate, MetricKey};
use store::{Class, Store, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The shortest wait for a slot before rows are given back.
const PATIENCE: Duration = Duration::from_secs(1);

/// One target's loop and what it remembers between rounds.
#[derive(Debug)]
pub struct Pusher {
    target: Target,
    credential: Arc<Credential>,
    store: Store,
    books: Books,
    sender: Sender,
    meters: Meters,
    store_retries: CounterHandle,
    news: watch::Receiver<u64>,
    poll: Duration,
    stop: CancellationToken,
    full: Bounds,
    bounds: Bounds,
    lease: Duration,
    lease_margin: Duration,
    health: Health,
    rest: Rest,
}

/// What a pusher is built from.
#[derive(Debug)]
pub struct Parts {
    /// The target.
    pub target: Target,
    /// What it shares with others.
    pub credential: Arc<Credential>,
    /// The store.
    pub store: Store,
    /// Makes its requests.
    pub sender: Sender,
    /// Its counters.
    pub meters: Meters,
    /// Counts failures of the store.
    pub store_retries: CounterHandle,
    /// Changes when rows are due.
    pub news: watch::Receiver<u64>,
    /// How often to look without news.
    pub poll: Duration,
    /// How much longer than one request takes at most a lease is.
    pub lease_margin: Duration,
    /// Cancelled when the process is to stop.
    pub stop: CancellationToken,
}

/// What a round came to.
enum Round {
    /// There may be more.
    Worked,
    /// Nothing to do before this is over or there is news.
    Idle(Duration),
}

/// Rows that share a request.
struct Job {
    rows: Vec<Prepared>,
    /// The token was renewed for this very request.
    renewed: bool,
    /// Under this id the log has it as sent already, but its slot lapsed before it was.
    noted: Option<Uuid>,
}

impl Job {
    fn new(rows: Vec<Prepared>, renewed: bool) -> Self {
        Self {
            rows,
            renewed,
            noted: None,
        }
    }
}

/// Rows held under one lease while they are worked on.
struct Lease {
    id: Uuid,
    ends: Instant,
}

impl Pusher {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let target = parts.target;
        let refill = parts.credential.quota.refill();
        let full = Bounds::of(target.adapter, target.batch_max);
        Self {
            full,
            bounds: full,
            lease: target.timeouts.total + refill * 2 + parts.lease_margin,
            lease_margin: parts.lease_margin,
            health: Health::new(&target, parts.store.clone(), parts.meters.clone()),
            rest: Rest::default(),
            books: Books::new(parts.store.clone(), target.name.clone()),
            credential: parts.credential,
            store: parts.store,
            sender: parts.sender,
            meters: parts.meters,
            store_retries: parts.store_retries,
            news: parts.news,
            poll: parts.poll,
            stop: parts.stop,
            target,
        }
    }

    /// Runs until told to stop. Only what an operator must mend in the database ends it before.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut backoff = Backoff::for_connections();
        while !self.stop.is_cancelled() {
            // Seen now: news that comes during the round starts another one at once.
            self.news.borrow_and_update();
            match self.round().await {
                Ok(Round::Worked) => backoff.reset(),
                Ok(Round::Idle(wait)) => {
                    backoff.reset();
                    self.idle(wait).await;
                }
                Err(error) if error.class() == Class::Fatal => return Err(error.into()),
                Err(error) => {
                    self.store_retries.inc();
                    tracing::warn!(target_name = self.target.name, error = %chain(&error), "the store is in trouble");
                    backoff.pause(&self.stop).await;
                }
            }
        }
        Ok(())
    }

    /// Waits for news, but not while the target rests anyway.
    async fn idle(&mut self, wait: Duration) {
        let hears = wait <= self.poll;
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
            heard = self.news.changed(), if hears => {
                if heard.is_err() {
                    // Nobody is left to tell: the process is stopping.
                    self.stop.cancelled().await;
                }
            }
        }
    }

    async fn round(&mut self) -> Result<Round, StoreError> {
        let now = Instant::now();
        let rest = self.rest.left(now).max(self.paused());
        if !rest.is_zero() {
            return Ok(Round::Idle(rest));
        }
        let permit = match self.health.permit().await? {
            Permission::Granted(permit) => permit,
            Permission::Wait { wait, .. } => return Ok(Round::Idle(wait)),
        };
        let claimed = self.claim().await;
        match claimed {
            Ok(claimed) if !claimed.rows.is_empty() => {
                let lease = Lease {
                    id: claimed.lease,
                    ends: now + self.lease,
                };
                let worked = self.work(&lease, claimed.rows, permit).await;
                worked.map(|()| Round::Worked)
            }
            other => {
                self.health.unused(permit).await;
                other.map(|claimed| match claimed.put_back {
                    0 => Round::Idle(self.poll),
                    // What has not settled was due, and out of the way now: there may be others behind it.
                    _ => Round::Worked,
                })
            }
        }
    }

    /// Due rows, enough for one request.
    async fn claim(&self) -> Result<Claimed, StoreError> {
        let client = self.store.client().await?;
        let limit = u32::try_from(self.bounds.rows).unwrap_or(u32::MAX);
        sync::claim(
            &client,
            &self.target.name,
            limit,
            self.lease,
            self.target.not_before,
        )
        .await
    }

    async fn work(
        &mut self,
        lease: &Lease,
        due: Vec<Due>,
        permit: shared::Leave,
    ) -> Result<(), StoreError> {
        let mut permit = Some(permit);
        let held: Vec<(i64, MetricKey)> =
            due.iter().map(|row| (row.row, row.key.clone())).collect();
        let worked = self.work_through(lease, due, &mut permit).await;
        if let Some(permit) = permit {
            self.health.unused(permit).await;
        }
        if worked.is_err() {
            self.books.abandon(lease.id, lease.ends, &held).await;
        }
        worked
    }

    async fn work_through(
        &mut self,
        lease: &Lease,
        due: Vec<Due>,
        permit: &mut Option<shared::Leave>,
    ) -> Result<(), StoreError> {
        let lost = self.books.lost(&due).await?;
        if lost > 0 {
            tracing::warn!(
                target_name = self.target.name,
                rows = lost,
                "rows are pushed again whose push nobody knows the fate of"
            );
        }
        let plan = plan(due, self.target.adapter, self.bounds);
        self.books.withhold(lease.id, &plan.withheld).await?;
        for (row, why) in plan.refused {
            let settlement = Settlement {
                fate: Fate::Rejected,
                retry_in: Duration::ZERO,
                message: Some(why),
            };
            self.settle(lease, Uuid::now_v7(), &[row], None, &[settlement])
                .await?;
        }
        let mut jobs: Vec<Job> = plan
            .requests
            .into_iter()
            .rev()
            .map(|rows| Job::new(rows, false))
            .collect();
        while let Some(job) = jobs.pop() {
            let first = permit.take();
            let goes_on = match self.gate(lease, first).await? {
                Gate::Open(leave) => self.send(lease, job, &leave, &mut jobs).await?,
                Gate::Shut(unused) => {
                    *permit = unused;
                    if let Some(request) = job.noted {
                        let why = "not sent: its turn was over, or nothing was to be sent, when it had been written down";
                        self.books.passed(request, &job.rows, None, why).await?;
                    }
                    jobs.push(job);
                    false
                }
            };
            if !goes_on {
                // Due at once: what keeps them back is the target's rest, the breaker or the quota, not the rows.
                let rows = jobs.iter().flat_map(|job| &job.rows).map(|row| &row.due);
                return self.books.release(lease.id, rows).await;
            }
        }
        Ok(())
    }

    /// Everything that must be in hand before a request: time, breaker, token, quota; in this order, the quota last because a slot
    /// does not keep.
    async fn gate(
        &mut self,
        lease: &Lease,
        permit: Option<shared::Leave>,
    ) -> Result<Gate, StoreError> {
        let now = Instant::now();
        let permit = match permit {
            Some(permit) => permit,
            None => match self.health.permit().await? {
                Permission::Granted(permit) => permit,
                Permission::Wait { .. } => return Ok(Gate::Shut(None)),
            },
        };
        let shut = || Ok(Gate::Shut(Some(permit)));
        // The request must be over, and written down, before the lease is.
        let latest = lease
            .ends
            .checked_sub(self.target.timeouts.total + self.lease_margin / 2)
            .unwrap_or(now);
        let bearer = match self.credential.tokens.bearer().await {
            Ok(bearer) => bearer,
            Err(error) => {
                self.no_token(&error);
                return shut();
            }
        };
        if self.rests() || self.stop.is_cancelled() {
            return shut();
        }
        let granted = tokio::select! {
            biased;
            () = self.stop.cancelled() => return shut(),
            () = tokio::time::sleep_until(latest.into()) => return shut(),
            granted = self.credential.quota.slot(self.route(), self.patience()) => granted,
        };
        match granted {
            Ok(slot) => Ok(Gate::Open(Leave {
                bearer,
                slot,
                permit,
            })),
            Err(later) => {
                // Whatever it waits for, nothing is claimed meanwhile: the rows would only be given back again.
                self.rest.wait(Instant::now(), later.wait);
                shut()
            }
        }
    }

    fn no_token(&mut self, error: &TokenError) {
        let now = Instant::now();
        match error {
            TokenError::Refused { .. } => {
                self.rest.refused(now);
                tracing::error!(
                    target_name = self.target.name, error = %chain(error),
                    "paused: the credential is refused"
                );
            }
            TokenError::Later { .. } | TokenError::Call { .. } => {
                self.rest.wait(now, error.wait());
                tracing::warn!(target_name = self.target.name, error = %chain(error), "no token yet");
            }
        }
    }

    /// One request. Returns whether the rows that are left may go on.
    async fn send(
        &mut self,
        lease: &Lease,
        job: Job,
        leave: &Leave,
        jobs: &mut Vec<Job>,
    ) -> Result<bool, StoreError> {
        let request = if let Some(noted) = job.noted {
            noted
        } else {
            let request = Uuid::now_v7();
            self.books.sent(request, &job.rows).await?;
            request
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep_until(leave.slot.not_before().into()) => {}
        }
        let paused = !self.paused().is_zero();
        if paused || self.stop.is_cancelled() || self.rests() || leave.slot.is_void(Instant::now())
        {
            // Writing took longer than a slot keeps, or nothing is to be sent any more. Through the gate once more; the log has it by
            // then.
            self.health.unused(leave.permit).await;
            let noted = Some(request);
            jobs.push(Job { noted, ..job });
            return Ok(true);
        }
        let began = Instant::now();
        let Answered {
            verdict,
            status,
            used_up,
        } = self.sender.send(request, &job.rows, &leave.bearer).await;
        self.meters.request(&verdict, began.elapsed());
        self.record(&verdict, leave.permit, used_up, job.renewed)
            .await;
        let next = fate::decide(
            verdict,
            &job.rows,
            self.target.schedule,
            job.renewed,
            rand::random(),
        );
        match next {
            Next::Settle(settlements) => {
                if settlements.iter().any(|row| row.fate == Fate::Accepted) {
                    self.bounds = self.bounds.doubled(self.full);
                }
                self.settle(lease, request, &job.rows, status, &settlements)
                    .await?;
            }
            Next::Halve(why) => {
                self.bounds = self.bounds.halved(job.rows.len());
                self.books
                    .passed(request, &job.rows, status, &format!("halved after {why}"))
                    .await?;
                let mut first = job.rows;
                let second = first.split_off(first.len() / 2);
                jobs.extend([second, first].map(|rows| Job::new(rows, job.renewed)));
            }
            Next::NewToken(why) => {
                self.credential.tokens.refused(&leave.bearer).await;
                self.books
                    .passed(
                        request,
                        &job.rows,
                        status,
                        &format!("with a new token after {why}"),
                    )
                    .await?;
                jobs.push(Job::new(job.rows, true));
            }
        }
        Ok(!self.rests())
    }

    /// What is asked of the platform, in the words of the budget.
    fn route(&self) -> &'static str {
        self.target.adapter.name()
    }

    /// How long to wait for a slot with rows in hand: for those who came before, and not for a platform that wants nothing.
    fn patience(&self) -> Duration {
        (self.credential.quota.refill() * 2).max(PATIENCE)
    }

    /// How long the platform wants nothing more.
    fn paused(&self) -> Duration {
        self.credential.quota.paused(self.route())
    }

    /// Whether nothing is to be sent for longer than the steady pace takes.
    fn rests(&self) -> bool {
        let rest = self.rest.left(Instant::now()).max(self.paused());
        rest > self.credential.quota.refill()
    }

    /// What a verdict means for breaker, quota and rest.
    async fn record(
        &mut self,
        verdict: &Verdict,
        permit: shared::Leave,
        used_up: bool,
        renewed: bool,
    ) {
        let now = Instant::now();
        let why = match verdict {
            Verdict::Broken { why, .. } | Verdict::Unknown { why, .. } => why.as_str(),
            _ => "",
        };
        self.health.record(permit, verdict.signal(), why).await;
        if verdict.is_calm() {
            // Enough of those in a row undo what 429s in a row have done to the pace.
            self.credential.quota.calm(self.route());
        }
        match verdict {
            Verdict::Rows(_) => {
                self.rest.accepted();
            }
            Verdict::Slow { wait, why } => {
                let throttle = Throttle {
                    route: self.route(),
                    wait: *wait,
                    whole: used_up,
                    why,
                };
                self.credential.quota.throttled(throttle).await;
                tracing::warn!(
                    target_name = self.target.name,
                    wait_seconds = wait.as_secs_f64(),
                    why,
                    "throttled"
                );
            }
            Verdict::Unauthorised { why } if renewed => {
                self.rest.refused(now);
                tracing::error!(
                    target_name = self.target.name,
                    why,
                    "paused: the platform refuses the credential"
                );
            }
            Verdict::Pause { why } => {
                self.rest.refused(now);
                tracing::error!(
                    target_name = self.target.name,
                    why,
                    "paused: the platform refuses every request"
                );
            }
            Verdict::Broken { why, .. } | Verdict::Unknown { why, .. } => {
                tracing::warn!(target_name = self.target.name, why, "a push failed");
            }
            // Refused, but not for its pace; or about to go again with another token.
            Verdict::Halve { .. } | Verdict::Unauthorised { .. } => {}
        }
    }

    async fn settle(
        &self,
        lease: &Lease,
        request: Uuid,
        rows: &[Prepared],
        status: Option<u16>,
        settlements: &[Settlement],
    ) -> Result<(), StoreError> {
        self.meters.rows(settlements);
        self.books
            .settle(lease.id, lease.ends, request, rows, status, settlements)
            .await?;
        let accepted = settlements
            .iter()
            .filter(|settlement| settlement.fate == Fate::Accepted)
            .count();
        let rejected = settlements
            .iter()
            .find(|settlement| settlement.fate == Fate::Rejected);
        if let Some(settlement) = rejected {
            tracing::warn!(
                target_name = self.target.name, request = %request,
                why = settlement.message.as_deref().unwrap_or_default(),
                "rows are parked: the platform refuses them"
            );
        }
        tracing::info!(target_name = self.target.name, request = %request, rows = rows.len(), accepted, status, "pushed");
        Ok(())
    }
}

/// What a request goes with.
struct Leave {
    bearer: Bearer,
    slot: Slot,
    permit: shared::Leave,
}

/// Whether a request may go now.
enum Gate {
    /// It may.
    Open(Leave),
    /// Not now. An unused permit is handed back.
    Shut(Option<shared::Leave>),
}
