//! Service level in its common denominators: the boundaries of the threshold, and the worked example of the definitions' sources.

use crate::call::{Call, at, at_millis};
use schema::{Direction, DurationKind::QueueWait, LegKind, LegOutcome, State};

fn answered(wait: i64) -> Call {
    Call::default()
        .told(at(0).state(State::Queued).queue("support"))
        .told(
            at_millis(wait)
                .state(State::Connected)
                .agent("anna", None)
                .lasts(QueueWait, wait),
        )
        .told(at_millis(wait + 60_000).state(State::Completed))
}

fn abandoned(wait: i64) -> Call {
    Call::default()
        .told(at(0).state(State::Queued).queue("support"))
        .told(
            at_millis(wait)
                .state(State::Abandoned)
                .queue("support")
                .lasts(QueueWait, wait),
        )
}

const ALL: [&str; 4] = [
    "service_level_offered",
    "service_level_answered",
    "service_level_without_short",
    "service_level_positive",
];

#[test]
fn exactly_the_threshold_is_within_it_and_a_millisecond_more_is_not() {
    for metric in ALL {
        for (wait, share) in [(19_999, "1"), (20_000, "1"), (20_001, "0")] {
            assert_eq!(answered(wait).value(metric), share, "{metric} {wait}");
        }
    }
    for (wait, share) in [(19_999, "1"), (20_000, "1"), (20_001, "0")] {
        assert_eq!(
            abandoned(wait).value("service_level_positive"),
            share,
            "{wait}"
        );
        assert_eq!(abandoned(wait).value("service_level_offered"), "0");
    }
}

#[test]
fn less_than_the_short_threshold_is_short_and_exactly_that_long_is_not() {
    let cases = [
        (4999, "1", "absent: short_abandon"),
        (5000, "0", "0"),
        (5001, "0", "0"),
    ];
    for (wait, short, level) in cases {
        let call = abandoned(wait);
        assert_eq!(call.value("short_abandoned"), short, "{wait}");
        assert_eq!(call.value("service_level_without_short"), level, "{wait}");
        assert_eq!(call.value("abandoned"), "1");
        assert_eq!(call.value("service_level_answered"), "absent: filtered");
    }
}

/// A 1000, A_T 860, B 60, B_T 20, of those B_s 10: scaled down by ten.
#[test]
fn the_worked_example_gives_its_four_results() {
    let mut calls = Vec::new();
    calls.extend((0..86).map(|_| answered(10_000)));
    calls.extend((0..14).map(|_| answered(40_000)));
    calls.push(abandoned(3000));
    calls.push(abandoned(12_000));
    calls.extend((0..4).map(|_| abandoned(90_000)));
    let ratio = |metric: &str| {
        let values: Vec<f64> = calls
            .iter()
            .filter_map(|call| call.measured(metric).value)
            .collect();
        #[allow(clippy::cast_precision_loss, reason = "a hundred calls")]
        let count = values.len() as f64;
        (values.iter().sum::<f64>(), count)
    };
    assert_eq!(ratio("service_level_answered"), (86.0, 100.0));
    assert_eq!(ratio("service_level_offered"), (86.0, 106.0));
    assert_eq!(ratio("service_level_without_short"), (86.0, 105.0));
    assert_eq!(ratio("service_level_positive"), (88.0, 106.0));
    assert_eq!(ratio("abandoned"), (6.0, 106.0));
    assert_eq!(ratio("short_abandoned"), (1.0, 106.0));
    assert_eq!(ratio("offered"), (106.0, 106.0));
    assert_eq!(ratio("handled"), (100.0, 106.0));
    // The mean speed of answer knows no abandons, and the time to abandon knows nothing else.
    assert_eq!(ratio("speed_of_answer"), (1420.0, 100.0));
    assert_eq!(ratio("time_to_abandon"), (375.0, 6.0));
}

#[test]
fn an_empty_denominator_is_no_value_at_all() {
    // Only short abandons: neither 0 nor 100 %.
    let calls = [abandoned(1000), abandoned(2000)];
    let with_value = calls
        .iter()
        .filter(|call| call.measured("service_level_without_short").value.is_some());
    assert_eq!(with_value.count(), 0);
}

