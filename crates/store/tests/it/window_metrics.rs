//! Window metrics are written when they changed and go when nothing is in them; dashboards read the current version, with its state.

use crate::rows::{JUNE, MAY, db, number, seen};
use deadpool_postgres::GenericClient;
use schema::{MetricVersion, UtcMicros};
use store::window_metrics::{self, Covered, WindowRow, Written};
use store::{Class, Connection as _, Store, StoreError, marks};
use testkit::TestDb;

const HALF: i64 = 1_800_000_000;

fn row(group_key: &str, window: i64) -> WindowRow<'_> {
    let start = UtcMicros(MAY.0 - MAY.0 % HALF + window * HALF);
    WindowRow {
        metric_type: "talk_time",
        metric_version: MetricVersion::FIRST,
        group_by: "queue",
        size: "30m",
        group_key,
        window_start: start,
        window_end: UtcMicros(start.0 + HALF),
        zone: "Europe/Berlin",
        zone_source: "queue",
        tzdb: "2026a",
        queue_id: Some("support"),
        media: None,
        direction: None,
        agent_id: None,
        team: None,
        platform: None,
        attributes_json: None,
        items: 2,
        numerator: 301_000,
        denominator: 2,
        scale: 1000,
        minimum: None,
        maximum: None,
        percentiles_json: None,
        value: Some(150.5),
        unit: "seconds",
        settles_at: UtcMicros(start.0 + 96 * HALF),
    }
}

fn covered(group_key: &str, from: i64, to: i64) -> Covered<'_> {
    Covered {
        metric_type: "talk_time",
        metric_version: MetricVersion::FIRST,
        group_by: "queue",
        group_key,
        size: "30m",
        from: row("", from).window_start,
        to: row("", to).window_start,
    }
}

async fn write(store: &Store, rows: &[WindowRow<'_>], stretches: &[Covered<'_>]) -> Written {
    committed!(store, |tx| window_metrics::write(
        &tx, "acme", rows, stretches
    ))
}

fn written(written: u64, removed: u64) -> Written {
    Written { written, removed }
}

const REVISIONS: &str =
    "SELECT group_key, revision FROM window_metrics ORDER BY group_key, window_start";

