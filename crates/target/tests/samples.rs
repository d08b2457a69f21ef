//! The real samples of push requests and answers, which stay where they are (`KPILINE_SHARED`, else `../shared` beside the repository):
//! the requests are made byte by byte, the answers read item by item.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use schema::{LocalDay, MetricVersion, UtcMicros};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use target::business_data::{BusinessData, Field, FieldKind};
use target::external_metrics::definitions::{Definition, Known, Objective, Points, Unit};
use target::external_metrics::{ExternalMetrics, UserBy};
use target::{
    Adapter, Answer, Encoded, Fate, Figures, Finite, Held, Item, Kind, PathTemplate, Sent, Step,
    Subject,
};

/// 2022-08-29, the day of the sample, and its noon.
const DAY: LocalDay = LocalDay(19_233);
const NOON: UtcMicros = UtcMicros(19_233 * 86_400_000_000 + 43_200_000_000);

/// The text of a sample, or nothing, loudly, where there are none.
fn sample(file: &str) -> Option<String> {
    let root = std::env::var_os("KPILINE_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = root.join("platforms").join(file);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        eprintln!("SKIPPED: the sample {file} is not there; set KPILINE_SHARED");
    }
    text
}

/// JSON without the blanks between its tokens: the bytes that carry meaning.
fn bare(text: &str) -> String {
    let (mut bare, mut within, mut escaped) = (String::new(), false, false);
    for c in text.chars() {
        if within || !c.is_whitespace() {
            bare.push(c);
        }
        within ^= c == '"' && !escaped;
        escaped = within && c == '\\' && !escaped;
    }
    bare
}

fn path(kind: Kind) -> PathTemplate {
    let capabilities = kind.capabilities();
    PathTemplate::parse(capabilities.path, capabilities.grains).unwrap()
}

fn item(subject: Subject, metric: &str, value: f64) -> Item {
    Item {
        tenant: "acme".into(),
        subject,
        metric: metric.to_owned(),
        version: MetricVersion::FIRST,
        revision: 1,
        value: Finite::new(value),
        timestamp: UtcMicros(0),
        agent: None,
        queue: None,
    }
}

fn encode(adapter: &Adapter, item: &Item, now: UtcMicros) -> Encoded {
    match adapter.step(item, Held::Nothing, now) {
        Step::Send(encoded) => encoded,
        other => panic!("{other:?}"),
    }
}

fn definition() -> Definition {
    Definition {
        name: "Adjusted AHT".to_owned(),
        unit: Unit::Seconds,
        precision: 1,
        objective: Objective::LowerIsBetter,
        enabled: true,
        points: Points::Counted,
    }
}

fn external_metrics(id: &str, user: UserBy) -> Adapter {
    let definitions = [("aht".to_owned(), definition())].into();
    let metrics = ExternalMetrics::new(path(Kind::GenesysExternalMetrics), user, definitions);
    Adapter::ExternalMetrics(metrics.with_ids([("aht".to_owned(), id.to_owned())].into()))
}

fn day(agent: &str, day: LocalDay, numerator: i64, denominator: i64) -> Item {
    let subject = Subject::AgentDay {
        agent: agent.into(),
        day,
        figures: Some(Figures {
            zone: "UTC".to_owned(),
            from: UtcMicros(0),
            to: UtcMicros(1),
            items: denominator,
            numerator,
            denominator,
            scale: 1000,
            unit: "seconds".to_owned(),
        }),
    };
    item(subject, "aht", 1.0)
}

#[test]
fn a_request_of_external_metrics_is_the_real_one() {
    let Some(real) = sample("genesys/samples/external_metrics_data_request.json") else {
        return;
    };
    let adapter = external_metrics("3fc8a44e-d96b-4ce5-8486-e043faa1b995", UserBy::Id);
    let item = day("1f369565-4977-46cc-8307-203a2074a1f1", DAY, 300_000, 20);
    let encoded = encode(&adapter, &item, NOON);
    let call = adapter.call(&encoded.place, [&encoded]);
    assert_eq!(call.body, bare(&real));
    assert_eq!(
        (call.method.name(), call.path.as_str()),
        ("POST", "/api/v2/employeeperformance/externalmetrics/data")
    );
}

