//! The data extraction API: asynchronous, one at a time, with links that live for half a minute.

use super::Cxone;
use crate::api::{ApiError, Call, HISTORY_MAX};
use crate::history::genesys::escaped;
use crate::history::{HistoryError, routes};
use crate::instant::rfc3339_millis;
use schema::UtcMicros;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// Between two calls of one tenant; one that comes sooner gets a 403 [notes 5]. One user a tenant at a time.
pub const EXTRACTION_PACE: Duration = Duration::from_secs(30);
/// Days of one job [notes 5].
pub const EXTRACTION_DAYS_MAX: u32 = 15;
/// Below the host, not below the reporting API's version.
const JOBS: &str = "/data-extraction/v1/jobs";

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtractionState {
    /// Under way, or a state that is new to us.
    Running,
    /// Ready: the link lives for 30 seconds, the file for a day; ask again for another link.
    Ready(Url),
    /// Ready, and there is nothing in it.
    Empty,
    /// It failed, was cancelled, or is too old (in the platform's words); submit it again.
    Lost(String),
}

/// What to extract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extraction<'a> {
    /// The entity (`qm-workflows`, `recording-interaction-metadata` …).
    pub entity: &'a str,
    /// Its version.
    pub version: &'a str,
    /// From, inclusive.
    pub from: UtcMicros,
    /// To, exclusive.
    pub to: UtcMicros,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Polled {
    job_status: Status,
}

#[derive(Deserialize)]
struct Status {
    #[serde(rename = "status")]
    word: String,
    result: Option<Found>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Found {
    url: Option<String>,
}

impl Cxone {
    /// Submits a job and gives its id. `POST data-extraction/v1/jobs {entityName, version, startDate, endDate}` → 202 [notes 5].
    pub async fn submit_extraction(&self, asked: Extraction<'_>) -> Result<String, HistoryError> {
        let body = json!({
            "entityName": asked.entity,
            "version": asked.version,
            "startDate": rfc3339_millis(asked.from),
            "endDate": rfc3339_millis(asked.to),
        });
        let call = Call {
            // Here a 403 means "too soon" as a rule; no other token would help.
            forbidden_is_final: true,
            ..Call::post(routes::EXTRACTION, JOBS, &body)
        };
        let answer = self.api.fetch(call).await.map_err(too_soon)?;
        id(&answer.body).ok_or_else(|| {
            HistoryError::shape("an extraction's submission", "there is no job id in it")
        })
    }

    /// How far a job is. `GET data-extraction/v1/jobs/{id}` → `jobStatus{status, result{url}}` [notes 5]. A call as any other: no sooner
    /// than [`EXTRACTION_PACE`] after the last one.
    pub async fn extraction(&self, id: &str) -> Result<ExtractionState, HistoryError> {
        let path = format!("{JOBS}/{}", escaped(id));
        let call = Call {
            forbidden_is_final: true,
            ..Call::get(routes::EXTRACTION, &path)
        };
        let answer = self.api.fetch(call).await;
        let answer = match answer {
            Err(ApiError::Forbidden { why }) => return Err(too_soon(ApiError::Forbidden { why })),
            other => other.map_err(|error| HistoryError::of_job(error, "the extraction"))?,
        };
        state(&answer.body)
    }

