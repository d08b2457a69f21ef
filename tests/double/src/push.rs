//! The push APIs: reads rows out of bodies, and says in each API's words what became of them.

use crate::config::{Config, Fields, ItemFault};
use crate::http::code;
use crate::ledger::{Key, Kind, Row};
use crate::random::Random;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// A push API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// The guide's `customreports`: `{"data": […], "overwrite": true}`.
    CustomReports,
    /// Genesys' real external metrics: `{"items": […]}`, partial success inside a 200.
    ExternalMetrics,
    /// The CXone import: `{"rows": […]}` or a bare array, `errorCount` and a result per item.
    CxoneImport,
}

impl Api {
    /// The API with this path.
    pub(crate) fn at(path: &str, config: &Config) -> Option<Self> {
        match path {
            "/api/v2/analytics/datadefinitions/customreports" => Some(Self::CustomReports),
            "/api/v2/employeeperformance/externalmetrics/data" => Some(Self::ExternalMetrics),
            path if path == config.cxone_import_path => Some(Self::CxoneImport),
            _ => None,
        }
    }

    pub(crate) const fn bounds(self, config: &Config) -> &crate::config::Bounds {
        match self {
            Self::CustomReports | Self::ExternalMetrics => &config.genesys,
            Self::CxoneImport => &config.cxone,
        }
    }
}

/// What is wrong with a body, one entry a finding.
pub(crate) type Findings = Vec<(Kind, String)>;

/// The rows of a body, and how many it had even if they cannot be used.
pub(crate) fn rows(api: Api, body: &[u8], config: &Config) -> (usize, Result<Vec<Row>, Findings>) {
    let body: Value = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(error) => return (0, Err(vec![(Kind::Malformed, error.to_string())])),
    };
    let items = match list(api, body) {
        Ok(items) => items,
        Err(problem) => return (0, Err(vec![(Kind::Malformed, problem.to_owned())])),
    };
    let (count, most) = (items.len(), api.bounds(config).rows_max);
    if count > most {
        let detail = format!("{count} rows in one request, at most {most} are taken");
        return (count, Err(vec![(Kind::TooManyRows, detail)]));
    }
    let mut findings = Findings::new();
    let mut seen = BTreeSet::new();
    let mut rows = Vec::with_capacity(count);
    for (index, item) in items.into_iter().enumerate() {
        let read = match item {
            Value::Object(item) if api == Api::ExternalMetrics => external_metric(item),
            Value::Object(item) => record(item, &config.fields, config.nulls_allowed),
            _ => Err((Kind::Malformed, "a row is no object".to_owned())),
        };
        match read {
            Ok(row) if !seen.insert(row.key.clone()) => {
                findings.push((Kind::RowTwice, format!("item {index}: {:?}", row.key)));
            }
            Ok(row) => rows.push(row),
            Err((kind, detail)) => findings.push((kind, format!("item {index}: {detail}"))),
        }
    }
    let result = if findings.is_empty() {
        Ok(rows)
    } else {
        Err(findings)
    };
    (count, result)
}

fn list(api: Api, body: Value) -> Result<Vec<Value>, &'static str> {
    let mut body = match body {
        Value::Array(items) if api == Api::CxoneImport => return Ok(items),
        Value::Object(body) => body,
        _ => return Err("the body is no object"),
    };
    let names: &[&str] = match api {
        Api::CustomReports => &["data"],
        Api::ExternalMetrics => &["items"],
        Api::CxoneImport => &["rows", "data", "items", "records"],
    };
    if api == Api::CustomReports && body.get("overwrite") != Some(&Value::Bool(true)) {
        return Err("\"overwrite\": true is missing: pushes would pile up instead of replacing");
    }
    match names.iter().find_map(|name| body.remove(*name)) {
        Some(Value::Array(items)) => Ok(items),
        _ => Err("the body has no list of rows"),
    }
}

