//! Data-download reports: a whole report as CSV in one answer.

use super::{Cxone, stretch};
use crate::api::{Call, HISTORY_MAX};
use crate::aside::aside;
use crate::client::Method;
use crate::history::outline::without_mark;
use crate::history::{HistoryError, routes};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use schema::UtcMicros;
use serde_json::{Map, Value};
use url::Url;

/// Writers of base64 differ in whether they fill up the last group.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Members that hold a link to the report instead of the report.
const LINKS: [&str; 6] = [
    "resultFileURL",
    "fileUrl",
    "fileLink",
    "downloadUrl",
    "url",
    "link",
];
/// How many objects may be around it.
const DEPTH_MAX: u8 = 3;
/// A report of a month has been seen to be larger than any page; in base64 it is a third longer still.
const REPORT_MAX: usize = 4 * HISTORY_MAX;

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The CSV.
    Csv(Vec<u8>),
    /// Where it is; fetch it soon, by [`Cxone::report_file`].
    Link(Url),
    /// The platform has nothing for this stretch.
    Empty,
}

impl Cxone {
    /// A data-download report (524 call detail, 544 agent state log).
    ///
    /// `POST report-jobs/datadownload/{id}?startDate&endDate&saveAsFile=false&includeHeaders=true` [notes 2, 5]: the answer comes when
    /// the report is ready (up to minutes for a month), as base64 in `file` or as a link. Its times are the business unit's local ones.
    pub async fn report(
        &self,
        report: u32,
        from: UtcMicros,
        to: UtcMicros,
    ) -> Result<Report, HistoryError> {
        let path = self.path(&format!(
            "report-jobs/datadownload/{report}?{}&saveAsFile=false&includeHeaders=true",
            stretch(from, to)
        ));
        let call = Call {
            longest: REPORT_MAX,
            slow: true,
            ..Call::new(routes::REPORT_JOB, Method::Post, &path, None)
        };
        let answer = self
            .api
            .fetch(call)
            .await
            .map_err(HistoryError::of_stretch)?;
        aside(answer.body.len(), move || open(answer.body)).await
    }

    /// The file that a report's link leads to. The link carries its own permission; one that has died is [`HistoryError::Gone`], and the
    /// report is asked for again.
    pub async fn report_file(&self, link: &Url) -> Result<Vec<u8>, HistoryError> {
        let answer = self
            .api
            .fetch_link(link, REPORT_MAX)
            .await
            .map_err(|error| HistoryError::of_link(error, "the report's file"))?;
        Ok(answer.body)
    }
}

fn open(body: Vec<u8>) -> Result<Report, HistoryError> {
    const WHAT: &str = "a report";
    let text = without_mark(&body).trim_ascii();
    if text.is_empty() {
        return Ok(Report::Empty);
    }
    if !text.starts_with(b"{") {
        return Ok(Report::Csv(body));
    }
    let answer: Map<String, Value> =
        serde_json::from_slice(text).map_err(|problem| HistoryError::unread(WHAT, &problem))?;
    find(&answer, DEPTH_MAX).unwrap_or_else(|| {
        Err(HistoryError::shape(
            WHAT,
            "there is neither a file nor a link in it",
        ))
    })
}

fn find(answer: &Map<String, Value>, depth: u8) -> Option<Result<Report, HistoryError>> {
    let text = |name: &str| {
        answer
            .iter()
            .find(|(member, _)| member.eq_ignore_ascii_case(name))
            .and_then(|(_, value)| value.as_str())
            .filter(|text| !text.is_empty())
    };
    if let Some(file) = text("file") {
        let packed: Vec<u8> = file
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        return Some(
            BASE64
                .decode(packed)
                .map(Report::Csv)
                .map_err(|problem| HistoryError::unread("a report's file", &problem)),
        );
    }
    if let Some(link) = LINKS.iter().find_map(|name| text(name)) {
        return Some(
            Url::parse(link)
                .map(Report::Link)
                .map_err(|problem| HistoryError::unread("a report's link", &problem)),
        );
    }
    // An empty file is a report of nothing.
    if answer.iter().any(|(member, value)| {
        member.eq_ignore_ascii_case("file") && value.as_str().is_none_or(str::is_empty)
    }) {
        return Some(Ok(Report::Empty));
    }
    if depth == 0 {
        return None;
    }
    answer
        .values()
        .filter_map(Value::as_object)
        .find_map(|inner| find(inner, depth - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_comes_as_a_file_a_link_or_itself() {
        let csv = |body: &str| open(body.as_bytes().to_vec()).unwrap();
        assert_eq!(
            csv(r#"{"files":{"fileName":"x.csv","file":"YSxiCjEs\nMg"}}"#),
            Report::Csv(b"a,b\n1,2".to_vec())
        );
        assert_eq!(csv("a,b\n1,2"), Report::Csv(b"a,b\n1,2".to_vec()));
        assert!(matches!(
            csv(r#"{"resultFileURL":"https://files.example.com/x"}"#),
            Report::Link(_)
        ));
        assert_eq!(csv(""), Report::Empty);
        assert_eq!(csv(r#"{"file":""}"#), Report::Empty);
        for body in [
            "{}",
            r#"{"file":"%%"}"#,
            r#"{"url":"nowhere"}"#,
            "{\"file\":\"YQ",
        ] {
            assert!(open(body.as_bytes().to_vec()).is_err(), "{body}");
        }
    }
}
