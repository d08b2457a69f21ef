//! How to reach PostgreSQL.

use super::{check_hosts, check_scheme, positive_duration, with_files};
use crate::{Problems, Secret};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use tls::Files;

/// Flags for PostgreSQL.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "PostgreSQL")]
pub struct PostgresArgs {
    /// Where PostgreSQL is, such as postgres://user:password@host:5432/kpiline?sslmode=verify-full; without sslmode and --database-ca-file the
    /// connection is encrypted only if the server offers it, and the server is not verified. A primary and its standbys:
    /// postgres://user:password@one:5432,two:5432/kpiline?target_session_attrs=read-write; the one that is primary is found
    #[arg(
        long,
        env = "KPILINE_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub database_url: Option<Secret>,

    /// A file that holds the URL, instead of --database-url
    #[arg(long, env = "KPILINE_DATABASE_URL_FILE", value_name = "PATH")]
    pub database_url_file: Option<PathBuf>,

    /// The CA's certificates in PEM that PostgreSQL's must chain to, instead of the machine's; with it the connection is encrypted and the server
    /// verified, its name included (as sslrootcert in the URL). Read again for each connection
    #[arg(long, env = "KPILINE_DATABASE_CA_FILE", value_name = "PATH")]
    pub database_ca_file: Option<PathBuf>,

    /// Our certificate in PEM, where PostgreSQL asks for one (as sslcert in the URL)
    #[arg(long, env = "KPILINE_DATABASE_CLIENT_CERTIFICATE", value_name = "PATH")]
    pub database_client_certificate: Option<PathBuf>,

    /// Its private key in PEM (as sslkey in the URL)
    #[arg(long, env = "KPILINE_DATABASE_CLIENT_KEY", value_name = "PATH")]
    pub database_client_key: Option<PathBuf>,

    /// The most connections this process opens
    #[arg(
        long,
        env = "KPILINE_DATABASE_POOL_MAX",
        default_value_t = 8,
        value_name = "COUNT"
    )]
    pub database_pool_max: usize,

    /// The longest one statement may run
    #[arg(long, env = "KPILINE_DATABASE_STATEMENT_TIMEOUT", default_value = "30s",
          value_parser = positive_duration, value_name = "DURATION")]
    pub database_statement_timeout: Duration,

    /// The longest wait for a free connection
    #[arg(long, env = "KPILINE_DATABASE_ACQUIRE_TIMEOUT", default_value = "5s",
          value_parser = positive_duration, value_name = "DURATION")]
    pub database_acquire_timeout: Duration,
}

/// Checked settings for PostgreSQL. `Debug` hides the URL.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// The URL, with its password and the files of certificates.
    pub url: String,
    /// The most connections, at least 1.
    pub pool_max: usize,
    /// The longest one statement may run.
    pub statement_timeout: Duration,
    /// The longest wait for a free connection.
    pub acquire_timeout: Duration,
}

impl PostgresArgs {
    /// Checks the group. With problems noted the value is a placeholder that must not be used.
    pub fn resolve(&self, problems: &mut Problems) -> PostgresSettings {
        let url = Secret::required(
            "--database-url",
            self.database_url.as_ref(),
            self.database_url_file.as_deref(),
            problems,
        );
        if let Some(url) = &url {
            let schemes = ["postgres", "postgresql"];
            check_scheme("--database-url", url.expose(), &schemes, problems);
            check_hosts("--database-url", url.expose(), problems);
        }
        let files = Files {
            ca: self.database_ca_file.clone(),
            certificate: self.database_client_certificate.clone(),
            key: self.database_client_key.clone(),
        };
        let url = with_files(
            "database",
            url,
            ["sslrootcert", "sslcert", "sslkey"],
            &files,
            problems,
        );
        if !(1..=1000).contains(&self.database_pool_max) {
            problems.push(format!(
                "--database-pool-max: is {}, allowed are 1 to 1000",
                self.database_pool_max
            ));
        }
        PostgresSettings {
            url,
            pool_max: self.database_pool_max,
            statement_timeout: self.database_statement_timeout,
            acquire_timeout: self.database_acquire_timeout,
        }
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("url", &"***")
            .field("pool_max", &self.pool_max)
            .field("statement_timeout", &self.statement_timeout)
            .field("acquire_timeout", &self.acquire_timeout)
            .finish()
    }
}
