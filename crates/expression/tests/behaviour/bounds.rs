//! Whatever the text, the facts or the host: no panic, no overflow of the stack, no work without end.

use crate::world::{Fact, World, compile, problems, vocabulary};
use expression::{Expression, Failure, MAX_CHARACTERS, Run, Value};

/// Half of what a thread of the runtime or of the tests has.
const STACK: usize = 1 << 20;

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(work)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn hostile_texts_are_problems_not_crashes() {
    on_a_small_stack(|| {
        let many = |part: &str, times: usize| part.repeat(times);
        for text in [
            many("(", 10_000) + "1" + &many(")", 10_000),
            many("(", 9_000),
            many("[", 9_000),
            many("{", 9_000),
            many("f(", 4_000),
            many("((((", 8) + &many("))))((((", 1_000),
            many("')'(", 2_000),
            many("a?b:", 2_000) + "a",
            many("a.", 4_900) + "a",
            many("1+", 4_900) + "1",
            many("a[0]", 2_000),
            "a".to_owned() + &many("[0]", 3_000),
            "a".to_owned() + &many(".f()", 2_000),
            many("1 in ", 1_900) + "1",
            many("a in a==", 1_200) + "a",
            many("!", 9_999),
            many("-", 9_999),
            many("- ", 4_999),
            many("!a&&", 2_400) + "a",
            many("\"", 9_999),
            many("'", 9_998),
            many("\\", 9_000),
            many("1,", 5_000),
            many("[1,", 3_000),
            many(" ", 1_000_000),
            many("x", 1_000_000),
            many("é", 10_001),
            many("\n", 9_999),
            many("//\n", 3_000),
            many("a.map(b,", 1_200),
            many("a.map(b, a.map(c, ", 12) + "1",
            "\u{0}".to_owned(),
            "\u{feff}1".to_owned(),
            many("🦀", 9_000),
        ] {
            let told = problems(&text);
            assert!(!told.is_empty(), "{text:.20}");
            for problem in told {
                assert!(problem.line >= 1 && problem.column >= 1, "{problem}");
            }
        }
    });
}

#[test]
fn too_long_and_too_deep_are_told_with_the_limit() {
    let told = |text: &str| problems(text)[0].to_string();
    assert_eq!(
        told(&("1 ".to_owned() + &" ".repeat(MAX_CHARACTERS))),
        format!(
            "1:{}: is longer than 10000 characters; give parts of it names, as terms",
            MAX_CHARACTERS + 1
        )
    );
    assert_eq!(
        told(&("(".repeat(40) + "1" + &")".repeat(40))),
        "1:33: more than 32 brackets are open here; those in texts and comments count, too"
    );
    assert!(told(&("1+".repeat(300) + "1")).contains("is nested too deeply: at most 128"),);
    assert!(told(&("1+".repeat(1_200) + "1")).contains("more than 1000 operators"));
}

#[test]
fn what_is_just_within_the_limits_is_compiled_and_evaluated_on_a_small_stack() {
    on_a_small_stack(|| {
        let vocabulary = vocabulary();
        let world = World::empty().with("transfers", Fact::Int(1));
        let nested = |open: &str, close: &str, times: usize| {
            open.repeat(times) + "interaction.transfers" + &close.repeat(times)
        };
        for (text, value) in [
            (nested("(", ")", 30), 1),
            (nested("min(2, ", ")", 30), 1),
            (nested("sum([", "])", 15), 1),
            (nested("(interaction.answered ? 1 : ", ")", 15), 1),
            (nested("interaction.answered ? 1 : ", "", 30), 1),
            (nested("interaction.transfers + ", "", 120), 121),
            (nested("(1 + 1 + 1 + ", ")", 30), 91),
            (nested("interaction.counts.map(x, 1).sum() + (", ")", 25), 1),
        ] {
            let expression = Expression::compile(&text, &vocabulary)
                .unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
            assert_eq!(
                expression.evaluate(&world, &mut Run::default()),
                Ok(Value::Int(value)),
                "{text}"
            );
        }
        // Macros within macros, as deep as may be.
        let mut text = "true".to_owned();
        for depth in 0..25 {
            text =
                format!("interaction.counts.map(x{depth}, x{depth} + 1).exists(y{depth}, {text})");
        }
        let expression = Expression::compile(&text, &vocabulary).unwrap();
        let world = World::empty().with("counts", Fact::Ints(vec![1]));
        assert_eq!(
            expression.evaluate(&world, &mut Run::default()),
            Ok(Value::Bool(true))
        );
    });
}

