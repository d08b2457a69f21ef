//! Mapping files: JSON of any shape to facts, without code.
//!
//! A mapping file is TOML. It says, by paths (`a.b[0].c`, `a[?type=agent].id`), where an item states what; several paths in a
//! list are tried in turn. Members of a payload that no path names are not read.
//!
//! ```toml
//! version = 1                        # of the mapping language
//! items = "payload.events"           # where the items of a body stand, if something is around them; without it each value is an item
//! [event]
//! id = "eventId"                     # without it an id is made from interaction, leg, state, instant and agent
//! at = { path = "eventTime" }        # form: "iso8601" (the default, a zone is needed), "epoch_ms", "epoch_s", or "local" with a zone
//! interaction = ["masterContactId", "contactId"]
//! leg = "contactId"                  # with it the durations are the leg's own and legs add up
//! state = { path = "eventType", values = { ContactEnded = "completed" }, other = "refuse" }  # or "ignore", "keep"
//! agent = { path = "agent.agentId", none = ["0"] }  # texts that mean "none"
//! agent_zone = "agent.timeZone"
//! queue = "skillId"
//! disposition = "dispositionId"
//! media = { path = "mediaType", default = "voice" }  # what holds where it is not stated; without a path, always
//! direction = { path = "isOutbound", values = { true = "outbound", false = "inbound" } }
//! revision = { path = "lastUpdateTime" }  # the update stamp: the newer copy of one statement holds
//! ended_at = { path = "endTime" }
//! customer = "customer.address"      # who the customer is, for a keyed hash and nothing else
//! per_delivery = ["sentAt"]          # members of the item that a re-send renews: no part of its content; not where revision is read
//! [event.attributes]                 # what windows can be grouped by besides, as `attribute:brand`; up to 200 bytes each
//! brand = "custom.brand"
//! [durations.talk]                   # talk, hold, wrap, wait, alert, dial, contact, handle
//! path = "agentSeconds"
//! unit = "s"                         # or "ms", "min", "iso8601" (PT1M16.5S), "clock" (1:16:05.5)
//! minus = ["holdSeconds"]            # in the same unit; where one of them is not stated it counts 0
//! ```
//!
//! A file may also say, or say only, how states of agents are read:
//!
//! ```toml
//! version = 1
//! [agent_state]
//! id = "eventId"                     # without it an id is made from agent, instant and states
//! agent = "agentId"
//! agent_zone = "timeZone"
//! at = { path = "since" }            # from when on it holds
//! until = { path = "until" }         # until when it held; without it until the next one says otherwise
//! lasted = { path = "seconds", unit = "s" }  # or how long
//! presence = { path = "state", values = { READY = "on_queue", PAUSE = "break", OUT = "offline" }, other = "ignore" }
//! routing = { path = "state", values = { READY = "idle", TALK = "interacting" }, other = "ignore" }
//! scheduled = "activity"             # what the plan says; with an id an entry of it can be edited
//! reason = "pauseCode"               # the organisation's own name of the presence
//! team = "teamId"
//! revision = { path = "updatedAt" }
//! per_delivery = ["sentAt"]
//! ```
//!
//! A `default` may be given to `state`, `direction`, `queue`, `disposition`, `media`, the zones, the attributes and what is said of
//! agents; never to ids, instants and customers, of which there is no usual one.
//!
//! At least one of `presence`, `routing` and `scheduled` is needed, and each is a statement of its own. Words are those of
//! [`schema::Presence`] and [`schema::Routing`]. In a file with both tables an item that states something by `[agent_state]` is about an
//! agent, and all others are about interactions; so is `other = "ignore"` meant there: this word says nothing about an agent.
//!
//! And a file may say that bodies are CSV with a header line. Then a column's name is a path, an empty cell is one that is not there, and
//! numbers are read out of the texts:
//!
//! ```toml
//! version = 1
//! [csv]
//! separator = ";"                    # "," without it; or "|", "\t"
//! [event]
//! interaction = "Contact ID"
//! agent = '"Agent No."'              # a name that holds a dot or a bracket stands in quotes, in JSON as well
//! at = { path = "Started", form = "local", zone = "Europe/Berlin" }
//! state = { default = "completed" }
//! ```
//!
//! [`Mapping::parse`] lists every problem with its line.

