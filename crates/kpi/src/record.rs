//! What the fields of one interaction say: read off its timeline when a definition asks, each thing at most once. So a field costs a
//! look at all facts once an interaction at most, however often definitions read it.

use crate::fields::{InteractionField, LegField};
use expression::{Missing, Value};
use schema::{
    AgentRef, CustomerKey, Direction, DurationKind, LegKind, LegOutcome, Millis, QueueId, Transfer,
    UtcMicros,
};
use session::{DurationFact, LegView, Outcome, Status, Timeline, Totals, Transfers};
use std::cell::OnceCell;
use timezone::{Asked, Places, Resolved, ZoneSource};
use window::Counted;

/// An interaction to be evaluated.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The interaction's id.
    pub interaction: &'a str,
    /// What is known of it.
    pub timeline: &'a Timeline<'a>,
    /// Whether it was given up as incomplete: then every KPI of an open interaction is absent with that reason.
    pub swept: bool,
}

/// Which zone a definition's local time is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ZoneRule {
    /// Whom to ask, in this order.
    pub(crate) order: Vec<ZoneSource>,
    /// The last resort before UTC.
    pub(crate) default: Option<timezone::Zone>,
    /// The zone of the definition's schedule.
    pub(crate) schedule: Option<timezone::Zone>,
}

impl Default for ZoneRule {
    fn default() -> Self {
        Self {
            order: ZoneSource::ORDER.to_vec(),
            default: None,
            schedule: None,
        }
    }
}

/// One interaction's facts as fields.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    subject: Subject<'a>,
    /// The first instant on the timeline.
    pub(crate) start: UtcMicros,
    status: OnceCell<Status>,
    outcome: OnceCell<Outcome>,
    totals: OnceCell<Totals>,
    transfers: OnceCell<Transfers>,
    agent: OnceCell<Option<&'a AgentRef>>,
    queue: OnceCell<Option<&'a QueueId>>,
    queue_count: OnceCell<u32>,
    dispositions: OnceCell<Vec<&'a str>>,
    offered_at: OnceCell<Option<UtcMicros>>,
    ended_at: OnceCell<Option<UtcMicros>>,
    over_at: OnceCell<Option<UtcMicros>>,
    contact_ended_at: OnceCell<Option<UtcMicros>>,
    customer_left_at: OnceCell<Option<UtcMicros>>,
    answered_at: OnceCell<Option<UtcMicros>>,
    answered_after: OnceCell<Option<DurationFact>>,
    abandoned_after: OnceCell<Option<DurationFact>>,
    longest_hold: OnceCell<Option<DurationFact>>,
    holds: OnceCell<Option<u32>>,
    agent_count: OnceCell<u32>,
    missed_alerts: OnceCell<u32>,
    last_agent: OnceCell<Option<&'a AgentRef>>,
    media: OnceCell<Option<&'a str>>,
    direction: OnceCell<Option<Direction>>,
    disposition: OnceCell<Option<&'a str>>,
    customer: OnceCell<Option<&'a CustomerKey>>,
    queued: OnceCell<bool>,
    conference: OnceCell<bool>,
    callback: OnceCell<bool>,
    legs: OnceCell<Legs<'a>>,
    /// By the default order, which almost every definition has.
    usual_zone: OnceCell<Resolved<'a>>,
}

#[derive(Debug)]
struct Legs<'a> {
    all: Vec<LegView<'a>>,
    /// The places of the first and the last leg of an agent's.
    first: Option<usize>,
    last: Option<usize>,
    /// By place: the queue that each belongs to.
    queues: Vec<Option<&'a QueueId>>,
}

impl<'a> Legs<'a> {
    fn of(all: Vec<LegView<'a>>) -> Self {
        let of_an_agent = |leg: &LegView<'_>| leg.kind == LegKind::Agent;
        let mut waited_in = None;
        let queues = all.iter().map(|leg| {
            let queue = leg.queue.or(waited_in);
            if leg.kind == LegKind::Queue {
                waited_in = queue;
            }
            queue
        });
        Self {
            queues: queues.collect(),
            first: all.iter().position(of_an_agent),
            last: all.iter().rposition(of_an_agent),
            all,
        }
    }
}

