//! The connection settings. Several hosts are tried in turn, see [`crate::hosts`]; the one with the primary is found by
//! `target_session_attrs=read-write`.

use crate::error::StoreError;
use crate::hosts::Hosts;
use crate::trust::{self, Trust};
use std::time::Duration;
use tokio_postgres::{Client, Config};

/// How to reach the server, and whom to take for it.
#[derive(Clone)]
pub(crate) struct Settings {
    /// The driver's settings.
    pub(crate) config: Config,
    /// The TLS side.
    pub(crate) trust: Trust,
}

/// Reads the URL and fills in what it leaves open: every wait gets an end.
pub(crate) fn settings(
    url: &str,
    application: &str,
    session: &[(&str, String)],
) -> Result<Settings, StoreError> {
    let (url, trust) = trust::read(url)?;
    let mut config: Config = url.parse().map_err(|error| StoreError::Url {
        why: without_values(&error),
    })?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(5));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(20));
    }
    config.keepalives_idle(Duration::from_secs(30));
    if config.get_application_name().is_none() {
        config.application_name(application);
    }
    // JIT costs many milliseconds on plans over partitions and never pays here. Read committed, whatever the server's default: a
    // statement must see what was committed while the one before it waited for a lock.
    let mut options = String::from(
        "-c TimeZone=UTC -c jit=off -c default_transaction_isolation=read\\ committed",
    );
    for (name, value) in session {
        options.push_str(" -c ");
        options.push_str(name);
        options.push('=');
        options.push_str(value);
    }
    if let Some(given) = config.get_options() {
        options.push(' ');
        options.push_str(given);
    }
    config.options(options);
    Ok(Settings { config, trust })
}

/// What is wrong with a URL. The driver's words name parameters, and where a password holds a `?` or `@` that is not written `%3F` or `%40`, a
/// part of it looks like one.
fn without_values(error: &tokio_postgres::Error) -> &'static str {
    const KNOWN: [&str; 4] = [
        "port",
        "connect_timeout",
        "keepalives_idle",
        "target_session_attrs",
    ];
    let text = std::error::Error::source(error).map_or_else(String::new, ToString::to_string);
    KNOWN
        .iter()
        .find(|name| text == format!("invalid value for option `{name}`"))
        .copied()
        .unwrap_or("its form: what stands for itself in user, password or a parameter must be written as %3F, %40, %2F and so on")
}

/// How long opening a connection may take in all, TLS and authentication included.
const OPEN: Duration = Duration::from_secs(10);

/// Opens one connection outside any pool. Its driver task ends with the client.
pub(crate) async fn single(settings: &Settings) -> Result<Client, StoreError> {
    tokio::time::timeout(OPEN, open(settings))
        .await
        .map_err(|_| StoreError::Deadline {
            step: "open a connection",
            within_ms: OPEN.as_millis(),
        })?
}

async fn open(settings: &Settings) -> Result<Client, StoreError> {
    let hosts = Hosts::new(settings, OPEN, false);
    let (client, _) = hosts.open().await.map_err(StoreError::connect)?;
    Ok(client)
}
