//! Compares what was gathered. Pure: the same rows give the same report.

use super::Asked;
use super::gather::Gathered;
use super::pairs::{Pair, Takes};
use reconcile::report::Found;
use reconcile::shifts::{Outside, Shift, outside};
use reconcile::zones::{Evidence, Observation, Seen, Stated, ZoneFinding, diagnose};
use reconcile::{Cell, Head, Measure, Native, Ours, Policy, Report, Subject, Tolerance, compare};
use schema::{AgentId, QueueId, UtcMicros};
use std::collections::{BTreeMap, BTreeSet};
use store::reconciliation::figures::FigureRow;
use store::reconciliation::ours::{By, DayRow};
use timezone::{NaiveDate, TZDB_VERSION, Zone};

/// The report on everything that was gathered.
#[must_use]
pub fn judge(asked: &Asked, gathered: &Gathered) -> Report {
    let mut not_compared = BTreeSet::new();
    let natives = natives(&gathered.figures, &mut not_compared);
    let grain = gathered.figures.iter().map(|row| i64::from(row.grain_ms));
    let policy = Policy {
        tolerance: Tolerance {
            per_item_ms: grain.max().unwrap_or(1),
            ..asked.policy.tolerance
        },
        ..asked.policy.clone()
    };
    let mut cells = compare(&natives, &ours(gathered), &policy);
    // Only now: causes are found in what has no counterpart here, such as dialling.
    cells.retain(|cell| is_compared(cell, gathered, &mut not_compared));
    let (zones, outside, agents) = clocks(asked, gathered, &natives);
    if asked.hours.is_none() && !gathered.shifts.is_empty() {
        not_compared.insert("shifts: no business hours were named".to_owned());
    }
    let head = Head {
        tenant: asked.tenant.clone(),
        platform: asked.platform.clone(),
        from: asked.from,
        to: asked.to,
        tzdb: TZDB_VERSION.to_owned(),
    };
    let not_compared: Vec<String> = not_compared.into_iter().collect();
    let found = Found {
        cells: &cells,
        shifts: if asked.hours.is_some() {
            gathered.shifts.len()
        } else {
            0
        },
        outside: &outside,
        agents,
        zones: &zones,
        not_compared: &not_compared,
    };
    Report::of(head, &found)
}

fn subject(agent: &str, queue: &str) -> Subject {
    Subject {
        agent: (!agent.is_empty()).then(|| AgentId::from(agent)),
        queue: (!queue.is_empty()).then(|| QueueId::from(queue)),
    }
}

/// The platform's figures. A measure of a later release, or one cut by a zone that this one does not know, is said and left out.
fn natives(figures: &[FigureRow], not_compared: &mut BTreeSet<String>) -> Vec<Native> {
    let mut natives = Vec::new();
    for row in figures {
        let Some(measure) = Measure::parse(&row.measure) else {
            not_compared.insert(format!("{}: this release does not know it", row.measure));
            continue;
        };
        let Ok(zone) = Zone::parse(&row.zone) else {
            not_compared.insert(format!("days cut by {}: an unknown zone", row.zone));
            continue;
        };
        natives.push(Native {
            subject: subject(&row.agent_id, &row.queue_id),
            measure,
            from: row.from,
            to: row.to,
            zone,
            value: row.value,
            items: row.items,
        });
    }
    natives
}

/// Whether a cell is of something that we compute; what we could and nobody switched on is said.
fn is_compared(cell: &Cell, gathered: &Gathered, not_compared: &mut BTreeSet<String>) -> bool {
    let (by, whose) = match (&cell.subject.agent, &cell.subject.queue) {
        (Some(_), None) => (By::Agent, "agents"),
        (None, Some(_)) => (By::Queue, "queues"),
        _ => {
            not_compared.insert("agents by queue: no window has both".to_owned());
            return false;
        }
    };
    let pair = gathered
        .pairs
        .iter()
        .find(|pair| pair.by == by && pair.measure == cell.measure);
    let Some(pair) = pair else {
        return false;
    };
    if gathered.versions.contains_key(&pair.metric) {
        return true;
    }
    let (measure, metric) = (cell.measure, &pair.metric);
    not_compared.insert(format!("{measure} of {whose}: {metric} is not switched on"));
    false
}

/// Our windows as the measures that they are laid beside.
fn ours(gathered: &Gathered) -> Vec<Ours> {
    let mut ours = Vec::new();
    for (by, days) in [(By::Agent, &gathered.agents), (By::Queue, &gathered.queues)] {
        for day in days {
            let pairs = gathered.pairs.iter();
            for pair in pairs.filter(|pair| pair.by == by && pair.metric == day.metric_type) {
                ours.extend(one(pair, day));
            }
        }
    }
    ours
}

fn one(pair: &Pair, day: &DayRow) -> Option<Ours> {
    // Our own zones are names that were resolved when the window was made.
    let zone = Zone::parse(&day.zone).ok()?;
    let subject = match pair.by {
        By::Agent => subject(&day.subject, ""),
        By::Queue => subject("", &day.subject),
    };
    Some(Ours {
        subject,
        measure: pair.measure,
        from: day.from,
        to: day.to,
        zone,
        value: match pair.takes {
            Takes::Count => day.denominator,
            // Seconds and counts are whole numbers times the scale.
            Takes::Sum if pair.measure.is_time() => scaled(day.numerator, 1_000, day.scale),
            Takes::Sum => scaled(day.numerator, 1, day.scale),
        },
        items: day.items,
        settled: day.settled,
    })
}

