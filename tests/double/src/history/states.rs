//! The states that a contact went through, as CXone's contact state history tells them.

use super::contacts::{Row, Text, agent, skill};
use super::past::View;

/// A state for a while. The numbers are this business unit's own, but for the end's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stay {
    pub(crate) id: i64,
    pub(crate) name: &'static str,
    pub(crate) from: i64,
    pub(crate) lasted: i64,
    pub(crate) with_agent: bool,
}

/// Number and name of every state that occurs.
pub(crate) const STATES: [(i64, &str); 7] = [
    (3, "PreQueue"),
    (5, "InQueue"),
    (8, "Inbound"),
    (11, "Outbound"),
    (14, "Hold"),
    (16, "Abandoned"),
    (18, "EndContact"),
];

fn id(name: &str) -> i64 {
    STATES
        .iter()
        .find(|(_, known)| *known == name)
        .map_or(0, |(id, _)| *id)
}

/// The states of a contact, one after the other.
pub(crate) fn of(row: &Row) -> Vec<Stay> {
    let mut all = Vec::with_capacity(8);
    let mut at = row.start;
    let mut add = |name: &'static str, lasted: i64, with_agent: bool, always: bool| {
        if lasted > 0 || always {
            all.push(Stay {
                id: id(name),
                name,
                from: at,
                lasted,
                with_agent,
            });
            at += lasted;
        }
    };
    add("PreQueue", row.pre_queue, row.refused, false);
    add("InQueue", row.in_queue, false, false);
    let talks = if row.outbound { "Outbound" } else { "Inbound" };
    for stretch in &row.stretches {
        let name = if stretch.held { "Hold" } else { talks };
        add(name, stretch.until - stretch.from, true, false);
    }
    if row.abandoned {
        add("Abandoned", 0, false, true);
    }
    add("EndContact", 0, row.agent.is_some(), true);
    all
}

/// Appends a row of a contact's states.
pub(crate) fn write(row: &Row, nth: usize, stay: &Stay, view: &View, to: &mut String) {
    let mut text = Text(to);
    text.number("{\"stateIndex\":", i64::try_from(nth).unwrap_or(0));
    text.number(",\"contactId\":\"", row.contact);
    text.number("\",\"contactStateId\":", stay.id);
    text.0.push_str(",\"contactStateName\":\"");
    text.0.push_str(stay.name);
    text.at("\",\"startDate\":", Some(stay.from));
    text.flag(",\"isWarehoused\":", row.warehoused_at() <= view.as_of);
    let with = row.agent.filter(|_| stay.with_agent);
    text.number(",\"agentId\":", with.map_or(0, agent));
    text.number(",\"skillId\":", row.skill.map_or(4_069_210, skill));
    text.0.push_str(",\"skillName\":\"SKILL_");
    text.number("", row.skill.map_or(0, i64::from));
    text.seconds("\",\"duration\":\"", stay.lasted);
    text.0
        .push_str("\",\"digitalContactStateId\":null,\"digitalContactStateName\":null}");
}
