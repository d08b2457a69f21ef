//! What holds for every zone, schedule and instant: business time counted minute by minute, its sums, and that nothing panics.

use crate::{HOUR, date, utc};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write;
use timezone::{NaiveDate, Places, Schedule, Zone};

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * HOUR;

/// Hours of one date: minutes since its 00:00, the end above 1440 on the next date.
type Spans = Vec<(i64, i64)>;

/// A schedule as the test sees it.
#[derive(Debug, Clone)]
struct Model {
    week: [Spans; 7],
    /// First date, and the first one after it.
    season: Option<(NaiveDate, NaiveDate, [Spans; 7])>,
    dates: BTreeMap<NaiveDate, Option<Spans>>,
    valid_from: Option<NaiveDate>,
    valid_to: Option<NaiveDate>,
}

impl Model {
    fn on(&self, day: NaiveDate) -> Spans {
        use chrono::Datelike;
        if self.valid_from.is_some_and(|from| day < from)
            || self.valid_to.is_some_and(|to| day >= to)
        {
            return Spans::new();
        }
        if let Some(spans) = self.dates.get(&day) {
            return spans.clone().unwrap_or_default();
        }
        let weekday = day.weekday().num_days_from_monday() as usize;
        match &self.season {
            Some((from, to, week)) if (*from..*to).contains(&day) => week[weekday].clone(),
            _ => self.week[weekday].clone(),
        }
    }

    fn document(&self) -> String {
        let mut text = String::from("schedule = \"model\"\nversion = 1\n");
        for (name, date) in [("valid_from", self.valid_from), ("valid_to", self.valid_to)] {
            if let Some(date) = date {
                writeln!(text, "{name} = {date}").unwrap();
            }
        }
        write_week(&mut text, "weekly", &self.week);
        for (date, spans) in &self.dates {
            match spans {
                None => writeln!(text, "[[holiday]]\ndate = {date}"),
                Some(spans) => writeln!(
                    text,
                    "[[exception]]\ndate = {date}\nopen = {}",
                    texts(spans)
                ),
            }
            .unwrap();
        }
        if let Some((from, to, week)) = &self.season {
            writeln!(text, "[[season]]\nfrom = {from}\nto = {to}").unwrap();
            write_week(&mut text, "season.weekly", week);
        }
        text
    }

    fn schedule(&self) -> Schedule {
        let text = self.document();
        Schedule::read(&text).unwrap_or_else(|problems| panic!("{text}\n{problems:?}"))
    }
}

fn write_week(text: &mut String, name: &str, week: &[Spans; 7]) {
    let days = "monday tuesday wednesday thursday friday saturday sunday";
    writeln!(text, "[{name}]").unwrap();
    for (day, spans) in days.split(' ').zip(week) {
        writeln!(text, "{day} = {}", texts(spans)).unwrap();
    }
}

fn texts(spans: &Spans) -> String {
    let clock = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
    let text = |(open, close): &(i64, i64)| {
        let close = if *close > 1_440 {
            close - 1_440
        } else {
            *close
        };
        format!("{}-{}", clock(*open), clock(close))
    };
    format!("{:?}", spans.iter().map(text).collect::<Vec<_>>())
}

/// Up to two spans within the date and perhaps one into the next.
fn spans() -> impl Strategy<Value = Spans> {
    let minute = || prop_oneof![(0..=24_i64).prop_map(|hour| hour * 60), 0..=1_440_i64];
    (vec(minute(), 0..6), prop::bool::weighted(0.3), minute()).prop_map(
        |(mut points, overnight, end)| {
            points.sort_unstable();
            points.dedup();
            let mut spans: Spans = points
                .chunks_exact(2)
                .map(|pair| (pair[0], pair[1]))
                .collect();
            let begin = points.last().copied().unwrap_or(1_320);
            if overnight && points.len() % 2 == 1 && begin < 1_440 && end < begin {
                spans.push((begin, end + 1_440));
            }
            spans
        },
    )
}

fn week() -> impl Strategy<Value = [Spans; 7]> {
    prop::array::uniform7(spans())
}

/// A schedule whose irregularities lie around a date.
fn model(around: NaiveDate) -> impl Strategy<Value = Model> {
    let near = move || (-12..12_i64).prop_map(move |days| around + chrono::TimeDelta::days(days));
    let season = (near(), 1..15_i64, week())
        .prop_map(|(from, days, week)| (from, from + chrono::TimeDelta::days(days), week));
    (
        week(),
        prop::option::weighted(0.3, season),
        btree_map(near(), prop::option::of(spans()), 0..4),
        prop::option::weighted(0.2, near()),
        prop::option::weighted(0.2, near()),
    )
        .prop_map(|(week, season, dates, valid_from, valid_to)| Model {
            week,
            season,
            dates,
            valid_to: valid_to.filter(|to| valid_from.is_none_or(|from| from < *to)),
            valid_from,
        })
}

