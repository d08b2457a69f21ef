//! Genesys' external metrics: a user's metric of a day.

use super::{missing, number, text_of};
use crate::config::Config;
use crate::ledger::{Key, Kind, Row};
use chrono::{NaiveDate, TimeDelta, Utc};
use serde_json::{Map, Value};

/// Days back and ahead that are processed.
const REACH: (i64, i64) = (7, 30);

/// Reads an item.
pub(super) fn row(item: Map<String, Value>, config: &Config) -> Result<Row, (Kind, String)> {
    let text = |name: &str| item.get(name).and_then(text_of);
    let ((Some(user), None) | (None, Some(user))) = (text("userId"), text("userEmail")) else {
        return Err(missing("exactly one of userId and userEmail"));
    };
    let value = item.get("value").ok_or_else(|| missing("value"))?;
    let value = number(value, true)?;
    let date = text("dateOccurred").ok_or_else(|| missing("dateOccurred"))?;
    let Ok(day) = NaiveDate::parse_from_str(&date, "%Y-%m-%d") else {
        return Err((Kind::Malformed, format!("dateOccurred {date:?} is no day")));
    };
    let metric = text("metricId").ok_or_else(|| missing("metricId"))?;
    let count = item.get("count").map(Value::as_i64);
    let Some(count) = count.unwrap_or(Some(1)) else {
        return Err((Kind::Malformed, "count is no whole number".to_owned()));
    };
    let adds = text("type").as_deref() == Some("Cumulative");
    let known = &config.admin.external_metrics;
    let is_defined = known.is_empty()
        || known
            .iter()
            .any(|known| known.get("id").and_then(Value::as_str) == Some(metric.as_str()));
    let refusal = if !is_defined {
        Some(("metric.not.found", "there is no such metric"))
    } else if config.receivers.unknown_users.contains(&user) {
        Some(("user.not.found", "there is no such user"))
    } else if config.receivers.reach {
        match out_of_reach(day) {
            Reach::Within => None,
            Reach::Out => Some(("invalid.date", "the date is out of reach")),
            Reach::FarOut => {
                let detail = format!("{date} is out of reach by any clock");
                return Err((Kind::OutOfReach, detail));
            }
        }
    } else {
        None
    };
    // A null deletes the datum, and so does a count of nothing.
    let value = value.filter(|_| adds || count != 0);
    Ok(Row {
        key: Key {
            tenant: String::new(),
            interaction: user,
            metric,
            version: 1,
            scope: date,
        },
        value,
        count: Some(count),
        refusal,
        revision: None,
        idempotency_key: None,
        adds,
        echo: item,
    })
}

enum Reach {
    Within,
    Out,
    /// By a day more, which is what clocks of the world can differ by.
    FarOut,
}

fn out_of_reach(day: NaiveDate) -> Reach {
    let today = Utc::now().date_naive();
    let within = |more: i64| {
        let (back, ahead) = (
            TimeDelta::days(REACH.0 + more),
            TimeDelta::days(REACH.1 + more),
        );
        day >= today - back && day <= today + ahead
    };
    // Today, by somebody's clock, may be yesterday's or tomorrow's date.
    match (within(1), within(2)) {
        (true, _) => Reach::Within,
        (false, true) => Reach::Out,
        (false, false) => Reach::FarOut,
    }
}
