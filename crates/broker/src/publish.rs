//! Publishing: a message is taken over when, and only when, the broker confirmed it and did not return it.

use crate::connection::{Shared, close_in_background};
use crate::error::{BrokerError, PublishError};
use crate::queue::Queue;
use bytes::Bytes;
use futures_util::StreamExt as _;
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use uuid::Uuid;

/// The most bytes in one message: the limit of a RabbitMQ 4 that nobody configured.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// Unconfirmed messages of one call. More gains nothing and costs memory.
const WINDOW: usize = 1024;
/// Calls that publish at the same time; the others wait.
const CHANNELS_MAX: usize = 32;
const PERSISTENT: u8 = 2;
const SHORT_STRING_MAX: usize = 255;

/// One message to publish.
#[derive(Clone)]
pub struct Outgoing {
    /// Where to.
    pub queue: Queue,
    /// The body, at most [`MAX_BODY_BYTES`].
    pub body: Bytes,
    /// The message's id; the broker repeats it on every redelivery. Unique within one call.
    pub message_id: Uuid,
    /// Ties log lines together. Cut to 255 bytes.
    pub correlation: String,
}

/// Without the body, which may be personal data.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("queue", &self.queue)
            .field("body_bytes", &self.body.len())
            .field("message_id", &self.message_id)
            .field("correlation", &self.correlation)
            .finish()
    }
}

/// Publishes with confirms. Cheap to clone; calls may run at the same time.
///
/// Each call has a channel to itself while it runs. On a shared one the client library may hand a returned message to the
/// confirm of another call, which would then look refused while the right one looks stored.
#[derive(Clone)]
pub struct Publisher(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    idle: Mutex<Vec<Channel>>,
    permits: Semaphore,
}

impl Publisher {
    pub(crate) async fn open(shared: Arc<Shared>) -> Result<Self, BrokerError> {
        let channel = confirming_channel(&shared).await?;
        Ok(Self(Arc::new(Inner {
            shared,
            idle: Mutex::new(vec![channel]),
            permits: Semaphore::new(CHANNELS_MAX),
        })))
    }

    /// Publishes one message and waits for its confirm.
    pub async fn publish(&self, message: Outgoing) -> Result<(), PublishError> {
        self.publish_all(vec![message]).await
    }

    /// Publishes messages side by side and waits for all confirms. The first failure in the order of the messages is returned; the
    /// others may have been taken over.
    pub async fn publish_all(&self, messages: Vec<Outgoing>) -> Result<(), PublishError> {
        self.publish_each(&messages).await.into_iter().collect()
    }

    /// Publishes messages side by side and tells the fate of each, in their order.
    ///
    /// The deadline is that of the next confirm, the first of which includes the wait for a channel: a call ends with `TimedOut` for the
    /// unconfirmed rest when none came for so long.
    pub async fn publish_each(&self, messages: &[Outgoing]) -> Vec<Result<(), PublishError>> {
        if messages.is_empty() {
            return Vec::new();
        }
        let shared = &self.0.shared;
        if shared.is_blocked() {
            return vec![Err(PublishError::Blocked); messages.len()];
        }
        let after = shared.config.confirm_timeout;
        // The wait for a channel counts too.
        let deadline = Instant::now() + after;
        let leased = tokio::time::timeout_at(deadline, self.lease()).await;
        let lease = match leased.unwrap_or(Err(PublishError::TimedOut { after })) {
            Ok(lease) => lease,
            Err(error) => return vec![Err(error); messages.len()],
        };
        let mut fates = Fates::new(messages);
        let outcome = match &lease.channel {
            Some(channel) => send(shared, channel, messages, deadline, &mut fates).await,
            None => Err(PublishError::NotConfirming),
        };
        match outcome {
            Ok(()) => lease.give_back(),
            Err(error) => fates.settle_rest(&error),
        }
        fates.into_results(messages)
    }

    async fn lease(&self) -> Result<Lease<'_>, PublishError> {
        let inner = &*self.0;
        // The semaphore is never closed; were it, nothing would be confirmed any more.
        let permit = inner.permits.acquire().await;
        let permit = permit.map_err(|_| PublishError::NotConfirming)?;
        let idle = loop {
            let channel = inner.idle().pop();
            // One that the broker closed meanwhile is of no use.
            if channel
                .as_ref()
                .is_none_or(|channel| channel.status().connected())
            {
                break channel;
            }
        };
        let channel = match idle {
            Some(channel) => channel,
            None => confirming_channel(&inner.shared).await?,
        };
        Ok(Lease {
            inner,
            channel: Some(channel),
            _permit: permit,
        })
    }
}

/// A channel that belongs to one call. Dropped, also with the call itself, it is closed: late confirms go with it.
struct Lease<'a> {
    inner: &'a Inner,
    channel: Option<Channel>,
    _permit: SemaphorePermit<'a>,
}

impl Lease<'_> {
    /// All confirms are in: the channel is clean for the next call.
    fn give_back(mut self) {
        if let Some(channel) = self.channel.take_if(|channel| channel.status().connected()) {
            self.inner.idle().push(channel);
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        close_in_background(
            &self.inner.shared,
            self.channel.take().into_iter().collect(),
            (),
        );
    }
}

impl Inner {
    fn idle(&self) -> MutexGuard<'_, Vec<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let idle = std::mem::take(&mut *self.idle());
        close_in_background(&self.shared, idle, ());
    }
}

