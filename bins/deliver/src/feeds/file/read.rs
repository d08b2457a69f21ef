//! From the file's tables to feeds, noting every problem on the way.

use super::{column, sink};
use crate::feeds::Feed;
use crate::feeds::sink::Place as Sink;
use crate::feeds::worker::millis;
use access::entry::Entry;
use feed::{Csv, Definition, Empty, FileName, Filter, Format, LayoutVersion, LineEnd, Place};
use platform::client::Timeouts;
use runtime::toml_file::secret::Secrets;
use runtime::toml_file::{Section, TomlFile};
use schema::{TenantId, UtcMicros};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use timezone::Zone;
use window::{Dimension, GroupBy, Size};

/// The version of the file this release reads.
const FILE_VERSION: u64 = 1;
/// Layouts are 16 bit, and start at 1.
const LAYOUT_MAX: u64 = 32_767;
/// How long after its end an interval is sent first, where nothing is said.
const SETTLE: Duration = Duration::from_secs(15 * 60);
/// How often changes are looked for.
const CORRECT_EVERY: Duration = Duration::from_secs(5 * 60);
/// For how long.
const CORRECT_FOR: Duration = Duration::from_secs(7 * 86_400);
/// Looking at more than that each time is another thing than waiting for what is late.
const CORRECT_FOR_MAX: Duration = Duration::from_secs(100 * 86_400);
const INTERVALS: [(&str, Size); 4] = [
    ("15m", Size::Quarter),
    ("30m", Size::Half),
    ("60m", Size::Hour),
    ("day", Size::Day),
];

pub(super) fn feeds(
    name: &str,
    text: &str,
    folder: &Path,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Feed>, Vec<String>> {
    let mut file = TomlFile::new(name, text);
    let root = file.parse();
    let root = Section {
        table: root.get_ref(),
        at: 0,
    };
    let mut reader = Reader {
        file,
        secrets: Secrets { folder, variable },
        names: BTreeSet::new(),
        prefixes: Vec::new(),
        found: Vec::new(),
    };
    let without = "there is nothing to send";
    for section in reader
        .file
        .entries(root, FILE_VERSION, "feed", &[], without)
    {
        reader.feed(section);
    }
    let problems = reader.file.into_problems();
    if problems.is_empty() {
        Ok(reader.found)
    } else {
        Err(problems)
    }
}

struct Reader<'a> {
    file: TomlFile<'a>,
    secrets: Secrets<'a>,
    names: BTreeSet<String>,
    /// Where the files of each feed go, what their names begin with, and whose they are.
    prefixes: Vec<(String, String, String)>,
    found: Vec<Feed>,
}

