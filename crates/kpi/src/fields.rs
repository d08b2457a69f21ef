//! The words of definitions: which fields an interaction, a leg and a journey have, and which functions there are. One table each,
//! from which the checker's vocabulary, the evaluation and the reference for people are all made.

use crate::scene::OWN_LEG;
use expression::{
    Arg, DefineError, Field, FunctionId, HandleType, Literal, Object, ObjectType, Type, Vocabulary,
};
use schema::DurationKind;
use std::sync::LazyLock;
use timezone::Zone;

/// The states that [`stateTime`](Function::StateTime) knows.
pub(crate) const STATES: &[&str] = &[
    "offered",
    "queued",
    "alerting",
    "connected",
    "held",
    "transferred",
    "wrapped_up",
];

/// The kinds of duration, in the order of [`schema::DurationKind::ALL`], by the names of their fields.
pub(crate) const DURATIONS: &[&str] = &[
    "talk",
    "hold",
    "wrap",
    "wait",
    "alert",
    "dial",
    "contact",
    "platform_handle",
];

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
    const fn name(self) -> &'static str {
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
        EndedAt "ended_at" Timestamp Optional ANY "When it ended for the customer.";
        State "state" Text Always STATE "The terminal state; `open` only within a journey.";
        Outcome "outcome" Text Always OUTCOME "What became of it, from the history of its legs.";
        Media "media" Text Optional ANY "The first medium stated, as the platform names it in lower case.";
        Direction "direction" Text Optional DIRECTION "Who began it.";
        Disposition "disposition" Text Optional ANY "The disposition (wrap-up code) stated last.";
        Dispositions "dispositions" Texts Always ANY "Every disposition stated, once each.";
        Queue "queue" Text Optional ANY "The queue the customer was offered to first.";
        Agent "agent" Text Optional ANY "The first agent who took part.";
        LastAgent "last_agent" Text Optional ANY "The last agent who took part.";
        Customer "customer" Text Optional ANY "The customer's key (a keyed hash).";
        Talk "talk" Duration Optional ANY "Talk time of all agents. CXone: hold included.";
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
        MissedAlerts "missed_alerts" Int Always ANY "How often it rang at an agent who did not answer.";
        Conference "conference" Bool Always ANY "Whether more than two parties were on the line at once.";
        Callback "callback" Bool Always ANY "Whether a callback was part of it.";
        Answered "answered" Bool Always ANY "Whether an agent answered.";
        Abandoned "abandoned" Bool Always ANY "Whether the customer left unserved, in a queue or in an IVR.";
        AnsweredAt "answered_at" Timestamp Optional ANY "When an agent first answered.";
        AbandonedAfter "abandoned_after" Duration Optional ANY "How long the customer waited until leaving; of abandoned ones only.";
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
        Answered "answered" Bool Always ANY "Whether it was answered.";
        First "first" Bool Always ANY "Whether it is the first of the agents' legs.";
        Last "last" Bool Always ANY "Whether it is the last of the agents' legs.";
    }
}

fields! {
    /// The fields of a journey: all interactions of one customer key.
    JourneyField {
        Contacts "contacts" Int Always ANY "How many interactions.";
        FirstStartedAt "first_started_at" Timestamp Always ANY "When the first began.";
        LastEndedAt "last_ended_at" Timestamp Optional ANY "When the last that ended did.";
        Interactions "interactions" Interactions Always ANY "The interactions, by start.";
    }
}

/// The functions of ours; a function's id is its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Function {
    InHours,
    BusinessTime,
    StateTime,
    AgentTime,
    LocalHour,
    LocalMinute,
    LocalWeekday,
    LocalDay,
    LocalWeek,
    LocalMonth,
}

impl Function {
    const ALL: [Self; 10] = [
        Self::InHours,
        Self::BusinessTime,
        Self::StateTime,
        Self::AgentTime,
        Self::LocalHour,
        Self::LocalMinute,
        Self::LocalWeekday,
        Self::LocalDay,
        Self::LocalWeek,
        Self::LocalMonth,
    ];

    pub(crate) fn from_id(id: FunctionId) -> Option<Self> {
        Self::ALL.get(usize::from(id.0)).copied()
    }

