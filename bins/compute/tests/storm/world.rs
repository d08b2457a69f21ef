//! A database with every definition about interactions and legs switched on, facts for it, and what an outsider sees of the end.

use compute::agent_worker::{AgentTimeConfig, AgentWorker};
use compute::apply::Applier;
use compute::catalogue;
use compute::journey_worker::{JourneyConfig, JourneyWorker};
use compute::plan::{Plan, PlannedSession};
use compute::windows::WindowWorker;
use rand::RngExt as _;
use rand::rngs::StdRng;
use schema::{
    AgentRef, CustomerKey, Details, Direction, DurationKind, Durations, Event, Fact, FactKey,
    MetricVersion, Millis, SourceRank, State, Statement, UtcMicros,
};
use std::collections::{BTreeMap, BTreeSet};
use store::definitions::{self, Status};
use testkit::db::TestDb;
use tokio_postgres::SimpleQueryMessage;

/// 2024-03-05T09:00:00Z.
pub(crate) const NINE: i64 = 1_709_629_200_000;
pub(crate) const TENANT: &str = "acme";

/// A database and the rows of its queries.
pub(crate) struct World {
    pub(crate) db: TestDb,
}

impl World {
    /// With all that ships switched on.
    pub(crate) async fn new() -> Self {
        let world = Self {
            db: TestDb::new().await,
        };
        let store = world.db.store().await;
        catalogue::ship(&store).await.unwrap();
        let mut client = store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        definitions::change(&tx).await.unwrap();
        for stored in definitions::list(&tx).await.unwrap() {
            if stored.status == Status::Draft {
                definitions::set_status(&tx, &stored.name, stored.version, Status::Candidate)
                    .await
                    .unwrap();
            }
        }
        tx.commit().await.unwrap();
        world
    }

    /// A replica's applier, with a view of the weather of its own.
    pub(crate) async fn applier(&self) -> Applier {
        Applier::new(self.db.store_with(6).await)
    }

    /// Gives a definition this status.
    pub(crate) async fn set(&self, name: &str, status: Status) {
        let store = self.db.store().await;
        let mut client = store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        definitions::change(&tx).await.unwrap();
        definitions::set_status(&tx, name, MetricVersion::FIRST, status)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// The rows of a query as texts.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<String> {
        let messages = self.db.client().await.simple_query(sql).await.unwrap();
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|column| row.get(column).unwrap_or("-"))
                    .collect::<Vec<_>>()
                    .join(" "),
            ),
            _ => None,
        });
        rows.collect()
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.rows(sql).await[0].parse().unwrap()
    }

    pub(crate) async fn deferred(&self) -> i64 {
        self.number("SELECT count(*) FROM deferred_evaluations")
            .await
    }

    /// The names of the definitions that an interaction has rows of.
    pub(crate) async fn metrics_of(&self, interaction: &str) -> BTreeSet<String> {
        let sql = format!(
            "SELECT DISTINCT metric_type FROM computed_metrics WHERE interaction_id = '{interaction}'"
        );
        self.rows(&sql).await.into_iter().collect()
    }

    /// Rows of ended interactions that a candidate was not evaluated with.
    pub(crate) async fn missing(&self, name: &str) -> i64 {
        let store = self.db.store().await;
        let client = store.client().await.unwrap();
        definitions::coverage(&client, name, None, MetricVersion::FIRST)
            .await
            .unwrap()
            .missing
    }

    /// All that is computed, once every mark is worked off: no counters of changes, no instants of writing.
    pub(crate) async fn end_state(&self, applier: &Applier) -> BTreeMap<&'static str, Vec<String>> {
        let as_of = UtcMicros::from_millis(NINE + 40 * 86_400_000);
        JourneyWorker::new(applier, JourneyConfig::default())
            .drain(as_of)
            .await
            .unwrap();
        AgentWorker::new(applier, AgentTimeConfig::default())
            .drain(as_of)
            .await
            .unwrap();
        WindowWorker::new(applier).drain().await.unwrap();
        assert_eq!(self.number("SELECT count(*) FROM dirty_marks").await, 0);
        let mut state = BTreeMap::new();
        for (what, sql) in [
            (
                "metrics",
                "SELECT interaction_id, metric_type, metric_version, leg_scope, metric_value, timestamp_utc, agent_id, queue_id, \
                        metadata, provenance FROM computed_metrics ORDER BY 1, 2, 3, 4",
            ),
            (
                "interactions",
                "SELECT interaction_id, started_at, ended_at, status, state, facts FROM interactions ORDER BY 1",
            ),
            (
                "items",
                "SELECT source, subject, cell, ordinal, agent_id, queue_id, media, direction, team, attributes, measures \
                 FROM window_items ORDER BY 1, 2, 3, 4",
            ),
            (
                "windows",
                "SELECT metric_type, metric_version, group_by, size, group_key, window_start, window_end, zone, items, numerator, \
                        denominator, minimum, maximum, percentiles, value FROM window_metrics ORDER BY 1, 2, 3, 4, 5, 6",
            ),
            (
                "activity",
                "SELECT interaction_id, leg_id, agent_id, from_at, to_at, wrap_until FROM agent_activity ORDER BY 1, 2",
            ),
            (
                "intervals",
                "SELECT agent_id, from_at, to_at, presence, routing, reason FROM interval_states ORDER BY 1, 2",
            ),
        ] {
            state.insert(what, self.rows(sql).await);
        }
        state
    }
}

