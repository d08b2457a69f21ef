//! What never ends is given up, what has ended comes to rest, and both cost an index of what is not at rest only.

use crate::rows::{JUNE, MAY, db, interaction, now, number, seen, until_someone_waits};
use schema::UtcMicros;
use std::time::Duration;
use store::Store;
use store::interactions::{self, ChangedInteraction, NewInteraction, Status};
use store::sweep;
use testkit::TestDb;

/// Long ago: nothing of the tests is older.
const YEAR_2023: &str = "2023-01-01T00:00:00Z";

fn terminal(id: &str) -> NewInteraction<'_> {
    NewInteraction {
        ended_at: Some(JUNE),
        status: Status::Terminal,
        ..interaction(id)
    }
}

fn changed<'a>(
    id: &'a str,
    status: Status,
    facts: i32,
    state_json: &'a str,
) -> ChangedInteraction<'a> {
    ChangedInteraction {
        tenant: "acme",
        interaction_id: id,
        started_at: Some(MAY),
        ended_at: None,
        status,
        customer_key: None,
        state_json,
        facts,
        metric_versions: &[],
    }
}

async fn insert(store: &Store, rows: &[NewInteraction<'_>]) {
    committed!(store, |tx| interactions::insert_new(
        &tx,
        rows,
        &interactions::Evaluated::NEVER
    ));
}

/// Moves the time of writing, which the store sets by itself.
async fn written(db: &TestDb, id: &str, created_at: &str, updated_at: &str) {
    db.client()
        .await
        .batch_execute(&format!(
            "UPDATE interactions SET created_at = '{created_at}', updated_at = '{updated_at}' WHERE interaction_id = '{id}'"
        ))
        .await
        .unwrap();
}

async fn settled(db: &TestDb) -> Vec<String> {
    seen(
        db,
        "SELECT interaction_id FROM interactions WHERE settled_at IS NOT NULL ORDER BY 1",
    )
    .await
}

#[tokio::test]
async fn open_interactions_without_news_are_found_oldest_first_page_by_page() {
    let (db, store) = db().await;
    let ids = ["a", "b", "c", "d", "news", "swept"];
    let rows: Vec<_> = ids
        .iter()
        .map(|id| interaction(id))
        .chain([terminal("ended")])
        .collect();
    insert(&store, &rows).await;
    for (id, created_at) in [
        ("d", "2024-01-01Z"),
        ("b", "2024-01-02Z"),
        ("a", "2024-01-02Z"),
        ("c", "2024-01-03Z"),
    ] {
        written(&db, id, created_at, "2024-02-01Z").await;
    }
    written(&db, "news", YEAR_2023, "2024-07-01Z").await;
    written(&db, "ended", YEAR_2023, YEAR_2023).await;
    written(&db, "swept", YEAR_2023, YEAR_2023).await;
    committed!(store, |tx| sweep::mark_swept(&tx, &[("acme", "swept")]));
    let client = store.client().await.unwrap();
    let mut found = Vec::new();
    let mut last = None;
    loop {
        let page = sweep::due(&client, JUNE, last.as_ref(), 2).await.unwrap();
        let Some(newest) = page.last() else { break };
        found.extend(page.iter().map(|row| row.interaction_id.clone()));
        last = Some(newest.clone());
    }
    assert_eq!(found, ["d", "a", "b", "c"]);
    let last = last.unwrap();
    assert_eq!(
        (last.state_json.as_str(), last.revision),
        (r#"{"f": [], "v": 1}"#, 1)
    );
}

#[tokio::test]
async fn giving_up_asks_the_history_once_and_spares_what_has_ended() {
    let (db, store) = db().await;
    insert(&store, &[interaction("open"), terminal("ended")]).await;
    let keys = [("acme", "open"), ("acme", "ended"), ("acme", "absent")];
    assert_eq!(committed!(store, |tx| sweep::mark_swept(&tx, &keys)), 1);
    assert_eq!(committed!(store, |tx| sweep::mark_swept(&tx, &keys)), 0);
    assert_eq!(
        committed!(store, |tx| sweep::mark_swept::<&str, &str>(&tx, &[])),
        0
    );
    let asked = "SELECT tenant, interaction_id, reason FROM history_requests";
    assert_eq!(seen(&db, asked).await, ["acme|open|never ended"]);
    let health = "SELECT scope, value FROM pipeline_health WHERE measure = 'history_requests'";
    assert_eq!(seen(&db, health).await, ["acme|1"]);
    let locked = committed!(store, |tx| interactions::lock(&tx, &keys));
    let swept: Vec<_> = locked
        .iter()
        .map(|row| (row.interaction_id.as_str(), row.swept))
        .collect();
    assert_eq!(swept, [("ended", false), ("open", true)]);
    // The answer supplies an end: it was given up all the same.
    let end = changed("open", Status::Terminal, 1, "{}");
    committed!(store, |tx| interactions::update(
        &tx,
        &[end],
        &interactions::Evaluated::NEVER
    ));
    let read = interactions::get(&store.client().await.unwrap(), "acme", "open")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((read.swept, read.status), (true, Status::Terminal));
}

#[tokio::test]
async fn only_what_ended_and_had_no_news_since_settles() {
    let (db, store) = db().await;
    let no_end = NewInteraction {
        ended_at: None,
        ..terminal("no_end")
    };
    let overfull = NewInteraction {
        status: Status::Overfull,
        ..terminal("overfull")
    };
    let late_end = NewInteraction {
        ended_at: Some(UtcMicros(JUNE.0 + 1)),
        ..terminal("late_end")
    };
    let rows = [
        terminal("quiet"),
        no_end,
        overfull,
        late_end,
        terminal("news"),
        interaction("open"),
        interaction("given_up"),
    ];
    insert(&store, &rows).await;
    for row in &rows {
        written(&db, row.interaction_id, YEAR_2023, YEAR_2023).await;
    }
    committed!(store, |tx| sweep::mark_swept(&tx, &[("acme", "given_up")]));
    // An instant after the end of all but one, and before the news of another.
    written(&db, "news", YEAR_2023, "2024-06-01T00:00:00.000001Z").await;
    let client = store.client().await.unwrap();
    let until = UtcMicros(JUNE.0 + 1);
    assert_eq!(
        sweep::settle(&client, until, MAY, None, 3)
            .await
            .unwrap()
            .settled,
        3
    );
    assert_eq!(
        sweep::settle(&client, until, MAY, None, 3)
            .await
            .unwrap()
            .settled,
        1
    );
    assert_eq!(
        sweep::settle(&client, until, MAY, None, 3)
            .await
            .unwrap()
            .settled,
        0
    );
    assert_eq!(
        settled(&db).await,
        ["given_up", "no_end", "overfull", "quiet"]
    );
}

#[tokio::test]
async fn an_inferred_end_is_asked_for_once_and_settles_when_it_is_confirmed_or_nobody_answers() {
    let (db, store) = db().await;
    let provisional = |id| NewInteraction {
        status: Status::Provisional,
        ..terminal(id)
    };
    insert(&store, &[provisional("a"), provisional("b"), terminal("c")]).await;
    let rest = async |asked_before: UtcMicros| {
        for id in ["a", "b", "c"] {
            written(&db, id, YEAR_2023, YEAR_2023).await;
        }
        let client = store.client().await.unwrap();
        let rested = sweep::settle(&client, UtcMicros(JUNE.0 + 1), asked_before, None, 10)
            .await
            .unwrap();
        (rested.settled, rested.asked)
    };
    let requests = async || {
        seen(
            &db,
            "SELECT interaction_id, reason FROM history_requests ORDER BY 1",
        )
        .await
    };
    let long_ago = MAY;
    assert_eq!(rest(long_ago).await, (1, 2));
    assert_eq!(settled(&db).await, ["c"]);
    assert_eq!(requests().await, ["a|inferred_end", "b|inferred_end"]);
    let keys = [("acme", "a")];
    let locked = committed!(store, |tx| interactions::lock(&tx, &keys));
    assert!(locked[0].confirmation_asked);
    assert_eq!(locked[0].status, Status::Provisional);
    // Whoever asked took the request away; more news of an end that is still inferred ask no second time.
    db.client()
        .await
        .batch_execute("DELETE FROM history_requests")
        .await
        .unwrap();
    let news = ChangedInteraction {
        ended_at: Some(JUNE),
        ..changed("a", Status::Provisional, 1, "{}")
    };
    committed!(store, |tx| interactions::update(
        &tx,
        &[news],
        &interactions::Evaluated::NEVER
    ));
    assert_eq!(rest(long_ago).await, (0, 0));
    assert_eq!(requests().await, Vec::<String>::new());
    // The record confirms it.
    let confirmed = changed("a", Status::Terminal, 2, "{}");
    committed!(store, |tx| interactions::update(
        &tx,
        &[confirmed],
        &interactions::Evaluated::NEVER
    ));
    let locked = committed!(store, |tx| interactions::lock(&tx, &keys));
    assert!(!locked[0].confirmation_asked);
    assert_eq!(rest(long_ago).await, (1, 0));
    assert_eq!(settled(&db).await, ["a", "c"]);
    // Nobody answers of the other one.
    assert_eq!(rest(UtcMicros(now().0 + 60_000_000)).await, (1, 0));
    assert_eq!(settled(&db).await, ["a", "b", "c"]);
    // It went on and ended anew: that is another end to ask for.
    for status in [Status::Open, Status::Provisional] {
        let news = changed("a", status, 3, "{}");
        committed!(store, |tx| interactions::update(
            &tx,
            &[news],
            &interactions::Evaluated::NEVER
        ));
    }
    assert_eq!(rest(long_ago).await, (0, 1));
}

#[tokio::test]
async fn news_unsettle_and_a_set_of_versions_does_not() {
    let (db, store) = db().await;
    insert(&store, &[terminal("a")]).await;
    let rest = async || {
        written(&db, "a", YEAR_2023, YEAR_2023).await;
        sweep::settle(
            &store.client().await.unwrap(),
            UtcMicros(JUNE.0 + 1),
            MAY,
            None,
            10,
        )
        .await
        .unwrap();
        settled(&db).await.len()
    };
    let first = r#"{"v":1,"f":["one"]}"#;
    let revised = r#"{"v":1,"f":["two"]}"#;
    // More facts; then a revision, which leaves their number as it was.
    for (facts, state) in [(1, first), (1, revised)] {
        // What ended at an instant unknown counts by its last writing, so it can settle each time.
        assert_eq!(rest().await, 1);
        let news = changed("a", Status::Terminal, facts, state);
        committed!(store, |tx| interactions::update(
            &tx,
            &[news],
            &interactions::Evaluated::NEVER
        ));
        assert_eq!(settled(&db).await.len(), 0, "{state}");
    }
    assert_eq!(rest().await, 1);
    let job = ChangedInteraction {
        metric_versions: &[2],
        ..changed("a", Status::Terminal, 1, revised)
    };
    committed!(store, |tx| interactions::update(
        &tx,
        &[job],
        &interactions::Evaluated::NEVER
    ));
    assert_eq!(settled(&db).await, ["a"]);
}

#[tokio::test]
async fn settling_leaves_out_what_is_being_changed_and_waits_for_nobody() {
    let (db, store) = db().await;
    insert(&store, &[terminal("a"), terminal("b")]).await;
    for id in ["a", "b"] {
        written(&db, id, YEAR_2023, YEAR_2023).await;
    }
    let mut client = store.client().await.unwrap();
    let writer = client.transaction().await.unwrap();
    interactions::lock(&writer, &[("acme", "a")]).await.unwrap();
    assert_eq!(
        sweep::settle(&store.client().await.unwrap(), MAY, MAY, None, 10)
            .await
            .unwrap()
            .settled,
        0,
        "ended later"
    );
    let after_end = UtcMicros(JUNE.0 + 1);
    assert_eq!(
        sweep::settle(&store.client().await.unwrap(), after_end, MAY, None, 10)
            .await
            .unwrap()
            .settled,
        1
    );
    assert_eq!(settled(&db).await, ["b"]);
    writer.commit().await.unwrap();
    assert_eq!(
        sweep::settle(&store.client().await.unwrap(), after_end, MAY, None, 10)
            .await
            .unwrap()
            .settled,
        1
    );
}

/// An interaction gets news while it is being given up: whoever comes second sees what the first did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn giving_up_and_news_exclude_each_other() {
    let (db, store) = db().await;
    insert(&store, &[interaction("a")]).await;
    let due = sweep::due(
        &store.client().await.unwrap(),
        UtcMicros(now().0 + 1_000_000),
        None,
        10,
    )
    .await
    .unwrap();
    let read = due.first().unwrap().revision;
    let mut client = store.client().await.unwrap();
    let writer = client.transaction().await.unwrap();
    interactions::lock(&writer, &[("acme", "a")]).await.unwrap();
    let sweeper = tokio::spawn({
        let store = store.clone();
        async move { committed!(store, |tx| interactions::lock(&tx, &[("acme", "a")])) }
    });
    until_someone_waits(&db).await;
    let news = changed("a", Status::Open, 1, "{}");
    interactions::update(&writer, &[news], &interactions::Evaluated::NEVER)
        .await
        .unwrap();
    writer.commit().await.unwrap();
    let locked = sweeper.await.unwrap();
    assert_ne!(
        locked.first().unwrap().revision,
        read,
        "the sweeper sees that there has been news"
    );
}

#[tokio::test]
async fn updates_stay_on_their_page_until_an_interaction_settles() {
    let (db, store) = db().await;
    let ids: Vec<String> = (0..8).map(|id| format!("int_{id}")).collect();
    let rows: Vec<_> = ids.iter().map(|id| interaction(id)).collect();
    insert(&store, &rows).await;
    for (facts, status) in [
        (1, Status::Open),
        (2, Status::Open),
        (3, Status::Terminal),
        (4, Status::Terminal),
    ] {
        let rows: Vec<_> = ids
            .iter()
            .map(|id| changed(id, status, facts, "{}"))
            .collect();
        committed!(store, |tx| interactions::update(
            &tx,
            &rows,
            &interactions::Evaluated::NEVER
        ));
    }
    // A session's counts become visible when it ends.
    drop(store);
    testkit::eventually(
        Duration::from_secs(10),
        "the updates are counted",
        async || {
            number(
                &db,
                "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'interactions'",
            )
            .await
                == 32
        },
    )
    .await;
    assert_eq!(
        number(
            &db,
            "SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'interactions'"
        )
        .await,
        32
    );
}

/// A day's worth of inferred ends whose record was asked for, and behind them what can settle.
#[tokio::test]
async fn what_waits_for_a_record_is_passed_once_a_round_and_no_step_looks_at_all_of_it() {
    let (db, store) = db().await;
    let ids: Vec<String> = (0..3000).map(|id| format!("int_{id:04}")).collect();
    for ids in ids.chunks(50) {
        let rows: Vec<_> = ids.iter().map(|id| terminal(id)).collect();
        insert(&store, &rows).await;
    }
    let client = db.client().await;
    let run = async |sql: &str| client.batch_execute(sql).await.unwrap();
    run("UPDATE interactions SET end_inferred = true, confirmation_asked_at = now() WHERE interaction_id < 'int_2900'").await;
    run("VACUUM ANALYZE interactions").await;
    let settle = store::statements::all()
        .find(|sql| sql.step == "settle interactions")
        .unwrap();
    run(&format!("PREPARE settle AS {}", settle.text)).await;
    let later = "now() + interval '1 hour'";
    let plan: Vec<String> = client
        .query(
            &format!(
                "EXPLAIN (ANALYZE, TIMING off, COSTS off) EXECUTE settle ({later}, '2000-01-01', '2000-01-01', '', '', 100, 200)"
            ),
            &[],
        )
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    // Given out or sieved away: no step of the plan looked at more than it was to, but for those that arrived together with the last.
    let looked_at = plan.iter().flat_map(|line| {
        ["(actual rows=", "Rows Removed by Filter: "]
            .into_iter()
            .filter_map(move |what| {
                line.split_once(what)?
                    .1
                    .split([' ', '.'])
                    .next()?
                    .parse()
                    .ok()
            })
    });
    let most: u32 = looked_at.max().unwrap();
    assert!((200..=300).contains(&most), "{}", plan.join("\n"));
    // And still a round comes to what is behind.
    let client = store.client().await.unwrap();
    let until = UtcMicros(now().0 + 60_000_000);
    let (mut steps, mut settled, mut after) = (0, 0, None);
    loop {
        let step = sweep::settle(&client, until, MAY, after.as_ref(), 20).await;
        let step = step.unwrap();
        steps += 1;
        settled += step.settled;
        assert_eq!(step.asked, 0);
        after = step.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(settled, 100);
    // 2900 at 400 a step, 100 at 20 a step.
    assert!((12..=15).contains(&steps), "{steps}");
}

/// The statistics are of a time when all was settled, as after a quiet night; then a history of thousands is imported.
#[tokio::test]
async fn sweeping_and_settling_read_no_more_than_a_page_whatever_the_statistics_say() {
    let (db, store) = db().await;
    let ids: Vec<String> = (0..3000).map(|id| format!("int_{id}")).collect();
    for ids in ids.chunks(100) {
        let rows: Vec<_> = ids.iter().map(|id| interaction(id)).collect();
        insert(&store, &rows).await;
    }
    let client = db.client().await;
    let run = async |sql: &str| client.batch_execute(sql).await.unwrap();
    run("UPDATE interactions SET settled_at = now()").await;
    run("VACUUM ANALYZE interactions").await;
    run("UPDATE interactions SET settled_at = NULL").await;
    let text = |step: &str| {
        store::statements::all()
            .find(|sql| sql.step == step)
            .unwrap()
            .text
    };
    let due = text("look for interactions that never ended");
    let settle = text("settle interactions");
    run(&format!("PREPARE due AS {due}; PREPARE settle AS {settle}")).await;
    // The most rows that any step of the plan really gave out.
    let most = async |call: &str| -> (u32, String) {
        let plan: Vec<String> = client
            .query(
                &format!("EXPLAIN (ANALYZE, TIMING off, COSTS off) EXECUTE {call}"),
                &[],
            )
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        let rows = plan.iter().filter_map(|line| {
            let (_, rest) = line.split_once("(actual rows=")?;
            rest.split(' ').next()?.parse().ok()
        });
        (rows.max().unwrap(), plan.join("\n"))
    };
    // All have been there for longer than a moment.
    let later = "now() + interval '1 hour'";
    let (rows, plan) = most(&format!("due({later}, '2000-01-01', '', '', 100)")).await;
    assert!((100..=200).contains(&rows), "{plan}");
    run("UPDATE interactions SET status = 'terminal'").await;
    let (rows, plan) = most(&format!(
        "settle({later}, {later}, '2000-01-01', '', '', 100, 100)"
    ))
    .await;
    assert!((100..=200).contains(&rows), "{plan}");
}
