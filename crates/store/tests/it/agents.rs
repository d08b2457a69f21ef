//! The time of agents: the greater statement wins, whoever writes when, and every change tells which stretch it changes.

use crate::rows::{JUNE, MAY, db, number, seen};
use schema::{
    AgentFact, AgentStatement, FactKey, Millis, Presence, Routing, SourceRank, Track, UtcMicros,
};
use std::sync::Arc;
use store::agents::{
    self, Activity, ActivityRow, AgentFactRow, AgentRow, Changed, IntervalRow, Run,
};
use store::marks::{self, Kind, Mark};
use store::{Class, Store, StoreError};
use tokio::sync::Barrier;

const MINUTE: i64 = 60_000_000;
const CAP: Millis = Millis(12 * 3_600_000);

/// So many minutes after `MAY`.
fn minute(minutes: i64) -> UtcMicros {
    UtcMicros(MAY.0 + minutes * MINUTE)
}

fn fact(track: Track, minutes: i64, statement: AgentStatement) -> AgentFact {
    let at = minute(minutes);
    AgentFact {
        key: FactKey::agent_state(track, at),
        at,
        until: None,
        revision: None,
        rank: SourceRank::Event,
        statement,
    }
}

fn presence(minutes: i64, presence: Presence) -> AgentFact {
    let statement = AgentStatement {
        presence: Some(presence),
        ..AgentStatement::default()
    };
    fact(Track::Presence, minutes, statement)
}

fn routing(minutes: i64, routing: Routing) -> AgentFact {
    let statement = AgentStatement {
        routing: Some(routing),
        ..AgentStatement::default()
    };
    fact(Track::Routing, minutes, statement)
}

/// Writes them as statements about one agent; the stretches that changed, in minutes after `MAY`. `now` stands for now.
async fn put(store: &Store, id: &str, facts: &[AgentFact]) -> Vec<(i64, Option<i64>)> {
    let rows: Vec<_> = facts
        .iter()
        .map(|fact| AgentFactRow {
            tenant: "acme",
            agent_id: id,
            fact,
        })
        .collect();
    let changed = committed!(store, |tx| agents::put_facts(&tx, &rows));
    minutes(&changed)
}

fn minutes(changed: &[Changed]) -> Vec<(i64, Option<i64>)> {
    let since = |at: UtcMicros| (at.0 - MAY.0) / MINUTE;
    changed
        .iter()
        .map(|it| {
            (
                since(it.from),
                (it.to < minute(500_000)).then(|| since(it.to)),
            )
        })
        .collect()
}

fn run(id: &str, from: i64, to: i64) -> Run<'_> {
    Run {
        tenant: "acme",
        agent_id: id,
        from: minute(from),
        to: minute(to),
    }
}

fn leg<'a>(
    interaction_id: &'a str,
    leg_id: &'a str,
    from: i64,
    to: Option<i64>,
) -> ActivityRow<'a> {
    ActivityRow {
        tenant: "acme",
        interaction_id,
        leg_id,
        agent_id: "ann",
        from: minute(from),
        to: to.map(minute),
        wrap_until: None,
    }
}

