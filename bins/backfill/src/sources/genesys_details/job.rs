//! A details job: submitted, asked about, read.

use super::{Answer, At, Cursor, Details, interval};
use crate::platforms::GenesysSettings;
use crate::sources::parts::{Part, until};
use crate::sources::{Ask, Fault, Page, Step};
use adapter::instant;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use schema::UtcMicros;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use store::named_leases::{self, Taken};

/// Jobs in a row that may come to nothing at the platform before somebody has to look.
const FAILED_MAX: u32 = 10;
/// How long a place among the open jobs is kept without a sign of life.
const SLOT_FOR: Duration = Duration::from_secs(900);
/// After so many pages there is one.
const SLOT_PAGES: u32 = 20;
/// How long to wait for a place at least.
const SLOT_WAIT: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Submitted {
    job_id: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    state: String,
    error_message: Option<String>,
    submission_date: Option<String>,
    completion_date: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Availability {
    data_availability_date: String,
}

/// Up to when the platform has data for jobs, as far as it must be known to decide about `to`.
pub(super) async fn available(
    details: &'static Details,
    ask: &Ask<'_>,
    to: UtcMicros,
) -> Result<UtcMicros, Fault> {
    if let Some(date) = ask.memory.available(details.name, to) {
        return Ok(date);
    }
    let path = format!("{}/availability", details.jobs_path);
    let answer = ask.get(details.availability, &path).await?;
    let date = serde_json::from_slice::<Availability>(&answer.body)
        .ok()
        .and_then(|answer| instant::parse(&answer.data_availability_date))
        .ok_or_else(|| Fault::failed("the platform does not say up to when it has data"))?;
    ask.memory.set_available(details.name, date);
    Ok(date)
}

/// Submits a job, once there is a place among those that may be open.
pub(super) async fn submit(
    details: &'static Details,
    ask: &Ask<'_>,
    settings: &GenesysSettings,
    mut cursor: Cursor,
    part: Part,
) -> Result<Step, Fault> {
    let Some(slot) = take_slot(details, ask, settings.jobs_at_once).await? else {
        return Ok(Step::Wait {
            cursor: None,
            wait: ask.memory.turn(details.name, SLOT_WAIT),
            reason: "jobs",
        });
    };
    let mut body = json!({ "interval": interval(part) });
    if details.ordered {
        body["order"] = json!("asc");
        body["orderBy"] = json!("conversationStart");
    }
    let answer = ask.post(details.submit, details.jobs_path, &body).await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(fault) => {
            give_slot(details, ask, slot).await;
            return cursor.refused(fault);
        }
    };
    let job = serde_json::from_slice::<Submitted>(&answer.body)
        .map_err(|error| Fault::failed(format!("the answer to a new job cannot be read: {error}")))?
        .job_id;
    cursor.at = At::Submitted {
        job,
        slot,
        since: ask.now,
        asked: 0,
    };
    Ok(Step::Wait {
        cursor: Some(cursor.kept()?),
        wait: ask.memory.wait(details.name, 0),
        reason: "platform",
    })
}

/// Asks how a job stands.
pub(super) async fn look(
    details: &'static Details,
    ask: &Ask<'_>,
    mut cursor: Cursor,
) -> Result<Step, Fault> {
    let At::Submitted {
        job,
        slot,
        since,
        asked,
    } = cursor.at.clone()
    else {
        return Ok(Step::Moved(cursor.kept()?));
    };
    let path = format!("{}/{job}", details.jobs_path);
    let answer = match ask.get(details.status, &path).await {
        Ok(answer) => answer,
        Err(Fault::Gone { why }) => return again(details, ask, cursor, slot, why).await,
        Err(fault) => return Err(fault),
    };
    let status: Status = serde_json::from_slice(&answer.body)
        .map_err(|error| Fault::failed(format!("a job's state cannot be read: {error}")))?;
    match status.state.as_str() {
        "FULFILLED" => {
            let took = status
                .took()
                .or_else(|| until(ask.now, since).filter(|_| asked == 0))
                .unwrap_or_default();
            ask.memory.took(details.name, took);
            cursor.at = At::Reading {
                job,
                slot,
                pages: 0,
                cursor: None,
            };
            Ok(Step::Moved(cursor.kept()?))
        }
        "FAILED" | "CANCELLED" | "EXPIRED" => {
            let words = status.error_message.unwrap_or_default();
            let why = format!("the platform's job {job} is {}: {words}", status.state);
            again(details, ask, cursor, slot, why).await
        }
        // QUEUED, PENDING, and whatever else a job can be that is not over.
        _ => {
            let asked = asked + 1;
            keep_slot(details, ask, slot).await?;
            cursor.at = At::Submitted {
                job,
                slot,
                since,
                asked,
            };
            Ok(Step::Wait {
                cursor: Some(cursor.kept()?),
                wait: ask.memory.wait(details.name, asked),
                reason: "platform",
            })
        }
    }
}

