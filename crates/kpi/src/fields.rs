//! The fields that definitions may read, one table each for an interaction, a leg, a journey and an agent's time. The checker's vocabulary, the
//! evaluation and the reference for people are all made from these tables.

use schema::DurationKind;

const STATE: &[&str] = &["completed", "abandoned", "missed", "open"];
const OUTCOME: &[&str] = &[
    "answered",
    "abandoned_in_queue",
    "abandoned_in_ivr",
    "missed",
    "flowed_out",
    "self_service",
    "other",
];
const DIRECTION: &[&str] = &["inbound", "outbound"];
const LEG_KIND: &[&str] = &["agent", "queue", "ivr", "customer", "external", "other"];
const LEG_OUTCOME: &[&str] = &[
    "answered",
    "abandoned",
    "not_responding",
    "flowed_out",
    "transferred",
];
const TRANSFER: &[&str] = &["blind", "consult", "unspecified"];
const ANY: &[&str] = &[];

/// The type of a field, as the table writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Int,
    Text,
    Duration,
    Timestamp,
    Texts,
    Legs,
    Interactions,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Text => "string",
            Self::Duration => "duration",
            Self::Timestamp => "timestamp",
            Self::Texts => "list of strings",
            Self::Legs => "list of legs",
            Self::Interactions => "list of interactions",
        }
    }
}

/// One row of a table of fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) optional: bool,
    pub(crate) one_of: &'static [&'static str],
    pub(crate) meaning: &'static str,
}

/// A table of fields, and the enumeration that the evaluation matches on; a field's id is its place in both.
macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal $kind:ident $stated:ident $set:ident $meaning:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u16)]
        pub(crate) enum $name { $($variant),* }

        impl $name {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),*];
            pub(crate) const ROWS: &'static [Row] = &[$(Row {
                name: $text,
                kind: Kind::$kind,
                optional: matches!(Stated::$stated, Stated::Optional),
                one_of: $set,
                meaning: $meaning,
            }),*];

            /// The field with this id.
            pub(crate) fn from_id(id: u16) -> Option<Self> {
                Self::ALL.get(usize::from(id)).copied()
            }
        }
    };
}

enum Stated {
    Always,
    Optional,
}

