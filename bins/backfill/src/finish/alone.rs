//! Settling without workers: the one job of a command in the foreground, which stays until it has ended.

use super::{Finishing, held, notice, put_off, settle};
use crate::outlet::{Done, Outlet};
use runtime::chain;
use schema::JobId;
use store::jobs::{self, Job, State};
use store::{Class, StoreError};

/// Takes every step of a job that settles, until it has ended, and queues the notices there are. Gives the job as it ended.
///
/// Nobody else takes such a job: when this process ends before, the command goes on with it.
pub(crate) async fn alone(finishing: &Finishing, job: JobId) -> anyhow::Result<Done<Job>> {
    let mut outlet = Outlet::new(finishing.broker.clone(), finishing.stop.clone());
    let outcome = settled(finishing, &mut outlet, job).await;
    outlet.close().await;
    outcome
}

async fn settled(
    finishing: &Finishing,
    outlet: &mut Outlet,
    id: JobId,
) -> anyhow::Result<Done<Job>> {
    while !finishing.stop.is_cancelled() {
        match look(finishing, id).await {
            Ok(Look::Ours(job)) => {
                let step = settle::step(finishing, outlet, &job);
                if let Err(error) = held(finishing, &job, step).await {
                    tracing::warn!(job = %id, error = %chain(error.as_ref()), "the job could not be settled, trying again");
                    put_off(finishing, &job).await;
                }
                continue;
            }
            Ok(Look::Ended(job)) => {
                let posts = notice::Posts::new(finishing)?;
                if let Err(error) = notice::round(finishing, outlet, &posts).await {
                    tracing::warn!(job = %id, error = %chain(error.as_ref()), "its notices wait for a worker");
                }
                return Ok(Done::Yes(job));
            }
            Ok(Look::Rests(job)) => anyhow::bail!(
                "job {id} is paused ({}); `backfill resume {id}` and `backfill {} --resume {id}` go on with it",
                job.paused_for.as_deref().unwrap_or("no reason was noted"),
                job.kind
            ),
            Ok(Look::Later) => {}
            Ok(Look::Gone) => anyhow::bail!("there is no job {id}"),
            Err(error) if matches!(error.class(), Class::Transient | Class::Saturated) => {
                tracing::warn!(error = %chain(&error), "could not look at the job, trying again");
            }
            Err(error) => return Err(error.into()),
        }
        if !finishing.pause(finishing.settings.look_every).await {
            break;
        }
    }
    Ok(Done::Stopped)
}

/// What there is to do about the job.
enum Look {
    /// The next step, under our lease.
    Ours(Job),
    /// Nothing yet.
    Later,
    /// Nothing until somebody resumes it.
    Rests(Job),
    Ended(Job),
    Gone,
}

async fn look(finishing: &Finishing, id: JobId) -> Result<Look, StoreError> {
    let client = finishing.store.client().await?;
    if let Some(job) = jobs::settle_one(&client, &finishing.owner, id, finishing.lease).await? {
        return Ok(Look::Ours(job));
    }
    Ok(match jobs::get(&client, id).await? {
        None => Look::Gone,
        Some(job) if job.state.has_ended() => Look::Ended(job),
        Some(job) if job.state == State::Paused => Look::Rests(job),
        Some(_) => Look::Later,
    })
}
