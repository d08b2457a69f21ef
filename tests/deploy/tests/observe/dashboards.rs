//! Dashboards as files: well formed, nothing twice, nothing over something else, and no expression that Prometheus cannot read.

use crate::support::{deploy, holds, strangers, text, yaml};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;

/// The format of the dashboards of Grafana 12, which deploy/compose runs.
const SCHEMA: i64 = 41;
/// A dashboard is so many columns wide.
const COLUMNS: u64 = 24;

/// All dashboards, by file name.
pub(crate) fn dashboards() -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(deploy("grafana/dashboards")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let dashboard =
            serde_json::from_str(&text(&path)).unwrap_or_else(|error| panic!("{name}: {error}"));
        found.insert(name, dashboard);
    }
    assert!(found.len() >= 2, "{:?}", found.keys());
    found
}

pub(crate) fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value[name].as_array().into_iter().flatten()
}

/// Its panels, rows left out.
pub(crate) fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(dashboard, "panels").filter(|panel| panel["type"] != "row")
}

pub(crate) fn title(value: &Value) -> &str {
    value["title"].as_str().unwrap_or_default()
}

#[test]
fn each_has_an_id_of_its_own_and_the_format_that_grafana_reads() {
    let mut uids = BTreeSet::new();
    for (name, dashboard) in dashboards() {
        let uid = dashboard["uid"].as_str().unwrap();
        let fits = (1..=40).contains(&uid.len())
            && uid.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        assert!(fits && uids.insert(uid.to_owned()), "{name}: uid {uid:?}");
        assert_eq!(dashboard["schemaVersion"], SCHEMA, "{name}");
        assert!(
            dashboard.get("id").is_none_or(Value::is_null),
            "{name}: the id is an installation's own"
        );
        assert!(
            !title(&dashboard).is_empty() && dashboard["refresh"].is_string(),
            "{name}"
        );
        let mut ids = BTreeSet::new();
        for panel in list(&dashboard, "panels") {
            let id = panel["id"].as_u64().unwrap();
            assert!(ids.insert(id), "{name}: two panels have the id {id}");
        }
        for link in list(&dashboard, "links") {
            let to = link["url"].as_str().unwrap_or_default();
            let known = dashboards();
            let known = known
                .values()
                .any(|one| to == format!("/d/{}", one["uid"].as_str().unwrap()));
            assert!(known, "{name}: leads to {to:?}");
        }
    }
}

#[test]
fn no_panel_is_over_another_or_beyond_the_edge() {
    for (name, dashboard) in dashboards() {
        let mut taken: BTreeMap<(u64, u64), &str> = BTreeMap::new();
        for panel in list(&dashboard, "panels") {
            let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
            let (x, y, w, h) = (at("x"), at("y"), at("w"), at("h"));
            assert!(
                w > 0 && h > 0 && x + w <= COLUMNS,
                "{name}: {} is {w} wide at {x}",
                title(panel)
            );
            for column in x..x + w {
                for line in y..y + h {
                    if let Some(other) = taken.insert((column, line), title(panel)) {
                        panic!("{name}: {} is over {other}", title(panel));
                    }
                }
            }
        }
    }
}

