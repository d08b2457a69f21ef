//! The push APIs: reads rows out of bodies, and says in each API's words what became of them.

use crate::config::{Config, Fields, ItemFault};
use crate::http::{self, Answer, code};
use crate::ledger::{Key, Kind, Row};
use crate::random::Random;
use hyper::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

mod external;
mod subject;

/// A push API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Api {
    /// The guide's `customreports`: `{"data": […], "overwrite": true}`.
    CustomReports,
    /// Genesys' real external metrics: `{"items": […]}`, partial success inside a 200.
    ExternalMetrics,
    /// The CXone import: `{"rows": […]}` or a bare array, `errorCount` and a result per item.
    CxoneImport,
    /// Genesys' conversation properties: of one session of the conversation in the path.
    Properties {
        /// The conversation.
        conversation: String,
    },
    /// CXone's business data: fields of the contact in the path.
    BusinessData {
        /// The contact.
        contact: String,
    },
    /// Whatever is JSON: a list of rows, or an object that has one.
    Plain,
}

impl Api {
    /// The API with this method and path.
    pub(crate) fn at(method: &Method, path: &str, config: &Config) -> Option<Self> {
        let plain = &config.receivers.plain_path;
        let below = path.strip_prefix(plain.as_str());
        if below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Some(Self::Plain);
        }
        if method == Method::PUT {
            let contact = path.strip_prefix("/business-data-manager/v1/business-data/contact/")?;
            let contact = subject::decoded(contact).filter(|contact| !contact.contains('/'))?;
            return Some(Self::BusinessData { contact });
        }
        if method != Method::POST {
            return None;
        }
        match path {
            "/api/v2/analytics/datadefinitions/customreports" => Some(Self::CustomReports),
            "/api/v2/employeeperformance/externalmetrics/data" => Some(Self::ExternalMetrics),
            path if path == config.cxone_import_path => Some(Self::CxoneImport),
            path => {
                let rest = path.strip_prefix("/api/v2/analytics/conversations/")?;
                let conversation = rest.strip_suffix("/details/properties")?;
                let conversation = subject::decoded(conversation)?;
                Some(Self::Properties { conversation })
            }
        }
    }

    pub(crate) const fn bounds<'a>(&self, config: &'a Config) -> &'a crate::config::Bounds {
        match self {
            Self::CustomReports | Self::ExternalMetrics | Self::Properties { .. } => {
                &config.genesys
            }
            Self::CxoneImport | Self::BusinessData { .. } | Self::Plain => &config.cxone,
        }
    }

    /// Why the platform takes nothing of what the request is about, if it does not: status and words.
    pub(crate) fn unwelcome(&self, rows: &[Row], config: &Config) -> Option<(u16, &'static str)> {
        let receivers = &config.receivers;
        match self {
            Self::Properties { conversation }
                if receivers.unknown_conversations.contains(conversation) =>
            {
                Some((404, "conversation not found"))
            }
            Self::BusinessData { contact } if receivers.unknown_contacts.contains(contact) => {
                Some((404, "contact not found"))
            }
            Self::BusinessData { contact } if receivers.open_contacts.contains(contact) => {
                Some((400, "the interaction is not closed"))
            }
            Self::BusinessData { .. } => {
                let fields = receivers.business_fields.as_ref()?;
                let exists = |row: &Row| fields.contains(&row.key.metric);
                (!rows.iter().all(exists)).then_some((400, "a field does not exist"))
            }
            _ => None,
        }
    }
}

/// What is wrong with a body, one entry a finding.
pub(crate) type Findings = Vec<(Kind, String)>;

/// The rows of a body, and how many it had even if they cannot be used.
pub(crate) fn rows(api: &Api, body: &[u8], config: &Config) -> (usize, Result<Vec<Row>, Findings>) {
    let body: Value = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(error) => return (0, Err(vec![(Kind::Malformed, error.to_string())])),
    };
    let of_one = match api {
        Api::Properties { conversation } => Some(subject::properties(conversation, &body)),
        Api::BusinessData { contact } => Some(subject::business_data(contact, &body)),
        _ => None,
    };
    if let Some(rows) = of_one {
        return (rows.as_ref().map_or(0, Vec::len), rows.and_then(once));
    }
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
            Value::Object(item) if *api == Api::ExternalMetrics => external::row(item, config),
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

/// The rows, unless two have one key.
fn once(rows: Vec<Row>) -> Result<Vec<Row>, Findings> {
    let mut seen = BTreeSet::new();
    let twice = rows.iter().find(|row| !seen.insert(&row.key));
    match twice {
        Some(row) => Err(vec![(Kind::RowTwice, format!("{:?}", row.key))]),
        None => Ok(rows),
    }
}

fn list(api: &Api, body: Value) -> Result<Vec<Value>, &'static str> {
    let mut body = match body {
        Value::Array(items) if matches!(api, Api::CxoneImport | Api::Plain) => return Ok(items),
        Value::Object(body) => body,
        _ => return Err("the body is no object"),
    };
    let names: &[&str] = match api {
        Api::CustomReports => &["data"],
        Api::ExternalMetrics => &["items"],
        _ => &["rows", "data", "items", "records"],
    };
    if *api == Api::CustomReports && body.get("overwrite") != Some(&Value::Bool(true)) {
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
    // A row that is taken back says so, and has no value.
    let value = if item.get("gone") == Some(&Value::Bool(true)) {
        None
    } else {
        let name = fields
            .value
            .iter()
            .find(|name| item.contains_key(*name))
            .ok_or_else(|| missing("value"))?;
        let value = item.remove(name).unwrap_or(Value::Null);
        number(&value, nulls_allowed)?
    };
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
        count: None,
        refusal: None,
        revision: whole(&fields.revision),
        idempotency_key: text(&fields.idempotency_key),
        adds: false,
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

/// The answer to a push: of each row whether it was refused with a status, passed over, or (when not named in `faults`) accepted.
pub(crate) fn answer(
    api: &Api,
    rows: &[Row],
    faults: &[ItemFault],
    shuffled: bool,
    random: &mut Random,
) -> Answer {
    match api {
        Api::BusinessData { .. } => return http::empty(204),
        // As the SDKs know it, the request comes back.
        Api::Properties { .. } => return http::json(202, &json!({ "properties": rows.len() })),
        _ => {}
    }
    let mut order: Vec<usize> = (0..rows.len()).collect();
    if shuffled {
        random.shuffle(&mut order);
    }
    let results_alone = matches!(api, Api::CxoneImport | Api::Plain);
    let (mut accepted, mut refused, mut results) = (Vec::new(), Vec::new(), Vec::new());
    for (row, index) in order.into_iter().map(|index| (&rows[index], index)) {
        let fault = faults.iter().find(|fault| fault.index == index);
        let mut said = row.echo.clone();
        if let Some((code, message)) = row.refusal {
            said.insert("code".to_owned(), json!(code));
            said.insert("message".to_owned(), json!(message));
            refused.push(said);
            continue;
        }
        match fault {
            None if results_alone => {
                said.insert("success".to_owned(), json!(true));
                said.insert("error".to_owned(), Value::Null);
                results.push(said);
            }
            None => {
                if *api == Api::ExternalMetrics {
                    said.insert("totalValue".to_owned(), json!(row.value));
                    said.insert("totalCount".to_owned(), json!(row.count));
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
                if results_alone {
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
    let body = if results_alone {
        json!({ "errorCount": refused.len(), "results": results })
    } else {
        json!({ "processedEntities": accepted, "unprocessedEntities": refused })
    };
    http::json(200, &body)
}
