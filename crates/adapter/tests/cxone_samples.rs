//! Every sample of CXone's, posted as it is: what becomes of each. They are not part of the repository; where they are absent, this says so
//! and proves nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{Mappings, Outcome, Split, instant, map, split};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schema::BodyFormat;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn samples() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("KPILINE_SHARED")
        .map_or_else(|| here.join("../../../shared"), PathBuf::from);
    let folder = shared.join("platforms/cxone/samples");
    if !folder.is_dir() {
        eprintln!(
            "SKIPPED: shared samples absent (no ../shared beside the workspace, and KPILINE_SHARED names no folder)"
        );
        return None;
    }
    Some(folder)
}

fn formats() -> Vec<BodyFormat> {
    let zone = "America/Denver";
    vec![
        BodyFormat::CxoneContacts,
        BodyFormat::CxoneContactStates,
        BodyFormat::CxoneDigital,
        BodyFormat::CxoneAgentStates,
        BodyFormat::CxoneCallDetail { zone: zone.into() },
        BodyFormat::CxoneAgentStateLog { zone: zone.into() },
    ]
}

/// What becomes of each item of a body, in a word each.
fn becomes(format: &BodyFormat, body: &[u8]) -> Vec<String> {
    let items = match split(format, body) {
        Split::Items(items) => items,
        Split::Unreadable { reason } => return vec![format!("unreadable: {reason}")],
    };
    items
        .iter()
        .map(|item| match map(format, &item.raw, &Mappings::none()) {
            Ok(Outcome::Mapped(mapped)) => {
                let facts = mapped.stated.facts().len()
                    + mapped.stated.agent().map_or(0, |(_, facts)| facts.len());
                let end = if mapped.stated.is_terminal() {
                    ", ended"
                } else {
                    ""
                };
                format!("{}: {facts} facts{end}", mapped.stated.subject())
            }
            Ok(Outcome::Ignored { kind }) => format!("ignored {kind}"),
            Err(error) => format!("refused {}", error.field),
        })
        .collect()
}

/// Sample, format and what becomes of its items.
type Expected = (&'static str, BodyFormat, &'static [&'static str]);

fn expected() -> Vec<Expected> {
    use BodyFormat::{CxoneAgentStates, CxoneContactStates, CxoneContacts, CxoneDigital};
    let zone = "America/Denver";
    let detail = || BodyFormat::CxoneCallDetail { zone: zone.into() };
    let states = || BodyFormat::CxoneAgentStateLog { zone: zone.into() };
    vec![
        (
            "contact_single_legacy_2016.json",
            CxoneContacts,
            &["2789879875: 1 facts, ended"],
        ),
        (
            "contacts_completed_legacy_2016.json",
            CxoneContacts,
            &["2789879875: 1 facts, ended", "2789879876: 1 facts, ended"],
        ),
        (
            "datadownload_524_call_detail_2020.csv",
            detail(),
            &[
                "123178879053: 1 facts, ended",
                "123178879430: 1 facts, ended",
                "123178879551: 1 facts, ended",
                "123178879722: 1 facts, ended",
                "123178880296: 1 facts, ended",
            ],
        ),
        (
            "datadownload_524_call_detail_2019_floats.csv",
            detail(),
            &[
                "36821683098: 1 facts, ended",
                "36821683113: 1 facts, ended",
                "36821683041: 1 facts, ended",
                "36821682373: 1 facts, ended",
                "36821682226: 1 facts, ended",
            ],
        ),
        (
            "datadownload_544_agent_state_log.csv",
            states(),
            &["agent:6900008: 2 facts"; 5],
        ),
        (
            "digital_CaseInboxAssigneeChanged_assigned.json",
            CxoneDigital,
            &["195394484423: 5 facts"],
        ),
        (
            "digital_CaseInboxAssigneeChanged_unassigned.json",
            CxoneDigital,
            &["507345195372: 6 facts, ended"],
        ),
        (
            "digital_CaseStatusChanged_closed.json",
            CxoneDigital,
            &["7259998: 2 facts, ended"],
        ),
        (
            "digital_EventInS3.json",
            CxoneDigital,
            &["refused data.s3Object"],
        ),
        (
            "digital_MessageAddedIntoCase.json",
            CxoneDigital,
            &["ignored MessageAddedIntoCase"],
        ),
        (
            "digital_MessageCreated.json",
            CxoneDigital,
            &["ignored MessageCreated"],
        ),
        (
            "digital_MessageReadChanged.json",
            CxoneDigital,
            &["ignored MessageReadChanged"],
        ),
        (
            "digital_SetPositionInQueue.json",
            CxoneDigital,
            &["ignored SetPositionInQueue"],
        ),
        // Shapes: a type stands in the place of each value.
        (
            "shape_contacts_completed_v27plus.json",
            CxoneContacts,
            &["refused contactStartDate"],
        ),
        (
            "shape_contact_state_history.json",
            CxoneContactStates,
            &["refused startDate"],
        ),
        (
            "shape_agent_state_history.json",
            CxoneAgentStates,
            &["refused startDate"],
        ),
        // Records about something else.
        (
            "shape_contact_hierarchy.json",
            CxoneContacts,
            &["refused contactId"],
        ),
        (
            "agents_legacy_2015.json",
            CxoneContacts,
            &["refused contactId"],
        ),
        (
            "tenant_config_iana_timezone.json",
            CxoneContacts,
            &["refused contactId"],
        ),
        (
            "skills_sla_summary_raw.csv",
            detail(),
            &[
                "unreadable: the first line is no header of this report: column contact_id is missing",
            ],
        ),
        (
            "shape_token_and_discovery.json",
            detail(),
            &["unreadable: the body is JSON without a report: it has no text in file"],
        ),
    ]
}

#[test]
fn every_sample_becomes_what_is_said_of_it() {
    let Some(folder) = samples() else { return };
    let mut told = BTreeSet::new();
    for (name, format, outcomes) in expected() {
        let body = std::fs::read(folder.join(name)).unwrap();
        assert_eq!(becomes(&format, &body), outcomes, "{name}");
        told.insert(name);
        // In the answer of its job a report is the same.
        if name.starts_with("datadownload") {
            let answer = json!({"file": STANDARD.encode(&body)}).to_string();
            assert_eq!(becomes(&format, answer.as_bytes()), outcomes, "{name}");
        }
    }
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "md") {
            continue;
        }
        // Whatever it is, and however it is read: something becomes of it, and nothing panics.
        let body = std::fs::read(&path).unwrap();
        for format in formats() {
            let _outcomes = becomes(&format, &body);
        }
        if name.starts_with("digital_")
            || name.starts_with("contact")
            || name.starts_with("datadownload")
        {
            assert!(told.contains(name.as_str()), "{name} is not told of");
        }
    }
}

