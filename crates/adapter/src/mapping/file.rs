//! Reading a mapping file: every problem is found in one go, each with its line.

use super::agent_state::AgentStates;
use super::path::Path;
use super::table::{SEPARATORS, Table};
use super::time::{FORMS, Form, Time};
use super::unit::{self, Unit};
use super::wrapper::Wrapper;
use super::{Event, Mapping, Other, Source, Span, Words};
use schema::DurationKind;
use std::collections::BTreeMap;
use std::ops::Range;
use timezone::Zone;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The version of the mapping language that this release reads.
const VERSION: &str = "1";

const EVENT: [&str; 16] = [
    "id",
    "at",
    "interaction",
    "leg",
    "state",
    "agent",
    "agent_zone",
    "queue",
    "disposition",
    "media",
    "direction",
    "revision",
    "ended_at",
    "customer",
    "attributes",
    "per_delivery",
];

const AGENT_STATE: [&str; 13] = [
    "id",
    "agent",
    "agent_zone",
    "at",
    "until",
    "lasted",
    "presence",
    "routing",
    "scheduled",
    "reason",
    "team",
    "revision",
    "per_delivery",
];

/// The states of an interaction that a word can mean.
const STATES: [&str; 10] = [
    "offered",
    "queued",
    "alerting",
    "connected",
    "held",
    "transferred",
    "wrapped_up",
    "completed",
    "abandoned",
    "missed",
];
const DIRECTIONS: [&str; 2] = ["inbound", "outbound"];
const PRESENCES: [&str; 10] = [
    "available",
    "away",
    "busy",
    "break",
    "meal",
    "meeting",
    "training",
    "idle",
    "on_queue",
    "offline",
];
const ROUTINGS: [&str; 6] = [
    "off_queue",
    "idle",
    "interacting",
    "communicating",
    "not_responding",
    "wrapping",
];

/// What a source may say besides its path: where the text must be stated, and where there may be a usual one.
const STATED: [&str; 1] = ["none"];
const USUAL: [&str; 2] = ["none", "default"];

type Entry<'t> = Spanned<DeValue<'t>>;

/// Collects problems while reading.
struct Reader<'t> {
    name: &'t str,
    text: &'t str,
    problems: Vec<(usize, String)>,
}

pub(super) fn parse(name: &str, text: &str) -> Result<Mapping, Vec<String>> {
    let mut reader = Reader {
        name,
        text,
        problems: Vec::new(),
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        reader.problem(error.span().unwrap_or_default(), error.message());
    }
    if !reader.problems.is_empty() {
        return Err(reader.listed());
    }
    let mapping = reader.mapping(document.get_ref(), document.span());
    if reader.problems.is_empty() {
        Ok(mapping)
    } else {
        Err(reader.listed())
    }
}

impl<'t> Reader<'t> {
    fn problem(&mut self, at: Range<usize>, what: impl Into<String>) {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        self.problems.push((line, what.into()));
    }

    fn listed(mut self) -> Vec<String> {
        self.problems.sort();
        self.problems
            .iter()
            .map(|(line, what)| format!("{}:{line}: {what}", self.name))
            .collect()
    }

    /// Names that no table of this kind has.
    fn known(&mut self, table: &DeTable<'t>, place: &str, allowed: &[&str]) {
        for key in table.keys() {
            if !allowed.contains(&key.get_ref().as_ref()) {
                let what = format!(
                    "{place}{} is unknown; allowed are {}",
                    key.get_ref(),
                    allowed.join(", ")
                );
                self.problem(key.span(), what);
            }
        }
    }

