//! The budget of a credential, with a look at how long requests wait for their turn.

use super::meters::Meters;
use access::StoreKeeper;
use platform::budget::shared::Shared;
use platform::budget::{BoxFuture, Budget, BudgetError, Slot, Throttle};
use std::time::{Duration, Instant};

/// A budget that is timed.
#[derive(Debug)]
pub(crate) struct Timed {
    pub(crate) inner: Shared<StoreKeeper>,
    pub(crate) meters: Meters,
    pub(crate) platform: String,
}

impl Budget for Timed {
    fn reserve<'a>(
        &'a self,
        route: &'a str,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Slot, BudgetError>> {
        Box::pin(async move {
            let asked = Instant::now();
            let slot = self.inner.reserve(route, patience).await;
            self.meters
                .turn(&self.platform, asked.elapsed().as_secs_f64());
            slot
        })
    }

    fn throttled<'a>(&'a self, throttle: Throttle<'a>) -> BoxFuture<'a, ()> {
        self.inner.throttled(throttle)
    }

    fn calm(&self, route: &str) {
        self.inner.calm(route);
    }
}
