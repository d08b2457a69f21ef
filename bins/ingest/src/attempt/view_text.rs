//! The view for people: one block an item, aligned.

use super::view::{Fate, Line, View, revision, zone_in_use};
use crate::columns::plain;
use crate::normalise::plan::{Item, Refused};
use adapter::Stated;
use schema::{AgentFact, AgentRef, Details, Fact, Leg, Millis, SourceRank};
use std::io::{self, Write};

/// The width of the names before the values.
const NAME_WIDTH: usize = 14;

pub(super) fn print(view: &View<'_>, personal: bool, out: &mut dyn Write) -> io::Result<()> {
    match view.subscription {
        Some(found) => writeln!(
            out,
            "subscription {} of {}, format {}",
            found.name, found.tenant, view.format
        )?,
        None => writeln!(out, "by the mapping file, of no subscription")?,
    }
    if let Some(limit) = view.limit_exceeded() {
        let bytes = view.bytes;
        writeln!(
            out,
            "note: the body has {bytes} bytes; receive takes at most {limit} and would answer 413"
        )?;
    }
    if view.is_nothing {
        return writeln!(out, "\nnothing in it: answered 202 nothing");
    }
    for line in &view.lines {
        writeln!(out)?;
        let keyed = view.subscription.is_some();
        Block {
            out,
            personal,
            keyed,
        }
        .line(line)?;
    }
    let (mapped, ignored, refused) = (view.mapped(), view.ignored(), view.refused());
    let items = match view.lines.len() {
        1 => "1 item".to_owned(),
        count => format!("{count} items"),
    };
    writeln!(
        out,
        "\n{items}: {mapped} mapped, {ignored} ignored, {refused} refused"
    )?;
    for (kind, count) in view.kinds() {
        writeln!(out, "  ignored {count} of kind {}", plain(kind))?;
    }
    Ok(())
}

/// Writes the lines about one item.
struct Block<'o> {
    out: &'o mut dyn Write,
    personal: bool,
    /// Whether there is a subscription, of which the log's key is made.
    keyed: bool,
}