impl Reader<'_> {
    fn feed(&mut self, section: Section<'_>) {
        self.file.only(
            section,
            &[
                "name",
                "tenant",
                "client",
                "layout",
                "by",
                "interval",
                "zone",
                "window",
                "settle",
                "from",
                "correct_every",
                "correct_for",
                "filter",
                "empty",
                "file",
                "format",
                "csv",
                "column",
                "sink",
                "timeouts",
                "retry",
            ],
        );
        let entry = Entry {
            name: "feed",
            section,
        };
        let name = self.file.own_name(section, &mut self.names);
        let tenant = self.file.plain(section, "tenant");
        let client = self.file.text(section, "client").map(|(text, _)| text);
        let layout = self.layout(section);
        let by = self.by(section);
        let interval = self.interval(section);
        let window =
            interval.and_then(|usual| self.file.choice(section, "window", &INTERVALS, usual));
        let zone = self.zone(section);
        let from = self.from(section);
        let settle = self.file.duration(section, "settle").unwrap_or(SETTLE);
        let correct_every = self.file.duration(section, "correct_every");
        let correct_for = self.correct_for(section);
        let filter = self.filter(section, by.as_ref());
        let empties = [("send", Empty::Send), ("skip", Empty::Skip)];
        let empty = self.file.choice(section, "empty", &empties, Empty::Send);
        let file_name = self.file_name(section);
        let format = self.format(section);
        let (kpis, columns, places) = column::columns(&mut self.file, section, zone);
        let place = sink::place(&mut self.file, section, self.secrets);
        let timeouts = entry.timeouts(&mut self.file, Timeouts::default());
        let (schedule, breaker) = entry.retry(&mut self.file);
        let (
            (Some(name), Some(tenant), Some(layout), Some(by), Some(interval), Some(window)),
            (Some(zone), Some(empty), Some(file_name), Some(format), Some(place)),
        ) = (
            (name, tenant, layout, by, interval, window),
            (zone, empty, file_name, format, place),
        )
        else {
            return; // every missing part has been noted
        };
        let definition = Definition {
            name: name.to_owned(),
            tenant: TenantId::from(tenant),
            client: client.unwrap_or(tenant).to_owned(),
            layout,
            by,
            interval,
            zone,
            window,
            settle: millis(settle),
            filter,
            empty,
            format,
            kpis,
            columns,
            file_name,
        };
        self.whole(section, &definition, &places);
        self.apart(section, &definition, &place);
        self.found.push(Feed {
            definition,
            from,
            correct_every: correct_every.unwrap_or(CORRECT_EVERY),
            correct_for,
            place,
            timeouts,
            schedule,
            breaker,
        });
    }

    /// Where a member stands, or its table.
    fn at(section: Section<'_>, key: &str) -> usize {
        section
            .table
            .get(key)
            .map_or(section.at, |value| value.span().start)
    }

    /// What is wrong with it as a whole.
    fn whole(&mut self, section: Section<'_>, definition: &Definition, columns: &[usize]) {
        for problem in definition.problems() {
            let at = match problem.place {
                Place::Feed => Self::at(section, "name"),
                Place::Client => Self::at(section, "client"),
                Place::Interval => Self::at(section, "interval"),
                Place::Window => Self::at(section, "window"),
                Place::Format => Self::at(section, "csv"),
                Place::Columns => section.at,
                Place::Column(index) => columns.get(index).copied().unwrap_or(section.at),
            };
            self.file.problem(at, problem);
        }
    }

    /// Two feeds must never write one file.
    fn apart(&mut self, section: Section<'_>, definition: &Definition, place: &Sink) {
        let (place, base) = place.shared();
        let prefix = format!("{base}{}", definition.file_prefix());
        let met = self.prefixes.iter().find(|(other, theirs, _)| {
            *other == place && (theirs.starts_with(&prefix) || prefix.starts_with(theirs))
        });
        if let Some((_, theirs, feed)) = met {
            let text = format!(
                "the files of feed `{feed}` go there too and begin with `{theirs}`, these with `{prefix}`: they could meet"
            );
            self.file.problem(Self::at(section, "file"), text);
        }
        self.prefixes.push((place, prefix, definition.name.clone()));
    }

    fn layout(&mut self, section: Section<'_>) -> Option<LayoutVersion> {
        if !section.table.contains_key("layout") {
            self.file.problem(
                section.at,
                "`layout` is missing; it is the version of the columns: 1, until they change",
            );
        }
        let number = self.file.number(section, "layout", 1..LAYOUT_MAX + 1)?;
        u16::try_from(number).ok().map(LayoutVersion)
    }

    fn by(&mut self, section: Section<'_>) -> Option<GroupBy> {
        let Some((entries, _)) = self.file.array(section, "by") else {
            if !section.table.contains_key("by") {
                self.file.problem(
                    section.at,
                    "`by` is missing; [] makes a row of the whole organisation",
                );
            }
            return None;
        };
        let mut dimensions = Vec::with_capacity(entries.len());
        let mut whole = true;
        for entry in entries {
            let at = entry.span().start;
            match entry.get_ref().as_str().map(Dimension::parse) {
                Some(Ok(dimension)) => dimensions.push(dimension),
                Some(Err(error)) => {
                    self.file.problem(at, error);
                    whole = false;
                }
                None => {
                    self.file.problem(at, "a dimension is a name, as a text");
                    whole = false;
                }
            }
        }
        whole.then(|| GroupBy::new(dimensions))
    }

    fn interval(&mut self, section: Section<'_>) -> Option<Size> {
        if !section.table.contains_key("interval") {
            self.file.problem(section.at, "`interval` is missing");
            return None;
        }
        self.file
            .choice(section, "interval", &INTERVALS, Size::Half)
    }

    fn zone(&mut self, section: Section<'_>) -> Option<Zone> {
        let (text, at) = self.file.required(section, "zone")?;
        match Zone::parse(text) {
            Ok(zone) => Some(zone),
            Err(error) => {
                self.file.problem(at, error);
                None
            }
        }
    }

    fn from(&mut self, section: Section<'_>) -> Option<UtcMicros> {
        let (text, at) = self.file.text(section, "from")?;
        let from = platform::instant::parse(text);
        if from.is_none() {
            self.file.problem(
                at,
                format_args!("`from` is `{text}`; an instant with its zone is needed, such as 2026-11-01T00:00:00Z"),
            );
        }
        from
    }

    fn correct_for(&mut self, section: Section<'_>) -> Duration {
        let stated = self.file.duration(section, "correct_for");
        if stated.is_some_and(|stated| stated > CORRECT_FOR_MAX) {
            self.file.problem(
                Self::at(section, "correct_for"),
                "`correct_for` is longer than 100 days; what is older is sent by `deliver feed replay`",
            );
        }
        stated.unwrap_or(CORRECT_FOR)
    }

    fn filter(&mut self, section: Section<'_>, by: Option<&GroupBy>) -> Option<Filter> {
        let (text, at) = self.file.text(section, "filter")?;
        match Filter::compile(text, by?) {
            Ok(filter) => Some(filter),
            Err(problems) => {
                for problem in problems {
                    self.file.problem(at, format_args!("`filter` at {problem}"));
                }
                None
            }
        }
    }

    fn file_name(&mut self, section: Section<'_>) -> Option<FileName> {
        let stated = self.file.text(section, "file");
        let (text, at) = match stated {
            Some(stated) => stated,
            None if section.table.contains_key("file") => return None,
            None => (FileName::USUAL, section.at),
        };
        match FileName::parse(text) {
            Ok(name) => Some(name),
            Err(problems) => {
                for problem in problems {
                    self.file
                        .problem(at, format_args!("`file` is `{text}`: {problem}"));
                }
                None
            }
        }
    }

    fn format(&mut self, section: Section<'_>) -> Option<Format> {
        let known = [("csv", false), ("parquet", true)];
        let is_parquet = self.file.choice(section, "format", &known, false)?;
        let Some(table) = self.file.section(section, "csv") else {
            return Some(if is_parquet {
                Format::Parquet
            } else {
                Format::Csv(Csv::default())
            });
        };
        if is_parquet {
            self.file.problem(table.at, "`csv` says nothing of parquet");
        }
        self.file.only(
            table,
            &["separator", "decimal", "null", "header", "line_end"],
        );
        let usual = Csv::default();
        let ends = [("lf", LineEnd::Lf), ("crlf", LineEnd::CrLf)];
        let null = self
            .file
            .text(table, "null")
            .map(|(text, _)| text.to_owned());
        Some(Format::Csv(Csv {
            separator: self.character(table, "separator", usual.separator),
            decimal: self.character(table, "decimal", usual.decimal),
            null: null.unwrap_or(usual.null),
            header: self.file.flag(table, "header").unwrap_or(usual.header),
            line_end: self
                .file
                .choice(table, "line_end", &ends, usual.line_end)
                .unwrap_or(usual.line_end),
        }))
    }

    fn character(&mut self, section: Section<'_>, key: &str, usual: char) -> char {
        let Some((text, at)) = self.file.text(section, key) else {
            return usual;
        };
        let mut characters = text.chars();
        if let (Some(one), None) = (characters.next(), characters.next()) {
            return one;
        }
        self.file.problem(
            at,
            format_args!("`{key}` is {text:?}; one character is needed"),
        );
        usual
    }
}