#[test]
fn shapes_are_what_is_read_once_values_stand_in_them() {
    let Some(folder) = samples() else { return };
    let at = "2026-05-04T10:00:00Z";
    let shape = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
    };
    let filled = |members: &mut Value, values: Value| {
        for (name, value) in values.as_object().unwrap() {
            assert!(
                members
                    .as_object_mut()
                    .unwrap()
                    .insert(name.clone(), value.clone())
                    .is_some(),
                "{name} is a member of the shape"
            );
        }
    };
    let mut contacts = shape("shape_contacts_completed_v27plus.json");
    filled(
        &mut contacts["completedContacts"][0],
        json!({"contactId": 900_719_925_474_010_002_i64, "masterContactId": 900_719_925_474_010_001_i64,
        "contactStartDate": at, "lastUpdateTime": at, "dateContactWarehoused": at, "dateACWWarehoused": null, "analyticsProcessedDate": null,
        "agentId": 7, "skillId": 8, "mediaTypeId": 4, "mediaTypeName": "Call", "isOutbound": false, "preQueueSeconds": 1.5, "inQueueSeconds": 2.25,
        "agentSeconds": 100.125, "holdSeconds": 10.5, "holdCount": 1, "acwSeconds": 4.5, "conferenceSeconds": 0.0, "totalDurationSeconds": 104,
        "abandoned": false, "isRefused": false, "primaryDispositionId": 5, "transferIndicatorName": "None"}),
    );
    assert_eq!(
        becomes(&BodyFormat::CxoneContacts, contacts.to_string().as_bytes()),
        ["900719925474010001: 1 facts, ended"]
    );
    let mut states = shape("shape_contact_state_history.json");
    filled(
        &mut states["contactStateHistory"][0],
        json!({"stateIndex": 3, "contactId": "900719925474010002", "contactStateName": "InQueue",
        "startDate": at, "agentId": 0, "skillId": 8, "duration": "PT2.25S"}),
    );
    assert_eq!(
        becomes(
            &BodyFormat::CxoneContactStates,
            states.to_string().as_bytes()
        ),
        ["900719925474010002: 1 facts"]
    );
}

/// Every text in the samples of both platforms that begins as an instant is one, but for those without a zone.
#[test]
fn every_instant_in_the_samples_is_read() {
    let Some(folder) = samples() else { return };
    let platforms = folder.parent().unwrap().parent().unwrap();
    let mut read = 0;
    let mut files = vec![];
    for part in [
        "cxone/samples",
        "genesys/samples",
        "genesys/samples/constructed",
    ] {
        for entry in std::fs::read_dir(platforms.join(part)).unwrap() {
            files.push(entry.unwrap().path());
        }
    }
    for path in files {
        if !path.is_file() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for word in text.split('"') {
            let date = word.split_once('T').map(|(date, _)| date);
            let is_instant = date.is_some_and(|date| {
                let parts: Vec<&str> = date.split('-').collect();
                parts.len() == 3
                    && parts[0].len() == 4
                    && parts
                        .iter()
                        .all(|part| part.bytes().all(|b| b.is_ascii_digit()))
            });
            // Two of them, and local times of a summary's parameters.
            if !is_instant
                || word.contains('/')
                || word.len() == "2021-07-27T00:00:00".len() && !word.ends_with('Z')
            {
                continue;
            }
            assert!(
                instant::parse(word).is_some(),
                "{word} in {}",
                path.display()
            );
            read += 1;
        }
    }
    assert!(read > 500, "{read}");
}
