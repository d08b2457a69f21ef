//! Look-ups, carried out: requests that are due become jobs, by id, or by the time they lie in where that takes less.

use super::lookup::{self, Policy, Stretch};
use super::{cut, job};
use crate::finish::Finishing;
use crate::platforms::{Kind, Platform, Settlement};
use crate::source::Source;
use serde_json::json;
use std::time::Duration;
use store::chunks::NewChunk;
use store::jobs::{self, NewChunkedJob, Purpose};
use store::standing::{self, Take};
use store::{Transaction, sweep};

pub(super) async fn all(
    finishing: &Finishing,
    platform: &Platform,
    settings: &Settlement,
) -> anyhow::Result<()> {
    let policy = Policy::default();
    let mut client = finishing.store.client().await?;
    let tx = client.transaction().await?;
    // In one transaction: taken by two or by one who dies, each request is in one job or in none yet.
    let subscriptions = platform.logged_under();
    let take = Take {
        tenant: platform.tenant.as_str(),
        subscriptions: subscriptions.as_deref(),
        settle: settings.lookup_settle,
        attempts: policy.attempts,
        limit: policy.at_once,
        again: policy.again,
    };
    let ids = standing::take_requests(&tx, &take).await?;
    if ids.is_empty() {
        return Ok(tx.commit().await?);
    }
    let asked = ids.len();
    match &platform.kind {
        Kind::Genesys(_) => by_id(&tx, platform, Source::GenesysLookup, &ids).await?,
        Kind::Cxone(_) => {
            let begun = standing::begun(&tx, platform.tenant.as_str(), &ids).await?;
            let ways = lookup::ways(ids, begun);
            by_id(&tx, platform, Source::CxoneLookup, &ways.by_id).await?;
            for stretch in &ways.by_time {
                by_time(&tx, platform, stretch).await?;
            }
        }
    }
    tx.commit().await?;
    tracing::info!(
        platform = platform.name,
        interactions = asked,
        "records are asked for"
    );
    Ok(())
}

async fn by_id(
    tx: &Transaction<'_>,
    platform: &Platform,
    source: Source,
    ids: &[String],
) -> anyhow::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let now = sweep::now(tx).await?;
    let chunks = cut::chunks(platform, source, (now, now), now, ids)?;
    let params = json!({"ids": ids}).to_string();
    let new = NewChunkedJob {
        params_json: &params,
        from: Some(now),
        to: Some(now),
        chunks: &chunks,
        ..job(platform, source.name(), Purpose::Lookup)
    };
    jobs::create_chunked(tx, &new).await?;
    Ok(())
}

async fn by_time(
    tx: &Transaction<'_>,
    platform: &Platform,
    stretch: &Stretch,
) -> anyhow::Result<()> {
    let params = json!({"ids": stretch.ids}).to_string();
    // One chunk, so that what it does not answer is known at its end.
    let chunks = [NewChunk {
        from: stretch.from,
        to: stretch.to,
        due_in: Duration::ZERO,
        cursor_json: None,
    }];
    let new = NewChunkedJob {
        params_json: &params,
        from: Some(stretch.from),
        to: Some(stretch.to),
        chunks: &chunks,
        ..job(platform, Source::CxoneContacts.name(), Purpose::Lookup)
    };
    jobs::create_chunked(tx, &new).await?;
    Ok(())
}
