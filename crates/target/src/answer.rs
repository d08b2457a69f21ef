//! The items inside an answer, matched to those that were sent by name, never by position.
//!
//! Shapes that are read: a list of results of all items (`results`, `items`, `rows`), lists of the taken (`processedEntities`,
//! `accepted` …) and of the refused (`unprocessedEntities`, `errors`, `failed` …).

use crate::outcome::{Answer, Fate, Later, shorten};
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
/// The longest wait that an item is believed.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Finds the item that an entry of an answer speaks of.
pub(crate) type Find<'a> = dyn Fn(&Value) -> Option<usize> + 'a;

/// Items by name. A name that two have names none of them.
#[derive(Debug)]
pub(crate) struct Names {
    by_name: HashMap<String, Option<usize>>,
}

impl Names {
    pub(crate) fn new(names: impl Iterator<Item = String>) -> Self {
        let mut by_name = HashMap::new();
        for (index, name) in names.enumerate() {
            by_name
                .entry(name)
                .and_modify(|known| *known = None)
                .or_insert(Some(index));
        }
        Self { by_name }
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied().flatten()
    }
}

/// A member of an entry, or of the item that it wraps.
pub(crate) fn member<'a>(entry: &'a Value, names: &[&str]) -> Option<&'a Value> {
    let inner = ["item", "record", "row", "entity"]
        .iter()
        .find_map(|name| entry.get(name).filter(|inner| inner.is_object()));
    names.iter().find_map(|name| {
        entry
            .get(name)
            .or_else(|| inner.and_then(|inner| inner.get(name)))
    })
}

/// The same, where it is a text.
pub(crate) fn text<'a>(entry: &'a Value, names: &[&str]) -> Option<&'a str> {
    member(entry, names).and_then(Value::as_str)
}

/// What an answer says of `count` items; `None` where it is a refusal that names none.
pub(crate) fn read(count: usize, answer: &Answer<'_>, find: &Find<'_>) -> Option<Vec<Fate>> {
    match answer.body {
        Some(body) if answer.is_success() => Some(success(count, body, find)),
        None if answer.is_success() => Some(vec![Fate::Accepted; count]),
        // The credential, the path, the method, the format, the pace: nobody's row.
        Some(body) if may_blame(answer.status) => culprits(count, body, answer, find),
        _ => None,
    }
}

/// Whether a refusal with this status can be because of items.
pub(crate) const fn may_blame(status: u16) -> bool {
    matches!(status, 400..=499) && !matches!(status, 401 | 403..=408 | 410 | 415 | 425 | 429)
}

/// Fates in the making.
pub(crate) struct Notes<'a> {
    fates: Vec<Option<Fate>>,
    find: &'a Find<'a>,
    /// Entries that are no success and fit no item.
    pub(crate) unmatched: usize,
}

impl<'a> Notes<'a> {
    pub(crate) fn new(count: usize, find: &'a Find<'a>) -> Self {
        Self {
            fates: vec![None; count],
            find,
            unmatched: 0,
        }
    }

    /// Notes what an entry says. Of two statements about one item the one that is not a success is believed.
    pub(crate) fn note(&mut self, entry: &Value, fate: Fate) {
        let slot = (self.find)(entry).and_then(|index| self.fates.get_mut(index));
        match slot {
            Some(slot) if slot.is_none() || *slot == Some(Fate::Accepted) => *slot = Some(fate),
            Some(_) => {}
            None => self.unmatched += usize::from(fate != Fate::Accepted),
        }
    }

    /// How many items were not taken.
    pub(crate) fn named(&self) -> usize {
        let stated = self.fates.iter().flatten();
        stated.filter(|fate| **fate != Fate::Accepted).count()
    }

    /// Nothing was said of these: `otherwise`.
    pub(crate) fn finish(self, otherwise: &Fate) -> Vec<Fate> {
        let fates = self.fates.into_iter();
        fates
            .map(|fate| fate.unwrap_or_else(|| otherwise.clone()))
            .collect()
    }
}

/// An item that the answer does not mention.
pub(crate) fn unmentioned() -> Fate {
    Fate::Unknown {
        hint: None,
        why: "the answer does not mention this row".to_owned(),
    }
}

fn lists<'a>(body: &'a Value, names: &'a [&str]) -> impl Iterator<Item = &'a Vec<Value>> {
    names
        .iter()
        .filter_map(|name| body.get(name).and_then(Value::as_array))
}

/// The fate of each item after a 2xx with a JSON body.
fn success(count: usize, body: &Value, find: &Find<'_>) -> Vec<Fate> {
    let mut notes = Notes::new(count, find);
    let mut states_all = false;
    let whole = body.as_array();
    for list in lists(body, &ALL).chain(lists(body, &TAKEN)).chain(whole) {
        // A list of bare things (ids, numbers) states nothing about items; an empty one states that none was taken.
        states_all |= list.is_empty() || list.iter().any(Value::is_object);
        for entry in list.iter().filter(|entry| entry.is_object()) {
            notes.note(entry, stated(entry, Fate::Accepted));
        }
    }
    for list in lists(body, &REFUSED) {
        for entry in list {
            notes.note(entry, stated(entry, refused(entry)));
        }
    }
    let named = notes.named();
    let counted = REFUSED_COUNTS
        .iter()
        .filter_map(|name| body.get(name).and_then(Value::as_u64))
        .max()
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(0);
    let flagged = body.get("success").and_then(Value::as_bool) == Some(false) && named == 0;
    let unsure = if states_all {
        return notes.finish(&unmentioned());
    } else if notes.unmatched > 0 {
        "the answer refuses items that it does not name by key"
    } else if counted > named {
        "the answer counts more refused items than it names"
    } else if flagged {
        "the answer says that it is no success and not why"
    } else {
        return notes.finish(&Fate::Accepted);
    };
    notes.finish(&Fate::Unknown {
        hint: None,
        why: unsure.to_owned(),
    })
}

