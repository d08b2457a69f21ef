//! The inputs of the fuzz targets, damaged in every way that comes to mind, held to the same invariants as there. It needs no nightly and
//! takes a few seconds; `just fuzz` goes on from here for as long as it is told to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

// The invariants are part of the fuzz package, which stands outside of the workspace.
#[allow(unreachable_pub, dead_code)]
#[path = "../../../tests/fuzz/src/invariants.rs"]
mod invariants;
#[allow(unreachable_pub)]
#[path = "../../../tests/fuzz/src/respell.rs"]
mod respell;

use adapter::{Mapping, Mappings, digest};
use invariants::{check_body, csv_formats, json_formats, mapped_formats, mappings};
use schema::{BodyFormat, EventsMessage, RawMessage};
use serde_json::Value;
use std::path::Path;

/// Pieces that are put in somewhere: what parsers stumble over.
const PIECES: [&[u8]; 18] = [
    b"\0",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\"",
    b"\\",
    b"\\ud800",
    b"\\u00",
    b"1e999",
    b"-1e-999",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"\n\"",
    b",,,,",
    b"[[[[{{{{",
    b"}]",
    b"null",
];

/// What may stand in the place of any value.
fn values() -> Vec<String> {
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    vec![
        "null".to_owned(),
        "true".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "-1".to_owned(),
        "1e308".to_owned(),
        "-9223372036854775808".to_owned(),
        "18446744073709551616".to_owned(),
        "0.1e-400".to_owned(),
        "\"\"".to_owned(),
        "\"0\"".to_owned(),
        "\"inf\"".to_owned(),
        "\"\\u0000\"".to_owned(),
        "\"\\ud800\\udc00\\ud800\"".to_owned(),
        "\"9999-12-31T23:59:60+18:59\"".to_owned(),
        "\"0000-01-01T00:00:00-18:59\"".to_owned(),
        "\"PT99999999999999999999H\"".to_owned(),
        format!("\"{}\"", "x".repeat(20_000)),
        deep(100),
        deep(200),
        deep(20_000),
    ]
}

/// A generator that gives the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

/// The seeds of a fuzz target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/seeds");
    let mut files: Vec<_> = std::fs::read_dir(folder.join(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{target} has seeds");
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

/// A few damages of a seed: cut off everywhere, bytes changed, pieces put in, parts doubled.
fn damaged(seed: &[u8], rounds: usize, mut each: impl FnMut(&[u8])) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ seed.len() as u64);
    let step = (seed.len() / rounds).max(1);
    for end in (0..=seed.len()).step_by(step) {
        each(&seed[..end]);
    }
    for _ in 0..rounds {
        let mut body = seed.to_vec();
        for _ in 0..=dice.below(3) {
            let at = dice.below(body.len());
            match dice.below(4) {
                0 => body[at] ^= 1 << dice.below(8),
                1 => body[at] = u8::try_from(dice.below(256)).unwrap(),
                2 => {
                    let piece = PIECES[dice.below(PIECES.len())];
                    body.splice(at..at, piece.iter().copied());
                }
                _ => {
                    let end = at + dice.below(body.len() - at);
                    let part = body[at..end].to_vec();
                    body.splice(at..at, part);
                }
            }
        }
        each(&body);
    }
}

