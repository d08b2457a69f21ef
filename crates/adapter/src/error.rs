//! What is said about a body or an item that could not be read.

/// How much of an offending value is repeated, in characters.
const VALUE_MAX: usize = 200;

/// One item could not be mapped. Its neighbours are not affected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {value} is not allowed here, expected {expected}")]
pub struct ItemError {
    /// Where, as a dotted path (`data.metrics.talk_time_ms`), a column name, or `(item)` for the item as a whole.
    pub field: String,
    /// What was found there, at most 200 characters; `nothing` where the field is absent.
    pub value: String,
    /// What is allowed there.
    pub expected: String,
}

impl ItemError {
    /// An error about a field with a value.
    pub fn new(field: impl Into<String>, value: &str, expected: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            value: shorten(value),
            expected: expected.into(),
        }
    }

    /// An error about a field that is not there.
    pub fn missing(field: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::new(field, "nothing", expected)
    }

    /// An error about the item as a whole.
    pub(crate) fn item(raw: &[u8], expected: impl Into<String>) -> Self {
        // A little more than is kept, so that a cut inside a character does not show.
        let head = &raw[..raw.len().min(VALUE_MAX * 4)];
        Self::new("(item)", &String::from_utf8_lossy(head), expected)
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
        /// What stands there, at most 40 characters.
        found: String,
    },
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
    pub(crate) fn not_json(body: &[u8], at: usize) -> Self {
        let rest = body.get(at..).unwrap_or_default();
        let found = String::from_utf8_lossy(&rest[..rest.len().min(160)])
            .chars()
            .take(40)
            .collect();
        Self::NotJson { at, found }
    }
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
        let error = ItemError::new("a", &"ü".repeat(500), "less");
        assert_eq!(error.value.chars().count(), VALUE_MAX);
        assert!(error.value.ends_with('…'));
        assert_eq!(
            ItemError::new("a", &"ü".repeat(200), "less")
                .value
                .chars()
                .count(),
            200
        );
    }

    #[test]
    fn an_error_names_field_value_and_what_is_allowed() {
        let text = ItemError::new("data.metrics.talk_time_ms", "\"x\"", "a number").to_string();
        assert_eq!(
            text,
            "data.metrics.talk_time_ms: \"x\" is not allowed here, expected a number"
        );
    }
}
