//! What the platforms have set up, and who may see and change it: the start, and what clients make of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Topics, integrations, triggers, registrations of webhooks, definitions of external metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// The topics of the organisation.
    pub topics: Vec<Topic>,
    /// Integrations, as the API shows them with their configuration.
    pub integrations: Vec<Value>,
    /// Triggers of process automation.
    pub triggers: Vec<Value>,
    /// Definitions of external metrics, as the API shows them. With any, data of others are not processed.
    pub external_metrics: Vec<Value>,
    /// Where the guide's registrations are.
    pub registrations_path: String,
    /// Registrations of webhooks.
    pub registrations: Vec<Value>,
    /// The secrets that came with registrations, the latest last. No answer shows them.
    pub registered_secrets: Vec<String>,
    /// What clients may do; absent: everything.
    pub permissions: Option<Vec<String>>,
    /// The most elements of a page, whatever is asked for.
    pub page_max: usize,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            topics: Vec::new(),
            integrations: Vec::new(),
            triggers: Vec::new(),
            external_metrics: Vec::new(),
            registrations_path: "/api/v2/webhooks/subscriptions".to_owned(),
            registrations: Vec::new(),
            registered_secrets: Vec::new(),
            permissions: None,
            page_max: 200,
        }
    }
}

impl Admin {
    /// Whether clients may do this.
    pub(crate) fn may(&self, permission: &str) -> bool {
        let granted = self.permissions.as_ref();
        granted.is_none_or(|granted| granted.iter().any(|found| found == permission))
    }
}

/// A topic of notifications.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Topic {
    /// Its template, with literal `{id}`.
    pub id: String,
    /// How its events travel: `Websocket`, `EventBridge`, `ProcessAutomation`, `All`.
    pub transports: Vec<String>,
    /// The permissions that it needs, all of them.
    pub requires: Vec<String>,
    /// Not public yet.
    pub preview: bool,
}

impl Topic {
    /// A public topic that travels every way and needs these permissions.
    #[must_use]
    pub fn of(id: &str, requires: &[&str]) -> Self {
        Self {
            id: id.to_owned(),
            transports: vec!["All".to_owned()],
            requires: requires.iter().map(|&name| name.to_owned()).collect(),
            preview: false,
        }
    }
}
