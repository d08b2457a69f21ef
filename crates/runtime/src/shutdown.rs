//! The wish to stop: SIGTERM, SIGINT, or a part that failed.

use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Shared by all parts of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown {
    token: CancellationToken,
    grace: Duration,
}

impl Shutdown {
    /// Listens for SIGTERM and SIGINT. A second signal ends the process at once, with code 130.
    pub fn listen(grace: Duration) -> std::io::Result<Self> {
        let shutdown = Self::manual(grace);
        let mut term = signal(SignalKind::terminate())?;
        let mut int = signal(SignalKind::interrupt())?;
        let token = shutdown.token.clone();
        tokio::spawn(async move {
            let name = tokio::select! {
                _ = term.recv() => "SIGTERM",
                _ = int.recv() => "SIGINT",
            };
            tracing::info!(signal = name, "stopping");
            token.cancel();
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            tracing::warn!("second signal, ending at once");
            std::process::exit(130);
        });
        Ok(shutdown)
    }

    /// Without signals: for tests and for parts that are stopped by their caller.
    #[must_use]
    pub fn manual(grace: Duration) -> Self {
        Self {
            token: CancellationToken::new(),
            grace,
        }
    }

    /// Cancelled when the process is to stop. Loops select on it first.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// How long the parts may take to finish what they have begun.
    #[must_use]
    pub const fn grace(&self) -> Duration {
        self.grace
    }

    /// Asks all parts to stop.
    pub fn request(&self) {
        self.token.cancel();
    }

    /// Resolves at the first moment of the stop.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }
}
