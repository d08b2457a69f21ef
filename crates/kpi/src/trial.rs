//! A definition tried on built-in samples when it is loaded: what fails on all of them fails because of the definition.

use crate::agent_time::Time;
use crate::definition::{Definition, Grain};
use crate::journey::Among;
use crate::measure::{is_share, number};
use crate::record::{Record, Subject};
use crate::scene::Scene;
use crate::value::Unit;
use agent::State as AgentState;
use expression::{Expression, Failure, Host, Position, Run};
use schema::{
    AgentId, AgentRef, CustomerKey, Details, Direction, DurationKind, Fact, FactKey, Leg, LegId,
    LegKind, LegOutcome, Millis, Presence, QueueId, Routing, SourceRank, State, Statement,
    Transfer, UtcMicros,
};
use session::Session;
use timezone::Places;

/// 2024-05-15T14:00:00Z.
const BEGAN: i64 = 1_715_781_600_000;

/// A contact without others.
const ALONE: Among = Among {
    contacts: 1,
    position: 1,
    since_previous: None,
    until_next: None,
};

/// A contact among others.
const AMONG_OTHERS: Among = Among {
    contacts: 7,
    position: 3,
    since_previous: Some(Millis(90_000)),
    until_next: Some(Millis(86_400_000)),
};

/// A rule that cannot work.
#[derive(Debug)]
pub(crate) struct TrialFailure {
    /// As the definition's reader calls it.
    pub(crate) rule: String,
    /// From 1, within the rule's expression.
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) message: String,
}

/// What became of a rule over all samples.
#[derive(Default)]
struct Tried {
    worked: u32,
    failed: Option<Failure>,
    failures: u32,
}

/// The rules that can never work: a host function that fails, work without bounds, and arithmetic that fails on every sample that has
/// what it reads.
pub(crate) fn failures(definition: &Definition) -> Vec<TrialFailure> {
    if definition.scope == Grain::AgentTime {
        let states = states();
        let agent = "sample";
        let times = states.iter().map(|state| Time { agent, state });
        return judge(definition, &times.collect::<Vec<_>>());
    }
    // Places change under a definition that is stored: none of them may make it unreadable.
    let nowhere = Places::empty();
    let sessions = samples();
    let timelines: Vec<_> = sessions.iter().map(Session::timeline).collect();
    let records: Vec<Record<'_>> = timelines
        .iter()
        .filter_map(|timeline| {
            Record::of(Subject {
                tenant: "sample",
                interaction: "sample",
                timeline,
                swept: false,
            })
        })
        .collect();
    let everybody: Vec<usize> = (0..records.len()).collect();
    let scenes: Vec<Scene<'_, '_>> = match definition.scope {
        Grain::Journey => everybody
            .iter()
            .flat_map(|own| {
                let alone = (&ALONE, std::slice::from_ref(own));
                [(*own, alone), (*own, (&AMONG_OTHERS, &everybody[..]))]
            })
            .filter_map(|(own, among)| Scene::among(&records, own, among, definition, &nowhere))
            .collect(),
        Grain::Leg => records
            .iter()
            .flat_map(|record| {
                let legs = record.legs().iter().enumerate();
                let nowhere = &nowhere;
                legs.filter(|(_, leg)| leg.kind == LegKind::Agent)
                    .map(move |(place, _)| Scene::new(record, Some(place), definition, nowhere))
            })
            .collect(),
        Grain::Interaction | Grain::AgentTime => records
            .iter()
            .map(|record| Scene::new(record, None, definition, &nowhere))
            .collect(),
    };
    judge(definition, &scenes)
}

fn judge(definition: &Definition, hosts: &[impl Host]) -> Vec<TrialFailure> {
    let no_share = hosts
        .first()
        .and_then(|host| never_a_share(definition, host));
    let failed = rules(definition).filter_map(|(rule, expression)| {
        let mut tried = Tried::default();
        for host in hosts {
            match expression.evaluate(host, &mut Run::default()) {
                Ok(_) => tried.worked += 1,
                // Samples do not state everything; that is no fault of the definition.
                Err(
                    Failure::NotStated { .. } | Failure::Implausible { .. } | Failure::Empty(_),
                ) => {}
                Err(failure) => {
                    tried.failures += 1;
                    tried.failed.get_or_insert(failure);
                }
            }
        }
        tried.verdict(rule)
    });
    failed.chain(no_share).collect()
}

/// A share that reads no field is the same everywhere, so one sample is enough to see that it is none.
fn never_a_share(definition: &Definition, host: &impl Host) -> Option<TrialFailure> {
    if definition.unit != Unit::Share || !definition.value.reads().is_empty() {
        return None;
    }
    let value = definition.value.evaluate(host, &mut Run::default());
    let number = value.and_then(number).ok()?;
    (!is_share(number)).then(|| TrialFailure {
        rule: "value".to_owned(),
        line: 1,
        column: 1,
        message: format!("a share lies within 0 and 1, and this is {number} always"),
    })
}

