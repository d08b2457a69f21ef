//! From text to definition, every problem noted with its place.

use super::{Aggregation, Definition, Exclusion, Grain, OnExcluded, Priority};
use crate::digest::digest;
use crate::document::{Document, Problem, Text, whole_number};
use crate::fields::WORDS;
use crate::library::Library;
use crate::record::ZoneRule;
use crate::trial;
use crate::value::{Reason, Unit};
use compact_str::{CompactString, format_compact};
use expression::{Constant, DefineError, Expression, Type, Vocabulary};
use schema::MetricVersion;
use std::collections::BTreeSet;
use std::sync::Arc;
use timezone::{Schedule, Zone, ZoneSource};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A definition is read by people; one beyond this is a mistake.
const TEXT_BYTES_MAX: usize = 256 * 1024;

const MEMBERS: &[&str] = &[
    "name",
    "version",
    "unit",
    "priority",
    "scope",
    "title",
    "description",
    "source",
    "aggregations",
    "filter",
    "value",
    "on_excluded",
    "platform",
    "exclusions",
    "parameters",
    "lists",
    "terms",
    "schedules",
    "zone",
];

type Member<'v, 't> = (
    &'v Spanned<std::borrow::Cow<'t, str>>,
    &'v Spanned<DeValue<'t>>,
);

pub(super) fn read(file: &str, text: &str, library: &Library) -> Result<Definition, Vec<Problem>> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(vec![Problem {
            file: file.to_owned(),
            line: 1,
            column: 1,
            message: format!(
                "a definition has at most {TEXT_BYTES_MAX} bytes, this one {}",
                text.len()
            ),
        }]);
    }
    let (document, table) = Document::parse(file, text);
    if !document.is_sound() {
        // What cannot be parsed would be told again as what is missing.
        return Err(document.into_problems());
    }
    let mut reader = Reader {
        document,
        library,
        vocabulary: Vocabulary::new(),
        broken_names: Vec::new(),
    };
    let Some((definition, rules)) = reader.definition(text, &table) else {
        return Err(reader.document.into_problems());
    };
    if reader.document.is_sound() {
        for failure in trial::failures(&definition, library) {
            let (line, column) = (failure.line, failure.column);
            if let Some((_, text)) = rules.iter().find(|(rule, _)| *rule == failure.rule) {
                reader
                    .document
                    .problem_within(text, line, column, &failure.message);
            }
        }
    }
    if reader.document.is_sound() {
        Ok(definition)
    } else {
        Err(reader.document.into_problems())
    }
}

struct Reader<'t, 'l> {
    document: Document<'t>,
    library: &'l Library,
    vocabulary: Vocabulary,
    /// Paths such as `terms.x` that have a problem of their own: what uses them is not checked, it would only be told twice.
    broken_names: Vec<String>,
}

/// The texts of the rules by name, to place problems in.
type Rules = Vec<(String, Text)>;

