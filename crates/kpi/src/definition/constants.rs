//! The names that a definition brings along: parameters, lists and schedules.

use super::read::Reader;
use crate::document::whole_number;
use crate::words::WORDS;
use expression::{Constant, DefineError};
use std::sync::Arc;
use timezone::Schedule;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

type Member<'v, 't> = (
    &'v Spanned<std::borrow::Cow<'t, str>>,
    &'v Spanned<DeValue<'t>>,
);

impl<'t> Reader<'t, '_> {
    /// The members of a table in the order of the text.
    pub(super) fn members<'v>(
        &mut self,
        table: &'v DeTable<'t>,
        name: &str,
    ) -> Vec<Member<'v, 't>> {
        let inner = table
            .get(name)
            .and_then(|value| self.document.table(name, value));
        let mut members: Vec<_> = inner.into_iter().flatten().collect();
        members.sort_by_key(|(key, _)| key.span().start);
        members
    }

    pub(super) fn parameters(&mut self, table: &DeTable<'t>) {
        for (key, value) in self.members(table, "parameters") {
            let constant = match value.get_ref() {
                DeValue::Boolean(truth) => Ok(Constant::Bool(*truth)),
                DeValue::Integer(_) => whole_number(value.get_ref())
                    .map(Constant::Int)
                    .ok_or("the number does not fit 64 bits"),
                DeValue::Float(number) => number
                    .as_str()
                    .parse()
                    .ok()
                    .filter(|number: &f64| number.is_finite())
                    .map(Constant::Double)
                    .ok_or("the number is not finite"),
                DeValue::String(text) => Ok(match duration(text) {
                    Some(millis) => Constant::Duration(millis),
                    None => Constant::String(text.clone().into_owned()),
                }),
                _ => Err("a parameter is a string, a number or a bool; lists stand under [lists]"),
            };
            self.define(
                "parameters",
                key,
                constant.map_err(|why| (value.span().start, why)),
            );
        }
    }

    pub(super) fn lists(&mut self, table: &DeTable<'t>) {
        for (key, value) in self.members(table, "lists") {
            let Some(items) = self.document.array(key.get_ref(), value) else {
                self.broken_names.push(format!("lists.{}", key.get_ref()));
                continue;
            };
            let texts = items.iter().map(|item| match item.get_ref() {
                DeValue::String(text) => Some(text.clone().into_owned()),
                _ => None,
            });
            let constant = if let Some(texts) = texts.collect() {
                Ok(Constant::Strings(texts))
            } else {
                let numbers = items.iter().map(|item| whole_number(item.get_ref()));
                let numbers: Option<Vec<i64>> = numbers.collect();
                let why = "a list holds strings only, or whole numbers only";
                numbers.map(Constant::Ints).ok_or((value.span().start, why))
            };
            self.define("lists", key, constant);
        }
    }

    /// The schedules that can be found, by the names that the definition gives them, in the order of the text.
    pub(super) fn schedules(&mut self, table: &DeTable<'t>) -> Vec<(String, Arc<Schedule>)> {
        let mut schedules: Vec<(String, Arc<Schedule>)> = Vec::new();
        for (key, value) in self.members(table, "schedules") {
            let Some(text) = self.document.text(key.get_ref(), value) else {
                self.broken_names
                    .push(format!("schedules.{}", key.get_ref()));
                continue;
            };
            let named = text.value.split_once('@').and_then(|(name, version)| {
                let plain =
                    !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
                Some((name, version.parse::<u16>().ok().filter(|_| plain)?))
            });
            let found = named.and_then(|(name, version)| self.library.schedule(name, version));
            let missing;
            let constant = match (named, found) {
                (_, Some(schedule)) => {
                    let index = u32::try_from(schedules.len()).unwrap_or(u32::MAX);
                    schedules.push((key.get_ref().clone().into_owned(), schedule.clone()));
                    Ok(Constant::Handle(WORDS.kinds.schedule, index))
                }
                (Some((name, _)), None) => {
                    missing = self.no_schedule(name, &text.value);
                    Err((text.span.start, missing.as_str()))
                }
                (None, None) => Err((
                    text.span.start,
                    "a schedule is named with its version, such as \"eight_to_six@1\"",
                )),
            };
            self.define("schedules", key, constant);
        }
        schedules
    }

    /// That there is no schedule as it is named, and which there are: other versions, else all.
    fn no_schedule(&self, name: &str, named: &str) -> String {
        let schedules = self.library.schedules();
        let (same, others): (Vec<_>, Vec<_>) =
            schedules.partition(|schedule| schedule.name() == name);
        let there_are = if same.is_empty() { others } else { same };
        let there_are: Vec<_> = there_are
            .iter()
            .map(|schedule| format!("{}@{}", schedule.name(), schedule.version()))
            .collect();
        format!(
            "there is no schedule {named}; known here: {}",
            there_are.join(", ")
        )
    }

    /// Gives a name its constant, or notes why it has none.
    fn define(
        &mut self,
        of: &str,
        key: &Spanned<std::borrow::Cow<'t, str>>,
        constant: Result<Constant, (usize, &str)>,
    ) {
        let path = format!("{of}.{}", key.get_ref());
        let defined = match constant {
            Ok(constant) => self
                .vocabulary
                .constant(&path, constant)
                .map_err(|error| (key.span().start, define_error(&error, key.get_ref()))),
            Err((at, why)) => Err((at, why.to_owned())),
        };
        if let Err((at, why)) = defined {
            self.document.problem(at, why);
            self.broken_names.push(path);
        }
    }
}

pub(super) fn define_error(error: &DefineError, name: &str) -> String {
    match error {
        DefineError::NotAName(_) => {
            format!(
                "`{name}` cannot be a name in expressions: letters, digits and underscores, beginning with a letter"
            )
        }
        DefineError::Twice(_) => format!("`{name}` is defined twice"),
        DefineError::OutOfBounds(_) => format!("`{name}` is out of bounds"),
    }
}

const UNITS: &[(&str, i64)] = &[
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// `"1h30m"` → milliseconds. Whole numbers with the units h, m, s and ms, the larger first; anything else is no duration.
fn duration(text: &str) -> Option<i64> {
    in_units(text, &UNITS[1..])
}

/// `"1d12h"` → milliseconds, as durations and with days of 24 hours: for lengths of time that are no texts otherwise.
pub(super) fn length(text: &str) -> Option<i64> {
    in_units(text, UNITS)
}

fn in_units(text: &str, units: &[(&str, i64)]) -> Option<i64> {
    let (mut rest, mut total, mut next_unit) = (text, 0_i64, 0);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..]
            .bytes()
            .take_while(u8::is_ascii_alphabetic)
            .count();
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        let place = units.iter().position(|(name, _)| *name == unit)?;
        if place < next_unit {
            return None;
        }
        next_unit = place + 1;
        total = number
            .parse::<i64>()
            .ok()?
            .checked_mul(units[place].1)?
            .checked_add(total)?;
        rest = &rest[digits + letters..];
    }
    (!text.is_empty()).then_some(total)
}
