//! The program: what it prints and how it ends.

// A helper that fails is a test that fails.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_platform-double"))
}

fn output(args: &[&str], input: &[u8]) -> Output {
    let mut child = program()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // Who does not read all of its input is judged by its output.
    drop(writer.join());
    output
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A listening subcommand, ended with the value.
struct Listening(Child, String);

impl Listening {
    fn start(args: &[&str]) -> Self {
        let mut child = program().args(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(ready["ready"], true);
        Self(child, String::from(ready["url"].as_str().unwrap()))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_generated_file_has_a_truth_in_both_formats() {
    let file = output(&["generate", "200", "7"], b"").stdout;
    let totals = lines(&output(&["truth", "-"], &file)).remove(0);
    assert_eq!(totals["unreadable"], 0);
    let csv = output(&["truth", "-", "--format", "csv"], &file).stdout;
    let csv = String::from_utf8(csv).unwrap();
    let values: Vec<f64> = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(1).unwrap().parse().unwrap())
        .collect();
    assert_eq!(totals["interactions"], values.len());
    let sum = totals["adjusted_aht_sum"].as_f64().unwrap();
    assert!((values.iter().sum::<f64>() - sum).abs() < 1e-6);
}

#[test]
fn emitting_reports_each_pass_and_fails_when_something_is_left_over() {
    let file = output(&["generate", "20", "1"], b"").stdout;
    let sink = Listening::start(&["sink"]);
    let url = format!("{}/hook", sink.1);
    let sent = output(
        &[
            "emit",
            "-",
            "--url",
            &url,
            "--secret",
            "s",
            "--redeliver",
            "--per-post",
            "10",
        ],
        &file,
    );
    assert!(sent.status.success(), "{sent:?}");
    let passes = lines(&sent);
    assert_eq!(passes.len(), 2);
    assert_eq!(passes[0]["accepted_events"], passes[1]["accepted_events"]);
    drop(sink);
    let failed = output(&["emit", "-", "--url", &url, "--secret", "s"], &file);
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(lines(&failed)[0]["accepted_events"], 0);
}

#[test]
fn bad_senders_fail_the_command_when_they_are_let_in() {
    let sink = Listening::start(&["sink"]);
    let url = format!("{}/hook", sink.1);
    let args = [
        "bad", "--url", &url, "--secret", "s", "--case", "chunked", "--case", "forged",
    ];
    let answered = output(&args, b"");
    assert_eq!(answered.status.code(), Some(1));
    let answers = lines(&answered);
    let due = |name: &str| answers.iter().find(|it| it["case"] == name).unwrap()["due"].clone();
    assert_eq!((due("chunked"), due("forged")), (json!(true), json!(false)));
    let unknown = output(&["bad", "--url", &url, "--case", "nice"], b"");
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no case \"nice\""));
}

#[test]
fn serving_takes_a_file_and_flags_and_names_what_it_does_not_know() {
    let folder = std::env::temp_dir().join(format!("double-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("config.json");
    std::fs::write(&path, r#"{"poison":["int_1"],"limit":{"requests":5}}"#).unwrap();
    let path = path.to_str().unwrap();
    let faults = r#"{"phases":[{"requests":1,"fault":{"kind":"reset","store":true}}]}"#;
    let served = Listening::start(&["serve", "--config", path, "--faults", faults]);
    assert!(served.1.starts_with("http://127.0.0.1:"));
    std::fs::write(path, r#"{"poisson":[]}"#).unwrap();
    let refused = output(&["serve", "--config", path], b"");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("poisson"));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn its_truth_about_the_benchmark_workload_is_that_of_the_peers() {
    let shared = std::env::var_os("KPILINE_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let generator = shared.join("peers/generate.py");
    if !generator.exists() {
        eprintln!("SKIPPED: {} absent", generator.display());
        return;
    }
    let generated = Command::new("python3")
        .arg(&generator)
        .args(["2000", "7"])
        .output();
    let Ok(generated) = generated else {
        eprintln!("SKIPPED: python3 absent");
        return;
    };
    let totals = lines(&output(&["truth", "-"], &generated.stdout)).remove(0);
    assert_eq!(totals["interactions"], 1_984);
    assert_eq!(totals["adjusted_aht_sum"], 395_199.381);
}
