//! Rows into request bodies: pure. What each platform takes, how many and how large.
//!
//! Neither of the two bodies is an interface that a public document describes in full (see the platform notes): the Genesys one is
//! the guide's custom-report body, the CXone one is a generic batch import. Path and batch size are configuration, the
//! maximum is not.

use crate::instant::rfc3339_millis;
use schema::{AgentId, InteractionId, LegId, MetricVersion, QueueId, TenantId, UtcMicros};
use serde::Serialize;
use std::fmt;

/// Which platform's request is built and whose answers are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapter {
    /// `{"data": […], "overwrite": true}`, at most 100 rows.
    GenesysCustomReport,
    /// `{"rows": […], "overwrite": true}`, at most 10,000 rows.
    CxoneImport,
}

impl Adapter {
    /// All adapters, for messages that list what is allowed.
    pub const ALL: [Self; 2] = [Self::GenesysCustomReport, Self::CxoneImport];

    /// The name used in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GenesysCustomReport => "genesys-custom-report",
            Self::CxoneImport => "cxone-import",
        }
    }

    /// The adapter of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|adapter| adapter.name() == name)
    }

    /// Rows a request may carry. A configured batch size can only be smaller.
    pub const fn max_rows(self) -> usize {
        match self {
            Self::GenesysCustomReport => 100,
            Self::CxoneImport => 10_000,
        }
    }

    /// Bytes a request body may have. Genesys: `request.bytes.max`. CXone: not published; a cautious figure.
    pub const fn max_bytes(self) -> usize {
        match self {
            Self::GenesysCustomReport => 512_000,
            Self::CxoneImport => 8_000_000,
        }
    }

    /// The path below the base URL, where the target names none.
    pub const fn default_path(self) -> &'static str {
        match self {
            Self::GenesysCustomReport => "/api/v2/analytics/datadefinitions/customreports",
            Self::CxoneImport => "/incontactapi/services/v30.0/data-import/batches",
        }
    }

    /// Requests per minute where the target states none: four fifths of what Genesys allows one client, and for CXone, which
    /// publishes no number, a few a second.
    pub const fn default_requests_per_minute(self) -> u32 {
        match self {
            Self::GenesysCustomReport => 240,
            Self::CxoneImport => 120,
        }
    }

    const fn rows_member(self) -> &'static str {
        match self {
            Self::GenesysCustomReport => "data",
            Self::CxoneImport => "rows",
        }
    }

    /// The request body for rows that were encoded by [`Row::encode`].
    #[must_use]
    pub fn body<'a>(self, rows: impl IntoIterator<Item = &'a Encoded>) -> String {
        let mut body = format!("{{\"{}\":[", self.rows_member());
        let mut first = true;
        for row in rows {
            if !first {
                body.push(',');
            }
            first = false;
            body.push_str(&row.json);
        }
        body.push_str("],\"overwrite\":true}");
        body
    }

    /// Bytes of the body around and between `rows` encoded rows.
    #[must_use]
    pub const fn overhead(self, rows: usize) -> usize {
        self.rows_member().len() + 28 + rows
    }
}

/// A number that can be written as JSON. NaN and the infinities are not values of a metric.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Finite(f64);

impl Finite {
    /// The number, unless it is NaN or infinite.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(value))
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// One metric's value for one interaction (or leg), as it is pushed.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Whose it is.
    pub tenant: TenantId,
    /// The interaction.
    pub interaction: InteractionId,
    /// The metric's name.
    pub metric: String,
    /// The version of its definition.
    pub version: MetricVersion,
    /// The leg, where the metric is of one.
    pub leg: Option<LegId>,
    /// Which value this is; a later one supersedes it.
    pub revision: i64,
    /// The value, in the metric's unit (seconds).
    pub value: Finite,
    /// The instant the metric belongs to.
    pub timestamp: UtcMicros,
    /// The agent it is attributed to.
    pub agent: Option<AgentId>,
    /// The queue it is attributed to.
    pub queue: Option<QueueId>,
}

/// A row as it stands in a request body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The JSON object.
    pub json: String,
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

impl Row {
    /// The same for every attempt at this value, other for every other value: tenant, interaction, metric, version, leg, revision.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!(
            "{}/{}/{}/v{}/{}/r{}",
            Escaped(self.tenant.as_str()),
            Escaped(self.interaction.as_str()),
            Escaped(&self.metric),
            self.version,
            Escaped(self.leg.as_ref().map_or("", LegId::as_str)),
            self.revision
        )
    }

    /// The JSON object of this row. No member is ever null.
    #[must_use]
    pub fn encode(&self) -> Encoded {
        let wire = Wire {
            idempotency_key: self.idempotency_key(),
            tenant: self.tenant.as_str(),
            interaction_id: self.interaction.as_str(),
            metric: &self.metric,
            version: self.version.0,
            leg_scope: self.leg.as_ref().map(LegId::as_str),
            revision: self.revision,
            value: self.value.get(),
            timestamp: rfc3339_millis(self.timestamp),
            agent_id: self.agent.as_ref().map(AgentId::as_str),
            queue_id: self.queue.as_ref().map(QueueId::as_str),
        };
        // Text and finite numbers only: writing them cannot fail.
        let json = serde_json::to_string(&wire).unwrap_or_default();
        debug_assert!(!json.is_empty(), "a row of text and finite numbers is JSON");
        Encoded { json }
    }
}