fields! {
    /// The fields of an interaction.
    InteractionField {
        Id "id" Text Always ANY "The platform's id.";
        Tenant "tenant" Text Always ANY "The organisation.";
        StartedAt "started_at" Timestamp Always ANY "The first that is known of it.";
        OfferedAt "offered_at" Timestamp Always ANY "When it was offered to agents: the start of its first wait in a queue, else when it was first told to be offered or queued, else its start.";
        EndedAt "ended_at" Timestamp Optional ANY "When it ended.";
        CustomerLeftAt "customer_left_at" Timestamp Optional ANY "When the customer was gone: the end of the customer's own line, else its end.";
        State "state" Text Always STATE "The terminal state; `open` only of another contact of a journey.";
        Outcome "outcome" Text Always OUTCOME "What became of it, from the history of its legs.";
        Media "media" Text Optional ANY "The first medium stated, as the platform names it in lower case.";
        Direction "direction" Text Optional DIRECTION "Who began it.";
        Disposition "disposition" Text Optional ANY "The disposition (wrap-up code) stated last.";
        Dispositions "dispositions" Texts Always ANY "Every disposition stated, once each.";
        Queue "queue" Text Optional ANY "The queue the customer was offered to first.";
        Agent "agent" Text Optional ANY "The first agent who took part.";
        LastAgent "last_agent" Text Optional ANY "The last agent who took part.";
        Customer "customer" Text Optional ANY "The customer's key (a keyed hash).";
        Talk "talk" Duration Optional ANY "Talk time of all agents. Hold is no part of it but in the CXone report 524, which does not take it off.";
        Hold "hold" Duration Optional ANY "Time on hold with agents.";
        Wrap "wrap" Duration Optional ANY "Wrap-up (after-call work) of all agents.";
        Wait "wait" Duration Optional ANY "Wait in queues, all of them together.";
        Alert "alert" Duration Optional ANY "Ringing at agents.";
        Dial "dial" Duration Optional ANY "Dialling.";
        Contact "contact" Duration Optional ANY "Contacting.";
        PlatformHandle "platform_handle" Duration Optional ANY "Handle time as the platform itself states it.";
        LongestHold "longest_hold" Duration Optional ANY "The longest single hold.";
        Holds "holds" Int Optional ANY "How often the customer was put on hold.";
        Transfers "transfers" Int Always ANY "How often an agent passed it on, in whatever way.";
        BlindTransfers "blind_transfers" Int Always ANY "Of these, without speaking to the next one first.";
        ConsultTransfers "consult_transfers" Int Always ANY "Of these, after consulting the next one.";
        AgentCount "agent_count" Int Always ANY "Different agents who took part.";
        QueueCount "queue_count" Int Always ANY "Different queues.";
        Queued "queued" Bool Always ANY "Whether it was offered to a queue: one is named or has a leg, or a wait or an alert is stated.";
        MissedAlerts "missed_alerts" Int Always ANY "How often it rang at an agent who did not answer.";
        Conference "conference" Bool Always ANY "Whether more than two parties were on the line at once.";
        Callback "callback" Bool Always ANY "Whether a callback was part of it.";
        Answered "answered" Bool Always ANY "Whether an agent answered.";
        Abandoned "abandoned" Bool Always ANY "Whether the customer left unserved, in a queue or in an IVR.";
        AnsweredAt "answered_at" Timestamp Optional ANY "When an agent first answered.";
        AnsweredAfter "answered_after" Duration Optional ANY "How long the customer waited in queues until an agent first answered, one queue after another; of answered ones only.";
        AbandonedAfter "abandoned_after" Duration Optional ANY "How long the customer waited in queues until leaving, by the same clock (in the flow: since the start); of abandoned ones only.";
        Legs "legs" Legs Always ANY "All legs, by start.";
    }
}

impl InteractionField {
    /// The field of a kind of duration.
    pub(crate) const fn of_duration(kind: DurationKind) -> Self {
        match kind {
            DurationKind::Talk => Self::Talk,
            DurationKind::Hold => Self::Hold,
            DurationKind::Wrap => Self::Wrap,
            DurationKind::QueueWait => Self::Wait,
            DurationKind::Alert => Self::Alert,
            DurationKind::Dialing => Self::Dial,
            DurationKind::Contacting => Self::Contact,
            DurationKind::Handle => Self::PlatformHandle,
        }
    }
}

fields! {
    /// The fields of a leg.
    LegField {
        Id "id" Text Always ANY "The platform's id; `agent:` and the agent where events know no legs.";
        Kind "kind" Text Always LEG_KIND "Whose part it is.";
        Agent "agent" Text Optional ANY "The agent.";
        Queue "queue" Text Optional ANY "The queue.";
        Media "media" Text Optional ANY "The medium.";
        Direction "direction" Text Optional DIRECTION "Who began it.";
        StartedAt "started_at" Timestamp Always ANY "When it began.";
        EndedAt "ended_at" Timestamp Optional ANY "When it ended.";
        AnsweredAt "answered_at" Timestamp Optional ANY "When it was answered.";
        Outcome "outcome" Text Optional LEG_OUTCOME "How it ended.";
        Disposition "disposition" Text Optional ANY "The disposition stated last of it.";
        Talk "talk" Duration Optional ANY "Talk time.";
        Hold "hold" Duration Optional ANY "Time on hold.";
        Wrap "wrap" Duration Optional ANY "Wrap-up.";
        Wait "wait" Duration Optional ANY "Wait in the queue.";
        Alert "alert" Duration Optional ANY "Ringing.";
        Dial "dial" Duration Optional ANY "Dialling.";
        Contact "contact" Duration Optional ANY "Contacting.";
        PlatformHandle "platform_handle" Duration Optional ANY "Handle time as the platform states it.";
        Holds "holds" Int Optional ANY "How often the customer was put on hold.";
        LongestHold "longest_hold" Duration Optional ANY "The longest of these holds.";
        Transfer "transfer" Text Optional TRANSFER "How the agent passed the contact on.";
        Consult "consult" Bool Always ANY "Whether the agent was consulted by another agent.";
        Conference "conference" Bool Always ANY "Whether more than two parties were on the line.";
        Consulted "consulted" Duration Optional ANY "How long of its talk was with the agent who then passed the customer on to it: that agent's leg counts that time, too.";
        Answered "answered" Bool Always ANY "Whether it was answered.";
        First "first" Bool Always ANY "Whether it is the first of the agents' legs.";
        Last "last" Bool Always ANY "Whether it is the last of the agents' legs.";
    }
}

