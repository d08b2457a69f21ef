//! Gaps: stretches in which a subscription did not deliver are fetched, once each.

use super::{cut, follow, job, usual};
use crate::finish::Finishing;
use crate::platforms::{Platform, Settlement};
use crate::source::Source;
use schema::UtcMicros;
use store::jobs::{self, Created, NewChunkedJob, Purpose, State};
use store::subscription_gaps::{self, Gap};
use store::{Client, standing, sweep};

/// Read at a time.
const AT_ONCE: i64 = 200;

/// Looks at all of them: those that cannot be fetched, or could not, stay open, and keep no other.
pub(super) async fn all(
    finishing: &Finishing,
    platform: &Platform,
    settings: &Settlement,
) -> anyhow::Result<()> {
    let client = finishing.store.client().await?;
    let tenant = platform.tenant.as_str();
    let subscriptions = platform.logged_under();
    let subscriptions = subscriptions.as_deref();
    let mut last: Option<Gap> = None;
    loop {
        let gaps =
            subscription_gaps::open(&client, tenant, subscriptions, last.as_ref(), AT_ONCE).await?;
        for gap in &gaps {
            one(&client, platform, settings, gap).await?;
        }
        last = match gaps.into_iter().last() {
            Some(gap) => Some(gap),
            None => return Ok(()),
        };
    }
}

async fn one(
    client: &Client,
    platform: &Platform,
    settings: &Settlement,
    gap: &Gap,
) -> anyhow::Result<()> {
    let margin = follow::micros(settings.gap_margin);
    let from = UtcMicros(gap.from.0.saturating_sub(margin));
    let to = UtcMicros(gap.to.0.saturating_add(margin));
    let prefix = format!("gap/{}/", gap.id);
    let asked = standing::requested(client, &prefix).await?;
    let now = sweep::now(client).await?;
    let mut done = true;
    for source in sources(platform, settings) {
        let request = format!("{prefix}{source}");
        let state = asked
            .iter()
            .find(|(known, _)| *known == request)
            .map(|(_, state)| *state);
        done &= state == Some(State::Done);
        if state.is_some() {
            continue;
        }
        let chunks = match cut::chunks(platform, source, (from, to), now, &[]) {
            Ok(chunks) => chunks,
            Err(error) => {
                tracing::warn!(gap = gap.id, subscription = gap.subscription, from = %from, to = %to, %error, "a gap cannot be fetched");
                continue;
            }
        };
        let new = NewChunkedJob {
            from: Some(from),
            to: Some(to),
            request_id: Some(&request),
            chunks: &chunks,
            ..job(platform, source.name(), Purpose::Gap)
        };
        if let Created::New(id) = jobs::create_chunked(client, &new).await? {
            tracing::info!(gap = gap.id, subscription = gap.subscription, from = %from, to = %to, job = %id, "a gap is fetched");
        }
    }
    // One that failed or was cancelled stays open for a person to see, and is not begun again by itself.
    if done && subscription_gaps::settle(client, &[gap.id]).await? > 0 {
        tracing::info!(
            gap = gap.id,
            subscription = gap.subscription,
            "a gap is settled"
        );
    }
    Ok(())
}

/// What settlement fetches again was missed in a gap, too.
fn sources(platform: &Platform, settings: &Settlement) -> Vec<Source> {
    if settings.sources.is_empty() {
        vec![usual(platform)]
    } else {
        settings.sources.clone()
    }
}
