//! `deploy/postgres/timescale.sql`: where there is no TimescaleDB it changes nothing; and all of it but the extension itself, with functions
//! in its place that do nothing.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used, clippy::panic)]

use deploy::{deploy, filled, migrate, tool};
use std::process::{Command, Output};
use testkit::{TestDb, TestRoles};
use tokio_postgres::Client;

const TABLES: [&str; 4] = [
    "event_log",
    "computed_metrics",
    "interval_states",
    "window_metrics",
];

/// `None`: there is no psql.
fn convert(db: &TestDb, arguments: &[&str]) -> Option<Output> {
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--dbname", db.url()])
        .args(arguments)
        .arg("--file")
        .arg(deploy("postgres/timescale.sql"));
    tool(&mut psql)
}

async fn lines(client: &Client, sql: &str) -> Vec<String> {
    let rows = client.query(sql, &[]).await;
    let rows = rows.unwrap_or_else(|error| panic!("{error:?}: {sql}"));
    rows.iter().map(|row| row.get(0)).collect()
}

/// Columns, comments, checks and indexes of the tables: what must not be another one afterwards. That a check was not validated is of the old rows.
async fn made(client: &Client) -> Vec<String> {
    lines(
        client,
        "WITH t AS (SELECT c.oid, c.relname::text AS name FROM pg_class c \
                    WHERE c.relname IN ('event_log', 'computed_metrics', 'interval_states', 'window_metrics')) \
         SELECT concat_ws(' ', t.name, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attcollation, a.attcompression, \
                          pg_get_expr(d.adbin, d.adrelid), col_description(t.oid, a.attnum)) \
         FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped \
         LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum \
         UNION ALL SELECT concat_ws(' ', t.name, obj_description(t.oid, 'pg_class')) FROM t \
         UNION ALL SELECT concat_ws(' ', t.name, k.conname, replace(pg_get_constraintdef(k.oid), ' NOT VALID', '')) \
         FROM t JOIN pg_constraint k ON k.conrelid = t.oid \
         UNION ALL SELECT replace(pg_get_indexdef(x.indexrelid), ' ON ONLY ', ' ON ') FROM t JOIN pg_index x ON x.indrelid = t.oid \
         ORDER BY 1",
    )
    .await
}

/// All rows of the tables and of what is made of them, in short. What a window's state is depends on the moment.
async fn seen(client: &Client) -> Vec<String> {
    let mut found = Vec::new();
    for name in TABLES.into_iter().chain([
        "metrics_current",
        "window_metrics_all",
        "window_metrics_current",
    ]) {
        let sql = format!(
            "SELECT concat_ws(' ', '{name}', count(*), md5(string_agg(line, ',' ORDER BY line))) \
             FROM (SELECT (to_jsonb(v) - 'state')::text AS line FROM {name} v) r"
        );
        found.extend(lines(client, &sql).await);
    }
    found
}

/// What describes the views, and who may read what.
async fn told(client: &Client) -> Vec<String> {
    lines(
        client,
        "SELECT concat_ws(' ', c.relname, a.attname, col_description(c.oid, a.attnum), obj_description(c.oid, 'pg_class'), c.reloptions::text) \
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 \
         WHERE c.relkind = 'v' AND c.relnamespace = current_schema()::regnamespace ORDER BY 1",
    )
    .await
}

/// What roles of this prefix may do with the tables, views and functions.
async fn rights(client: &Client, roles: &TestRoles) -> Vec<String> {
    let sql = format!(
        "SELECT concat_ws(' ', c.relname, r.rolname, p, has_any_column_privilege(r.oid, c.oid, p)) \
         FROM pg_class c CROSS JOIN pg_roles r CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) p \
         WHERE c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND c.relnamespace = current_schema()::regnamespace \
           AND starts_with(r.rolname, '{0}_') \
         UNION ALL \
         SELECT concat_ws(' ', f.oid::regprocedure, r.rolname, has_function_privilege(r.oid, f.oid, 'EXECUTE')) \
         FROM pg_proc f CROSS JOIN pg_roles r \
         WHERE f.pronamespace = current_schema()::regnamespace AND starts_with(r.rolname, '{0}_') \
         ORDER BY 1",
        roles.prefix()
    );
    lines(client, &sql).await
}

#[tokio::test]
async fn without_the_extension_it_says_so_and_changes_nothing() {
    let db = filled().await;
    let client = db.client().await;
    let has = lines(
        &client,
        "SELECT name::text FROM pg_available_extensions WHERE name = 'timescaledb'",
    )
    .await;
    if !has.is_empty() {
        return; // and the rest is for who tries it there
    }
    let before = (made(&client).await, seen(&client).await);
    let Some(output) = convert(&db, &[]) else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("this server has no TimescaleDB; nothing was changed"),
        "{said}"
    );
    assert_eq!((made(&client).await, seen(&client).await), before);
    let months = lines(&client, "SELECT part FROM months_of('event_log')").await;
    assert!(!months.is_empty());
}

