//! Our local time against Python's: its `zoneinfo` over the `tzdata` package of the very release that is compiled in here.
//!
//! `tests/oracle/oracle.py` knows nothing of our code. It tells what lies around every change of every zone, and the business time of
//! random intervals in random schedules, found in its own way. `tests/oracle/setup.sh` installs what it needs; `KPILINE_PYTHON` names an
//! interpreter (of a virtual environment, say) instead of `python3`. Where either is missing the tests are skipped, and say so.
//! `KPILINE_SOAK=1` compares 100,000 intervals instead of a few thousand.

use chrono::NaiveDateTime;
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;
use timezone::{Schedule, Side, TZDB_VERSION, Transition, Zone};

const SECOND: i64 = 1_000_000;

/// A running oracle, whose lines are its facts.
struct Oracle {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

fn command(arguments: &[&str]) -> Command {
    let python = std::env::var_os("KPILINE_PYTHON").unwrap_or_else(|| "python3".into());
    let mut paths = vec![Path::new(env!("CARGO_TARGET_TMPDIR")).join("../timezone-oracle")];
    paths.extend(
        std::env::var_os("PYTHONPATH")
            .iter()
            .flat_map(std::env::split_paths),
    );
    let mut command = Command::new(python);
    command
        .env("PYTHONPATH", std::env::join_paths(paths).unwrap())
        .arg("-B")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/oracle/oracle.py"
        ))
        .args(arguments)
        .stdin(Stdio::null());
    command
}

impl Oracle {
    /// None, and a word why, where there is no oracle for our release.
    fn ask(arguments: &[&str]) -> Option<Self> {
        let setup = "crates/timezone/tests/oracle/setup.sh installs it";
        let reason = match command(&["version"]).output() {
            Err(error) => format!("python does not start: {error}"),
            Ok(answer) if !answer.status.success() => {
                let words = String::from_utf8_lossy(&answer.stderr);
                let last = words.lines().last().unwrap_or_default();
                format!("the oracle does not answer: {last}; {setup}")
            }
            Ok(answer) => {
                let release = String::from_utf8_lossy(&answer.stdout);
                if release.trim() == TZDB_VERSION {
                    let mut process = command(arguments).stdout(Stdio::piped()).spawn().unwrap();
                    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
                    return Some(Self { process, lines });
                }
                format!("the oracle has zone data {release:?}, not {TZDB_VERSION}; {setup}")
            }
        };
        eprintln!("SKIPPED: comparison with Python's zoneinfo: {reason}");
        None
    }

    fn line(&mut self) -> Option<String> {
        self.lines.next().map(Result::unwrap)
    }

    /// An oracle that died has not said everything.
    fn end(mut self) {
        assert!(self.line().is_none());
        assert!(self.process.wait().unwrap().success());
    }
}

fn number(text: &str) -> i64 {
    text.parse().unwrap()
}

