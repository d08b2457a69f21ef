//! How everything stands: what the API's status and the page's overview are made of, counted once for all who ask within a moment.

use super::Context;
use super::problem::Problem;
use super::tokens::Reach;
use crate::counting::{OLDEST, rest_after};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::breakers::{self, Breaker};
use store::budgets::{self, Pause};
use store::freshness::{self, Platform};
use store::marks::{self, Backlog};
use store::reading::Tenants;
use store::reading::findings::{self, ClockFinding};
use store::reading::quarantine::{Held, held};
use store::storm::{self, StormState};
use store::sync::{self, Pending, TargetHealth};
use store::targets::{self, Target};
use store::zones::StoredFinding;
use store::{Client, StoreError};

/// Reasons of quarantine, and zone findings, that are listed.
pub const LISTED_MAX: u32 = 100;
/// Sets of organisations whose standing is remembered.
const REMEMBERED_MAX: usize = 64;

/// How everything stands that some tokens may know.
#[derive(Debug)]
pub struct Standing {
    /// Whether the platforms' figures can be trusted.
    pub platforms: Vec<Platform>,
    /// Where metrics are pushed to, and what waits.
    pub targets: Vec<(Target, Pending)>,
    /// Targets to which too many deliveries fail.
    pub failing: Vec<TargetHealth>,
    /// How the platforms are doing, as breakers saw it.
    pub breakers: Vec<Breaker>,
    /// Platforms that want nothing for a while.
    pub pauses: Vec<Pause>,
    /// What quarantine holds.
    pub quarantine: Vec<Held>,
    /// Zone names that could not be used.
    pub zones: Vec<StoredFinding>,
    /// Agents whose clock here is not the platform's.
    pub clocks: Vec<ClockFinding>,
    /// What is still to be computed, of all organisations together.
    pub marks: Vec<Backlog>,
    /// Whether there is a storm.
    pub storm: StormState,
}

/// Those counted last.
#[derive(Debug)]
pub struct Standings {
    lasts: Duration,
    counted: Mutex<Counted>,
}

/// By organisations, `None`: all; and until when it is good enough.
type Counted = HashMap<Option<Vec<String>>, (Instant, Arc<Standing>)>;

/// What takes no longer than this to count is counted as often as is asked for.
const SLOW: Duration = Duration::from_millis(250);

impl Standings {
    /// Counts anew when the last ones are older than this, or, where that took long, a while later.
    #[must_use]
    pub fn lasting(lasts: Duration) -> Self {
        Self {
            lasts,
            counted: Mutex::default(),
        }
    }

    /// Of these organisations; `None`: of all.
    pub async fn of(
        &self,
        context: &Context,
        client: &Client,
        tenants: Option<&[String]>,
    ) -> Result<Arc<Standing>, Problem> {
        let key = tenants.map(<[String]>::to_vec);
        let counted = || self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        if let Some((until, standing)) = counted().get(&key)
            && began < *until
        {
            return Ok(Arc::clone(standing));
        }
        // Nobody waits for whoever counts: at worst as many count as there are connections.
        let standing = Arc::new(Standing::read(context, client, tenants).await?);
        let mut counted = counted();
        if counted.len() >= REMEMBERED_MAX {
            counted.clear();
        }
        let until = Instant::now() + self.lasts_after(began.elapsed());
        counted.insert(key, (until, Arc::clone(&standing)));
        Ok(standing)
    }

    /// How long a count is good enough that took so long.
    fn lasts_after(&self, took: Duration) -> Duration {
        if took <= SLOW {
            return self.lasts;
        }
        rest_after(took, OLDEST).max(self.lasts)
    }
}

impl Standing {
    async fn read(
        context: &Context,
        client: &Client,
        tenants: Option<&[String]>,
    ) -> Result<Self, StoreError> {
        let reach = tenants.map_or(Tenants::All, Tenants::Of);
        let covers =
            |tenant: &str| tenants.is_none_or(|tenants| tenants.iter().any(|one| one == tenant));
        let mut pushed = Vec::new();
        for target in targets::list(client).await? {
            if covers(&target.tenant) {
                let pending = sync::pending_counts(client, &target.name).await?;
                pushed.push((target, pending));
            }
        }
        let mut failing = sync::health(client).await?;
        failing.retain(|health| {
            let theirs = |(target, _): &(Target, Pending)| target.name == health.target;
            health.failing && pushed.iter().any(theirs)
        });
        // A credential's name says who the client is: it is told to those whose it is.
        let credentials: Vec<&String> = context
            .credentials
            .iter()
            .filter(|(tenant, _)| covers(tenant))
            .flat_map(|(_, credentials)| credentials)
            .collect();
        let theirs = |name: &str| {
            tenants.is_none()
                || credentials.iter().any(|credential| {
                    name.strip_prefix(credential.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                })
        };
        let mut breakers = breakers::list(client).await?;
        breakers.retain(|breaker| theirs(&breaker.credential));
        let mut pauses = budgets::pauses(client).await?;
        pauses.retain(|pause| theirs(&pause.credential));
        let mut platforms = freshness::states(client, None).await?;
        platforms.retain(|platform| covers(&platform.tenant));
        Ok(Self {
            platforms,
            targets: pushed,
            failing,
            breakers,
            pauses,
            quarantine: held(client, reach, LISTED_MAX).await?,
            zones: findings::zones(client, reach, LISTED_MAX).await?,
            clocks: findings::clocks(client, reach, LISTED_MAX).await?,
            marks: marks::backlog(client).await?,
            storm: storm::read(client).await?,
        })
    }

    /// The platforms whose figures cannot be trusted now, the worst first.
    #[must_use]
    pub fn doubtful(&self) -> Vec<&Platform> {
        let mut doubtful: Vec<&Platform> = self
            .platforms
            .iter()
            .filter(|platform| platform.alerts_inhibited)
            .collect();
        doubtful.sort_by_key(|platform| std::cmp::Reverse(platform.state));
        doubtful
    }

    /// Whether too many deliveries to this target fail, and how.
    #[must_use]
    pub fn failing(&self, target: &str) -> Option<&TargetHealth> {
        self.failing.iter().find(|health| health.target == target)
    }

    /// Items that quarantine holds.
    #[must_use]
    pub fn held(&self) -> i64 {
        self.quarantine.iter().map(|held| held.items).sum()
    }
}

/// The organisations of a reach, as the key of its standing.
#[must_use]
pub fn of_reach(reach: &Reach) -> Option<&[String]> {
    match reach {
        Reach::All => None,
        Reach::Of(tenants) => Some(tenants),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_long_to_count_is_counted_less_often() {
        let standings = Standings::lasting(Duration::from_secs(2));
        let after = |millis| standings.lasts_after(Duration::from_millis(millis));
        assert_eq!(after(0), Duration::from_secs(2));
        assert_eq!(after(250), Duration::from_secs(2));
        assert_eq!(after(251), Duration::from_millis(251 * 20));
        assert_eq!(after(60_000), OLDEST);
    }
}