mod agent_state;
mod file;
mod path;
mod table;
mod time;
mod unit;
mod wrapper;

use crate::error::ItemError;
use crate::identity::CustomerIdentity;
use crate::json;
use crate::map::{Mapped, Outcome, Stated};
use crate::node::{scalar, tree};
use crate::scalar::{Scalar, storable};
use crate::split::{Item, Split};
use agent_state::AgentStates;
use compact_str::CompactString;
use path::Path;
use schema::{
    AgentId, AgentRef, BodyFormat, Details, Direction, DurationKind, Durations, EventId, Fact,
    FactKey, InteractionId, Leg, LegId, LegKind, Millis, QueueId, SourceRank, State, Statement,
};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use table::Table;
pub use table::is_json;
use time::Time;
use unit::Unit;
use wrapper::Wrapper;

/// One mapping file, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// What may be around the items; the first that fits.
    wrappers: Vec<Wrapper>,
    /// How rows are written, where bodies are CSV.
    table: Option<Table>,
    /// How events about interactions are read; absent in a file that is about agents only.
    event: Option<Event>,
    agent_state: Option<AgentStates>,
}

/// The table `[event]`, and the durations.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: Option<Source>,
    at: Time,
    interaction: Source,
    leg: Option<Source>,
    state: Words,
    agent: Option<Source>,
    agent_zone: Option<Source>,
    queue: Option<Source>,
    disposition: Option<Source>,
    media: Option<Source>,
    direction: Option<Words>,
    revision: Option<Time>,
    ended_at: Option<Time>,
    customer: Option<Source>,
    attributes: Vec<(String, Source)>,
    per_delivery: Vec<String>,
    durations: Vec<(DurationKind, Span)>,
}

/// Where a text or id stands.
#[derive(Debug, Clone, PartialEq, Default)]
struct Source {
    paths: Vec<Path>,
    /// Texts that mean that there is none.
    none: Vec<String>,
    /// What holds where none of the paths leads to a text.
    default: Option<String>,
}

/// Where a word stands, and what the platform's words mean here.
#[derive(Debug, Clone, PartialEq)]
struct Words {
    source: Source,
    values: BTreeMap<String, String>,
    other: Other,
}

/// What becomes of a word that is not in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Other {
    /// The item is an error.
    Refuse,
    /// The item is one that nobody asked for.
    Ignore,
    /// The word is taken as it is.
    Keep,
}

/// Where a duration stands.
#[derive(Debug, Clone, PartialEq)]
struct Span {
    source: Source,
    minus: Vec<Path>,
    unit: Unit,
}

/// What an installation wants read: its mapping files, by name, and the attributes that it keeps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mappings {
    files: BTreeMap<String, Mapping>,
    attributes: BTreeSet<String>,
}

impl Mappings {
    /// No mapping files.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// These and one more; of two with one name the later holds.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, mapping: Mapping) -> Self {
        self.files.insert(name.into(), mapping);
        self
    }

    /// These, and of a format that has attributes of any name only those of these names. A mapping file names its own.
    #[must_use]
    pub fn keeping(mut self, attributes: BTreeSet<String>) -> Self {
        self.attributes = attributes;
        self
    }

    /// The attributes that are kept.
    pub(crate) const fn attributes(&self) -> &BTreeSet<String> {
        &self.attributes
    }

    /// The names, ascending.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether there is one with this name.
    pub fn contains(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// The one with this name.
    pub fn named(&self, name: &str) -> Option<&Mapping> {
        self.files.get(name)
    }

    pub(crate) fn get(&self, name: &str) -> Result<&Mapping, ItemError> {
        self.named(name).ok_or_else(|| {
            // The name is ours: it stands in the subscription.
            ItemError::described("(mapping)", name, "the name of a configured mapping file")
        })
    }
}

