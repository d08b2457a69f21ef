//! Definitions in files and in the store: check, list, show, diff, fields, add.

use crate::world::{World, said, talk, workspace};
use serde_json::Value;

#[tokio::test]
async fn check_finds_what_ships_and_the_examples_sound_without_a_database() {
    let shipped = said(&["check"]).await;
    assert_eq!(shipped.error, None, "{}", shipped.out);
    assert!(shipped.out.ends_with(": no problem\n"), "{}", shipped.out);
    let examples = workspace("deploy/config/kpi");
    let examples = said(&["check", examples.to_str().unwrap()]).await;
    assert_eq!(examples.error, None, "{}", examples.out);
    assert_eq!(
        examples.out,
        "2 definitions, 2 schedules and 1 file of places: no problem\n"
    );
}

#[tokio::test]
async fn check_lists_every_problem_of_every_file_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = talk(1, "interaction.tlak + 1");
    std::fs::write(folder.path().join("a.toml"), wrong).unwrap();
    let unknown = talk(2, "interaction.talk") + "colour = \"green\"\n";
    std::fs::write(folder.path().join("b.toml"), unknown).unwrap();
    std::fs::write(folder.path().join("c.txt"), "not looked at").unwrap();
    let path = folder.path().to_str().unwrap();
    let table = said(&["check", path]).await;
    assert!(
        table.refused().contains("in 2 files"),
        "{}",
        table.refused()
    );
    let lines: Vec<&str> = table.out.lines().collect();
    assert!(lines[0].contains("a.toml:9:"), "{lines:?}");
    assert!(table.out.contains("tlak"), "{lines:?}");
    assert!(table.out.contains("b.toml:10:"), "{lines:?}");
    let csv = said(&["check", path, "--output", "csv"]).await;
    assert_eq!(csv.out.lines().next(), Some("file,line,column,message"));
    assert!(csv.error.is_some());
}

#[tokio::test]
async fn check_with_the_database_says_what_add_would_refuse() {
    let world = World::new().await;
    let same = world.done(&["show", "talk_time@1"]).await;
    let same = world.file("same.toml", &same);
    world.done(&["check", &same, "--database"]).await;
    let changed = world.file("changed.toml", &talk(1, "interaction.talk * 2"));
    assert_eq!(said(&["check", &changed]).await.error, None);
    let refused = world.kpi(&["check", &changed, "--database"]).await;
    assert_eq!(refused.refused(), "1 problem in 1 file");
    assert!(
        refused
            .out
            .contains("changed.toml:2:1: talk_time@1 is stored with another text")
            && refused.out.contains("version 2"),
        "{}",
        refused.out
    );
}

#[tokio::test]
async fn list_has_every_version_with_its_status_and_rows() {
    let world = World::with_calls(0..20).await;
    let file = world.file("talk.toml", &talk(2, "interaction.talk"));
    world.done(&["add", &file]).await;
    let rows = world.json(&["list", "talk_time"]).await;
    let seen: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["version"].clone(),
                row["status"].clone(),
                row["rows"].clone(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (1.into(), "current".into(), 20.into()),
            (2.into(), "draft".into(), Value::Null),
        ]
    );
    let drafts = world.json(&["list", "--status", "draft"]).await;
    assert!(
        drafts
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["status"] == "draft")
    );
    let unknown = world.kpi(&["list", "talk_tme"]).await;
    assert_eq!(
        unknown.refused(),
        "there is no definition talk_tme; did you mean talk_time?"
    );
    let shipped = said(&["list", "--shipped", "--output", "csv"]).await;
    assert!(shipped.out.lines().count() > 20, "{}", shipped.out);
}