impl<'a> Record<'a> {
    /// `None` where nothing is known at all, not even when it began.
    pub(crate) fn of(subject: Subject<'a>) -> Option<Self> {
        Some(Self {
            subject,
            start: subject.timeline.start()?,
            status: OnceCell::new(),
            outcome: OnceCell::new(),
            totals: OnceCell::new(),
            transfers: OnceCell::new(),
            agent: OnceCell::new(),
            queue: OnceCell::new(),
            queue_count: OnceCell::new(),
            dispositions: OnceCell::new(),
            offered_at: OnceCell::new(),
            ended_at: OnceCell::new(),
            over_at: OnceCell::new(),
            contact_ended_at: OnceCell::new(),
            customer_left_at: OnceCell::new(),
            answered_at: OnceCell::new(),
            answered_after: OnceCell::new(),
            abandoned_after: OnceCell::new(),
            longest_hold: OnceCell::new(),
            holds: OnceCell::new(),
            agent_count: OnceCell::new(),
            missed_alerts: OnceCell::new(),
            last_agent: OnceCell::new(),
            media: OnceCell::new(),
            direction: OnceCell::new(),
            disposition: OnceCell::new(),
            customer: OnceCell::new(),
            queued: OnceCell::new(),
            conference: OnceCell::new(),
            callback: OnceCell::new(),
            legs: OnceCell::new(),
            usual_zone: OnceCell::new(),
        })
    }

