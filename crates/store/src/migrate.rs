//! Applies the migration files, under a lock, once each.

mod files;

pub use files::{FILES, File, checksum};

use crate::connect;
use crate::error::StoreError;
use crate::partitions;
use crate::pool::{Connection, Store};
use crate::sql::{self, Sql};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// Serialises migrating processes. Any constant does; this one spells "kpiline".
const LOCK: i64 = 0x006b_7069_6c69_6e65;
/// How long to pause before asking for it once more.
const ASK_AGAIN: Duration = Duration::from_millis(50);

const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version     integer     PRIMARY KEY,
    name        text        NOT NULL,
    checksum    text        NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
)";

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The files applied by this run.
    pub applied: Vec<&'static str>,
    /// How many had been applied before.
    pub already: usize,
    /// Months of partitions created.
    pub months: usize,
    /// The binaries' roles, and what was done about each.
    pub roles: Vec<Role>,
}

/// The role of a binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its whole name.
    pub name: String,
    /// What there is of it.
    pub state: RoleState,
}

/// What there is of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleState {
    /// It was there, and has the rights of now.
    Granted,
    /// It was made, and has the rights of now. It has no password yet.
    Made,
    /// There is none.
    Missing,
}

/// Which roles get rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// What their names begin with.
    pub prefix: String,
    /// Whether those that are missing are made.
    pub create: bool,
}

impl Default for Roles {
    fn default() -> Self {
        Self {
            prefix: "kpiline".to_owned(),
            create: false,
        }
    }
}

impl Report {
    /// What was done about the roles, for people; empty where there is nothing to say.
    #[must_use]
    pub fn about_roles(&self) -> String {
        let of = |state| {
            let names: Vec<&str> = self
                .roles
                .iter()
                .filter(|role| role.state == state)
                .map(|role| role.name.as_str())
                .collect();
            names.join(", ")
        };
        let mut lines = Vec::new();
        for (state, text) in [
            (
                RoleState::Made,
                "roles made, which need a password or a certificate to log in",
            ),
            (RoleState::Granted, "rights given to"),
            (
                RoleState::Missing,
                "roles that do not exist (--create-roles makes them)",
            ),
        ] {
            let names = of(state);
            if !names.is_empty() {
                lines.push(format!("{text}: {names}"));
            }
        }
        lines.join("\n")
    }
}

/// What the database has and what this binary needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaState {
    /// The newest version applied; 0 where nothing is.
    pub applied: i32,
    /// The newest version this binary carries.
    pub required: i32,
    /// Whether this binary can work: a newer schema is fine.
    pub ready: bool,
}

/// Brings the database up to this binary's schema and makes sure that months of partitions exist ahead.
///
/// Idempotent, and safe from several processes at once: they wait for one another. Fails without applying anything further
/// when an applied file differs from the one carried here.
pub async fn run(url: &str) -> Result<Report, StoreError> {
    run_with(url, &Roles::default()).await
}

/// As [`run`], with rights for the roles of this prefix.
pub async fn run_with(url: &str, roles: &Roles) -> Result<Report, StoreError> {
    run_all(url, FILES, roles).await
}

/// As [`run`], with these files. For tests of the mechanism.
#[doc(hidden)]
pub async fn run_files(url: &str, files: &'static [File]) -> Result<Report, StoreError> {
    run_all(url, files, &Roles::default()).await
}

async fn run_all(url: &str, files: &'static [File], roles: &Roles) -> Result<Report, StoreError> {
    let settings = connect::settings(
        url,
        "kpiline migrate",
        // A file waits for other transactions' locks only so long: waiting, it would stop everyone behind it.
        &[
            ("statement_timeout", "0".into()),
            ("lock_timeout", "60s".into()),
        ],
    )?;
    let mut client = connect::single(&settings).await?;
    wait_for_others(&client).await?;
    step(
        "create schema_migrations",
        client.batch_execute(TABLE).await,
    )?;
    let known = applied(&client).await?;
    let mut report = Report {
        applied: Vec::new(),
        already: 0,
        months: 0,
        roles: Vec::new(),
    };
    for file in files {
        if let Some((name, checksum)) = known.get(&file.version) {
            unchanged(file, name, checksum)?;
            report.already += 1;
        } else {
            apply(&mut client, file)
                .await
                .map_err(|source| StoreError::Migration {
                    version: file.version,
                    name: file.name,
                    source,
                })?;
            report.applied.push(file.name);
        }
    }
    if files.len() == FILES.len() {
        report.months = partitions::create_ahead(&client, partitions::MONTHS_AHEAD).await?;
        report.roles = grant(&mut client, roles).await?;
    }
    Ok(report)
}