/// Reads a page of a job's results.
pub(super) async fn page(
    details: &'static Details,
    ask: &Ask<'_>,
    settings: &GenesysSettings,
    mut cursor: Cursor,
) -> Result<Step, Fault> {
    let At::Reading {
        job,
        slot,
        pages,
        cursor: used,
    } = cursor.at.clone()
    else {
        return Ok(Step::Moved(cursor.kept()?));
    };
    let mut path = format!(
        "{}/{job}/results?pageSize={}",
        details.jobs_path, settings.page_size
    );
    if let Some(used) = &used {
        path.push_str("&cursor=");
        path.extend(utf8_percent_encode(used, NON_ALPHANUMERIC));
    }
    let answer = match ask.get(details.results, &path).await {
        Ok(answer) => answer,
        // The results have expired.
        Err(Fault::Gone { why }) => return again(details, ask, cursor, slot, why).await,
        Err(fault) => return Err(fault),
    };
    let read = Answer::read(details, &answer.body)?;
    if let Some(date) = read
        .data_availability_date
        .as_deref()
        .and_then(instant::parse)
    {
        ask.memory.set_available(details.name, date);
    }
    let nothing = read.records().is_empty();
    // The cursor that was just used, once more, would lead in a circle (pitfall 1).
    if let Some(next) = read.cursor.filter(|next| Some(next) != used.as_ref()) {
        if pages % SLOT_PAGES == SLOT_PAGES - 1 {
            keep_slot(details, ask, slot).await?;
        }
        cursor.failed = 0;
        cursor.at = At::Reading {
            job,
            slot,
            pages: pages + 1,
            cursor: Some(next),
        };
    } else {
        give_slot(details, ask, slot).await;
        cursor.next();
    }
    let kept = cursor.kept()?;
    if nothing {
        return Ok(Step::Moved(kept));
    }
    Ok(Step::Page(Page {
        format: details.format.clone(),
        body: answer.body,
        cursor: kept,
    }))
}

/// The job came to nothing: another one for the same stretch, unless that happened too often.
async fn again(
    details: &'static Details,
    ask: &Ask<'_>,
    mut cursor: Cursor,
    slot: u32,
    why: String,
) -> Result<Step, Fault> {
    give_slot(details, ask, slot).await;
    cursor.failed += 1;
    if cursor.failed > FAILED_MAX {
        return Err(Fault::refused(why));
    }
    cursor.at = At::Begin;
    Ok(Step::Again {
        cursor: cursor.kept()?,
        why,
        attempt: cursor.failed - 1,
    })
}

impl Status {
    /// How long the platform says that it took.
    fn took(&self) -> Option<Duration> {
        let began = self.submission_date.as_deref().and_then(instant::parse)?;
        let ended = self.completion_date.as_deref().and_then(instant::parse)?;
        Some(until(ended, began).unwrap_or_default())
    }
}

/// Who has a place: the chunk, so that whoever takes it over has it too.
fn holder(ask: &Ask<'_>) -> String {
    format!("{}/{}", ask.job.id, ask.chunk.number)
}

fn slot_name(details: &Details, ask: &Ask<'_>, slot: u32) -> String {
    format!("{}/{}/{slot}", details.name, ask.platform.credential)
}

async fn take_slot(details: &Details, ask: &Ask<'_>, slots: u32) -> Result<Option<u32>, Fault> {
    if ask.memory.is_full(details.name) {
        return Ok(None);
    }
    let client = ask.store.client().await.map_err(Fault::store)?;
    let holder = holder(ask);
    let slots = 0..slots.max(1);
    for slot in slots.clone() {
        let name = slot_name(details, ask, slot);
        let taken = named_leases::take(&client, &name, &holder, SLOT_FOR, Duration::ZERO).await;
        if taken.map_err(Fault::store)? == Taken::Yes {
            return Ok(Some(slot));
        }
    }
    // One may be this chunk's own: whoever had it before died before it could say so.
    for slot in slots {
        let name = slot_name(details, ask, slot);
        let kept = named_leases::keep(&client, &name, &holder, SLOT_FOR, Duration::ZERO).await;
        if kept.map_err(Fault::store)? {
            return Ok(Some(slot));
        }
    }
    ask.memory.set_full(details.name);
    Ok(None)
}

async fn keep_slot(details: &Details, ask: &Ask<'_>, slot: u32) -> Result<(), Fault> {
    let client = ask.store.client().await.map_err(Fault::store)?;
    let name = slot_name(details, ask, slot);
    // Where it was lost meanwhile there is one job more than wanted, and the platform says so if it minds.
    named_leases::keep(&client, &name, &holder(ask), SLOT_FOR, Duration::ZERO)
        .await
        .map(drop)
        .map_err(Fault::store)
}

async fn give_slot(details: &Details, ask: &Ask<'_>, slot: u32) {
    let name = slot_name(details, ask, slot);
    let given = async {
        let client = ask.store.client().await?;
        named_leases::release(&client, &name, &holder(ask), Duration::ZERO).await
    };
    match given.await {
        Ok(_) => ask.memory.set_free(details.name),
        Err(error) => {
            tracing::debug!(error = %runtime::chain(&error), "a place for a job is free only when its lease runs out");
        }
    }
}
