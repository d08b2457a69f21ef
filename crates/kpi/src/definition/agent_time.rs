//! Which time of agents counts.

use super::Aggregation;
use super::read::{Common, Reader, Rules};
use crate::agent_time::AgentTimeRule;
use crate::value::Unit;
use expression::{Expression, Type};
use toml::de::DeTable;

impl<'t> Reader<'t, '_> {
    /// The rule of a definition of agents' time.
    pub(super) fn agent_time(
        &mut self,
        table: &DeTable<'t>,
        common: &Common,
        filter: Option<Expression>,
        rules: &mut Rules,
    ) -> Option<AgentTimeRule> {
        for (member, why) in [
            (
                "value",
                "time has no value one by one: say in `numerator` which is counted",
            ),
            ("exclusions", "time is left out by the filter"),
            ("on_excluded", "time is left out by the filter"),
            (
                "platform",
                "there is no figure of the platform beside a time",
            ),
        ] {
            if let Some((key, _)) = table.get_key_value(member) {
                self.document
                    .problem(key.span().start, format!("`{member}`: {why}"));
            }
        }
        if !table.contains_key("numerator") {
            self.document
                .problem(0, "`numerator` is missing: which time is counted?");
        }
        if !table.contains_key("windows") {
            self.document.problem(
                0,
                "`[[windows]]` are missing: agents' time has no values but those of windows",
            );
        }
        let is_bool = |ty: &Type| (*ty == Type::Bool).then_some(()).ok_or("a bool");
        let numerator = self.rule(table, "numerator", "numerator", rules, is_bool);
        let denominator = self.rule(table, "denominator", "denominator", rules, is_bool);
        let is_ratio = table.contains_key("denominator");
        let (unit, aggregation, what) = if is_ratio {
            (Unit::Share, Aggregation::Mean, "of a ratio of times")
        } else {
            (
                Unit::Seconds,
                Aggregation::Sum,
                "of a time, without a `denominator`,",
            )
        };
        if common.unit.is_some_and(|stated| stated != unit)
            && let Some(value) = table.get("unit")
        {
            let message = format!("the unit {what} is {}", unit.name());
            self.document.problem(value.span().start, message);
        }
        if common.aggregations != [aggregation]
            && let Some(value) = table.get("aggregations")
        {
            let message = format!("the aggregation {what} is [\"{aggregation}\"] and no other");
            self.document.problem(value.span().start, message);
        }
        if is_ratio && denominator.is_none() {
            return None;
        }
        Some(AgentTimeRule {
            filter,
            numerator: numerator?,
            denominator,
        })
    }
}
