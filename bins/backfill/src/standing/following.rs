//! Following, carried out: two standing jobs a source, one for the front and one for its trails.

use super::follow::{self, Deliveries, Front, Pace, Stretch, Trails};
use super::{cut, job};
use crate::finish::Finishing;
use crate::platforms::{Follow, Kind, Platform};
use crate::source::Source;
use runtime::metrics::Gauge;
use schema::{JobId, UtcMicros};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use store::chunks::NewChunk;
use store::freshness::evidence::{self, Followed};
use store::jobs::{self, Lane, NewChunkedJob, Purpose, State};
use store::standing::{self, Standing};
use store::{Client, Transaction, subscriptions, sweep};

/// Chunks of one job that may wait to be fetched. What is further behind is added when these are.
const OPEN_MAX: i64 = 48;

/// A query of Genesys lists whole UTC days: a longer stretch costs no more, and several short ones cost several times as much.
const LISTED: Duration = Duration::from_secs(86_400);

pub(super) fn pace(platform: &Platform, follow: &Follow) -> Pace {
    let longest = match platform.kind {
        Kind::Genesys(_) => follow.longest.max(LISTED),
        Kind::Cxone(_) => follow.longest,
    };
    Pace {
        every: follow.every,
        settle: follow.settle,
        overlap: follow.overlap,
        reread: follow.reread.clone(),
        longest,
    }
}

/// Adds what is due of one source.
pub(super) async fn one(
    finishing: &Finishing,
    platform: &Platform,
    follow: &Follow,
    source: Source,
) -> anyhow::Result<()> {
    let mut client = finishing.store.client().await?;
    let now = sweep::now(&client).await?;
    let pace = pace(platform, follow);
    let deliveries = deliveries(&client, platform, follow).await?;
    let request = format!("follow/{}/{source}", platform.name);
    let behind = format!("{request}/behind");
    let begin = follow::begins(follow.since, follow.overlap, deliveries, now);
    let (front_job, begin) = standing_job(&client, platform, source, &request, begin).await?;
    let at = At {
        platform,
        source,
        now,
        behind: &behind,
    };
    let front = extend(&mut client, &at, front_job, |stored: Option<Front>, room| {
        let mut front = stored.unwrap_or(Front::new(begin));
        let rested = front.rests_since;
        if let Some(deliveries) = deliveries {
            front.hand_over(&pace, deliveries);
        }
        if rested != front.rests_since {
            tracing::info!(platform = platform.name, source = source.name(), until = %front.until, rests = front.rests_since.is_some(),
                           "following hands over");
        }
        let late = front.late(&pace, now);
        let due = front.advance(&pace, now, room);
        (front, due, late)
    })
    .await?;
    let again = format!("{request}/again");
    if let Some(front) = &front
        && !pace.reread.is_empty()
    {
        let (job, begin) = standing_job(&client, platform, source, &again, begin).await?;
        extend(&mut client, &at, job, |stored: Option<Trails>, room| {
            let mut trails = stored.unwrap_or_default();
            let due = trails.advance(&pace, begin, front, now, room);
            (trails, due, None)
        })
        .await?;
    }
    let lag = lag(
        &client,
        (front_job, &behind),
        front.as_ref(),
        pace.overlap,
        now,
    )
    .await?;
    shown(finishing, platform, source, lag.unwrap_or(0));
    told(&client, platform, follow, source, lag, now).await
}

/// Says how far a source is for whoever judges how new the numbers are: also what of it has not been fetched since, if nobody fetches any more.
async fn told(
    client: &Client,
    platform: &Platform,
    follow: &Follow,
    source: Source,
    lag: Option<i64>,
    now: UtcMicros,
) -> anyhow::Result<()> {
    let Some(lag) = lag else {
        // What is delivered instead says for itself how new it is.
        let others: Vec<&str> = follow
            .sources
            .iter()
            .filter(|other| **other != source)
            .map(|other| other.name())
            .collect();
        evidence::forget_followed(client, &platform.name, &others).await?;
        return Ok(());
    };
    let followed = Followed {
        source: source.name().to_owned(),
        until: UtcMicros(now.0.saturating_sub(lag.saturating_mul(1_000_000))),
        usual: pace(platform, follow).freshness(),
    };
    let tenant = platform.tenant.as_str();
    evidence::note_followed(client, tenant, &platform.name, &followed).await?;
    Ok(())
}

