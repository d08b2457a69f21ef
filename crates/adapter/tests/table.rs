//! CSV through a mapping file: a row is an object of its columns.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{
    BodyError, Item, Mapped, Mapping, Mappings, Outcome, Split, Stated, map, split_with,
};
use proptest::prelude::*;
use schema::{BodyFormat, Direction, DurationKind, Presence, State, UtcMicros};

const CALLS: &str = r#"
version = 1
[csv]
separator = ";"
[event]
interaction = "Contact ID"
at = { path = "Ended", form = "local", zone = "Europe/Berlin" }
state = { path = "Result", values = { Answered = "completed", Lost = "abandoned" } }
agent = { path = '"Agent No."', none = ["0"] }
queue = "Skill"
direction = { path = "Outbound", values = { yes = "outbound", no = "inbound" } }
per_delivery = ["Exported"]
[event.attributes]
brand = "Brand [short]"
[durations.talk]
path = "Talk"
unit = "clock"
[durations.hold]
path = "Hold s"
unit = "s"
"#;

fn mappings(text: &str) -> Mappings {
    let text = text.replace("\"Brand [short]\"", "'\"Brand [short]\"'");
    Mappings::none().with("calls", Mapping::parse("calls.toml", &text).unwrap())
}

fn format() -> BodyFormat {
    BodyFormat::Mapped {
        mapping: "calls".into(),
    }
}

fn items<'a>(text: &'a str, mappings: &Mappings) -> Vec<Item<'a>> {
    match split_with(&format(), text.as_bytes(), mappings) {
        Split::Items(items) => items,
        Split::Unreadable { reason } => panic!("{reason}"),
    }
}

fn mapped(item: &Item<'_>, mappings: &Mappings) -> Mapped {
    match map(&format(), &item.raw, mappings).unwrap() {
        Outcome::Mapped(mapped) => mapped,
        Outcome::Ignored { kind } => panic!("ignored: {kind}"),
    }
}

const HEADER: &str =
    "Contact ID;Ended; Agent No. ;Result;Skill;Outbound;Brand [short];Talk;Hold s;Exported";

#[test]
fn a_row_is_read_by_the_names_of_its_columns() {
    let mappings = mappings(CALLS);
    let text = format!(
        "\u{feff}{HEADER}\r\n\
         4711;2024-05-15 16:32:10.451;7000001;Answered;\"Gold; \"\"VIP\"\"\";no;Nord;1:16:05.5;20,\r\n\
         \r\n\
         4712;2024-05-15T16:32:10+0200;0;Lost;;yes;;;;now"
    );
    // The first row has two cells too few.
    let rows = items(&text, &mappings);
    assert_eq!(rows.len(), 2);
    let error = map(&format(), &rows[0].raw, &mappings).unwrap_err();
    assert_eq!(
        (
            error.field.as_str(),
            error.value.as_str(),
            &error.expected[..]
        ),
        ("(row)", "9 cells", "10 cells, one a column")
    );
    let lost = mapped(&rows[1], &mappings);
    let Stated::Interaction {
        interaction,
        facts,
        terminal,
        ..
    } = &lost.stated
    else {
        panic!("{lost:?}")
    };
    assert!(interaction.as_str() == "4712" && *terminal);
    assert_eq!(lost.at, UtcMicros(1_715_783_530_000_000));
    let statement = &facts[0].statement;
    assert_eq!(statement.state, Some(State::Abandoned));
    assert_eq!((&statement.agent, &statement.queue), (&None, &None));
    assert_eq!(statement.durations.get(DurationKind::Talk), None);
    let details = statement.details.as_ref().unwrap();
    assert_eq!(details.direction, Some(Direction::Outbound));
    assert!(details.attributes.is_empty());

    let whole = text.replace("20,\r\n", "20.5;later\r\n");
    let answered = mapped(&items(&whole, &mappings)[0], &mappings);
    assert_eq!(answered.at, UtcMicros(1_715_783_530_451_000));
    let statement = &answered.stated.facts()[0].statement;
    assert_eq!(statement.agent.as_ref().unwrap().id.as_str(), "7000001");
    assert_eq!(statement.queue.as_ref().unwrap().as_str(), "Gold; \"VIP\"");
    let of = |kind| statement.durations.get(kind).unwrap().0;
    assert_eq!(
        (of(DurationKind::Talk), of(DurationKind::Hold)),
        (4_565_500, 20_500)
    );
    let details = statement.details.as_ref().unwrap();
    assert_eq!(details.attributes.get("brand").unwrap(), "Nord");
}