    pub(crate) const fn subject(&self) -> &Subject<'a> {
        &self.subject
    }

    fn timeline(&self) -> &'a Timeline<'a> {
        self.subject.timeline
    }

    pub(crate) fn status(&self) -> Status {
        once(&self.status, || self.timeline().status())
    }

    fn outcome(&self) -> Outcome {
        let outcome = || self.timeline().outcome().unwrap_or(Outcome::Other);
        once(&self.outcome, outcome)
    }

    fn totals(&self) -> &Totals {
        self.totals.get_or_init(|| self.timeline().durations())
    }

    fn transfers(&self) -> Transfers {
        once(&self.transfers, || self.timeline().transfers())
    }

    /// The first agent who took part.
    pub(crate) fn agent(&self) -> Option<&'a AgentRef> {
        let first = || self.timeline().first_agent().map(|(agent, _)| agent);
        once(&self.agent, first)
    }

    fn ended_at(&self) -> Option<UtcMicros> {
        once(&self.ended_at, || self.timeline().ended_at())
    }

    fn over_at(&self) -> Option<UtcMicros> {
        once(&self.over_at, || self.timeline().over_at())
    }

    /// When it ended for the customer.
    pub(crate) fn contact_ended_at(&self) -> Option<UtcMicros> {
        once(&self.contact_ended_at, || {
            self.timeline().contact_ended_at()
        })
    }

    fn offered_at(&self) -> UtcMicros {
        once(&self.offered_at, || self.timeline().offered_at()).unwrap_or(self.start)
    }

    fn answered_at(&self) -> Option<UtcMicros> {
        once(&self.answered_at, || self.timeline().answered_at())
    }

    /// The instant of the latest fact.
    pub(crate) fn last_heard(&self) -> Option<UtcMicros> {
        self.timeline().facts().next_back().map(|fact| fact.at)
    }

    /// The instant by which a value of the interaction, or of one of its legs, is put into a window.
    pub(crate) fn counted_at(&self, counted: Counted, leg: Option<usize>) -> UtcMicros {
        match (leg.and_then(|place| self.legs().get(place)), counted) {
            (Some(leg), Counted::Offered) => leg.started_at,
            (Some(leg), Counted::Answered) => {
                let end = leg.answered_at.or(leg.ended_at);
                end.unwrap_or(leg.started_at)
            }
            (Some(leg), Counted::Ended) => leg.ended_at.unwrap_or(leg.started_at),
            (None, Counted::Offered) => self.offered_at(),
            (None, Counted::Answered) => {
                let end = self.answered_at().or_else(|| self.over_at());
                end.unwrap_or(self.start)
            }
            (None, Counted::Ended) => self.over_at().unwrap_or(self.start),
        }
    }

    /// The disposition stated last.
    pub(crate) fn disposition(&self) -> Option<&'a str> {
        once(&self.disposition, || self.timeline().disposition())
    }

    pub(crate) fn fact_count(&self) -> u32 {
        u32::try_from(self.timeline().facts().count()).unwrap_or(u32::MAX)
    }

    /// The first queue.
    pub(crate) fn queue(&self) -> Option<&'a QueueId> {
        once(&self.queue, || self.timeline().queue())
    }

    pub(crate) fn dispositions(&self) -> &[&'a str] {
        self.dispositions
            .get_or_init(|| self.timeline().dispositions())
    }

    fn all_legs(&self) -> &Legs<'a> {
        self.legs.get_or_init(|| Legs::of(self.timeline().legs()))
    }

    pub(crate) fn legs(&self) -> &[LegView<'a>] {
        &self.all_legs().all
    }

    /// The queue that a leg belongs to: its own, else that of the latest wait that began before it.
    pub(crate) fn queue_of_leg(&self, index: usize) -> Option<&'a QueueId> {
        *self.all_legs().queues.get(index)?
    }

    /// The zone for the interaction, or for one of its legs.
    pub(crate) fn zone(
        &self,
        rule: &ZoneRule,
        usual: bool,
        leg: Option<usize>,
        places: &Places,
    ) -> Resolved<'a> {
        let resolve = |agent: Option<&'a AgentRef>, queue: Option<&'a QueueId>, at: UtcMicros| {
            places.resolve(
                &rule.order,
                &Asked {
                    tenant: self.subject.tenant,
                    agent: agent.map(|agent| agent.id.as_str()),
                    agent_stated: agent.and_then(|agent| agent.zone.as_deref()),
                    queue: queue.map(QueueId::as_str),
                    schedule: rule.schedule,
                    default: rule.default,
                    at_micros: at.0,
                },
            )
        };
        if let Some((index, leg)) = leg.and_then(|index| Some((index, self.legs().get(index)?))) {
            return resolve(leg.agent, self.queue_of_leg(index), leg.started_at);
        }
        let of_interaction = || resolve(self.agent(), self.queue(), self.start);
        if usual {
            *self.usual_zone.get_or_init(of_interaction)
        } else {
            of_interaction()
        }
    }

    /// What an agent's legs add up to.
    pub(crate) fn agent_time(
        &self,
        agent: &str,
        kind: DurationKind,
    ) -> Result<Option<i64>, Missing> {
        let mut total: Option<i64> = None;
        let of_agent = |leg: &&LegView<'_>| {
            leg.kind == LegKind::Agent && leg.agent.is_some_and(|of| of.id.as_str() == agent)
        };
        for leg in self.legs().iter().filter(of_agent) {
            match leg.duration(kind) {
                Some(DurationFact::Stated(Millis(millis))) => {
                    total = Some(total.unwrap_or(0).saturating_add(millis));
                }
                Some(DurationFact::Implausible(Millis(millis))) => {
                    return Err(Missing::Implausible(millis));
                }
                None => {}
            }
        }
        Ok(total)
    }

    pub(crate) fn field(&self, field: InteractionField) -> Result<Value<'_>, Missing> {
        use InteractionField as F;
        let timeline = self.timeline();
        let total = |kind| duration(self.totals().get(kind));
        Ok(match field {
            F::Id => Value::Str(self.subject.interaction),
            F::Tenant => Value::Str(self.subject.tenant),
            F::StartedAt => Value::Timestamp(self.start.0),
            F::OfferedAt => Value::Timestamp(self.offered_at().0),
            F::EndedAt => instant(self.ended_at())?,
            F::CustomerLeftAt => {
                instant(once(&self.customer_left_at, || timeline.customer_left_at()))?
            }
            F::State => Value::Str(match self.status() {
                Status::Overfull => Status::Open.name(),
                status => status.name(),
            }),
            F::Outcome => Value::Str(self.outcome().name()),
            F::Media => text(once(&self.media, || timeline.media()))?,
            F::Direction => {
                text(once(&self.direction, || timeline.direction()).map(Direction::name))?
            }
            F::Disposition => text(self.disposition())?,
            F::Queue => text(self.queue().map(QueueId::as_str))?,
            F::Agent => text(self.agent().map(|agent| agent.id.as_str()))?,
            F::LastAgent => text(
                once(&self.last_agent, || timeline.last_agent()).map(|agent| agent.id.as_str()),
            )?,
            F::Customer => {
                text(once(&self.customer, || timeline.customer_key()).map(CustomerKey::as_str))?
            }
            F::Talk => total(DurationKind::Talk)?,
            F::Hold => total(DurationKind::Hold)?,
            F::Wrap => total(DurationKind::Wrap)?,
            F::Wait => total(DurationKind::QueueWait)?,
            F::Alert => total(DurationKind::Alert)?,
            F::Dial => total(DurationKind::Dialing)?,
            F::Contact => total(DurationKind::Contacting)?,
            F::PlatformHandle => total(DurationKind::Handle)?,
            F::LongestHold => duration(once(&self.longest_hold, || timeline.longest_hold()))?,
            F::Holds => count(once(&self.holds, || timeline.holds()))?,
            F::Transfers => Value::Int(self.transfers().total().into()),
            F::BlindTransfers => Value::Int(self.transfers().blind.into()),
            F::ConsultTransfers => Value::Int(self.transfers().consult.into()),
            F::AgentCount => Value::Int(once(&self.agent_count, || timeline.agent_count()).into()),
            F::QueueCount => Value::Int(once(&self.queue_count, || timeline.queue_count()).into()),
            F::Queued => Value::Bool(once(&self.queued, || timeline.queued())),
            F::MissedAlerts => {
                Value::Int(once(&self.missed_alerts, || timeline.missed_alerts()).into())
            }
            F::Conference => Value::Bool(once(&self.conference, || timeline.conference())),
            F::Callback => Value::Bool(once(&self.callback, || timeline.callback())),
            F::Answered => Value::Bool(self.outcome() == Outcome::Answered),
            F::Abandoned => Value::Bool(self.outcome().is_abandoned()),
            F::AnsweredAt => instant(self.answered_at())?,
            F::AnsweredAfter => duration(once(&self.answered_after, || timeline.answered_after()))?,
            F::AbandonedAfter => {
                duration(once(&self.abandoned_after, || timeline.abandoned_after()))?
            }
            F::Dispositions | F::Legs => return Err(Missing::NotStated),
        })
    }

    pub(crate) fn leg_field(&self, index: usize, field: LegField) -> Result<Value<'_>, Missing> {
        use LegField as F;
        let legs = self.all_legs();
        let leg = legs.all.get(index).ok_or(Missing::NotStated)?;
        Ok(match field {
            F::Id => Value::Str(leg.id.as_ref()),
            F::Kind => Value::Str(leg_kind(leg.kind)),
            F::Agent => text(leg.agent.map(|agent| agent.id.as_str()))?,
            F::Queue => text(leg.queue.map(QueueId::as_str))?,
            F::Media => text(leg.media)?,
            F::Direction => text(leg.direction.map(Direction::name))?,
            F::StartedAt => Value::Timestamp(leg.started_at.0),
            F::EndedAt => instant(leg.ended_at)?,
            F::AnsweredAt => instant(leg.answered_at)?,
            F::Outcome => text(leg.outcome.map(leg_outcome))?,
            F::Disposition => text(leg.disposition)?,
            F::Talk => duration(leg.duration(DurationKind::Talk))?,
            F::Hold => duration(leg.duration(DurationKind::Hold))?,
            F::Wrap => duration(leg.duration(DurationKind::Wrap))?,
            F::Wait => duration(leg.duration(DurationKind::QueueWait))?,
            F::Alert => duration(leg.duration(DurationKind::Alert))?,
            F::Dial => duration(leg.duration(DurationKind::Dialing))?,
            F::Contact => duration(leg.duration(DurationKind::Contacting))?,
            F::PlatformHandle => duration(leg.duration(DurationKind::Handle))?,
            F::Holds => count(leg.holds)?,
            F::LongestHold => duration(leg.longest_hold)?,
            F::Transfer => text(leg.transfer.map(Transfer::name))?,
            F::Consult => Value::Bool(leg.consult),
            F::Conference => Value::Bool(leg.conference),
            F::Consulted => duration(leg.consulted)?,
            F::Answered => Value::Bool(leg.is_answered()),
            F::First => Value::Bool(legs.first == Some(index)),
            F::Last => Value::Bool(legs.last == Some(index)),
        })
    }
}

