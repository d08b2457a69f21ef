//! What is known of an interaction: its timeline and its legs, in UTC and in local time. Pure.

use super::clock::time;
use crate::kpi_command::table::{Cell, Table, short};
use kpi::Subject;
use schema::{DurationKind, Durations, Fact, Millis, SourceRank, UtcMicros};
use serde_json::{Map, Value, json};
use session::{DurationFact, LegView};
use std::fmt::Write as _;
use timezone::Zone;

/// The interaction as it is told to people and programs.
#[derive(Debug)]
pub(super) struct Picture {
    tenant: String,
    interaction: String,
    status: &'static str,
    outcome: Option<&'static str>,
    swept: bool,
    started_at: Option<UtcMicros>,
    ended_at: Option<UtcMicros>,
    /// Name and source.
    zone: Option<(String, String)>,
    facts: Vec<FactRow>,
    legs: Vec<LegRow>,
}

#[derive(Debug)]
struct FactRow {
    at: UtcMicros,
    /// On the wall clock: with its weekday for people, with its date for programs.
    local: Option<[String; 2]>,
    state: Option<String>,
    agent: Option<String>,
    agent_zone: Option<String>,
    queue: Option<String>,
    disposition: Option<String>,
    leg: Option<String>,
    /// Name and milliseconds.
    durations: Vec<(&'static str, i64)>,
    key: String,
    source: &'static str,
    revision: Option<UtcMicros>,
}

#[derive(Debug)]
struct LegRow {
    id: String,
    kind: &'static str,
    derived: bool,
    agent: Option<String>,
    queue: Option<String>,
    started_at: UtcMicros,
    answered_at: Option<UtcMicros>,
    ended_at: Option<UtcMicros>,
    outcome: Option<String>,
    transfer: Option<&'static str>,
    durations: Vec<(&'static str, i64)>,
}

impl Picture {
    /// `zone`: the one that definitions count in, and where it came from.
    pub(super) fn of(subject: &Subject<'_>, zone: Option<(String, String)>) -> Self {
        let timeline = subject.timeline;
        let clock = zone.as_ref().and_then(|(name, _)| Zone::parse(name).ok());
        Self {
            tenant: subject.tenant.to_owned(),
            interaction: subject.interaction.to_owned(),
            status: timeline.status().name(),
            outcome: timeline.outcome().map(session::Outcome::name),
            swept: subject.swept,
            started_at: timeline.start(),
            ended_at: timeline.ended_at(),
            zone,
            facts: timeline
                .facts()
                .map(|fact| FactRow::of(fact, clock))
                .collect(),
            legs: timeline.legs().iter().map(LegRow::of).collect(),
        }
    }

    /// Why no definition has a row of it.
    pub(super) const fn silence(&self) -> &'static str {
        if self.outcome.is_none() {
            "no definition has a value yet: the interaction has not ended"
        } else {
            "none of these definitions has a row of it: they are about agents' legs, and it has none"
        }
    }

    /// `width`: how many columns people can read.
    pub(super) fn text(&self, width: usize) -> String {
        let mut text = String::new();
        let instant =
            |at: Option<UtcMicros>| at.map_or_else(|| "?".to_owned(), |at| at.to_string());
        // Writing to a string cannot fail.
        write!(
            text,
            "{} of {}: {}",
            self.interaction, self.tenant, self.status
        )
        .ok();
        if let Some(outcome) = self.outcome
            && outcome != self.status
        {
            write!(text, " ({outcome})").ok();
        }
        if self.swept {
            text.push_str(", given up as incomplete");
        }
        writeln!(
            text,
            "\nfrom {} to {}",
            instant(self.started_at),
            instant(self.ended_at)
        )
        .ok();
        match &self.zone {
            Some((zone, source)) => {
                writeln!(text, "local time is that of {zone} (source: {source})\n").ok();
            }
            None => text.push_str("no rule asks for local time\n\n"),
        }
        text.push_str(&self.timeline(width));
        if !self.legs.is_empty() {
            text.push('\n');
            text.push_str(&self.legs_text(width));
        }
        text
    }

