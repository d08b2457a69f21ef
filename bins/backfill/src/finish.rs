//! What follows when everything of a chunk, and everything of a job, is fetched.
//!
//! A fetched chunk is done when the store has as many records as the platform counts; one that came up short is fetched anew a few times,
//! and what is missing then is stated. A job all of whose chunks have ended is *settling*: it waits until the line has computed what it
//! brought, writes its report with old against new, sends the refresh notice, and promotes if it was told to. Each look at it is one step
//! under the job's lease, and all it needs to go on stands in its row; so any process may take the next step, and none waits holding it.

mod alone;
mod arrival;
mod chunk;
mod lookup;
mod notice;
mod promote;
mod report;
mod settle;
mod signature;

pub(crate) use alone::alone;
pub(crate) use arrival::Policy;
#[cfg(test)]
pub(crate) use chunk::Checked;
pub(crate) use chunk::check_chunk;

use crate::outlet::Outlet;
use crate::platforms::Platforms;
use broker::BrokerConfig;
use platform::token::Keyring;
use runtime::{Metrics, Secret, chain};
use schema::JobId;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use store::jobs::{self, Job};
use store::{Store, StoreError};
use tokio_util::sync::CancellationToken;
use url::Url;

/// How jobs are finished.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Where refresh notices are posted to.
    pub(crate) notify: Vec<Url>,
    /// What their signatures are made with.
    pub(crate) notify_secret: Option<Secret>,
    /// How often a notice is tried before it is given up.
    pub(crate) notify_attempts: u32,
    /// When a chunk is whole.
    pub(crate) arrival: Policy,
    /// How often it is looked whether a job goes on.
    pub(crate) look_every: Duration,
    /// How long everything must have been computed, where nothing tells for certain that it was.
    pub(crate) quiet: Duration,
    /// How long nothing may move until a job is reported with what is not computed.
    pub(crate) patience: Duration,
    /// How long one statement may look through what a job brought.
    pub(crate) look_for: Duration,
    /// How long a refused promotion is tried again.
    pub(crate) promote_for: Duration,
    /// How long jobs that ended are kept.
    pub(crate) keep: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            notify: Vec::new(),
            notify_secret: None,
            notify_attempts: 12,
            arrival: Policy::default(),
            look_every: Duration::from_secs(2),
            quiet: Duration::from_secs(10),
            patience: Duration::from_secs(3600),
            look_for: Duration::from_secs(300),
            promote_for: Duration::from_secs(3600),
            keep: Duration::from_secs(90 * 86_400),
        }
    }
}

/// What this process saw of a chunk that waits for its records.
#[derive(Debug, Clone, Copy)]
struct Sight {
    /// Which time it was fetched: another time is another wait.
    reopened: i32,
    /// How many had arrived.
    arrived: i64,
    /// Since when.
    since: Instant,
    /// When it was last looked at.
    looked: Instant,
}

type Moved = HashMap<(JobId, i32), Sight>;

/// What finishing works with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Finishing {
    pub(crate) store: Store,
    pub(crate) broker: BrokerConfig,
    pub(crate) metrics: Metrics,
    pub(crate) platforms: Arc<Platforms>,
    pub(crate) settings: Arc<Settings>,
    /// This process, as leases name it.
    pub(crate) owner: String,
    /// How long a job is ours without a sign of life.
    pub(crate) lease: Duration,
    pub(crate) stop: CancellationToken,
    /// This process's tokens, one for each credential.
    pub(crate) keyring: Arc<Keyring>,
    moved: Arc<Mutex<Moved>>,
}

impl Finishing {
    pub(crate) fn new(
        store: Store,
        broker: BrokerConfig,
        metrics: Metrics,
        platforms: Arc<Platforms>,
        settings: Settings,
        lease: Duration,
        stop: CancellationToken,
    ) -> Self {
        Self {
            store,
            broker,
            metrics,
            platforms,
            settings: Arc::new(settings),
            owner: format!("backfill/{}/{}", std::process::id(), JobId::generate()),
            keyring: Arc::default(),
            lease,
            stop,
            moved: Arc::default(),
        }
    }

    /// A connection to look through what a job brought.
    async fn patient(&self) -> Result<store::Client, StoreError> {
        self.store.patient(self.settings.look_for).await
    }

    /// Waits, or says that the process is to stop.
    pub(crate) async fn pause(&self, length: Duration) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(length) => true,
        }
    }
}

/// Takes the next step of every job that settles, and sends notices, until the process is to stop.
pub(crate) async fn run(finishing: Finishing) -> anyhow::Result<()> {
    let posts = notice::Posts::new(&finishing)?;
    let notices = tokio::spawn(notice::run(finishing.clone(), posts));
    let mut outlet = Outlet::new(finishing.broker.clone(), finishing.stop.clone());
    while !finishing.stop.is_cancelled() {
        match next(&finishing).await {
            Ok(Some(job)) => {
                let step = settle::step(&finishing, &mut outlet, &job);
                if let Err(error) = held(&finishing, &job, step).await {
                    tracing::warn!(job = %job.id, error = %chain(error.as_ref()), "the job could not be settled, trying again");
                    put_off(&finishing, &job).await;
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(error = %chain(&error), "could not look for jobs to settle, trying again");
            }
        }
        if !finishing.pause(finishing.settings.look_every).await {
            break;
        }
    }
    outlet.close().await;
    notices.await?;
    Ok(())
}

async fn next(finishing: &Finishing) -> Result<Option<Job>, StoreError> {
    let client = finishing.store.client().await?;
    jobs::to_settle(&client, &finishing.owner, finishing.lease).await
}

/// Does the work while the job's lease is extended: a comparison of large versions takes minutes. The work goes on while a sign of life is
/// written, for it may hold the connection that the sign waits for.
async fn held<T>(finishing: &Finishing, job: &Job, work: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        outcome = work => outcome,
        never = alive(finishing, job) => match never {},
    }
}

async fn alive(finishing: &Finishing, job: &Job) -> Infallible {
    loop {
        tokio::time::sleep(finishing.lease / 3).await;
        let written = async {
            let client = finishing.store.client().await?;
            jobs::heartbeat(&client, job.id, &finishing.owner, finishing.lease).await
        };
        // The next write of the work tells whether it is still ours.
        if let Err(error) = written.await {
            tracing::warn!(job = %job.id, error = %chain(&error), "no sign of life could be written");
        }
    }
}

/// Failing that, its lease runs out.
async fn put_off(finishing: &Finishing, job: &Job) {
    let later = async {
        let client = finishing.store.client().await?;
        let wait = finishing.settings.look_every * 10;
        jobs::settle_later(&client, job.id, &finishing.owner, wait, None).await
    };
    if let Err(error) = later.await {
        tracing::debug!(job = %job.id, error = %chain(&error), "the job was not given back");
    }
}

#[cfg(test)]
mod tests;
