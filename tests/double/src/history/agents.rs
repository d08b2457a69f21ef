//! What agents did all day: made from the parts they had in the day's conversations, and told in both platforms' words.

use super::contacts::{self, Text};
use super::conversation::{Kind, Turn};
use super::ids::{Of, mix};
use super::moment::{DAY, Moment};
use super::past::{Past, View};

/// What an agent was at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Idle,
    Ringing,
    Talking,
    Wrapping,
    /// Let it ring, and was taken out of the queue for it.
    NotResponding,
    Break,
}

/// A stretch of an agent's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) at: At,
    pub(crate) from: i64,
    pub(crate) until: i64,
    /// The conversation it was for.
    pub(crate) number: Option<u64>,
    pub(crate) queue: Option<u32>,
}

/// How many agents there are.
pub(crate) fn count(past: &Past) -> u32 {
    past.drawing().agents()
}

/// The last of twenty is inactive today, though not in the past.
pub(crate) fn is_active(past: &Past, agent: u32) -> bool {
    agent < count(past) - count(past) / 20
}

/// When an agent's day of work begins.
fn login(past: &Past, agent: u32, day: u64) -> i64 {
    let early = mix(past.history.seed ^ u64::from(agent) << 20 ^ day) % 600_000;
    let (opens, _) = past.plan().business(day);
    opens - 60_000 - i64::try_from(early).unwrap_or(0)
}

/// An agent's day, from login to logout without gaps. Days follow each other without overlap.
pub(crate) fn day(past: &Past, agent: u32, day: u64, revised: bool) -> Vec<Stretch> {
    let login_at = login(past, agent, day);
    let (opens, closes) = past.plan().business(day);
    let mut busy = busy(past, agent, day, revised, login_at);
    let middle = opens.midpoint(closes);
    let pause = Stretch {
        at: At::Break,
        from: middle + i64::from(agent % 12) * 300_000,
        until: middle + i64::from(agent % 12) * 300_000 + 900_000,
        number: None,
        queue: None,
    };
    if !busy
        .iter()
        .any(|it| it.from < pause.until && it.until > pause.from)
    {
        busy.push(pause);
        busy.sort_by_key(|it| it.from);
    }
    let next = login(past, agent, day + 1) - 1_000;
    let over = busy.last().map_or(closes, |it| it.until.max(closes)) + 2_000;
    let logout = over.min(next);
    let mut all = Vec::with_capacity(busy.len() * 2 + 1);
    let mut at = login_at;
    for it in busy.into_iter().filter(|it| it.from < logout) {
        if it.from > at {
            all.push(idle(at, it.from));
        }
        let from = it.from.max(at);
        let until = it.until.min(logout);
        if until > from {
            all.push(Stretch { from, until, ..it });
            at = until;
        }
    }
    if logout > at {
        all.push(idle(at, logout));
    }
    all
}

/// What an agent was at in an interval, as far as it reaches into it; whole stretches, day by day.
pub(crate) fn stretches(
    past: &Past,
    agent: u32,
    (from, until): (i64, i64),
    revised: bool,
) -> Vec<Stretch> {
    days(past, from, until)
        .flat_map(|nth| day(past, agent, nth, revised))
        .filter(|it| it.from < until && it.until > from)
        .collect()
}

/// The shifts planned for an agent that begin in an interval: the hours of business of each day, to the minute.
pub(crate) fn shifts(past: &Past, agent: u32, (from, until): (i64, i64)) -> Vec<(i64, i64)> {
    let planned = |nth| {
        let (opens, closes) = past.plan().business(nth);
        let begins = opens - opens.rem_euclid(60_000);
        (begins, begins + (closes - begins) / 60_000 * 60_000)
    };
    let nobody = agent >= count(past);
    days(past, from, until)
        .filter(|_| !nobody)
        .map(planned)
        .filter(|(begins, ends)| (from..until).contains(begins) && begins < ends)
        .collect()
}

fn idle(from: i64, until: i64) -> Stretch {
    Stretch {
        at: At::Idle,
        from,
        until,
        number: None,
        queue: None,
    }
}

fn busy(past: &Past, agent: u32, day: u64, revised: bool, login: i64) -> Vec<Stretch> {
    let (first, end) = (past.plan().first_of(day), past.plan().first_of(day + 1));
    let (offset, every) = past.drawing().turns_of(agent);
    let view = Past::finally(revised);
    let mut found = Vec::new();
    let numbers = (first + offset..end).step_by(usize::try_from(every).unwrap_or(1));
    for number in numbers {
        let it = past.draw(number, &view);
        for turn in it.turns.iter().filter(|turn| turn.agent == agent) {
            // Conversations at the day's first instant lie outside of the shift: the agent had an overtime that nobody recorded.
            if turn.began() >= login {
                parts(number, it.kind, turn, &mut found);
            }
        }
    }
    found.sort_by_key(|it| it.from);
    found
}

