//! The functions of the language itself, by name.

/// What a call of the language's own means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtin {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
    Has,
    OrZero,
    OrElse,
    Size,
    Sum,
    Min,
    Max,
    Int,
    Double,
    Duration,
    Timestamp,
    Seconds,
    Milliseconds,
    StartsWith,
    EndsWith,
    Contains,
    Matches,
    LowerAscii,
}

impl Builtin {
    pub(crate) const NAMES: &'static [(&'static str, Builtin)] = &[
        ("all", Builtin::All),
        ("exists", Builtin::Exists),
        ("exists_one", Builtin::ExistsOne),
        ("existsOne", Builtin::ExistsOne),
        ("filter", Builtin::Filter),
        ("map", Builtin::Map),
        ("has", Builtin::Has),
        ("orZero", Builtin::OrZero),
        ("orElse", Builtin::OrElse),
        ("size", Builtin::Size),
        ("sum", Builtin::Sum),
        ("min", Builtin::Min),
        ("max", Builtin::Max),
        ("int", Builtin::Int),
        ("double", Builtin::Double),
        ("duration", Builtin::Duration),
        ("timestamp", Builtin::Timestamp),
        ("seconds", Builtin::Seconds),
        ("milliseconds", Builtin::Milliseconds),
        ("startsWith", Builtin::StartsWith),
        ("endsWith", Builtin::EndsWith),
        ("contains", Builtin::Contains),
        ("matches", Builtin::Matches),
        ("lowerAscii", Builtin::LowerAscii),
    ];

    pub(crate) fn named(name: &str) -> Option<Builtin> {
        Builtin::NAMES
            .iter()
            .find(|(one, _)| *one == name)
            .map(|(_, builtin)| *builtin)
    }

    /// How it is called, for messages.
    pub(crate) fn usage(self) -> &'static str {
        match self {
            Builtin::All => "list.all(item, condition)",
            Builtin::Exists => "list.exists(item, condition)",
            Builtin::ExistsOne => "list.exists_one(item, condition)",
            Builtin::Filter => "list.filter(item, condition)",
            Builtin::Map => "list.map(item, value) or list.map(item, condition, value)",
            Builtin::Has => "has(object.field)",
            Builtin::OrZero => "orZero(value)",
            Builtin::OrElse => "orElse(value, otherwise)",
            Builtin::Size => "size(list) or size(string)",
            Builtin::Sum => "sum(list)",
            Builtin::Min => "min(a, b) or min(list)",
            Builtin::Max => "max(a, b) or max(list)",
            Builtin::Int => "int(double)",
            Builtin::Double => "double(int)",
            Builtin::Duration => "duration(\"1h30m\")",
            Builtin::Timestamp => "timestamp(\"2024-05-31T22:00:00Z\")",
            Builtin::Seconds => "seconds(duration)",
            Builtin::Milliseconds => "milliseconds(duration)",
            Builtin::StartsWith => "string.startsWith(string)",
            Builtin::EndsWith => "string.endsWith(string)",
            Builtin::Contains => "string.contains(string)",
            Builtin::Matches => "string.matches(\"pattern\")",
            Builtin::LowerAscii => "string.lowerAscii()",
        }
    }
}

/// Whether the language itself has a function of this name.
pub(crate) fn is_builtin(name: &str) -> bool {
    Builtin::named(name).is_some()
}

/// What to do instead of a function of CEL that is not supported.
pub(crate) fn unsupported(name: &str) -> Option<&'static str> {
    Some(match name {
        "string" | "format" | "join" | "split" | "replace" | "substring" | "upperAscii"
        | "charAt" | "trim" => "texts are compared, never built",
        "uint" => "there are no unsigned numbers: use int",
        "bytes" => "there are no bytes",
        "bool" => "there is no conversion to bool: compare instead",
        "type" | "dyn" => "types are fixed when an expression is loaded",
        "getSeconds" | "getMilliseconds" | "getMinutes" | "getHours" => {
            "of a duration, use seconds(x) or milliseconds(x); of an instant, a function that takes the zone into account"
        }
        "getFullYear" | "getMonth" | "getDate" | "getDayOfMonth" | "getDayOfWeek"
        | "getDayOfYear" => "use a function that takes the zone into account",
        "transformList" | "transformMap" | "reduce" => "use filter, map and sum",
        _ => return None,
    })
}
