//! What happens to prepared statements when the schema changes under them, or the session is not the one they were prepared on.

use deadpool_postgres::GenericClient as _;
use schema::MessageId;
use std::collections::BTreeMap;
use store::{Class, Connection as _, raw_messages};
use testkit::TestDb;
use tokio_postgres::Client;
use uuid::Uuid;

/// The columns of each statement's rows, with their types.
async fn answers(client: &Client) -> BTreeMap<&'static str, Vec<(String, String)>> {
    let mut answers = BTreeMap::new();
    for sql in store::statements::all() {
        let statement = client.prepare(sql.text).await.unwrap();
        let columns = statement.columns().iter();
        let columns = columns.map(|column| (column.name().to_owned(), column.type_().to_string()));
        answers.insert(sql.text, columns.collect());
    }
    answers
}

/// Whatever a newer release adds, the statements of the older one mean what they meant: a plan that was kept stays good.
#[tokio::test]
async fn pitfall_80_a_column_that_is_added_changes_no_statements_answer() {
    let db = TestDb::new().await;
    let client = db.client().await;
    let before = answers(&client).await;
    let added = "DO $$ DECLARE t regclass; BEGIN \
                 FOR t IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace \
                          AND c.relkind IN ('r', 'p') AND NOT c.relispartition LOOP \
                     EXECUTE format('ALTER TABLE %s ADD COLUMN newer integer', t); \
                 END LOOP; END $$";
    client.batch_execute(added).await.unwrap();
    assert_eq!(answers(&db.client().await).await, before);
}

/// What a pooler does that hands out another server session for each transaction, or one that was reset.
#[tokio::test]
async fn pitfall_80_a_session_without_its_statements_is_given_up_and_the_step_can_be_repeated() {
    let db = TestDb::new().await;
    let store = db.store_with(1).await;
    let id = [MessageId(Uuid::from_u128(1))];
    let client = store.client().await.unwrap();
    raw_messages::claimed(&client, &id).await.unwrap();
    client
        .client()
        .batch_execute("DEALLOCATE ALL")
        .await
        .unwrap();
    let error = raw_messages::claimed(&client, &id).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("26000"), "{error:?}");
    assert_eq!(error.class(), Class::Transient);
    drop(client);
    let client = store.client().await.unwrap();
    raw_messages::claimed(&client, &id).await.unwrap();
}
