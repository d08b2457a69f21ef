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
async fn raw_bytes_in_quarantine_are_read_by_ingest_and_who_erases_alone() {
    let db = TestDb::new().await;
    let client = db.client().await;
    let text = |name| FILES.iter().find(|file| file.name == name).unwrap().text;
    let later = text("personal_data");
    let names = ["ingest", "compute", "backfill", "deliver", "read", "erase"];
    let of_test = |name: &str| format!("kpiline_test_{name}_{}", std::process::id());
    let mut sql = format!(
        "{}\n{}",
        text("roles"),
        &later[later.find("DO $$").unwrap()..]
    );
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
    let mut rights = Vec::new();
    for name in names {
        let row = client
            .query_one(
                "SELECT has_column_privilege($1, 'event_log', 'raw', 'SELECT'), has_column_privilege($1, 'event_log', 'raw', 'UPDATE'), \
                        has_column_privilege($1, 'event_log', 'event_id', 'UPDATE'), has_table_privilege($1, 'event_log', 'DELETE')",
                &[&of_test(name)],
            )
            .await
            .unwrap();
        rights.push((name, [0, 1, 2, 3].map(|at| row.get::<_, bool>(at))));
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
    assert_eq!(readers, ["ingest", "erase"]);
    assert_eq!(holders, ["ingest", "compute"]);
    let (yes, no) = (true, false);
    assert_eq!(
        rights,
        [
            ("ingest", [yes, yes, no, no]),
            ("compute", [no, no, no, no]),
            ("backfill", [yes, no, no, no]),
            ("deliver", [no, no, no, no]),
            ("read", [no, no, no, no]),
            ("erase", [no, yes, no, no]),
        ]
    );
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

/// The files of the release before.
fn before_the_catalogue() -> &'static [File] {
    let last = FILES.iter().position(|file| file.name == "roles").unwrap();
    &FILES[..=last]
}

#[tokio::test]
async fn a_filled_database_is_neither_rewritten_nor_taken_for_unsettled() {
    let db = TestDb::empty().await;
    migrate::run_files(db.url(), before_the_catalogue())
        .await
        .unwrap();
    let client = db.client().await;
    // More rows to take back than one round of the file does; and an open one in the middle of what has long ended.
    client
        .batch_execute(
            "INSERT INTO interactions (tenant, interaction_id, partition_at, status, state, facts, updated_at) \
             SELECT 'acme', 'int_' || n, '2024-05-15Z', CASE WHEN n % 2 = 0 THEN 'open' ELSE 'terminal' END, '{}', 0, \
                    CASE WHEN n = 1 THEN now() ELSE '2024-06-01Z' END \
             FROM generate_series(1, 5000) n",
        )
        .await
        .unwrap();
    let number = async |sql: &str| -> i64 { client.query_one(sql, &[]).await.unwrap().get(0) };
    let file = "SELECT pg_relation_filenode('interactions')::bigint";
    let before = number(file).await;
    migrate::run(db.url()).await.unwrap();
    assert_eq!(number(file).await, before, "the table was rewritten");
    let unsettled = "SELECT count(*) FROM interactions WHERE settled_at IS NULL";
    assert_eq!(
        number(unsettled).await,
        2501,
        "the open ones, and the one that changed just now"
    );
    let taken_back = "SELECT count(*) FROM interactions WHERE settled_at IS NULL AND (status = 'open' OR interaction_id = 'int_1')";
    assert_eq!(number(taken_back).await, 2501);
    // As the release before writes: it does not know the new columns.
    client
        .batch_execute(
            "INSERT INTO interactions (tenant, interaction_id, partition_at, status, state, facts) \
             VALUES ('acme', 'new', '2024-05-15Z', 'terminal', '{}', 0)",
        )
        .await
        .unwrap();
    assert_eq!(number(unsettled).await, 2502);
}

#[tokio::test]
async fn migrating_waits_for_a_long_query_and_the_writers_do_not_wait_for_it() {
    let db = TestDb::empty().await;
    migrate::run_files(db.url(), before_the_catalogue())
        .await
        .unwrap();
    let mut reader = db.client().await;
    // Holds a snapshot, as a report does, without holding the table.
    let report = reader
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .start()
        .await
        .unwrap();
    report.query("SELECT 1", &[]).await.unwrap();
    let migrating = tokio::spawn({
        let url = db.url().to_owned();
        async move { migrate::run(&url).await }
    });
    crate::rows::until_someone_waits(&db).await;
    db.client()
        .await
        .batch_execute(
            "SET statement_timeout = '5s'; \
             INSERT INTO interactions (tenant, interaction_id, partition_at, status, state, facts) \
             VALUES ('acme', 'new', '2024-05-15Z', 'terminal', '{}', 0); UPDATE interactions SET facts = 1",
        )
        .await
        .unwrap();
    assert!(!migrating.is_finished());
    report.commit().await.unwrap();
    migrating.await.unwrap().unwrap();
}

static INDEX: &[File] = &[
    File {
        version: 1,
        name: "table",
        text: "CREATE TABLE whole (a integer); CREATE INDEX whole_a ON whole (a); CREATE INDEX whole_other ON whole (a);",
    },
    File {
        version: 2,
        name: "index",
        text: "-- kpiline: no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS whole_a ON whole (a);\n",
    },
];

#[tokio::test]
async fn an_index_that_was_left_half_built_is_built_again() {
    let db = TestDb::empty().await;
    migrate::run_files(db.url(), &INDEX[..1]).await.unwrap();
    let client = db.client().await;
    // As an interrupted CREATE INDEX CONCURRENTLY leaves it, and one that is none of the file's business.
    client
        .batch_execute("UPDATE pg_index SET indisvalid = false WHERE indrelid = 'whole'::regclass")
        .await
        .unwrap();
    migrate::run_files(db.url(), INDEX).await.unwrap();
    let valid: Vec<(String, bool)> = client
        .query(
            "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indrelid = 'whole'::regclass ORDER BY 1",
            &[],
        )
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    assert_eq!(
        valid,
        [
            ("whole_a".to_owned(), true),
            ("whole_other".to_owned(), false)
        ]
    );
}

#[tokio::test]
async fn only_computes_role_changes_the_catalogue() {
    let db = TestDb::new().await;
    let client = db.client().await;
    let names = ["ingest", "compute", "backfill", "deliver", "read"];
    let of_test = |name: &str| format!("kpiline_test_catalogue_{name}_{}", std::process::id());
    for file in ["roles", "catalogue_roles"] {
        let mut sql = FILES
            .iter()
            .find(|it| it.name == file)
            .unwrap()
            .text
            .to_owned();
        for name in names {
            let role = of_test(name);
            if file == "roles" {
                client
                    .batch_execute(&format!("CREATE ROLE {role}"))
                    .await
                    .unwrap();
            }
            sql = sql.replace(&format!("kpiline_{name}"), &role);
        }
        client.batch_execute(&sql).await.unwrap();
    }
    let mut may = Vec::new();
    for name in names {
        let rights: Vec<String> = client
            .query_one(
                "SELECT array_agg(right_ || ' ' || what ORDER BY what, right_) \
                 FROM unnest(ARRAY['catalogue_generation', 'kpi_definitions', 'kpi_promotions', 'zone_findings', 'history_requests']) AS what, \
                      unnest(ARRAY['INSERT', 'UPDATE', 'DELETE']) AS right_ WHERE has_table_privilege($1, what, right_)",
                &[&of_test(name)],
            )
            .await
            .unwrap()
            .get::<_, Option<Vec<String>>>(0)
            .unwrap_or_default();
        let reads: bool = client
            .query_one(
                "SELECT has_table_privilege($1, 'schedules', 'SELECT')",
                &[&of_test(name)],
            )
            .await
            .unwrap()
            .get(0);
        assert!(reads, "{name} reads what is evaluated with");
        may.push((name, rights.join(", ")));
    }
    for name in names {
        let role = of_test(name);
        client
            .batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
            .await
            .unwrap();
    }
    let compute = "UPDATE catalogue_generation, INSERT history_requests, INSERT kpi_definitions, UPDATE kpi_definitions, \
                   INSERT kpi_promotions, INSERT zone_findings, UPDATE zone_findings";
    let wanted = [
        ("ingest", ""),
        ("compute", compute),
        ("backfill", "DELETE history_requests"),
        ("deliver", ""),
        ("read", ""),
    ];
    assert_eq!(may, wanted.map(|(name, rights)| (name, rights.to_owned())));
}

/// What each binary's role may run of the statements about backfill: all that it needs, and no more.
#[tokio::test]
async fn roles_run_what_they_need_of_backfill() {
    let db = TestDb::new().await;
    let client = db.client().await;
    let names = ["ingest", "compute", "backfill", "deliver", "read"];
    let of_test = |name: &str| format!("kpiline_test_chunks_{name}_{}", std::process::id());
    for name in names {
        client
            .batch_execute(&format!("CREATE ROLE {}", of_test(name)))
            .await
            .unwrap();
    }
    for file in FILES {
        let grants = "DO $$\nDECLARE\n    kpiline text[]";
        let Some(from) = file.text.find(grants) else {
            continue;
        };
        let mut sql = file.text[from..].to_owned();
        for name in names {
            sql = sql.replace(&format!("kpiline_{name}"), &of_test(name));
        }
        client.batch_execute(&sql).await.unwrap();
    }
    let shared = ["rate_budgets", "rate_pauses", "platform_breakers"];
    let others = [
        "backfill_chunks",
        "platform_counts",
        "backfill_notices",
        "backfill_leases",
    ];
    let promotion = [
        "raise the catalogue's generation",
        "lock the versions of a KPI definition",
        "set the status of a KPI definition",
        "note a promotion",
    ];
    // Of a request that cannot be granted.
    let holding = [
        "quarantine items",
        "give quarantined items their bytes again",
    ];
    // Of who watches how far the numbers are to be trusted.
    let watching = [
        "take a named lease",
        "keep a named lease",
        "give up a named lease",
        "note what is here beside what a platform counts",
    ];
    let mentions = |sql: &store::statements::Sql, tables: &[&str]| {
        tables.iter().any(|table| sql.text.contains(table))
    };
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for sql in store::statements::all() {
        let promotes = promotion.contains(&sql.step);
        let holds = holding.contains(&sql.step);
        if !promotes && !holds && !mentions(sql, &shared) && !mentions(sql, &others) {
            continue;
        }
        looked_at += 1;
        let prepared = client.prepare(sql.text).await.unwrap();
        let values = vec!["NULL"; prepared.params().len()].join(", ");
        let values = if values.is_empty() {
            values
        } else {
            format!("({values})")
        };
        let writes = ["INSERT", "UPDATE", "DELETE"]
            .iter()
            .any(|word| sql.text.contains(word));
        for name in names {
            // A plan is made with the rights looked at, and nothing is done.
            let types: Vec<String> = prepared.params().iter().map(ToString::to_string).collect();
            let types = if types.is_empty() {
                String::new()
            } else {
                format!("({})", types.join(", "))
            };
            let done = client
                .batch_execute(&format!(
                    "SET ROLE {}; PREPARE p {types} AS {}; EXPLAIN EXECUTE p {values}",
                    of_test(name),
                    sql.text
                ))
                .await;
            client
                .batch_execute("RESET ROLE; DEALLOCATE PREPARE ALL")
                .await
                .unwrap();
            let wanted = match name {
                "backfill" => true,
                _ if holds => matches!(name, "compute" | "ingest"),
                "compute" => !writes || promotes,
                "deliver" if watching.contains(&sql.step) => true,
                "deliver" | "ingest" => !writes || !promotes && !mentions(sql, &others),
                _ => !writes,
            };
            if done.is_ok() != wanted {
                wrong.push(format!("{name}: {}: {done:?}", sql.step));
            }
        }
    }
    for name in names {
        let role = of_test(name);
        client
            .batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
            .await
            .unwrap();
    }
    assert!(looked_at > 30, "only {looked_at} statements were looked at");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
