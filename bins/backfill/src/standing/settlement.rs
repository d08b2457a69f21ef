//! Settlement: which days are to be fetched again, because platforms revise what they have said. Pure.

use schema::UtcMicros;
use timezone::{Days, NaiveDate, NaiveTime, Side, Zone};

/// The most days whose settlement is made up for after nobody acted.
const MISSED_MAX: u64 = 14;

/// When which days are fetched again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// How many days after it each day is fetched again.
    pub(crate) days: Vec<u16>,
    /// At which local time.
    pub(crate) at: NaiveTime,
    /// Whose time, and whose days.
    pub(crate) zone: Zone,
}

/// A day to fetch again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Again {
    pub(crate) day: NaiveDate,
    pub(crate) offset: u16,
    pub(crate) from: UtcMicros,
    pub(crate) to: UtcMicros,
}

impl Again {
    /// What makes it one job however often and by whomever it is asked for.
    pub(crate) fn request(&self, platform: &str, source: &str) -> String {
        format!("{}{}+{}", prefix(platform, source), self.day, self.offset)
    }
}

/// What all requests of a platform and source begin with.
pub(crate) fn prefix(platform: &str, source: &str) -> String {
    format!("settlement/{platform}/{source}/")
}

/// The date on which a request was due, out of its id.
pub(crate) fn due_on(request: &str) -> Option<NaiveDate> {
    let (day, offset) = request.rsplit('/').next()?.split_once('+')?;
    let day: NaiveDate = day.parse().ok()?;
    day.checked_add_days(Days::new(offset.parse().ok()?))
}

impl Schedule {
    /// The date of the newest settlement that is due at an instant.
    pub(crate) fn newest(&self, now: UtcMicros) -> NaiveDate {
        let today = self.zone.local(now.0).date;
        // The clock may skip the time of day, or show it twice: the first instant at or after it counts.
        if now.0 >= self.zone.resolve(today, self.at, Side::Earliest) {
            today
        } else {
            today.pred_opt().unwrap_or(today)
        }
    }

    /// What is due: of the newest date, and of those since `last` that nobody saw to. Without a `last` it is the first time, and the past is
    /// left alone.
    pub(crate) fn due(&self, last: Option<NaiveDate>, now: UtcMicros) -> Vec<Again> {
        let newest = self.newest(now);
        let first = match last {
            // The last one, too: it may have been interrupted.
            Some(last) => last.min(newest).max(
                newest
                    .checked_sub_days(Days::new(MISSED_MAX))
                    .unwrap_or(newest),
            ),
            None => newest,
        };
        first
            .iter_days()
            .take_while(|date| *date <= newest)
            .flat_map(|date| self.of(date))
            .collect()
    }

    fn of(&self, date: NaiveDate) -> impl Iterator<Item = Again> {
        self.days.iter().filter_map(move |offset| {
            let day = date.checked_sub_days(Days::new(u64::from(*offset)))?;
            let (from, to) = self.zone.day(day);
            Some(Again {
                day,
                offset: *offset,
                from: UtcMicros(from),
                to: UtcMicros(to),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn schedule(zone: &str, days: &[u16]) -> Schedule {
        Schedule {
            days: days.to_vec(),
            at: NaiveTime::from_hms_opt(2, 30, 0).unwrap(),
            zone: Zone::parse(zone).unwrap(),
        }
    }

    fn instant(text: &str) -> UtcMicros {
        adapter::instant::parse(text).unwrap()
    }

    fn shown(due: &[Again]) -> Vec<String> {
        due.iter().map(|again| again.request("p", "s")).collect()
    }

    #[test]
    fn a_day_is_fetched_again_at_its_local_time_and_with_its_23_to_25_hours() {
        let berlin = schedule("Europe/Berlin", &[1, 4]);
        let before = berlin.due(None, instant("2024-05-10T00:29:59Z"));
        assert_eq!(
            shown(&before),
            ["settlement/p/s/2024-05-08+1", "settlement/p/s/2024-05-05+4"]
        );
        let due = berlin.due(None, instant("2024-05-10T00:30:00Z"));
        assert_eq!(
            shown(&due),
            ["settlement/p/s/2024-05-09+1", "settlement/p/s/2024-05-06+4"]
        );
        assert_eq!(
            (due[0].from, due[0].to),
            (
                instant("2024-05-08T22:00:00Z"),
                instant("2024-05-09T22:00:00Z")
            )
        );
        // 02:30 does not exist on the day before; that day has 23 hours.
        let skipped = berlin.due(None, instant("2024-04-01T00:30:00Z"));
        assert_eq!(skipped[0].to.0 - skipped[0].from.0, 23 * 3_600_000_000);
        assert_eq!(
            berlin.newest(instant("2024-03-31T00:59:59Z")).to_string(),
            "2024-03-30"
        );
        assert_eq!(
            berlin.newest(instant("2024-03-31T01:00:00Z")).to_string(),
            "2024-03-31"
        );
        // Twice on the day when it happens twice: the first counts.
        assert_eq!(
            berlin.newest(instant("2024-10-27T00:30:00Z")).to_string(),
            "2024-10-27"
        );
    }

    #[test]
    fn what_nobody_saw_to_is_made_up_for_within_bounds() {
        let utc = schedule("UTC", &[1]);
        let now = instant("2024-05-10T12:00:00Z");
        let last = due_on("settlement/p/s/2024-05-07+1");
        assert_eq!(last.unwrap().to_string(), "2024-05-08");
        assert_eq!(
            shown(&utc.due(last, now)),
            [
                "settlement/p/s/2024-05-07+1",
                "settlement/p/s/2024-05-08+1",
                "settlement/p/s/2024-05-09+1"
            ]
        );
        let ages_ago = due_on("settlement/p/s/2020-01-01+1");
        assert_eq!(utc.due(ages_ago, now).len(), 15);
        assert_eq!(due_on("settlement/p/s/other"), None);
    }

    proptest! {
        /// Whenever processes look, and whatever zone: each day is fetched once an offset, and none is left out.
        #[test]
        fn each_day_once(zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "+05:45"]),
                         pauses in proptest::collection::vec(1_i64..300_000, 2..80)) {
            let schedule = schedule(zone, &[1, 4]);
            let mut now = instant("2024-03-01T00:00:00Z");
            let mut asked: BTreeSet<String> = BTreeSet::new();
            let mut last = None;
            let mut first = None;
            for pause in pauses {
                now.0 += pause * SECOND;
                for again in schedule.due(last, now) {
                    prop_assert!(again.to <= now);
                    let request = again.request("p", "s");
                    last = last.max(due_on(&request));
                    first = first.or(due_on(&request));
                    asked.insert(request);
                }
            }
            let days = (last.unwrap() - first.unwrap()).num_days() + 1;
            prop_assert_eq!(asked.len(), usize::try_from(days).unwrap() * 2);
        }
    }

    const SECOND: i64 = 1_000_000;
}
