//! The items inside an answer, matched to the rows that were sent by key.
//!
//! Shapes that are read: a list of results of all items (`results`, `items`, `rows`), lists of the taken (`processedEntities`,
//! `accepted` …) and of the refused (`unprocessedEntities`, `errors`, `failed` …). An item names its row by idempotency key, or by
//! interaction and metric (and version and leg where it states them).

use super::{Answer, Fate, Later, shorten};
use crate::push::Row;
use crate::retry::Cause;
use crate::retry_after;
use schema::UtcMicros;
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;

/// Lists in which every item of the request is expected.
const ALL: [&str; 3] = ["results", "items", "rows"];
/// Lists of the items that were taken.
const TAKEN: [&str; 6] = [
    "processedEntities",
    "processed",
    "accepted",
    "succeeded",
    "successes",
    "stored",
];
/// Lists of the items that were not taken.
const REFUSED: [&str; 6] = [
    "unprocessedEntities",
    "unprocessed",
    "errors",
    "failed",
    "failures",
    "rejected",
];
/// Members that count the items that were not taken.
const REFUSED_COUNTS: [&str; 5] = [
    "errorCount",
    "failedCount",
    "rejectedCount",
    "failed",
    "rejected",
];

/// Rows by the names an item may give them. A name that two rows share names none of them.
struct Names<'a> {
    by_key: HashMap<String, usize>,
    rows: &'a [Row],
    by_interaction: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Names<'a> {
    fn new(rows: &'a [Row]) -> Self {
        let mut by_interaction: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut by_key = HashMap::with_capacity(rows.len());
        for (index, row) in rows.iter().enumerate() {
            by_key.insert(row.idempotency_key(), index);
            by_interaction
                .entry(row.interaction.as_str())
                .or_default()
                .push(index);
        }
        Self {
            by_key,
            rows,
            by_interaction,
        }
    }

    /// The row an item speaks of.
    fn find(&self, item: &Value) -> Option<usize> {
        // Some answers wrap the item that was sent.
        let inner = ["item", "record", "row", "entity"]
            .iter()
            .find_map(|name| item.get(name).filter(|inner| inner.is_object()));
        let member = |names: &[&str]| {
            names.iter().find_map(|name| {
                item.get(name)
                    .or_else(|| inner.and_then(|inner| inner.get(name)))
            })
        };
        let text = |names: &[&str]| member(names).and_then(Value::as_str);
        let key = text(&["idempotency_key", "idempotencyKey", "key", "id", "entityId"]);
        if let Some(index) = key.and_then(|key| self.by_key.get(key)) {
            return Some(*index);
        }
        let interaction = text(&["interaction_id", "interactionId", "contactId"])?;
        let metric = text(&["metric", "metric_type", "metricType"]);
        let version =
            member(&["version", "metric_version", "metricVersion"]).and_then(Value::as_u64);
        let leg = text(&["leg_scope", "legScope", "scope"]);
        let mut fitting = self
            .by_interaction
            .get(interaction)?
            .iter()
            .copied()
            .filter(|index| {
                let row = &self.rows[*index];
                metric.is_none_or(|metric| metric == row.metric)
                    && version.is_none_or(|version| version == u64::from(row.version.0))
                    && leg.is_none_or(|leg| leg == row.leg.as_ref().map_or("", |leg| leg.as_str()))
            });
        let found = fitting.next()?;
        fitting.next().is_none().then_some(found)
    }
}

fn lists<'a>(body: &'a Value, names: &'a [&str]) -> impl Iterator<Item = &'a Vec<Value>> {
    names
        .iter()
        .filter_map(|name| body.get(name).and_then(Value::as_array))
}

/// The fate of each row after a 2xx with a JSON body.
pub(super) fn fates(rows: &[Row], body: &Value, now: UtcMicros) -> Vec<Fate> {
    let names = Names::new(rows);
    let mut fates: Vec<Option<Fate>> = vec![None; rows.len()];
    let mut unmatched = 0_usize;
    let mut note = |item: &Value, fate: Fate| match names.find(item) {
        Some(index) => {
            let slot = &mut fates[index];
            // Two statements about one row: the one that is not a success is believed.
            if slot.is_none() || *slot == Some(Fate::Accepted) {
                *slot = Some(fate);
            }
        }
        None if fate != Fate::Accepted => unmatched += 1,
        None => {}
    };
    let mut states_all = false;
    let whole = body.as_array();
    for list in lists(body, &ALL).chain(whole) {
        // A list of bare things (ids, numbers) states nothing about items; an empty one states that none was taken.
        states_all |= list.is_empty() || list.iter().any(Value::is_object);
        for item in list.iter().filter(|item| item.is_object()) {
            note(item, stated(item, Fate::Accepted, now));
        }
    }
    for list in lists(body, &TAKEN) {
        states_all |= list.is_empty() || list.iter().any(Value::is_object);
        for item in list.iter().filter(|item| item.is_object()) {
            note(item, stated(item, Fate::Accepted, now));
        }
    }
    for list in lists(body, &REFUSED) {
        for item in list {
            let refused = Fate::Rejected {
                why: words(item).unwrap_or_else(|| "refused without a reason".to_owned()),
            };
            note(item, stated(item, refused, now));
        }
    }
    let named = fates
        .iter()
        .flatten()
        .filter(|fate| **fate != Fate::Accepted)
        .count();
    let counted = REFUSED_COUNTS
        .iter()
        .filter_map(|name| body.get(name).and_then(Value::as_u64))
        .max()
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(0);
    let flagged = body.get("success").and_then(Value::as_bool) == Some(false) && named == 0;
    let unsure = if states_all {
        Some("the answer does not mention this row")
    } else if unmatched > 0 {
        Some("the answer refuses items that it does not name by key")
    } else if counted > named {
        Some("the answer counts more refused items than it names")
    } else if flagged {
        Some("the answer says that it is no success and not why")
    } else {
        None
    };
    fates
        .into_iter()
        .map(|fate| {
            fate.unwrap_or_else(|| {
                unsure.map_or(Fate::Accepted, |why| Fate::Unknown {
                    hint: None,
                    why: why.to_owned(),
                })
            })
        })
        .collect()
}

