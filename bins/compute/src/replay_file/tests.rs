//! Files in, text out. The arithmetic of the metrics is not looked at here: `kpi` has tests for that.

use super::{OutputFormat, ReplayFileArgs, replay};
use clap::Parser;
use std::fmt::Write as _;
use std::path::PathBuf;
use tempfile::TempDir;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: ReplayFileArgs,
}

/// A folder with one file in it for each of the texts, and the arguments to read them.
fn given(texts: &[&str], options: &[&str]) -> (TempDir, ReplayFileArgs) {
    let folder = tempfile::tempdir().unwrap();
    let mut words = vec!["replay-file".to_owned()];
    for (index, text) in texts.iter().enumerate() {
        let path = folder.path().join(format!("{index}.jsonl"));
        std::fs::write(&path, text).unwrap();
        words.push(path.display().to_string());
    }
    words.extend(options.iter().map(|&word| word.to_owned()));
    (folder, Command::parse_from(words).args)
}

fn outcome(args: &ReplayFileArgs) -> (anyhow::Result<()>, String, String) {
    let (mut out, mut remarks) = (Vec::new(), Vec::new());
    let result = replay(args, &mut out, &mut remarks);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (result, text(out), text(remarks))
}

fn check(texts: &[&str], options: &[&str]) -> String {
    let (_folder, args) = given(texts, options);
    let (result, out, _) = outcome(&args);
    result.unwrap();
    out
}

fn event(interaction: u32, event: u32, minute: u32, state: &str, metrics: &str) -> String {
    format!(
        r#"{{"event_type":"analytics:events:publish","timestamp":"2024-05-15T14:{:02}:{:02}.000Z","data":{{"event_id":"e{event}","interaction_id":"i{interaction:05}","type":"telephony:call:x","state":"{state}","queue_id":"q, one","metrics":{{{metrics}}},"participants":[{{"id":"a1","type":"agent","timezone":"Europe/Berlin"}}]}}}}"#,
        minute / 60 % 60,
        minute % 60
    )
}

/// Many interactions whose events lie far apart in the file, so that threads share nearly all of them; about 3 MB.
fn large() -> String {
    let mut text = String::new();
    for (n, state) in ["connected", "completed", "wrapped_up"]
        .into_iter()
        .enumerate()
    {
        let n = u32::try_from(n).unwrap();
        for i in 0..3000 {
            let metric = [
                "\"hold_time_ms\":1",
                "\"talk_time_ms\":1001",
                "\"wrap_time_ms\":5",
            ];
            let metric = metric[n as usize];
            let line = event(
                i * 7 % 3000,
                i * 7 % 3000 * 10 + n,
                n * 60 + i % 60,
                state,
                metric,
            );
            writeln!(text, "{line}").unwrap();
        }
    }
    text
}

#[test]
fn totals_are_the_same_for_any_number_of_threads_and_any_split_into_files() {
    let text = large();
    let options = ["--metrics", "adjusted_aht,handle_time,queue_wait"];
    let expected = "adjusted_aht: 3000 interactions, 3021.000 seconds\n\
                    handle_time: 3000 interactions, 3021.000 seconds\n\
                    queue_wait: 0 interactions, 0.000 seconds, 3000 without a value\n";
    for threads in ["1", "2", "3", "7"] {
        let options = [&options[..], &["--threads", threads]].concat();
        assert_eq!(check(&[&text], &options), expected, "{threads} threads");
    }
    let half = text[..text.len() / 2].rfind('\n').unwrap() + 1;
    assert_eq!(
        check(&[&text[half..], &text[..half], &text], &options),
        expected
    );
}

#[test]
fn rows_come_in_the_order_of_interactions_whatever_the_number_of_threads() {
    let text = large();
    for output in ["csv", "jsonl"] {
        let options = ["--metrics", "adjusted_aht,queue_wait", "--output", output];
        let alone = check(&[&text], &[&options[..], &["--threads", "1"]].concat());
        let many = check(&[&text], &[&options[..], &["--threads", "5"]].concat());
        assert!(alone == many, "{output} differs");
        assert_eq!(
            alone.lines().count(),
            2 * 3000 + usize::from(output == "csv")
        );
    }
}

