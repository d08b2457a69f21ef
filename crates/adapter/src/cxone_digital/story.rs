//! The facts of an event: a case has a fixed set of them, and each event states those that it knows.

use super::case::{Case, Status, User};
use crate::cxone_media::agent_leg;
use compact_str::CompactString;
use schema::{
    AgentId, AgentRef, Details, Direction, Fact, FactKey, Leg, LegId, LegKind, LegOutcome, QueueId,
    SourceRank, State, Statement, Transfer, UtcMicros,
};

/// An agent's part, as the events about it tell.
pub(super) struct AgentContact {
    pub(super) user: User,
    pub(super) from: Option<UtcMicros>,
    pub(super) until: Option<UtcMicros>,
    /// The event's instant.
    pub(super) at: UtcMicros,
}

/// What an event tells.
pub(super) struct Story<'e> {
    pub(super) contact: &'e str,
    /// The event's instant.
    pub(super) at: UtcMicros,
    pub(super) queue: Option<String>,
    pub(super) media: Option<CompactString>,
    pub(super) case: Option<&'e Case>,
    /// Who had it before.
    pub(super) previous: Option<User>,
    /// Whether the change of hands is a transfer.
    pub(super) passed_on: bool,
    pub(super) agent_contact: Option<AgentContact>,
}

/// Which copy of a fact holds.
#[derive(Clone, Copy)]
enum Holds {
    /// The one of the newest event.
    Newest(UtcMicros),
    /// The one that speaks of the earliest instant: what happened for the first time. Revisions grow, so this one counts down.
    Earliest(UtcMicros),
    /// All copies say the same.
    Any,
}

impl Holds {
    fn revision(self) -> Option<UtcMicros> {
        match self {
            Self::Newest(at) => Some(at),
            Self::Earliest(at) => Some(UtcMicros(at.0.saturating_neg())),
            Self::Any => None,
        }
    }
}

