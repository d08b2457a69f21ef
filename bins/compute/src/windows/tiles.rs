//! The windows that a group's cells are in, by the clock of the group.

use super::rules::Tiling;
use schema::UtcMicros;
use std::collections::{BTreeMap, BTreeSet};
use timezone::{Places, Resolved, Zone, ZoneSource};
use window::{Cell, Dimension, GroupBy, GroupKey, Window};

/// A group, taken apart.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) queue: Option<String>,
    pub(super) media: Option<String>,
    pub(super) direction: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) team: Option<String>,
    pub(super) platform: Option<String>,
    pub(super) attributes: Vec<(String, String)>,
}

impl Named {
    pub(super) fn of(by: &GroupBy, key: &GroupKey) -> Self {
        let mut named = Self {
            queue: None,
            media: None,
            direction: None,
            agent: None,
            team: None,
            platform: None,
            attributes: Vec::new(),
        };
        for (dimension, value) in by.dimensions().iter().zip(key.values()) {
            let value = value.map(String::from);
            match dimension {
                Dimension::Queue => named.queue = value,
                Dimension::Media => named.media = value,
                Dimension::Direction => named.direction = value,
                Dimension::Agent => named.agent = value,
                Dimension::Team => named.team = value,
                Dimension::Platform => named.platform = value,
                Dimension::Attribute(name) => {
                    named
                        .attributes
                        .extend(value.map(|value| (name.to_string(), value)));
                }
            }
        }
        named
    }
}

/// Whose clock a group goes by.
#[derive(Debug)]
pub(super) struct Clock<'a> {
    pub(super) places: &'a Places,
    pub(super) tenant: &'a str,
    pub(super) named: &'a Named,
    /// The zone that events state for the group's agent.
    pub(super) stated: Option<&'a str>,
}

/// A zone and who named it.
pub(super) type ZoneOf = (Zone, ZoneSource);