    fn mapping(&mut self, root: &DeTable<'t>, whole: Range<usize>) -> Mapping {
        self.known(
            root,
            "",
            &[
                "version",
                "items",
                "csv",
                "event",
                "durations",
                "agent_state",
            ],
        );
        match root.get("version") {
            Some(version)
                if version
                    .get_ref()
                    .as_integer()
                    .is_some_and(|number| number.as_str() == VERSION) => {}
            Some(version) => self.problem(
                version.span(),
                format!("version must be {VERSION}, the version of the mapping language"),
            ),
            None => self.problem(whole.clone(), format!("version = {VERSION} is missing")),
        }
        let durations = self.durations(root);
        for name in ["event", "agent_state"] {
            if let Some(entry) = root.get(name)
                && !entry.get_ref().is_table()
            {
                self.problem(entry.span(), format!("{name} must be a table"));
            }
        }
        if root.get("event").is_none() && root.get("agent_state").is_none() {
            self.problem(
                whole,
                "the table [event] is missing, and there is no [agent_state] either",
            );
        }
        if let Some(entry) = root.get("durations")
            && root.get("event").is_none()
        {
            self.problem(
                entry.span(),
                "durations are those of an [event], and there is none",
            );
        }
        Mapping {
            wrappers: self.wrappers(root),
            table: self.table(root),
            event: self.event(root, durations),
            agent_state: self.agent_state(root),
        }
    }

    /// Where the items of a body stand.
    fn wrappers(&mut self, root: &DeTable<'t>) -> Vec<Wrapper> {
        let Some(entry) = root.get("items") else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (text, at) in self.texts(entry, "items") {
            match Path::parse(&text).map(|path| path.names()) {
                Ok(Some(names)) => found.push(Wrapper(names)),
                Ok(None) => self.problem(
                    at,
                    format!(
                        "items: path {text:?} must be made of names alone, like payload.events"
                    ),
                ),
                Err(problem) => self.problem(at, format!("items: {problem}")),
            }
        }
        found
    }

    /// How rows are written, where bodies are CSV.
    fn table(&mut self, root: &DeTable<'t>) -> Option<Table> {
        let entry = root.get("csv")?;
        let Some(table) = entry.get_ref().as_table() else {
            self.problem(entry.span(), "csv must be a table");
            return None;
        };
        self.known(table, "csv.", &["separator"]);
        let Some(separator) = table.get("separator") else {
            return Table::separated_by(",");
        };
        let text = separator.get_ref().as_str();
        let found = text.and_then(Table::separated_by);
        if found.is_none() {
            self.problem(
                separator.span(),
                format!("csv.separator must be {SEPARATORS}"),
            );
        }
        found
    }

    fn event(&mut self, root: &DeTable<'t>, durations: Vec<(DurationKind, Span)>) -> Option<Event> {
        let entry = root.get("event")?;
        let event = entry.get_ref().as_table()?;
        self.known(event, "event.", &EVENT);
        self.needed(entry, "event", &["at", "interaction", "state"]);
        let mut source = |name: &str, more: &[&str]| {
            self.source(event.get(name)?, &format!("event.{name}"), more)
        };
        let id = source("id", &STATED);
        let interaction = source("interaction", &STATED);
        let leg = source("leg", &STATED);
        let agent = source("agent", &STATED);
        let agent_zone = source("agent_zone", &USUAL);
        let queue = source("queue", &USUAL);
        let disposition = source("disposition", &USUAL);
        let media = source("media", &USUAL);
        let customer = source("customer", &STATED);
        let at = self.time(event, "event", "at");
        let revision = self.time(event, "event", "revision");
        let ended_at = self.time(event, "event", "ended_at");
        let state = self.words(event, "event", "state", &STATES);
        let direction = self.words(event, "event", "direction", &DIRECTIONS);
        if let (Some(zone), None) = (event.get("agent_zone"), event.get("agent")) {
            self.problem(
                zone.span(),
                "event.agent_zone is that of an event.agent, and there is none",
            );
        }
        let attributes = self.attributes(event);
        let per_delivery = self.per_delivery(event, "event", revision.as_ref());
        Some(Event {
            id,
            at: at?,
            interaction: interaction?,
            leg,
            state: state?,
            agent,
            agent_zone,
            queue,
            disposition,
            media,
            direction,
            revision,
            ended_at,
            customer,
            attributes,
            per_delivery,
            durations,
        })
    }

