//! What a file says of one platform, subscription or target with the same words whichever file it is: credentials, rate, time-outs,
//! retries.
//!
//! ```toml
//! [platform.credentials]
//! grant = "client-credentials"              # or "access-key"
//! token_url = "https://login.example.com/oauth/token"
//! client_id = { env = "CLIENT_ID" }         # a text, { value = … }, { env = … } or { file = … }
//! client_secret = { file = "client-secret" }
//!
//! [platform.rate]                           # what these credentials may use, all processes together
//! requests = 240
//! period = "1m"
//! burst = 1                                 # where a process keeps the limit alone; all together go evenly
//! lapse = "1s"                              # how late a request may arrive after its turn
//!
//! [platform.timeouts]
//! connect = "5s"
//! read = "20s"
//! total = "30s"
//!
//! [platform.retry]
//! first = "1s"
//! longest = "5m"
//! breaker_failures = 5
//! breaker_cool_down = "5s"
//! ```
//!
//! What is usual where nothing is said is the caller's. Every problem is noted in the file, and then what was read is of no use.

mod address;
mod credentials;
#[cfg(test)]
mod tests;

pub use address::{Query, http_url};
pub use credentials::{GrantKind, token_endpoint};

use platform::breaker;
use platform::client::Timeouts;
use platform::limit::Limit;
use platform::retry::Schedule;
use runtime::toml_file::{Section, TomlFile};
use std::collections::BTreeMap;

/// More failures in a row than this are no breaker.
const BREAKER_FAILURES_MAX: u32 = 1000;

/// One entry of a file.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'t> {
    /// How its tables are called in the file: `platform` where they are `[platform.rate]`.
    pub name: &'static str,
    /// Its members.
    pub section: Section<'t>,
}

impl Entry<'_> {
    /// The table `rate`. `None` where it cannot be kept, or where nothing is usual.
    pub fn limit(&self, file: &mut TomlFile<'_>, usual: Option<Limit>) -> Option<Limit> {
        let Some(table) = file.section(self.section, "rate") else {
            return usual;
        };
        file.only(table, &["requests", "period", "burst", "lapse"]);
        let requests = file.count(table, "requests", u32::MAX - 1);
        let period = file.duration(table, "period");
        let burst = file.count(table, "burst", u32::MAX - 1);
        let lapse = file.duration(table, "lapse");
        let usual = usual?;
        let mut limit = Limit::new(
            requests.unwrap_or(usual.requests),
            period.unwrap_or(usual.period),
            burst.unwrap_or(usual.burst),
        );
        limit.lapse = lapse.unwrap_or(limit.lapse);
        match limit.refill() {
            Ok(_) => Some(limit),
            Err(error) => {
                file.problem(table.at, format_args!("[{}.rate]: {error}", self.name));
                None
            }
        }
    }

    /// The table `timeouts`.
    pub fn timeouts(&self, file: &mut TomlFile<'_>, usual: Timeouts) -> Timeouts {
        let Some(table) = file.section(self.section, "timeouts") else {
            return usual;
        };
        file.only(table, &["connect", "read", "total"]);
        let mut span = |key, usual| file.duration(table, key).unwrap_or(usual);
        let timeouts = Timeouts {
            connect: span("connect", usual.connect),
            read: span("read", usual.read),
            total: span("total", usual.total),
        };
        if timeouts.total < timeouts.connect {
            file.problem(table.at, "`total` is shorter than `connect`");
        }
        timeouts
    }

    /// The table `retry`: when a failed request goes again, and when nothing is sent for a while.
    pub fn retry(&self, file: &mut TomlFile<'_>) -> (Schedule, breaker::Policy) {
        let (mut schedule, mut policy) = (Schedule::default(), breaker::Policy::default());
        let Some(table) = file.section(self.section, "retry") else {
            return (schedule, policy);
        };
        file.only(
            table,
            &["first", "longest", "breaker_failures", "breaker_cool_down"],
        );
        let mut span = |key| file.duration(table, key);
        schedule.first = span("first").unwrap_or(schedule.first);
        schedule.longest = span("longest").unwrap_or(schedule.longest);
        if let Some(cool_down) = span("breaker_cool_down") {
            policy.cool_down = cool_down;
            policy.longest = policy.longest.max(cool_down);
        }
        if let Some(failures) = file.count(table, "breaker_failures", BREAKER_FAILURES_MAX) {
            policy.failures = failures;
        }
        if schedule.longest < schedule.first {
            file.problem(table.at, "`longest` is shorter than `first`");
        }
        (schedule, policy)
    }
}

/// The limits of the credentials of a file: each has one, however many entries use it.
#[derive(Debug, Default)]
pub struct Limits(BTreeMap<String, Limit>);

impl Limits {
    /// Takes note of an entry's, which has to be the one that the credential has already.
    pub fn note(
        &mut self,
        file: &mut TomlFile<'_>,
        entry: Entry<'_>,
        credential: &str,
        limit: Limit,
    ) {
        let known = self.0.entry(credential.to_owned()).or_insert(limit);
        if *known != limit {
            let name = entry.name;
            file.problem(
                entry.section.at,
                format_args!(
                    "another {name} has the same credentials and another [{name}.rate]; the limit belongs to the credential"
                ),
            );
        }
    }
}
