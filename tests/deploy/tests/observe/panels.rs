//! Every query of the dashboards to PostgreSQL, run on a filled database with the rights of who only reads: each gives rows.

use crate::dashboards::{dashboards, list, panels, title};
use deploy::filled;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;
use testkit::{TestDb, TestRoles};
use tokio_postgres::{Client, SimpleQueryMessage};

/// As the role that dashboards log in by.
async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .unwrap();
    drop(tokio::spawn(connection));
    client
}

/// What Grafana puts in for its own words, as of a look at the last three days.
fn expanded(sql: &str, variables: &BTreeMap<String, Vec<String>>) -> String {
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut sql = sql.to_owned();
    for (name, values) in variables {
        let values: Vec<_> = values.iter().map(|value| literal(value)).collect();
        sql = sql.replace(&format!("${{{name}:sqlstring}}"), &values.join(","));
    }
    let (from, to) = ("(now() - interval '3 days')", "now()");
    let filter = Regex::new(r"\$__timeFilter\(([a-z_.]+)\)").unwrap();
    let sql = filter.replace_all(&sql, format!("$1 BETWEEN {from} AND {to}"));
    let sql = sql
        .replace("$__timeFrom()", from)
        .replace("$__timeTo()", to);
    assert!(
        !sql.contains("$_") && !sql.contains("${"),
        "what is this to Grafana: {sql}"
    );
    sql
}

/// The rows of a statement, each by the names of its columns.
async fn rows(client: &Client, whence: &str, sql: &str) -> Vec<BTreeMap<String, Option<String>>> {
    let answer = client.simple_query(sql).await;
    let answer = answer.unwrap_or_else(|error| panic!("{whence}: {error:?}\n{sql}"));
    let mut rows = Vec::new();
    for message in answer {
        if let SimpleQueryMessage::Row(row) = message {
            let cells = row.columns().iter().enumerate();
            rows.push(
                cells
                    .map(|(at, column)| (column.name().to_owned(), row.get(at).map(str::to_owned)))
                    .collect(),
            );
        }
    }
    rows
}

/// What each variable can be, asked in their order, for those further down ask with the values of those above.
async fn values(client: &Client, name: &str, dashboard: &Value) -> BTreeMap<String, Vec<String>> {
    let mut known = BTreeMap::new();
    for variable in list(&dashboard["templating"], "list") {
        let called = variable["name"].as_str().unwrap().to_owned();
        let values = match variable["type"].as_str().unwrap() {
            "custom" => vec![variable["current"]["value"].as_str().unwrap().to_owned()],
            "query" => {
                let whence = format!("{name}: variable {called}");
                let sql = expanded(variable["query"].as_str().unwrap(), &known);
                let found = rows(client, &whence, &sql).await;
                let mut found: Vec<String> = found
                    .into_iter()
                    .filter_map(|row| row.into_values().next().flatten())
                    .collect();
                assert!(!found.is_empty(), "{whence}: nothing to choose from");
                if variable["multi"] != true {
                    found.truncate(1);
                }
                found
            }
            _ => continue,
        };
        known.insert(called, values);
    }
    known
}

#[tokio::test]
async fn every_query_gives_rows_to_who_may_only_read() {
    let db = filled().await;
    let roles = TestRoles::granted(&db).await;
    let client = connect(&roles.url("read")).await;
    let mut queries = 0;
    let mut wrong = Vec::new();
    for (name, dashboard) in dashboards() {
        let variables = values(&client, &name, &dashboard).await;
        let mut all: Vec<(String, &Value)> = Vec::new();
        for panel in panels(&dashboard) {
            all.extend(
                list(panel, "targets").map(|target| (format!("{name}: {}", title(panel)), target)),
            );
        }
        for annotation in list(&dashboard["annotations"], "list") {
            all.push((format!("{name}: marks"), &annotation["target"]));
        }
        for (whence, target) in all {
            let Some(sql) = target["rawSql"].as_str() else {
                continue;
            };
            queries += 1;
            let found = rows(&client, &whence, &expanded(sql, &variables)).await;
            let Some(first) = found.first() else {
                wrong.push(format!("{whence}: no rows"));
                continue;
            };
            let is_series = target["format"] == "time_series" || whence.ends_with("marks");
            if is_series && !first.contains_key("time") {
                wrong.push(format!("{whence}: no column time"));
            }
            if found.iter().all(|row| {
                row.iter()
                    .all(|(column, cell)| column == "time" || cell.is_none())
            }) {
                wrong.push(format!("{whence}: nothing but absent values"));
            }
        }
    }
    drop(client);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(queries > 30, "only {queries} queries");
}

/// Bodies and requests to be erased stay out of the sight of dashboards, and nothing can be changed from there.
#[tokio::test]
async fn who_only_reads_sees_no_body_and_changes_nothing() {
    let db = TestDb::new().await;
    let owner = db.client().await;
    let roles = TestRoles::granted(&db).await;
    let reader = roles.name("read");
    let may = async |what: &str, column: &str| -> bool {
        owner
            .query_one(
                "SELECT has_column_privilege($1, $2::text, $3, 'SELECT')",
                &[&reader, &what, &column],
            )
            .await
            .unwrap()
            .get(0)
    };
    let mut seen = Vec::new();
    for (table, column) in [
        ("event_log", "raw"),
        ("quarantine", "raw"),
        ("erasures", "customer_key"),
    ] {
        if may(table, column).await {
            seen.push((table, column));
        }
    }
    let figures = may("metrics_current", "metric_value").await;
    let writes: bool = owner
        .query_one(
            "SELECT bool_or(has_table_privilege($1, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')) FROM pg_class c \
             WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v')",
            &[&reader],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(seen, []);
    assert!(figures && !writes);
}
