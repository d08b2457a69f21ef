//! The guide's bodies: `{"data": […], "overwrite": true}` for Genesys' custom reports, `{"rows": […], "overwrite": true}` for CXone's import.

use crate::adapter::{Amount, Encoded, NO_PATH, Place, Sent, Step};
use crate::answer::{self, Names};
use crate::capability::Kind;
use crate::item::Item;
use crate::outcome::{Answer, Fate};
use crate::path::PathTemplate;
use schema::{AgentId, LegId, QueueId, UtcMicros};
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;

/// Which of the two, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    api: Api,
    path: PathTemplate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Api {
    CustomReport,
    Import,
}

#[derive(Serialize)]
struct Wire<'a> {
    idempotency_key: String,
    tenant: &'a str,
    interaction_id: &'a str,
    metric: &'a str,
    version: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    leg_scope: Option<&'a str>,
    revision: i64,
    value: f64,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_id: Option<&'a str>,
}

impl Rows {
    /// Genesys' custom reports.
    #[must_use]
    pub const fn custom_report(path: PathTemplate) -> Self {
        Self {
            api: Api::CustomReport,
            path,
        }
    }

    /// CXone's import.
    #[must_use]
    pub const fn import(path: PathTemplate) -> Self {
        Self {
            api: Api::Import,
            path,
        }
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self.api {
            Api::CustomReport => Kind::GenesysCustomReport,
            Api::Import => Kind::CxoneImport,
        }
    }

    const fn member(&self) -> &'static str {
        match self.api {
            Api::CustomReport => "data",
            Api::Import => "rows",
        }
    }

    pub(crate) const fn around(&self) -> usize {
        self.member().len() + "{\"\":[],\"overwrite\":true}".len()
    }

    pub(crate) fn body(&self, items: &str) -> String {
        format!("{{\"{}\":[{items}],\"overwrite\":true}}", self.member())
    }

    /// No member of a row is ever null.
    pub(crate) fn step(&self, item: &Item) -> Step {
        let (Some(value), Some(interaction)) = (item.value, item.subject.interaction()) else {
            return Step::Done;
        };
        let Some(path) = self.path.of(item) else {
            return Step::Refused(NO_PATH.to_owned());
        };
        let wire = Wire {
            idempotency_key: item.idempotency_key(),
            tenant: item.tenant.as_str(),
            interaction_id: interaction.as_str(),
            metric: &item.metric,
            version: item.version.0,
            leg_scope: item.subject.leg().map(LegId::as_str),
            revision: item.revision,
            value: value.get(),
            timestamp: millis(item.timestamp),
            agent_id: item.agent.as_ref().map(AgentId::as_str),
            queue_id: item.queue.as_ref().map(QueueId::as_str),
        };
        // Text and finite numbers only: writing them cannot fail.
        let json = serde_json::to_string(&wire).unwrap_or_default();
        Step::Send(Encoded {
            json,
            place: Place {
                path,
                head: String::new(),
            },
            amount: Some(Amount {
                value: value.get(),
                points: None,
            }),
        })
    }
}

/// RFC 3339 with milliseconds (CXone refuses more digits, and `+00:00`).
pub(crate) fn millis(at: UtcMicros) -> String {
    UtcMicros::from_millis(at.millis()).to_string()
}

/// Items in an answer name their row by idempotency key, or by interaction and metric (and version and leg where they state them).
pub(crate) fn read(sent: &[Sent<'_>], answer: &Answer<'_>) -> Option<Vec<Fate>> {
    let keys = Names::new(sent.iter().map(|sent| sent.item.idempotency_key()));
    let interactions = ByInteraction::new(sent);
    answer::read(sent.len(), answer, &|item| {
        let key = answer::text(
            item,
            &["idempotency_key", "idempotencyKey", "key", "id", "entityId"],
        );
        key.and_then(|key| keys.find(key))
            .or_else(|| interactions.find(item))
    })
}

/// Rows by their interaction.
struct ByInteraction<'a> {
    sent: &'a [Sent<'a>],
    rows: HashMap<&'a str, Vec<usize>>,
}

impl<'a> ByInteraction<'a> {
    fn new(sent: &'a [Sent<'a>]) -> Self {
        let mut rows: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, sent) in sent.iter().enumerate() {
            if let Some(interaction) = sent.item.subject.interaction() {
                rows.entry(interaction.as_str()).or_default().push(index);
            }
        }
        Self { sent, rows }
    }

    /// The one row that an item fits.
    fn find(&self, item: &Value) -> Option<usize> {
        let interaction = answer::text(item, &["interaction_id", "interactionId", "contactId"])?;
        let metric = answer::text(item, &["metric", "metric_type", "metricType"]);
        let version = answer::member(item, &["version", "metric_version", "metricVersion"])
            .and_then(Value::as_u64);
        let leg = answer::text(item, &["leg_scope", "legScope", "scope"]);
        let rows = self.rows.get(interaction)?.iter().copied();
        let mut fitting = rows.filter(|index| {
            let row = self.sent[*index].item;
            metric.is_none_or(|metric| metric == row.metric)
                && version.is_none_or(|version| version == u64::from(row.version.0))
                && leg.is_none_or(|leg| leg == row.subject.leg().map_or("", LegId::as_str))
        });
        let found = fitting.next()?;
        fitting.next().is_none().then_some(found)
    }
}

#[cfg(test)]
mod tests;
