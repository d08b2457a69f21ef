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
mod view;

pub use amqp::{AmqpArgs, AmqpSettings};
pub use attributes::AttributeArgs;
pub use customers::CustomerArgs;
pub use ops::{LogFormat, OpsArgs};
pub use output::Output;
pub use postgres::{PostgresArgs, PostgresSettings};
pub use raw_keys::RawKeyArgs;
pub use view::ViewArgs;

use crate::Problems;
use std::time::Duration;

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

#[cfg(test)]
mod tests;
