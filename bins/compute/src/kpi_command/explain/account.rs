//! What one definition makes of an interaction: its rules, its row, and the row that is stored. Pure.

use super::clock::Clock;
use crate::kpi_command::table::{Cell, Table, short, wrapped};
use kpi::{Catalogue, Explanation, MetricValue, Step, Subject};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use store::definitions::Status;
use store::metrics::StoredMetric;

/// How one row came about.
#[derive(Debug)]
pub(super) struct Account {
    label: String,
    status: Option<Status>,
    unit: &'static str,
    steps: Vec<Asked>,
    /// Name and source, where local time was asked for.
    pub(super) zone: Option<(String, String)>,
    row: MetricValue,
    stored: Stored,
}

/// A rule that was asked.
#[derive(Debug)]
struct Asked {
    step: Step,
    /// What of local time there is to say beside its inputs: of which input or schedule, and what.
    clock: Vec<(String, String)>,
}

/// What the store has of the row.
#[derive(Debug)]
enum Stored {
    /// There is no store.
    Unknown,
    Nothing,
    Row {
        row: Box<StoredMetric>,
        /// What differs from what would be computed now.
        differs: Vec<&'static str>,
    },
}

/// A stored row that no rule gives any more.
#[derive(Debug)]
pub(super) struct Left {
    label: String,
    leg: String,
    value: Option<f64>,
}

impl Left {
    /// The rows of these definitions that none of the accounts is about.
    pub(super) fn over(
        catalogue: &Catalogue,
        accounts: &[Account],
        rows: &[StoredMetric],
    ) -> Vec<Self> {
        let is_chosen = |row: &&StoredMetric| {
            catalogue.definitions().iter().any(|definition| {
                definition.name() == row.metric_type && definition.version() == row.metric_version
            })
        };
        let is_accounted = |row: &StoredMetric| {
            accounts.iter().any(|account| {
                account.row.metric == row.metric_type
                    && account.row.version == row.metric_version
                    && account.row.scope.as_str() == row.leg_scope
            })
        };
        rows.iter()
            .filter(is_chosen)
            .filter(|row| !is_accounted(row))
            .map(|row| Self {
                label: format!("{}@{}", row.metric_type, row.metric_version),
                leg: row.leg_scope.clone(),
                value: row.metric_value,
            })
            .collect()
    }

    pub(super) fn text(&self) -> String {
        let of = match self.leg.as_str() {
            "" => String::new(),
            leg => format!(" of leg {leg}"),
        };
        let value = self.value.map_or_else(|| "absent".to_owned(), short);
        format!(
            "{}{of}: stored is {value}, which would NOT be computed now\n",
            self.label
        )
    }

    pub(super) fn json(&self) -> Value {
        json!({"definition": self.label, "leg": self.leg, "value": self.value})
    }
}

/// One account a row of the definition at a place; none before the interaction has ended. `rows`: what is stored of the interaction.
pub(super) fn accounts(
    catalogue: &Catalogue,
    place: usize,
    status: Option<Status>,
    subject: &Subject<'_>,
    rows: Option<&[StoredMetric]>,
) -> Vec<Account> {
    let Some(definition) = catalogue.definitions().get(place) else {
        return Vec::new();
    };
    catalogue
        .explain(place, subject)
        .into_iter()
        .map(|explanation| {
            let Explanation {
                steps,
                zone,
                metric,
                ..
            } = explanation;
            let clock = zone
                .as_ref()
                .and_then(|(zone, _)| Clock::of(definition, catalogue.library(), zone));
            let steps = steps
                .into_iter()
                .map(|step| Asked {
                    clock: clock.as_ref().map(|c| c.notes(&step)).unwrap_or_default(),
                    step,
                })
                .collect();
            Account {
                label: format!("{}@{}", definition.name(), definition.version()),
                status,
                unit: definition.unit().name(),
                steps,
                zone,
                stored: stored(&metric, rows),
                row: metric,
            }
        })
        .collect()
}