#[test]
fn what_the_host_and_long_texts_cost_is_paid_from_the_budget() {
    let world = World::empty().with("legs", Fact::Legs(vec![0, 1, 2]));
    let seconds = compile("interaction.legs.all(l, second(l) == 2)");
    let mut run = Run::new(10_000);
    assert_eq!(seconds.evaluate(&world, &mut run), Ok(Value::Bool(true)));
    assert!((6_900..7_000).contains(&run.steps_left()), "{run:?}");
    // Whoever cannot pay does not get by on what is left.
    let mut run = Run::new(1_500);
    assert_eq!(
        seconds.evaluate(&world, &mut run),
        Err(Failure::TooMuchWork)
    );
    assert_eq!(run.steps_left(), 0);

    let world = World::empty().with("disposition", Fact::Text("Ab".repeat(8_000)));
    for text in [
        "interaction.disposition.contains('x')",
        "interaction.disposition.matches('x$')",
        "interaction.disposition.lowerAscii() == 'ab'",
    ] {
        let searched = compile(text);
        let value = searched.evaluate(&world, &mut Run::new(999));
        assert_eq!(value, Err(Failure::TooMuchWork), "{text}");
        let value = searched.evaluate(&world, &mut Run::default());
        assert_eq!(value, Ok(Value::Bool(false)), "{text}");
    }
}

#[test]
fn terms_within_terms_are_bounded_in_depth_and_in_work() {
    on_a_small_stack(|| {
        let mut vocabulary = vocabulary();
        let mut told = None;
        let mut terms = Vec::new();
        for i in 0..200 {
            let text = if i == 0 {
                "interaction.transfers".to_owned()
            } else {
                format!("terms.t{0} + terms.t{0}", i - 1)
            };
            match Expression::compile(&text, &vocabulary) {
                Ok(term) => {
                    vocabulary.term(&format!("terms.t{i}"), &term).unwrap();
                    terms.push(term);
                }
                Err(problems) => {
                    told = Some(problems[0].to_string());
                    break;
                }
            }
        }
        assert_eq!(
            told.unwrap(),
            "1:7: is nested too deeply: terms within terms, more than 128 operations"
        );
        // Some 2^60 additions, were it not for the budget.
        assert_eq!(
            terms[60].evaluate(&World::empty(), &mut Run::default()),
            Err(Failure::TooMuchWork)
        );
    });
}

