//! Supervision: a part that ends, fails or panics while nobody asked the process to stop is a failure of the process.

use crate::{Shutdown, chain};
use std::collections::HashMap;
use std::future::Future;
use tokio::task::{Id, JoinError, JoinSet};

/// The long-running parts of a process.
#[derive(Debug)]
pub struct Tasks {
    set: JoinSet<anyhow::Result<()>>,
    parts: HashMap<Id, Part>,
    shutdown: Shutdown,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    name: &'static str,
    /// Whether it may end well before the stop.
    finite: bool,
}

impl Tasks {
    /// No parts yet.
    #[must_use]
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            set: JoinSet::new(),
            parts: HashMap::new(),
            shutdown,
        }
    }

    /// Starts a part that runs until the stop.
    pub fn spawn<F>(&mut self, name: &'static str, part: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.start(
            Part {
                name,
                finite: false,
            },
            part,
        );
    }

    /// Starts a part that may end well before the stop. When all parts have ended well, the process does too.
    pub fn spawn_finite<F>(&mut self, name: &'static str, part: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.start(Part { name, finite: true }, part);
    }

    fn start<F>(&mut self, part: Part, future: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let id = self.set.spawn(future).id();
        self.parts.insert(id, part);
    }

    /// Waits until all parts have ended: after a requested stop within the grace period, or after the first failure.
    ///
    /// The first failure asks all other parts to stop. It is returned after they have ended, or when the grace period is over; what
    /// runs then is cut off, which is an error too.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut failure = None;
        let stop = self.shutdown.token();
        loop {
            let ended = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                ended = self.set.join_next_with_id() => ended,
            };
            match ended {
                None => return Ok(()),
                Some(ended) => {
                    if let Some(error) = self.settle(ended, true) {
                        failure = Some(error);
                        self.shutdown.request();
                        break;
                    }
                }
            }
        }
        let deadline = tokio::time::sleep(self.shutdown.grace());
        tokio::pin!(deadline);
        loop {
            let ended = tokio::select! {
                biased;
                ended = self.set.join_next_with_id() => ended,
                () = &mut deadline => {
                    let mut names: Vec<_> = self.parts.values().map(|part| part.name).collect();
                    names.sort_unstable();
                    let names = names.join(", ");
                    tracing::error!(parts = names, "cut off: still running when the grace period ended");
                    self.set.abort_all();
                    return Err(failure.unwrap_or_else(|| {
                        anyhow::anyhow!("still running when the grace period ended: {names}")
                    }));
                }
            };
            match ended {
                None => return failure.map_or(Ok(()), Err),
                Some(ended) => {
                    if let Some(error) = self.settle(ended, false) {
                        failure.get_or_insert(error);
                    }
                }
            }
        }
    }

    /// Notes one end. An error when it is a failure.
    fn settle(
        &mut self,
        ended: Result<(Id, anyhow::Result<()>), JoinError>,
        running: bool,
    ) -> Option<anyhow::Error> {
        let (id, result) = match ended {
            Ok((id, result)) => (id, result),
            Err(error) => {
                let text = if error.is_panic() {
                    "panicked"
                } else {
                    "was aborted"
                };
                (error.id(), Err(anyhow::anyhow!(text)))
            }
        };
        let part = self.parts.remove(&id);
        let name = part.map_or("a part", |part| part.name);
        let finite = part.is_some_and(|part| part.finite);
        match result {
            Ok(()) if running && !finite => {
                tracing::error!(part = name, "ended although nobody asked it to");
                Some(anyhow::anyhow!("{name} ended although nobody asked it to"))
            }
            Ok(()) => {
                tracing::debug!(part = name, "ended");
                None
            }
            Err(error) => {
                tracing::error!(part = name, error = %chain(error.as_ref()), "failed");
                Some(error.context(format!("{name} failed")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn shutdown(grace: Duration) -> Shutdown {
        Shutdown::manual(grace)
    }

    async fn until(stop: tokio_util::sync::CancellationToken) -> anyhow::Result<()> {
        stop.cancelled().await;
        Ok(())
    }

    #[tokio::test]
    async fn a_requested_stop_ends_well() {
        let shutdown = shutdown(Duration::from_secs(5));
        let mut tasks = Tasks::new(shutdown.clone());
        tasks.spawn("a", until(shutdown.token()));
        tasks.spawn("b", until(shutdown.token()));
        shutdown.request();
        assert!(tasks.run().await.is_ok());
    }

    #[tokio::test]
    async fn a_part_that_ends_by_itself_stops_the_others_and_fails() {
        let shutdown = shutdown(Duration::from_secs(5));
        let mut tasks = Tasks::new(shutdown.clone());
        tasks.spawn("stays", until(shutdown.token()));
        tasks.spawn("leaves", async { Ok(()) });
        let error = tasks.run().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "leaves ended although nobody asked it to"
        );
        assert!(shutdown.token().is_cancelled());
    }

    #[tokio::test]
    async fn a_panic_is_a_failure() {
        let shutdown = shutdown(Duration::from_secs(5));
        let mut tasks = Tasks::new(shutdown.clone());
        tasks.spawn("stays", until(shutdown.token()));
        tasks.spawn("breaks", async { panic!("on purpose") });
        let error = tasks.run().await.unwrap_err();
        assert_eq!(chain(error.as_ref()), "breaks failed: panicked");
    }

    #[tokio::test]
    async fn an_error_during_the_stop_is_still_an_error() {
        let shutdown = shutdown(Duration::from_secs(5));
        let mut tasks = Tasks::new(shutdown.clone());
        let stop = shutdown.token();
        tasks.spawn("late", async move {
            stop.cancelled().await;
            anyhow::bail!("could not close")
        });
        shutdown.request();
        let error = tasks.run().await.unwrap_err();
        assert_eq!(chain(error.as_ref()), "late failed: could not close");
    }

    #[tokio::test]
    async fn finite_parts_may_end() {
        let mut tasks = Tasks::new(shutdown(Duration::from_secs(5)));
        tasks.spawn_finite("job", async { Ok(()) });
        assert!(tasks.run().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_outlives_the_grace_period_is_cut_off_and_named() {
        let shutdown = shutdown(Duration::from_secs(1));
        let mut tasks = Tasks::new(shutdown.clone());
        tasks.spawn("deaf", std::future::pending());
        shutdown.request();
        let error = tasks.run().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "still running when the grace period ended: deaf"
        );
    }
}
