//! Findings, and a database that is not there.

use crate::world::{World, plan, planned, said};
use testkit::db::TestDb;
use testkit::history::Call;

#[tokio::test]
async fn findings_list_zones_that_nobody_knows() {
    let world = World::new().await;
    assert!(world.done(&["findings"]).await.contains("every zone"));
    let mut call = Call::nth(0);
    call.agent = Some(("zoe", "Mars/Olympus"));
    let plan = plan(vec![planned("acme", &call.id, call.facts(), None)]);
    world.applier.apply(&plan).await.unwrap();
    let found = world.json(&["findings"]).await;
    assert_eq!(found[0]["stated"], "Mars/Olympus");
    assert_eq!(found[0]["example"], call.id.as_str());
}

#[tokio::test]
async fn a_database_that_is_missing_or_of_another_release_is_named() {
    let missing = said(&["list"]).await;
    assert!(
        missing.refused().contains("--database-url"),
        "{}",
        missing.refused()
    );
    let empty = TestDb::empty().await;
    let old = said(&["list", "--database-url", empty.url()]).await;
    assert!(
        old.refused().contains("compute migrate"),
        "{}",
        old.refused()
    );
}

#[tokio::test]
async fn errors_name_the_database_and_never_the_password() {
    // Nobody listens there.
    let url = "postgres://kpiline:geheim@127.0.0.1:1/kpis";
    let refused = said(&["list", "--database-url", url]).await;
    assert!(
        refused
            .refused()
            .starts_with("PostgreSQL at 127.0.0.1:1, database kpis: "),
        "{}",
        refused.refused()
    );
    assert!(!refused.refused().contains("geheim"));
}

#[tokio::test]
async fn what_takes_too_long_names_the_flag_that_gives_it_more_time() {
    let world = World::new().await;
    let mut client = world.db.client().await;
    let holding = client.transaction().await.unwrap();
    holding
        .batch_execute("LOCK TABLE kpi_definitions IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let refused = world
        .kpi(&["list", "--database-statement-timeout", "300ms"])
        .await;
    assert!(
        refused
            .refused()
            .contains("longer than --database-statement-timeout allows"),
        "{}",
        refused.refused()
    );
    holding.rollback().await.unwrap();
    world.done(&["list"]).await;
}