/// Any zone, and an instant from 1973 on (whole minutes), half of the time at a change of its clock.
fn zone_and_instant() -> impl Strategy<Value = (Zone, i64)> {
    let names: Vec<_> = timezone::all_names().chain(["+05:45", "-03:00"]).collect();
    let second = 94_694_400..2_145_916_800_i64;
    (prop::sample::select(names), second, any::<bool>()).prop_map(|(name, second, at_change)| {
        let zone = Zone::parse(name).unwrap();
        let instant = second / 60 * MINUTE;
        let change = zone.transitions(instant, utc("2038-01-01T00:00Z"));
        match change.first() {
            Some(change) if at_change => (zone, change.at_micros),
            _ => (zone, instant),
        }
    })
}

fn case() -> impl Strategy<Value = (Zone, i64, Model)> {
    zone_and_instant().prop_flat_map(|(zone, instant)| {
        (Just(zone), Just(instant), model(zone.local(instant).date))
    })
}

/// For each minute of ±10 days around an instant the date whose span holds then, found by looking at the clock each minute.
fn minute_by_minute(zone: Zone, around: i64, model: &Model) -> (i64, Vec<Option<NaiveDate>>) {
    let begin = around - 10 * DAY;
    let instants = (0..20 * 1_440).map(|minute| begin + minute * MINUTE);
    let epoch = date("1970-01-01");
    let clock: Vec<i64> = instants
        .map(|instant| {
            let local = zone.local(instant);
            (local.date - epoch).num_days() * 1_440 + i64::from(local.minute_of_day())
        })
        .collect();
    let mut open = vec![None; clock.len()];
    let centre = zone.local(around).date;
    for day in (centre - chrono::TimeDelta::days(8)).iter_days().take(17) {
        let midnight = (day - epoch).num_days() * 1_440;
        for (from, to) in model.on(day) {
            let first = clock.iter().position(|clock| *clock >= midnight + from);
            let last = clock.iter().rposition(|clock| *clock < midnight + to);
            for minute in &mut open[first.unwrap()..=last.unwrap()] {
                minute.get_or_insert(day);
            }
        }
    }
    (begin, open)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn business_time_is_what_is_counted_minute_by_minute(
        (zone, around, model) in case(),
        intervals in vec((-6 * 1_440..6 * 1_440_i64, 0..3 * 1_440_i64), 20),
    ) {
        let schedule = model.schedule();
        let (begin, open) = minute_by_minute(zone, around, &model);
        for (from, length) in intervals {
            let from = from + 10 * 1_440;
            let to = (from + length).min(17 * 1_440);
            let instant = |minute: i64| begin + minute * MINUTE;
            let minutes = usize::try_from(from).unwrap()..usize::try_from(to).unwrap();
            let counted = open[minutes.clone()].iter().flatten().count();
            prop_assert_eq!(
                schedule.business_micros(zone, instant(from), instant(to)),
                i64::try_from(counted).unwrap() * MINUTE,
                "{} {} {}\n{}", zone, crate::show(instant(from)), crate::show(instant(to)), model.document()
            );
            for minute in [minutes.start, minutes.end] {
                let at = begin + i64::try_from(minute).unwrap() * MINUTE + 59_999_999;
                prop_assert_eq!(schedule.opened_on(zone, at), open[minute], "{} {}", zone, crate::show(at));
                prop_assert_eq!(schedule.contains(zone, at), open[minute].is_some());
            }
        }
    }

    #[test]
    fn business_time_adds_up_over_any_split_and_an_instant_is_inside_or_not(
        (zone, around, model) in case(),
        reach in prop_oneof![Just(DAY), Just(60 * DAY), Just(4_000 * DAY)],
        cuts in vec(any::<i64>(), 3..12),
    ) {
        let schedule = model.schedule();
        let mut cuts: Vec<i64> = cuts.into_iter().map(|cut| around + cut % reach).collect();
        cuts.sort_unstable();
        let part = |pair: &[i64]| schedule.business_micros(zone, pair[0], pair[1]);
        let parts: i64 = cuts.windows(2).map(part).sum();
        let ends = [cuts[0], cuts[cuts.len() - 1]];
        prop_assert_eq!(parts, part(&ends));
        prop_assert!((0..=ends[1] - ends[0]).contains(&parts));
        for at in cuts {
            let inside = schedule.contains(zone, at);
            prop_assert_eq!(inside, part(&[at, at + 1]) == 1, "{} {}", zone, at);
            prop_assert_eq!(inside, schedule.opened_on(zone, at).is_some());
        }
    }

    /// The short way through quiet weeks, against exceptions everywhere that say what the week says anyway.
    #[test]
    fn quiet_weeks_are_counted_as_span_by_span(
        (zone, around, model) in case(),
        from in -300 * DAY..0, to in 0..300 * DAY,
    ) {
        let plain = model.schedule();
        let mut spelt_out = model.clone();
        for day in (zone.local(around).date - chrono::TimeDelta::days(310)).iter_days().take(620).step_by(2) {
            let spans = model.on(day);
            spelt_out.dates.entry(day).or_insert(Some(spans));
        }
        let spelt_out = spelt_out.schedule();
        prop_assert_eq!(
            plain.business_micros(zone, around + from, around + to),
            spelt_out.business_micros(zone, around + from, around + to)
        );
        for at in [around + from, around, around + to] {
            prop_assert_eq!(plain.contains(zone, at), spelt_out.contains(zone, at));
        }
    }

    /// They are what is open, in whole stretches that do not depend on what is asked for.
    #[test]
    fn spans_are_the_open_stretches(
        (zone, around, model) in case(),
        from in -8 * DAY..8 * DAY, length in 1..8 * DAY,
        cut in any::<prop::sample::Index>(), short in 1..2 * DAY,
    ) {
        let schedule = model.schedule();
        let (from, to) = (around + from, around + from + length);
        let spans = schedule.spans(zone, from, to);
        prop_assert!(spans.iter().all(|(begin, end)| begin < end && *begin < to && *end > from));
        prop_assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        let open: i64 = spans.iter().map(|(begin, end)| *end.min(&to) - *begin.max(&from)).sum();
        prop_assert_eq!(open, schedule.business_micros(zone, from, to));
        for (begin, end) in &spans {
            prop_assert!(schedule.contains(zone, *begin) && schedule.contains(zone, *end - 1));
        }
        let begin = from + i64::try_from(cut.index(usize::try_from(length).unwrap())).unwrap();
        let end = (begin + short).min(to);
        let part = spans.into_iter().filter(|span| span.0 < end && span.1 > begin);
        prop_assert_eq!(schedule.spans(zone, begin, end), part.collect::<Vec<_>>(), "{}", model.document());
    }

    #[test]
    fn no_instant_is_too_much_for_a_schedule((zone, _, model) in case(), from in any::<i64>(), to in any::<i64>()) {
        let schedule = model.schedule();
        let open = schedule.business_micros(zone, from, to);
        prop_assert!(open >= 0 && open <= to.saturating_sub(from).max(0));
        let _ = (schedule.contains(zone, from), schedule.opened_on(zone, to));
        let transitions = zone.transitions(from, to);
        prop_assert!(transitions.iter().all(|change| (from..to).contains(&change.at_micros)));
    }
}

