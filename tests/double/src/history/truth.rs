//! What must come of a history: each conversation's figures, as the platform itself would add them up.

use super::contacts::{self, Row};
use super::conversation::{Conversation, Kind};
use super::ids::Of;
use super::moment::{Moment, whole};
use super::past::{Past, View};
use crate::config::History;
use serde::Serialize;

/// Whose records are taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Genesys: one record a conversation.
    #[default]
    Genesys,
    /// CXone: one row a contact; a conversation is the contact that the others name as their master.
    Cxone,
}

/// What must be known of one conversation. Milliseconds; absent is what no record states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// The platform's id of it.
    pub id: String,
    /// When it began.
    pub start: Moment,
    /// When it ended; absent: it is open.
    pub end: Option<Moment>,
    /// `answered`, `abandoned`, `ivr`, `outbound`, or `open`.
    pub outcome: &'static str,
    /// `voice`, `chat` or `callback`.
    pub media: &'static str,
    /// The first queue's id.
    pub queue: Option<String>,
    /// How many agents answered.
    pub handled_legs: usize,
    /// Contacting, dialling, talk, hold and wrap-up of all agents: the sum of Genesys' `tHandle`.
    pub handle_ms: Option<i64>,
    /// Talk of all agents.
    pub talk_ms: Option<i64>,
    /// Hold of all agents; 0 when those who answered did not hold.
    pub hold_ms: Option<i64>,
    /// Wrap-up of all agents, of those too who let it ring.
    pub wrap_ms: Option<i64>,
    /// The stays in all queues.
    pub wait_ms: Option<i64>,
}

/// Sums of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Conversations that have begun.
    pub conversations: u64,
    /// Of them, those that have ended.
    pub ended: u64,
    /// Of the ended ones, those that an agent answered or made.
    pub answered: u64,
    /// Of the ended ones, those abandoned in the queue.
    pub abandoned: u64,
    /// Of the ended ones, milliseconds.
    pub handle_ms: i64,
    /// As above.
    pub talk_ms: i64,
    /// As above.
    pub hold_ms: i64,
    /// As above.
    pub wrap_ms: i64,
    /// As above.
    pub wait_ms: i64,
}

impl Truth {
    /// The first line of a CSV file of them.
    pub const HEADER: &'static str =
        "id,start,end,outcome,media,queue,handled_legs,handle_ms,talk_ms,hold_ms,wrap_ms,wait_ms\n";

    /// Appends its line.
    pub fn write_csv(&self, to: &mut String) {
        to.push_str(&self.id);
        to.push(',');
        self.start.write(to, false);
        to.push(',');
        if let Some(end) = self.end {
            end.write(to, false);
        }
        to.push(',');
        to.push_str(self.outcome);
        to.push(',');
        to.push_str(self.media);
        to.push(',');
        to.push_str(self.queue.as_deref().unwrap_or_default());
        to.push(',');
        whole(to, i64::try_from(self.handled_legs).unwrap_or(0));
        for millis in [
            self.handle_ms,
            self.talk_ms,
            self.hold_ms,
            self.wrap_ms,
            self.wait_ms,
        ] {
            to.push(',');
            if let Some(millis) = millis {
                whole(to, millis);
            }
        }
        to.push('\n');
    }
}

impl Totals {
    /// The sums of these.
    pub fn of(all: impl IntoIterator<Item = Truth>) -> Self {
        let mut totals = Self::default();
        for it in all {
            totals.conversations += 1;
            if it.end.is_none() {
                continue;
            }
            totals.ended += 1;
            totals.answered += u64::from(it.handled_legs > 0);
            totals.abandoned += u64::from(it.outcome == "abandoned");
            totals.handle_ms += it.handle_ms.unwrap_or(0);
            totals.talk_ms += it.talk_ms.unwrap_or(0);
            totals.hold_ms += it.hold_ms.unwrap_or(0);
            totals.wrap_ms += it.wrap_ms.unwrap_or(0);
            totals.wait_ms += it.wait_ms.unwrap_or(0);
        }
        totals
    }
}

