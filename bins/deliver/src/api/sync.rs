//! `/api/v1/sync` and what is below it: where metrics are pushed to, what was refused, and what became of each attempt.

use super::access::{TENANT, reach};
use super::answer::{self, Answer};
use super::metrics::{CURSOR, LIMIT};
use super::problem::Problem;
use super::query::{Kind, Parameter};
use super::resource::{About, Asked, ROOT};
use super::status::TargetStatus;
use super::values::At;
use super::{Context, cursor};
use schemars::JsonSchema;
use serde::Serialize;
use store::reading::sync::log::{self, Attempt, Part};
use store::reading::sync::refused::{self, Refused};
use store::reading::sync::{Filter, ValueSeen};

const TARGET: Parameter = Parameter {
    name: "target",
    kind: Kind::Text,
    required: false,
    about: "Only what is pushed to this target.",
    example: None,
};

const FATE: Parameter = Parameter {
    name: "fate",
    kind: Kind::OneOf(&["rejected"]),
    required: false,
    about: "Only what platforms refused.",
    example: None,
};

const INTERACTION: Parameter = Parameter {
    name: "interaction",
    kind: Kind::Text,
    required: false,
    about: "Only what is about this interaction and its legs.",
    example: None,
};

/// What is said of the targets.
pub(super) const ABOUT: About = About {
    path: "sync",
    summary: "Where metrics are pushed to, and what waits there.",
    description: "Counted every few seconds at most.",
    parameters: &[TENANT],
    schema: |generator| generator.subschema_for::<TargetList>(),
};

/// What is said of refused values.
pub(super) const REFUSED: About = About {
    path: "sync/refused",
    summary: "Values that platforms refused, with their words, those queued last first.",
    description: "They wait for a new value or for an operator; the rest of their requests went through.",
    parameters: &[TENANT, TARGET, LIMIT, CURSOR],
    schema: |generator| generator.subschema_for::<RefusedList>(),
};

/// What is said of the log.
pub(super) const LOG: About = About {
    path: "sync/log",
    summary: "Every attempt at every value, newest first.",
    description: "An attempt has two entries: `sent`, and what became of it. `interaction` goes with one organisation, and before `fate`.",
    parameters: &[TENANT, TARGET, FATE, INTERACTION, LIMIT, CURSOR],
    schema: |generator| generator.subschema_for::<LogList>(),
};

/// Targets.
#[derive(Debug, Serialize, JsonSchema)]
struct TargetList {
    /// By name.
    items: Vec<TargetStatus>,
}

/// A page of refused values.
#[derive(Debug, Serialize, JsonSchema)]
struct RefusedList {
    /// The rows.
    items: Vec<RefusedItem>,
    /// The cursor of the page behind; null: this was the last one.
    next: Option<String>,
}

/// A page of the log.
#[derive(Debug, Serialize, JsonSchema)]
struct LogList {
    /// The rows.
    items: Vec<LogItem>,
    /// The cursor of the page behind; null: this was the last one.
    next: Option<String>,
}

/// Which value: of an interaction, of a leg, or of an agent's day.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PushedValue")]
struct ValueItem {
    /// The target.
    target: String,
    /// The organisation.
    tenant: String,
    /// The KPI.
    metric: String,
    /// The version of its definition.
    version: u16,
    /// The interaction; null for an agent's day.
    interaction_id: Option<String>,
    /// The leg; null for the interaction as a whole.
    leg: Option<String>,
    /// Of an agent's day: the agent.
    agent: Option<String>,
    /// Of an agent's day: the local day, `2024-05-15`.
    workday: Option<String>,
}

/// A refused value.
#[derive(Debug, Serialize, JsonSchema)]
struct RefusedItem {
    /// Which.
    value: ValueItem,
    /// How often it was tried.
    attempts: i32,
    /// Since when it could have been sent.
    queued_at: At,
    /// The HTTP status of the last answer.
    status: Option<i32>,
    /// The platform's words.
    message: Option<String>,
}