fn record(
    mut item: Map<String, Value>,
    fields: &Fields,
    nulls_allowed: bool,
) -> Result<Row, (Kind, String)> {
    let name = fields
        .value
        .iter()
        .find(|name| item.contains_key(*name))
        .ok_or_else(|| missing("value"))?;
    let value = item.remove(name).unwrap_or(Value::Null);
    let value = number(&value, nulls_allowed)?;
    let text = |names: &[String]| names.iter().find_map(|name| text_of(item.get(name)?));
    let whole = |names: &[String]| names.iter().find_map(|name| item.get(name)?.as_i64());
    let key = Key {
        tenant: text(&fields.tenant).unwrap_or_default(),
        interaction: text(&fields.interaction).ok_or_else(|| missing("interaction"))?,
        metric: text(&fields.metric).ok_or_else(|| missing("metric"))?,
        version: whole(&fields.version).unwrap_or(1),
        scope: text(&fields.scope).unwrap_or_default(),
    };
    Ok(Row {
        key,
        value,
        revision: whole(&fields.revision),
        idempotency_key: text(&fields.idempotency_key),
        adds: false,
        echo: item,
    })
}

fn external_metric(item: Map<String, Value>) -> Result<Row, (Kind, String)> {
    let text = |name: &str| item.get(name).and_then(text_of);
    let ((Some(user), None) | (None, Some(user))) = (text("userId"), text("userEmail")) else {
        return Err(missing("exactly one of userId and userEmail"));
    };
    let value = item.get("value").ok_or_else(|| missing("value"))?;
    let day = text("dateOccurred").ok_or_else(|| missing("dateOccurred"))?;
    if chrono::NaiveDate::parse_from_str(&day, "%Y-%m-%d").is_err() {
        return Err((Kind::Malformed, format!("dateOccurred {day:?} is no day")));
    }
    Ok(Row {
        key: Key {
            tenant: String::new(),
            interaction: user,
            metric: text("metricId").ok_or_else(|| missing("metricId"))?,
            version: 1,
            scope: day,
        },
        value: number(value, true)?,
        revision: None,
        idempotency_key: None,
        adds: text("type").as_deref() == Some("Cumulative"),
        echo: item,
    })
}

fn number(value: &Value, nulls_allowed: bool) -> Result<Option<f64>, (Kind, String)> {
    match value {
        Value::Null if nulls_allowed => Ok(None),
        Value::Null => Err((Kind::NullValue, "the value is null".to_owned())),
        value => match value.as_f64() {
            Some(number) if number.is_finite() => Ok(Some(number)),
            _ => Err((Kind::NonFinite, format!("the value {value} is no number"))),
        },
    }
}

fn missing(what: &str) -> (Kind, String) {
    (Kind::MissingField, format!("{what} is missing"))
}

/// Text, or a number as its text: ids come in both forms.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What an answer says of each row of a push: refused with a status, passed over, or (when not named in `faults`) accepted.
pub(crate) fn answer(
    api: Api,
    rows: &[Row],
    faults: &[ItemFault],
    shuffled: bool,
    random: &mut Random,
) -> Value {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    if shuffled {
        random.shuffle(&mut order);
    }
    let (mut accepted, mut refused, mut results) = (Vec::new(), Vec::new(), Vec::new());
    for (row, index) in order.into_iter().map(|index| (&rows[index], index)) {
        let fault = faults.iter().find(|fault| fault.index == index);
        let mut said = row.echo.clone();
        match fault {
            None if api == Api::CxoneImport => {
                said.insert("success".to_owned(), json!(true));
                said.insert("error".to_owned(), Value::Null);
                results.push(said);
            }
            None => {
                if api == Api::ExternalMetrics {
                    said.insert("totalValue".to_owned(), json!(row.value));
                    let count = said.get("count").cloned().unwrap_or(json!(1));
                    said.insert("totalCount".to_owned(), count);
                }
                accepted.push(said);
            }
            Some(ItemFault { status: None, .. }) => {}
            Some(ItemFault {
                status: Some(status),
                ..
            }) => {
                let message = format!("this item was refused with {status}");
                said.insert("status".to_owned(), json!(status));
                if api == Api::CxoneImport {
                    said.insert("success".to_owned(), json!(false));
                    said.insert("error".to_owned(), json!(message));
                    results.push(said.clone());
                } else {
                    said.insert("code".to_owned(), json!(code(*status)));
                    said.insert("message".to_owned(), json!(message));
                }
                refused.push(said);
            }
        }
    }
    if api == Api::CxoneImport {
        json!({ "errorCount": refused.len(), "results": results })
    } else {
        json!({ "processedEntities": accepted, "unprocessedEntities": refused })
    }
}
