//! A schedule from its document.

use super::Schedule;
use super::hours::{DAY_MINUTES, Day, Hours, Season, Span, Week, number};
use crate::document::{DocumentProblem, Members, Problems, read};
use std::collections::BTreeMap;
use toml::Spanned;

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Names for several weekdays, from the widest, with the numbers of the days (0 is Monday). What comes later replaces.
const SHORTHANDS: [(&str, std::ops::Range<usize>); 3] =
    [("everyday", 0..7), ("weekdays", 0..5), ("weekend", 5..7)];

pub(super) fn schedule(text: &str) -> Result<Schedule, Vec<DocumentProblem>> {
    read(text, |document, problems| {
        document.only(
            &[
                "schedule",
                "version",
                "zone",
                "valid_from",
                "valid_to",
                "round_the_clock",
                "weekly",
                "holiday",
                "exception",
                "season",
            ],
            problems,
        );
        let name = name(document, problems);
        let version = document.version("version", problems);
        let zone = document.zone("zone", problems);
        let valid = range(document, "valid_from", "valid_to", problems);
        let week = week(document, problems);
        let seasons = seasons(document, problems);
        let dates = dates(document, problems);
        Some(Schedule {
            name: name?,
            version: version?,
            zone,
            hours: Hours::new(week, seasons, dates, valid),
        })
    })
}

fn name(document: Members<'_>, problems: &mut Problems) -> Option<String> {
    document.must_have("schedule", problems);
    let name = document.text("schedule", problems)?;
    let text = *name.get_ref();
    let fits = text.len() <= 63
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if !fits {
        let message = "a name has lower-case letters, digits and _, begins with a letter and is not longer than 63";
        problems.add(name.span().start, message);
        return None;
    }
    Some(text.to_owned())
}

/// Two dates, the second not part of what they enclose.
fn range(
    table: Members<'_>,
    from: &str,
    to: &str,
    problems: &mut Problems,
) -> (Option<Day>, Option<Day>) {
    let begin = table.date(from, problems);
    let end = table.date(to, problems);
    if let (Some(begin), Some(end)) = (&begin, &end)
        && begin.get_ref() >= end.get_ref()
    {
        let message =
            format!("`{to}` must be after `{from}`: it is the first date that is no longer part");
        problems.add(end.span().start, message);
    }
    let day = |date: Option<Spanned<_>>| date.map(|date| number(date.into_inner()));
    (day(begin), day(end))
}

/// `[weekly]` or `round_the_clock` of the document or of a season.
fn week(table: Members<'_>, problems: &mut Problems) -> Week {
    let round_the_clock = table.flag("round_the_clock", problems);
    let weekly = table.table("weekly", problems);
    match (round_the_clock, weekly) {
        (Some(flag), None) if *flag.get_ref() => {
            Week::new(std::array::from_fn(|_| vec![Span::WHOLE_DAY]))
        }
        (Some(flag), Some(_)) if *flag.get_ref() => {
            problems.add(
                flag.span().start,
                "round the clock leaves nothing for [weekly] to say: leave one of them out",
            );
            Week::CLOSED
        }
        (_, Some(weekly)) => weekly_hours(weekly, problems),
        (flag, None) => {
            // Where one of them is there and wrong, that has been said.
            let wrong = table.has("weekly") || flag.is_none() && table.has("round_the_clock");
            if !wrong {
                problems.add(
                    table.at,
                    "hours are missing: [weekly] or `round_the_clock = true` is needed",
                );
            }
            Week::CLOSED
        }
    }
}

fn weekly_hours(weekly: Members<'_>, problems: &mut Problems) -> Week {
    let shorthands = SHORTHANDS.map(|(name, _)| name);
    weekly.only(&[shorthands.as_slice(), &WEEKDAYS].concat(), problems);
    let mut days = [const { Vec::new() }; 7];
    let single = WEEKDAYS.into_iter().zip((0..7).map(|day| day..day + 1));
    for (name, numbers) in SHORTHANDS.into_iter().chain(single) {
        if let Some(hours) = spans(weekly, name, problems) {
            days[numbers].fill(hours);
        }
    }
    Week::new(days)
}

