//! A database of its own for each test, cloned from a template that is migrated once.
//!
//! The template's name holds the checksum of the migrations: a changed file makes another template. It is built under a name of its own
//! and renamed when it is whole, under an advisory lock, so any number of test processes may start at once.

use std::time::Duration;
use store::{Store, StoreConfig};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

const DEFAULT_URL: &str = "postgres://postgres@127.0.0.1:5432/postgres";

/// Serialises the building of templates; any constant does.
const LOCK: i64 = 0x6b70_7465_7374;

/// A migrated database; dropped with the value.
#[derive(Debug)]
pub struct TestDb {
    url: String,
    name: String,
}

impl TestDb {
    /// A database with all migrations applied.
    pub async fn new() -> Self {
        let admin = connect(&admin_url()).await;
        let template = template(&admin).await;
        Self::create(&admin, &format!("TEMPLATE \"{template}\"")).await
    }

    /// A database with nothing in it: for tests of the migrations themselves.
    pub async fn empty() -> Self {
        Self::create(&connect(&admin_url()).await, "").await
    }

    async fn create(admin: &Client, options: &str) -> Self {
        let name = format!(
            "kpiline_test_{}_{}",
            std::process::id(),
            Uuid::now_v7().simple()
        );
        admin
            .batch_execute(&format!("CREATE DATABASE \"{name}\" {options}"))
            .await
            .unwrap_or_else(|error| {
                panic!("the test database {name} cannot be created: {error:?}")
            });
        Self {
            url: with_database(&admin_url(), &name),
            name,
        }
    }

    /// How programs reach it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A store on it with a small pool.
    pub async fn store(&self) -> Store {
        self.store_with(4).await
    }

    /// A store on it with a pool of this size.
    pub async fn store_with(&self, pool_max: usize) -> Store {
        let config = StoreConfig {
            pool_max,
            ..StoreConfig::new(self.url(), "kpiline test")
        };
        Store::connect(config)
            .await
            .expect("the test database URL is valid")
    }

    /// A bare connection to it, for looking at rows as an outsider does.
    pub async fn client(&self) -> Client {
        connect(&self.url).await
    }
}

impl Drop for TestDb {
    /// Drops the database, whoever is still connected. A runtime of its own, because drop is not async; a failure is only told, since
    /// the test may be failing already.
    fn drop(&mut self) {
        let name = self.name.clone();
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(&admin_url(), NoTls).await?;
                drop(tokio::spawn(connection));
                client
                    .batch_execute(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"))
                    .await?;
                anyhow::Ok(())
            })
        });
        match dropping.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                eprintln!("the test database {} was not dropped: {error:#}", self.name);
            }
            Err(_) => eprintln!(
                "the test database {} was not dropped: the thread panicked",
                self.name
            ),
        }
    }
}

/// Makes sure that the template of these migrations exists.
async fn template(admin: &Client) -> String {
    let checksum = store::migrate::checksum();
    let name = format!("kpiline_template_{}", &checksum[..16]);
    if exists(admin, &name).await {
        return name;
    }
    let run = async |sql: String| {
        admin
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    };
    run(format!("SELECT pg_advisory_lock({LOCK})")).await;
    if !exists(admin, &name).await {
        let building = format!("{name}_building");
        run(format!(
            "DROP DATABASE IF EXISTS \"{building}\" WITH (FORCE)"
        ))
        .await;
        run(format!("CREATE DATABASE \"{building}\"")).await;
        store::migrate::run(&with_database(&admin_url(), &building))
            .await
            .unwrap_or_else(|error| panic!("the template cannot be migrated: {error:?}"));
        // Nobody may be connected to what is copied.
        run(format!(
            "ALTER DATABASE \"{building}\" WITH ALLOW_CONNECTIONS false"
        ))
        .await;
        rename(admin, &building, &name).await;
    }
    run(format!("SELECT pg_advisory_unlock({LOCK})")).await;
    name
}

/// Renames once the migration's connection is gone, which takes the server a moment after we closed it.
async fn rename(admin: &Client, from: &str, to: &str) {
    let sql = format!("ALTER DATABASE \"{from}\" RENAME TO \"{to}\"");
    let mut last = None;
    for _ in 0..200 {
        match admin.batch_execute(&sql).await {
            Ok(()) => return,
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{sql}: {last:?}");
}

async fn exists(admin: &Client, name: &str) -> bool {
    admin
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)",
            &[&name],
        )
        .await
        .expect("pg_database can be read")
        .get(0)
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap_or_else(|error| {
        panic!("no PostgreSQL for tests at KPILINE_TEST_DATABASE_URL (default {DEFAULT_URL}): {error:?}")
    });
    drop(tokio::spawn(connection));
    client
}

fn admin_url() -> String {
    std::env::var("KPILINE_TEST_DATABASE_URL").unwrap_or_else(|_| DEFAULT_URL.to_owned())
}

/// The URL with another database in it.
fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url
        .split_once('?')
        .map_or((url, None), |(base, query)| (base, Some(query)));
    let authority = base.find("://").map_or(0, |at| at + 3);
    let path = base[authority..]
        .find('/')
        .map_or(base.len(), |at| authority + at);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/{name}{query}", &base[..path])
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_is_replaced_and_the_rest_kept() {
        let cases = [
            (
                "postgres://u:p@h:1/x?sslmode=disable",
                "postgres://u:p@h:1/n?sslmode=disable",
            ),
            ("postgres://h/x", "postgres://h/n"),
            ("postgres://h", "postgres://h/n"),
            ("postgresql://h?a=b", "postgresql://h/n?a=b"),
        ];
        for (given, wanted) in cases {
            assert_eq!(with_database(given, "n"), wanted);
        }
    }
}
