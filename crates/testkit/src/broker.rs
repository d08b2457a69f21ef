//! Queues of a test's own, on the real broker.

use crate::eventually;
use broker::{Broker, BrokerConfig, Class, Outgoing, Queue};
use std::time::Duration;
use uuid::Uuid;

/// How long a broker may take to take a message.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(30);

/// A queue prefix of its own. The queues are deleted with the value, also when the test fails.
#[derive(Debug)]
pub struct TestBroker {
    url: String,
    prefix: String,
}

impl TestBroker {
    /// Declares nothing. The broker is that of `KPILINE_TEST_AMQP_URL`, by default the local one.
    #[must_use]
    pub fn new() -> Self {
        let url = std::env::var("KPILINE_TEST_AMQP_URL")
            .unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned());
        Self {
            url,
            prefix: format!("test-{}.", Uuid::now_v7().simple()),
        }
    }

    /// With all queues declared.
    pub async fn declared() -> Self {
        let test = Self::new();
        let broker = test.connect("test-declare").await;
        broker.declare().await.expect("declare the test's queues");
        broker.close().await.expect("close the connection");
        test
    }

    /// The broker's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the names of this test's queues begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A configuration for this prefix.
    #[must_use]
    pub fn config(&self, name: &str) -> BrokerConfig {
        BrokerConfig::new(self.url.clone(), self.prefix.clone(), name)
    }

    /// A connection for this prefix.
    pub async fn connect(&self, name: &str) -> Broker {
        Broker::connect(&self.config(name))
            .await
            .expect("connect to the test broker")
    }

    /// Publishes a message as senders do: once more while the broker says that it cannot take it now, as a queue that was declared a moment
    /// ago may.
    pub async fn publish(&self, outgoing: Outgoing) {
        let broker = self.connect("test-publish").await;
        let publisher = broker.publisher().await.expect("open a publisher");
        eventually(
            PUBLISHED_WITHIN,
            "the broker takes a message",
            async || match publisher.publish(outgoing.clone()).await {
                Ok(()) => Some(()),
                Err(error) => {
                    assert!(
                        matches!(error.class(), Class::Saturated | Class::Transient),
                        "{error:?}"
                    );
                    None
                }
            },
        )
        .await;
        broker.close().await.expect("close the connection");
    }

    /// How many messages are ready in a queue.
    pub async fn depth(&self, queue: Queue) -> u32 {
        let broker = self.connect("test-depth").await;
        let depth = broker.depth(queue).await.expect("ask for the depth");
        broker.close().await.expect("close the connection");
        depth
    }
}

impl Default for TestBroker {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TestBroker {
    /// A thread with a runtime of its own: a drop may happen inside a runtime that cannot wait.
    fn drop(&mut self) {
        let mut config = self.config("test-clean-up");
        config.connect_timeout = Duration::from_secs(5);
        let cleaner = std::thread::spawn(move || -> anyhow::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let broker = Broker::connect(&config).await?;
                broker.delete_queues().await?;
                broker.close().await?;
                Ok(())
            })
        });
        match cleaner.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("queues {}* are left behind: {error:#}", self.prefix),
            Err(_) => eprintln!("queues {}* are left behind: clean-up panicked", self.prefix),
        }
    }
}
