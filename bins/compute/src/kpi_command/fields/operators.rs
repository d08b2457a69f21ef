//! The operators of the language, for people. The tests hold each of them to what the language does.

/// One operator, or several alike.
#[derive(Debug)]
pub(super) struct Operator {
    /// How it is written; a and b are operands, d and e durations, t and u instants, n a whole number.
    pub(super) form: &'static str,
    /// The type of its result in words.
    pub(super) result: &'static str,
    /// What it gives.
    pub(super) meaning: &'static str,
}

const fn operator(form: &'static str, result: &'static str, meaning: &'static str) -> Operator {
    Operator {
        form,
        result,
        meaning,
    }
}

pub(super) const OPERATORS: &[Operator] = &[
    operator(
        "a && b, a || b, !a",
        "bool",
        "And, or, not. Where one side of && or || decides, the other may be what cannot be known.",
    ),
    operator("c ? a : b", "that of a and b", "a where c holds, else b."),
    operator("a == b, a != b", "bool", "Of two values of one type."),
    operator(
        "a < b, <=, >, >=",
        "bool",
        "Of two numbers of one type, durations, instants or texts.",
    ),
    operator(
        "a in list",
        "bool",
        "Whether the list has it: `interaction.queue in lists.sales`, `interaction.media in [\"voice\"]`.",
    ),
    operator(
        "a + b, a - b, a * b, -a",
        "int or double",
        "Of numbers of one type; double(x) and int(x) turn one into the other.",
    ),
    operator(
        "a / b",
        "int or double",
        "Of numbers of one type. Of whole ones the quotient without its fraction: a ratio is double(a) / double(b). By zero: absent, `division_by_zero`.",
    ),
    operator("a % b", "int", "The remainder of two whole numbers."),
    operator("d + e, d - e", "duration", "Of durations."),
    operator("d * n, d / n", "duration", "A duration by a whole number."),
    operator(
        "d / e",
        "double",
        "How many times the one duration is the other.",
    ),
    operator(
        "t + d, t - d",
        "timestamp",
        "An instant so much later or earlier.",
    ),
    operator("t - u", "duration", "From the one instant to the other."),
    operator(
        "list[0]",
        "that of its items",
        "An item of a constant list, from 0.",
    ),
    operator(
        "parameters.x lists.x terms.x schedules.x",
        "as written",
        "What the definition itself names, in sections of these names.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use kpi::{Definition, Library};

    #[test]
    fn every_operator_can_be_used_as_it_is_described() {
        for (form, unit, value) in [
            (
                "a && b",
                "share",
                "interaction.answered && !interaction.abandoned || interaction.callback",
            ),
            ("c ? a : b", "count", "interaction.answered ? 1 : 0"),
            (
                "a == b",
                "share",
                "interaction.started_at == interaction.started_at",
            ),
            (
                "a < b",
                "share",
                "interaction.talk < duration('20s') && interaction.id >= 'b'",
            ),
            ("a in list", "share", "interaction.media in ['voice']"),
            (
                "a + b",
                "count",
                "-(interaction.transfers + interaction.agent_count * 2 - 1)",
            ),
            (
                "a / b",
                "number",
                "double(interaction.transfers) / double(interaction.agent_count)",
            ),
            ("a % b", "count", "interaction.transfers % 2"),
            (
                "d + e",
                "seconds",
                "interaction.talk + interaction.hold - interaction.wrap",
            ),
            ("d * n", "seconds", "interaction.talk * 2 / 3"),
            ("d / e", "number", "interaction.talk / interaction.hold"),
            (
                "t + d",
                "share",
                "interaction.started_at + interaction.talk > interaction.started_at - duration('1s')",
            ),
            (
                "t - u",
                "seconds",
                "interaction.ended_at - interaction.started_at",
            ),
            ("list[0]", "count", "lists.steps[0]"),
            ("parameters.x", "seconds", "parameters.least"),
        ] {
            assert!(
                OPERATORS
                    .iter()
                    .any(|operator| operator.form.starts_with(form)),
                "{form} is not described"
            );
            let mut text = format!(
                "name = 'x'\nversion = 1\nunit = '{unit}'\npriority = 'normal'\nscope = 'interaction'\ndescription = 'x'\nsource = 'x'\n\
                 aggregations = ['mean']\nvalue = \"{value}\"\n"
            );
            if value.contains("parameters.") {
                text.push_str("[parameters]\nleast = '20s'\n");
            }
            if value.contains("lists.") {
                text.push_str("[lists]\nsteps = [10, 20]\n");
            }
            let read = Definition::read("x.toml", &text, &Library::shipped());
            assert!(read.is_ok(), "{value}: {:?}", read.err());
        }
    }
}
