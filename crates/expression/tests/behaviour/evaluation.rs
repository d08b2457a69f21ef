//! What expressions come to.

use crate::world::{Fact, World, assert_outcomes, compile, outcome, vocabulary};
use expression::{Expression, Failure, Run, Type, Value};

const CLASSIC: &str = "interaction.disposition in lists.excluded ? duration('0s') \
    : orZero(interaction.talk) + orZero(interaction.hold) + orZero(interaction.wrap)";

fn call() -> World {
    World::empty()
        .with("disposition", Fact::Text("SOLD".to_owned()))
        .with("talk", Fact::Duration(185_000))
        .with("wrap", Fact::Duration(20_500))
        .with("transfers", Fact::Int(7))
        .with("weight", Fact::Double(2.5))
        .with("started_at", Fact::Timestamp(1_700_000_000_000_000))
        .leg(&[
            ("kind", Fact::Text("agent".to_owned())),
            ("talk", Fact::Duration(100_000)),
            ("holds", Fact::Int(3)),
        ])
        .leg(&[("kind", Fact::Text("queue".to_owned()))])
        .leg(&[
            ("kind", Fact::Text("agent".to_owned())),
            ("talk", Fact::Duration(85_000)),
            ("consult", Fact::Bool(true)),
        ])
}

#[test]
fn the_classic_rule_sums_what_is_stated_and_gives_zero_for_the_excluded() {
    assert_outcomes(&call(), &[(CLASSIC, "3m25.5s")]);
    let excluded = call().with("disposition", Fact::Text("IVR".to_owned()));
    assert_outcomes(&excluded, &[(CLASSIC, "0s")]);
}

#[test]
fn or_zero_notes_once_what_it_counted_as_nothing() {
    let expression =
        compile("orZero(interaction.hold) + orZero(interaction.hold) + orZero(interaction.talk)");
    let world = call();
    let mut run = Run::default();
    assert_eq!(
        expression.evaluate(&world, &mut run),
        Ok(Value::Duration(185_000))
    );
    let hold = &expression.reads()[0];
    assert_eq!(hold.path, "interaction.hold");
    assert_eq!(run.counted_as_nothing(), [(hold.of.unwrap(), hold.field)]);
    run.restart(10);
    assert_eq!(run.counted_as_nothing(), []);
}

#[test]
fn or_else_notes_nothing() {
    let expression = compile("orElse(interaction.hold, duration('1s'))");
    let world = call();
    let mut run = Run::default();
    assert_eq!(
        expression.evaluate(&world, &mut run),
        Ok(Value::Duration(1_000))
    );
    assert_eq!(run.counted_as_nothing(), []);
}

#[test]
fn reading_what_is_not_stated_names_the_field() {
    let expression = compile("interaction.talk + interaction.hold");
    let world = call();
    let Err(Failure::NotStated { object, field }) =
        expression.evaluate(&world, &mut Run::default())
    else {
        panic!("hold is not stated");
    };
    let read = expression
        .reads()
        .iter()
        .find(|read| read.of == Some(object) && read.field == field)
        .unwrap();
    assert_eq!(read.path, "interaction.hold");
}

#[test]
fn an_implausible_duration_withholds_even_within_or_zero() {
    let world = call().with("hold", Fact::Implausible(-5));
    assert_outcomes(
        &world,
        &[
            ("orZero(interaction.hold)", "Implausible { millis: -5 }"),
            (
                "orElse(interaction.hold, interaction.talk)",
                "Implausible { millis: -5 }",
            ),
            ("has(interaction.hold)", "true"),
        ],
    );
}

#[test]
fn has_asks_without_reading() {
    assert_outcomes(
        &call(),
        &[
            ("has(interaction.talk)", "true"),
            ("has(interaction.hold)", "false"),
            (
                "has(interaction.hold) ? interaction.hold : interaction.talk",
                "3m5s",
            ),
            ("interaction.legs.filter(l, has(l.talk)).size()", "2"),
        ],
    );
}