async fn busy(
    store: &Store,
    interactions: &[&str],
    rows: &[ActivityRow<'_>],
) -> Vec<(i64, Option<i64>)> {
    let keys: Vec<_> = interactions.iter().map(|id| ("acme", *id)).collect();
    let changed = committed!(store, |tx| agents::put_activity(&tx, &keys, rows));
    minutes(&changed)
}

#[tokio::test]
async fn the_greater_statement_holds_and_a_redelivery_is_no_change() {
    let (db, store) = db().await;
    let event = presence(0, Presence::Busy);
    let record = AgentFact {
        rank: SourceRank::SettledRecord,
        until: Some(minute(30)),
        ..presence(0, Presence::Meal)
    };
    let revised = AgentFact {
        revision: Some(minute(99)),
        ..presence(0, Presence::Training)
    };
    let ann = ["ann", "bob", "cyd"];
    let orders = [
        vec![event.clone(), record.clone(), revised.clone()],
        vec![revised.clone(), record.clone(), event.clone()],
        vec![record.clone(), revised.clone(), event.clone()],
    ];
    for (id, facts) in ann.iter().zip(&orders) {
        for fact in facts {
            put(&store, id, std::slice::from_ref(fact)).await;
        }
        assert!(put(&store, id, facts).await.is_empty(), "all over again");
    }
    assert_eq!(
        seen(
            &db,
            "SELECT agent_id, fact_key, presence, until, rank FROM agent_states ORDER BY agent_id"
        )
        .await,
        ann.map(|id| format!("{id}|a:presence:{}|training||0", MAY.0))
    );
    // All in one batch, too.
    put(&store, "dan", &orders[0]).await;
    assert_eq!(
        seen(
            &db,
            "SELECT presence FROM agent_states WHERE agent_id = 'dan'"
        )
        .await,
        ["training"]
    );
}

#[tokio::test]
async fn a_change_reaches_up_to_the_next_statement_of_its_track() {
    let (_db, store) = db().await;
    assert_eq!(
        put(&store, "ann", &[presence(0, Presence::OnQueue)]).await,
        [(0, None)],
        "up to now"
    );
    assert_eq!(
        put(
            &store,
            "ann",
            &[
                presence(60, Presence::Break),
                presence(90, Presence::OnQueue)
            ]
        )
        .await,
        [(60, None)]
    );
    assert_eq!(
        put(
            &store,
            "ann",
            &[
                routing(10, Routing::Idle),
                routing(20, Routing::Interacting),
                routing(200, Routing::Idle)
            ]
        )
        .await,
        [(10, None)],
        "neighbours are one stretch"
    );
    assert_eq!(
        put(&store, "ann", &[presence(30, Presence::Busy)]).await,
        [(30, Some(60))],
        "the routing track is not concerned"
    );
    assert_eq!(
        put(&store, "ann", &[presence(40, Presence::Offline)]).await,
        [(40, Some(200))],
        "a sign-out ends routing, up to its next statement"
    );
    let other = AgentFact {
        rank: SourceRank::SettledRecord,
        ..presence(40, Presence::Meal)
    };
    assert_eq!(
        put(&store, "ann", &[other]).await,
        [(40, Some(200))],
        "so does taking one back"
    );
    assert_eq!(
        put(
            &store,
            "ann",
            &[
                presence(-9, Presence::Away),
                routing(190, Routing::OffQueue)
            ]
        )
        .await,
        [(-9, Some(0)), (190, Some(200))],
        "what lies apart stays apart"
    );
}

#[tokio::test]
async fn what_postgresql_cannot_hold_is_refused() {
    let (_db, store) = db().await;
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    for fact in [
        presence(0, Presence::Other("a\0".into())),
        routing(0, Routing::Other("\0".into())),
        AgentFact {
            statement: AgentStatement {
                reason: Some("\0".into()),
                ..AgentStatement::default()
            },
            ..presence(0, Presence::Busy)
        },
    ] {
        let row = AgentFactRow {
            tenant: "acme",
            agent_id: "ann",
            fact: &fact,
        };
        let error = agents::put_facts(&tx, &[row]).await.unwrap_err();
        assert!(matches!(error, StoreError::Nul { .. }));
        assert_eq!(error.class(), Class::Rejected);
    }
    let row = ActivityRow {
        agent_id: "\0",
        ..leg("int", "leg", 0, None)
    };
    let error = agents::put_activity(&tx, &[("acme", "int")], &[row])
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::Rejected);
    let error = agents::lock(&tx, &[("acme", "\0")], 9).await.unwrap_err();
    assert_eq!(error.class(), Class::Rejected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_folds_in_opposite_order_never_deadlock() {
    const ROUNDS: i64 = 50;
    let (db, store) = db().await;
    let barrier = Arc::new(Barrier::new(2));
    let work = |worker: i64| {
        let (store, barrier) = (store.clone(), Arc::clone(&barrier));
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                // The same keys in both, with a revision of its own each: new rows and known ones.
                let mut facts: Vec<AgentFact> = (0..20)
                    .map(|number| AgentFact {
                        revision: Some(minute(round * 2 + worker)),
                        ..presence(round + number, Presence::Busy)
                    })
                    .collect();
                let agents: Vec<String> = (0..10).map(|number| format!("agent_{number}")).collect();
                if worker == 1 {
                    facts.reverse();
                }
                let mut rows: Vec<AgentFactRow<'_>> = Vec::new();
                for agent in &agents {
                    rows.extend(facts.iter().map(|fact| AgentFactRow {
                        tenant: "acme",
                        agent_id: agent,
                        fact,
                    }));
                }
                if worker == 1 {
                    rows.reverse();
                }
                barrier.wait().await;
                committed!(store, |tx| agents::put_facts(&tx, &rows));
            }
        })
    };
    let (one, other) = (work(0), work(1));
    one.await.unwrap();
    other.await.unwrap();
    assert_eq!(
        number(&db, "SELECT count(*) FROM agent_states").await,
        10 * (20 + ROUNDS - 1)
    );
}