fn stored(computed: &MetricValue, rows: Option<&[StoredMetric]>) -> Stored {
    let Some(rows) = rows else {
        return Stored::Unknown;
    };
    let found = rows.iter().find(|row| {
        row.metric_type == computed.metric
            && row.metric_version == computed.version
            && row.leg_scope == computed.scope.as_str()
    });
    let Some(row) = found else {
        return Stored::Nothing;
    };
    let metadata: Value = serde_json::from_str(&row.metadata_json).unwrap_or_default();
    let agent = computed.agent.as_ref().map(schema::AgentId::as_str);
    let queue = computed.queue.as_ref().map(schema::QueueId::as_str);
    let differs = [
        ("value", row.metric_value != computed.value),
        ("metadata", metadata != Value::from(&computed.metadata)),
        ("timestamp", row.timestamp_utc != computed.timestamp),
        ("agent", row.agent_id.as_deref() != agent),
        ("queue", row.queue_id.as_deref() != queue),
    ];
    Stored::Row {
        row: Box::new(row.clone()),
        differs: differs
            .into_iter()
            .filter(|(_, differs)| *differs)
            .map(|(name, _)| name)
            .collect(),
    }
}

impl Account {
    /// `65.7 seconds`, `0 seconds (outside_business_hours)`, `absent (not_stated)`.
    fn result(&self) -> String {
        let mut text = match self.row.value {
            Some(value) => format!("{} {}", short(value), self.unit),
            None => "absent".to_owned(),
        };
        if let Some(reason) = &self.row.metadata.reason {
            text.push_str(" (");
            text.push_str(reason.name());
            text.push(')');
        }
        text
    }

