//! What is said about a body or an item that could not be read.

use crate::redact;
use serde::de::IgnoredAny;
use serde_json::error::Category;

/// What stands for the value of a field that is not there.
const NOTHING: &str = "nothing";

/// What gzip begins with.
const GZIP: &[u8] = b"\x1f\x8b";

/// How much of an offending value is repeated, in characters.
const VALUE_MAX: usize = 200;

/// One item could not be mapped. Its neighbours are not affected.
///
/// Its text, which may be logged, repeats no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {}; expected {expected}", if .value == NOTHING { "missing" } else { "not what is allowed" })]
pub struct ItemError {
    /// Where, as a dotted path (`data.metrics.talk_time_ms`), a column name, or `(item)` for the item as a whole.
    pub field: String,
    /// What was found there, at most 200 characters; `nothing` where the field is absent. What may be about a person is only described.
    pub value: String,
    /// What is allowed there.
    pub expected: String,
}

impl ItemError {
    /// An error about a field with a value, which is repeated where it can be about nobody.
    pub fn new(field: impl Into<String>, value: &str, expected: impl Into<String>) -> Self {
        let field = field.into();
        let value = shorten(&redact::repeatable(&field, value));
        Self {
            field,
            value,
            expected: expected.into(),
        }
    }

    /// An error about a field, with words of ours about what was found there.
    pub fn described(
        field: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            value: found.into(),
            expected: expected.into(),
        }
    }

    /// An error about a field that is not there.
    pub fn missing(field: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::described(field, NOTHING, expected)
    }

    /// An error about the item as a whole. Its bytes stay with the item.
    pub(crate) fn item(raw: &[u8], expected: impl Into<String>) -> Self {
        Self::described("(item)", format!("{} bytes", raw.len()), expected)
    }

    /// An item that is no JSON object.
    pub(crate) fn not_json(raw: &[u8], error: &serde_json::Error) -> Self {
        // An error about a value's type repeats the value.
        let (line, column) = (error.line(), error.column());
        let why = match error.classify() {
            Category::Data => format!("breaks at line {line} column {column}"),
            Category::Io | Category::Syntax | Category::Eof => error.to_string(),
        };
        Self::item(raw, format!("a JSON object ({why})"))
    }
}

/// A body as a whole could not be split into items.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// There is nothing in it.
    #[error("the body is empty")]
    Empty,
    /// It is neither an object nor an array nor one of them a line.
    #[error(
        "the body is no JSON object, array or one object a line: it breaks at byte {at} ({found:?})"
    )]
    NotJson {
        /// The offset of the first byte that fits nowhere.
        at: usize,
        /// What stands there: one character; what follows may be personal.
        found: String,
    },
    /// It ends too early.
    #[error("the body ends at byte {at}, inside {inside}")]
    Ends {
        /// Its length.
        at: usize,
        /// What is not ended: `an object` or `an array`.
        inside: &'static str,
    },
    /// It is JSON, but a text, a number, a truth value or null.
    #[error("the body is JSON, but neither object nor array")]
    Scalar,
    /// It is compressed, and nobody said so.
    #[error("the body is gzip, and no Content-Encoding says so")]
    Gzip,
    /// It is JSON around a report, but the report does not stand in it.
    #[error(
        "the body names in {member} where the report is, and is not the report: fetch the file with the job's token and post it here"
    )]
    ReportElsewhere {
        /// The member that names it. Its value can be a signed link and is not repeated.
        member: &'static str,
    },
    /// It is JSON, but none with a report in it.
    #[error("the body is JSON without a report: it has no text in file")]
    NoReport,
    /// It is JSON with a report that cannot be decoded.
    #[error("the report in file is not base64")]
    ReportEncoding,
    /// It is CSV, but its first line is not the header of the report.
    #[error("the first line is no header of this report: column {missing} is missing")]
    Header {
        /// The first required column that is not there.
        missing: String,
    },
    /// Its items would take far more than the body itself, because each repeats what it says about all of them.
    #[error(
        "{items} items that each repeat {shared} bytes of the body take more than {most} bytes: send them in smaller bodies"
    )]
    Unfolds {
        /// How many items there are.
        items: usize,
        /// What each repeats, in bytes.
        shared: usize,
        /// What all of them may take, in bytes.
        most: usize,
    },
}

impl BodyError {
    /// A body in which at `start` neither an object nor an array begins.
    pub(crate) fn neither(body: &[u8], start: usize) -> Self {
        let rest = body.get(start..).unwrap_or_default();
        if rest.starts_with(GZIP) {
            return Self::Gzip;
        }
        match serde_json::from_slice::<IgnoredAny>(rest) {
            Ok(_) => Self::Scalar,
            Err(_) => Self::not_json(body, start),
        }
    }

    /// A body whose object or array that begins at `start` does not end: says where it breaks.
    pub(crate) fn unended(body: &[u8], start: usize) -> Self {
        let rest = body.get(start..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
        match values.next() {
            Some(Err(error)) if error.classify() == Category::Eof => Self::Ends {
                at: body.len(),
                inside: match rest.first() {
                    Some(b'[') => "an array",
                    _ => "an object",
                },
            },
            Some(Err(error)) => Self::not_json(body, start + offset(rest, &error)),
            // The parser found an end: it breaks behind that.
            _ => Self::not_json(body, start + values.byte_offset()),
        }
    }

    pub(crate) fn not_json(body: &[u8], at: usize) -> Self {
        let rest = body.get(at..).unwrap_or_default();
        let found = String::from_utf8_lossy(&rest[..rest.len().min(4)])
            .chars()
            .take(1)
            .collect();
        Self::NotJson { at, found }
    }
}

/// The offset of the byte that a parser's line and column name.
fn offset(bytes: &[u8], error: &serde_json::Error) -> usize {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let at = before + error.column().saturating_sub(1);
    at.min(bytes.len().saturating_sub(1))
}

fn shorten(value: &str) -> String {
    match value.char_indices().nth(VALUE_MAX) {
        // U+0000 cannot be stored as text.
        None => value.replace('\0', "\u{fffd}"),
        Some((end, _)) => {
            let cut = value[..end]
                .char_indices()
                .nth(VALUE_MAX - 1)
                .map_or(end, |(at, _)| at);
            format!("{}…", &value[..cut]).replace('\0', "\u{fffd}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let cut = shorten(&"ü".repeat(500));
        assert_eq!(cut.chars().count(), VALUE_MAX);
        assert!(cut.ends_with('…'));
        assert_eq!(shorten(&"ü".repeat(200)).chars().count(), 200);
    }

    #[test]
    fn an_error_names_field_and_what_is_allowed_and_repeats_no_value() {
        let error = ItemError::new("data.metrics.talk_time_ms", "\"x\"", "a number");
        assert_eq!(error.value, "\"x\"");
        assert_eq!(
            error.to_string(),
            "data.metrics.talk_time_ms is not what is allowed; expected a number"
        );
        assert_eq!(
            ItemError::missing("a.b", "an id").to_string(),
            "a.b is missing; expected an id"
        );
    }

    #[test]
    fn what_json_says_of_a_value_is_not_repeated() {
        let error = serde_json::from_str::<u8>("\"+15550100123\"").unwrap_err();
        assert!(error.to_string().contains("555"));
        let error = ItemError::not_json(b"\"+15550100123\"", &error);
        assert_eq!(error.value, "14 bytes");
        assert_eq!(error.expected, "a JSON object (breaks at line 1 column 14)");
    }
}
