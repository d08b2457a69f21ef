//! Alerts: each says how bad it is, what is the matter and where to read on, and has tests in which it rings and in which it does not.

use crate::support::{deploy, holds, strangers, text, yaml};
use deploy::{SECTIONS, sections};
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Rules on what we export, and on what others do.
const OURS: &str = "prometheus/kpiline.rules.yml";
const OTHERS: &str = "prometheus/kpiline-cluster.rules.yml";
/// Their tests.
const TESTS: [&str; 3] = [
    "prometheus/kpiline.rules.test.yml",
    "prometheus/kpiline-alerts.rules.test.yml",
    "prometheus/kpiline-cluster.rules.test.yml",
];

fn items<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value[name].as_array().into_iter().flatten()
}

/// All rules of a file that are alerts, by name.
fn alerts(path: &str) -> BTreeMap<String, Value> {
    let file = yaml(&deploy(path));
    let rules = items(&file, "groups").flat_map(|group| items(group, "rules"));
    rules
        .filter_map(|rule| Some((rule["alert"].as_str()?.to_owned(), rule.clone())))
        .collect()
}

#[test]
fn every_alert_says_how_bad_what_and_where_to_read_on() {
    let mut wrong = Vec::new();
    let mut led_to = BTreeSet::new();
    for path in [OURS, OTHERS] {
        for (name, alert) in alerts(path) {
            let severity = alert["labels"]["severity"].as_str().unwrap_or_default();
            if !["critical", "warning", "info"].contains(&severity) {
                wrong.push(format!("{name}: severity {severity:?}"));
            }
            for annotation in ["summary", "description"] {
                if alert["annotations"][annotation].as_str().is_none() {
                    wrong.push(format!("{name}: no {annotation}"));
                }
            }
            let link = alert["annotations"]["runbook_url"]
                .as_str()
                .unwrap_or_default();
            match link.strip_prefix("deploy/README.md#") {
                Some(section) if SECTIONS.contains(&section) => {
                    led_to.insert(section.to_owned());
                }
                _ => wrong.push(format!("{name}: leads to {link:?}")),
            }
            if !name.starts_with("Kpiline") {
                wrong.push(format!("{name}: begins with another word"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let unused: Vec<_> = SECTIONS
        .iter()
        .filter(|section| !led_to.contains(**section))
        .collect();
    assert!(unused.is_empty(), "no alert leads to {unused:?}");
}

/// Who follows a link has the alert's name in front of them, and looks for it.
#[test]
fn every_alert_is_named_in_the_section_that_it_leads_to() {
    let sections = sections(&text(&deploy("README.md")));
    let mut wrong = Vec::new();
    for path in [OURS, OTHERS] {
        for (name, alert) in alerts(path) {
            let link = alert["annotations"]["runbook_url"].as_str().unwrap();
            let anchor = link.split('#').nth(1).unwrap_or_default();
            let is_named = sections.get(anchor).is_some_and(|section| {
                section
                    .split(|letter: char| !letter.is_alphanumeric())
                    .any(|word| word == name)
            });
            if !is_named {
                wrong.push(format!("{name}: not a word in #{anchor}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The CronJobs of deploy/kubernetes/base with when they run, and the Jobs of deploy/kubernetes/migrate.
fn manifests() -> (BTreeMap<String, String>, BTreeSet<String>) {
    let (mut by_the_clock, mut once) = (BTreeMap::new(), BTreeSet::new());
    for folder in ["kubernetes/base", "kubernetes/migrate"] {
        for entry in std::fs::read_dir(deploy(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "yaml") {
                continue;
            }
            for document in text(&path).split("\n---\n") {
                let manifest: Value = serde_saphyr::from_str(document).unwrap();
                let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
                match manifest["kind"].as_str() {
                    Some("CronJob") => {
                        let schedule = manifest["spec"]["schedule"].as_str().unwrap();
                        by_the_clock.insert(name.to_owned(), schedule.to_owned());
                    }
                    Some("Job") => {
                        once.insert(name.to_owned());
                    }
                    _ => {}
                }
            }
        }
    }
    (by_the_clock, once)
}

/// An alert that is only tried with names that nothing has may be silent for those that there are.
#[test]
fn jobs_in_the_rules_and_their_tests_are_those_of_the_manifests() {
    let (by_the_clock, once) = manifests();
    let label = Regex::new(r#"(cronjob|job_name)(?:=~|!=|=)"([^"]*)""#).unwrap();
    let mut seen = BTreeSet::new();
    for path in [OTHERS, TESTS[2]] {
        for line in text(&deploy(path)).lines() {
            // What is of somebody else is called as it likes.
            for found in label
                .captures_iter(line)
                .filter(|_| !line.contains("namespace=\"other\""))
            {
                let is_there = match &found[1] {
                    "cronjob" => by_the_clock.contains_key(&found[2]),
                    _ => once.contains(&found[2]),
                };
                assert!(is_there, "{path}: there is no {}: {line}", &found[2]);
                seen.insert(found[2].to_owned());
            }
        }
    }
    assert!(seen.len() > 3, "{seen:?}");
    // Days that they may be late by fit how often they run.
    for (name, schedule) in by_the_clock {
        assert_eq!(name == "retention", schedule.ends_with(" * * *"), "{name}");
    }
}

#[test]
fn every_alert_has_a_test_in_which_it_rings_and_one_in_which_it_does_not() {
    let mut ringing = BTreeSet::new();
    let mut quiet = BTreeSet::new();
    for path in TESTS {
        let file = yaml(&deploy(path));
        for check in items(&file, "tests").flat_map(|test| items(test, "alert_rule_test")) {
            let name = check["alertname"].as_str().unwrap().to_owned();
            if items(check, "exp_alerts").next().is_some() {
                ringing.insert(name);
            } else {
                quiet.insert(name);
            }
        }
    }
    let mut names: BTreeSet<String> = alerts(OURS).into_keys().collect();
    names.extend(alerts(OTHERS).into_keys());
    let never: Vec<_> = names.difference(&ringing).collect();
    let always: Vec<_> = names.difference(&quiet).collect();
    assert!(never.is_empty(), "no test lets these ring: {never:?}");
    assert!(always.is_empty(), "no test keeps these quiet: {always:?}");
    assert!(names.len() > 30, "only {} alerts", names.len());
}

#[test]
fn rules_name_what_is_exported() {
    let mut wrong = Vec::new();
    for path in [OURS, "prometheus/kpiline-business.example.yml"] {
        let file = yaml(&deploy(path));
        for rule in items(&file, "groups").flat_map(|group| items(group, "rules")) {
            let name = rule["alert"].as_str().or(rule["record"].as_str()).unwrap();
            let expression = rule["expr"].as_str().unwrap();
            wrong.extend(
                strangers(expression)
                    .iter()
                    .map(|what| format!("{name}: {what}")),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What is recorded and then used under its new name is recorded in the same file.
#[test]
fn recorded_names_are_recorded() {
    let file = yaml(&deploy(OURS));
    let rules: Vec<&Value> = items(&file, "groups")
        .flat_map(|group| items(group, "rules"))
        .collect();
    let recorded: BTreeSet<&str> = rules
        .iter()
        .filter_map(|rule| rule["record"].as_str())
        .collect();
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)))
            .filter(|word| word.contains(":kpiline_"))
            .map(str::to_owned)
            .collect()
    };
    for rule in &rules {
        for word in words(rule["expr"].as_str().unwrap()) {
            assert!(
                recorded.contains(word.as_str()),
                "{word} is recorded nowhere"
            );
        }
    }
}

#[test]
fn the_rules_hold_and_ring_as_their_tests_say() {
    let folder = deploy("prometheus");
    let promtool = |arguments: &[&str]| {
        holds(
            Command::new("promtool")
                .args(arguments)
                .current_dir(&folder),
        );
    };
    promtool(&[
        "check",
        "rules",
        "kpiline.rules.yml",
        "kpiline-cluster.rules.yml",
        "kpiline-business.example.yml",
    ]);
    for tests in TESTS {
        let path = deploy(tests);
        promtool(&["test", "rules", path.to_str().unwrap()]);
    }
}

#[test]
fn the_example_for_alertmanager_holds() {
    holds(
        Command::new("amtool")
            .arg("check-config")
            .arg(deploy("prometheus/alertmanager.example.yml")),
    );
}
