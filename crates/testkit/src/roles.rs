//! Database roles of a test's own, with the rights of the real ones.
//!
//! Roles belong to the server and not to the database, so their names begin with a prefix that no other test has.

use crate::TestDb;
use crate::proxy::host_range;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// The roles, without the prefix.
pub const ROLES: [&str; 7] = [
    "ingest",
    "compute",
    "backfill",
    "deliver",
    "read",
    "erase",
    "retention",
];

const PASSWORD: &str = "of-a-test";

/// Roles of a prefix; dropped with the value, which is to go before its database.
#[derive(Debug)]
pub struct TestRoles {
    url: String,
    prefix: String,
}

impl TestRoles {
    /// A prefix, and no role yet.
    #[must_use]
    pub fn none(db: &TestDb) -> Self {
        Self {
            url: db.url().to_owned(),
            prefix: format!("kpt_{}", Uuid::now_v7().simple()),
        }
    }

    /// All roles, with the rights that `migrate` gives.
    pub async fn granted(db: &TestDb) -> Self {
        let roles = Self::none(db);
        let client = db.client().await;
        for role in ROLES {
            roles.make(&client, role, "").await;
        }
        client
            .query("SELECT kpiline_grant($1)", &[&roles.prefix])
            .await
            .expect("give the roles their rights");
        roles
    }

    /// One role that may log in.
    pub async fn make(&self, client: &Client, role: &str, options: &str) {
        let sql = format!(
            "CREATE ROLE {} LOGIN {options} PASSWORD '{PASSWORD}'",
            self.name(role)
        );
        client.batch_execute(&sql).await.expect("make a role");
    }

    /// What their names begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The whole name of one.
    #[must_use]
    pub fn name(&self, role: &str) -> String {
        format!("{}_{role}", self.prefix)
    }

    /// How one logs in.
    #[must_use]
    pub fn url(&self, role: &str) -> String {
        let (start, _) = host_range(&self.url);
        let scheme = self.url.find("://").map_or(0, |at| at + 3);
        format!(
            "{}{}:{PASSWORD}@{}",
            &self.url[..scheme],
            self.name(role),
            &self.url[start..]
        )
    }
}

impl Drop for TestRoles {
    /// A thread with a runtime of its own, as for databases.
    fn drop(&mut self) {
        let (url, prefix) = (self.url.clone(), self.prefix.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
                drop(tokio::spawn(connection));
                let named = format!("{prefix}\\_%");
                let rows = client
                    .query(
                        "SELECT rolname::text FROM pg_roles WHERE rolname LIKE $1",
                        &[&named],
                    )
                    .await?;
                for row in rows {
                    let role: String = row.get(0);
                    // Whatever it owns or may here goes first.
                    let sql = format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}");
                    client.batch_execute(&sql).await?;
                }
                anyhow::Ok(())
            })
        });
        match dropping.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("roles {}_* are left behind: {error:#}", self.prefix),
            Err(_) => eprintln!(
                "roles {}_* are left behind: the thread panicked",
                self.prefix
            ),
        }
    }
}
