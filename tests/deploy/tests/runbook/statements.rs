//! SQL, on a migrated database, each statement in a transaction that is rolled back.

use crate::text::blocks_of;
use testkit::{TestDb, TestRoles};

#[tokio::test]
async fn every_statement_runs_under_the_role_it_is_meant_for() {
    let db = TestDb::new().await;
    let client = db.client().await;
    let roles = TestRoles::granted(&db).await;
    let reader = roles.name("read");
    let (mut wrong, mut reading) = (Vec::new(), 0);
    for block in blocks_of("sql") {
        let role = match block.info.as_str() {
            "sql read" => format!("SET LOCAL ROLE {reader};"),
            "sql owner" => String::new(),
            other => {
                wrong.push(format!("{other}: sql read, or sql owner?\n{}", block.text));
                continue;
            }
        };
        reading += usize::from(!role.is_empty());
        let sql = format!("BEGIN; {role} {}", block.text);
        if let Err(error) = client.batch_execute(&sql).await {
            let told = error.as_db_error().map(ToString::to_string);
            let told = told.unwrap_or_else(|| format!("{error:?}"));
            wrong.push(format!("{}: {told}\n{}", block.info, block.text));
        }
        client.batch_execute("ROLLBACK").await.unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(reading > 10, "only {reading} statements were found");
}