#[test]
fn the_same_row_written_otherwise_is_the_same_event() {
    let mappings = mappings(CALLS);
    let first = "Contact ID;Ended;Result;Skill;Exported\n1;2024-05-15 16:32:10;Lost;x;monday\n";
    let other = "\u{feff}\"Exported\";Skill;Result;Talk;Ended;Contact ID\r\ntuesday;\"x\";Lost; ;2024-05-15 16:32:10; 1 \r\n";
    let one = mapped(&items(first, &mappings)[0], &mappings);
    let two = mapped(&items(other, &mappings)[0], &mappings);
    assert_eq!(one, two);
    let changed = first.replace(";x;", ";y;");
    let three = mapped(&items(&changed, &mappings)[0], &mappings);
    assert_eq!(one.event_id, three.event_id);
    assert_ne!(one.digest, three.digest, "newer content");
}

#[test]
fn a_header_that_cannot_say_what_a_row_must_is_refused_by_its_column() {
    let mappings = mappings(CALLS);
    let split = |text: &'static str| split_with(&format(), text.as_bytes(), &mappings);
    let Split::Unreadable { reason } = split("Contact ID;Result\n1;Lost\n") else {
        panic!("read")
    };
    assert_eq!(
        reason,
        BodyError::Header {
            missing: "Ended".to_owned()
        }
    );
    // With another separator it is one column.
    let Split::Unreadable { reason } = split("Contact ID,Ended,Result\n1,2,3\n") else {
        panic!("read")
    };
    assert!(reason.to_string().contains("Contact ID"), "{reason}");
    for nothing in ["", "\r\n \n"] {
        let split = split_with(&format(), nothing.as_bytes(), &mappings);
        assert_eq!(
            split,
            Split::Unreadable {
                reason: BodyError::Empty
            }
        );
    }
}

#[test]
fn json_is_json_in_a_file_about_rows_too() {
    let mappings = mappings(CALLS);
    let text = " [{\"Contact ID\":4711,\"Ended\":\"2024-05-15T16:32:10Z\",\"Result\":\"Lost\"},{}]";
    let found = items(text, &mappings);
    assert_eq!(found.len(), 2);
    assert_eq!(mapped(&found[0], &mappings).stated.subject(), "4711");
    assert!(map(&format(), &found[1].raw, &mappings).is_err());
    // And what is CSV is none for a file that does not say so.
    let others = Mappings::none().with(
        "calls",
        Mapping::parse(
            "f",
            &CALLS
                .replace("[csv]\nseparator = \";\"\n", "")
                .replace("\"Brand [short]\"", "\"b\""),
        )
        .unwrap(),
    );
    assert!(matches!(
        split_with(&format(), b"Contact ID;Ended;Result\n", &others),
        Split::Unreadable { .. }
    ));
}

#[test]
fn rows_may_be_about_agents() {
    let mappings = mappings(
        "version = 1\n[csv]\nseparator = \"\\t\"\n[agent_state]\nagent = \"agent\"\nat = { path = \"since\", form = \"epoch_s\" }\n\
         lasted = { path = \"minutes\", unit = \"min\" }\npresence = { path = \"state\", values = { READY = \"on_queue\" }, other = \"ignore\" }\n",
    );
    let rows = items(
        "note\tagent\tsince\tstate\tminutes\n\ta1\t1715783530\tREADY\t1.5\nx\ta2\t1715783530\tOTHER\t\n",
        &mappings,
    );
    let first = mapped(&rows[0], &mappings);
    let (agent, facts) = first.stated.agent().unwrap();
    assert_eq!(agent.id.as_str(), "a1", "an empty first cell is a cell");
    assert_eq!(facts[0].statement.presence, Some(Presence::OnQueue));
    assert_eq!(facts[0].until, Some(UtcMicros(1_715_783_620_000_000)));
    assert!(matches!(
        map(&format(), &rows[1].raw, &mappings).unwrap(),
        Outcome::Ignored { .. }
    ));
}

#[test]
fn what_is_wrong_with_a_table_is_said_with_its_line() {
    let rest =
        "[event]\ninteraction = \"i\"\nat = \"t\"\nstate = { path = \"s\", other = \"keep\" }\n";
    for (text, said) in [
        ("csv = 5\n", "f.toml:2: csv must be a table"),
        (
            "[csv]\nseparator = \";;\"\n",
            "f.toml:3: csv.separator must be",
        ),
        ("[csv]\nseparator = 5\n", "f.toml:3: csv.separator must be"),
        ("[csv]\nquote = \"'\"\n", "f.toml:3: csv.quote is unknown"),
    ] {
        let problems = Mapping::parse("f.toml", &format!("version = 1\n{text}{rest}")).unwrap_err();
        assert!(
            problems.len() == 1 && problems[0].starts_with(said),
            "{problems:?}"
        );
    }
}