    /// Names that are the organisation's own, and where each stands.
    fn attributes(&mut self, event: &DeTable<'t>) -> Vec<(String, Source)> {
        const PLACE: &str = "event.attributes";
        let Some(entry) = event.get("attributes") else {
            return Vec::new();
        };
        let Some(table) = entry.get_ref().as_table() else {
            self.problem(entry.span(), format!("{PLACE} must be a table"));
            return Vec::new();
        };
        let mut found = Vec::new();
        for (name, entry) in table {
            let name = name.get_ref();
            if let Some(source) = self.source(entry, &format!("{PLACE}.{name}"), &USUAL) {
                found.push((name.to_string(), source));
            }
        }
        found
    }

    fn agent_state(&mut self, root: &DeTable<'t>) -> Option<AgentStates> {
        const PLACE: &str = "agent_state";
        let entry = root.get(PLACE)?;
        let states = entry.get_ref().as_table()?;
        self.known(states, "agent_state.", &AGENT_STATE);
        self.needed(entry, PLACE, &["agent", "at"]);
        let tracks = ["presence", "routing", "scheduled"];
        if tracks.iter().all(|track| states.get(*track).is_none()) {
            let what = format!(
                "{PLACE} states nothing: one of {} is needed",
                tracks.join(", ")
            );
            self.problem(entry.span(), what);
        }
        let mut source = |name: &str, more: &[&str]| {
            self.source(states.get(name)?, &format!("{PLACE}.{name}"), more)
        };
        let id = source("id", &STATED);
        let agent = source("agent", &STATED);
        let agent_zone = source("agent_zone", &USUAL);
        let reason = source("reason", &USUAL);
        let team = source("team", &USUAL);
        let at = self.time(states, PLACE, "at");
        let until = self.time(states, PLACE, "until");
        let revision = self.time(states, PLACE, "revision");
        let lasted = states
            .get("lasted")
            .and_then(|entry| self.span(entry, "agent_state.lasted"));
        let presence = self.words(states, PLACE, "presence", &PRESENCES);
        let routing = self.words(states, PLACE, "routing", &ROUTINGS);
        // What can be scheduled is the organisation's own.
        let scheduled = self.words(states, PLACE, "scheduled", &[]);
        let per_delivery = self.per_delivery(states, PLACE, revision.as_ref());
        Some(AgentStates {
            id,
            agent: agent?,
            agent_zone,
            at: at?,
            until,
            lasted,
            presence,
            routing,
            scheduled,
            reason,
            team,
            revision,
            per_delivery,
        })
    }

    /// Says which of these members a table lacks.
    fn needed(&mut self, entry: &Entry<'t>, place: &str, names: &[&str]) {
        let table = entry.get_ref().as_table();
        for name in names {
            if table.is_none_or(|table| table.get(*name).is_none()) {
                self.problem(entry.span(), format!("{place}.{name} is missing"));
            }
        }
    }

    /// Members that a re-send renews. What the revision stamp is read from is none of them: it says which of two contents holds, so that a
    /// copy of one with a newer stamp must not be dropped as if it said nothing new.
    fn per_delivery(
        &mut self,
        table: &DeTable<'t>,
        place: &str,
        revision: Option<&Time>,
    ) -> Vec<String> {
        let Some(entry) = table.get("per_delivery") else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (member, at) in self.texts(entry, &format!("{place}.per_delivery")) {
            if revision.is_some_and(|stamp| stamp.source.is_in(&member)) {
                let what = format!(
                    "{place}.per_delivery: {member:?} is where {place}.revision is read, which says what of two copies holds: \
                     it is content, or no revision"
                );
                self.problem(at, what);
            }
            found.push(member);
        }
        found
    }

    fn durations(&mut self, root: &DeTable<'t>) -> Vec<(DurationKind, Span)> {
        let Some(entry) = root.get("durations") else {
            return Vec::new();
        };
        let Some(table) = entry.get_ref().as_table() else {
            self.problem(entry.span(), "durations must be a table");
            return Vec::new();
        };
        self.known(
            table,
            "durations.",
            &DurationKind::ALL.map(DurationKind::name),
        );
        let mut found = Vec::new();
        for kind in DurationKind::ALL {
            if let Some(entry) = table.get(kind.name())
                && let Some(span) = self.span(entry, &format!("durations.{}", kind.name()))
            {
                found.push((kind, span));
            }
        }
        found
    }

