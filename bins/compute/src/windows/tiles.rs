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
    /// Where an agent moves within a window of the old or the new zone, it is cut at the quarter hour from which the new zone holds, also
    /// where the agent comes back later: each cell is in one window whatever happens. Another source of the same zone is no move.
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
        let same = |at: UtcMicros| self.zone_of(tiling, at).0 == zone.0;
        for moved in self.moved_at() {
            let before = Cell(moved.0 - 1).start();
            if moved <= cell && moved.start() > window.start && !same(before) {
                window.start = moved.start();
            } else if moved > cell && moved.start() < window.end && !same(moved.start()) {
                window.end = moved.start();
            }
        }
        let (_, source) = self.zone_of(tiling, window.start);
        Some((window, (zone.0, source)))
    }

    /// The cells from which another zone may hold, ascending.
    fn moved_at(&self) -> Vec<Cell> {
        let Some(agent) = self.named.agent.as_deref() else {
            return Vec::new();
        };
        let moves = self.places.moves(self.tenant, agent);
        let cells = moves.into_iter().map(|at| {
            let cell = Cell::of(UtcMicros(at));
            if cell.start().0 < at {
                Cell(cell.0 + 1)
            } else {
                cell
            }
        });
        cells.collect()
    }

    /// The cells between the first and the last of these on both sides of each move: windows may begin and end there.
    pub(super) fn moves(&self, cells: &BTreeSet<Cell>) -> BTreeSet<Cell> {
        let (Some(first), Some(last)) = (cells.first(), cells.last()) else {
            return BTreeSet::new();
        };
        let moves = self.moved_at().into_iter();
        let moves = moves.filter(|moved| first < moved && moved <= last);
        moves.flat_map(|moved| [Cell(moved.0 - 1), moved]).collect()
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

    fn clock<'a>(places: &'a Places, named: &'a Named) -> Clock<'a> {
        Clock {
            places,
            tenant: "acme",
            named,
            stated: Some("America/New_York"),
        }
    }

    fn anna() -> Named {
        let by = GroupBy::parse("agent").unwrap();
        Named::of(&by, &GroupKey::new([Some("anna")]))
    }

    #[test]
    fn who_comes_back_has_windows_that_touch_and_none_that_overlap() {
        let places = Places::read(
            "places = 1\n[[agent]]\nid = \"anna\"\nzone = \"Europe/Madrid\"\n[[agent]]\nid = \"anna\"\n\
             from = 2024-06-05\nzone = \"Asia/Tokyo\"\n[[agent]]\nid = \"anna\"\nfrom = 2024-06-10\nzone = \"Europe/Madrid\"\n\
             [[agent]]\nid = \"anna\"\nfrom = 2024-06-12T10:07:00Z\nzone = \"Asia/Tokyo\"\n[[agent]]\nid = \"anna\"\n\
             from = 2024-06-12T10:40:00Z\nzone = \"Europe/Madrid\"\n",
        )
        .unwrap();
        let named = anna();
        let clock = clock(&places, &named);
        for size in [Size::Day, Size::Week, Size::Month] {
            let tiling = Tiling { size, shift: None };
            let cells: Vec<Cell> =
                Cell::range(at("2024-05-25T00:00"), at("2024-07-08T00:00")).collect();
            let each: BTreeSet<Window> = cells
                .iter()
                .filter_map(|cell| Some(clock.window_of(&tiling, *cell)?.0))
                .collect();
            let each: Vec<Window> = each.into_iter().collect();
            assert!(
                each.windows(2).all(|pair| pair[0].end == pair[1].start),
                "{size:?}: {each:?}"
            );
            // Hour by hour they are found as well, where the moves are looked at besides.
            let some: BTreeSet<Cell> = cells.iter().copied().step_by(4).collect();
            let some: BTreeSet<Cell> = some.union(&clock.moves(&some)).copied().collect();
            let windows: Vec<Window> = clock
                .windows_of(&tiling, some.into_iter())
                .into_keys()
                .collect();
            assert_eq!(windows, each);
        }
        let month = Tiling {
            size: Size::Month,
            shift: None,
        };
        let late = clock.window_of(&month, Cell::of(at("2024-06-25T00:00")));
        assert_eq!(late.unwrap().0.start, at("2024-06-12T10:45"));
    }

    #[test]
    fn another_source_of_the_same_zone_is_no_move() {
        let places = Places::read(
            "places = 1\n[[organisation]]\nzone = \"Europe/Berlin\"\n[[agent]]\nid = \"anna\"\nfrom = 2024-07-10\n\
             zone = \"Europe/Berlin\"\n",
        )
        .unwrap();
        let named = anna();
        let clock = Clock {
            stated: None,
            ..clock(&places, &named)
        };
        let month = Tiling {
            size: Size::Month,
            shift: None,
        };
        let windows = ["2024-07-02T00:00", "2024-07-20T00:00"]
            .map(|text| clock.window_of(&month, Cell::of(at(text))).unwrap());
        assert_eq!(windows[0], windows[1]);
        assert_eq!(windows[0].0.start, at("2024-06-30T22:00"));
        assert_eq!(windows[0].1.1, ZoneSource::Organisation);
    }

    #[test]
    fn who_moves_has_two_windows_that_touch() {
        let places = moved();
        let named = anna();
        let clock = clock(&places, &named);
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
