//! The catalogue that ships: it can be read, it is whole, and a text once released never changes under its version.

use crate::call::{Call, SHIPPED, at, second, shown};
use kpi::{
    Definition, Grain, Library, MetricValue, content_digest, shipped_definitions, shipped_schedules,
};
use schema::{Direction, DurationKind, LegKind, LegOutcome, State};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use timezone::Schedule;

/// The order of the first release, which is the order of the columns in people's exports.
const FIRST_SIX: [&str; 6] = [
    "adjusted_aht",
    "handle_time",
    "talk_time",
    "hold_time",
    "wrap_time",
    "queue_wait",
];

#[test]
fn every_shipped_text_can_be_read_and_says_what_it_is() {
    let library = Library::shipped();
    for shipped in shipped_definitions() {
        let definition = Definition::read(shipped.file, shipped.text, &library)
            .unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!(definition.name(), shipped.name, "{}", shipped.file);
        assert_eq!(definition.version(), shipped.version, "{}", shipped.file);
        for (what, text) in [
            ("title", definition.title()),
            ("description", definition.description()),
            ("source", definition.source()),
        ] {
            assert!(!text.trim().is_empty(), "{}: no {what}", shipped.file);
        }
        assert_ne!(definition.title(), definition.name(), "{}", shipped.file);
        assert!(!definition.aggregations().is_empty(), "{}", shipped.file);
    }
    assert_eq!(SHIPPED.definitions().len(), shipped_definitions().len());
    for shipped in shipped_schedules() {
        let schedule = Schedule::read(shipped.text).unwrap();
        assert_eq!(
            (schedule.name(), schedule.version()),
            (shipped.name, shipped.version.0)
        );
    }
}

#[test]
fn the_six_oldest_come_first_and_no_name_comes_twice() {
    let names: Vec<&str> = shipped_definitions().iter().map(|one| one.name).collect();
    assert_eq!(names[..6], FIRST_SIX);
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(distinct.len(), names.len());
}

#[test]
fn every_file_of_the_catalogue_ships() {
    for (folder, shipped) in [
        ("catalogue", shipped_definitions()),
        ("schedules", shipped_schedules()),
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let found: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let known: BTreeSet<String> = shipped.iter().map(|one| one.file.to_owned()).collect();
        assert_eq!(found, known);
    }
}

/// `tests/digests.txt` has one line `name@version digest` for each text that was ever shipped. A line that is there is never changed: a
/// changed text is a new version. `KPILINE_GOLDEN=rewrite` adds the lines that are missing, and nothing else.
#[test]
fn a_shipped_text_never_changes_under_its_version() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/digests.txt");
    let mut pinned: BTreeMap<String, String> = fs::read_to_string(&path)
        .unwrap_or_default()
        .lines()
        .map(|line| {
            let (name, digest) = line.split_once(' ').unwrap();
            (name.to_owned(), digest.to_owned())
        })
        .collect();
    let bless = std::env::var("KPILINE_GOLDEN").is_ok_and(|value| value == "rewrite");
    let mut added = false;
    let mut check = |name: String, digest: [u8; 32]| {
        let digest = digest.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        });
        match pinned.get(&name) {
            Some(pin) => assert_eq!(
                *pin, digest,
                "{name} has changed since it was released: give the changed text a new version"
            ),
            None if bless => {
                pinned.insert(name, digest);
                added = true;
            }
            None => panic!("{name} is not in tests/digests.txt: run with KPILINE_GOLDEN=rewrite"),
        }
    };
    for definition in SHIPPED.definitions() {
        let name = format!("{}@{}", definition.name(), definition.version());
        check(name, definition.digest());
    }
    for shipped in shipped_schedules() {
        let name = format!("schedule:{}@{}", shipped.name, shipped.version);
        check(name, content_digest(shipped.text));
    }
    if added {
        let lines = pinned
            .iter()
            .fold(String::new(), |mut lines, (name, digest)| {
                writeln!(lines, "{name} {digest}").unwrap();
                lines
            });
        fs::write(&path, lines).unwrap();
    }
}

