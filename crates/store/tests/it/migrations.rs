//! Files are applied once, under a lock, and never change.

use store::migrate::{self, FILES, File};
use store::{Class, StoreError};
use testkit::TestDb;

#[tokio::test]
async fn a_second_run_does_nothing() {
    let db = TestDb::empty().await;
    let store = db.store().await;
    assert!(!migrate::state(&store).await.unwrap().ready);
    let first = migrate::run(db.url()).await.unwrap();
    assert_eq!((first.applied.len(), first.already), (FILES.len(), 0));
    assert!(first.months > 0);
    let second = migrate::run(db.url()).await.unwrap();
    assert_eq!(
        (second.applied.len(), second.already, second.months),
        (0, FILES.len(), 0)
    );
    let state = migrate::state(&store).await.unwrap();
    assert!(state.ready);
    assert_eq!(state.applied, state.required);
}

#[tokio::test]
async fn four_processes_migrate_at_once() {
    let db = TestDb::empty().await;
    let (a, b, c, d) = tokio::join!(
        migrate::run(db.url()),
        migrate::run(db.url()),
        migrate::run(db.url()),
        migrate::run(db.url())
    );
    let applied: usize = [a, b, c, d]
        .into_iter()
        .map(|report| report.unwrap().applied.len())
        .sum();
    assert_eq!(applied, FILES.len());
}

static CHANGED: &[File] = &[File {
    version: 1,
    name: "event_log",
    text: "SELECT 1;\n",
}];

#[tokio::test]
async fn a_changed_applied_file_is_refused() {
    let db = TestDb::new().await;
    let error = migrate::run_files(db.url(), CHANGED).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::ChecksumChanged { version: 1, .. }),
        "{error:?}"
    );
    assert_eq!(error.class(), Class::Fatal);
}

static BROKEN: &[File] = &[
    File {
        version: 1,
        name: "good",
        text: "CREATE TABLE good (a integer);",
    },
    File {
        version: 2,
        name: "broken",
        text: "CREATE TABLE half (a integer); SELECT nonsense;",
    },
];
static MENDED: &[File] = &[
    File {
        version: 1,
        name: "good",
        text: "CREATE TABLE good (a integer);",
    },
    File {
        version: 2,
        name: "mended",
        text: "CREATE TABLE half (a integer);",
    },
    File {
        version: 3,
        name: "index",
        text: "-- kpiline: no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS half_a ON half (a);\n",
    },
];

#[tokio::test]
async fn a_broken_file_leaves_nothing_behind_and_may_be_mended() {
    let db = TestDb::empty().await;
    let error = migrate::run_files(db.url(), BROKEN).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Migration {
                version: 2,
                name: "broken",
                ..
            }
        ),
        "{error:?}"
    );
    let report = migrate::run_files(db.url(), MENDED).await.unwrap();
    assert_eq!(
        (report.applied, report.already),
        (vec!["mended", "index"], 1)
    );
}

#[tokio::test]
async fn a_newer_schema_is_good_enough() {
    let db = TestDb::new().await;
    let client = db.client().await;
    client
        .execute(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, 'later', '')",
            &[],
        )
        .await
        .unwrap();
    assert!(migrate::state(&db.store().await).await.unwrap().ready);
}

#[tokio::test]
async fn every_statement_prepares() {
    let db = TestDb::new().await;
    let client = db.client().await;
    let mut count = 0;
    for sql in store::statements::all() {
        if let Err(error) = client.prepare(sql.text).await {
            panic!("{}: {error:?}\n{}", sql.step, sql.text);
        }
        assert!(
            !sql.text.contains("SELECT * FROM sync"),
            "{}: columns must be named",
            sql.step
        );
        count += 1;
    }
    assert!(count > 40, "only {count} statements are listed");
}