fn seasons(document: Members<'_>, problems: &mut Problems) -> Vec<Season> {
    let mut seasons = Vec::<(usize, Season)>::new();
    for table in document.tables("season", problems) {
        table.only(
            &["name", "from", "to", "round_the_clock", "weekly"],
            problems,
        );
        // Names of seasons and dates are for people; a wrong type is a slip nevertheless.
        let _name = table.text("name", problems);
        table.must_have("from", problems);
        table.must_have("to", problems);
        let dates = range(table, "from", "to", problems);
        let week = week(table, problems);
        if let (Some(from), Some(to)) = dates {
            seasons.push((table.at, Season { from, to, week }));
        }
    }
    seasons.sort_by_key(|(_, season)| season.from);
    for pair in seasons.windows(2) {
        if let [(_, earlier), (at, later)] = pair
            && later.from < earlier.to
        {
            problems.add(*at, "this season begins before another has ended");
        }
    }
    seasons.into_iter().map(|(_, season)| season).collect()
}

/// The hours of holidays and exceptions.
fn dates(document: Members<'_>, problems: &mut Problems) -> BTreeMap<Day, Vec<Span>> {
    let mut dates = BTreeMap::new();
    let holidays = document.tables("holiday", problems).into_iter();
    let exceptions = document.tables("exception", problems);
    let holidays = holidays.map(|table| (table, false));
    for (table, has_hours) in holidays.chain(exceptions.into_iter().map(|table| (table, true))) {
        let hours = if has_hours {
            table.only(&["date", "name", "open"], problems);
            table.must_have("open", problems);
            spans(table, "open", problems)
        } else {
            table.only(&["date", "name"], problems);
            Some(Vec::new())
        };
        let _name = table.text("name", problems);
        table.must_have("date", problems);
        let Some(date) = table.date("date", problems) else {
            continue;
        };
        let day = number(*date.get_ref());
        if dates.insert(day, hours.unwrap_or_default()).is_some() {
            let message = format!("{} has a holiday or an exception already", date.get_ref());
            problems.add(date.span().start, message);
        }
    }
    dates
}

/// The spans of one day. Overlaps are a slip of the author's; spans that touch are not.
fn spans(table: Members<'_>, name: &str, problems: &mut Problems) -> Option<Vec<Span>> {
    let texts = table.texts(name, problems)?;
    let mut spans = Vec::new();
    for text in texts.into_inner() {
        match span(text.get_ref()) {
            Ok(span) => spans.push((span, text)),
            Err(message) => problems.add(text.span().start, message),
        }
    }
    spans.sort_by_key(|(span, _)| *span);
    for pair in spans.windows(2) {
        if let [(earlier, one), (later, other)] = pair
            && later.open < earlier.close
        {
            problems.add(
                other.span().start,
                format!("{} overlaps {}", other.get_ref(), one.get_ref()),
            );
        }
    }
    Some(spans.into_iter().map(|(span, _)| span).collect())
}

fn span(text: &str) -> Result<Span, String> {
    let wanted = || format!("{text:?} is no span of hours such as 08:00-12:30 or 22:00-06:00");
    let (open, close) = text.split_once('-').ok_or_else(wanted)?;
    let minute = |text: &str| minute_of_day(text.trim()).ok_or_else(wanted);
    let (open, close) = (minute(open)?, minute(close)?);
    if open == close {
        return Err(format!(
            "{text:?} ends as it begins; a whole day is 00:00-24:00"
        ));
    }
    if open == DAY_MINUTES {
        return Err(format!(
            "{text:?} begins at the end of the day; 00:00 of the next is meant"
        ));
    }
    let overnight = if close < open { DAY_MINUTES } else { 0 };
    Ok(Span {
        open,
        close: close + overnight,
    })
}

/// `00:00` to `24:00`.
fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let two_digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        two_digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY_MINUTES).then_some(total)
}
