use super::*;
use crate::adapter::{Adapter, Held};
use crate::item::tests::{of_interaction, of_leg};
use crate::outcome::Later;
use proptest::prelude::*;
use schema::Grain;
use serde_json::json;
use std::time::Duration;

fn adapters() -> [Adapter; 2] {
    let path = PathTemplate::parse("/rows", &Grain::ALL).unwrap();
    [
        Adapter::Rows(Rows::custom_report(path.clone())),
        Adapter::Rows(Rows::import(path)),
    ]
}

fn encode(adapter: &Adapter, item: &Item) -> Encoded {
    match adapter.step(item, Held::Nothing, UtcMicros(0)) {
        Step::Send(encoded) => encoded,
        other => panic!("{other:?}"),
    }
}

fn items(count: usize) -> Vec<Item> {
    (0..count)
        .map(|n| of_interaction(&format!("int_{n}"), 1.0))
        .collect()
}

fn fates(items: &[Item], status: u16, body: &Value) -> Option<Vec<Fate>> {
    let [adapter, _] = adapters();
    let encoded: Vec<Encoded> = items.iter().map(|item| encode(&adapter, item)).collect();
    let sent: Vec<Sent<'_>> = items
        .iter()
        .zip(&encoded)
        .map(|(item, encoded)| Sent { item, encoded })
        .collect();
    adapter.read(
        &sent,
        &Answer {
            status,
            body: (!body.is_null()).then_some(body),
            words: "the words of the answer",
        },
    )
}

#[test]
fn genesys_gets_the_custom_report_body() {
    let [adapter, _] = adapters();
    let rows = [
        encode(&adapter, &of_interaction("int_1", 65.7)),
        encode(&adapter, &of_leg("int_2", "leg_7", 0.0)),
    ];
    let call = adapter.call(&rows[0].place, &rows);
    assert_eq!((call.method.name(), call.path.as_str()), ("POST", "/rows"));
    let body: Value = serde_json::from_str(&call.body).unwrap();
    assert_eq!(
        body,
        json!({"data": [
            {"idempotency_key": "acme/int_1/handle_time/v1//r3", "tenant": "acme", "interaction_id": "int_1", "metric": "handle_time",
             "version": 1, "revision": 3, "value": 65.7, "timestamp": "2024-05-15T14:32:10.451Z", "agent_id": "agent_555"},
            {"idempotency_key": "acme/int_2/handle_time/v1/leg_7/r3", "tenant": "acme", "interaction_id": "int_2", "metric": "handle_time",
             "leg_scope": "leg_7", "version": 1, "revision": 3, "value": 0.0, "timestamp": "2024-05-15T14:32:10.451Z", "agent_id": "agent_555"},
        ], "overwrite": true})
    );
}

#[test]
fn an_absent_value_is_not_sent_and_cannot_be_taken_back() {
    let [adapter, _] = adapters();
    let item = Item {
        value: None,
        ..of_interaction("int_1", 0.0)
    };
    let step = |held| adapter.step(&item, held, UtcMicros(0));
    assert_eq!(step(Held::Nothing), Step::Done);
    for held in [Held::Has(None), Held::Unknown] {
        assert!(matches!(step(held), Step::Refused(why) if why.contains("cannot take one back")));
    }
}

#[test]
fn a_success_without_words_accepts_every_row() {
    for body in [
        Value::Null,
        json!({}),
        json!({"jobId": "j-1"}),
        json!({"accepted": 3, "rejected": 0}),
    ] {
        assert_eq!(
            fates(&items(3), 200, &body),
            Some(vec![Fate::Accepted; 3]),
            "{body}"
        );
    }
}

/// Pitfall 107: items in another order, one throttled, one refused, one not mentioned.
#[test]
fn failures_inside_a_success_are_matched_by_key() {
    let rows = items(100);
    let mut entries: Vec<Value> = rows
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != 99)
        .map(|(index, row)| match index {
            3 => json!({"idempotency_key": row.idempotency_key(), "status": 429, "message": "slow down", "retry_after": 7}),
            50 => json!({"idempotency_key": row.idempotency_key(), "status": 400, "code": "bad.request", "message": "too long"}),
            _ => json!({"idempotency_key": row.idempotency_key(), "status": 200}),
        })
        .collect();
    entries.reverse();
    let fates = fates(&rows, 200, &json!({"results": entries})).unwrap();
    for (index, fate) in fates.iter().enumerate() {
        match index {
            3 => assert_eq!(
                *fate,
                Fate::Later(Later {
                    hint: Some(Duration::from_secs(7)),
                    is_spent: false,
                    why: "slow down".to_owned()
                })
            ),
            50 => assert_eq!(
                *fate,
                Fate::Rejected {
                    why: "bad.request: too long".to_owned()
                }
            ),
            99 => assert!(matches!(fate, Fate::Unknown { .. })),
            _ => assert_eq!(*fate, Fate::Accepted, "{index}"),
        }
    }
}

#[test]
fn a_list_of_failures_alone_accepts_the_rest() {
    let rows = items(3);
    let key = rows[1].idempotency_key();
    let body =
        json!({"errorCount": 1, "errors": [{"idempotencyKey": key, "error": "no such contact"}]});
    assert_eq!(
        fates(&rows, 207, &body).unwrap(),
        [
            Fate::Accepted,
            Fate::Rejected {
                why: "no such contact".to_owned()
            },
            Fate::Accepted,
        ]
    );
}

#[test]
fn failures_that_name_nobody_leave_the_others_unknown() {
    for body in [
        json!({"errorCount": 1}),
        json!({"errors": [{"index": 0, "error": "no such contact"}]}),
        json!({"errors": ["something went wrong"]}),
        json!({"success": false}),
    ] {
        let fates = fates(&items(2), 200, &body).unwrap();
        assert!(
            fates
                .iter()
                .all(|fate| matches!(fate, Fate::Unknown { .. })),
            "{body} {fates:?}"
        );
    }
}