/// Every place in a value, as a path for [`Value::pointer_mut`].
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                places(value, &format!("{path}/{name}"), found);
            }
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                places(value, &format!("{path}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// A seed with something else in one place, and with one member twice.
fn replaced(seed: &[u8], mut each: impl FnMut(&[u8])) {
    const MARK: &str = "here it comes";
    let Ok(value) = serde_json::from_slice::<Value>(seed) else {
        return; // lines of JSON are damaged as text
    };
    let mut found = Vec::new();
    places(&value, "", &mut found);
    for (round, place) in found.iter().enumerate() {
        let mut marked = value.clone();
        *marked.pointer_mut(place).unwrap() = Value::from(MARK);
        let text = marked.to_string();
        let mark = format!("\"{MARK}\"");
        let values = values();
        // Each place meets some of them, each of them some places.
        for (_, other) in values
            .iter()
            .enumerate()
            .filter(|(at, _)| at % 12 == round % 12)
        {
            each(text.replace(&mark, other).as_bytes());
        }
        if let Some((_, name)) = place.rsplit_once('/')
            && name.parse::<usize>().is_err()
        {
            let twice = format!("\"again\",\"{name}\":{{\"{name}\":1}},\"{name}\":[1]");
            each(text.replace(&mark, &twice).as_bytes());
        }
    }
}

/// The format that a seed is of, by what it holds; damaged, it is read as nothing else, to save time.
fn hostile(target: &str, formats: &[BodyFormat], rounds: usize) {
    let mappings = mappings();
    for seed in seeds(target) {
        for format in formats {
            check_body(format, &seed, &mappings);
        }
        let fits = |format: &&BodyFormat| {
            let items = match adapter::split_with(format, &seed, &mappings) {
                adapter::Split::Items(items) => items,
                adapter::Split::Unreadable { .. } => return false,
            };
            let read = |item: &adapter::Item<'_>| {
                matches!(
                    adapter::map(format, &item.raw, &mappings),
                    Ok(adapter::Outcome::Mapped(_))
                )
            };
            items.iter().any(read)
        };
        let fitting: Vec<_> = formats.iter().filter(fits).collect();
        assert!(!fitting.is_empty(), "{}", String::from_utf8_lossy(&seed));
        let check = |body: &[u8]| {
            for format in &fitting {
                check_body(format, body, &mappings);
            }
        };
        damaged(&seed, rounds, check);
        replaced(&seed, check);
    }
}

#[test]
fn damaged_json_of_every_format_keeps_the_invariants() {
    hostile("json_formats", &json_formats(), 40);
}

#[test]
fn damaged_reports_keep_the_invariants() {
    hostile("csv_reports", &csv_formats(), 150);
}

#[test]
fn damaged_bodies_of_mapping_files_keep_the_invariants() {
    hostile("mapped", &mapped_formats(), 60);
}

#[test]
fn the_digest_of_damaged_json_is_one_of_its_content() {
    for seed in seeds("digests").into_iter().chain(seeds("json_formats")) {
        damaged(&seed, 60, |body| {
            if serde_json::from_slice::<Value>(body).is_ok() {
                assert_eq!(digest(body), digest(&respell::respelled(body)));
            }
        });
    }
}

#[test]
fn damaged_mapping_files_are_mappings_or_problems() {
    for seed in seeds("mapping_file") {
        damaged(&seed, 60, |body| {
            let text = String::from_utf8_lossy(body);
            match Mapping::parse("m", &text) {
                Ok(mapping) => {
                    let mappings = Mappings::none().with("m", mapping);
                    let format = BodyFormat::Mapped {
                        mapping: "m".into(),
                    };
                    check_body(
                        &format,
                        br#"[{"id":"x","t":"2026-01-15T08:00:00"}]"#,
                        &mappings,
                    );
                }
                Err(problems) => assert!(problems.iter().all(|problem| problem.starts_with("m:"))),
            }
        });
    }
}

#[test]
fn damaged_envelopes_are_read_whole_or_refused() {
    let seeds = seeds("envelopes");
    let is_read =
        |seed: &Vec<u8>| RawMessage::decode(seed).is_ok() || EventsMessage::decode(seed).is_ok();
    assert!(seeds.iter().all(is_read));
    for seed in seeds {
        damaged(&seed, 400, |bytes| {
            if let Ok(message) = RawMessage::decode(bytes) {
                assert_eq!(
                    RawMessage::decode(&message.encode().unwrap()).unwrap(),
                    message
                );
            }
            if let Ok(message) = EventsMessage::decode(bytes) {
                assert_eq!(
                    EventsMessage::decode(&message.encode().unwrap()).unwrap(),
                    message
                );
            }
        });
    }
}

/// A long header over many short rows, and what is said about all schedules over many of them: a body of a megabyte that would make
/// gigabytes of items.
#[test]
fn items_that_repeat_a_part_of_their_body_do_not_multiply_it() {
    let unfolds = |format: &BodyFormat, body: &str| {
        let adapter::Split::Unreadable { reason } = adapter::split(format, body.as_bytes()) else {
            panic!("taken apart");
        };
        assert!(
            matches!(reason, adapter::BodyError::Unfolds { .. }),
            "{reason}"
        );
    };
    let header = String::from_utf8(seeds("csv_reports")[1].clone()).unwrap();
    let header = header.lines().next().unwrap().to_owned();
    let report = |padding: usize, rows: usize| {
        format!("{header},{}\n{}", "x".repeat(padding), "1\n".repeat(rows))
    };
    unfolds(&csv_formats()[0], &report(500_000, 250_000));
    let fine = report(1_000, 1_000);
    assert!(matches!(
        adapter::split(&csv_formats()[0], fine.as_bytes()),
        adapter::Split::Items(items) if items.len() == 1_000
    ));
    let schedules = |padding: usize, count: usize| {
        format!(
            "{{\"businessUnitTimeZone\":\"{}\",\"agentSchedules\":[{}{{}}]}}",
            "x".repeat(padding),
            "{},".repeat(count - 1)
        )
    };
    unfolds(&BodyFormat::GenesysSchedules, &schedules(500_000, 150_000));
    let fine = schedules(1_000, 1_000);
    assert!(matches!(
        adapter::split(&BodyFormat::GenesysSchedules, fine.as_bytes()),
        adapter::Split::Items(items) if items.len() == 1_000
    ));
}