impl Mapping {
    /// Reads a mapping file. `name` is its path or name, for the problems: each is `name:line: what is wrong`.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<String>> {
        file::parse(name, text)
    }

    /// The items in one value of a body.
    fn open<'a>(&self, item: Item<'a>) -> Vec<Cow<'a, [u8]>> {
        // Values are cut out of the body; what is no part of it has been opened before.
        let Cow::Borrowed(raw) = item.raw else {
            return vec![item.raw];
        };
        match self.wrappers.iter().find_map(|wrapper| wrapper.open(raw)) {
            None => vec![Cow::Borrowed(raw)],
            Some(items) => items
                .into_iter()
                .filter_map(|at| raw.get(at).map(Cow::Borrowed))
                .collect(),
        }
    }

    /// What stands between the cells of its files, where they are CSV.
    pub fn separator(&self) -> Option<u8> {
        self.table.map(|table| table.separator)
    }

    /// The names that lead to the items of a body, from the outermost on: one list for each of the wrappers that may be around them.
    pub fn wrappers(&self) -> impl Iterator<Item = &[String]> {
        self.wrappers.iter().map(|wrapper| &wrapper.0[..])
    }

    pub(crate) fn map(&self, raw: &[u8]) -> Result<Outcome, ItemError> {
        let row = match self.table {
            Some(table) if !table::is_json(raw) => Some(table.row(raw)?),
            _ => None,
        };
        let value = match &row {
            Some(row) => table::object(row),
            None => tree(raw)?,
        };
        if !value.is_object() {
            return Err(ItemError::item(raw, "a JSON object"));
        }
        let content = match &row {
            Some(row) => Content::Row(row),
            None => Content::Json(raw),
        };
        if let Some(states) = &self.agent_state
            && let Some(mapped) = states.map(&value, content)?
        {
            return Ok(Outcome::Mapped(mapped));
        }
        match &self.event {
            Some(event) => event.map(&value, content),
            None => Ok(Outcome::Ignored {
                kind: "no state of an agent".to_owned(),
            }),
        }
    }
}

/// As [`crate::split()`], and opens what a mapping file says is around the items of its bodies; of a file that says so, rows are items.
pub fn split_with<'a>(format: &BodyFormat, body: &'a [u8], mappings: &Mappings) -> Split<'a> {
    let mapping = match format {
        BodyFormat::Mapped { mapping } => mappings.named(mapping),
        _ => None,
    };
    // Of a name that nobody has, each item says so.
    let Some(mapping) = mapping else {
        return crate::split(format, body);
    };
    if let Some(table) = mapping.table
        && !table::is_json(body)
    {
        let missing = |columns: &[Cow<'_, str>]| {
            table::missing(
                mapping.event.as_ref(),
                mapping.agent_state.as_ref(),
                columns,
            )
        };
        return match table.split(body, missing) {
            Ok(rows) => numbered(rows.into_iter().map(Cow::Owned)),
            Err(reason) => Split::Unreadable { reason },
        };
    }
    match crate::split(format, body) {
        Split::Items(items) if !mapping.wrappers.is_empty() => {
            numbered(items.into_iter().flat_map(|item| mapping.open(item)))
        }
        other => other,
    }
}

fn numbered<'a>(raws: impl Iterator<Item = Cow<'a, [u8]>>) -> Split<'a> {
    Split::Items(
        raws.enumerate()
            .map(|(index, raw)| Item { index, raw })
            .collect(),
    )
}