#[test]
fn the_digest_is_of_the_content_and_not_of_the_layout() {
    let read = |text: &str| {
        Definition::read("a", text, &Library::shipped())
            .unwrap()
            .digest()
    };
    let one = read(
        "name = 'a'\nversion = 1\nunit = 'count'\nvalue = '1'\n[parameters]\nx = 1\ny = '5s'\n",
    );
    let same = read(
        "# A comment.\nvalue = \"1\"\nunit = \"count\"\nname = \"a\"\nversion = 0x1\nparameters = { y = '5s', x = 1 }\n",
    );
    assert_eq!(one, same);
    let other = read(
        "name = 'a'\nversion = 1\nunit = 'count'\nvalue = '2'\n[parameters]\nx = 1\ny = '5s'\n",
    );
    assert_ne!(one, other);
    let moved = read(
        "name = 'a'\nversion = 1\nunit = 'count'\nvalue = '1'\n[parameters]\nx = 1\n[lists]\ny = ['5s']\n",
    );
    assert_ne!(one, moved);
}

/// Guarantee 11: an interaction that no agent saw has no share of anything agents do, and no zero in its place.
#[test]
fn metrics_of_an_interaction_without_an_agent_are_absent_with_a_reason() {
    let call = Call::default()
        .told(at(0).leg("ivr", LegKind::Ivr, |leg| {
            leg.outcome = Some(LegOutcome::Answered);
        }))
        .told(at(40).state(State::Completed));
    for metric in [
        "held",
        "holds",
        "longest_hold",
        "transferred",
        "agents",
        "resolved_by_disposition",
        "speed_of_answer",
        "service_level_offered",
        "service_level_answered",
        "abandoned",
        "customer_handle_time",
        "first_answer_in_hours",
    ] {
        assert_eq!(call.value(metric), "absent: filtered", "{metric}");
    }
    assert_eq!(call.value("handle_time"), "absent: not_stated");
    assert_eq!(call.value("adjusted_aht_transfers"), "absent: no_agent");
    // What can be said of it is said.
    assert_eq!(call.value("contained"), "1");
    assert_eq!(call.value("offered"), "0");
    assert_eq!(call.value("handled"), "0");
    // The classic rule asks for a number in any case.
    assert_eq!(call.value("adjusted_aht"), "0");
}

#[test]
fn contained_is_what_is_known_to_have_been_served_by_the_flow() {
    let flow = |outcome: Option<LegOutcome>| {
        Call::default().told(at(0).leg("ivr", LegKind::Ivr, |leg| leg.outcome = outcome))
    };
    let values =
        |call: &Call| ["contained", "abandoned_in_ivr", "offered"].map(|of| call.value(of));
    assert_eq!(
        values(&flow(Some(LegOutcome::Answered)).ended()),
        ["1", "0", "0"]
    );
    assert_eq!(
        values(&flow(Some(LegOutcome::Abandoned)).told(at(9).state(State::Abandoned))),
        ["0", "1", "0"]
    );
    // Three seconds and no agent: the source does not say whether anybody was served.
    assert_eq!(
        values(&flow(None).ended()),
        ["absent: not_stated", "absent: not_stated", "0"]
    );
    let waited = Call::default()
        .told(at(0).state(State::Queued).queue("support"))
        .told(
            at(240)
                .state(State::Completed)
                .lasts(DurationKind::QueueWait, 240_000),
        );
    assert_eq!(values(&waited), ["absent: filtered", "0", "1"]);
    // That the customer was served although a queue is named, the disposition says.
    let served = waited.told(at(240).disposition("IVR_SELF_SERVICE"));
    assert_eq!(values(&served), ["1", "0", "0"]);
    assert_eq!(served.value("abandoned"), "absent: filtered");
}

#[test]
fn one_instant_says_nothing_of_how_long_the_contact_lasted() {
    let once = Call::default().told(at(0).state(State::Completed));
    assert_eq!(once.value("contact_duration"), "absent: not_stated");
    let twice = Call::default()
        .told(at(0).state(State::Connected).agent("anna", None))
        .ended();
    assert_eq!(twice.value("contact_duration"), "60");
    let line = |id: &str, begins: i64, ends: i64, direction: Direction| {
        at(begins)
            .direction(Direction::Inbound)
            .leg(id, LegKind::Customer, |leg| {
                leg.ended_at = Some(second(ends));
            })
            .direction(direction)
    };
    // A line that the centre called besides stays open for two months.
    let stray = Call::default()
        .told(line("c", 0, 90, Direction::Inbound))
        .told(line("d", 30, 5_184_000, Direction::Outbound))
        .told(at(100).state(State::Completed));
    assert_eq!(stray.value("contact_duration"), "90");
}

