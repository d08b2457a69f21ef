//! Flags about storms.

use crate::storm::hysteresis::Thresholds;
use runtime::Problems;
use runtime::args::positive_duration;
use std::time::Duration;

/// The longest that a backlog may have to last: a storm is noticed while it is one.
const SUSTAIN_MAX: Duration = Duration::from_secs(3600);

/// When there is a storm. All replicas should have the same: whichever measures decides for all.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Storm")]
pub struct StormArgs {
    /// Facts that wait in the live queues, about, from which on it is a storm: then terminal events and critical KPIs go first
    #[arg(
        long = "storm-enter",
        env = "KPILINE_STORM_ENTER",
        default_value_t = 200_000,
        value_name = "FACTS"
    )]
    enter: u64,

    /// Facts that wait below which the storm is over; less than --storm-enter
    #[arg(
        long = "storm-leave",
        env = "KPILINE_STORM_LEAVE",
        default_value_t = 20_000,
        value_name = "FACTS"
    )]
    leave: u64,

    /// It is a storm, too, when facts have waited for so long and more than --storm-leave still do
    #[arg(long = "storm-age", env = "KPILINE_STORM_AGE", default_value = "60s", value_parser = positive_duration, value_name = "DURATION")]
    age: Duration,

    /// For how long that has to last before it is a storm
    #[arg(long = "storm-sustain", env = "KPILINE_STORM_SUSTAIN", default_value = "10s", value_parser = positive_duration, value_name = "DURATION")]
    sustain: Duration,

    /// For how long little has to wait before the storm is over
    #[arg(long = "storm-leave-sustain", env = "KPILINE_STORM_LEAVE_SUSTAIN", default_value = "30s", value_parser = positive_duration, value_name = "DURATION")]
    leave_sustain: Duration,
}

impl StormArgs {
    /// Checks the group. With problems noted the value must not be used.
    pub fn resolve(&self, problems: &mut Problems) -> Thresholds {
        if self.leave == 0 {
            problems
                .push("--storm-leave: is 0, below which nothing can be; allowed are 1 and more");
        }
        if self.leave >= self.enter {
            problems.push(format!(
                "--storm-leave: is {}, which must be less than --storm-enter, {}",
                self.leave, self.enter
            ));
        }
        for (flag, given) in [
            ("--storm-sustain", self.sustain),
            ("--storm-leave-sustain", self.leave_sustain),
        ] {
            if given > SUSTAIN_MAX {
                problems.push(format!("{flag}: allowed are up to 1h"));
            }
        }
        Thresholds {
            enter: self.enter,
            leave: self.leave,
            age: self.age,
            sustain: self.sustain,
            leave_sustain: self.leave_sustain,
        }
    }
}