/// An item as it came, for the digest of its content.
#[derive(Clone, Copy)]
enum Content<'a> {
    Json(&'a [u8]),
    Row(&'a crate::report::Row),
}

impl Content<'_> {
    /// The digest of an item without what a re-send renews.
    fn digest(self, per_delivery: &[String]) -> [u8; 16] {
        match self {
            Self::Json(raw) => json::digest_of(raw, |name| {
                !per_delivery
                    .iter()
                    .any(|renewed| renewed.as_bytes() == name)
            }),
            Self::Row(row) => {
                row.digest_of(|column| !per_delivery.iter().any(|renewed| renewed == column))
            }
        }
    }
}

impl Event {
    fn map(&self, value: &Value, content: Content<'_>) -> Result<Outcome, ItemError> {
        let word = self.state.source.needed(value, "the name of a state")?;
        let state = match (self.state.values.get(&word), self.state.other) {
            (Some(state), _) => State::from_name(state),
            (None, Other::Keep) => State::from_name(&word),
            (None, Other::Ignore) => return Ok(Outcome::Ignored { kind: word }),
            (None, Other::Refuse) => return Err(self.state.refused(&word)),
        };
        let interaction = self.interaction.needed(value, "the interaction's id")?;
        let at = self.at.needed(value)?;
        let leg = read(self.leg.as_ref(), value)?;
        let agent = read(self.agent.as_ref(), value)?;
        let event_id = match read(self.id.as_ref(), value)? {
            Some(id) => id,
            None => crate::derived_id(&[
                &interaction,
                leg.as_deref().unwrap_or_default(),
                &word,
                &at.0.to_string(),
                agent.as_deref().unwrap_or_default(),
            ]),
        };
        let kind = if agent.is_some() {
            LegKind::Agent
        } else {
            LegKind::Other
        };
        let zone = read(self.agent_zone.as_ref(), value)?;
        let mut details = Details {
            leg: leg.map(|id| Leg::new(LegId::new(id), kind)),
            media: read(self.media.as_ref(), value)?
                .map(|media| CompactString::new(media.to_lowercase())),
            direction: self.direction(value)?,
            customer_key: None,
            ended_at: self
                .ended_at
                .as_ref()
                .map_or(Ok(None), |time| time.read(value))?,
            attributes: BTreeMap::new(),
        };
        for (name, source) in &self.attributes {
            if let Some(found) = source.read(value)? {
                details.keep_attribute(name, &found);
            }
        }
        let terminal = state.is_terminal();
        let statement = Statement {
            state: Some(state),
            agent: agent.map(|id| AgentRef {
                id: AgentId::new(id),
                zone: zone.map(CompactString::new),
            }),
            queue: read(self.queue.as_ref(), value)?.map(QueueId::new),
            disposition: read(self.disposition.as_ref(), value)?.map(CompactString::new),
            durations: self.durations(value)?,
            details: (details != Details::default()).then(|| Box::new(details)),
        };
        let fact = Fact {
            key: FactKey::event(&event_id),
            at,
            revision: self
                .revision
                .as_ref()
                .map_or(Ok(None), |time| time.read(value))?,
            rank: SourceRank::Event,
            statement,
        };
        let customer = read(self.customer.as_ref(), value)?;
        Ok(Outcome::Mapped(Mapped {
            event_id: EventId::new(event_id),
            at,
            digest: content.digest(&self.per_delivery),
            stated: Stated::Interaction {
                interaction: InteractionId::new(interaction),
                facts: vec![fact],
                terminal,
                customer: customer.map(CustomerIdentity::new),
            },
        }))
    }

    fn direction(&self, value: &Value) -> Result<Option<Direction>, ItemError> {
        let Some(words) = &self.direction else {
            return Ok(None);
        };
        let Some(word) = words.source.read(value)? else {
            return Ok(None);
        };
        match words
            .values
            .get(&word)
            .map_or(word.as_str(), String::as_str)
        {
            "inbound" => Ok(Some(Direction::Inbound)),
            "outbound" => Ok(Some(Direction::Outbound)),
            _ if words.other == Other::Refuse => Err(words.refused(&word)),
            _ => Ok(None),
        }
    }

