//! A past to try things on: any number of stored interactions, made quickly through the store's own functions.
//!
//! The calls are made up from their number alone, so that a test can say what is in them: three weeks of a voice centre at all hours,
//! five agents in five zones, six dispositions, every tenth call abandoned in the queue, a wrap-up that is stated after the end.

use schema::{
    AgentRef, DurationKind, Durations, Fact, FactKey, MetricVersion, Millis, SourceRank, State,
    Statement, UtcMicros,
};
use store::Store;
use store::interactions::{self, NewInteraction, Status};
use store::metrics::{self, MetricRow};
use store::partitions::{Partitions, Table};

/// The organisation that the calls belong to.
pub const TENANT: &str = "acme";
/// The first instant of the past: 2024-03-04T00:00:00Z, a Monday. Its three weeks hold a change of the clock in New York.
pub const START: UtcMicros = UtcMicros(1_709_510_400_000_000);
/// The first instant after it: three weeks later.
pub const END: UtcMicros = UtcMicros(START.0 + 21 * 86_400_000_000);
/// The agents and the zones that the events state for them.
pub const AGENTS: [(&str, &str); 5] = [
    ("anna", "America/New_York"),
    ("bert", "Europe/Berlin"),
    ("carl", "Asia/Kolkata"),
    ("dora", "UTC"),
    ("emil", "Australia/Lord_Howe"),
];
/// The dispositions, equally often.
pub const DISPOSITIONS: [&str; 6] = [
    "SALE",
    "SUPPORT",
    "WRONG_NUMBER",
    "CALLBACK",
    "IVR_SELF_SERVICE",
    "IVR_TRANSFER_EXTERNAL",
];
/// Interactions a transaction.
const BATCH: usize = 2000;

/// One call, made up from its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The interaction's id.
    pub id: String,
    /// When it entered the queue.
    pub started_at: UtcMicros,
    /// Who took it; none: abandoned in the queue.
    pub agent: Option<(&'static str, &'static str)>,
    /// What the agent stated at the end; none for an abandoned call.
    pub disposition: Option<&'static str>,
    /// Milliseconds in the queue.
    pub wait: i64,
    /// Milliseconds talking; 0 for an abandoned call.
    pub talk: i64,
    /// Milliseconds on hold.
    pub hold: i64,
    /// Milliseconds of work after the call.
    pub wrap: i64,
}

impl Call {
    /// The call with this number.
    pub fn nth(number: usize) -> Self {
        let mut draws = Draws(u64::try_from(number).unwrap_or_default());
        let length = u64::try_from(END.0 - START.0).unwrap_or_default();
        let started_at = UtcMicros(START.0 + draws.below(length));
        let wait = draws.below(90_000);
        let taken = number % 10 != 9;
        let of_taken = |millis: i64| if taken { millis } else { 0 };
        let talk = of_taken(1_000 + draws.below(600_000));
        let hold = of_taken(draws.below(60_000) * draws.below(2));
        let wrap = of_taken(draws.below(120_000));
        Self {
            id: format!("int_{number:08}"),
            started_at,
            agent: taken.then(|| *draws.pick(&AGENTS)),
            disposition: taken.then(|| *draws.pick(&DISPOSITIONS)),
            wait,
            talk,
            hold,
            wrap,
        }
    }

    /// When it was answered, or given up by the customer.
    pub fn left_queue_at(&self) -> UtcMicros {
        self.after(self.wait)
    }

    /// When it ended; the wrap-up comes after it.
    pub fn ended_at(&self) -> UtcMicros {
        self.after(self.wait + self.talk + self.hold)
    }

    /// What the platform would have stated, ascending by key.
    pub fn facts(&self) -> Vec<Fact> {
        let waited = Durations::default().with(DurationKind::QueueWait, Millis(self.wait));
        let agent = self.agent.map(|(id, zone)| AgentRef {
            id: id.into(),
            zone: Some(zone.into()),
        });
        let queued = Statement {
            state: Some(State::Queued),
            queue: Some("service".into()),
            ..Statement::default()
        };
        let Some(agent) = agent else {
            let abandoned = Statement {
                state: Some(State::Abandoned),
                durations: waited,
                ..Statement::default()
            };
            return vec![
                self.fact("1", self.started_at, queued),
                self.fact("2", self.ended_at(), abandoned),
            ];
        };
        let connected = Statement {
            state: Some(State::Connected),
            agent: Some(agent.clone()),
            durations: waited,
            ..Statement::default()
        };
        let completed = Statement {
            state: Some(State::Completed),
            agent: Some(agent.clone()),
            durations: Durations::default()
                .with(DurationKind::Talk, Millis(self.talk))
                .with(DurationKind::Hold, Millis(self.hold)),
            ..Statement::default()
        };
        let wrapped_up = Statement {
            state: Some(State::WrappedUp),
            agent: Some(agent),
            disposition: self.disposition.map(Into::into),
            durations: Durations::default().with(DurationKind::Wrap, Millis(self.wrap)),
            ..Statement::default()
        };
        let wrapped_at = self.after(self.wait + self.talk + self.hold + self.wrap);
        vec![
            self.fact("1", self.started_at, queued),
            self.fact("2", self.left_queue_at(), connected),
            self.fact("3", self.ended_at(), completed),
            self.fact("4", wrapped_at, wrapped_up),
        ]
    }

