//! The way to the database for commands: settings checked, schema looked at, no log, and errors that say which database it was.

use anyhow::bail;
use clap::{ArgMatches, Args, Command, FromArgMatches, Id};
use runtime::Problems;
use runtime::args::PostgresArgs;
use std::ops::Deref;
use std::time::Duration;
use store::{Store, StoreConfig, StoreError, migrate};

/// The flag that says how long a statement may run.
const TIMEOUT_FLAG: &str = "--database-statement-timeout";
/// What the flag is where nobody gives it: counting through a large database takes minutes, and whoever asks for it waits.
const READING: &str = "10m";
/// The longest that a statement may run while evaluations wait for its transaction. Those statements write a few rows.
const CHANGING: Duration = Duration::from_secs(30);

/// The flags for PostgreSQL, with more patience than the services have.
#[derive(Debug, Clone)]
pub struct DatabaseArgs(PostgresArgs);

impl Deref for DatabaseArgs {
    type Target = PostgresArgs;

    fn deref(&self) -> &PostgresArgs {
        &self.0
    }
}

impl FromArgMatches for DatabaseArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        PostgresArgs::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl Args for DatabaseArgs {
    fn augment_args(command: Command) -> Command {
        patient(PostgresArgs::augment_args(command))
    }

    fn augment_args_for_update(command: Command) -> Command {
        patient(PostgresArgs::augment_args_for_update(command))
    }

    fn group_id() -> Option<Id> {
        PostgresArgs::group_id()
    }
}

fn patient(command: Command) -> Command {
    command.mut_arg("database_statement_timeout", |flag| {
        flag.default_value(READING)
    })
}

/// Whether a database is named at all.
pub(super) fn is_named(args: &PostgresArgs) -> bool {
    args.database_url.is_some() || args.database_url_file.is_some()
}

/// A pool on the database to read from, once it is known that its schema is this release's.
pub(super) async fn open(args: &PostgresArgs) -> anyhow::Result<Store> {
    connect(args, Duration::MAX).await
}

/// The same to change the catalogue by: no statement keeps evaluations waiting for long.
pub(super) async fn open_to_change(args: &PostgresArgs) -> anyhow::Result<Store> {
    connect(args, CHANGING).await
}

async fn connect(args: &PostgresArgs, statement_most: Duration) -> anyhow::Result<Store> {
    let mut problems = Problems::new();
    let postgres = args.resolve(&mut problems);
    problems.into_result()?;
    let store = Store::connect(StoreConfig {
        pool_max: postgres.pool_max,
        acquire_timeout: postgres.acquire_timeout,
        statement_timeout: postgres.statement_timeout.min(statement_most),
        whole_tables: true,
        ..StoreConfig::new(&postgres.url, "kpiline compute kpi")
    })
    .await?;
    if !migrate::state(&store).await?.ready {
        bail!(
            "the schema of {} is not the one of this release; run `compute migrate` first",
            place(&postgres.url)
        );
    }
    Ok(store)
}

/// The error with what an operator needs beside it: which database it was, and the flag to give where time was too short.
pub(super) fn located(error: anyhow::Error, args: Option<&DatabaseArgs>) -> anyhow::Error {
    let Some(cause) = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<StoreError>())
    else {
        return error;
    };
    let is_of_database = matches!(
        cause,
        StoreError::Connect(_)
            | StoreError::Pool(_)
            | StoreError::PoolExhausted { .. }
            | StoreError::Query { .. }
            | StoreError::Deadline { .. }
    );
    let Some(args) = args.filter(|_| is_of_database) else {
        return error;
    };
    // Whatever is wrong with the settings was said before there was a connection.
    let place = place(&args.resolve(&mut Problems::new()).url);
    let advice = match cause.sqlstate() {
        // Cancelled, by the server's own clock but for rare cases.
        Some("57014") => too_short(),
        Some("55P03") => {
            ": it waited too long for evaluations under way, or for somebody else's change; try again"
                .to_owned()
        }
        _ if matches!(cause, StoreError::Deadline { .. }) => too_short(),
        _ => String::new(),
    };
    error.context(format!("{place}{advice}"))
}

fn too_short() -> String {
    format!(
        ": that takes longer than {TIMEOUT_FLAG} allows; give it more, such as {TIMEOUT_FLAG} 1h"
    )
}

/// Host, port and database of a URL: `PostgreSQL at 127.0.0.1:5432, database kpiline`. Never a part of a password: a URL in which it
/// is not certain where that ends stays unnamed.
fn place(url: &str) -> String {
    const UNNAMED: &str = "PostgreSQL";
    let Some((_, rest)) = url.split_once("://") else {
        return UNNAMED.to_owned();
    };
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    if query.contains('@') {
        return UNNAMED.to_owned();
    }
    let asked = |name: &str| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    };
    let address = address
        .rsplit_once('@')
        .map_or(address, |(_, behind)| behind);
    let (hosts, database) = address.split_once('/').unwrap_or((address, ""));
    let host = asked("host").unwrap_or(hosts);
    let mut text = match (host, asked("port")) {
        ("", _) => UNNAMED.to_owned(),
        (host, Some(port)) => format!("{UNNAMED} at {host}:{port}"),
        (host, None) if host.contains(':') || host.starts_with('/') || host.starts_with('%') => {
            format!("{UNNAMED} at {host}")
        }
        (host, None) => format!("{UNNAMED} at {host}:5432"),
    };
    let database = asked("dbname").unwrap_or(database);
    if !database.is_empty() {
        text.push_str(", database ");
        text.push_str(database);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_by_host_port_and_name() {
        for (url, named) in [
            (
                "postgres://127.0.0.1:1/x",
                "PostgreSQL at 127.0.0.1:1, database x",
            ),
            (
                "postgresql://kpiline:secret@db.example/kpis?sslmode=require",
                "PostgreSQL at db.example:5432, database kpis",
            ),
            (
                "postgres://u:secret@[::1]:5433/d",
                "PostgreSQL at [::1]:5433, database d",
            ),
            (
                "postgres:///d?host=/var/run/postgresql&user=u",
                "PostgreSQL at /var/run/postgresql, database d",
            ),
            ("postgres://h", "PostgreSQL at h:5432"),
        ] {
            assert_eq!(place(url), named, "{url}");
        }
    }

    #[test]
    fn no_part_of_a_password_is_ever_named() {
        for url in [
            "postgres://u:geheim@h/d",
            "postgres://u:ge/heim@h/d",
            "postgres://u:ge?heim@h/d",
            "postgres://u:ge@heim@h/d",
            "postgres://u:ge@h?eim@h/d",
            "postgres://h/d?user=u&password=geheim",
            "postgres://h/d?password=ge@heim",
            "geheim",
        ] {
            let named = place(url);
            assert!(
                !named.contains("heim") && !named.contains("ge"),
                "{url}: {named}"
            );
        }
    }
}