    fn timeline(&self, width: usize) -> String {
        let local = self.zone.is_some();
        let head = ["utc", "local", "state", "agent", "queue", "stated, fact"];
        let head: Vec<_> = head
            .into_iter()
            .filter(|word| local || *word != "local")
            .collect();
        let mut table = Table::new(&head).with_whole("local");
        for fact in &self.facts {
            let mut row = vec![Cell::text(fact.at.to_string())];
            if local {
                row.push(Cell::of(
                    fact.local.as_ref().map(|[short, _]| short.as_str()),
                ));
            }
            let mut stated = durations_text(&fact.durations);
            if let Some(disposition) = &fact.disposition {
                stated.push(format!("disposition {disposition}"));
            }
            // Writing to a string cannot fail.
            let mut said = stated.join(", ");
            if !said.is_empty() {
                said.push_str("; ");
            }
            said.push_str(&fact.key);
            said.push_str(", ");
            said.push_str(fact.source);
            if let Some(revision) = fact.revision {
                write!(said, ", revised {revision}").ok();
            }
            row.extend([
                Cell::of(fact.state.as_deref()),
                Cell::of(fact.agent.as_deref()),
                Cell::of(fact.queue.as_deref()),
                Cell::text(said),
            ]);
            table.push(row);
        }
        table.text(width)
    }

    fn legs_text(&self, width: usize) -> String {
        let mut table = Table::new(&["leg", "kind", "agent", "queue", "when", "outcome", "stated"]);
        let day = self.started_at.map(date).unwrap_or_default();
        // The date is in the head already where it is the same.
        let when = |at: UtcMicros| {
            let whole = at.to_string();
            match whole.strip_prefix(&day) {
                Some(rest) if !day.is_empty() => rest.trim_start_matches('T').to_owned(),
                _ => whole,
            }
        };
        for leg in &self.legs {
            let mut stated = durations_text(&leg.durations);
            if let Some(transfer) = leg.transfer {
                stated.push(format!("transfer {transfer}"));
            }
            let ended = leg.ended_at.map_or_else(|| "?".to_owned(), when);
            let mut times = format!("{} to {ended}", when(leg.started_at));
            if let Some(at) = leg.answered_at {
                write!(times, ", answered {}", when(at)).ok();
            }
            table.push(vec![
                Cell::text(&leg.id),
                Cell::text(if leg.derived {
                    format!("{} (derived)", leg.kind)
                } else {
                    leg.kind.to_owned()
                }),
                Cell::of(leg.agent.as_deref()),
                Cell::of(leg.queue.as_deref()),
                Cell::text(times),
                Cell::of(leg.outcome.as_deref()),
                if stated.is_empty() {
                    Cell::Absent
                } else {
                    Cell::text(stated.join(", "))
                },
            ]);
        }
        table.text(width)
    }

