//! A fetched chunk: has what it brought arrived?

use super::arrival::{Seen, Verdict};
use super::{Finishing, Sight, lookup};
use crate::outlet::{Done, Outlet};
use crate::source::Source;
use broker::Queue;
use runtime::metrics::Counter;
use schema::UtcMicros;
use serde_json::{Map, Value};
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use store::arrivals::{self, Counted};
use store::chunks::{self, Chunk, Reopen, Why};
use store::jobs::{Job, Lane, Purpose};
use store::sweep;

/// What became of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checked {
    /// It is done, with everything or with what is missing stated.
    Done,
    /// It is fetched anew.
    Reopened,
    /// It was given back, to be looked at again.
    Later,
    /// It was no longer ours.
    Lost,
}

/// A chunk that waits is looked at more often than this by somebody; what this process saw longer ago is of no use.
const KEPT: Duration = Duration::from_secs(3600);

/// Members of a cursor that say how the chunk is to be fetched, and not how far it is.
const OF_THE_PLAN: [&str; 2] = ["way", "ids"];

/// Looks at a fetched chunk that `owner` has leased, and ends the lease one way or the other.
pub(crate) async fn check_chunk(
    finishing: &Finishing,
    outlet: &mut Outlet,
    job: &Job,
    chunk: &Chunk,
    owner: &str,
) -> anyhow::Result<Checked> {
    let client = finishing.store.client().await?;
    let now = sweep::now(&client).await?;
    let looks_up = lookup::is_one(job);
    let (expected, arrived) = if looks_up {
        lookup::answered(&client, job, chunk).await?
    } else {
        match (chunk.expected, of_whom(finishing, job), counted(job)) {
            (Some(expected), Some((tenant, subscription)), Some(format)) => {
                let (from, to) = (chunk.from, chunk.to);
                let records = arrivals::records(&client, &tenant, &subscription, format, from, to);
                let arrived = records.await?;
                (Some(expected), arrived)
            }
            _ => (None, 0),
        }
    };
    drop(client);
    let live = job.lane == Lane::Live;
    let missing = expected.is_some_and(|expected| arrived < expected);
    // Asked only where it matters: a look at the queues is a round trip for each.
    let drained = !missing || drained(outlet, live).await?;
    let since_fetched = since(chunk.fetched_at.unwrap_or(now), now);
    let seen = Seen {
        expected,
        arrived,
        reopened: u32::try_from(chunk.reopened).unwrap_or(u32::MAX),
        drained,
        live,
        since_fetched,
        since_moved: moved(finishing, chunk, arrived).min(since_fetched),
    };
    let mut policy = finishing.settings.arrival;
    if looks_up {
        // What the platform does not know by asking for it is asked for later, not at once again.
        policy.reopen_max = 0;
    }
    settle(finishing, job, chunk, owner, &seen, policy.verdict(&seen)).await
}

async fn settle(
    finishing: &Finishing,
    job: &Job,
    chunk: &Chunk,
    owner: &str,
    seen: &Seen,
    verdict: Verdict,
) -> anyhow::Result<Checked> {
    let client = finishing.store.client().await?;
    let compared = seen.expected.map(|_| seen.arrived);
    let missing = seen.expected.unwrap_or(0) - seen.arrived;
    let (held, outcome) = match verdict {
        Verdict::Wait(pause) => {
            let waiting = format!(
                "{} of {} records have arrived",
                seen.arrived,
                seen.expected.unwrap_or(0)
            );
            let why = Why::Waiting(&waiting);
            let held = chunks::release(&client, job.id, chunk.number, owner, pause, why, 0).await?;
            (held, Checked::Later)
        }
        Verdict::Reopen(pause) => {
            let reason = format!(
                "{missing} of {} records are missing",
                seen.expected.unwrap_or(0)
            );
            let cursor = afresh(chunk.cursor_json.as_deref());
            let reopen = Reopen {
                arrived: compared,
                cursor_json: cursor.as_deref(),
                reason: &reason,
                due_in: pause,
            };
            let held = chunks::reopen(&client, job.id, chunk.number, owner, &reopen).await?;
            if held {
                tracing::warn!(job = %job.id, chunk = chunk.number, missing, "records are missing, fetching the chunk anew");
                finishing
                    .metrics
                    .counter(Counter::BackfillChunksReopened, &[])
                    .inc();
            }
            (held, Checked::Reopened)
        }
        Verdict::Whole | Verdict::Short => {
            if lookup::is_one(job) {
                lookup::close(&client, job, chunk).await?;
            }
            let held = chunks::done(&client, job.id, chunk.number, owner, compared).await?;
            if held && verdict == Verdict::Short && job.purpose != Purpose::Lookup {
                tracing::warn!(job = %job.id, chunk = chunk.number, from = %chunk.from, to = %chunk.to, missing,
                               "records that the platform counts did not arrive");
                finishing
                    .metrics
                    .counter(Counter::BackfillRecordsMissing, &[])
                    .inc_by(missing.unsigned_abs());
            }
            (held, Checked::Done)
        }
    };
    if !held || outcome != Checked::Later {
        forget(finishing, chunk);
    }
    Ok(if held { outcome } else { Checked::Lost })
}

