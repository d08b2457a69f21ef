//! What each kind of target has in the file of its own: how KPIs are named there, templates, headers.

use runtime::toml_file::secret::Secrets;
use runtime::toml_file::{Section, TomlFile};
use schema::Grain;
use std::collections::{BTreeMap, BTreeSet};
use target::business_data::{BusinessData, Field, FieldKind};
use target::conversation_properties::{ConversationProperties, Property, PropertyKind};
use target::decimal::PLACES_MAX;
use target::external_metrics::definitions::{self, Definition, Objective, Points, Unit};
use target::external_metrics::{ExternalMetrics, UserBy};
use target::http::{Answers, Http, Pointer, Setup};
use target::rows::Rows;
use target::{Adapter, Kind, Method, PathTemplate};

/// Decimal places where nothing is said: milliseconds of seconds.
const PLACES: u8 = 3;
/// Headers that are the client's own business.
const OWN_HEADERS: [&str; 6] = [
    "accept",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "x-request-id",
];

/// What is known of a target before its own settings are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) kind: Kind,
    pub(super) metrics: &'a [String],
    /// How many versions of each it wants; 0: the current one.
    pub(super) versions: usize,
    pub(super) grains: &'a [Grain],
    pub(super) batch_max: usize,
}

/// The settings that only this kind has.
pub(super) const fn settings(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::GenesysCustomReport | Kind::CxoneImport => &[],
        Kind::GenesysExternalMetrics => &["user", "definitions"],
        Kind::GenesysConversationProperties => &["properties"],
        Kind::CxoneBusinessData => &["fields"],
        Kind::Http => &["method", "bytes_max", "headers", "body", "answer"],
    }
}

/// The adapter, where everything about it is right.
pub(super) fn adapter(
    file: &mut TomlFile<'_>,
    section: Section<'_>,
    known: Known<'_>,
) -> Option<Adapter> {
    let path = path(file, section, known);
    if known.versions > 1 && known.kind.takes_one_version() {
        file.problem(
            section.at,
            "`versions` names several, and each KPI has one name on this platform",
        );
    }
    match known.kind {
        Kind::GenesysCustomReport => Some(Adapter::Rows(Rows::custom_report(path?))),
        Kind::CxoneImport => Some(Adapter::Rows(Rows::import(path?))),
        Kind::GenesysExternalMetrics => {
            let user = word(file, section, "user", user_by, "id, email").unwrap_or_default();
            let definitions = definitions(file, section, known);
            let metrics = ExternalMetrics::new(path?, user, definitions?);
            Some(Adapter::ExternalMetrics(metrics))
        }
        Kind::GenesysConversationProperties => {
            let properties = by_metric(
                file,
                section,
                "properties",
                known.metrics,
                |file, section, metric| Some(property(file, section, metric)),
            );
            let properties = properties?;
            let names = properties.values().map(|one| one.name.as_str());
            each_once(file, section, "property", names);
            let properties = ConversationProperties::new(path?, properties);
            Some(Adapter::ConversationProperties(properties))
        }
        Kind::CxoneBusinessData => {
            let fields = by_metric(
                file,
                section,
                "fields",
                known.metrics,
                |file, section, metric| Some(field(file, section, metric)),
            );
            let fields = fields?;
            each_once(
                file,
                section,
                "field",
                fields.values().map(|one| one.name.as_str()),
            );
            Some(Adapter::BusinessData(BusinessData::new(path?, fields)))
        }
        Kind::Http => http(file, section, known, path),
    }
}

fn path(file: &mut TomlFile<'_>, section: Section<'_>, known: Known<'_>) -> Option<PathTemplate> {
    let (text, at) = file
        .text(section, "path")
        .unwrap_or((known.kind.capabilities().path, section.at));
    match PathTemplate::parse(text, known.grains) {
        Ok(path) => Some(path),
        Err(error) => {
            file.problem(at, format_args!("`path` is `{text}`: {error}"));
            None
        }
    }
}

fn user_by(name: &str) -> Option<UserBy> {
    match name {
        "id" => Some(UserBy::Id),
        "email" => Some(UserBy::Email),
        _ => None,
    }
}

/// An optional text that is one of some words.
fn word<T>(
    file: &mut TomlFile<'_>,
    section: Section<'_>,
    key: &str,
    parse: impl Fn(&str) -> Option<T>,
    known: &str,
) -> Option<T> {
    let (text, at) = file.text(section, key)?;
    let found = parse(text);
    if found.is_none() {
        file.problem(at, format_args!("`{key}` is `{text}`; known are {known}"));
    }
    found
}

