//! Look-ups that were fetched: which requests are answered, and which are to be asked once more.

use crate::source::Source;
use serde::Deserialize;
use std::collections::HashSet;
use std::time::Duration;
use store::chunks::Chunk;
use store::jobs::{Job, Purpose};
use store::{Client, StoreError, history_requests, standing};

/// When to ask once more the first time, doubled each further time: a record may be late by a day.
const AGAIN: Duration = Duration::from_secs(3600);

/// What a chunk's cursor or a job's parameters say of ids; whatever else is there is the source's own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ids {
    ids: Vec<String>,
    /// Of these, those that the platform does not have.
    unknown: Vec<String>,
}

impl Ids {
    fn read(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    fn of(job: &Job, chunk: &Chunk) -> Self {
        let own = Self::read(chunk.cursor_json.as_deref());
        if own.ids.is_empty() {
            Self {
                ids: Self::read(Some(&job.params_json)).ids,
                ..own
            }
        } else {
            own
        }
    }

    /// Those that may have been answered.
    fn known(&self) -> Vec<String> {
        let unknown: HashSet<&str> = self.unknown.iter().map(String::as_str).collect();
        let mut known = self.ids.clone();
        known.retain(|id| !unknown.contains(id.as_str()));
        known
    }
}

/// Whether a job asks about ids, for the requests that wait or because somebody wants them.
pub(super) fn is_one(job: &Job) -> bool {
    job.purpose == Purpose::Lookup || Source::parse(&job.kind).is_some_and(Source::looks_up)
}

/// How many answers are to be expected, and how many interactions show that theirs came: of what was requested those that have ended, and a
/// record says so; of what somebody wants those that there are.
pub(super) async fn answered(
    client: &Client,
    job: &Job,
    chunk: &Chunk,
) -> Result<(Option<i64>, i64), StoreError> {
    let (Some(tenant), known) = (&job.tenant, Ids::of(job, chunk).known()) else {
        return Ok((None, 0));
    };
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let arrived = if job.purpose == Purpose::Lookup {
        standing::confirmed(client, tenant, &known).await?.len()
    } else {
        standing::begun(client, tenant, &known).await?.len()
    };
    Ok((Some(count(known.len())), count(arrived)))
}

/// Removes the requests that were answered, and puts the others off: the platform does not know them yet, or they go on.
pub(super) async fn close(client: &Client, job: &Job, chunk: &Chunk) -> Result<(), StoreError> {
    let Some(tenant) = &job.tenant else {
        return Ok(());
    };
    let ids = Ids::of(job, chunk);
    let ended: HashSet<String> = standing::confirmed(client, tenant, &ids.ids)
        .await?
        .into_iter()
        .collect();
    let answered: Vec<&String> = ended.iter().collect();
    if !answered.is_empty() {
        history_requests::answered(client, tenant, &answered).await?;
    }
    let unknown: HashSet<&String> = ids.unknown.iter().collect();
    let (unknown, goes_on): (Vec<&String>, Vec<&String>) = ids
        .ids
        .iter()
        .filter(|id| !ended.contains(*id))
        .partition(|id| unknown.contains(id));
    for (ids, why) in [
        (unknown, "the platform does not know it"),
        (goes_on, "the platform's answer states no end"),
    ] {
        standing::postpone(client, tenant, &ids, why, AGAIN).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_chunk_without_what_the_platform_does_not_have() {
        let ids = Ids::read(Some(r#"{"ids":["a","b","c"],"unknown":["b"],"page":3}"#));
        assert_eq!(ids.known(), ["a", "c"]);
        for nothing in [None, Some("{}"), Some("7")] {
            assert_eq!(Ids::read(nothing).known(), [] as [&str; 0]);
        }
    }
}
