//! Definitions over all interactions of one customer.

use crate::call::{Call, at, definition, shown};
use kpi::{Catalogue, Library, MetricValue, Scope, Subject};
use schema::State;
use std::sync::Arc;

const DAY: i64 = 86_400;

fn contact(day: i64, disposition: &str) -> Call {
    Call::default()
        .told(
            at(day * DAY)
                .state(State::Connected)
                .agent("anna", None)
                .customer("k1"),
        )
        .told(
            at(day * DAY + 60)
                .state(State::Completed)
                .disposition(disposition),
        )
}

fn rows(rest: &str, unit: &str, calls: &[(&str, Call)]) -> Vec<MetricValue> {
    let own = definition(unit, &format!("scope = 'journey'\n{rest}"));
    let catalogue = Catalogue::new(vec![Arc::new(own)], Library::shipped());
    let timelines: Vec<_> = calls
        .iter()
        .map(|(_, call)| call.session.timeline())
        .collect();
    let contacts: Vec<Subject<'_>> = calls
        .iter()
        .zip(&timelines)
        .map(|((id, _), timeline)| Subject {
            tenant: "acme",
            interaction: id,
            timeline,
            swept: false,
        })
        .collect();
    let mut rows = Vec::new();
    catalogue.evaluate_journey(&contacts, &mut rows);
    rows
}

#[test]
fn a_journey_has_one_row_and_reads_its_interactions_in_order() {
    let calls = [
        ("c", contact(6, "RESOLVED")),
        ("a", contact(0, "OPEN")),
        ("b", contact(20, "RESOLVED")),
    ];
    let count = rows("value = 'journey.contacts'", "count", &calls);
    assert_eq!(count.len(), 1);
    assert_eq!(count[0].scope, Scope::Journey);
    assert_eq!(shown(&count[0]), "3");
    assert_eq!(count[0].timestamp, crate::call::second(0));
    let resolved = rows(
        "value = 'journey.interactions.exists_one(i, i.disposition in lists.open)'\n[lists]\nopen = ['OPEN']",
        "share",
        &calls,
    );
    assert_eq!(shown(&resolved[0]), "1");
    let span = rows(
        "value = 'journey.last_ended_at - journey.first_started_at'",
        "seconds",
        &calls,
    );
    assert_eq!(span[0].value, Some(20.0 * 86_400.0 + 60.0));
}

#[test]
fn the_order_in_which_contacts_are_given_does_not_matter() {
    let mut calls = vec![
        ("a", contact(0, "X")),
        ("b", contact(0, "Y")),
        ("c", contact(3, "Z")),
    ];
    let rest = "value = 'size(journey.interactions.filter(i, i.started_at - journey.first_started_at <= parameters.window))'\n[parameters]\nwindow = '72h'";
    let one = rows(rest, "count", &calls);
    calls.reverse();
    assert_eq!(one, rows(rest, "count", &calls));
    assert_eq!(shown(&one[0]), "3");
}

/// First contact resolution as "no repeat within a window": of the contacts that follow none within it, the share that none follows
/// within it. Exactly the window later is a repeat.
#[test]
fn first_contact_resolution_by_the_absence_of_repeats_can_be_said() {
    let rest = "value = 'double(size(journey.interactions.filter(i, !journey.interactions.exists(j, j.started_at < i.started_at && i.started_at - j.started_at <= parameters.window) && !journey.interactions.exists(j, j.started_at > i.ended_at && j.started_at - i.ended_at <= parameters.window)))) / double(size(journey.interactions.filter(i, !journey.interactions.exists(j, j.started_at < i.started_at && i.started_at - j.started_at <= parameters.window))))'\n[parameters]\nwindow = '168h'";
    let share = |days: &[i64]| {
        let ids = ["a", "b", "c"];
        let calls: Vec<_> = ids
            .into_iter()
            .zip(days.iter().map(|day| contact(*day, "X")))
            .collect();
        shown(&rows(rest, "share", &calls)[0])
    };
    assert_eq!(
        share(&[0, 6, 20]),
        "0.5",
        "the second is a repeat of the first, the third a new first"
    );
    assert_eq!(
        share(&[0, 7]),
        "0",
        "seven days after the start are less than that after the end"
    );
    assert_eq!(share(&[0, 8]), "1");
    assert_eq!(share(&[3]), "1");
}

#[test]
fn nobody_is_no_journey_and_interactions_have_no_rows_of_journeys() {
    assert!(rows("value = 'journey.contacts'", "count", &[]).is_empty());
    let own = definition("count", "scope = 'journey'\nvalue = 'journey.contacts'");
    let catalogue = Catalogue::new(vec![Arc::new(own)], Library::shipped());
    assert!(contact(0, "X").rows_of(&catalogue).is_empty());
}