#[test]
fn a_list_of_the_taken_that_is_empty_took_none() {
    let rows = items(2);
    let refused =
        json!({"idempotency_key": rows[0].idempotency_key(), "status": 400, "message": "x"});
    let body = json!({"processedEntities": [], "unprocessedEntities": [refused]});
    let fates = fates(&rows, 200, &body).unwrap();
    assert!(matches!(fates[0], Fate::Rejected { .. }));
    assert!(matches!(fates[1], Fate::Unknown { .. }));
}

#[test]
fn a_name_that_two_rows_share_names_neither() {
    let other = Item {
        metric: "talk_time".to_owned(),
        ..of_interaction("int_0", 1.0)
    };
    let rows = [of_interaction("int_0", 1.0), other];
    let body = json!({"errors": [{"interaction_id": "int_0", "error": "x"}]});
    let found = fates(&rows, 200, &body).unwrap();
    assert!(
        found
            .iter()
            .all(|fate| matches!(fate, Fate::Unknown { .. }))
    );
    let body =
        json!({"errors": [{"interaction_id": "int_0", "metric": "talk_time", "error": "x"}]});
    let found = fates(&rows, 200, &body).unwrap();
    assert!(matches!(
        &found[..],
        [Fate::Accepted, Fate::Rejected { .. }]
    ));
}

/// An item's server error says no more about the item than a request's does about the request.
#[test]
fn an_item_that_failed_inside_the_platform_may_have_been_stored() {
    let rows = items(5);
    let entry = |index: usize, mut says: Value| {
        says["idempotency_key"] = json!(rows[index].idempotency_key());
        says
    };
    let entries = [
        entry(0, json!({"status": 500, "message": "x", "retry_after": 7})),
        entry(1, json!({"status": 408, "message": "x"})),
        entry(
            2,
            json!({"status": "failed", "code": "internal.server.error"}),
        ),
        entry(
            3,
            json!({"status": 503, "message": "x", "retry_after": "7"}),
        ),
        entry(
            4,
            json!({"status": "failed", "code": "service.unavailable"}),
        ),
    ];
    let fates = fates(&rows, 200, &json!({"results": entries})).unwrap();
    let asked = Some(Duration::from_secs(7));
    assert!(matches!(&fates[0], Fate::Unknown { hint, .. } if *hint == asked));
    assert!(matches!(&fates[1], Fate::Unknown { hint: None, .. }));
    assert!(matches!(&fates[2], Fate::Unknown { hint: None, .. }));
    assert!(matches!(&fates[3], Fate::Later(later) if later.hint == asked && later.is_spent));
    assert!(matches!(&fates[4], Fate::Later(later) if later.is_spent));
}

#[test]
fn a_named_culprit_is_refused_and_its_neighbours_go_again_unharmed() {
    let rows = items(3);
    let body = json!({"message": "invalid", "errors": [{"idempotency_key": rows[1].idempotency_key(), "message": "value too large"}]});
    let found = fates(&rows, 400, &body).unwrap();
    assert_eq!(
        found[1],
        Fate::Rejected {
            why: "value too large".to_owned()
        }
    );
    for index in [0, 2] {
        assert!(matches!(&found[index], Fate::Later(later) if !later.is_spent));
    }
    // A refusal that names nobody, and one that is nobody's fault.
    assert_eq!(fates(&rows, 400, &json!({"message": "invalid"})), None);
    assert_eq!(fates(&rows, 404, &body), None);
}

proptest! {
    #[test]
    fn a_body_is_json_without_null_and_no_longer_than_reckoned(
        rows in proptest::collection::vec(("\\PC{1,20}", -1e12f64..1e12), 1..20),
    ) {
        for adapter in adapters() {
            let encoded: Vec<Encoded> = rows.iter().map(|(id, value)| encode(&adapter, &of_interaction(id, *value))).collect();
            let place = encoded[0].place.clone();
            let body = adapter.call(&place, &encoded).body;
            let reckoned = encoded.iter().map(|row| row.json.len()).sum::<usize>() + adapter.overhead(&place, encoded.len());
            prop_assert!(body.len() <= reckoned, "{} > {}", body.len(), reckoned);
            let parsed: Value = serde_json::from_str(&body).unwrap();
            let list = parsed.get("data").or_else(|| parsed.get("rows")).and_then(Value::as_array).unwrap();
            prop_assert_eq!(list.len(), rows.len());
            for (object, (id, _)) in list.iter().zip(&rows) {
                prop_assert_eq!(object["interaction_id"].as_str(), Some(id.as_str()));
                prop_assert!(object.as_object().unwrap().values().all(|member| !member.is_null()));
            }
            // The number is read from the text itself: it must be the value, bit for bit.
            for (row, (_, value)) in encoded.iter().zip(&rows) {
                #[derive(serde::Deserialize)]
                struct Written<'a> {
                    #[serde(borrow)]
                    value: &'a serde_json::value::RawValue,
                }
                let written: Written<'_> = serde_json::from_str(&row.json).unwrap();
                prop_assert_eq!(written.value.get().parse::<f64>().unwrap().to_bits(), value.to_bits());
            }
        }
    }

    #[test]
    fn every_row_has_exactly_one_fate_whatever_the_answer(status in 200_u16..600, text in "\\PC{0,200}", count in 1_usize..20) {
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if let Some(fates) = fates(&items(count), status, &body) {
            prop_assert_eq!(fates.len(), count);
        }
    }
}