/// Texts near enough to a document to get far, and any text.
fn broken(document: &'static str) -> impl Strategy<Value = String> {
    let cut = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        "\\PC{0,6}",
    )
        .prop_map(move |(from, to, instead)| {
            let characters: Vec<char> = document.chars().collect();
            let (from, to) = (from.index(characters.len()), to.index(characters.len()));
            let kept = characters.iter().take(from).copied();
            kept.chain(instead.chars())
                .chain(characters.iter().skip(to.max(from)).copied())
                .collect()
        });
    prop_oneof![3 => cut, 1 => any::<String>()]
}

const SCHEDULE: &str = r#"
schedule = "a"
version = 1
zone = "Europe/Rome"
valid_from = 2024-01-01
[weekly]
monday = ["08:00-12:00", "22:00-06:00"]
[[holiday]]
date = 2024-12-25
[[exception]]
date = 2024-12-24
open = ["08:00-12:00"]
[[season]]
from = 2024-07-01
to = 2024-09-01
round_the_clock = true
"#;

const PLACES: &str = r#"
places = 1
[[organisation]]
tenant = "a"
zone = "UTC"
[[queue]]
id = "q"
zone = "+01:00"
[[agent]]
id = "b"
from = 2024-01-01T00:00:00Z
zone = "Asia/Tokyo"
team = "t"
[[team]]
id = "t"
[[attribute]]
name = "site"
value = "c"
zone = "UTC"
"#;

proptest! {
    #[test]
    fn any_text_is_a_zone_or_an_error(text in prop_oneof![any::<String>(), "(UTC|GMT)?[-+]?[0-9:]{0,6}", "\\PC{0,70}"]) {
        match Zone::parse(&text) {
            Ok(zone) => prop_assert_eq!(Zone::parse(zone.name()), Ok(zone)),
            Err(error) => prop_assert!(error.text.chars().eq(text.chars().take(100))),
        }
    }

    #[test]
    fn any_text_is_a_schedule_or_has_problems_within_it(text in broken(SCHEDULE)) {
        if let Err(problems) = Schedule::read(&text) {
            prop_assert!(!problems.is_empty());
            let lines = text.split('\n').count();
            for problem in problems {
                let (line, column) = (problem.line as usize, problem.column as usize);
                prop_assert!((1..=lines).contains(&line), "{}", problem);
                let longest = text.split('\n').nth(line - 1).unwrap().chars().count();
                prop_assert!((1..=longest + 1).contains(&column), "{}", problem);
            }
        }
    }

    #[test]
    fn any_text_is_places_or_has_problems(text in broken(PLACES)) {
        if let Err(problems) = Places::read(&text) {
            prop_assert!(!problems.is_empty());
        }
    }
}