/// Pitfall 8: one event in a thousand has no fraction of a second. Pitfall 9: offsets without a colon make rows vanish.
#[test]
fn pitfalls_8_and_9_instants_of_every_form_in_a_file() {
    let mappings = mappings(
        "version = 1\n[csv]\n[event]\ninteraction = \"id\"\nat = \"at\"\nstate = { path = \"state\", other = \"keep\" }\n",
    );
    let base = 1_715_783_530_000_000;
    let forms = [
        ("2024-05-15T14:32:10Z", base),
        ("2024-05-15T14:32:10.4Z", base + 400_000),
        ("2024-05-15T14:32:10.451Z", base + 451_000),
        ("2024-05-15T14:32:10.451123456Z", base + 451_123),
        ("2024-05-15T14:32:10+02:00", base - 7_200_000_000),
        (
            "2024-05-15T14:32:10.922+0200",
            base - 7_200_000_000 + 922_000,
        ),
        ("2024-05-15 14:32:10+0200", base - 7_200_000_000),
    ];
    let rows: Vec<String> = forms
        .iter()
        .enumerate()
        .map(|(n, (at, _))| format!("{n},{at},ended\n"))
        .collect();
    // One without a zone is refused alone, with its column; it is not guessed.
    let text = format!(
        "id,at,state\n{}x,2024-05-15T14:32:10,ended\n{}",
        rows[..3].concat(),
        rows[3..].concat()
    );
    let found: Vec<_> = items(&text, &mappings)
        .iter()
        .map(|item| map(&format(), &item.raw, &mappings))
        .collect();
    assert_eq!(found.len(), 8);
    let error = found[3].as_ref().unwrap_err();
    assert_eq!(error.field, "at");
    let instants: Vec<i64> = found
        .iter()
        .filter_map(|outcome| match outcome {
            Ok(Outcome::Mapped(mapped)) => Some(mapped.at.0),
            _ => None,
        })
        .collect();
    assert_eq!(instants, forms.map(|(_, at)| at));
}

/// Pitfall 29: a payload that differs from its documentation.
#[test]
fn pitfall_29_a_column_that_differs_from_its_documentation() {
    let mappings = mappings(CALLS);
    let row = |header: &str, row: &str| {
        let text = format!("{header}\n{row}\n");
        let found = items(&text, &mappings);
        map(&format(), &found[0].raw, &mappings)
    };
    let known = "Contact ID;Ended;Result;Talk";
    // An unknown block more: it stays in the row, and changes nothing that is read.
    let plain = row(known, "1;2024-05-15 16:32:10;Lost;0:05").unwrap();
    let more = row(
        &format!("{known};New Block"),
        "1;2024-05-15 16:32:10;Lost;0:05;{\"a\":1}",
    )
    .unwrap();
    let (Outcome::Mapped(plain), Outcome::Mapped(more)) = (plain, more) else {
        panic!("ignored")
    };
    assert_eq!(plain.stated, more.stated);
    // Another type, another word: refused, with the column.
    for (cells, column) in [
        ("1;2024-05-15 16:32:10;Lost;five", "Talk"),
        ("1;15.05.2024 16:32;Lost;0:05", "Ended"),
        ("1;2024-05-15 16:32:10;lost;0:05", "Result"),
        (";2024-05-15 16:32:10;Lost;0:05", "Contact ID"),
    ] {
        assert_eq!(row(known, cells).unwrap_err().field, column, "{cells}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_table_panic_or_hide_a_row(text in "[a1;\"\n\r ,]{0,60}") {
        let mappings = mappings(CALLS);
        let body = format!("Contact ID;Ended;Result\n{text}");
        for item in items(&body, &mappings) {
            // Read alone it is what it was in the body: one row.
            let again = String::from_utf8(item.raw.to_vec()).unwrap();
            prop_assert!(again.starts_with("Contact ID;Ended;Result\n"));
            let _outcome = map(&format(), again.as_bytes(), &mappings);
        }
    }

    #[test]
    fn every_cell_comes_back_as_it_was_written(
        cells in prop::collection::vec("[a-z;\",\n ]{0,6}[a-z]", 1..20),
    ) {
        let mappings = mappings(CALLS);
        let quoted = |cell: &String| format!("{};2024-05-15 16:32:10;Lost\n", format_args!("\"{}\"", cell.replace('"', "\"\"")));
        let body = format!("Contact ID;Ended;Result\n{}", cells.iter().map(quoted).collect::<String>());
        let found: Vec<String> = items(&body, &mappings)
            .iter()
            .map(|item| mapped(item, &mappings).stated.subject().into_owned())
            .collect();
        let wanted: Vec<String> = cells.iter().map(|cell| cell.trim_ascii().to_owned()).collect();
        prop_assert_eq!(found, wanted);
    }
}
