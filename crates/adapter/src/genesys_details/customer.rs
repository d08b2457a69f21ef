//! Who the customer of a conversation is.
//!
//! The contact that the platform itself knows (`externalContactId`), else the address of the customer's session: of an inbound
//! conversation where it came from (`ani`, `addressFrom`), of an outbound one where it went to (`dnis`, `addressTo`). Of several customers
//! it is the first to come; later ones are mostly the agents' own calls to the outside.

use crate::identity::CustomerIdentity;
use crate::node::Node;
use crate::scalar::Scalar;
use schema::{Direction, UtcMicros};

/// The customer; `None` where none is named. What has another shape than documented names nobody: no figure depends on it.
pub(super) fn customer(
    record: &Node<'_>,
    direction: Option<Direction>,
) -> Option<CustomerIdentity> {
    let mut customers: Vec<Node<'_>> = record.list("participants").ok()?;
    customers.retain(|participant| {
        let purpose = participant.get("purpose");
        purpose
            .text()
            .is_some_and(|purpose| purpose.eq_ignore_ascii_case("customer"))
    });
    // Stable, so those of whom no instant is known keep their order behind the others.
    customers.sort_by_key(|participant| {
        let first = came(participant);
        (first.is_none(), first)
    });
    customers
        .iter()
        .find_map(|participant| identity(participant, direction))
}

fn identity(participant: &Node<'_>, direction: Option<Direction>) -> Option<CustomerIdentity> {
    if let Some(contact) = text(participant, "externalContactId") {
        return Some(contact);
    }
    let addresses = match direction {
        Some(Direction::Outbound) => ["dnis", "addressTo"],
        _ => ["ani", "addressFrom"],
    };
    let sessions = participant.list("sessions").ok()?;
    addresses
        .iter()
        .find_map(|name| sessions.iter().find_map(|session| text(session, name)))
}

fn text(node: &Node<'_>, name: &str) -> Option<CustomerIdentity> {
    let found = node.get(name);
    match &found {
        Scalar::Text(text) if !text.trim_ascii().is_empty() => Some(CustomerIdentity::new(text)),
        _ => None,
    }
}

/// The start of the participant's first segment.
pub(super) fn came(participant: &Node<'_>) -> Option<UtcMicros> {
    let sessions = participant.list("sessions").ok()?;
    let segments = sessions
        .iter()
        .filter_map(|session| session.list("segments").ok())
        .flatten();
    segments
        .filter_map(|segment| segment.instant("segmentStart").ok().flatten())
        .min()
}
