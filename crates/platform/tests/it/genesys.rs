//! Genesys' history: what is sent, and what is made of the answers.

use crate::server::{Act, Asked, Server};
use platform::api::Remedy;
use platform::history::HistoryError;
use platform::history::genesys::{Aggregates, Genesys, JobState, Query, Subject};
use schema::UtcMicros;
use serde_json::{Value, json};
use std::sync::Arc;

/// 2025-01-06T00:00:00Z and a day later.
const FROM: UtcMicros = UtcMicros(1_736_121_600_000_000);
const TO: UtcMicros = UtcMicros(1_736_208_000_000_000);
const DAY: &str = "2025-01-06T00:00:00.000Z/2025-01-07T00:00:00.000Z";

async fn platform(
    answers: impl Fn(usize, &Asked) -> Act + Send + Sync + 'static,
) -> (Server, Genesys) {
    let server = Server::platform(answers).await;
    let api = Arc::new(server.api());
    (server, Genesys::new(api))
}

fn sent(asked: &Asked) -> Value {
    serde_json::from_str(asked.body()).unwrap()
}

fn query() -> Query {
    Query {
        from: FROM,
        to: TO,
        page: 1,
        page_size: 100,
    }
}

/// Pitfalls 1 and 7: instants go out with a zone; the cursor just used is the end, so that there are no more requests than pages.
#[tokio::test]
async fn pitfalls_1_and_7_a_job_from_its_submission_to_its_last_page() {
    let (server, genesys) = platform(|_, asked| match asked.line() {
        "POST /api/v2/analytics/conversations/details/jobs" => {
            Act::answer("202 Accepted", r#"{"jobId":"j 1"}"#)
        }
        "GET /api/v2/analytics/conversations/details/jobs/j%201" => Act::ok(
            r#"{"state":"FULFILLED","submissionDate":"2025-01-08T00:00:00.5Z"}"#,
        ),
        line if line.ends_with("results?pageSize=1000") => {
            Act::ok(r#"{"conversations":[{},{}],"cursor":"a/b=","dataAvailabilityDate":"2025-01-07T12:00:00Z"}"#)
        }
        line if line.ends_with("results?pageSize=1000&cursor=a%2Fb%3D") => {
            Act::ok(r#"{"conversations":[{}],"cursor":"a/b="}"#)
        }
        line => panic!("{line}"),
    })
    .await;
    let subject = Subject::Conversations;
    let id = genesys.submit_job(subject, FROM, TO).await.unwrap();
    let body = sent(&server.asked()[0]);
    assert_eq!(body["interval"], DAY);
    assert_eq!(body["orderBy"], "conversationStart");
    let status = genesys.job(subject, &id).await.unwrap();
    assert_eq!(status.state, JobState::Fulfilled);
    assert_eq!(
        status.submitted_at.unwrap().to_string(),
        "2025-01-08T00:00:00.500Z"
    );
    let (mut cursor, mut records, mut pages) = (None, 0, 0);
    loop {
        let page = genesys
            .job_page(subject, &id, cursor.as_deref(), 1000)
            .await
            .unwrap();
        records += page.records();
        pages += 1;
        assert!(pages < 10, "without an end");
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((pages, records), (2, 3));
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn every_state_of_a_job_is_told_apart() {
    for (state, lost) in [
        ("QUEUED", false),
        ("PENDING", false),
        ("FULFILLED", false),
        ("FAILED", true),
        ("CANCELLED", true),
        ("EXPIRED", true),
        ("REHYDRATING", false),
    ] {
        let (_server, genesys) = platform(move |_, _| {
            Act::ok(&format!(
                r#"{{"state":"{state}","errorMessage":"why not"}}"#
            ))
        })
        .await;
        let found = genesys.job(Subject::Users, "j").await.unwrap();
        assert_eq!(found.state.is_lost(), lost, "{state}");
        assert_eq!(found.error.as_deref(), Some("why not"));
    }
}

#[tokio::test]
async fn a_job_that_is_no_more_is_submitted_again_and_not_waited_for() {
    let (server, genesys) =
        platform(|_, _| Act::answer("404 Not Found", r#"{"message":"no such job"}"#)).await;
    let subject = Subject::Conversations;
    let job = genesys.job(subject, "j").await.unwrap_err();
    let page = genesys.job_page(subject, "j", None, 10).await.unwrap_err();
    for error in [job, page] {
        assert!(matches!(error, HistoryError::Gone { .. }), "{error}");
    }
    genesys.cancel_job(subject, "j").await.unwrap();
    assert!(server.asked()[2].line().starts_with("DELETE "));
}

#[tokio::test]
async fn users_have_jobs_of_their_own() {
    let (server, genesys) = platform(|_, asked| match asked.line() {
        "GET /api/v2/analytics/users/details/jobs/availability" => {
            Act::ok(r#"{"dataAvailabilityDate":"2025-01-06T10:00:00.000Z"}"#)
        }
        line if line.starts_with("POST") => Act::answer("202 Accepted", r#"{"jobId":"u"}"#),
        _ => Act::ok(r#"{"userDetails":[{"userId":"u1"}]}"#),
    })
    .await;
    let until = genesys.jobs_available_to(Subject::Users).await.unwrap();
    assert_eq!(until.to_string(), "2025-01-06T10:00:00.000Z");
    let id = genesys.submit_job(Subject::Users, FROM, TO).await.unwrap();
    assert_eq!(sent(&server.asked()[1]), json!({"interval": DAY}));
    let page = genesys
        .job_page(Subject::Users, &id, None, 100)
        .await
        .unwrap();
    assert_eq!((page.records(), page.next), (1, None));
}

/// Pitfall 7: an availability without a zone is not guessed at.
#[tokio::test]
async fn pitfall_7_an_availability_without_a_zone_is_an_error() {
    let (_server, genesys) =
        platform(|_, _| Act::ok(r#"{"dataAvailabilityDate":"2025-01-06T10:00:00"}"#)).await;
    let error = genesys
        .jobs_available_to(Subject::Conversations)
        .await
        .unwrap_err();
    assert!(matches!(error, HistoryError::Shape { .. }), "{error}");
}

#[tokio::test]
async fn a_query_asks_for_no_more_than_it_may_and_an_absent_list_is_the_end() {
    let (server, genesys) = platform(|index, _| match index {
        0 => Act::ok(r#"{"conversations":[{"conversationId":"a"}],"totalHits":101}"#),
        _ => Act::ok(r#"{"totalHits":101}"#),
    })
    .await;
    let first = genesys
        .query(
            Subject::Conversations,
            Query {
                page_size: 500,
                ..query()
            },
        )
        .await
        .unwrap();
    assert_eq!((first.records(), first.total), (1, Some(101)));
    let body = sent(&server.asked()[0]);
    assert_eq!(body["paging"], json!({"pageSize": 100, "pageNumber": 1}));
    assert_eq!(body["interval"], DAY);
    let second = genesys
        .query(Subject::Conversations, Query { page: 2, ..query() })
        .await
        .unwrap();
    assert_eq!(second.records(), 0);
}

#[tokio::test]
async fn what_is_too_much_for_a_query_is_to_be_halved() {
    let (_server, genesys) = platform(|index, _| {
        let message = match index {
            0 => "Pagination may not exceed 100000 results.",
            1 => "The interval may not be longer than 7 days.",
            _ => "agentId not-a-uuid is not a valid UUID.",
        };
        Act::answer(
            "400 Bad Request",
            &json!({"message": message, "code": "bad.request", "status": 400}).to_string(),
        )
    })
    .await;
    let first = genesys
        .query(Subject::Conversations, query())
        .await
        .unwrap_err();
    assert!(matches!(first, HistoryError::TooMany { .. }), "{first}");
    let second = genesys.query(Subject::Users, query()).await.unwrap_err();
    assert!(matches!(second, HistoryError::TooLong { .. }), "{second}");
    let third = genesys
        .query(Subject::Conversations, query())
        .await
        .unwrap_err();
    assert!(!third.splits());
    assert_eq!(third.remedy(), Remedy::Never, "{third}");
}

#[tokio::test]
async fn single_conversations_are_looked_up_alone_and_together() {
    let (server, genesys) = platform(|_, asked| match asked.path() {
        "/api/v2/analytics/conversations/a%2Fb/details" => {
            Act::ok(r#"{"conversationId":"a/b","conversationStart":"2025-01-06T00:00:00Z"}"#)
        }
        "/api/v2/analytics/conversations/details?id=a,b" => {
            Act::ok(r#"{"conversations":[{"conversationId":"a"}]}"#)
        }
        _ => Act::answer("404 Not Found", "{}"),
    })
    .await;
    let one = genesys.conversation("a/b").await.unwrap().unwrap();
    assert_eq!(one.records(), 1);
    let found = one.heads;
    assert_eq!((found[0].id.as_str(), found[0].start), ("a/b", Some(FROM)));
    assert_eq!(genesys.conversation("c").await.unwrap(), None);
    assert_eq!(
        genesys
            .conversations(&["a", "b"])
            .await
            .unwrap()
            .unwrap()
            .records(),
        1
    );
    assert_eq!(genesys.conversations(&["d", "e"]).await.unwrap(), None);
    let before = server.asked().len();
    genesys.conversations(&[]).await.unwrap();
    assert_eq!(server.asked().len(), before, "nothing to ask for");
}

#[tokio::test]
async fn the_platforms_own_sums_are_asked_for_and_read() {
    let (server, genesys) = platform(|_, _| {
        Act::ok(&format!(
            r#"{{"results":[{{"group":{{"queueId":"q"}},"data":[{{"interval":"{DAY}","metrics":[{{"metric":"nConversations","stats":{{"count":5}}}}]}}]}},
                {{"group":{{"queueId":"r"}},"data":[{{"interval":"{DAY}","metrics":[{{"metric":"nConversations","stats":{{"count":2}}}}]}}]}}]}}"#
        ))
    })
    .await;
    let found = genesys
        .aggregates(Aggregates {
            from: FROM,
            to: TO,
            granularity: Some("P1D"),
            zone: Some("Europe/Berlin"),
            group_by: &["queueId"],
            metrics: &["nConversations"],
            filter: None,
        })
        .await
        .unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((found[1].from, found[1].to), (FROM, TO));
    assert_eq!(
        sent(&server.asked()[0]),
        json!({"interval": DAY, "granularity": "P1D", "timeZone": "Europe/Berlin", "groupBy": ["queueId"], "metrics": ["nConversations"]})
    );
    assert_eq!(genesys.conversations_counted(FROM, TO).await.unwrap(), 7);
}

#[tokio::test]
async fn those_who_have_left_are_listed_too() {
    let (server, genesys) = platform(|_, _| {
        Act::ok(r#"{"entities":[{"id":"a","name":"N","state":"deleted"}],"pageNumber":1,"pageCount":2}"#)
    })
    .await;
    let page = genesys.users(1).await.unwrap();
    assert!(page.more && page.users[0].state == "deleted");
    assert!(server.asked()[0].path().contains("state=any"));
    assert!(!genesys.users(2).await.unwrap().more);
}
