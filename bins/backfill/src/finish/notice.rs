//! Refresh notices: that a stretch has other numbers now, for dashboards. Written with the report, sent from the table by whoever takes
//! them: to the queue `backfill.notices`, and posted to each address.
//!
//! Sent at least once: whoever dies between a sending and its note sends it again, under the same id.

use super::Finishing;
use super::signature::{SIGNATURE, TIMESTAMP, signature};
use crate::outlet::{Done, Outlet};
use adapter::stable_id;
use broker::{Outgoing, Queue};
use platform::client::{Client as Http, Timeouts};
use platform::secret::Secret;
use runtime::chain;
use runtime::metrics::Counter;
use schema::backfill::RefreshNotice;
use schema::{TenantId, UtcMicros};
use serde_json::{Map, Value};
use std::time::Duration;
use store::definitions::{Status, StoredDefinition};
use store::jobs::Job;
use store::notices::{self, Notice};
use store::{Client, StoreError, Transaction, sweep};
use url::Url;
use uuid::Uuid;

/// Taken in one round.
const AT_ONCE: u32 = 10;
/// Nobody else gets what was taken for so long: more than all of them take to be refused everywhere.
const HOLD: Duration = Duration::from_secs(600);
/// The version of the notice.
const VERSION: u16 = 1;
/// What nobody has posted for so long nobody wants posted.
const UNWANTED: Duration = Duration::from_secs(3600);
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// What a notice says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The stretch is computed under the job's version.
    Computed,
    /// So much of it as could be; what is missing is said in the report.
    Incomplete,
    /// Dashboards see the job's version from now on.
    Promoted,
}

impl Event {
    pub(super) fn of(report: &Map<String, Value>) -> Self {
        match report.get("gaps").and_then(Value::as_array) {
            Some(gaps) if !gaps.is_empty() => Self::Incomplete,
            _ => Self::Computed,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Computed => "computed",
            Self::Incomplete => "incomplete",
            Self::Promoted => "promoted",
        }
    }
}

/// The message, the same in the queue and at an address: a [`RefreshNotice`] with the event, and with the report for whoever wants to know
/// more.
pub(super) fn body(
    job: &Job,
    event: Event,
    report: &Map<String, Value>,
    all: &[StoredDefinition],
    at: UtcMicros,
) -> Result<Value, serde_json::Error> {
    let definitions = || super::report::of_job(all, job);
    let failed = report.get("chunks_failed").and_then(Value::as_u64);
    let notice = RefreshNotice {
        v: VERSION,
        job: job.id,
        source: job.kind.clone(),
        tenant: job.tenant.as_deref().map(TenantId::new),
        platform: job.platform.clone(),
        from: job.from.map(|at| at.to_string()),
        to: job.to.map(|at| at.to_string()),
        metric_version: job.metric_version,
        kpis: definitions().map(|row| row.name.clone()).collect(),
        promoted: definitions()
            .filter(|row| row.status == Status::Current)
            .map(|row| row.name.clone())
            .collect(),
        failed_chunks: failed.unwrap_or(0),
        finished_at: at.to_string(),
    };
    let mut body = serde_json::to_value(notice)?;
    if let Value::Object(members) = &mut body {
        members.insert("event".to_owned(), event.word().into());
        members.insert("report".to_owned(), Value::Object(report.clone()));
    }
    Ok(body)
}

/// Puts it on its way, in the transaction that it tells of.
pub(super) async fn put(tx: &Transaction<'_>, job: &Job, body: &Value) -> Result<(), StoreError> {
    notices::put(tx, job.id, &body.to_string()).await.map(drop)
}

/// Sends what is due until the process is to stop.
pub(super) async fn run(finishing: Finishing, posts: Posts) {
    let mut outlet = Outlet::new(finishing.broker.clone(), finishing.stop.clone());
    while !finishing.stop.is_cancelled() {
        if let Err(error) = round(&finishing, &mut outlet, &posts).await {
            tracing::warn!(error = %chain(error.as_ref()), "notices could not be sent, trying again");
        }
        if !finishing.pause(finishing.settings.look_every).await {
            break;
        }
    }
    outlet.close().await;
}

/// Sends what is due now.
pub(super) async fn round(
    finishing: &Finishing,
    outlet: &mut Outlet,
    posts: &Posts,
) -> anyhow::Result<()> {
    let due = {
        let client = finishing.store.client().await?;
        notices::take(&client, AT_ONCE, HOLD, !posts.to.is_empty()).await?
    };
    for notice in due {
        if finishing.stop.is_cancelled() {
            break;
        }
        // The others do not wait for one that nobody takes.
        if let Err(error) = send(finishing, outlet, posts, &notice).await {
            let reason = chain(error.as_ref());
            let client = finishing.store.client().await?;
            refused(finishing, &client, &notice, &reason).await?;
        }
    }
    Ok(())
}