/// Fails with the first rows that differ, and not with all of them.
pub(crate) fn assert_same(
    found: &BTreeMap<&'static str, Vec<String>>,
    expected: &BTreeMap<&'static str, Vec<String>>,
    said: &str,
) {
    for (what, rows) in expected {
        let found = &found[what];
        for (one, other) in found.iter().zip(rows) {
            assert_eq!(one, other, "{said}: {what}");
        }
        assert_eq!(found.len(), rows.len(), "{said}: {what}");
    }
}

fn fact(key: &str, at_ms: i64, statement: Statement) -> Fact {
    Fact {
        key: FactKey::event(key),
        at: UtcMicros::from_millis(at_ms),
        revision: None,
        rank: SourceRank::Event,
        statement,
    }
}

/// A call with all that definitions ask about: a wait, an agent, hold, talk, wrap-up, a customer who calls more than once, and a revision.
pub(crate) fn call(rng: &mut StdRng, id: &str) -> Vec<Fact> {
    let start = NINE + rng.random_range(0..6 * 3_600_000);
    let wait = rng.random_range(1_000..90_000);
    let talk = rng.random_range(20_000..600_000);
    let agent = AgentRef {
        id: format!("agent_{}", rng.random_range(1..4)).as_str().into(),
        zone: Some("America/New_York".into()),
    };
    let customer = format!("customer {}", rng.random_range(1..9));
    let of = |state: State, durations: Durations| Statement {
        state: Some(state),
        durations,
        queue: Some("support".into()),
        ..Statement::default()
    };
    let stated = |kind, millis| Durations::default().with(kind, Millis(millis));
    let offered = Statement {
        details: Some(Box::new(Details {
            customer_key: Some(CustomerKey::new(&customer)),
            media: Some("voice".into()),
            direction: Some(Direction::Inbound),
            ..Details::default()
        })),
        ..of(State::Offered, Durations::default())
    };
    let mut facts = vec![fact(&format!("{id}-1"), start, offered)];
    // Some hang up, some go on for ever.
    let outcome = rng.random_range(0..10);
    if outcome == 0 {
        facts.push(fact(
            &format!("{id}-2"),
            start + wait,
            of(State::Abandoned, stated(DurationKind::QueueWait, wait)),
        ));
        return facts;
    }
    let connected = Statement {
        agent: Some(agent.clone()),
        ..of(State::Connected, stated(DurationKind::QueueWait, wait))
    };
    facts.push(fact(&format!("{id}-2"), start + wait, connected));
    if outcome == 1 {
        return facts;
    }
    let ended = Statement {
        agent: Some(agent),
        disposition: Some("RESOLVED".into()),
        ..of(State::Completed, stated(DurationKind::Talk, talk))
    };
    let ended = fact(&format!("{id}-3"), start + wait + talk, ended);
    let mut revised = ended.clone();
    revised.revision = Some(UtcMicros::from_millis(start + 900_000));
    revised
        .statement
        .durations
        .set(DurationKind::Hold, Millis(1_500));
    if outcome == 2 {
        // It had not ended after all.
        revised.statement.state = Some(State::Connected);
    }
    facts.push(ended);
    facts.push(revised);
    facts.push(fact(
        &format!("{id}-4"),
        start + wait + talk + 30_000,
        of(State::WrappedUp, stated(DurationKind::Wrap, 8_500)),
    ));
    facts
}

/// An ended call of sixty seconds.
pub(crate) fn ended(id: &str, talk_ms: i64) -> Vec<Fact> {
    let talk = Durations::default().with(DurationKind::Talk, Millis(talk_ms));
    let of = |state: State, durations| Statement {
        state: Some(state),
        durations,
        queue: Some("support".into()),
        ..Statement::default()
    };
    vec![
        fact(
            &format!("{id}-1"),
            NINE,
            of(State::Connected, Durations::default()),
        ),
        fact(
            &format!("{id}-2"),
            NINE + 60_000,
            of(State::Completed, talk),
        ),
    ]
}

/// A word that comes after the end.
pub(crate) fn later(id: &str, talk_ms: i64) -> Fact {
    let durations = Durations::default().with(DurationKind::Talk, Millis(talk_ms));
    let statement = Statement {
        state: Some(State::WrappedUp),
        durations,
        ..Statement::default()
    };
    fact(&format!("{id}-9"), NINE + 70_000, statement)
}

/// A plan of one interaction.
pub(crate) fn plan(id: &str, facts: Vec<Fact>, job: Option<u16>) -> Plan {
    let jobs = job.into_iter().map(MetricVersion);
    Plan {
        sessions: vec![PlannedSession {
            tenant: TENANT.into(),
            interaction: id.into(),
            facts,
            job_versions: jobs.collect(),
        }],
        ..Plan::default()
    }
}

/// As it travels in a message.
pub(crate) fn event(id: &str, fact: Fact) -> Event {
    Event {
        tenant: TENANT.into(),
        interaction: id.into(),
        fact,
    }
}
