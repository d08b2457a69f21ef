//! The way to the broker for all lanes: one connection, over which each publishes by itself.

use broker::{Broker, BrokerConfig, BrokerError, Class, Outgoing, Publisher, Queue};
use runtime::{Backoff, chain};
use std::fmt;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Where pages go, and the queues that history waits for.
const QUEUES: [Queue; 5] = [
    Queue::Raw,
    Queue::RawHistory,
    Queue::EventsHistory,
    Queue::EventsTerminal,
    Queue::EventsProgress,
];

/// One connection, opened again when it is lost.
pub(crate) struct Outlets {
    config: BrokerConfig,
    // Held while a connection is opened: whoever needs it meanwhile waits for it.
    open: Mutex<Option<(Broker, Publisher)>>,
}

/// Whether messages were confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    Yes,
    /// The process is to stop, and the broker takes nothing.
    Stopped,
}

impl Outlets {
    pub(crate) fn new(config: BrokerConfig) -> Self {
        Self {
            config,
            open: Mutex::new(None),
        }
    }

    /// Publishes these messages and waits for their confirms, for as long as it takes: the same ids each time. When the process is to stop
    /// it is tried once more and given up if that fails.
    pub(crate) async fn publish(
        &self,
        messages: &[Outgoing],
        stop: &CancellationToken,
    ) -> anyhow::Result<Published> {
        let mut backoff = Backoff::for_connections();
        loop {
            let outcome = match self.publisher().await {
                Ok(publisher) => publisher
                    .publish_all(messages.to_vec())
                    .await
                    .map_err(|error| (error.class(), anyhow::Error::new(error))),
                Err(error) => Err((error.class(), anyhow::Error::new(error))),
            };
            let (class, error) = match outcome {
                Ok(()) => return Ok(Published::Yes),
                Err(failure) => failure,
            };
            match class {
                Class::Transient | Class::Saturated => {
                    tracing::warn!(error = %chain(error.as_ref()), "the broker is away or full, trying again");
                    if !backoff.pause(stop).await {
                        return Ok(Published::Stopped);
                    }
                }
                Class::Rejected | Class::Fatal => return Err(error),
            }
        }
    }

    /// How many messages wait in a queue.
    pub(crate) async fn depth(&self, queue: Queue) -> Result<u32, BrokerError> {
        let mut open = self.open.lock().await;
        let (broker, _) = self.connected(&mut open).await?;
        broker.depth(queue).await
    }

    /// Closes the connection in good order.
    pub(crate) async fn close(&self) {
        if let Some((broker, _)) = self.open.lock().await.take()
            && let Err(error) = broker.close().await
        {
            tracing::debug!(error = %chain(&error), "the broker connection did not close well");
        }
    }

    async fn publisher(&self) -> Result<Publisher, BrokerError> {
        let mut open = self.open.lock().await;
        let (_, publisher) = self.connected(&mut open).await?;
        Ok(publisher.clone())
    }

    async fn connected<'a>(
        &self,
        open: &'a mut Option<(Broker, Publisher)>,
    ) -> Result<&'a (Broker, Publisher), BrokerError> {
        let lost = |(broker, _): &mut (Broker, Publisher)| !broker.is_connected();
        if open.take_if(lost).is_some() {
            tracing::warn!("the broker connection was lost, opening another");
        }
        let opened = if let Some(opened) = open.take() {
            opened
        } else {
            let broker = Broker::connect(&self.config).await?;
            broker.declare_some(&QUEUES).await?;
            let publisher = broker.publisher().await?;
            (broker, publisher)
        };
        Ok(open.insert(opened))
    }
}

impl fmt::Debug for Outlets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlets").finish_non_exhaustive()
    }
}
