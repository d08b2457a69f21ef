//! CXone's history calls.

use super::{Answer, Session, eventually, small};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use double::config::{Admin, Clock, Contacts, Extraction, History, Pages};
use double::history::{Moment, Platform, Totals, Truth, truth};
use double::{Config, Kind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const BASE: &str = "/incontactapi/services/v30.0";
const EXTRACTIONS: &str = "/data-extraction/v1/jobs";
const ALL: &str = "startDate=2025-01-06T00:00:00Z&endDate=2025-01-10T00:00:00Z";

async fn completed(session: &Session, query: &str) -> Answer {
    session
        .get(&format!("{BASE}/contacts/completed?{query}"))
        .await
}

async fn all(session: &Session) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut path = format!("{BASE}/contacts/completed?{ALL}&top=250");
    loop {
        let page = session.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.text);
        rows.extend(page.body["completedContacts"].as_array().unwrap().clone());
        let next = page.body["_links"]["next"].as_str().map(str::to_owned);
        match next.filter(|next| *next != path) {
            Some(next) => path = next,
            None => return rows,
        }
    }
}

/// Seconds of a row, in milliseconds.
#[allow(clippy::cast_possible_truncation)] // rounded, and below 2^53
fn of(row: &Value, name: &str) -> i64 {
    (row[name].as_f64().unwrap() * 1_000.0).round() as i64
}

#[tokio::test]
async fn contacts_add_up_to_the_truth() {
    let session = Session::with(small()).await;
    let rows = all(&session).await;
    let mut by_master: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    let mut contacts = BTreeSet::new();
    for row in &rows {
        assert!(contacts.insert(row["contactId"].as_i64().unwrap()), "{row}");
        let parts = [
            "preQueueSeconds",
            "inQueueSeconds",
            "agentSeconds",
            "postQueueSeconds",
        ];
        let parts: i64 = parts.iter().map(|name| of(row, name)).sum();
        assert_eq!(of(row, "totalDurationSeconds"), parts, "{row}");
        assert!(of(row, "holdSeconds") <= of(row, "agentSeconds"));
        assert_eq!(row["routingTime"].as_i64(), Some(of(row, "inQueueSeconds")));
        by_master
            .entry(row["masterContactId"].to_string())
            .or_default()
            .push(row);
    }
    let expected: Vec<Truth> = truth(&small(), Platform::Cxone, false, None).collect();
    assert_eq!(by_master.len(), expected.len());
    for it in expected {
        let rows = &by_master[&it.id];
        let sum = |name: &str| rows.iter().map(|row| of(row, name)).sum::<i64>();
        let talk = sum("agentSeconds") - sum("holdSeconds");
        assert_eq!(it.talk_ms.unwrap_or(0), talk, "{rows:?}");
        assert_eq!(it.hold_ms.unwrap_or(0), sum("holdSeconds"));
        assert_eq!(it.wrap_ms.unwrap_or(0), sum("acwSeconds"));
        assert_eq!(it.wait_ms.unwrap_or(0), sum("inQueueSeconds"));
        assert_eq!(
            it.outcome == "abandoned",
            rows.iter().any(|row| row["abandoned"] == true)
        );
    }
    assert!(rows.iter().any(|row| row["isRefused"] == true));
    assert!(
        rows.iter()
            .any(|row| row["transferIndicatorName"] == "Consult")
    );
}

#[tokio::test]
async fn pages_have_totals_and_links_and_nothing_is_204() {
    let session = Session::with(small()).await;
    let first = completed(&session, &format!("{ALL}&skip=0&top=100"))
        .await
        .body;
    let total = first["totalRecords"].as_u64().unwrap();
    assert!((900..1_100).contains(&total), "{total}");
    assert!(
        first["_links"]["next"]
            .as_str()
            .unwrap()
            .starts_with(&session.double.url())
    );
    assert!(first["lastPollTime"].as_str().unwrap().ends_with('Z'));
    let beyond = completed(&session, &format!("{ALL}&skip=5000&top=100")).await;
    assert_eq!((beyond.status, beyond.text.as_str()), (204, ""));
    let nothing = "startDate=2024-01-06T00:00:00Z&endDate=2024-01-10T00:00:00Z";
    assert_eq!(completed(&session, nothing).await.status, 204);
    for wrong in [
        "endDate=2025-01-10T00:00:00Z",
        "startDate=2025-01-06T00:00:00Z&endDate=2025-03-10T00:00:00Z",
        "startDate=2025-01-10T00:00:00Z&endDate=2025-01-06T00:00:00Z",
        &format!("{ALL}&top=10001"),
    ] {
        let refused = completed(&session, wrong).await;
        assert_eq!(refused.status, 400, "{wrong}");
        assert!(!refused.header("icstatusdescription").is_empty());
    }
}

