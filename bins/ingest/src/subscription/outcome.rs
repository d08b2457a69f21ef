//! What registering did.

use super::finding::Finding;
use serde_json::{Value, json};
use std::fmt;

/// Whether anything is changed. Secrets are fetched only when they are sent.
#[derive(Clone, Copy)]
pub enum Mode<'m> {
    /// Says what would be done.
    DryRun,
    /// Does it; the function looks up environment variables.
    Apply(&'m dyn Fn(&str) -> Option<String>),
}

impl fmt::Debug for Mode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DryRun => "DryRun",
            Self::Apply(_) => "Apply",
        })
    }
}

/// When a secret that is registered already is sent again. No platform shows it, so that nobody sees that it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// With a change of something else.
    WithChanges,
    /// In any case: it was replaced.
    Always,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// `created`, `changed`, `unchanged` or `planned`.
    pub outcome: &'static str,
    /// What.
    pub what: String,
    /// Its id on the platform.
    pub id: Option<String>,
}

impl Step {
    pub(super) fn created(what: impl Into<String>, id: Option<String>) -> Self {
        Self {
            outcome: "created",
            what: what.into(),
            id,
        }
    }

    pub(super) fn changed(what: impl Into<String>, id: Option<String>) -> Self {
        Self {
            outcome: "changed",
            what: what.into(),
            id,
        }
    }

    pub(super) fn unchanged(what: impl Into<String>, id: Option<String>) -> Self {
        Self {
            outcome: "unchanged",
            what: what.into(),
            id,
        }
    }

    pub(super) fn planned(what: impl Into<String>, id: Option<String>) -> Self {
        Self {
            outcome: "planned",
            what: what.into(),
            id,
        }
    }

    fn json(&self) -> Value {
        json!({ "outcome": self.outcome, "what": self.what, "id": self.id })
    }
}

/// What registering one subscription did, and what is left to do by hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// What was done.
    pub steps: Vec<Step>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What to do by hand, as text.
    pub by_hand: Vec<String>,
    /// The same for programs, where there is something to give them.
    pub setup: Option<Value>,
}

impl Done {
    /// For programs.
    pub fn json(&self, subscription: &str, kind: &str) -> Value {
        json!({
            "subscription": subscription,
            "kind": kind,
            "steps": self.steps.iter().map(Step::json).collect::<Vec<_>>(),
            "problems": self.findings.iter().map(Finding::json).collect::<Vec<_>>(),
            "by_hand": self.by_hand,
            "setup": self.setup,
        })
    }
}
