//! The watchdog: tells when a subscription has gone quiet, was switched off or is gone, and records what is missing since.
//!
//! A sender whose deliveries failed for long enough deletes the subscription, and then nothing comes at all and nothing fails either. So
//! every process of *normalise* reports what it received ([`traffic`], written every few seconds, never for a delivery), and
//! one of them, the leader, decides ([`decide`], pure) from that, from what is usual at the hour ([`freshness::usual`], pure) and from what the platforms
//! say when they are asked now and then ([`checks`]). [`round`] is one turn of all this.
//!
//! A silence is measured up to the instant to which deliveries are known to be worked off, not up to now: a backlog, a broker that is gone
//! or a process that was stopped is no silence of the sender. Every process writes how far that is as it sees it, and the farthest counts:
//! the leader may be the one that does not reach the broker.

pub mod checks;
pub mod decide;
mod meters;
pub mod round;
pub mod traffic;

use crate::clock::now;
use crate::subscriptions::Subscription;
use round::Round;
use runtime::chain;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often there is a round: the leader must be heard of within [`store::leader::SILENCE`].
const EVERY: Duration = Duration::from_secs(3);

/// What is watched, and how.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// How long one may say nothing that does not say so itself.
    pub quiet_after: Duration,
    /// How often the platforms are asked.
    pub check_every: Duration,
}

impl Watch {
    /// The same over other subscriptions. Lists the credentials of platforms that cannot be had.
    pub fn with(&self, subscriptions: Vec<Subscription>) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        for platform in subscriptions
            .iter()
            .filter_map(|found| found.platform.as_ref())
        {
            if let Some(credentials) = platform
                .credentials
                .as_ref()
                .filter(|_| platform.can_be_asked())
                && let Err(why) = credentials.grant(&crate::subscription::variable)
            {
                problems.push(format!("{why} (or --watchdog false)"));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            subscriptions,
            quiet_after: self.quiet_after,
            check_every: self.check_every,
        })
    }
}

/// Runs until the stop. What is to be watched may change meanwhile.
pub async fn run(
    mut round: Round,
    mut anew: watch::Receiver<Watch>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(EVERY) => {}
            Ok(()) = anew.changed() => {
                let watch = anew.borrow_and_update().clone();
                round.watch(&watch);
            }
        }
        match round.run(now()).await {
            Ok(_) => failing = false,
            Err(error) if failing => {
                tracing::debug!(error = %chain(&error), "the watchdog still fails");
            }
            Err(error) => {
                failing = true;
                tracing::warn!(error = %chain(&error), "the watchdog failed; it goes on trying");
            }
        }
    }
    // What was received last is worth a line; that it cannot be written is not worth a failed stop.
    if let Err(error) = round.report().await {
        tracing::debug!(error = %chain(&error), "the last deliveries were not noted");
    }
    Ok(())
}
