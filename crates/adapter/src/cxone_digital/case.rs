//! The case that an event carries, as it was then.

use super::{address, is_true};
use crate::error::ItemError;
use crate::node::Node;
use compact_str::CompactString;
use schema::{Direction, UtcMicros};

/// The life of a case. Any of them may follow any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Status {
    /// Somebody may have to answer: `new`, `open`, `escalated`.
    Waits(CompactString),
    /// Answered for now.
    Resolved,
    /// Over, or thrown away.
    Closed,
    /// `pending`, and what is not known.
    Other(CompactString),
}

impl Status {
    fn named(name: &str) -> Self {
        let name = name.trim().to_lowercase();
        match name.as_str() {
            "resolved" => Self::Resolved,
            "closed" | "trashed" => Self::Closed,
            "new" | "open" | "escalated" => Self::Waits(name.into()),
            _ => Self::Other(name.into()),
        }
    }
}

/// Who has a case in the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum User {
    /// A bot or a survey.
    Machine,
    /// Somebody.
    Agent(String),
}

impl User {
    /// The user under this name, if one stands there.
    pub(super) fn of(parent: &Node<'_>, name: &str) -> Result<Option<Self>, ItemError> {
        match parent.get(name) {
            crate::scalar::Scalar::Object => {}
            // A number alone does not tell a bot; it is who it is.
            _ => return Ok(parent.name(name)?.map(|number| Self::numbered(&number))),
        }
        let Some(user) = parent.object(name)? else {
            return Ok(None);
        };
        if is_true(&user.get("isBotUser")) || is_true(&user.get("isSurveyUser")) {
            return Ok(Some(Self::Machine));
        }
        if let Some(agent) = user.name("agentId")?.filter(|id| id != "0") {
            return Ok(Some(Self::Agent(agent)));
        }
        if let Some(id) = user.name("incontactId")? {
            return Ok(Some(Self::Agent(id.to_ascii_lowercase())));
        }
        Ok(user.name("id")?.map(|number| Self::numbered(&number)))
    }

    fn numbered(number: &str) -> Self {
        Self::Agent(format!("user-{number}"))
    }

    pub(super) fn agent(&self) -> Option<&str> {
        match self {
            Self::Machine => None,
            Self::Agent(id) => Some(id),
        }
    }
}

/// The case of an event.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) id: String,
    /// Absent where the event does not say: then it says nothing of where the case is.
    pub(super) status: Option<Status>,
    pub(super) status_at: Option<UtcMicros>,
    pub(super) created_at: Option<UtcMicros>,
    pub(super) direction: Option<Direction>,
    pub(super) routing_queue: Option<String>,
    pub(super) assignee: Option<User>,
    /// When it was assigned last; stays when it is taken from the assignee.
    pub(super) assigned_at: Option<UtcMicros>,
    /// Whether nobody is looked for.
    pub(super) is_not_routable: bool,
    pub(super) is_abandoned: bool,
    /// Personal data.
    pub(super) customer: Option<String>,
}

impl Case {
    pub(super) fn read(case: &Node<'_>, data: &Node<'_>) -> Result<Self, ItemError> {
        let id = case
            .name("id")?
            .ok_or_else(|| ItemError::missing(case.at("id"), "the case's id"))?;
        let assignee = match User::of(case, "inboxAssigneeUser")? {
            Some(user) => Some(user),
            None => match User::of(data, "inboxAssignee")? {
                Some(user) => Some(user),
                None => User::of(case, "inboxAssignee")?,
            },
        };
        let routable = case.name("routableType")?;
        Ok(Self {
            id,
            status: case.name("status")?.map(|name| Status::named(&name)),
            status_at: case.instant("statusUpdatedAt")?,
            created_at: case.instant("createdAt")?,
            direction: direction(case),
            routing_queue: case
                .name("routingQueueId")?
                .map(|id| id.to_ascii_lowercase()),
            assignee,
            assigned_at: case.instant("inboxAssigneeLastAssignedAt")?,
            is_not_routable: routable.as_deref() == Some("NOT_ROUTABLE"),
            is_abandoned: is_true(&case.get("abandon")),
            customer: customer(case),
        })
    }

    /// The agent who has it.
    pub(super) fn agent(&self) -> Option<&str> {
        self.assignee.as_ref().and_then(User::agent)
    }

    /// Whether it waits in a routing queue for somebody to take it.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.status, Some(Status::Waits(_)))
            && self.routing_queue.is_some()
            && self.assignee.is_none()
            && !self.is_not_routable
    }
}

fn direction(case: &Node<'_>) -> Option<Direction> {
    match case.get("direction").text()?.to_ascii_lowercase().as_str() {
        "inbound" => Some(Direction::Inbound),
        "outbound" => Some(Direction::Outbound),
        _ => None,
    }
}

/// Who the customer is: by the address beyond the platform, which the voice side may know too, else by the end user's id.
fn customer(case: &Node<'_>) -> Option<String> {
    let case = case.value();
    let user = case.get("endUser");
    let by_address = user
        .and_then(|user| user.get("identities")?.as_array()?.iter().find_map(address))
        .or_else(|| user.and_then(address));
    let by_id = || {
        let id = user?.get("id")?.as_str()?.trim();
        (!id.is_empty()).then(|| id.to_owned())
    };
    by_address
        .or_else(by_id)
        .or_else(|| case.get("authorEndUserIdentity").and_then(address))
}
