//! Readiness by component. Flags only: a probe causes no I/O.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// Which components stand. Cheap to clone.
///
/// Ready means: every component that was declared stands, and nobody asked the process to stop.
#[derive(Debug, Clone)]
pub struct Health {
    components: Arc<Mutex<BTreeMap<&'static str, bool>>>,
    stop: CancellationToken,
}

impl Health {
    /// All components start as not ready. `stop` is the token of the shutdown.
    #[must_use]
    pub fn new(stop: CancellationToken, components: &[&'static str]) -> Self {
        Self {
            components: Arc::new(Mutex::new(
                components.iter().map(|name| (*name, false)).collect(),
            )),
            stop,
        }
    }

    /// Says whether a component stands. A name that was not declared is added.
    pub fn set_ready(&self, component: &'static str, ready: bool) {
        let before = self.lock().insert(component, ready);
        if before != Some(ready) {
            tracing::debug!(component, ready, "readiness changed");
        }
    }

    /// True when all components stand and no stop was requested.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.is_stopping() && self.lock().values().all(|ready| *ready)
    }

    /// True from the first moment of shutdown.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// A copy of the flags, by name.
    #[must_use]
    pub fn components(&self) -> BTreeMap<&'static str, bool> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, bool>> {
        self.components
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_all_components_and_no_stop() {
        let stop = CancellationToken::new();
        let health = Health::new(stop.clone(), &["http", "broker"]);
        health.set_ready("http", true);
        assert!(
            !health.is_ready(),
            "a declared component counts from the start"
        );
        health.set_ready("broker", true);
        assert!(health.is_ready());
        health.set_ready("broker", false);
        assert!(!health.is_ready());
        health.set_ready("broker", true);
        stop.cancel();
        assert!(
            !health.is_ready(),
            "not ready from the first moment of shutdown"
        );
    }
}
