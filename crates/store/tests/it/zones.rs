//! Unknown zones are found once, known ones compared, and nothing is ever computed by SQL's idea of a zone.

use crate::rows::{MAY, db, number, seen};
use schema::UtcMicros;
use store::Store;
use store::zones::{self, Finding};

/// 2024-01-15T12:00:00Z
const JANUARY: UtcMicros = UtcMicros(1_705_320_000_000_000);

fn finding<'a>(stated: &'a str, interaction_id: &'a str) -> Finding<'a> {
    Finding {
        tenant: "acme",
        stated,
        source: "agent",
        interaction_id,
    }
}

async fn record(store: &Store, findings: &[Finding<'_>]) {
    committed!(store, |tx| zones::record(&tx, findings));
}

const FOUND: &str =
    "SELECT tenant, source, stated, interaction_id FROM zone_findings ORDER BY 1, 2, 3";

#[tokio::test]
async fn a_zone_is_found_once_a_source_with_the_first_interaction_it_was_met_in() {
    let (db, store) = db().await;
    record(
        &store,
        &[
            finding("Mars/Base", "int_1"),
            finding("Mars/Base", "int_2"),
            Finding {
                source: "queue",
                ..finding("Mars/Base", "int_3")
            },
            Finding {
                tenant: "zeta",
                ..finding("Mars/Base", "int_4")
            },
        ],
    )
    .await;
    record(&store, &[finding("Mars/Base", "int_5")]).await;
    record(&store, &[]).await;
    let wanted = [
        "acme|agent|Mars/Base|int_1",
        "acme|queue|Mars/Base|int_3",
        "zeta|agent|Mars/Base|int_4",
    ];
    assert_eq!(seen(&db, FOUND).await, wanted);
    assert_eq!(
        seen(
            &db,
            "SELECT scope, value FROM pipeline_health WHERE measure = 'zones_unknown' ORDER BY scope"
        )
        .await,
        ["acme|2", "zeta|1"]
    );
    let listed = zones::list(&store.client().await.unwrap()).await.unwrap();
    let first = listed.first().unwrap();
    assert_eq!(
        (listed.len(), first.stated.as_str(), first.last_seen),
        (3, "Mars/Base", first.first_seen)
    );
}

#[tokio::test]
async fn what_was_met_within_the_hour_is_not_written_and_locks_nothing() {
    let (db, store) = db().await;
    record(&store, &[finding("Mars/Base", "int_1")]).await;
    let mut client = store.client().await.unwrap();
    let holder = client.transaction().await.unwrap();
    zones::record(&holder, &[finding("Mars/Base", "int_2")])
        .await
        .unwrap();
    // Would wait for the holder, and in the end fail, if that had locked the row.
    record(&store, &[finding("Mars/Base", "int_3")]).await;
    holder.commit().await.unwrap();
    let stale = "SELECT count(*) FROM zone_findings WHERE last_seen < now() - interval '1 hour'";
    db.client()
        .await
        .batch_execute("UPDATE zone_findings SET last_seen = now() - interval '2 hours'")
        .await
        .unwrap();
    assert_eq!(number(&db, stale).await, 1);
    record(&store, &[finding("Mars/Base", "int_4")]).await;
    assert_eq!(number(&db, stale).await, 0);
    assert_eq!(seen(&db, FOUND).await, ["acme|agent|Mars/Base|int_1"]);
}

#[tokio::test]
async fn a_name_of_any_length_and_content_can_be_recorded() {
    let (db, store) = db().await;
    let long = "ж".repeat(10_000);
    record(&store, &[finding(&long, "int_1"), finding("a\0b", "int_2")]).await;
    let found = seen(
        &db,
        "SELECT char_length(stated) FROM zone_findings ORDER BY 1",
    )
    .await;
    assert_eq!(found, ["3", "200"]);
}

#[tokio::test]
async fn zones_in_use_are_a_set() {
    let (_db, store) = db().await;
    for zones in [
        &["Europe/Berlin", "Asia/Kolkata", "Europe/Berlin"][..],
        &["America/New_York", "Asia/Kolkata"],
        &[],
    ] {
        committed!(store, |tx| zones::note_in_use(&tx, zones));
    }
    assert_eq!(
        zones::in_use(&store.client().await.unwrap()).await.unwrap(),
        ["America/New_York", "Asia/Kolkata", "Europe/Berlin"]
    );
}

#[tokio::test]
async fn the_server_tells_offsets_in_the_order_asked_and_nothing_of_zones_it_does_not_know() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let asked = [
        ("America/New_York", MAY),
        ("Mars/Base", MAY),
        ("America/New_York", JANUARY),
        ("Asia/Kolkata", MAY),
        ("UTC", MAY),
        ("America/New_York", MAY),
    ];
    assert_eq!(
        zones::server_offsets(&client, &asked).await.unwrap(),
        [
            Some(-14_400),
            None,
            Some(-18_000),
            Some(19_800),
            Some(0),
            Some(-14_400)
        ]
    );
    assert!(
        zones::server_offsets::<&str>(&client, &[])
            .await
            .unwrap()
            .is_empty()
    );
}

