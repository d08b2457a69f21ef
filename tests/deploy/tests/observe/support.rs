//! What the tests here have in common besides: YAML, and what is wrong with an expression.

pub(crate) use deploy::{deploy, holds, missing, program, text, tool};

use deploy::exported;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;
use testkit::workspace_root;

/// A YAML file, as the JSON it would be.
pub(crate) fn yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&text(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What Prometheus itself adds to each series.
const ADDED: [&str; 3] = ["instance", "job", "le"];

/// What is wrong with the names, labels and label values in an expression.
pub(crate) fn strangers(expression: &str) -> Vec<String> {
    let exported = exported();
    let name = Regex::new(r"[a-zA-Z_:][a-zA-Z0-9_:]*").unwrap();
    let matcher = Regex::new(r#"([a-z_]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)""#).unwrap();
    let mut wrong = Vec::new();
    for found in name.find_iter(expression) {
        // Recorded names have a level before them, and are another rule's.
        let series = found.as_str();
        if !series.starts_with("kpiline_") {
            continue;
        }
        let Some(labels) = exported.get(series) else {
            wrong.push(format!("{series} is exported by nothing"));
            continue;
        };
        let Some(selector) = expression[found.end()..]
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
        else {
            continue;
        };
        for part in matcher.captures_iter(selector.0) {
            let (label, values) = (&part[1], &part[2]);
            if !labels.contains(label) && !ADDED.contains(&label) {
                wrong.push(format!("{series} has no label {label}"));
            }
            for value in values.split('|') {
                let plain = value
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
                let is_known = match label {
                    "measure" => MEASURES.contains(value),
                    _ => is_written(value),
                };
                if plain && !value.is_empty() && !ADDED.contains(&label) && !is_known {
                    wrong.push(format!("nothing says {value:?} as {label} of {series}"));
                }
            }
        }
    }
    wrong
}

/// What deliver reads as measures: the statement in crates/store/src/upkeep.rs lists those of `pipeline_health` and makes some more.
static MEASURES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let source = text(&workspace_root().join("crates/store/src/upkeep.rs"));
    let statement = source.split("static MEASURES: Sql").nth(1).unwrap();
    let statement = statement.split("};").next().unwrap();
    let listed = statement.split("measure IN (").nth(1).unwrap();
    let listed = listed.split(')').next().unwrap();
    let made = statement.split("SELECT '").skip(1);
    let listed = listed.split('\'').skip(1).step_by(2);
    let all: BTreeSet<_> = listed
        .chain(made.filter_map(|rest| rest.split('\'').next()))
        .map(str::to_owned)
        .collect();
    assert!(all.len() > 10, "{all:?}");
    all
});

/// Whether the programs, or the statements they run, have such a word.
fn is_written(word: &str) -> bool {
    static SOURCES: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let sources = SOURCES.get_or_init(|| {
        let mut all = String::new();
        for folder in ["bins", "crates"] {
            read_sources(&workspace_root().join(folder), &mut all);
        }
        all
    });
    sources.contains(&format!("\"{word}\"")) || sources.contains(&format!("'{word}'"))
}

fn read_sources(folder: &Path, all: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            read_sources(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            all.push_str(&text(&path));
        }
    }
}

#[test]
fn a_name_a_label_and_a_value_that_nobody_exports_are_found() {
    assert_eq!(
        strangers(
            r#"sum(rate(kpiline_ingest_deliveries_total{outcome="accepted"}[5m])) > kpiline_storm{state=~"calm|storm"}"#
        ),
        Vec::<String>::new()
    );
    assert_eq!(
        strangers("kpiline_ingest_deliveries"),
        ["kpiline_ingest_deliveries is exported by nothing"]
    );
    assert_eq!(
        strangers(r#"kpiline_storm{mode="storm"}"#),
        ["kpiline_storm has no label mode"]
    );
    assert_eq!(
        strangers(r#"kpiline_storm{state=~"calm|hurricane"}"#),
        ["nothing says \"hurricane\" as state of kpiline_storm"]
    );
    // A word of the programs, but no measure; and one of each kind that is.
    assert_eq!(
        strangers(
            r#"kpiline_health{measure=~"accepted|running|quarantine_held|backfill_overdue_seconds"}"#
        ),
        [
            "nothing says \"accepted\" as measure of kpiline_health",
            "nothing says \"running\" as measure of kpiline_health"
        ]
    );
}
