//! Attributes of participants: whatever flows and agents wrote there, so that only declared ones are read.

use super::customer::came;
use crate::node::Node;
use crate::scalar::storable;
use std::collections::BTreeSet;

/// The attributes that are kept, in the order in which their participants came: of one name the last is that of who came last. What has
/// another shape than documented is not read: no figure depends on it.
pub(super) fn attributes(record: &Node<'_>, kept: &BTreeSet<String>) -> Vec<(String, String)> {
    if kept.is_empty() {
        return Vec::new();
    }
    let mut participants: Vec<Node<'_>> = record.list("participants").unwrap_or_default();
    participants.sort_by_key(came);
    let mut found = Vec::new();
    for participant in &participants {
        let Ok(Some(attributes)) = participant.object("attributes") else {
            continue;
        };
        for name in kept {
            if let Ok(Some(value)) = attributes.get(name).name() {
                found.push((name.clone(), storable(&value).into_owned()));
            }
        }
    }
    found
}