#[test]
fn every_zone_is_as_python_has_it_around_every_change() {
    let Some(mut oracle) = Oracle::ask(&["zones"]) else {
        return;
    };
    let began = Instant::now();
    let mut seen = HashSet::new();
    let mut unknown = Vec::new();
    let mut group: Vec<Zone> = Vec::new();
    let mut changes: Vec<Transition> = Vec::new();
    let mut countries = HashSet::new();
    let (mut facts, mut links, mut windows) = (0, 0, 0);
    // What each zone of a group must have, once all of its changes are told.
    let settle = |group: &[Zone], changes: &mut Vec<Transition>| {
        for zone in group {
            // To the end of 2037.
            let ours = zone.transitions(0, 2_145_916_800 * SECOND);
            assert_eq!(ours, *changes, "{zone}");
        }
        changes.clear();
    };
    while let Some(line) = oracle.line() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["zone", ref names @ ..] => {
                settle(&group, &mut changes);
                // By every name: links and renamed ones must have the clock that the database has under that name.
                let zones = names.iter().map(|name| (*name, Zone::parse(name)));
                let (known, others): (Vec<_>, Vec<_>) = zones.partition(|(_, zone)| zone.is_ok());
                unknown.extend(others.iter().map(|(name, _)| (*name).to_owned()));
                seen.extend(known.iter().map(|(name, _)| (*name).to_owned()));
                group = known
                    .into_iter()
                    .filter_map(|(_, zone)| zone.ok())
                    .collect();
            }
            ["change", at, before, after] => changes.push(Transition {
                at_micros: number(at) * SECOND,
                offset_before: before.parse().unwrap(),
                offset_after: after.parse().unwrap(),
            }),
            ["utc", second, offset] => {
                for zone in &group {
                    let ours = zone.local(number(second) * SECOND).offset_seconds;
                    assert_eq!(i64::from(ours), number(offset), "{zone} {second}");
                    facts += 1;
                }
            }
            ["local", clock, earliest, latest] => {
                let clock: NaiveDateTime = clock.parse().unwrap();
                for zone in &group {
                    let resolve = |side| zone.resolve(clock.date(), clock.time(), side) / SECOND;
                    let ours = (resolve(Side::Earliest), resolve(Side::Latest));
                    assert_eq!(ours, (number(earliest), number(latest)), "{zone} {clock}");
                    facts += 1;
                }
            }
            ["countries", ref names @ ..] => {
                settle(&group, &mut changes);
                group.clear();
                countries.extend(names.iter().map(|name| (*name).to_owned()));
            }
            ["link", alias, target] => {
                links += 1;
                let (ours, target) = (crate::zone(alias), crate::zone(target));
                if countries.contains(alias) {
                    assert_eq!(ours.name(), alias, "a country's zone keeps its name");
                } else {
                    // Where it is not the target, it is a country's zone with the target's clock (see `names`).
                    assert!(
                        ours == target || countries.contains(ours.name()),
                        "{alias} is a link to {target}, not {ours}"
                    );
                }
            }
            ["windows", iana, ..] => {
                windows += 1;
                let name = words[2..].join(" ");
                assert_eq!(crate::zone(&name), crate::zone(iana), "{name}");
            }
            ["skipped", ..] => eprintln!("SKIPPED: {line}"),
            _ => panic!("{line}"),
        }
    }
    oracle.end();
    let missing: Vec<_> = timezone::all_names()
        .filter(|name| !seen.contains(*name))
        .collect();
    assert_eq!(missing, [""; 0]);
    // The database's own placeholder is no zone.
    assert_eq!(unknown, ["Factory"]);
    assert!(facts > 250_000 && links > 200, "{facts} {links}");
    eprintln!(
        "compared {} names, {facts} facts, {links} links, {windows} Windows names in {:.1?}",
        seen.len(),
        began.elapsed()
    );
}

#[test]
fn business_time_is_as_python_counts_it() {
    let soak = std::env::var("KPILINE_SOAK").is_ok_and(|soak| soak == "1");
    // As many as two processes do in a few seconds, unoptimised; or the full size.
    let (schedules, intervals) = if soak { ("1000", "100") } else { ("60", "50") };
    let Some(mut oracle) = Oracle::ask(&["business", "20250309", schedules, intervals]) else {
        return;
    };
    let began = Instant::now();
    let mut document = String::new();
    let mut current = None;
    let mut counts = HashMap::from([("compared", 0), ("open", 0), ("inside", 0)]);
    let mut count = |what| *counts.entry(what).or_insert(0_i64) += 1;
    while let Some(line) = oracle.line() {
        if let Some(open) = line.strip_prefix("open ") {
            let (schedule, zone): &(Schedule, Zone) = current.as_ref().unwrap();
            let words: Vec<&str> = open.split(' ').collect();
            let [from, to, business, began_on] = words[..] else {
                panic!("{line}")
            };
            let (from, to) = (number(from), number(to));
            let ours = schedule.business_micros(*zone, from, to);
            assert_eq!(ours, number(business), "{zone} {line}\n{document}");
            let ours = schedule.opened_on(*zone, from);
            assert_eq!(ours, began_on.parse().ok(), "{zone} {line}\n{document}");
            assert_eq!(
                schedule.contains(*zone, from),
                ours.is_some(),
                "{zone} {line}\n{document}"
            );
            count("compared");
            if business != "0" {
                count("open");
            }
            if began_on != "-" {
                count("inside");
            }
            continue;
        }
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        let ["schedule", length, name] = words[..] else {
            panic!("{line}")
        };
        document.clear();
        for _ in 0..number(length) {
            document.push_str(&oracle.line().unwrap());
            document.push('\n');
        }
        let schedule = Schedule::read(&document);
        let schedule = schedule.unwrap_or_else(|problems| panic!("{problems:?}\n{document}"));
        current = Some((schedule, crate::zone(name)));
    }
    oracle.end();
    let expected = number(schedules) * number(intervals);
    assert_eq!(counts["compared"], expected);
    // What is closed everywhere would be easy to agree on.
    assert!(
        counts["open"] > expected / 3 && counts["inside"] > expected / 10,
        "{counts:?}"
    );
    eprintln!("{counts:?} in {:.1?}", began.elapsed());
}
