//! The metrics that are durations: adjusted handle time, handle time, talk, hold, wrap-up and wait.

use crate::call::{Call, at};
use schema::DurationKind::{Alert, Contacting, Dialing, Handle, Hold, QueueWait, Talk, Wrap};
use schema::{DurationKind, LegKind, LegOutcome, State};

const NEW_YORK: Option<&str> = Some("America/New_York");

fn call() -> Call {
    Call::default().told(at(0).agent("anna", NEW_YORK).lasts(Talk, 60_000))
}

#[test]
fn adjusted_is_talk_hold_and_wrap_up_and_has_a_value_when_none_was_stated() {
    let told = call().told(
        at(9)
            .lasts(Hold, 500)
            .lasts(Wrap, 20_000)
            .lasts(Dialing, 7000),
    );
    assert_eq!(told.ended().value("adjusted_aht"), "80.5");
    let silent = Call::default().told(at(0).agent("anna", NEW_YORK)).ended();
    assert_eq!(silent.value("adjusted_aht"), "0");
}

#[test]
fn the_last_disposition_decides_and_an_excluded_one_is_named() {
    let excluded = call().ended().told(at(70).disposition("IVR_SELF_SERVICE"));
    assert_eq!(excluded.value("adjusted_aht"), "0: excluded_disposition");
    let metadata = excluded.measured("adjusted_aht").metadata;
    assert_eq!(metadata.disposition.as_deref(), Some("IVR_SELF_SERVICE"));
    for last in ["RESOLVED", "", "ivr_self_service"] {
        let told = call()
            .told(at(80).disposition(last))
            .told(at(70).disposition("IVR_TRANSFER_EXTERNAL"));
        assert_eq!(told.ended().value("adjusted_aht"), "60", "{last:?}");
    }
}

#[test]
fn hours_are_half_open_in_the_first_agents_zone() {
    // Ten in New York is the second told of here.
    let began = |second: i64, zone: &str| {
        Call::default()
            .told(at(second).state(State::Queued))
            .told(
                at(second + 600)
                    .agent("anna", Some(zone))
                    .lasts(Talk, 60_000),
            )
            .told(at(second + 601).agent("bo", Some("Asia/Tokyo")))
            .told(at(second + 900).state(State::Completed))
            .measured("adjusted_aht")
    };
    let cases = [
        (-2 * 3600 - 1, "America/New_York", 0.0),
        (-2 * 3600, "America/New_York", 60.0),
        (8 * 3600 - 1, "America/New_York", 60.0),
        (8 * 3600, "America/New_York", 0.0),
        // 19:45 in Kathmandu.
        (0, "Asia/Kathmandu", 0.0),
        (-105 * 60 - 1, "Asia/Kathmandu", 60.0),
        (-105 * 60, "Asia/Kathmandu", 0.0),
    ];
    for (second, zone, seconds) in cases {
        let row = began(second, zone);
        assert_eq!(row.value, Some(seconds), "{zone} {second}");
        let reason = row.metadata.reason.as_ref().map(kpi::Reason::name);
        let outside = (seconds == 0.0).then_some("outside_business_hours");
        assert_eq!(reason, outside, "{zone} {second}");
        assert_eq!(row.metadata.zone, Some(zone));
    }
}

#[test]
fn an_absurd_duration_withholds_adjusted_only_where_it_would_count() {
    let absurd = || call().told(at(9).lasts(Hold, -1));
    assert_eq!(
        absurd().ended().value("adjusted_aht"),
        "absent: implausible_duration"
    );
    let excluded = absurd().told(at(70).disposition("IVR_SELF_SERVICE"));
    assert_eq!(
        excluded.ended().value("adjusted_aht"),
        "0: excluded_disposition"
    );
    let elsewhere = call().told(at(9).lasts(Dialing, -1));
    assert_eq!(elsewhere.ended().value("adjusted_aht"), "60");
}

#[test]
fn without_transfers_an_excluded_call_is_absent_and_not_zero() {
    let served = || call().told(at(9).state(State::Connected));
    assert_eq!(served().ended().value("adjusted_aht_transfers"), "60");
    let passed_on = served().told(at(20).state(State::Transferred)).ended();
    assert_eq!(
        passed_on.value("adjusted_aht_transfers"),
        "absent: transferred"
    );
    assert_eq!(passed_on.value("adjusted_aht"), "60");
    let excluded = served()
        .told(at(30).disposition("IVR_SELF_SERVICE"))
        .ended();
    assert_eq!(
        excluded.value("adjusted_aht_transfers"),
        "absent: excluded_disposition"
    );
    let alone = Call::default().ended();
    assert_eq!(alone.value("adjusted_aht_transfers"), "absent: no_agent");
}

