//! Samples of the platforms' own records about the time of agents. They are not part of the repository; where they are absent, this says
//! so and proves nothing but what stands here in their shape.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{Mapped, Mappings, Outcome, Split, Stated, instant, map, split};
use agent::Rules;
use schema::{AgentFact, BodyFormat, Millis, Presence, Routing, UtcMicros};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn samples(platform: &str) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("KPILINE_SHARED")
        .map_or_else(|| here.join("../../../shared"), PathBuf::from);
    let folder = shared.join("platforms").join(platform).join("samples");
    if !folder.is_dir() {
        eprintln!(
            "SKIPPED: shared samples absent (no ../shared beside the workspace, and KPILINE_SHARED names no folder)"
        );
        return None;
    }
    Some(folder)
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Everything that a body states.
fn all(format: &BodyFormat, body: &[u8]) -> Vec<Mapped> {
    let Split::Items(items) = split(format, body) else {
        panic!("a sample that cannot be split")
    };
    items
        .iter()
        .map(|item| match map(format, &item.raw, &Mappings::none()) {
            Ok(Outcome::Mapped(mapped)) => mapped,
            other => panic!("{other:?}"),
        })
        .collect()
}

/// The facts of each agent.
fn by_agent(format: &BodyFormat, body: &[u8]) -> BTreeMap<String, Vec<AgentFact>> {
    let mut agents: BTreeMap<String, Vec<AgentFact>> = BTreeMap::new();
    for mapped in all(format, body) {
        let Stated::Agent { agent, facts } = mapped.stated else {
            panic!("not about an agent")
        };
        agents
            .entry(agent.id.to_string())
            .or_default()
            .extend(facts);
    }
    agents
}

fn at(text: &str) -> UtcMicros {
    instant::parse(text).unwrap()
}

/// Milliseconds of each status within an interval, and in how many pieces: the platform rounds each.
fn sums(
    facts: &[AgentFact],
    from: UtcMicros,
    to: UtcMicros,
) -> BTreeMap<(String, String), (i64, i64)> {
    let rules = Rules {
        open_cap: Millis(12 * 3_600_000),
    };
    let mut sums: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
    for interval in agent::intervals(facts, &[], from, to, to, &rules) {
        let names = [
            (
                "tSystemPresence",
                interval.state.presence.as_ref().map(Presence::name),
            ),
            (
                "tAgentRoutingStatus",
                interval.state.routing.as_ref().map(Routing::name),
            ),
        ];
        for (metric, name) in names {
            if let Some(name) = name {
                let key = (metric.to_owned(), name.to_owned());
                let entry = sums.entry(key).or_default();
                entry.0 += (interval.to.0 - interval.from.0) / 1000;
                entry.1 += 1;
            }
        }
    }
    sums
}

/// Compares each interval of an answer of aggregates that lies within what is known of its user; returns how many figures agreed.
fn agreeing(agents: &BTreeMap<String, Vec<AgentFact>>, aggregates: &Value) -> usize {
    let mut agreed = 0;
    for result in aggregates["results"].as_array().unwrap() {
        let user = result["group"]["userId"].as_str().unwrap();
        let Some(facts) = agents.get(user) else {
            continue;
        };
        for data in result["data"].as_array().unwrap() {
            let (from, to) = data["interval"].as_str().unwrap().split_once('/').unwrap();
            let (from, to) = (at(from), at(to));
            if facts.iter().all(|fact| fact.at > from) {
                continue;
            }
            let sums = sums(facts, from, to);
            for metric in data["metrics"].as_array().unwrap() {
                let name = metric["metric"].as_str().unwrap().to_owned();
                if name == "tOrganizationPresence" {
                    continue;
                }
                let qualifier = metric["qualifier"].as_str().unwrap().to_lowercase();
                let stated = metric["stats"]["sum"].as_i64().unwrap();
                let (found, pieces) = sums
                    .get(&(name, qualifier.clone()))
                    .copied()
                    .unwrap_or_default();
                assert!(
                    (found - stated).abs() <= pieces.max(1),
                    "{user} {qualifier}: {found} is not {stated}"
                );
                agreed += 1;
            }
        }
    }
    agreed
}

