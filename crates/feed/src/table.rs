//! The rows of an interval, in the receiver's columns.

use crate::Revision;
use crate::column::{Source, TimeOf};
use crate::definition::Definition;
use crate::digest::{self, Digest};
use crate::figure::Figure;
use crate::interval::fold;
use crate::measure::{self, Found, Measure, Shown};
use crate::number::Number;
use crate::time_format::{TimeFormat, by_pattern};
use schema::UtcMicros;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use timezone::Zone;
use window::{GroupKey, Window};

/// What a column holds, whichever of its cells are null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Texts.
    Text,
    /// Numbers with so many places.
    Number(u8),
    /// Instants, as this zone's clock shows them.
    Instant(Zone),
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Absent.
    Null,
    /// A text.
    Text(String),
    /// A number.
    Number(Number),
    /// An instant.
    Instant(UtcMicros),
}

/// A column's name and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its name in the receiver's words.
    pub field: String,
    /// What it holds.
    pub kind: Kind,
}

/// An interval's rows: one for each group that has a figure, sorted by group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    interval: Window,
    heads: Vec<Head>,
    rows: Vec<Vec<Cell>>,
    /// The columns that tell of the sending, with what of it.
    sending: BTreeMap<usize, Source>,
}

/// One thing that keeps an interval from being made up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Issue {
    /// A window reaches over an edge of the interval: it goes by another clock.
    Astride {
        /// The KPI.
        kpi: String,
        /// Where the window begins.
        start: UtcMicros,
    },
    /// The column's unit is none of the KPI's.
    Unit {
        /// The column.
        field: String,
        /// The unit it asks for.
        wanted: &'static str,
        /// The KPI's.
        stored: String,
    },
    /// Several windows make up the interval, and what the column shows does not add up.
    Several {
        /// The column.
        field: String,
    },
    /// A figure has more than eighteen digits.
    TooLarge {
        /// The column.
        field: String,
    },
    /// The instant is beyond the calendar.
    NoDate {
        /// The column.
        field: String,
    },
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Astride { kpi, start } => write!(
                f,
                "the window of {kpi} that begins at {start} reaches over an edge of the interval, for it goes by another clock: \
                 make the intervals of shorter windows"
            ),
            Self::Unit {
                field,
                wanted,
                stored,
            } => write!(
                f,
                "column {field}: {wanted} is asked for, and the KPI is in {stored}"
            ),
            Self::Several { field } => write!(
                f,
                "column {field}: several windows make up the interval, and a value or percentile of them does not add up"
            ),
            Self::TooLarge { field } => {
                write!(f, "column {field}: a figure has more than eighteen digits")
            }
            Self::NoDate { field } => {
                write!(f, "column {field}: the instant is beyond the calendar")
            }
        }
    }
}

/// An interval cannot be made up: everything that keeps it from being, each once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct TableError(pub Vec<Issue>);

impl Table {
    /// The rows of an interval: of the figures given those that the feed's filter lets through. A KPI that a group has nothing of is null.
    pub fn of(
        definition: &Definition,
        interval: Window,
        figures: &[Figure],
    ) -> Result<Self, TableError> {
        let mut issues = BTreeSet::new();
        let mut groups: BTreeMap<&GroupKey, BTreeMap<usize, Vec<&Figure>>> = BTreeMap::new();
        for figure in figures {
            let wanted = definition
                .filter
                .as_ref()
                .is_none_or(|f| f.holds(&figure.group));
            if !wanted {
                continue;
            }
            if figure.window.start < interval.start || figure.window.end > interval.end {
                let kpi = definition.kpis.get(figure.kpi);
                issues.insert(Issue::Astride {
                    kpi: kpi.map_or_else(String::new, |kpi| kpi.name.clone()),
                    start: figure.window.start,
                });
                continue;
            }
            let of_group = groups.entry(&figure.group).or_default();
            of_group.entry(figure.kpi).or_default().push(figure);
        }
        let rows = groups.into_iter().map(|(group, figures)| {
            let row = Row {
                definition,
                interval,
                group,
                figures,
            };
            row.cells(&mut issues)
        });
        let rows = rows.collect();
        if !issues.is_empty() {
            return Err(TableError(issues.into_iter().collect()));
        }
        let columns = definition.columns.iter();
        Ok(Self {
            interval,
            heads: columns
                .clone()
                .map(|column| Head {
                    field: column.field.clone(),
                    kind: kind(&column.source),
                })
                .collect(),
            rows,
            sending: columns
                .enumerate()
                .filter(|(_, column)| column.source.is_of_sending())
                .map(|(index, column)| (index, column.source.clone()))
                .collect(),
        })
    }

    /// The same as it goes out: with what its columns say of the sending.
    #[must_use]
    pub fn sent_as(mut self, revision: Revision, is_correction: bool) -> Self {
        for row in &mut self.rows {
            for (index, source) in &self.sending {
                let number = match source {
                    Source::Revision => i64::from(revision.0),
                    _ => i64::from(is_correction),
                };
                if let Some(cell) = row.get_mut(*index) {
                    *cell = Cell::Number(Number::new(number, 0));
                }
            }
        }
        self
    }

