//! Look-ups, carried out: requests that are due become jobs, by id where the platform can be asked so, else by the time they lie in.

use super::lookup::{self, Policy};
use super::{cut, job};
use crate::finish::Finishing;
use crate::platforms::{Kind, Platform, Settlement};
use crate::source::Source;
use schema::UtcMicros;
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
    match &platform.kind {
        Kind::Genesys(_) => by_id(&tx, platform, &ids).await?,
        Kind::Cxone(_) => by_time(&tx, platform, &ids).await?,
    }
    tx.commit().await?;
    tracing::info!(
        platform = platform.name,
        interactions = ids.len(),
        "records are asked for"
    );
    Ok(())
}

async fn by_id(tx: &Transaction<'_>, platform: &Platform, ids: &[String]) -> anyhow::Result<()> {
    let now = sweep::now(tx).await?;
    let chunks = cut::chunks(platform, Source::GenesysLookup, (now, now), now, ids)?;
    let params = json!({"ids": ids}).to_string();
    let new = NewChunkedJob {
        params_json: &params,
        from: Some(now),
        to: Some(now),
        chunks: &chunks,
        ..job(platform, Source::GenesysLookup.name(), Purpose::Lookup)
    };
    jobs::create_chunked(tx, &new).await?;
    Ok(())
}

async fn by_time(tx: &Transaction<'_>, platform: &Platform, ids: &[String]) -> anyhow::Result<()> {
    let begun = standing::begun(tx, platform.tenant.as_str(), ids).await?;
    let instants: Vec<UtcMicros> = begun.iter().map(|(_, at)| *at).collect();
    for (from, to) in lookup::stretches(&instants) {
        let within: Vec<&String> = begun
            .iter()
            .filter(|(_, at)| from <= *at && *at < to)
            .map(|(id, _)| id)
            .collect();
        let params = json!({"ids": within}).to_string();
        // One chunk, so that what it does not answer is known at its end.
        let chunks = [NewChunk {
            from,
            to,
            due_in: Duration::ZERO,
            cursor_json: None,
        }];
        let new = NewChunkedJob {
            params_json: &params,
            from: Some(from),
            to: Some(to),
            chunks: &chunks,
            ..job(platform, Source::CxoneContacts.name(), Purpose::Lookup)
        };
        jobs::create_chunked(tx, &new).await?;
    }
    Ok(())
}