/// Forgets what was followed before and is not any more.
pub(super) async fn tidy(finishing: &Finishing) -> anyhow::Result<()> {
    let client = finishing.store.client().await?;
    for platform in finishing.platforms.iter() {
        let sources: Vec<&str> = platform
            .follow
            .iter()
            .flat_map(|follow| &follow.sources)
            .map(|source| source.name())
            .collect();
        evidence::forget_followed(&client, &platform.name, &sources).await?;
    }
    Ok(())
}

/// Says nothing of how far anything is behind: another process does.
pub(super) fn silent(finishing: &Finishing) {
    for platform in finishing.platforms.iter() {
        for source in platform.follow.iter().flat_map(|follow| &follow.sources) {
            shown(finishing, platform, *source, 0);
        }
    }
}

fn shown(finishing: &Finishing, platform: &Platform, source: Source, seconds: i64) {
    let labels = [
        ("platform", platform.name.as_str()),
        ("source", source.name()),
    ];
    finishing
        .metrics
        .gauge(Gauge::BackfillFollowLagSeconds, &labels)
        .set(seconds);
}

/// The job of this request, and where it began.
async fn standing_job(
    client: &Client,
    platform: &Platform,
    source: Source,
    request: &str,
    begin: UtcMicros,
) -> anyhow::Result<(JobId, UtcMicros)> {
    if let Some(found) = jobs::of_request(client, request).await? {
        return Ok((found.id, found.from.unwrap_or(begin)));
    }
    let new = follows(platform, source, Lane::Live, begin, request);
    let created = jobs::create_chunked(client, &new).await?;
    let found = jobs::get(client, created.id()).await?;
    let begin = found.and_then(|found| found.from).unwrap_or(begin);
    tracing::info!(platform = platform.name, source = source.name(), job = %created.id(), from = %begin, "following begins");
    Ok((created.id(), begin))
}

fn follows<'a>(
    platform: &'a Platform,
    source: Source,
    lane: Lane,
    begin: UtcMicros,
    request: &'a str,
) -> NewChunkedJob<'a> {
    NewChunkedJob {
        from: Some(begin),
        lane,
        standing: true,
        request_id: Some(request),
        ..job(platform, source.name(), Purpose::Follow)
    }
}

/// What is followed, and when it is looked at.
struct At<'a> {
    platform: &'a Platform,
    source: Source,
    now: UtcMicros,
    /// The request of the job for what is late.
    behind: &'a str,
}

/// Adds the chunks that `decide` finds due, and the marks that it leaves, in one transaction under the job's lock. `None`: the job is
/// paused or over, and nothing is added.
async fn extend<M: Serialize + DeserializeOwned + PartialEq + Clone>(
    client: &mut Client,
    at: &At<'_>,
    job: JobId,
    decide: impl FnOnce(Option<M>, usize) -> (M, Vec<Stretch>, Option<Stretch>),
) -> anyhow::Result<Option<M>> {
    let tx = client.transaction().await?;
    let Some(held) = standing::lock(&tx, job).await?.filter(goes_on) else {
        tx.rollback().await?;
        return Ok(None);
    };
    let stored: Option<M> = held
        .marks_json
        .as_deref()
        .map(serde_json::from_str)
        .transpose()?;
    let room = usize::try_from(OPEN_MAX - held.open).unwrap_or(0);
    let (marks, due, late) = decide(stored.clone(), room);
    if stored.as_ref() == Some(&marks) {
        tx.rollback().await?;
        return Ok(Some(marks));
    }
    let chunks: Vec<NewChunk> = due
        .into_iter()
        .flat_map(|due| cut::followed(at.platform, (due.from, due.to), due.age))
        .collect();
    // Always this one's lock after the other's.
    if let Some(late) = late {
        catch_up(&tx, at, late).await?;
    }
    standing::extend(&tx, job, &held, &chunks, &serde_json::to_string(&marks)?).await?;
    tx.commit().await?;
    Ok(Some(marks))
}