#[test]
fn and_and_or_let_the_deciding_side_win_over_a_failure() {
    let world = call();
    for fails in [
        "interaction.vip",
        "1 / (interaction.transfers - 7) == 1",
        "broken() == 1",
    ] {
        for (text, expected) in [
            (format!("false && {fails}"), Some("false")),
            (format!("{fails} && false"), Some("false")),
            (format!("true || {fails}"), Some("true")),
            (format!("{fails} || true"), Some("true")),
            (format!("true && {fails}"), None),
            (format!("{fails} && true"), None),
            (format!("{fails} || false"), None),
            (format!("{fails} && {fails}"), None),
            (format!("!({fails})"), None),
        ] {
            match expected {
                Some(expected) => assert_eq!(outcome(&text, &world), expected, "{text}"),
                None => assert!(
                    compile(&text)
                        .evaluate(&world, &mut Run::default())
                        .is_err(),
                    "{text}"
                ),
            }
        }
    }
}

#[test]
fn a_conditional_evaluates_one_branch() {
    assert_outcomes(
        &call(),
        &[
            ("interaction.answered ? broken() : 1", "1"),
            ("!interaction.answered ? 2 : broken()", "2"),
            (
                "interaction.vip ? 1 : 2",
                "NotStated { object: Object { of: ObjectType(0), index: 0 }, field: 2 }",
            ),
        ],
    );
}

#[test]
fn arithmetic_stays_in_range_or_fails_at_its_place() {
    let world = call()
        .with("transfers", Fact::Int(i64::MIN))
        .with("holds", Fact::Int(0))
        .with("wait", Fact::Duration(i64::MAX))
        .with("score", Fact::Double(f64::MAX));
    let at = |column| format!("Overflow(Position {{ line: 1, column: {column} }})");
    let zero = |column| format!("DivisionByZero(Position {{ line: 1, column: {column} }})");
    let infinite = |column| format!("NotFinite(Position {{ line: 1, column: {column} }})");
    for (text, expected) in [
        ("interaction.transfers - 1", at(23)),
        ("interaction.transfers * 2", at(23)),
        ("interaction.transfers / -1", at(23)),
        ("interaction.transfers % -1", at(23)),
        ("-interaction.transfers", at(1)),
        ("interaction.wait + duration('1ms')", at(18)),
        ("interaction.wait * 2", at(18)),
        ("-interaction.wait - duration('2ms')", at(19)),
        ("interaction.started_at + interaction.wait", at(24)),
        ("interaction.started_at + duration('100000000h')", at(24)),
        ("[interaction.transfers, -1].sum()", at(29)),
        ("int(interaction.score)", at(1)),
        ("5 / interaction.holds", zero(3)),
        ("5 % interaction.holds", zero(3)),
        ("5.0 / double(interaction.holds)", zero(5)),
        ("interaction.talk / interaction.holds", zero(18)),
        (
            "interaction.talk / (interaction.talk - interaction.talk)",
            zero(18),
        ),
        ("interaction.score * 2.0", infinite(19)),
        ("interaction.score / 0.5", infinite(19)),
        ("interaction.score + interaction.score", infinite(19)),
        ("[interaction.score, interaction.score].sum()", infinite(40)),
    ] {
        assert_eq!(outcome(text, &world), expected, "{text}");
    }
}

#[test]
fn whole_numbers_divide_towards_zero_and_keep_their_sign() {
    assert_outcomes(
        &World::empty().with("transfers", Fact::Int(-7)),
        &[
            ("interaction.transfers / 2", "-3"),
            ("interaction.transfers % 2", "-1"),
            ("7 % -2", "1"),
        ],
    );
}

#[test]
fn durations_scale_and_compare() {
    assert_outcomes(
        &call(),
        &[
            ("interaction.talk * 2", "6m10s"),
            ("2 * interaction.talk", "6m10s"),
            ("interaction.wrap / 2", "10.25s"),
            ("-interaction.wrap / 2000", "-10ms"),
            ("interaction.wrap / duration('10s')", "2.05"),
            (
                "interaction.talk - interaction.wrap > parameters.within",
                "true",
            ),
            ("seconds(interaction.wrap)", "20.5"),
            ("milliseconds(interaction.wrap) + 1", "20501"),
            ("seconds(interaction.wrap) * parameters.factor", "30.75"),
        ],
    );
}