    pub(super) fn json(&self) -> Value {
        let instant = |at: Option<UtcMicros>| at.map(|at| at.to_string());
        let facts: Vec<Value> = self
            .facts
            .iter()
            .map(|fact| {
                json!({
                    "at": fact.at.to_string(),
                    "local": fact.local.as_ref().map(|[_, whole]| whole),
                    "state": fact.state,
                    "agent": fact.agent,
                    "agent_zone": fact.agent_zone,
                    "queue": fact.queue,
                    "disposition": fact.disposition,
                    "leg": fact.leg,
                    "durations_ms": durations_json(&fact.durations),
                    "fact": fact.key,
                    "source": fact.source,
                    "revision": instant(fact.revision),
                })
            })
            .collect();
        let legs: Vec<Value> = self
            .legs
            .iter()
            .map(|leg| {
                json!({
                    "leg": leg.id,
                    "kind": leg.kind,
                    "derived": leg.derived,
                    "agent": leg.agent,
                    "queue": leg.queue,
                    "started_at": leg.started_at.to_string(),
                    "answered_at": instant(leg.answered_at),
                    "ended_at": instant(leg.ended_at),
                    "outcome": leg.outcome,
                    "transfer": leg.transfer,
                    "durations_ms": durations_json(&leg.durations),
                })
            })
            .collect();
        json!({
            "tenant": self.tenant,
            "interaction_id": self.interaction,
            "status": self.status,
            "outcome": self.outcome,
            "given_up": self.swept,
            "started_at": instant(self.started_at),
            "ended_at": instant(self.ended_at),
            "zone": self.zone.as_ref().map(|(zone, _)| zone),
            "zone_source": self.zone.as_ref().map(|(_, source)| source),
            "timeline": facts,
            "legs": legs,
        })
    }
}

impl FactRow {
    fn of(fact: &Fact, clock: Option<Zone>) -> Self {
        let statement = &fact.statement;
        Self {
            at: fact.at,
            local: clock.map(|clock| [weekday(clock, fact.at), local(clock, fact.at)]),
            state: statement
                .state
                .as_ref()
                .map(|state| state.name().to_owned()),
            agent: statement.agent.as_ref().map(|agent| agent.id.to_string()),
            agent_zone: statement
                .agent
                .as_ref()
                .and_then(|agent| agent.zone.as_ref())
                .map(ToString::to_string),
            queue: statement.queue.as_ref().map(ToString::to_string),
            disposition: statement.disposition.as_ref().map(ToString::to_string),
            leg: statement.leg().map(|leg| leg.id.to_string()),
            durations: stated(&statement.durations),
            key: fact.key.as_str().to_owned(),
            source: match fact.rank {
                SourceRank::Event => "event",
                SourceRank::MetricRecord => "metric record",
                SourceRank::SettledRecord => "settled record",
            },
            revision: fact.revision,
        }
    }
}

impl LegRow {
    fn of(leg: &LegView<'_>) -> Self {
        let durations = DurationKind::ALL
            .into_iter()
            .filter_map(|kind| {
                let (DurationFact::Stated(Millis(millis))
                | DurationFact::Implausible(Millis(millis))) = leg.duration(kind)?;
                Some((kind.name(), millis))
            })
            .collect();
        Self {
            id: leg.id.to_string(),
            kind: word(leg.kind),
            derived: leg.derived,
            agent: leg.agent.map(|agent| agent.id.to_string()),
            queue: leg.queue.map(ToString::to_string),
            started_at: leg.started_at,
            answered_at: leg.answered_at,
            ended_at: leg.ended_at,
            outcome: leg.outcome.map(|outcome| {
                // The name under which it is stored.
                serde_json::to_value(outcome)
                    .ok()
                    .and_then(|name| name.as_str().map(str::to_owned))
                    .unwrap_or_default()
            }),
            transfer: leg.transfer.map(schema::Transfer::name),
            durations,
        }
    }
}

const fn word(kind: schema::LegKind) -> &'static str {
    match kind {
        schema::LegKind::Customer => "customer",
        schema::LegKind::Ivr => "ivr",
        schema::LegKind::Queue => "queue",
        schema::LegKind::Agent => "agent",
        schema::LegKind::External => "external",
        schema::LegKind::Other => "other",
    }
}

fn stated(durations: &Durations) -> Vec<(&'static str, i64)> {
    DurationKind::ALL
        .into_iter()
        .filter_map(|kind| Some((kind.name(), durations.get(kind)?.0)))
        .collect()
}

