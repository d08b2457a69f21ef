//! CXone Data Extraction: one call of an organisation at a time with a pause between two, and a link to the file that lives half a minute.
//!
//! A lease in the store keeps all processes to that. It belongs to the chunk, so whoever takes the chunk over has it too.

use super::cxone_rows::settings;
use super::parts::{after, until};
use super::{Ask, Fault, Page, Step};
use platform::history::cxone::{Extraction, ExtractionState};
use schema::{BodyFormat, UtcMicros};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::named_leases::{self, Taken};

const NAME: &str = "extraction";
/// How long a call is ours without a sign of life.
const OURS_FOR: Duration = Duration::from_secs(300);
/// Jobs in a row that may come to nothing at the platform before somebody has to look.
const FAILED_MAX: u32 = 10;
/// Links in a row that may have died before they were followed.
const LINKS_MAX: u32 = 10;
/// Refusals for coming too soon, because somebody else uses it too, before it is taken for one of the credential.
const SOON_MAX: i32 = 5;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum At {
    #[default]
    Begin,
    Submitted {
        job: String,
        since: UtcMicros,
        asked: u32,
        /// Links that had died.
        dead: u32,
    },
    Done,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    at: At,
    failed: u32,
}

/// One step.
pub(super) async fn step(ask: &Ask<'_>, cursor: Option<&str>) -> Result<Step, Fault> {
    let cursor: Cursor = super::read(cursor)?;
    match cursor.at.clone() {
        At::Begin => submit(ask, cursor).await,
        At::Submitted {
            job,
            since,
            asked,
            dead,
        } => look(ask, cursor, job, since, (asked, dead)).await,
        At::Done => Ok(Step::Done { expected: None }),
    }
}

async fn submit(ask: &Ask<'_>, mut cursor: Cursor) -> Result<Step, Fault> {
    let settings = settings(ask)?;
    if let Some(wait) = until(after(ask.chunk.to, settings.lag), ask.now) {
        return Ok(Step::Wait {
            cursor: None,
            wait,
            reason: "data",
        });
    }
    let entity: String = required(ask, "entity")?;
    let version: Option<String> = super::parameter(ask.job, "version")?;
    if let Some(wait) = taken(ask).await? {
        return Ok(Step::Wait {
            cursor: None,
            wait,
            reason: "turn",
        });
    }
    let cxone = ask.cxone(settings).await?;
    let asked = Extraction {
        entity: &entity,
        version: version.as_deref().unwrap_or("1"),
        from: ask.chunk.from,
        to: ask.chunk.to,
    };
    let job = match ask.answer(cxone.submit_extraction(asked)).await {
        Ok(job) => job,
        Err(fault) => {
            release(ask).await;
            return Err(refusal(ask, fault));
        }
    };
    cursor.at = At::Submitted {
        job,
        since: ask.now,
        asked: 0,
        dead: 0,
    };
    Ok(Step::Wait {
        cursor: Some(super::kept(&cursor)?),
        wait: ask.memory.wait(NAME, 0).max(settings.extraction_pause),
        reason: "platform",
    })
}

async fn look(
    ask: &Ask<'_>,
    mut cursor: Cursor,
    job: String,
    since: UtcMicros,
    (asked, dead): (u32, u32),
) -> Result<Step, Fault> {
    // Held until the file is here: one that was lost is taken again, or waited for.
    if !kept(ask).await?
        && let Some(wait) = taken(ask).await?
    {
        return Ok(Step::Wait {
            cursor: None,
            wait,
            reason: "turn",
        });
    }
    let cxone = ask.cxone(settings(ask)?).await?;
    let state = match ask.answer(cxone.extraction(&job)).await {
        Ok(state) => state,
        Err(Fault::Gone { why }) => return again(ask, cursor, why).await,
        Err(fault) => return Err(refusal(ask, fault)),
    };
    let link = match state {
        ExtractionState::Ready(link) => Some(link),
        ExtractionState::Empty => None,
        ExtractionState::Lost(words) => {
            let why = format!("the platform's extraction {job} is {words}");
            return again(ask, cursor, why).await;
        }
        ExtractionState::Running => {
            let asked = asked + 1;
            cursor.at = At::Submitted {
                job,
                since,
                asked,
                dead,
            };
            return Ok(Step::Wait {
                cursor: Some(super::kept(&cursor)?),
                wait: ask
                    .memory
                    .wait(NAME, asked)
                    .max(settings(ask)?.extraction_pause),
                reason: "platform",
            });
        }
    };
    if asked == 0 {
        let took = until(ask.now, since).unwrap_or_default();
        ask.memory.took(NAME, took);
    }
    let mapping: String = required(ask, "mapping")?;
    // The link is followed at once; one that has died meanwhile is asked for again.
    let body = match link {
        None => Vec::new(),
        Some(link) => match ask.file(cxone.extraction_file(&link)).await {
            Ok(body) => body,
            Err(Fault::Gone { why }) if dead < LINKS_MAX => {
                tracing::info!(why, "the link to the file has died, asking for another");
                cursor.at = At::Submitted {
                    job,
                    since,
                    asked: 1,
                    dead: dead + 1,
                };
                return Ok(Step::Wait {
                    cursor: Some(super::kept(&cursor)?),
                    wait: settings(ask)?.extraction_pause,
                    reason: "turn",
                });
            }
            Err(fault) => return Err(fault),
        },
    };
    release(ask).await;
    cursor.at = At::Done;
    let kept = super::kept(&cursor)?;
    if body.trim_ascii().is_empty() {
        return Ok(Step::Moved(kept));
    }
    Ok(Step::Page(Page {
        format: BodyFormat::Mapped {
            mapping: mapping.into(),
        },
        body,
        cursor: kept,
    }))
}