fn rules(definition: &Definition) -> impl Iterator<Item = (String, &Expression)> {
    let terms = definition.terms.iter();
    let terms = terms.map(|(path, term)| (path.clone(), term));
    let exclusions = definition.exclusions.iter().map(|exclusion| {
        let rule = format!("exclusion {}", exclusion.reason);
        (rule, &exclusion.when)
    });
    let time = definition.agent_time.as_ref();
    let value = time.map_or("value", |_| "numerator");
    let denominator = time.and_then(|rule| rule.denominator.as_ref());
    let journey = definition.journey.as_ref();
    let named = [
        ("filter", definition.filter.as_ref()),
        (value, Some(&definition.value)),
        ("denominator", denominator),
        ("repeat", journey.map(|rule| &rule.repeat)),
        ("platform", definition.platform.as_ref()),
    ];
    let named = named
        .into_iter()
        .filter_map(|(rule, expression)| Some((rule.to_owned(), expression?)));
    terms.chain(exclusions).chain(named)
}

impl Tried {
    fn verdict(self, rule: String) -> Option<TrialFailure> {
        let failure = self.failed?;
        let always = self.worked == 0;
        let (place, certain) = match &failure {
            Failure::DivisionByZero(at) | Failure::Overflow(at) | Failure::NotFinite(at) => {
                (*at, always && self.failures > 1)
            }
            Failure::TooMuchWork | Failure::Host(_) => (Position { line: 1, column: 1 }, true),
            Failure::NotStated { .. } | Failure::Implausible { .. } | Failure::Empty(_) => {
                return None;
            }
        };
        let what = match &failure {
            Failure::DivisionByZero(_) => "division by zero",
            Failure::Overflow(_) => "the result is out of range",
            Failure::NotFinite(_) => "the result is not finite",
            Failure::TooMuchWork => "it takes too much work",
            Failure::Host(why) => why,
            _ => "it fails",
        };
        certain.then(|| TrialFailure {
            rule,
            line: place.line,
            column: place.column,
            message: format!("{what}, on every built-in sample that it could be tried on"),
        })
    }
}

/// States unlike one another: nothing known, at work with everything stated, on a break as planned, gone, and unknown for want of news.
fn states() -> Vec<AgentState> {
    let at_work = AgentState {
        presence: Some(Presence::OnQueue),
        routing: Some(Routing::Interacting),
        reason: Some("On Queue".into()),
        scheduled: Some("on_queue".into()),
        team: Some("sales".into()),
        interacting: true,
        ..AgentState::default()
    };
    let pausing = AgentState {
        presence: Some(Presence::Break),
        routing: Some(Routing::OffQueue),
        scheduled: Some("break".into()),
        ..AgentState::default()
    };
    let gone = AgentState {
        presence: Some(Presence::Offline),
        ..AgentState::default()
    };
    let unheard = AgentState {
        capped: true,
        ..AgentState::default()
    };
    vec![AgentState::default(), at_work, pausing, gone, unheard]
}

/// Interactions unlike one another: next to nothing known, an everyday call, everything zero, several agents in legs with everything
/// above zero, one who gave up, self-service, and a call that the centre made.
fn samples() -> Vec<Session> {
    let bare = vec![at(0, "0").state(State::Completed)];
    let everyday = vec![
        at(0, "0").state(State::Offered).queue(),
        at(2, "1").state(State::Queued).queue(),
        at(14, "2")
            .state(State::Connected)
            .queue()
            .agent("anna", Some("America/New_York"))
            .lasts(DurationKind::QueueWait, 12_000),
        at(60, "3")
            .state(State::Held)
            .agent("anna", Some("America/New_York")),
        at(80, "4")
            .state(State::Connected)
            .agent("anna", Some("America/New_York")),
        at(200, "5")
            .state(State::Completed)
            .agent("anna", Some("America/New_York"))
            .disposition("RESOLVED")
            .lasts(DurationKind::Talk, 166_000)
            .lasts(DurationKind::Hold, 20_000),
        at(230, "6")
            .state(State::WrappedUp)
            .agent("anna", Some("America/New_York"))
            .lasts(DurationKind::Wrap, 30_000),
    ];
    let mut zero = at(0, "0")
        .state(State::Completed)
        .agent("anna", None)
        .disposition("");
    for kind in DurationKind::ALL {
        zero = zero.lasts(kind, 0);
    }
    let gave_up = vec![
        at(0, "0").state(State::Queued).queue(),
        at(95, "1")
            .state(State::Abandoned)
            .queue()
            .lasts(DurationKind::QueueWait, 95_000),
    ];
    let self_service = vec![
        at(0, "0").leg("ivr", LegKind::Ivr, |leg| leg.ended_at = Some(second(40))),
        at(40, "1")
            .state(State::Completed)
            .disposition("IVR_SELF_SERVICE"),
    ];
    let outbound = vec![
        at(0, "0")
            .agent("bo", Some("Mars/Phobos"))
            .lasts(DurationKind::Dialing, 7000)
            .lasts(DurationKind::Contacting, 900)
            .details(|details| details.direction = Some(Direction::Outbound)),
        at(30, "1")
            .state(State::Completed)
            .lasts(DurationKind::Talk, 22_000),
    ];
    [
        bare,
        everyday,
        vec![zero],
        several_agents(),
        gave_up,
        self_service,
        outbound,
    ]
    .into_iter()
    .map(|told| {
        let mut session = Session::default();
        for fact in told {
            session.insert(fact.0);
        }
        session
    })
    .collect()
}

