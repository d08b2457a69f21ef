//! The way to the broker: publishes until confirmed, over as many connections as it takes.

use anyhow::Context as _;
use broker::{Broker, BrokerConfig, Class, Outgoing, Publisher, Queue};
use runtime::{Backoff, chain};
use tokio_util::sync::CancellationToken;

/// The queues of the history lane, and the one for notices; nothing else is declared here.
const QUEUES: [Queue; 3] = [
    Queue::RawHistory,
    Queue::EventsHistory,
    Queue::BackfillNotices,
];

/// Publishes to the history lane.
pub(crate) struct Outlet {
    config: BrokerConfig,
    stop: CancellationToken,
    open: Option<(Broker, Publisher)>,
    backoff: Backoff,
}

/// Whether a thing was done or the process is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done<T> {
    Yes(T),
    Stopped,
}

impl Outlet {
    pub(crate) fn new(config: BrokerConfig, stop: CancellationToken) -> Self {
        Self {
            config,
            stop,
            open: None,
            backoff: Backoff::for_connections(),
        }
    }

    /// Publishes these messages and waits for their confirms. Tries for as long as it takes: the same ids each time.
    pub(crate) async fn publish(&mut self, messages: &[Outgoing]) -> anyhow::Result<Done<()>> {
        loop {
            if self.stop.is_cancelled() {
                return Ok(Done::Stopped);
            }
            let outcome = match self.connected().await {
                Ok((_, publisher)) => publisher
                    .publish_all(messages.to_vec())
                    .await
                    .map_err(|error| (error.class(), anyhow::Error::new(error))),
                Err(error) => Err((error.class(), anyhow::Error::new(error))),
            };
            match outcome {
                Ok(()) => {
                    self.backoff.reset();
                    return Ok(Done::Yes(()));
                }
                Err(failure) => self.failed(failure, "publish to the history lane").await?,
            }
        }
    }

    /// How many messages wait in a queue.
    pub(crate) async fn depth(&mut self, queue: Queue) -> anyhow::Result<Done<u32>> {
        loop {
            if self.stop.is_cancelled() {
                return Ok(Done::Stopped);
            }
            let outcome = match self.connected().await {
                Ok((broker, _)) => broker.depth(queue).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(depth) => {
                    self.backoff.reset();
                    return Ok(Done::Yes(depth));
                }
                Err(error) => {
                    let failure = (error.class(), anyhow::Error::new(error));
                    self.failed(failure, "ask for a queue's depth").await?;
                }
            }
        }
    }

    /// Closes the connection in good order.
    pub(crate) async fn close(&mut self) {
        if let Some((broker, _)) = self.open.take()
            && let Err(error) = broker.close().await
        {
            tracing::debug!(error = %chain(&error), "the broker connection did not close well");
        }
    }

    async fn connected(&mut self) -> Result<&(Broker, Publisher), broker::BrokerError> {
        let lost = |(broker, _): &mut (Broker, Publisher)| !broker.is_connected();
        if self.open.take_if(lost).is_some() {
            tracing::warn!("the broker connection was lost, opening another");
        }
        let open = if let Some(open) = self.open.take() {
            open
        } else {
            let broker = Broker::connect(&self.config).await?;
            broker.declare_some(&QUEUES).await?;
            let publisher = broker.publisher().await?;
            (broker, publisher)
        };
        Ok(self.open.insert(open))
    }

    /// Pauses after a failure that time may heal; gives the others back.
    async fn failed(
        &mut self,
        (class, error): (Class, anyhow::Error),
        doing: &'static str,
    ) -> anyhow::Result<()> {
        match class {
            Class::Transient | Class::Saturated => {
                tracing::warn!(doing, error = %chain(error.as_ref()), "the broker is away or full, trying again");
                self.open = None;
                self.backoff.pause(&self.stop).await;
                Ok(())
            }
            Class::Rejected | Class::Fatal => Err(error).context(doing),
        }
    }
}
