//! Samples of the platforms' own records, and the way from a body to its sessions.

#![allow(dead_code, reason = "each file of tests uses its own part of this")]

use adapter::{Mappings, Outcome, Split, Stated};
use schema::{BodyFormat, InteractionId};
use serde_json::Value;
use session::Session;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The session of each interaction of a body.
pub(crate) fn sessions(format: &BodyFormat, body: &[u8]) -> BTreeMap<InteractionId, Session> {
    let Split::Items(items) = adapter::split(format, body) else {
        panic!("a sample that cannot be split")
    };
    let mut sessions: BTreeMap<InteractionId, Session> = BTreeMap::new();
    for item in items {
        match adapter::map(format, &item.raw, &Mappings::none()).unwrap() {
            Outcome::Mapped(mapped) => {
                let Stated::Interaction {
                    interaction, facts, ..
                } = mapped.stated
                else {
                    panic!("not about an interaction")
                };
                let session = sessions.entry(interaction).or_default();
                for fact in facts {
                    session.insert(fact);
                }
            }
            Outcome::Ignored { kind } => panic!("ignored: {kind}"),
        }
    }
    sessions
}

/// The samples of a folder under `platforms` with such a name. None where the samples are absent, and then it says so loudly.
pub(crate) fn samples(folder: &str, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let Some(shared) = testkit::shared_dir() else {
        return Vec::new();
    };
    let folder = shared.join("platforms").join(folder);
    let mut found: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && wanted(&name(path)))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no such samples in {}", folder.display());
    found
}

pub(crate) fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// The conversations of a sample, read without any code of ours; none of a file that holds something else.
pub(crate) fn conversations(body: &[u8]) -> Vec<Value> {
    let value: Value = serde_json::from_slice(body).unwrap();
    match value.get("conversations") {
        Some(Value::Array(list)) => list.clone(),
        _ if value.get("conversationStart").is_some() => vec![value],
        _ => Vec::new(),
    }
}

pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}