/// Whose records, and what the log files them under; `None`: nobody was asked for them.
fn of_whom(finishing: &Finishing, job: &Job) -> Option<(String, String)> {
    let platform = finishing.platforms.get(job.platform.as_deref()?)?;
    let tenant = job.tenant.as_deref().unwrap_or(platform.tenant.as_str());
    Some((tenant.to_owned(), platform.subscription.as_str().to_owned()))
}

/// What the platform counts of a source. All sources of a platform are filed under one name: what another brings of the time is not counted.
fn counted(job: &Job) -> Option<Counted> {
    match Source::parse(&job.kind)? {
        Source::GenesysConversations => Some(Counted::GenesysDetails),
        Source::CxoneContacts => Some(Counted::CxoneContacts),
        Source::GenesysUsers
        | Source::GenesysLookup
        | Source::CxoneLookup
        | Source::CxoneContactStates
        | Source::CxoneAgentStates
        | Source::CxoneReport
        | Source::CxoneExtraction
        | Source::GenesysFigures
        | Source::GenesysShifts
        | Source::CxoneFigures
        | Source::CxoneShifts
        | Source::Replay
        | Source::Files => None,
    }
}

/// Whether nothing waits in the queues that a chunk's records go through.
async fn drained(outlet: &mut Outlet, live: bool) -> anyhow::Result<bool> {
    let queues: &[Queue] = if live {
        &[Queue::Raw, Queue::EventsTerminal, Queue::EventsProgress]
    } else {
        &[Queue::RawHistory, Queue::EventsHistory]
    };
    for queue in queues {
        match outlet.depth(*queue).await? {
            Done::Yes(0) => {}
            // The process stops: whoever comes next looks again.
            Done::Yes(_) | Done::Stopped => return Ok(false),
        }
    }
    Ok(true)
}

/// How long the number has not risen, as far as this process has seen.
fn moved(finishing: &Finishing, chunk: &Chunk, arrived: i64) -> Duration {
    let mut moved = finishing
        .moved
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    // Another process may have ended the wait: nobody tells us.
    moved.retain(|_, sight| now.duration_since(sight.looked) < KEPT);
    let fresh = Sight {
        reopened: chunk.reopened,
        arrived,
        since: now,
        looked: now,
    };
    let sight = moved.entry((chunk.job, chunk.number)).or_insert(fresh);
    sight.looked = now;
    if (sight.reopened, sight.arrived) != (chunk.reopened, arrived) {
        *sight = fresh;
    }
    now.duration_since(sight.since)
}

fn forget(finishing: &Finishing, chunk: &Chunk) {
    finishing
        .moved
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&(chunk.job, chunk.number));
}

pub(super) fn since(earlier: UtcMicros, now: UtcMicros) -> Duration {
    Duration::from_micros(u64::try_from(now.0.saturating_sub(earlier.0)).unwrap_or(0))
}

/// The cursor of a chunk that begins anew.
fn afresh(cursor: Option<&str>) -> Option<String> {
    let Ok(Value::Object(members)) = serde_json::from_str(cursor?) else {
        return None;
    };
    let kept: Map<String, Value> = members
        .into_iter()
        .filter(|(name, _)| OF_THE_PLAN.contains(&name.as_str()))
        .collect();
    (!kept.is_empty()).then(|| Value::Object(kept).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_begins_anew_the_way_it_was_planned() {
        let way = Some(r#"{"way":"query"}"#.to_owned());
        assert_eq!(afresh(Some(r#"{"page":7,"way":"query"}"#)), way);
        for none in [None, Some(r#"{"page":7}"#), Some("[]"), Some("null")] {
            assert_eq!(afresh(none), None);
        }
    }
}
