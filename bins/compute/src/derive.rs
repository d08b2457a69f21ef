//! A folded session → the columns that are kept beside it, and what follows from it besides metrics. Pure.

use crate::attributes;
use schema::{CustomerKey, Direction, UtcMicros};
use session::{LegBusy, Phase, Session, Timeline};
use std::collections::BTreeMap;
use store::interactions::Status;
use window::Day;

/// What is stored of a session besides its facts, so that SQL need not look into them.
#[derive(Debug)]
pub struct Columns {
    /// The first instant on the timeline.
    pub started_at: Option<UtcMicros>,
    /// When the interaction ended, where a source says so.
    pub ended_at: Option<UtcMicros>,
    /// How far it has come.
    pub status: Status,
    /// The customer.
    pub customer_key: Option<CustomerKey>,
}

/// The columns of a session.
pub fn columns(session: &Session) -> Columns {
    let timeline = session.timeline();
    Columns {
        started_at: timeline.start(),
        ended_at: timeline.ended_at(),
        status: match timeline.status() {
            session::Status::Open => Status::Open,
            session::Status::Completed | session::Status::Abandoned | session::Status::Missed => {
                if timeline.is_end_inferred() {
                    Status::Provisional
                } else {
                    Status::Terminal
                }
            }
            session::Status::Overfull => Status::Overfull,
        },
        customer_key: timeline.customer_key().cloned(),
    }
}

/// What is wanted of a session besides its metrics.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// What windows are grouped and cut by.
    pub windows: bool,
    /// When its agents were busy.
    pub agent_time: bool,
    /// Where it is now.
    pub live: bool,
}

/// What follows from a session besides its metrics; only what was wanted.
#[derive(Debug, Default)]
pub struct Beside {
    /// When it began.
    pub started_at: Option<UtcMicros>,
    /// When it ended, else when it was last heard of.
    pub last_at: Option<UtcMicros>,
    /// The customer.
    pub customer_key: Option<CustomerKey>,
    /// The medium.
    pub media: Option<String>,
    /// Who began it.
    pub direction: Option<&'static str>,
    /// The attributes kept of it, a JSON object; absent where there are none.
    pub attributes: Option<String>,
    /// The zones stated for agents: each with the latest day of which it was.
    pub zones: BTreeMap<String, (Day, String)>,
    /// When agents were busy with it.
    pub busy: Vec<BusyLeg>,
    /// Where it is now; `None` where it has ended.
    pub live: Option<Live>,
}

/// When an agent was busy with a leg.
#[derive(Debug)]
pub struct BusyLeg {
    /// The leg.
    pub leg: String,
    /// The agent.
    pub agent: String,
    /// When.
    pub busy: LegBusy,
}

/// Where an open interaction is.
#[derive(Debug)]
pub struct Live {
    /// What it is doing.
    pub phase: Phase,
    /// Since when.
    pub since: UtcMicros,
    /// The queue.
    pub queue: Option<String>,
    /// The agent.
    pub agent: Option<String>,
}

/// What follows from a timeline besides metrics.
pub fn beside(timeline: &Timeline<'_>, wanted: Wanted) -> Beside {
    let ended_at = timeline.ended_at();
    let mut beside = Beside {
        started_at: timeline.start(),
        last_at: ended_at.or_else(|| timeline.facts().next_back().map(|fact| fact.at)),
        customer_key: timeline.customer_key().cloned(),
        ..Beside::default()
    };
    if wanted.live {
        beside.live = timeline.now().map(|now| Live {
            phase: now.phase,
            since: now.since,
            queue: now.queue.map(|queue| queue.as_str().to_owned()),
            agent: now.agent.map(|agent| agent.as_str().to_owned()),
        });
    }
    if wanted.windows || beside.live.is_some() {
        beside.media = timeline.media().map(str::to_owned);
        beside.direction = timeline.direction().map(Direction::name);
    }
    if wanted.windows {
        beside.attributes = attributes::write(&timeline.attributes());
        beside.zones = zones(timeline);
    }
    if wanted.agent_time {
        let legs = timeline.legs();
        beside.busy = legs
            .iter()
            .filter_map(|leg| {
                let agent = leg.agent?;
                Some(BusyLeg {
                    leg: leg.id.to_string(),
                    agent: agent.id.as_str().to_owned(),
                    busy: leg.busy(ended_at)?,
                })
            })
            .collect();
    }
    beside
}

fn zones(timeline: &Timeline<'_>) -> BTreeMap<String, (Day, String)> {
    let mut zones: BTreeMap<String, (Day, String)> = BTreeMap::new();
    for fact in timeline.facts() {
        let Some(agent) = &fact.statement.agent else {
            continue;
        };
        let Some(zone) = agent.zone.as_deref().filter(|zone| !zone.trim().is_empty()) else {
            continue;
        };
        let day = Day::of(fact.at);
        match zones.get_mut(agent.id.as_str()) {
            Some(known) if (known.0, known.1.as_str()) >= (day, zone) => {}
            Some(known) => *known = (day, zone.to_owned()),
            None => {
                zones.insert(agent.id.as_str().to_owned(), (day, zone.to_owned()));
            }
        }
    }
    zones
}
