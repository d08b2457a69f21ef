//! Facts: what a platform stated about an interaction at an instant, and nothing of ours.
//!
//! There is no arrival time and no delivery id in a fact, on purpose: the fold cannot depend on what it cannot see.

use crate::agent_state::Track;
use crate::id::{AgentId, CustomerKey, InteractionId, LegId, QueueId, TenantId};
use crate::time::{Millis, UtcMicros};
use compact_str::CompactString;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// A fact and the interaction it is about: one entry of an events message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The organisation.
    #[serde(rename = "t")]
    pub tenant: TenantId,
    /// The interaction.
    #[serde(rename = "i")]
    pub interaction: InteractionId,
    /// The fact.
    #[serde(rename = "f")]
    pub fact: Fact,
}

/// Which statement about an interaction a fact is. Two facts with one key are two copies or two revisions of one statement.
///
/// The guide's events use `e:<event id>`; a leg's snapshot uses `l:<leg id>`; an interaction's own record uses `i`; what an event
/// without an id says of a leg uses `p:<leg id>:<what>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FactKey(CompactString);

impl FactKey {
    /// The key of an event that has an id of its own.
    pub fn event(event_id: &str) -> Self {
        Self::prefixed("e:", event_id)
    }

    /// The key of a leg's settled record.
    pub fn leg(leg_id: &str) -> Self {
        Self::prefixed("l:", leg_id)
    }

    /// The key of the record of the interaction as a whole.
    #[must_use]
    pub fn interaction() -> Self {
        Self(CompactString::const_new("i"))
    }

    /// The key of what an event says of one leg: its beginning, say, or its end. There is one statement of a kind and leg, however often and
    /// under whatever ids it is sent. `leg` is empty for what is said of the interaction.
    ///
    /// A platform that states such parts has no event for the end of the whole: it is inferred from them.
    #[must_use]
    pub fn part(leg: &str, what: &str) -> Self {
        Self(compact_str::format_compact!("p:{leg}:{what}"))
    }

    /// The key of the statement that an agent's state on one track began at an instant: an event and a history record that say so are
    /// two copies of one fact.
    #[must_use]
    pub fn agent_state(track: Track, at: UtcMicros) -> Self {
        Self(compact_str::format_compact!("a:{}:{}", track.name(), at.0))
    }

    /// The key of the statement that one place of a shift makes: an edited plan states its places anew.
    #[must_use]
    pub fn scheduled(shift: &str, place: usize) -> Self {
        Self(compact_str::format_compact!(
            "a:{}:{shift}:{place}",
            Track::Schedule.name()
        ))
    }

    /// The text, prefix included.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether this is the key of an event, not of a record.
    pub fn is_event(&self) -> bool {
        self.0.starts_with("e:")
    }

    /// Whether this is the key of what an event says of a leg, see [`FactKey::part`].
    pub fn is_part(&self) -> bool {
        self.0.starts_with("p:")
    }

    fn prefixed(prefix: &str, id: &str) -> Self {
        let mut text = CompactString::with_capacity(prefix.len() + id.len());
        text.push_str(prefix);
        text.push_str(id);
        Self(text)
    }
}

/// How much a source is worth when two statements of one fact carry no revision stamp, or the same one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum SourceRank {
    /// A live event.
    #[default]
    #[serde(rename = "e")]
    Event,
    /// A record of one metric, stated by the platform.
    #[serde(rename = "m")]
    MetricRecord,
    /// A settled record from the platform's history.
    #[serde(rename = "s")]
    SettledRecord,
}

/// One statement about an interaction at an instant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fact {
    /// Which statement this is.
    #[serde(rename = "k")]
    pub key: FactKey,
    /// When it happened, by the platform's clock.
    #[serde(rename = "a")]
    pub at: UtcMicros,
    /// The platform's update stamp, where it sends one: the newer of two statements has the greater.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<UtcMicros>,
    /// What kind of source stated it.
    #[serde(rename = "s", default, skip_serializing_if = "is_event")]
    pub rank: SourceRank,
    /// What was stated.
    #[serde(rename = "b", default)]
    pub statement: Statement,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_event(rank: &SourceRank) -> bool {
    *rank == SourceRank::Event
}

