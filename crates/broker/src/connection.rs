//! One connection to the broker.

use crate::consume::Consumer;
use crate::error::{BrokerError, Class};
use crate::publish::Publisher;
use crate::queue::Queue;
use crate::secured::{self, Security};
use crate::{addresses, declare, version};
use futures_util::StreamExt as _;
use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::tcp::AMQPUriTcpExt as _;
use lapin::types::{FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Event};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Seconds between heartbeats where the URL states none: a silent peer is noticed after two of them.
const HEARTBEAT_SECONDS: u16 = 10;
/// How often a waiting `closed` looks at the connection.
const WATCH_INTERVAL: Duration = Duration::from_millis(200);

/// How to reach the broker. `Debug` hides the URL.
#[derive(Clone)]
pub struct BrokerConfig {
    /// `amqp://` or `amqps://`, with credentials. Of the query parameters `heartbeat`, `auth_mechanism`, `cacertfile`, `certfile` and `keyfile` are
    /// honoured. Several hosts with commas between them are nodes of one cluster.
    pub url: String,
    /// What all queue names begin with.
    pub prefix: String,
    /// What the broker's operator sees as the connection's name.
    pub name: String,
    /// The longest wait for the connection and for an answer on it.
    pub connect_timeout: Duration,
    /// The longest wait for the next confirm.
    pub confirm_timeout: Duration,
    /// The bound of queue `raw`, which then refuses what is above it. Must be the same for all who declare.
    pub raw_max_bytes: Option<u64>,
    /// Whether declaring makes what is missing. Else it only looks whether all is there, which needs no right.
    pub declare: bool,
}

impl BrokerConfig {
    /// With deadlines of 10 seconds and no bound.
    #[must_use]
    pub fn new(url: impl Into<String>, prefix: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: prefix.into(),
            name: name.into(),
            connect_timeout: Duration::from_secs(10),
            confirm_timeout: Duration::from_secs(10),
            raw_max_bytes: None,
            declare: true,
        }
    }
}

impl fmt::Debug for BrokerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerConfig")
            .field("url", &"***")
            .field("prefix", &self.prefix)
            .field("name", &self.name)
            .field("connect_timeout", &self.connect_timeout)
            .field("confirm_timeout", &self.confirm_timeout)
            .field("raw_max_bytes", &self.raw_max_bytes)
            .field("declare", &self.declare)
            .finish()
    }
}

/// One connection. Publishers and consumers made from it share it and keep it open.
#[derive(Debug)]
pub struct Broker {
    shared: Arc<Shared>,
}

/// What all users of a connection need.
pub(crate) struct Shared {
    pub(crate) connection: Connection,
    pub(crate) uri: AMQPUri,
    pub(crate) security: Security,
    pub(crate) config: BrokerConfig,
    blocked: watch::Receiver<bool>,
    watcher: AbortHandle,
}

impl Broker {
    /// Connects to the first server that takes the connection, beginning with another one each time. Fails after the connect timeout at the
    /// latest, of which each server has an equal share.
    pub async fn connect(config: &BrokerConfig) -> Result<Self, BrokerError> {
        let (servers, security) = secured::read(&config.url)?;
        let servers = addresses::in_turn(servers);
        let share = config.connect_timeout / u32::try_from(servers.len().max(1)).unwrap_or(1);
        let mut failed: Option<BrokerError> = None;
        for uri in servers {
            match Self::connect_to(config, uri, &security, share).await {
                Ok(broker) => return Ok(broker),
                // One that may pass says more than one that does not: a node that starts refuses what it will take in a moment.
                Err(error) => {
                    let may_pass = |error: &BrokerError| error.class() == Class::Transient;
                    if !failed.as_ref().is_some_and(may_pass) {
                        failed = Some(error);
                    }
                }
            }
        }
        Err(failed.unwrap_or_else(|| BrokerError::Url {
            reason: "it names no host".to_owned(),
        }))
    }