/// What a cell holds, found out when it is first asked for.
fn once<T: Copy>(cell: &OnceCell<T>, find: impl FnOnce() -> T) -> T {
    *cell.get_or_init(find)
}

pub(crate) fn text(stated: Option<&str>) -> Result<Value<'_>, Missing> {
    stated.map(Value::Str).ok_or(Missing::NotStated)
}

fn instant(stated: Option<UtcMicros>) -> Result<Value<'static>, Missing> {
    stated
        .map(|at| Value::Timestamp(at.0))
        .ok_or(Missing::NotStated)
}

fn count(stated: Option<u32>) -> Result<Value<'static>, Missing> {
    stated
        .map(|count| Value::Int(count.into()))
        .ok_or(Missing::NotStated)
}

fn duration(stated: Option<DurationFact>) -> Result<Value<'static>, Missing> {
    match stated {
        Some(DurationFact::Stated(Millis(millis))) => Ok(Value::Duration(millis)),
        Some(DurationFact::Implausible(Millis(millis))) => Err(Missing::Implausible(millis)),
        None => Err(Missing::NotStated),
    }
}

const fn leg_kind(kind: LegKind) -> &'static str {
    match kind {
        LegKind::Customer => "customer",
        LegKind::Ivr => "ivr",
        LegKind::Queue => "queue",
        LegKind::Agent => "agent",
        LegKind::External => "external",
        LegKind::Other => "other",
    }
}

const fn leg_outcome(outcome: LegOutcome) -> &'static str {
    match outcome {
        LegOutcome::Answered => "answered",
        LegOutcome::Abandoned => "abandoned",
        LegOutcome::NotResponding => "not_responding",
        LegOutcome::FlowedOut => "flowed_out",
        LegOutcome::Transferred => "transferred",
    }
}
