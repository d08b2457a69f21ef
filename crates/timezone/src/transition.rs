//! The instants at which a zone's wall clock is put forward or back.

use crate::zone::{Kind, Zone, naive_utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use std::sync::OnceLock;

/// One change of a zone's offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transition {
    /// The first instant (µs UTC) with the new offset.
    pub at_micros: i64,
    /// Seconds to add to UTC just before.
    pub offset_before: i32,
    /// Seconds to add to UTC from then on.
    pub offset_after: i32,
}

impl Zone {
    /// The changes of the offset at instants in `[from_micros, to_micros)`, ascending. Changes of the zone's abbreviation or of what
    /// counts as summer time are none. The zone data know none after the year 2099.
    pub fn transitions(self, from_micros: i64, to_micros: i64) -> Vec<Transition> {
        let all = self.all_transitions();
        let from = all.partition_point(|transition| transition.at_micros < from_micros);
        let to = all.partition_point(|transition| transition.at_micros < to_micros);
        all.get(from..to).unwrap_or_default().to_vec()
    }

    /// Every change that the data know, ascending. Found once for each zone, then kept.
    pub(crate) fn all_transitions(self) -> &'static [Transition] {
        static FOUND: [OnceLock<Box<[Transition]>>; TZ_VARIANTS.len()] =
            [const { OnceLock::new() }; TZ_VARIANTS.len()];
        match self.0 {
            Kind::Named(tz) => FOUND
                .get(tz as usize)
                .map_or(&[], |found| found.get_or_init(|| find(tz))),
            Kind::Fixed(_) => &[],
        }
    }
}

/// Before the first change that the data know, in 1845, and after the last, in 2099.
const FIRST_SECOND: i64 = -4_300_000_000;
const LAST_SECOND: i64 = 4_200_000_000;

/// The library does not tell its list, so the offset is asked for at steps, and each difference searched for its second. No two changes
/// of the data are nearer than 6.9 days (Cambridge Bay in 2000), so that no step can hide two that cancel each other.
const STEP_SECONDS: i64 = 6 * 86_400;

fn find(tz: Tz) -> Box<[Transition]> {
    let zone = Zone(Kind::Named(tz));
    let offset_at = |second: i64| zone.offset_at(&naive_utc(second * 1_000_000));
    let mut found = Vec::new();
    let mut begin = FIRST_SECOND;
    let mut offset_before = offset_at(begin);
    while begin < LAST_SECOND {
        let end = begin + STEP_SECONDS;
        let offset_after = offset_at(end);
        if offset_after != offset_before {
            let (mut before, mut after) = (begin, end);
            while after - before > 1 {
                let middle = before + (after - before) / 2;
                if offset_at(middle) == offset_before {
                    before = middle;
                } else {
                    after = middle;
                }
            }
            found.push(Transition {
                at_micros: after * 1_000_000,
                offset_before,
                offset_after,
            });
        }
        (begin, offset_before) = (end, offset_after);
    }
    found.into()
}