fn durations_text(durations: &[(&'static str, i64)]) -> Vec<String> {
    durations
        .iter()
        .map(|(name, millis)| format!("{name} {}s", seconds(*millis)))
        .collect()
}

fn durations_json(durations: &[(&'static str, i64)]) -> Value {
    let members: Map<String, Value> = durations
        .iter()
        .map(|(name, millis)| ((*name).to_owned(), (*millis).into()))
        .collect();
    Value::Object(members)
}

fn seconds(millis: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for human eyes")]
    let seconds = millis as f64 / 1000.0;
    short(seconds)
}

/// The date in UTC, as instants are written.
fn date(at: UtcMicros) -> String {
    let whole = at.to_string();
    whole.split('T').next().unwrap_or_default().to_owned()
}

/// `Wed 10:32:10 -04:00`: the date is beside it in UTC, and the weekday says whether it is the same.
fn weekday(clock: Zone, at: UtcMicros) -> String {
    format!(
        "{} {}",
        clock.local(at.0).date.format("%a"),
        time(clock, at)
    )
}

/// `2024-05-15 10:32:10.451 -04:00`: the wall clock, and its distance from UTC, which tells the two hours of an autumn night apart.
fn local(clock: Zone, at: UtcMicros) -> String {
    let millis = at.millis().rem_euclid(1000);
    let time = time(clock, at);
    let (wall_clock, offset) = time.split_once(' ').unwrap_or((&time, ""));
    format!(
        "{} {wall_clock}.{millis:03} {offset}",
        clock.local(at.0).date
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::{AgentRef, FactKey, State, Statement};
    use session::Session;

    /// 2024-05-15T14:32:10.451Z.
    const AT: i64 = 1_715_783_530_451;

    fn picture(zone: Option<&str>) -> Picture {
        let mut session = Session::default();
        for (id, offset, state, talk) in [
            ("e1", 0, State::Connected, None),
            ("e2", 60_000, State::Completed, Some(45_200)),
        ] {
            let durations = talk.map_or_else(Durations::default, |talk| {
                Durations::default().with(DurationKind::Talk, Millis(talk))
            });
            session.insert(Fact {
                key: FactKey::event(id),
                at: UtcMicros::from_millis(AT + offset),
                revision: None,
                rank: SourceRank::Event,
                statement: Statement {
                    state: Some(state),
                    agent: Some(AgentRef {
                        id: "anna".into(),
                        zone: Some("America/New_York".into()),
                    }),
                    durations,
                    ..Statement::default()
                },
            });
        }
        let timeline = session.timeline();
        let subject = Subject {
            tenant: "acme",
            interaction: "int_1",
            timeline: &timeline,
            swept: false,
        };
        Picture::of(
            &subject,
            zone.map(|zone| (zone.to_owned(), "agent".to_owned())),
        )
    }

    #[test]
    fn the_timeline_has_both_clocks_and_what_was_stated() {
        let text = picture(Some("America/New_York")).text(100);
        for part in [
            "int_1 of acme: completed",
            "local time is that of America/New_York (source: agent)",
            "2024-05-15T14:32:10.451Z  Wed 10:32:10 -04:00  connected",
            "completed  anna   -      talk 45.2s; e:e2, event\n",
            "agent:anna  agent (derived)  anna   -      14:32:10.451Z to 14:33:10.451Z",
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
    }

    #[test]
    fn without_a_zone_there_is_one_clock() {
        let picture = picture(None);
        let text = picture.text(100);
        assert!(!text.contains("LOCAL"), "{text}");
        let json = picture.json();
        assert_eq!(json["timeline"][1]["durations_ms"]["talk"], 45_200);
        assert_eq!(json["timeline"][1]["local"], Value::Null);
    }

    #[test]
    fn no_line_is_wider_than_the_page() {
        let page = picture(Some("America/New_York")).text(100);
        let widest = page.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{page}");
        assert!(page.contains("talk 45.2s"), "{page}");
    }

    #[test]
    fn the_two_hours_of_an_autumn_night_are_told_apart() {
        let clock = Zone::parse("Europe/Berlin").unwrap();
        let first = UtcMicros::from_millis(1_729_989_000_000);
        assert_eq!(local(clock, first), "2024-10-27 02:30:00.000 +02:00");
        let second = first.plus(Millis(3_600_000));
        assert_eq!(local(clock, second), "2024-10-27 02:30:00.000 +01:00");
    }
}
