//! `adjusted_aht`: the handle time that counts towards adjusted average handle time, in seconds.
//!
//! **Definition**, the classic rule. Zero when the last disposition on the timeline is an excluded one; zero when the interaction
//! began outside the business hours of the first agent's time zone; otherwise talk + hold + wrap-up, where a duration that nobody
//! stated counts as nothing. So it always has a value once the interaction is terminal, and a zero by rule says so in
//! `metadata.reason` (`excluded_disposition` or `outside_business_hours`).
//!
//! **Zone.** That of the first agent on the timeline, as first stated. Without one the rules' default zone, else UTC;
//! `metadata.zone` and `metadata.zone_source` say which, and an unknown one is kept in `metadata.zone_stated`.
//!
//! **Absent** only when a duration that it would add up is negative or beyond 400 days (`implausible_duration`).
//!
//! Average this only together with the knowledge that excluded interactions are in it as zeros: that is what the classic rule does.
//! [`handle_time`](super::handle_time) is the measure without exclusions.

use super::{Measured, Sum, sum};
use crate::rules::Rules;
use crate::value::{Metadata, Reason, ZoneSource};
use compact_str::CompactString;
use schema::{DurationKind, Millis};
use session::Timeline;
use timezone::Zone;

/// The metric's name.
pub const NAME: &str = "adjusted_aht";

const PARTS: [DurationKind; 3] = [DurationKind::Talk, DurationKind::Hold, DurationKind::Wrap];

pub(super) fn measure(timeline: &Timeline<'_>, rules: &Rules) -> Measured {
    let place = place(timeline, rules);
    let mut metadata = Metadata {
        zone: Some(place.zone.name()),
        zone_source: Some(place.source),
        zone_stated: place.unknown.cloned(),
        ..Metadata::default()
    };
    let disposition = timeline.disposition().filter(|stated| {
        rules
            .excluded_dispositions
            .iter()
            .any(|excluded| excluded == stated)
    });
    let value = if let Some(disposition) = disposition {
        metadata.reason = Some(Reason::ExcludedDisposition);
        metadata.disposition = Some(disposition.into());
        Ok(Millis::ZERO)
    } else if !began_inside_hours(timeline, rules, place.zone) {
        metadata.reason = Some(Reason::OutsideBusinessHours);
        Ok(Millis::ZERO)
    } else {
        match sum(timeline, &PARTS) {
            Sum::Stated(total, _) => Ok(total),
            Sum::Implausible(stated) => {
                metadata.stated_ms = Some(stated.0);
                Err(Reason::ImplausibleDuration)
            }
        }
    };
    Measured {
        value,
        metadata,
        zoned: true,
    }
}

struct Place<'a> {
    zone: Zone,
    source: ZoneSource,
    unknown: Option<&'a CompactString>,
}

fn place<'a>(timeline: &Timeline<'a>, rules: &Rules) -> Place<'a> {
    let stated = timeline
        .first_agent()
        .and_then(|(agent, _)| agent.zone.as_ref());
    let fallback = rules.default_zone.unwrap_or(Zone::UTC);
    match stated.map(|text| (text, Zone::parse(text))) {
        Some((_, Ok(zone))) => Place {
            zone,
            source: ZoneSource::Agent,
            unknown: None,
        },
        Some((text, Err(_))) => Place {
            zone: fallback,
            source: ZoneSource::Unknown,
            unknown: Some(text),
        },
        None => Place {
            zone: fallback,
            source: if rules.default_zone.is_some() {
                ZoneSource::Rules
            } else {
                ZoneSource::None
            },
            unknown: None,
        },
    }
}

fn began_inside_hours(timeline: &Timeline<'_>, rules: &Rules, zone: Zone) -> bool {
    match (rules.business_hours, timeline.start()) {
        (Some(hours), Some(start)) => hours.contains(zone.local(start.0).minute_of_day()),
        _ => true,
    }
}
