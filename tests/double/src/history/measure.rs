//! Aggregates: counts and sums over an interval, each figure in the interval in which it became known, not in that of its
//! conversation's start.

use super::ids::Of;
use super::moment::Moment;
use super::past::{Matching, Past, View};
use super::record::{Participant, Session, participants};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A question for aggregates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) from: i64,
    pub(crate) until: i64,
    /// Length of the parts of the interval, milliseconds; absent: it is one.
    pub(crate) granularity: Option<i64>,
    pub(crate) group_by: Vec<Dimension>,
    /// Names of metrics; empty: all.
    pub(crate) metrics: Vec<String>,
    pub(crate) filter: Option<Filter>,
}

/// What can be grouped and filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dimension {
    Queue,
    Media,
    User,
    Direction,
    Originating,
    Conversation,
}

impl Dimension {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "queueId" => Self::Queue,
            "mediaType" => Self::Media,
            "userId" => Self::User,
            "direction" => Self::Direction,
            "originatingDirection" => Self::Originating,
            "conversationId" => Self::Conversation,
            _ => return None,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queueId",
            Self::Media => "mediaType",
            Self::User => "userId",
            Self::Direction => "direction",
            Self::Originating => "originatingDirection",
            Self::Conversation => "conversationId",
        }
    }
}

/// Predicates and clauses, joined by one word.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Filter {
    pub(crate) any: bool,
    pub(crate) predicates: Vec<(Dimension, String)>,
    pub(crate) clauses: Vec<Filter>,
}

impl Filter {
    fn takes(&self, of: &dyn Fn(Dimension) -> Option<String>) -> bool {
        let predicates = self
            .predicates
            .iter()
            .map(|(dimension, value)| of(*dimension).as_ref() == Some(value));
        let mut all = predicates.chain(self.clauses.iter().map(|clause| clause.takes(of)));
        if self.any { all.any(|it| it) } else { all.all(|it| it) }
    }
}

/// Count, sum, least and greatest of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stats {
    count: i64,
    sum: i64,
    min: i64,
    max: i64,
}

impl Stats {
    fn add(&mut self, value: i64) {
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }
}

/// By group, part of the interval, and metric.
type Table = BTreeMap<Vec<Option<String>>, BTreeMap<i64, BTreeMap<&'static str, Stats>>>;

/// The answer's `results`; empty when there is nothing.
pub(crate) fn answer(past: &Past, question: &Question, view: &View) -> Vec<Value> {
    let mut table = Table::new();
    let span = past.span(question.from, question.until, Matching::Overlap, *view);
    for number in past.walk(span, Matching::Overlap) {
        let it = past.draw(number, view);
        let all = participants(&it);
        let outbound = all.first().is_some_and(|first| first.purpose == "external");
        let originating = if outbound { "outbound" } else { "inbound" };
        let mut counted = false;
        for participant in &all {
            for session in &participant.sessions {
                let of = |dimension| value(past, number, participant, session, originating, dimension);
                if question.filter.as_ref().is_some_and(|it| !it.takes(&of)) {
                    continue;
                }
                let group: Vec<Option<String>> =
                    question.group_by.iter().map(|it| of(*it)).collect();
                // The conversation itself counts once, with the first of its sessions that the question is about.
                let begun = (!counted).then_some(("nConversations", 1, it.start));
                counted = true;
                let figures = session.metrics.iter().map(|it| (it.name, it.value, it.at));
                for (name, value, at) in figures.chain(begun) {
                    let wanted = question.metrics.is_empty()
                        || question.metrics.iter().any(|wanted| wanted == name);
                    if wanted && (question.from..question.until).contains(&at) && at <= view.as_of {
                        let part = question.granularity.map_or(question.from, |length| {
                            at - (at - question.from).rem_euclid(length)
                        });
                        table
                            .entry(group.clone())
                            .or_default()
                            .entry(part)
                            .or_default()
                            .entry(name)
                            .or_insert(Stats {
                                count: 0,
                                sum: 0,
                                min: i64::MAX,
                                max: i64::MIN,
                            })
                            .add(value);
                    }
                }
            }
        }
    }
    tell(question, table)
}

fn value(
    past: &Past,
    number: u64,
    participant: &Participant,
    session: &Session,
    originating: &'static str,
    dimension: Dimension,
) -> Option<String> {
    match dimension {
        Dimension::Queue => {
            let queue = session.segments.iter().find_map(|segment| segment.queue)?;
            Some(past.ids.text(Of::Queue, u64::from(queue)))
        }
        Dimension::Media => Some(session.media.to_owned()),
        Dimension::User => {
            let user = participant.user?;
            Some(past.ids.text(Of::Agent, u64::from(user)))
        }
        Dimension::Direction => Some(session.direction.to_owned()),
        Dimension::Originating => Some(originating.to_owned()),
        Dimension::Conversation => Some(past.ids.text(Of::Conversation, number)),
    }
}

fn tell(question: &Question, table: Table) -> Vec<Value> {
    table
        .into_iter()
        .map(|(group, parts)| {
            let names = question.group_by.iter().map(|it| it.name());
            let group: Map<String, Value> = names
                .zip(group)
                .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))))
                .collect();
            let data: Vec<Value> = parts
                .into_iter()
                .map(|(from, metrics)| {
                    let until = question
                        .granularity
                        .map_or(question.until, |length| from + length)
                        .min(question.until);
                    let metrics: Vec<Value> = metrics
                        .into_iter()
                        .map(|(name, it)| {
                            let stats = if name.starts_with('n') {
                                json!({ "count": it.count })
                            } else {
                                json!({ "max": it.max, "min": it.min, "count": it.count, "sum": it.sum })
                            };
                            json!({ "metric": name, "stats": stats })
                        })
                        .collect();
                    json!({ "interval": format!("{}/{}", Moment(from), Moment(until)), "metrics": metrics })
                })
                .collect();
            json!({ "group": group, "data": data })
        })
        .collect()
}
