//! A details job: submitted, asked about, read.

use super::{At, Cursor, Details};
use crate::platforms::GenesysSettings;
use crate::sources::parts::{Part, until};
use crate::sources::{Ask, Fault, Page, Step};
use platform::history::genesys::{JobState, JobStatus};
use schema::UtcMicros;
use std::time::Duration;
use store::chunks::Chunk;
use store::named_leases::{self, Taken};

/// Jobs in a row that may come to nothing at the platform before somebody has to look.
const FAILED_MAX: u32 = 10;
/// How often the cursors of a stretch may lead in a circle.
const DOUBTS_MAX: u32 = 3;
/// A job that is not over after so long never will be.
const LONGEST: Duration = Duration::from_secs(86_400);
/// More pages than this no job has: each has cost a request.
const PAGES_MAX: u32 = 100_000;
/// How long a place among the open jobs is kept without a sign of life.
const SLOT_FOR: Duration = Duration::from_secs(900);
/// After so many pages there is one.
const SLOT_PAGES: u32 = 20;
/// How long to wait for a place at least.
const SLOT_WAIT: Duration = Duration::from_millis(500);

/// Up to when the platform has data for jobs, as far as it must be known to decide about `to`.
pub(super) async fn available(
    details: &'static Details,
    ask: &Ask<'_>,
    to: UtcMicros,
) -> Result<UtcMicros, Fault> {
    if let Some(date) = ask.memory.available(details.name, to) {
        return Ok(date);
    }
    let genesys = ask.genesys().await?;
    let date = ask
        .answer(genesys.jobs_available_to(details.subject))
        .await?;
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
    let submitted = async {
        let genesys = ask.genesys().await?;
        let job = genesys.submit_job(details.subject, part.from, part.to);
        ask.answer(job).await
    };
    let job = match submitted.await {
        Ok(job) => job,
        Err(fault) => {
            give_slot(details, ask, slot).await;
            return cursor.refused(fault);
        }
    };
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
    let genesys = ask.genesys().await?;
    let status = match ask.answer(genesys.job(details.subject, &job)).await {
        Ok(status) => status,
        Err(Fault::Gone { why }) => return again(details, ask, cursor, slot, why).await,
        Err(fault) => return Err(fault),
    };
    match status.state {
        JobState::Fulfilled => {
            let took = took(&status)
                .or_else(|| until(ask.now, since).filter(|_| asked == 0))
                .unwrap_or_default();
            ask.memory.took(details.name, took);
            cursor.at = At::Reading {
                job,
                slot,
                pages: 0,
                cursor: None,
                twice: false,
                mark: None,
            };
            Ok(Step::Moved(cursor.kept()?))
        }
        state if state.is_lost() => {
            let words = status.error.unwrap_or_default();
            let why = format!("the platform's job {job} is {state:?}: {words}");
            again(details, ask, cursor, slot, why).await
        }
        state if until(ask.now, since).is_some_and(|under_way| under_way > LONGEST) => {
            let why = format!("the platform's job {job} is still {state:?} after a day");
            match ask.answer(genesys.cancel_job(details.subject, &job)).await {
                Ok(()) => {}
                Err(fault @ Fault::Later { .. }) => return Err(fault),
                Err(fault) => tracing::warn!(%fault, job, "a details job could not be cancelled"),
            }
            again(details, ask, cursor, slot, why).await
        }
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
        twice,
        mark,
    } = cursor.at.clone()
    else {
        return Ok(Step::Moved(cursor.kept()?));
    };
    let genesys = ask.genesys().await?;
    let page = genesys.job_page(details.subject, &job, used.as_deref(), settings.page_size);
    let page = match ask.answer(page).await {
        Ok(page) => page,
        // The results have expired.
        Err(Fault::Gone { why }) => return again(details, ask, cursor, slot, why).await,
        Err(fault) => return Err(fault),
    };
    if let Some(date) = page.available_to {
        ask.memory.set_available(details.name, date);
    }
    let is_full = page.records() >= settings.page_size as usize;
    if page.stuck && is_full && !twice {
        // The last page, or a cursor that went wrong: asked once more (pitfall 1).
        cursor.at = At::Reading {
            job,
            slot,
            pages,
            cursor: used,
            twice: true,
            mark,
        };
    } else if page.stuck && is_full && cursor.doubts == 0 {
        cursor.doubts += 1;
        let why = format!("a full page of the platform's job {job} leads to itself");
        return again(details, ask, cursor, slot, why).await;
    } else if let Some(next) = page.next {
        if mark.as_ref() == Some(&next) || pages >= PAGES_MAX {
            let why = format!("the cursors of the platform's job {job} lead in a circle");
            cursor.doubts += 1;
            if cursor.doubts > DOUBTS_MAX {
                give_slot(details, ask, slot).await;
                return Err(Fault::refused(why));
            }
            return again(details, ask, cursor, slot, why).await;
        }
        if pages % SLOT_PAGES == SLOT_PAGES - 1 {
            keep_slot(details, ask, slot).await?;
        }
        cursor.failed = 0;
        cursor.at = At::Reading {
            job,
            slot,
            pages: pages + 1,
            twice: false,
            mark: marked(mark, pages, &next),
            cursor: Some(next),
        };
    } else {
        give_slot(details, ask, slot).await;
        cursor.next();
    }
    let kept = cursor.kept()?;
    if page.heads.is_empty() {
        return Ok(Step::Moved(kept));
    }
    Ok(Step::Page(Page {
        format: details.format.clone(),
        body: page.body,
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

/// The cursor that is remembered, so that a circle of any length is found out after a few times round: at each power of two the newest.
fn marked(mark: Option<String>, pages: u32, next: &str) -> Option<String> {
    if pages.is_power_of_two() {
        Some(next.to_owned())
    } else {
        mark
    }
}

/// How long the platform says that it took.
fn took(status: &JobStatus) -> Option<Duration> {
    Some(until(status.completed_at?, status.submitted_at?).unwrap_or_default())
}

/// Who has a place: the chunk, so that whoever takes it over has it too.
pub(super) fn holder(chunk: &Chunk) -> String {
    format!("{}/{}", chunk.job, chunk.number)
}

/// The named lease of a place among a credential's open jobs.
pub(super) fn slot_name(details: &Details, credential: &str, slot: u32) -> String {
    format!("{}/{credential}/{slot}", details.name)
}

async fn take_slot(details: &Details, ask: &Ask<'_>, slots: u32) -> Result<Option<u32>, Fault> {
    if ask.memory.is_full(details.name) {
        return Ok(None);
    }
    let client = ask.store.client().await.map_err(Fault::store)?;
    let holder = holder(ask.chunk);
    let slots = 0..slots.max(1);
    for slot in slots.clone() {
        let name = slot_name(details, &ask.platform.credential, slot);
        let taken = named_leases::take(&client, &name, &holder, SLOT_FOR, Duration::ZERO).await;
        if taken.map_err(Fault::store)? == Taken::Yes {
            return Ok(Some(slot));
        }
    }
    // One may be this chunk's own: whoever had it before died before it could say so.
    for slot in slots {
        let name = slot_name(details, &ask.platform.credential, slot);
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
    let name = slot_name(details, &ask.platform.credential, slot);
    // Where it was lost meanwhile there is one job more than wanted, and the platform says so if it minds.
    named_leases::keep(&client, &name, &holder(ask.chunk), SLOT_FOR, Duration::ZERO)
        .await
        .map(drop)
        .map_err(Fault::store)
}

async fn give_slot(details: &Details, ask: &Ask<'_>, slot: u32) {
    let name = slot_name(details, &ask.platform.credential, slot);
    let given = async {
        let client = ask.store.client().await?;
        named_leases::release(&client, &name, &holder(ask.chunk), Duration::ZERO).await
    };
    match given.await {
        Ok(_) => ask.memory.set_free(details.name),
        Err(error) => {
            tracing::debug!(error = %runtime::chain(&error), "a place for a job is free only when its lease runs out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platforms::Kind;
    use crate::sources::genesys_details::{CONVERSATIONS, How, Piece};
    use crate::sources::{Breaker, Caller, Memory};
    use crate::trial::{Trial, never_ready};
    use access::StoreKeeper;
    use platform::budget::shared::Shared;
    use platform::token::Keyring;
    use platform::watch::Unwatched;
    use std::sync::Arc;
    use std::sync::atomic::AtomicI64;
    use store::budgets::Class;
    use store::jobs::Promote;

    /// Pages that are read until a cursor is met again; at most ten thousand.
    fn read(cursor: impl Fn(u32) -> u32) -> Option<u32> {
        let mut mark = None;
        (0..10_000).find(|page| {
            let next = cursor(*page).to_string();
            if mark.as_ref() == Some(&next) {
                return true;
            }
            mark = marked(mark.take(), *page, &next);
            false
        })
    }

    #[test]
    fn cursors_that_lead_in_a_circle_are_found_out() {
        assert_eq!(read(|page| page), None, "each is another one");
        for length in [2, 3, 7, 100] {
            let pages = read(|page| if page < 5 { page } else { 5 + page % length });
            assert!(
                pages.is_some_and(|pages| pages <= 5 + 4 * length),
                "{pages:?} pages of a circle of {length}"
            );
        }
    }

    #[tokio::test]
    async fn a_job_that_is_not_over_after_a_day_is_ended_and_another_one_begun() {
        let trial = Trial::new().await;
        let (double, platforms) = never_ready().await;
        let platform = platforms.get("main").unwrap();
        let Kind::Genesys(settings) = &platform.kind else {
            panic!("{} is Genesys", platform.name)
        };
        trial.job(Promote::Never).await;
        let (job, chunk) = trial.leased().await;
        let credential = platform.credential.clone();
        let keeper = StoreKeeper::new(trial.store.clone(), credential.clone(), Class::Backfill);
        let budget = Shared::new(keeper, &credential, platform.access.limit).unwrap();
        let breaker = Breaker::new(trial.store.clone(), credential, platform.breaker);
        let tokens = Keyring::default()
            .tokens(&platform.access.grant, platform.access.timeouts)
            .unwrap();
        let (budget, watch) = (Arc::new(budget), Arc::new(Unwatched));
        let caller = Caller::new(platform, tokens, budget, watch, breaker);
        let (memory, calls) = (Memory::default(), AtomicI64::new(0));
        let ask = |hours: i64| Ask {
            platform,
            caller: &caller,
            memory: &memory,
            store: &trial.store,
            job: &job,
            chunk: &chunk,
            now: UtcMicros(hours * 3_600_000_000),
            calls: &calls,
        };
        let part = Part {
            from: chunk.from,
            to: chunk.to,
        };
        let begin = Cursor {
            pieces: Some(vec![Piece {
                part,
                how: How::Job,
                of_hits: None,
            }]),
            ..Cursor::default()
        };
        let read = |text: &str| serde_json::from_str::<Cursor>(text).unwrap();
        let step = submit(&CONVERSATIONS, &ask(0), settings, begin.clone(), part).await;
        let Ok(Step::Wait {
            cursor: Some(submitted),
            ..
        }) = step
        else {
            panic!("{step:?}")
        };
        let step = look(&CONVERSATIONS, &ask(24), read(&submitted)).await;
        assert!(matches!(step, Ok(Step::Wait { .. })), "{step:?}");
        let step = look(&CONVERSATIONS, &ask(25), read(&submitted)).await;
        let Ok(Step::Again { cursor, .. }) = step else {
            panic!("{step:?}")
        };
        let again = read(&cursor);
        assert_eq!((&again.at, again.failed), (&At::Begin, 1));
        let step = submit(&CONVERSATIONS, &ask(25), settings, again, part).await;
        assert!(matches!(step, Ok(Step::Wait { .. })), "{step:?}");
        let mut routes = double.history_calls().into_iter().map(|call| call.route);
        assert!(routes.any(|route| route == "details-job-delete"));
        assert!(routes.any(|route| route == "details-job-submit"));
    }
}