#[test]
fn instants_move_exactly_and_differ_in_rounded_milliseconds() {
    let at = |micros| World::empty().with("ended_at", Fact::Timestamp(micros));
    let since = "interaction.ended_at - interaction.started_at";
    for (micros, ms) in [
        (499, "0s"),
        (500, "1ms"),
        (-500, "-1ms"),
        (-499, "0s"),
        (1_499, "1ms"),
        (-1_500, "-2ms"),
    ] {
        assert_eq!(outcome(since, &at(micros)), ms, "{micros}");
    }
    assert_outcomes(
        &at(1_000_001),
        &[
            (
                "interaction.ended_at + duration('1ms')",
                "1970-01-01T00:00:01.001001Z",
            ),
            (
                "duration('1ms') + interaction.ended_at",
                "1970-01-01T00:00:01.001001Z",
            ),
            (
                "interaction.ended_at - duration('1s')",
                "1970-01-01T00:00:00.000001Z",
            ),
            (
                "interaction.ended_at > timestamp('1970-01-01T01:00:01+01:00')",
                "true",
            ),
        ],
    );
}

#[test]
fn numbers_are_converted_when_asked() {
    assert_outcomes(
        &call(),
        &[
            ("int(interaction.weight)", "2"),
            ("int(-interaction.weight)", "-2"),
            ("double(interaction.transfers) / 2.0", "3.5"),
            ("int(5) + int(2.9)", "7"),
            ("double(2.5)", "2.5"),
        ],
    );
}

#[test]
fn legs_are_counted_filtered_and_summed() {
    assert_outcomes(
        &call(),
        &[
            ("interaction.legs.exists(l, l.consult)", "true"),
            ("interaction.legs.exists_one(l, l.consult)", "true"),
            ("interaction.legs.existsOne(l, l.kind == 'agent')", "false"),
            ("interaction.legs.all(l, l.kind == 'agent')", "false"),
            ("size(interaction.legs)", "3"),
            ("interaction.legs.filter(l, l.kind == 'agent').size()", "2"),
            (
                "interaction.legs.filter(l, l.kind == 'agent').map(l, l.talk).sum()",
                "3m5s",
            ),
            ("sum(interaction.legs.map(l, orZero(l.talk)))", "3m5s"),
            (
                "interaction.legs.map(l, l.kind == 'agent', l.talk).max()",
                "1m40s",
            ),
            (
                "min(interaction.legs.map(l, l.kind == 'agent', l.talk))",
                "1m25s",
            ),
            ("interaction.legs.map(l, orZero(l.holds)).sum()", "3"),
            ("interaction.legs.map(l, 0.5).sum()", "1.5"),
            ("interaction.legs[2].consult", "true"),
            ("interaction.legs[0].interaction.transfers", "7"),
            (
                "interaction.legs.map(l, l.interaction.transfers).sum()",
                "21",
            ),
            (
                "interaction.legs.exists(a, interaction.legs.exists(b, a.consult && b.kind == 'queue'))",
                "true",
            ),
            ("interaction.legs.filter(l, second(l) == 2).size()", "3"),
            ("'agent' in interaction.legs.map(l, l.kind)", "true"),
            ("'ivr' in interaction.legs.map(l, l.kind)", "false"),
            (
                "(interaction.answered ? interaction.legs : interaction.legs.filter(l, l.consult)).size()",
                "1",
            ),
            ("interaction.legs.filter(l, has(l.talk))", "a list of 2"),
        ],
    );
}

