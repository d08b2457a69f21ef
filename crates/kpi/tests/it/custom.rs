//! Definitions of one's own: what they may ask, and what comes of it when the answer cannot be given.

use crate::call::{Call, at, definition, shown};
use kpi::{Library, MetricValue};
use schema::DurationKind::{Hold, Talk, Wrap};
use schema::{LegKind, LegOutcome, State};

fn call() -> Call {
    Call::default()
        .told(at(0).state(State::Queued).queue("support"))
        .told(at(10).state(State::Connected).agent("anna", None))
        .told(at(40).state(State::Held).agent("anna", None))
        .told(at(52).state(State::Connected).agent("anna", None))
        .told(
            at(100)
                .state(State::Completed)
                .agent("anna", None)
                .disposition("RESOLVED")
                .lasts(Talk, 78_000)
                .lasts(Hold, 12_000),
        )
}

fn row(unit: &str, rest: &str) -> MetricValue {
    call().measured_by(definition(unit, rest), Library::shipped())
}

fn value(unit: &str, rest: &str) -> String {
    shown(&row(unit, rest))
}

#[test]
fn values_are_counted_in_the_definitions_unit() {
    assert_eq!(value("seconds", "value = 'interaction.talk'"), "78");
    assert_eq!(value("count", "value = 'interaction.agent_count'"), "1");
    assert_eq!(
        value("share", "value = 'interaction.talk > duration(\"1m\")'"),
        "1"
    );
    assert_eq!(
        value("share", "value = 'interaction.hold / interaction.talk'"),
        (12.0 / 78.0).to_string()
    );
    assert_eq!(
        value("number", "value = 'seconds(interaction.talk) / 60.0'"),
        "1.3"
    );
    assert_eq!(
        value(
            "seconds",
            "value = 'interaction.started_at - interaction.ended_at'"
        ),
        "-100"
    );
    assert_eq!(
        row("count", "value = '1'").metadata.to_string(),
        r#"{"outcome":"completed","unit":"count"}"#
    );
}

#[test]
fn times_of_states_and_agents_are_there_to_be_asked_for() {
    assert_eq!(value("seconds", "value = 'stateTime(\"held\")'"), "12");
    assert_eq!(value("seconds", "value = 'stateTime(\"connected\")'"), "78");
    assert_eq!(
        value(
            "seconds",
            "value = 'agentTime(interaction.agent, \"talk\")'"
        ),
        "78"
    );
    assert_eq!(
        value("seconds", "value = 'agentTime(\"nobody\", \"talk\")'"),
        "absent: not_stated"
    );
    assert_eq!(
        value(
            "seconds",
            "value = 'orZero(agentTime(\"nobody\", \"talk\"))'"
        ),
        "0"
    );
}

#[test]
fn a_condition_that_reads_what_nobody_stated_does_not_hold() {
    for condition in [
        "interaction.wrap >= duration('0s')",
        "!(interaction.wrap >= duration('0s'))",
    ] {
        let filtered = format!("filter = \"{condition}\"\nvalue = '1'");
        assert_eq!(value("count", &filtered), "absent: filtered", "{condition}");
        let excluded = format!("value = '1'\n[[exclusions]]\nreason = 'x'\nwhen = \"{condition}\"");
        assert_eq!(value("count", &excluded), "1", "{condition}");
    }
    assert_eq!(
        value("count", "filter = '!has(interaction.wrap)'\nvalue = '1'"),
        "1"
    );
}

#[test]
fn what_an_undecided_condition_lacked_is_named() {
    let filtered = row(
        "count",
        "filter = 'interaction.wait > duration(\"5s\")'\nvalue = '1'",
    );
    assert_eq!(shown(&filtered), "absent: filtered");
    assert_eq!(filtered.metadata.not_stated, ["wait"]);
    let decided = row(
        "count",
        "filter = 'interaction.agent_count > 1'\nvalue = '1'",
    );
    assert!(decided.metadata.not_stated.is_empty());

    let rules = "[[exclusions]]\nreason = 'waited'\nwhen = 'interaction.wait > duration(\"5s\")'\n";
    let undecided = row("count", &format!("value = '1'\n{rules}"));
    assert_eq!(shown(&undecided), "1");
    assert_eq!(undecided.metadata.not_stated, ["wait"]);
    // Whatever comes of the rest.
    let absent = row("seconds", &format!("value = 'interaction.wrap'\n{rules}"));
    assert_eq!(shown(&absent), "absent: not_stated");
    assert_eq!(absent.metadata.not_stated, ["wait", "wrap"]);
    let excluded = row(
        "count",
        &format!("value = '1'\n{rules}[[exclusions]]\nreason = 'all'\nwhen = 'true'"),
    );
    assert_eq!(shown(&excluded), "absent: all");
    assert_eq!(excluded.metadata.not_stated, ["wait"]);
    // Who asks first has decided.
    let asked = rules.replace("when = '", "when = 'has(interaction.wait) && ");
    let asked = row("count", &format!("value = '1'\n{asked}"));
    assert!(asked.metadata.not_stated.is_empty());
}

