//! A conversation as CXone tells it: one row a contact, and one contact an agent who had it.
//!
//! Times follow each other: before the queue, in the queue, with the agent (hold included), after it; after-call work lies outside
//! of all of them, and is not in the row until the warehouse has it.

use super::conversation::{Conversation, Kind, Media, Passed, Stretch, Turn, Wait};
use super::moment::{Moment, whole};
use super::past::{Past, View};

/// After a contact's end, when the warehouse has it.
const WAREHOUSED_AFTER: i64 = 47_000;
/// Numbers of contacts that one conversation may have.
const LEGS: u64 = 8;

/// One contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) contact: i64,
    pub(crate) master: i64,
    pub(crate) start: i64,
    pub(crate) agent: Option<u32>,
    pub(crate) skill: Option<u32>,
    pub(crate) chat: bool,
    pub(crate) pre_queue: i64,
    pub(crate) in_queue: i64,
    /// With the agent, hold included.
    pub(crate) agent_ms: i64,
    pub(crate) hold: i64,
    pub(crate) holds: usize,
    pub(crate) wrap: i64,
    /// When the warehouse has the wrap-up.
    pub(crate) wrap_known_at: Option<i64>,
    pub(crate) abandoned: bool,
    pub(crate) refused: bool,
    pub(crate) outbound: bool,
    pub(crate) transfer: &'static str,
    pub(crate) code: u32,
    pub(crate) stretches: Vec<Stretch>,
}

impl Row {
    pub(crate) const fn total(&self) -> i64 {
        self.pre_queue + self.in_queue + self.agent_ms
    }

    pub(crate) const fn ended_at(&self) -> i64 {
        self.start + self.total()
    }

    pub(crate) const fn warehoused_at(&self) -> i64 {
        self.ended_at() + WAREHOUSED_AFTER
    }

    /// When it was last changed: end of the contact; after-call work does not move it.
    pub(crate) const fn updated_at(&self) -> i64 {
        self.ended_at()
    }

    /// Seconds of wait within which an answer is good.
    const SERVICE: i64 = 20_000;

    fn service_level(&self) -> i64 {
        match self.in_queue {
            0 => -1,
            _ if self.outbound || self.refused => -1,
            waited if self.abandoned && waited < 5_000 => -1,
            waited if !self.abandoned && waited <= Self::SERVICE => 0,
            _ => 1,
        }
    }
}

/// The number of an agent at CXone.
pub(crate) fn agent(agent: u32) -> i64 {
    7_000_001 + i64::from(agent)
}

/// The agent with this number.
pub(crate) fn agent_of(number: i64) -> Option<u32> {
    u32::try_from(number - 7_000_001).ok()
}

/// The number of a queue at CXone.
pub(crate) fn skill(queue: u32) -> i64 {
    4_149_300 + i64::from(queue)
}

pub(crate) fn team(agent: u32) -> i64 {
    2_422_500 + i64::from(agent % 8)
}

