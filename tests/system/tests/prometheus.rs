//! The rules for Prometheus and the example for Alertmanager, checked: every metric of ours in them exists, and where their own tools are
//! installed (Debian's packages prometheus and prometheus-alertmanager) these hold.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use testkit::workspace_root;

fn folder() -> PathBuf {
    workspace_root().join("deploy/prometheus")
}

fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

/// The words of a text that name a metric of ours. Recorded ones have a level before them.
fn ours(text: &str) -> BTreeSet<String> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':');
    text.split(word)
        .filter(|word| word.starts_with("kpiline_"))
        .map(str::to_owned)
        .collect()
}

/// The names of all metrics, as they are declared.
fn declared() -> BTreeSet<String> {
    let source = workspace_root().join("crates/runtime/src/metrics/names.rs");
    let source = std::fs::read_to_string(source).unwrap();
    let mut kind = "";
    let mut names = BTreeSet::new();
    for line in source.lines().map(str::trim) {
        for each in ["Counter", "Gauge", "Histogram"] {
            if line == format!("{each} {{") {
                kind = each;
            }
        }
        let mut parts = line.split('"');
        let (Some(variant), Some(name), Some(labels)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let is_one = variant.trim().chars().all(char::is_alphanumeric) && labels.starts_with(" [");
        if is_one && !variant.trim().is_empty() {
            match kind {
                "Counter" => names.insert(format!("kpiline_{name}_total")),
                "Histogram" => names.insert(format!("kpiline_{name}_bucket")),
                _ => names.insert(format!("kpiline_{name}")),
            };
        }
    }
    names
}

#[test]
fn every_metric_in_the_rules_exists() {
    let declared = declared();
    assert!(declared.len() > 50, "{declared:?}");
    for name in ["kpiline.rules.yml", "kpiline-business.example.yml"] {
        // Comments may speak of anything.
        let text = text(name);
        let lines = text.lines();
        let lines: Vec<_> = lines
            .filter(|line| !line.trim_start().starts_with('#'))
            .collect();
        let used = ours(&lines.join("\n"));
        let unknown: Vec<_> = used.difference(&declared).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
}

/// Runs a tool, or says loudly that it is not there.
fn holds(tool: &str, arguments: &[&str]) {
    let output = match Command::new(tool)
        .args(arguments)
        .current_dir(folder())
        .output()
    {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("SKIPPED: {tool} is not installed, so {arguments:?} was not checked");
            return;
        }
        Err(error) => panic!("{tool}: {error}"),
    };
    assert!(
        output.status.success(),
        "{tool} {arguments:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_rules_hold_and_do_what_they_say() {
    holds(
        "promtool",
        &[
            "check",
            "rules",
            "kpiline.rules.yml",
            "kpiline-business.example.yml",
        ],
    );
    holds("promtool", &["test", "rules", "kpiline.rules.test.yml"]);
}

#[test]
fn the_example_for_alertmanager_holds() {
    holds("amtool", &["check-config", "alertmanager.example.yml"]);
}
