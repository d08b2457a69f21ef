//! The platforms' own answers, as far as they are public.

use crate::server::{Act, Server};
use platform::api::{ApiError, Call};
use platform::history::cxone::{Contact, Cxone};
use platform::history::genesys::{Aggregates, Genesys, Query, Search, Subject};
use schema::UtcMicros;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FROM: UtcMicros = UtcMicros(1_736_121_600_000_000);
const TO: UtcMicros = UtcMicros(1_736_125_200_000_000);

/// The samples of a platform; nothing, and loudly so, where they are not there.
fn samples(platform: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("KPILINE_SHARED").map_or(beside, PathBuf::from);
    let folder = shared.join("platforms").join(platform).join("samples");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "SKIPPED: shared samples absent (no ../shared beside the workspace, and KPILINE_SHARED names no folder)"
    );
    None
}

fn text(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// A platform that answers everything with this.
async fn saying(body: String) -> Server {
    Server::platform(move |_, _| Act::ok(&body)).await
}

#[tokio::test]
async fn genesys_pages_of_conversations_and_users() {
    let Some(folder) = samples("genesys") else {
        return;
    };
    let body = text(&folder, "details_job_results_page.json");
    let server = saying(body.clone()).await;
    let page = Genesys::new(Arc::new(server.api()))
        .job_page(Subject::Conversations, "j", None, 1000)
        .await
        .unwrap();
    assert_eq!(page.records(), 2);
    assert!(page.next.is_some() && page.available_to.is_some());
    assert_eq!(page.body, body.as_bytes(), "untouched");
    let found = page.heads;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|head| head.start.is_some()));

    let query = Query {
        from: FROM,
        to: TO,
        page: 1,
        page_size: 100,
    };
    let name = "details_query_response_voice_direct_routing_acw_skipped.json";
    let server = saying(text(&folder, name)).await;
    let genesys = Genesys::new(Arc::new(server.api()));
    let page = genesys.query(Subject::Conversations, query).await.unwrap();
    assert!(page.records() > 0);
    assert_eq!(page.heads.len(), page.records());

    let server = saying(text(&folder, "users_details_query_response.json")).await;
    let genesys = Genesys::new(Arc::new(server.api()));
    let page = genesys.query(Subject::Users, query).await.unwrap();
    assert!(page.records() >= 2);
    assert_eq!(page.heads.len(), page.records());
}

#[tokio::test]
async fn genesys_sums() {
    let Some(folder) = samples("genesys") else {
        return;
    };
    let asked = Aggregates {
        from: FROM,
        to: TO,
        granularity: None,
        zone: None,
        group_by: &["queueId"],
        metrics: &[],
        filter: None,
    };
    for (name, metric, count) in [
        ("aggregates_conversations_queue_week.json", "nOffered", 5.0),
        (
            "aggregates_conversations_service_level_week.json",
            "nOffered",
            877.0,
        ),
    ] {
        let server = saying(text(&folder, name)).await;
        let found = Genesys::new(Arc::new(server.api()))
            .aggregates(asked)
            .await
            .unwrap();
        let offered = found.iter().find(|one| one.metric == metric).unwrap();
        assert_eq!(offered.stats.count, Some(count), "{name}");
        assert!(offered.from < offered.to);
    }
    let server = saying(text(&folder, "aggregates_users_presence_response.json")).await;
    let found = Genesys::new(Arc::new(server.api()))
        .user_aggregates(asked)
        .await
        .unwrap();
    assert!(found.iter().any(|one| {
        one.qualifier.as_deref() == Some("OFFLINE") && one.stats.sum == Some(259_199_999.0)
    }));
}