#[test]
fn a_row_is_what_the_header_says() {
    let text = event(
        1,
        1,
        5,
        "completed",
        "\"talk_time_ms\":45200,\"wrap_time_ms\":8500",
    );
    let options = ["--metrics", "handle_time", "--output", "csv"];
    assert_eq!(
        check(&[&text], &options),
        "interaction_id,metric,version,leg,value,timestamp_utc,agent_id,queue_id,metadata\n\
         i00001,handle_time,1,,53.7,2024-05-15T14:00:05.000Z,a1,\"q, one\",\"{\"\"outcome\"\":\"\"completed\"\",\"\"not_stated\"\":[\"\"hold\"\"],\"\"unit\"\":\"\"s\"\"}\"\n"
    );
    let options = ["--metrics", "queue_wait", "--output", "jsonl"];
    let row: serde_json::Value = serde_json::from_str(&check(&[&text], &options)).unwrap();
    assert_eq!(row["value"], serde_json::Value::Null);
    assert_eq!(row["metadata"]["reason"], "not_stated");
}

#[test]
fn bad_lines_are_named_by_file_and_line_and_their_neighbours_count() {
    let good = large();
    let mut lines: Vec<&str> = good.lines().collect();
    let late = lines.len() - 1;
    lines[0] = "{\"timestamp\": 7";
    lines[late] = r#"{"event_type":"analytics:events:publish","timestamp":"yesterday","data":{"event_id":"e","interaction_id":"i","state":"completed"}}"#;
    let text = lines.join("\r\n");
    let (_folder, args) = given(&[&text], &["--metrics", "adjusted_aht", "--threads", "4"]);
    let (result, out, remarks) = outcome(&args);
    result.unwrap();
    assert!(out.starts_with("adjusted_aht: 3000 interactions"), "{out}");
    let described: Vec<&str> = remarks.lines().collect();
    assert!(described[0].contains("0.jsonl:1: "), "{remarks}");
    assert!(
        described[1].contains("0.jsonl:9000: timestamp is not what is allowed"),
        "{remarks}"
    );
    assert!(
        described[2].starts_with("9000 events") && described[2].contains(" 2 bad)"),
        "{remarks}"
    );
}

#[test]
fn arrays_blank_lines_marks_and_a_missing_last_line_end_are_fine() {
    let one = event(1, 1, 1, "completed", "\"talk_time_ms\":1000");
    let two = event(2, 2, 1, "abandoned", "\"queue_wait_ms\":3000");
    let text = format!("\u{feff}\n\n  \r\n[{one}, {two}]\n{one}");
    assert_eq!(
        check(&[&text], &["--metrics", "talk_time"]),
        "talk_time: 1 interaction, 1.000 seconds, 1 without a value\n"
    );
}