#[tokio::test]
async fn a_stretch_is_read_with_what_holds_into_it() {
    let (_db, store) = db().await;
    let day = 1440;
    let team = AgentStatement {
        team: Some("sales".into()),
        ..AgentStatement::default()
    };
    let mut facts = vec![
        fact(Track::Schedule, -300 * day, team),
        presence(-100 * day, Presence::Available),
        presence(-50 * day, Presence::Offline),
        // Long ago, with an end that reaches into the stretch; what signed out since counts too.
        AgentFact {
            until: Some(minute(5)),
            ..routing(-60 * day, Routing::Idle)
        },
        presence(-40 * day, Presence::Available),
        presence(-300, Presence::Busy),
        presence(0, Presence::Meal),
        presence(100, Presence::Break),
    ];
    put(&store, "ann", &facts).await;
    put(&store, "bob", &[presence(1, Presence::Busy)]).await;
    let client = store.client().await.unwrap();
    let runs = [
        run("ann", 0, 100),
        run("nobody", 0, 100),
        run("bob", 0, 100),
    ];
    let read = agents::facts(&client, &runs, CAP).await.unwrap();
    let mut read_of_ann: Vec<AgentFact> = read[0].clone();
    read_of_ann.sort();
    read_of_ann.dedup();
    facts.retain(|fact| fact.at != minute(-100 * day) && fact.at != minute(100));
    facts.sort();
    assert_eq!(read_of_ann, facts);
    assert!(read[1].is_empty());
    assert_eq!(read[2].len(), 1);
    assert_eq!(
        agents::next_statements(
            &client,
            &[
                ("acme", "ann", minute(1)),
                ("acme", "x", minute(1)),
                ("acme", "bob", minute(1)),
                ("acme", "bob", minute(2)),
                ("acme", "ann", minute(0)),
            ]
        )
        .await
        .unwrap(),
        [
            Some(minute(100)),
            None,
            Some(minute(1)),
            None,
            Some(minute(0))
        ],
        "each from an instant of its own"
    );
}

#[tokio::test]
async fn the_sign_out_that_ended_what_the_router_said_is_read_however_long_ago() {
    let (_db, store) = db().await;
    let day = 1440;
    let days = |presences: &[(i64, Presence)]| -> Vec<AgentFact> {
        let presences = presences.iter();
        presences
            .map(|(days, it)| presence(days * day, it.clone()))
            .collect()
    };
    // Signed out before the router's last word and twice after it; of the later ones the first counts.
    let presences = days(&[
        (-70, Presence::Offline),
        (-55, Presence::Available),
        (-50, Presence::Offline),
        (-45, Presence::Available),
        (-44, Presence::Offline),
        (-40, Presence::Available),
    ]);
    let said = [
        ("off", routing(-60 * day, Routing::OffQueue)),
        ("capped", routing(-60 * day, Routing::Idle)),
        ("at once", routing(-50 * day, Routing::OffQueue)),
    ];
    for (id, routing) in &said {
        put(&store, id, &presences).await;
        put(&store, id, std::slice::from_ref(routing)).await;
    }
    // Nothing ended what the router said of this one, and of the last the router said nothing.
    let there = [
        presence(-40 * day, Presence::Available),
        routing(-60 * day, Routing::OffQueue),
    ];
    put(&store, "there", &there).await;
    put(&store, "silent", &presences).await;
    let client = store.client().await.unwrap();
    let runs = ["off", "capped", "at once", "there", "silent"].map(|id| run(id, 0, 100));
    let read = agents::facts(&client, &runs, CAP).await.unwrap();
    let read_days: Vec<Vec<i64>> = read
        .iter()
        .map(|facts| {
            let mut days: Vec<i64> = facts
                .iter()
                .map(|fact| (fact.at.0 - MAY.0) / MINUTE / day)
                .collect();
            days.sort_unstable();
            days
        })
        .collect();
    assert_eq!(
        read_days,
        [
            vec![-60, -50, -40],
            vec![-60, -50, -40],
            vec![-50, -50, -40],
            vec![-60, -40],
            vec![-40],
        ]
    );
}

