//! `POST /api/v1/jobs`: asks for a backfill job, by putting the wish into the queue that backfill takes wishes from.
//!
//! The only thing here that changes anything, and only for tokens with the scope `jobs`. Whether it becomes a job is backfill's decision:
//! what it cannot grant is in quarantine with its reason, and `GET /api/v1/jobs` shows what became one.

use super::Context;
use super::access::Access;
use super::answer::{self, Answer};
use super::problem::{Invalid, Kind, Problem};
use super::tokens::Reach;
use broker::{Broker, BrokerConfig, Outgoing, Queue};
use hyper::StatusCode;
use runtime::chain;
use schema::backfill::{JobRequest, Promote};
use schema::{ENVELOPE_VERSION, MessageId, MetricVersion, TenantId, UtcMicros};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

/// Whoever asks waits no longer than this for the broker.
const BROKER_WITHIN: Duration = Duration::from_secs(10);

/// A wish for a backfill job.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "JobWish")]
pub struct Wish {
    /// The asker's name for it: asked twice under one name is one job.
    request_id: String,
    /// Where the history comes from, as `backfill start` names it.
    source: String,
    /// The platform, as the platforms file of backfill names it; absent for the event log.
    platform: Option<String>,
    /// The organisation. A token for one needs none here; one that reaches all may leave it out and mean all.
    tenant: Option<String>,
    /// The first instant, in RFC 3339; absent where only ids are asked for.
    from: Option<String>,
    /// The end, which does not belong to it.
    to: Option<String>,
    /// The KPIs that are looked at when it is done; empty: all of the version.
    #[serde(default)]
    kpis: Vec<String>,
    /// The version the results carry.
    metric_version: u16,
    /// What becomes of the version: `offer`, `auto` or `never`.
    promote: Option<String>,
    /// Interactions to look up.
    #[serde(default)]
    ids: Vec<String>,
    /// What else the source wants to know, as `backfill start` names its flags.
    #[serde(default)]
    settings: BTreeMap<String, String>,
}

/// What was taken.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "JobAsked")]
pub struct Asked {
    /// The asker's name for it.
    request_id: String,
}

/// Takes a wish.
pub(super) async fn answer(
    context: &Context,
    access: &Access,
    body: &[u8],
) -> Result<Answer, Problem> {
    if !access.token().jobs {
        return Err(Problem::new(
            Kind::Forbidden,
            "the token has not the scope \"jobs\"",
        ));
    }
    let wish: Wish = serde_json::from_slice(body).map_err(|error| {
        // Which member, and what is wrong with it: nothing of the values beside it.
        Problem::parameter("body", None, format!("a wish for a job as JSON: {error}"))
    })?;
    let request = wish.request(access)?;
    let Some(config) = &context.broker else {
        return Err(Problem::new(Kind::Unavailable, "there is no broker here"));
    };
    let published = timeout(BROKER_WITHIN, publish(config, &request)).await;
    match published {
        Ok(Ok(())) => {
            let mut answer = answer::json(&Asked {
                request_id: request.request_id,
            })?;
            *answer.status_mut() = StatusCode::ACCEPTED;
            Ok(answer)
        }
        Ok(Err(error)) => {
            tracing::warn!(error = %chain(error.as_ref()), "a wish for a backfill job could not be published");
            Err(unconfirmed())
        }
        Err(_) => Err(unconfirmed()),
    }
}

/// It may be there or not; asked again under the same name it is one job.
fn unconfirmed() -> Problem {
    Problem::new(
        Kind::Unavailable,
        "the broker has not confirmed the wish: ask again under the same `request_id`",
    )
}

async fn publish(config: &BrokerConfig, request: &JobRequest) -> anyhow::Result<()> {
    let broker = Broker::connect(config).await?;
    broker.declare_some(&[Queue::BackfillJobs]).await?;
    let message = Outgoing {
        queue: Queue::BackfillJobs,
        body: request.encode()?,
        message_id: MessageId::generate().0,
        correlation: request.request_id.clone(),
    };
    broker.publisher().await?.publish(message).await?;
    broker.close().await?;
    Ok(())
}

impl Wish {
    fn request(self, access: &Access) -> Result<JobRequest, Problem> {
        let mut errors = Vec::new();
        let mut instant = |field: &str, text: Option<&str>| -> Option<UtcMicros> {
            let at = text.and_then(adapter::instant::parse);
            if text.is_some() && at.is_none() {
                let allowed = super::query::Kind::Instant.allowed();
                errors.push(Invalid::new(field, text, allowed));
            }
            at
        };
        let (from, to) = (
            instant("from", self.from.as_deref()),
            instant("to", self.to.as_deref()),
        );
        let promote = self.promote.as_deref();
        let promoted = promote.map_or(Some(Promote::default()), Promote::parse);
        if promoted.is_none() {
            errors.push(Invalid::new(
                "promote",
                promote,
                "one of offer, auto, never",
            ));
        }
        if !errors.is_empty() {
            return Err(Problem::parameters(errors));
        }
        let token = access.token();
        // backfill refuses an organisation that is not the platform's, so that none can be had by naming another's platform.
        let tenant = match (self.tenant, &token.reach) {
            (Some(tenant), _) if token.covers(&tenant) => Some(tenant),
            (Some(_), _) => {
                let detail = "the token does not reach this organisation";
                return Err(Problem::new(Kind::Forbidden, detail));
            }
            (None, Reach::All) => None,
            (None, Reach::Of(tenants)) if tenants.len() == 1 => tenants.first().cloned(),
            (None, Reach::Of(tenants)) => {
                let allowed = format!("one of {}", tenants.join(", "));
                return Err(Problem::parameter("tenant", None, allowed));
            }
        };
        let request = JobRequest {
            v: ENVELOPE_VERSION,
            request_id: self.request_id,
            source: self.source,
            platform: self.platform,
            tenant: tenant.as_deref().map(TenantId::from),
            from,
            to,
            kpis: self.kpis,
            metric_version: MetricVersion(self.metric_version),
            promote: promoted.unwrap_or_default(),
            ids: self.ids,
            settings: self.settings,
        };
        request
            .check()
            .map_err(|error| Problem::parameter("body", None, error.to_string()))?;
        Ok(request)
    }
}