fn several_agents() -> Vec<Told> {
    let mut told = vec![
        at(0, "ivr").leg("ivr", LegKind::Ivr, |leg| leg.ended_at = Some(second(20))),
        at(20, "queue")
            .queue()
            .lasts(DurationKind::QueueWait, 30_000)
            .leg("queue", LegKind::Queue, |leg| {
                leg.outcome = Some(LegOutcome::Answered);
                leg.answered_at = Some(second(50));
                leg.ended_at = Some(second(50));
            }),
        at(40, "rang")
            .agent("dee", None)
            .lasts(DurationKind::Alert, 9000)
            .leg("rang", LegKind::Agent, |leg| {
                leg.outcome = Some(LegOutcome::NotResponding);
            }),
    ];
    for (n, agent, zone) in [
        (1_u32, "anna", "America/New_York"),
        (2, "bishal", "Asia/Kathmandu"),
        (3, "chi", "Europe/Berlin"),
    ] {
        let begins = 50 + i64::from(n) * 100;
        let mut leg = at(begins, agent)
            .agent(agent, Some(zone))
            .queue()
            .disposition("RESOLVED");
        for (kind, place) in DurationKind::ALL.into_iter().zip(1..) {
            leg = leg.lasts(kind, i64::from(n) * 10_000 + place * 1000);
        }
        told.push(leg.leg(agent, LegKind::Agent, |leg| {
            leg.outcome = Some(LegOutcome::Answered);
            leg.answered_at = Some(second(begins + 3));
            leg.ended_at = Some(second(begins + 90));
            leg.holds = Some(n);
            leg.longest_hold = Some(Millis(5000));
            leg.transfer = match n {
                1 => Some(Transfer::Blind),
                2 => Some(Transfer::Consult),
                _ => None,
            };
            leg.consult = n == 3;
            leg.conference = n == 3;
        }));
    }
    told.push(at(0, "end").state(State::Completed).details(|details| {
        details.ended_at = Some(second(500));
        details.media = Some("voice".into());
        details.direction = Some(Direction::Inbound);
        details.customer_key = Some(CustomerKey::new("sample"));
    }));
    told
}

/// One fact of a sample.
struct Told(Fact);

fn second(second: i64) -> UtcMicros {
    UtcMicros::from_millis(BEGAN + second * 1000)
}

fn at(seconds: i64, key: &str) -> Told {
    Told(Fact {
        key: FactKey::event(key),
        at: second(seconds),
        revision: None,
        rank: SourceRank::Event,
        statement: Statement::default(),
    })
}

impl Told {
    fn state(mut self, state: State) -> Self {
        self.0.statement.state = Some(state);
        self
    }

    fn agent(mut self, id: &str, zone: Option<&str>) -> Self {
        self.0.statement.agent = Some(AgentRef {
            id: AgentId::new(id),
            zone: zone.map(Into::into),
        });
        self
    }

    fn queue(mut self) -> Self {
        self.0.statement.queue = Some(QueueId::new("support"));
        self
    }

    fn disposition(mut self, disposition: &str) -> Self {
        self.0.statement.disposition = Some(disposition.into());
        self
    }

    fn lasts(mut self, kind: DurationKind, millis: i64) -> Self {
        self.0.statement.durations.set(kind, Millis(millis));
        self
    }

    fn details(mut self, say: impl FnOnce(&mut Details)) -> Self {
        say(self.0.statement.details.get_or_insert_default());
        self
    }

    fn leg(self, id: &str, kind: LegKind, say: impl FnOnce(&mut Leg)) -> Self {
        let mut leg = Leg::new(LegId::new(id), kind);
        say(&mut leg);
        self.details(|details| details.leg = Some(leg))
    }
}
