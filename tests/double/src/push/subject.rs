//! Requests about one conversation or contact, which their path names: Genesys' conversation properties, CXone's business data.

use super::{Findings, missing};
use crate::ledger::{Key, Kind, Row};
use chrono::DateTime;
use serde_json::{Map, Value, json};

/// The properties of a session's segment: `{sessionId, targetDate, properties: [{propertyType, property, value}]}`.
pub(super) fn properties(conversation: &str, body: &Value) -> Result<Vec<Row>, Findings> {
    let malformed = |problem: String| vec![(Kind::Malformed, problem)];
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let session = text("sessionId").filter(|session| !session.is_empty());
    let session = session.ok_or_else(|| vec![missing("sessionId")])?;
    let at = text("targetDate").ok_or_else(|| vec![missing("targetDate")])?;
    if DateTime::parse_from_rfc3339(at).is_err() || !at.ends_with('Z') {
        return Err(malformed(format!("targetDate {at:?} is no instant")));
    }
    let list = body.get("properties").and_then(Value::as_array);
    let list = list.ok_or_else(|| vec![missing("properties")])?;
    let row = |property: &Value| {
        let text = |name: &str| property.get(name).and_then(Value::as_str);
        let name = text("property").ok_or_else(|| missing("property"))?;
        let kind = text("propertyType").ok_or_else(|| missing("propertyType"))?;
        let value = text("value").ok_or_else(|| missing("value, as a text"))?;
        let number = match kind {
            "bool" => value
                .parse::<bool>()
                .ok()
                .map(|set| f64::from(u8::from(set))),
            "integer" => value.parse::<i64>().ok().map(lossy),
            "real" => value
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite()),
            "string" | "uuid" | "date" => Some(value.parse().unwrap_or(0.0)),
            _ => None,
        };
        let number = number.ok_or_else(|| {
            let problem = format!("{value:?} is no {kind}");
            (Kind::Malformed, problem)
        })?;
        Ok(one(conversation, name, session, number))
    };
    each(list.iter().map(row))
}

/// The fields of a contact: an array of objects of one member each.
pub(super) fn business_data(contact: &str, body: &Value) -> Result<Vec<Row>, Findings> {
    let Some(list) = body.as_array() else {
        return Err(vec![(Kind::Malformed, "the body is no array".to_owned())]);
    };
    let row = |field: &Value| {
        let members = field.as_object().filter(|members| members.len() == 1);
        let member = members.and_then(|members| members.iter().next());
        let Some((name, value)) = member else {
            let problem = "an element is no object of one field".to_owned();
            return Err((Kind::Malformed, problem));
        };
        let number = match value {
            Value::Bool(set) => f64::from(u8::from(*set)),
            Value::Number(number) => number.as_f64().unwrap_or(0.0),
            Value::String(text) => text.parse().unwrap_or(0.0),
            Value::Null => return Err((Kind::NullValue, format!("{name} is null"))),
            Value::Array(_) | Value::Object(_) => {
                return Err((Kind::Malformed, format!("{name} is no value")));
            }
        };
        Ok(one(contact, name, "", number))
    };
    each(list.iter().map(row))
}

#[allow(clippy::cast_precision_loss)] // counts and seconds
const fn lossy(number: i64) -> f64 {
    number as f64
}

fn each(rows: impl Iterator<Item = Result<Row, (Kind, String)>>) -> Result<Vec<Row>, Findings> {
    let (mut good, mut bad) = (Vec::new(), Findings::new());
    for (index, row) in rows.enumerate() {
        match row {
            Ok(row) => good.push(row),
            Err((kind, detail)) => bad.push((kind, format!("item {index}: {detail}"))),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

fn one(subject: &str, name: &str, scope: &str, value: f64) -> Row {
    let mut echo = Map::new();
    echo.insert("name".to_owned(), json!(name));
    Row {
        key: Key {
            tenant: String::new(),
            interaction: subject.to_owned(),
            metric: name.to_owned(),
            version: 1,
            scope: scope.to_owned(),
        },
        value: Some(value),
        count: None,
        refusal: None,
        revision: None,
        idempotency_key: None,
        adds: false,
        echo,
    }
}

/// A segment of a path as it was before it was encoded; `None` where it cannot be read.
pub(super) fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let text = std::str::from_utf8(&digits).ok()?.to_owned();
            bytes.push(u8::from_str_radix(&text, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
