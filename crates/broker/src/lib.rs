//! RabbitMQ as this product uses it: a few durable quorum queues, publishes that are confirmed or failed, consumers that notice
//! their end.
//!
//! One [`Broker`] is one connection, without any recovery of its own: when it is lost, every call on it fails within a bounded time
//! and the owner makes a new one, on the next of the servers where the URL names several. Use one for publishing and another for consuming: the broker stops reading a
//! connection that publishes during an alarm, and acknowledgements on it would be stuck behind the publishes.
//!
//! Bodies are bytes here; what they mean is the business of `schema` and of the binaries. Read in this order: [`queue`], [`connection`],
//! [`publish`], [`consume`].

mod addresses;
pub mod connection;
pub mod consume;
mod declare;
pub mod error;
pub mod publish;
pub mod queue;
pub mod rights;
mod secured;
mod version;

pub use connection::{Broker, BrokerConfig};
pub use consume::{Consumer, Delivery, Tag};
pub use error::{BrokerError, Class, ConsumeError, PublishError};
pub use publish::{MAX_BODY_BYTES, Outgoing, Publisher};
pub use queue::Queue;
pub use version::ServerVersion;