fn parts(number: u64, kind: Kind, turn: &Turn, found: &mut Vec<Stretch>) {
    let mut add = |at, from, until| {
        if until > from {
            found.push(Stretch {
                at,
                from,
                until,
                number: Some(number),
                queue: turn.queue,
            });
        }
    };
    if let Some((from, until)) = turn.alert {
        add(At::Ringing, from, until);
    }
    let talk = turn.reaching.map(|(from, ..)| from);
    let talk = talk.or(turn.stretches.first().map(|it| it.from));
    if let Some(from) = talk {
        add(At::Talking, from, turn.left());
    }
    if let Some((from, until)) = turn.wrap {
        let missed = kind == Kind::Rona && !turn.answered();
        add(
            if missed {
                At::NotResponding
            } else {
                At::Wrapping
            },
            from,
            until,
        );
    }
}

/// The days of which an agent's stretches can touch an interval.
fn days(past: &Past, from: i64, until: i64) -> std::ops::Range<u64> {
    let day = |at: i64| {
        let since = at.saturating_sub(past.history.from.0).div_euclid(DAY);
        u64::try_from(since)
            .unwrap_or(0)
            .min(u64::from(past.history.days))
    };
    day(from.saturating_sub(DAY))..day(until.saturating_add(DAY))
}

/// Appends a user's record of an interval, as Genesys tells it; `false` when there is nothing in it.
pub(crate) fn write_user(
    past: &Past,
    agent: u32,
    (from, until): (i64, i64),
    view: &View,
    to: &mut String,
) -> bool {
    let (mut presence, mut routing) = (Lane::default(), Lane::default());
    for nth in days(past, from, until) {
        let stretches = day(past, agent, nth, view.revised);
        for it in &stretches {
            let is_break = it.at == At::Break;
            presence.add(
                if is_break { "BREAK" } else { "ON_QUEUE" },
                it.from,
                it.until,
            );
            let status = match it.at {
                At::Idle | At::Ringing => "IDLE",
                At::Talking | At::Wrapping => "INTERACTING",
                At::NotResponding => "NOT_RESPONDING",
                At::Break => "OFF_QUEUE",
            };
            routing.add(status, it.from, it.until);
        }
        if let Some(last) = stretches.last() {
            let next = login(past, agent, nth + 1);
            presence.add("OFFLINE", last.until, next);
            routing.add("OFF_QUEUE", last.until, next);
        }
    }
    for lane in [&mut presence, &mut routing] {
        lane.0
            .retain(|(_, began, ended)| *began < until && *ended > from && *began <= view.as_of);
    }
    if presence.0.is_empty() && routing.0.is_empty() {
        return false;
    }
    to.push_str("{\"userId\":\"");
    past.ids.write(to, Of::Agent, u64::from(agent));
    to.push_str("\",\"primaryPresence\":[");
    presence.write(to, view, |to, name| {
        to.push_str("\"systemPresence\":\"");
        to.push_str(name);
        to.push_str("\",\"organizationPresenceId\":\"");
        past.ids.write(to, Of::Presence, name.len() as u64);
        to.push('"');
    });
    to.push_str("],\"routingStatus\":[");
    routing.write(to, view, |to, name| {
        to.push_str("\"routingStatus\":\"");
        to.push_str(name);
        to.push('"');
    });
    to.push_str("]}");
    true
}