#[tokio::test]
async fn only_a_real_change_is_written() {
    let (db, store) = db().await;
    let first = row("[\"a\"]", 0);
    assert_eq!(write(&store, &[first, first], &[]).await, written(1, 0));
    assert_eq!(write(&store, &[first], &[]).await, written(0, 0));
    let zones = WindowRow {
        tzdb: "2026b",
        ..first
    };
    assert_eq!(write(&store, &[zones], &[]).await, written(0, 0));
    assert_eq!(seen(&db, REVISIONS).await, ["[\"a\"]|1"]);
    let changes = [
        WindowRow { items: 3, ..first },
        WindowRow {
            numerator: 9,
            ..first
        },
        WindowRow {
            value: None,
            ..first
        },
        WindowRow {
            percentiles_json: Some(r#"{"p50": 1.5}"#),
            minimum: Some(0.5),
            ..first
        },
        WindowRow {
            attributes_json: Some(r#"{"brand": "bl\u0000ue"}"#),
            ..first
        },
        WindowRow {
            settles_at: UtcMicros(first.settles_at.0 + 1),
            ..first
        },
        WindowRow {
            zone: "UTC",
            ..first
        },
        WindowRow {
            queue_id: None,
            team: Some("sales"),
            ..first
        },
    ];
    // Whether it was looked for or not.
    for stretches in [&[][..], &[covered("[\"a\"]", 0, 1)]] {
        for change in changes {
            assert_eq!(write(&store, &[change], stretches).await, written(1, 0));
            assert_eq!(write(&store, &[change], stretches).await, written(0, 0));
        }
    }
    assert_eq!(seen(&db, REVISIONS).await, ["[\"a\"]|17"]);
    // What was looked for and is the same is not even locked.
    let lockers = "SELECT ctid::text, xmin::text, xmax::text FROM window_metrics";
    let before = seen(&db, lockers).await;
    let stretches = [covered("[\"a\"]", 0, 1)];
    assert_eq!(
        write(&store, &[changes[7]], &stretches).await,
        written(0, 0)
    );
    assert_eq!(seen(&db, lockers).await, before);
}

#[tokio::test]
async fn a_covered_window_that_has_nothing_in_it_goes_and_no_other_one() {
    let (db, store) = db().await;
    let of_other_version = WindowRow {
        metric_version: MetricVersion(2),
        ..row("[\"a\"]", 1)
    };
    let of_other_size = WindowRow {
        size: "60m",
        ..row("[\"a\"]", 1)
    };
    let rows = [
        row("[\"a\"]", 0),
        row("[\"a\"]", 1),
        row("[\"a\"]", 2),
        row("[\"b\"]", 1),
        of_other_version,
        of_other_size,
    ];
    assert_eq!(write(&store, &rows, &[]).await, written(6, 0));
    let elsewhere = committed!(store, |tx| window_metrics::write(
        &tx,
        "bolt",
        &[],
        &[covered("[\"a\"]", 0, 9)]
    ));
    assert_eq!(elsewhere, written(0, 0));
    let still = [row("[\"a\"]", 2), row("[\"a\"]", 0)];
    let stretches = [
        covered("[\"c\"]", 0, 9),
        covered("[\"a\"]", 0, 3),
        covered("[\"a\"]", 0, 2),
    ];
    assert_eq!(write(&store, &still, &stretches).await, written(0, 1));
    assert_eq!(write(&store, &still, &stretches).await, written(0, 0));
    assert_eq!(write(&store, &[], &stretches[2..]).await, written(0, 1));
    assert_eq!(
        seen(
            &db,
            "SELECT group_key, size, metric_version FROM window_metrics ORDER BY 1, 2, 3"
        )
        .await,
        [
            "[\"a\"]|30m|1",
            "[\"a\"]|30m|2",
            "[\"a\"]|60m|1",
            "[\"b\"]|30m|1"
        ]
    );
}

/// New rows of a stretch that was looked at go in another way than those of which nothing is known.
#[tokio::test]
async fn a_row_is_the_same_whichever_way_it_was_written() {
    let (db, store) = db().await;
    let full = WindowRow {
        media: Some("voice"),
        direction: Some("inbound"),
        agent_id: Some("anna"),
        team: Some("sales"),
        platform: Some("genesys"),
        attributes_json: Some(r#"{"brand": "bl\u0000ue"}"#),
        minimum: Some(-0.0),
        maximum: Some(1e21),
        percentiles_json: Some(r#"{"p50": 1.5}"#),
        ..row("[\"a\"]", 0)
    };
    let empty = WindowRow {
        queue_id: None,
        value: None,
        ..row("[\"a\"]", 1)
    };
    let known = committed!(store, |tx| window_metrics::write(
        &tx,
        "known",
        &[full, empty],
        &[covered("[\"a\"]", 0, 2)]
    ));
    let unknown = committed!(store, |tx| window_metrics::write(
        &tx,
        "unknown",
        &[full, empty],
        &[]
    ));
    assert_eq!((known, unknown), (written(2, 0), written(2, 0)));
    assert_eq!(
        number(
            &db,
            "SELECT count(*) FROM window_metrics k JOIN window_metrics u USING (window_start) \
             WHERE k.tenant = 'known' AND u.tenant = 'unknown' \
               AND to_jsonb(k) - 'tenant' - 'computed_at' = to_jsonb(u) - 'tenant' - 'computed_at' \
               AND k.minimum::text IS NOT DISTINCT FROM u.minimum::text"
        )
        .await,
        2
    );
    // One that is there, one that is new and one that goes, in one write.
    let other = WindowRow { items: 3, ..full };
    let new = row("[\"a\"]", 2);
    let stretches = [covered("[\"a\"]", 0, 3)];
    let changed = committed!(store, |tx| window_metrics::write(
        &tx,
        "known",
        &[other, new],
        &stretches
    ));
    assert_eq!(changed, written(2, 1));
    assert_eq!(
        seen(
            &db,
            "SELECT items, revision FROM window_metrics WHERE tenant = 'known' ORDER BY window_start"
        )
        .await,
        ["3|2", "2|1"]
    );
}

/// The zone of an agent becomes known, or another one: the windows of the old clock lie across those of the new.
#[tokio::test]
async fn a_window_of_another_clock_that_reaches_into_a_covered_one_goes() {
    let (db, store) = db().await;
    let key = "[\"a\"]";
    let day = |hours: i64| {
        let start = UtcMicros(MAY.0 - MAY.0 % (48 * HALF) + hours * 2 * HALF);
        WindowRow {
            size: "day",
            window_start: start,
            window_end: UtcMicros(start.0 + 48 * HALF),
            ..row(key, 0)
        }
    };
    let old = [day(4), day(28), day(52)];
    assert_eq!(write(&store, &old, &[]).await, written(3, 0));
    let new = [day(29)];
    let of_day = |row: &WindowRow<'_>| Covered {
        size: "day",
        from: row.window_start,
        to: row.window_end,
        ..covered(key, 0, 0)
    };
    assert_eq!(
        write(&store, &new, &[of_day(&new[0])]).await,
        written(1, 2),
        "the one that begins an hour before it as well, and not the one that ends by then"
    );
    assert_eq!(seen(&db, REVISIONS).await, ["[\"a\"]|1", "[\"a\"]|1"]);
}

#[tokio::test]
async fn nothing_that_is_no_number_is_stored() {
    let (_db, store) = db().await;
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let rows = [
            WindowRow {
                value: Some(bad),
                ..row("[\"a\"]", 0)
            },
            WindowRow {
                maximum: Some(bad),
                ..row("[\"a\"]", 0)
            },
        ];
        for row in rows {
            let mut client = store.client().await.unwrap();
            let tx = client.transaction().await.unwrap();
            let error = window_metrics::write(&tx, "acme", &[row], &[])
                .await
                .unwrap_err();
            assert!(
                matches!(error, StoreError::WindowNotFinite { .. }),
                "{error:?}"
            );
            assert_eq!(error.class(), Class::Rejected);
        }
    }
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let error = window_metrics::write(&tx, "acme", &[row("a\0", 0)], &[])
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Nul {
                column: "group_key"
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_database_refuses_them_too() {
    let (db, _store) = db().await;
    let client = db.client().await;
    for column in ["value", "minimum", "maximum"] {
        for bad in ["NaN", "Infinity", "-Infinity"] {
            let error = client
                .batch_execute(&format!(
                    "INSERT INTO window_metrics (tenant, metric_type, metric_version, group_by, size, group_key, window_start, \
                     window_end, zone, zone_source, tzdb, items, numerator, denominator, scale, unit, settles_at, {column}) \
                     VALUES ('acme', 'm', 1, '', 'day', '[]', '2024-05-02Z', '2024-05-03Z', 'UTC', 'organisation', '', 0, 0, 0, 1, \
                     's', '2024-05-03Z', '{bad}')"
                ))
                .await
                .unwrap_err();
            assert!(
                error.as_db_error().unwrap().constraint() == Some("window_metrics_finite"),
                "{error:?}"
            );
        }
    }
}

/// What the view says of a window that ended so long ago and settles so long after.
async fn state(db: &TestDb) -> Vec<String> {
    seen(
        db,
        "SELECT state FROM window_metrics_current ORDER BY window_start",
    )
    .await
}

#[tokio::test]
async fn the_view_shows_the_current_version_and_tells_what_may_change() {
    let (db, store) = db().await;
    let ended = row("[\"a\"]", 0);
    let absent = WindowRow {
        value: None,
        denominator: 0,
        ..row("[\"a\"]", 1)
    };
    let candidate = WindowRow {
        metric_version: MetricVersion(2),
        ..ended
    };
    write(&store, &[ended, absent, candidate], &[]).await;
    assert_eq!(
        seen(
            &db,
            "SELECT metric_version, value, reason FROM window_metrics_current ORDER BY window_start"
        )
        .await,
        ["1|150.5|", "1||no_denominator"]
    );
    assert_eq!(
        number(&db, "SELECT count(*) FROM window_metrics_all").await,
        3
    );

    assert_eq!(state(&db).await, ["settled", "settled"]);
    // A mark in the second window's cells.
    let mark = |kind, subject, from: UtcMicros| marks::Mark {
        kind,
        tenant: "acme",
        subject,
        from,
        to: UtcMicros(from.0 + HALF / 2),
    };
    let cell = mark(
        marks::Kind::Cell,
        "",
        UtcMicros(absent.window_end.0 - HALF / 2),
    );
    committed!(store, |tx| marks::append(&tx, &[cell]));
    assert_eq!(state(&db).await, ["settled", "settling"]);
    // What an agent's mark will change is not known before it is computed.
    let agent = mark(marks::Kind::Agent, "anna", ended.window_start);
    committed!(store, |tx| marks::append(&tx, &[agent]));
    assert_eq!(state(&db).await, ["settling", "settling"]);
    let client = db.client().await;
    client
        .batch_execute(
            "DELETE FROM dirty_marks; UPDATE window_metrics SET settles_at = now() + interval '1 hour' WHERE value IS NULL",
        )
        .await
        .unwrap();
    assert_eq!(state(&db).await, ["settled", "settling"]);
    client
        .batch_execute(
            "UPDATE window_metrics SET window_end = now() + interval '1 hour' WHERE value IS NULL",
        )
        .await
        .unwrap();
    assert_eq!(state(&db).await, ["settled", "open"]);
}

/// A month of one KPI by queue and half hour: one index, and no other month than asked for.
#[tokio::test]
async fn a_month_of_one_kpi_reads_along_the_index_and_no_other_month() {
    let (db, _store) = db().await;
    let client = db.client().await;
    client
        .batch_execute(
            "INSERT INTO window_metrics (tenant, metric_type, metric_version, group_by, size, group_key, window_start, window_end, \
                    zone, zone_source, tzdb, queue_id, items, numerator, denominator, scale, value, unit, settles_at) \
             SELECT 'acme', m, 1, b, '30m', '[\"' || q || '\"]', t, t + interval '30 minutes', 'UTC', 'organisation', '', q, 1, 1, 1, 1, \
                    1, 'seconds', t \
             FROM unnest(ARRAY['talk_time', 'hold_time', 'wrap_time']) m, unnest(ARRAY['queue', 'agent']) b, generate_series(1, 5) q, \
                  generate_series(timestamptz '2024-05-01Z', '2024-06-30Z', '30 minutes') t; \
             ANALYZE window_metrics",
        )
        .await
        .unwrap();
    for stretch in [
        "window_start >= '2024-05-01Z' AND window_start < '2024-05-31Z'",
        "window_start >= '2024-05-30Z' AND window_start < '2024-05-31Z'",
        "window_start >= '2024-05-01Z' AND window_start < '2024-05-31Z' AND group_key = '[\"3\"]'",
    ] {
        let plan = seen(
            &db,
            &format!(
                "EXPLAIN (COSTS OFF) SELECT window_start, queue_id, value, state FROM window_metrics_current \
                 WHERE tenant = 'acme' AND metric_type = 'talk_time' AND group_by = 'queue' AND size = '30m' AND {stretch}"
            ),
        )
        .await
        .join("\n");
        assert!(plan.contains("window_metrics_y2024m05"), "{plan}");
        assert!(!plan.contains("window_metrics_y2024m06"), "{plan}");
        assert!(!plan.contains("Seq Scan on window_metrics"), "{plan}");
        assert!(
            plan.contains(
                "Index Cond: ((tenant = 'acme'::text) AND (metric_type = 'talk_time'::text"
            ),
            "{plan}"
        );
    }
}

/// Roles belong to the server and not to the database, so the names are this test's own.
#[tokio::test]
async fn everybody_reads_windows_and_gauges_and_compute_alone_the_items() {
    let db = TestDb::new().await;
    let client = db.client().await;
    let of_test = |name: &str| format!("kpiline_test_windows_{name}_{}", std::process::id());
    let names = ["compute", "read"];
    for name in names {
        let role = of_test(name);
        client
            .batch_execute(&format!("CREATE ROLE {role}"))
            .await
            .unwrap();
    }
    for file in ["windows", "live"] {
        let file = store::migrate::FILES
            .iter()
            .find(|known| known.name == file)
            .unwrap();
        let grants = &file.text[file.text.rfind("DO $$").unwrap()..];
        let grants = names.iter().fold(grants.to_owned(), |sql, name| {
            sql.replace(&format!("kpiline_{name}"), &of_test(name))
        });
        client.batch_execute(&grants).await.unwrap();
    }
    let mut found = Vec::new();
    for name in names {
        for table in [
            "window_metrics_current",
            "live_gauges",
            "window_items",
            "window_cells",
        ] {
            for right in ["SELECT", "DELETE"] {
                let may: bool = client
                    .query_one(
                        "SELECT has_table_privilege($1, $2, $3)",
                        &[&of_test(name), &table, &right],
                    )
                    .await
                    .unwrap()
                    .get(0);
                found.extend(may.then(|| format!("{name} {right} {table}")));
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
    assert_eq!(
        found,
        [
            "compute SELECT window_metrics_current",
            "compute SELECT live_gauges",
            "compute SELECT window_items",
            "compute DELETE window_items",
            "compute SELECT window_cells",
            "compute DELETE window_cells",
            "read SELECT window_metrics_current",
            "read SELECT live_gauges",
            "read SELECT window_cells",
        ]
    );
}

/// A row that is looked up by its whole key is found by it, also where nobody has gathered statistics yet: an index of fewer columns looks
/// as good then, and holds thousands of rows for the same columns. And where statistics are of when there was nothing: reading nothing from
/// end to end looks better than any index.
#[tokio::test]
async fn keys_are_looked_up_by_the_primary_key_whatever_the_statistics() {
    let (db, store) = db().await;
    for vacuumed in [false, true] {
        if vacuumed {
            let client = db.client().await;
            client.batch_execute("VACUUM (ANALYZE)").await.unwrap();
        }
        // Sessions as they are at work.
        let session = store.client().await.unwrap();
        let client = session.client();
        client
            .batch_execute("SET plan_cache_mode = force_generic_plan")
            .await
            .unwrap();
        for step in [
            "look for window_metrics",
            "delete window_metrics that nothing is in",
            "delete window_items",
            "read window_items of agents",
            "read an interaction's metrics",
            "read intervals of agents' time",
        ] {
            let plan = generic_plan(client, step).await;
            assert!(plan.contains("_pkey"), "{step}: {plan}");
            assert!(!plan.contains("_idx"), "{step}: {plan}");
            assert!(!plan.contains("window_items_cell"), "{step}: {plan}");
            assert!(!plan.contains("Seq Scan"), "{step}: {plan}");
        }
    }
}

/// How a statement is run, whatever its parameters. Nothing is in the arrays: only the bounds, which choose the months, have values.
async fn generic_plan(client: &impl GenericClient, step: &str) -> String {
    let sql = store::statements::all()
        .find(|sql| sql.step == step)
        .unwrap();
    let prepared = client.prepare(sql.text).await.unwrap();
    let mut bounds = ["'2024-05-01Z'", "'2024-05-09Z'"].into_iter();
    let params = prepared.params().iter().map(|kind| match kind.name() {
        "timestamptz" => bounds.next().unwrap_or("NULL"),
        _ => "NULL",
    });
    let params = params.collect::<Vec<_>>().join(", ");
    client
        .batch_execute(&format!("PREPARE p AS {}", sql.text))
        .await
        .unwrap();
    let plan = client
        .query(&format!("EXPLAIN (COSTS OFF) EXECUTE p ({params})"), &[])
        .await
        .unwrap();
    client.batch_execute("DEALLOCATE p").await.unwrap();
    let lines: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

#[tokio::test]
async fn a_window_has_the_month_of_its_start_and_retention_drops_it() {
    let (db, store) = db().await;
    let last_of_may = WindowRow {
        window_start: UtcMicros(JUNE.0 - 1),
        window_end: UtcMicros(JUNE.0 + HALF),
        ..row("[\"a\"]", 0)
    };
    let first_of_june = WindowRow {
        window_start: JUNE,
        window_end: UtcMicros(JUNE.0 + HALF),
        ..row("[\"a\"]", 0)
    };
    write(&store, &[last_of_may, first_of_june], &[]).await;
    assert_eq!(
        seen(
            &db,
            "SELECT drop_months_before('window_metrics', '2024-06-01') AS t"
        )
        .await,
        ["window_metrics_y2024m05"]
    );
    assert_eq!(number(&db, "SELECT count(*) FROM window_metrics").await, 1);
}
