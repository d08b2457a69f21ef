//! What goes wrong with a history: late and revised records, limits of routes, faults, tokens that die early.

use super::{JOBS, Session, day, eventually, small};
use double::config::{Fault, History, Late, Limit, Phase, Place, Revised, Script, Token};
use double::history::Change;
use double::{Config, Kind};
use hyper::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const QUERY: &str = "/api/v2/analytics/conversations/details/query";

fn query() -> Value {
    json!({ "interval": day(1), "paging": { "pageSize": 100, "pageNumber": 1 } })
}

fn status(status: u16, retry_after: Option<u64>, as_date: bool) -> Fault {
    Fault::Status {
        status,
        retry_after,
        as_date,
        store: false,
    }
}

fn faulty(phases: impl IntoIterator<Item = Phase>) -> Config {
    Config {
        faults: Script::of(phases),
        limit: Some(Limit {
            reaction_ms: 0,
            ..Limit::default()
        }),
        ..Config::default()
    }
}

#[tokio::test]
async fn late_conversations_appear_when_it_is_time() {
    let late = Late {
        per_mille: 100,
        after_ms: None,
    };
    let session = Session::with(History { late, ..small() }).await;
    let before = session.submit(&day(1)).await;
    let before = session.pages(&before, 1_000).await[0].ids();
    session.double.change_history(&Change {
        late: Some(true),
        ..Change::default()
    });
    let after = session.submit(&day(1)).await;
    let after = session.pages(&after, 1_000).await[0].ids();
    let missing = after.iter().filter(|id| !before.contains(id));
    assert!((15..60).contains(&missing.count()));
    // One of the two that begin exactly with the day is among them.
    let hits = session.post(QUERY, query()).await;
    let first = &hits.body["conversations"][0];
    let second = &hits.body["conversations"][1];
    assert_eq!(
        first["conversationStart"].as_str().map(|it| &it[..19]),
        Some("2025-01-07T00:00:00")
    );
    assert_eq!(
        second["conversationStart"].as_str().map(|it| &it[..19]),
        Some("2025-01-07T00:00:00")
    );
    let second = second["conversationId"].as_str().unwrap().to_owned();
    assert!(!before.contains(&second) && after.contains(&second));
}

#[tokio::test]
async fn late_conversations_can_appear_by_themselves() {
    let late = Late {
        per_mille: 100,
        after_ms: Some(200),
    };
    let session = Session::with(History { late, ..small() }).await;
    let hits = async || {
        session.post(QUERY, query()).await.body["totalHits"]
            .as_u64()
            .unwrap()
    };
    eventually("all of the day are there", async || hits().await == 300).await;
}

#[tokio::test]
async fn a_revised_conversation_is_told_otherwise_the_next_time() {
    let revised = Revised {
        per_mille: 300,
        ..Revised::default()
    };
    let session = Session::with(History { revised, ..small() }).await;
    let records = async || {
        let answer = session.post(QUERY, query()).await;
        let list = answer.body["conversations"].as_array().unwrap().clone();
        let by_id = list
            .into_iter()
            .map(|it| (it["conversationId"].to_string(), it));
        by_id.collect::<BTreeMap<String, Value>>()
    };
    let before = records().await;
    assert_eq!(before, records().await);
    session.double.change_history(&Change {
        revised: Some(true),
        ..Change::default()
    });
    let after = records().await;
    let changed = before.iter().filter(|(id, it)| after[*id] != **it).count();
    assert!((10..50).contains(&changed), "{changed}");
}