#[test]
fn a_share_lies_within_0_and_1() {
    let outside = row("share", "value = 'interaction.talk / interaction.hold'");
    assert_eq!(shown(&outside), "absent: not_a_share");
    assert_eq!(
        outside.metadata.error.as_deref(),
        Some("value is 6.5, not within 0 and 1")
    );
    assert_eq!(
        value("share", "value = 'interaction.hold / interaction.hold'"),
        "1"
    );
    let number = value("number", "value = 'interaction.talk / interaction.hold'");
    assert_eq!(number, "6.5");
}

#[test]
fn the_first_exclusion_that_holds_decides() {
    let rules = "value = '1'\n[[exclusions]]\nreason = 'first'\nwhen = 'interaction.answered'\n[[exclusions]]\nreason = 'second'\nwhen = 'true'\n";
    assert_eq!(value("count", rules), "absent: first");
    assert_eq!(
        value("count", &format!("on_excluded = 'zero'\n{rules}")),
        "0: first"
    );
}

#[test]
fn what_a_value_lacks_is_named() {
    let sum = row("seconds", "value = 'interaction.talk + interaction.wrap'");
    assert_eq!(shown(&sum), "absent: not_stated");
    assert_eq!(sum.metadata.not_stated, ["wrap"]);
    let both = row(
        "seconds",
        "value = 'orZero(interaction.alert) + interaction.wrap'",
    );
    assert_eq!(both.metadata.not_stated, ["alert", "wrap"]);
    let counted = row(
        "seconds",
        "value = 'orZero(interaction.wrap) + interaction.talk'",
    );
    assert_eq!(shown(&counted), "78");
    assert_eq!(counted.metadata.not_stated, ["wrap"]);
    let silent = row(
        "seconds",
        "value = 'orElse(interaction.wrap, parameters.usual)'\n[parameters]\nusual = '30s'",
    );
    assert_eq!(shown(&silent), "30");
    assert!(silent.metadata.not_stated.is_empty());
}

#[test]
fn a_division_by_zero_is_a_reason_and_says_where() {
    let row = row(
        "share",
        "value = 'interaction.hold / (interaction.talk - interaction.talk * interaction.agent_count)'",
    );
    assert_eq!(shown(&row), "absent: division_by_zero");
    assert_eq!(
        row.metadata.error.as_deref(),
        Some("value 1:18: division by zero")
    );
    assert_eq!(
        value(
            "count",
            "value = '1'\n[[exclusions]]\nreason = 'odd'\nwhen = '1 / (interaction.agent_count - 1) > 0'"
        ),
        "absent: division_by_zero"
    );
}

#[test]
fn what_leaves_the_range_of_numbers_is_a_reason() {
    let huge = "value = 'interaction.agent_count * 9223372036854775807 + interaction.queue_count'";
    assert_eq!(value("count", huge), "absent: not_finite");
    let infinite = "value = 'double(interaction.agent_count) * 1e308 * 10.0'";
    assert_eq!(value("number", infinite), "absent: not_finite");
    assert_eq!(
        value(
            "seconds",
            "value = 'max(interaction.legs.filter(l, l.kind == \"ivr\").map(l, l.talk))'"
        ),
        "absent: empty"
    );
}

#[test]
fn work_without_bounds_is_cut_off() {
    let mut call = Call::default().ended();
    for n in 0..250 {
        let leg = at(n)
            .agent("anna", None)
            .leg(&format!("{n:03}"), LegKind::Agent, |_| ());
        let mut fact = leg.0;
        fact.key = schema::FactKey::leg(&format!("{n:03}"));
        call.session.insert(fact);
    }
    let own = definition(
        "share",
        "value = 'interaction.legs.exists(a, interaction.legs.exists(b, interaction.legs.exists(c, a.id == b.id && b.id == c.kind)))'",
    );
    let row = call.measured_by(own, Library::shipped());
    assert_eq!(shown(&row), "absent: too_much_work");
}

#[test]
fn an_implausible_duration_withholds_wherever_it_is_read() {
    let call = call().told(at(120).lasts(Wrap, -5));
    let rows = [
        "value = 'interaction.wrap'",
        "value = 'orZero(interaction.wrap)'",
        "filter = 'interaction.wrap > duration(\"1s\")'\nvalue = 'interaction.talk'",
    ];
    for rest in rows {
        let row = call.measured_by(definition("seconds", rest), Library::shipped());
        assert_eq!(shown(&row), "absent: implausible_duration", "{rest}");
        assert_eq!(row.metadata.stated_ms, Some(-5), "{rest}");
    }
}

#[test]
fn lists_of_dispositions_and_legs_can_be_searched() {
    let call = call()
        .told(at(60).disposition("INTERIM"))
        .told(at(11).agent("anna", None).leg("a", LegKind::Agent, |leg| {
            leg.outcome = Some(LegOutcome::Answered);
        }));
    let holds = |value: &str| {
        let own = definition(
            "share",
            &format!("value = '{value}'\n[lists]\nodd = ['INTERIM']"),
        );
        shown(&call.measured_by(own, Library::shipped()))
    };
    assert_eq!(
        holds("interaction.dispositions.exists(d, d in lists.odd)"),
        "1"
    );
    assert_eq!(holds("interaction.disposition in lists.odd"), "0");
    assert_eq!(
        holds("interaction.legs.all(l, l.first && l.last && l.answered)"),
        "1"
    );
    assert_eq!(
        holds("size(interaction.legs) == 1 && size(interaction.dispositions) == 2"),
        "1"
    );
}