#[tokio::test]
async fn a_row_at_the_end_belongs_to_both_ranges() {
    let session = Session::with(small()).await;
    let ids = async |from: &str, until: &str| -> BTreeSet<i64> {
        let rows = completed(&session, &format!("startDate={from}&endDate={until}")).await;
        let rows = rows.body["completedContacts"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["contactId"].as_i64().unwrap())
            .collect()
    };
    let first = ids("2025-01-06T00:00:00Z", "2025-01-07T00:00:00Z").await;
    let second = ids("2025-01-07T00:00:00Z", "2025-01-08T00:00:00Z").await;
    assert_eq!(first.intersection(&second).count(), 2);
}

#[tokio::test]
async fn rows_move_and_links_do_not_end() {
    let pages = Pages {
        repeat_cursor: true,
        moves: 3,
        overlap: 0,
    };
    let session = Session::with(History { pages, ..small() }).await;
    let distinct = |rows: &[Value]| {
        let ids = rows.iter().map(|row| row["contactId"].as_i64().unwrap());
        ids.collect::<BTreeSet<_>>().len()
    };
    // The helper stops where a link does not move.
    let mut path = format!("{BASE}/contacts/completed?{ALL}&top=250&skip=0");
    let mut rows = Vec::new();
    let mut calls = 0;
    loop {
        let page = session.get(&path).await;
        rows.extend(page.body["completedContacts"].as_array().unwrap().clone());
        calls += 1;
        let next = page.body["_links"]["next"].as_str().unwrap().to_owned();
        let own = page.body["_links"]["self"].as_str().unwrap();
        if next == own {
            break;
        }
        path = next;
    }
    assert_eq!(calls, rows.len().div_ceil(250));
    assert!(distinct(&rows) < rows.len());
    assert_eq!(distinct(&rows), rows.len() - 3);
}

#[tokio::test]
async fn after_call_work_comes_later_than_its_contact() {
    let history = History {
        clock: Clock {
            now: Moment::parse("2025-01-07T18:00:00Z"),
            ..Clock::default()
        },
        contacts: Contacts {
            wrap_after_ms: 1_800_000,
            ..Contacts::default()
        },
        ..small()
    };
    let session = Session::with(history).await;
    let pending = |rows: &[Value]| -> Vec<Value> {
        let of_agents = rows.iter().filter(|row| row["agentId"] != 0);
        of_agents
            .filter(|row| row["dateACWWarehoused"].is_null())
            .cloned()
            .collect()
    };
    let rows = all(&session).await;
    let waiting = pending(&rows);
    assert!((1..30).contains(&waiting.len()), "{}", waiting.len());
    assert!(waiting.iter().all(|row| row["acwSeconds"] == 0));
    session.double.change_history(&double::history::Change {
        now: Moment::parse("2025-01-07T19:00:00Z"),
        ..double::history::Change::default()
    });
    let id = &waiting[0]["contactId"];
    let now = session.get(&format!("{BASE}/contacts/{id}")).await.body;
    assert!(now["dateACWWarehoused"].is_string());
    assert_eq!(now["lastUpdateTime"], waiting[0]["lastUpdateTime"]);
    assert_eq!(now["stateName"], "EndContact");
}

