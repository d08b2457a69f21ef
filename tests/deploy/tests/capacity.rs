//! The capacity model in `deploy/capacity`: its tables are those of its costs, its costs say where they are from, what it plans grows with
//! what comes, and it foresees runs that it was not made of.
//!
//! Python 3.11 is needed; without it the tests are skipped, and say so; in CI they fail.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used, clippy::panic)]

use deploy::{deploy, missing};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;
use testkit::Proc;

const PATIENCE: Duration = Duration::from_secs(60);
/// By how much the sum of all parts may be off, of runs that the costs were not made of.
const OFF_BY: f64 = 0.3;

fn folder() -> PathBuf {
    deploy("capacity")
}

/// Python with what reads TOML; `None`, loudly, where there is none.
fn python() -> Option<Command> {
    let interpreter = std::env::var_os("KPILINE_PYTHON").unwrap_or_else(|| "python3".into());
    let new = || {
        let mut command = Command::new(&interpreter);
        // No byte code beside the programs: the folder is the repository's.
        command.arg("-B").current_dir(folder());
        command
    };
    match new().args(["-c", "import tomllib"]).output() {
        Ok(output) if output.status.success() => Some(new()),
        found => {
            missing(&format!("Python 3.11 for deploy/capacity: {found:?}"));
            None
        }
    }
}

fn succeeded(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What the model says, asked so.
fn model(arguments: &[&str]) -> Option<String> {
    let output = python()?.arg("model.py").args(arguments).output().unwrap();
    Some(succeeded(&output))
}

fn plan(arguments: &[&str]) -> Option<Value> {
    let text = model(&[&["plan", "--json"], arguments].concat())?;
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn the_tables_are_those_of_the_costs() {
    let Some(mut command) = python() else { return };
    let output = command.args(["model.py", "readme", "--check"]).output();
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "README.md has other tables than costs.toml gives; run deploy/capacity/model.py readme\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_run_says_by_which_command_and_when() {
    for (name, least) in [("costs.toml", 8), ("checked.toml", 2)] {
        let text = std::fs::read_to_string(folder().join(name)).unwrap();
        let told: toml::Table = toml::from_str(&text).unwrap();
        let runs = told["run"].as_array().unwrap();
        assert!(runs.len() >= least, "{name}: {}", runs.len());
        for run in runs {
            let command = run["command"].as_str().unwrap();
            assert!(command.starts_with("deploy/local/bench.sh "), "{command}");
            let date = run["date"].as_str().unwrap();
            assert!(date.len() == 10 && date.starts_with("20"), "{date}");
            let parts = run["cpu"].as_table().unwrap();
            assert!(parts.contains_key("broker"), "{run:?}");
        }
        // What nobody has measured says so, and why it is what it is.
        if let Some(assumed) = told.get("assumed") {
            let (assumed, limits) = (assumed.as_table().unwrap(), &told["limits"]);
            for name in limits.as_table().unwrap().keys() {
                let why = assumed.get(name).and_then(toml::Value::as_str);
                assert!(why.is_some_and(|why| why.len() > 10), "{name}: why?");
            }
        }
    }
}

#[test]
fn what_is_planned_grows_with_what_comes() {
    let mut before: Option<Value> = None;
    for rate in ["100", "300", "1000", "3000", "10000", "30000", "100000"] {
        let Some(made) = plan(&["--events", rate]) else {
            return;
        };
        for stage in ["receive", "normalise", "compute", "windows", "deliver"] {
            let replicas = made["replicas"][stage].as_u64().unwrap();
            assert!(replicas >= 2, "{stage}: one may be away");
            let each = made["cores"][stage].as_f64().unwrap()
                / f64::from(u32::try_from(replicas).unwrap());
            assert!((0.0..=0.61).contains(&each), "{rate}: {stage}: {each}");
        }
        if let Some(before) = &before {
            for name in [
                "postgres",
                "day_bytes",
                "disk_bytes",
                "wal_bytes",
                "messages",
                "postgres_memory",
            ] {
                let (less, more) = (before[name].as_f64().unwrap(), made[name].as_f64().unwrap());
                assert!(less < more, "{rate}: {name}: {less}, {more}");
            }
        }
        before = Some(made);
    }
}

#[test]
fn disk_is_days_times_what_is_kept() {
    let days = |days: &str| {
        let of = |name: &str| format!("--{name}={days}");
        let [log, metrics, sync] = ["log-days", "metric-days", "sync-days"].map(of);
        plan(&["--events", "1000", &log, &metrics, &sync])
    };
    let (Some(one), Some(ten)) = (days("1"), days("10")) else {
        return;
    };
    let (one, ten) = (
        one["disk_bytes"].as_f64().unwrap(),
        ten["disk_bytes"].as_f64().unwrap(),
    );
    assert!((ten / one - 10.0).abs() < 1e-6, "{one}, {ten}");
}

#[test]
fn more_kpis_and_smaller_bodies_cost_more() {
    let usual = ["--events", "1000"];
    let Some(usual) = plan(&usual) else { return };
    let cores = |made: &Value, part: &str| made["cores"][part].as_f64().unwrap();
    let kpis = plan(&["--events", "1000", "--kpis", "24"]).unwrap();
    assert!(cores(&kpis, "compute") > cores(&usual, "compute"));
    assert!(kpis["disk_bytes"].as_f64() > usual["disk_bytes"].as_f64());
    let batched = plan(&["--events", "1000", "--events-per-post", "50"]).unwrap();
    assert!(cores(&batched, "receive") < cores(&usual, "receive"));
}

#[test]
fn it_foresees_runs_that_it_was_not_made_of() {
    let Some(text) = model(&["check", "checked.toml"]) else {
        return;
    };
    let mut seen = 0;
    for line in text.lines().filter(|line| line.contains("**all**")) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let (foreseen, found): (f64, f64) = (cells[3].parse().unwrap(), cells[4].parse().unwrap());
        assert!((foreseen / found - 1.0).abs() < OFF_BY, "{line}");
        seen += 1;
    }
    assert!(seen >= 2, "{text}");
}

#[tokio::test]
async fn made_up_calls_are_understood_and_the_same_each_time() {
    let Some(mut first) = python() else { return };
    let Some(mut second) = python() else { return };
    let made = tempfile::tempdir().unwrap();
    let path = |name: &str| made.path().join(name).to_str().unwrap().to_owned();
    let told = ["--rate", "50", "--seconds", "20", "--begin", "1700000000"];
    for (command, folder) in [(&mut first, "a"), (&mut second, "b")] {
        let files = [path(&format!("{folder}1")), path(&format!("{folder}2"))];
        succeeded(
            &command
                .arg("load.py")
                .args(&files)
                .args(told)
                .output()
                .unwrap(),
        );
    }
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    assert_eq!((read("a1"), read("a2")), (read("b1"), read("b2")));
    let events = read("a2").lines().count();
    assert!((900..1100).contains(&events), "{events} in 20 s of 50");
    let instants: Vec<String> = read("a2")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["timestamp"].to_string())
        .collect();
    assert!(instants.is_sorted());
    let (status, said, problems) =
        Proc::run("compute", &["replay-file", &path("a1")], &[], PATIENCE).await;
    assert!(status.success(), "{said} {problems}");
    assert!(said.contains("handle_time"), "{said}");
}
