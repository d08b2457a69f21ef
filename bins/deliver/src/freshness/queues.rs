//! How many messages wait in the queues of the live lane, over a connection of the watcher's own.

use broker::{Broker, BrokerConfig, BrokerError, Queue};
use runtime::chain;
use std::time::Duration;

/// The way of an event to its metric.
const LIVE: [Queue; 3] = [Queue::Raw, Queue::EventsTerminal, Queue::EventsProgress];
/// A broker that does not answer by then is not waited for: the other evidence is looked at all the same.
const ANSWER: Duration = Duration::from_secs(2);

/// What waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Depths {
    /// In all queues of the live lane.
    pub(super) all: u64,
    /// Of these, in those that compute takes from.
    pub(super) facts: u64,
}

/// Asks the broker.
#[derive(Debug)]
pub(super) struct Queues {
    config: BrokerConfig,
    connection: Option<Broker>,
    failing: bool,
}

impl Queues {
    pub(super) const fn new(config: BrokerConfig) -> Self {
        Self {
            config,
            connection: None,
            failing: false,
        }
    }

    /// What waits; `None`: the broker does not say.
    pub(super) async fn look(&mut self) -> Option<Depths> {
        let asked = tokio::time::timeout(ANSWER, self.ask()).await;
        let why = match asked {
            Ok(Ok(depths)) => {
                self.failing = false;
                return Some(depths);
            }
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("no answer within {ANSWER:?}"),
        };
        self.connection = None;
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(error = why, "the queues cannot be looked at");
        }
        None
    }

    async fn ask(&mut self) -> Result<Depths, BrokerError> {
        // Given back after a good answer only.
        let known = self.connection.take().filter(Broker::is_connected);
        let broker = if let Some(broker) = known {
            broker
        } else {
            let broker = Broker::connect(&self.config).await?;
            broker.declare_some(&LIVE).await?;
            broker
        };
        let mut depths = Depths::default();
        for queue in LIVE {
            let depth = u64::from(broker.depth(queue).await?);
            depths.all += depth;
            if queue != Queue::Raw {
                depths.facts += depth;
            }
        }
        self.connection = Some(broker);
        Ok(depths)
    }

    /// Ends the connection in good order.
    pub(super) async fn close(self) {
        if let Some(broker) = self.connection
            && let Err(error) = broker.close().await
        {
            tracing::debug!(error = %chain(&error), "the connection did not close well");
        }
    }
}
