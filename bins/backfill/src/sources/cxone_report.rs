//! CXone data-download reports: one request answers with a whole report, in itself or by a link that is followed at once.

use super::cxone_rows::settings;
use super::parts::{Part, after, until};
use super::{Ask, Fault, Page, Step};
use platform::history::cxone::Report;
use schema::BodyFormat;
use serde::{Deserialize, Serialize};

/// Call Detail and Agent State Log.
const CALL_DETAIL: u32 = 524;
const AGENT_STATE_LOG: u32 = 544;
/// So many links in a row may have died before somebody has to look.
const LINKS_MAX: i32 = 20;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<Part>>,
}

/// One step.
pub(super) async fn step(ask: &Ask<'_>, cursor: Option<&str>) -> Result<Step, Fault> {
    let mut cursor: Cursor = super::read(cursor)?;
    let settings = settings(ask)?;
    let report: u32 = super::parameter(ask.job, "report")?.unwrap_or(CALL_DETAIL);
    let zone = settings.report_zone.as_ref().ok_or_else(|| {
        Fault::refused(
            "reports are in the business unit's time: [platform.cxone] report_zone is missing",
        )
    })?;
    let zone = zone.name().into();
    let format = match report {
        CALL_DETAIL => BodyFormat::CxoneCallDetail { zone },
        AGENT_STATE_LOG => BodyFormat::CxoneAgentStateLog { zone },
        other => return Err(Fault::refused(format!("report {other} is not known"))),
    };
    let whole = Part {
        from: ask.chunk.from,
        to: ask.chunk.to,
    };
    if cursor.parts.is_none() {
        if let Some(wait) = until(after(whole.to, settings.lag), ask.now) {
            return Ok(Step::Wait {
                cursor: None,
                wait,
                reason: "data",
            });
        }
        cursor.parts = Some(whole.pieces(settings.report_span));
    }
    let parts = cursor.parts.get_or_insert_default();
    let Some(part) = parts.first().copied() else {
        return Ok(Step::Done { expected: None });
    };
    let cxone = ask.cxone(settings).await?;
    let answer = ask.answer(cxone.report(report, part.from, part.to)).await;
    let answer = match answer {
        Ok(answer) => answer,
        // A report that is too large, or takes too long.
        Err(Fault::TooMuch { why }) => {
            let Some(halves) = part.halves() else {
                return Err(Fault::refused(why));
            };
            tracing::info!(why, "the platform refuses the stretch, halving it");
            parts.splice(0..1, halves);
            return Ok(Step::Moved(super::kept(&cursor)?));
        }
        Err(fault) => return Err(fault),
    };
    let body = match answer {
        Report::Csv(body) => body,
        Report::Link(link) => match ask.file(cxone.report_file(&link)).await {
            Ok(body) => body,
            // The report is made again, and has another link.
            Err(Fault::Gone { why }) if ask.chunk.attempt < LINKS_MAX => {
                return Err(Fault::failed(why));
            }
            Err(fault) => return Err(fault),
        },
        Report::Empty => Vec::new(),
    };
    parts.remove(0);
    let kept = super::kept(&cursor)?;
    if body.trim_ascii().is_empty() {
        return Ok(Step::Moved(kept));
    }
    Ok(Step::Page(Page {
        format,
        body,
        cursor: kept,
    }))
}
