//! Newtypes for ids, so that two kinds of id cannot be swapped. All are opaque text from the platform or ids of our own.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(CompactString);

        impl $name {
            /// Wraps the text as it is: no trimming, no case folding.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(CompactString::new(text.as_ref()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0.as_str())
            }
        }
    };
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new, time-ordered id (UUID version 7).
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

text_id!(
    /// One organisation on one platform; everything is keyed by it.
    TenantId
);
text_id!(
    /// The platform's id of an interaction (Genesys conversation id, CXone root contact id).
    InteractionId
);
text_id!(
    /// The platform's id of a leg: Genesys session id, CXone contact id.
    LegId
);
text_id!(
    /// The platform's id of an agent.
    AgentId
);
text_id!(
    /// The platform's id of a queue or skill.
    QueueId
);
text_id!(
    /// The platform's id of an event, or a deterministic one made from its identifying fields.
    EventId
);
text_id!(
    /// The name of a configured subscription (one HTTP path, one source of deliveries).
    SubscriptionName
);
text_id!(
    /// A keyed hash of the customer's identity. Never the identity itself.
    CustomerKey
);
text_id!(
    /// Ties together the log lines of all stages that touched one delivery.
    CorrelationId
);
uuid_id!(
    /// One attempt chain of one HTTP body or one history page.
    DeliveryId
);
uuid_id!(
    /// One broker message. The same on every redelivery of that message by the broker.
    MessageId
);
uuid_id!(
    /// One backfill job.
    JobId
);

/// The version of a KPI definition. Versions start at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MetricVersion(pub u16);

impl MetricVersion {
    /// The version that is current where nobody promoted another.
    pub const FIRST: Self = Self(1);
}

impl fmt::Display for MetricVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
