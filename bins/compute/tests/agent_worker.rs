//! The time of agents against a real PostgreSQL: whatever the order, the batches, the workers and the crashes, the intervals are those of
//! the pure fold of all that was told, and what they add to windows is the plain sum.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used)]

use agent::{Busy, BusyKind, Interval, Rules};
use compute::agent_worker::{self, AgentMeters, AgentTimeConfig, AgentWorker, Drained};
use compute::apply::Applier;
use compute::catalogue;
use compute::plan::{Plan, PlannedAgent, PlannedSession};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt as _, SeedableRng};
use runtime::metrics::{Counter, Metrics};
use schema::{
    AgentEvent, AgentFact, AgentRef, AgentStatement, Fact, FactKey, Millis, Presence, Routing,
    SourceRank, State, Statement, Track, UtcMicros,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::agents::{IntervalRow, Run};
use store::definitions::{self, Status};
use store::marks::{self, Kind, Mark};
use store::window_items::Source;
use store::{Transaction, agents};
use testkit::db::TestDb;
use testkit::eventually;
use tokio_util::sync::CancellationToken;
use window::{Cell, Day};

/// 2024-03-05T00:00:00Z, a UTC midnight.
const MIDNIGHT: i64 = 1_709_596_800_000;
const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

const CAP: Millis = Millis(12 * HOUR);

fn at(ms: i64) -> UtcMicros {
    UtcMicros::from_millis(MIDNIGHT + ms)
}

fn fact(track: Track, ms: i64, statement: AgentStatement) -> AgentFact {
    AgentFact {
        key: FactKey::agent_state(track, at(ms)),
        at: at(ms),
        until: None,
        revision: None,
        rank: SourceRank::Event,
        statement,
    }
}

fn presence(ms: i64, presence: Presence) -> AgentFact {
    let statement = AgentStatement {
        presence: Some(presence),
        ..AgentStatement::default()
    };
    fact(Track::Presence, ms, statement)
}

fn routing(ms: i64, routing: Routing) -> AgentFact {
    let statement = AgentStatement {
        routing: Some(routing),
        ..AgentStatement::default()
    };
    fact(Track::Routing, ms, statement)
}

fn scheduled(ms: i64, until: i64, activity: &str) -> AgentFact {
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
struct Contact {
    id: String,
    agent: String,
    from: i64,
    to: Option<i64>,
}

impl Contact {
    fn new(id: &str, agent: &str, from: i64, to: Option<i64>) -> Self {
        Self {
            id: id.to_owned(),
            agent: agent.to_owned(),
            from,
            to,
        }
    }

    fn facts(&self) -> Vec<Fact> {
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

    fn busy(&self) -> Busy {
        Busy {
            from: at(self.from),
            to: self.to.map(at),
            kind: BusyKind::Interacting,
        }
    }
}

/// Statements about an agent, or a contact of one.
#[derive(Debug, Clone)]
enum Told {
    Of(String, AgentFact),
    Contact(Contact),
}

fn of(agent: &str, facts: &[AgentFact]) -> Vec<Told> {
    facts
        .iter()
        .map(|fact| Told::Of(agent.to_owned(), fact.clone()))
        .collect()
}

fn plan(told: &[Told]) -> Plan {
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

struct World {
    db: TestDb,
    applier: Applier,
    worker: AgentWorker,
}

impl World {
    /// A compute that evaluates these definitions that ship.
    async fn with(names: &[&str]) -> Self {
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

    async fn set_status(&self, name: &str, status: Status) {
        let mut client = self.applier.store().client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        definitions::change(&tx).await.unwrap();
        definitions::set_status(&tx, name, schema::MetricVersion(1), status)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn fold(&self, told: &[Told]) {
        self.applier.apply(&plan(told)).await.unwrap();
    }

    async fn drain(&self, as_of: i64) -> Drained {
        let drained = self.worker.drain(at(as_of)).await.unwrap();
        let left = "SELECT count(*)::text FROM dirty_marks WHERE kind = 'agent'";
        assert_eq!(self.text(left).await, "0");
        drained
    }

    async fn text(&self, sql: &str) -> String {
        let row = self.db.client().await.query_one(sql, &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    /// The intervals of these days after the first.
    async fn intervals(&self, agent: &str, days: i64) -> Vec<IntervalRow> {
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
    async fn items(&self) -> BTreeMap<(String, i64, String), (i64, i64)> {
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
    async fn total(&self, name: &str) -> (i64, i64) {
        let items = self.items().await;
        let of_name = items.iter().filter(|(key, _)| key.2 == name);
        of_name.fold((0, 0), |sum, (_, one)| (sum.0 + one.0, sum.1 + one.1))
    }

    /// The quarter hours that are marked, after the first midnight; the marks are taken away.
    async fn marked(&self) -> BTreeSet<i64> {
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
    async fn mark(&self, agent: &str, from: i64, to: i64) {
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
    async fn in_transaction<F>(&self, work: F)
    where
        F: AsyncFnOnce(&Transaction<'_>),
    {
        let mut client = self.applier.store().client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        work(&tx).await;
        tx.commit().await.unwrap();
    }
}

fn minutes(rows: &[IntervalRow]) -> Vec<String> {
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

#[tokio::test]
async fn a_running_day_moves_on_by_ticks_until_the_sign_out() {
    let world = World::with(&["logged_in_time", "occupancy"]).await;
    world
        .fold(&of("ann", &[presence(9 * HOUR, Presence::OnQueue)]))
        .await;
    world.drain(9 * HOUR + 5 * MINUTE).await;
    assert_eq!(
        minutes(&world.intervals("ann", 1).await),
        ["0-540", "540-545 on_queue open"]
    );
    assert_eq!(world.total("logged_in_time").await, (5 * MINUTE, 0));
    assert_eq!(world.marked().await, BTreeSet::from([36]));

    let too_early = world.drain(9 * HOUR + 5 * MINUTE + 59 * SECOND).await;
    assert_eq!(too_early, Drained::default(), "nobody is due");
    let ticked = world.drain(9 * HOUR + 20 * MINUTE).await;
    assert_eq!((ticked.agents, ticked.intervals), (1, 1));
    assert_eq!(world.total("logged_in_time").await, (20 * MINUTE, 0));
    assert_eq!(world.total("occupancy").await, (0, 20 * MINUTE));
    assert_eq!(
        world.marked().await,
        BTreeSet::from([36, 37]),
        "the quarter hour that is over, and the one that runs"
    );

    let contact = Contact::new(
        "c",
        "ann",
        9 * HOUR + 10 * MINUTE,
        Some(9 * HOUR + 15 * MINUTE),
    );
    world.fold(&[Told::Contact(contact)]).await;
    // What the contact adds by itself is the fold's matter.
    world.marked().await;
    world.drain(9 * HOUR + 20 * MINUTE).await;
    assert_eq!(world.total("occupancy").await, (5 * MINUTE, 20 * MINUTE));
    assert_eq!(world.marked().await, BTreeSet::from([36]));

    world
        .fold(&of(
            "ann",
            &[presence(9 * HOUR + 30 * MINUTE, Presence::Offline)],
        ))
        .await;
    world.drain(9 * HOUR + 31 * MINUTE).await;
    assert_eq!(world.total("logged_in_time").await, (30 * MINUTE, 0));
    let idle = world.drain(23 * HOUR).await;
    assert_eq!(idle, Drained::default(), "who signed out does not tick");
    world.drain(5 * DAY).await;
    assert_eq!(
        minutes(&world.intervals("ann", 5).await),
        [
            "0-540",
            "540-550 on_queue",
            "550-555 on_queue busy",
            "555-570 on_queue",
            "570-1440 offline",
        ],
        "the day is told to its end, and the days off have no rows"
    );
    assert_eq!(world.drain(9 * DAY).await, Drained::default());
}

#[tokio::test]
async fn nights_and_holidays_after_a_sign_out_are_no_unknown_time_and_no_rows() {
    let world = World::with(&["logged_in_time"]).await;
    // The router's word comes a moment after the presence, as it does there.
    let day = [
        presence(9 * HOUR, Presence::OnQueue),
        routing(9 * HOUR, Routing::Idle),
        presence(17 * HOUR, Presence::Offline),
        routing(17 * HOUR + MINUTE, Routing::OffQueue),
    ];
    world.fold(&of("ann", &day)).await;
    world.drain(18 * HOUR).await;
    world.drain(6 * DAY).await;
    assert_eq!(
        minutes(&world.intervals("ann", 6).await),
        [
            "0-540",
            "540-1020 on_queue",
            "1020-1021 offline",
            "1021-1440 offline",
        ]
    );
    assert_eq!(world.total("logged_in_time").await, (8 * HOUR, 0));
    let stands = "SELECT concat_ws(' ', state, open_until) FROM live_agents JOIN agents USING (tenant, agent_id)";
    assert_eq!(world.text(stands).await, "offline");
}

#[tokio::test]
async fn a_missing_sign_out_ends_at_the_cap_over_midnight() {
    let world = World::with(&["logged_in_time"]).await;
    world
        .fold(&of("ann", &[presence(20 * HOUR, Presence::Busy)]))
        .await;
    world.drain(20 * HOUR + MINUTE).await;
    world.drain(3 * DAY).await;
    assert_eq!(
        minutes(&world.intervals("ann", 3).await),
        [
            "0-1200",
            "1200-1440 busy",
            "1440-1920 busy",
            "1920-2880 capped"
        ]
    );
    assert_eq!(world.total("logged_in_time").await, (12 * HOUR, 0));
    let stands = "SELECT concat_ws(' ', presence, capped, since, due_at) FROM agents";
    assert_eq!(world.text(stands).await, "t");
    // A week later, and the sign-out comes after all.
    world
        .fold(&of("ann", &[presence(21 * HOUR, Presence::Offline)]))
        .await;
    world.drain(9 * DAY).await;
    assert_eq!(world.total("logged_in_time").await, (HOUR, 0));
    assert_eq!(
        minutes(&world.intervals("ann", 9).await),
        ["0-1200", "1200-1260 busy", "1260-1440 offline"]
    );
}

#[tokio::test]
async fn a_plan_counts_as_time_goes_by_whether_the_agent_comes_or_not() {
    let world = World::with(&["adherence"]).await;
    world
        .fold(&of(
            "ann",
            &[
                scheduled(DAY + 9 * HOUR, DAY + 10 * HOUR, "on_queue"),
                scheduled(DAY + 10 * HOUR, DAY + 10 * HOUR + 15 * MINUTE, "break"),
            ],
        ))
        .await;
    world.drain(HOUR).await;
    assert_eq!(world.total("adherence").await, (0, 0));
    assert!(world.intervals("ann", 3).await.is_empty());
    assert_eq!(world.drain(DAY).await, Drained::default());
    world.drain(DAY + 9 * HOUR + 20 * MINUTE).await;
    assert_eq!(world.total("adherence").await, (0, 20 * MINUTE));
    world
        .fold(&of(
            "ann",
            &[presence(DAY + 9 * HOUR + 30 * MINUTE, Presence::OnQueue)],
        ))
        .await;
    world.drain(2 * DAY).await;
    assert_eq!(world.total("adherence").await, (30 * MINUTE, 75 * MINUTE));
    // The plan is edited later: the same activity ends earlier.
    let shorter = AgentFact {
        revision: Some(at(3 * DAY)),
        ..scheduled(DAY + 10 * HOUR, DAY + 10 * HOUR + 5 * MINUTE, "break")
    };
    world.fold(&of("ann", &[shorter])).await;
    world.drain(3 * DAY).await;
    assert_eq!(world.total("adherence").await, (30 * MINUTE, 65 * MINUTE));
}

#[tokio::test]
async fn how_an_agent_stands_now_is_kept() {
    let world = World::with(&[]).await;
    let mut on_queue = presence(9 * HOUR, Presence::OnQueue);
    on_queue.statement.team = Some("sales".into());
    on_queue.statement.reason = Some("Desk".into());
    let open = Contact::new("c", "ann", 9 * HOUR + 20 * MINUTE, None);
    world
        .fold(&of(
            "ann",
            &[on_queue, routing(9 * HOUR + MINUTE, Routing::Idle)],
        ))
        .await;
    world.drain(9 * HOUR + 2 * MINUTE).await;
    let stands = "SELECT concat_ws(' ', presence, routing, reason, team, interacting, to_char(since AT TIME ZONE 'UTC', 'HH24:MI'), \
                         to_char(open_until AT TIME ZONE 'UTC', 'HH24:MI'), to_char(due_at AT TIME ZONE 'UTC', 'HH24:MI')) FROM agents";
    assert_eq!(
        world.text(stands).await,
        "on_queue idle Desk sales f 09:01 21:00 09:03"
    );
    // Busy times are kept where a definition asks for them.
    world.set_status("occupancy", Status::Candidate).await;
    world.fold(&[Told::Contact(open)]).await;
    world.drain(9 * HOUR + 25 * MINUTE).await;
    assert_eq!(
        world.text(stands).await,
        "on_queue idle Desk sales t 09:20 21:00 09:26"
    );
}

#[tokio::test]
async fn a_team_that_is_written_down_goes_before_the_one_stated_and_changes_within_a_state() {
    let world = World::with(&["logged_in_time"]).await;
    world
        .in_transaction(async |tx| {
            let text = "places = 1\n[[agent]]\nid = \"ann\"\nfrom = 2024-03-05T10:30:00Z\nteam = \"support\"\n";
            let places = timezone::Places::read(text).unwrap();
            definitions::change(tx).await.unwrap();
            catalogue::insert_places(tx, &places, text).await.unwrap();
        })
        .await;
    let mut day = [
        presence(10 * HOUR, Presence::Busy),
        presence(11 * HOUR, Presence::Offline),
    ];
    day[0].statement.team = Some("sales".into());
    world.fold(&of("ann", &day)).await;
    world.drain(DAY).await;
    let teams = "SELECT string_agg(coalesce(team, '-') || ' ' || to_char(from_at AT TIME ZONE 'UTC', 'HH24:MI'), ' ' ORDER BY from_at) \
                 FROM interval_states";
    assert_eq!(
        world.text(teams).await,
        "- 00:00 sales 10:00 support 10:30 support 11:00"
    );
    let items = "SELECT string_agg(team || ' ' || to_char(cell AT TIME ZONE 'UTC', 'HH24:MI'), ' ' ORDER BY cell) FROM window_items";
    assert_eq!(
        world.text(items).await,
        "sales 10:00 sales 10:15 support 10:30 support 10:45"
    );
    assert_eq!(world.text("SELECT team FROM agents").await, "support");
}

#[tokio::test]
async fn a_definition_that_is_switched_off_keeps_its_sums_until_a_job_asks() {
    let world = World::with(&["logged_in_time", "on_queue_time"]).await;
    let day = [
        presence(9 * HOUR, Presence::OnQueue),
        presence(10 * HOUR, Presence::Offline),
    ];
    world.fold(&of("ann", &day)).await;
    world.drain(DAY).await;
    world.set_status("on_queue_time", Status::Retired).await;
    let later = presence(11 * HOUR, Presence::OnQueue);
    world
        .fold(&of("ann", &[later, presence(12 * HOUR, Presence::Offline)]))
        .await;
    world.drain(DAY).await;
    assert_eq!(world.total("logged_in_time").await, (2 * HOUR, 0));
    assert_eq!(world.total("on_queue_time").await, (HOUR, 0));
    let id: i32 = world
        .text("SELECT definition_id::text FROM kpi_definitions WHERE name = 'on_queue_time'")
        .await
        .parse()
        .unwrap();
    world
        .in_transaction(async |tx| {
            agents::ask(tx, &[("acme", "ann")], &[id]).await.unwrap();
            let mark = Mark {
                kind: Kind::Agent,
                tenant: "acme",
                subject: "ann",
                from: at(0),
                to: at(HOUR),
            };
            marks::append(tx, &[mark]).await.unwrap();
        })
        .await;
    world.drain(2 * DAY).await;
    assert_eq!(world.total("on_queue_time").await, (2 * HOUR, 0));
    assert_eq!(world.text("SELECT asked::text FROM agents").await, "{}");
    // One that is new reaches the past by marks.
    world.set_status("break_time", Status::Candidate).await;
    world
        .fold(&of(
            "ann",
            &[presence(9 * HOUR + 15 * MINUTE, Presence::Break)],
        ))
        .await;
    world.drain(2 * DAY).await;
    assert_eq!(world.total("break_time").await, (45 * MINUTE, 0));
    assert_eq!(world.total("on_queue_time").await, (2 * HOUR, 0));
}

#[tokio::test]
async fn one_whose_time_is_refused_does_not_hold_up_the_others() {
    let world = World::with(&["logged_in_time"]).await;
    for agent in ["ann", "bob", "cyd", "dan"] {
        let day = [
            presence(9 * HOUR, Presence::Busy),
            presence(10 * HOUR, Presence::Offline),
        ];
        world.fold(&of(agent, &day)).await;
    }
    // Nothing of cyd's can be written.
    world
        .db
        .client()
        .await
        .batch_execute("ALTER TABLE window_items ADD CONSTRAINT no_cyd CHECK (subject <> 'cyd')")
        .await
        .unwrap();
    let drained = world.worker.drain(at(DAY)).await.unwrap();
    assert_eq!((drained.agents, drained.refused), (3, 1));
    assert_eq!(world.total("logged_in_time").await, (3 * HOUR, 0));
    world
        .db
        .client()
        .await
        .batch_execute("ALTER TABLE window_items DROP CONSTRAINT no_cyd")
        .await
        .unwrap();
    world.drain(DAY).await;
    assert_eq!(world.total("logged_in_time").await, (4 * HOUR, 0));
}

#[tokio::test]
async fn a_worker_whose_clock_is_behind_takes_nothing_back() {
    let world = World::with(&["logged_in_time", "occupancy"]).await;
    world
        .fold(&of("ann", &[presence(20 * HOUR, Presence::OnQueue)]))
        .await;
    let later = DAY + 5 * HOUR;
    world.drain(later).await;
    world.marked().await;
    let intervals = world.intervals("ann", 2).await;
    assert_eq!(
        minutes(&intervals),
        ["0-1200", "1200-1440 on_queue", "1440-1740 on_queue open"]
    );
    let items = world.items().await;
    let stands = "SELECT concat_ws(' ', presence, capped, since, open_until, computed_to, due_at) FROM agents";
    let stood = world.text(stands).await;
    // On the same day, and before its midnight.
    for earlier in [DAY + HOUR, 21 * HOUR] {
        world.mark("ann", 0, 3 * DAY).await;
        let drained = world.drain(earlier).await;
        assert_eq!(drained.agents, 1, "what is marked is computed again");
        assert_eq!(
            (drained.intervals, drained.items, drained.cells),
            (0, 0, 0),
            "as of {earlier}"
        );
        assert_eq!(world.intervals("ann", 2).await, intervals);
        assert_eq!(world.items().await, items);
        assert_eq!(world.text(stands).await, stood);
    }
    // What is told meanwhile counts up to where the time was computed, and what is open goes on from there.
    world
        .fold(&of("ann", &[presence(DAY + 4 * HOUR, Presence::Break)]))
        .await;
    world.drain(21 * HOUR).await;
    assert_eq!(
        minutes(&world.intervals("ann", 2).await),
        [
            "0-1200",
            "1200-1440 on_queue",
            "1440-1680 on_queue",
            "1680-1740 break open"
        ]
    );
    let clock = "SELECT concat_ws(' ', to_char(computed_to AT TIME ZONE 'UTC', 'DD HH24:MI'), \
                        to_char(due_at AT TIME ZONE 'UTC', 'DD HH24:MI')) FROM agents";
    assert_eq!(world.text(clock).await, "06 05:00 06 05:01");
    assert_eq!(
        world.drain(later).await,
        Drained::default(),
        "nobody is due"
    );
}

/// Marks agents of whom nothing was told, more than one batch takes, again and again: a backfill that does not end.
async fn mark_without_end(applier: Applier, from: UtcMicros, stop: CancellationToken) {
    let agents: Vec<String> = (0..150).map(|number| format!("agent_{number}")).collect();
    let marks: Vec<Mark<'_>> = agents
        .iter()
        .map(|agent| Mark {
            kind: Kind::Agent,
            tenant: "acme",
            subject: agent,
            from,
            to: from,
        })
        .collect();
    while !stop.is_cancelled() {
        let mut client = applier.store().client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        marks::append(&tx, &marks).await.unwrap();
        tx.commit().await.unwrap();
        drop(client);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn marks_without_end_stop_neither_the_clock_nor_the_meters_and_who_was_refused_has_a_turn() {
    let within = Duration::from_secs(90);
    let world = World::with(&["logged_in_time"]).await;
    // By the server's clock, as it is when the program runs.
    let now = world
        .text("SELECT (extract(epoch FROM now()) * 1000)::bigint::text")
        .await;
    let now = now.parse::<i64>().unwrap() - MIDNIGHT;
    for agent in ["ann", "cyd"] {
        world
            .fold(&of(agent, &[presence(now - MINUTE, Presence::Busy)]))
            .await;
    }
    let client = world.db.client().await;
    client
        .batch_execute("ALTER TABLE window_items ADD CONSTRAINT no_cyd CHECK (subject <> 'cyd')")
        .await
        .unwrap();
    let config = AgentTimeConfig {
        tick: Duration::from_millis(50),
        ..AgentTimeConfig::default()
    };
    let metrics = Metrics::new("compute", "0");
    let meters = AgentMeters {
        days: metrics.counter(Counter::AgentDays, &[]),
        intervals: metrics.counter(Counter::AgentIntervalsWritten, &[]),
    };
    let stop = CancellationToken::new();
    let backfill = tokio::spawn(mark_without_end(
        world.applier.clone(),
        at(now - HOUR),
        stop.clone(),
    ));
    let marked = "SELECT count(*)::text FROM dirty_marks WHERE subject LIKE 'agent_%'";
    eventually(within, "a backfill marks agents", async || {
        world.text(marked).await != "0"
    })
    .await;
    let worker = AgentWorker::new(&world.applier, config);
    let running = tokio::spawn(agent_worker::run(worker, meters.clone(), stop.clone()));
    // Ann's time goes on while there is always more that is marked.
    let computed = "SELECT max(computed_to)::text FROM agents WHERE agent_id = 'ann'";
    let mut before = String::new();
    for _ in 0..3 {
        eventually(within, "the clock goes on", async || {
            world.text(computed).await != before
        })
        .await;
        before = world.text(computed).await;
    }
    assert!(meters.days.get() > 0 && meters.intervals.get() > 0);
    // Cyd was refused in the first batch, and is looked after again before the backfill ends.
    let cyd = "SELECT count(*)::text FROM window_items WHERE subject = 'cyd'";
    assert_eq!(world.text(cyd).await, "0");
    client
        .batch_execute("ALTER TABLE window_items DROP CONSTRAINT no_cyd")
        .await
        .unwrap();
    eventually(within, "who was refused has another turn", async || {
        world.text(cyd).await != "0"
    })
    .await;
    stop.cancel();
    backfill.await.unwrap();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn days_are_the_same_each_by_itself_and_all_in_one_run() {
    let world = World::with(&["logged_in_time"]).await;
    // The router's last word comes before the sign-out; after the next day there is no sign-out.
    let ann = [
        routing(16 * HOUR + 50 * MINUTE, Routing::OffQueue),
        presence(17 * HOUR, Presence::Offline),
        presence(DAY + 8 * HOUR, Presence::Available),
        scheduled(2 * DAY + 9 * HOUR, 2 * DAY + 10 * HOUR, "on_queue"),
    ];
    // The router says nothing of the sign-out.
    let bob = [
        presence(9 * HOUR, Presence::OnQueue),
        routing(9 * HOUR, Routing::Idle),
        presence(17 * HOUR, Presence::Offline),
        presence(DAY + 8 * HOUR, Presence::Available),
        presence(2 * DAY + 8 * HOUR, Presence::Available),
        presence(2 * DAY + 17 * HOUR, Presence::Offline),
    ];
    world.fold(&of("ann", &ann)).await;
    world.fold(&of("bob", &bob)).await;
    // Of whom nothing was computed yet, all days are one run.
    world.drain(4 * DAY).await;
    let in_one_run = [
        world.intervals("ann", 5).await,
        world.intervals("bob", 5).await,
    ];
    assert_eq!(
        minutes(&in_one_run[0]),
        [
            "1440-1920 offline",
            "1920-2640 available",
            "2640-2880 capped",
            "2880-3420 capped",
            "3420-3480 capped",
            "3480-4320 capped",
        ]
    );
    assert!(in_one_run[0].iter().all(|row| row.routing.is_none()));
    assert_eq!(
        minutes(&in_one_run[1]),
        [
            "0-540",
            "540-1020 on_queue",
            "1020-1440 offline",
            "1440-1920 offline",
            "1920-2640 available",
            "2640-2880 capped",
            "2880-3360 capped",
            "3360-3900 available",
            "3900-4320 offline",
        ]
    );
    for day in 0..4 {
        for agent in ["ann", "bob"] {
            world.mark(agent, day * DAY, (day + 1) * DAY).await;
        }
        let drained = world.drain(4 * DAY).await;
        assert_eq!((drained.agents, drained.days), (2, 4), "that day and today");
        assert_eq!((drained.intervals, drained.items), (0, 0), "day {day}");
    }
    let by_themselves = [
        world.intervals("ann", 5).await,
        world.intervals("bob", 5).await,
    ];
    assert_eq!(by_themselves, in_one_run);
}

/// Of few statements, so that much of what holds began days before.
#[tokio::test]
async fn days_that_are_computed_as_they_pass_are_those_of_one_run() {
    let mut random = StdRng::seed_from_u64(5);
    let mut told = Vec::new();
    for agent in AGENTS {
        for _ in 0..14 {
            let ms = random.random_range(0..DAYS * DAY / MINUTE) * MINUTE;
            let fact = match random.random_range(0..8) {
                0 => routing(ms, Routing::Idle),
                1 => routing(ms, Routing::OffQueue),
                2..4 => presence(ms, Presence::Offline),
                4..7 => presence(ms, Presence::Available),
                _ => scheduled(ms, ms + 9 * HOUR, "on_queue"),
            };
            told.extend(of(agent, &[fact]));
        }
    }
    let last = (DAYS + 1) * DAY + 7 * HOUR;
    let passing = World::with(&["logged_in_time", "occupancy"]).await;
    passing.fold(&told).await;
    for quarter in 0..=4 * (DAYS + 1) {
        passing.drain(quarter * 6 * HOUR).await;
    }
    passing.drain(last).await;
    let at_once = World::with(&["logged_in_time", "occupancy"]).await;
    at_once.fold(&told).await;
    at_once.drain(last).await;
    for agent in AGENTS {
        let days = DAYS + 2;
        assert_eq!(
            passing.intervals(agent, days).await,
            at_once.intervals(agent, days).await,
            "{agent}"
        );
    }
    assert_eq!(passing.items().await, at_once.items().await);
}

const AGENTS: [&str; 3] = ["ann", "bob", "cyd"];
const DAYS: i64 = 9;

/// Days of some agents with everything that goes wrong: missing sign-outs, statements at one instant, records that correct events, ends that
/// are stated, plans, contacts that overlap and some that nobody ended.
fn life(random: &mut StdRng) -> Vec<Told> {
    let mut told = Vec::new();
    for agent in AGENTS {
        for _ in 0..60 {
            let ms = random.random_range(0..DAYS * DAY / SECOND) * SECOND
                + i64::from(random.random_bool(0.3)) * random.random_range(0..SECOND);
            let mut fact = match random.random_range(0..12) {
                0..5 => presence(
                    ms,
                    [
                        Presence::OnQueue,
                        Presence::Busy,
                        Presence::Offline,
                        Presence::Offline,
                        Presence::Meal,
                    ][random.random_range(0..5)]
                    .clone(),
                ),
                5..9 => routing(
                    ms,
                    [Routing::Idle, Routing::OffQueue, Routing::Interacting]
                        [random.random_range(0..3)]
                    .clone(),
                ),
                _ => scheduled(ms, ms + random.random_range(0..9 * HOUR), "on_queue"),
            };
            if random.random_bool(0.3) {
                fact.until = Some(at(ms + random.random_range(0..30 * HOUR)));
            }
            if random.random_bool(0.2) {
                let mut record = fact.clone();
                record.rank = SourceRank::SettledRecord;
                record.until = Some(at(ms + random.random_range(0..5 * HOUR)));
                told.push(Told::Of(agent.to_owned(), record));
            }
            told.push(Told::Of(agent.to_owned(), fact));
        }
        for number in 0..40 {
            let from = random.random_range(0..DAYS * DAY);
            let to = from + random.random_range(0..2 * HOUR);
            let to = random.random_bool(0.9).then_some(to);
            let id = format!("{agent}_{number}");
            told.push(Told::Contact(Contact::new(&id, agent, from, to)));
        }
    }
    told
}

/// What the pure fold of everything gives for an agent.
fn folded(told: &[Told], agent: &str, as_of: i64) -> Vec<Interval> {
    let (mut facts, mut busy) = (Vec::new(), Vec::new());
    for one in told {
        match one {
            Told::Of(id, fact) if id == agent => facts.push(fact.clone()),
            Told::Contact(contact) if contact.agent == agent => busy.push(contact.busy()),
            _ => {}
        }
    }
    let rules = Rules { open_cap: CAP };
    agent::intervals(
        &facts,
        &busy,
        at(0),
        at((DAYS + 2) * DAY),
        at(as_of),
        &rules,
    )
}

/// Milliseconds by agent, quarter hour and definition, in the plainest way.
fn summed(intervals: &[(&str, Interval)]) -> BTreeMap<(String, i64, String), (i64, i64)> {
    let mut sums: BTreeMap<(String, i64, String), (i64, i64)> = BTreeMap::new();
    for (agent, interval) in intervals {
        let state = &interval.state;
        let available = state.on_queue()
            && state
                .routing
                .as_ref()
                .is_none_or(|routing| *routing == Routing::Idle);
        let counts = [
            ("logged_in_time", state.logged_in(), false),
            ("occupancy", state.busy(), state.busy() || available),
        ];
        let (from, to) = (
            interval.from.millis() - MIDNIGHT,
            interval.to.millis() - MIDNIGHT,
        );
        for quarter in from / (15 * MINUTE)..=to / (15 * MINUTE) {
            let begin = from.max(quarter * 15 * MINUTE);
            let end = to.min((quarter + 1) * 15 * MINUTE);
            for (name, numerator, denominator) in counts {
                if end > begin && (numerator || denominator) {
                    let key = ((*agent).to_owned(), quarter, name.to_owned());
                    let (sum, weight) = sums.entry(key).or_default();
                    *sum += i64::from(numerator) * (end - begin);
                    *weight += i64::from(denominator) * (end - begin);
                }
            }
        }
    }
    sums
}

impl World {
    /// What is stored is what the pure fold gives, but for days of which nothing is known or that the agents were signed out.
    async fn agrees(&self, told: &[Told], as_of: i64) {
        let mut all: Vec<(&str, Interval)> = Vec::new();
        for agent in AGENTS {
            let stored = self.intervals(agent, DAYS + 2).await;
            let days: BTreeSet<Day> = stored.iter().map(|row| Day::of(row.from)).collect();
            let mut cut: Vec<Interval> = Vec::new();
            for interval in folded(told, agent, as_of) {
                let state = interval.state.clone();
                let plain =
                    !state.logged_in() && state.scheduled.is_none() && state.routing.is_none();
                let mut from = interval.from;
                while from < interval.to {
                    let to = interval.to.min(Day::of(from).end());
                    if days.contains(&Day::of(from)) {
                        let state = state.clone();
                        // A day that is over has nothing open in it.
                        let open = interval.open && to == interval.to && to < Day::of(from).end();
                        cut.push(Interval {
                            from,
                            to,
                            state,
                            open,
                        });
                    } else {
                        assert!(plain, "{agent}: {interval:?} is missing");
                    }
                    from = to;
                }
                all.push((agent, interval));
            }
            let words = |from: UtcMicros, to: UtcMicros, rest: String| {
                format!("{}-{} {rest}", from.0 - at(0).0, to.0 - at(0).0)
            };
            let computed: Vec<String> = cut
                .iter()
                .map(|it| {
                    let state = &it.state;
                    let presence = state.presence.as_ref().map(Presence::name);
                    let routing = state.routing.as_ref().map(Routing::name);
                    let rest = (
                        presence,
                        routing,
                        state.scheduled.as_deref(),
                        state.interacting,
                        state.capped,
                        it.open,
                    );
                    words(it.from, it.to, format!("{rest:?}"))
                })
                .collect();
            let stored: Vec<String> = stored
                .iter()
                .map(|it| {
                    let rest = (
                        it.presence.as_deref(),
                        it.routing.as_deref(),
                        it.scheduled.as_deref(),
                        it.interacting,
                        it.capped,
                        it.open,
                    );
                    words(it.from, it.to, format!("{rest:?}"))
                })
                .collect();
            assert_eq!(stored, computed, "{agent}");
        }
        assert_eq!(self.items().await, summed(&all));
    }
}

async fn life_in_pieces(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let told = life(&mut random);
    let world = World::with(&["logged_in_time", "occupancy"]).await;
    let mut pieces = told.clone();
    pieces.shuffle(&mut random);
    let last = (DAYS + 1) * DAY + 7 * HOUR;
    let mut rest = pieces.as_slice();
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(random.random_range(1..=rest.len().min(40)));
        rest = more;
        world.fold(piece).await;
        // Now and then a worker, at whatever time; some are killed.
        match random.random_range(0..3) {
            0 => {
                world.drain(random.random_range(0..last)).await;
            }
            1 => {
                let worker = world.worker.clone();
                let within = Duration::from_millis(random.random_range(0..40));
                let killed = tokio::time::timeout(within, worker.drain(at(last))).await;
                drop(killed);
            }
            _ => {}
        }
    }
    world.drain(last).await;
    world.agrees(&told, last).await;
    // All over again, in another order: nothing is left to do.
    pieces.shuffle(&mut random);
    world.fold(&pieces).await;
    assert_eq!(world.drain(last).await, Drained::default());
}

#[tokio::test]
async fn whatever_the_order_and_the_crashes_the_intervals_are_those_of_the_pure_fold() {
    for seed in 0..4 {
        life_in_pieces(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_beside_each_other_and_folds_between_them_come_to_the_same() {
    let mut random = StdRng::seed_from_u64(77);
    let told = life(&mut random);
    let world = World::with(&["logged_in_time", "occupancy"]).await;
    let mut pieces = told.clone();
    pieces.shuffle(&mut random);
    let last = (DAYS + 1) * DAY;
    let folds: Vec<_> = pieces
        .chunks(pieces.len() / 2 + 1)
        .map(|half| {
            let (applier, half) = (world.applier.clone(), half.to_vec());
            tokio::spawn(async move {
                for piece in half.chunks(15) {
                    applier.apply(&plan(piece)).await.unwrap();
                }
            })
        })
        .collect();
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let worker = world.worker.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    worker.drain(at(last)).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in folds.into_iter().chain(workers) {
        task.await.unwrap();
    }
    world.drain(last).await;
    world.agrees(&told, last).await;
}