/// Adds what is late to a job of its own on the history lane: it waits for live work, and what is new does not wait for it.
async fn catch_up(tx: &Transaction<'_>, at: &At<'_>, late: Stretch) -> anyhow::Result<()> {
    let name = at.platform.name.as_str();
    let new = follows(at.platform, at.source, Lane::History, late.from, at.behind);
    let job = jobs::create_chunked(tx, &new).await?.id();
    let held = standing::lock(tx, job).await?;
    let Some(held) = held.filter(|held| held.state != State::Cancelled) else {
        tracing::warn!(platform = name, source = at.source.name(), %job, from = %late.from, to = %late.to,
                       "what is late is left out: the job that fetches it was cancelled");
        return Ok(());
    };
    let chunks = cut::chunks(at.platform, at.source, (late.from, late.to), at.now, &[])?;
    let marks = serde_json::to_string(&Front::new(late.to))?;
    standing::extend(tx, job, &held, &chunks, &marks).await?;
    tracing::info!(platform = name, source = at.source.name(), %job, from = %late.from, to = %late.to, chunks = chunks.len(),
                   "what is late is fetched as history");
    Ok(())
}

fn goes_on(held: &Standing) -> bool {
    matches!(held.state, State::Pending | State::Running)
}

/// Seconds from the newest instant before which everything is fetched to now; `None`: nothing is to be fetched, or nobody knows.
async fn lag(
    client: &Client,
    (job, behind): (JobId, &str),
    front: Option<&Front>,
    overlap: Duration,
    now: UtcMicros,
) -> anyhow::Result<Option<i64>> {
    let Some(stands) = standing::stands(client, job).await? else {
        return Ok(None);
    };
    let read = || {
        stands
            .marks_json
            .as_deref()
            .and_then(|text| serde_json::from_str::<Front>(text).ok())
    };
    let Some(front) = front.cloned().or_else(read) else {
        return Ok(None);
    };
    // While deliveries come instead, nothing is behind.
    if front.rests_since.is_some() {
        return Ok(None);
    }
    let late = match jobs::of_request(client, behind).await? {
        Some(late) => standing::stands(client, late.id).await?,
        None => None,
    };
    let late = late.filter(|late| late.state != State::Cancelled);
    let late = late.and_then(|late| late.earliest_open);
    let open = stands.earliest_open.into_iter().chain(late).min();
    let open = open.map(|from| UtcMicros(from.0.saturating_add(follow::micros(overlap))));
    let fetched = open.map_or(front.until, |open| open.min(front.until));
    Ok(Some(now.since(fetched).0.div_euclid(1000)))
}

/// How the subscription does that following hands over to, if there is one.
async fn deliveries(
    client: &Client,
    platform: &Platform,
    follow: &Follow,
) -> anyhow::Result<Option<Deliveries>> {
    let Some(subscription) = &follow.until_webhooks else {
        return Ok(None);
    };
    let all = subscriptions::list(client).await?;
    let found = all.into_iter().find(|row| {
        row.subscription == subscription.as_str() && row.tenant == platform.tenant.as_str()
    });
    Ok(found.map(|row| {
        let flows = row.state == subscriptions::State::Ok && row.last_received_at.is_some();
        Deliveries {
            flow_since: flows.then_some(row.since),
            last: row.silent_from.or(row.last_received_at),
        }
    }))
}