#[test]
fn counts_and_rates_of_an_everyday_call() {
    let call = Call::default()
        .told(at(0).state(State::Queued).queue("support"))
        .told(
            at(15)
                .state(State::Connected)
                .queue("support")
                .agent("anna", None)
                .lasts(DurationKind::QueueWait, 15_000),
        )
        .told(at(60).state(State::Held).agent("anna", None))
        .told(at(72).state(State::Connected).agent("anna", None))
        .told(
            at(100)
                .state(State::Completed)
                .agent("anna", None)
                .disposition("RESOLVED")
                .lasts(DurationKind::Talk, 73_000)
                .lasts(DurationKind::Hold, 12_000)
                .lasts(DurationKind::Wrap, 5000),
        );
    let expected = [
        ("offered", "1"),
        ("handled", "1"),
        ("abandoned", "0"),
        ("short_abandoned", "0"),
        ("abandoned_in_ivr", "0"),
        ("flowed_out", "0"),
        ("missed", "0"),
        ("contained", "absent: filtered"),
        ("service_level_offered", "1"),
        ("speed_of_answer", "15"),
        ("time_to_abandon", "absent: filtered"),
        ("held", "1"),
        ("holds", "1"),
        ("longest_hold", "12"),
        ("transferred", "0"),
        ("agents", "1"),
        ("resolved_by_disposition", "1"),
        ("handle_time", "90"),
        ("leg_handle_time", "90"),
    ];
    for (metric, value) in expected {
        assert_eq!(call.value(metric), value, "{metric}");
    }
}

#[test]
fn an_empty_disposition_says_nothing_of_whether_the_matter_is_settled() {
    let call = Call::default()
        .told(at(0).state(State::Connected).agent("anna", None))
        .told(at(50).disposition("RESOLVED"));
    let retracted = call.clone().told(at(55).disposition("")).ended();
    assert_eq!(
        retracted.value("resolved_by_disposition"),
        "absent: not_stated"
    );
    assert_eq!(call.ended().value("resolved_by_disposition"), "1");
    let silent = Call::default().told(at(0).state(State::Connected).agent("anna", None));
    assert_eq!(
        silent.ended().value("resolved_by_disposition"),
        "absent: not_stated"
    );
}

#[test]
fn one_row_a_definition_or_leg_and_none_before_the_end() {
    let legs = |call: Call| {
        ["anna", "bo"].into_iter().fold(call, |call, agent| {
            call.told(at(9).agent(agent, None).leg(agent, LegKind::Agent, |leg| {
                leg.outcome = Some(LegOutcome::Answered);
            }))
        })
    };
    assert!(legs(Call::default()).rows_of(&SHIPPED).is_empty());
    let rows = legs(Call::default().ended()).rows_of(&SHIPPED);
    let expected: usize = SHIPPED
        .definitions()
        .iter()
        .map(|definition| match definition.scope() {
            Grain::Interaction => 1,
            Grain::Leg => 2,
            Grain::Journey | Grain::AgentTime => 0,
        })
        .sum();
    assert_eq!(rows.len(), expected);
    let keys: BTreeSet<_> = rows
        .iter()
        .map(|row| (row.metric.clone(), row.scope.clone()))
        .collect();
    assert_eq!(keys.len(), rows.len());
    assert!(rows.iter().all(|row| !shown(row).contains("without")));
}

#[test]
fn an_interaction_that_was_given_up_is_incomplete_until_its_end_is_known() {
    let open = Call::default()
        .told(at(0).state(State::Connected).agent("anna", None))
        .told(
            at(9)
                .agent("anna", None)
                .leg("1", LegKind::Agent, |_| ())
                .lasts(DurationKind::Talk, 1000),
        );
    assert!(open.rows_of(&SHIPPED).is_empty());
    let rows = open.clone().swept().rows_of(&SHIPPED);
    assert!(rows.iter().any(|row| row.scope.as_str() == "1"));
    // The part that was made up for anna stands no more since a leg of hers is stated.
    let expected = |row: &MetricValue| match row.scope.as_str() {
        "agent:anna" => "absent: withdrawn",
        _ => "absent: incomplete",
    };
    assert!(rows.iter().all(|row| shown(row) == expected(row)));
    let ended = open.swept().ended();
    assert_eq!(ended.value("talk_time"), "1");
}
