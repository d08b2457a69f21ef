//! Flags of the watchdog.

use crate::subscriptions::Subscription;
use crate::subscriptions::platform::QUIET_AFTER_MIN;
use crate::watchdog::Watch;
use runtime::Problems;
use std::time::Duration;

/// More often the platforms would only be disturbed.
const CHECK_EVERY_MIN: Duration = Duration::from_secs(60);

/// Flags of the watchdog, which runs in processes that normalise.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Watching over the subscriptions")]
pub(super) struct WatchdogArgs {
    /// Watch over the subscriptions of the file: tell when one goes quiet, is switched off or gone, and record the gap
    #[arg(long, env = "KPILINE_WATCHDOG", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    watchdog: bool,

    /// How long a subscription may say nothing that has no quiet_after of its own
    #[arg(long, env = "KPILINE_WATCHDOG_QUIET_AFTER", default_value = "1h",
          value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    watchdog_quiet_after: Duration,

    /// How often a platform is asked about a subscription that has credentials for it
    #[arg(long, env = "KPILINE_WATCHDOG_CHECK_EVERY", default_value = "15m",
          value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    watchdog_check_every: Duration,
}

impl WatchdogArgs {
    /// What is to be watched; `None` where there is nothing, or it is not wanted. The platforms' secrets must be there.
    pub(super) fn resolve(
        &self,
        subscriptions: &[Subscription],
        problems: &mut Problems,
    ) -> Option<Watch> {
        if !self.watchdog || subscriptions.is_empty() {
            return None;
        }
        for (flag, value, least) in [
            (
                "--watchdog-quiet-after",
                self.watchdog_quiet_after,
                QUIET_AFTER_MIN,
            ),
            (
                "--watchdog-check-every",
                self.watchdog_check_every,
                CHECK_EVERY_MIN,
            ),
        ] {
            if value < least {
                problems.push(format!(
                    "{flag}: is {value:?}, allowed is {least:?} and more"
                ));
            }
        }
        let watch = Watch {
            subscriptions: Vec::new(),
            quiet_after: self.watchdog_quiet_after,
            check_every: self.watchdog_check_every,
        };
        watch
            .with(subscriptions.to_vec())
            .map_err(|found| {
                for problem in found {
                    problems.push(problem);
                }
            })
            .ok()
    }
}