/// The fates after a 4xx whose body names the rows at fault: those are rejected, the others go again at once, attempt not spent.
/// `None` when it names none.
pub(super) fn culprits(rows: &[Row], body: &Value, answer: &Answer) -> Option<Vec<Fate>> {
    let names = Names::new(rows);
    let mut fates: Vec<Option<Fate>> = vec![None; rows.len()];
    for list in lists(body, &REFUSED).chain(body.get("details").and_then(Value::as_array)) {
        for item in list {
            if let Some(index) = names.find(item) {
                let why = words(item).unwrap_or_else(|| answer.words(Some(body)));
                fates[index] = Some(Fate::Rejected { why });
            }
        }
    }
    if fates.iter().all(Option::is_none) {
        return None;
    }
    let innocent = Fate::Later(Later {
        hint: None,
        cause: Cause::Snoozed,
        why: format!("HTTP {} because of other rows", answer.status),
    });
    Some(
        fates
            .into_iter()
            .map(|fate| fate.unwrap_or_else(|| innocent.clone()))
            .collect(),
    )
}

/// What an item states of itself; `otherwise` where it states nothing.
fn stated(item: &Value, otherwise: Fate, now: UtcMicros) -> Fate {
    let why = || words(item).unwrap_or_else(|| "refused without a reason".to_owned());
    let status = ["status", "statusCode", "httpStatus", "code"]
        .iter()
        .find_map(|name| item.get(name).and_then(Value::as_u64));
    if let Some(status) = status {
        return match status {
            200..=299 => Fate::Accepted,
            429 => Fate::Later(Later {
                hint: item_hint(item, now),
                cause: Cause::Snoozed,
                why: why(),
            }),
            425 | 503 => Fate::Later(Later {
                hint: item_hint(item, now),
                cause: Cause::Failed,
                why: why(),
            }),
            // As with a whole request: it may have been stored before something failed.
            408 | 500..=599 => Fate::Unknown {
                hint: item_hint(item, now),
                why: why(),
            },
            _ => Fate::Rejected { why: why() },
        };
    }
    if let Some(success) = item.get("success").and_then(Value::as_bool) {
        return if success {
            Fate::Accepted
        } else {
            by_code(item).unwrap_or_else(|| Fate::Rejected { why: why() })
        };
    }
    if let Some(word) = item.get("status").and_then(Value::as_str) {
        return match word.to_ascii_lowercase().as_str() {
            "accepted" | "ok" | "success" | "succeeded" | "processed" | "created" | "updated"
            | "unchanged" | "duplicate" | "stored" => Fate::Accepted,
            "error" | "failed" | "rejected" | "invalid" | "refused" => {
                by_code(item).unwrap_or_else(|| Fate::Rejected { why: why() })
            }
            _ => by_code(item).unwrap_or_else(|| Fate::Unknown {
                hint: None,
                why: format!("the answer says {:?} of this row", shorten(word)),
            }),
        };
    }
    let has_error = ["error", "code", "errorCode"]
        .iter()
        .any(|name| item.get(name).is_some_and(|value| !value.is_null()));
    if let Some(fate) = by_code(item) {
        return fate;
    }
    if has_error {
        return Fate::Rejected { why: why() };
    }
    otherwise
}

/// Codes that mean "later" although they stand among the failures.
fn by_code(item: &Value) -> Option<Fate> {
    let code = ["code", "errorCode", "status"]
        .iter()
        .find_map(|name| item.get(name).and_then(Value::as_str))?
        .to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
    let cause = if has(&["too.many", "throttl", "rate"]) {
        Cause::Snoozed
    } else if has(&["unavailable"]) {
        Cause::Failed
    } else if has(&["internal", "timeout"]) {
        return Some(Fate::Unknown {
            hint: None,
            why: words(item).unwrap_or(code),
        });
    } else {
        return None;
    };
    Some(Fate::Later(Later {
        hint: None,
        cause,
        why: words(item).unwrap_or(code),
    }))
}

fn item_hint(item: &Value, now: UtcMicros) -> Option<Duration> {
    let value = ["retry_after", "retryAfter"]
        .iter()
        .find_map(|name| item.get(name))?;
    match value {
        Value::Number(number) => retry_after::seconds(&number.to_string()),
        Value::String(text) => retry_after::hint([text.as_str()], None, now),
        _ => None,
    }
}

/// The platform's words about an item.
fn words(item: &Value) -> Option<String> {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    let error = item.get("error");
    let message = text("message")
        .or_else(|| text("reason"))
        .or_else(|| error.and_then(Value::as_str))
        .or_else(|| {
            error
                .and_then(|error| error.get("message"))
                .and_then(Value::as_str)
        })
        .or_else(|| item.as_str());
    let code = text("code").or_else(|| text("errorCode"));
    match (code, message) {
        (Some(code), Some(message)) => Some(shorten(&format!("{code}: {message}"))),
        (Some(one), None) | (None, Some(one)) => Some(shorten(one)),
        (None, None) => None,
    }
}
