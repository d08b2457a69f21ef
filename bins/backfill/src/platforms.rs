//! The platforms file: whose history can be fetched, from where, how fast and as whom.
//!
//! ```toml
//! version = 1
//!
//! [[platform]]
//! name = "genesys-main"
//! tenant = "acme"                           # whose history it is
//! platform = "genesys"                      # or "cxone"
//! base_url = "https://api.mypurecloud.de"   # CXone: may be left out, then it is asked for from the token endpoint, or see [platform.cxone] discovery_url
//! # subscription = "backfill-genesys-main"  # what the log files the records under; one name for all ways of one platform
//! # stands_in_for = ["genesys-events"]      # the live subscriptions whose gaps and unfinished interactions it is asked about; left out: all
//! #                                         # of the tenant, whose only platform it then has to be
//!
//! [platform.credentials]                    # the same words as in targets.toml
//! token_url = "https://login.mypurecloud.de/oauth/token"
//! client_id = { env = "GENESYS_CLIENT_ID" }
//! client_secret = { file = "genesys-secret" }
//!
//! [platform.rate]                           # the credential's whole limit, deliver's and ingest's use of it included
//! requests = 240
//! period = "1m"
//!
//! [platform.follow]                         # without it nothing is followed
//! sources = ["genesys-conversations"]
//!
//! [platform.settlement]                     # without it nothing is pulled again
//! days = [1, 4]
//!
//! [platform.counts]                         # without it nothing is compared with what the platform counts
//! interval = "30m"
//! ```

mod read;
#[cfg(test)]
mod tests;

use crate::source::{Source, Vendor};
use platform::api::Access;
use platform::breaker;
use platform::history::cxone::Discovery;
use schema::{SubscriptionName, TenantId};
use std::path::Path;
use std::time::Duration;
use timezone::Zone;
use url::Url;

/// One platform of one organisation, as one credential sees it.
#[derive(Debug, Clone)]
pub struct Platform {
    /// Its name: on the command line, in jobs and in metrics.
    pub name: String,
    /// The organisation whose history it has.
    pub tenant: TenantId,
    /// Which platform, and what only that one has.
    pub kind: Kind,
    /// Where it is, who asks, how fast and how patiently. Where CXone's base URL is to be found out ([`CxoneSettings::base`]), `base` is
    /// the token endpoint's and must be replaced before anything is asked.
    pub access: Access,
    /// What its limit belongs to, the same text in every binary.
    pub credential: String,
    /// What the log files its records under.
    pub subscription: SubscriptionName,
    /// The live subscriptions that deliver what it has the history of: it is asked about their gaps and about what they left unfinished.
    /// None: those of all of its organisation, whose only platform it is.
    pub stands_in_for: Option<Vec<SubscriptionName>>,
    /// When it is left alone.
    pub breaker: breaker::Policy,
    /// What is followed, if anything.
    pub follow: Option<Follow>,
    /// What is pulled again, if anything.
    pub settlement: Option<Settlement>,
    /// What the platform is asked to count, if anything.
    pub counts: Option<Counts>,
}

/// Which platform it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Genesys Cloud CX.
    Genesys(GenesysSettings),
    /// NICE CXone.
    Cxone(CxoneSettings),
}

/// `[platform.genesys]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesysSettings {
    /// Conversations in one page of a details job's results.
    pub page_size: u32,
    /// Conversations in one page of a details query: the platform refuses more than 100 in places.
    pub query_page_size: u32,
    /// Ids in one look-up.
    pub lookup_ids: u32,
    /// Details jobs that are open at the platform at a time. The organisation's own limit is unknown; more are refused with 429.
    pub jobs_at_once: u32,
    /// The time one details job covers. A busy organisation may take hours.
    pub job_span: Duration,
    /// The time one details query covers: it must find fewer than 100,000 conversations.
    pub query_span: Duration,
    /// How far behind now a query ends: pages of what still changes shift while they are read.
    pub query_lag: Duration,
}

impl Default for GenesysSettings {
    fn default() -> Self {
        Self {
            page_size: 200,
            query_page_size: 100,
            lookup_ids: 50,
            jobs_at_once: 4,
            job_span: Duration::from_secs(86_400),
            query_span: Duration::from_secs(86_400),
            query_lag: Duration::from_secs(300),
        }
    }
}

/// `[platform.cxone]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CxoneSettings {
    /// Version of the reporting API, the NN of `/services/vNN.0/`. Names and types of members differ between them.
    pub api_version: u16,
    /// Rows in one page, 10,000 at most.
    pub page_size: u32,
    /// The time one request for rows covers.
    pub span: Duration,
    /// The time one report covers: it comes as one answer.
    pub report_span: Duration,
    /// The business unit's zone, which the times in reports are local to. Without it there are no reports.
    pub report_zone: Option<Zone>,
    /// How far behind now is asked: the warehouse is filled every five minutes, and is whole after about fifteen.
    pub lag: Duration,
    /// The time between two calls of the Data Extraction API, which the platform insists on.
    pub extraction_pause: Duration,
    /// How the base URL is known.
    pub base: Base,
}

/// How the base URL of a CXone API is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// By the file.
    Stated,
    /// By this discovery document: it states `api_endpoint`.
    Discovery(Url),
    /// By the answer of the token endpoint: it states `resource_server_base_uri`.
    Token,
}

impl Base {
    /// Who says where the API is; `None` where the file does.
    pub(crate) fn discovery(&self) -> Option<Discovery> {
        match self {
            Self::Stated => None,
            Self::Token => Some(Discovery::Token),
            Self::Discovery(document) => Some(Discovery::Configuration(document.clone())),
        }
    }
}