impl Clock<'_> {
    /// The zone that holds at an instant: agents move.
    pub(super) fn zone_at(&self, at: UtcMicros) -> ZoneOf {
        let attributes: Vec<(&str, &str)> = self
            .named
            .attributes
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let Resolved { zone, source, .. } = self.places.zone_of_group(
            self.tenant,
            self.named
                .agent
                .as_deref()
                .map(|agent| (agent, self.stated)),
            self.named.team.as_deref(),
            &attributes,
            self.named.queue.as_deref(),
            at.0,
        );
        (zone, source)
    }

    /// The zone in which time is cut: as everywhere, a schedule's own goes before all but the agent's.
    fn zone_of(&self, tiling: &Tiling, at: UtcMicros) -> ZoneOf {
        let found = self.zone_at(at);
        let own = tiling.shift.as_ref().and_then(|shift| shift.zone());
        match own.filter(|_| found.1 != ZoneSource::Agent) {
            Some(own) => (own, ZoneSource::Schedule),
            None => found,
        }
    }

    /// The window that a cell is in; `None` outside of shifts.
    ///
    /// Where an agent moves within a window of the old or the new zone, it is cut at the quarter hour from which the new zone holds:
    /// each cell is in one window whatever happens.
    pub(super) fn window_of(&self, tiling: &Tiling, cell: Cell) -> Option<(Window, ZoneOf)> {
        let zone = self.zone_of(tiling, cell.start());
        let found = window::windows(
            tiling.size,
            zone.0,
            tiling.shift.as_deref(),
            cell.start(),
            cell.end(),
        );
        let mut window = found.into_iter().next()?;
        if self.zone_of(tiling, window.start) != zone {
            let cells: Vec<Cell> = Cell::range(window.start, cell.end()).collect();
            let moved = cells.partition_point(|cell| self.zone_of(tiling, cell.start()) != zone);
            window.start = cells.get(moved).map_or(window.start, |cell| cell.start());
        }
        let last = Cell::of(UtcMicros(window.end.0 - 1));
        if self.zone_of(tiling, last.start()) != zone {
            let cells: Vec<Cell> = Cell::range(cell.start(), window.end).collect();
            let moved = cells.partition_point(|cell| self.zone_of(tiling, cell.start()) == zone);
            window.end = cells.get(moved).map_or(window.end, |cell| cell.start());
        }
        Some((window, zone))
    }

    /// The cells between two of these where the one is in another zone than the other: windows may begin and end among them.
    pub(super) fn moves(&self, cells: &BTreeSet<Cell>) -> BTreeSet<Cell> {
        if self.named.agent.is_none() {
            return BTreeSet::new();
        }
        let next = cells.iter().skip(1);
        let pairs = cells.iter().zip(next);
        pairs
            .filter(|(one, other)| self.zone_at(one.start()) != self.zone_at(other.start()))
            .flat_map(|(one, other)| (one.0 + 1..other.0).map(Cell))
            .collect()
    }

    /// The windows of these cells, which are ascending, each with its zone.
    pub(super) fn windows_of(
        &self,
        tiling: &Tiling,
        cells: impl Iterator<Item = Cell>,
    ) -> BTreeMap<Window, ZoneOf> {
        let mut windows: BTreeMap<Window, ZoneOf> = BTreeMap::new();
        let mut last: Option<Window> = None;
        for cell in cells {
            if last.is_some_and(|window| window.start <= cell.start() && cell.end() <= window.end) {
                continue;
            }
            if let Some((window, zone)) = self.window_of(tiling, cell) {
                last = Some(window);
                windows.insert(window, zone);
            }
        }
        windows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use window::Size;

    fn at(text: &str) -> UtcMicros {
        // Only what the tests write: `2024-07-01T12:00`.
        let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
        let days = |year: i64, month: i64, day: i64| {
            let shifted = if month > 2 { year } else { year - 1 };
            let era = shifted.div_euclid(400);
            let of_era = shifted - era * 400;
            let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
            era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
        };
        let minutes = number(11..13) * 60 + number(14..16);
        UtcMicros((days(number(0..4), number(5..7), number(8..10)) * 1440 + minutes) * 60_000_000)
    }

    fn moved() -> Places {
        Places::read(
            "places = 1\n[[agent]]\nid = \"anna\"\nzone = \"Europe/Madrid\"\n[[agent]]\nid = \"anna\"\n\
             from = 2024-07-01T12:00:00Z\nzone = \"Asia/Tokyo\"\n",
        )
        .unwrap()
    }

    #[test]
    fn who_moves_has_two_windows_that_touch() {
        let places = moved();
        let by = GroupBy::parse("agent").unwrap();
        let named = Named::of(&by, &GroupKey::new([Some("anna")]));
        let clock = Clock {
            places: &places,
            tenant: "acme",
            named: &named,
            stated: Some("America/New_York"),
        };
        let day = Tiling {
            size: Size::Day,
            shift: None,
        };
        let (before, zone) = clock
            .window_of(&day, Cell::of(at("2024-07-01T11:50")))
            .unwrap();
        assert_eq!(zone.0.name(), "Europe/Madrid");
        assert_eq!(before.start, at("2024-06-30T22:00"));
        assert_eq!(before.end, at("2024-07-01T12:00"));
        let (after, zone) = clock
            .window_of(&day, Cell::of(at("2024-07-01T12:00")))
            .unwrap();
        assert_eq!(zone.0.name(), "Asia/Tokyo");
        assert_eq!(after.start, at("2024-07-01T12:00"));
        assert_eq!(after.end, at("2024-07-01T15:00"));
        let cells = Cell::range(at("2024-07-01T09:00"), at("2024-07-01T16:00"));
        let windows: Vec<Window> = clock.windows_of(&day, cells).into_keys().collect();
        assert_eq!(windows.len(), 3);
        assert!(windows.windows(2).all(|pair| pair[0].end == pair[1].start));
    }
}