/// Text with the separator escaped, so that no two keys can read the same.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '/' => f.write_str("%2F")?,
                '%' => f.write_str("%25")?,
                c => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn row(interaction: &str, value: f64) -> Row {
        Row {
            tenant: "acme".into(),
            interaction: interaction.into(),
            metric: "handle_time".to_owned(),
            version: MetricVersion(1),
            leg: None,
            revision: 3,
            value: Finite::new(value).unwrap(),
            timestamp: UtcMicros::from_millis(1_715_783_530_451),
            agent: Some("agent_555".into()),
            queue: None,
        }
    }

    #[test]
    fn genesys_gets_the_custom_report_body() {
        let rows = [row("int_1", 65.7).encode(), row("int_2", 0.0).encode()];
        let body: Value =
            serde_json::from_str(&Adapter::GenesysCustomReport.body(rows.iter())).unwrap();
        assert_eq!(
            body,
            json!({"data": [
                {"idempotency_key": "acme/int_1/handle_time/v1//r3", "tenant": "acme", "interaction_id": "int_1", "metric": "handle_time",
                 "version": 1, "revision": 3, "value": 65.7, "timestamp": "2024-05-15T14:32:10.451Z", "agent_id": "agent_555"},
                {"idempotency_key": "acme/int_2/handle_time/v1//r3", "tenant": "acme", "interaction_id": "int_2", "metric": "handle_time",
                 "version": 1, "revision": 3, "value": 0.0, "timestamp": "2024-05-15T14:32:10.451Z", "agent_id": "agent_555"},
            ], "overwrite": true})
        );
    }

    #[test]
    fn no_value_that_is_not_a_number_gets_into_a_row() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Finite::new(value), None);
        }
    }

    #[test]
    fn keys_of_different_rows_never_read_the_same() {
        let a = Row {
            tenant: "a/b".into(),
            interaction: "c".into(),
            ..row("", 0.0)
        };
        let b = Row {
            tenant: "a".into(),
            interaction: "b/c".into(),
            ..row("", 0.0)
        };
        let c = Row {
            tenant: "a%2Fb".into(),
            interaction: "c".into(),
            ..row("", 0.0)
        };
        assert_ne!(a.idempotency_key(), b.idempotency_key());
        assert_ne!(a.idempotency_key(), c.idempotency_key());
    }

    #[test]
    fn every_adapter_is_found_by_its_name() {
        for adapter in Adapter::ALL {
            assert_eq!(Adapter::parse(adapter.name()), Some(adapter));
        }
        assert_eq!(Adapter::parse("salesforce"), None);
    }

    proptest! {
        #[test]
        fn a_body_is_json_without_null_and_as_long_as_reckoned(
            rows in proptest::collection::vec(("\\PC{0,20}", -1e12f64..1e12), 1..20),
        ) {
            let encoded: Vec<_> = rows.iter().map(|(id, value)| row(id, *value).encode()).collect();
            for adapter in Adapter::ALL {
                let body = adapter.body(encoded.iter());
                let reckoned = encoded.iter().map(|row| row.json.len()).sum::<usize>() + adapter.overhead(encoded.len());
                prop_assert!(body.len() <= reckoned, "{} > {}", body.len(), reckoned);
                let parsed: Value = serde_json::from_str(&body).unwrap();
                let list = parsed[adapter.rows_member()].as_array().unwrap();
                prop_assert_eq!(list.len(), rows.len());
                for (object, (id, _)) in list.iter().zip(&rows) {
                    prop_assert_eq!(object["interaction_id"].as_str(), Some(id.as_str()));
                    prop_assert!(object.as_object().unwrap().values().all(|member| !member.is_null()));
                }
            }
            // The number is read from the text itself: it must be the value, bit for bit.
            for (row, (_, value)) in encoded.iter().zip(&rows) {
                #[derive(serde::Deserialize)]
                struct Written<'a> {
                    #[serde(borrow)]
                    value: &'a serde_json::value::RawValue,
                }
                let written: Written<'_> = serde_json::from_str(&row.json).unwrap();
                prop_assert_eq!(written.value.get().parse::<f64>().unwrap().to_bits(), value.to_bits());
            }
        }
    }
}