#[test]
fn details_add_up_to_what_the_aggregates_of_the_same_agents_say() {
    // In the shape of both answers: half an hour, from before its start to beyond its end.
    let details = json!({"userDetails": [{"userId": "u1", "primaryPresence": [
            {"startTime": "2026-05-04T12:40:00Z", "endTime": "2026-05-04T13:20:00.400Z", "systemPresence": "ON_QUEUE", "organizationPresenceId": "o1"},
            {"startTime": "2026-05-04T13:20:00.400Z", "endTime": "2026-05-04T13:24:00Z", "systemPresence": "BREAK", "organizationPresenceId": "o2"},
            {"startTime": "2026-05-04T13:24:00Z", "systemPresence": "ON_QUEUE", "organizationPresenceId": "o1"}],
        "routingStatus": [
            {"startTime": "2026-05-04T12:40:00.100Z", "endTime": "2026-05-04T13:05:00Z", "routingStatus": "IDLE"},
            {"startTime": "2026-05-04T13:05:00Z", "endTime": "2026-05-04T13:20:00.400Z", "routingStatus": "INTERACTING"},
            {"startTime": "2026-05-04T13:20:00.400Z", "endTime": "2026-05-04T13:24:00Z", "routingStatus": "OFF_QUEUE"},
            {"startTime": "2026-05-04T13:24:00Z", "endTime": "2026-05-04T13:28:00Z", "routingStatus": "NOT_RESPONDING"},
            {"startTime": "2026-05-04T13:28:00Z", "endTime": "2026-05-04T14:00:00Z", "routingStatus": "INTERACTING"}]}]});
    let sum = |metric: &str, qualifier: &str, sum: i64| json!({"metric": metric, "qualifier": qualifier, "stats": {"sum": sum}});
    let aggregates = json!({"systemToOrganizationMappings": {}, "results": [{"group": {"userId": "u1"}, "data": [
        {"interval": "2026-05-04T13:00:00.000Z/2026-05-04T13:30:00.000Z", "metrics": [
            sum("tSystemPresence", "ON_QUEUE", 1_560_400), sum("tSystemPresence", "BREAK", 239_600), sum("tOrganizationPresence", "o2", 239_600),
            sum("tAgentRoutingStatus", "IDLE", 300_000), sum("tAgentRoutingStatus", "INTERACTING", 1_020_400),
            sum("tAgentRoutingStatus", "OFF_QUEUE", 239_600), sum("tAgentRoutingStatus", "NOT_RESPONDING", 240_000)]}]}]});
    let agents = by_agent(
        &BodyFormat::GenesysUserDetails,
        details.to_string().as_bytes(),
    );
    assert_eq!(agreeing(&agents, &aggregates), 6);

    let Some(folder) = samples("genesys") else {
        return;
    };
    let agents = by_agent(
        &BodyFormat::GenesysUserDetails,
        &read(&folder.join("users_details_query_response.json")),
    );
    let agreed: usize = [
        "aggregates_users_presence_response.json",
        "constructed/aggregates_users_routing_status.json",
    ]
    .iter()
    .map(|name| serde_json::from_slice(&read(&folder.join(name))).unwrap())
    .map(|aggregates: Value| agreeing(&agents, &aggregates))
    .sum();
    if agreed == 0 {
        eprintln!("SKIPPED in part: the samples of details and of aggregates are of other users");
    }
}

