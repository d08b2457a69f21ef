//! Every text that names a zone: the database's names, Windows' names, and offsets.

use crate::alias::renamed;
use crate::labels::{self, LABELS};
use crate::windows::WINDOWS;
use crate::zone::{Kind, Zone};
use chrono::{Offset, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use std::collections::HashMap;
use std::sync::OnceLock;

/// The farthest that any clock has been from UTC in our time.
pub(crate) const FIXED_MAX_MINUTES: i16 = 14 * 60;

/// No name is longer. What is longer is not worth folding.
const NAME_MAX_BYTES: usize = 64;

/// Every name of the zone database compiled in, legacy ones and links too, ascending. [`Zone::parse`] takes each of them.
pub fn all_names() -> impl ExactSizeIterator<Item = &'static str> {
    TZ_VARIANTS.iter().map(|tz| tz.name())
}

/// The zone for a text without blanks around it.
pub(crate) fn find(text: &str) -> Option<Zone> {
    let names = Names::get();
    // As it is written in nearly all cases; else without regard to case; an offset is no name.
    if let Some(zone) = names.exact.get(text) {
        return Some(*zone);
    }
    if let Some(label) = labels::behind_offset(text).filter(|text| text.len() <= NAME_MAX_BYTES) {
        return names.labels.get(fold(label).as_str()).copied();
    }
    if text.len() > NAME_MAX_BYTES {
        return None;
    }
    names
        .folded
        .get(fold(text).as_str())
        .copied()
        .or_else(|| fixed(text))
}

/// The name of a fixed offset, made when it is first asked for and then kept: there are less than 1,700.
pub(crate) fn of_fixed(minutes: i16) -> &'static str {
    const SLOTS: usize = 2 * FIXED_MAX_MINUTES as usize + 1;
    static NAMES: [OnceLock<Box<str>>; SLOTS] = [const { OnceLock::new() }; SLOTS];
    usize::try_from(minutes + FIXED_MAX_MINUTES)
        .ok()
        .and_then(|slot| NAMES.get(slot))
        .map_or("UTC", |name| {
            name.get_or_init(|| {
                let sign = if minutes < 0 { '-' } else { '+' };
                let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
                format!("{sign}{hours:02}:{minutes:02}").into()
            })
        })
}

/// Built once, only looked up.
struct Names {
    /// As the database and Windows write them.
    exact: HashMap<&'static str, Zone>,
    /// The same, [folded](fold).
    folded: HashMap<String, Zone>,
    /// What Windows shows, [folded](fold): only behind an offset in brackets, for "Samoa" alone is another zone's name.
    labels: HashMap<String, Zone>,
}

impl Names {
    fn get() -> &'static Self {
        static NAMES: OnceLock<Names> = OnceLock::new();
        NAMES.get_or_init(|| {
            let mut exact = HashMap::with_capacity(TZ_VARIANTS.len() + WINDOWS.len());
            for tz in TZ_VARIANTS {
                let in_use = renamed(&tz.name().to_ascii_lowercase());
                let in_use = in_use.and_then(|name| name.parse().ok());
                exact.insert(tz.name(), of_database(in_use.unwrap_or(tz)));
            }
            for (windows, iana) in WINDOWS {
                if let Some(zone) = exact.get(iana) {
                    exact.insert(*windows, *zone);
                }
            }
            let labels = LABELS
                .iter()
                .filter_map(|(label, windows)| Some((fold(label), *exact.get(windows)?)))
                .collect();
            let folded = exact.iter().map(|(name, zone)| (fold(name), *zone));
            Self {
                folded: folded.collect(),
                labels,
                exact,
            }
        })
    }
}

/// Etc/GMT-2 and its like become the fixed offsets that they are.
fn of_database(tz: Tz) -> Zone {
    if tz != Tz::UTC && tz.name().starts_with("Etc/") {
        let seconds = tz.offset_from_utc_datetime(&chrono::NaiveDateTime::default());
        if let Ok(minutes) = i16::try_from(seconds.fix().local_minus_utc() / 60) {
            return of_minutes(minutes);
        }
    }
    Zone(Kind::Named(tz))
}

fn of_minutes(minutes: i16) -> Zone {
    match minutes {
        0 => Zone::UTC,
        _ => Zone(Kind::Fixed(minutes)),
    }
}

/// Lower case, and one `_` for blanks between words: people write "america/new york" too.
fn fold(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    for word in name.split_whitespace() {
        if !folded.is_empty() {
            folded.push('_');
        }
        folded.extend(word.chars().map(|c| c.to_ascii_lowercase()));
    }
    folded
}

/// `Z`, `+5`, `+05`, `+0530`, `+05:30`, each also after `UTC` or `GMT`. The sign is that of ISO 8601: ahead of UTC is positive.
fn fixed(text: &str) -> Option<Zone> {
    if text.eq_ignore_ascii_case("Z") {
        return Some(Zone::UTC);
    }
    let after_prefix = ["UTC", "GMT"].iter().find_map(|prefix| {
        let (start, rest) = text.split_at_checked(prefix.len())?;
        start
            .eq_ignore_ascii_case(prefix)
            .then(|| rest.trim_start())
    });
    let mut characters = after_prefix.unwrap_or(text).chars();
    let sign = match characters.next()? {
        '+' => 1,
        // The second is the minus sign of typesetting.
        '-' | '\u{2212}' => -1,
        _ => return None,
    };
    let digits = characters.as_str();
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        Some(_) => return None,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
    };
    if !(1..=2).contains(&hours.len()) {
        return None;
    }
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<i16>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= FIXED_MAX_MINUTES).then(|| of_minutes(sign * total))
}