#[test]
fn a_partial_failure_of_external_metrics_is_read_item_by_item() {
    let Some(real) =
        sample("genesys/samples/constructed/external_metrics_data_response_partial_failure.json")
    else {
        return;
    };
    let body: Value = serde_json::from_str(&real).unwrap();
    // 2025-03-10.
    let of = LocalDay(20_157);
    let now = UtcMicros(20_157 * 86_400_000_000);
    // One of the answers names its user by id and the other by address: each is that of a target of its own.
    let metric = "358db004-3651-4c90-bffe-f10c92104c6b";
    let fate = |user, agent: &str| {
        let adapter = external_metrics(metric, user);
        let item = day(agent, of, 1000, 1);
        let encoded = encode(&adapter, &item, now);
        let sent = [Sent {
            item: &item,
            encoded: &encoded,
        }];
        let answer = Answer {
            status: 200,
            body: Some(&body),
            words: "",
        };
        adapter.read(&sent, &answer).unwrap().remove(0)
    };
    assert_eq!(
        fate(UserBy::Id, "747951fe-db79-426e-9dac-fea5260e1104"),
        Fate::Accepted
    );
    let Fate::Rejected { why } = fate(UserBy::Email, "gone@example.invalid") else {
        panic!()
    };
    assert!(why.starts_with("placeholder.code: "), "{why}");
    assert!(matches!(
        fate(UserBy::Id, "somebody-else"),
        Fate::Unknown { .. }
    ));
}

#[test]
fn a_definition_is_created_and_read_as_the_platform_has_it() {
    let (Some(request), Some(response)) = (
        sample("genesys/samples/constructed/external_metric_definition_create_request.json"),
        sample("genesys/samples/constructed/external_metric_definition_response.json"),
    ) else {
        return;
    };
    let request: Value = serde_json::from_str(&request).unwrap();
    assert_eq!(definition().create_body(), request);
    let known = Known::read(&serde_json::from_str(&response).unwrap()).unwrap();
    assert_eq!(
        (known.id.as_str(), known.name.as_str(), known.unit.as_str()),
        (
            "358db004-3651-4c90-bffe-f10c92104c6b",
            "Adjusted AHT",
            "Seconds"
        )
    );
}

#[test]
fn a_body_of_business_data_is_the_real_one() {
    let Some(real) = sample("cxone/samples/shape_business_data_put_body.json") else {
        return;
    };
    let field = |name: &str, kind| Field {
        name: name.to_owned(),
        kind,
        precision: 0,
    };
    let fields: BTreeMap<String, Field> = [
        ("flag", field("EXISTING_BOOLEAN_FIELD", FieldKind::Boolean)),
        ("number", field("EXISTING_NUMBER_FIELD", FieldKind::Number)),
    ]
    .map(|(metric, field)| (metric.to_owned(), field))
    .into();
    let adapter = Adapter::BusinessData(BusinessData::new(path(Kind::CxoneBusinessData), fields));
    let items = [("flag", 1.0), ("number", 311.0)].map(|(metric, value)| {
        let subject = Subject::Interaction {
            interaction: "4711".into(),
        };
        encode(&adapter, &item(subject, metric, value), NOON)
    });
    let call = adapter.call(&items[0].place, &items);
    // The text field of the sample is no number, and no metric can be in it.
    let expected = bare(&real).replace(r#"{"EXISTING_TEXT_FIELD":"text value"},"#, "");
    assert_eq!(call.body, expected);
    assert_eq!(call.method.name(), "PUT");
}

#[test]
fn what_the_platform_says_of_a_whole_request_blames_no_item() {
    let Some(real) = sample("genesys/samples/error_responses.json") else {
        return;
    };
    let answers: Vec<Value> = serde_json::from_str(&real).unwrap();
    let adapter = external_metrics("id", UserBy::Id);
    let item = day("agent", DAY, 1000, 1);
    let encoded = encode(&adapter, &item, NOON);
    let sent = [Sent {
        item: &item,
        encoded: &encoded,
    }];
    assert!(answers.len() >= 6);
    for real in answers {
        let status = real["httpStatus"].as_u64().unwrap();
        let answer = Answer {
            status: u16::try_from(status).unwrap(),
            body: real.get("body"),
            words: "words",
        };
        assert_eq!(adapter.read(&sent, &answer), None, "{real}");
    }
}