async fn confirming_channel(shared: &Shared) -> Result<Channel, BrokerError> {
    let channel = shared.channel().await?;
    let confirm = channel.confirm_select(ConfirmSelectOptions { nowait: false });
    shared.within("asking for confirms", confirm).await?;
    Ok(channel)
}

/// Sends all, and notes each confirm. An error is one that ends the whole call.
async fn send(
    shared: &Shared,
    channel: &Channel,
    messages: &[Outgoing],
    mut deadline: Instant,
    fates: &mut Fates,
) -> Result<(), PublishError> {
    let after = shared.config.confirm_timeout;
    // Boxed one by one: a stream of closures over borrowed messages is not Send for every lifetime, as far as the compiler can tell.
    let mut sends: Vec<Pin<Box<dyn Future<Output = Sent> + Send + '_>>> =
        Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        if message.body.len() <= MAX_BODY_BYTES {
            sends.push(Box::pin(async move {
                (index, send_one(shared, channel, message).await)
            }));
        }
    }
    let confirms = futures_util::stream::iter(sends)
        .buffer_unordered(WINDOW)
        .ready_chunks(WINDOW);
    tokio::pin!(confirms);
    let alarm = shared.until_blocked();
    tokio::pin!(alarm);
    loop {
        let next = tokio::select! {
            biased;
            next = tokio::time::timeout_at(deadline, confirms.next()) => next,
            () = &mut alarm => return Err(PublishError::Blocked),
        };
        match next {
            Err(_) => return Err(PublishError::TimedOut { after }),
            Ok(None) => return Ok(()),
            Ok(Some(chunk)) => {
                deadline = Instant::now() + after;
                for (index, confirmed) in chunk {
                    fates.note(index, messages[index].queue, confirmed?);
                }
            }
        }
    }
}

/// The place of a message in its call, and its confirm.
type Sent = (usize, Result<Confirmation, PublishError>);

async fn send_one(
    shared: &Shared,
    channel: &Channel,
    message: &Outgoing,
) -> Result<Confirmation, PublishError> {
    let name = shared.queue_name(message.queue)?;
    let options = BasicPublishOptions {
        // Without it a message for a missing queue is confirmed and gone.
        mandatory: true,
        immediate: false,
    };
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(short(&message.message_id.to_string()))
        .with_correlation_id(short(&message.correlation));
    let exchange = shared.exchange_name(message.queue)?;
    let published = channel.basic_publish(exchange, name, options, &message.body, properties);
    let doing = "publishing";
    let confirm = published
        .await
        .map_err(|source| PublishError::Connection { doing, source })?;
    let doing = "waiting for a confirm";
    confirm
        .await
        .map_err(|source| PublishError::Connection { doing, source })
}

/// What became of each message of a call.
struct Fates {
    fates: Vec<Option<Result<(), PublishError>>>,
    /// The ids of returned messages, with the broker's words.
    returned: HashMap<Uuid, String>,
}

impl Fates {
    fn new(messages: &[Outgoing]) -> Self {
        let max = MAX_BODY_BYTES;
        let too_large = |message: &Outgoing| {
            let bytes = message.body.len();
            (bytes > max).then_some(Err(PublishError::TooLarge { bytes, max }))
        };
        Self {
            fates: messages.iter().map(too_large).collect(),
            returned: HashMap::new(),
        }
    }

    fn note(&mut self, index: usize, queue: Queue, confirmation: Confirmation) {
        let (fate, returned) = match confirmation {
            Confirmation::Ack(returned) => (Ok(()), returned),
            Confirmation::Nack(returned) => (Err(PublishError::Nacked { queue }), returned),
            Confirmation::NotRequested => (Err(PublishError::NotConfirming), None),
        };
        self.fates[index] = Some(fate);
        if let Some(message) = returned {
            let reason = message.reply_text.to_string();
            // A returned message comes with whichever confirm is next, not always with its own: it is known by its id.
            match message_id(&message) {
                Some(id) => {
                    self.returned.insert(id, reason);
                }
                None => self.fates[index] = Some(Err(PublishError::Returned { queue, reason })),
            }
        }
    }

    /// The call ended early: what has no fate yet shares this one.
    fn settle_rest(&mut self, error: &PublishError) {
        for fate in &mut self.fates {
            fate.get_or_insert_with(|| Err(error.clone()));
        }
    }

    fn into_results(mut self, messages: &[Outgoing]) -> Vec<Result<(), PublishError>> {
        let mut results = Vec::with_capacity(messages.len());
        for (message, fate) in messages.iter().zip(self.fates) {
            let returned = self.returned.remove(&message.message_id);
            results.push(match (returned, fate) {
                (Some(reason), _) => Err(PublishError::Returned {
                    queue: message.queue,
                    reason,
                }),
                (None, Some(fate)) => fate,
                (None, None) => Err(PublishError::NotConfirming),
            });
        }
        results
    }
}

fn message_id(message: &BasicReturnMessage) -> Option<Uuid> {
    let id = message.delivery.properties.message_id().as_ref()?;
    Uuid::parse_str(id.as_str()).ok()
}

/// Cut at a character, to what AMQP allows.
fn short(text: &str) -> ShortString {
    let mut end = text.len().min(SHORT_STRING_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    ShortString::try_new(&text[..end]).unwrap_or_default()
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("connection", &self.0.shared)
            .finish_non_exhaustive()
    }
}
