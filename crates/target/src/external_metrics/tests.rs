use super::definitions::{Definition, DefinitionError, Known, Objective, Plan, Points, Unit, plan};
use super::*;
use crate::adapter::Adapter;
use crate::item::Finite;
use crate::item::tests::of_interaction;
use schema::Grain;
use serde_json::json;

/// 2025-03-12T12:00:00Z.
const NOW: UtcMicros = UtcMicros::from_millis(1_741_780_800_000);
/// 2025-03-10.
const DAY: LocalDay = LocalDay(20_157);

fn definition(unit: Unit, precision: u8) -> Definition {
    Definition {
        name: "Adjusted AHT".to_owned(),
        unit,
        precision,
        objective: Objective::LowerIsBetter,
        enabled: true,
        points: Points::Counted,
    }
}

fn adapter_with(definition: Definition, user: UserBy) -> Adapter {
    let path = PathTemplate::parse("/data", &[Grain::AgentDay]).unwrap();
    let definitions = [("aht".to_owned(), definition)].into();
    let metrics = ExternalMetrics::new(path, user, definitions);
    assert!(!metrics.is_resolved());
    let metrics = metrics.with_ids([("aht".to_owned(), "358db004".to_owned())].into());
    assert!(metrics.is_resolved());
    Adapter::ExternalMetrics(metrics)
}

fn adapter() -> Adapter {
    adapter_with(definition(Unit::Seconds, 1), UserBy::Id)
}

fn figures(numerator: i64, denominator: i64) -> Figures {
    Figures {
        zone: "America/New_York".to_owned(),
        from: UtcMicros(0),
        to: UtcMicros(1),
        items: denominator,
        numerator,
        denominator,
        scale: 1000,
        unit: "seconds".to_owned(),
    }
}

fn item(agent: &str, day: LocalDay, figures: Option<Figures>) -> Item {
    Item {
        value: figures.as_ref().and_then(|_| Finite::new(1.0)),
        subject: Subject::AgentDay {
            agent: agent.into(),
            day,
            figures,
        },
        metric: "aht".to_owned(),
        ..of_interaction("", 0.0)
    }
}