/// States that follow each other; neighbours of one name are one.
#[derive(Default)]
struct Lane(Vec<(&'static str, i64, i64)>);

impl Lane {
    fn add(&mut self, name: &'static str, from: i64, until: i64) {
        match self.0.last_mut() {
            Some((last, _, ended)) if *last == name && *ended == from => *ended = until,
            _ => self.0.push((name, from, until)),
        }
    }

    fn write(&self, to: &mut String, view: &View, each: impl Fn(&mut String, &str)) {
        for (nth, (name, from, until)) in self.0.iter().enumerate() {
            to.push_str(if nth > 0 {
                ",{\"startTime\":\""
            } else {
                "{\"startTime\":\""
            });
            Moment(*from).write(to, false);
            to.push_str("\",");
            if *until <= view.as_of {
                to.push_str("\"endTime\":\"");
                Moment(*until).write(to, false);
                to.push_str("\",");
            }
            each(to, name);
            to.push('}');
        }
    }
}

/// A row of CXone's agent states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) agent: u32,
    pub(crate) session: i64,
    pub(crate) index: i64,
    pub(crate) it: Stretch,
    /// The session's last.
    pub(crate) last: bool,
}

/// The rows that begin in an interval (with its end, if `inclusive`), agent by agent, of states that are over.
pub(crate) fn rows(
    past: &Past,
    (from, until): (i64, i64),
    inclusive: bool,
    only: Option<u32>,
    view: &View,
) -> Vec<Row> {
    let mut found = Vec::new();
    let agents = only.map_or(0..count(past), |agent| agent..agent + 1);
    for agent in agents {
        for nth in days(past, from, until) {
            let stretches = day(past, agent, nth, view.revised);
            let session = nth * u64::from(count(past)) + u64::from(agent);
            let last = stretches.len().saturating_sub(1);
            for (index, it) in stretches.into_iter().enumerate() {
                let begins =
                    it.from >= from && (it.from < until || (inclusive && it.from == until));
                if begins && it.until <= view.as_of {
                    found.push(Row {
                        agent,
                        session: 36_821_000_000 + i64::try_from(session).unwrap_or(0),
                        index: i64::try_from(index).unwrap_or(0),
                        it,
                        last: index == last,
                    });
                }
            }
        }
    }
    found
}

/// Name of a state, and number and name of the reason of one that is unavailable.
pub(crate) const fn words(at: At) -> (&'static str, i64, &'static str) {
    match at {
        At::Idle => ("Available", 0, ""),
        At::Ringing => ("Unavailable", -3, "InboundPending"),
        At::Talking => ("Working", 0, ""),
        At::Wrapping => ("Unavailable", -11, "ACW"),
        At::NotResponding => ("Unavailable", -8, "Refused"),
        At::Break => ("Unavailable", 4_711, "Break"),
    }
}

/// Appends a row of agent states.
pub(crate) fn write_row(past: &Past, row: &Row, to: &mut String) {
    let (name, code, reason) = words(row.it.at);
    let mut text = Text(to);
    text.number("{\"stateIndex\":", row.index);
    text.at(",\"startDate\":", Some(row.it.from));
    text.number(",\"agentId\":", contacts::agent(row.agent));
    text.number(
        ",\"agentStateId\":",
        match name {
            "Available" => 1,
            "Unavailable" => 2,
            _ => 3,
        },
    );
    text.0.push_str(",\"agentStateName\":\"");
    text.0.push_str(name);
    text.number("\",\"agentSessionId\":", row.session);
    let contact = row
        .it
        .number
        .map(|number| past.history.contacts.first + i64::try_from(number * 8).unwrap_or(0));
    text.number(",\"contactId\":", contact.unwrap_or(0));
    text.number(",\"skillId\":", row.it.queue.map_or(0, contacts::skill));
    text.0.push_str(",\"skillName\":\"\",\"mediaTypeId\":4,\"mediaTypeName\":\"Phone Call\",\"fromAddress\":\"\",\"toAddress\":\"\"");
    text.number(",\"outStateId\":", code);
    text.0.push_str(",\"outStateDescription\":");
    if reason.is_empty() {
        text.0.push_str("null");
    } else {
        text.0.push('"');
        text.0.push_str(reason);
        text.0.push('"');
    }
    text.seconds(",\"duration\":\"PT", row.it.until - row.it.from);
    text.0.push_str(
        "S\",\"isOutbound\":false,\"isNaturalCalling\":false,\"stationId\":0,\"stationName\":\"\"",
    );
    text.number(",\"teamId\":", contacts::team(row.agent));
    text.0.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::History;

    #[test]
    fn an_agents_day_has_neither_gaps_nor_overlaps_and_days_follow_each_other() {
        let past = Past::new(&History {
            days: 5,
            conversations: 10_000,
            agents: 60,
            ..History::default()
        });
        let mut talked = 0;
        for agent in 0..count(&past) {
            let mut before = i64::MIN;
            for nth in 0..5 {
                let stretches = day(&past, agent, nth, false);
                assert!(stretches[0].from > before);
                for pair in stretches.windows(2) {
                    assert_eq!(pair[0].until, pair[1].from);
                }
                for it in &stretches {
                    assert!(it.until > it.from);
                }
                talked += stretches.iter().filter(|it| it.at == At::Talking).count();
                before = stretches.last().map_or(before, |it| it.until);
            }
        }
        assert!(talked > 5_000, "{talked}");
    }
}
