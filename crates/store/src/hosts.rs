//! Opening a connection where the URL names several servers: a primary and those that may take its place.
//!
//! The driver tries hosts in turn as well, but has no limit for all that may take long on one of them: a machine that is gone without a word
//! would use up the time there is, at every connection anew. Here each host has an equal share of the time, and what answered last is asked
//! first, or one that is drawn (`load_balance_hosts=random`). With `target_session_attrs=read-write` only the primary will do. One that only
//! reads (`default_transaction_read_only`) would be taken for a standby by the driver, so these ask the server for leave to write, once.

use crate::connect::Settings;
use crate::error::{Class, classify};
use crate::trust::Trust;
use deadpool_postgres::Connect;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{Host, LoadBalanceHosts, TargetSessionAttrs};
use tokio_postgres::{Client, Config, Error};

/// A connection and the task that drives it.
type Opened = (Client, JoinHandle<()>);

/// Opens connections to one of the servers.
pub(crate) struct Hosts {
    servers: Vec<Config>,
    trust: Trust,
    /// How long one of several servers may take.
    share: Duration,
    /// Whether a standby will not do for one that only reads.
    primary_only: bool,
    /// Whether the first to be asked is drawn.
    is_random: bool,
    /// Which server answered last.
    good: AtomicUsize,
}

impl Hosts {
    /// The servers of these settings. `within` is how long whoever waits for a connection waits.
    pub(crate) fn new(settings: &Settings, within: Duration, read_only: bool) -> Self {
        let config = &settings.config;
        let wants_primary = config.get_target_session_attrs() == TargetSessionAttrs::ReadWrite;
        let primary_only = read_only && wants_primary;
        let mut servers = one_each(config);
        if primary_only {
            for server in &mut servers {
                server.target_session_attrs(TargetSessionAttrs::Any);
            }
        }
        Self {
            trust: settings.trust.clone(),
            share: within / u32::try_from(servers.len().max(1)).unwrap_or(1),
            servers,
            primary_only,
            is_random: config.get_load_balance_hosts() == LoadBalanceHosts::Random,
            good: AtomicUsize::new(0),
        }
    }

    /// Opens a connection to the first server that will do. Where all are silent it does not end: whoever waits has a limit.
    pub(crate) async fn open(&self) -> Result<Opened, Error> {
        let count = self.servers.len();
        let first = if self.is_random && count > 1 {
            rand::random_range(0..count)
        } else {
            self.good.load(Ordering::Relaxed)
        };
        let mut failed: Option<Error> = None;
        for step in 0..count {
            let number = (first + step) % count;
            let Some(server) = self.servers.get(number) else {
                break;
            };
            let opening = self.open_one(server);
            let opened = if count == 1 {
                Ok(opening.await)
            } else {
                timeout(self.share, opening).await
            };
            match opened {
                Ok(Ok(opened)) => {
                    self.good.store(number, Ordering::Relaxed);
                    return Ok(opened);
                }
                // One that passes says more: a server that is starting, beside one that is not set up yet.
                Ok(Err(error)) if failed.as_ref().is_none_or(|before| !passes(before)) => {
                    failed = Some(error);
                }
                Ok(Err(_)) | Err(_) => {}
            }
        }
        match failed {
            Some(error) => Err(error),
            None => pending().await,
        }
    }

    /// A connection to this server, if it will do.
    async fn open_one(&self, server: &Config) -> Result<Opened, Error> {
        let (client, connection) = server.connect(self.trust.clone()).await?;
        // What ends the connection is reported to whoever waits for an answer on it.
        let task = tokio::spawn(async { drop(connection.await) });
        if self.primary_only {
            // A standby refuses it, in words that say what it is; a session that only reads may ask.
            client.batch_execute("BEGIN READ WRITE; ROLLBACK").await?;
        }
        Ok((client, task))
    }
}

fn passes(error: &Error) -> bool {
    classify(error) == Class::Transient
}

/// The settings once for each host, in the order in which they are stated.
fn one_each(config: &Config) -> Vec<Config> {
    let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
    let count = hosts.len().max(addresses.len());
    // What the driver has to judge by itself stays whole.
    let uneven = !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len();
    let ports = config.get_ports();
    if count < 2 || uneven || (ports.len() > 1 && ports.len() != count) {
        return vec![config.clone()];
    }
    (0..count)
        .map(|number| {
            let mut one = without_hosts(config);
            match hosts.get(number) {
                Some(Host::Tcp(host)) => {
                    one.host(host.clone());
                }
                Some(Host::Unix(path)) => {
                    one.host_path(path);
                }
                None => {}
            }
            if let Some(address) = addresses.get(number) {
                one.hostaddr(*address);
            }
            if let Some(port) = ports.get(number).or_else(|| ports.first()) {
                one.port(*port);
            }
            one
        })
        .collect()
}

/// Everything else that a configuration states: the driver can add hosts to one, and take none away.
fn without_hosts(config: &Config) -> Config {
    let mut one = Config::new();
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(name) = config.get_dbname() {
        one.dbname(name);
    }
    if let Some(options) = config.get_options() {
        one.options(options);
    }
    if let Some(name) = config.get_application_name() {
        one.application_name(name);
    }
    if let Some(limit) = config.get_connect_timeout() {
        one.connect_timeout(*limit);
    }
    if let Some(limit) = config.get_tcp_user_timeout() {
        one.tcp_user_timeout(*limit);
    }
    one.keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle());
    if let Some(interval) = config.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one.ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .target_session_attrs(config.get_target_session_attrs());
    one
}

impl Connect for Hosts {
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<Opened, Error>> + Send + '_>> {
        Box::pin(self.open())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(url: &str) -> Vec<Config> {
        one_each(&url.parse().unwrap())
    }

    #[test]
    fn each_host_has_a_configuration_with_all_that_was_stated() {
        let all = "postgres://u:p@one:5433,two,three:5435/d?target_session_attrs=read-write&sslmode=require\
                   &connect_timeout=3&application_name=x&options=-c%20a%3Db&keepalives_idle=7&keepalives_retries=2\
                   &keepalives_interval=4&tcp_user_timeout=9&channel_binding=require";
        let found = hosts(all);
        let wanted: Vec<Config> = [("one", 5433), ("two", 5432), ("three", 5435)]
            .map(|(host, port)| {
                let url = all.replace("one:5433,two,three:5435", &format!("{host}:{port}"));
                url.parse().unwrap()
            })
            .into();
        assert_eq!(found, wanted);
    }

    #[test]
    fn one_host_and_what_the_driver_has_to_judge_stay_whole() {
        for url in ["postgres://u@one/d", "postgres:///d?host=/run/postgresql"] {
            assert_eq!(hosts(url), [url.parse().unwrap()], "{url}");
        }
        let one_port = hosts("host=one,two port=5433 dbname=d");
        let ports: Vec<_> = one_port
            .iter()
            .map(|one| one.get_ports().to_vec())
            .collect();
        assert_eq!(ports, [[5433], [5433]]);
    }
}