    fn durations(&self, value: &Value) -> Result<Durations, ItemError> {
        let mut durations = Durations::default();
        for (kind, span) in &self.durations {
            if let Some(millis) = span.read(value)? {
                durations.set(*kind, millis);
            }
        }
        Ok(durations)
    }
}

fn read(source: Option<&Source>, value: &Value) -> Result<Option<String>, ItemError> {
    source.map_or(Ok(None), |source| source.read(value))
}

impl Source {
    /// Whether one of the paths begins in this member.
    fn is_in(&self, member: &str) -> bool {
        self.paths.iter().any(|path| path.begins_in(member))
    }

    /// The first value that one of the paths leads to.
    fn find<'v>(&self, value: &'v Value) -> Option<(&Path, &'v Value)> {
        self.paths
            .iter()
            .find_map(|path| path.find(value).map(|found| (path, found)))
    }

    /// The first text that one of the paths leads to and that does not mean "none". A flag reads as `true` or `false`.
    fn read(&self, value: &Value) -> Result<Option<String>, ItemError> {
        for path in &self.paths {
            let found = path.find(value).map_or(Scalar::Nothing, scalar);
            let text = match &found {
                Scalar::Bool(flag) => Some(flag.to_string()),
                other => other
                    .name()
                    .map_err(|()| ItemError::new(path.to_string(), &found.shown(), "text"))?
                    .map(|text| storable(&text).into_owned()),
            };
            if let Some(text) = text.filter(|text| !self.none.contains(text)) {
                return Ok(Some(text));
            }
        }
        Ok(self.default.clone())
    }

    fn needed(&self, value: &Value, expected: &str) -> Result<String, ItemError> {
        self.read(value)?
            .ok_or_else(|| ItemError::missing(self.place(), expected))
    }

    /// The paths as an error names them.
    fn place(&self) -> String {
        let paths: Vec<String> = self.paths.iter().map(Path::to_string).collect();
        paths.join(" or ")
    }
}

impl Words {
    /// What the word at the path means; nothing when it is not there, or is one that says nothing.
    fn read(&self, value: &Value) -> Result<Option<String>, ItemError> {
        let Some(word) = self.source.read(value)? else {
            return Ok(None);
        };
        match (self.values.get(&word), self.other) {
            (Some(meaning), _) => Ok(Some(meaning.clone())),
            (None, Other::Keep) => Ok(Some(word)),
            (None, Other::Ignore) => Ok(None),
            (None, Other::Refuse) => Err(self.refused(&word)),
        }
    }

    fn refused(&self, word: &str) -> ItemError {
        let known: Vec<&str> = self.values.keys().map(String::as_str).collect();
        ItemError::new(
            self.source.place(),
            word,
            format!("one of {}", known.join(", ")),
        )
    }
}

impl Span {
    fn read(&self, value: &Value) -> Result<Option<Millis>, ItemError> {
        let Some((path, found)) = self.source.find(value) else {
            return Ok(None);
        };
        let mut millis = self.part(path, found)?;
        for path in &self.minus {
            if let Some(found) = path.find(value) {
                millis = millis.saturating_sub(self.part(path, found)?);
            }
        }
        Ok(Some(Millis(millis)))
    }

    fn part(&self, path: &Path, found: &Value) -> Result<i64, ItemError> {
        let found = scalar(found);
        self.unit
            .read(&found)
            .ok_or_else(|| ItemError::new(path.to_string(), &found.shown(), self.unit.expected()))
    }
}

/// A number, or one as text.
#[allow(clippy::cast_precision_loss)] // seconds beyond 2^53 are absurd anyway
fn number(found: &Scalar<'_>) -> Option<f64> {
    match found {
        Scalar::Int(number) => Some(*number as f64),
        Scalar::Float(number) => Some(*number),
        Scalar::Text(text) => text
            .trim_ascii()
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite()),
        Scalar::Nothing | Scalar::Bool(_) | Scalar::List | Scalar::Object => None,
    }
}