#[test]
fn the_platforms_own_events_are_read_beside_the_guides() {
    let told = |what: &str, at: i64, more: &str| {
        format!(
            r#"{{"topicName": "v2.detail.events.conversation.c.{what}", "eventBody": {{"eventTime": {at}, "conversationId": "c", "sessionId": "{what}"{more}}}}}"#
        )
    };
    let text = [
        told(
            "customer.end",
            1_777_888_860_000,
            r#", "interactingDurationMs": 60000"#,
        ),
        told(
            "user.end",
            1_777_888_860_000,
            r#", "userId": "anna", "interactingDurationMs": 45000"#,
        ),
        told("acw", 1_777_888_860_000, r#", "wrapupDurationMs": "long""#),
        r#"{"topicName": "v2.routing.queues.q.users", "eventBody": {}}"#.to_owned(),
    ]
    .join("\n");
    let (_folder, args) = given(&[&text], &["--metrics", "talk_time"]);
    let (result, out, remarks) = outcome(&args);
    result.unwrap();
    assert_eq!(out, "talk_time: 1 interaction, 45.000 seconds\n");
    assert!(
        remarks.contains("0.jsonl:3: eventBody.wrapupDurationMs is not what is allowed"),
        "{remarks}"
    );
}

#[test]
fn a_line_says_what_was_counted_and_whole_numbers_have_no_fraction() {
    let options = ["--metrics", "leg_talk_time, leg_missed ,held"];
    assert_eq!(
        check(&[&large()], &options),
        "held: 3000 of 3000 interactions\n\
         leg_talk_time: 3000 legs, 3003.000 seconds\n\
         leg_missed: 0 of 3000 legs\n"
    );
}

#[test]
fn of_many_bad_lines_twenty_are_described_and_the_rest_is_counted() {
    let text = "bad\n".repeat(50) + &event(1, 1, 1, "completed", "\"talk_time_ms\":1000");
    let (_folder, args) = given(&[&text], &["--metrics", "talk_time"]);
    let (result, _, remarks) = outcome(&args);
    result.unwrap();
    let lines: Vec<&str> = remarks.lines().collect();
    assert_eq!(lines.len(), 22, "{remarks}");
    assert_eq!(lines[20], "... and 30 lines more that cannot be read");
    assert!(
        lines[21].starts_with("51 events (0 duplicates, "),
        "{remarks}"
    );
    assert!(
        lines[21].contains(" 50 bad) of 1 interaction in "),
        "{remarks}"
    );
}

#[test]
fn one_is_no_plural() {
    assert_eq!(super::counted(1, "interaction"), "1 interaction");
    assert_eq!(super::counted(0, "interaction"), "0 interactions");
    assert_eq!(super::counted(2, "file of places"), "2 files of places");
}

#[test]
fn an_empty_file_has_no_interactions_and_is_no_error() {
    assert_eq!(
        check(&[""], &["--metrics", "talk_time"]),
        "talk_time: 0 interactions, 0.000 seconds\n"
    );
}

#[test]
fn what_cannot_be_read_at_all_is_an_error_that_says_why() {
    let (_folder, args) = given(&["not\nour\nformat"], &[]);
    let (result, _, remarks) = outcome(&args);
    assert_eq!(
        result.unwrap_err().to_string(),
        "none of the 3 lines could be understood"
    );
    assert_eq!(remarks.lines().count(), 3);
    let (_folder, args) = given(&["not our format"], &[]);
    assert_eq!(
        outcome(&args).0.unwrap_err().to_string(),
        "the only line could not be understood"
    );

    let (_folder, mut args) = given(&[""], &[]);
    args.files.push(PathBuf::from("/no/such/file"));
    let error = outcome(&args).0.unwrap_err();
    assert!(
        format!("{error:#}").contains("/no/such/file cannot be read"),
        "{error:#}"
    );

    let (_folder, args) = given(&[""], &["--metrics", "atime,talk_time,fcr"]);
    let error = outcome(&args).0.unwrap_err().to_string();
    assert!(
        error.starts_with("no such metric: atime, fcr (there are adjusted_aht@1,"),
        "{error}"
    );
}

#[test]
fn what_no_interaction_alone_tells_is_not_printed() {
    for name in ["first_contact_resolution", "occupancy"] {
        let (_folder, args) = given(&[&large()], &["--metrics", name]);
        let error = outcome(&args).0.unwrap_err().to_string();
        assert!(error.contains("no interaction alone tells it"), "{error}");
        let all = check(&[&large()], &[]);
        assert!(all.contains("talk_time") && !all.contains(name), "{all}");
    }
}

#[test]
fn a_definition_comes_from_a_file_and_its_newest_version_is_meant_where_none_is_named() {
    let (folder, mut args) = given(&[&large()], &["--metrics", "adjusted_aht,adjusted_aht@1"]);
    let file = folder.path().join("adjusted_aht.v2.toml");
    std::fs::write(
        &file,
        "name = 'adjusted_aht'\nversion = 2\nunit = 'seconds'\npriority = 'normal'\nscope = 'interaction'\n\
         description = 'Talk alone.'\nsource = 'Ours.'\naggregations = ['mean']\nvalue = 'interaction.talk * 2'\n",
    )
    .unwrap();
    args.definitions.push(file);
    assert_eq!(args.output, OutputFormat::Summary);
    assert_eq!(
        outcome(&args).1,
        "adjusted_aht@1: 3000 interactions, 3021.000 seconds\n\
         adjusted_aht@2: 3000 interactions, 6006.000 seconds\n"
    );
    // Which one was taken is said also where it is the only one asked for.
    args.metrics = vec!["adjusted_aht".to_owned()];
    assert_eq!(
        outcome(&args).1,
        "adjusted_aht@2: 3000 interactions, 6006.000 seconds\n"
    );
}

#[test]
fn a_wrong_definition_is_refused_with_file_line_and_column() {
    let (folder, mut args) = given(&[&large()], &[]);
    let file = folder.path().join("wrong.toml");
    std::fs::write(
        &file,
        "name = 'wrong'\nversion = 1\nunit = 'seconds'\npriority = 'normal'\nscope = 'interaction'\n\
         description = 'Wrong.'\nsource = 'Ours.'\naggregations = ['mean']\nvalue = 'interaction.tlak'\n",
    )
    .unwrap();
    args.definitions.push(file);
    let error = format!("{:#}", outcome(&args).0.unwrap_err());
    assert!(error.contains("wrong.toml:9:"), "{error}");
    assert!(error.contains("tlak"), "{error}");
}
