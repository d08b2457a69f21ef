//! What the platforms' receivers of metrics know of their own: who there is, what fields exist.

use serde::{Deserialize, Serialize};

/// What receivers know. By default they know everybody and take everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Receivers {
    /// Users of whom external metrics are not processed.
    pub unknown_users: Vec<String>,
    /// Whether external metrics of more than 7 days ago or 30 days ahead are not processed, by the wall clock.
    pub reach: bool,
    /// Conversations that nobody knows: 404.
    pub unknown_conversations: Vec<String>,
    /// Contacts that nobody knows: 404.
    pub unknown_contacts: Vec<String>,
    /// Contacts that are not closed: 400.
    pub open_contacts: Vec<String>,
    /// The fields of business data that exist; absent: all do. Another one spoils its request: 400 without saying which.
    pub business_fields: Option<Vec<String>>,
    /// Where anything that is JSON is taken, by any method; what follows in a path names what it is about.
    pub plain_path: String,
}

impl Default for Receivers {
    fn default() -> Self {
        Self {
            unknown_users: Vec::new(),
            reach: false,
            unknown_conversations: Vec::new(),
            unknown_contacts: Vec::new(),
            open_contacts: Vec::new(),
            business_fields: None,
            plain_path: "/plain".to_owned(),
        }
    }
}
