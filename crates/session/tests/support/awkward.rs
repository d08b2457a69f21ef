//! Facts that are awkward on purpose: twins that differ, equal instants, revisions out of order, two agents in two zones and one in
//! none, dispositions that change, durations that cannot be, ends before their starts, legs beside cumulative statements.

use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};
use schema::{
    AgentId, AgentRef, CustomerKey, Details, Direction, DurationKind, Durations, Fact, FactKey,
    Leg, LegId, LegKind, LegOutcome, Millis, QueueId, SourceRank, State, Statement, Transfer,
    UtcMicros,
};
use session::MAX_FACTS;

/// 2024-11-03T05:30Z: half past one in New York, for the first time that night.
const NIGHT: i64 = 1_730_611_800_000_000;

/// Few keys, so that twins are common.
fn key() -> impl Strategy<Value = FactKey> {
    prop_oneof![
        6 => (0..6_u8).prop_map(|n| FactKey::event(&format!("evt_{n}"))),
        2 => select(vec!["A", "B", "C"]).prop_map(FactKey::leg),
        1 => Just(FactKey::interaction()),
        2 => (select(vec!["A", "B", "", "agent:anna"]), select(vec!["began", "ended"])).prop_map(|(leg, what)| FactKey::part(leg, what)),
    ]
}

/// Few instants, so that equal ones are common; now and then one that no calendar has.
fn at() -> impl Strategy<Value = UtcMicros> {
    prop_oneof![
        8 => (0..5_i64).prop_map(|n| NIGHT + n * 1_800_000_000),
        3 => (0..24_i64).prop_map(|n| NIGHT + n * 3_600_000_000),
        1 => select(vec![i64::MIN, -1, 0, i64::MAX]),
    ]
    .prop_map(UtcMicros)
}

fn millis() -> impl Strategy<Value = Millis> {
    const DAYS_400: i64 = 400 * 86_400_000;
    prop_oneof![
        8 => 0..600_000_i64,
        1 => select(vec![-1, DAYS_400, DAYS_400 + 1, -1_715_783_530_000, i64::MIN, i64::MAX]),
    ]
    .prop_map(Millis)
}

fn durations() -> impl Strategy<Value = Durations> {
    vec((select(DurationKind::ALL.to_vec()), millis()), 0..4).prop_map(|stated| {
        stated
            .into_iter()
            .fold(Durations::default(), |all, (kind, millis)| {
                all.with(kind, millis)
            })
    })
}

fn agent() -> impl Strategy<Value = AgentRef> {
    let zones = [
        None,
        Some("America/New_York"),
        Some("Asia/Kathmandu"),
        Some("Australia/Lord_Howe"),
        Some("europe/kiev "),
        Some("Mars/Phobos"),
        Some(""),
    ];
    (select(vec!["anna", "bo", "chi"]), select(zones.to_vec())).prop_map(|(id, zone)| AgentRef {
        id: AgentId::new(id),
        zone: zone.map(Into::into),
    })
}

fn leg() -> impl Strategy<Value = Leg> {
    let kinds = vec![
        LegKind::Customer,
        LegKind::Ivr,
        LegKind::Queue,
        LegKind::Agent,
        LegKind::External,
        LegKind::Other,
    ];
    let outcomes = vec![
        LegOutcome::Answered,
        LegOutcome::Abandoned,
        LegOutcome::NotResponding,
        LegOutcome::FlowedOut,
        LegOutcome::Transferred,
    ];
    let transfers = vec![Transfer::Blind, Transfer::Consult, Transfer::Unspecified];
    // The last one is the name of a derived leg, too.
    let id = select(vec!["A", "B", "C", "agent:anna"]).prop_map(LegId::new);
    let rarer = (
        of(at()),
        of(0..4_u32),
        of(millis()),
        weighted(0.3, select(transfers)),
        weighted(0.2, Just(())),
        weighted(0.2, Just(())),
    );
    (id, select(kinds), of(at()), of(select(outcomes)), rarer).prop_map(
        |(id, kind, ended_at, outcome, rarer)| {
            let (answered_at, holds, longest_hold, transfer, consult, conference) = rarer;
            Leg {
                ended_at,
                outcome,
                answered_at,
                holds,
                longest_hold,
                transfer,
                consult: consult.is_some(),
                conference: conference.is_some(),
                ..Leg::new(id, kind)
            }
        },
    )
}

