//! Genesys' synchronous questions.

use super::{Session, day, millis, small};
use double::Config;
use double::Kind;
use double::config::{Admin, Clock, History, Pages, Query};
use double::history::{Change, Moment, Platform, Totals, truth};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const QUERY: &str = "/api/v2/analytics/conversations/details/query";
const AGGREGATES: &str = "/api/v2/analytics/conversations/aggregates/query";

fn paged(interval: &str, size: u32, page: u32) -> Value {
    json!({
        "interval": interval, "order": "asc", "orderBy": "conversationStart",
        "paging": { "pageSize": size, "pageNumber": page },
    })
}

#[tokio::test]
async fn a_query_brings_what_began_on_the_days_and_ends_without_a_list() {
    let session = Session::with(small()).await;
    let mut ids = Vec::new();
    for page in 1..=4 {
        let answer = session.post(QUERY, paged(&day(1), 100, page)).await;
        assert_eq!(answer.body["totalHits"], 300);
        assert_eq!(answer.body.get("conversations").is_none(), page == 4);
        assert!(!answer.text.contains("\"attributes\""));
        ids.extend(answer.ids());
    }
    let start = Moment::parse("2025-01-07T00:00:00Z").unwrap();
    let expected: Vec<String> = truth(&small(), Platform::Genesys, false, None)
        .filter(|it| it.start >= start && it.start.0 < start.0 + super::DAY_MS)
        .map(|it| it.id)
        .collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn a_query_has_its_limits() {
    let query = Query {
        hits_max: 200,
        ..Query::default()
    };
    let session = Session::with(History { query, ..small() }).await;
    let refused = async |body: Value| {
        let answer = session.post(QUERY, body).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        answer.body["message"].as_str().unwrap().to_owned()
    };
    let words = refused(paged(&day(1), 100, 3)).await;
    assert_eq!(words, "Pagination may not exceed 200 results.");
    refused(paged(&day(1), 101, 1)).await;
    refused(paged(&day(1), 100, 0)).await;
    let eight_days = "2025-01-06T00:00:00Z/2025-01-14T00:00:00Z";
    refused(paged(eight_days, 100, 1)).await;
    let mut filtered = paged(eight_days, 100, 1);
    filtered["conversationFilters"] = json!([{ "type": "and", "predicates": [
        { "type": "dimension", "dimension": "conversationEnd", "operator": "notExists" },
    ] }]);
    let open = session.post(QUERY, filtered).await;
    assert_eq!(open.status, 200);
    assert_eq!(open.body["totalHits"], 3);
}

#[tokio::test]
async fn records_move_between_pages_until_they_have() {
    let pages = Pages {
        moves: 2,
        ..Pages::default()
    };
    let session = Session::with(History { pages, ..small() }).await;
    let mut walks = Vec::new();
    for _ in 0..2 {
        let mut ids = Vec::new();
        for page in 1..=3 {
            let answer = session.post(QUERY, paged(&day(1), 100, page)).await;
            assert_eq!(answer.body["totalHits"], 300);
            ids.extend(answer.ids());
        }
        assert_eq!(ids.len(), 300);
        walks.push(ids.into_iter().collect::<BTreeSet<_>>().len());
    }
    assert_eq!(walks, [298, 300]);
}

#[tokio::test]
async fn single_records_are_found_by_their_ids() {
    let session = Session::with(small()).await;
    let rows: Vec<_> = truth(&small(), Platform::Genesys, false, None)
        .map(|it| it.id)
        .collect();
    let base = "/api/v2/analytics/conversations";
    let one = session.get(&format!("{base}/{}/details", rows[137])).await;
    assert_eq!(one.body["conversationId"], rows[137]);
    let ids = format!("{},{},nonsense", rows[5], rows[800]);
    let some = session.get(&format!("{base}/details?id={ids}")).await;
    assert_eq!(some.ids(), [rows[5].clone(), rows[800].clone()]);
    assert!(some.body.get("totalHits").is_none());
    let unknown = "00000000-0000-4000-8000-000000000000";
    let none = session.get(&format!("{base}/{unknown}/details")).await;
    assert_eq!(
        (none.status, &none.body["code"]),
        (404, &json!("not found"))
    );
    let empty = session.get(&format!("{base}/details?id={unknown}")).await;
    assert_eq!(empty.text, "{}");
}

fn stat(answer: &Value, metric: &str, stat: &str) -> i64 {
    let results = answer["results"].as_array().unwrap().iter();
    results
        .flat_map(|it| it["data"].as_array().unwrap())
        .flat_map(|it| it["metrics"].as_array().unwrap())
        .filter(|it| it["metric"] == metric)
        .map(|it| it["stats"][stat].as_i64().unwrap())
        .sum()
}

#[tokio::test]
async fn aggregates_add_up_to_the_truth_however_they_are_cut() {
    let history = History {
        open_every: 0,
        ..small()
    };
    let totals = Totals::of(truth(&history, Platform::Genesys, false, None));
    let session = Session::with(history).await;
    let interval = "2025-01-06T00:00:00Z/2025-01-13T00:00:00Z";
    for body in [
        json!({ "interval": interval }),
        json!({ "interval": interval, "granularity": "PT30M" }),
        json!({ "interval": interval, "granularity": "P1D", "groupBy": ["mediaType", "queueId"] }),
        json!({ "interval": interval, "groupBy": ["userId"] }),
    ] {
        let answer = session.post(AGGREGATES, body).await.body;
        assert_eq!(stat(&answer, "nConversations", "count"), 900);
        assert_eq!(stat(&answer, "tHandle", "sum"), totals.handle_ms);
        assert_eq!(stat(&answer, "tAcd", "sum"), totals.wait_ms);
        assert_eq!(stat(&answer, "tTalkComplete", "sum"), totals.talk_ms);
        let abandoned = i64::try_from(totals.abandoned).unwrap();
        assert_eq!(stat(&answer, "tAbandon", "count"), abandoned);
        let offered = stat(&answer, "nOffered", "count");
        assert_eq!(stat(&answer, "tAnswered", "count") + abandoned, offered);
    }
}

#[tokio::test]
async fn aggregates_count_what_became_known_in_the_interval_and_filter() {
    let session = Session::with(small()).await;
    let mut started = 0;
    for nth in 0..3 {
        let body = json!({ "interval": day(nth), "metrics": ["nConversations"] });
        let answer = session.post(AGGREGATES, body).await.body;
        assert_eq!(stat(&answer, "nConversations", "count"), 300);
        assert_eq!(stat(&answer, "tHandle", "sum"), 0, "not asked for");
        started += 300;
    }
    assert_eq!(started, 900);
    let of = async |filter: Value| {
        let interval = "2025-01-06T00:00:00Z/2025-01-13T00:00:00Z";
        let body = json!({ "interval": interval, "filter": filter });
        session.post(AGGREGATES, body).await.body
    };
    let media = |value: &str| json!({ "type": "dimension", "dimension": "mediaType", "operator": "matches", "value": value });
    let both = of(json!({ "type": "or", "predicates": [media("voice"), media("chat")] })).await;
    let voice = of(json!({ "type": "and", "predicates": [media("voice")] })).await;
    let chat = of(json!({ "type": "and", "predicates": [media("chat")] })).await;
    let handled = |answer: &Value| stat(answer, "tHandle", "count");
    assert!(handled(&chat) > 0);
    assert_eq!(handled(&both), handled(&voice) + handled(&chat));
    let nothing = session
        .post(
            AGGREGATES,
            json!({ "interval": "2024-01-01T00:00:00Z/2024-01-02T00:00:00Z" }),
        )
        .await;
    assert_eq!(nothing.text, "{}");
}

#[tokio::test]
async fn an_instant_without_zone_is_the_accounts_and_remembered() {
    let session = Session::with(small()).await;
    let answer = session
        .post(
            QUERY,
            paged("2025-01-07T00:00:00/2025-01-08T00:00:00", 100, 1),
        )
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(session.kinds(), [Kind::NoZone, Kind::NoZone]);
    // Five hours later in New York: two of UTC's days are touched.
    assert_eq!(answer.body["totalHits"], 600);
}

#[tokio::test]
async fn what_a_client_may_not_do_is_403_in_genesys_words() {
    let config = Config {
        admin: Admin {
            permissions: Some(vec!["analytics:userDetail:view".to_owned()]),
            ..Admin::default()
        },
        ..Config::default()
    };
    let session = Session::under(config, small()).await;
    let answer = session.post(QUERY, paged(&day(0), 100, 1)).await;
    assert_eq!(answer.status, 403);
    let words = answer.body["message"].as_str().unwrap();
    assert!(
        words.contains("missing the following permission(s)"),
        "{words}"
    );
    assert!(
        words.contains("analytics:conversationDetail:view"),
        "{words}"
    );
    let users = json!({ "interval": day(0), "paging": { "pageSize": 10, "pageNumber": 1 } });
    let users = session
        .post("/api/v2/analytics/users/details/query", users)
        .await;
    assert_eq!(users.status, 200);
    assert_eq!(users.body["userDetails"].as_array().unwrap().len(), 10);
    assert_eq!(users.body["totalHits"], 40);
}

#[tokio::test]
async fn users_and_limits_are_listed() {
    let session = Session::with(small()).await;
    let active = session.get("/api/v2/users?pageSize=25").await.body;
    assert_eq!(active["total"], 38, "the last of twenty is inactive");
    assert!(active["nextUri"].is_string());
    let any = session
        .get("/api/v2/users?pageSize=25&pageNumber=2&state=any")
        .await
        .body;
    assert_eq!((&any["total"], &any["pageCount"]), (&json!(40), &json!(2)));
    assert!(any.get("nextUri").is_none());
    let base = "/api/v2/organizations/limits/namespaces";
    let names = session.get(base).await.body;
    let name = names["entities"][0].as_str().unwrap();
    let limits = session.get(&format!("{base}/{name}")).await.body;
    assert!(limits["entities"][0]["value"].is_number());
    assert_eq!(session.get(&format!("{base}/none")).await.status, 404);
}

#[tokio::test]
async fn time_goes_on_and_the_open_ones_end() {
    let history = History {
        clock: Clock {
            now: Moment::parse("2025-01-06T20:00:00Z"),
            ..Clock::default()
        },
        ..small()
    };
    let session = Session::with(history).await;
    let count = async || session.post(QUERY, paged(&day(0), 100, 1)).await.body;
    let before = count().await["totalHits"].as_u64().unwrap();
    assert!((190..220).contains(&before), "{before}");
    session.double.change_history(&Change {
        now: Moment::parse("2025-01-07T00:00:00Z"),
        ..Change::default()
    });
    let after = count().await;
    assert_eq!(after["totalHits"], 300);
    let first = &after["conversations"][2];
    let id = first["conversationId"].as_str().unwrap();
    let path = format!("/api/v2/analytics/conversations/{id}/details");
    let known = session.get(&path).await.body;
    assert!(millis(&known["conversationStart"]) < Moment::parse("2025-01-07T00:00:00Z").unwrap().0);
}