fields! {
    /// The fields of a journey: how a contact stands among the others of its customer.
    JourneyField {
        Contacts "contacts" Int Always ANY "How many contacts its chain has: those that count as a repeat, and the contact itself.";
        Position "position" Int Always ANY "Which of them it is, from 1.";
        First "first" Bool Always ANY "Whether it is the first of its chain.";
        SincePrevious "since_previous" Duration Optional ANY "How long after the last end of the counting contacts before it it began, zero where it overlaps one; not stated where that is longer than `within`.";
        UntilNext "until_next" Duration Optional ANY "How long after its end the next counting contact began; not stated where none did within `within`.";
        Repeated "repeated" Bool Always ANY "Whether a counting contact began after its end, at most `within` later.";
        Interactions "interactions" Interactions Always ANY "The contacts of its chain, by start, itself and those that do not count included.";
    }
}

impl JourneyField {
    /// Whether a contact still to come can change what it says.
    pub(crate) const fn looks_ahead(self) -> bool {
        match self {
            Self::Contacts | Self::UntilNext | Self::Repeated | Self::Interactions => true,
            Self::Position | Self::First | Self::SincePrevious => false,
        }
    }

    /// Whether a repeat decides it for good, whatever comes behind that.
    pub(crate) const fn ends_with_a_repeat(self) -> bool {
        matches!(self, Self::Repeated | Self::UntilNext)
    }
}

fields! {
    /// The fields of an agent's time: what state it was spent in. None is an instant, so that time may be cut anywhere.
    TimeField {
        Agent "agent" Text Always ANY "The agent.";
        Team "team" Text Optional ANY "The team that the agent was in.";
        Presence "presence" Text Optional ANY "Whether and how the agent was there: available, away, busy, break, meal, meeting, training, idle, on_queue, offline, or the platform's own.";
        Routing "routing" Text Optional ANY "What the router thought: off_queue, idle, interacting, communicating, not_responding, wrapping, or the platform's own.";
        Reason "reason" Text Optional ANY "The organisation's own name of the presence.";
        Scheduled "scheduled" Text Optional ANY "The activity that the plan says, such as on_queue, break or meal; not stated where nothing is planned.";
        LoggedIn "logged_in" Bool Always ANY "Whether the agent was logged in.";
        OnQueue "on_queue" Bool Always ANY "Whether the agent took contacts from queues.";
        Interacting "interacting" Bool Always ANY "Whether the agent had at least one contact.";
        Wrapping "wrapping" Bool Always ANY "Whether the agent had after-call work.";
        Busy "busy" Bool Always ANY "Whether the agent was interacting or wrapping.";
        Capped "capped" Bool Always ANY "Whether presence or routing is unknown because it was without news for too long.";
        Known "known" Bool Always ANY "Whether it is known what the agent did; the plan alone does not tell.";
    }
}