#[test]
fn the_deepest_terms_of_every_kind_fit_a_small_stack() {
    for (first, next, value) in [
        ("interaction.transfers", "{} + 1", None),
        ("interaction.transfers", "orElse({}, 1)", Some(1)),
        (
            "interaction.transfers",
            "interaction.counts.filter(x, x > 0).map(x, {}).sum()",
            Some(1),
        ),
        (
            "interaction.transfers",
            "min(2, interaction.answered ? 2 : {})",
            Some(1),
        ),
        ("interaction.counts", "{}.map(x, x)", None),
        (
            "interaction.counts",
            "{}.filter(x, {}.exists(y, y == x))",
            None,
        ),
        ("interaction.counts", "interaction.answered ? {} : {}", None),
        ("[interaction.transfers, 5]", "[{}[0], 7]", None),
    ] {
        on_a_small_stack(move || {
            let world = World::empty()
                .with("transfers", Fact::Int(1))
                .with("counts", Fact::Ints(vec![1]));
            let mut vocabulary = vocabulary();
            let mut term = Expression::compile(first, &vocabulary).unwrap();
            let mut count = 0;
            let refused = loop {
                let name = format!("terms.t{count}");
                vocabulary.term(&name, &term).unwrap();
                match Expression::compile(&next.replace("{}", &name), &vocabulary) {
                    Ok(deeper) => term = deeper,
                    Err(problems) => break problems,
                }
                count += 1;
            };
            assert!(
                refused[0].message.contains("is nested too deeply"),
                "{refused:?}"
            );
            assert!(count >= 20, "{next}: {count}");
            let found = term.evaluate(&world, &mut Run::default());
            match value {
                Some(value) => assert_eq!(found, Ok(Value::Int(value)), "{next}"),
                None => assert!(
                    matches!(
                        found,
                        Ok(Value::Int(_) | Value::List(_)) | Err(Failure::TooMuchWork)
                    ),
                    "{next}: {found:?}"
                ),
            }
        });
    }
}

#[test]
fn macros_over_long_lists_end_with_the_budget() {
    let legs: Vec<i64> = (0..10_000).collect();
    let world = World::empty().with("counts", Fact::Ints(legs));
    let text = "interaction.counts.map(a, interaction.counts.map(b, a * b).sum()).sum()";
    let mut run = Run::default();
    let expression = compile(text);
    assert_eq!(
        expression.evaluate(&world, &mut run),
        Err(Failure::TooMuchWork)
    );
    assert_eq!(run.steps_left(), 0);
}

#[test]
fn nothing_absorbs_the_end_of_the_budget() {
    for text in [
        "broken() == 1 || true",
        "orElse(interaction.talk, duration('1s')) == duration('1s')",
        "interaction.counts.exists(c, c == 1)",
        "interaction.answered || true",
        "interaction.counts.all(c, c > 1) || interaction.counts.size() > 1",
    ] {
        let expression = compile(text);
        let world = World::empty().with("counts", Fact::Ints(vec![0, 1, 2]));
        let mut enough = Run::default();
        let value = expression.evaluate(&world, &mut enough);
        assert!(value.is_ok(), "{text}: {value:?}");
        let needed = Run::DEFAULT_STEPS - enough.steps_left();
        for steps in 0..needed {
            assert_eq!(
                expression.evaluate(&world, &mut Run::new(steps)),
                Err(Failure::TooMuchWork),
                "{text} with {steps}"
            );
        }
        assert_eq!(expression.evaluate(&world, &mut Run::new(needed)), value);
    }
}

#[test]
fn a_large_pattern_is_a_problem() {
    assert!(
        problems("interaction.id.matches('(((a{100}){100}){100})')")[0]
            .message
            .starts_with("the pattern cannot be read: "),
    );
}

#[test]
fn a_host_that_breaks_its_word_is_a_failure_not_a_panic() {
    for lie in [
        Fact::Text("x".to_owned()),
        Fact::Int(1),
        Fact::Double(f64::NAN),
        Fact::Double(f64::INFINITY),
        Fact::Handle(5),
        Fact::Texts(vec![]),
    ] {
        let mut world = World::empty();
        world.lie = Some(lie.clone());
        for text in [
            "interaction.answered",
            "interaction.talk + interaction.wait",
            "interaction.weight + 1.0",
            "stateTime('held')",
            "sum(interaction.legs.map(l, l.talk)) > duration('1s')",
        ] {
            let expression = compile(text);
            let value = expression.evaluate(&world, &mut Run::default());
            let empty_list = matches!(lie, Fact::Texts(_)) && text.starts_with("sum");
            assert!(
                empty_list || matches!(value, Err(Failure::Host(_))),
                "{text} with {lie:?}: {value:?}"
            );
        }
    }
}
