//! Declared attributes as they are stored: a JSON object of texts, the same attributes always the same bytes.

use compact_str::CompactString;
use std::collections::BTreeMap;

/// Names and values of a JSON object of texts; none of what is no such object.
pub fn read(json: &str) -> Vec<(CompactString, CompactString)> {
    let read: BTreeMap<CompactString, CompactString> =
        serde_json::from_str(json).unwrap_or_default();
    read.into_iter().collect()
}

/// The JSON object of those that are there; `None` where none is.
pub fn write(attributes: &BTreeMap<&str, &str>) -> Option<String> {
    (!attributes.is_empty())
        .then(|| serde_json::to_string(attributes).ok())
        .flatten()
}
