//! What files are called.

use crate::{LayoutVersion, Revision};
use std::fmt::Write as _;
use timezone::Zone;
use window::Window;

/// A template of names: literal parts and members in braces. Names are paths with `/`, never absolute, never upwards.
///
/// | member | is |
/// | --- | --- |
/// | `{client}` `{tenant}` `{feed}` | the receiver, the organisation, the feed |
/// | `{layout}` | the version of the layout |
/// | `{interval}` | `15m`, `30m`, `60m` or `day` |
/// | `{start}` `{end}` | the interval's edges in UTC, `20261025T003000Z` |
/// | `{local}` | its start by the receiver's clock, with the offset, `20261025T023000+0200` |
/// | `{date}` | its local date, `2026-10-25` |
/// | `{revision}` | the revision, from 1 |
/// | `{ext}` | `csv` or `parquet` |
///
/// The start (in UTC or with its offset) and the revision must be in it, so that no two files of a feed have one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Member(Member),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Client,
    Tenant,
    Feed,
    Layout,
    Interval,
    Start,
    End,
    Local,
    Date,
    Revision,
    Extension,
}

const MEMBERS: [(&str, Member); 11] = [
    ("client", Member::Client),
    ("tenant", Member::Tenant),
    ("feed", Member::Feed),
    ("layout", Member::Layout),
    ("interval", Member::Interval),
    ("start", Member::Start),
    ("end", Member::End),
    ("local", Member::Local),
    ("date", Member::Date),
    ("revision", Member::Revision),
    ("ext", Member::Extension),
];

/// What a name is made of.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The receiver.
    pub client: &'a str,
    /// The organisation.
    pub tenant: &'a str,
    /// The feed.
    pub feed: &'a str,
    /// The size of its intervals.
    pub size: &'a str,
    /// The version of its layout.
    pub layout: LayoutVersion,
    /// The receiver's clock.
    pub zone: Zone,
    /// What it ends in.
    pub extension: &'a str,
    /// The interval and its revision; none: only what comes before the first member that depends on them.
    pub what: Option<(Window, Revision)>,
}

impl FileName {
    /// What files are called where a feed does not say.
    pub const USUAL: &'static str = "{client}/{feed}/v{layout}/{date}/{start}_r{revision}.{ext}";

    /// From its text; all that is wrong with it otherwise.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let (parts, mut problems) = split(text);
        let has = |wanted: &[Member]| {
            parts
                .iter()
                .any(|part| matches!(part, Part::Member(member) if wanted.contains(member)))
        };
        if !has(&[Member::Start, Member::Local]) {
            problems.push("it needs {start} or {local}: intervals would have one name".to_owned());
        }
        if !has(&[Member::Revision]) {
            problems.push(
                "it needs {revision}: a correction would have the name of what it corrects"
                    .to_owned(),
            );
        }
        let mut apart = true;
        for part in &parts {
            match part {
                Part::Literal(literal) => {
                    apart = literal.bytes().any(|byte| !byte.is_ascii_alphanumeric());
                    if let Some(bad) = literal.chars().find(|c| !is_allowed(*c)) {
                        problems.push(format!(
                            "{bad:?} is in no file name; letters, digits and . _ - = / are"
                        ));
                    }
                }
                Part::Member(member) => {
                    if !apart {
                        problems.push(format!(
                            "{{{}}} runs into the member before it: put one of . _ - = / between them",
                            name_of(*member)
                        ));
                    }
                    apart = false;
                }
            }
        }
        if text
            .split('/')
            .any(|segment| segment.is_empty() || segment.starts_with('.'))
        {
            problems.push("no part between slashes is empty or begins with a dot".to_owned());
        }
        if text.len() > 300 {
            problems.push("it is longer than 300 characters".to_owned());
        }
        if problems.is_empty() {
            let text = text.to_owned();
            Ok(Self { text, parts })
        } else {
            Err(problems)
        }
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The name of one file.
    #[must_use]
    pub fn of(&self, named: &Named<'_>) -> String {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => name.push_str(literal),
                Part::Member(member) => match value(*member, named) {
                    Some(value) => name.push_str(&value),
                    None => break,
                },
            }
        }
        name
    }
}

fn value(member: Member, named: &Named<'_>) -> Option<String> {
    let what = named.what;
    let plain = |text: &str| Some(safe(text));
    match member {
        Member::Client => plain(named.client),
        Member::Tenant => plain(named.tenant),
        Member::Feed => plain(named.feed),
        Member::Interval => plain(named.size),
        Member::Extension => plain(named.extension),
        Member::Layout => Some(named.layout.0.to_string()),
        Member::Revision => what.map(|(_, revision)| revision.0.to_string()),
        Member::Start => what.map(|(window, _)| by_clock(Zone::UTC, window.start.0, Clock::Utc)),
        Member::End => what.map(|(window, _)| by_clock(Zone::UTC, window.end.0, Clock::Utc)),
        Member::Local => what.map(|(window, _)| by_clock(named.zone, window.start.0, Clock::Local)),
        Member::Date => what.map(|(window, _)| by_clock(named.zone, window.start.0, Clock::Date)),
    }
}