#[test]
fn handle_time_is_dialling_contacting_talk_hold_and_wrap_up_and_nothing_else() {
    let call = Call::default().told(
        at(1)
            .agent("anna", None)
            .lasts(Dialing, 7000)
            .lasts(Contacting, 500)
            .lasts(Talk, 60_000)
            .lasts(Hold, 0)
            .lasts(Wrap, 20_000)
            .lasts(Alert, 4000)
            .lasts(QueueWait, 90_000)
            .lasts(Handle, 87_500),
    );
    let row = call.ended().measured("handle_time");
    assert_eq!(row.value, Some(87.5));
    assert_eq!(row.metadata.platform_ms, Some(87_500));
    assert!(row.metadata.not_stated.is_empty());
}

#[test]
fn the_platforms_own_figure_is_shown_but_never_taken() {
    let differs = Call::default()
        .told(at(1).lasts(Talk, 60_000).lasts(Handle, 99_000))
        .ended()
        .measured("handle_time");
    assert_eq!(
        (differs.value, differs.metadata.platform_ms),
        (Some(60.0), Some(99_000))
    );
    let alone = Call::default().told(at(1).lasts(Handle, 99_000)).ended();
    assert_eq!(alone.value("handle_time"), "absent: not_stated");
    // An absurd one spoils nothing.
    let absurd = Call::default().told(at(1).lasts(Talk, 1000).lasts(Handle, -7));
    assert_eq!(absurd.ended().value("handle_time"), "1");
}

#[test]
fn parts_that_nobody_stated_are_named() {
    let row = Call::default()
        .told(at(1).agent("anna", None).lasts(Talk, 1000))
        .ended()
        .measured("handle_time");
    assert_eq!(row.value, Some(1.0));
    assert_eq!(row.metadata.not_stated, ["hold", "wrap"]);
}

#[test]
fn self_service_is_not_handled_in_zero_seconds() {
    let alone = Call::default().told(at(1).lasts(Talk, 0)).ended();
    assert_eq!(alone.value("handle_time"), "absent: no_agent");
    let with_agent = Call::default()
        .told(at(1).agent("anna", None).lasts(Talk, 0))
        .ended();
    assert_eq!(with_agent.value("handle_time"), "0");
    // Somebody talked, whoever it was.
    let unnamed = Call::default().told(at(1).lasts(Talk, 1)).ended();
    assert_eq!(unnamed.value("handle_time"), "0.001");
    let left = Call::default().told(at(9).state(State::Abandoned).lasts(QueueWait, 9000));
    assert_eq!(left.value("handle_time"), "absent: not_stated");
}

#[test]
fn an_agent_who_let_it_ring_and_still_wrapped_up_counts_as_the_platform_counts() {
    let call = Call::default().told(
        at(1)
            .agent("anna", None)
            .leg("1", LegKind::Agent, |leg| {
                leg.outcome = Some(LegOutcome::NotResponding);
            })
            .lasts(Alert, 15_000)
            .lasts(Wrap, 2000)
            .lasts(Handle, 2000),
    );
    assert_eq!(call.ended().value("handle_time"), "2");
}

#[test]
fn any_absurd_part_withholds_the_sum() {
    for part in [Talk, Hold, Wrap, Dialing, Contacting] {
        let call = Call::default()
            .told(at(1).lasts(Talk, 1000))
            .told(at(2).lasts(part, i64::MAX));
        let row = call.ended().measured("handle_time");
        assert_eq!(row.value, None, "{part:?}");
        assert_eq!(row.metadata.stated_ms, Some(i64::MAX), "{part:?}");
    }
}

#[test]
fn the_last_statement_on_the_timeline_holds_whatever_order_it_was_told_in() {
    let up = Call::default()
        .told(at(30).lasts(Talk, 30_000))
        .told(at(50).lasts(Talk, 45_200));
    assert_eq!(up.ended().value("talk_time"), "45.2");
    let down = Call::default()
        .told(at(50).lasts(Talk, 30_001))
        .told(at(30).lasts(Talk, 45_200));
    assert_eq!(down.ended().value("talk_time"), "30.001");
}

