//! From text to definition, every problem noted with its place.

use super::constants::define_error;
use super::{Aggregation, Definition, Exclusion, Grain, OnExcluded, Priority};
use crate::digest::digest;
use crate::document::{Document, Problem, Text, whole_number};
use crate::fields::JourneyField;
use crate::journey::Ahead;
use crate::library::Library;
use crate::record::ZoneRule;
use crate::trial;
use crate::value::{Reason, Unit};
use crate::words::WORDS;
use compact_str::{CompactString, format_compact};
use expression::{Expression, Type, Vocabulary};
use schema::MetricVersion;
use std::collections::BTreeSet;
use toml::de::DeTable;

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
    "counted",
    "settles_after",
    "filter",
    "value",
    "numerator",
    "denominator",
    "on_excluded",
    "platform",
    "exclusions",
    "parameters",
    "lists",
    "terms",
    "schedules",
    "zone",
    "windows",
    "journey",
];

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
        for failure in trial::failures(&definition) {
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

/// A text under reading.
pub(super) struct Reader<'t, 'l> {
    pub(super) document: Document<'t>,
    pub(super) library: &'l Library,
    pub(super) vocabulary: Vocabulary,
    /// Paths such as `terms.x` that have a problem of their own: what uses them is not checked, it would only be told twice.
    pub(super) broken_names: Vec<String>,
}

/// The texts of the rules by name, to place problems in.
pub(super) type Rules = Vec<(String, Text)>;

/// What several parts of a definition have to look at.
pub(super) struct Common {
    pub(super) scope: Option<Grain>,
    pub(super) unit: Option<Unit>,
    pub(super) aggregations: Vec<Aggregation>,
}

impl<'t> Reader<'t, '_> {
    fn definition(&mut self, text: &str, table: &DeTable<'t>) -> Option<(Definition, Rules)> {
        self.document.known_members("a definition", table, MEMBERS);
        let name = self.name(table);
        let version = self.version(table);
        let scope = self.one_of(
            table,
            ("scope", "interaction, leg, journey, agent_time"),
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
        let common = Common {
            scope,
            unit,
            aggregations: self.aggregations(table, scope),
        };

        // The words are the widest where the scope is unknown, so that only true problems are told.
        self.vocabulary = match scope {
            Some(Grain::Interaction) => WORDS.interaction.clone(),
            Some(Grain::Leg) | None => WORDS.leg.clone(),
            Some(Grain::Journey) => WORDS.journey.clone(),
            Some(Grain::AgentTime) => WORDS.agent_time.clone(),
        };
        self.only_with(
            table,
            scope,
            &[
                ("journey", Grain::Journey),
                ("numerator", Grain::AgentTime),
                ("denominator", Grain::AgentTime),
            ],
        );
        self.parameters(table);
        self.lists(table);
        let schedules = self.schedules(table);
        let zone = self.zone(table, &schedules);
        let mut rules = Rules::new();
        let terms = self.terms(table, &mut rules);
        let bool_type = |ty: &Type| (*ty == Type::Bool).then_some(()).ok_or("a bool");
        let filter = self.rule(table, "filter", "filter", &mut rules, bool_type);
        let exclusions = self.exclusions(table, &mut rules);
        let agent_time = (scope == Some(Grain::AgentTime))
            .then(|| self.agent_time(table, &common, filter.clone(), &mut rules));
        let value = if let Some(rule) = &agent_time {
            rule.as_ref().map(|rule| rule.numerator.clone())
        } else {
            if !table.contains_key("value") {
                self.document.problem(0, "`value` is missing");
            }
            self.rule(table, "value", "value", &mut rules, |ty| fits(unit, ty))
        };
        let journey = (scope == Some(Grain::Journey)).then(|| self.journey(table, &mut rules));
        let platform = self.rule(table, "platform", "platform", &mut rules, |ty| {
            (*ty == Type::Duration).then_some(()).ok_or("a duration")
        });
        let windows = self.windows(table, &common, &schedules);
        let schedules: Vec<_> = schedules
            .into_iter()
            .map(|(_, schedule)| schedule)
            .collect();
        let schedule_names: Vec<CompactString> = schedules
            .iter()
            .map(|schedule| format_compact!("{}@{}", schedule.name(), schedule.version()))
            .collect();
        let mut definition = Definition {
            name: name?,
            version: version?,
            unit: unit?,
            priority: priority?,
            scope: scope?,
            title: title.unwrap_or_default(),
            description: description.unwrap_or_default(),
            source: source.unwrap_or_default(),
            aggregations: common.aggregations,
            text: text.to_owned(),
            digest: digest(table),
            filter,
            exclusions,
            value: value?,
            on_excluded: on_excluded?,
            platform,
            terms,
            schedules,
            schedule_names: (!schedule_names.is_empty()).then(|| schedule_names.into()),
            usual_zone: zone == ZoneRule::default(),
            zone,
            windows,
            // What the scope asks for and could not be read has its problem.
            journey: journey.map_or(Some(None), |rule| rule.map(Some))?,
            agent_time: agent_time.map_or(Some(None), |rule| rule.map(Some))?,
        };
        let ahead = Ahead::of(&definition);
        if let Some(rule) = &mut definition.journey {
            rule.ahead = ahead;
        }
        Some((definition, rules))
    }

    /// A problem for each member that has no meaning in the scope.
    fn only_with(&mut self, table: &DeTable<'t>, scope: Option<Grain>, members: &[(&str, Grain)]) {
        for (member, with) in members {
            if scope.is_some_and(|scope| scope != *with)
                && let Some((key, _)) = table.get_key_value(*member)
            {
                let message = format!("`{member}` is for scope = \"{with}\"");
                self.document.problem(key.span().start, message);
            }
        }
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
    pub(super) fn one_of<T>(
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

    fn aggregations(&mut self, table: &DeTable<'t>, scope: Option<Grain>) -> Vec<Aggregation> {
        let usual = match scope {
            Some(Grain::AgentTime) if table.contains_key("denominator") => vec![Aggregation::Mean],
            Some(Grain::AgentTime) => vec![Aggregation::Sum],
            _ => vec![Aggregation::Mean, Aggregation::Sum, Aggregation::Count],
        };
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
    pub(super) fn rule(
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

impl Ahead {
    /// How far the rules look at contacts that may still be to come.
    fn of(definition: &Definition) -> Self {
        let filter = definition.filter.iter();
        let exclusions = definition.exclusions.iter();
        let rules = filter.chain(exclusions.map(|exclusion| &exclusion.when));
        let reads = rules
            .chain([&definition.value])
            .flat_map(Expression::reads)
            .filter(|read| read.object == WORDS.kinds.journey);
        let fields: Vec<JourneyField> = reads
            .filter_map(|read| JourneyField::from_id(read.field))
            .filter(|field| field.looks_ahead())
            .collect();
        // How many contacts there are a repeat does not decide, for there may be another one.
        let repeat_decides = fields.iter().any(|field| field.ends_with_a_repeat())
            && !fields.contains(&JourneyField::Contacts);
        match fields.is_empty() {
            true => Self::No,
            false if repeat_decides => Self::UntilARepeat,
            false => Self::ToTheEnd,
        }
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