/// The job came to nothing: another one, unless that happened too often.
async fn again(ask: &Ask<'_>, mut cursor: Cursor, why: String) -> Result<Step, Fault> {
    release(ask).await;
    cursor.failed += 1;
    if cursor.failed > FAILED_MAX {
        return Err(Fault::refused(why));
    }
    cursor.at = At::Begin;
    Ok(Step::Again {
        cursor: super::kept(&cursor)?,
        why,
        attempt: cursor.failed - 1,
    })
}

/// Somebody who comes too soon, because another user of the organisation was there a moment ago, and somebody without the right hear
/// nearly the same: after some times in a row it is taken for the latter.
fn refusal(ask: &Ask<'_>, fault: Fault) -> Fault {
    match fault {
        Fault::TooSoon { why, .. } if ask.chunk.attempt < SOON_MAX => Fault::Failed {
            why,
            hint: settings(ask).ok().map(|settings| settings.extraction_pause),
        },
        Fault::TooSoon { why, .. } => Fault::refused(why),
        other => other,
    }
}

fn required(ask: &Ask<'_>, name: &str) -> Result<String, Fault> {
    super::parameter(ask.job, name)?
        .ok_or_else(|| Fault::refused(format!("the job has no parameter {name}")))
}

fn lease_name(ask: &Ask<'_>) -> String {
    format!("data-extraction/{}", ask.platform.tenant)
}

fn holder(ask: &Ask<'_>) -> String {
    format!("{}/{}", ask.job.id, ask.chunk.number)
}

/// Takes the turn, or says how long to wait for it.
async fn taken(ask: &Ask<'_>) -> Result<Option<Duration>, Fault> {
    let (name, holder) = (lease_name(ask), holder(ask));
    let pause = settings(ask)?.extraction_pause;
    let client = ask.store.client().await.map_err(Fault::store)?;
    match named_leases::take(&client, &name, &holder, OURS_FOR, pause)
        .await
        .map_err(Fault::store)?
    {
        Taken::Yes => Ok(None),
        Taken::No { retry_in } => {
            // Our own: whoever had the chunk before died between taking it and saying so.
            let ours = named_leases::keep(&client, &name, &holder, OURS_FOR, pause).await;
            Ok((!ours.map_err(Fault::store)?)
                .then_some(retry_in.min(pause.max(Duration::from_secs(1)))))
        }
    }
}

async fn kept(ask: &Ask<'_>) -> Result<bool, Fault> {
    let pause = settings(ask)?.extraction_pause;
    let client = ask.store.client().await.map_err(Fault::store)?;
    named_leases::keep(&client, &lease_name(ask), &holder(ask), OURS_FOR, pause)
        .await
        .map_err(Fault::store)
}

async fn release(ask: &Ask<'_>) {
    let released = async {
        let pause = settings(ask)?.extraction_pause;
        let client = ask.store.client().await.map_err(Fault::store)?;
        named_leases::release(&client, &lease_name(ask), &holder(ask), pause)
            .await
            .map_err(Fault::store)
    };
    if let Err(error) = released.await {
        tracing::debug!(%error, "the turn is free only when its lease runs out");
    }
}
