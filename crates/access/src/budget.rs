//! The budget of a credential, kept in PostgreSQL ([`store::budgets`]) and asked for as [`platform::budget::shared`] asks its keeper.

use platform::budget::shared::{Ask, Keeper, KeeperError, Reply};
use platform::budget::{BoxFuture, Hold};
use std::time::{Duration, Instant};
use store::budgets::{self, Answer, Class, Wait};
use store::{Store, StoreError};

/// Keeps the budget of one credential for all processes, in whichever binary: a row a credential, whose lock is the order of slots.
#[derive(Debug)]
pub struct StoreKeeper {
    store: Store,
    credential: String,
    class: Class,
}

impl StoreKeeper {
    /// Of the credential of this name ([`platform::token::Grant::credential_name`]), for work of this class: history gives way to live
    /// work, which is deliver's pushes and what ingest asks about its subscriptions.
    #[must_use]
    pub const fn new(store: Store, credential: String, class: Class) -> Self {
        Self {
            store,
            credential,
            class,
        }
    }

    async fn take(&self, ask: Ask<'_>) -> Result<Reply, StoreError> {
        let client = self.store.client().await?;
        // Not before there is a connection: what was waited for it says nothing about the keeper's clock.
        let asked = Instant::now();
        let ask = budgets::Ask {
            credential: &self.credential,
            route: ask.route,
            class: self.class,
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
            if route.is_some() && paused.other_routes > 0 {
                // Another route is refused meanwhile, told to whichever process: it is the whole quota and not the route's own limit.
                budgets::pause(&client, &self.credential, None, wait, why).await?;
            }
            Ok(())
        })
    }
}