async fn send(
    finishing: &Finishing,
    outlet: &mut Outlet,
    posts: &Posts,
    notice: &Notice,
) -> anyhow::Result<()> {
    if notice.queued_at.is_none() {
        if outlet.publish(&[outgoing(notice)]).await? == Done::Stopped {
            return Ok(());
        }
        let client = finishing.store.client().await?;
        notices::queued(&client, notice.id).await?;
        count(finishing, "queued");
    }
    if notice.posted_at.is_some() {
        return Ok(());
    }
    let now = {
        let client = finishing.store.client().await?;
        sweep::now(&client).await?
    };
    if posts.to.is_empty() && !is_old(notice, now) {
        // For another process, that has addresses, at once.
        let client = finishing.store.client().await?;
        return Ok(notices::leave(&client, notice.id).await?);
    }
    let (took, reasons) = posts.post(notice, now).await;
    let client = finishing.store.client().await?;
    if reasons.is_empty() {
        notices::posted(&client, notice.id).await?;
        if !posts.to.is_empty() {
            count(finishing, "posted");
        }
        return Ok(());
    }
    if !took.is_empty() {
        notices::posted_to(&client, notice.id, &took).await?;
    }
    refused(finishing, &client, notice, &reasons.join("; ")).await?;
    Ok(())
}

/// Nobody has posted it for long: nobody wants it posted.
fn is_old(notice: &Notice, now: UtcMicros) -> bool {
    super::chunk::since(notice.created_at, now) >= UNWANTED
}

/// Puts a notice off that was not taken, in the queue or at an address, or gives it up.
async fn refused(
    finishing: &Finishing,
    client: &Client,
    notice: &Notice,
    reason: &str,
) -> Result<(), StoreError> {
    let attempts = notice.attempts;
    let most = finishing.settings.notify_attempts;
    if i64::from(attempts) >= i64::from(most) {
        tracing::error!(job = %notice.job, notice = notice.id, attempts, reason, "a refresh notice is given up");
        notices::give_up(client, notice.id, reason).await?;
        count(finishing, "given_up");
    } else {
        tracing::warn!(job = %notice.job, notice = notice.id, attempts, reason, "a refresh notice was not taken, trying again");
        notices::failed(client, notice.id, reason, pause(attempts)).await?;
    }
    Ok(())
}

fn count(finishing: &Finishing, outcome: &'static str) {
    finishing
        .metrics
        .counter(Counter::BackfillNotices, &[("outcome", outcome)])
        .inc();
}

/// Doubles with each attempt in vain.
fn pause(attempts: i32) -> Duration {
    let doubled = u32::try_from(attempts.saturating_sub(1))
        .unwrap_or(0)
        .min(16);
    (FIRST_PAUSE * 2_u32.saturating_pow(doubled)).min(PAUSE_MAX)
}

/// The same ids each time, for those who recognise copies.
fn outgoing(notice: &Notice) -> Outgoing {
    Outgoing {
        queue: Queue::BackfillNotices,
        body: notice.body_json.clone().into_bytes().into(),
        message_id: stable_id(&[
            b"backfill notice",
            notice.job.0.as_bytes(),
            &notice.id.to_be_bytes(),
        ]),
        correlation: format!("job-{}", notice.job),
    }
}

struct Address {
    url: Url,
    /// What the table knows it by: there may be a token in the address.
    id: Uuid,
    http: Http,
}

/// The addresses.
pub(super) struct Posts {
    to: Vec<Address>,
    secret: Option<runtime::Secret>,
}

impl Posts {
    pub(super) fn new(finishing: &Finishing) -> anyhow::Result<Self> {
        let to = finishing
            .settings
            .notify
            .iter()
            .map(|url| {
                Ok(Address {
                    url: url.clone(),
                    id: stable_id(&[b"notice address", url.as_str().as_bytes()]),
                    http: Http::new(url, Timeouts::default())?,
                })
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            to,
            secret: finishing.settings.notify_secret.clone(),
        })
    }

    /// Posts it to every address that has not taken it. Returns who took it now, and why the others did not.
    async fn post(&self, notice: &Notice, now: UtcMicros) -> (Vec<Uuid>, Vec<String>) {
        let body = notice.body_json.as_bytes();
        let (mut took, mut refused) = (Vec::new(), Vec::new());
        for Address { url, id, http } in &self.to {
            if notice.posted_to.contains(id) {
                continue;
            }
            let headers = self.headers(notice, now, body);
            let answer = http
                .post_raw(url, &headers, "application/json", body.to_vec())
                .await;
            // Never the whole address: there may be a token in it.
            let host = url.host_str().unwrap_or_default();
            match answer {
                Ok(answer) if (200..300).contains(&answer.status) => took.push(*id),
                Ok(answer) => refused.push(format!("{host} answered {}", answer.status)),
                Err(error) => refused.push(chain(&error)),
            }
        }
        (took, refused)
    }

    fn headers(&self, notice: &Notice, now: UtcMicros, body: &[u8]) -> Vec<(String, Secret)> {
        let at = now.seconds();
        let mut headers = vec![(
            "x-kpiline-notice".to_owned(),
            Secret::new(format!("{}/{}", notice.job, notice.id)),
        )];
        if let Some(secret) = &self.secret
            && let Some(signed) = signature(secret, at, body)
        {
            headers.push((TIMESTAMP.to_owned(), Secret::new(at.to_string())));
            headers.push((SIGNATURE.to_owned(), Secret::new(signed)));
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_become_rarer_within_bounds() {
        let seconds: Vec<u64> = [1, 2, 3, 8, 1000]
            .into_iter()
            .map(|attempts| pause(attempts).as_secs())
            .collect();
        assert_eq!(seconds, [5, 10, 20, 600, 600]);
    }
}