/// The contacts of a conversation; none of one that never ends, which is an active contact for ever.
pub(crate) fn rows(past: &Past, it: &Conversation) -> Vec<Row> {
    if it.kept_open == Some(i64::MAX) {
        return Vec::new();
    }
    let wrap_after = past.history.contacts.wrap_after_ms;
    let number = |leg: u64| {
        past.history.contacts.first + i64::try_from(it.number * LEGS + leg).unwrap_or(0)
    };
    let master = number(0);
    let bare = Row {
        contact: master,
        master,
        start: it.start,
        agent: None,
        skill: None,
        chat: it.media == Media::Chat,
        pre_queue: 0,
        in_queue: 0,
        agent_ms: 0,
        hold: 0,
        holds: 0,
        wrap: 0,
        wrap_known_at: None,
        abandoned: false,
        refused: false,
        outbound: false,
        transfer: "None",
        code: 0,
        stretches: Vec::new(),
    };
    let served = |leg: u64, start: i64, wait: Option<&Wait>, turn: &Turn| {
        let done = turn.done();
        let base = Row {
            contact: number(leg),
            start,
            agent: Some(turn.agent),
            skill: turn.queue,
            pre_queue: wait.map_or(0, |wait| wait.from - start),
            in_queue: wait.map_or(0, Wait::lasted),
            agent_ms: turn.talk() + turn.hold(),
            hold: turn.hold(),
            holds: turn.holds(),
            wrap: turn.wrapped().unwrap_or(0),
            wrap_known_at: Some(done + wrap_after),
            transfer: match turn.passed {
                None => "None",
                Some(Passed::Blind) => "ReSkill",
                Some(Passed::Consult(_)) => "Consult",
            },
            code: turn.code,
            stretches: turn.stretches.clone(),
            ..bare.clone()
        };
        let known = base.wrap_known_at.max(Some(base.ended_at() + wrap_after));
        Row {
            wrap_known_at: known,
            ..base
        }
    };
    let wait_of = |turn: &Turn| turn.wait.and_then(|wait| it.waits.get(wait));
    match it.kind {
        Kind::IvrOnly => vec![Row {
            pre_queue: it.customer_left - it.start,
            ..bare
        }],
        Kind::Abandoned => {
            let Some(wait) = it.waits.first() else {
                return Vec::new();
            };
            vec![Row {
                skill: Some(wait.queue),
                pre_queue: wait.from - it.start,
                in_queue: wait.lasted(),
                abandoned: true,
                ..bare
            }]
        }
        Kind::Outbound => it
            .turns
            .iter()
            .map(|turn| Row {
                outbound: true,
                skill: Some(0),
                ..served(0, turn.stretches.first().map_or(it.start, |it| it.from), None, turn)
            })
            .collect(),
        Kind::Answered | Kind::Callback => it
            .turns
            .iter()
            .map(|turn| served(0, it.start, wait_of(turn), turn))
            .collect(),
        Kind::Rona => it
            .turns
            .iter()
            .rev()
            .map(|turn| {
                if turn.answered() {
                    return served(0, it.start, wait_of(turn), turn);
                }
                let rang = turn.alert.map_or(0, |(from, until)| until - from);
                Row {
                    refused: true,
                    pre_queue: rang,
                    wrap: 0,
                    ..served(2, turn.began(), None, turn)
                }
            })
            .collect(),
        Kind::Transferred | Kind::Consulted => it
            .turns
            .iter()
            .enumerate()
            .map(|(nth, turn)| match nth {
                0 => served(0, it.start, wait_of(turn), turn),
                _ => {
                    let wait = wait_of(turn);
                    let start = wait.map_or(it.start, |wait| wait.from - 30);
                    served(1, start, wait, turn)
                }
            })
            .collect(),
    }
}

/// The conversation that a contact belongs to.
pub(crate) fn number_of(past: &Past, contact: i64) -> Option<u64> {
    let from_first = u64::try_from(contact.checked_sub(past.history.contacts.first)?).ok()?;
    let number = from_first / LEGS;
    (number < past.plan().len()).then_some(number)
}