    const fn id(self) -> FunctionId {
        FunctionId(self as u16)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::InHours => "inHours",
            Self::BusinessTime => "businessTime",
            Self::StateTime => "stateTime",
            Self::AgentTime => "agentTime",
            Self::LocalHour => "localHour",
            Self::LocalMinute => "localMinute",
            Self::LocalWeekday => "localWeekday",
            Self::LocalDay => "localDay",
            Self::LocalWeek => "localWeek",
            Self::LocalMonth => "localMonth",
        }
    }

    /// Whether it is about one interaction, so that journeys do not have it.
    const fn of_an_interaction(self) -> bool {
        matches!(self, Self::StateTime | Self::AgentTime)
    }
}

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
        "How long the schedule is open between two instants, exact over changes of the clocks; zero where `to` is not after `from`.",
    ),
    (
        "stateTime(\"held\")",
        "duration",
        "How long the interaction was in that state, by the instants of its events. Not in journeys.",
    ),
    (
        "agentTime(agent, \"talk\")",
        "duration",
        "What the legs of that agent add up to; not stated where none of them states it. Not in journeys.",
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

/// The kinds of object and handle that definitions speak of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kinds {
    pub(crate) leg: ObjectType,
    pub(crate) interaction: ObjectType,
    pub(crate) journey: ObjectType,
    pub(crate) schedule: HandleType,
}

/// What the names in definitions of one scope mean, and the kinds by which objects are told apart.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) kinds: Kinds,
    pub(crate) interaction: Vocabulary,
    pub(crate) leg: Vocabulary,
    pub(crate) journey: Vocabulary,
}

/// Built once a process. That the tables hold no name twice is what the test below looks at.
pub(crate) static WORDS: LazyLock<Words> =
    LazyLock::new(|| build().unwrap_or_else(|_| Words::none()));

impl Words {
    fn none() -> Self {
        let mut vocabulary = Vocabulary::new();
        Self {
            kinds: kinds(&mut vocabulary),
            interaction: vocabulary.clone(),
            leg: vocabulary.clone(),
            journey: vocabulary,
        }
    }
}

fn kinds(vocabulary: &mut Vocabulary) -> Kinds {
    let leg = vocabulary.object("leg", rows(LegField::ROWS, &[]));
    let legs = [(Kind::Legs, leg)];
    let interaction = vocabulary.object("interaction", rows(InteractionField::ROWS, &legs));
    let both = [(Kind::Legs, leg), (Kind::Interactions, interaction)];
    let journey = vocabulary.object("journey", rows(JourneyField::ROWS, &both));
    Kinds {
        leg,
        interaction,
        journey,
        schedule: vocabulary.handle("schedule"),
    }
}

fn rows(rows: &[Row], objects: &[(Kind, ObjectType)]) -> Vec<Field> {
    let list_of = |kind: Kind| {
        let known = objects.iter().find(|(of, _)| *of == kind);
        Type::list(known.map_or(Type::String, |(_, object)| Type::Object(*object)))
    };
    rows.iter()
        .map(|row| {
            let ty = match row.kind {
                Kind::Bool => Type::Bool,
                Kind::Int => Type::Int,
                Kind::Text => Type::String,
                Kind::Duration => Type::Duration,
                Kind::Timestamp => Type::Timestamp,
                Kind::Texts => Type::list(Type::String),
                Kind::Legs | Kind::Interactions => list_of(row.kind),
            };
            let field = Field::new(row.name, ty);
            let field = if row.optional {
                field.optional()
            } else {
                field
            };
            if row.one_of.is_empty() {
                field
            } else {
                field.one_of(row.one_of)
            }
        })
        .collect()
}

fn build() -> Result<Words, DefineError> {
    let mut base = Vocabulary::new();
    let kinds = kinds(&mut base);
    for namespace in ["parameters", "lists", "terms", "schedules"] {
        base.namespace(namespace)?;
    }
    functions(&mut base, kinds, false)?;
    let mut journey = base.clone();
    let object = |of| Object { of, index: 0 };
    journey.variable("journey", object(kinds.journey))?;
    functions(&mut base, kinds, true)?;
    base.variable("interaction", object(kinds.interaction))?;
    let mut leg = base.clone();
    let own_leg = Object {
        of: kinds.leg,
        index: OWN_LEG,
    };
    leg.variable("leg", own_leg)?;
    Ok(Words {
        kinds,
        interaction: base,
        leg,
        journey,
    })
}

