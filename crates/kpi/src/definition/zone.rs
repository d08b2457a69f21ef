//! Whose clock a definition counts by.

use super::read::Reader;
use crate::record::ZoneRule;
use std::sync::Arc;
use timezone::{Schedule, Zone, ZoneSource};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

impl<'t> Reader<'t, '_> {
    pub(super) fn zone(
        &mut self,
        table: &DeTable<'t>,
        schedules: &[(String, Arc<Schedule>)],
    ) -> ZoneRule {
        let mut rule = ZoneRule::default();
        if let Some(inner) = table
            .get("zone")
            .and_then(|value| self.document.table("zone", value))
        {
            self.document
                .known_members("zone", inner, &["order", "default"]);
            if let Some(value) = inner.get("order") {
                rule.order = self.zone_order(value);
            }
            if let Some(value) = inner.get("default")
                && let Some(text) = self.document.text("default", value)
            {
                match Zone::parse(&text.value) {
                    Ok(zone) => rule.default = Some(zone),
                    Err(error) => self.document.problem(text.span.start, error.to_string()),
                }
            }
        }
        let zones: Vec<Zone> = schedules
            .iter()
            .filter_map(|(_, schedule)| schedule.zone())
            .collect();
        rule.schedule = zones.first().copied();
        if zones.iter().any(|zone| Some(*zone) != rule.schedule)
            && rule.order.contains(&ZoneSource::Schedule)
            && let Some((key, _)) = table.get_key_value("schedules")
        {
            self.document.problem(
                key.span().start,
                "the schedules have different zones, but a definition counts in one: leave `schedule` out of zone.order, or the zones out of the schedules",
            );
        }
        rule
    }

    fn zone_order(&mut self, value: &Spanned<DeValue<'t>>) -> Vec<ZoneSource> {
        let mut order = Vec::new();
        for item in self.document.array("order", value).unwrap_or_default() {
            let Some(text) = self.document.text("order", item) else {
                continue;
            };
            let source = ZoneSource::ORDER
                .into_iter()
                .find(|source| source.as_str() == text.value);
            match source {
                Some(source) if !order.contains(&source) => order.push(source),
                _ => self.document.problem(
                    text.span.start,
                    format!("`{}` cannot stand here: agent, schedule, queue and organisation, each once", text.value),
                ),
            }
        }
        order
    }
}
