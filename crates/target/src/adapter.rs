//! A kind of target with what the configuration says about it: items into requests, answers into fates.

use crate::business_data::BusinessData;
use crate::capability::{Capabilities, Kind, Method};
use crate::conversation_properties::ConversationProperties;
use crate::external_metrics::ExternalMetrics;
use crate::http::Http;
use crate::item::Item;
use crate::outcome::{Answer, Fate};
use crate::rows::Rows;
use schema::UtcMicros;

/// A target's way of taking items.
#[derive(Debug, Clone)]
pub enum Adapter {
    /// The guide's bodies.
    Rows(Rows),
    /// Genesys' external metrics.
    ExternalMetrics(ExternalMetrics),
    /// Genesys' conversation properties.
    ConversationProperties(ConversationProperties),
    /// CXone's business data.
    BusinessData(BusinessData),
    /// Templates.
    Http(Box<Http>),
}

/// What the target has of an item, as far as our log says.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Held {
    /// Nothing.
    #[default]
    Nothing,
    /// Just this; absent: it has a value, and nobody wrote down which.
    Has(Option<Amount>),
    /// The last push has an unknown fate.
    Unknown,
}

/// What is pushed, as the target will have it: rounded, in its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amount {
    /// The value.
    pub value: f64,
    /// How many values it is the sum of, where the target wants to know.
    pub points: Option<i64>,
}

/// What to do with an item.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It goes.
    Send(Encoded),
    /// The target has nothing of it, or just this: there is nothing to send.
    Done,
    /// It can never be sent, or not be taken back; why.
    Refused(String),
    /// It is older than the target takes; how old that is.
    Expired(String),
}

/// An item as it stands in a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// Its part of the body.
    pub json: String,
    /// Items with the same place may share a request: its path, and what else all of it is about.
    pub place: Place,
    /// What the target has when it took this; absent: what it had is taken back.
    pub amount: Option<Amount>,
}

/// What all items of a request have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// The path below the base URL.
    pub path: String,
    /// What the body says once for all items; empty where it says nothing.
    pub head: String,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// How.
    pub method: Method,
    /// The path below the base URL.
    pub path: String,
    /// The type of the body.
    pub content_type: String,
    /// The body.
    pub body: String,
}

/// An item that was sent.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'a> {
    /// What.
    pub item: &'a Item,
    /// As what.
    pub encoded: &'a Encoded,
}

impl Adapter {
    /// What kind of target it is for.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Rows(rows) => rows.kind(),
            Self::ExternalMetrics(_) => Kind::GenesysExternalMetrics,
            Self::ConversationProperties(_) => Kind::GenesysConversationProperties,
            Self::BusinessData(_) => Kind::CxoneBusinessData,
            Self::Http(_) => Kind::Http,
        }
    }

    /// The kind's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// What it can do, as configured.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        match self {
            Self::Http(http) => http.capabilities(),
            Self::Rows(_)
            | Self::ExternalMetrics(_)
            | Self::ConversationProperties(_)
            | Self::BusinessData(_) => self.kind().capabilities(),
        }
    }

    /// What to do with an item, given what the target has of it. `now` is by anybody's clock that is about right.
    #[must_use]
    pub fn step(&self, item: &Item, held: Held, now: UtcMicros) -> Step {
        let capabilities = self.capabilities();
        let grain = item.subject.grain();
        if !capabilities.grains.contains(&grain) {
            return Step::Refused(format!("this target takes no values of the grain {grain}"));
        }
        if item.value.is_none() {
            if held == Held::Nothing {
                return Step::Done;
            }
            if !capabilities.retracts {
                return Step::Refused(
                    "the value is absent now; the platform keeps the one it has, for this API cannot take one back".to_owned(),
                );
            }
        }
        match self {
            Self::Rows(rows) => rows.step(item),
            Self::ExternalMetrics(metrics) => metrics.step(item, held, now),
            Self::ConversationProperties(properties) => properties.step(item),
            Self::BusinessData(data) => data.step(item),
            Self::Http(http) => http.step(item),
        }
    }

    /// Bytes of a request's body around and between so many items of one place, or a few more.
    #[must_use]
    pub fn overhead(&self, place: &Place, items: usize) -> usize {
        let (around, between) = match self {
            Self::Rows(rows) => (rows.around(), 1),
            Self::ExternalMetrics(_) => ("{\"items\":[]}".len(), 1),
            Self::ConversationProperties(_) => (place.head.len() + "{,\"properties\":[]}".len(), 1),
            Self::BusinessData(_) => ("[]".len(), 1),
            Self::Http(http) => (http.around(), http.separator().len()),
        };
        around + between * items
    }

    /// The request for items of one place; at least one.
    #[must_use]
    pub fn call<'a>(&self, place: &Place, items: impl IntoIterator<Item = &'a Encoded>) -> Call {
        let items: Vec<&str> = items.into_iter().map(|item| item.json.as_str()).collect();
        let count = items.len();
        let items = items.join(match self {
            Self::Http(http) => http.separator(),
            _ => ",",
        });
        let (body, content_type) = match self {
            Self::Rows(rows) => (rows.body(&items), JSON),
            Self::ExternalMetrics(_) => (format!("{{\"items\":[{items}]}}"), JSON),
            Self::ConversationProperties(_) => {
                (format!("{{{},\"properties\":[{items}]}}", place.head), JSON)
            }
            Self::BusinessData(_) => (format!("[{items}]"), JSON),
            Self::Http(http) => (http.body(&items, count), http.content_type()),
        };
        Call {
            method: self.capabilities().method,
            path: place.path.clone(),
            content_type: content_type.to_owned(),
            body,
        }
    }

    /// What an answer says of each item, in their order; `None` where it says nothing of items, and the request as a whole decides. Of a
    /// success it always says something.
    #[must_use]
    pub fn read(&self, sent: &[Sent<'_>], answer: &Answer<'_>) -> Option<Vec<Fate>> {
        match self {
            Self::Rows(_) => crate::rows::read(sent, answer),
            Self::ExternalMetrics(metrics) => metrics.read(sent, answer),
            Self::ConversationProperties(_) | Self::BusinessData(_) => one_fate(sent, answer),
            Self::Http(http) => http.read(sent, answer),
        }
    }
}

/// The usual content type.
pub(crate) const JSON: &str = "application/json";

/// Why an item has no request.
pub(crate) const NO_PATH: &str = "its id cannot stand in a path";

/// A request about one subject is taken or not. One that the target does not know is the items' fault and nobody else's.
pub(crate) fn one_fate(sent: &[Sent<'_>], answer: &Answer<'_>) -> Option<Vec<Fate>> {
    let fate = if answer.is_success() {
        Fate::Accepted
    } else if matches!(answer.status, 404 | 410) {
        Fate::Rejected {
            why: format!(
                "the platform does not know what this is of: {}",
                answer.words
            ),
        }
    } else {
        return None;
    };
    Some(vec![fate; sent.len()])
}