#[tokio::test]
async fn what_show_prints_is_a_file_of_the_same_definition() {
    let world = World::new().await;
    let shown = world.kpi(&["show", "adjusted_aht"]).await;
    assert!(
        shown.remarks.starts_with("# adjusted_aht@1: current"),
        "{}",
        shown.remarks
    );
    // What is known besides is no part of the text, and so not of the file made of it, nor of the next one made of that.
    let text = shown.out;
    assert!(text.starts_with("name = \"adjusted_aht\""), "{text}");
    let file = world.file("shown.toml", &text);
    let same = world.done(&["diff", "adjusted_aht", &file]).await;
    assert!(same.contains("say the same"), "{same}");
    let added = world.json(&["add", &file]).await;
    assert_eq!(added[0]["result"], "was stored already");
    let whole = world.json(&["show", "adjusted_aht@1"]).await;
    assert_eq!(whole[0]["digest"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn diff_names_fields_and_changed_lines() {
    let example = workspace("deploy/config/kpi/adjusted_aht.v2.toml");
    let diff = said(&[
        "diff",
        "adjusted_aht@1",
        example.to_str().unwrap(),
        "--shipped",
    ])
    .await;
    assert_eq!(diff.error, None);
    assert!(diff.out.contains("version: 1 → 2\n"), "{}", diff.out);
    assert!(
        diff.out.contains("on_excluded: zero → absent\n"),
        "{}",
        diff.out
    );
    assert!(!diff.out.contains("aggregations"), "{}", diff.out);
}

#[tokio::test]
async fn show_says_in_which_windows_a_definition_adds_up() {
    let shown = said(&["show", "longest_wait@1", "--shipped", "--output", "json"]).await;
    let shown = shown.json();
    let windows = shown[0]["windows"].as_str().unwrap();
    assert!(
        windows.starts_with(
            "max, counted when ended; everything in 30m day week month; by queue in 15m"
        ),
        "{windows}"
    );
    assert!(windows.ends_with("; settled 2d after the end"), "{windows}");
    let time = said(&["show", "occupancy@1", "--shipped", "--output", "json"]).await;
    let time = time.json();
    let windows = time[0]["windows"].as_str().unwrap();
    assert!(windows.starts_with("mean; everything in 30m"), "{windows}");
}

#[tokio::test]
async fn fields_teach_what_expressions_may_use() {
    let all = said(&["fields"]).await.out;
    for word in [
        "queue_count",
        "inHours",
        "orZero",
        "journey.until_next",
        "time.on_queue",
        "interaction.offered_at",
        "[[windows]]",
        "on_excluded",
        "a && b",
    ] {
        assert!(all.contains(word), "{word}");
    }
    let none = said(&["fields", "no_such_word"]).await;
    assert!(none.refused().contains("no_such_word"));
}

#[tokio::test]
async fn add_stores_definitions_schedules_and_places_once() {
    let world = World::new().await;
    let examples = workspace("deploy/config/kpi");
    let examples = examples.to_str().unwrap();
    let first = world.json(&["add", examples]).await;
    assert_eq!(first.as_array().unwrap().len(), 5);
    assert!(
        first
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["result"] == "added")
    );
    assert_eq!(world.statuses("adjusted_aht").await, "1 current, 2 draft");
    let before = world.fingerprint().await;
    let second = world.json(&["add", examples]).await;
    assert!(
        second
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["result"] == "was stored already"),
        "{second}"
    );
    assert_eq!(world.fingerprint().await, before, "not even the generation");
    assert!(world.done(&["schedules"]).await.contains("Europe/Berlin"));
    assert!(
        world
            .done(&["schedules", "office"])
            .await
            .contains("Christmas")
    );
    assert!(world.done(&["places"]).await.contains("agent_17"));
}

#[tokio::test]
async fn one_changed_text_under_an_old_number_keeps_everything_out() {
    let world = World::new().await;
    world
        .done(&["add", &world.file("2.toml", &talk(2, "interaction.talk"))])
        .await;
    let before = world.fingerprint().await;
    let good = world.file("a.toml", &talk(3, "interaction.talk"));
    let changed = world.file("b.toml", &talk(2, "interaction.talk * 2"));
    let refused = world.kpi(&["add", &good, &changed]).await;
    assert!(
        refused.refused().contains("talk_time@2") && refused.refused().contains("version 3"),
        "{}",
        refused.refused()
    );
    assert_eq!(world.fingerprint().await, before);
    // Comments and layout are no change.
    let commented = format!("# the same\n\n{}", talk(2, "interaction.talk"));
    let same = world
        .json(&["add", &world.file("b.toml", &commented)])
        .await;
    assert_eq!(same[0]["result"], "was stored already");
    // Nor is the text that a row seeded by an early release stands for free for the taking.
    let first = world.file("1.toml", &talk(1, "interaction.talk * 3"));
    assert!(
        world
            .kpi(&["add", &first])
            .await
            .refused()
            .contains("talk_time@1")
    );
}

#[tokio::test]
async fn older_places_are_not_stored_because_they_would_not_hold() {
    let world = World::new().await;
    let places =
        |version: u16| format!("places = {version}\n[[organisation]]\nzone = \"Europe/Berlin\"\n");
    world
        .done(&["add", &world.file("p.toml", &places(3))])
        .await;
    let refused = world.kpi(&["add", &world.file("p.toml", &places(2))]).await;
    assert!(
        refused.refused().contains("version is 4"),
        "{}",
        refused.refused()
    );
}

#[tokio::test]
async fn a_version_with_another_unit_or_scope_is_another_kpi() {
    let world = World::new().await;
    let count = world.file(
        "count.toml",
        &talk(2, "interaction.transfers").replace("seconds", "count"),
    );
    let before = world.fingerprint().await;
    let checked = world.kpi(&["check", &count, "--database"]).await;
    assert!(
        checked.out.contains(
            "count.toml:3:1: talk_time@2 has the unit count, talk_time@1 (current) seconds"
        ) && checked.out.contains("give it another name"),
        "{}",
        checked.out
    );
    let leg = world.file(
        "leg.toml",
        &talk(2, "leg.talk").replace("\"interaction\"", "\"leg\""),
    );
    for (command, file, part) in [
        ("add", &count, "count.toml:3:1: "),
        ("activate", &count, "has the unit count"),
        ("add", &leg, "leg.toml:5:1: talk_time@2 is about each leg"),
    ] {
        let refused = world.kpi(&[command, file]).await;
        assert!(
            refused.refused().contains(part),
            "{command}: {}",
            refused.refused()
        );
    }
    assert_eq!(world.fingerprint().await, before);
    // Without a database, files are held to one another.
    let first = world.file("first.toml", &talk(1, "interaction.talk"));
    let among = said(&["check", &first, &count]).await;
    assert!(
        among
            .out
            .contains("count.toml:3:1: talk_time@2 has the unit count"),
        "{}",
        among.out
    );
}

#[tokio::test]
async fn drafts_may_differ_until_one_of_them_is_switched_on() {
    let world = World::new().await;
    let text = |version: u16| talk(version, "interaction.talk").replace("talk_time", "chatter");
    let wrong = text(2)
        .replace("seconds", "count")
        .replace("interaction.talk", "interaction.transfers");
    world.done(&["add", &world.file("2.toml", &wrong)]).await;
    world.done(&["add", &world.file("1.toml", &text(1))]).await;
    world.done(&["activate", "chatter@1"]).await;
    let refused = world.kpi(&["activate", "chatter@2"]).await;
    assert!(
        refused
            .refused()
            .contains("chatter@2 has the unit count, chatter@1 (candidate) seconds"),
        "{}",
        refused.refused()
    );
}