fn names<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str) -> String {
    let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
    names.join(", ")
}

fn places(file: &mut TomlFile<'_>, section: Section<'_>, most: u8) -> Option<u8> {
    let places = file.number(section, "precision", 0..u64::from(most) + 1)?;
    u8::try_from(places).ok()
}

/// A table with a table for each of the metrics; one that is absent is as if it were empty.
fn by_metric<T>(
    file: &mut TomlFile<'_>,
    section: Section<'_>,
    key: &str,
    metrics: &[String],
    read: impl Fn(&mut TomlFile<'_>, Section<'_>, &str) -> Option<T>,
) -> Option<BTreeMap<String, T>> {
    let nothing = TomlFile::new("", "").parse();
    let empty = Section {
        table: nothing.get_ref(),
        at: section.at,
    };
    let stated = section.table.contains_key(key);
    let table = file.section(section, key);
    if stated && table.is_none() {
        return None;
    }
    let table = table.unwrap_or(empty);
    for name in table.table.keys() {
        if !metrics.iter().any(|metric| metric == name.get_ref()) {
            file.problem(
                name.span().start,
                format_args!("`{}` is not among `metrics`", name.get_ref()),
            );
        }
    }
    let mut found = BTreeMap::new();
    let mut whole = true;
    for metric in metrics {
        let own = if table.table.contains_key(metric.as_str()) {
            file.section(table, metric)
        } else {
            Some(Section {
                at: table.at,
                ..empty
            })
        };
        match own.and_then(|own| read(file, own, metric)) {
            Some(one) => {
                found.insert(metric.clone(), one);
            }
            None => whole = false,
        }
    }
    whole.then_some(found)
}

fn definitions(
    file: &mut TomlFile<'_>,
    section: Section<'_>,
    known: Known<'_>,
) -> Option<BTreeMap<String, Definition>> {
    let found = by_metric(file, section, "definitions", known.metrics, definition)?;
    let names = found.values().map(|one| one.name.as_str());
    each_once(file, section, "definition", names);
    Some(found)
}

/// Two KPIs under one name would overwrite one another on the platform.
fn each_once<'n>(
    file: &mut TomlFile<'_>,
    section: Section<'_>,
    what: &str,
    names: impl Iterator<Item = &'n str>,
) {
    let mut taken = BTreeSet::new();
    for name in names {
        if !taken.insert(name) {
            file.problem(
                section.at,
                format_args!("two KPIs have the {what} `{name}`"),
            );
        }
    }
}

fn definition(file: &mut TomlFile<'_>, section: Section<'_>, metric: &str) -> Option<Definition> {
    let keys = [
        "name",
        "unit",
        "precision",
        "objective",
        "enabled",
        "points",
    ];
    file.only(section, &keys);
    let name = file.text(section, "name").map_or(metric, |(name, _)| name);
    if !section.table.contains_key("unit") {
        file.problem(
            section.at,
            format_args!(
                "[target.definitions.{metric}]: `unit` is missing; a definition keeps it for ever"
            ),
        );
    }
    let unit = word(
        file,
        section,
        "unit",
        Unit::parse,
        &names(Unit::ALL, Unit::name),
    );
    let objectives = names(Objective::ALL, Objective::name);
    let objective = word(file, section, "objective", Objective::parse, &objectives);
    let points = word(
        file,
        section,
        "points",
        Points::parse,
        &names(Points::ALL, Points::name),
    );
    let precision = places(file, section, definitions::PRECISION_MAX);
    let enabled = file.flag(section, "enabled");
    Some(Definition {
        name: name.to_owned(),
        unit: unit?,
        precision: precision.unwrap_or(1),
        objective: objective.unwrap_or(Objective::TargetArea),
        enabled: enabled.unwrap_or(true),
        points: points.unwrap_or_default(),
    })
}

fn property(file: &mut TomlFile<'_>, section: Section<'_>, metric: &str) -> Property {
    file.only(section, &["property", "type", "precision"]);
    let name = file
        .text(section, "property")
        .map_or(metric, |(name, _)| name);
    let kinds = names(&PropertyKind::ALL, PropertyKind::name);
    let kind = word(file, section, "type", PropertyKind::parse, &kinds);
    let precision = places(file, section, PLACES_MAX);
    Property {
        name: name.to_owned(),
        kind: kind.unwrap_or_default(),
        precision: precision.unwrap_or(PLACES),
    }
}