#[test]
fn the_sample_of_user_details_is_read_whole() {
    let Some(folder) = samples("genesys") else {
        return;
    };
    let body = read(&folder.join("users_details_query_response.json"));
    let page: Value = serde_json::from_slice(&body).unwrap();
    let agents = by_agent(&BodyFormat::GenesysUserDetails, &body);
    for user in page["userDetails"].as_array().unwrap() {
        let facts = &agents[user["userId"].as_str().unwrap()];
        let stretches = |name: &str| user[name].as_array().map_or(&[][..], Vec::as_slice);
        let stated = [stretches("primaryPresence"), stretches("routingStatus")].concat();
        assert_eq!(facts.len(), stated.len());
        for (fact, stretch) in facts.iter().zip(stated) {
            assert_eq!(fact.at, at(stretch["startTime"].as_str().unwrap()));
            let name = fact.statement.presence.as_ref().map(Presence::name);
            let name = name
                .or(fact.statement.routing.as_ref().map(Routing::name))
                .unwrap();
            let status = stretch["systemPresence"]
                .as_str()
                .or(stretch["routingStatus"].as_str());
            assert_eq!(name.to_uppercase(), status.unwrap());
            if fact.statement.presence != Some(Presence::Offline) {
                assert_eq!(fact.until, stretch["endTime"].as_str().map(at));
            }
        }
        // Laid over each other they leave no time open that the record knows.
        let first = facts.iter().map(|fact| fact.at).min().unwrap();
        let end = UtcMicros(first.0 + 86_400_000_000);
        let rules = Rules {
            open_cap: Millis(12 * 3_600_000),
        };
        let intervals = agent::intervals(facts, &[], first, end, end, &rules);
        assert!(
            intervals
                .iter()
                .all(|interval| interval.state.presence.is_some())
        );
    }
}

#[test]
fn the_sample_of_an_audit_event_is_a_presence() {
    let Some(folder) = samples("genesys") else {
        return;
    };
    let body = read(&folder.join("eventbridge_user_presence_audit.json"));
    let agents = by_agent(&BodyFormat::GenesysWebhook, &body);
    let facts: Vec<&AgentFact> = agents.values().flatten().collect();
    let [fact] = facts[..] else {
        panic!("{facts:?}")
    };
    assert_eq!(fact.statement.presence, Some(Presence::Available));
    assert_eq!(fact.at, at("2021-06-25T15:11:52Z"));
}

#[test]
fn the_sample_of_schedules_has_its_shift_over_the_change_of_clocks() {
    let Some(folder) = samples("genesys") else {
        return;
    };
    let body = read(&folder.join("constructed/wfm_bu_agentschedules_search_response.json"));
    let agents = by_agent(&BodyFormat::GenesysSchedules, &body);
    let facts: Vec<&AgentFact> = agents.values().flatten().collect();
    let [.., free] = facts[..] else {
        panic!("{facts:?}")
    };
    assert_eq!(facts.len(), 4, "three activities and a free day");
    let minutes: Vec<i64> = facts
        .iter()
        .map(|fact| (fact.until.unwrap().0 - fact.at.0) / 60_000_000)
        .collect();
    assert_eq!(minutes, [240, 60, 240, 1440]);
    assert_eq!(facts[0].at, at("2025-03-09T05:30:00Z"));
    assert_eq!(free.at, at("2025-03-11T04:00:00Z"), "midnight in New York");
    assert_eq!(free.statement.scheduled.as_deref(), Some("time_off"));
}

#[test]
fn the_sample_of_report_544_has_its_lines_in_milliseconds() {
    let Some(folder) = samples("cxone") else {
        return;
    };
    let body = read(&folder.join("datadownload_544_agent_state_log.csv"));
    let format = BodyFormat::CxoneAgentStateLog {
        zone: "America/Denver".into(),
    };
    let agents = by_agent(&format, &body);
    assert_eq!(agents.len(), 1);
    let mut presences: Vec<&AgentFact> = agents
        .values()
        .flatten()
        .filter(|fact| fact.statement.presence.is_some())
        .collect();
    presences.sort_by_key(|fact| fact.at);
    let seconds: Vec<i64> = presences
        .iter()
        .map(|fact| (fact.until.unwrap().0 - fact.at.0) / 1_000_000)
        .collect();
    // The durations are 16733, 30513, 6826, 18010 and 9280 ms.
    assert_eq!(seconds, [17, 31, 7, 18, 9]);
    assert_eq!(presences[0].at, at("2019-01-03T03:29:15Z"));
    for fact in presences {
        assert_eq!(fact.statement.presence, Some(Presence::OnQueue));
        assert_eq!(fact.statement.reason.as_deref(), Some("InboundPending"));
    }
}

