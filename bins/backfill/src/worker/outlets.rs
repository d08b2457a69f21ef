//! The way to the broker for all lanes: one connection, over which each publishes by itself.

use broker::{Broker, BrokerConfig, BrokerError, Class, Outgoing, Publisher, Queue};
use runtime::{Backoff, chain};
use std::fmt;
use std::sync::Arc;
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

/// A connection, and the publisher on it. Cheap to clone.
#[derive(Clone)]
struct Opened {
    broker: Arc<Broker>,
    publisher: Publisher,
}

/// One connection, opened again when it is lost.
pub(crate) struct Outlets {
    config: BrokerConfig,
    // Held while a connection is opened, and for nothing else: whoever needs it meanwhile waits for it.
    open: Mutex<Option<Opened>>,
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
            let outcome = match self.opened().await {
                Ok(opened) => opened
                    .publisher
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
                // A password that was changed, a right that was taken: it concerns this process, and no job has to be looked at for it.
                Class::Fatal => {
                    tracing::error!(error = %chain(error.as_ref()), "the broker refuses this worker, trying again");
                    if !backoff.pause(stop).await {
                        return Ok(Published::Stopped);
                    }
                }
                Class::Rejected => return Err(error),
            }
        }
    }

    /// How many messages wait in a queue.
    pub(crate) async fn depth(&self, queue: Queue) -> Result<u32, BrokerError> {
        // Asked without the lock: pages are published meanwhile.
        self.opened().await?.broker.depth(queue).await
    }

    /// Closes the connection in good order.
    pub(crate) async fn close(&self) {
        let opened = self.open.lock().await.take();
        if let Some(opened) = opened
            && let Err(error) = opened.broker.close().await
        {
            tracing::debug!(error = %chain(&error), "the broker connection did not close well");
        }
    }

    async fn opened(&self) -> Result<Opened, BrokerError> {
        let mut open = self.open.lock().await;
        if open
            .take_if(|opened| !opened.broker.is_connected())
            .is_some()
        {
            tracing::warn!("the broker connection was lost, opening another");
        }
        if let Some(opened) = open.as_ref() {
            return Ok(opened.clone());
        }
        let broker = Broker::connect(&self.config).await?;
        broker.declare_some(&QUEUES).await?;
        let publisher = broker.publisher().await?;
        let opened = Opened {
            broker: Arc::new(broker),
            publisher,
        };
        Ok(open.insert(opened).clone())
    }
}

impl fmt::Debug for Outlets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlets").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::TestBroker;

    #[tokio::test]
    async fn a_broker_that_refuses_the_worker_is_no_fault_of_the_pages() {
        let broker = TestBroker::new();
        let mut config = broker.config("outlets");
        let mut url = url::Url::parse(&config.url).unwrap();
        url.set_password(Some("of-yesterday")).unwrap();
        config.url = url.to_string();
        let outlets = Outlets::new(config);
        assert_eq!(outlets.opened().await.err().unwrap().class(), Class::Fatal);
        let stop = CancellationToken::new();
        stop.cancel();
        assert_eq!(
            outlets.publish(&[], &stop).await.unwrap(),
            Published::Stopped
        );
    }
}
