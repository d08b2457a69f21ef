//! Flags about personal data at rest.

use runtime::Problems;
use runtime::args::RawKeyArgs;
use runtime::seal::SealKeys;
use std::time::Duration;

/// A shorter retention would race with redeliveries and with operators who look into what has just been quarantined.
const RETENTION_MIN: Duration = Duration::from_secs(3600);

/// Flags of *normalise* about the raw bytes of events.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Personal data")]
pub struct PrivacyArgs {
    #[command(flatten)]
    raw_keys: RawKeyArgs,

    /// How long raw bytes are kept, from 1h on (90days); without it for ever
    ///
    /// Counted from the event's own instant or from its reception, whichever is later, and in quarantine from the release or discard; held
    /// items stay whole. Rows stay, only their bytes go: copies are recognised as before, but what has expired cannot be replayed.
    #[arg(long, env = "KPILINE_RAW_RETENTION",
          value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    raw_retention: Option<Duration>,
}

/// Checked settings about personal data at rest.
#[derive(Debug, Clone, Default)]
pub struct Privacy {
    /// What raw bytes are sealed under, if they are.
    pub raw_keys: Option<SealKeys>,
    /// How long raw bytes are kept, if not for ever.
    pub raw_retention: Option<Duration>,
}

impl PrivacyArgs {
    /// Checks the group.
    pub fn resolve(&self, problems: &mut Problems) -> Privacy {
        if self.raw_retention.is_some_and(|kept| kept < RETENTION_MIN) {
            problems.push("--raw-retention: allowed are 1h and more");
        }
        Privacy {
            raw_keys: self.raw_keys.resolve(problems),
            raw_retention: self.raw_retention,
        }
    }
}