#[test]
fn what_agents_talked_and_held_adds_up_over_legs() {
    let call = Call::default()
        .told(
            at(0)
                .leg("1", LegKind::Agent, |_| ())
                .lasts(Talk, 60_000)
                .lasts(Hold, 60_000),
        )
        .told(at(60).leg("2", LegKind::Agent, |_| ()).lasts(Talk, 100_000));
    assert_eq!(call.clone().ended().value("talk_time"), "160");
    let absurd = call.told(at(9).leg("3", LegKind::Agent, |_| ()).lasts(Hold, -3));
    assert_eq!(
        absurd.ended().value("hold_time"),
        "absent: implausible_duration"
    );
}

#[test]
fn a_stated_zero_is_zero_and_nothing_stated_is_nothing() {
    for (kind, metric) in [
        (Talk, "talk_time"),
        (Hold, "hold_time"),
        (Wrap, "wrap_time"),
        (QueueWait, "queue_wait"),
        (Alert, "alert_time"),
    ] {
        let zero = Call::default().told(at(1).lasts(kind, 0)).ended();
        assert_eq!(zero.value(metric), "0");
        let silent = Call::default().ended().measured(metric);
        assert_eq!(
            silent.metadata.to_string(),
            r#"{"reason":"not_stated","outcome":"completed","unit":"s"}"#
        );
    }
}

#[test]
fn a_day_of_talk_and_a_callback_that_waited_for_weeks_are_believed_and_two_years_are_not() {
    let told = |kind: DurationKind, millis| Call::default().told(at(1).lasts(kind, millis)).ended();
    assert_eq!(told(Talk, 86_400_000).value("talk_time"), "86400");
    assert_eq!(
        told(QueueWait, 59 * 86_400_000).value("queue_wait"),
        "5097600"
    );
    for absurd in [-1, 2 * 365 * 86_400_000, i64::MAX] {
        let row = told(Talk, absurd).measured("talk_time");
        assert_eq!(row.value, None);
        assert_eq!(row.metadata.reason, Some(kpi::Reason::IMPLAUSIBLE_DURATION));
        assert_eq!(row.metadata.stated_ms, Some(absurd));
    }
}

#[test]
fn a_customer_who_left_has_waited_and_the_waits_of_several_queues_add_up() {
    let call = Call::default().told(at(95).state(State::Abandoned).lasts(QueueWait, 95_000));
    let row = call.measured("queue_wait");
    assert_eq!(row.value, Some(95.0));
    assert_eq!(row.metadata.outcome, Some("abandoned"));
    let twice = Call::default()
        .told(
            at(0)
                .leg("1", LegKind::Queue, |_| ())
                .lasts(QueueWait, 12_500),
        )
        .told(
            at(60)
                .leg("2", LegKind::Queue, |_| ())
                .lasts(QueueWait, 8_000),
        );
    assert_eq!(twice.ended().value("queue_wait"), "20.5");
}

#[test]
fn a_wait_is_not_guessed_from_the_instants_of_events() {
    let call = Call::default()
        .told(at(0).state(State::Queued))
        .told(at(12).state(State::Connected));
    assert_eq!(call.ended().value("queue_wait"), "absent: not_stated");
}

#[test]
fn wrap_up_is_absent_until_it_comes_and_comes_after_the_end() {
    let call = Call::default().ended();
    assert_eq!(call.value("wrap_time"), "absent: not_stated");
    let call = call.told(at(400).state(State::WrappedUp).lasts(Wrap, 41_500));
    let row = call.measured("wrap_time");
    assert_eq!(row.value, Some(41.5));
    // The wrap-up is not how the call ended.
    assert_eq!(row.metadata.outcome, Some("completed"));
}

#[test]
fn the_first_answer_is_measured_in_business_time() {
    // From 17:59 in New York to 08:10 the next morning.
    let call = Call::default()
        .told(at(8 * 3600 - 60).state(State::Queued).queue("mail"))
        .told(
            at(22 * 3600 + 600)
                .state(State::Connected)
                .agent("anna", NEW_YORK),
        )
        .told(at(23 * 3600).state(State::Completed));
    assert_eq!(call.value("first_answer_in_hours"), "660");
    let row = call.measured("first_answer_in_hours");
    assert_eq!(row.metadata.zone, NEW_YORK);
    assert_eq!(
        row.provenance.schedules.as_deref(),
        Some(&["eight_to_six@1".into()][..])
    );
}

#[test]
fn the_duration_of_the_contact_is_from_the_first_word_to_the_end() {
    let call = Call::default()
        .told(at(0).state(State::Offered))
        .told(at(90).state(State::Completed))
        .told(at(300).state(State::WrappedUp).lasts(Wrap, 1000));
    assert_eq!(call.value("contact_duration"), "90");
}
