//! Claimed rows into requests within the platform's limits. Pure.

use platform::push::{Adapter, Encoded, Finite, Row};
use schema::LegId;
use std::collections::BTreeMap;
use store::sync::{Due, MetricKey, Pushed};

/// A row ready to go.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// As it was claimed.
    pub due: Due,
    /// As the platform knows it.
    pub row: Row,
    /// As it stands in the body.
    pub encoded: Encoded,
    /// The same for every attempt at this value.
    pub idempotency_key: String,
    /// What the log says was pushed.
    pub pushed: Pushed,
}

/// What to do with the rows of one claim.
#[derive(Debug, Default, PartialEq)]
pub struct Plan {
    /// Rows by request, each within the limits.
    pub requests: Vec<Vec<Prepared>>,
    /// Rows whose value is absent: there is nothing to send.
    pub withheld: Vec<Due>,
    /// Rows that can never be sent, and why.
    pub refused: Vec<(Prepared, String)>,
}

/// Bounds of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Rows.
    pub rows: usize,
    /// Bytes of the body.
    pub bytes: usize,
}

impl Bounds {
    /// The platform's, or less where the target says so.
    #[must_use]
    pub fn of(adapter: Adapter, batch_max: usize) -> Self {
        Self {
            rows: batch_max.clamp(1, adapter.max_rows()),
            bytes: adapter.max_bytes(),
        }
    }

    /// The platform refused a request of `rows` rows without saying which of them it will not have: half as many from now on, also
    /// in the next claim. So the search for them gets on even where a lease is over after a single answer.
    #[must_use]
    pub fn halved(self, rows: usize) -> Self {
        Self {
            rows: (rows / 2).clamp(1, self.rows),
            ..self
        }
    }

    /// The platform took a request: back towards the full size.
    #[must_use]
    pub fn doubled(self, full: Self) -> Self {
        Self {
            rows: self.rows.saturating_mul(2).min(full.rows),
            ..self
        }
    }
}

/// Plans the requests for claimed rows: the newest revision per key, absent values left out, no request beyond the bounds.
#[must_use]
pub fn plan(due: Vec<Due>, adapter: Adapter, bounds: Bounds) -> Plan {
    let mut plan = Plan::default();
    let mut request = Vec::new();
    let mut bytes = 0;
    for due in newest_per_key(due) {
        let Some(value) = due.metric_value.and_then(Finite::new) else {
            plan.withheld.push(due);
            continue;
        };
        let prepared = prepare(due, value);
        let size = prepared.encoded.json.len();
        if size + adapter.overhead(1) > bounds.bytes {
            let why = format!(
                "the row alone has {size} bytes; a request may have {}",
                bounds.bytes
            );
            plan.refused.push((prepared, why));
            continue;
        }
        let full = request.len() >= bounds.rows
            || bytes + size + adapter.overhead(request.len() + 1) > bounds.bytes;
        if full {
            plan.requests.push(std::mem::take(&mut request));
            bytes = 0;
        }
        bytes += size;
        request.push(prepared);
    }
    if !request.is_empty() {
        plan.requests.push(request);
    }
    plan
}

/// One row a key, in the order of the claim: a value superseded while waiting is never sent.
fn newest_per_key(due: Vec<Due>) -> Vec<Due> {
    let mut newest: BTreeMap<MetricKey, i64> = BTreeMap::new();
    for row in &due {
        let revision = newest.entry(row.key.clone()).or_insert(row.revision);
        *revision = row.revision.max(*revision);
    }
    due.into_iter()
        .filter(|row| {
            let is_newest = newest.get(&row.key) == Some(&row.revision);
            if is_newest {
                newest.remove(&row.key);
            }
            is_newest
        })
        .collect()
}

