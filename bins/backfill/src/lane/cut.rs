//! A replay that nobody has cut yet: the worker that takes it makes it the chunks that all of them share.

use super::{Hand, Next};
use crate::ready::Unready;
use crate::replay::{SLICE_EVENTS, slices};
use crate::source::Source;
use std::time::Duration;
use store::StoreError;
use store::chunks::{self, NewChunk, Why};

impl Hand<'_> {
    /// Looks through the stretch, cuts the chunk and gives it back. Whoever dies over it leaves it as it was.
    pub(super) async fn cut(&self) -> anyhow::Result<Next> {
        let (store, stop) = (&self.shared.store, &self.shared.stop);
        let stretch = self.chunk.from..self.chunk.to;
        let tenant = self.job.tenant.as_deref();
        let found = tokio::select! {
            found = slices(store, stretch, tenant, SLICE_EVENTS) => found,
            () = stop.cancelled() => {
                self.give_back(Duration::ZERO, Why::Later).await?;
                return Ok(Next::Left);
            }
        };
        let cut = match found {
            Ok(slices) => {
                let chunk = |range: std::ops::Range<_>| NewChunk {
                    from: range.start,
                    to: range.end,
                    due_in: Duration::ZERO,
                    cursor_json: None,
                };
                let into: Vec<NewChunk> =
                    slices.into_iter().map(|slice| chunk(slice.range)).collect();
                self.cut_into(&into).await
            }
            Err(error) => Err(error),
        };
        match cut {
            Ok(true) => Ok(Next::Left),
            Ok(false) => {
                self.give_back(Duration::ZERO, Why::Later).await?;
                Ok(Next::Left)
            }
            Err(error) => self.ready(Source::Replay, Err(Unready::from(error))).await,
        }
    }

    async fn cut_into(&self, into: &[NewChunk]) -> Result<bool, StoreError> {
        let mut client = self.shared.store.client().await?;
        let tx = client.transaction().await?;
        if !chunks::cut(&tx, self.job.id, self.chunk.number, self.owner, into).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        tx.commit().await?;
        tracing::info!(job = %self.job.id, chunks = into.len(), "the replay is cut into chunks");
        Ok(true)
    }
}