fn encode(adapter: &Adapter, item: &Item) -> Encoded {
    match adapter.step(item, Held::Unknown, NOW) {
        Step::Send(encoded) => encoded,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_day_goes_as_its_sum_and_its_count() {
    let adapter = adapter();
    let encoded = encode(
        &adapter,
        &item("747951fe", DAY, Some(figures(7_213_449, 21))),
    );
    assert_eq!(
        encoded.json,
        r#"{"metricId":"358db004","userId":"747951fe","dateOccurred":"2025-03-10","value":7213.4,"count":21}"#
    );
    assert_eq!(
        encoded.amount,
        Some(Amount {
            value: 7213.4,
            points: Some(21)
        })
    );
    let by_email = adapter_with(definition(Unit::Seconds, 1), UserBy::Email);
    let encoded = encode(
        &by_email,
        &item("ada@example.invalid", DAY, Some(figures(1000, 1))),
    );
    assert!(
        encoded
            .json
            .contains(r#""userEmail":"ada@example.invalid""#)
    );
}

#[test]
fn units_and_points_are_the_definitions() {
    let of = |unit, points, ours: &str, numerator, denominator| {
        let definition = Definition {
            points,
            ..definition(unit, 2)
        };
        let figures = Figures {
            unit: ours.to_owned(),
            ..figures(numerator, denominator)
        };
        let adapter = adapter_with(definition, UserBy::Id);
        match adapter.step(&item("a", DAY, Some(figures)), Held::Nothing, NOW) {
            Step::Send(encoded) => encoded.amount.map(|amount| (amount.value, amount.points)),
            Step::Refused(why) => {
                assert!(why.contains(unit.name()) && why.contains(ours), "{why}");
                None
            }
            other => panic!("{other:?}"),
        }
    };
    let counted = Points::Counted;
    assert_eq!(
        of(Unit::Percent, counted, "share", 12_000, 16),
        Some((1200.0, Some(16)))
    );
    assert_eq!(
        of(Unit::Number, counted, "count", 5_000, 5),
        Some((5.0, Some(5)))
    );
    // A time has no weights; a count of nothing would delete it.
    assert_eq!(
        of(Unit::Seconds, counted, "seconds", 28_800_000, 0),
        Some((28_800.0, Some(1)))
    );
    assert_eq!(
        of(Unit::Number, Points::One, "count", 5_000, 5),
        Some((5.0, Some(1)))
    );
    assert_eq!(of(Unit::Percent, counted, "seconds", 1, 1), None);
    assert_eq!(of(Unit::Seconds, counted, "share", 1, 1), None);
}

#[test]
fn what_the_platform_has_already_is_not_sent_again() {
    let adapter = adapter();
    let has = |value, points| {
        Held::Has(Some(Amount {
            value,
            points: Some(points),
        }))
    };
    // Differs by less than is shown.
    let same = item("a", DAY, Some(figures(7_213_420, 21)));
    for (held, goes) in [
        (has(7213.4, 21), false),
        (has(7213.5, 21), true),
        (has(7213.4, 20), true),
        (Held::Has(None), true),
        (Held::Nothing, true),
        (Held::Unknown, true),
    ] {
        let step = adapter.step(&same, held, NOW);
        assert_eq!(matches!(step, Step::Send(_)), goes, "{held:?} {step:?}");
        assert!(goes || step == Step::Done);
    }
}

#[test]
fn a_day_that_nothing_is_in_any_more_is_deleted_with_a_null() {
    let adapter = adapter();
    let gone = item("a", DAY, None);
    assert_eq!(adapter.step(&gone, Held::Nothing, NOW), Step::Done);
    let encoded = encode(&adapter, &gone);
    assert_eq!(encoded.amount, None);
    assert_eq!(
        encoded.json,
        r#"{"metricId":"358db004","userId":"a","dateOccurred":"2025-03-10","value":null}"#
    );
    // Nothing to divide by, or not wanted any more: the same.
    let absent = Item {
        value: None,
        ..item("a", DAY, Some(figures(0, 0)))
    };
    assert_eq!(encode(&adapter, &absent).json, encoded.json);
}

#[test]
fn the_platform_takes_a_week_back_and_a_month_ahead_by_the_days_own_clock() {
    let adapter = adapter();
    let step = |days: i32, zone: &str, now| {
        let figures = Figures {
            zone: zone.to_owned(),
            ..figures(1, 1)
        };
        adapter.step(
            &item("a", DAY.plus(days), Some(figures)),
            Held::Nothing,
            now,
        )
    };
    // 2025-03-17T03:00Z: there it is still the 16th.
    let night = UtcMicros::from_millis(1_742_180_400_000);
    for (days, zone, expired) in [
        (0, "UTC", false),
        (0, "America/New_York", false),
        (-1, "UTC", true),
        (-1, "America/New_York", false),
        (-2, "America/New_York", true),
    ] {
        let step = step(days, zone, night);
        assert_eq!(
            matches!(&step, Step::Expired(why) if why.contains("7 days")),
            expired,
            "{days} {zone} {step:?}"
        );
    }
    assert!(matches!(step(32, "UTC", NOW), Step::Send(_)));
    assert!(matches!(step(33, "UTC", NOW), Step::Refused(why) if why.contains("ahead")));
    assert!(matches!(step(0, "Mars/Base", NOW), Step::Refused(_)));
    // Of a day that is gone nobody knows the clock: it goes where some clock allows it.
    let gone = |days| adapter.step(&item("a", DAY.plus(days), None), Held::Unknown, NOW);
    assert!(matches!(gone(-6), Step::Send(_)));
    assert!(matches!(gone(-7), Step::Expired(_)));
}

fn read(adapter: &Adapter, items: &[Item], status: u16, body: &Value) -> Option<Vec<Fate>> {
    let encoded: Vec<Encoded> = items.iter().map(|item| encode(adapter, item)).collect();
    let pairs = items.iter().zip(&encoded);
    let sent: Vec<Sent<'_>> = pairs
        .map(|(item, encoded)| Sent { item, encoded })
        .collect();
    let answer = Answer {
        status,
        body: (!body.is_null()).then_some(body),
        words: "words",
    };
    adapter.read(&sent, &answer)
}

/// Pitfall 107.
#[test]
fn each_item_has_its_fate_by_user_metric_and_day_whatever_the_order() {
    let adapter = adapter();
    let items = ["a", "b", "c", "d"].map(|agent| item(agent, DAY, Some(figures(1000, 1))));
    let entry = |user: &str| json!({"userId": user, "metricId": "358db004", "dateOccurred": "2025-03-10", "value": 1.0, "count": 1, "type": "Total"});
    let with = |user: &str, code: &str| {
        let mut entry = entry(user);
        entry["code"] = json!(code);
        entry["message"] = json!("words");
        entry
    };
    let other_day = {
        let mut entry = entry("d");
        entry["dateOccurred"] = json!("2025-03-11");
        entry
    };
    let body = json!({
        "processedEntities": [entry("C"), other_day],
        "unprocessedEntities": [with("b", "too.many.requests"), with("a", "invalid.user")],
    });
    let fates = read(&adapter, &items, 200, &body).unwrap();
    assert_eq!(
        fates[0],
        Fate::Rejected {
            why: "invalid.user: words".to_owned()
        }
    );
    assert!(matches!(&fates[1], Fate::Later(later) if !later.is_spent));
    assert_eq!(fates[2], Fate::Accepted);
    assert!(matches!(&fates[3], Fate::Unknown { .. }));
}

/// The platform may say both of an agent that it was asked about by one.
#[test]
fn an_agent_is_found_by_id_or_address_whichever_was_sent() {
    let items = [item("jo@example.com", DAY, Some(figures(1000, 1)))];
    let entry = json!({"userId": "an-id", "userEmail": "Jo@example.com", "metricId": "358db004", "dateOccurred": "2025-03-10"});
    let body = json!({"processedEntities": [entry], "unprocessedEntities": []});
    let fates = read(&adapter(), &items, 200, &body).unwrap();
    assert_eq!(fates, [Fate::Accepted]);
}

#[test]
fn a_success_that_mentions_nobody_confirms_nothing() {
    let items = [item("a", DAY, Some(figures(1000, 1)))];
    for body in [json!({}), json!({"processedEntities": []}), Value::Null] {
        let fates = read(&adapter(), &items, 200, &body).unwrap();
        assert!(
            matches!(&fates[..], [Fate::Unknown { .. }]),
            "{body} {fates:?}"
        );
    }
    assert_eq!(
        read(&adapter(), &items, 400, &json!({"message": "x"})),
        None
    );
}

fn known(name: &str, unit: &str) -> Known {
    Known {
        id: format!("id of {name}"),
        name: name.to_owned(),
        unit: unit.to_owned(),
        precision: Some(1),
        objective: Some("LowerIsBetter".to_owned()),
        enabled: true,
    }
}

fn wanted(names: &[&str]) -> BTreeMap<String, Definition> {
    let named = names.iter().map(|name| {
        let definition = Definition {
            name: (*name).to_owned(),
            ..definition(Unit::Seconds, 1)
        };
        (name.to_lowercase(), definition)
    });
    named.collect()
}

#[test]
fn definitions_are_found_by_name_and_what_is_missing_is_created() {
    let found = plan(
        &wanted(&["AHT", "Hold"]),
        &[known("Other", "Number"), known("AHT", "Seconds")],
    );
    assert_eq!(
        found,
        Ok(Plan {
            ids: [("aht".to_owned(), "id of AHT".to_owned())].into(),
            missing: vec!["hold".to_owned()],
            differences: vec![],
        })
    );
}

#[test]
fn a_unit_that_does_not_fit_is_an_error_and_other_differences_are_told() {
    let error = plan(&wanted(&["AHT"]), &[known("AHT", "Percent")]).unwrap_err();
    assert!(matches!(error, DefinitionError::Unit { .. }));
    assert!(error.to_string().contains("in Percent"), "{error}");
    let other = Known {
        precision: Some(0),
        objective: None,
        enabled: false,
        ..known("AHT", "Seconds")
    };
    let found = plan(&wanted(&["AHT"]), &[other]).unwrap();
    assert_eq!(found.differences.len(), 3, "{:?}", found.differences);
}

#[test]
fn an_organisation_has_fifty_definitions_at_most() {
    let many: Vec<Known> = (0..50)
        .map(|n| known(&format!("K{n}"), "Seconds"))
        .collect();
    let error = plan(&wanted(&["AHT"]), &many).unwrap_err();
    assert!(error.to_string().contains("50 definitions") && error.to_string().contains("AHT"));
    assert!(plan(&wanted(&["K7"]), &many).is_ok());
    assert!(plan(&wanted(&["AHT"]), &many[1..]).is_ok());
}

#[test]
fn what_is_no_definition_is_not_taken_for_one() {
    for body in [
        json!({}),
        json!({"id": "1"}),
        json!([]),
        json!({"id": 1, "name": "A", "unit": "Seconds"}),
    ] {
        assert!(Known::read(&body).is_err(), "{body}");
    }
}
