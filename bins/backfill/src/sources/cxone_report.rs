//! CXone data-download reports: one request answers with a whole report, in itself or by a link that is followed at once.

use super::cxone_rows::{services, settings};
use super::parts::{Part, after, until};
use super::{Ask, Fault, Page, Step};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schema::BodyFormat;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

const ROUTE: &str = "report-job";
/// Call Detail and Agent State Log.
const CALL_DETAIL: u32 = 524;
const AGENT_STATE_LOG: u32 = 544;
/// How many objects may be around the file.
const DEPTH_MAX: u8 = 3;
/// Members that say where the report is instead of having it.
const LINKS: [&str; 6] = [
    "resultFileURL",
    "fileUrl",
    "fileLink",
    "downloadUrl",
    "url",
    "link",
];

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
        Fault::refused("reports are in the business unit's time: [platform.cxone] report_zone is missing")
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
    let path = services(
        settings,
        &format!(
            "report-jobs/datadownload/{report}?startDate={}&endDate={}&saveAsFile=false&includeHeaders=true",
            part.from, part.to
        ),
    );
    let answer = match ask.post(ROUTE, &path, &json!({})).await {
        Ok(answer) => answer,
        // A report that is too large, or takes too long.
        Err(Fault::Unfit { why }) if super::genesys_details::is_about_size(&why) => {
            let Some(halves) = part.halves() else {
                return Err(Fault::refused(why));
            };
            tracing::info!(why, "the platform refuses the stretch, halving it");
            parts.splice(0..1, halves);
            return Ok(Step::Moved(super::kept(&cursor)?));
        }
        Err(Fault::Unfit { why }) => return Err(Fault::refused(why)),
        Err(fault) => return Err(fault),
    };
    parts.remove(0);
    let body = match file(&answer.body)? {
        File::Here(body) => body,
        File::At(link) => ask.link(&link).await?.body,
        File::Nowhere => Vec::new(),
    };
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

/// Where the CSV is.
#[derive(Debug, PartialEq, Eq)]
enum File {
    Here(Vec<u8>),
    At(String),
    Nowhere,
}

fn file(body: &[u8]) -> Result<File, Fault> {
    if body.trim_ascii().is_empty() {
        return Ok(File::Nowhere);
    }
    if !adapter::cxone_report_file::is_answer(body) {
        return Ok(File::Here(body.to_vec()));
    }
    let answer: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| Fault::failed(format!("the report's answer cannot be read: {error}")))?;
    found(&answer, DEPTH_MAX)?.ok_or_else(|| {
        Fault::failed("the report's answer has neither a file nor a link to one")
    })
}

fn found(answer: &Map<String, Value>, depth: u8) -> Result<Option<File>, Fault> {
    let named = |wanted: &str| {
        answer
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    };
    match named("file") {
        Some(Value::Null) => return Ok(Some(File::Nowhere)),
        Some(Value::String(text)) => {
            let bytes: Vec<u8> = text
                .bytes()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect();
            return STANDARD
                .decode(bytes)
                .map(|file| Some(File::Here(file)))
                .map_err(|error| Fault::failed(format!("the report's file is no base64: {error}")));
        }
        _ => {}
    }
    for name in LINKS {
        if let Some(Value::String(link)) = named(name)
            && link.starts_with("http")
        {
            return Ok(Some(File::At(link.clone())));
        }
    }
    if depth > 0 {
        for value in answer.values() {
            if let Value::Object(inner) = value
                && let Some(file) = found(inner, depth - 1)?
            {
                return Ok(Some(file));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_in_the_answer_or_behind_its_link() {
        let here = br#"{"resultSet":{"fileName":"a.csv","file":"YSxi\nCjEsMg=="}}"#;
        assert_eq!(file(here).unwrap(), File::Here(b"a,b\n1,2".to_vec()));
        let there = br#"{"resultFileURL":"https://files.example.com/a?sig=1"}"#;
        assert_eq!(
            file(there).unwrap(),
            File::At("https://files.example.com/a?sig=1".to_owned())
        );
        assert_eq!(file(b"a,b\n1,2").unwrap(), File::Here(b"a,b\n1,2".to_vec()));
        assert_eq!(file(br#"{"file":null}"#).unwrap(), File::Nowhere);
        assert_eq!(file(b"").unwrap(), File::Nowhere);
        assert!(file(b"{}").is_err());
    }
}
