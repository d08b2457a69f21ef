//! Declared attributes of an item, as they are stored beside it.

use compact_str::CompactString;
use std::collections::BTreeMap;

/// Names and values of a JSON object of texts; none of what is no such object.
pub(super) fn read(json: &str) -> Vec<(CompactString, CompactString)> {
    let read: BTreeMap<CompactString, CompactString> =
        serde_json::from_str(json).unwrap_or_default();
    read.into_iter().collect()
}

/// The JSON object of those that are there; `None` where none is.
pub(super) fn write<'a>(attributes: impl Iterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let map: BTreeMap<&str, &str> = attributes.collect();
    (!map.is_empty())
        .then(|| serde_json::to_string(&map).ok())
        .flatten()
}
