//! The flags that several binaries share, as groups to flatten into a binary's own arguments.
//!
//! Every flag has an environment variable of the same name: `--queue-prefix` is `KPILINE_QUEUE_PREFIX`. There is one prefix for the
//! product, none for a binary, so that all binaries can read one set of variables. `resolve` checks and converts: what it returns
//! can be used without further checks, and what is wrong lands in [`Problems`].

mod amqp;
mod attributes;
mod customers;
mod ops;
mod output;
mod postgres;
mod raw_keys;
mod roles;
mod view;

pub use amqp::{AmqpArgs, AmqpSettings};
pub use attributes::AttributeArgs;
pub use customers::CustomerArgs;
pub use ops::{LogFormat, OpsArgs};
pub use output::Output;
pub use postgres::{PostgresArgs, PostgresSettings};
pub use raw_keys::RawKeyArgs;
pub use roles::RoleArgs;
pub use view::ViewArgs;

use crate::{Problems, Secret};
use std::time::Duration;
use tls::Files;

/// Reads a duration such as `250ms`, `30s` or `2h`; refuses zero.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("must be longer than zero".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; write it as 250ms, 30s or 2h")),
    }
}

/// Notes a problem unless the URL has one of the schemes. The URL may hold a password: it is not repeated.
fn check_scheme(name: &str, url: &str, schemes: &[&str], problems: &mut Problems) {
    let known = schemes.iter().any(|scheme| {
        url.strip_prefix(scheme)
            .is_some_and(|rest| rest.starts_with("://"))
    });
    if !known {
        let allowed: Vec<_> = schemes
            .iter()
            .map(|scheme| format!("{scheme}://"))
            .collect();
        problems.push(format!("{name}: must start with {}", allowed.join(" or ")));
    }
}

/// Notes a problem where one of several hosts is empty: it would mean this machine.
fn check_hosts(name: &str, url: &str, problems: &mut Problems) {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let hosts = authority.rsplit('@').next().unwrap_or_default();
    if hosts.contains(',') && hosts.split(',').any(str::is_empty) {
        problems.push(format!("{name}: a host between commas is empty"));
    }
}

/// The URL with the files that flags name in its query, under the server's own names, so that it says everything by itself. What is wrong with
/// the files is found here and not at the first connection.
fn with_files(
    group: &str,
    url: Option<Secret>,
    names: [&str; 3],
    files: &Files,
    problems: &mut Problems,
) -> String {
    let Some(url) = url else {
        return String::new();
    };
    let flags = [
        ("ca-file", &files.ca),
        ("client-certificate", &files.certificate),
        ("client-key", &files.key),
    ];
    let said = tls::take(url.expose(), &names).values;
    let mut url = url.expose().to_owned();
    let mut clear = true;
    for (((flag, path), name), said) in flags.into_iter().zip(names).zip(said) {
        let Some(path) = path else { continue };
        if said.is_some() {
            problems.push(format!(
                "--{group}-{flag}: the URL has {name}; give one of them, not both"
            ));
            clear = false;
        }
        url = tls::add(&url, name, path);
    }
    if clear
        && !files.is_empty()
        && let Err(error) = files.client_config()
    {
        problems.push(format!("--{group}-ca-file and its kind: {error}"));
    }
    url
}

#[cfg(test)]
mod tests;