/// The fates after a 4xx whose body names the items at fault: those are rejected, the others go again at once, attempt not spent.
fn culprits(count: usize, body: &Value, answer: &Answer<'_>, find: &Find<'_>) -> Option<Vec<Fate>> {
    let mut notes = Notes::new(count, find);
    for list in lists(body, &REFUSED).chain(body.get("details").and_then(Value::as_array)) {
        for entry in list {
            let why = words(entry).unwrap_or_else(|| answer.words.to_owned());
            notes.note(entry, Fate::Rejected { why });
        }
    }
    (notes.named() > 0).then(|| notes.finish(&innocent(answer)))
}

/// An item of a request that was refused because of others.
pub(crate) fn innocent(answer: &Answer<'_>) -> Fate {
    Fate::Later(Later {
        hint: None,
        is_spent: false,
        why: format!("HTTP {} because of other rows", answer.status),
    })
}

/// An entry of a list of the refused.
pub(crate) fn refused(entry: &Value) -> Fate {
    Fate::Rejected {
        why: words(entry).unwrap_or_else(|| "refused without a reason".to_owned()),
    }
}

/// What an entry states of itself; `otherwise` where it states nothing.
pub(crate) fn stated(entry: &Value, otherwise: Fate) -> Fate {
    let why = || words(entry).unwrap_or_else(|| "refused without a reason".to_owned());
    let status = ["status", "statusCode", "httpStatus", "code"]
        .iter()
        .find_map(|name| entry.get(name).and_then(Value::as_u64));
    if let Some(status) = status {
        return match status {
            200..=299 => Fate::Accepted,
            429 => Fate::Later(Later {
                hint: hint(entry),
                is_spent: false,
                why: why(),
            }),
            425 | 503 => Fate::Later(Later {
                hint: hint(entry),
                is_spent: true,
                why: why(),
            }),
            // As with a whole request: it may have been stored before something failed.
            408 | 500..=599 => Fate::Unknown {
                hint: hint(entry),
                why: why(),
            },
            _ => Fate::Rejected { why: why() },
        };
    }
    if let Some(success) = entry.get("success").and_then(Value::as_bool) {
        return if success {
            Fate::Accepted
        } else {
            by_code(entry).unwrap_or_else(|| Fate::Rejected { why: why() })
        };
    }
    if let Some(word) = entry.get("status").and_then(Value::as_str) {
        return match word.to_ascii_lowercase().as_str() {
            "accepted" | "ok" | "success" | "succeeded" | "processed" | "created" | "updated"
            | "unchanged" | "duplicate" | "stored" => Fate::Accepted,
            "error" | "failed" | "rejected" | "invalid" | "refused" => {
                by_code(entry).unwrap_or_else(|| Fate::Rejected { why: why() })
            }
            _ => by_code(entry).unwrap_or_else(|| Fate::Unknown {
                hint: None,
                why: format!("the answer says {:?} of this row", shorten(word)),
            }),
        };
    }
    let has_error = ["error", "code", "errorCode"]
        .iter()
        .any(|name| entry.get(name).is_some_and(|value| !value.is_null()));
    if let Some(fate) = by_code(entry) {
        return fate;
    }
    if has_error {
        return Fate::Rejected { why: why() };
    }
    otherwise
}

/// Codes that mean "later" although they stand among the failures.
fn by_code(entry: &Value) -> Option<Fate> {
    let code = ["code", "errorCode", "status"]
        .iter()
        .find_map(|name| entry.get(name).and_then(Value::as_str))?
        .to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
    let is_spent = if has(&[
        "too.many",
        "throttl",
        "rate.limit",
        "rate_limit",
        "ratelimit",
    ]) {
        false
    } else if has(&["unavailable"]) {
        true
    } else if has(&["internal", "timeout"]) {
        return Some(Fate::Unknown {
            hint: None,
            why: words(entry).unwrap_or(code),
        });
    } else {
        return None;
    };
    Some(Fate::Later(Later {
        hint: None,
        is_spent,
        why: words(entry).unwrap_or(code),
    }))
}

/// Seconds, as a number or a text of digits; rounded up.
fn hint(entry: &Value) -> Option<Duration> {
    let value = ["retry_after", "retryAfter"]
        .iter()
        .find_map(|name| entry.get(name))?;
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok()?
        }
        _ => return None,
    };
    let wait = Duration::try_from_secs_f64(seconds.ceil()).ok()?;
    Some(wait.min(LONGEST))
}

/// The target's words about an item.
pub(crate) fn words(entry: &Value) -> Option<String> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let error = entry.get("error");
    let message = text("message")
        .or_else(|| text("reason"))
        .or_else(|| error.and_then(Value::as_str))
        .or_else(|| {
            error
                .and_then(|error| error.get("message"))
                .and_then(Value::as_str)
        })
        .or_else(|| entry.as_str());
    let code = text("code").or_else(|| text("errorCode"));
    match (code, message) {
        (Some(code), Some(message)) => Some(shorten(&format!("{code}: {message}"))),
        (Some(one), None) | (None, Some(one)) => Some(shorten(one)),
        (None, None) => None,
    }
}