#[tokio::test]
async fn genesys_errors_are_told_apart() {
    let Some(folder) = samples("genesys") else {
        return;
    };
    let errors: Vec<Value> = serde_json::from_str(&text(&folder, "error_responses.json")).unwrap();
    assert!(errors.len() >= 7);
    for sample in errors {
        let status = sample["httpStatus"].as_u64().unwrap();
        let mut head = format!("{status} Some Words");
        for (name, value) in sample["headers"].as_object().into_iter().flatten() {
            head.extend(["\r\n", name, ": ", value.as_str().unwrap()]);
        }
        let body = sample["body"].to_string();
        let server = Server::platform(move |_, _| Act::answer(&head, &body)).await;
        let error = server.api().fetch(Call::get("x", "/x")).await.unwrap_err();
        let good = match status {
            401 => matches!(error, ApiError::Unauthorised { .. }),
            404 => matches!(error, ApiError::NotFound { .. }),
            429 => matches!(&error, ApiError::Throttled { wait, .. } if wait.as_secs() == 42),
            500.. => matches!(error, ApiError::Failed { .. }),
            _ => matches!(error, ApiError::Refused { .. }),
        };
        assert!(good, "{sample}: {error}");
        let message = sample["body"]["message"].as_str().unwrap();
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[tokio::test]
async fn cxone_contacts_and_sums() {
    let Some(folder) = samples("cxone") else {
        return;
    };
    let server = saying(text(&folder, "contacts_completed_legacy_2016.json")).await;
    let page = Cxone::new(Arc::new(server.api()), 3)
        .contacts(FROM, TO, 0, 100)
        .await
        .unwrap();
    assert!(page.records() >= 2);
    assert!(page.heads.iter().all(|head| head.start.is_some()));

    let server = saying(text(&folder, "contact_single_legacy_2016.json")).await;
    let one = Cxone::new(Arc::new(server.api()), 3)
        .contact("2789879875")
        .await
        .unwrap();
    let Contact::Ended(one) = one else {
        panic!("{one:?}");
    };
    assert_eq!(one.heads[0].id, "2789879875");

    let server = saying(text(&folder, "skills_summary_raw_2021.json")).await;
    let sums = Cxone::new(Arc::new(server.api()), 21)
        .skills_summary(FROM, TO)
        .await
        .unwrap();
    let first = sums.first().unwrap();
    assert_eq!(first.skill, "8408918");
    assert_eq!(
        (first.offered, first.handled, first.abandoned),
        (Some(2089.0), Some(2089.0), Some(0.0))
    );
}

#[tokio::test]
async fn genesys_plans_are_instants_whatever_clocks_do() {
    let Some(folder) = samples("genesys") else {
        return;
    };
    let name = "constructed/wfm_bu_agentschedules_search_response.json";
    let server = saying(text(&folder, name)).await;
    let genesys = Genesys::new(Arc::new(server.api()));
    let found = genesys.agent_schedules("unit", FROM, TO).await.unwrap();
    let Search::Found(plan) = found else {
        panic!("{found:?}");
    };
    assert_eq!(plan.zone.as_deref(), Some("America/New_York"));
    let shift = plan.shifts.first().unwrap();
    assert_eq!(shift.user, "747951fe-db79-426e-9dac-fea5260e1104");
    // From 00:30 in the night in which New York's clocks are put forward: nine hours pass, though ten are shown.
    assert_eq!(shift.from.to_string(), "2025-03-09T05:30:00.000Z");
    assert_eq!(shift.to.to_string(), "2025-03-09T14:30:00.000Z");
}

#[tokio::test]
async fn cxone_agents_and_their_sums() {
    let Some(folder) = samples("cxone") else {
        return;
    };
    let body = text(&folder, "agent_record_v13_timezone_label.json");
    let server = saying(body.clone()).await;
    let agents = Cxone::new(Arc::new(server.api()), 13)
        .agents(0, 100)
        .await
        .unwrap();
    let first = agents.first().unwrap();
    assert_eq!((first.id.as_str(), &first.user), ("1140", &None));
    assert_eq!(first.zone, None, "useAgentTimeZone is false");
    let own = body.replace("\"useAgentTimeZone\": false", "\"useAgentTimeZone\": true");
    let server = saying(own).await;
    let agents = Cxone::new(Arc::new(server.api()), 13)
        .agents(0, 100)
        .await
        .unwrap();
    assert_eq!(
        agents[0].zone.as_deref(),
        Some("(GMT+05:30) Chennai, Kolkata, Mumbai, New Delhi")
    );

    // Of teams, which have the same members as agents.
    let body = text(&folder, "teams_performance_total_raw_2021.json");
    let server = saying(body.replace("teamId", "agentId")).await;
    let sums = Cxone::new(Arc::new(server.api()), 21)
        .agents_performance(FROM, TO)
        .await
        .unwrap();
    let sums = &sums[1];
    let handled = sums.handled.unwrap();
    assert_eq!(handled, 105);
    // The platform's own average, 435.643 s: talk (hold inside) and wrap-up.
    let handle = sums.talk_and_hold.unwrap() + sums.wrap.unwrap();
    assert_eq!(handle / handled, 435_643);
    assert_eq!(sums.logged_in, Some(155_909_651), "more than a day");

    // The shape of an export holds descriptions in the place of instants: what is no instant is no shift.
    let server = saying(text(&folder, "shape_wfm_schedule_export.json")).await;
    let refused = Cxone::new(Arc::new(server.api()), 27)
        .schedule_export("u", "2024-10-21", "2024-10-27")
        .await;
    assert!(refused.is_err());
}
