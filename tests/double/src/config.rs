//! What the double can be told: who may come in, what the limits are, which faults happen when.
//!
//! The same words are the JSON of `--config` files and of the control endpoints; every field has a default, so `{}` is a
//! well-behaved platform with Genesys' and CXone's documented limits.

mod admin;
mod history;
mod receivers;

pub use admin::{Admin, Topic};
pub use history::{
    Beyond, Clock, Contacts, Extraction, History, Jobs, Late, Pages, Query, Revised, Shares,
    Workforce,
};

pub use receivers::Receivers;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Everything the double is told at its start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who may ask for tokens. The same pairs are OAuth clients and CXone access keys.
    pub clients: Vec<Client>,
    /// How long tokens live.
    pub token: Token,
    /// Requests a client may make in any window; absent means no limit.
    pub limit: Option<Limit>,
    /// Bounds of one Genesys push (documented: 100 records, 512,000 bytes).
    pub genesys: Bounds,
    /// Bounds of one CXone import (documented by the guide: 10,000 rows).
    pub cxone: Bounds,
    /// Path of the CXone import.
    pub cxone_import_path: String,
    /// Where in a pushed row its identity and value are.
    pub fields: Fields,
    /// Whether a row may carry `null` as its value (to retract one). External metrics always may: there it deletes.
    pub nulls_allowed: bool,
    /// A push that carries a row of one of these interactions is refused whole: 400 without saying which.
    pub poison: Vec<String>,
    /// Answers list items in another order than they were sent.
    pub shuffle_answers: bool,
    /// Pushes that went well are answered 201 without a body, as the guide has it, instead of 200 with a word on each item.
    pub bare_answers: bool,
    /// What the receivers of metrics know of their own.
    pub receivers: Receivers,
    /// What the platforms have set up: topics, integrations, triggers, registrations of webhooks.
    pub admin: Admin,
    /// What the platforms remember of the past; absent: they have no history calls.
    pub history: Option<History>,
    /// What goes wrong when.
    pub faults: Script,
    /// Seed of every random choice.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            clients: vec![Client::default()],
            token: Token::default(),
            limit: None,
            genesys: Bounds {
                rows_max: 100,
                bytes_max: 512_000,
            },
            cxone: Bounds {
                rows_max: 10_000,
                bytes_max: 16 << 20,
            },
            cxone_import_path: "/incontactapi/services/v30.0/data-import/batches".to_owned(),
            fields: Fields::default(),
            nulls_allowed: false,
            poison: Vec::new(),
            shuffle_answers: false,
            bare_answers: false,
            receivers: Receivers::default(),
            admin: Admin::default(),
            history: None,
            faults: Script::default(),
            seed: 1,
        }
    }
}

/// A credential: OAuth client id and secret, or CXone access key id and secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The id.
    pub id: String,
    /// The secret.
    pub secret: String,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            id: "double-client".to_owned(),
            secret: "double-secret".to_owned(),
        }
    }
}

/// How long tokens live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Token {
    /// `expires_in` of an OAuth grant, seconds (Genesys: 86,399).
    pub oauth_seconds: u64,
    /// `expires_in` of an access-key grant, seconds (CXone: 3,600).
    pub access_key_seconds: u64,
    /// How long a token is really honoured, milliseconds; absent means as long as announced. Shorter plays a revocation.
    pub honoured_ms: Option<u64>,
}

impl Default for Token {
    fn default() -> Self {
        Self {
            oauth_seconds: 86_399,
            access_key_seconds: 3_600,
            honoured_ms: None,
        }
    }
}

/// A limit per credential over a rolling window, as seen on arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limit {
    /// Requests allowed in any window.
    pub requests: usize,
    /// Length of the window, milliseconds.
    pub window_ms: u64,
    /// How `Retry-After` is written on a 429.
    pub retry_after: RetryAfter,
    /// Whether refused requests use up the allowance as well.
    pub refused_count: bool,
    /// How soon after a 429 a client is expected to have heard it, milliseconds. A request that arrives later than this and
    /// before the time the 429 named is recorded as a violation.
    pub reaction_ms: u64,
}

impl Limit {
    /// `requests` in any window of this length; the rest by default.
    pub fn of(requests: usize, window: Duration) -> Self {
        Self {
            requests,
            window_ms: u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
            ..Self::default()
        }
    }

    /// Length of the window.
    #[must_use]
    pub const fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms)
    }
}

impl Default for Limit {
    /// Genesys' documented 300 requests a minute per client-credentials token.
    fn default() -> Self {
        Self {
            requests: 300,
            window_ms: 60_000,
            retry_after: RetryAfter::Seconds,
            refused_count: true,
            reaction_ms: 250,
        }
    }
}

/// The forms of `Retry-After` (RFC 9110 allows two).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// Whole seconds.
    #[default]
    Seconds,
    /// An HTTP date.
    Date,
    /// One form, then the other.
    Alternating,
    /// No header, as older Genesys answers; the wait then stands in the message only.
    Absent,
}

/// Bounds of one push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Rows in one request.
    pub rows_max: usize,
    /// Bytes in one request.
    pub bytes_max: usize,
}

