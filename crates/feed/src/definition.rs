//! What a feed is.

use crate::LayoutVersion;
use crate::Revision;
use crate::column::{Column, Source, TimeOf};
use crate::csv_file::Csv;
use crate::file_name::{FileName, Named};
use crate::filter::Filter;
use crate::interval::repeats;
use crate::measure::Shown;
use crate::problem::{Place, Problem};
use schema::{MetricVersion, Millis, TenantId};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use timezone::Zone;
use window::{GroupBy, Size, Window};

/// A KPI that a feed shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kpi {
    /// Its name.
    pub name: String,
    /// The version of its definition; none: whichever is current when the interval is made up.
    pub version: Option<MetricVersion>,
}

/// What becomes of an interval in which there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// A file without rows is sent.
    Send,
    /// Nothing is sent, unless the receiver has had a file of it with rows: then these are taken back by one without.
    Skip,
}

/// The format of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Text.
    Csv(Csv),
    /// Apache Parquet, uncompressed: texts, 64-bit integers, decimals, timestamps in UTC; every column may be null.
    Parquet,
}

impl Format {
    /// What file names end in.
    #[must_use]
    pub const fn extension(&self) -> &'static str {
        match self {
            Self::Csv(_) => "csv",
            Self::Parquet => "parquet",
        }
    }

    /// The media type.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Csv(_) => "text/csv; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// One feed: a receiver gets the figures of each of its intervals.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Its name, the key of everything that is remembered about it.
    pub name: String,
    /// The organisation whose figures these are.
    pub tenant: TenantId,
    /// The receiver, as files are named after it.
    pub client: String,
    /// The version of the columns and of how they are written.
    pub layout: LayoutVersion,
    /// For whom figures are apart: a row each.
    pub by: GroupBy,
    /// The length of the receiver's intervals.
    pub interval: Size,
    /// The receiver's clock.
    pub zone: Zone,
    /// The size of the windows that intervals are made of: the interval's own, or a shorter one.
    pub window: Size,
    /// How long after its end an interval is sent first.
    pub settle: Millis,
    /// Which groups; none: all.
    pub filter: Option<Filter>,
    /// What becomes of an interval without rows.
    pub empty: Empty,
    /// The format of the files.
    pub format: Format,
    /// The KPIs that columns name by their places.
    pub kpis: Vec<Kpi>,
    /// The columns, in the receiver's order.
    pub columns: Vec<Column>,
    /// How files are named.
    pub file_name: FileName,
}

/// Sizes that intervals and what they are made of may have.
const SIZES: [Size; 4] = [Size::Quarter, Size::Half, Size::Hour, Size::Day];

/// Whether a text may be a part of a file name whatever system keeps it: letters, digits and `. _ -`, and no dot first.
fn is_word(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('.')
}