#[test]
fn every_panel_says_what_it_is_of_in_which_unit_and_from_where() {
    let mut wrong = Vec::new();
    for (name, dashboard) in dashboards() {
        let sources: BTreeMap<String, &str> = list(&dashboard["templating"], "list")
            .filter(|variable| variable["type"] == "datasource")
            .map(|variable| {
                let reference = format!("${{{}}}", variable["name"].as_str().unwrap());
                (reference, variable["query"].as_str().unwrap())
            })
            .collect();
        let is_known = |source: &Value| {
            let uid = source["uid"].as_str().unwrap_or_default();
            sources.get(uid).is_some_and(|kind| source["type"] == *kind)
        };
        for panel in panels(&dashboard) {
            let mut say = |what: &str| wrong.push(format!("{name}: {}: {what}", title(panel)));
            if title(panel).is_empty()
                || panel["description"].as_str().unwrap_or_default().is_empty()
            {
                say("no title or no description");
            }
            if panel["fieldConfig"]["defaults"]["unit"]
                .as_str()
                .unwrap_or_default()
                .is_empty()
            {
                say("no unit");
            }
            if !is_known(&panel["datasource"]) {
                say("not one of the dashboard's data sources");
            }
            let mut references = BTreeSet::new();
            for target in list(panel, "targets") {
                if !is_known(&target["datasource"]) || target["datasource"] != panel["datasource"] {
                    say("a query from elsewhere");
                }
                if !references.insert(target["refId"].as_str().unwrap()) {
                    say("two queries of one name");
                }
            }
            if references.is_empty() {
                say("no query");
            }
        }
        for annotation in list(&dashboard["annotations"], "list") {
            if !is_known(&annotation["datasource"]) {
                wrong.push(format!("{name}: an annotation from elsewhere"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What a variable of data sources begins with is what the provisioning makes.
#[test]
fn data_sources_are_provisioned_under_the_ids_that_dashboards_begin_with() {
    let file = yaml(&deploy("grafana/provisioning/datasources/kpiline.yml"));
    let provisioned: BTreeMap<&str, &str> = list(&file, "datasources")
        .map(|source| {
            (
                source["uid"].as_str().unwrap(),
                source["type"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(provisioned.len(), 2, "{provisioned:?}");
    for (name, dashboard) in dashboards() {
        for variable in list(&dashboard["templating"], "list") {
            if variable["type"] == "datasource" {
                let uid = variable["current"]["value"].as_str().unwrap();
                assert_eq!(
                    provisioned.get(uid).copied(),
                    variable["query"].as_str(),
                    "{name}: {uid}"
                );
            }
        }
    }
    // What only reads, and its password from a file.
    let postgres = list(&file, "datasources")
        .find(|source| source["uid"] == "kpiline-postgres")
        .unwrap();
    assert_eq!(postgres["user"], "kpiline_read");
    let password = postgres["secureJsonData"]["password"].as_str().unwrap();
    assert!(password.starts_with("$__file{"), "{password}");
}

/// Every expression for Prometheus, with where it is from.
fn expressions() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            for target in list(panel, "targets") {
                if let Some(expression) = target["expr"].as_str() {
                    all.push((format!("{name}: {}", title(panel)), expression.to_owned()));
                }
            }
        }
    }
    assert!(all.len() > 50, "only {} expressions", all.len());
    all
}

#[test]
fn panels_name_what_is_exported() {
    let found = expressions().into_iter().flat_map(|(whence, expression)| {
        strangers(&expression)
            .into_iter()
            .map(move |what| format!("{whence}: {what}"))
    });
    let wrong: Vec<_> = found.collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A legend shows labels that the query keeps.
#[test]
fn legends_name_labels_that_are_left() {
    let braces = regex::Regex::new(r"\{\{([a-z_]+)\}\}").unwrap();
    for (name, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            for target in list(panel, "targets") {
                let Some(expression) = target["expr"].as_str() else {
                    continue;
                };
                let legend = target["legendFormat"].as_str().unwrap();
                assert!(!legend.is_empty(), "{name}: {}", title(panel));
                for label in braces.captures_iter(legend) {
                    let kept = expression.split(" by (").skip(1).all(|rest| {
                        rest.split_once(')')
                            .unwrap()
                            .0
                            .split(", ")
                            .any(|by| by == &label[1])
                    });
                    assert!(kept, "{name}: {}: {}", title(panel), &label[1]);
                }
            }
        }
    }
}

/// Prometheus' own parser reads them, as rules that nobody evaluates.
#[test]
fn prometheus_reads_every_expression() {
    let mut rules = String::from("groups:\n  - name: dashboards\n    rules:\n");
    for (at, (whence, expression)) in expressions().iter().enumerate() {
        let expression = expression.replace("$__rate_interval", "5m");
        assert!(!expression.contains('$'), "{whence}: {expression}");
        let quoted = Value::from(expression).to_string();
        writeln!(rules, "      - record: panel_{at}\n        expr: {quoted}").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dashboards.yml");
    std::fs::write(&file, rules).unwrap();
    holds(Command::new("promtool").args(["check", "rules"]).arg(&file));
}

/// While data are syncing, the dashboard of figures says so, and every curve of it has the time marked.
#[test]
fn figures_are_shown_with_their_state() {
    let all = dashboards();
    let business = all
        .values()
        .find(|one| one["uid"] == "kpiline-business")
        .unwrap();
    let first = panels(business).next().unwrap();
    assert!(
        first["targets"][0]["rawSql"]
            .as_str()
            .unwrap()
            .contains("platform_freshness")
    );
    assert_eq!(first["gridPos"]["y"], 1, "it is the first thing to be seen");
    let words = first["fieldConfig"]["defaults"]["mappings"].to_string();
    assert!(words.contains("DATA SYNCING"), "{words}");
    let marks = list(&business["annotations"], "list").next().unwrap();
    assert_eq!(marks["enable"], true);
    let sql = marks["target"]["rawSql"].as_str().unwrap();
    assert!(
        sql.contains("untrusted_stretches") && sql.contains("timeend"),
        "{sql}"
    );
    // Marks are drawn on every panel unless it says which.
    assert!(marks.get("filter").is_none());
}