fn field(file: &mut TomlFile<'_>, section: Section<'_>, metric: &str) -> Field {
    file.only(section, &["field", "type", "precision"]);
    let name = file.text(section, "field").map_or(metric, |(name, _)| name);
    let kinds = names(&FieldKind::ALL, FieldKind::name);
    let kind = word(file, section, "type", FieldKind::parse, &kinds);
    let precision = places(file, section, PLACES_MAX);
    Field {
        name: name.to_owned(),
        kind: kind.unwrap_or_default(),
        precision: precision.unwrap_or(PLACES),
    }
}

fn http(
    file: &mut TomlFile<'_>,
    section: Section<'_>,
    known: Known<'_>,
    path: Option<PathTemplate>,
) -> Option<Adapter> {
    let methods = names(&Method::ALL, Method::name);
    let method = word(file, section, "method", Method::parse, &methods);
    let usual = Kind::Http.capabilities();
    let bytes_max = file.number(section, "bytes_max", 100..usual.bytes_max as u64 + 1);
    let answers = answers(file, section);
    let Some(body) = file.section(section, "body") else {
        if !section.table.contains_key("body") {
            file.problem(
                section.at,
                "[target.body] is missing: the template of an item, at least",
            );
        }
        return None;
    };
    let keys = ["item", "batch", "separator", "retraction", "content_type"];
    file.only(body, &keys);
    let item = file.required(body, "item").map(|(text, _)| text.to_owned());
    let mut text = |key| file.text(body, key).map(|(text, _)| text.to_owned());
    let (batch, separator) = (text("batch"), text("separator"));
    let (retraction, content_type) = (text("retraction"), text("content_type"));
    let setup = Setup {
        path: path?,
        method: method.unwrap_or(usual.method),
        grains: known.grains.to_vec(),
        items_max: known.batch_max,
        bytes_max: bytes_max
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(usual.bytes_max),
        content_type: content_type.unwrap_or_else(|| "application/json".to_owned()),
        item: item?,
        batch: batch.unwrap_or_else(|| "[{{ items }}]".to_owned()),
        separator: separator.unwrap_or_else(|| ",".to_owned()),
        retraction,
        answers: answers?,
    };
    match Http::new(setup) {
        Ok(http) => Some(Adapter::Http(Box::new(http))),
        Err(problems) => {
            for problem in problems {
                let at = body.table.get(problem.template);
                let at = at.map_or(body.at, |value| value.span().start);
                file.problem(at, problem);
            }
            None
        }
    }
}

/// Where its answers say what became of items; `None` where something of it is wrong.
fn answers(file: &mut TomlFile<'_>, section: Section<'_>) -> Option<Answers> {
    let Some(table) = file.section(section, "answer") else {
        let stated = section.table.contains_key("answer");
        return (!stated).then(Answers::default);
    };
    file.only(table, &["results", "failed", "key", "reason"]);
    let mut whole = true;
    let mut pointer = |key| {
        let (text, at) = file.text(table, key)?;
        let pointer = Pointer::parse(text);
        if pointer.is_none() {
            let example = "a JSON pointer is expected, such as /results/0";
            file.problem(at, format_args!("`{key}` is `{text}`; {example}"));
            whole = false;
        }
        pointer
    };
    let answers = Answers {
        results: pointer("results"),
        failed: pointer("failed"),
        key: pointer("key"),
        reason: pointer("reason"),
    };
    whole.then_some(answers)
}

/// Headers of the target's own, by name.
pub(crate) fn headers(
    file: &mut TomlFile<'_>,
    section: Section<'_>,
    secrets: Secrets<'_>,
) -> Vec<(String, platform::secret::Secret)> {
    let Some(table) = file.section(section, "headers") else {
        return Vec::new();
    };
    let mut headers = Vec::new();
    for key in table.table.keys() {
        let name: &str = key.get_ref();
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            file.problem(
                key.span().start,
                format_args!("`{name}` is no name of a header"),
            );
        } else if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            file.problem(
                key.span().start,
                format_args!("`{name}` is set by deliver itself"),
            );
        } else if let Some(value) = file.secret(table, name, secrets) {
            headers.push((
                name.to_owned(),
                platform::secret::Secret::new(value.expose()),
            ));
        }
    }
    headers
}
