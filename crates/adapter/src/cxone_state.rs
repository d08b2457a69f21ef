//! What CXone's agent states are here: one table for the API's rows and for the report's.
//!
//! | the platform says | presence | routing |
//! | --- | --- | --- |
//! | logged out | offline | off queue |
//! | available | on queue | idle |
//! | working: an inbound or outbound contact or consult | on queue | interacting |
//! | after-contact work: a reason with that flag or name | on queue | wrapping |
//! | a contact on its way to the agent: a reason like `InboundPending`, but not `LogoffPending` | on queue | the reason's name |
//! | unavailable with a reason that has break, meal (lunch, dinner), meeting or training (coaching) in its name | that one | off queue |
//! | unavailable otherwise | busy | off queue |
//! | any other state | its name | off queue |
//!
//! After-contact work is an unavailable state there and part of a contact's handling here, as it is in the platform's own occupancy. An
//! agent at whom a contact is on its way is neither available nor working, and has left no queue.

use crate::agent_time::{Stretch, state_name};
use compact_str::CompactString;
use schema::{AgentFact, Presence, Routing};

/// A state, as a row tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    LoggedOut,
    Available,
    Working,
    /// After-contact work, by its flag.
    Wrapping,
    Unavailable,
    /// None of the platform's documented states, in lower case with underscores.
    Other(String),
}

impl State {
    /// The state with this name.
    pub(crate) fn named(name: &str) -> Self {
        let name = state_name(name);
        match name.as_str() {
            "logged_out" | "loggedout" | "logout" | "log_out" | "offline" => Self::LoggedOut,
            "available" => Self::Available,
            "unavailable" | "logged_in" | "loggedin" => Self::Unavailable,
            "acw" | "after_call_work" | "after_contact_work" => Self::Wrapping,
            _ if WORK.iter().any(|word| has_word(&name, word)) && !has_word(&name, "pending") => {
                Self::Working
            }
            _ if has_word(&name, "pending") => Self::Unavailable,
            _ => Self::Other(name),
        }
    }

    /// The state, known more closely by its reason: a flag for after-contact work, or a reason that names the sign-out.
    pub(crate) fn because(self, reason: Option<&str>, is_wrapping: bool) -> Self {
        match self {
            Self::Unavailable if is_wrapping => Self::Wrapping,
            Self::Unavailable if reason.map(Self::named) == Some(Self::LoggedOut) => {
                Self::LoggedOut
            }
            state => state,
        }
    }

    /// Presence and routing in this state, for this reason.
    fn meaning(&self, reason: Option<&str>) -> (Presence, Routing) {
        match self {
            Self::LoggedOut => (Presence::Offline, Routing::OffQueue),
            Self::Available => (Presence::OnQueue, Routing::Idle),
            Self::Working => (Presence::OnQueue, Routing::Interacting),
            Self::Wrapping => (Presence::OnQueue, Routing::Wrapping),
            Self::Unavailable => unavailable(&reason.map(state_name).unwrap_or_default()),
            Self::Other(name) => (Presence::from_name(name), Routing::OffQueue),
        }
    }

    /// The facts of a stretch in this state.
    pub(crate) fn facts(
        &self,
        stretch: Stretch,
        reason: Option<&str>,
        team: Option<&str>,
    ) -> [AgentFact; 2] {
        let (presence, routing) = self.meaning(reason);
        let until = stretch.until.filter(|_| presence != Presence::Offline);
        let stretch = Stretch { until, ..stretch };
        [
            stretch.presence(
                presence,
                reason.map(CompactString::new),
                team.map(CompactString::new),
            ),
            stretch.routing(routing),
        ]
    }
}

/// Words that a working state has in its name.
const WORK: [&str; 4] = ["working", "inbound", "outbound", "consult"];

fn unavailable(reason: &str) -> (Presence, Routing) {
    let has = |words: &[&str]| words.iter().any(|word| has_word(reason, word));
    if has(&["acw", "wrapup"]) || AFTER_CONTACT.iter().any(|words| reason.contains(words)) {
        return (Presence::OnQueue, Routing::Wrapping);
    }
    if has(&["pending"]) && !has(&["logoff", "logout"]) {
        return (Presence::OnQueue, Routing::from_name(reason));
    }
    let presence = if has(&["lunch", "meal", "dinner", "breakfast"]) {
        Presence::Meal
    } else if has(&["break"]) {
        Presence::Break
    } else if has(&["meeting"]) {
        Presence::Meeting
    } else if has(&["training", "coaching"]) {
        Presence::Training
    } else {
        Presence::Busy
    };
    (presence, Routing::OffQueue)
}

/// After-contact work in more than one word.
const AFTER_CONTACT: [&str; 3] = ["after_call", "after_contact", "wrap_up"];

/// Whether a name has this word, alone or in the plural.
fn has_word(name: &str, word: &str) -> bool {
    name.split(|char: char| !char.is_alphanumeric())
        .any(|part| part == word || part.strip_suffix('s') == Some(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_what_is_done() {
        for (state, reason, presence, routing) in [
            ("Logged Out", None, "offline", "off_queue"),
            ("LoggedOut", None, "offline", "off_queue"),
            ("Available", None, "on_queue", "idle"),
            ("Working", None, "on_queue", "interacting"),
            ("Inbound", None, "on_queue", "interacting"),
            ("OutboundConsult", None, "on_queue", "interacting"),
            ("Working Contact", Some("x"), "on_queue", "interacting"),
            ("ACW", None, "on_queue", "wrapping"),
            ("Unavailable", Some("ACW"), "on_queue", "wrapping"),
            ("Unavailable", Some("ACW - Voice"), "on_queue", "wrapping"),
            (
                "Unavailable",
                Some("After Call Work"),
                "on_queue",
                "wrapping",
            ),
            ("Unavailable", Some("Wrap-Up"), "on_queue", "wrapping"),
            (
                "Unavailable",
                Some("InboundPending"),
                "on_queue",
                "inbound_pending",
            ),
            (
                "InboundPending",
                Some("InboundPending"),
                "on_queue",
                "inbound_pending",
            ),
            ("Unavailable", Some("LogoffPending"), "busy", "off_queue"),
            ("Unavailable", Some("LoggedOut"), "offline", "off_queue"),
            ("Unavailable", Some("Lunch"), "meal", "off_queue"),
            ("Unavailable", Some("Lunch Break"), "meal", "off_queue"),
            ("Unavailable", Some("Morning breaks"), "break", "off_queue"),
            ("Unavailable", Some("Team Meeting"), "meeting", "off_queue"),
            ("Unavailable", Some("Coaching"), "training", "off_queue"),
            (
                "Unavailable",
                Some("Breakdown of the system"),
                "busy",
                "off_queue",
            ),
            ("Unavailable", Some("Refused"), "busy", "off_queue"),
            ("Unavailable", None, "busy", "off_queue"),
            ("Logged In", None, "busy", "off_queue"),
            ("On The Moon", None, "on_the_moon", "off_queue"),
        ] {
            let found = State::named(state).because(reason, false).meaning(reason);
            assert_eq!(
                (found.0.name(), found.1.name()),
                (presence, routing),
                "{state} {reason:?}"
            );
        }
    }
}
