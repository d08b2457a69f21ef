//! The workload is what it says it is.

use super::*;
use crate::truth::Truth;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn truth(workload: &Workload) -> Truth {
    Truth::of(workload.events.iter().map(|event| &event[..]))
}

fn parsed(workload: &Workload) -> Vec<Value> {
    let parse = |event: &Bytes| serde_json::from_slice(event).unwrap();
    workload.events.iter().map(parse).collect()
}

#[test]
fn equal_arguments_give_equal_events_and_other_seeds_others() {
    let file = |seed| Workload::new(50, seed).to_lines();
    assert_eq!(file(7), file(7));
    assert_ne!(file(7), file(8));
}

#[test]
fn the_truth_about_it_does_not_depend_on_order_or_copies() {
    let mut workload = Workload::new(500, 7);
    let before = truth(&workload);
    assert_eq!(before.unreadable, 0);
    assert_eq!(before.statements, workload.statements);
    let more = workload.events.clone();
    workload.events.extend(more);
    Random::new(1).shuffle(&mut workload.events);
    let after = truth(&workload);
    assert_eq!(before.interactions, after.interactions);
    assert_eq!(before.statements, after.statements);
}

#[test]
fn every_awkward_case_is_common() {
    let workload = Workload::new(2_000, 7);
    let truth = truth(&workload);
    let mut stamps: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut instants: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut zones: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut notations = BTreeSet::new();
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    for event in parsed(&workload) {
        let data = &event["data"];
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let call = text(&data["interaction_id"]);
        *states.entry(text(&data["state"])).or_default() += 1;
        stamps
            .entry(text(&data["event_id"]))
            .or_default()
            .insert(text(&data["updated_at"]));
        instants
            .entry(call.clone())
            .or_default()
            .insert(text(&event["timestamp"]));
        for person in data["participants"].as_array().unwrap() {
            zones
                .entry(call.clone())
                .or_default()
                .insert(text(&person["timezone"]));
        }
        let stamp = text(&event["timestamp"]);
        notations.insert((stamp.len(), stamp.ends_with('Z')));
    }
    let share = |count: usize| count * 1_000 / 2_000;
    assert!(share(truth.open) > 20, "never end: {}", truth.open);
    assert!(
        stamps.values().filter(|it| it.len() > 1).count() > 200,
        "revisions"
    );
    assert!(
        instants.values().filter(|it| it.len() == 1).count() > 80,
        "one instant"
    );
    assert!(
        zones.values().filter(|it| it.len() > 2).count() > 300,
        "two zones"
    );
    assert_eq!(notations.len(), 4);
    for state in [
        "abandoned",
        "missed",
        "corrected",
        "wrapped_up",
        "transferred",
        "held",
    ] {
        assert!(states[state] > 100, "{state}: {}", states[state]);
    }
    assert!(
        workload.events.len() > workload.statements * 104 / 100,
        "copies"
    );
    for reason in [
        None,
        Some("excluded_disposition"),
        Some("outside_business_hours"),
    ] {
        let count = truth
            .interactions
            .values()
            .filter(|it| it.reason == reason)
            .count();
        assert!(count > 200, "{reason:?}: {count}");
    }
}

#[test]
fn starts_lie_on_both_sides_of_the_edges_of_business_hours() {
    let truth = truth(&Workload::new(4_000, 7));
    let near = |edge: i64, reason: Option<&str>| {
        let millis = |start: i64| start.div_euclid(1_000).rem_euclid(1_800_000);
        truth
            .interactions
            .values()
            .filter(|it| it.reason == reason && millis(it.start) == edge)
            .count()
    };
    let outside = Some("outside_business_hours");
    assert!(near(0, None) > 0 && near(0, outside) > 0);
    assert!(near(1_799_999, None) > 0 && near(1_799_999, outside) > 0);
}