impl Default for CxoneSettings {
    fn default() -> Self {
        Self {
            api_version: 27,
            page_size: 10_000,
            span: Duration::from_secs(86_400),
            report_span: Duration::from_secs(86_400),
            report_zone: None,
            lag: Duration::from_secs(900),
            extraction_pause: Duration::from_secs(30),
            base: Base::Stated,
        }
    }
}

/// `[platform.follow]`: the newest stretch is fetched again and again, for what the platform does not push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follow {
    /// What is followed.
    pub sources: Vec<Source>,
    /// How often. This and `settle` are how fresh it is.
    pub every: Duration,
    /// How far behind now a stretch ends.
    pub settle: Duration,
    /// How far each stretch reaches back into the one before.
    pub overlap: Duration,
    /// Rows change until they are final: each stretch is read again when its end is this old, once for each age, ascending.
    pub reread: Vec<Duration>,
    /// The longest stretch asked for at a time while there is much to catch up with.
    pub longest: Duration,
    /// Where it begins the first time: so long before now.
    pub since: Duration,
    /// Hand-over: the live subscription whose deliveries make following needless. It is followed up to the first instant from which that one
    /// delivers, and again from where it ended.
    pub until_webhooks: Option<SubscriptionName>,
}

impl Default for Follow {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            every: Duration::from_secs(60),
            settle: Duration::from_secs(900),
            overlap: Duration::from_secs(120),
            reread: vec![
                Duration::from_secs(300),
                Duration::from_secs(1800),
                Duration::from_secs(4 * 3600),
            ],
            longest: Duration::from_secs(3600),
            since: Duration::from_secs(3600),
            until_webhooks: None,
        }
    }
}

/// `[platform.settlement]`: what the platform may have revised since is fetched again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// What is fetched again.
    pub sources: Vec<Source>,
    /// How many days after its end each day is fetched again, ascending.
    pub days: Vec<u16>,
    /// At what time of day, hours and minutes in `zone`.
    pub at: (u8, u8),
    /// Whose days and whose time.
    pub zone: Zone,
    /// Whether interactions that ended without an event that says so are looked up.
    pub lookups: bool,
    /// How often it is looked whether there are such.
    pub lookup_every: Duration,
    /// How long after it was asked for at the earliest: a record takes a while to be whole.
    pub lookup_settle: Duration,
    /// Whether stretches in which a live subscription delivered nothing are fetched.
    pub gaps: bool,
    /// How much more than the gap, at either end.
    pub gap_margin: Duration,
}

impl Default for Settlement {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            days: vec![1, 4],
            at: (3, 30),
            zone: Zone::UTC,
            lookups: true,
            lookup_every: Duration::from_secs(60),
            lookup_settle: Duration::from_secs(900),
            gaps: true,
            gap_margin: Duration::from_secs(300),
        }
    }
}

/// `[platform.counts]`: how many interactions began in each of the newest intervals, as the platform counts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// How long an interval is; they begin with the hours of UTC.
    pub interval: Duration,
    /// How long after its end the platform is expected to have counted it, and we to have it.
    pub settle: Duration,
    /// So long after that it is counted again, once for each, ascending: what came late is counted by then.
    pub again: Vec<Duration>,
}

impl Counts {
    /// What is usual where nothing is said: the platform's own delay, and that of what is followed.
    fn usual(kind: Option<&Kind>, follow: Option<&Follow>) -> Self {
        let delay = match kind {
            Some(Kind::Genesys(settings)) => settings.query_lag,
            Some(Kind::Cxone(settings)) => settings.lag,
            None => Duration::ZERO,
        };
        let followed = follow.map_or(Duration::ZERO, |follow| {
            follow.settle + follow.every + Duration::from_secs(60)
        });
        Self {
            interval: Duration::from_secs(1800),
            settle: delay.max(followed).max(Duration::from_secs(1)),
            again: vec![Duration::from_secs(1800)],
        }
    }
}

impl Platform {
    /// Whose API it has.
    #[must_use]
    pub const fn vendor(&self) -> Vendor {
        match self.kind {
            Kind::Genesys(_) => Vendor::Genesys,
            Kind::Cxone(_) => Vendor::Cxone,
        }
    }

    /// The names that interactions may be logged under that this platform knows: of the subscriptions that it stands in for, and its own.
    /// None: whatever its organisation has.
    #[must_use]
    pub fn logged_under(&self) -> Option<Vec<&str>> {
        let names = self.stands_in_for.as_ref()?;
        let names = names.iter().chain([&self.subscription]);
        Some(names.map(SubscriptionName::as_str).collect())
    }

    /// Whether it can answer to this source.
    #[must_use]
    pub fn has(&self, source: Source) -> bool {
        source.vendor() == Some(self.vendor())
    }
}

/// The platforms of a file.
#[derive(Debug, Clone, Default)]
pub struct Platforms(Vec<Platform>);

impl Platforms {
    /// These.
    #[must_use]
    pub const fn new(all: Vec<Platform>) -> Self {
        Self(all)
    }

    /// The one of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Platform> {
        self.0.iter().find(|platform| platform.name == name)
    }

    /// All of them, in the file's order.
    pub fn iter(&self) -> std::slice::Iter<'_, Platform> {
        self.0.iter()
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|platform| platform.name.clone())
            .collect()
    }
}

impl<'p> IntoIterator for &'p Platforms {
    type Item = &'p Platform;
    type IntoIter = std::slice::Iter<'p, Platform>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Reads the file, or lists everything that is wrong with it.
pub fn load(path: &Path) -> Result<Platforms, Vec<String>> {
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
) -> Result<Platforms, Vec<String>> {
    read::platforms(name, text, folder, variable)
}
