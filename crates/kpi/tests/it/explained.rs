//! Why is this number so: the explanation names each rule, what it read and what it gave.

use crate::call::{Call, SHIPPED, at};
use kpi::{Explanation, Subject};
use schema::DurationKind::{Hold, Talk};
use schema::State;

fn explain(call: &Call, metric: &str) -> Vec<Explanation> {
    let timeline = call.session.timeline();
    let subject = Subject {
        tenant: "acme",
        interaction: "int_1",
        timeline: &timeline,
        swept: call.swept,
    };
    let place = SHIPPED
        .definitions()
        .iter()
        .position(|definition| definition.name() == metric);
    SHIPPED.explain(place.unwrap(), &subject)
}

#[test]
fn the_rules_are_told_up_to_the_one_that_decided() {
    let call = Call::default()
        .told(
            at(-7200 - 1)
                .state(State::Connected)
                .agent("anna", Some("America/New_York")),
        )
        .told(
            at(0)
                .state(State::Completed)
                .disposition("RESOLVED")
                .lasts(Talk, 78_000),
        );
    let explained = explain(&call, "adjusted_aht");
    assert_eq!(explained.len(), 1);
    let steps: Vec<_> = explained[0]
        .steps
        .iter()
        .map(|step| (step.rule.as_str(), step.result.as_str()))
        .collect();
    assert_eq!(
        steps,
        [
            ("excluded_disposition", "false"),
            ("outside_business_hours", "true")
        ]
    );
    let inputs = &explained[0].steps[0].inputs;
    assert_eq!(
        inputs[0],
        (
            "interaction.disposition".to_owned(),
            "\"RESOLVED\"".to_owned()
        )
    );
    assert_eq!(
        explained[0].zone,
        Some(("America/New_York".to_owned(), "agent".to_owned()))
    );
    assert_eq!(explained[0].metric, call.measured("adjusted_aht"));
}

#[test]
fn terms_come_first_and_what_is_not_stated_is_said() {
    let call = Call::default()
        .told(
            at(0)
                .state(State::Connected)
                .agent("anna", None)
                .lasts(Talk, 78_000)
                .lasts(Hold, -1),
        )
        .ended();
    let explained = explain(&call, "handle_time");
    let steps = &explained[0].steps;
    assert!(
        steps
            .iter()
            .take(3)
            .all(|step| step.rule.starts_with("terms."))
    );
    let inputs = steps.iter().flat_map(|step| &step.inputs);
    let shown: Vec<String> = inputs
        .map(|(path, value)| format!("{path} {value}"))
        .collect();
    for expected in [
        "interaction.talk 1m18s",
        "interaction.hold implausible: -1 ms",
        "interaction.wrap not stated",
    ] {
        assert!(
            shown.iter().any(|one| one == expected),
            "{expected}: {shown:#?}"
        );
    }
}

#[test]
fn an_open_interaction_has_nothing_to_explain_and_a_given_up_one_no_rules() {
    let open = Call::default().told(at(0).state(State::Connected).agent("anna", None));
    assert!(explain(&open, "adjusted_aht").is_empty());
    let explained = explain(&open.swept(), "adjusted_aht");
    assert!(explained[0].steps.is_empty());
    assert_eq!(
        explained[0].metric.metadata.reason,
        Some(kpi::Reason::INCOMPLETE)
    );
}
