//! The targets file: where metrics are pushed to, which ones, how fast and as whom.
//!
//! ```toml
//! version = 1
//!
//! [[target]]
//! name = "genesys-main"
//! tenant = "acme"                           # whose metrics go there; no other's do
//! platform = "genesys-custom-report"        # or another kind of target, each with settings of its own: see `kinds`
//! base_url = "https://api.mypurecloud.de"
//! # path = "/api/v2/…"                      # else the platform's usual one
//! metrics = ["adjusted_aht", "handle_time"]
//! # versions = [1, 2]                       # else whatever is current
//! # grains = ["interaction"]                # of what: interaction, leg, agent_day; else all that the platform takes
//! # filter = "row.queue == 'sales'"         # which of these; see `target::filter`
//! # batch_max = 100                         # never above the platform's maximum
//! # concurrency = 4                         # requests under way at a time, in each process; all of them within the rate
//! not_before = "at_once"                    # or "settled"
//!
//! [target.credentials]
//! # grant = "client-credentials"            # or "access-key"; else the platform's usual one
//! token_url = "https://login.mypurecloud.de/oauth/token"
//! client_id = { env = "GENESYS_CLIENT_ID" } # a text, { value = … }, { env = … } or { file = … }
//! client_secret = { file = "genesys-secret" }
//!
//! [target.rate]                             # all optional; what these credentials may use, all processes together
//! requests = 240
//! period = "1m"
//! lapse = "1s"                              # how late a request may arrive after its turn; the longer, the slower the pace
//! # burst = 1                               # has no effect: all processes together go evenly
//!
//! [target.timeouts]                         # all optional
//! connect = "5s"
//! read = "20s"
//! total = "30s"
//!
//! [target.retry]                            # all optional
//! first = "1s"
//! longest = "5m"
//! breaker_failures = 5
//! breaker_cool_down = "5s"
//!
//! [delivery]                                # optional; of all targets
//! first = "history"                         # whose results go first: what backfill caused, or "live"
//! share = 0.8                               # of the requests, while both wait; the other lane has the rest
//! ```

mod kinds;
mod read;
#[cfg(test)]
mod tests;

pub(crate) use kinds::headers;

use crate::lanes::Order;
use platform::breaker;
use platform::client::Timeouts;
use platform::limit::Limit;
use platform::retry::Schedule;
use platform::secret::Secret;
use platform::token::Grant;
use runtime::toml_file::{self, secret::environment};
use schema::{Grain, MetricVersion, TenantId};
use std::path::Path;
use store::targets::NotBefore;
use target::{Adapter, Filter};
use url::Url;

/// One place metrics are pushed to.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name, which keys its rows in the store.
    pub name: String,
    /// The organisation whose metrics go there.
    pub tenant: TenantId,
    /// How requests are built and answers read.
    pub adapter: Adapter,
    /// Where its paths begin.
    pub url: Url,
    /// Metric names.
    pub metrics: Vec<String>,
    /// Versions; empty means the current one.
    pub versions: Vec<MetricVersion>,
    /// What the values it takes are of.
    pub grains: Vec<Grain>,
    /// Which of these; absent: all.
    pub filter: Option<Filter>,
    /// From when on a value may be pushed.
    pub not_before: NotBefore,
    /// Rows in one request.
    pub batch_max: usize,
    /// Requests of it that one process may have under way at a time.
    pub concurrency: usize,
    /// Whose rows go first.
    pub order: Order,
    /// What goes along with every request, by name.
    pub headers: Vec<(String, Secret)>,
    /// Where its token comes from.
    pub grant: Grant,
    /// Requests allowed to the credential.
    pub limit: Limit,
    /// Bounds of one request.
    pub timeouts: Timeouts,
    /// When a failed row goes again.
    pub schedule: Schedule,
    /// When the target is left alone.
    pub breaker: breaker::Policy,
}

impl Target {
    /// What its limit belongs to: client and token endpoint.
    #[must_use]
    pub fn credential(&self) -> String {
        self.grant.credential_name()
    }

    /// What its breaker is known by: the credential, and what is asked with it.
    #[must_use]
    pub fn breaker_name(&self) -> String {
        format!("{}/{}", self.credential(), self.adapter.name())
    }
}

/// Reads the file, or lists everything that is wrong with it.
pub fn load(path: &Path) -> Result<Vec<Target>, Vec<String>> {
    let file = toml_file::open(path).map_err(|problem| vec![problem])?;
    parse(&file.name, &file.text, file.folder, &environment)
}

/// Reads the text of a file; `folder` is what relative file names start from, `variable` looks up environment variables.
pub fn parse(
    name: &str,
    text: &str,
    folder: &Path,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Target>, Vec<String>> {
    read::targets(name, text, folder, variable)
}
