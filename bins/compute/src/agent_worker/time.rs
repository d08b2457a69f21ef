//! The intervals of a run of days, as they are stored. Pure.

use agent::{Busy, BusyKind, Interval, Rules, State};
use schema::{AgentFact, Presence, Routing, UtcMicros};
use std::collections::BTreeSet;
use store::agents::{Activity, IntervalRow};
use timezone::Places;
use window::{Cell, Day};

/// What was stated of an agent's time in a run of days, and when the agent was busy.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) facts: Vec<AgentFact>,
    pub(super) busy: Vec<Busy>,
}

impl Told {
    pub(super) fn add(&mut self, activity: &Activity) {
        self.busy.push(Busy {
            from: activity.from,
            to: activity.to,
            kind: BusyKind::Interacting,
        });
        if let (Some(to), Some(wrap_until)) = (activity.to, activity.wrap_until) {
            self.busy.push(Busy {
                from: to,
                to: Some(wrap_until),
                kind: BusyKind::Wrapping,
            });
        }
    }

    /// The intervals of these days, cut at UTC midnight; none of a day of which nothing is known but that the agent was signed out.
    pub(super) fn intervals(
        &self,
        (first, end): (Day, Day),
        as_of: UtcMicros,
        rules: Rules,
        team: &Team<'_>,
    ) -> Vec<Interval> {
        let (from, to) = (first.start(), end.start());
        let folded = agent::intervals(&self.facts, &self.busy, from, to, as_of, &rules);
        let days: BTreeSet<Day> = folded
            .iter()
            .filter(|interval| tells(&interval.state))
            .flat_map(|interval| days(interval.from, interval.to))
            .collect();
        let mut cut = Vec::with_capacity(folded.len() + days.len());
        for interval in folded {
            for day in days_of(&interval, &days) {
                let part = Interval {
                    from: interval.from.max(day.start()),
                    to: interval.to.min(day.end()),
                    // What reaches the day's end is whole, also at that very instant: no day is computed again because it is over.
                    open: interval.open && interval.to < day.end(),
                    state: interval.state.clone(),
                };
                team.put(part, &mut cut);
            }
        }
        cut
    }
}

/// Whether a state is worth a day's rows: more is known than that the agent was signed out and off the queues, which lasts for ever.
fn tells(state: &State) -> bool {
    let there = |presence: &Presence| *presence != Presence::Offline;
    let on_queue = |routing: &Routing| *routing != Routing::OffQueue;
    state.scheduled.is_some()
        || state.busy()
        || state.presence.as_ref().is_some_and(there)
        || state.routing.as_ref().is_some_and(on_queue)
}

fn days(from: UtcMicros, to: UtcMicros) -> impl Iterator<Item = Day> {
    (Day::of(from).0..=Day::of(UtcMicros(to.0.saturating_sub(1))).0).map(Day)
}

fn days_of<'d>(interval: &Interval, told: &'d BTreeSet<Day>) -> impl Iterator<Item = &'d Day> {
    let last = Day::of(UtcMicros(interval.to.0.saturating_sub(1)));
    told.range(Day::of(interval.from)..=last)
}

/// Whose team is asked for. What is written down in the places goes before what is stated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Team<'a> {
    pub(super) places: &'a Places,
    pub(super) tenant: &'a str,
    pub(super) agent_id: &'a str,
}

impl Team<'_> {
    /// The team by the places, as of the quarter hour that the instant is in: so it does not matter where an interval is cut.
    pub(super) fn at(&self, at: UtcMicros) -> Option<&str> {
        let since = Cell::of(at).start();
        self.places.team(self.tenant, self.agent_id, since.0)
    }

    /// Appends an interval of one day with the team it was spent in, cut where the team changes.
    fn put(&self, interval: Interval, out: &mut Vec<Interval>) {
        let last = UtcMicros(interval.to.0.saturating_sub(1));
        if self.at(interval.from) == self.at(last) {
            self.append(interval, out);
            return;
        }
        for (_, from, to) in window::split(interval.from, interval.to) {
            let part = Interval {
                from,
                to,
                open: interval.open && to == interval.to,
                state: interval.state.clone(),
            };
            self.append(part, out);
        }
    }

    fn append(&self, mut interval: Interval, out: &mut Vec<Interval>) {
        if let Some(team) = self.at(interval.from) {
            interval.state.team = Some(team.into());
        }
        match out.last_mut() {
            Some(last)
                if last.to == interval.from
                    && last.state == interval.state
                    && Day::of(last.from) == Day::of(interval.from) =>
            {
                last.to = interval.to;
                last.open = interval.open;
            }
            _ => out.push(interval),
        }
    }
}

/// An interval as it is stored.
pub(super) fn row(interval: &Interval) -> IntervalRow {
    let state = &interval.state;
    IntervalRow {
        from: interval.from,
        to: interval.to,
        presence: state.presence.as_ref().map(|it| it.name().to_owned()),
        routing: state.routing.as_ref().map(|it| it.name().to_owned()),
        reason: state.reason.as_ref().map(ToString::to_string),
        scheduled: state.scheduled.as_ref().map(ToString::to_string),
        team: state.team.as_ref().map(ToString::to_string),
        interacting: state.interacting,
        wrapping: state.wrapping,
        logged_in: state.logged_in(),
        on_queue: state.on_queue(),
        capped: state.capped,
        open: interval.open,
    }
}
