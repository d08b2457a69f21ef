//! What is told of agents, and a database in which their time is computed.

use agent::{Busy, BusyKind};
use compute::agent_worker::{AgentTimeConfig, AgentWorker, Drained};
use compute::apply::Applier;
use compute::catalogue;
use compute::plan::{Plan, PlannedAgent, PlannedSession};
use schema::{
    AgentEvent, AgentFact, AgentRef, AgentStatement, Fact, FactKey, Millis, Presence, Routing,
    SourceRank, State, Statement, Track, UtcMicros,
};
use std::collections::{BTreeMap, BTreeSet};
use store::agents::{IntervalRow, Run};
use store::definitions::{self, Status};
use store::marks::{self, Kind, Mark};
use store::window_items::Source;
use store::{Transaction, agents};
use testkit::db::TestDb;
use window::Cell;

/// 2024-03-05T00:00:00Z, a UTC midnight.
pub(crate) const MIDNIGHT: i64 = 1_709_596_800_000;
pub(crate) const SECOND: i64 = 1000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

pub(crate) const CAP: Millis = Millis(12 * HOUR);

pub(crate) fn at(ms: i64) -> UtcMicros {
    UtcMicros::from_millis(MIDNIGHT + ms)
}

pub(crate) fn fact(track: Track, ms: i64, statement: AgentStatement) -> AgentFact {
    AgentFact {
        key: FactKey::agent_state(track, at(ms)),
        at: at(ms),
        until: None,
        revision: None,
        rank: SourceRank::Event,
        statement,
    }
}

pub(crate) fn presence(ms: i64, presence: Presence) -> AgentFact {
    let statement = AgentStatement {
        presence: Some(presence),
        ..AgentStatement::default()
    };
    fact(Track::Presence, ms, statement)
}

pub(crate) fn routing(ms: i64, routing: Routing) -> AgentFact {
    let statement = AgentStatement {
        routing: Some(routing),
        ..AgentStatement::default()
    };
    fact(Track::Routing, ms, statement)
}

pub(crate) fn scheduled(ms: i64, until: i64, activity: &str) -> AgentFact {
    let statement = AgentStatement {
        scheduled: Some(activity.into()),
        ..AgentStatement::default()
    };
    AgentFact {
        until: Some(at(until)),
        ..fact(Track::Schedule, ms, statement)
    }
}

/// A contact of an agent: connected, ended.
#[derive(Debug, Clone)]
pub(crate) struct Contact {
    pub(crate) id: String,
    pub(crate) agent: String,
    pub(crate) from: i64,
    pub(crate) to: Option<i64>,
}

impl Contact {
    pub(crate) fn new(id: &str, agent: &str, from: i64, to: Option<i64>) -> Self {
        Self {
            id: id.to_owned(),
            agent: agent.to_owned(),
            from,
            to,
        }
    }

    pub(crate) fn facts(&self) -> Vec<Fact> {
        let state = |key: &str, ms, state| Fact {
            key: FactKey::event(key),
            at: at(ms),
            revision: None,
            rank: SourceRank::Event,
            statement: Statement {
                state: Some(state),
                agent: Some(AgentRef {
                    id: self.agent.as_str().into(),
                    zone: None,
                }),
                ..Statement::default()
            },
        };
        let ended = self.to.map(|to| state("2", to, State::Completed));
        [state("1", self.from, State::Connected)]
            .into_iter()
            .chain(ended)
            .collect()
    }

    pub(crate) fn busy(&self) -> Busy {
        Busy {
            from: at(self.from),
            to: self.to.map(at),
            kind: BusyKind::Interacting,
        }
    }
}

/// Statements about an agent, or a contact of one.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Of(String, AgentFact),
    Contact(Contact),
}

pub(crate) fn of(agent: &str, facts: &[AgentFact]) -> Vec<Told> {
    facts
        .iter()
        .map(|fact| Told::Of(agent.to_owned(), fact.clone()))
        .collect()
}

pub(crate) fn plan(told: &[Told]) -> Plan {
    let mut agents: BTreeMap<&str, Vec<AgentEvent>> = BTreeMap::new();
    let mut sessions: BTreeMap<&str, Vec<Fact>> = BTreeMap::new();
    for one in told {
        match one {
            Told::Of(agent, fact) => agents.entry(agent).or_default().push(AgentEvent {
                tenant: "acme".into(),
                agent: AgentRef {
                    id: agent.as_str().into(),
                    zone: None,
                },
                fact: fact.clone(),
            }),
            Told::Contact(contact) => {
                sessions
                    .entry(&contact.id)
                    .or_default()
                    .extend(contact.facts());
            }
        }
    }
    Plan {
        sessions: sessions
            .into_iter()
            .map(|(id, facts)| PlannedSession {
                tenant: "acme".into(),
                interaction: id.into(),
                facts,
                job_versions: BTreeSet::new(),
            })
            .collect(),
        agents: agents
            .into_iter()
            .map(|(agent, events)| PlannedAgent {
                tenant: "acme".into(),
                agent: agent.into(),
                events,
                job_versions: BTreeSet::new(),
            })
            .collect(),
    }
}

pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) applier: Applier,
    pub(crate) worker: AgentWorker,
}