#[test]
fn all_and_exists_absorb_the_failures_of_items_that_do_not_decide() {
    assert_outcomes(
        &call(),
        &[
            // The second leg's talk is not stated.
            (
                "interaction.legs.exists(l, l.talk < duration('90s'))",
                "true",
            ),
            ("interaction.legs.all(l, l.talk > duration('90s'))", "false"),
            (
                "interaction.legs.exists(l, l.talk > duration('5m'))",
                "NotStated { object: Object { of: ObjectType(1), index: 2 }, field: 1 }",
            ),
            (
                "interaction.legs.exists_one(l, l.talk < duration('90s'))",
                "NotStated { object: Object { of: ObjectType(1), index: 2 }, field: 1 }",
            ),
            // A range that fails is a failure, wherever the item that decides stands.
            (
                "interaction.legs.map(l, l.talk).exists(t, t > duration('90s'))",
                "NotStated { object: Object { of: ObjectType(1), index: 2 }, field: 1 }",
            ),
        ],
    );
}

#[test]
fn no_items_sum_to_zero_and_have_no_largest() {
    let empty = |column| format!("Empty(Position {{ line: 1, column: {column} }})");
    let world = World::empty();
    assert_outcomes(
        &world,
        &[
            ("sum(interaction.counts)", "0"),
            ("interaction.legs.map(l, l.talk).sum()", "0s"),
            ("interaction.legs.map(l, 1.5).sum()", "0.0"),
            ("interaction.legs.all(l, false)", "true"),
            ("interaction.legs.exists(l, true)", "false"),
            ("orZero(max(interaction.counts))", "0"),
            ("orElse(interaction.legs[0].kind, 'none')", "\"none\""),
            ("max(interaction.counts)", &empty(1)),
            ("interaction.legs.map(l, l.started_at).min()", &empty(39)),
            ("interaction.counts[0]", &empty(19)),
            ("lists.numbers[interaction.transfers - 1]", &empty(14)),
        ],
    );
}

#[test]
fn the_smallest_and_the_largest_of_values() {
    assert_outcomes(
        &call(),
        &[
            ("min(interaction.talk, duration('1m'))", "1m"),
            ("max(interaction.transfers, 3, 9)", "9"),
            ("min(interaction.weight, 2.75)", "2.5"),
            ("max(lists.numbers)", "9"),
            ("min(lists.numbers)", "3"),
            ("lists.numbers.sum()", "17"),
            ("lists.numbers[1]", "3"),
            (
                "max(interaction.started_at, timestamp('2024-01-01T00:00:00Z'))",
                "2024-01-01T00:00:00Z",
            ),
        ]
        .map(|(text, value)| (text, if value == "1m" { "1m0s" } else { value })),
    );
}

#[test]
fn texts_are_compared_by_code_point_and_searched() {
    assert_outcomes(
        &call()
            .with("queue", Fact::Text("Sales EMEA ÄÖ".to_owned()))
            .with(
                "dispositions",
                Fact::Texts(vec!["A".to_owned(), "SOLD".to_owned()]),
            ),
        &[
            ("interaction.queue < 'Sales F'", "true"),
            ("interaction.queue.startsWith('Sales')", "true"),
            ("interaction.queue.endsWith('ÄÖ')", "true"),
            ("interaction.queue.contains('emea')", "false"),
            ("interaction.queue.lowerAscii().contains('emea')", "true"),
            ("interaction.queue.lowerAscii() == 'sales emea ÄÖ'", "true"),
            (
                "interaction.queue.lowerAscii() in ['sales emea ÄÖ']",
                "true",
            ),
            ("interaction.queue.lowerAscii().matches('^sales')", "true"),
            ("interaction.queue.matches(r'EMEA\\b')", "true"),
            ("interaction.queue.matches('(?i)^SALES')", "true"),
            ("size(interaction.queue)", "13"),
            ("interaction.queue.size()", "13"),
            ("'SOLD'.lowerAscii()", "\"sold\""),
            (
                "interaction.disposition in interaction.dispositions",
                "true",
            ),
            ("parameters.name == interaction.disposition", "true"),
            ("interaction.transfers in [1, 7]", "true"),
            ("interaction.transfers in lists.numbers", "false"),
            ("interaction.talk in [duration('3m5s')]", "true"),
            ("interaction.weight in [1.0, 2.5]", "true"),
            (
                "interaction.transfers in [1, size(interaction.legs) + 4]",
                "true",
            ),
        ],
    );
}

