//! The platform's own sums per agent, to compare ours with.

use super::{Cxone, stretch};
use crate::api::Call;
use crate::history::{HistoryError, routes};
use schema::UtcMicros;
use serde_json::Value;

/// What the platform added up for one agent. Times are milliseconds. What it does not say, or not readably, is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentPerformance {
    /// The agent.
    pub agent: String,
    /// `totalHandled`.
    pub handled: Option<i64>,
    /// `totalTalkTime`: hold and conference are inside [notes 13].
    pub talk_and_hold: Option<i64>,
    /// `acwTime`.
    pub wrap: Option<i64>,
    /// `loginTime`.
    pub logged_in: Option<i64>,
}

impl Cxone {
    /// Sums per agent over a half-open stretch of time. `GET agents/performance` [notes 2, 13]: counts as text in older versions, times as ISO
    /// durations, which may have days, or as seconds.
    pub async fn agents_performance(
        &self,
        from: UtcMicros,
        to: UtcMicros,
    ) -> Result<Vec<AgentPerformance>, HistoryError> {
        let path = self.path(&format!("agents/performance?{}", stretch(from, to)));
        let answer = self
            .api
            .fetch(Call::get(routes::AGENTS_PERFORMANCE, &path).of_history())
            .await
            .map_err(HistoryError::of_stretch)?;
        if answer.body.trim_ascii().is_empty() {
            return Ok(Vec::new());
        }
        read(&answer.body)
    }
}

fn read(body: &[u8]) -> Result<Vec<AgentPerformance>, HistoryError> {
    const WHAT: &str = "the agents' sums";
    let value: Value =
        serde_json::from_slice(body).map_err(|problem| HistoryError::unread(WHAT, &problem))?;
    let rows = rows(&value).ok_or_else(|| HistoryError::shape(WHAT, "there is no list in it"))?;
    Ok(rows.iter().filter_map(row).collect())
}

/// The rows, bare or as the only list of an object, which older versions put into `resultSet`.
pub(super) fn rows(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(rows) => Some(rows),
        Value::Object(members) => match members.get("resultSet") {
            Some(inner) => rows(inner),
            None => members.values().find_map(|value| match value {
                Value::Array(rows) => Some(rows.as_slice()),
                _ => None,
            }),
        },
        _ => None,
    }
}

fn row(row: &Value) -> Option<AgentPerformance> {
    Some(AgentPerformance {
        agent: text(row, "agentId")?,
        handled: whole(row, "totalHandled"),
        talk_and_hold: millis(row, "totalTalkTime"),
        wrap: millis(row, "acwTime"),
        logged_in: millis(row, "loginTime"),
    })
}

/// An id, written as a number or as text.
pub(super) fn text(row: &Value, name: &str) -> Option<String> {
    match row.get(name)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A count, written as a number or as text with commas.
pub(super) fn whole(row: &Value, name: &str) -> Option<i64> {
    match row.get(name)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().replace(',', "").parse().ok(),
        _ => None,
    }
}

/// A time in milliseconds, written as an ISO duration or as seconds.
pub(super) fn millis(row: &Value, name: &str) -> Option<i64> {
    match row.get(name)? {
        Value::Number(number) => seconds(&number.to_string()),
        Value::String(text) => {
            let text = text.trim();
            match text.strip_prefix('P') {
                Some(rest) => iso(rest),
                None => seconds(&text.replace(',', "")),
            }
        }
        _ => None,
    }
}

/// `1DT19H18M29.651S`, what stands behind the P.
fn iso(text: &str) -> Option<i64> {
    let mut sum = 0_i64;
    let mut number = String::new();
    let mut of_time = false;
    let mut any = false;
    for letter in text.chars() {
        let unit = match letter {
            '0'..='9' | '.' => {
                number.push(letter);
                continue;
            }
            'T' if number.is_empty() && !of_time => {
                of_time = true;
                continue;
            }
            'D' if !of_time => 86_400,
            'H' if of_time => 3_600,
            'M' if of_time => 60,
            'S' if of_time => 1,
            // Months and years have no length.
            _ => return None,
        };
        let part = seconds(&number)?;
        sum = sum.checked_add(part.checked_mul(unit)?)?;
        number.clear();
        any = true;
    }
    (any && number.is_empty()).then_some(sum)
}

/// Decimal seconds as milliseconds, rounded half up; more digits than three are usual nowhere.
fn seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || !text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let mut millis = 0_i64;
    for place in 0..3 {
        let digit = fraction.as_bytes().get(place).map_or(0, |byte| byte - b'0');
        millis = millis * 10 + i64::from(digit);
    }
    let up = fraction.as_bytes().get(3).is_some_and(|byte| *byte >= b'5');
    whole
        .checked_mul(1_000)?
        .checked_add(millis + i64::from(up))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_read_in_every_spelling() {
        let of = |value: Value| millis(&json!({"t": value}), "t");
        assert_eq!(of(json!("PT0S")), Some(0));
        assert_eq!(of(json!("P1DT19H18M29.651S")), Some(155_909_651));
        assert_eq!(of(json!("PT7H43M6.15S")), Some(27_786_150));
        assert_eq!(of(json!("1,234.5")), Some(1_234_500));
        assert_eq!(of(json!(12.5)), Some(12_500));
        for none in [
            json!("P1M"),
            json!("PT"),
            json!(""),
            json!("-3"),
            json!(null),
        ] {
            assert_eq!(of(none.clone()), None, "{none}");
        }
    }

    #[test]
    fn rows_come_bare_and_in_an_object() {
        let row = r#"{"agentId":7,"totalHandled":"105","totalTalkTime":"PT7H43M6.15S","acwTime":"PT4H59M16.379S"}"#;
        for body in [
            format!("[{row}]"),
            format!(r#"{{"agentPerformance":[{row}]}}"#),
            format!(r#"{{"resultSet":{{"agentPerformances":[{row}]}}}}"#),
        ] {
            let found = read(body.as_bytes()).unwrap();
            assert_eq!(found[0].agent, "7");
            assert_eq!(found[0].handled, Some(105));
            assert_eq!(found[0].wrap, Some(17_956_379));
            assert_eq!(found[0].logged_in, None);
        }
        assert!(read(b"7").is_err());
    }
}