/// `value * by / scale`, rounded half away from zero.
fn scaled(value: i64, by: i64, scale: i64) -> i64 {
    let (value, scale) = (i128::from(value) * i128::from(by), i128::from(scale.max(1)));
    let half = if value < 0 { -scale / 2 } else { scale / 2 };
    i64::try_from((value + half) / scale).unwrap_or(i64::MAX)
}

/// What is known of each agent's clock, and what is wrong with it: findings, shifts outside of business hours, and how many agents were looked at.
fn clocks(
    asked: &Asked,
    gathered: &Gathered,
    natives: &[Native],
) -> (Vec<ZoneFinding>, Vec<Outside>, usize) {
    let mut evidence: BTreeMap<AgentId, Evidence> = BTreeMap::new();
    let days = days_of(&gathered.agents);
    for (agent, days) in &days {
        of(&mut evidence, agent).ours = runs(days);
    }
    for (agent, text) in &gathered.stated {
        let one = of(&mut evidence, &AgentId::from(agent.as_str()));
        // A name that cannot be used is told beside the zone that was used instead; one that can is used where there are no days yet.
        if one.ours.is_empty() || Zone::parse(text).is_err() {
            one.ours.push(Stated {
                from: asked.from,
                to: asked.to,
                text: text.clone(),
            });
        }
    }
    for zone in &gathered.zones {
        let one = of(&mut evidence, &AgentId::from(zone.agent_id.as_str()));
        one.platform.push(Stated {
            from: zone.from,
            to: zone.to,
            text: zone.stated.clone(),
        });
    }
    for native in natives {
        let Some(agent) = &native.subject.agent else {
            continue;
        };
        let date = native.zone.local(native.from.0).date;
        let ours = days.get(agent).and_then(|days| days.get(&date));
        if let Some((from, _, _)) = ours {
            let seen = Observation::of_days(native.from, *from);
            of(&mut evidence, agent).observed.push(seen);
        }
    }
    let outside = planned(asked, gathered, &mut evidence);
    let workforce: Vec<Zone> = evidence
        .values()
        .flat_map(|one| one.ours.iter().chain(&one.platform))
        .filter_map(|stated| Zone::parse(&stated.text).ok())
        .map(|zone| (zone.name(), zone))
        .collect::<BTreeMap<_, _>>()
        .into_values()
        .collect();
    let found = evidence
        .values()
        .flat_map(|one| diagnose(one, asked.from, asked.to, &workforce))
        .collect();
    (found, outside, evidence.len())
}

fn of<'e>(evidence: &'e mut BTreeMap<AgentId, Evidence>, agent: &AgentId) -> &'e mut Evidence {
    evidence
        .entry(agent.clone())
        .or_insert_with(|| Evidence::none(agent.clone()))
}

/// Each agent's days by their date: beginning, end and zone.
type Days = BTreeMap<AgentId, BTreeMap<NaiveDate, (UtcMicros, UtcMicros, String)>>;

fn days_of(rows: &[DayRow]) -> Days {
    let mut days = Days::new();
    for row in rows {
        let Ok(zone) = Zone::parse(&row.zone) else {
            continue;
        };
        let date = zone.local(row.from.0).date;
        days.entry(AgentId::from(row.subject.as_str()))
            .or_default()
            .insert(date, (row.from, row.to, row.zone.clone()));
    }
    days
}

/// Days of one zone, one behind the other, as one statement: from the first to the last of them.
fn runs(days: &BTreeMap<NaiveDate, (UtcMicros, UtcMicros, String)>) -> Vec<Stated> {
    let mut runs: Vec<Stated> = Vec::new();
    for (from, to, zone) in days.values() {
        match runs.last_mut() {
            Some(run) if run.text == *zone => run.to = *to,
            _ => runs.push(Stated {
                from: *from,
                to: *to,
                text: zone.clone(),
            }),
        }
    }
    runs
}

/// Lays shifts beside the business hours, by each agent's clock, and notes what that says of the clock.
fn planned(
    asked: &Asked,
    gathered: &Gathered,
    evidence: &mut BTreeMap<AgentId, Evidence>,
) -> Vec<Outside> {
    let Some(hours) = &asked.hours else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for row in &gathered.shifts {
        let agent = AgentId::from(row.agent_id.as_str());
        let one = of(evidence, &agent);
        let then = one
            .ours
            .iter()
            .find(|stated| stated.from <= row.from && row.from < stated.to);
        let zone = then.or(one.ours.last()).map(|stated| stated.text.as_str());
        // Somebody of whom nothing is known but the plan: by the hours' own clock, if they have one.
        let zone = zone
            .and_then(|text| Zone::parse(text).ok())
            .or(hours.zone());
        let Some(zone) = zone else {
            continue;
        };
        let shift = Shift {
            agent,
            from: row.from,
            to: row.to,
        };
        let laid = outside(&shift, hours, zone);
        let seconds = match &laid {
            None => Some(0),
            Some(outside) => outside.ahead,
        };
        if let Some(seconds) = seconds {
            one.observed.push(Observation {
                at: row.from,
                seen: Seen::ShiftAndHours,
                seconds,
            });
        }
        found.extend(laid);
    }
    found
}