#[derive(Clone, Copy)]
enum Clock {
    Utc,
    Local,
    Date,
}

/// Fixed in length, and so that names sort by time.
fn by_clock(zone: Zone, micros: i64, clock: Clock) -> String {
    use timezone::Datelike as _;
    let local = zone.local(micros);
    let (year, month, day) = (local.date.year(), local.date.month(), local.date.day());
    if matches!(clock, Clock::Date) {
        return format!("{year:04}-{month:02}-{day:02}");
    }
    let (hour, minute, second) = (local.hour, local.minute, local.second);
    let mut text = format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}");
    if matches!(clock, Clock::Utc) {
        text.push('Z');
    } else {
        let sign = if local.offset_seconds < 0 { '-' } else { '+' };
        let minutes = local.offset_seconds.unsigned_abs() / 60;
        let (hours, minutes) = (minutes / 60, minutes % 60);
        text = format!("{text}{sign}{hours:02}{minutes:02}");
    }
    text
}

/// A name with everything else written as `%` and two hexadecimal digits a byte, and a dot first likewise: two names stay two.
fn safe(text: &str) -> String {
    let mut out = String::new();
    for (index, byte) in text.bytes().enumerate() {
        let plain =
            byte.is_ascii_alphanumeric() || b"_-".contains(&byte) || (byte == b'.' && index > 0);
        if plain {
            out.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            write!(out, "%{byte:02X}").unwrap_or_default();
        }
    }
    out
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._-=/".contains(character)
}

fn name_of(member: Member) -> &'static str {
    let found = MEMBERS.iter().find(|(_, known)| *known == member);
    found.map_or("", |(name, _)| name)
}

/// The parts of a template, and what is wrong with its braces.
fn split(text: &str) -> (Vec<Part>, Vec<String>) {
    let (mut parts, mut problems) = (Vec::new(), Vec::new());
    let mut rest = text;
    while !rest.is_empty() {
        let (literal, braced) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.to_owned()));
        }
        let Some(inner) = braced.strip_prefix('{') else {
            break;
        };
        let Some((name, after)) = inner.split_once('}') else {
            problems.push("a brace is not closed".to_owned());
            break;
        };
        if let Some((_, member)) = MEMBERS.iter().find(|(known, _)| *known == name) {
            parts.push(Part::Member(*member));
        } else {
            let known: Vec<&str> = MEMBERS.iter().map(|(name, _)| *name).collect();
            let known = known.join(", ");
            problems.push(format!("{{{name}}} is unknown; known are {known}"));
        }
        rest = after;
    }
    (parts, problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use schema::UtcMicros;
    use window::Size;

    fn name(template: &str, layout: u16, start: i64, revision: u32) -> String {
        let window = Window {
            start: UtcMicros(start),
            end: UtcMicros(start + 1_800_000_000),
        };
        FileName::parse(template).unwrap().of(&Named {
            client: "acme",
            tenant: "a/b",
            feed: "wfm",
            size: Size::Half.name(),
            layout: LayoutVersion(layout),
            zone: Zone::parse("Europe/Berlin").unwrap(),
            extension: "csv",
            what: Some((window, Revision(revision))),
        })
    }

    #[test]
    fn a_name_says_what_is_in_the_file() {
        let autumn = 1_792_888_200_000_000;
        let usual = FileName::USUAL;
        assert_eq!(
            name(usual, 2, autumn, 3),
            "acme/wfm/v2/2026-10-25/20261025T003000Z_r3.csv"
        );
        let flat = "{tenant}-{interval}-{local}-{end}-{revision}.{ext}";
        assert_eq!(
            name(flat, 2, autumn + 3_600_000_000, 1),
            "a%2Fb-30m-20261025T023000+0100-20261025T020000Z-1.csv"
        );
    }

    #[test]
    fn every_problem_of_a_template_is_told_at_once() {
        for (template, count) in [
            ("{start}_{revision}", 0),
            ("{start}{revision}", 1),
            ("{start}x{revision}", 1),
            ("../{start}_{revision}", 1),
            ("/{start}_{revision}", 1),
            ("{start}_{revision}_{colour}_{date", 2),
            ("{date} *", 3),
        ] {
            let found = FileName::parse(template).err().unwrap_or_default();
            assert_eq!(found.len(), count, "{template}: {found:?}");
        }
    }

    proptest! {
        #[test]
        fn no_two_files_have_one_name(
            one in (1_u16..130, 0_i64..300, 1_u32..130), other in (1_u16..130, 0_i64..300, 1_u32..130), template in 0_usize..3,
        ) {
            let template = [FileName::USUAL, "{layout}_{revision}_{start}", "{local}.{revision}-{layout}"][template];
            // Around the hour that Berlin's clock shows twice.
            let at = |quarter: i64| 1_792_800_000_000_000 + quarter * 900_000_000;
            prop_assume!(one != other);
            prop_assert_ne!(
                name(template, one.0, at(one.1), one.2),
                name(template, other.0, at(other.1), other.2)
            );
        }
    }
}