/// Where in a pushed row its identity and value are: for each part the names that are looked for, first hit wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fields {
    /// The organisation; may be missing.
    pub tenant: Vec<String>,
    /// The interaction; required.
    pub interaction: Vec<String>,
    /// The metric; required.
    pub metric: Vec<String>,
    /// The metric's version; missing counts as 1.
    pub version: Vec<String>,
    /// The leg, for metrics of a leg; may be missing.
    pub scope: Vec<String>,
    /// The value; required.
    pub value: Vec<String>,
    /// The row's revision; may be missing.
    pub revision: Vec<String>,
    /// The row's idempotency key; may be missing.
    pub idempotency_key: Vec<String>,
}

impl Default for Fields {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            tenant: names(&["tenant", "tenant_id", "tenantId"]),
            interaction: names(&["interaction_id", "interactionId", "contactId"]),
            metric: names(&["metric_type", "metricType", "metric", "metricId"]),
            version: names(&["metric_version", "metricVersion", "version"]),
            scope: names(&["leg_scope", "legScope", "scope"]),
            value: names(&["metric_value", "metricValue", "value"]),
            revision: names(&["revision"]),
            idempotency_key: names(&["idempotency_key", "idempotencyKey"]),
        }
    }
}

/// What goes wrong when: phases one after the other, each with its own clock. After the last one all is well, unless `repeat`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// The phases, in order.
    pub phases: Vec<Phase>,
    /// Start again after the last one.
    pub repeat: bool,
}

impl Script {
    /// A script of these phases, once.
    pub fn of(phases: impl IntoIterator<Item = Phase>) -> Self {
        Self {
            phases: phases.into_iter().collect(),
            repeat: false,
        }
    }
}

/// A stretch of requests, or of time, with one kind of fault. Without any end it lasts for ever; with both, the earlier counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Phase {
    /// Ends after so many requests of the place.
    pub requests: Option<u64>,
    /// Ends so many milliseconds after its first request.
    pub millis: Option<u64>,
    /// Share of the phase's requests that the fault meets.
    pub probability: f64,
    /// Which requests it is about.
    pub place: Place,
    /// Of history calls: only those of routes whose names begin so; none: all of them. A 429 then binds the route alone.
    pub routes: Vec<String>,
    /// What goes wrong.
    pub fault: Fault,
}

impl Phase {
    /// The next `requests` pushes meet this fault.
    #[must_use]
    pub fn requests(requests: u64, fault: Fault) -> Self {
        Self {
            requests: Some(requests),
            fault,
            ..Self::default()
        }
    }

    /// Pushes meet this fault for so long.
    #[must_use]
    pub fn lasting(time: Duration, fault: Fault) -> Self {
        Self {
            millis: Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            fault,
            ..Self::default()
        }
    }

    /// The same phase for another place.
    #[must_use]
    pub fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// The same phase for history calls of routes whose names begin so.
    #[must_use]
    pub fn on_routes(self, routes: &[&str]) -> Self {
        Self {
            place: Place::History,
            routes: routes.iter().map(|&name| name.to_owned()).collect(),
            ..self
        }
    }

    /// The same phase, the fault only now and then.
    #[must_use]
    pub fn sometimes(self, probability: f64) -> Self {
        Self {
            probability,
            ..self
        }
    }
}

impl Default for Phase {
    fn default() -> Self {
        Self {
            requests: None,
            millis: None,
            probability: 1.0,
            place: Place::Push,
            routes: Vec::new(),
            fault: Fault::None,
        }
    }
}

/// Which requests a phase is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Pushes of metrics.
    #[default]
    Push,
    /// Requests for a token.
    Token,
    /// Questions about what is set up, and changes of it.
    Admin,
    /// Calls of history APIs.
    History,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Answers with this status.
    Status {
        /// 429, 500, 503 …
        status: u16,
        /// Seconds that `Retry-After` names; absent means no such header.
        #[serde(default)]
        retry_after: Option<u64>,
        /// `Retry-After` as an HTTP date instead of seconds.
        #[serde(default)]
        as_date: bool,
        /// Whether the rows were stored all the same: a failure after the work was done.
        #[serde(default)]
        store: bool,
    },
    /// Keeps the client waiting so long, then answers as usual.
    Stall {
        /// Milliseconds.
        millis: u64,
        /// Whether the rows are stored before the wait, so that a client which gives up leaves them behind; else after it,
        /// and for such a client never.
        #[serde(default)]
        store: bool,
    },
    /// Resets the connection instead of answering.
    Reset {
        /// Whether the rows are stored.
        #[serde(default)]
        store: bool,
    },
    /// Answers 200 with some items refused, named by their index in the request.
    Partial {
        /// The items.
        items: Vec<ItemFault>,
    },
}

/// One item of a push that goes wrong while its neighbours are fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemFault {
    /// Which item, from 0.
    pub index: usize,
    /// The status it is given (400, 429 …); absent means that the answer does not mention the item at all, though it was stored.
    #[serde(default)]
    pub status: Option<u16>,
}