#[tokio::test]
async fn roles_that_exist_get_their_rights() {
    // Roles belong to the server and not to the database, so the names are this test's own.
    let db = TestDb::new().await;
    let client = db.client().await;
    let role = format!("kpiline_test_role_{}", std::process::id());
    client
        .batch_execute(&format!("CREATE ROLE {role}"))
        .await
        .unwrap();
    let grants = FILES.iter().find(|file| file.name == "roles").unwrap().text;
    client
        .batch_execute(&grants.replace("kpiline_compute", &role))
        .await
        .unwrap();
    let may = async |what: &str| -> bool {
        client
            .query_one(
                "SELECT CASE $2 WHEN 'months' THEN has_function_privilege($1, 'ensure_month(text,date)', 'EXECUTE') \
                        WHEN 'drop' THEN has_function_privilege($1, 'drop_months_before(text,date)', 'EXECUTE') \
                        WHEN 'metrics' THEN has_table_privilege($1, 'computed_metrics', 'INSERT') \
                        ELSE has_table_privilege($1, 'event_log', 'SELECT') END",
                &[&role, &what],
            )
            .await
            .unwrap()
            .get(0)
    };
    let found = (
        may("metrics").await,
        may("months").await,
        may("drop").await,
        may("log").await,
    );
    client
        .batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await
        .unwrap();
    assert_eq!(found, (true, true, false, false));
}

#[tokio::test]
async fn raw_bytes_in_quarantine_are_read_by_ingest_alone() {
    let db = TestDb::new().await;
    let client = db.client().await;
    let grants = FILES.iter().find(|file| file.name == "roles").unwrap().text;
    let names = ["ingest", "compute", "backfill", "deliver", "read"];
    let of_test = |name: &str| format!("kpiline_test_{name}_{}", std::process::id());
    let mut sql = grants.to_owned();
    for name in names {
        let role = of_test(name);
        sql = sql.replace(&format!("kpiline_{name}"), &role);
        client
            .batch_execute(&format!("CREATE ROLE {role}"))
            .await
            .unwrap();
    }
    client.batch_execute(&sql).await.unwrap();

    let mut readers = Vec::new();
    for name in names {
        let may: bool = client
            .query_one(
                "SELECT has_column_privilege($1, 'quarantine', 'raw', 'SELECT')",
                &[&of_test(name)],
            )
            .await
            .unwrap()
            .get(0);
        readers.extend(may.then_some(name));
    }
    // Of no rows: the rights are looked at all the same.
    let insert = store::statements::all()
        .find(|sql| sql.step == "quarantine items")
        .unwrap();
    let nothing = insert.text.split("SELECT * FROM").next().unwrap();
    let conflict = insert.text.find("ON CONFLICT").unwrap();
    let insert = format!(
        "{nothing} SELECT {} WHERE false {}",
        vec!["NULL"; nothing.matches(',').count() + 1].join(", "),
        &insert.text[conflict..]
    );
    let mut holders = Vec::new();
    for name in names {
        let role = of_test(name);
        client
            .batch_execute(&format!("SET ROLE {role}"))
            .await
            .unwrap();
        let done = client.batch_execute(&insert).await;
        holders.extend(done.is_ok().then_some(name));
        client.batch_execute("RESET ROLE").await.unwrap();
    }
    for name in names {
        let role = of_test(name);
        client
            .batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
            .await
            .unwrap();
    }
    assert_eq!(readers, ["ingest"]);
    assert_eq!(holders, ["ingest", "compute"]);
}

#[tokio::test]
async fn deliver_may_prune_its_log() {
    let db = TestDb::new().await;
    let client = db.client().await;
    let role = format!("kpiline_test_pruner_{}", std::process::id());
    client
        .batch_execute(&format!("CREATE ROLE {role}"))
        .await
        .unwrap();
    let grants = FILES.iter().find(|file| file.name == "roles").unwrap().text;
    client
        .batch_execute(&grants.replace("kpiline_deliver", &role))
        .await
        .unwrap();
    let may: bool = client
        .query_one(
            "SELECT has_table_privilege($1, 'metric_sync_log', 'DELETE')",
            &[&role],
        )
        .await
        .unwrap()
        .get(0);
    client
        .batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await
        .unwrap();
    assert!(may);
}
