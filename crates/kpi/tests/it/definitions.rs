//! Definitions that cannot be read: every problem at once, each with its place, and never a crash.

use kpi::{Definition, Library};
use proptest::prelude::*;

fn problems(text: &str) -> Vec<String> {
    match Definition::read("own.toml", text, &Library::shipped()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// The problems of a definition that is sound but for the lines given.
fn problems_with(lines: &str) -> Vec<String> {
    problems(&format!(
        "name = 'own'\nversion = 1\nunit = 'count'\n{lines}"
    ))
}

fn assert_one(lines: &str, place: &str, part: &str) {
    let found = problems_with(lines);
    assert_eq!(found.len(), 1, "{lines}: {found:#?}");
    assert!(
        found[0].starts_with(&format!("own.toml:{place}: ")),
        "{lines}: {found:#?}"
    );
    assert!(found[0].contains(part), "{lines}: {found:#?}");
}

#[test]
fn the_documented_examples_can_be_read() {
    let source = include_str!("../../src/definition.rs");
    let source = source.lines().take_while(|line| line.starts_with("//!"));
    let source: Vec<&str> = source.map(|line| line.trim_start_matches("//!")).collect();
    let names: Vec<String> = source
        .join("\n")
        .split(" ```")
        .filter_map(|block| block.strip_prefix("toml\n"))
        .map(
            |text| match Definition::read("example", text, &Library::shipped()) {
                Ok(definition) => definition.name().to_owned(),
                Err(problems) => panic!("{problems:#?}\n{text}"),
            },
        )
        .collect();
    assert_eq!(names, ["held", "resolved", "busy_share"]);
}

#[test]
fn all_problems_are_listed_at_once_in_the_order_of_the_text() {
    let found = problems(
        r#"
name = "Own"
version = 0
unit = "minutes"
priority = "high"
scope = "agent"
aggregations = ["mean", "p100", "mean"]
on_excluded = "null"
colour = "red"
filter = "interaction.tlak > duration('5s')"
value = "interaction.talk + 1"
[[exclusions]]
reason = "Bad Reason"
when = "interaction.answered ? 1 : 0"
[[exclusions]]
when = "true"
[parameters]
x = [1]
"bad-name" = 1
[lists]
mixed = ["a", 1]
[schedules]
hours = "eight_to_six"
other = "nowhere@1"
[zone]
order = ["agent", "boss"]
default = "Mars/Phobos"
"#,
    );
    let places: Vec<&str> = found
        .iter()
        .map(|problem| problem.split(": ").next().unwrap())
        .collect();
    let expected: Vec<String> = [
        "2:8", "3:11", "4:8", "5:12", "6:9", "7:25", "7:33", "8:15", "9:1", "10:23", "11:27",
        "13:10", "14:8", "15:1", "18:5", "19:1", "21:9", "23:9", "24:9", "26:19", "27:11",
    ]
    .iter()
    .map(|place| format!("own.toml:{place}"))
    .collect();
    assert_eq!(places, expected, "{found:#?}");
}

#[test]
fn what_is_missing_is_said() {
    let found = problems("");
    for member in ["`name`", "`version`", "`unit`", "`value`"] {
        assert!(
            found.iter().any(|problem| problem.contains(member)),
            "{member}: {found:#?}"
        );
    }
    let found = problems("name = ");
    assert_eq!(
        found.len(),
        1,
        "a text that is no TOML has no further problems: {found:#?}"
    );
}

#[test]
fn places_within_expressions_are_places_in_the_file() {
    assert_one("value = 'interaction.tlak'", "4:22", "tlak");
    assert_one(
        "value = '''\n  interaction.agent_count\n+ interaction.tlak'''",
        "6:15",
        "tlak",
    );
    assert_one(
        "value = \"interaction.outcome == \\\"answered\\\" ? interaction.tlak : 1\"",
        "4:60",
        "tlak",
    );
    assert_one(
        "value = 'terms.x'\n[terms]\nx = \"\"\"\n1 +\n  interaction.tlak\"\"\"",
        "8:15",
        "tlak",
    );
}

#[test]
fn unknown_names_and_wrong_types_are_problems() {
    assert_one("value = 'agent.id'", "4:10", "agent");
    assert_one("value = 'leg.holds'", "4:10", "leg");
    assert_one("value = 'parameters.x'", "4:21", "x");
    assert_one("value = 'now()'", "4:10", "now");
    assert_one("value = 'interaction.talk'", "4:9", "an int");
    assert_one("value = '1'\nfilter = '1'", "5:10", "a bool");
    assert_one(
        "value = '1'\nplatform = 'interaction.holds'",
        "5:12",
        "a duration",
    );
    assert_one(
        "value = 'interaction.outcome == \"anwsered\" ? 1 : 0'",
        "4:33",
        "anwsered",
    );
    assert_one(
        "value = 'stateTime(\"hold\") > duration(\"1s\") ? 1 : 0'",
        "4:20",
        "hold",
    );
    assert_one(
        "value = 'localHour(interaction.started_at, \"Mars/Phobos\")'",
        "4:44",
        "Mars/Phobos",
    );
}

#[test]
fn a_term_that_is_wrong_is_told_once_and_not_where_it_is_used() {
    assert_one(
        "value = 'terms.x + 1'\nfilter = 'terms.x > 0'\n[terms]\nx = 'interaction.tlak'",
        "7:18",
        "tlak",
    );
    // Another term, whose name only begins the same, is checked all the same.
    let found = problems_with(
        "value = 'terms.xy + interaction.tlak'\n[terms]\nx = 'interaction.tlak'\nxy = '1'",
    );
    assert_eq!(found.len(), 2, "{found:#?}");
}

#[test]
fn terms_are_used_further_down_only() {
    let found = problems_with("value = 'terms.a'\n[terms]\na = 'terms.b'\nb = '1'");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("own.toml:6:"), "{found:#?}");
}

#[test]
fn what_can_never_work_is_found_by_trying() {
    assert_one("value = '1 / 0'", "4:12", "zero");
    assert_one(
        "value = 'interaction.agent_count / (interaction.agent_count - interaction.agent_count)'",
        "4:34",
        "zero",
    );
    // What fails on some interactions only is no fault of the definition.
    let sometimes = "value = '1 / interaction.blind_transfers'";
    assert_eq!(problems_with(sometimes), Vec::<String>::new());
}

#[test]
fn a_share_that_is_never_within_0_and_1_is_a_problem() {
    let share = |value: &str| {
        let text = format!("name = 'own'\nversion = 1\nunit = 'share'\nvalue = '{value}'");
        problems(&text)
    };
    assert_eq!(
        share("2.5"),
        ["own.toml:4:10: a share lies within 0 and 1, and this is 2.5 always"]
    );
    assert_eq!(share("0.0 - 0.5").len(), 1);
    assert_eq!(share("1.0"), Vec::<String>::new());
    // What depends on the facts is judged where they are known.
    assert_eq!(
        share("interaction.hold / interaction.talk"),
        Vec::<String>::new()
    );
}

#[test]
fn texts_that_look_like_durations_are_durations() {
    let sound = |value: &str, parameter: &str| {
        problems(&format!(
            "name = 'own'\nversion = 1\nunit = 'seconds'\nvalue = '{value}'\n[parameters]\nx = '{parameter}'\n"
        ))
        .is_empty()
    };
    for text in ["20s", "5m", "1h30m", "250ms", "1h1m1s1ms", "0s"] {
        assert!(sound("parameters.x", text), "{text}");
    }
    for text in [
        "",
        "20",
        "s",
        "1s1m",
        "1s 1ms",
        "1d",
        "-5s",
        "1.5s",
        "99999999999999999999s",
    ] {
        assert!(!sound("parameters.x", text), "{text}");
    }
}

#[test]
fn schedules_of_two_zones_leave_no_doubt_which_counts() {
    let schedule = |name: &str, zone: &str| {
        let text = format!(
            "schedule = '{name}'\nversion = 1\nzone = '{zone}'\n[weekly]\neveryday = ['08:00-18:00']\n"
        );
        timezone::Schedule::read(&text).unwrap()
    };
    let library = Library::new(
        [
            schedule("one", "Europe/Berlin"),
            schedule("two", "Asia/Tokyo"),
        ],
        timezone::Places::empty(),
    );
    let text = "name = 'own'\nversion = 1\nunit = 'share'\nvalue = 'inHours(interaction.started_at, schedules.one) || inHours(interaction.started_at, schedules.two)'\n[schedules]\none = 'one@1'\ntwo = 'two@1'\n";
    let found = Definition::read("own", text, &library).unwrap_err();
    assert_eq!((found[0].line, found[0].column), (5, 2), "{found:#?}");
    let decided = format!("{text}[zone]\norder = ['agent', 'queue']\n");
    assert!(Definition::read("own", &decided, &library).is_ok());
}

proptest! {
    /// Whatever is done to a text, it is read or its problems lie within it.
    #[test]
    fn no_text_is_a_crash(place in any::<prop::sample::Index>(), from in any::<prop::sample::Index>(), with in ".{0,12}", cut in 0..20_usize) {
        let shipped = kpi::shipped_definitions();
        let text = shipped[from.index(shipped.len())].text;
        let mut chars: Vec<char> = text.chars().collect();
        let at = place.index(chars.len());
        let end = (at + cut).min(chars.len());
        chars.splice(at..end, with.chars());
        let text: String = chars.into_iter().collect();
        if let Err(problems) = Definition::read("own.toml", &text, &Library::shipped()) {
            prop_assert!(!problems.is_empty());
            let lines = text.matches('\n').count() + 1;
            for problem in problems {
                let line = usize::try_from(problem.line).unwrap();
                prop_assert!((1..=lines).contains(&line) && problem.column >= 1, "{}", problem);
            }
        }
    }
}