    async fn connect_to(
        config: &BrokerConfig,
        mut uri: AMQPUri,
        security: &Security,
        after: Duration,
    ) -> Result<Self, BrokerError> {
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let properties =
            ConnectionProperties::default().with_connection_name(config.name.as_str().into());
        let doing = "connecting to the broker";
        let runtime = lapin::runtime::default_runtime()
            .map_err(|source| BrokerError::Request { doing, source })?;
        let through = security.clone();
        // Boxed and nameless: the library's connect is a future of 20 KB, and whoever awaits this one has its type in theirs.
        let connect: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(Connection::connector(
            uri.clone(),
            runtime,
            async move |uri, runtime| {
                let stream = secured::plain(&uri).connect_async(&runtime).await?;
                Ok(through.over(stream, &uri).await?)
            },
            properties,
        ));
        let connection = within(doing, after, connect).await?;
        let (blocked, watcher) = watch_alarms(&connection);
        Ok(Self {
            shared: Arc::new(Shared {
                connection,
                uri,
                security: security.clone(),
                config: config.clone(),
                blocked,
                watcher,
            }),
        })
    }

    /// Declares all queues and their exchanges, or looks whether they are there. Safe to repeat, and from several processes at once.
    pub async fn declare(&self) -> Result<(), BrokerError> {
        self.declare_some(&Queue::ALL).await
    }

    /// Declares some queues.
    pub async fn declare_some(&self, queues: &[Queue]) -> Result<(), BrokerError> {
        declare::all(&self.shared, queues).await
    }

    /// A publisher on this connection, with its first channel already open and confirming.
    pub async fn publisher(&self) -> Result<Publisher, BrokerError> {
        Publisher::open(Arc::clone(&self.shared)).await
    }

    /// A consumer of several queues on one channel. `prefetch` bounds the unacknowledged deliveries of each queue.
    pub async fn consumer(&self, queues: &[Queue], prefetch: u16) -> Result<Consumer, BrokerError> {
        Consumer::open(Arc::clone(&self.shared), queues, prefetch).await
    }

    /// True while the broker is in alarm and takes no publishes from this connection.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.shared.is_blocked()
    }

    /// True while the connection stands, as far as heartbeats tell.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared.connection.status().connected()
    }

    /// Resolves when the connection is lost or closed.
    pub async fn closed(&self) {
        while self.is_connected() {
            tokio::time::sleep(WATCH_INTERVAL).await;
        }
    }

    /// How many messages are ready in a queue, not counting those that consumers hold. [`BrokerError::Missing`]: nobody has declared it.
    pub async fn depth(&self, queue: Queue) -> Result<u32, BrokerError> {
        // A channel of its own: the broker closes it when the queue does not exist.
        let channel = self.shared.channel().await?;
        let name = self.shared.queue_name(queue)?;
        let options = QueueDeclareOptions {
            passive: true,
            durable: true,
            exclusive: false,
            auto_delete: false,
            nowait: false,
        };
        let declared = channel.queue_declare(name.clone(), options, FieldTable::default());
        let queue = self.shared.within("asking for a queue's depth", declared);
        let queue = queue
            .await
            .map_err(|error| declare::absent(error, name.as_str()))?;
        let depth = queue.message_count();
        self.shared.close_channel(&channel).await?;
        Ok(depth)
    }

    /// What the server says of its version, from a short connection of its own, once a process.
    pub async fn server_version(&self) -> Result<Option<crate::ServerVersion>, BrokerError> {
        version::ask(&self.shared).await
    }

    /// Deletes all queues with all that is in them, and their exchanges. For tests.
    pub async fn delete_queues(&self) -> Result<(), BrokerError> {
        for queue in Queue::ALL {
            self.delete_queue(queue).await?;
            let channel = self.shared.channel().await?;
            let name = self.shared.exchange_name(queue)?;
            let options = ExchangeDeleteOptions {
                if_unused: false,
                nowait: false,
            };
            let deleted = channel.exchange_delete(name, options);
            self.shared.within("deleting an exchange", deleted).await?;
            self.shared.close_channel(&channel).await?;
        }
        Ok(())
    }

    /// Deletes one queue with all that is in it. For tests.
    pub async fn delete_queue(&self, queue: Queue) -> Result<(), BrokerError> {
        let channel = self.shared.channel().await?;
        let name = self.shared.queue_name(queue)?;
        let options = QueueDeleteOptions {
            if_unused: false,
            if_empty: false,
            nowait: false,
        };
        let deleted = channel.queue_delete(name, options);
        self.shared.within("deleting a queue", deleted).await?;
        self.shared.close_channel(&channel).await
    }

    /// Closes the connection and all channels on it. What consumers hold goes back to the queues. A lost one is closed already.
    pub async fn close(&self) -> Result<(), BrokerError> {
        if !self.is_connected() {
            return Ok(());
        }
        let closed = self.shared.connection.close(200, "OK".into());
        self.shared.within("closing the connection", closed).await
    }
}