    /// The file of a job. The link carries its own permission, and lives for 30 seconds: one that has died is
    /// [`HistoryError::Gone`], and the job's state has a new one.
    pub async fn extraction_file(&self, link: &Url) -> Result<Vec<u8>, HistoryError> {
        let answer = self.api.fetch_link(link, HISTORY_MAX).await;
        let answer =
            answer.map_err(|error| HistoryError::of_link(error, "the extraction's link"))?;
        Ok(answer.body)
    }
}

/// A 403 that does not speak of a right means that the last call is less than 30 seconds ago.
fn too_soon(error: ApiError) -> HistoryError {
    match error {
        ApiError::Forbidden { why } => {
            let words = why.to_ascii_lowercase();
            if [
                "permission",
                "privilege",
                "not authorized",
                "not authorised",
                "right",
            ]
            .iter()
            .any(|word| words.contains(word))
            {
                HistoryError::Api(ApiError::Forbidden { why })
            } else {
                HistoryError::TooSoon {
                    wait: EXTRACTION_PACE,
                    why,
                }
            }
        }
        error => HistoryError::of_stretch(error),
    }
}

/// The job's id, alone or in an object.
fn id(body: &[u8]) -> Option<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(answer)) => ["jobId", "id"]
            .iter()
            .find_map(|name| answer.get(*name).and_then(text)),
        Ok(value) => text(&value),
        Err(_) => std::str::from_utf8(body)
            .ok()
            .map(|text| text.trim().to_owned()),
    }
    .filter(|id| !id.is_empty() && !id.contains(char::is_whitespace))
}

fn state(body: &[u8]) -> Result<ExtractionState, HistoryError> {
    const WHAT: &str = "an extraction's state";
    let Polled { job_status } =
        serde_json::from_slice(body).map_err(|problem| HistoryError::unread(WHAT, &problem))?;
    Ok(match job_status.word.as_str() {
        "SUCCEEDED" => {
            let link = job_status.result.and_then(|found| found.url);
            match link.filter(|link| !link.is_empty()) {
                Some(link) => ExtractionState::Ready(
                    Url::parse(&link).map_err(|problem| HistoryError::unread(WHAT, &problem))?,
                ),
                None => ExtractionState::Empty,
            }
        }
        "FAILED" | "CANCELLED" | "EXPIRED" => {
            let words = job_status.error.filter(|error| !error.is_null());
            ExtractionState::Lost(match words {
                Some(words) => format!("{}: {words}", job_status.word),
                None => job_status.word,
            })
        }
        _ => ExtractionState::Running,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_says_how_far_it_is() {
        let at = |text: &str| state(text.as_bytes()).unwrap();
        assert_eq!(
            at(r#"{"jobStatus":{"status":"RUNNING"}}"#),
            ExtractionState::Running
        );
        assert!(matches!(
            at(
                r#"{"jobStatus":{"status":"SUCCEEDED","result":{"url":"https://f.example.com/1"}}}"#
            ),
            ExtractionState::Ready(_)
        ));
        assert_eq!(
            at(r#"{"jobStatus":{"status":"SUCCEEDED","result":{}}}"#),
            ExtractionState::Empty
        );
        assert_eq!(
            at(r#"{"jobStatus":{"status":"EXPIRED"}}"#),
            ExtractionState::Lost("EXPIRED".to_owned())
        );
        assert_eq!(
            at(r#"{"jobStatus":{"status":"FAILED","error":{"code":7}}}"#),
            ExtractionState::Lost(r#"FAILED: {"code":7}"#.to_owned())
        );
        assert!(state(b"{}").is_err());
    }

    #[test]
    fn an_id_comes_in_several_ways_and_a_page_is_none() {
        for body in ["\"j-1\"", "j-1", r#"{"jobId":"j-1"}"#, r#"{"id":"j-1"}"#] {
            assert_eq!(id(body.as_bytes()).as_deref(), Some("j-1"), "{body}");
        }
        assert_eq!(id(b"<html> </html>"), None);
        assert_eq!(id(b""), None);
    }

    #[test]
    fn too_soon_is_told_from_a_missing_right() {
        let forbidden = |why: &str| {
            too_soon(ApiError::Forbidden {
                why: why.to_owned(),
            })
        };
        let soon = forbidden("HTTP 403: one call per 30 seconds");
        assert!(matches!(soon, HistoryError::TooSoon { wait, .. } if wait == EXTRACTION_PACE));
        assert!(matches!(
            forbidden("HTTP 403: missing permission"),
            HistoryError::Api(ApiError::Forbidden { .. })
        ));
    }
}