/// Gives the roles that exist exactly their rights. Every run does, so that roles that were made meanwhile have them too.
async fn grant(client: &mut Client, roles: &Roles) -> Result<Vec<Role>, StoreError> {
    const STEP: &str = "give the binaries' roles their rights";
    const CREATE: &str = "make the binaries' roles";
    let tx = step(STEP, client.transaction().await)?;
    let look = async || {
        let rows = step(
            STEP,
            tx.query(
                "SELECT role_name, is_there FROM kpiline_grant($1)",
                &[&roles.prefix],
            )
            .await,
        )?;
        let read = |row: &tokio_postgres::Row| -> Result<(String, bool), tokio_postgres::Error> {
            Ok((row.try_get(0)?, row.try_get(1)?))
        };
        step(STEP, rows.iter().map(read).collect::<Result<Vec<_>, _>>())
    };
    let mut found = look().await?;
    let mut made = Vec::new();
    if roles.create {
        for (name, _) in found.iter().filter(|(_, is_there)| !is_there) {
            // The prefix may be anything here, so the server quotes it.
            let quoted = step(
                CREATE,
                tx.query_one("SELECT format('CREATE ROLE %I LOGIN', $1::text)", &[name])
                    .await,
            )?;
            let create: String = step(CREATE, quoted.try_get(0))?;
            if let Err(source) = tx.batch_execute(&create).await {
                return Err(
                    if source.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
                        StoreError::MayNotCreateRoles { source }
                    } else {
                        StoreError::query(CREATE, source)
                    },
                );
            }
            made.push(name.clone());
        }
        if !made.is_empty() {
            found = look().await?;
        }
    }
    step(STEP, tx.commit().await)?;
    Ok(found
        .into_iter()
        .map(|(name, is_there)| Role {
            state: match (is_there, made.contains(&name)) {
                (true, true) => RoleState::Made,
                (true, false) => RoleState::Granted,
                (false, _) => RoleState::Missing,
            },
            name,
        })
        .collect())
}

/// Takes the lock that lets one process migrate at a time. Held by the session: ends with the connection, whatever happens.
///
/// Asks again and again instead of waiting in the server: a statement that waits holds a snapshot, and the colleague we wait for may be
/// building an index beside the writers, which waits for every older snapshot to go.
async fn wait_for_others(client: &Client) -> Result<(), StoreError> {
    loop {
        let row = step(
            "wait for other migrations",
            client
                .query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK])
                .await,
        )?;
        if step("wait for other migrations", row.try_get(0))? {
            return Ok(());
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

fn step<T>(step: &'static str, result: Result<T, tokio_postgres::Error>) -> Result<T, StoreError> {
    result.map_err(|source| StoreError::query(step, source))
}

async fn applied(client: &Client) -> Result<BTreeMap<i32, (String, String)>, StoreError> {
    let rows = step(
        "read schema_migrations",
        client
            .query("SELECT version, name, checksum FROM schema_migrations", &[])
            .await,
    )?;
    Ok(rows
        .iter()
        .map(|row| (row.get(0), (row.get(1), row.get(2))))
        .collect())
}

fn unchanged(file: &File, name: &str, checksum: &str) -> Result<(), StoreError> {
    let carried = file.checksum();
    if carried == checksum {
        return Ok(());
    }
    Err(StoreError::ChecksumChanged {
        version: file.version,
        name: name.to_owned(),
        applied: checksum.to_owned(),
        carried,
    })
}

async fn apply(client: &mut Client, file: &File) -> Result<(), tokio_postgres::Error> {
    const NOTE: &str =
        "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)";
    let checksum = file.checksum();
    if file.in_transaction() {
        let tx = client.transaction().await?;
        tx.batch_execute(file.text).await?;
        tx.execute(NOTE, &[&file.version, &file.name, &checksum])
            .await?;
        tx.commit().await
    } else {
        // Building an index beside the writers waits for older transactions and stops nobody meanwhile; 0035 waits for those of a month at a time.
        client.batch_execute("SET lock_timeout = 0").await?;
        drop_broken_indexes(client, file).await?;
        client.batch_execute(file.text).await?;
        client.batch_execute("RESET lock_timeout").await?;
        client
            .execute(NOTE, &[&file.version, &file.name, &checksum])
            .await
            .map(drop)
    }
}

/// An index whose building was interrupted stays, is kept up and never used, and hides from `IF NOT EXISTS` that it must be built again.
/// Only those that the file names: others are somebody else's, who may be building one right now.
async fn drop_broken_indexes(client: &Client, file: &File) -> Result<(), tokio_postgres::Error> {
    let rows = client
        .query(
            "SELECT format('DROP INDEX CONCURRENTLY %I.%I', n.nspname, c.relname) FROM pg_index i \
             JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE NOT i.indisvalid AND c.relkind = 'i' AND n.nspname = current_schema() AND position(c.relname::text in $1) > 0",
            &[&file.text],
        )
        .await?;
    for row in &rows {
        client.batch_execute(row.try_get(0)?).await?;
    }
    Ok(())
}

static TABLE_EXISTS: Sql = Sql {
    step: "look for schema_migrations",
    text: "SELECT to_regclass('schema_migrations') IS NOT NULL",
};

static NEWEST: Sql = Sql {
    step: "read the schema's version",
    text: "SELECT coalesce(max(version), 0) FROM schema_migrations",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&TABLE_EXISTS, &NEWEST];

/// What the database has and what this binary needs. An empty database is no error.
pub async fn state(store: &Store) -> Result<SchemaState, StoreError> {
    state_on(&store.client().await?).await
}

async fn state_on(conn: &impl Connection) -> Result<SchemaState, StoreError> {
    let required = FILES.last().map_or(0, |file| file.version);
    let exists: bool = sql::get(
        &sql::query_one(conn, &TABLE_EXISTS, &[]).await?,
        &TABLE_EXISTS,
        0,
    )?;
    let applied: i32 = if exists {
        sql::get(&sql::query_one(conn, &NEWEST, &[]).await?, &NEWEST, 0)?
    } else {
        0
    };
    Ok(SchemaState {
        applied,
        required,
        ready: applied >= required,
    })
}