impl Shared {
    pub(crate) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Resolves when the broker announces an alarm.
    pub(crate) async fn until_blocked(&self) {
        let mut blocked = self.blocked.clone();
        if blocked.wait_for(|blocked| *blocked).await.is_err() {
            // The watcher is gone, and the connection with it: the caller's own wait will say so.
            std::future::pending::<()>().await;
        }
    }

    pub(crate) async fn channel(&self) -> Result<Channel, BrokerError> {
        self.within("opening a channel", self.connection.create_channel())
            .await
    }

    /// Closes a channel and waits for the answer.
    ///
    /// Never leave it to the library's drop: its close runs unattended, and when it meets a channel that is closing for another reason,
    /// it takes the failure for one of the whole connection.
    pub(crate) async fn close_channel(&self, channel: &Channel) -> Result<(), BrokerError> {
        self.within("closing a channel", channel.close(200, "OK".into()))
            .await
    }

    pub(crate) fn queue_name(&self, queue: Queue) -> Result<ShortString, BrokerError> {
        let name = queue.name(&self.config.prefix);
        ShortString::try_new(name.as_str()).map_err(|_| BrokerError::Name { name })
    }

    pub(crate) fn exchange_name(&self, queue: Queue) -> Result<ShortString, BrokerError> {
        let name = queue.exchange(&self.config.prefix);
        ShortString::try_new(name.as_str()).map_err(|_| BrokerError::Name { name })
    }

    /// Waits for an answer, but not longer than the connect timeout.
    pub(crate) async fn within<T>(
        &self,
        doing: &'static str,
        answer: impl Future<Output = Result<T, lapin::Error>>,
    ) -> Result<T, BrokerError> {
        within(doing, self.config.connect_timeout, answer).await
    }
}

/// Closes channels that nobody waits for, as [`Shared::close_channel`] does, and then drops what was `used` on them.
pub(crate) fn close_in_background(
    shared: &Arc<Shared>,
    channels: Vec<Channel>,
    used: impl Send + 'static,
) {
    let channels: Vec<_> = channels
        .into_iter()
        .filter(|channel| channel.status().connected())
        .collect();
    // Outside a runtime the process is about to end, and the connection with it.
    if let (false, Ok(runtime)) = (channels.is_empty(), Handle::try_current()) {
        let shared = Arc::clone(shared);
        runtime.spawn(async move {
            for channel in &channels {
                if let Err(error) = shared.close_channel(channel).await {
                    tracing::debug!(%error, "a channel did not close");
                }
            }
            drop(used);
        });
    }
}

async fn within<T>(
    doing: &'static str,
    after: Duration,
    answer: impl Future<Output = Result<T, lapin::Error>>,
) -> Result<T, BrokerError> {
    match tokio::time::timeout(after, answer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(source)) => Err(BrokerError::request(doing, source)),
        Err(_) => Err(BrokerError::TimedOut { doing, after }),
    }
}

/// Follows the broker's alarms, so that a waiting publish learns of one at once.
fn watch_alarms(connection: &Connection) -> (watch::Receiver<bool>, AbortHandle) {
    let (sender, receiver) = watch::channel(connection.status().blocked());
    let mut events = Box::pin(connection.events_listener());
    let task = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                Event::ConnectionBlocked(reason) => {
                    tracing::warn!(reason, "the broker is in alarm and takes no messages");
                    sender.send_replace(true);
                }
                Event::ConnectionUnblocked => {
                    tracing::info!("the broker takes messages again");
                    sender.send_replace(false);
                }
                _ => {}
            }
        }
    });
    (receiver, task.abort_handle())
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("config", &self.config)
            .field("status", self.connection.status())
            .finish_non_exhaustive()
    }
}
