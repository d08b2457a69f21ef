//! Cells of a group and a day: written when they differ, found by what is filled, summed by their totals.

use crate::rows::{db, number, seen};
use store::Store;
use store::window_cells::{self, CellRow};
use store::window_rebuild;
use testkit::TestDb;

/// 2024-05-15
const DAY: i32 = 19_858;

fn row(day: i32, group_key: &str, quarter: usize) -> CellRow {
    let mut filled = [0; 12];
    filled[quarter / 8] = 1 << (quarter % 8);
    CellRow {
        day,
        group_by: "queue".into(),
        group_key: group_key.into(),
        filled,
        quarters: vec![1, 2, 3],
        total: vec![u8::try_from(day - DAY).unwrap()],
    }
}

async fn write(store: &Store, put: &[CellRow], gone: &[(i32, &str, &str)]) -> u64 {
    committed!(store, |tx| window_cells::write(&tx, "acme", put, gone))
}

#[tokio::test]
async fn rows_come_back_and_equal_ones_are_not_written() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let rows = [row(DAY, "[\"a\"]", 0), row(DAY, "[\"b\"]", 95)];
    assert_eq!(write(&store, &rows, &[]).await, 2);
    assert_eq!(write(&store, &rows, &[]).await, 0);
    let client = store.client().await.unwrap();
    let keys = [
        (DAY, "queue", "[\"b\"]"),
        (DAY, "queue", "[\"a\"]"),
        (DAY, "queue", "[\"a\"]"),
        (DAY + 1, "queue", "[\"a\"]"),
    ];
    assert_eq!(
        window_cells::read(&client, "acme", &keys).await.unwrap(),
        rows
    );
    assert_eq!(
        window_cells::read(&client, "bolt", &keys).await.unwrap(),
        []
    );
    // To the eye the first quarter hour is on the left.
    assert_eq!(
        seen(&db, "SELECT day, group_key, get_bit(filled, 0), get_bit(filled, 95) FROM window_cells ORDER BY 2").await,
        ["2024-05-15|[\"a\"]|1|0", "2024-05-15|[\"b\"]|0|1"]
    );

    let changed = CellRow {
        quarters: vec![9; 5000],
        ..rows[0].clone()
    };
    let gone = [(DAY, "queue", "[\"b\"]"), (DAY, "queue", "[\"c\"]")];
    assert_eq!(
        write(&store, std::slice::from_ref(&changed), &gone).await,
        2
    );
    assert_eq!(
        window_cells::read(&client, "acme", &keys).await.unwrap(),
        [changed]
    );
    assert_eq!(number(&db, "SELECT count(*) FROM window_cells").await, 1);
}

#[tokio::test]
async fn groups_are_found_by_the_quarters_that_are_filled() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let rows = [
        row(DAY, "[\"a\"]", 0),
        row(DAY, "[\"b\"]", 41),
        row(DAY, "[\"c\"]", 95),
        row(DAY + 1, "[\"d\"]", 41),
    ];
    write(&store, &rows, &[]).await;
    let client = store.client().await.unwrap();
    let with = async |quarters: &[usize]| -> Vec<String> {
        let mut mask = [0; 12];
        for quarter in quarters {
            mask[quarter / 8] |= 1 << (quarter % 8);
        }
        let found = window_cells::filled(&client, "acme", DAY, &mask).await;
        found.unwrap().into_iter().map(|group| group.1).collect()
    };
    assert_eq!(with(&[41, 95]).await, ["[\"b\"]", "[\"c\"]"]);
    assert_eq!(with(&[0]).await, ["[\"a\"]"]);
    assert_eq!(with(&[]).await, [""; 0]);
    assert_eq!(with(&[1, 40, 42, 94]).await, [""; 0]);
}

#[tokio::test]
async fn totals_are_read_by_stretches_of_days() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let rows: Vec<CellRow> = (0..5)
        .flat_map(|day| [row(DAY + day, "[\"a\"]", 0), row(DAY + day, "[\"b\"]", 0)])
        .collect();
    write(&store, &rows, &[]).await;
    let client = store.client().await.unwrap();
    let groups = [
        ("queue", "[\"b\"]", DAY + 3, DAY + 9),
        ("queue", "[\"a\"]", DAY - 9, DAY + 2),
        ("queue", "[\"a\"]", DAY, DAY),
        ("media", "[\"a\"]", DAY, DAY + 9),
    ];
    let mut found = window_cells::totals(&client, "acme", &groups)
        .await
        .unwrap();
    found.sort();
    let of = |day: i32, key: &str| {
        let total = vec![u8::try_from(day).unwrap()];
        (DAY + day, "queue".to_owned(), key.to_owned(), total)
    };
    assert_eq!(
        found,
        [
            of(0, "[\"a\"]"),
            of(1, "[\"a\"]"),
            of(3, "[\"b\"]"),
            of(4, "[\"b\"]")
        ]
    );
}

#[tokio::test]
async fn the_groups_of_an_agent_are_found_along_their_index_and_no_others() {
    let (db, store) = db().await;
    let client = db.client().await;
    let fill = "INSERT INTO window_cells (tenant, day, group_by, group_key, filled, quarters, total) \
                SELECT 'acme', date '2024-01-01' + d, g.by, format(g.key, a), 1::bit(96), '', '' \
                FROM generate_series(0, 59) d, generate_series(1, 100) a, \
                     (VALUES ('agent', '[\"a%s\"]'), ('agent,queue', '[\"a%s\",null]'), ('queue', '[\"a%s\"]')) g (by, key)";
    client.execute(fill, &[]).await.unwrap();
    client.execute("ANALYZE window_cells", &[]).await.unwrap();
    let marked = committed!(store, |tx| window_rebuild::mark_agent(
        &tx, "acme", "[\"a1\"]"
    ));
    // Two groups in two months: not those of a10, and not the queue that is named like the agent.
    assert_eq!(marked, 4);
    let subjects = "SELECT DISTINCT replace(subject, chr(31), ' ') FROM dirty_marks ORDER BY 1";
    assert_eq!(
        seen(&db, subjects).await,
        ["agent [\"a1\"] all", "agent,queue [\"a1\",null] all"]
    );
    let plan = "EXPLAIN SELECT FROM window_cells WHERE tenant = 'acme' AND group_key >= '[\"a1\",' AND group_key < '[\"a1\"^' \
                AND group_by >= 'agent' AND group_by < 'agent-'";
    let plan = seen(&db, plan).await.join("\n");
    assert!(plan.contains("window_cells_agent"), "{plan}");
}
