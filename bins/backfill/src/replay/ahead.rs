//! Reading ahead: the next page is read and mapped while the one before it is published. Nothing is marked done by it.

use super::batch::{After, Batch, Reading, Scope, batch, first, read};
use crate::lease::Lease;
use crate::ready::Unready;
use anyhow::Context as _;
use runtime::{Backoff, chain};
use schema::JobRef;
use std::sync::Arc;
use std::time::Duration;
use store::{Class, Store};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Pages ready before they can be published.
const AHEAD: usize = 1;

/// How often a sign of life may be due while the next page is waited for.
const LIFE: Duration = Duration::from_secs(1);

/// Pages one after the other, the next one under way.
pub(super) struct Ahead(mpsc::Receiver<anyhow::Result<Batch>>);

impl Ahead {
    /// Begins to read behind `after`.
    pub(super) fn begin(
        store: Store,
        stop: CancellationToken,
        reading: Arc<Reading>,
        scope: Scope,
        after: Option<After>,
        job: JobRef,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(AHEAD);
        tokio::spawn(async move {
            let (mut after, mut events) = (after, first(&reading));
            loop {
                let next = next(&store, &stop, &reading, &scope, (after, events), job).await;
                let next = match next {
                    Ok(None) => return,
                    Ok(Some(next)) => {
                        (after, events) = (Some(next.after), next.next);
                        Ok(next)
                    }
                    Err(error) => Err(error),
                };
                let last = next.is_err();
                // Nobody listens any more when the job stops.
                if sender.send(next).await.is_err() || last {
                    return;
                }
            }
        });
        Self(receiver)
    }

    /// The next page; none at the end.
    pub(super) async fn next(&mut self, lease: &mut Lease) -> anyhow::Result<Option<Batch>> {
        loop {
            tokio::select! {
                next = self.0.recv() => return next.transpose(),
                () = tokio::time::sleep(LIFE) => lease.alive().await?,
            }
        }
    }
}

async fn next(
    store: &Store,
    stop: &CancellationToken,
    reading: &Arc<Reading>,
    scope: &Scope,
    (after, events): (Option<After>, u32),
    job: JobRef,
) -> anyhow::Result<Option<Batch>> {
    let mut backoff = Backoff::for_connections();
    let doing = "read the event log";
    let rows = loop {
        let error = match read(store, scope, after, events).await {
            Ok(rows) => break rows,
            Err(error) => error,
        };
        match error.class() {
            Class::Transient | Class::Saturated => {
                tracing::warn!(doing, error = %chain(&error), "the store is away or busy, trying again");
                if !backoff.pause(stop).await {
                    return Err(error).context(doing);
                }
            }
            Class::Rejected | Class::Fatal => return Err(error).context(doing),
        }
    };
    batch(rows, reading, job).await.map_err(|error| match error {
        Unready::Later(error) | Unready::Refused(error) => error,
    })
}
