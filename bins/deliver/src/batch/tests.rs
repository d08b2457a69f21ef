use super::*;
use proptest::prelude::*;
use schema::{Grain, MetricVersion};
use std::collections::{BTreeMap, BTreeSet};
use target::PathTemplate;
use target::business_data::{BusinessData, Field, FieldKind};
use target::rows::Rows;

const NOW: UtcMicros = UtcMicros(0);

pub(crate) fn due(interaction: &str, revision: i64, value: Option<f64>) -> Due {
    Due {
        row: 1,
        key: MetricKey {
            tenant: "acme".to_owned(),
            subject: Stored::of_interaction(interaction, ""),
            metric_type: "handle_time".to_owned(),
            metric_version: MetricVersion(1),
        },
        revision,
        attempt: 1,
        queued_at: UtcMicros(0),
        again: false,
        together: None,
        metric_value: value,
        metadata_json: "{}".to_owned(),
        timestamp_utc: UtcMicros(0),
        agent_id: None,
        queue_id: None,
        day: None,
    }
}

pub(crate) fn genesys() -> Adapter {
    let path = PathTemplate::parse("/rows", &[Grain::Interaction]).unwrap();
    Adapter::Rows(Rows::custom_report(path))
}

fn cxone() -> Adapter {
    let path = PathTemplate::parse("/rows", &[Grain::Interaction]).unwrap();
    Adapter::Rows(Rows::import(path))
}

/// The plan of rows of which the target has nothing.
pub(crate) fn planned(due: Vec<Due>, adapter: &Adapter, bounds: Bounds) -> Plan {
    let rows = candidates(due, None, &FacetsOf::new());
    let rows = rows.into_iter().map(|row| (row, Held::Nothing)).collect();
    plan(rows, adapter, bounds, NOW)
}

fn many(count: usize) -> Vec<Due> {
    (0..count)
        .map(|n| due(&format!("int_{n}"), 1, Some(1.5)))
        .collect()
}

fn sizes(plan: &Plan) -> Vec<usize> {
    plan.requests.iter().map(Vec::len).collect()
}

#[test]
fn no_request_has_more_rows_than_the_platform_takes() {
    let (genesys, cxone) = (genesys(), cxone());
    let bounds = Bounds::of(&genesys, 1_000_000);
    assert_eq!(sizes(&planned(many(250), &genesys, bounds)), [100, 100, 50]);
    let bounds = Bounds::of(&cxone, 1_000_000);
    assert_eq!(sizes(&planned(many(10_001), &cxone, bounds)), [10_000, 1]);
}

#[test]
fn rows_of_refused_requests_share_only_smaller_ones() {
    let mut rows = many(10);
    let sizes = [Some(4), None, Some(2), Some(4), Some(2), Some(2)];
    for (row, together) in rows.iter_mut().zip(sizes) {
        row.together = together;
    }
    let genesys = genesys();
    let plan = planned(rows, &genesys, Bounds::of(&genesys, 4));
    let together: Vec<Vec<_>> = plan
        .requests
        .iter()
        .map(|request| request.iter().map(|row| row.due.together).collect())
        .collect();
    let (two, four) = (Some(2), Some(4));
    assert_eq!(
        together,
        [
            vec![two, two],
            vec![two, four],
            vec![four],
            vec![None; 4],
            vec![None]
        ]
    );
}

#[test]
fn absent_and_impossible_values_are_not_sent() {
    let rows = vec![
        due("a", 1, None),
        due("b", 1, Some(f64::NAN)),
        due("c", 1, Some(0.0)),
    ];
    let genesys = genesys();
    let plan = planned(rows, &genesys, Bounds::of(&genesys, 100));
    assert_eq!(sizes(&plan), [1]);
    assert_eq!(plan.done.len(), 2);
}

#[test]
fn what_the_platform_keeps_and_cannot_give_back_is_seen() {
    let genesys = genesys();
    let rows = candidates(vec![due("a", 1, None)], None, &FacetsOf::new());
    assert!(rows[0].asks_for_held(&genesys));
    let rows = rows.into_iter().map(|row| (row, Held::Unknown)).collect();
    let plan = plan(rows, &genesys, Bounds::of(&genesys, 100), NOW);
    assert_eq!(plan.given_up[0].fate, Fate::Rejected);
    assert!(plan.given_up[0].why.contains("absent now"));
}