impl Definition {
    /// Everything that is wrong with it, but what is wrong with its parts on their own.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        for (place, what, text) in [
            (Place::Feed, "name", &self.name),
            (Place::Client, "client", &self.client),
        ] {
            if !is_word(text) {
                found.push(Problem::new(
                    place,
                    format!(
                        "`{what}` is `{text}`; files are named after it: up to 64 letters, digits and . _ - are allowed, not a dot first"
                    ),
                ));
            }
        }
        self.interval_problems(&mut found);
        if let Format::Csv(csv) = &self.format {
            found.extend(csv.problem().map(|text| Problem::new(Place::Format, text)));
        }
        self.column_problems(&mut found);
        found
    }

    fn interval_problems(&self, found: &mut Vec<Problem>) {
        for (place, size) in [
            (Place::Interval, self.interval),
            (Place::Window, self.window),
        ] {
            if !SIZES.contains(&size) {
                let text = format!(
                    "`{}` is no interval of feeds: 15m, 30m, 60m and day are",
                    size.name()
                );
                found.push(Problem::new(place, text));
            }
        }
        if self.window > self.interval {
            found.push(Problem::new(
                Place::Window,
                format!(
                    "intervals of {} are not made of windows of {}",
                    self.interval.name(),
                    self.window.name()
                ),
            ));
        }
    }

    fn column_problems(&self, found: &mut Vec<Problem>) {
        let mut fields = BTreeSet::new();
        for (index, column) in self.columns.iter().enumerate() {
            let mut problem = |text: String| found.push(Problem::new(Place::Column(index), text));
            let field = &column.field;
            if field.trim() != field || field.is_empty() || field.chars().any(char::is_control) {
                problem(format!(
                    "`field` is {field:?}; a text without surrounding blanks and control characters is needed"
                ));
            } else if !fields.insert(field.to_lowercase()) {
                problem(format!("the field `{field}` is taken by another column"));
            }
            if let Some(text) = self.source_problem(&column.source) {
                problem(text);
            }
        }
        let figures = |column: &Column| matches!(column.source, Source::Kpi { .. });
        if !self.columns.iter().any(figures) {
            let text = "no column shows a KPI: there is nothing to send";
            found.push(Problem::new(Place::Columns, text));
        }
        if self.interval < Size::Day && repeats(self.zone) && self.is_ambiguous() {
            found.push(Problem::new(
                Place::Columns,
                format!(
                    "{} shows one hour of autumn twice, and no column tells which: give a `start` its offset (%:z), a zone that never \
                     changes, or add a column `fold`",
                    self.zone
                ),
            ));
        }
    }

    fn source_problem(&self, source: &Source) -> Option<String> {
        match source {
            Source::Dimension(dimension) if !self.by.dimensions().contains(dimension) => Some(
                format!("`{}` is not among what groups are `by`", dimension.name()),
            ),
            Source::Kpi { kpi, .. } if *kpi >= self.kpis.len() => {
                Some("the column shows no KPI of the feed".to_owned())
            }
            Source::Kpi { measure, .. } if !measure.adds_up() && self.window != self.interval => {
                Some(format!(
                    "`{}` of several windows of {} makes none of {}: mean, sum, count, min and max do",
                    measure.name(),
                    self.window.name(),
                    self.interval.name()
                ))
            }
            Source::Kpi { measure, shown, .. }
                if measure.is_plain() && *shown != Shown::AsStored =>
            {
                Some(format!(
                    "`{}` is a plain number and has no unit",
                    measure.name()
                ))
            }
            Source::Kpi {
                shown: Shown::Clock,
                places: 1..,
                ..
            } => Some("hh:mm:ss has no `places`".to_owned()),
            _ => None,
        }
    }

    /// Whether there are columns of times, and none of them tells the two showings of an hour apart.
    fn is_ambiguous(&self) -> bool {
        let mut any = false;
        let mut told = false;
        for column in &self.columns {
            match &column.source {
                Source::Time { of, format, zone } => {
                    any = true;
                    told |= *of == TimeOf::Start && (format.tells_offset() || !repeats(*zone));
                }
                Source::Fold => told = true,
                _ => {}
            }
        }
        any && !told
    }

    /// What a receiver relies on: the same text for two definitions whose files are read alike. It is for people, too.
    #[must_use]
    pub fn layout_text(&self) -> String {
        let mut text = format!(
            "interval {} zone {} by [{}]\n",
            self.interval.name(),
            self.zone,
            self.by
        );
        let mut line = |args: std::fmt::Arguments<'_>| {
            // Writing to a text does not fail.
            text.write_fmt(args).unwrap_or_default();
            text.push('\n');
        };
        match &self.format {
            Format::Parquet => line(format_args!("parquet")),
            Format::Csv(csv) => line(format_args!("csv {}", csv.layout_text())),
        }
        for column in &self.columns {
            let field = &column.field;
            match &column.source {
                Source::Dimension(dimension) => {
                    line(format_args!("{field:?} = {}", dimension.name()));
                }
                Source::Time { of, format, zone } => {
                    let edge = match of {
                        TimeOf::Start => "start",
                        TimeOf::End => "end",
                    };
                    line(format_args!(
                        "{field:?} = {edge} {:?} {zone}",
                        format.text()
                    ));
                }
                Source::Kpi {
                    kpi,
                    measure,
                    shown,
                    places,
                } => {
                    let (name, version) = self
                        .kpis
                        .get(*kpi)
                        .map_or(("", None), |kpi| (kpi.name.as_str(), kpi.version));
                    let version = version.map_or_else(|| "current".to_owned(), |v| v.0.to_string());
                    line(format_args!(
                        "{field:?} = {name}@{version} {} {} {places}",
                        measure.name(),
                        shown.name()
                    ));
                }
                Source::Constant(constant) => {
                    line(format_args!("{field:?} = constant {constant:?}"));
                }
                Source::Minutes => line(format_args!("{field:?} = minutes")),
                Source::Fold => line(format_args!("{field:?} = fold")),
                Source::Tenant => line(format_args!("{field:?} = tenant")),
                Source::Client => line(format_args!("{field:?} = client")),
                Source::Feed => line(format_args!("{field:?} = feed")),
                Source::Zone => line(format_args!("{field:?} = zone")),
                Source::Layout => line(format_args!("{field:?} = layout")),
                Source::Revision => line(format_args!("{field:?} = revision")),
                Source::Correction => line(format_args!("{field:?} = correction")),
            }
        }
        text
    }

    /// The name of the file of an interval's content.
    #[must_use]
    pub fn file_of(&self, interval: Window, revision: Revision) -> String {
        self.file_name.of(&self.named(Some((interval, revision))))
    }

    /// What all its files' names begin with. Two feeds that go to one place never write the same file where neither prefix begins with the
    /// other.
    #[must_use]
    pub fn file_prefix(&self) -> String {
        self.file_name.of(&self.named(None))
    }

    fn named(&self, what: Option<(Window, Revision)>) -> Named<'_> {
        Named {
            client: &self.client,
            tenant: self.tenant.as_str(),
            feed: &self.name,
            size: self.interval.name(),
            layout: self.layout,
            zone: self.zone,
            extension: self.format.extension(),
            what,
        }
    }

    /// What a file says of itself where its format has room for it.
    pub(crate) fn metadata(&self) -> [(&'static str, String); 3] {
        [
            ("kpiline.feed", self.name.clone()),
            ("kpiline.client", self.client.clone()),
            ("kpiline.layout", self.layout.0.to_string()),
        ]
    }
}
