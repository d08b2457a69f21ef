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

#[cfg(test)]
mod tests {
    use super::NAME;
    use crate::testing::{Call, at};
    use crate::{Reason, RuleBook, ZoneSource};
    use schema::DurationKind::{Dialing, Hold, Talk, Wrap};
    use schema::State;

    const NEW_YORK: Option<&str> = Some("America/New_York");

    fn call() -> Call {
        Call::default().told(at(0).agent("anna", NEW_YORK).lasts(Talk, 60_000))
    }

    #[test]
    fn is_talk_hold_and_wrap_up_and_has_a_value_when_none_was_stated() {
        let told = call().told(
            at(9)
                .lasts(Hold, 500)
                .lasts(Wrap, 20_000)
                .lasts(Dialing, 7000),
        );
        assert_eq!(told.ended().seconds(NAME), Ok(80.5));
        let silent = Call::default().told(at(0).agent("anna", NEW_YORK)).ended();
        assert_eq!(silent.seconds(NAME), Ok(0.0));
        assert_eq!(silent.measured(NAME).metadata.reason, None);
    }

    #[test]
    fn the_last_disposition_decides_and_an_excluded_one_is_named() {
        let excluded = call()
            .ended()
            .told(at(70).disposition("IVR_SELF_SERVICE"))
            .measured(NAME);
        assert_eq!(excluded.value, Some(0.0));
        assert_eq!(excluded.metadata.reason, Some(Reason::ExcludedDisposition));
        assert_eq!(
            excluded.metadata.disposition.as_deref(),
            Some("IVR_SELF_SERVICE")
        );
        for last in ["RESOLVED", "", "ivr_self_service"] {
            let told = call()
                .told(at(80).disposition(last))
                .told(at(70).disposition("IVR_TRANSFER_EXTERNAL"));
            assert_eq!(told.ended().seconds(NAME), Ok(60.0), "{last:?}");
        }
    }

    #[test]
    fn hours_are_half_open_in_the_first_agents_zone() {
        // Ten in New York is the second told of here.
        let began = |second: i64, zone: &str| {
            Call::default()
                .told(at(second).state(State::Queued))
                .told(
                    at(second + 600)
                        .agent("anna", Some(zone))
                        .lasts(Talk, 60_000),
                )
                .told(at(second + 601).agent("bo", Some("Asia/Tokyo")))
                .told(at(second + 900).state(State::Completed))
                .measured(NAME)
        };
        let cases = [
            (-2 * 3600 - 1, "America/New_York", 0.0),
            (-2 * 3600, "America/New_York", 60.0),
            (8 * 3600 - 1, "America/New_York", 60.0),
            (8 * 3600, "America/New_York", 0.0),
            // 19:45 in Kathmandu.
            (0, "Asia/Kathmandu", 0.0),
            (-105 * 60 - 1, "Asia/Kathmandu", 60.0),
            (-105 * 60, "Asia/Kathmandu", 0.0),
        ];
        for (second, zone, seconds) in cases {
            let value = began(second, zone);
            assert_eq!(value.value, Some(seconds), "{zone} {second}");
            let outside = (seconds == 0.0).then_some(Reason::OutsideBusinessHours);
            assert_eq!(value.metadata.reason, outside, "{zone} {second}");
            assert_eq!(value.metadata.zone, Some(zone));
        }
    }

    #[test]
    fn without_a_zone_it_is_utc_and_says_so_and_an_unknown_zone_is_kept() {
        let zone = |zone| {
            let told = Call::default().told(at(0).agent("anna", zone).lasts(Talk, 1000));
            told.ended().measured(NAME).metadata
        };
        let none = zone(None);
        assert_eq!(
            (none.zone, none.zone_source),
            (Some("UTC"), Some(ZoneSource::None))
        );
        let unknown = zone(Some("Mars/Phobos"));
        assert_eq!(
            (unknown.zone, unknown.zone_source),
            (Some("UTC"), Some(ZoneSource::Unknown))
        );
        assert_eq!(unknown.zone_stated.as_deref(), Some("Mars/Phobos"));
        let known = zone(Some("us/eastern"));
        assert_eq!(known.zone_source, Some(ZoneSource::Agent));
        assert_eq!((known.zone, known.zone_stated), (NEW_YORK, None));
    }

    #[test]
    fn the_rules_default_zone_stands_in_for_a_missing_and_for_an_unknown_one() {
        let text = "[[version]]\nversion = 1\nbusiness_hours = { open = '08:00', close = '18:00' }\ndefault_zone = 'Asia/Kathmandu'";
        let book = RuleBook::from_toml(text).unwrap();
        for (zone, source) in [(None, ZoneSource::Rules), (Some("x"), ZoneSource::Unknown)] {
            let told = Call::default()
                .told(at(0).agent("anna", zone).lasts(Talk, 1000))
                .ended();
            let value = told.measured_by(&book, NAME);
            assert_eq!(value.value, Some(0.0));
            assert_eq!(value.metadata.zone, Some("Asia/Kathmandu"));
            assert_eq!(value.metadata.zone_source, Some(source));
        }
    }

    #[test]
    fn an_absurd_duration_withholds_it_only_where_it_would_count() {
        let absurd = || call().told(at(9).lasts(Hold, -1));
        assert_eq!(
            absurd().ended().seconds(NAME),
            Err(Reason::ImplausibleDuration)
        );
        let excluded = absurd().told(at(70).disposition("IVR_SELF_SERVICE"));
        assert_eq!(excluded.ended().seconds(NAME), Ok(0.0));
        let elsewhere = call().told(at(9).lasts(Dialing, -1));
        assert_eq!(elsewhere.ended().seconds(NAME), Ok(60.0));
    }
}