#[test]
fn what_the_filter_does_not_want_is_as_absent() {
    let filter = Filter::compile("row.queue == 'sales' && row.media == 'voice'").unwrap();
    let of_queue = |interaction, queue: &str| Due {
        queue_id: Some(queue.to_owned()),
        ..due(interaction, 1, Some(1.0))
    };
    let rows = vec![
        of_queue("a", "sales"),
        of_queue("b", "service"),
        of_queue("c", "sales"),
    ];
    let voice = Facets {
        media: Some("voice".to_owned()),
        direction: None,
    };
    let facets = [("acme".to_owned(), "a".to_owned())].map(|key| (key, voice.clone()));
    let rows = candidates(rows, Some(&filter), &facets.into());
    let wanted: Vec<bool> = rows.iter().map(|row| row.item.value.is_some()).collect();
    assert_eq!(wanted, [true, false, false]);
}

#[test]
fn of_one_key_only_the_newest_value_goes() {
    let rows = vec![
        due("a", 2, Some(2.0)),
        due("a", 3, Some(3.0)),
        due("a", 1, Some(1.0)),
        due("a", 3, Some(3.0)),
    ];
    let genesys = genesys();
    let plan = planned(rows, &genesys, Bounds::of(&genesys, 100));
    assert_eq!(sizes(&plan), [1]);
    assert_eq!(plan.requests[0][0].due.revision, 3);
}

#[test]
fn a_row_that_fits_no_request_is_refused_alone() {
    let rows = vec![
        due("a", 1, Some(1.0)),
        due(&"x".repeat(600_000), 1, Some(1.0)),
    ];
    let genesys = genesys();
    let plan = planned(rows, &genesys, Bounds::of(&genesys, 100));
    assert_eq!(sizes(&plan), [1]);
    assert!(plan.given_up[0].why.contains("512000"));
}

#[test]
fn rows_of_one_place_share_requests_whatever_is_between_them() {
    let path = PathTemplate::parse("/contact/{contact}", &[Grain::Interaction]).unwrap();
    let field = Field {
        name: "FIELD".to_owned(),
        kind: FieldKind::Number,
        precision: 0,
    };
    let fields: BTreeMap<String, Field> = ["handle_time", "talk_time"]
        .map(|metric| (metric.to_owned(), field.clone()))
        .into();
    let adapter = Adapter::BusinessData(BusinessData::new(path, fields));
    let talk = |interaction| {
        let mut row = due(interaction, 1, Some(2.0));
        row.key.metric_type = "talk_time".to_owned();
        row
    };
    let rows = vec![
        due("a", 1, Some(1.0)),
        due("b", 1, Some(1.0)),
        talk("a"),
        talk("b"),
    ];
    let plan = planned(rows, &adapter, Bounds::of(&adapter, 100));
    let subjects: Vec<Vec<&str>> = plan
        .requests
        .iter()
        .map(|rows| {
            let subjects = rows.iter().map(|row| row.due.key.subject.interaction());
            subjects.flatten().collect()
        })
        .collect();
    assert_eq!(subjects, [["a", "a"], ["b", "b"]]);
}

proptest! {
    #[test]
    fn every_row_goes_exactly_one_way_and_no_body_is_too_large(
        rows in proptest::collection::vec((0usize..40, 1i64..4, proptest::option::of(-1e9f64..1e9)), 0..60),
        most_rows in 1usize..10, most_bytes in 300usize..2000,
    ) {
        let adapter = genesys();
        let bounds = Bounds { rows: most_rows, bytes: most_bytes, claimed: most_rows };
        let due: Vec<Due> = rows.iter().map(|(n, revision, value)| due(&format!("i{n}"), *revision, *value)).collect();
        let keys: BTreeSet<_> = due.iter().map(|due| due.key.clone()).collect();
        let plan = planned(due, &adapter, bounds);
        for request in &plan.requests {
            prop_assert!(!request.is_empty() && request.len() <= most_rows);
            let call = adapter.call(&request[0].encoded.place, request.iter().map(|row| &row.encoded));
            prop_assert!(call.body.len() <= most_bytes);
        }
        let seen: Vec<_> = plan.requests.iter().flatten().map(|row| row.due.key.clone())
            .chain(plan.done.iter().map(|due| due.key.clone()))
            .chain(plan.given_up.iter().map(|row| row.due.key.clone())).collect();
        prop_assert_eq!(seen.len(), keys.len());
        prop_assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), keys);
    }
}