/// The content of a fact. Every part is optional: platforms leave out what they like.
///
/// Without a `leg` the durations are *cumulative statements about the interaction* (the last one on the timeline holds, also
/// downward); with a `leg` they are that leg's own, and legs add up.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Statement {
    /// The state the interaction (or leg) reached.
    #[serde(rename = "st", default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The agent concerned.
    #[serde(rename = "ag", default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentRef>,
    /// The queue or skill concerned.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueId>,
    /// The disposition (wrap-up code) stated.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<CompactString>,
    /// The durations stated.
    #[serde(rename = "m", default, skip_serializing_if = "Durations::is_empty")]
    pub durations: Durations,
    /// What only some sources state; boxed, because most facts have none of it.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<Details>>,
}

/// The rarer parts of a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Details {
    /// The leg this statement is about; absent for a statement about the whole interaction.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<Leg>,
    /// The medium, as the platform names it in lower case (voice, chat, email, message, callback …).
    #[serde(rename = "md", default, skip_serializing_if = "Option::is_none")]
    pub media: Option<CompactString>,
    /// Who began it.
    #[serde(rename = "dr", default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// A keyed hash of the customer.
    #[serde(rename = "ck", default, skip_serializing_if = "Option::is_none")]
    pub customer_key: Option<CustomerKey>,
    /// When the interaction as a whole ended, where the source states that.
    #[serde(rename = "en", default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<UtcMicros>,
    /// What the organisation itself says of the interaction, by name: a brand, a site, a campaign. Only what was declared to be kept.
    #[serde(rename = "at", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<CompactString, CompactString>,
}

impl Details {
    /// Keeps an attribute. One without a value, or one too long to be a group ([`ATTRIBUTE_BYTES_MAX`]), is as if it had not been stated.
    pub fn keep_attribute(&mut self, name: &str, value: &str) {
        let value = value.trim();
        if !value.is_empty() && value.len() <= ATTRIBUTE_BYTES_MAX {
            self.attributes.insert(name.into(), value.into());
        }
    }
}

/// The most bytes of an attribute's value: several of them together stand in the keys of windows.
pub const ATTRIBUTE_BYTES_MAX: usize = 200;

impl Statement {
    /// Takes the customer's key away.
    pub fn forget_customer(&mut self) {
        if let Some(details) = &mut self.details {
            details.customer_key = None;
            if **details == Details::default() {
                self.details = None;
            }
        }
    }

    /// The leg this statement is about, if it is about one.
    pub fn leg(&self) -> Option<&Leg> {
        self.details
            .as_deref()
            .and_then(|details| details.leg.as_ref())
    }

    /// The ids of agent, queue and leg it names, and the medium, each with the name of its field. None may have more than
    /// [`PART_ID_BYTES_MAX`] bytes.
    pub fn part_ids(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let agent = self.agent.as_ref().map(|agent| agent.id.as_str());
        let details = self.details.as_deref();
        let media = details.and_then(|details| details.media.as_deref());
        [
            ("agent_id", agent),
            ("queue_id", self.queue.as_ref().map(QueueId::as_str)),
            ("leg_id", self.leg().map(|leg| leg.id.as_str())),
            ("media", media),
        ]
        .into_iter()
        .filter_map(|(field, id)| Some((field, id?)))
    }
}

/// The most bytes of an id that a statement names within its interaction. A leg's id, or an agent's in its place, stands beside the
/// interaction's in primary keys, several of them together in those of windows, and PostgreSQL refuses a key of more than 2,704 bytes.
pub const PART_ID_BYTES_MAX: usize = 500;

/// An agent as a fact names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AgentRef {
    /// The agent's id.
    #[serde(rename = "i")]
    pub id: AgentId,
    /// The agent's time zone as stated; text, because an unknown zone is a finding and not an error.
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<CompactString>,
}