/// An attempt at a value, or what became of it.
#[derive(Debug, Serialize, JsonSchema)]
struct LogItem {
    /// Which value.
    value: ValueItem,
    /// When it was logged.
    at: At,
    /// `sent`, `accepted`, `rejected`, `unknown`, `retry`, `snoozed` …
    fate: String,
    /// Which attempt.
    attempt: i32,
    /// Which revision of the value.
    revision: i64,
    /// What was pushed, as the target has it.
    pushed: Option<f64>,
    /// The request that it was in.
    request_id: String,
    /// The HTTP status of the answer.
    status: Option<i32>,
    /// The platform's words, or ours.
    message: Option<String>,
}

impl From<ValueSeen> for ValueItem {
    fn from(value: ValueSeen) -> Self {
        Self {
            target: value.target,
            tenant: value.tenant,
            metric: value.metric_type,
            version: value.metric_version.0,
            interaction_id: value.interaction_id,
            leg: value.leg_scope,
            agent: value.agent_id,
            workday: value.workday,
        }
    }
}

impl From<Refused> for RefusedItem {
    fn from(refused: Refused) -> Self {
        Self {
            value: refused.value.into(),
            attempts: refused.attempt,
            queued_at: At(refused.queued_at),
            status: refused.last_status,
            message: refused.last_message,
        }
    }
}

impl From<Attempt> for LogItem {
    fn from(attempt: Attempt) -> Self {
        Self {
            value: attempt.value.into(),
            at: At(attempt.logged_at),
            fate: attempt.fate,
            attempt: attempt.attempt,
            revision: attempt.revision,
            pushed: attempt.pushed,
            request_id: attempt.request_id.to_string(),
            status: attempt.status,
            message: attempt.message,
        }
    }
}

pub(super) async fn targets(context: &Context, asked: Asked<'_>) -> Result<Answer, Problem> {
    let tenants = asked.access.tenants(asked.query)?;
    let client = context.store.client().await?;
    let standing = context
        .standings
        .of(context, &client, tenants.as_deref())
        .await?;
    let targets = standing.targets.iter();
    let items = targets.map(|(target, pending)| TargetStatus::of(target, pending, &standing));
    answer::json(&TargetList {
        items: items.collect(),
    })
}

pub(super) async fn refused(context: &Context, asked: Asked<'_>) -> Result<Answer, Problem> {
    let query = asked.query;
    let tenants = asked.access.tenants(query)?;
    let limit = query.limit(&LIMIT);
    let list = format!("refused {tenants:?} {}", query.identity());
    let after = cursor::read::<i64>(&list, query.text(&CURSOR))?;
    let filter = Filter {
        tenants: reach(tenants.as_deref()),
        target: query.text(&TARGET),
    };
    let client = context.store.client().await?;
    let mut rows = refused::page(&client, &filter, after, limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more);
    let next = next.and_then(|row| cursor::write(&list, &row.row_id));
    let answered = answer::json(&RefusedList {
        items: rows.into_iter().map(RefusedItem::from).collect(),
        next: next.clone(),
    })?;
    let path = format!("{ROOT}{}", REFUSED.path);
    Ok(answer::with_next(
        answered,
        &path,
        asked.text,
        next.as_deref(),
    ))
}

pub(super) async fn log(context: &Context, asked: Asked<'_>) -> Result<Answer, Problem> {
    let query = asked.query;
    let tenants = asked.access.tenants(query)?;
    let limit = query.limit(&LIMIT);
    let list = format!("log {tenants:?} {}", query.identity());
    let after = cursor::read::<i64>(&list, query.text(&CURSOR))?;
    let tenant;
    let part = match (query.text(&INTERACTION), query.text(&FATE)) {
        (Some(interaction), _) => {
            tenant = asked.access.tenant(query)?;
            Part::Interaction(&tenant, interaction)
        }
        (None, Some(_)) => Part::Refusals,
        (None, None) => Part::All,
    };
    let filter = Filter {
        tenants: reach(tenants.as_deref()),
        target: query.text(&TARGET),
    };
    let client = context.store.client().await?;
    let mut rows = log::page(&client, &filter, part, after, limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more);
    let next = next.and_then(|row| cursor::write(&list, &row.log_id));
    let answered = answer::json(&LogList {
        items: rows.into_iter().map(LogItem::from).collect(),
        next: next.clone(),
    })?;
    let path = format!("{ROOT}{}", LOG.path);
    Ok(answer::with_next(
        answered,
        &path,
        asked.text,
        next.as_deref(),
    ))
}
