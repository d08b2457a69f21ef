//! Every wait has an end, and a connection that cannot be relied on is given up.

use crate::rows::db;
use std::time::Duration;
use store::{Class, Client, Store, StoreConfig, StoreError};
use testkit::{Proxy, TestDb};

/// A sign of life of the server over this connection.
async fn alive(client: &mut Client) -> Result<(), StoreError> {
    client.transaction().await?.rollback().await
}

#[tokio::test]
async fn a_server_that_is_away_is_transient_and_no_reason_not_to_start() {
    let store = Store::connect(StoreConfig::new(
        "postgres://postgres@127.0.0.1:1/x",
        "test",
    ))
    .await
    .unwrap();
    let error = store.client().await.unwrap_err();
    assert_eq!(error.class(), Class::Transient, "{error:?}");
}

#[tokio::test]
async fn a_wrong_url_or_database_is_fatal() {
    let error = Store::connect(StoreConfig::new("nonsense://", "test"))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Url { .. }), "{error:?}");
    assert_eq!(error.class(), Class::Fatal);
    let db = TestDb::empty().await;
    let url = format!("{}_absent", db.url());
    let store = Store::connect(StoreConfig::new(url, "test")).await.unwrap();
    assert_eq!(store.client().await.unwrap_err().class(), Class::Fatal);
}

#[tokio::test]
async fn a_full_pool_is_saturated() {
    let db = TestDb::empty().await;
    let config = StoreConfig {
        pool_max: 1,
        acquire_timeout: Duration::from_millis(50),
        ..StoreConfig::new(db.url(), "test")
    };
    let store = Store::connect(config).await.unwrap();
    let mut held = store.client().await.unwrap();
    alive(&mut held).await.unwrap();
    let error = store.client().await.unwrap_err();
    assert!(
        matches!(error, StoreError::PoolExhausted { within_ms: 50 }),
        "{error:?}"
    );
    assert_eq!(error.class(), Class::Saturated);
    drop(held);
    alive(&mut store.client().await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_connection_the_server_ended_is_replaced() {
    let (db, store) = db().await;
    let mut client = store.client().await.unwrap();
    alive(&mut client).await.unwrap();
    db.client()
        .await
        .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()", &[])
        .await
        .unwrap();
    let error = alive(&mut client).await.unwrap_err();
    assert_eq!(error.class(), Class::Transient);
    drop(client);
    testkit::eventually(
        Duration::from_secs(5),
        "the pool has a good connection",
        || async { alive(&mut store.client().await?).await },
    )
    .await;
}

#[tokio::test]
async fn sessions_speak_utc_with_time_limits() {
    let db = TestDb::empty().await;
    let config = StoreConfig {
        statement_timeout: Duration::from_millis(1234),
        ..StoreConfig::new(db.url(), "kpiline test")
    };
    let store = Store::connect(config).await.unwrap();
    let _client = store.client().await.unwrap();
    let client = db.client().await;
    let name: String = client
        .query_one("SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(name, "kpiline test");
}

#[tokio::test]
async fn a_default_of_the_server_does_not_change_what_statements_see() {
    let db = TestDb::new().await;
    db.client()
        .await
        .batch_execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''serializable''', current_database()); END $$")
        .await
        .unwrap();
    let store = db.store().await;
    store::partitions::Partitions::new(store.clone())
        .ensure(store::partitions::Table::EventLog, [crate::rows::MAY])
        .await
        .unwrap();
    let mut first = store.client().await.unwrap();
    let tx = first.transaction().await.unwrap();
    store::event_log::append(&tx, &[crate::rows::log_row(1)])
        .await
        .unwrap();
    let other = store.clone();
    let second = tokio::spawn(async move {
        committed!(other, |tx| store::event_log::append(
            &tx,
            &[crate::rows::log_row(1)]
        ))
    });
    crate::rows::until_someone_waits(&db).await;
    tx.commit().await.unwrap();
    // Under a stricter isolation this would be a serialisation failure.
    assert!(matches!(
        second.await.unwrap()[..],
        [store::event_log::Appended::Duplicate { .. }]
    ));
}

#[tokio::test]
async fn a_server_without_a_trusted_certificate_is_refused_where_tls_is_required() {
    let db = TestDb::empty().await;
    let ssl: bool = db
        .client()
        .await
        .query_one("SELECT current_setting('ssl')::boolean", &[])
        .await
        .unwrap()
        .get(0);
    let separator = if db.url().contains('?') { '&' } else { '?' };
    let with =
        |mode: &str| StoreConfig::new(format!("{}{separator}sslmode={mode}", db.url()), "test");
    for mode in ["disable", "prefer"] {
        drop(
            Store::connect(with(mode))
                .await
                .unwrap()
                .client()
                .await
                .unwrap(),
        );
    }
    let error = match Store::connect(with("require")).await {
        Ok(store) => store.client().await.unwrap_err(),
        // A machine without any trusted root.
        Err(error) => error,
    };
    let wanted = if ssl { Class::Fatal } else { Class::Transient };
    assert_eq!(error.class(), wanted, "{error:?}");
}

/// Two servers in one URL: the one in front of the test's own database, and that one.
async fn two_servers(db: &TestDb) -> (Proxy, String) {
    let (proxy, through) = Proxy::before(db.url(), 5432).await;
    let host = |url: &str| {
        let authority = url.split_once("://").unwrap().1;
        let authority = authority.split('/').next().unwrap();
        authority.rsplit('@').next().unwrap().to_owned()
    };
    let (first, second) = (host(&through), host(db.url()));
    (proxy, through.replace(&first, &format!("{first},{second}")))
}

#[tokio::test]
async fn of_several_servers_one_that_is_away_or_silent_costs_no_connection() {
    let db = TestDb::empty().await;
    let (proxy, url) = two_servers(&db).await;
    let config = |application: &str| StoreConfig {
        pool_max: 3,
        acquire_timeout: Duration::from_secs(2),
        ..StoreConfig::new(
            format!("{url}?target_session_attrs=read-write"),
            application,
        )
    };
    // Silent: the machine is there and does not answer.
    proxy.stall();
    let store = Store::connect(config("silent")).await.unwrap();
    let mut first = store.client().await.unwrap();
    alive(&mut first).await.unwrap();
    // The second one does not wait for it again.
    let began = std::time::Instant::now();
    alive(&mut store.client().await.unwrap()).await.unwrap();
    assert!(
        began.elapsed() < Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
    // Away altogether.
    drop(proxy);
    let store = Store::connect(config("away")).await.unwrap();
    alive(&mut store.client().await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn who_only_reads_finds_the_primary_too() {
    let db = TestDb::empty().await;
    let config = StoreConfig {
        read_only: true,
        ..StoreConfig::new(
            format!("{}?target_session_attrs=read-write", db.url()),
            "test",
        )
    };
    let store = Store::connect(config).await.unwrap();
    alive(&mut store.client().await.unwrap()).await.unwrap();
}