#[tokio::test]
async fn what_is_given_of_an_interaction_is_all_there_is() {
    let (db, store) = db().await;
    let rows = [
        leg("one", "a", 0, Some(5)),
        leg("one", "b", 5, Some(9)),
        leg("two", "a", 3, Some(4)),
    ];
    assert_eq!(
        busy(&store, &["one", "two"], &rows).await,
        [(0, Some(9))],
        "united"
    );
    assert!(busy(&store, &["one", "two"], &rows).await.is_empty());
    assert_eq!(
        busy(&store, &["one"], &[leg("one", "a", 0, Some(7))]).await,
        [(0, Some(9))],
        "one is longer, one is gone"
    );
    let other = ActivityRow {
        agent_id: "bob",
        ..leg("two", "a", 3, Some(4))
    };
    assert_eq!(
        busy(&store, &["two"], &[other]).await,
        [(3, Some(4)), (3, Some(4))],
        "two agents"
    );
    let wrapped = ActivityRow {
        wrap_until: Some(minute(12)),
        ..leg("one", "a", 0, Some(7))
    };
    assert_eq!(busy(&store, &["one"], &[wrapped]).await, [(0, Some(12))]);
    assert_eq!(
        busy(&store, &["one"], &[leg("one", "a", 0, None)]).await,
        [(0, None)],
        "open: up to now"
    );
    assert_eq!(
        seen(
            &db,
            "SELECT interaction_id, leg_id, agent_id, lasting FROM agent_activity ORDER BY 1, 2"
        )
        .await,
        ["one|a|ann|t", "two|a|bob|f"]
    );
    assert_eq!(busy(&store, &["one", "none"], &[]).await, [(0, None)]);
    assert!(busy(&store, &[], &[]).await.is_empty());
}

#[tokio::test]
async fn busy_times_are_read_that_reach_into_a_stretch() {
    let (_db, store) = db().await;
    let rows = [
        leg("before", "a", -600, Some(-10)),
        leg("into", "a", -600, Some(1)),
        leg("within", "a", 10, Some(20)),
        leg("after", "a", 100, Some(101)),
        leg("days", "a", -20_000, Some(1)),
        leg("days ago", "a", -20_000, Some(-1)),
        leg("open", "a", -600, None),
        leg("forgotten", "a", -721, None),
        ActivityRow {
            wrap_until: Some(minute(2)),
            ..leg("wrapped", "a", -20_001, Some(-1))
        },
    ];
    let ids: Vec<&str> = rows.iter().map(|row| row.interaction_id).collect();
    busy(&store, &ids, &rows).await;
    let client = store.client().await.unwrap();
    let mut read = agents::activity(&client, &[run("bob", 0, 100), run("ann", 0, 100)], CAP)
        .await
        .unwrap();
    assert!(read[0].is_empty());
    let mut found: Vec<(i64, Option<i64>)> = read
        .remove(1)
        .iter()
        .map(|it: &Activity| {
            (
                (it.from.0 - MAY.0) / MINUTE,
                it.to.map(|to| (to.0 - MAY.0) / MINUTE),
            )
        })
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            (-20_001, Some(-1)),
            (-20_000, Some(1)),
            (-600, None),
            (-600, Some(-10)),
            (-600, Some(1)),
            (10, Some(20)),
        ],
        "of short ones a day's worth"
    );
}

