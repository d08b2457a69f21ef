//! What each binary asks of the database, beside what its role may do there.
//!
//! Which statements a binary can run is read from the binary: what nothing in it refers to was left out when it was linked. So this needs no list
//! that somebody keeps, and covers what no test happens to run.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used, clippy::panic)]

use aho_corasick::AhoCorasick;
use std::collections::{BTreeMap, BTreeSet};
use store::statements::{self, Sql};
use testkit::process::binary_path;
use testkit::{TestDb, TestRoles};
use tokio_postgres::Client;

/// Binaries and the roles that they log in as. `ingest erase` and `ingest retention` have one of their own.
const BINARIES: [(&str, &[&str]); 4] = [
    ("ingest", &["ingest", "erase", "retention"]),
    ("compute", &["compute"]),
    ("backfill", &["backfill"]),
    ("deliver", &["deliver"]),
];

/// Rights that no statement of the binary shows, and why they are needed.
const NEEDED_BESIDES: [(&str, &str); 13] = [
    // By the function `rate_reserve`, which runs with the caller's rights.
    ("ingest", "rate_budgets SELECT"),
    ("ingest", "rate_budgets INSERT"),
    ("ingest", "rate_budgets UPDATE"),
    ("backfill", "rate_budgets SELECT"),
    ("backfill", "rate_budgets INSERT"),
    ("backfill", "rate_budgets UPDATE"),
    ("deliver", "rate_budgets SELECT"),
    ("deliver", "rate_budgets INSERT"),
    ("deliver", "rate_budgets UPDATE"),
    // Called by a statement that the store makes for itself, outside its lists.
    ("ingest", "ensure_month(text, date) EXECUTE"),
    ("compute", "ensure_month(text, date) EXECUTE"),
    // Numbers are drawn when a statement runs, not when it is planned.
    ("compute", "kpi_activations USAGE"),
    // The version of the schema, before erasing.
    ("erase", "schema_migrations SELECT"),
];

fn all() -> Vec<&'static Sql> {
    statements::all().chain(statements::commands()).collect()
}

/// The statements that are in a binary.
fn of_binary(binary: &str, all: &[&'static Sql]) -> BTreeSet<usize> {
    let bytes = std::fs::read(binary_path(binary)).unwrap();
    let searched = AhoCorasick::new(all.iter().map(|sql| sql.text)).unwrap();
    searched
        .find_overlapping_iter(&bytes)
        .map(|found| found.pattern().as_usize())
        .collect()
}

/// Asks PostgreSQL whether a role may run a statement: the plan of a prepared one is made with its rights looked at, and nothing is done.
struct Judge {
    client: Client,
    calls: Vec<String>,
}

impl Judge {
    async fn new(client: Client, all: &[&'static Sql]) -> Self {
        // With the parameters known to be NULL, conditions would fold to nothing, and with them tables that are looked into there.
        client
            .batch_execute("SET plan_cache_mode = force_generic_plan")
            .await
            .unwrap();
        let mut calls = Vec::new();
        for (number, sql) in all.iter().enumerate() {
            if ["COPY", "LOCK"]
                .iter()
                .any(|word| sql.text.starts_with(word))
            {
                calls.push(String::new());
                continue;
            }
            let prepared = client.prepare(sql.text).await.unwrap();
            let types: Vec<String> = prepared.params().iter().map(ToString::to_string).collect();
            let list = |words: Vec<String>| {
                if words.is_empty() {
                    String::new()
                } else {
                    format!("({})", words.join(", "))
                }
            };
            let nulls = list(vec!["NULL".to_owned(); types.len()]);
            let prepare = format!("PREPARE s{number} {} AS {}", list(types), sql.text);
            client.batch_execute(&prepare).await.unwrap();
            calls.push(format!("EXPLAIN EXECUTE s{number} {nulls}"));
        }
        Self { client, calls }
    }

    /// Why not; `None`: it may.
    async fn refuses(&self, role: &str, number: usize, sql: &Sql) -> Option<String> {
        let set = format!("SET ROLE {role}");
        self.client.batch_execute(&set).await.unwrap();
        let done = if sql.text.starts_with("COPY") {
            // Begun and given up: the rights are looked at first.
            let begun = self.client.copy_in::<_, bytes::Bytes>(sql.text).await;
            begun.map(drop)
        } else if sql.text.starts_with("LOCK") {
            self.client
                .batch_execute(&format!("BEGIN; {}; ROLLBACK", sql.text))
                .await
        } else {
            self.client.batch_execute(&self.calls[number]).await
        };
        self.client
            .batch_execute("ROLLBACK; RESET ROLE")
            .await
            .unwrap();
        let error = done.err()?;
        let code = error.code().map(|code| code.code().to_owned());
        assert_eq!(code.as_deref(), Some("42501"), "{}: {error:?}", sql.step);
        Some(error.as_db_error().unwrap().message().to_owned())
    }
}

/// `SELECT (a, b), INSERT` in its parts.
fn parts(rights: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for letter in rights.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(letter);
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

#[tokio::test]
async fn a_role_may_run_what_its_binary_holds_and_has_no_right_besides() {
    let db = TestDb::new().await;
    let roles = TestRoles::granted(&db).await;
    let all = all();
    let judge = Judge::new(db.client().await, &all).await;
    let admin = db.client().await;

    let mut refused = Vec::new();
    // What each role may run of its binary.
    let mut runs: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (binary, of_binary_roles) in BINARIES {
        let held = of_binary(binary, &all);
        assert!(
            (30..all.len() / 2).contains(&held.len()),
            "{binary} holds {} of {} statements",
            held.len(),
            all.len()
        );
        for number in held {
            let mut why = Vec::new();
            for role in of_binary_roles {
                match judge.refuses(&roles.name(role), number, all[number]).await {
                    None => runs.entry(*role).or_default().push(number),
                    Some(reason) => why.push(format!("{role}: {reason}")),
                }
            }
            if why.len() == of_binary_roles.len() {
                refused.push(format!("{} ({})", all[number].step, why.join("; ")));
            }
        }
    }
    assert!(refused.is_empty(), "may not:\n{}", refused.join("\n"));

    let rows = admin
        .query(
            "SELECT object, role, rights FROM role_rights WHERE role <> 'read'",
            &[],
        )
        .await
        .unwrap();
    let mut idle = Vec::new();
    for row in rows {
        let (object, role, rights): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let kind = match &object {
            function if function.ends_with(')') => "FUNCTION",
            sequence if sequence == "kpi_activations" => "SEQUENCE",
            _ => "TABLE",
        };
        let word = object.split('(').next().unwrap().to_owned();
        for right in parts(&rights) {
            let shown = format!("{object} {right}");
            if NEEDED_BESIDES.contains(&(role.as_str(), shown.as_str())) {
                continue;
            }
            let name = roles.name(&role);
            let what = format!("{kind} {object}");
            admin
                .batch_execute(&format!("REVOKE {right} ON {what} FROM {name}"))
                .await
                .unwrap();
            let mut needed = false;
            for &number in &runs[role.as_str()] {
                if !needed && all[number].text.contains(&word) {
                    needed = judge.refuses(&name, number, all[number]).await.is_some();
                }
            }
            admin
                .batch_execute(&format!("GRANT {right} ON {what} TO {name}"))
                .await
                .unwrap();
            if !needed {
                idle.push(format!("{role}: {shown}"));
            }
        }
    }
    assert!(idle.is_empty(), "no statement needs:\n{}", idle.join("\n"));
}