impl World {
    /// A compute that evaluates these definitions that ship.
    pub(crate) async fn with(names: &[&str]) -> Self {
        let db = TestDb::new().await;
        catalogue::ship(&db.store().await).await.unwrap();
        let applier = Applier::new(db.store_with(8).await);
        let world = Self {
            worker: AgentWorker::new(&applier, AgentTimeConfig::default()),
            applier,
            db,
        };
        for name in names {
            world.set_status(name, Status::Candidate).await;
        }
        world
    }

    pub(crate) async fn set_status(&self, name: &str, status: Status) {
        let mut client = self.applier.store().client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        definitions::change(&tx).await.unwrap();
        definitions::set_status(&tx, name, schema::MetricVersion(1), status)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn fold(&self, told: &[Told]) {
        self.applier.apply(&plan(told)).await.unwrap();
    }

    pub(crate) async fn drain(&self, as_of: i64) -> Drained {
        let drained = self.worker.drain(at(as_of)).await.unwrap();
        let left = "SELECT count(*)::text FROM dirty_marks WHERE kind = 'agent'";
        assert_eq!(self.text(left).await, "0");
        drained
    }

    pub(crate) async fn text(&self, sql: &str) -> String {
        let row = self.db.client().await.query_one(sql, &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    /// The intervals of these days after the first.
    pub(crate) async fn intervals(&self, agent: &str, days: i64) -> Vec<IntervalRow> {
        let client = self.applier.store().client().await.unwrap();
        let run = Run {
            tenant: "acme",
            agent_id: agent,
            from: at(0),
            to: at(days * DAY),
        };
        agents::intervals(&client, &[run]).await.unwrap().remove(0)
    }

    /// What agents add: agent, quarter hour after the first midnight, definition's name, milliseconds and denominator.
    pub(crate) async fn items(&self) -> BTreeMap<(String, i64, String), (i64, i64)> {
        let client = self.db.client().await;
        let names: BTreeMap<i32, String> = client
            .query("SELECT definition_id, name FROM kpi_definitions", &[])
            .await
            .unwrap()
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect();
        let agents: Vec<String> = client
            .query("SELECT agent_id FROM agents", &[])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        let keys: Vec<(&str, &str)> = agents.iter().map(|id| ("acme", id.as_str())).collect();
        let store = self.applier.store().client().await.unwrap();
        let items = store::window_items::of_subjects(&store, Source::Agent, &keys)
            .await
            .unwrap();
        let mut sums = BTreeMap::new();
        for (_, item) in items {
            assert_eq!(item.agent_id.as_ref(), Some(&item.subject));
            let quarter = i64::from(Cell::of(item.cell).0 - Cell::of(at(0)).0);
            for (definition, sum, weight) in item.measures {
                let key = (item.subject.clone(), quarter, names[&definition].clone());
                assert!(sums.insert(key, (sum, weight)).is_none(), "one team only");
            }
        }
        sums
    }

    /// The sum and the denominator of one definition over everything.
    pub(crate) async fn total(&self, name: &str) -> (i64, i64) {
        let items = self.items().await;
        let of_name = items.iter().filter(|(key, _)| key.2 == name);
        of_name.fold((0, 0), |sum, (_, one)| (sum.0 + one.0, sum.1 + one.1))
    }

    /// The quarter hours that are marked, after the first midnight; the marks are taken away.
    pub(crate) async fn marked(&self) -> BTreeSet<i64> {
        let client = self.db.client().await;
        let rows = client
            .query(
                "DELETE FROM dirty_marks WHERE kind = 'cell' RETURNING extract(epoch FROM from_at)::bigint",
                &[],
            )
            .await
            .unwrap();
        let quarter = |row: &tokio_postgres::Row| (row.get::<_, i64>(0) - MIDNIGHT / 1000) / 900;
        rows.iter().map(quarter).collect()
    }

    /// Has a stretch of an agent's time computed again.
    pub(crate) async fn mark(&self, agent: &str, from: i64, to: i64) {
        let mark = Mark {
            kind: Kind::Agent,
            tenant: "acme",
            subject: agent,
            from: at(from),
            to: at(to),
        };
        self.in_transaction(async |tx| {
            marks::append(tx, &[mark]).await.unwrap();
        })
        .await;
    }

    /// Does something in a transaction that is committed.
    pub(crate) async fn in_transaction<F>(&self, work: F)
    where
        F: AsyncFnOnce(&Transaction<'_>),
    {
        let mut client = self.applier.store().client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        work(&tx).await;
        tx.commit().await.unwrap();
    }
}

pub(crate) fn minutes(rows: &[IntervalRow]) -> Vec<String> {
    rows.iter()
        .map(|row| {
            let since = |instant: UtcMicros| (instant.millis() - MIDNIGHT) / MINUTE;
            let mut words = vec![format!("{}-{}", since(row.from), since(row.to))];
            words.extend(row.presence.clone());
            for (flag, word) in [
                (row.interacting, "busy"),
                (row.capped, "capped"),
                (row.open, "open"),
            ] {
                words.extend(flag.then(|| word.to_owned()));
            }
            words.join(" ")
        })
        .collect()
}
