//! The budget of a credential as PostgreSQL keeps it for all processes: history is what goes when nobody else must.

mod breaker;

pub(crate) use breaker::StoreBreaker;

use platform::budget::shared::{Ask, Keeper, KeeperError, Reply};
use platform::budget::{BoxFuture, Hold};
use std::time::{Duration, Instant};
use store::budgets::{self, Answer, Class, Wait};
use store::{Store, StoreError};

/// Asks the store.
#[derive(Debug)]
pub(crate) struct StoreKeeper {
    store: Store,
    credential: String,
}

impl StoreKeeper {
    /// Of this credential.
    pub(crate) const fn new(store: Store, credential: String) -> Self {
        Self { store, credential }
    }

    async fn take(&self, ask: Ask<'_>) -> Result<Reply, StoreError> {
        let client = self.store.client().await?;
        // Not before there is a connection: what was waited for it says nothing about the keeper's clock.
        let asked = Instant::now();
        let ask = budgets::Ask {
            credential: &self.credential,
            route: ask.route,
            class: Class::Backfill,
            refill: ask.refill,
            stated: ask.stated,
            want: ask.want,
            horizon: ask.horizon,
        };
        Ok(match budgets::reserve(&client, &ask).await? {
            Answer::Granted {
                first_in,
                count,
                spacing,
                waited,
            } => Reply::Granted {
                since: (asked + waited).min(Instant::now()),
                first_in,
                count,
                spacing,
            },
            Answer::Wait { retry_in, reason } => Reply::Wait {
                retry_in,
                hold: match reason {
                    Wait::Paused => Hold::Paused,
                    Wait::Busy => Hold::Busy,
                    Wait::Yields => Hold::Yields,
                },
            },
        })
    }
}

impl Keeper for StoreKeeper {
    fn reserve<'a>(&'a self, ask: Ask<'a>) -> BoxFuture<'a, Result<Reply, KeeperError>> {
        Box::pin(async move { Ok(self.take(ask).await?) })
    }

    fn pause<'a>(
        &'a self,
        route: Option<&'a str>,
        wait: Duration,
        why: &'a str,
    ) -> BoxFuture<'a, Result<(), KeeperError>> {
        Box::pin(async move {
            let client = self.store.client().await?;
            let paused = budgets::pause(&client, &self.credential, route, wait, why).await?;
            // Another route that is refused meanwhile, told to whichever process: it is not the route's own limit.
            if route.is_some() && paused.other_routes > 0 {
                budgets::pause(&client, &self.credential, None, wait, why).await?;
            }
            Ok(())
        })
    }
}