impl Story<'_> {
    pub(super) fn facts(&self) -> Vec<Fact> {
        let mut facts = Vec::with_capacity(6);
        if let Some(case) = self.case {
            facts.extend(self.begun(case));
            facts.extend(self.now(case));
            facts.extend(self.closed(case));
            if case.is_waiting() {
                facts.push(self.first_wait());
            }
            self.assignments(case, &mut facts);
        }
        if let Some(part) = &self.agent_contact
            && let Some(agent) = part.user.agent()
        {
            let from = part.from.unwrap_or(part.at);
            facts.push(self.first_answer(agent, from));
            facts.push(self.taken(agent, from));
            if let Some(until) = part.until {
                facts.push(self.given_up(agent, until));
            }
        }
        facts
    }

    /// The customer's own line: from when on, and who began it.
    fn begun(&self, case: &Case) -> Option<Fact> {
        let id = LegId::new(format!("{}:customer", self.contact));
        let mut details = self.details(Some(Leg::new(id, LegKind::Customer)));
        details.direction = case.direction;
        let statement = Statement {
            state: (case.direction != Some(Direction::Outbound)).then_some(State::Offered),
            details: Some(Box::new(details)),
            ..Statement::default()
        };
        Some(fact("case", case.created_at?, Holds::Any, statement))
    }

    /// Where the case is. A closed one is nowhere: what it was before stays known, so that a resolution stays the end.
    fn now(&self, case: &Case) -> Option<Fact> {
        let (at, statement) = match case.status.as_ref()? {
            Status::Closed => return None,
            Status::Resolved => (case.status_at.unwrap_or(self.at), self.ended(case)),
            _ if case.agent().is_some() => {
                let agent = case.agent().unwrap_or_default();
                let at = case.assigned_at.unwrap_or(self.at);
                (at, self.connected(agent, self.agent_leg(agent)))
            }
            _ if case.is_waiting() => {
                let waits = Statement {
                    state: Some(State::Queued),
                    queue: self.queue.as_deref().map(QueueId::new),
                    ..Statement::default()
                };
                (self.at, waits)
            }
            Status::Waits(name) | Status::Other(name) => {
                let state = Some(State::from_name(&format!("case_{name}")));
                let other = Statement {
                    state,
                    ..Statement::default()
                };
                (self.at, other)
            }
        };
        Some(fact("now", at, Holds::Newest(self.at), statement))
    }

    /// Whether the case is closed. One that is not says so, too, for the one that was closed before.
    fn closed(&self, case: &Case) -> Option<Fact> {
        let (at, statement) = if *case.status.as_ref()? == Status::Closed {
            (case.status_at.unwrap_or(self.at), self.ended(case))
        } else {
            (case.created_at.unwrap_or(self.at), Statement::default())
        };
        Some(fact("closed", at, Holds::Newest(self.at), statement))
    }

    /// The end, in the queue where the customer left one.
    fn ended(&self, case: &Case) -> Statement {
        let state = if case.is_abandoned {
            State::Abandoned
        } else {
            State::Completed
        };
        let left_queue = case.is_abandoned && case.routing_queue.is_some();
        let leg = left_queue.then(|| Leg {
            ended_at: Some(case.status_at.unwrap_or(self.at)),
            outcome: Some(LegOutcome::Abandoned),
            ..Leg::new(LegId::new(self.contact), LegKind::Queue)
        });
        Statement {
            state: Some(state),
            details: leg.map(|leg| Box::new(self.details(Some(leg)))),
            ..Statement::default()
        }
    }

    /// The customer waits in a queue.
    fn first_wait(&self) -> Fact {
        let leg = Leg::new(LegId::new(self.contact), LegKind::Queue);
        let statement = Statement {
            state: Some(State::Queued),
            queue: self.queue.as_deref().map(QueueId::new),
            details: Some(Box::new(self.details(Some(leg)))),
            ..Statement::default()
        };
        fact("queued", self.at, Holds::Earliest(self.at), statement)
    }

    /// Who has the case, since when, and who had it until now.
    fn assignments(&self, case: &Case, facts: &mut Vec<Fact>) {
        let since = case.assigned_at.unwrap_or(self.at);
        if let Some(agent) = case.agent() {
            facts.push(self.first_answer(agent, since));
            facts.push(self.taken(agent, since));
        }
        let before = self.previous.as_ref().and_then(User::agent);
        let Some(before) = before.filter(|before| case.agent() != Some(before)) else {
            return;
        };
        // Where nobody else has it now, the last assignment was that one's.
        if case.assignee.is_none()
            && let Some(since) = case.assigned_at.filter(|since| *since <= self.at)
        {
            facts.push(self.first_answer(before, since));
            facts.push(self.taken(before, since));
        }
        facts.push(self.given_up(before, self.at));
    }

    /// An agent took it: with the first who did, the wait in the queue is over. Of which kind the leg is only a wait tells, so that one
    /// who was never seen waiting has no wait of zero.
    fn first_answer(&self, agent: &str, at: UtcMicros) -> Fact {
        let leg = Leg {
            ended_at: Some(at),
            answered_at: Some(at),
            ..Leg::new(LegId::new(self.contact), LegKind::Other)
        };
        fact(
            "answered",
            at,
            Holds::Earliest(at),
            self.connected(agent, leg),
        )
    }

    /// The latest time that the agent got it.
    fn taken(&self, agent: &str, at: UtcMicros) -> Fact {
        let statement = self.connected(agent, self.agent_leg(agent));
        fact(
            &format!("agent:{agent}:from"),
            at,
            Holds::Newest(at),
            statement,
        )
    }

    /// The latest time that the agent lost it.
    fn given_up(&self, agent: &str, at: UtcMicros) -> Fact {
        let mut leg = self.agent_leg(agent);
        leg.ended_at = Some(at);
        if self.passed_on {
            leg.outcome = Some(LegOutcome::Transferred);
            leg.transfer = Some(Transfer::Unspecified);
        }
        let mut statement = self.connected(agent, leg);
        statement.state = None;
        fact(
            &format!("agent:{agent}:until"),
            at,
            Holds::Newest(at),
            statement,
        )
    }

    fn agent_leg(&self, agent: &str) -> Leg {
        Leg {
            outcome: Some(LegOutcome::Answered),
            ..Leg::new(agent_leg(self.contact, agent), LegKind::Agent)
        }
    }

    fn connected(&self, agent: &str, leg: Leg) -> Statement {
        Statement {
            state: Some(State::Connected),
            agent: Some(AgentRef {
                id: AgentId::new(agent),
                // No event says where the agent is; the brand's zone is the brand's.
                zone: None,
            }),
            queue: self.queue.as_deref().map(QueueId::new),
            details: Some(Box::new(self.details(Some(leg)))),
            ..Statement::default()
        }
    }

    fn details(&self, leg: Option<Leg>) -> Details {
        Details {
            leg,
            media: self.media.clone(),
            ..Details::default()
        }
    }
}

fn fact(name: &str, at: UtcMicros, holds: Holds, statement: Statement) -> Fact {
    Fact {
        key: FactKey::event(&format!("dfo:{name}")),
        at,
        revision: holds.revision(),
        rank: SourceRank::Event,
        statement,
    }
}
