//! The targets file: where metrics are pushed to, which ones, how fast and as whom.
//!
//! ```toml
//! version = 1
//!
//! [[target]]
//! name = "genesys-main"
//! tenant = "acme"                           # whose metrics go there; no other's do
//! platform = "genesys-custom-report"        # or "cxone-import"
//! base_url = "https://api.mypurecloud.de"
//! # path = "/api/v2/…"                      # else the platform's usual one
//! metrics = ["adjusted_aht", "handle_time"]
//! # versions = [1, 2]                       # else whatever is current
//! # batch_max = 100                         # never above the platform's maximum
//! not_before = "at_once"
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
//! ```

mod read;
#[cfg(test)]
mod tests;

use platform::breaker;
use platform::client::Timeouts;
use platform::limit::Limit;
use platform::push::Adapter;
use platform::retry::Schedule;
use platform::token::Grant;
use schema::{Grain, MetricVersion, TenantId};
use std::path::Path;
use store::targets::NotBefore;
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
    /// Where rows are posted.
    pub url: Url,
    /// Metric names.
    pub metrics: Vec<String>,
    /// Versions; empty means the current one.
    pub versions: Vec<MetricVersion>,
    /// What the values it takes are of.
    pub grains: Vec<Grain>,
    /// From when on a value may be pushed.
    pub not_before: NotBefore,
    /// Rows in one request.
    pub batch_max: usize,
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
}

/// Reads the file, or lists everything that is wrong with it.
pub fn load(path: &Path) -> Result<Vec<Target>, Vec<String>> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| vec![format!("{name}: cannot be read: {error}")])?;
    let folder = path.parent().unwrap_or(Path::new("."));
    parse(&name, &text, folder, &|variable| {
        std::env::var(variable).ok()
    })
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
