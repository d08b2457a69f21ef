//! What a subscription can be on a platform.

use super::secret::SecretRef;
use ::platform::client::Method;
use serde_json::Value;
use std::time::Duration;

/// What a subscription is on its platform.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Nothing that could be asked.
    None,
    /// An event webhook of CXone Digital, made by hand: its API is not public.
    CxoneDigital,
    /// The guide's registration call. No platform has it by that name, so all of it is configuration.
    GuideWebhook(Box<Registration>),
    /// Genesys' integration of type `amazon-eventbridge-source`, and a rule of the customer's AWS account.
    GenesysEventBridge(EventBridge),
    /// Triggers of Genesys Process Automation, whose workflow posts to us.
    GenesysProcessAutomation(Trigger),
}

impl Kind {
    /// The word in the file.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::CxoneDigital => "cxone-digital",
            Self::GuideWebhook(_) => "guide-webhook",
            Self::GenesysEventBridge(_) => "genesys-eventbridge",
            Self::GenesysProcessAutomation(_) => "genesys-process-automation",
        }
    }

    /// Whether the platform has an API that tells about it.
    #[must_use]
    pub const fn has_api(&self) -> bool {
        !matches!(self, Self::None | Self::CxoneDigital)
    }
}

/// A registration call: where and what is posted, and where in the answers to look.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Where registrations are listed and created.
    pub path: String,
    /// What creates one.
    pub method: Method,
    /// Where one is changed; `{id}` stands for its id.
    pub update_path: String,
    /// What changes one.
    pub update_method: Method,
    /// What is sent. `{name}`, `{url}`, `{topics}` and `{secret}` stand for what they say.
    pub body: Value,
    /// The secret that the platform is to sign with.
    pub secret: Option<SecretRef>,
    /// Where the list is in the answer.
    pub items: String,
    /// Where the link to the next page is.
    pub next: String,
    /// Where the parts of a registration are.
    pub fields: Fields,
    /// The states that deliver, in lower case.
    pub good_states: Vec<String>,
}

/// Where the parts of a registration are: JSON pointers (RFC 6901).
#[derive(Debug, Clone)]
pub struct Fields {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it posts to.
    pub url: String,
    /// What it sends: a list of texts, or of objects with an `id`.
    pub topics: String,
    /// How it is.
    pub state: String,
}

/// One of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Its id.
    Id,
    /// Its name.
    Name,
    /// Where it posts to.
    Url,
    /// How it is.
    State,
}

impl Fields {
    /// A part of a registration as text. Absent, null and empty are nothing.
    pub fn text(&self, of: &Value, field: Field) -> Option<String> {
        let pointer = match field {
            Field::Id => &self.id,
            Field::Name => &self.name,
            Field::Url => &self.url,
            Field::State => &self.state,
        };
        match of.pointer(pointer)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(state) => Some(state.to_string()),
            _ => None,
        }
    }

    /// What it sends; `None` where the registration does not say.
    pub fn topics(&self, of: &Value) -> Option<Vec<String>> {
        let text = |value: &Value| {
            let value = value.get("id").unwrap_or(value);
            value.as_str().map(str::to_owned)
        };
        match of.pointer(&self.topics)? {
            Value::Array(topics) => Some(topics.iter().filter_map(text).collect()),
            one @ Value::String(_) => text(one).map(|topic| vec![topic]),
            _ => None,
        }
    }
}

/// What is known of the bus in the customer's AWS account. Absent parts are taken from the integration, where it says them.
#[derive(Debug, Clone, Default)]
pub struct EventBridge {
    /// The Genesys organisation's id.
    pub organisation: Option<String>,
    /// The suffix of the event source.
    pub suffix: Option<String>,
    /// The AWS account's number.
    pub account: Option<String>,
    /// The AWS region of the bus.
    pub region: Option<String>,
}

/// What the triggers are to do.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// The Architect workflow that posts to us.
    pub workflow: String,
    /// Events older than this are dropped by the platform; absent: never.
    pub event_ttl: Option<Duration>,
}