    fn span(&mut self, entry: &Entry<'t>, place: &str) -> Option<Span> {
        let Some(table) = entry.get_ref().as_table() else {
            self.problem(
                entry.span(),
                format!("{place} must be a table with path and unit"),
            );
            return None;
        };
        let source = self.source(entry, place, &["unit", "minus"]);
        let stated = table.get("unit");
        let unit = stated.and_then(|entry| Unit::from_name(entry.get_ref().as_str()?));
        if unit.is_none() {
            let verb = stated.map_or("is missing:", |_| "must be");
            let what = format!("{place}.unit {verb} {}", unit::NAMES);
            self.problem(stated.unwrap_or(entry).span(), what);
        }
        let minus = table
            .get("minus")
            .map(|minus| self.paths(minus, &format!("{place}.minus")))
            .unwrap_or_default();
        Some(Span {
            source: source?,
            minus,
            unit: unit?,
        })
    }

    /// A path, several, or a table with `path` and more.
    fn source(&mut self, entry: &Entry<'t>, place: &str, more: &[&str]) -> Option<Source> {
        let Some(table) = entry.get_ref().as_table() else {
            let paths = self.paths(entry, place);
            return (!paths.is_empty()).then(|| Source {
                paths,
                ..Source::default()
            });
        };
        let allowed: Vec<&str> = ["path"].into_iter().chain(more.iter().copied()).collect();
        self.known(table, &format!("{place}."), &allowed);
        let default = table
            .get("default")
            .filter(|_| more.contains(&"default"))
            .map(|entry| (entry.get_ref().as_str(), entry.span()));
        let default = match default {
            Some((Some(text), _)) if !text.is_empty() => Some(text.to_owned()),
            Some((_, at)) => {
                self.problem(
                    at,
                    format!("{place}.default must be text that is not empty"),
                );
                return None;
            }
            None => None,
        };
        let paths = match (table.get("path"), &default) {
            (Some(path), _) => self.paths(path, &format!("{place}.path")),
            // It always holds.
            (None, Some(_)) => Vec::new(),
            (None, None) => {
                let or = if more.contains(&"default") {
                    ", and there is no default either"
                } else {
                    ""
                };
                self.problem(entry.span(), format!("{place}.path is missing{or}"));
                return None;
            }
        };
        let none = table
            .get("none")
            .map(|none| self.texts(none, &format!("{place}.none")))
            .unwrap_or_default();
        (!paths.is_empty() || default.is_some()).then(|| Source {
            paths,
            none: none.into_iter().map(|(text, _)| text).collect(),
            default,
        })
    }

    fn time(&mut self, table: &DeTable<'t>, place: &str, name: &str) -> Option<Time> {
        let entry = table.get(name)?;
        let place = format!("{place}.{name}");
        let source = self.source(entry, &place, &["form", "zone"]);
        let table = entry.get_ref().as_table();
        let form = self.form(table, &place);
        Some(Time {
            source: source?,
            form: form?,
        })
    }

    fn form(&mut self, table: Option<&DeTable<'t>>, place: &str) -> Option<Form> {
        let member = |name: &str| table.and_then(|table| table.get(name));
        let (form, zone) = (member("form"), member("zone"));
        let is_local = form.is_some_and(|form| form.get_ref().as_str() == Some("local"));
        if let (Some(zone), false) = (zone, is_local) {
            let what = format!("{place}.zone has a meaning only with form = \"local\"");
            self.problem(zone.span(), what);
        }
        let Some(form) = form else {
            return Some(Form::Iso8601);
        };
        match form.get_ref().as_str() {
            Some("iso8601") => Some(Form::Iso8601),
            Some("epoch_ms") => Some(Form::EpochMillis),
            Some("epoch_s") => Some(Form::EpochSeconds),
            Some("local") => {
                let Some(zone) = zone else {
                    let what = format!("{place}.zone is missing: whose clock a local time is of");
                    self.problem(form.span(), what);
                    return None;
                };
                let found = zone
                    .get_ref()
                    .as_str()
                    .and_then(|text| Zone::parse(text).ok());
                if found.is_none() {
                    let what =
                        format!("{place}.zone must be the name of a zone, like \"Europe/Berlin\"");
                    self.problem(zone.span(), what);
                }
                found.map(Form::Local)
            }
            _ => {
                self.problem(form.span(), format!("{place}.form must be {FORMS}"));
                None
            }
        }
    }

