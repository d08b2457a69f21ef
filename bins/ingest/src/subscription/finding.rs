//! What is not as it should be on the platform's side.

use platform::api::ApiError;

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The platform does not have it.
    #[error("the platform has no {what}")]
    Missing {
        /// What.
        what: String,
    },
    /// It is there, and switched off.
    #[error("{what} is switched off: {why}")]
    Disabled {
        /// What.
        what: String,
        /// How the platform puts it.
        why: String,
    },
    /// It is there more than once: everything would come as often.
    #[error("{what} is there {count} times: {ids}")]
    Repeated {
        /// What.
        what: String,
        /// How often.
        count: usize,
        /// Their ids.
        ids: String,
    },
    /// No topic has this name.
    #[error("the platform has no topic {topic}{}", hint(.near.as_deref()))]
    UnknownTopic {
        /// The topic.
        topic: String,
        /// One that the platform has and that is spelt nearly so.
        near: Option<String>,
    },
    /// The topic is wanted and not sent.
    #[error("the topic {topic} is not sent: {what} does not have it")]
    MissingTopic {
        /// The topic.
        topic: String,
        /// Where it is to be added.
        what: String,
    },
    /// The topic does not travel this way.
    #[error("the topic {topic} does not come through {wanted}, only through {offered}")]
    Transport {
        /// The topic.
        topic: String,
        /// What we use.
        wanted: &'static str,
        /// What the platform offers.
        offered: String,
    },
    /// The credential may not have it.
    #[error("missing permission for {what}: {permissions}")]
    MissingPermission {
        /// What it is needed for.
        what: String,
        /// Which.
        permissions: String,
    },
    /// It is otherwise than wanted.
    #[error("{what} is {found}, wanted is {wanted}")]
    Differs {
        /// What.
        what: String,
        /// What the platform has.
        found: String,
        /// What the file says.
        wanted: String,
    },
    /// The credential is refused.
    #[error("the credential is refused{}: {why}", for_what(.what))]
    Refused {
        /// What was asked.
        what: String,
        /// The platform's words.
        why: String,
    },
    /// Nobody knows.
    #[error("{what} could not be looked up: {why}")]
    Unknown {
        /// What was asked.
        what: String,
        /// Why not.
        why: String,
    },
    /// Our own endpoint does not do what it should.
    #[error("our endpoint {url}: {why}")]
    Endpoint {
        /// Where.
        url: String,
        /// What is wrong.
        why: String,
    },
}

fn hint(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

fn for_what(what: &str) -> String {
    if what.is_empty() {
        String::new()
    } else {
        format!(" for {what}")
    }
}

impl Finding {
    /// What became of a question about `what`; `permission` is the one that the platform's documentation names for it.
    pub fn of_error(error: &ApiError, what: &str, permission: &str) -> Self {
        let what = what.to_owned();
        match error {
            ApiError::Forbidden { why } if permission.is_empty() => Self::MissingPermission {
                what,
                permissions: why.clone(),
            },
            ApiError::Forbidden { why } => Self::MissingPermission {
                what,
                permissions: format!("{permission} ({why})"),
            },
            error if error.is_refused_credential() => Self::Refused {
                what,
                why: runtime::chain(error),
            },
            error => Self::Unknown {
                what,
                why: runtime::chain(error),
            },
        }
    }

    /// The word for programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Disabled { .. } => "disabled",
            Self::Repeated { .. } => "repeated",
            Self::UnknownTopic { .. } => "unknown_topic",
            Self::MissingTopic { .. } => "missing_topic",
            Self::Transport { .. } => "transport",
            Self::MissingPermission { .. } => "missing_permission",
            Self::Differs { .. } => "differs",
            Self::Refused { .. } => "credential_refused",
            Self::Unknown { .. } => "unknown",
            Self::Endpoint { .. } => "endpoint",
        }
    }

    /// For programs.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({ "problem": self.word(), "text": self.to_string() })
    }
}

/// What the platform says of a subscription as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// It is there and switched on.
    Enabled,
    /// It is there and switched off, or a part of it is.
    Disabled,
    /// It is not there, or a part of it is not.
    Missing,
    /// The platform could not say, or has no way to.
    Unknown,
}

impl View {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// A look at the platform's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// How it is as a whole.
    pub view: View,
    /// Everything that is not as it should be.
    pub findings: Vec<Finding>,
    /// Its ids there.
    pub ids: Vec<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

impl Inspection {
    /// Nothing known yet.
    pub const fn unknown() -> Self {
        Self {
            view: View::Unknown,
            findings: Vec::new(),
            ids: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The findings in one line.
    pub fn line(&self) -> String {
        let texts: Vec<String> = self.findings.iter().map(Finding::to_string).collect();
        texts.join("; ")
    }
}