    /// What tells whether its content differs from another's.
    #[must_use]
    pub fn digest(&self) -> Digest {
        digest::of(self)
    }

    /// The interval.
    #[must_use]
    pub const fn interval(&self) -> Window {
        self.interval
    }

    /// The columns.
    #[must_use]
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// The rows; each has a cell a column.
    #[must_use]
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// The places of the columns that do not tell of the sending.
    pub(crate) fn columns_of_content(&self) -> impl Iterator<Item = usize> {
        (0..self.heads.len()).filter(|index| !self.sending.contains_key(index))
    }
}

fn kind(source: &Source) -> Kind {
    match source {
        Source::Dimension(_)
        | Source::Tenant
        | Source::Client
        | Source::Feed
        | Source::Zone
        | Source::Constant(_) => Kind::Text,
        Source::Minutes | Source::Fold | Source::Layout | Source::Revision | Source::Correction => {
            Kind::Number(0)
        }
        Source::Time { format, zone, .. } => match format {
            TimeFormat::Instant => Kind::Instant(*zone),
            TimeFormat::EpochSeconds | TimeFormat::EpochMillis => Kind::Number(0),
            TimeFormat::Pattern(_) => Kind::Text,
        },
        Source::Kpi { shown, places, .. } => match shown {
            Shown::Clock => Kind::Text,
            _ => Kind::Number(*places),
        },
    }
}

/// One group of an interval.
struct Row<'a> {
    definition: &'a Definition,
    interval: Window,
    group: &'a GroupKey,
    figures: BTreeMap<usize, Vec<&'a Figure>>,
}

impl Row<'_> {
    fn cells(&self, issues: &mut BTreeSet<Issue>) -> Vec<Cell> {
        let columns = self.definition.columns.iter();
        columns
            .map(|column| {
                self.cell(&column.source, &column.field)
                    .unwrap_or_else(|issue| {
                        issues.insert(issue);
                        Cell::Null
                    })
            })
            .collect()
    }

    fn cell(&self, source: &Source, field: &str) -> Result<Cell, Issue> {
        let definition = self.definition;
        let text = |text: &str| Ok(Cell::Text(text.to_owned()));
        let whole = |number: i64| Ok(Cell::Number(Number::new(number, 0)));
        match source {
            Source::Dimension(dimension) => {
                let dimensions = definition.by.dimensions().iter();
                let place = dimensions.zip(self.group.values());
                let mut found = place.filter(|(known, _)| *known == dimension);
                let value = found.next().and_then(|(_, value)| value);
                Ok(value.map_or(Cell::Null, |value| Cell::Text(value.to_string())))
            }
            Source::Time { of, format, zone } => {
                let at = match of {
                    TimeOf::Start => self.interval.start,
                    TimeOf::End => self.interval.end,
                };
                match format {
                    TimeFormat::Instant => Ok(Cell::Instant(at)),
                    TimeFormat::EpochSeconds => whole(at.seconds()),
                    TimeFormat::EpochMillis => whole(at.millis()),
                    TimeFormat::Pattern(pattern) => {
                        let text = by_pattern(*zone, at, pattern);
                        text.map(Cell::Text).ok_or_else(|| Issue::NoDate {
                            field: field.to_owned(),
                        })
                    }
                }
            }
            Source::Minutes => whole(self.interval.end.since(self.interval.start).0 / 60_000),
            Source::Fold => whole(fold(definition.zone, self.interval.start)),
            Source::Tenant => text(definition.tenant.as_str()),
            Source::Client => text(&definition.client),
            Source::Feed => text(&definition.name),
            Source::Zone => text(definition.zone.name()),
            Source::Layout => whole(definition.layout.0.into()),
            Source::Constant(constant) => text(constant),
            // Filled in when it is sent.
            Source::Revision | Source::Correction => Ok(Cell::Null),
            Source::Kpi {
                kpi,
                measure,
                shown,
                places,
            } => self.figure(*kpi, *measure, *shown, *places, field),
        }
    }

    fn figure(
        &self,
        kpi: usize,
        measure: Measure,
        shown: Shown,
        places: u8,
        field: &str,
    ) -> Result<Cell, Issue> {
        let Some(figures) = self.figures.get(&kpi) else {
            return Ok(Cell::Null);
        };
        if let Some(other) = figures.iter().find(|figure| !shown.fits(&figure.unit)) {
            return Err(Issue::Unit {
                field: field.to_owned(),
                wanted: shown.name(),
                stored: other.unit.clone(),
            });
        }
        match measure::of(figures, measure, shown, places) {
            Found::Absent => Ok(Cell::Null),
            Found::Number(number) if shown == Shown::Clock => {
                Ok(Cell::Text(Shown::clock(number.units())))
            }
            Found::Number(number) => Ok(Cell::Number(number)),
            Found::Several => Err(Issue::Several {
                field: field.to_owned(),
            }),
            Found::TooLarge => Err(Issue::TooLarge {
                field: field.to_owned(),
            }),
        }
    }
}
