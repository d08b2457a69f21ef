//! Days as a platform is asked for its own figures of them: each agent's by the clock that workforce management keeps, else by the one that our
//! windows of the agent go by; each queue's by the one that its windows go by, for platforms know none of a queue.
//!
//! A day is asked for from its first to its last instant, as one stretch: nobody has to know how the platform cuts days, and one of 23 or 25 hours is
//! what it is.

use super::parts::{after, until};
use super::{Ask, Fault};
use schema::UtcMicros;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::reconciliation::figures::{self, FigureRow};
use store::reconciliation::ours::By;
use store::reconciliation::{Of, native_zones, ours};
use timezone::{Days, Zone};

/// A day of a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ZoneDay {
    /// The zone's name.
    pub(super) zone: String,
    /// Its first instant.
    pub(super) from: UtcMicros,
    /// Its end, exclusive.
    pub(super) to: UtcMicros,
}

/// How far a chunk is: the days that are still to be fetched; none yet: not begun.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cursor {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) days: Option<Vec<ZoneDay>>,
}

/// By whose clock the days of whom are cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Clocks {
    agents: BTreeMap<String, BTreeSet<&'static str>>,
    queues: BTreeMap<String, BTreeSet<&'static str>>,
    /// Of whoever nothing is known.
    usual: &'static str,
}

impl Clocks {
    /// As far as is known of the chunk's stretch.
    pub(super) async fn of(ask: &Ask<'_>, usual: Zone) -> Result<Self, Fault> {
        let client = ask.store.client().await.map_err(Fault::store)?;
        let (from, to) = (ask.chunk.from, ask.chunk.to);
        let of = Self::whose(ask);
        let stated = native_zones::read(&client, of, from, to).await;
        let cuts = ours::cuts(&client, of.tenant, from, to).await;
        let mut clocks = Self {
            usual: usual.name(),
            ..Self::default()
        };
        for zone in stated.map_err(Fault::store)? {
            // One that nobody knows is told of by the comparison.
            if let Ok(known) = Zone::parse(&zone.stated) {
                let zones = clocks.agents.entry(zone.agent_id).or_default();
                zones.insert(known.name());
            }
        }
        let told: BTreeSet<String> = clocks.agents.keys().cloned().collect();
        for (by, subject, zone) in cuts.map_err(Fault::store)? {
            let Ok(zone) = Zone::parse(&zone) else {
                continue;
            };
            let subjects = match by {
                By::Agent if told.contains(&subject) => continue,
                By::Agent => &mut clocks.agents,
                By::Queue => &mut clocks.queues,
            };
            subjects.entry(subject).or_default().insert(zone.name());
        }
        Ok(clocks)
    }

    /// Whose figures a job fetches.
    pub(super) fn whose<'a>(ask: &Ask<'a>) -> Of<'a> {
        Of {
            tenant: ask.platform.tenant.as_str(),
            platform: &ask.platform.name,
        }
    }

    /// Whether this agent's days are cut by that clock.
    pub(super) fn has_agent(&self, agent: &str, zone: &str) -> bool {
        has(&self.agents, agent, zone, self.usual)
    }

    /// Whether this queue's days are.
    pub(super) fn has_queue(&self, queue: &str, zone: &str) -> bool {
        has(&self.queues, queue, zone, self.usual)
    }

    /// Every day of any of these clocks that begins in `[from, to)`, so that chunks one behind the other have each day once.
    pub(super) fn days(&self, from: UtcMicros, to: UtcMicros) -> Vec<ZoneDay> {
        let zones: BTreeSet<&str> = self
            .agents
            .values()
            .chain(self.queues.values())
            .flatten()
            .copied()
            .chain([self.usual])
            .collect();
        let mut days = Vec::new();
        for name in zones {
            let Ok(zone) = Zone::parse(name) else {
                continue;
            };
            let mut date = zone.local(from.0).date;
            let last = zone.local(to.0).date;
            while date <= last {
                let (begin, end) = zone.day(date);
                if (from.0..to.0).contains(&begin) && begin < end {
                    days.push(ZoneDay {
                        zone: name.to_owned(),
                        from: UtcMicros(begin),
                        to: UtcMicros(end),
                    });
                }
                let Some(next) = date.checked_add_days(Days::new(1)) else {
                    break;
                };
                date = next;
            }
        }
        days
    }
}

fn has(
    subjects: &BTreeMap<String, BTreeSet<&'static str>>,
    subject: &str,
    zone: &str,
    usual: &str,
) -> bool {
    subjects
        .get(subject)
        .map_or(zone == usual, |zones| zones.contains(zone))
}

impl ZoneDay {
    /// How long it is until the platform has all of it.
    pub(super) fn wait(&self, lag: Duration, now: UtcMicros) -> Option<Duration> {
        until(after(self.to, lag), now)
    }

    /// A figure of it.
    pub(super) fn figure(
        &self,
        measure: reconcile::Measure,
        (agent, queue): (&str, &str),
        value: i64,
        items: Option<i64>,
    ) -> FigureRow {
        FigureRow {
            measure: measure.name().to_owned(),
            agent_id: agent.to_owned(),
            queue_id: queue.to_owned(),
            from: self.from,
            to: self.to,
            zone: self.zone.clone(),
            value,
            items,
            grain_ms: 1,
        }
    }
}

/// Writes figures over those that were there.
pub(super) async fn write(ask: &Ask<'_>, rows: &[FigureRow]) -> Result<(), Fault> {
    let client = ask.store.client().await.map_err(Fault::store)?;
    figures::put(&client, Clocks::whose(ask), rows)
        .await
        .map_err(Fault::store)?;
    tracing::debug!(
        platform = ask.platform.name,
        figures = rows.len(),
        "the platform's own figures were written"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn clocks() -> Clocks {
        let one = |name: &'static str| BTreeSet::from([name]);
        Clocks {
            agents: BTreeMap::from([
                ("a".to_owned(), one("Europe/Berlin")),
                ("b".to_owned(), one("Asia/Kolkata")),
            ]),
            queues: BTreeMap::new(),
            usual: "UTC",
        }
    }

    #[test]
    fn chunks_one_behind_the_other_have_each_day_once() {
        // 2024-10-20 to 2024-11-10, in chunks of UTC days.
        let (first, days) = (1_729_382_400_000_000_i64, 21);
        let clocks = clocks();
        let day = |n: i64| UtcMicros(first + n * 24 * HOUR);
        let whole = clocks.days(day(0), day(days));
        let mut parts: Vec<ZoneDay> = (0..days)
            .flat_map(|n| clocks.days(day(n), day(n + 1)))
            .collect();
        parts.sort_by(|a, b| (&a.zone, a.from).cmp(&(&b.zone, b.from)));
        assert_eq!(parts, whole);
        let berlin = whole.iter().filter(|day| day.zone == "Europe/Berlin");
        let lengths: BTreeSet<i64> = berlin.map(|day| (day.to.0 - day.from.0) / HOUR).collect();
        assert_eq!(lengths, BTreeSet::from([24, 25]));
    }

    #[test]
    fn who_is_not_known_goes_by_the_usual_clock() {
        let clocks = clocks();
        assert!(clocks.has_agent("a", "Europe/Berlin") && !clocks.has_agent("a", "UTC"));
        assert!(clocks.has_agent("c", "UTC") && !clocks.has_agent("c", "Europe/Berlin"));
        assert!(clocks.has_queue("q", "UTC"));
    }
}
