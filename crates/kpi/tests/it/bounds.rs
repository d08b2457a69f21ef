//! What a definition may cost on a session as large as may be: it ends, within a small stack, and says that it was too much.

use crate::call::{Call, at, definition, shown};
use kpi::{Definition, Library, MetricValue};
use schema::{FactKey, LegKind, LegOutcome, State};
use std::sync::{Arc, LazyLock};

/// Half of what a thread of the runtime has.
const STACK: usize = 1 << 20;

/// An end, and a leg for each further fact that a session holds.
static LARGEST: LazyLock<Call> = LazyLock::new(|| {
    let mut call = Call::default().told(at(3000).state(State::Completed));
    for n in 0..1999 {
        let id = format!("{n:04}");
        let told = at(n).agent(&id, Some("Asia/Kathmandu"));
        let mut fact = told
            .leg(&id, LegKind::Agent, |leg| {
                leg.outcome = Some(LegOutcome::Answered);
            })
            .0;
        fact.key = FactKey::leg(&id);
        call.session.insert(fact);
    }
    assert!(!call.session.is_overfull());
    call
});

fn rows(unit: &str, rest: &str) -> Vec<MetricValue> {
    let own: Definition = definition(unit, rest);
    let catalogue = kpi::Catalogue::new(vec![Arc::new(own)], Library::shipped());
    let evaluated = std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || LARGEST.rows_of(&catalogue));
    evaluated.unwrap().join().unwrap()
}

const HOURS: &str = "\n[schedules]\nhours = 'eight_to_six@1'";

#[test]
fn whatever_is_asked_of_each_pair_of_two_thousand_legs_is_too_much_work() {
    for condition in [
        "a.id == b.kind",
        // Each makes two texts.
        "localDay(a.started_at) != localDay(b.started_at)",
        "localWeek(a.started_at, \"Europe/Berlin\") < localMonth(b.started_at)",
        "businessTime(a.started_at, b.started_at + duration(\"9000h\"), schedules.hours) < duration(\"1s\")",
        "inHours(a.started_at, schedules.hours) && stateTime(\"held\") > duration(\"1s\")",
        "agentTime(b.agent, \"talk\") > duration(\"1s\")",
        "interaction.missed_alerts + interaction.agent_count + interaction.queue_count < 0",
        "orZero(interaction.holds) > 0 || orZero(interaction.longest_hold) > duration(\"1s\")",
        "a.id.matches(\"^(\\\\w{9}|[a-c]{1,9}x)*y\") && b.id.lowerAscii() == \"a\"",
    ] {
        let value = format!(
            "value = 'interaction.legs.exists(a, interaction.legs.exists(b, {condition}))'{HOURS}"
        );
        let rows = rows("share", &value);
        assert_eq!(shown(&rows[0]), "absent: too_much_work", "{condition}");
    }
}

#[test]
fn one_pass_over_two_thousand_legs_is_not() {
    for (unit, rest, value) in [
        ("count", "value = 'size(interaction.legs)'", "1999"),
        (
            "count",
            "value = 'size(interaction.legs.filter(l, l.answered && localHour(l.started_at) == 19))'",
            // Those that began in the quarter of an hour before eight.
            "900",
        ),
        (
            "share",
            "value = 'interaction.legs.exists(l, localDay(l.started_at) != \"2024-05-15\")'",
            "0",
        ),
        (
            "share",
            "value = 'interaction.agent_count == 1999 && !interaction.queued'",
            "1",
        ),
    ] {
        assert_eq!(shown(&rows(unit, rest)[0]), value, "{rest}");
    }
}

/// The legs of an interaction share what a definition of legs may cost, so two thousand of them cannot stall a batch either.
#[test]
fn the_rows_of_two_thousand_legs_have_their_parts_of_one_budget() {
    let all = rows(
        "share",
        "scope = 'leg'\nvalue = 'interaction.legs.exists(a, a.started_at > leg.started_at && a.agent == leg.agent)'",
    );
    assert_eq!(all.len(), 1999);
    assert!(all.iter().all(|row| shown(row) == "absent: too_much_work"));
    let own = rows(
        "seconds",
        "scope = 'leg'\nfilter = 'leg.answered && localWeekday(leg.started_at) == 3'\nvalue = 'orZero(leg.talk) + orZero(leg.hold) + orZero(leg.wrap)'",
    );
    assert!(own.iter().all(|row| shown(row) == "0"));
    // Few legs have all of it each.
    let few = (0..4).fold(Call::default(), |call, n| {
        let id = n.to_string();
        call.told(at(n).agent(&id, None).leg(&id, LegKind::Agent, |_| ()))
    });
    let own = definition(
        "count",
        "scope = 'leg'\nvalue = 'size(interaction.legs.filter(a, interaction.legs.exists(b, interaction.legs.exists(c, localHour(c.started_at) > 24))))'",
    );
    let catalogue = kpi::Catalogue::new(vec![Arc::new(own)], Library::shipped());
    let few = few.ended().rows_of(&catalogue);
    assert!(few.len() == 4 && few.iter().all(|row| shown(row) == "0"));
}

/// Who is refused does not depend on what other definitions had the timeline asked before.
#[test]
fn a_definition_costs_the_same_alone_and_after_others() {
    let text = |n: usize| {
        format!(
            "value = 'size(interaction.legs.filter(l, l.answered && localHour(l.started_at) + interaction.agent_count > {n}))'"
        )
    };
    let alone = rows("count", &text(0));
    let definitions = (0..3).map(|n| Arc::new(definition("count", &text(n))));
    let catalogue = kpi::Catalogue::new(definitions.collect(), Library::shipped());
    let together = LARGEST.rows_of(&catalogue);
    assert_eq!(together[0].value, alone[0].value);
    assert!(together.iter().all(|row| shown(row) == shown(&alone[0])));
}