/// One participant's part of an interaction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Leg {
    /// The platform's id of the leg.
    #[serde(rename = "i")]
    pub id: LegId,
    /// Whose part it is.
    #[serde(rename = "k")]
    pub kind: LegKind,
    /// When the leg ended; absent while it is open.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<UtcMicros>,
    /// How it ended.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<LegOutcome>,
    /// When it was answered: of an agent's leg, when the agent began to talk; of a queue's, when an agent took the contact from it.
    #[serde(rename = "an", default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<UtcMicros>,
    /// How often the customer was put on hold in it.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<u32>,
    /// The longest of these holds.
    #[serde(rename = "lh", default, skip_serializing_if = "Option::is_none")]
    pub longest_hold: Option<Millis>,
    /// How its agent passed the contact on; absent where nobody stated that it was.
    #[serde(rename = "tr", default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
    /// Whether its agent was consulted by another agent: time handled, but no contact of a customer.
    #[serde(rename = "cs", default, skip_serializing_if = "is_false")]
    pub consult: bool,
    /// Whether more than two parties were on the line.
    #[serde(rename = "cf", default, skip_serializing_if = "is_false")]
    pub conference: bool,
    /// Of an agent's leg that is more than a consultation: how long of its talk was with the agent who asked for it before the
    /// customer was passed on. The leg of the one who asked counts that time too.
    #[serde(rename = "ct", default, skip_serializing_if = "Option::is_none")]
    pub consulted: Option<Millis>,
}

impl Leg {
    /// A leg of which nothing is known but whose part it is.
    pub const fn new(id: LegId, kind: LegKind) -> Self {
        Self {
            id,
            kind,
            ended_at: None,
            outcome: None,
            answered_at: None,
            holds: None,
            longest_hold: None,
            transfer: None,
            consult: false,
            conference: false,
            consulted: None,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// How an agent passed a contact on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transfer {
    /// Without speaking to the next one first (cold).
    Blind,
    /// After speaking to the next one (warm, attended).
    Consult,
    /// The source does not say which.
    Unspecified,
}

impl Transfer {
    /// The name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blind => "blind",
            Self::Consult => "consult",
            Self::Unspecified => "unspecified",
        }
    }
}

impl Serialize for Transfer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Transfer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Transfer;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a kind of transfer")
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Transfer, E> {
                Ok(match name {
                    "blind" => Transfer::Blind,
                    "consult" => Transfer::Consult,
                    // A kind of a later release is a transfer all the same.
                    _ => Transfer::Unspecified,
                })
            }
        }
        deserializer.deserialize_str(Name)
    }
}

/// Whose part of the interaction a leg is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegKind {
    /// The customer's own line.
    Customer,
    /// A passage through a flow or IVR.
    Ivr,
    /// A wait in a queue.
    Queue,
    /// An agent's part.
    Agent,
    /// An outside party (conference, transfer target).
    External,
    /// Anything else.
    Other,
}

/// How a leg ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegOutcome {
    /// Reached an agent who answered. Of a flow: it served the customer, or ended by itself.
    Answered,
    /// The customer left before an agent answered.
    Abandoned,
    /// Rang at an agent who did not answer.
    NotResponding,
    /// Left the queue for another flow.
    FlowedOut,
    /// Passed on to someone else.
    Transferred,
}

/// Who began the interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The customer.
    Inbound,
    /// The centre.
    Outbound,
}

impl Direction {
    /// The name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// The states of an interaction's life that kpiline knows. Platforms have more; those are kept by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Presented to the centre.
    Offered,
    /// Waiting in a queue.
    Queued,
    /// Ringing at an agent.
    Alerting,
    /// Talking to an agent.
    Connected,
    /// On hold.
    Held,
    /// Passed on to another agent or queue.
    Transferred,
    /// After-call work done. Comes after the terminal state.
    WrappedUp,
    /// Terminal: ended after it was served (by an agent or by self-service).
    Completed,
    /// Terminal: the customer left before being served.
    Abandoned,
    /// Terminal: nobody answered.
    Missed,
    /// A state of the platform's that has no meaning of its own here.
    Other(CompactString),
}

impl State {
    /// The state with this name; names are those of the guide's events, in lower case with underscores.
    pub fn from_name(name: &str) -> Self {
        match name {
            "offered" => Self::Offered,
            "queued" => Self::Queued,
            "alerting" => Self::Alerting,
            "connected" => Self::Connected,
            "held" => Self::Held,
            "transferred" => Self::Transferred,
            "wrapped_up" => Self::WrappedUp,
            "completed" => Self::Completed,
            "abandoned" => Self::Abandoned,
            "missed" => Self::Missed,
            other => Self::Other(CompactString::new(other)),
        }
    }