    pub(super) fn text(&self, width: usize) -> String {
        let mut text = self.label.clone();
        // Writing to a string cannot fail.
        if let Some(status) = self.status {
            write!(text, " ({status})").ok();
        }
        if !self.row.scope.as_str().is_empty() {
            write!(text, " of leg {}", self.row.scope.as_str()).ok();
        }
        writeln!(text, " = {}", self.result()).ok();
        for Asked { step, clock } in &self.steps {
            writeln!(text, "  {}: {}", step.rule, step.result).ok();
            for line in step.text.lines() {
                indented(&mut text, 6, line.trim_end(), width);
            }
            for (name, value) in &step.inputs {
                let mut line = format!("{name} = {value}");
                for (_, told) in clock.iter().filter(|(of, _)| of == name) {
                    line.push_str(", ");
                    line.push_str(told);
                }
                indented(&mut text, 8, &line, width);
            }
            let schedules = clock
                .iter()
                .filter(|(of, _)| step.inputs.iter().all(|(name, _)| name != of));
            for (of, told) in schedules {
                indented(&mut text, 8, &format!("{of}: {told}"), width);
            }
        }
        if self.steps.is_empty() {
            text.push_str("  no rule was asked\n");
        }
        if let Some((zone, source)) = &self.zone {
            writeln!(text, "  zone: {zone} (source: {source})").ok();
        }
        if let Some((of, stated)) = self.row.metadata.unknown_zone() {
            writeln!(text, "  zone stated for the {of} and unknown: {stated}").ok();
        }
        let metadata = spaced(&Value::from(&self.row.metadata));
        indented(&mut text, 2, &format!("metadata: {metadata}"), width);
        match &self.stored {
            Stored::Unknown => {}
            Stored::Nothing => {
                writeln!(
                    text,
                    "  stored: nothing{}",
                    match self.status {
                        Some(status) if status.is_switched_on() =>
                            "; it is computed with the interaction's next news, or by `backfill replay`",
                        _ => "; this version is not computed",
                    }
                )
                .ok();
            }
            Stored::Row { row, differs } => {
                let value = row.metric_value.map_or_else(|| "absent".to_owned(), short);
                write!(
                    text,
                    "  stored: {value}, revision {} of {}",
                    row.revision, row.updated_at
                )
                .ok();
                if differs.is_empty() {
                    text.push_str(", the same\n");
                } else {
                    writeln!(text, ", which DIFFERS in: {}", differs.join(", ")).ok();
                    let metadata = serde_json::from_str(&row.metadata_json);
                    let metadata = metadata.map_or_else(
                        |_| row.metadata_json.clone(),
                        |metadata: Value| spaced(&metadata),
                    );
                    indented(&mut text, 2, &format!("stored metadata: {metadata}"), width);
                }
            }
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|Asked { step, clock }| {
                let inputs: Map<String, Value> = step
                    .inputs
                    .iter()
                    .map(|(name, value)| (name.clone(), value.as_str().into()))
                    .collect();
                let clock: Vec<Value> = clock
                    .iter()
                    .map(|(of, told)| json!({"of": of, "told": told}))
                    .collect();
                json!({
                    "rule": step.rule,
                    "text": step.text,
                    "result": step.result,
                    "inputs": inputs,
                    "local_time": clock,
                })
            })
            .collect();
        let stored = match &self.stored {
            Stored::Unknown | Stored::Nothing => Value::Null,
            Stored::Row { row, differs } => json!({
                "value": row.metric_value,
                "metadata": serde_json::from_str(&row.metadata_json).unwrap_or(Value::Null),
                "revision": row.revision,
                "updated_at": row.updated_at.to_string(),
                "same": differs.is_empty(),
                "differs": differs,
            }),
        };
        json!({
            "definition": self.label,
            "status": self.status.map(Status::as_str),
            "leg": self.row.scope.as_str(),
            "value": self.row.value,
            "unit": self.unit,
            "reason": self.row.metadata.reason.as_ref().map(kpi::Reason::name),
            "timestamp_utc": self.row.timestamp.to_string(),
            "agent_id": self.row.agent,
            "queue_id": self.row.queue,
            "zone": self.zone.as_ref().map(|(zone, _)| zone),
            "zone_source": self.zone.as_ref().map(|(_, source)| source),
            "metadata": Value::from(&self.row.metadata),
            "rules": steps,
            "stored": stored,
        })
    }
}

/// JSON with blanks between the members of an object, where a line can be broken.
fn spaced(json: &Value) -> String {
    let Some(members) = json.as_object() else {
        return json.to_string();
    };
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
        .collect();
    format!("{{{}}}", members.join(", "))
}

/// A line, in as many as it needs; those after the first go further in.
fn indented(text: &mut String, indent: usize, line: &str, width: usize) {
    let mut before = " ".repeat(indent);
    for part in wrapped(line, width.saturating_sub(indent + 2)) {
        text.push_str(&before);
        text.push_str(&part);
        text.push('\n');
        before = " ".repeat(indent + 2);
    }
}

/// For programs: one line a rule.
pub(super) fn table(accounts: &[Account]) -> Table {
    let mut table = Table::new(&[
        "definition",
        "leg",
        "value",
        "reason",
        "rule",
        "result",
        "text",
        "inputs",
    ]);
    for account in accounts {
        for Asked { step, clock } in &account.steps {
            let mut inputs: Vec<String> = step
                .inputs
                .iter()
                .map(|(name, value)| format!("{name} = {value}"))
                .collect();
            inputs.extend(clock.iter().map(|(of, told)| format!("{of}: {told}")));
            table.push(vec![
                Cell::text(&account.label),
                Cell::text(account.row.scope.as_str()),
                Cell::number(account.row.value),
                Cell::of(account.row.metadata.reason.as_ref().map(kpi::Reason::name)),
                Cell::text(&step.rule),
                Cell::text(&step.result),
                Cell::text(&step.text),
                Cell::text(inputs.join("; ")),
            ]);
        }
    }
    table
}
