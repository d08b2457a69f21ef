//! The view for other programs.

use super::view::{Fate, Line, View, revision, zone_in_use};
use adapter::Stated;
use schema::{AgentFact, AgentRef, Details, Fact, Leg, SourceRank};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

pub(super) fn print(view: &View<'_>, personal: bool, out: &mut dyn Write) -> io::Result<()> {
    let keyed = view.subscription.is_some();
    let items: Vec<Value> = view
        .lines
        .iter()
        .map(|found| line(found, personal, keyed))
        .collect();
    let whole = json!({
        "subscription": view.subscription.map(|found| found.name.as_str()),
        "tenant": view.subscription.map(|found| found.tenant.as_str()),
        "bytes": view.bytes,
        "too_large_for_receive": view.limit_exceeded().is_some(),
        "nothing": view.is_nothing,
        "mapped": view.mapped(),
        "ignored": view.ignored(),
        "refused": view.refused(),
        "items": items,
    });
    serde_json::to_writer_pretty(&mut *out, &whole)?;
    writeln!(out)
}

fn line(line: &Line<'_>, personal: bool, keyed: bool) -> Value {
    let mut shown = match &line.fate {
        Fate::Ignored { kind } => json!({ "outcome": "ignored", "kind": kind }),
        Fate::Refused(bad) => {
            let field = bad.field.as_ref();
            json!({
                "outcome": "refused",
                "stage": bad.stage.as_str(),
                "reason": bad.reason,
                "field": field.map(|field| &field.0),
                "value": field.map(|field| &field.1),
                "expected": field.map(|field| &field.2),
            })
        }
        Fate::Mapped(item) => {
            let mut shown = json!({
                "outcome": "mapped",
                "event_id": item.mapped.event_id.as_str(),
                "at": item.mapped.at.to_string(),
            });
            // It is made of the subscription, too.
            if keyed {
                shown["log_key"] = Value::from(item.key.to_string());
            }
            stated(&mut shown, &item.mapped.stated, personal);
            shown
        }
    };
    shown["index"] = Value::from(line.index);
    shown
}

fn stated(shown: &mut Value, stated: &Stated, personal: bool) {
    match stated {
        Stated::Interaction {
            interaction,
            facts,
            terminal,
            customer,
        } => {
            shown["interaction"] = Value::from(interaction.as_str());
            shown["terminal"] = Value::from(*terminal);
            shown["customer_stated"] = Value::from(customer.is_some());
            if let (true, Some(who)) = (personal, customer) {
                shown["customer"] = Value::from(who.as_str());
            }
            shown["facts"] = facts.iter().map(fact).collect();
        }
        Stated::Agent { agent, facts } => {
            shown["agent"] = self::agent(agent);
            shown["facts"] = facts.iter().map(agent_fact).collect();
        }
    }
}

fn fact(fact: &Fact) -> Value {
    let statement = &fact.statement;
    let durations: Map<String, Value> = statement
        .durations
        .iter()
        .map(|(kind, length)| (format!("{}_ms", kind.name()), Value::from(length.0)))
        .collect();
    let mut shown = json!({
        "key": fact.key.as_str(),
        "at": fact.at.to_string(),
        "revision": revision(fact.revision),
        "rank": rank(fact.rank),
        "state": statement.state.as_ref().map(schema::State::name),
        "agent": statement.agent.as_ref().map(agent),
        "queue": statement.queue.as_ref().map(ToString::to_string),
        "disposition": statement.disposition.as_deref(),
        "durations": durations,
    });
    if let Some(details) = statement.details.as_deref() {
        self::details(&mut shown, details);
    }
    told(shown)
}

/// How much the source is worth, as a word.
const fn rank(rank: SourceRank) -> &'static str {
    match rank {
        SourceRank::Event => "event",
        SourceRank::MetricRecord => "metric_record",
        SourceRank::SettledRecord => "settled_record",
    }
}

fn details(shown: &mut Value, details: &Details) {
    shown["leg"] = details.leg.as_ref().map(leg).unwrap_or_default();
    shown["media"] = details.media.as_deref().into();
    shown["direction"] = details.direction.map(schema::Direction::name).into();
    shown["ended_at"] = details.ended_at.map(|at| at.to_string()).into();
    let attributes = details.attributes.iter();
    let attributes: Map<String, Value> = attributes
        .map(|(name, value)| (name.to_string(), Value::from(value.as_str())))
        .collect();
    shown["attributes"] = Value::from(attributes);
}

fn leg(leg: &Leg) -> Value {
    told(json!({
        "id": leg.id.as_str(),
        "kind": word(&leg.kind),
        "outcome": leg.outcome.as_ref().map(word),
        "answered_at": leg.answered_at.map(|at| at.to_string()),
        "ended_at": leg.ended_at.map(|at| at.to_string()),
        "holds": leg.holds,
        "longest_hold_ms": leg.longest_hold.map(|length| length.0),
        "transfer": leg.transfer.map(schema::Transfer::name),
        "consult": leg.consult.then_some(true),
        "conference": leg.conference.then_some(true),
        "consulted_ms": leg.consulted.map(|length| length.0),
    }))
}

fn agent(agent: &AgentRef) -> Value {
    let zone = agent.zone.as_deref();
    let mut shown = told(json!({
        "id": agent.id.as_str(),
        "zone_stated": zone,
        "zone": zone.and_then(zone_in_use),
    }));
    if zone.is_some_and(|zone| zone_in_use(zone).is_none()) {
        shown["zone_unknown"] = Value::from(true);
    }
    shown
}

fn agent_fact(fact: &AgentFact) -> Value {
    let statement = &fact.statement;
    told(json!({
        "key": fact.key.as_str(),
        "at": fact.at.to_string(),
        "until": fact.until.map(|at| at.to_string()),
        "revision": revision(fact.revision),
        "presence": statement.presence.as_ref().map(schema::Presence::name),
        "routing": statement.routing.as_ref().map(schema::Routing::name),
        "scheduled": statement.scheduled.as_deref(),
        "reason": statement.reason.as_deref(),
        "team": statement.team.as_deref(),
    }))
}

/// Without the members that say nothing.
fn told(mut shown: Value) -> Value {
    if let Some(members) = shown.as_object_mut() {
        members.retain(|_, value| {
            !value.is_null() && value.as_object().is_none_or(|all| !all.is_empty())
        });
    }
    shown
}

/// The name under which a unit variant is stored.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        // Only names are asked for.
        other => other.map(|value| value.to_string()).unwrap_or_default(),
    }
}