fn details() -> impl Strategy<Value = Box<Details>> {
    let direction = select(vec![Direction::Inbound, Direction::Outbound]);
    (
        of(leg()),
        of(select(vec!["voice", "chat"])),
        of(direction),
        of(select(vec!["k1", "k2"]).prop_map(CustomerKey::new)),
        weighted(0.2, at()),
        weighted(0.2, select(vec!["blue", "red"])),
    )
        .prop_map(|(leg, media, direction, customer_key, ended_at, brand)| {
            Box::new(Details {
                leg,
                media: media.map(Into::into),
                direction,
                customer_key,
                ended_at,
                attributes: brand
                    .map(|brand| ("brand".into(), brand.into()))
                    .into_iter()
                    .collect(),
            })
        })
}

fn state() -> impl Strategy<Value = State> {
    let names = vec![
        "offered",
        "queued",
        "alerting",
        "connected",
        "held",
        "transferred",
        "wrapped_up",
        "completed",
        "abandoned",
        "missed",
        "parked",
        "blind_transferred",
        "conference",
    ];
    select(names).prop_map(State::from_name)
}

fn statement() -> impl Strategy<Value = Statement> {
    let dispositions = vec!["RESOLVED", "TRANSFER", "IVR_SELF_SERVICE", "", "é\"\\\n"];
    (
        of(state()),
        weighted(0.5, agent()),
        weighted(0.3, select(vec!["q1", "q2"]).prop_map(QueueId::new)),
        weighted(0.4, select(dispositions)),
        durations(),
        weighted(0.3, details()),
    )
        .prop_map(
            |(state, agent, queue, disposition, durations, details)| Statement {
                state,
                agent,
                queue,
                disposition: disposition.map(Into::into),
                durations,
                details,
            },
        )
}

/// One fact of an interaction that has few of them.
pub(crate) fn fact() -> impl Strategy<Value = Fact> {
    let ranks = vec![
        SourceRank::Event,
        SourceRank::Event,
        SourceRank::MetricRecord,
        SourceRank::SettledRecord,
    ];
    (
        key(),
        at(),
        weighted(0.4, (0..3_i64).prop_map(UtcMicros)),
        select(ranks),
        statement(),
    )
        .prop_map(|(key, at, revision, rank, statement)| Fact {
            key,
            at,
            revision,
            rank,
            statement,
        })
}

/// How a twin differs from the fact it is a twin of: in one thing alone.
#[derive(Debug, Clone)]
enum Difference {
    At(UtcMicros),
    Revision(Option<UtcMicros>),
    Rank(SourceRank),
    Talk(Millis),
}

#[derive(Debug, Clone)]
struct Twist {
    of: Index,
    difference: Difference,
}

impl Twist {
    fn of(&self, facts: &[Fact]) -> Option<Fact> {
        let mut twin = (!facts.is_empty()).then(|| self.of.get(facts).clone())?;
        match &self.difference {
            Difference::At(at) => twin.at = *at,
            Difference::Revision(revision) => twin.revision = *revision,
            Difference::Rank(rank) => twin.rank = *rank,
            Difference::Talk(millis) => twin.statement.durations.set(DurationKind::Talk, *millis),
        }
        Some(twin)
    }
}

fn twist() -> impl Strategy<Value = Twist> {
    let difference = prop_oneof![
        at().prop_map(Difference::At),
        of((0..3_i64).prop_map(UtcMicros)).prop_map(Difference::Revision),
        select(vec![SourceRank::Event, SourceRank::SettledRecord]).prop_map(Difference::Rank),
        millis().prop_map(Difference::Talk),
    ];
    (any::<Index>(), difference).prop_map(|(of, difference)| Twist { of, difference })
}

/// The facts of one interaction in some order of arrival; now and then about as many as a session holds.
pub(crate) fn facts() -> BoxedStrategy<Vec<Fact>> {
    let few = (vec(fact(), 0..12), vec(twist(), 0..4)).prop_map(|(mut few, twists)| {
        let twins: Vec<Fact> = twists.iter().filter_map(|twist| twist.of(&few)).collect();
        few.extend(twins);
        few
    });
    let crowd = prop_oneof![
        30 => Just(0),
        1 => MAX_FACTS - 4..MAX_FACTS + 2,
    ];
    (few, crowd, any::<Index>())
        .prop_map(|(few, crowd, place)| {
            let mut all: Vec<Fact> = (0..crowd).map(bystander).collect();
            let place = place.index(all.len() + 1);
            all.splice(place..place, few);
            all
        })
        .boxed()
}

/// A fact that is only there to fill the session.
fn bystander(n: usize) -> Fact {
    Fact {
        key: FactKey::event(&format!("crowd_{n}")),
        at: UtcMicros(NIGHT),
        revision: None,
        rank: SourceRank::Event,
        statement: Statement::default(),
    }
}