    /// A word of the platform's, and what it means. `known` are the meanings there are; none where any word is one.
    fn words(
        &mut self,
        table: &DeTable<'t>,
        place: &str,
        name: &str,
        known: &[&str],
    ) -> Option<Words> {
        let entry = table.get(name)?;
        let place = format!("{place}.{name}");
        let source = self.source(entry, &place, &["values", "other", "none", "default"]);
        let table = entry.get_ref().as_table();
        let mut values = BTreeMap::new();
        if let Some(entry) = table.and_then(|table| table.get("values")) {
            match entry.get_ref().as_table() {
                None => self.problem(
                    entry.span(),
                    format!("{place}.values must be a table of words"),
                ),
                Some(table) => {
                    for (word, meaning) in table {
                        let text = meaning.get_ref().as_str();
                        let is_known = |text: &&str| known.is_empty() || known.contains(text);
                        match text.filter(is_known) {
                            Some(meaning) => {
                                values.insert(word.get_ref().to_string(), meaning.to_owned());
                            }
                            None => self.problem(
                                meaning.span(),
                                format!(
                                    "{place}.values.{} must mean {}",
                                    word.get_ref(),
                                    if known.is_empty() {
                                        "a text".to_owned()
                                    } else {
                                        format!("one of {}", known.join(", "))
                                    }
                                ),
                            ),
                        }
                    }
                }
            }
        }
        let other = match table.and_then(|table| table.get("other")) {
            // Without a table of words, the platform's words are ours.
            None if values.is_empty() => Other::Keep,
            None => Other::Refuse,
            Some(other) => match other.get_ref().as_str() {
                Some("refuse") => Other::Refuse,
                Some("ignore") => Other::Ignore,
                Some("keep") => Other::Keep,
                _ => {
                    self.problem(
                        other.span(),
                        format!("{place}.other must be \"refuse\", \"ignore\" or \"keep\""),
                    );
                    return None;
                }
            },
        };
        let source = source?;
        if let Some(default) = &source.default
            && other == Other::Refuse
            && !values.contains_key(default)
        {
            let what =
                format!("{place}.default is {default:?}, a word that {place}.values does not have");
            self.problem(entry.span(), what);
        }
        Some(Words {
            source,
            values,
            other,
        })
    }

    fn paths(&mut self, entry: &Entry<'t>, place: &str) -> Vec<Path> {
        let mut paths = Vec::new();
        for (text, at) in self.texts(entry, place) {
            match Path::parse(&text) {
                Ok(path) => paths.push(path),
                Err(problem) => self.problem(at, format!("{place}: {problem}")),
            }
        }
        paths
    }

    /// A text or a list of texts.
    fn texts(&mut self, entry: &Entry<'t>, place: &str) -> Vec<(String, Range<usize>)> {
        let entries = match entry.get_ref().as_array() {
            Some(list) => list.iter().collect(),
            None => vec![entry],
        };
        let mut found = Vec::new();
        for entry in entries {
            match entry.get_ref().as_str() {
                Some(text) => found.push((text.to_owned(), entry.span())),
                None => self.problem(
                    entry.span(),
                    format!("{place} must be text or a list of texts"),
                ),
            }
        }
        if found.is_empty() && entry.get_ref().is_array() {
            self.problem(entry.span(), format!("{place} is an empty list"));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::{Presence, Routing, State};

    #[test]
    fn every_meaning_that_is_allowed_is_one() {
        for name in STATES {
            assert!(!matches!(State::from_name(name), State::Other(_)), "{name}");
        }
        for name in PRESENCES {
            assert!(
                !matches!(Presence::from_name(name), Presence::Other(_)),
                "{name}"
            );
        }
        for name in ROUTINGS {
            assert!(
                !matches!(Routing::from_name(name), Routing::Other(_)),
                "{name}"
            );
        }
    }
}
