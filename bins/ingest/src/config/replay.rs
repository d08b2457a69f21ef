//! How much is remembered of what arrived, so that a storm of redeliveries is cheap.

use runtime::Problems;
use std::time::Duration;

/// Flags about redeliveries, of both roles.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Redeliveries")]
pub struct ReplayArgs {
    /// For how long a platform may redeliver: what was seen is remembered for at least so long where there is room. The event log knows
    /// copies however late they come; this only spares it
    #[arg(long, env = "KPILINE_REPLAY_HORIZON", default_value = "48h",
          value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    replay_horizon: Duration,

    /// Events that `normalise` remembers as logged, about 40 bytes each, so that copies of them cost the database nothing; 0 remembers none.
    /// Best is what arrives within the replay horizon
    #[arg(
        long,
        env = "KPILINE_REPLAY_CACHE_MAX",
        default_value_t = 1_800_000,
        value_name = "COUNT"
    )]
    replay_cache_max: usize,

    /// Accepted bodies that `receive` remembers, about 20 bytes each: one that comes again waits behind fresh ones, in the queue
    /// `raw.suspect`; 0 suspects none
    #[arg(
        long,
        env = "KPILINE_SUSPECT_CACHE_MAX",
        default_value_t = 900_000,
        value_name = "COUNT"
    )]
    suspect_cache_max: usize,
}

/// How much of something is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Entries; 0 for none.
    pub entries_max: usize,
    /// For how long, at least, where there is room.
    pub horizon: Duration,
}

/// More would not fit into any machine.
const ENTRIES_MAX: usize = 1_000_000_000;

impl ReplayArgs {
    /// What `normalise` remembers of events.
    pub fn events(&self, problems: &mut Problems) -> Memory {
        self.memory("--replay-cache-max", self.replay_cache_max, problems)
    }

    /// What `receive` remembers of bodies.
    pub fn bodies(&self, problems: &mut Problems) -> Memory {
        self.memory("--suspect-cache-max", self.suspect_cache_max, problems)
    }

    fn memory(&self, flag: &str, entries_max: usize, problems: &mut Problems) -> Memory {
        if entries_max > ENTRIES_MAX {
            problems.push(format!(
                "{flag}: is {entries_max}, allowed are up to {ENTRIES_MAX}"
            ));
        }
        Memory {
            entries_max,
            horizon: self.replay_horizon,
        }
    }
}