fn interval(from: i64, to: i64) -> IntervalRow {
    IntervalRow {
        from: minute(from),
        to: minute(to),
        presence: Some("on_queue".into()),
        routing: None,
        reason: None,
        scheduled: None,
        team: Some("sales".into()),
        interacting: true,
        wrapping: false,
        logged_in: true,
        on_queue: true,
        capped: false,
        open: true,
    }
}

#[tokio::test]
async fn intervals_are_written_and_read_over_a_months_end() {
    let (db, store) = db().await;
    let end_of_may = (JUNE.0 - MAY.0) / MINUTE;
    let rows = [
        interval(0, 5),
        interval(end_of_may - 5, end_of_may),
        interval(end_of_may, end_of_may + 5),
    ];
    let put: Vec<_> = rows.iter().map(|row| ("acme", "ann", row)).collect();
    committed!(store, |tx| agents::put_intervals(&tx, &put, &[]));
    let longer = IntervalRow {
        to: minute(9),
        open: false,
        ..interval(0, 5)
    };
    committed!(store, |tx| agents::put_intervals(
        &tx,
        &[("acme", "ann", &longer), ("acme", "bob", &longer)],
        &[
            ("acme", "ann", minute(end_of_may - 5)),
            ("acme", "ann", minute(77))
        ]
    ));
    let client = store.client().await.unwrap();
    let runs = [run("bob", 0, 9), run("ann", -10, 100_000), run("ann", 1, 9)];
    assert_eq!(
        agents::intervals(&client, &runs).await.unwrap(),
        [
            vec![longer.clone()],
            vec![longer, interval(end_of_may, end_of_may + 5)],
            vec![],
        ]
    );
    let client = db.client().await;
    let wrong = client
        .execute(
            "INSERT INTO interval_states (tenant, agent_id, from_at, to_at, interacting, wrapping, logged_in, on_queue, capped, open) \
             VALUES ('acme', 'ann', '2024-05-20Z', '2024-05-20Z', false, false, false, false, false, false)",
            &[],
        )
        .await;
    assert!(wrong.is_err(), "an interval is not empty");
}

#[tokio::test]
async fn a_locked_agent_is_left_to_who_has_it() {
    let (_db, store) = db().await;
    let mut one = store.client().await.unwrap();
    let mut other = store.client().await.unwrap();
    let all = [
        ("acme", "cyd"),
        ("acme", "ann"),
        ("acme", "bob"),
        ("acme", "ann"),
    ];
    committed!(store, |tx| agents::lock(&tx, &all, 9));
    let names = |rows: &[AgentRow]| -> Vec<String> {
        rows.iter().map(|row| row.agent_id.clone()).collect()
    };
    let tx = one.transaction().await.unwrap();
    let first = agents::lock(&tx, &all, 1).await.unwrap();
    assert_eq!(names(&first), ["cyd"], "the first that is given");
    let beside = other.transaction().await.unwrap();
    let rest = agents::lock(&beside, &all, 9).await.unwrap();
    assert_eq!(names(&rest), ["ann", "bob"]);
}