#[test]
fn the_shape_of_the_state_history_is_what_is_read() {
    let Some(folder) = samples("cxone") else {
        return;
    };
    let shape: Value =
        serde_json::from_slice(&read(&folder.join("shape_agent_state_history.json"))).unwrap();
    let mut answer = shape.clone();
    let members = answer["agentStateHistory"][0].as_object_mut().unwrap();
    for (name, value) in [
        ("startDate", json!("2026-05-04T10:00:00Z")),
        ("agentId", json!(7)),
        ("agentStateName", json!("Unavailable")),
        ("outStateDescription", json!("Training")),
        ("duration", json!(60)),
        ("teamId", json!(3)),
    ] {
        assert!(
            members.insert(name.into(), value).is_some(),
            "{name} is a member of the shape"
        );
    }
    let agents = by_agent(&BodyFormat::CxoneAgentStates, answer.to_string().as_bytes());
    let facts = &agents["7"];
    assert_eq!(facts[0].statement.presence, Some(Presence::Training));
    assert_eq!(facts[0].statement.team.as_deref(), Some("3"));
    assert_eq!(facts[0].until, Some(at("2026-05-04T10:01:00Z")));
}

/// Who the customer of each interaction of a sample is.
fn customers(format: &BodyFormat, body: &[u8]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for mapped in all(format, body) {
        if let Stated::Interaction {
            interaction,
            customer: Some(customer),
            ..
        } = &mapped.stated
        {
            found.insert(interaction.to_string(), customer.as_str().to_owned());
        }
    }
    found
}

#[test]
fn customers_of_the_samples_are_who_the_records_name() {
    if let Some(folder) = samples("genesys") {
        let of = |name: &str| {
            let body = read(&folder.join(name));
            customers(&BodyFormat::GenesysDetails, &body)
                .into_values()
                .next()
        };
        assert_eq!(
            of("conv_voice_consult_transfer_two_agents_open_external_leg.json").as_deref(),
            Some("2e2b2be2-393d-4b1e-9ae7-7048b9e35fd5"),
            "of two customers the first to come"
        );
        assert_eq!(
            of("conv_voice_inbound_first_agent_not_responding_acw_timeout.json"),
            stated(
                &folder.join("conv_voice_inbound_first_agent_not_responding_acw_timeout.json"),
                "ani"
            )
        );
    }
    if let Some(folder) = samples("cxone") {
        let format = BodyFormat::CxoneCallDetail {
            zone: "America/Denver".into(),
        };
        let body = read(&folder.join("datadownload_524_call_detail_2020.csv"));
        let found = customers(&format, &body);
        assert!(!found.is_empty());
        assert!(
            found.values().all(|number| number.starts_with('+')),
            "{found:?}"
        );
        let body = read(&folder.join("contacts_completed_legacy_2016.json"));
        let found = customers(&BodyFormat::CxoneContacts, &body);
        assert!(
            found.values().all(|number| number == "5550100001"),
            "{found:?}"
        );
        assert!(!found.is_empty());
    }
}

/// The contact or address of the first customer in a record.
fn stated(path: &Path, address: &str) -> Option<String> {
    let record: Value = serde_json::from_slice(&read(path)).unwrap();
    let customer = record["participants"]
        .as_array()?
        .iter()
        .find(|participant| participant["purpose"] == "customer")?;
    let contact = customer["externalContactId"].as_str();
    Some(
        contact
            .or(customer["sessions"][0][address].as_str())?
            .to_owned(),
    )
}