#[test]
fn host_functions_get_checked_arguments() {
    assert_outcomes(
        &call(),
        &[
            ("inHours(interaction.started_at, schedules.always)", "true"),
            (
                "inHours(interaction.started_at, interaction.answered ? schedules.always : schedules.never)",
                "false",
            ),
            ("stateTime('held')", "1s"),
            ("localHour(interaction.started_at)", "10"),
            ("localHour(interaction.started_at, 'Europe/Berlin')", "23"),
            ("broken()", "Host(\"out of order\")"),
        ],
    );
}

#[test]
fn a_term_is_evaluated_where_it_is_used_and_its_failures_are_placed_there() {
    let mut vocabulary = vocabulary();
    for (path, text) in [
        (
            "terms.handle",
            "orZero(interaction.talk) + orZero(interaction.hold)",
        ),
        ("terms.twice", "terms.handle * 2"),
        (
            "terms.agents",
            "interaction.legs.filter(l, l.kind == 'agent')",
        ),
        (
            "terms.share",
            "interaction.transfers / (interaction.transfers - 7)",
        ),
        (
            "terms.bad_legs",
            "interaction.legs.map(l, 1 / (interaction.transfers - 7))",
        ),
    ] {
        let term = Expression::compile(text, &vocabulary).unwrap();
        vocabulary.term(path, &term).unwrap();
    }
    let world = call();
    for (text, expected) in [
        ("terms.twice - terms.handle", "Ok(Duration(185000))"),
        (
            "interaction.legs.exists(l, l.talk < terms.handle)",
            "Ok(Bool(true))",
        ),
        ("terms.agents.map(l, l.talk).sum()", "Ok(Duration(185000))"),
        ("size(terms.agents)", "Ok(Int(2))"),
        (
            "1 + terms.share",
            "Err(DivisionByZero(Position { line: 1, column: 11 }))",
        ),
        (
            "terms.bad_legs.sum()",
            "Err(DivisionByZero(Position { line: 1, column: 7 }))",
        ),
        (
            "terms.agents.map(l, 5 / (interaction.transfers - 7)).sum()",
            "Err(DivisionByZero(Position { line: 1, column: 23 }))",
        ),
    ] {
        let expression = Expression::compile(text, &vocabulary).unwrap();
        let value = expression.evaluate(&world, &mut Run::default());
        assert_eq!(format!("{value:?}"), expected, "{text}");
    }
}

#[test]
fn reads_are_listed_once_in_order_of_appearance_terms_included() {
    let mut vocabulary = vocabulary();
    let term = Expression::compile("interaction.talk + interaction.hold", &vocabulary).unwrap();
    vocabulary.term("terms.handle", &term).unwrap();
    let expression = Expression::compile(
        "interaction.answered && terms.handle > interaction.talk \
         && interaction.legs.exists(leg, has(leg.talk) && leg.kind == interaction.queue)",
        &vocabulary,
    )
    .unwrap();
    let paths: Vec<_> = expression
        .reads()
        .iter()
        .map(|read| (read.path.as_str(), read.of.is_some()))
        .collect();
    assert_eq!(
        paths,
        [
            ("interaction.answered", true),
            ("interaction.talk", true),
            ("interaction.hold", true),
            ("interaction.legs", true),
            ("leg.talk", false),
            ("leg.kind", false),
            ("interaction.queue", true),
        ]
    );
}

#[test]
fn the_type_is_known_when_it_is_compiled() {
    for (text, ty) in [
        ("interaction.talk / 2", Type::Duration),
        ("interaction.talk / interaction.wait", Type::Double),
        (
            "interaction.started_at - interaction.started_at",
            Type::Duration,
        ),
        ("interaction.started_at + interaction.wait", Type::Timestamp),
        ("interaction.legs.map(l, l.kind)", Type::list(Type::String)),
        ("size('ab')", Type::Int),
        ("has(interaction.queue)", Type::Bool),
    ] {
        assert_eq!(compile(text).ty(), &ty, "{text}");
    }
}