#[tokio::test]
async fn all_of_it_but_the_extension_leaves_what_was_there_and_takes_what_comes() {
    let db = filled().await;
    let roles = TestRoles::granted(&db).await;
    let client = db.client().await;
    client
        .batch_execute(
            "CREATE FUNCTION by_range(name text, span interval) RETURNS text LANGUAGE sql AS 'SELECT name'; \
             CREATE TABLE hypertables (relation regclass, instant text); \
             CREATE FUNCTION create_hypertable(relation regclass, instant text, create_default_indexes boolean) RETURNS void \
             LANGUAGE sql AS 'INSERT INTO hypertables VALUES (relation, instant)'; \
             REVOKE ALL ON FUNCTION by_range(text, interval), create_hypertable(regclass, text, boolean) FROM PUBLIC; \
             SELECT after_restore(); \
             INSERT INTO event_log (occurred_at, log_key, tenant, subscription, event_id, interaction_id, format, delivery_id, received_at, digest, raw, raw_gone) \
             SELECT now(), gen_random_uuid(), 'acme', 'main', 'evt_' || n, 'int_1', '\"plain\"', gen_random_uuid(), now(), decode('01', 'hex'), \
                    CASE n WHEN 1 THEN decode('7b7d', 'hex') END, CASE n WHEN 2 THEN 'expired' END FROM generate_series(1, 2) n; \
             INSERT INTO interval_states \
             VALUES ('acme', 'agent_of_this_test', now(), now() + interval '1 s', 'available', NULL, NULL, NULL, NULL, false, false, true, true, false, true)",
        )
        .await
        .unwrap();
    let before = (made(&client).await, seen(&client).await);
    let (views, granted) = (told(&client).await, rights(&client, &roles).await);
    for line in &before.1 {
        assert!(!line.ends_with(" 0"), "nothing to copy: {line}");
    }

    let Some(output) = convert(&db, &["--variable", "stand_ins=on"]) else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!((made(&client).await, seen(&client).await), before);
    assert_eq!(told(&client).await, views);
    let kinds = lines(
        &client,
        "SELECT concat_ws(' ', h.relation, h.instant, c.relkind) FROM hypertables h JOIN pg_class c ON c.oid = h.relation ORDER BY 1",
    )
    .await;
    let wanted = [
        "computed_metrics partition_at r",
        "event_log occurred_at r",
        "interval_states from_at r",
        "window_metrics window_start r",
    ];
    assert_eq!(kinds, wanted);
    let left = lines(
        &client,
        "SELECT relname::text FROM pg_class WHERE relname ~ '(_native$|^native_[0-9]+$|_y[0-9]{4}m[0-9]{2}$)' AND relnamespace = current_schema()::regnamespace",
    )
    .await;
    assert!(left.is_empty(), "{left:?}");

    // New tables are nobody's until the next migration.
    assert_ne!(rights(&client, &roles).await, granted);
    migrate(&db, &["--role-prefix", roles.prefix()]);
    assert_eq!(rights(&client, &roles).await, granted);

    // A month that was never made.
    let added = client
        .batch_execute(&format!(
            "SET ROLE {}; SELECT ensure_month('event_log', '2003-05-01'); \
             INSERT INTO event_log (occurred_at, log_key, tenant, subscription, event_id, interaction_id, format, delivery_id, received_at, digest, raw) \
             SELECT '2003-05-17 00:00:00+00', gen_random_uuid(), tenant, subscription, event_id, interaction_id, format, delivery_id, received_at, digest, \
                    decode('00', 'hex') FROM event_log LIMIT 1; \
             RESET ROLE",
            roles.name("ingest")
        ))
        .await;
    added.unwrap_or_else(|error| panic!("{error:?}"));
    let made_now = lines(
        &client,
        "SELECT ensure_month('event_log', '2003-05-01')::text",
    )
    .await;
    assert_eq!(made_now, ["false"]);
    let rows = lines(
        &client,
        "SELECT count(*)::text FROM event_log WHERE occurred_at < '2004-01-01'",
    )
    .await;
    assert_eq!(rows, ["1"]);

    // Once is enough, and a second time does no harm.
    let now = seen(&client).await;
    let again = convert(&db, &["--variable", "stand_ins=on"]).unwrap();
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(
        !again.status.success() && said.contains("was it converted before?"),
        "{said}"
    );
    assert_eq!(seen(&client).await, now);
}
