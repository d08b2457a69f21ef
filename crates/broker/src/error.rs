//! What can go wrong at the broker, and what a loop does about it.

use crate::Queue;
use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use std::time::Duration;

/// What a loop does about an error. Loops look at this and at nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// It may work in a moment: make a new connection, after a delay.
    Transient,
    /// The broker is full or in alarm: wait, do not add load, do not count it as a failure.
    Saturated,
    /// This message will never be accepted.
    Rejected,
    /// Somebody has to change the configuration or the code.
    Fatal,
}

impl Class {
    /// For logs and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Saturated => "saturated",
            Self::Rejected => "rejected",
            Self::Fatal => "fatal",
        }
    }
}

/// A connection could not be made, or a request on it failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    /// The URL is no AMQP URL. The text never repeats the URL.
    #[error("the broker's URL cannot be read: {reason}")]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// A file of certificates or keys cannot be used.
    #[error("TLS for the broker could not be set up")]
    Tls(#[source] tls::TlsError),
    /// TLS refused the server, or the server refused us.
    #[error(
        "no trusted connection to the broker: {advice} (our side: --amqp-ca-file, --amqp-client-certificate, --amqp-client-key)"
    )]
    Untrusted {
        /// What to do.
        advice: String,
        /// What the library said.
        #[source]
        source: lapin::Error,
    },
    /// A queue or its exchange is not there, and this process does not make it.
    #[error(
        "{name} is not there, and this process does not declare queues (--declare-queues false): run `ingest queues declare`"
    )]
    Missing {
        /// The queue's or exchange's full name.
        name: String,
    },
    /// The user may not declare.
    #[error(
        "the user may not declare {name}: run `ingest queues declare` as one who may, and start this process with --declare-queues false"
    )]
    MayNotDeclare {
        /// The queue's or exchange's full name.
        name: String,
        /// What the broker said.
        #[source]
        source: lapin::Error,
    },
    /// Prefix and name exceed the 255 bytes of AMQP.
    #[error("the queue name {name:?} is longer than 255 bytes")]
    Name {
        /// The name.
        name: String,
    },
    /// The broker did not answer in time.
    #[error("the broker did not answer within {after:?} ({doing})")]
    TimedOut {
        /// What was asked for.
        doing: &'static str,
        /// The deadline.
        after: Duration,
    },
    /// The broker refused, or the connection was lost.
    #[error("{doing} failed")]
    Request {
        /// What was asked for.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: lapin::Error,
    },
    /// A queue exists, but not as this product needs it.
    #[error(
        "the queue {name} exists with other arguments; drain and delete it, then start again ({detail})"
    )]
    QueueDiffers {
        /// The queue's full name.
        name: String,
        /// The broker's words.
        detail: String,
    },
}

/// A message was not taken over by the broker, or that is not known.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// Confirmed, but routed nowhere: the queue does not exist.
    #[error("the broker returned the message: queue {queue} does not exist ({reason})")]
    Returned {
        /// The queue it was for.
        queue: Queue,
        /// The broker's words.
        reason: String,
    },
    /// Refused: the queue is full, or could not store it.
    #[error("the broker refused the message for queue {queue}")]
    Nacked {
        /// The queue it was for.
        queue: Queue,
    },
    /// No confirm in time. The message may be in the queue or not.
    #[error("the broker did not confirm within {after:?}")]
    TimedOut {
        /// The deadline.
        after: Duration,
    },
    /// The broker is in alarm and takes no publishes. What was sent before may be in the queue or not.
    #[error("the broker is in alarm and takes no messages")]
    Blocked,
    /// The channel does not confirm. Never to be taken for success.
    #[error("the channel does not confirm publishes")]
    NotConfirming,
    /// Larger than a broker is sure to take.
    #[error("the message has {bytes} bytes, allowed are {max}")]
    TooLarge {
        /// The body's size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The connection or the channel was lost. The message may be in the queue or not.
    #[error("{doing} failed")]
    Connection {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: lapin::Error,
    },
}

/// Consuming came to an end, or an acknowledgement could not be sent.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConsumeError {
    /// The broker cancelled the consumer: its queue was deleted or lost its leader.
    #[error("the broker cancelled the consumer of queue {queue}")]
    Cancelled {
        /// The queue.
        queue: Queue,
    },
    /// This side cancelled the consumer.
    #[error("the consumer was cancelled")]
    Stopped,
    /// The connection or the channel was lost.
    #[error("{doing} failed")]
    Connection {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: lapin::Error,
    },
    /// An acknowledgement could not be written in time.
    #[error("the broker did not take {doing} within {after:?}")]
    TimedOut {
        /// What was being done.
        doing: &'static str,
        /// The deadline.
        after: Duration,
    },
    /// The tag belongs to another consumer, or was not handed out yet. No acknowledgement crosses a connection.
    #[error("the tag is none of this consumer's deliveries")]
    ForeignTag,
}

impl BrokerError {
    /// A request failed; where TLS is why, with what to do about it.
    pub(crate) fn request(doing: &'static str, source: lapin::Error) -> Self {
        let advice = match source.kind() {
            ErrorKind::IOError(error) => tls::advice(&**error),
            _ => None,
        };
        match advice {
            Some(advice) => Self::Untrusted { advice, source },
            None => Self::Request { doing, source },
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Url { .. }
            | Self::Name { .. }
            | Self::MayNotDeclare { .. }
            | Self::QueueDiffers { .. } => Class::Fatal,
            // Certificates are renewed and queues declared while we wait. In the middle of a renewal a certificate and its key are no pair.
            Self::Tls(_)
            | Self::Untrusted { .. }
            | Self::Missing { .. }
            | Self::TimedOut { .. } => Class::Transient,
            Self::Request { source, .. } => class_of(source),
        }
    }
}

impl PublishError {
    /// What to do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            // A missing queue is declared again by whoever reconnects.
            Self::Returned { .. } | Self::TimedOut { .. } => Class::Transient,
            Self::Nacked { .. } | Self::Blocked => Class::Saturated,
            Self::TooLarge { .. } => Class::Rejected,
            Self::NotConfirming => Class::Fatal,
            Self::Connection { source, .. } => class_of(source),
        }
    }
}

impl ConsumeError {
    /// What to do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Cancelled { .. } | Self::Stopped | Self::TimedOut { .. } => Class::Transient,
            Self::ForeignTag => Class::Fatal,
            Self::Connection { source, .. } => class_of(source),
        }
    }
}

/// Wrong credentials, a missing virtual host and a protocol nobody speaks do not heal by themselves; all else may.
fn class_of(error: &lapin::Error) -> Class {
    let fatal = match error.kind() {
        ErrorKind::InvalidProtocolVersion(_) | ErrorKind::AuthProviderError(_) => true,
        ErrorKind::ProtocolError(error) => matches!(
            error.kind(),
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
                | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
        ),
        _ => false,
    };
    if fatal {
        Class::Fatal
    } else {
        Class::Transient
    }
}

impl From<BrokerError> for PublishError {
    /// Opening a channel for a publish failed.
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::TimedOut { after, .. } => Self::TimedOut { after },
            BrokerError::Request { doing, source } => Self::Connection { doing, source },
            BrokerError::Untrusted { source, .. } | BrokerError::MayNotDeclare { source, .. } => {
                Self::Connection {
                    doing: "reaching the broker",
                    source,
                }
            }
            BrokerError::Url { .. }
            | BrokerError::Tls(_)
            | BrokerError::Missing { .. }
            | BrokerError::Name { .. }
            | BrokerError::QueueDiffers { .. } => Self::NotConfirming,
        }
    }
}