/// Appends a row in the form of version 27 and later; `with_state` as `contacts/{id}` does.
pub(crate) fn write(row: &Row, view: &View, with_state: bool, to: &mut String) {
    let mut text = Text(to);
    let name = if row.skill.is_some() { "SKILL_" } else { "SKILL_NO_AGENT" };
    text.number("{\"contactId\":", row.contact);
    text.number(",\"masterContactId\":", row.master);
    text.at(",\"contactStartDate\":", Some(row.start));
    text.at(",\"lastUpdateTime\":", Some(row.updated_at()));
    let known = |at: i64| Some(at).filter(|at| *at <= view.as_of);
    text.at(",\"dateContactWarehoused\":", known(row.warehoused_at()));
    let wrap_known = row.wrap_known_at.and_then(known);
    text.at(",\"dateACWWarehoused\":", wrap_known);
    text.0.push_str(",\"analyticsProcessedDate\":null,\"isAnalyticsProcessed\":false");
    text.number(",\"agentId\":", row.agent.map_or(0, agent));
    match row.agent {
        Some(id) => {
            text.number(",\"firstName\":\"Agent\",\"lastName\":\"", i64::from(id));
            text.number("\",\"teamId\":", team(id));
            text.number(",\"teamName\":\"TEAM_", i64::from(id % 8));
            text.0.push('"');
        }
        None => text.0.push_str(",\"firstName\":\"\",\"lastName\":\"\",\"teamId\":0,\"teamName\":\"\""),
    }
    text.number(",\"skillId\":", row.skill.map_or(4_069_210, skill));
    text.0.push_str(",\"skillName\":\"");
    text.0.push_str(name);
    if let Some(queue) = row.skill {
        text.number("", i64::from(queue));
    }
    text.0.push_str("\",\"campaignId\":2523910,\"campaignName\":\"CAMPAIGN_01\",\"pointOfContactId\":18959143,\"pointOfContactName\":\"POC_01\"");
    text.0.push_str(if row.chat {
        ",\"mediaTypeId\":3,\"mediaTypeName\":\"Chat\""
    } else {
        ",\"mediaTypeId\":4,\"mediaTypeName\":\"Phone Call\""
    });
    text.0.push_str(",\"mediaSubTypeId\":null,\"mediaSubTypeName\":null");
    text.number(",\"fromAddress\":\"1555", 1_000_000 + row.master / 24 % 9_000_000);
    text.0.push_str("\",\"toAddress\":\"+15550100101\"");
    text.flag(",\"isOutbound\":", row.outbound);
    text.seconds(",\"preQueueSeconds\":", row.pre_queue);
    text.seconds(",\"inQueueSeconds\":", row.in_queue);
    text.seconds(",\"agentSeconds\":", row.agent_ms);
    text.0.push_str(",\"postQueueSeconds\":0,\"releaseSeconds\":0");
    text.seconds(",\"totalDurationSeconds\":", row.total());
    text.seconds(",\"acwSeconds\":", wrap_known.map_or(0, |_| row.wrap));
    text.seconds(",\"holdSeconds\":", row.hold);
    text.number(",\"holdCount\":", i64::try_from(row.holds).unwrap_or(0));
    text.0.push_str(",\"conferenceSeconds\":0");
    text.seconds(",\"abandonSeconds\":", if row.abandoned { row.in_queue } else { 0 });
    text.0.push_str(",\"callbackTime\":0");
    text.number(",\"routingTime\":", row.in_queue);
    text.flag(",\"abandoned\":", row.abandoned);
    text.flag(",\"isShortAbandon\":", row.abandoned && row.in_queue < 5_000);
    text.flag(",\"isRefused\":", row.refused);
    text.0.push_str(if row.refused { ",\"refuseReason\":\"Did not answer\"" } else { ",\"refuseReason\":\"\"" });
    text.0.push_str(",\"refuseTime\":null,\"isTakeover\":false,\"isLogged\":true");
    text.number(",\"serviceLevelFlag\":", row.service_level());
    text.number(",\"primaryDispositionId\":", i64::from(row.code));
    text.0.push_str(",\"secondaryDispositionId\":0,\"dispositionNotes\":\"\",\"endReason\":\"Contact Hung Up\"");
    text.number(",\"transferIndicatorId\":", match row.transfer {
        "ReSkill" => 1,
        "Consult" => 3,
        _ => 0,
    });
    text.0.push_str(",\"transferIndicatorName\":\"");
    text.0.push_str(row.transfer);
    text.0.push_str("\",\"highProficiency\":1,\"lowProficiency\":20,\"routingAttribute\":0,\"tags\":[]");
    if with_state {
        text.0.push_str(",\"stateId\":18,\"stateName\":\"EndContact\",\"contactStateCategory\":\"Completed\",\"isActive\":false,\"isWarehoused\":");
        text.0.push_str(if row.warehoused_at() <= view.as_of { "true" } else { "false" });
    }
    text.0.push('}');
}

/// JSON of CXone's kind, in the middle of being written.
pub(crate) struct Text<'a>(pub(crate) &'a mut String);

impl Text<'_> {
    pub(crate) fn number(&mut self, name: &str, number: i64) {
        self.0.push_str(name);
        whole(self.0, number);
    }

    pub(crate) fn flag(&mut self, name: &str, flag: bool) {
        self.0.push_str(name);
        self.0.push_str(if flag { "true" } else { "false" });
    }

    pub(crate) fn at(&mut self, name: &str, at: Option<i64>) {
        self.0.push_str(name);
        match at {
            None => self.0.push_str("null"),
            Some(at) => {
                self.0.push('"');
                Moment(at).write(self.0, false);
                self.0.push('"');
            }
        }
    }

    /// Seconds with as many decimals as are needed.
    pub(crate) fn seconds(&mut self, name: &str, millis: i64) {
        self.0.push_str(name);
        whole(self.0, millis / 1_000);
        let rest = millis % 1_000;
        if rest != 0 {
            self.0.push('.');
            super::moment::digits(self.0, rest, 3);
        }
    }
}