#[tokio::test]
async fn states_of_contacts_and_agents_follow_each_other() {
    let session = Session::with(small()).await;
    let rows = all(&session).await;
    let transferred = rows
        .iter()
        .find(|row| row["transferIndicatorName"] == "ReSkill")
        .unwrap();
    let id = &transferred["contactId"];
    let family = session
        .get(&format!("{BASE}/contacts/{id}/hierarchy"))
        .await
        .body;
    assert_eq!(&family["masterContactId"], id);
    assert_eq!(family["childContacts"].as_array().unwrap().len(), 1);
    let states = session
        .get(&format!("{BASE}/contacts/{id}/state-history"))
        .await
        .body;
    let names: Vec<&str> = states["contactStateHistory"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["contactStateName"].as_str().unwrap())
        .collect();
    assert_eq!(names[..3], ["PreQueue", "InQueue", "Inbound"]);
    assert_eq!(names.last(), Some(&"EndContact"));
    let range = session
        .get(&format!("{BASE}/contacts/state-history?{ALL}"))
        .await
        .body;
    let known = range["contactStateHistory"].as_array().unwrap();
    let text = id.to_string();
    let of_one = known.iter().filter(|it| it["contactId"] == text.as_str());
    assert_eq!(of_one.count(), names.len());
    let states = session
        .get(&format!("{BASE}/agents/state-history?{ALL}"))
        .await
        .body;
    let states = states["agentStateHistory"].as_array().unwrap();
    let keys: BTreeSet<(i64, i64)> = states
        .iter()
        .map(|it| {
            (
                it["agentSessionId"].as_i64().unwrap(),
                it["stateIndex"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(keys.len(), states.len());
    let words: BTreeSet<&str> = states
        .iter()
        .map(|it| it["agentStateName"].as_str().unwrap())
        .collect();
    assert_eq!(
        words,
        BTreeSet::from(["Available", "Unavailable", "Working"])
    );
    assert!(
        states
            .iter()
            .all(|it| it["duration"].as_str().unwrap().starts_with("PT"))
    );
    let agent = &states[0]["agentId"];
    let own = session
        .get(&format!("{BASE}/agents/{agent}/state-history?{ALL}"))
        .await
        .body;
    let own = own["totalRecords"].as_u64().unwrap();
    assert!(own > 5 && own < states.len() as u64);
    let descriptions = session
        .get(&format!("{BASE}/contact-state-descriptions"))
        .await
        .body;
    assert!(descriptions.to_string().contains("EndContact"));
}

#[tokio::test]
async fn reports_are_csv_in_base64_and_local_time() {
    let session = Session::with(small()).await;
    let report = async |id: u32| {
        let path = format!(
            "{BASE}/report-jobs/datadownload/{id}?{ALL}&saveAsFile=false&includeHeaders=true"
        );
        let answer = session.post(&path, json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let file = STANDARD
            .decode(answer.body["file"].as_str().unwrap())
            .unwrap();
        String::from_utf8(file).unwrap()
    };
    let calls = report(524).await;
    assert_eq!(calls.lines().count(), all(&session).await.len() + 1);
    // Midnight UTC is seven in the evening of the day before in New York.
    let first: Vec<&str> = calls.lines().nth(1).unwrap().split(',').collect();
    assert_eq!(first[16..18], ["01/05/2025", "19:00:00"]);
    assert!(calls.lines().all(|line| line.split(',').count() == 28));
    let states = report(544).await;
    assert!(states.lines().count() > 500);
    assert!(states.lines().all(|line| line.split(',').count() == 16));
    let unknown = format!("{BASE}/report-jobs/datadownload/999?{ALL}");
    assert_eq!(session.post(&unknown, json!({})).await.status, 404);
}

#[tokio::test]
async fn extractions_come_one_by_one_and_their_links_die() {
    let extraction = Extraction {
        between_ms: 400,
        link_ms: 400,
        ..Extraction::default()
    };
    let session = Session::with(History {
        extraction,
        ..small()
    })
    .await;
    let body = json!({
        "entityName": "recording-interaction-metadata", "version": "1",
        "startDate": "2025-01-06", "endDate": "2025-01-09",
    });
    let submitted = session.post(EXTRACTIONS, body.clone()).await;
    assert_eq!(submitted.status, 202);
    let id = submitted.body["jobId"].as_str().unwrap().to_owned();
    let refused = session.post(EXTRACTIONS, body.clone()).await;
    assert_eq!(refused.status, 403);
    assert_eq!(session.kinds(), [Kind::SecondExtraction]);
    let link = async || {
        let status = session.get(&format!("{EXTRACTIONS}/{id}")).await.body;
        assert_eq!(status["jobStatus"]["status"], "SUCCEEDED");
        status["jobStatus"]["result"]["url"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let url = link().await;
    let file = session.get(&url).await;
    assert_eq!(file.status, 200);
    let handled = Totals::of(truth(&small(), Platform::Cxone, false, None)).answered;
    assert!(file.text.lines().count() as u64 > handled);
    let mut alive = 1;
    eventually("the link is dead", async || {
        let status = session.get(&url).await.status;
        alive += u64::from(status == 200);
        status == 403
    })
    .await;
    assert_eq!(session.get(&link().await).await.status, 200);
    assert_eq!(session.post(EXTRACTIONS, body).await.status, 202);
    let account = session.double.history_account().unwrap();
    assert_eq!(account.pages.repeated[0].delivered, alive + 1);
}

#[tokio::test]
async fn a_tenants_api_is_found_and_a_missing_right_is_said_in_a_header() {
    let config = Config {
        admin: Admin {
            permissions: Some(Vec::new()),
            ..Admin::default()
        },
        ..Config::default()
    };
    let mut session = Session::under(config, small()).await;
    let refused = completed(&session, ALL).await;
    assert_eq!((refused.status, refused.text.as_str()), (403, ""));
    assert!(refused.header("icstatusdescription").contains("permission"));
    session.token.clear();
    let found = session
        .get("/.well-known/cxone-configuration?tenantId=t")
        .await
        .body;
    assert_eq!(found["api_endpoint"], session.double.url());
    assert_eq!(completed(&session, ALL).await.status, 401);
}

#[tokio::test]
async fn an_instant_without_zone_is_the_accounts() {
    let session = Session::with(small()).await;
    let local = completed(
        &session,
        "startDate=2025-01-06T00:00:00&endDate=2025-01-07T00:00:00",
    )
    .await;
    let starts = local.body["completedContacts"].as_array().unwrap().clone();
    let five = Moment::parse("2025-01-06T05:00:00Z").unwrap();
    assert!(
        starts
            .iter()
            .all(|row| super::millis(&row["contactStartDate"]) >= five.0)
    );
    assert_eq!(session.kinds(), [Kind::NoZone, Kind::NoZone]);
}