/// The truth about a history, in the order of the conversations' starts, late ones included: as it is at `as_of`, by default
/// when the double that plays it starts. With `revised`, as conversations are told later. Of CXone those that are over.
pub fn truth(
    history: &History,
    platform: Platform,
    revised: bool,
    as_of: Option<Moment>,
) -> impl Iterator<Item = Truth> + use<> {
    let past = Past::new(history);
    let as_of = as_of.unwrap_or_else(|| past.first_now().plus(-history.clock.lag_ms));
    let view = View {
        as_of: as_of.0,
        ..past.finally(revised)
    };
    let count = past.plan().first_from(as_of.0.saturating_add(1));
    (0..count).filter_map(move |number| {
        let it = past.draw(number, &view);
        match platform {
            Platform::Genesys => Some(of_genesys(&past, &it, &view)),
            Platform::Cxone => of_cxone(&past, &it, &view),
        }
    })
}

fn outcome(it: &Conversation, is_over: bool) -> &'static str {
    match it.kind {
        _ if !is_over => "open",
        Kind::Abandoned => "abandoned",
        Kind::IvrOnly => "ivr",
        Kind::Outbound => "outbound",
        Kind::Answered | Kind::Rona | Kind::Transferred | Kind::Consulted | Kind::Callback => {
            "answered"
        }
    }
}

fn media(it: &Conversation) -> &'static str {
    use super::conversation::Media;
    match it.media {
        Media::Voice => "voice",
        Media::Chat => "chat",
        Media::Callback => "callback",
    }
}

fn sum(values: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    values.flatten().reduce(|sum, more| sum + more)
}

fn of_genesys(past: &Past, it: &Conversation, view: &View) -> Truth {
    let end = it.end.filter(|end| *end <= view.as_of);
    let turns = || it.turns.iter().filter(|turn| turn.answered());
    let reached = |turn: &super::conversation::Turn| {
        turn.reaching.map_or(0, |(from, _, until)| until - from)
    };
    let handle = it.turns.iter().map(|turn| {
        let all = reached(turn) + turn.talk() + turn.hold() + turn.wrapped().unwrap_or(0);
        (all > 0).then_some(all)
    });
    Truth {
        id: past.ids.text(Of::Conversation, it.number),
        start: Moment(it.start),
        end: end.map(Moment),
        outcome: outcome(it, end.is_some()),
        media: media(it),
        queue: it
            .waits
            .first()
            .map(|wait| past.ids.text(Of::Queue, u64::from(wait.queue))),
        handled_legs: turns().count(),
        handle_ms: sum(handle),
        talk_ms: sum(turns().map(|turn| Some(turn.talk()))),
        hold_ms: sum(turns().map(|turn| Some(turn.hold()))),
        wrap_ms: sum(it.turns.iter().map(super::conversation::Turn::wrapped)),
        wait_ms: sum(it.waits.iter().map(|wait| Some(wait.lasted()))),
    }
}

fn of_cxone(past: &Past, it: &Conversation, view: &View) -> Option<Truth> {
    let rows = contacts::rows(past, it);
    let known = rows.iter().all(|row| row.warehoused_at() <= view.as_of);
    if !known || rows.is_empty() {
        return None;
    }
    let with_agent = || rows.iter().filter(|row| row.agent.is_some());
    let wraps = with_agent().map(|row| Some(row.wrap));
    let queued = rows.iter().filter(|row| row.agent.is_some() || row.in_queue > 0);
    let handle = with_agent().map(|row| Some(row.agent_ms + row.wrap));
    let first: &Row = rows.first()?;
    Some(Truth {
        id: first.contact.to_string(),
        start: Moment(first.start),
        end: rows.iter().map(Row::ended_at).max().map(Moment),
        outcome: outcome(it, true),
        media: if it.kind == Kind::Callback { "voice" } else { media(it) },
        queue: first.skill.map(|skill| contacts::skill(skill).to_string()),
        handled_legs: with_agent().filter(|row| !row.refused).count(),
        handle_ms: sum(handle),
        talk_ms: sum(with_agent().map(|row| Some(row.agent_ms - row.hold))),
        hold_ms: sum(with_agent().map(|row| Some(row.hold))),
        wrap_ms: sum(wraps),
        wait_ms: sum(queued.map(|row| Some(row.in_queue))),
    })
}