/// What cuts or shifts time by a zone: PostgreSQL's answer for a doubled or a missing hour is not ours.
const BY_ZONE: [&str; 8] = [
    "at time zone",
    "at local",
    "timezone(",
    "date_trunc(",
    "date_bin(",
    "date_part(",
    "extract(",
    "::date",
];

/// The places that may, and why.
const EXCEPTIONS: [(&str, &str); 27] = [
    // To compare the server's zone data with ours.
    (
        "ask the server for offsets of zones",
        "extract( at time zone",
    ),
    // Months of partitions: dates, with UTC set for the function.
    ("months", "date_trunc( ::date"),
    // Seconds between two instants.
    ("pipeline_status", "extract("),
    ("pipeline_health", "extract("),
    ("read what calls for somebody", "extract("),
    // Months of partitions, named by UTC; days a day wider on each side.
    ("count the months of partitions", "at time zone date_trunc("),
    ("retention", "at time zone ::date extract("),
    // Seconds; and the intervals of feeds that nobody knows any more whether they were sent: one too many or too few is only looked at again.
    ("after_restore", "at time zone extract("),
    // The quarter hour of UTC that an instant lies in.
    ("platform_states", "extract("),
    ("backfill_chunks", "extract("),
    ("count dirty_marks", "extract("),
    ("live", "extract("),
    ("pause requests to a platform", "extract("),
    ("list the pauses of platforms", "extract("),
    ("look at a platform's breaker", "extract("),
    ("note a failure in a platform's breaker", "extract("),
    ("list the breakers of platforms", "extract("),
    ("look how long a platform's breaker is open", "extract("),
    ("open a platform's breaker", "extract("),
    ("close a platform's breaker", "extract("),
    ("lock delivery rows", "extract("),
    ("take a named lease", "extract("),
    // The minute an instant is in, counted from 1970: the same by every clock.
    ("add to the figures of deliveries", "date_bin("),
    // Both of the above, once more.
    ("windows", "date_trunc( ::date extract("),
    // UTC days as they are numbered, and the instants at which they begin.
    (
        "mark the groups of window_cells",
        "at time zone date_trunc( ::date",
    ),
    ("mark the groups of an agent", "at time zone date_trunc("),
    ("look for what groups have in window_cells", "::date"),
];

#[tokio::test]
async fn no_query_converts_zones_by_itself() {
    let statements = store::statements::all().map(|sql| (sql.step, sql.text));
    let migrations = store::migrate::FILES
        .iter()
        .map(|file| (file.name, file.text));
    let mut used = Vec::new();
    for (name, text) in statements.chain(migrations) {
        // Days that come as days are not cut out of an instant.
        let lower = text.to_lowercase().replace("::date[]", "");
        for word in BY_ZONE.iter().filter(|word| lower.contains(**word)) {
            let allowed = EXCEPTIONS
                .iter()
                .any(|(place, words)| *place == name && words.contains(word));
            assert!(allowed, "{name}: {word}: {text}");
            used.push(name);
        }
    }
    for (place, _) in EXCEPTIONS {
        assert!(
            used.contains(&place),
            "{place}: an exception that nothing needs"
        );
    }
}