fn prepare(due: Due, value: Finite) -> Prepared {
    let key = &due.key;
    let row = Row {
        tenant: key.tenant.as_str().into(),
        interaction: key.subject.interaction().unwrap_or_default().into(),
        metric: key.metric_type.clone(),
        version: key.metric_version,
        leg: key
            .subject
            .leg_scope()
            .filter(|leg| !leg.is_empty())
            .map(LegId::new),
        revision: due.revision,
        value,
        timestamp: due.timestamp_utc,
        agent: due.agent_id.as_deref().map(Into::into),
        queue: due.queue_id.as_deref().map(Into::into),
    };
    Prepared {
        encoded: row.encode(),
        idempotency_key: row.idempotency_key(),
        pushed: Pushed {
            value: value.get(),
            points: None,
        },
        row,
        due,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use schema::{MetricVersion, UtcMicros};
    use store::sync::Subject;

    pub(crate) fn due(interaction: &str, revision: i64, value: Option<f64>) -> Due {
        Due {
            row: 1,
            key: MetricKey {
                tenant: "acme".to_owned(),
                subject: Subject::of_interaction(interaction, ""),
                metric_type: "handle_time".to_owned(),
                metric_version: MetricVersion(1),
            },
            revision,
            attempt: 1,
            queued_at: UtcMicros(0),
            metric_value: value,
            metadata_json: "{}".to_owned(),
            timestamp_utc: UtcMicros(0),
            agent_id: None,
            queue_id: None,
            day: None,
        }
    }

    fn many(count: usize) -> Vec<Due> {
        (0..count)
            .map(|n| due(&format!("int_{n}"), 1, Some(1.5)))
            .collect()
    }

    fn sizes(plan: &Plan) -> Vec<usize> {
        plan.requests.iter().map(Vec::len).collect()
    }

    #[test]
    fn no_request_has_more_rows_than_the_platform_takes() {
        let genesys = Adapter::GenesysCustomReport;
        let bounds = Bounds::of(genesys, 1_000_000);
        assert_eq!(sizes(&plan(many(250), genesys, bounds)), [100, 100, 50]);
        let cxone = Adapter::CxoneImport;
        let bounds = Bounds::of(cxone, 1_000_000);
        assert_eq!(sizes(&plan(many(10_001), cxone, bounds)), [10_000, 1]);
    }

    #[test]
    fn refusals_halve_a_request_down_to_one_row_and_successes_double_it_up_to_the_full_size() {
        let full = Bounds::of(Adapter::GenesysCustomReport, 100);
        let mut bounds = full;
        let mut sizes = Vec::new();
        for _ in 0..8 {
            bounds = bounds.halved(bounds.rows);
            sizes.push(bounds.rows);
        }
        assert_eq!(sizes, [50, 25, 12, 6, 3, 1, 1, 1]);
        assert_eq!(bounds.bytes, full.bytes);
        // A larger half of an earlier refusal, still under way, does not raise it again.
        assert_eq!(bounds.halved(50).rows, 1);
        sizes.clear();
        for _ in 0..8 {
            bounds = bounds.doubled(full);
            sizes.push(bounds.rows);
        }
        assert_eq!(sizes, [2, 4, 8, 16, 32, 64, 100, 100]);
    }

    #[test]
    fn absent_and_impossible_values_are_not_sent() {
        let genesys = Adapter::GenesysCustomReport;
        let rows = vec![
            due("a", 1, None),
            due("b", 1, Some(f64::NAN)),
            due("c", 1, Some(0.0)),
        ];
        let plan = plan(rows, genesys, Bounds::of(genesys, 100));
        assert_eq!(sizes(&plan), [1]);
        assert_eq!(plan.withheld.len(), 2);
    }

    #[test]
    fn of_one_key_only_the_newest_value_goes() {
        let genesys = Adapter::GenesysCustomReport;
        let rows = vec![
            due("a", 2, Some(2.0)),
            due("a", 3, Some(3.0)),
            due("a", 1, Some(1.0)),
            due("a", 3, Some(3.0)),
        ];
        let plan = plan(rows, genesys, Bounds::of(genesys, 100));
        assert_eq!(sizes(&plan), [1]);
        assert_eq!(plan.requests[0][0].due.revision, 3);
    }

    #[test]
    fn a_row_that_fits_no_request_is_refused_alone() {
        let genesys = Adapter::GenesysCustomReport;
        let rows = vec![
            due("a", 1, Some(1.0)),
            due(&"x".repeat(600_000), 1, Some(1.0)),
        ];
        let plan = plan(rows, genesys, Bounds::of(genesys, 100));
        assert_eq!(sizes(&plan), [1]);
        assert!(
            plan.refused[0].1.contains("512000"),
            "{:?}",
            plan.refused[0].1
        );
    }

    proptest! {
        #[test]
        fn every_row_goes_exactly_one_way_and_no_body_is_too_large(
            rows in proptest::collection::vec((0usize..40, 1i64..4, proptest::option::of(-1e9f64..1e9)), 0..60),
            most_rows in 1usize..10, most_bytes in 300usize..2000,
        ) {
            let adapter = Adapter::GenesysCustomReport;
            let bounds = Bounds { rows: most_rows, bytes: most_bytes };
            let due: Vec<Due> = rows.iter().map(|(n, revision, value)| due(&format!("i{n}"), *revision, *value)).collect();
            let keys: std::collections::BTreeSet<_> = due.iter().map(|due| due.key.clone()).collect();
            let plan = plan(due, adapter, bounds);
            for request in &plan.requests {
                prop_assert!(!request.is_empty() && request.len() <= most_rows);
                prop_assert!(adapter.body(request.iter().map(|row| &row.encoded)).len() <= most_bytes);
            }
            let seen: Vec<_> = plan.requests.iter().flatten().map(|row| row.due.key.clone())
                .chain(plan.withheld.iter().map(|due| due.key.clone()))
                .chain(plan.refused.iter().map(|(row, _)| row.due.key.clone())).collect();
            prop_assert_eq!(seen.len(), keys.len());
            prop_assert_eq!(seen.into_iter().collect::<std::collections::BTreeSet<_>>(), keys);
        }
    }
}