impl<'t> Reader<'t, '_> {
    fn definition(&mut self, text: &str, table: &DeTable<'t>) -> Option<(Definition, Rules)> {
        self.document.known_members("a definition", table, MEMBERS);
        let name = self.name(table);
        let version = self.version(table);
        let scope = self.one_of(
            table,
            ("scope", "interaction, leg, journey"),
            Some(Grain::Interaction),
            Grain::from_name,
        );
        let priority = self.one_of(
            table,
            ("priority", "critical, normal"),
            Some(Priority::Normal),
            Priority::from_name,
        );
        let on_excluded = self.one_of(
            table,
            ("on_excluded", "absent, zero"),
            Some(OnExcluded::Absent),
            OnExcluded::from_name,
        );
        let unit = self.one_of(
            table,
            ("unit", "seconds, count, share, number"),
            None,
            Unit::from_name,
        );
        let [title, description, source] = ["title", "description", "source"].map(|member| {
            let value = table.get(member)?;
            Some(self.document.text(member, value)?.value)
        });
        let aggregations = self.aggregations(table);

        // The words are the widest where the scope is unknown, so that only true problems are told.
        self.vocabulary = match scope {
            Some(Grain::Interaction) => WORDS.interaction.clone(),
            Some(Grain::Leg) | None => WORDS.leg.clone(),
            Some(Grain::Journey) => WORDS.journey.clone(),
        };
        self.parameters(table);
        self.lists(table);
        let schedules = self.schedules(table);
        let zone = self.zone(table, &schedules);
        let mut rules = Rules::new();
        let terms = self.terms(table, &mut rules);
        let bool_type = |ty: &Type| (*ty == Type::Bool).then_some(()).ok_or("a bool");
        let filter = self.rule(table, "filter", "filter", &mut rules, bool_type);
        let exclusions = self.exclusions(table, &mut rules);
        if !table.contains_key("value") {
            self.document.problem(0, "`value` is missing");
        }
        let value = self.rule(table, "value", "value", &mut rules, |ty| fits(unit, ty));
        let platform = self.rule(table, "platform", "platform", &mut rules, |ty| {
            (*ty == Type::Duration).then_some(()).ok_or("a duration")
        });
        let schedule_names: Vec<CompactString> = schedules
            .iter()
            .map(|schedule| format_compact!("{}@{}", schedule.name(), schedule.version()))
            .collect();
        let definition = Definition {
            name: name?,
            version: version?,
            unit: unit?,
            priority: priority?,
            scope: scope?,
            title: title.unwrap_or_default(),
            description: description.unwrap_or_default(),
            source: source.unwrap_or_default(),
            aggregations,
            text: text.to_owned(),
            digest: digest(table),
            filter,
            exclusions,
            value: value?,
            on_excluded: on_excluded?,
            platform,
            terms,
            schedules,
            schedule_names: schedule_names.into(),
            usual_zone: zone == ZoneRule::default(),
            zone,
        };
        Some((definition, rules))
    }

    fn name(&mut self, table: &DeTable<'t>) -> Option<CompactString> {
        let Some(value) = table.get("name") else {
            self.document.problem(0, "`name` is missing");
            return None;
        };
        let text = self.document.text("name", value)?;
        if !is_name(&text.value) {
            let message = format!(
                "`{}` is no name: lower-case letters, digits and underscores, beginning with a letter, 63 at most",
                text.value
            );
            self.document.problem(text.span.start, message);
            return None;
        }
        Some(text.value.into())
    }

    fn version(&mut self, table: &DeTable<'t>) -> Option<MetricVersion> {
        let Some(value) = table.get("version") else {
            self.document.problem(0, "`version` is missing: 1 to 32767");
            return None;
        };
        let version = whole_number(value.get_ref())
            .and_then(|number| u16::try_from(number).ok())
            .filter(|version| (1..=32_767).contains(version));
        if version.is_none() {
            self.document.problem(
                value.span().start,
                "`version` must be a whole number from 1 to 32767",
            );
        }
        version.map(MetricVersion)
    }

    /// A member that is one of several words; where it is left out the usual one, or a problem where there is none.
    fn one_of<T>(
        &mut self,
        table: &DeTable<'t>,
        (member, names): (&str, &str),
        usual: Option<T>,
        from_name: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let Some(value) = table.get(member) else {
            if usual.is_none() {
                self.document
                    .problem(0, format!("`{member}` is missing: one of {names}"));
            }
            return usual;
        };
        let text = self.document.text(member, value)?;
        let found = from_name(&text.value);
        if found.is_none() {
            let message = format!(
                "`{member}` cannot be `{}`: it is one of {names}",
                text.value
            );
            self.document.problem(text.span.start, message);
        }
        found
    }

    fn aggregations(&mut self, table: &DeTable<'t>) -> Vec<Aggregation> {
        let usual = vec![Aggregation::Mean, Aggregation::Sum, Aggregation::Count];
        let Some(value) = table.get("aggregations") else {
            return usual;
        };
        let items = self.document.array("aggregations", value);
        let mut aggregations = Vec::new();
        for item in items.unwrap_or_default() {
            let Some(text) = self.document.text("aggregations", item) else {
                continue;
            };
            match Aggregation::from_name(&text.value) {
                Some(aggregation) if aggregations.contains(&aggregation) => {
                    let message = format!("`{aggregation}` is named twice");
                    self.document.problem(text.span.start, message);
                }
                Some(aggregation) => aggregations.push(aggregation),
                None => {
                    let message = format!(
                        "`{}` is no aggregation: there are mean, sum, count, min, max and p1 to p99",
                        text.value
                    );
                    self.document.problem(text.span.start, message);
                }
            }
        }
        aggregations
    }

    /// The members of a table in the order of the text.
    fn members<'v>(&mut self, table: &'v DeTable<'t>, name: &str) -> Vec<Member<'v, 't>> {
        let inner = table
            .get(name)
            .and_then(|value| self.document.table(name, value));
        let mut members: Vec<_> = inner.into_iter().flatten().collect();
        members.sort_by_key(|(key, _)| key.span().start);
        members
    }

    fn parameters(&mut self, table: &DeTable<'t>) {
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

    fn lists(&mut self, table: &DeTable<'t>) {
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

    fn schedules(&mut self, table: &DeTable<'t>) -> Vec<Arc<Schedule>> {
        let mut schedules: Vec<Arc<Schedule>> = Vec::new();
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
            let constant = match (named, found) {
                (_, Some(schedule)) => {
                    let index = u32::try_from(schedules.len()).unwrap_or(u32::MAX);
                    schedules.push(schedule.clone());
                    Ok(Constant::Handle(WORDS.kinds.schedule, index))
                }
                (Some(_), None) => {
                    Err((text.span.start, "there is no such schedule in that version"))
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

    fn zone(&mut self, table: &DeTable<'t>, schedules: &[Arc<Schedule>]) -> ZoneRule {
        let mut rule = ZoneRule::default();
        if let Some(inner) = table
            .get("zone")
            .and_then(|value| self.document.table("zone", value))
        {
            self.document
                .known_members("zone", inner, &["order", "default"]);
            if let Some(value) = inner.get("order") {
                rule.order = self.zone_order(value);
            }
            if let Some(value) = inner.get("default")
                && let Some(text) = self.document.text("default", value)
            {
                match Zone::parse(&text.value) {
                    Ok(zone) => rule.default = Some(zone),
                    Err(error) => self.document.problem(text.span.start, error.to_string()),
                }
            }
        }
        let zones: Vec<Zone> = schedules
            .iter()
            .filter_map(|schedule| schedule.zone())
            .collect();
        rule.schedule = zones.first().copied();
        if zones.iter().any(|zone| Some(*zone) != rule.schedule)
            && rule.order.contains(&ZoneSource::Schedule)
            && let Some((key, _)) = table.get_key_value("schedules")
        {
            self.document.problem(
                key.span().start,
                "the schedules have different zones, but a definition counts in one: leave `schedule` out of zone.order, or the zones out of the schedules",
            );
        }
        rule
    }

    fn zone_order(&mut self, value: &Spanned<DeValue<'t>>) -> Vec<ZoneSource> {
        let mut order = Vec::new();
        for item in self.document.array("order", value).unwrap_or_default() {
            let Some(text) = self.document.text("order", item) else {
                continue;
            };
            let source = ZoneSource::ORDER
                .into_iter()
                .find(|source| source.as_str() == text.value);
            match source {
                Some(source) if !order.contains(&source) => order.push(source),
                _ => self.document.problem(
                    text.span.start,
                    format!("`{}` cannot stand here: agent, schedule, queue and organisation, each once", text.value),
                ),
            }
        }
        order
    }

    fn terms(&mut self, table: &DeTable<'t>, rules: &mut Rules) -> Vec<(String, Expression)> {
        let mut terms = Vec::new();
        for (key, value) in self.members(table, "terms") {
            let path = format!("terms.{}", key.get_ref());
            let compiled = self
                .document
                .text(&path, value)
                .and_then(|text| self.compile(&path, text, rules));
            let Some(term) = compiled else {
                self.broken_names.push(path);
                continue;
            };
            match self.vocabulary.term(&path, &term) {
                Ok(()) => terms.push((path, term)),
                Err(error) => {
                    let why = define_error(&error, key.get_ref());
                    self.document.problem(key.span().start, why);
                    self.broken_names.push(path);
                }
            }
        }
        terms
    }

    /// The expression under a member of a table, if it is there; its type must satisfy `wanted`.
    fn rule(
        &mut self,
        table: &DeTable<'t>,
        member: &str,
        name: &str,
        rules: &mut Rules,
        wanted: impl Fn(&Type) -> Result<(), &'static str>,
    ) -> Option<Expression> {
        let text = self.document.text(member, table.get(member)?)?;
        let at = text.span.start;
        let expression = self.compile(name, text, rules)?;
        if let Err(wanted) = wanted(expression.ty()) {
            let found = type_name(expression.ty());
            self.document.problem(
                at,
                format!("`{member}` must be {wanted}, and this is {found}"),
            );
            return None;
        }
        Some(expression)
    }

    fn compile(&mut self, name: &str, text: Text, rules: &mut Rules) -> Option<Expression> {
        let uses_broken = |path: &String| mentions(&text.value, path);
        if self.broken_names.iter().any(uses_broken) {
            return None;
        }
        match Expression::compile(&text.value, &self.vocabulary) {
            Ok(expression) => {
                rules.push((name.to_owned(), text));
                Some(expression)
            }
            Err(problems) => {
                for problem in problems {
                    self.document.problem_within(
                        &text,
                        problem.line,
                        problem.column,
                        &problem.message,
                    );
                }
                None
            }
        }
    }

    fn exclusions(&mut self, table: &DeTable<'t>, rules: &mut Rules) -> Vec<Exclusion> {
        let mut exclusions = Vec::new();
        let mut reasons = BTreeSet::new();
        let items = table
            .get("exclusions")
            .and_then(|value| self.document.array("exclusions", value));
        for item in items.unwrap_or_default() {
            let Some(inner) = self.document.table("exclusions", item) else {
                continue;
            };
            self.document
                .known_members("an exclusion", inner, &["reason", "when"]);
            for member in ["reason", "when"] {
                if !inner.contains_key(member) {
                    self.document.problem(
                        item.span().start,
                        format!("an exclusion needs a `{member}`"),
                    );
                }
            }
            let reason = inner
                .get("reason")
                .and_then(|value| self.document.text("reason", value))
                .and_then(|text| self.reason(text, &mut reasons));
            let name = format!("exclusion {}", reason.as_ref().map_or("", Reason::name));
            let when = self.rule(inner, "when", &name, rules, |ty| {
                (*ty == Type::Bool).then_some(()).ok_or("a bool")
            });
            if let (Some(reason), Some(when)) = (reason, when) {
                let reads_disposition = when
                    .reads()
                    .iter()
                    .any(|read| read.path.ends_with(".disposition"));
                exclusions.push(Exclusion {
                    reason,
                    when,
                    reads_disposition,
                });
            }
        }
        exclusions
    }

    fn reason(&mut self, text: Text, reasons: &mut BTreeSet<String>) -> Option<Reason> {
        if !is_name(&text.value) {
            let message = format!(
                "`{}` cannot be a reason: lower-case letters, digits and underscores, beginning with a letter, 63 at most",
                text.value
            );
            self.document.problem(text.span.start, message);
            return None;
        }
        let reason = Reason::named(&text.value);
        if !reasons.insert(text.value) {
            self.document.problem(
                text.span.start,
                format!("`{reason}` is the reason of an earlier exclusion: join the two with ||"),
            );
        }
        Some(reason)
    }
}

/// Whether the type of a value can be counted in the unit. An unknown unit has its own problem.
fn fits(unit: Option<Unit>, ty: &Type) -> Result<(), &'static str> {
    let (fits, wanted) = match unit {
        None => (true, ""),
        Some(Unit::Seconds) => (
            *ty == Type::Duration,
            "a duration, to be counted in seconds",
        ),
        Some(Unit::Count) => (*ty == Type::Int, "an int, to be a count"),
        Some(Unit::Share) => (
            matches!(ty, Type::Bool | Type::Double),
            "a bool or a double, to be a share",
        ),
        Some(Unit::Number) => (
            matches!(ty, Type::Int | Type::Double),
            "an int or a double, to be a number",
        ),
    };
    fits.then_some(()).ok_or(wanted)
}

fn type_name(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "a bool",
        Type::Int => "an int",
        Type::Double => "a double",
        Type::String => "a string",
        Type::Duration => "a duration",
        Type::Timestamp => "a timestamp",
        Type::List(_) => "a list",
        Type::Object(_) => "an object",
        Type::Handle(_) => "a schedule",
    }
}

fn define_error(error: &DefineError, name: &str) -> String {
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

/// Whether an expression mentions a path such as `terms.x` (and not only `terms.xy`).
fn mentions(expression: &str, path: &str) -> bool {
    expression.match_indices(path).any(|(at, _)| {
        let next = expression[at + path.len()..].chars().next();
        !next.is_some_and(|next| next.is_alphanumeric() || next == '_')
    })
}

/// `[a-z][a-z0-9_]{0,62}`.
fn is_name(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// `"1h30m"` → milliseconds. Whole numbers with the units h, m, s and ms, the larger first; anything else is no duration.
fn duration(text: &str) -> Option<i64> {
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
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