#[test]
fn callbacks_outbound_calls_and_calls_without_a_queue_are_in_no_service_level() {
    let callback = answered(10_000).told(at(70).media("callback"));
    let outbound = answered(10_000).told(at(-1).direction(Direction::Outbound));
    let inbound = answered(10_000).told(at(-1).direction(Direction::Inbound));
    let direct = Call::default()
        .told(
            at(3)
                .state(State::Connected)
                .agent("anna", None)
                .lasts(QueueWait, 0),
        )
        .ended();
    for metric in ALL {
        assert_eq!(callback.value(metric), "absent: filtered", "{metric}");
        assert_eq!(outbound.value(metric), "absent: filtered", "{metric}");
        assert_eq!(direct.value(metric), "absent: filtered", "{metric}");
        assert_eq!(inbound.value(metric), "1", "{metric}");
    }
}

#[test]
fn an_answered_call_whose_wait_nobody_stated_is_absent() {
    let call = Call::default()
        .told(at(0).state(State::Queued).queue("support"))
        .told(at(9).state(State::Connected).agent("anna", None))
        .ended();
    for metric in ALL {
        assert_eq!(call.value(metric), "absent: not_stated", "{metric}");
    }
}

#[test]
fn the_clock_goes_on_over_queues_and_stops_at_the_first_answer() {
    let second_wait = Call::default()
        .told(at(0).state(State::Queued).queue("sales"))
        .told(
            at(10)
                .state(State::Connected)
                .agent("anna", None)
                .lasts(QueueWait, 10_000),
        )
        .told(at(70).state(State::Transferred).agent("anna", None))
        .told(at(71).state(State::Queued).queue("support"))
        .told(at(371).state(State::Abandoned).lasts(QueueWait, 310_000));
    assert_eq!(second_wait.value("speed_of_answer"), "10");
    assert_eq!(second_wait.value("queue_wait"), "310");
    for metric in ALL {
        assert_eq!(second_wait.value(metric), "1", "{metric}");
    }
    let queue = |begins: i64, waits: i64, id: &str, outcome: LegOutcome| {
        at(begins)
            .queue(id)
            .lasts(QueueWait, waits * 1000)
            .leg(id, LegKind::Queue, |leg| leg.outcome = Some(outcome))
    };
    let left_the_second = Call::default()
        .told(queue(0, 60, "q1", LegOutcome::FlowedOut))
        .told(queue(60, 3, "q2", LegOutcome::Abandoned))
        .told(at(63).state(State::Abandoned));
    assert_eq!(left_the_second.value("time_to_abandon"), "63");
    assert_eq!(left_the_second.value("short_abandoned"), "0");
    assert_eq!(left_the_second.value("service_level_positive"), "0");
}

#[test]
fn what_rang_in_vain_counts_against_the_service_level_only_where_that_is_asked_for() {
    let missed = Call::default()
        .told(at(0).state(State::Queued).queue("support"))
        .told(at(5).state(State::Alerting).agent("anna", None))
        .told(at(30).state(State::Missed).agent("anna", None));
    assert_eq!(missed.value("service_level_offered"), "absent: filtered");
    assert_eq!(missed.value("service_level_with_missed"), "0");
    for (call, share) in [(answered(20_000), "1"), (abandoned(9000), "0")] {
        assert_eq!(call.value("service_level_offered"), share);
        assert_eq!(call.value("service_level_with_missed"), share);
    }
}

/// The guide's events name no queue; that the customer waited says that there was one.
#[test]
fn a_wait_or_an_alert_is_a_queue_also_where_none_is_named() {
    let waited = Call::default().told(
        at(90)
            .state(State::Completed)
            .agent("anna", None)
            .lasts(QueueWait, 3200),
    );
    let gave_up = Call::default()
        .told(at(0).state(State::Queued))
        .told(at(30).state(State::Abandoned));
    assert_eq!(waited.value("offered"), "1");
    assert_eq!(waited.value("abandoned"), "0");
    assert_eq!(waited.value("flowed_out"), "0");
    assert_eq!(waited.value("short_abandoned"), "0");
    assert_eq!(gave_up.value("offered"), "1");
    assert_eq!(gave_up.value("abandoned"), "1");
    for metric in ALL {
        assert_eq!(waited.value(metric), "1", "{metric}");
    }
    let direct = Call::default().told(at(9).state(State::Completed).lasts(QueueWait, 0));
    assert_eq!(direct.value("offered"), "0");
}
