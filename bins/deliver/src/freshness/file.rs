//! The freshness file: which platforms are watched, by which thresholds, and where they say how they are.
//!
//! ```toml
//! version = 1
//! # every = "5s"                           # how often is looked
//! # keep = "90d"                           # how long changes of states are kept
//!
//! [thresholds]                             # all optional; for every platform that does not say otherwise
//! silence = "35s"                          # nothing new is received …
//! expected = 20                            # … though so many events were to be expected meanwhile
//! late = "2m"                              # events arrive so late
//! line = "30s"                             # what is received waits so long to be processed
//! queue = 1000                             # so many messages wait
//! windows = "1m"                           # windows of the newest time wait so long
//! follow = "5m"                            # what is fetched is so much later than usual
//! stale = "10m"                            # silence or lag of so long is no delay any more
//! missing = 5                              # an interval may be short of so many …
//! missing_percent = 2                      # … or of so many of a hundred
//! grace = "2m"                             # once its count was fetched for so long
//! within = "2h"                            # intervals that ended so long ago still matter
//! on_after = "10s"                         # for how long something has to be too much
//! off_after = "30s"                        # for how long it has to be less than half of that
//! reach = "30m"                            # how long interactions last as a rule
//!
//! [[platform]]
//! name = "genesys-main"                    # as in platforms.toml: whose counts and whose followed sources; "all": those of each of the tenant
//! tenant = "acme"
//! # subscriptions = ["genesys-events"]     # left out: all of the tenant
//! # silent_when = "unusual"                # "always": a night is a silence, too. "never": silence does not matter
//! # records = "backfill-genesys-main"      # CXone: what its records are logged under, where its contacts are counted
//!
//! [platform.health]                        # without it nobody is asked
//! url = "https://status.example.com/api/v2/summary.json"
//! # every = "1m"                           # once a minute at most
//! # components = ["Analytics"]             # of a status page; left out: all
//! # pointer = "/state/mode"                # of any other JSON: where the value is …
//! # maintenance = ["maintenance"]          # … and which values mean what
//! trouble = ["major_outage"]               # of a status page: which states of components mean trouble
//! # maintenance_status = [503]             # answers that mean maintenance
//! # target = "genesys-main"                # with the credentials of this target, within its budget
//! ```
//!
//! Any threshold but `expected` may be `"never"`.

mod read;
#[cfg(test)]
mod tests;

use crate::targets::Target;
use freshness::health::Meaning;
use freshness::{Settings, Tolerance};
use platform::client::Timeouts;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use url::Url;

/// Whoever is asked how it is must not be disturbed by that.
pub const HEALTH_EVERY_MIN: Duration = Duration::from_secs(60);
/// The name of a platform that is all of its organisation: counts and followed sources of each belong to it.
pub const ALL: &str = "all";

/// What is watched.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// How often is looked.
    pub every: Duration,
    /// How long changes of states are kept.
    pub keep: Duration,
    /// The platforms.
    pub platforms: Vec<Watched>,
}

/// When a silence matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SilentWhen {
    /// Where events were to be expected meanwhile.
    #[default]
    Unusual,
    /// Whatever is usual.
    Always,
    /// It does not.
    Never,
}

/// One platform of one organisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// The organisation.
    pub tenant: String,
    /// Its name, as backfill has it; [`ALL`]: whatever its organisation has.
    pub name: String,
    /// The live subscriptions that matter; none: all of the organisation.
    pub subscriptions: Option<Vec<String>>,
    /// When their silence matters.
    pub silent_when: SilentWhen,
    /// What records of its history are logged under; none: as backfill does where nothing is said.
    pub records: Option<String>,
    /// What is too much.
    pub settings: Settings,
    /// How far counts may be apart.
    pub tolerance: Tolerance,
    /// How long after its count was fetched an interval may be short.
    pub grace: Duration,
    /// Intervals that ended longer ago do not matter to the state.
    pub within: Duration,
    /// Where it says how it is.
    pub health: Option<HealthSource>,
}

/// Where a platform says how it is.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthSource {
    /// What is fetched.
    pub url: Url,
    /// How often.
    pub every: Duration,
    /// How the answer is read.
    pub meaning: Meaning,
    /// Answers that mean maintenance whatever they hold.
    pub maintenance_status: Vec<u16>,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// The target with whose credentials, and within whose budget, it is asked; none: it is public.
    pub target: Option<String>,
}

/// Thresholds as they are written, for all or for one.
#[derive(Debug, Clone, Copy)]
struct Thresholds {
    settings: Settings,
    tolerance: Tolerance,
    grace: Duration,
    within: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            tolerance: Tolerance::default(),
            grace: Duration::from_secs(120),
            within: Duration::from_secs(7200),
        }
    }
}

impl Watched {
    /// Which entry of the platforms file it is; none: all of its organisation.
    #[must_use]
    pub fn entry(&self) -> Option<&str> {
        (self.name != ALL).then_some(self.name.as_str())
    }
}

impl Watch {
    /// What is watched without a file: each organisation that has a target, by the usual thresholds.
    #[must_use]
    pub fn of_targets(targets: &[Target]) -> Self {
        let tenants: BTreeSet<&str> = targets
            .iter()
            .map(|target| target.tenant.as_str())
            .collect();
        let usual = Thresholds::default();
        let platforms = tenants.into_iter().map(|tenant| Watched {
            tenant: tenant.to_owned(),
            name: ALL.to_owned(),
            subscriptions: None,
            silent_when: SilentWhen::default(),
            records: None,
            settings: usual.settings,
            tolerance: usual.tolerance,
            grace: usual.grace,
            within: usual.within,
            health: None,
        });
        Self {
            every: Duration::from_secs(5),
            keep: Duration::from_secs(90 * 86_400),
            platforms: platforms.collect(),
        }
    }

    /// Names of targets that are asked with and that there are not.
    #[must_use]
    pub fn unknown_targets(&self, targets: &[Target]) -> Vec<String> {
        let asked = self.platforms.iter().filter_map(|platform| {
            let target = platform.health.as_ref()?.target.as_ref()?;
            let known = targets.iter().any(|one| one.name == *target);
            (!known).then(|| {
                format!(
                    "[platform.health] of {}: there is no target {target:?}",
                    platform.name
                )
            })
        });
        asked.collect()
    }
}

/// Reads the file, or lists everything that is wrong with it.
pub fn load(path: &Path) -> Result<Watch, Vec<String>> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| vec![format!("{name}: cannot be read: {error}")])?;
    parse(&name, &text)
}

/// Reads the text of a file.
pub fn parse(name: &str, text: &str) -> Result<Watch, Vec<String>> {
    read::watch(name, text)
}