    /// The session that compute would have stored, in its stored form.
    pub fn state_json(&self) -> String {
        let facts = serde_json::to_string(&self.facts()).expect("facts can be written as JSON");
        format!(r#"{{"v":1,"f":{facts}}}"#)
    }

    /// Talk, hold, wrap-up and queue wait under the names of the catalogue, in seconds; anything else is the handle time.
    #[allow(clippy::cast_precision_loss)] // minutes in milliseconds
    pub fn seconds(&self, metric: &str) -> f64 {
        let millis = match metric {
            "talk_time" => self.talk,
            "hold_time" => self.hold,
            "wrap_time" => self.wrap,
            "queue_wait" => self.wait,
            _ => self.talk + self.hold + self.wrap,
        };
        millis as f64 / 1000.0
    }

    fn after(&self, millis: i64) -> UtcMicros {
        UtcMicros(self.started_at.0 + millis * 1000)
    }

    fn fact(&self, event: &str, at: UtcMicros, statement: Statement) -> Fact {
        Fact {
            key: FactKey::event(&format!("{}_{event}", self.id)),
            at,
            revision: None,
            rank: SourceRank::Event,
            statement,
        }
    }
}

/// Stores the calls `0..interactions` with one row a metric and version. What is there already stays; so a second fill under another
/// version adds that version's rows.
///
/// The rows stand for what an evaluation would have written and are not one: [`Call::seconds`] says what is in them.
pub async fn fill(store: &Store, interactions: usize, metrics: &[(&str, MetricVersion)]) {
    Partitions::new(store.clone())
        .ensure(Table::ComputedMetrics, [START])
        .await
        .expect("the month can be made");
    let numbers: Vec<usize> = (0..interactions).collect();
    for numbers in numbers.chunks(BATCH) {
        let calls: Vec<(Call, String)> = numbers
            .iter()
            .map(|number| Call::nth(*number))
            .map(|call| {
                let state = call.state_json();
                (call, state)
            })
            .collect();
        let rows: Vec<NewInteraction<'_>> = calls.iter().map(stored).collect();
        let values: Vec<MetricRow<'_>> = calls
            .iter()
            .flat_map(|(call, _)| metrics.iter().map(|metric| value(call, *metric)))
            .collect();
        let mut client = store.client().await.expect("a connection");
        let tx = client.transaction().await.expect("a transaction");
        interactions::insert_new(&tx, &rows, &interactions::Evaluated::NEVER)
            .await
            .expect("interactions are inserted");
        metrics::upsert(&tx, &values)
            .await
            .expect("metrics are written");
        tx.commit().await.expect("the batch is committed");
    }
}

fn stored((call, state_json): &(Call, String)) -> NewInteraction<'_> {
    NewInteraction {
        tenant: TENANT,
        interaction_id: &call.id,
        partition_at: call.started_at,
        started_at: Some(call.started_at),
        ended_at: Some(call.ended_at()),
        status: Status::Terminal,
        customer_key: None,
        state_json,
        facts: if call.agent.is_some() { 4 } else { 2 },
        metric_versions: &[],
    }
}

fn value<'a>(
    call: &'a Call,
    (metric_type, metric_version): (&'a str, MetricVersion),
) -> MetricRow<'a> {
    MetricRow {
        tenant: TENANT,
        interaction_id: &call.id,
        metric_type,
        metric_version,
        leg_scope: "",
        partition_at: call.started_at,
        timestamp_utc: call.started_at,
        agent_id: call.agent.map(|(id, _)| id),
        queue_id: Some("service"),
        metric_value: Some(call.seconds(metric_type)),
        metadata_json: "{}",
        provenance_json: "{}",
    }
}

/// Numbers without an order, the same for the same seed (Steele, Lea and Flood's SplitMix64).
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn below(&mut self, bound: u64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((mixed ^ (mixed >> 31)) % bound).unwrap_or_default()
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let index = self.below(u64::try_from(all.len()).unwrap_or(1));
        &all[usize::try_from(index).unwrap_or_default()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_the_same_each_time_and_its_facts_are_in_the_order_of_their_keys() {
        let agents: std::collections::BTreeSet<_> = (0..100)
            .map(Call::nth)
            .inspect(|call| {
                assert!(call.facts().is_sorted_by(|one, next| one.key < next.key));
                assert!(call.started_at >= START && call.started_at < END);
            })
            .map(|call| call.agent)
            .collect();
        assert_eq!(Call::nth(7), Call::nth(7));
        assert_eq!(agents.len(), AGENTS.len() + 1, "each agent, and nobody");
    }

    #[test]
    fn the_stored_session_is_the_one_that_the_facts_fold_into() {
        for call in (0..20).map(Call::nth) {
            let mut session = session::Session::default();
            for fact in call.facts() {
                session.insert(fact);
            }
            assert_eq!(session.to_json(), call.state_json());
            assert_eq!(session.timeline().start(), Some(call.started_at));
            assert_eq!(session.timeline().ended_at(), Some(call.ended_at()));
        }
    }
}
