//! The fields and functions for people: what `compute kpi fields` prints.

use crate::fields::{InteractionField, JourneyField, LegField, TimeField};

/// The functions that definitions may call beside the operators and macros of the language: form, result, meaning.
const FUNCTIONS: &[(&str, &str, &str)] = &[
    (
        "inHours(timestamp, schedules.NAME)",
        "bool",
        "Whether the schedule is open at that instant, by the clock of the zone that holds for the subject.",
    ),
    (
        "businessTime(from, to, schedules.NAME)",
        "duration",
        "How long the schedule is open between two instants, exact over changes of the clocks; zero where `to` is not after `from`. Each day costs some of the definition's budget: more than some 65 years are too much work.",
    ),
    (
        "stateTime(\"held\")",
        "duration",
        "How long the interaction was in that state, by the instants of its events.",
    ),
    (
        "agentTime(agent, \"talk\")",
        "duration",
        "What the legs of that agent add up to; not stated where none of them states it.",
    ),
    (
        "localHour(timestamp)",
        "int",
        "Hour of the day, 0 to 23, in the zone that holds for the subject; with a second argument, a zone's name as a text, in that zone. So too the next five.",
    ),
    (
        "localMinute(timestamp)",
        "int",
        "Minute of the day, 0 to 1439.",
    ),
    (
        "localWeekday(timestamp)",
        "int",
        "Day of the week, 1 for Monday to 7 for Sunday.",
    ),
    (
        "localDay(timestamp)",
        "string",
        "The date, such as \"2024-05-15\".",
    ),
    (
        "localWeek(timestamp)",
        "string",
        "The ISO week, such as \"2024-W20\".",
    ),
    (
        "localMonth(timestamp)",
        "string",
        "The month, such as \"2024-05\".",
    ),
    (
        "orZero(field)",
        "the field's type",
        "The field, or zero where nobody stated it; the metadata name it among `not_stated`.",
    ),
    (
        "orElse(field, other)",
        "the field's type",
        "The field, or the other value where nobody stated it.",
    ),
    ("has(field)", "bool", "Whether somebody stated it."),
    (
        "all exists exists_one filter map",
        "",
        "Macros over lists, such as `interaction.legs.exists(l, l.kind == \"ivr\")`.",
    ),
    (
        "size sum min max",
        "",
        "Of lists; `min(a, b)` and `max(a, b)` of two values as well.",
    ),
    (
        "startsWith endsWith contains matches lowerAscii",
        "",
        "Of strings; the pattern of `matches` is a constant.",
    ),
    (
        "duration(\"1m20s\") timestamp(\"2024-05-15T08:00:00Z\")",
        "",
        "Durations and instants as constants.",
    ),
    (
        "seconds(d) milliseconds(d) int(x) double(x)",
        "",
        "Numbers out of durations and of one another: whole numbers and doubles are never mixed silently.",
    ),
];

/// One field, for the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldInfo {
    /// `interaction`, `leg`, `journey` or `time`.
    pub object: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its type in words.
    pub kind: &'static str,
    /// Whether it may be not stated.
    pub optional: bool,
    /// The texts that it can be; empty where any.
    pub one_of: &'static [&'static str],
    /// What it says.
    pub meaning: &'static str,
}

/// One function or macro, for the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionInfo {
    /// How it is called.
    pub form: &'static str,
    /// The type of its result in words; empty where that depends.
    pub result: &'static str,
    /// What it gives.
    pub meaning: &'static str,
}

/// Every field, object by object.
pub fn field_reference() -> Vec<FieldInfo> {
    let tables = [
        ("interaction", InteractionField::ROWS),
        ("leg", LegField::ROWS),
        ("journey", JourneyField::ROWS),
        ("time", TimeField::ROWS),
    ];
    let fields = tables.iter().flat_map(|(object, rows)| {
        rows.iter().map(|row| FieldInfo {
            object,
            name: row.name,
            kind: row.kind.name(),
            optional: row.optional,
            one_of: row.one_of,
            meaning: row.meaning,
        })
    });
    fields.collect()
}

/// Every function.
pub fn function_reference() -> Vec<FunctionInfo> {
    FUNCTIONS
        .iter()
        .map(|&(form, result, meaning)| FunctionInfo {
            form,
            result,
            meaning,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::Function;

    #[test]
    fn lists_every_field_and_function() {
        let fields: Vec<_> = field_reference()
            .into_iter()
            .map(|field| field.name)
            .collect();
        for name in ["longest_hold", "since_previous", "logged_in"] {
            assert!(fields.contains(&name), "{name}");
        }
        let functions = function_reference();
        for form in ["inHours(", "localWeek("] {
            let known = functions.iter().any(|known| known.form.starts_with(form));
            assert!(known, "{form}");
        }
        for function in Function::ALL {
            let called = format!("{}(", function.name());
            assert!(
                FUNCTIONS
                    .iter()
                    .any(|(form, _, _)| form.starts_with(&called)),
                "{called}"
            );
        }
    }
}
