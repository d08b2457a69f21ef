//! A page of a chunk that is ready to be published, as [`crate::replay`] and [`crate::import`] give it to a worker.

use broker::Outgoing;
use store::{Class, StoreError};

/// Messages to publish, and where to go on once all of them are confirmed.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) messages: Vec<Outgoing>,
    /// The chunk's cursor behind them.
    pub(crate) cursor_json: String,
    /// Records that were read for it.
    pub(crate) records: u64,
}

impl Ready {
    /// The bytes of its messages.
    pub(crate) fn bytes(&self) -> u64 {
        self.messages
            .iter()
            .map(|message| message.body.len() as u64)
            .sum()
    }
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unready {
    /// Time may heal it.
    #[error(transparent)]
    Later(anyhow::Error),
    /// It is so every time: somebody has to look.
    #[error(transparent)]
    Refused(anyhow::Error),
}

impl Unready {
    pub(crate) fn refused(error: impl Into<anyhow::Error>) -> Self {
        Self::Refused(error.into())
    }
}

impl From<StoreError> for Unready {
    fn from(error: StoreError) -> Self {
        match error.class() {
            Class::Transient | Class::Saturated => Self::Later(error.into()),
            Class::Rejected | Class::Fatal => Self::Refused(error.into()),
        }
    }
}
