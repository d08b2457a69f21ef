//! The list of pitfalls in `tests/PITFALLS.md`, checked: each number has its row, and each test that a row names is there.

// A list that cannot be read has failed.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The numbers of the pitfalls about data pipelines, webhooks, the broker, PostgreSQL and limits, in the collection they are from. It has
/// gaps.
const NUMBERS: &[u32] = &[
    1, 2, 5, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 19, 20, 22, 23, 24, 26, 29, 30, 31, 32, 33, 34,
    36, 39, 42, 43, 44, 45, 46, 47, 48, 50, 51, 52, 53, 54, 55, 57, 60, 62, 65, 66, 68, 69, 70, 72,
    73, 74, 77, 80, 81, 82, 101, 103, 105, 107, 108, 109, 110, 111, 113, 116,
];

/// One row of the table.
#[derive(Debug)]
struct Row<'a> {
    number: u32,
    about: &'a str,
    outcome: &'a str,
    tests: Vec<Test<'a>>,
}

/// A test, as the table names it: the file from the root of the workspace, and the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Test<'a> {
    file: &'a str,
    name: &'a str,
}

/// The rows. One that cannot be read is an error with its text.
fn read(text: &str) -> Result<Vec<Row<'_>>, String> {
    let is_row = |line: &&str| {
        line.starts_with("| ") && line.as_bytes().get(2).is_some_and(u8::is_ascii_digit)
    };
    let rows = text.lines().filter(is_row);
    rows.map(|line| row(line).ok_or_else(|| format!("no row: {line}")))
        .collect()
}

fn row(line: &str) -> Option<Row<'_>> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let &[number, about, outcome, tests] = &cells[..] else {
        return None;
    };
    let named = tests.split('`').skip(1).step_by(2);
    let tests: Option<Vec<Test<'_>>> = named
        .map(|test| {
            let (file, name) = test.split_once("::")?;
            Some(Test { file, name })
        })
        .collect();
    Some(Row {
        number: number.parse().ok()?,
        about,
        outcome,
        tests: tests?,
    })
}

/// Whether a source text has a test function of this name: one with an attribute of a test above it.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let is_it = |line: &str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('))
    };
    lines.iter().enumerate().any(|(at, line)| {
        let above = lines[..at].iter().rev();
        let mut above = above.take_while(|line| line.starts_with('#') || line.starts_with("//"));
        is_it(line)
            && above.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn every_pitfall_has_its_row_and_every_test_that_is_named_is_there() {
    let text = std::fs::read_to_string(root().join("tests/PITFALLS.md")).unwrap();
    let rows = read(&text).unwrap();
    let mut problems = Vec::new();

    let listed: Vec<u32> = rows.iter().map(|row| row.number).collect();
    if !listed.is_sorted_by(|one, next| one < next) {
        problems.push("the rows are not in the order of their numbers, each once".to_owned());
    }
    let all: BTreeSet<u32> = listed.iter().copied().collect();
    for number in NUMBERS.iter().filter(|number| !all.contains(number)) {
        problems.push(format!("{number}: is missing"));
    }
    for number in all.iter().filter(|number| !NUMBERS.contains(number)) {
        problems.push(format!("{number}: is none of the numbers"));
    }

    let mut sources: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for Row {
        number,
        about,
        outcome,
        tests,
    } in &rows
    {
        if about.is_empty() || outcome.is_empty() || tests.is_empty() {
            problems.push(format!("{number}: a cell is empty"));
        }
        if tests.iter().collect::<BTreeSet<_>>().len() < tests.len() {
            problems.push(format!("{number}: names a test twice"));
        }
        for Test { file, name } in tests {
            let source = sources
                .entry(file)
                .or_insert_with(|| std::fs::read_to_string(root().join(file)).ok());
            match source {
                None => problems.push(format!("{number}: {file} is not there")),
                Some(source) if !has_test(source, name) => {
                    problems.push(format!("{number}: {file} has no test {name}"));
                }
                Some(_) => {}
            }
        }
    }
    assert!(
        problems.is_empty(),
        "tests/PITFALLS.md:\n{}",
        problems.join("\n")
    );
}

#[test]
fn the_check_can_fail() {
    let source = "#[test]\nfn one() {}\n\n/// Words.\n#[tokio::test]\n// More.\nasync fn two() {}\n\nfn helper() {}\n\n#[test]\n\nfn apart() {}\n";
    for (name, found) in [
        ("one", true),
        ("two", true),
        ("on", false),
        ("helper", false),
        ("apart", false),
        ("three", false),
    ] {
        assert_eq!(has_test(source, name), found, "{name}");
    }
    let text = "| number | about |\n| 7 | a | b | `x.rs::one`, `y.rs::two` |\n";
    let rows = read(text).unwrap();
    let named: Vec<_> = rows[0]
        .tests
        .iter()
        .map(|test| (test.file, test.name))
        .collect();
    assert_eq!(named, [("x.rs", "one"), ("y.rs", "two")]);
    assert!(read("| 7 | a | `x.rs::one` |").is_err());
    assert!(read("| 7 | a | b | `x.rs` |").is_err());
}
