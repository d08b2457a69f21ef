//! What is wrong is told when an expression is loaded: where, and what could be meant.

use crate::world::{compile, problems, vocabulary};
use expression::{Constant, DefineError, Expression, Type};

/// `line:column: message`, one a line.
fn told(text: &str) -> String {
    let lines: Vec<_> = problems(text).iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[track_caller]
fn assert_told(expected: &[(&str, &str)]) {
    for (text, problem) in expected {
        assert_eq!(told(text), *problem, "{text}");
    }
}

#[test]
fn unknown_names_are_told_with_the_nearest_one() {
    assert_told(&[
        (
            "interaction.tolk > duration('5s')",
            "1:13: an interaction has no field `tolk`; did you mean `talk`?",
        ),
        (
            "interacton.talk > duration('5s')",
            "1:1: unknown name `interacton`; did you mean `interaction`?",
        ),
        (
            "parameters.witin",
            "1:12: unknown name `parameters.witin`; did you mean `within`?",
        ),
        (
            "lists.zzz",
            "1:7: unknown name `lists.zzz`; there are `excluded`, `numbers`",
        ),
        ("terms.x", "1:7: unknown name `terms.x`; there are none"),
        (
            "inHour(interaction.started_at, schedules.always)",
            "1:1: unknown function `inHour`; did you mean `inHours`?",
        ),
        (
            "interaction.legs.exsts(l, l.consult)",
            "1:18: unknown function `exsts`; did you mean `exists`?",
        ),
        (
            "x",
            "1:1: unknown name `x`; there are `interaction`, `lists`, `parameters`, `schedules`, `terms`",
        ),
        ("size", "1:1: `size` is a function: call it, `size(…)`"),
        (
            "lists",
            "1:1: `lists` stands before a name, as in `lists.x`; there are `excluded`, `numbers`",
        ),
        (".interaction", "1:2: a name does not begin with a dot"),
    ]);
}

#[test]
fn operands_of_the_wrong_type_are_told_with_both_types() {
    assert_told(&[
        (
            "interaction.talk > 5",
            "1:18: `interaction.talk` is a duration, `5` an int: `>` does not take them together; write a duration like `duration(\"20s\")`",
        ),
        (
            "interaction.transfers + 1.5",
            "1:23: `interaction.transfers` is an int, `1.5` a double: `+` does not take them together; write `int(1.5)`",
        ),
        (
            "interaction.weight * 2",
            "1:20: `interaction.weight` is a double, `2` an int: `*` does not take them together; write `2.0`",
        ),
        (
            "interaction.answered && interaction.transfers",
            "1:37: `interaction.transfers` is an int; `&&` takes a bool",
        ),
        (
            "interaction.transfers ? 1 : 2",
            "1:13: `interaction.transfers` is an int; before `?`, it takes a bool",
        ),
        (
            "interaction.answered ? 1 : 2.0",
            "1:22: the two sides of `:` differ: `1` is an int, `2.0` is a double",
        ),
        (
            "interaction.answered < true",
            "1:22: `<` cannot compare a bool and another: only `==` and `!=` can",
        ),
        (
            "interaction == interaction",
            "1:13: `==` cannot compare an interaction and another: compare a field",
        ),
        (
            "schedules.always == schedules.never",
            "1:18: `==` cannot compare a schedule and another",
        ),
        ("!5", "1:2: `5` is an int; `!` takes a bool"),
        (
            "-interaction.id",
            "1:1: `interaction.id` is a string; `-` takes an int, a double or a duration",
        ),
        (
            "interaction.id + 'x'",
            "1:16: texts are compared, never built",
        ),
        ("2.5 % 2.0", "1:5: `%` takes two ints, not doubles"),
        (
            "interaction.id.length",
            "1:16: `interaction.id` is a string, which has no fields",
        ),
        (
            "interaction.id in interaction.counts",
            "1:16: `interaction.id` is a string, and `interaction.counts` is a list of int",
        ),
        (
            "interaction.id in interaction.id",
            "1:31: `interaction.id` is a string; `in` takes a list on its right",
        ),
        (
            "['a', 5]",
            "1:7: `5` is an int, and the list's first item is a string",
        ),
        ("[]", "1:1: a list without items has no type"),
        (
            "lists.numbers['a']",
            "1:15: `'a'` is a string; `[…]` takes an int",
        ),
        (
            "interaction[0]",
            "1:12: `interaction` is an interaction; `[…]` takes a list",
        ),
    ]);
}

#[test]
fn wrong_arguments_are_told_with_how_it_is_called() {
    assert_told(&[
        (
            "inHours(interaction.started_at)",
            "1:1: is called like `inHours(timestamp, schedule)`",
        ),
        (
            "localHour()",
            "1:1: is called like `localHour(timestamp)` or `localHour(timestamp, \"text\")`",
        ),
        (
            "inHours(interaction.talk, schedules.always)",
            "1:21: `interaction.talk` is a duration; `inHours` takes a timestamp",
        ),
        (
            "interaction.started_at.inHours(schedules.always)",
            "1:24: is called like `inHours(timestamp, schedule)`",
        ),
        (
            "stateTime('hold')",
            "1:11: `stateTime` knows no \"hold\"; did you mean `held`?",
        ),
        (
            "stateTime(interaction.id)",
            "1:23: `stateTime` takes a constant text here",
        ),
        (
            "localHour(interaction.started_at, 'Europe/Berlon')",
            "1:35: there is no zone \"Europe/Berlon\"",
        ),
        ("orZero()", "1:1: is called like `orZero(value)`"),
        (
            "interaction.legs.all(l)",
            "1:18: is called like `list.all(item, condition)`",
        ),
        (
            "interaction.legs.exists(l.kind, true)",
            "1:27: here stands the name that an item is to have",
        ),
        (
            "interaction.legs.exists(l, l.kind)",
            "1:30: `l.kind` is a string; the macro's condition takes a bool",
        ),
        (
            "interaction.legs.exists(interaction, true)",
            "1:25: `interaction` means something already: call the item otherwise",
        ),
        (
            "interaction.id.exists(l, true)",
            "1:13: `interaction.id` is a string; the macro takes a list",
        ),
        (
            "orZero(interaction.queue)",
            "1:1: `interaction.queue` is a string, which has no zero: orZero() takes a duration, an int or a double; there is orElse(value, otherwise)",
        ),
        (
            "orElse(interaction.talk, 0)",
            "1:1: `interaction.talk` is a duration, `0` an int: orElse() takes two of one type; write a duration like `duration(\"20s\")`",
        ),
        (
            "sum(interaction.legs)",
            "1:1: `interaction.legs` is a list of leg; `sum(list)` takes ints, doubles or durations",
        ),
        (
            "min(interaction.transfers, interaction.talk)",
            "1:40: `interaction.transfers` is an int, and `interaction.talk` is a duration",
        ),
        (
            "int(interaction.talk)",
            "1:1: `interaction.talk` is a duration, which cannot become an int: write `milliseconds(interaction.talk)`",
        ),
        (
            "seconds(interaction.transfers)",
            "1:21: `interaction.transfers` is an int; `seconds` takes a duration: write a duration like `duration(\"20s\")`",
        ),
        (
            "size(5)",
            "1:1: `5` is an int; size() takes a list or a string",
        ),
    ]);
}

#[test]
fn has_takes_a_field_that_may_be_not_stated() {
    assert_told(&[
        (
            "has(interaction.id)",
            "1:17: `interaction.id` is always stated",
        ),
        (
            "has(interaction.legs)",
            "1:17: `interaction.legs` is always stated: ask whether `size(interaction.legs) > 0`",
        ),
        (
            "has(lists.excluded)",
            "1:11: `lists.excluded` is no field of an object",
        ),
        (
            "has(interaction)",
            "1:5: has() takes a field, as in `has(interaction.x)`; `interaction` is none",
        ),
        (
            "has(lists.x)",
            "1:11: unknown name `lists.x`; there are `excluded`, `numbers`",
        ),
    ]);
}

#[test]
fn a_text_that_a_field_never_is_is_told() {
    assert_told(&[
        (
            "interaction.direction == 'inbond'",
            "1:26: `interaction.direction` is never \"inbond\"; did you mean `inbound`?",
        ),
        (
            "'x' != interaction.direction",
            "1:1: `interaction.direction` is never \"x\"; there are `inbound`, `outbound`",
        ),
        (
            "interaction.direction in ['inbound', 'inside']",
            "1:38: `interaction.direction` is never \"inside\"; there are `inbound`, `outbound`",
        ),
        (
            "interaction.direction in lists.excluded",
            "1:32: `interaction.direction` is never \"IVR\"; there are `inbound`, `outbound`\n1:32: `interaction.direction` is never \"EXTERNAL\"; there are `inbound`, `outbound`",
        ),
        (
            "'in' in interaction.directions",
            "1:1: `interaction.directions` is never \"in\"; there are `inbound`, `outbound`",
        ),
        (
            "interaction.directions.exists(d, d == 'in')",
            "1:39: `d` is never \"in\"; there are `inbound`, `outbound`",
        ),
    ]
    .map(|(text, problem)| {
        // Two problems at one place come in the order of their messages.
        let mut lines: Vec<_> = problem.lines().collect();
        lines.sort_unstable();
        (text, lines.join("\n"))
    })
    .iter()
    .map(|(text, problem)| (*text, problem.as_str()))
    .collect::<Vec<_>>());
    // A text that is made up for what is not stated, or in small letters, can be another.
    compile("orElse(interaction.direction, 'none') == 'none'");
    compile("interaction.direction.lowerAscii() == 'IN'");
}

#[test]
fn constants_that_cannot_be_read_are_told() {
    assert_told(&[
        (
            "duration('20 s')",
            "1:10: \"20 s\" is no duration: write it like \"20s\", \"5m\", \"1h30m\" or \"250ms\"",
        ),
        (
            "duration('1us')",
            "1:10: \"1us\" is no whole number of milliseconds",
        ),
        (
            "timestamp('2024-05-31')",
            "1:11: \"2024-05-31\" is no instant: write it like \"2024-05-31T22:00:00Z\"",
        ),
        (
            "duration(interaction.id)",
            "1:1: duration(…) takes a constant text",
        ),
        (
            "interaction.id.matches('(')",
            "1:24: the pattern cannot be read: unclosed group",
        ),
        (
            "interaction.id.matches(interaction.queue)",
            "1:36: `matches` takes a constant pattern",
        ),
        ("9223372036854775808", "1:1: invalid int literal"),
        ("1e400", "1:1: invalid double literal"),
    ]);
}

#[test]
fn what_always_fails_is_told() {
    assert_told(&[
        (
            "interaction.transfers / parameters.nothing",
            "1:23: the result is always a division by zero",
        ),
        (
            "interaction.weight / (1.0 - 1.0)",
            "1:20: the result is always a division by zero",
        ),
        (
            "interaction.talk / duration('0s')",
            "1:18: the result is always a division by zero",
        ),
        (
            "9223372036854775807 + 1",
            "1:21: the result is always out of range",
        ),
        ("1e308 * 10.0", "1:7: the result is always not finite"),
        (
            "lists.numbers[3]",
            "1:14: the result is always an item that is not there",
        ),
        (
            "timestamp('9999-12-31T23:59:59Z') + duration('1s')",
            "1:35: the result is always out of range",
        ),
    ]);
}

#[test]
fn what_cel_has_and_this_has_not_is_named() {
    assert_told(&[
        (
            "null",
            "1:1: there is no null: `has(x.field)` asks whether a field is stated",
        ),
        (
            "5u",
            "1:1: unsigned numbers are not supported: leave out the `u`",
        ),
        ("b'x'", "1:1: bytes are not supported"),
        ("{'a': 1}", "1:1: maps are not supported"),
        ("Leg{kind: 'a'}", "1:4: structures are not supported"),
        (
            "string(5)",
            "1:1: `string` is not supported: texts are compared, never built",
        ),
        (
            "interaction.started_at.getHours()",
            "1:24: `getHours` is not supported: of a duration, use seconds(x) or milliseconds(x); of an instant, a function that takes the zone into account",
        ),
        (
            "interaction.?talk",
            "1:12: unsupported syntax '.?': optional and quoted names are not supported",
        ),
        ("[[1]]", "1:1: lists of lists are not supported"),
        ("[1] + [2]", "1:5: lists cannot be put together"),
        (
            "interaction.id.lowerAscii()",
            "1:16: lowerAscii() is for comparing only: texts are compared, never built",
        ),
        (
            "interaction.legs.map(l, l.tags)",
            "1:27: lists of lists are not supported",
        ),
    ]);
}

#[test]
fn syntax_errors_are_told_in_plain_words() {
    assert_told(&[
        ("", "1:1: something is missing after this"),
        ("1 +", "1:4: something is missing after this"),
        (
            "interaction.answered = true",
            "1:22: `=` is no operator: compare with `==`",
        ),
        ("true and false", "1:6: `and` is written `&&`"),
        ("true & false", "1:6: `&` is no operator: both hold is `&&`"),
        (
            "interaction.id == 'abc",
            "1:19: the text that begins `'abc` does not end, or has an escape that is none",
        ),
        ("(1", "1:3: `)` is missing here"),
        ("1)", "1:2: `)` is not expected here"),
        ("if", "1:1: `if` is a reserved word"),
        ("1 # 2", "1:3: `#` means nothing here"),
    ]);
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_their_places() {
    assert_eq!(
        told("interaction.tolk > duration('5x') && interaction.transfers + 1.0 > 2\n  || x"),
        [
            "1:13: an interaction has no field `tolk`; did you mean `talk`?",
            "1:29: \"5x\" is no duration: write it like \"20s\", \"5m\", \"1h30m\" or \"250ms\"",
            "1:60: `interaction.transfers` is an int, `1.0` a double: `+` does not take them together; write `int(1.0)`",
            "2:6: unknown name `x`; there are `interaction`, `lists`, `parameters`, `schedules`, `terms`",
        ]
        .join("\n")
    );
}

#[test]
fn columns_count_characters() {
    assert_eq!(
        told("interaction.id == 'äöü€😀' && y"),
        "1:30: unknown name `y`; there are `interaction`, `lists`, `parameters`, `schedules`, `terms`"
    );
    assert_eq!(
        told("'ä' == 'ö' // ü\n\r\n && 'ß' == z"),
        "3:12: unknown name `z`; there are `interaction`, `lists`, `parameters`, `schedules`, `terms`"
    );
    assert_eq!(
        told("interaction . tolk == interaction .\n tolk2"),
        "1:15: an interaction has no field `tolk`; did you mean `talk`?\n2:2: an interaction has no field `tolk2`; did you mean `talk`?"
    );
}

#[test]
fn another_type_than_wanted_is_a_problem() {
    let problems =
        Expression::compile_as("interaction.talk", &Type::Bool, &vocabulary()).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "1:13: `interaction.talk` is a duration, and a bool is wanted here"
    );
    assert!(Expression::compile_as("interaction.talk", &Type::Duration, &vocabulary()).is_ok());
}

#[test]
fn a_name_whose_problems_were_told_makes_no_new_ones() {
    let mut vocabulary = vocabulary();
    vocabulary.faulty("terms.handle").unwrap();
    assert_eq!(
        Expression::compile("terms.handle > duration('5s')", &vocabulary).unwrap_err(),
        []
    );
}

#[test]
fn a_vocabulary_refuses_names_that_could_not_be_used() {
    let mut vocabulary = vocabulary();
    let mut constant = |path: &str| vocabulary.constant(path, Constant::Int(1));
    assert_eq!(constant("parameters.new"), Ok(()));
    for twice in ["parameters.new", "interaction.x"] {
        assert!(
            matches!(constant(twice), Err(DefineError::Twice(_))),
            "{twice}"
        );
    }
    for path in [
        "x",
        "parameters.",
        "parameters.a-b",
        "parameters.a.b",
        "parameters.1",
        "1.x",
    ] {
        assert!(
            matches!(constant(path), Err(DefineError::NotAName(_))),
            "{path}"
        );
    }
    assert!(matches!(
        vocabulary.constant("parameters.nan", Constant::Double(f64::NAN)),
        Err(DefineError::OutOfBounds(_))
    ));
    assert!(matches!(
        vocabulary.function("size", vec![], Type::Int, expression::FunctionId(9)),
        Err(DefineError::Twice(_))
    ));
    assert!(matches!(
        vocabulary.function(
            "lists2",
            vec![],
            Type::list(Type::Int),
            expression::FunctionId(9)
        ),
        Err(DefineError::OutOfBounds(_))
    ));
}