#[tokio::test]
async fn how_an_agent_stands_is_noted_and_what_was_asked_for_is_done_with() {
    let (db, store) = db().await;
    committed!(store, |tx| agents::ask(&tx, &[("acme", "ann")], &[7, 3]));
    committed!(store, |tx| agents::ask(
        &tx,
        &[("acme", "ann"), ("acme", "bob")],
        &[3, 9]
    ));
    let locked = committed!(store, |tx| agents::lock(&tx, &[("acme", "ann")], 9));
    assert_eq!(locked[0].asked, [3, 7, 9]);
    let stands = AgentRow {
        team: Some("sales".into()),
        presence: Some("on_queue".into()),
        routing: Some("idle".into()),
        reason: Some("Desk".into()),
        scheduled: Some("on_queue".into()),
        interacting: true,
        wrapping: true,
        capped: true,
        since: Some(minute(2)),
        open_until: Some(minute(3)),
        computed_to: Some(minute(4)),
        due_at: Some(minute(5)),
        ..locked[0].clone()
    };
    committed!(store, |tx| agents::note(&tx, std::slice::from_ref(&stands)));
    let locked = committed!(store, |tx| agents::lock(&tx, &[("acme", "ann")], 9));
    assert_eq!(
        locked,
        [AgentRow {
            asked: vec![],
            ..stands
        }]
    );
    let client = store.client().await.unwrap();
    assert!(agents::due(&client, minute(4), 9).await.unwrap().is_empty());
    assert_eq!(
        agents::due(&client, minute(5), 9).await.unwrap(),
        [("acme".to_owned(), "ann".to_owned())]
    );
    assert_eq!(
        seen(&db, "SELECT agent_id, asked FROM agents ORDER BY 1").await,
        ["ann|{}", "bob|{3,9}"]
    );
}

#[tokio::test]
async fn marks_are_read_agent_by_agent() {
    let (_db, store) = db().await;
    committed!(store, |tx| agents::lock(
        &tx,
        &[("acme", "ann"), ("other", "bob")],
        9
    ));
    let changed = Changed {
        tenant: "acme".into(),
        agent_id: "ann".into(),
        from: minute(0),
        to: minute(1),
    };
    committed!(store, |tx| marks::append(&tx, &[changed.mark()]));
    let journey = Mark {
        kind: Kind::Journey,
        ..changed.mark()
    };
    committed!(store, |tx| marks::append(&tx, &[journey]));
    let others = [("acme", "ann", 5), ("acme", "ann", 7), ("other", "bob", 7)];
    let others = others.map(|(tenant, subject, from)| Mark {
        kind: Kind::Agent,
        tenant,
        subject,
        from: minute(from),
        to: minute(from + 1),
    });
    committed!(store, |tx| marks::append(&tx, &others));
    let marks = committed!(store, |tx| agents::marks(
        &tx,
        &[("other", "bob"), ("acme", "nobody"), ("acme", "ann")]
    ));
    let stretches: Vec<Vec<(UtcMicros, UtcMicros)>> = marks
        .iter()
        .map(|of_agent| of_agent.iter().map(|mark| (mark.from, mark.to)).collect())
        .collect();
    assert_eq!(
        stretches,
        [
            vec![(minute(7), minute(8))],
            vec![],
            vec![
                (minute(0), minute(1)),
                (minute(5), minute(6)),
                (minute(7), minute(8))
            ],
        ]
    );
}

/// A year of statements of many agents: each track is entered by its index, and nothing is read from end to end.
#[tokio::test]
async fn a_day_is_found_among_a_years_statements_by_the_index_of_each_track() {
    let (db, _store) = db().await;
    let client = db.client().await;
    client
        .batch_execute(
            "INSERT INTO agent_states (tenant, agent_id, fact_key, at, presence, routing, rank) \
             SELECT 'acme', 'agent_' || a, 'a:' || a || ':' || n, '2024-01-01Z'::timestamptz + n * interval '1 hour', \
                    CASE WHEN n % 2 = 0 THEN 'busy' END, CASE WHEN n % 2 = 1 THEN 'idle' END, 0 \
             FROM generate_series(1, 20) a, generate_series(1, 2000) n; \
             ANALYZE agent_states",
        )
        .await
        .unwrap();
    let sql = store::statements::all()
        .find(|sql| sql.step == "read statements about agents")
        .unwrap();
    let text = sql
        .text
        .replace("$1", "ARRAY['acme']")
        .replace("$2", "ARRAY['agent_7']")
        .replace("$3", "ARRAY['2024-02-01Z']")
        .replace("$4", "ARRAY['2024-02-02Z']");
    let plan = seen(&db, &format!("EXPLAIN {text}")).await.join("\n");
    assert!(!plan.contains("Seq Scan"), "{plan}");
    for index in ["presence", "routing", "scheduled", "team"] {
        assert!(plan.contains(&format!("agent_states_{index}")), "{plan}");
    }
}
