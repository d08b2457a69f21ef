//! A report as the platform hands it out: the CSV itself, or the answer of a data-download job around it.
//!
//! `POST report-jobs/datadownload/{id}` answers with JSON in whose member `file` the CSV stands in base64; with `saveAsFile`, and for
//! custom report jobs, it answers with a link (or a name) instead. Both are posted here as they came. Around `file` there may be a
//! `resultSet`, a `files` or the like, and beside it a `fileName`; names count whatever their case. A link is not followed: such a body is refused as a
//! whole, and whoever has the token fetches the file and posts it. Bodies over HTTP are bounded (at most 15 MiB, which is 11 MiB of
//! CSV); larger reports are files for `backfill import`, which reads the CSV itself in pages.

use crate::error::BodyError;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// How many objects may be around the file.
const DEPTH_MAX: u8 = 3;

/// Writers of base64 differ in whether they fill up the last group.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Members that say where the report is instead of having it.
const LINKS: [&str; 7] = [
    "resultFileURL",
    "fileUrl",
    "fileLink",
    "downloadUrl",
    "url",
    "link",
    "fileName",
];

/// The CSV of a body; `None` where the answer says that there is nothing in it.
pub(crate) fn open(body: &[u8]) -> Result<Option<Cow<'_, [u8]>>, BodyError> {
    if !is_answer(body) {
        return Ok(Some(Cow::Borrowed(body)));
    }
    let body = crate::split::without_mark(body);
    let Ok(Value::Object(answer)) = serde_json::from_slice::<Value>(body) else {
        return Err(BodyError::not_json(body, crate::json::skip_blank(body, 0)));
    };
    match find(&answer, DEPTH_MAX) {
        Found::File(text) => {
            let bytes: Vec<u8> = text
                .bytes()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect();
            let file = BASE64
                .decode(bytes)
                .map_err(|_| BodyError::ReportEncoding)?;
            Ok((!file.trim_ascii().is_empty()).then_some(Cow::Owned(file)))
        }
        Found::Link(member) => Err(BodyError::ReportElsewhere { member }),
        Found::Nothing => Err(BodyError::NoReport),
    }
}

/// Whether a body is JSON and no CSV: no column's name begins with a brace.
pub fn is_answer(body: &[u8]) -> bool {
    crate::split::without_mark(body)
        .trim_ascii_start()
        .starts_with(b"{")
}

enum Found<'v> {
    File(&'v str),
    Link(&'static str),
    Nothing,
}

fn find(members: &Map<String, Value>, depth: u8) -> Found<'_> {
    let named = |wanted: &str| {
        members
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    };
    if let Some(Value::String(text)) = named("file") {
        // An address is met in this place too.
        if text.contains("://") {
            return Found::Link("file");
        }
        return Found::File(text);
    }
    let mut link = Found::Nothing;
    if let Some(depth) = depth.checked_sub(1) {
        for value in members.values() {
            let inner = match value {
                Value::Object(inner) => inner,
                // A list of one file.
                Value::Array(list) => match &list[..] {
                    [Value::Object(inner)] => inner,
                    _ => continue,
                },
                _ => continue,
            };
            match find(inner, depth) {
                Found::File(text) => return Found::File(text),
                Found::Link(member) => link = Found::Link(member),
                Found::Nothing => {}
            }
        }
    }
    LINKS
        .iter()
        .find(|name| {
            named(name)
                .and_then(Value::as_str)
                .is_some_and(|text| !text.trim().is_empty())
        })
        .map_or(link, |name| Found::Link(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(body: &str) -> Result<Option<String>, BodyError> {
        open(body.as_bytes()).map(|csv| csv.map(|csv| String::from_utf8_lossy(&csv).into_owned()))
    }

    #[test]
    fn a_file_is_found_wherever_it_stands() {
        // "a,b\n1,2\n"
        for body in [
            r#"{"file":"YSxiCjEsMgo="}"#,
            r#"{"fileName":"r.csv","file":"YSxiCjEsMgo"}"#,
            r#" {"resultSet":{"files":{"File":"YSxi\r\nCjEs\r\nMgo="}}}"#,
            r#"{"files":[{"fileName":"r","file":"YSxiCjEsMgo="}]}"#,
            "\u{feff}{\"file\":\"YSxiCjEsMgo=\"}",
        ] {
            assert_eq!(
                opened(body).unwrap().as_deref(),
                Some("a,b\n1,2\n"),
                "{body}"
            );
        }
        assert_eq!(opened("a,b\n").unwrap().as_deref(), Some("a,b\n"));
        assert_eq!(opened(r#"{"file":""}"#).unwrap(), None);
    }

    #[test]
    fn what_is_no_file_says_what_it_is() {
        for (body, expected) in [
            (
                r#"{"resultFileURL":"https://x/y?Signature=z"}"#,
                "resultFileURL",
            ),
            (r#"{"file":"https://x/y"}"#, "file"),
            (
                r#"{"jobResult":{"resultFileURL":"https://x/y"}}"#,
                "resultFileURL",
            ),
            (r#"{"fileName":"report.csv"}"#, "fileName"),
        ] {
            let error = opened(body).unwrap_err();
            assert_eq!(
                error,
                BodyError::ReportElsewhere { member: expected },
                "{body}"
            );
            assert!(!error.to_string().contains("://"), "{error}");
        }
        assert_eq!(opened(r#"{"file":"%%%"}"#), Err(BodyError::ReportEncoding));
        assert_eq!(opened(r#"{"file":5}"#), Err(BodyError::NoReport));
        assert_eq!(opened("{}"), Err(BodyError::NoReport));
        assert!(matches!(
            opened("{\"file\":"),
            Err(BodyError::NotJson { .. })
        ));
    }
}