fn functions(
    vocabulary: &mut Vocabulary,
    kinds: Kinds,
    of_an_interaction: bool,
) -> Result<(), DefineError> {
    let instant = || Arg::Of(Type::Timestamp);
    let schedule = || Arg::Of(Type::Handle(kinds.schedule));
    for function in Function::ALL {
        if function.of_an_interaction() != of_an_interaction {
            continue;
        }
        let (forms, result) = match function {
            Function::InHours => (vec![vec![instant(), schedule()]], Type::Bool),
            Function::BusinessTime => {
                (vec![vec![instant(), instant(), schedule()]], Type::Duration)
            }
            Function::StateTime => (vec![vec![Arg::OneOf(STATES)]], Type::Duration),
            Function::AgentTime => (
                vec![vec![Arg::Of(Type::String), Arg::OneOf(DURATIONS)]],
                Type::Duration,
            ),
            Function::LocalHour | Function::LocalMinute | Function::LocalWeekday => {
                (local_forms(), Type::Int)
            }
            Function::LocalDay | Function::LocalWeek | Function::LocalMonth => {
                (local_forms(), Type::String)
            }
        };
        for form in forms {
            vocabulary.function(function.name(), form, result.clone(), function.id())?;
        }
    }
    Ok(())
}

fn local_forms() -> Vec<Vec<Arg>> {
    let instant = || Arg::Of(Type::Timestamp);
    vec![vec![instant()], vec![instant(), Arg::Literal(zone_literal)]]
}

fn zone_literal(text: &str) -> Result<Literal, String> {
    match Zone::parse(text) {
        Ok(_) => Ok(Literal::AsWritten),
        Err(error) => Err(error.to_string()),
    }
}

/// One field, for the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldInfo {
    /// `interaction`, `leg` or `journey`.
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

/// The fields and functions as a text for people, in the form of a manual page.
pub fn reference() -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut object = "";
    for field in field_reference() {
        if field.object != object {
            object = field.object;
            if !lines.is_empty() {
                lines.push(String::new());
            }
            lines.push(object.to_owned());
        }
        let kind = format!("{}{}", field.kind, if field.optional { "?" } else { "" });
        let choice = if field.one_of.is_empty() {
            String::new()
        } else {
            format!(" One of: {}.", field.one_of.join(", "))
        };
        lines.push(format!(
            "  {:<18} {kind:<21} {}{choice}",
            field.name, field.meaning
        ));
    }
    lines.push(String::new());
    lines.push(NOT_STATED.to_owned());
    lines.push(String::new());
    lines.push("functions".to_owned());
    for function in function_reference() {
        let arrow = if function.result.is_empty() {
            ""
        } else {
            " → "
        };
        lines.push(format!("  {}{arrow}{}", function.form, function.result));
        lines.push(format!("      {}", function.meaning));
    }
    lines.push(String::new());
    lines.join("\n")
}

const NOT_STATED: &str = "? = may be not stated: in a filter or an exclusion the condition then does not hold, in a value the metric is absent.";

#[cfg(test)]
mod tests {
    use super::*;
    use expression::Expression;
    use schema::State;

    #[test]
    fn the_tables_hold_no_name_twice_and_every_one_can_be_used() {
        let words = build().unwrap();
        for (row, object) in InteractionField::ROWS
            .iter()
            .map(|row| (row, "interaction"))
            .chain(LegField::ROWS.iter().map(|row| (row, "leg")))
        {
            let text = match row.kind {
                Kind::Legs | Kind::Texts => format!("size({object}.{}) > 0", row.name),
                _ if row.optional => format!("has({object}.{})", row.name),
                _ => format!("{object}.{0} == {object}.{0}", row.name),
            };
            Expression::compile(&text, &words.leg).unwrap();
        }
    }

    #[test]
    fn durations_and_states_are_named_as_elsewhere() {
        assert_eq!(DURATIONS.len(), DurationKind::ALL.len());
        for (name, kind) in DURATIONS.iter().zip(DurationKind::ALL) {
            // The platform's own handle time has a longer name here, so that nobody takes it for ours.
            assert!(*name == kind.name() || kind == DurationKind::Handle);
            assert!(InteractionField::ROWS.iter().any(|row| row.name == *name));
            assert!(LegField::ROWS.iter().any(|row| row.name == *name));
        }
        for state in STATES {
            assert!(!matches!(State::from_name(state), State::Other(_)));
        }
    }

    #[test]
    fn the_reference_lists_every_field_and_function() {
        let text = reference();
        for name in ["longest_hold", "inHours(", "localWeek(", "first_started_at"] {
            assert!(text.contains(name), "{name}");
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