impl Block<'_> {
    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        let item = match line.index {
            -1 => "the body as a whole".to_owned(),
            index => format!("item {index}"),
        };
        match &line.fate {
            Fate::Mapped(found) => self.mapped(&item, found),
            Fate::Ignored { kind } => {
                writeln!(self.out, "{item}: ignored, of kind {}", plain(kind))
            }
            Fate::Refused(bad) => self.refused(&item, bad),
        }
    }

    fn refused(&mut self, item: &str, bad: &Refused<'_>) -> io::Result<()> {
        writeln!(self.out, "{item}: REFUSED")?;
        self.value("stage", bad.stage.as_str())?;
        match &bad.field {
            Some((field, value, expected)) => {
                self.value("field", field)?;
                self.value("found", value)?;
                self.value("expected", expected)
            }
            None => self.value("reason", &bad.reason),
        }
    }

    fn mapped(&mut self, item: &str, found: &Item<'_>) -> io::Result<()> {
        writeln!(self.out, "{item}: mapped")?;
        let mapped = &found.mapped;
        match &mapped.stated {
            Stated::Interaction {
                interaction,
                facts,
                terminal,
                customer,
            } => {
                self.value("interaction", interaction.as_str())?;
                self.identity(found)?;
                self.value("terminal", if *terminal { "yes" } else { "no" })?;
                match customer {
                    Some(who) if self.personal => self.value("customer", who.as_str())?,
                    Some(_) => self.value("customer", "stated (--show-personal shows it)")?,
                    None => self.value("customer", "not stated")?,
                }
                for fact in facts {
                    self.fact(fact)?;
                }
            }
            Stated::Agent { agent, facts } => {
                self.agent("", agent)?;
                self.identity(found)?;
                for fact in facts {
                    self.agent_fact(fact)?;
                }
            }
        }
        Ok(())
    }

    fn identity(&mut self, found: &Item<'_>) -> io::Result<()> {
        self.value("event", found.mapped.event_id.as_str())?;
        self.value("instant", &found.mapped.at.to_string())?;
        if self.keyed {
            self.value("log key", &found.key.to_string())?;
        }
        Ok(())
    }

    fn fact(&mut self, fact: &Fact) -> io::Result<()> {
        let rank = match fact.rank {
            SourceRank::Event => "event",
            SourceRank::MetricRecord => "record of a metric",
            SourceRank::SettledRecord => "settled record",
        };
        self.value("fact", &format!("{} ({rank})", fact.key.as_str()))?;
        let statement = &fact.statement;
        self.value("  at", &fact.at.to_string())?;
        self.some("  revision", revision(fact.revision))?;
        if let Some(state) = &statement.state {
            let end = if state.is_terminal() {
                " (terminal)"
            } else {
                ""
            };
            self.value("  state", &format!("{}{end}", state.name()))?;
        }
        if let Some(agent) = &statement.agent {
            self.agent("  ", agent)?;
        }
        self.some("  queue", statement.queue.as_ref().map(ToString::to_string))?;
        self.some("  disposition", statement.disposition.as_deref())?;
        for (kind, length) in statement.durations.iter() {
            self.value(&format!("  {}", kind.name()), &duration(length))?;
        }
        match statement.details.as_deref() {
            Some(details) => self.details(details),
            None => Ok(()),
        }
    }

    fn details(&mut self, details: &Details) -> io::Result<()> {
        if let Some(leg) = &details.leg {
            self.leg(leg)?;
        }
        self.some("  media", details.media.as_deref())?;
        let direction = details.direction.map(schema::Direction::name);
        self.some("  direction", direction)?;
        self.some("  ended", details.ended_at.map(|at| at.to_string()))?;
        for (name, value) in &details.attributes {
            self.value("  attribute", &format!("{name} = {value}"))?;
        }
        Ok(())
    }

    fn leg(&mut self, leg: &Leg) -> io::Result<()> {
        let kind = super::view_json::word(&leg.kind);
        self.value("  leg", &format!("{} ({kind})", leg.id))?;
        let outcome = leg.outcome.as_ref().map(super::view_json::word);
        self.some("  leg outcome", outcome)?;
        self.some("  answered", leg.answered_at.map(|at| at.to_string()))?;
        self.some("  leg ended", leg.ended_at.map(|at| at.to_string()))?;
        self.some("  holds", leg.holds.map(|holds| holds.to_string()))?;
        self.some("  longest hold", leg.longest_hold.map(duration))?;
        self.some("  transfer", leg.transfer.map(schema::Transfer::name))?;
        self.some("  consult", leg.consult.then_some("yes"))?;
        self.some("  conference", leg.conference.then_some("yes"))?;
        self.some("  consulted", leg.consulted.map(duration))
    }

    fn agent(&mut self, indent: &str, agent: &AgentRef) -> io::Result<()> {
        self.value(&format!("{indent}agent"), agent.id.as_str())?;
        let zone = match agent.zone.as_deref() {
            None => "not stated".to_owned(),
            Some(stated) => match zone_in_use(stated) {
                Some(zone) if zone == stated => zone.to_owned(),
                Some(zone) => format!("{zone} (stated as {stated})"),
                None => {
                    format!("UNKNOWN: {stated}; a finding, and the next source of a zone decides")
                }
            },
        };
        self.value(&format!("{indent}zone"), &zone)
    }

    fn agent_fact(&mut self, fact: &AgentFact) -> io::Result<()> {
        self.value("fact", fact.key.as_str())?;
        self.value("  from", &fact.at.to_string())?;
        self.some("  until", fact.until.map(|at| at.to_string()))?;
        self.some("  revision", revision(fact.revision))?;
        let statement = &fact.statement;
        let presence = statement.presence.as_ref().map(schema::Presence::name);
        self.some("  presence", presence)?;
        let routing = statement.routing.as_ref().map(schema::Routing::name);
        self.some("  routing", routing)?;
        // An empty plan takes back what was planned.
        let scheduled = statement.scheduled.as_deref();
        let scheduled = scheduled.map(|text| if text.is_empty() { "nothing" } else { text });
        self.some("  scheduled", scheduled)?;
        self.some("  reason", statement.reason.as_deref())?;
        self.some("  team", statement.team.as_deref())
    }

    fn some(&mut self, name: &str, value: Option<impl AsRef<str>>) -> io::Result<()> {
        value.map_or(Ok(()), |value| self.value(name, value.as_ref()))
    }

    fn value(&mut self, name: &str, value: &str) -> io::Result<()> {
        writeln!(self.out, "  {name:<NAME_WIDTH$}{}", plain(value))
    }
}

/// Milliseconds, and the same as a person says it.
fn duration(length: Millis) -> String {
    let millis = length.0;
    if millis < 0 {
        return format!("{millis} ms (negative: metrics that need it are withheld)");
    }
    let (seconds, rest) = (millis / 1000, millis % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{millis} ms ({seconds}.{rest:03} s)"),
        (0, _) => format!("{millis} ms ({minutes} min {seconds}.{rest:03} s)"),
        _ => format!("{millis} ms ({hours} h {minutes} min {seconds}.{rest:03} s)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_exact_and_readable() {
        for (millis, shown) in [
            (0, "0 ms (0.000 s)"),
            (61_005, "61005 ms (1 min 1.005 s)"),
            (3_600_000, "3600000 ms (1 h 0 min 0.000 s)"),
            (-1, "-1 ms (negative: metrics that need it are withheld)"),
        ] {
            assert_eq!(duration(Millis(millis)), shown);
        }
    }
}
