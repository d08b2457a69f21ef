//! What the pieces of work of one target share.

use super::{Job, TURNS};
use crate::batch::Bounds;
use crate::credential::Credential;
use crate::definitions::{Definitions, Trouble};
use crate::health::Health;
use crate::lanes::{Order, Turns};
use crate::meters::Meters;
use crate::rest::Rest;
use crate::send::Sender;
use crate::settle::Books;
use crate::targets::Target;
use runtime::chain;
use runtime::metrics::CounterHandle;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use store::sync::Lane;
use store::{Store, StoreError};
use target::Adapter;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// Rows that are worth a claim of their own, where requests are smaller.
const CLAIM_ROWS: usize = 100;

/// What a pusher is built from.
#[derive(Debug)]
pub struct Parts {
    /// The target.
    pub target: Target,
    /// What it shares with others.
    pub credential: Credential,
    /// Whose rows go first.
    pub order: Order,
    /// The store.
    pub store: Store,
    /// Makes its requests.
    pub sender: Sender,
    /// Finds its definitions, where it has some.
    pub definitions: Option<Definitions>,
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

/// One target, as its claims, turns and requests see it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) target: Target,
    pub(super) credential: Credential,
    pub(super) store: Store,
    pub(super) books: Books,
    pub(super) sender: Sender,
    definitions: Option<Definitions>,
    /// With all that must be found out before the first push.
    adapter: OnceLock<Arc<Adapter>>,
    /// As it is configured.
    configured: Arc<Adapter>,
    pub(super) meters: Meters,
    pub(super) health: Health,
    pub(super) bounds: Bounds,
    /// Rows of one claim.
    pub(super) claim_rows: u32,
    pub(super) lease: Duration,
    pub(super) lease_margin: Duration,
    /// One for each request that may be under way.
    pub(super) places: Arc<Semaphore>,
    pub(super) stop: CancellationToken,
    rest: Mutex<Rest>,
    turns: Mutex<Turns>,
}

impl Line {
    pub(super) fn new(parts: Parts) -> Self {
        let target = parts.target;
        let refill = parts.credential.quota.refill();
        let bounds = Bounds::of(&target.adapter, target.batch_max);
        // Small requests are claimed several at a time, as many as can be under way.
        let ahead = (CLAIM_ROWS / bounds.claimed).clamp(1, target.concurrency);
        let in_hand = u32::try_from(ahead + TURNS).unwrap_or(u32::MAX);
        Self {
            bounds,
            claim_rows: u32::try_from(bounds.claimed * ahead).unwrap_or(u32::MAX),
            lease: target.timeouts.total + refill.saturating_mul(in_hand) + parts.lease_margin,
            lease_margin: parts.lease_margin,
            health: Health::new(&target, parts.store.clone(), parts.meters.clone()),
            rest: Mutex::new(Rest::default()),
            turns: Mutex::new(Turns::new(parts.order)),
            books: Books::new(parts.store.clone(), target.name.clone()),
            places: Arc::new(Semaphore::new(target.concurrency)),
            credential: parts.credential,
            store: parts.store,
            sender: parts.sender,
            definitions: parts.definitions,
            adapter: OnceLock::new(),
            configured: Arc::new(target.adapter.clone()),
            meters: parts.meters,
            stop: parts.stop,
            target,
        }
    }

    /// The adapter, once everything is known that it needs; else the target rests.
    pub(super) async fn adapter(&self) -> Option<&Adapter> {
        if let Some(adapter) = self.adapter.get() {
            return Some(adapter);
        }
        let adapter = match (&self.definitions, &self.target.adapter) {
            (Some(definitions), Adapter::ExternalMetrics(metrics)) => {
                match definitions.resolve(metrics.clone()).await {
                    Ok(metrics) => Arc::new(Adapter::ExternalMetrics(metrics)),
                    Err(trouble) => {
                        self.no_definitions(&trouble);
                        return None;
                    }
                }
            }
            _ => self.configured.clone(),
        };
        Some(self.adapter.get_or_init(|| adapter))
    }

    /// The adapter of rows that were claimed.
    pub(super) fn adapter_in_hand(&self) -> &Arc<Adapter> {
        self.adapter.get().unwrap_or(&self.configured)
    }

    fn no_definitions(&self, trouble: &Trouble) {
        let (now, target_name) = (Instant::now(), self.target.name.as_str());
        if let Trouble::Misfit(_) = trouble {
            self.rest().refused(now);
            tracing::error!(target_name, error = %chain(trouble), "paused: nothing can be pushed");
        } else {
            self.rest().wait(now, trouble.wait());
            tracing::warn!(target_name, error = %chain(trouble), "the definitions are not known yet");
        }
    }

    /// What is asked of the platform, in the words of the budget.
    pub(super) fn route(&self) -> &'static str {
        self.target.adapter.name()
    }

    /// How long nothing more is to be sent: the target rests, or the platform asked for it.
    pub(super) fn rest_left(&self, now: Instant) -> Duration {
        self.rest().left(now).max(self.paused())
    }

    /// How long the platform wants nothing more.
    pub(super) fn paused(&self) -> Duration {
        self.credential.quota.paused(self.route())
    }

    /// Whether it is longer than the steady pace takes: then rows in hand are given back.
    pub(super) fn is_long(&self, rest: Duration) -> bool {
        rest > self.credential.quota.refill()
    }

    /// Whether what is in hand is to be given back.
    pub(super) fn is_over(&self) -> bool {
        self.stop.is_cancelled() || self.is_long(self.rest_left(Instant::now()))
    }

    // A panic while holding one of these cannot leave it half-written: plain numbers.
    pub(super) fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_lane(&self) -> Lane {
        self.turns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Gives the rows of a request back that is not sent now. Due at once: what keeps them back is the target's rest, the breaker, the
    /// quota or the end of their lease, not they.
    pub(super) async fn give_back(&self, job: Job) -> Result<(), StoreError> {
        let given_back = async {
            if let Some(request) = job.noted {
                let why = "not sent: its turn was over, or nothing was to be sent, when it had been written down";
                self.books.passed(request, &job.rows, None, why).await?;
            }
            let rows = job.rows.iter().map(|row| &row.due);
            self.books.release(job.lease.id, rows, job.together).await
        };
        let given_back = given_back.await;
        self.or_abandon(&job, given_back).await
    }

    /// After trouble with the store everything of the job is given back as soon as the store answers again.
    pub(super) async fn or_abandon<T>(
        &self,
        job: &Job,
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if result.is_err() {
            let held: Vec<_> = job
                .rows
                .iter()
                .map(|row| (row.due.row, &row.due.key))
                .collect();
            self.books
                .abandon(job.lease.id, job.lease.ends, &held)
                .await;
        }
        result
    }
}
