//! What is missing is named before a job begins.

use crate::server::{Act, Server};
use platform::history::cxone::Cxone;
use platform::history::genesys::Genesys;
use platform::history::permissions::{self, Need, Right};
use schema::UtcMicros;
use std::sync::Arc;

const NOW: UtcMicros = UtcMicros(1_736_121_600_000_000);

#[tokio::test]
async fn genesys_lacks_one_right_of_four() {
    let server = Server::platform(|_, asked| {
        if asked.path().contains("aggregates") {
            let words = r#"{"message":"You are missing the following permission(s): analytics:conversationAggregate:view","code":"missing.permissions","status":403}"#;
            return Act::answer("403 Forbidden", words);
        }
        if asked.path().ends_with("availability") {
            return Act::ok(r#"{"dataAvailabilityDate":"2025-01-06T00:00:00Z"}"#);
        }
        Act::ok("{}")
    })
    .await;
    let genesys = Genesys::new(Arc::new(server.api()));
    for (need, granted) in [
        (Need::Conversations, true),
        (Need::ConversationAggregates, false),
        (Need::UserDetails, true),
        (Need::Users, true),
    ] {
        let right = permissions::genesys(&genesys, need, NOW).await;
        assert_eq!(right.is_granted(), granted, "{need:?}: {right:?}");
        if let Right::Missing { why } = &right {
            assert!(why.contains(need.permission()), "{why}");
        }
    }
    assert_eq!(server.grants(), 1);
    let minute = "2025-01-05T22:59:00.000Z/2025-01-05T23:00:00.000Z";
    let bodies = server
        .asked()
        .iter()
        .filter(|asked| asked.body().contains(minute))
        .count();
    assert_eq!(bodies, 3, "cheap: a minute each");
    let elsewhere = permissions::genesys(&genesys, Need::Contacts, NOW).await;
    assert!(matches!(elsewhere, Right::Unknown { .. }));
}

#[tokio::test]
async fn cxone_lacks_what_its_role_does_not_have() {
    let server = Server::platform(|_, asked| {
        let path = asked.path();
        if path.contains("agents/") {
            return Act::answer(
                "403 Forbidden\r\nicStatusDescription: The user lacks a permission",
                "",
            );
        }
        if path.contains("contacts/") {
            return Act::empty();
        }
        if path.contains("report-jobs") {
            return Act::answer("503 Service Unavailable", "down");
        }
        Act::answer("404 Not Found", "")
    })
    .await;
    let cxone = Cxone::new(Arc::new(server.api()), 27);
    let ask = async |need| permissions::cxone(&cxone, need, NOW).await;
    assert!(ask(Need::Contacts).await.is_granted());
    assert!(ask(Need::ContactStates).await.is_granted());
    let states = ask(Need::AgentStates).await;
    assert!(
        matches!(&states, Right::Missing { why } if why.contains("lacks a permission")),
        "{states:?}"
    );
    let reports = ask(Need::Reports).await;
    assert!(
        matches!(&reports, Right::Unknown { why } if why.contains("down")),
        "{reports:?}"
    );
    assert!(ask(Need::Extraction).await.is_granted());
}

#[tokio::test]
async fn a_refused_credential_is_not_a_missing_right() {
    let server = Server::start(vec![Act::answer(
        "401 Unauthorized",
        r#"{"error":"invalid_client"}"#,
    )])
    .await;
    let genesys = Genesys::new(Arc::new(server.api()));
    let right = permissions::genesys(&genesys, Need::Users, NOW).await;
    assert!(
        matches!(&right, Right::Refused { why } if why.contains("invalid_client")),
        "{right:?}"
    );
}