    /// The name; the inverse of [`State::from_name`].
    pub fn name(&self) -> &str {
        match self {
            Self::Offered => "offered",
            Self::Queued => "queued",
            Self::Alerting => "alerting",
            Self::Connected => "connected",
            Self::Held => "held",
            Self::Transferred => "transferred",
            Self::WrappedUp => "wrapped_up",
            Self::Completed => "completed",
            Self::Abandoned => "abandoned",
            Self::Missed => "missed",
            Self::Other(name) => name.as_str(),
        }
    }

    /// Whether metrics are emitted from here on.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed | Self::Abandoned | Self::Missed)
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = State;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a state")
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<State, E> {
                Ok(State::from_name(name))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

/// The kinds of duration a platform states. All are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DurationKind {
    /// Talking (Genesys `tTalkComplete`, the guide's `talk_time_ms`).
    Talk,
    /// On hold (`tHeldComplete`, `hold_time_ms`).
    Hold,
    /// After-call work (`tAcw`, `wrap_time_ms`).
    Wrap,
    /// Waiting in a queue (`tAcd`, `queue_wait_ms`).
    QueueWait,
    /// Ringing at an agent (`tAlert`); never part of handle time.
    Alert,
    /// Dialling (`tDialing`).
    Dialing,
    /// Contacting (`tContacting`).
    Contacting,
    /// Handle time as the platform itself states it (`tHandle`); kept to reconcile with, never added to its own parts.
    Handle,
}

impl DurationKind {
    /// All kinds, in the order of their discriminants.
    pub const ALL: [Self; 8] = [
        Self::Talk,
        Self::Hold,
        Self::Wrap,
        Self::QueueWait,
        Self::Alert,
        Self::Dialing,
        Self::Contacting,
        Self::Handle,
    ];

    /// The short name used in stored facts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Talk => "talk",
            Self::Hold => "hold",
            Self::Wrap => "wrap",
            Self::QueueWait => "wait",
            Self::Alert => "alert",
            Self::Dialing => "dial",
            Self::Contacting => "contact",
            Self::Handle => "handle",
        }
    }

    /// The inverse of [`DurationKind::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The durations of one statement: at most one of each kind. Half the size of a struct of options.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Durations([i64; DurationKind::ALL.len()]);

/// What stands for "not stated". A platform that states exactly this is read as one millisecond more, equally absurd.
const ABSENT: i64 = i64::MIN;

impl Default for Durations {
    fn default() -> Self {
        Self([ABSENT; DurationKind::ALL.len()])
    }
}

impl Durations {
    /// The stated duration of this kind.
    #[must_use]
    pub const fn get(&self, kind: DurationKind) -> Option<Millis> {
        match self.0[kind as usize] {
            ABSENT => None,
            millis => Some(Millis(millis)),
        }
    }

    /// States a duration of this kind.
    pub fn set(&mut self, kind: DurationKind, duration: Millis) {
        self.0[kind as usize] = duration.0.max(ABSENT + 1);
    }

    /// The same durations and one more.
    #[must_use]
    pub fn with(mut self, kind: DurationKind, duration: Millis) -> Self {
        self.set(kind, duration);
        self
    }

    /// Whether nothing is stated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|millis| *millis == ABSENT)
    }

    /// What is stated, in the order of [`DurationKind::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (DurationKind, Millis)> + '_ {
        DurationKind::ALL
            .into_iter()
            .filter_map(|kind| self.get(kind).map(|duration| (kind, duration)))
    }
}

impl fmt::Debug for Durations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.iter()
                    .map(|(kind, duration)| (kind.name(), duration.0)),
            )
            .finish()
    }
}

impl Serialize for Durations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.iter().count()))?;
        for (kind, duration) in self.iter() {
            map.serialize_entry(kind.name(), &duration.0)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Durations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Durations;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from kind of duration to milliseconds")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Durations, A::Error> {
                let mut durations = Durations::default();
                // A kind of a later release is skipped: the previous release reads the next one's messages.
                while let Some((name, millis)) = map.next_entry::<CompactString, i64>()? {
                    if let Some(kind) = DurationKind::from_name(&name) {
                        durations.set(kind, Millis(millis));
                    }
                }
                Ok(durations)
            }
        }
        deserializer.deserialize_map(Map)
    }
}