#[tokio::test]
async fn a_limit_of_one_route_leaves_the_others_alone() {
    let route = Limit {
        reaction_ms: 0,
        ..Limit::of(2, Duration::from_secs(3_600))
    };
    let history = History {
        route_limits: BTreeMap::from([("details-job-results".to_owned(), route)]),
        ..small()
    };
    let session = Session::under(faulty([]), history).await;
    let job = session.submit(&day(0)).await;
    for _ in 0..2 {
        assert_eq!(session.page(&job, 10, None).await.status, 200);
    }
    let refused = session.page(&job, 10, None).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.body["code"], "too.many.requests.retry.after");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 3_000);
    // The credential has room, as its headers say.
    let number = |name: &str| refused.header(name).parse::<u32>().unwrap();
    assert!(number("inin-ratelimit-count") < number("inin-ratelimit-allowed"));
    let other = session.get(&format!("{JOBS}/{job}")).await;
    assert_eq!(other.status, 200);
    assert!(session.kinds().is_empty());
    session.page(&job, 10, None).await;
    assert_eq!(session.kinds(), [Kind::IgnoredRetryAfter]);
    let account = session.double.history_account().unwrap();
    let client = account.client().unwrap();
    assert_eq!(client.early, 1);
    assert_eq!(client.routes["details-job-results"].busiest, Some(4));
}

#[tokio::test]
async fn a_scripted_429_binds_its_route_or_the_whole_credential() {
    let wait = Some(3_600);
    let config = faulty([
        Phase::requests(1, status(429, wait, true)).on_routes(&["details-q"]),
        Phase::requests(1, status(429, wait, false)).at(Place::History),
    ]);
    let session = Session::under(config, small()).await;
    let refused = session.post(QUERY, query()).await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").ends_with(" GMT"));
    let count = |answer: &super::Answer| answer.header("inin-ratelimit-count").to_owned();
    assert_eq!(count(&refused), "150");
    let refused = session.get(&format!("{JOBS}/availability")).await;
    assert_eq!((refused.status, count(&refused)), (429, "300".to_owned()));
    assert!(session.kinds().is_empty());
    session.get("/api/v2/users").await;
    assert_eq!(session.kinds(), [Kind::IgnoredRetryAfter]);
}

#[tokio::test]
async fn another_routes_calls_pass_a_phase_by() {
    let config =
        faulty([Phase::requests(1, status(503, None, false)).on_routes(&["details-job-s"])]);
    let session = Session::under(config, small()).await;
    assert_eq!(
        session.get(&format!("{JOBS}/availability")).await.status,
        200
    );
    let refused = session.post(JOBS, json!({ "interval": day(0) })).await;
    assert_eq!(refused.status, 503);
    session.submit(&day(0)).await;
}

#[tokio::test]
async fn calls_are_stalled_and_reset() {
    let config = faulty([
        Phase::requests(1, Fault::Reset { store: false }).at(Place::History),
        Phase::requests(
            1,
            Fault::Stall {
                millis: 3_600_000,
                store: false,
            },
        )
        .at(Place::History),
    ]);
    let session = Session::under(config, small()).await;
    let send = || session.send(Method::POST, QUERY, query().to_string());
    assert!(send().await.is_none());
    assert!(
        tokio::time::timeout(Duration::from_millis(300), send())
            .await
            .is_err()
    );
    assert_eq!(send().await.unwrap().status, 200);
    let account = session.double.history_account().unwrap();
    let client = account.client().unwrap();
    assert_eq!((client.calls, client.needed, client.forced), (3, 1, 2));
    assert_eq!((account.pages.pages, account.pages.delivered), (1, 1));
}

#[tokio::test]
async fn a_token_that_dies_early_makes_one_call_again() {
    let config = Config {
        token: Token {
            honoured_ms: Some(1_500),
            ..Token::default()
        },
        ..Config::default()
    };
    let mut session = Session::under(config, small()).await;
    assert_eq!(session.post(QUERY, query()).await.status, 200);
    eventually("the token is dead", async || {
        session.post(QUERY, query()).await.status == 401
    })
    .await;
    session.login().await;
    assert_eq!(session.post(QUERY, query()).await.status, 200);
    let account = session.double.history_account().unwrap();
    assert_eq!((account.grants, account.unauthorized), (2, 1));
    let client = account.client().unwrap();
    assert_eq!((client.needed, client.forced), (1, 1));
}
