//! What events state of the conversation as a whole.

use super::{Event, Read};
use crate::node::scalar;
use crate::scalar::Scalar;
use schema::Details;
use std::collections::BTreeSet;

/// The attributes that are kept; nothing where none of them is among those stated. An event states those that changed, or all, and there may
/// be several in one millisecond: each attribute is a fact of its own at each instant, so that none takes another one's place. Of those of one
/// name the last holds, and of one instant what was published last.
pub(super) fn attributes(event: &Event<'_>, kept: &BTreeSet<String>) -> Read {
    let participant = event.body.text("participantId").unwrap_or_default();
    let mut facts = Vec::new();
    if let Some(stated) = event.body.object("attributes") {
        for name in kept {
            let value = stated.get(name).map_or(Scalar::Nothing, scalar);
            if let Ok(Some(value)) = value.name() {
                let mut details = Details::default();
                details.keep_attribute(name, &value);
                let what = format!("attributes:{participant}:{name}:{}", event.at.0);
                if !details.attributes.is_empty() {
                    facts.push(event.of_whole(&what, details));
                }
            }
        }
    }
    Read {
        facts,
        detail: String::new(),
    }
}

/// That the customer is now known. Who it is goes beside the fact.
pub(super) fn contact(event: &Event<'_>) -> Read {
    event.of_whole("contact", event.about()).into()
}

/// That a campaign dials.
pub(super) fn outbound(event: &Event<'_>) -> Read {
    let session = event.body.text("sessionId").unwrap_or_default();
    let what = format!("outbound:{session}");
    event.of_whole(&what, event.about()).into()
}
