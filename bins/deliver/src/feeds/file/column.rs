//! The columns of a feed.

use feed::{Column, Kpi, Measure, Number, Shown, Source, TimeFormat, TimeOf};
use runtime::toml_file::{Section, TomlFile};
use schema::MetricVersion;
use timezone::Zone;
use window::Dimension;

/// Metric versions are 16 bit, and start at 1.
const METRIC_VERSION_MAX: u64 = 32_767;
/// Places of figures that are no whole numbers, where nothing is said.
const PLACES: u8 = 3;

/// The columns, the KPIs that they show, and where each column stands in the file.
pub(super) fn columns(
    file: &mut TomlFile<'_>,
    section: Section<'_>,
    zone: Option<Zone>,
) -> (Vec<Kpi>, Vec<Column>, Vec<usize>) {
    let mut reader = Reader {
        file,
        zone,
        kpis: Vec::new(),
    };
    let (mut columns, mut places) = (Vec::new(), Vec::new());
    let entries = reader
        .file
        .array(section, "column")
        .map(|(entries, _)| entries);
    for entry in entries.unwrap_or_default() {
        let at = entry.span().start;
        let Some(table) = entry.get_ref().as_table() else {
            reader.file.problem(at, "a [[feed.column]] is a table");
            continue;
        };
        if let Some(column) = reader.column(Section { table, at }) {
            columns.push(column);
            places.push(at);
        }
    }
    (reader.kpis, columns, places)
}

struct Reader<'r, 'a> {
    file: &'r mut TomlFile<'a>,
    zone: Option<Zone>,
    kpis: Vec<Kpi>,
}

impl Reader<'_, '_> {
    fn column(&mut self, section: Section<'_>) -> Option<Column> {
        let field = self
            .file
            .required(section, "field")
            .map(|(text, _)| text.to_owned());
        let sources = ["from", "kpi", "constant"];
        let stated: Vec<&str> = sources
            .into_iter()
            .filter(|key| section.table.contains_key(*key))
            .collect();
        let source = match stated.as_slice() {
            ["from"] => self.of_word(section),
            ["kpi"] => self.of_kpi(section),
            ["constant"] => {
                self.file.only(section, &["field", "constant"]);
                let text = self.file.text(section, "constant");
                text.map(|(text, _)| Source::Constant(text.to_owned()))
            }
            _ => {
                self.file.problem(
                    section.at,
                    "a column has exactly one of `from`, `kpi` and `constant`",
                );
                None
            }
        };
        Some(Column {
            field: field?,
            source: source?,
        })
    }

    fn of_word(&mut self, section: Section<'_>) -> Option<Source> {
        let (word, at) = self.file.required(section, "from")?;
        let time = match word {
            "start" => Some(TimeOf::Start),
            "end" => Some(TimeOf::End),
            _ => None,
        };
        if let Some(of) = time {
            self.file
                .only(section, &["field", "from", "format", "zone"]);
            return self.time(section, of);
        }
        self.file.only(section, &["field", "from"]);
        let source = match word {
            "minutes" => Source::Minutes,
            "fold" => Source::Fold,
            "tenant" => Source::Tenant,
            "client" => Source::Client,
            "feed" => Source::Feed,
            "zone" => Source::Zone,
            "layout" => Source::Layout,
            "revision" => Source::Revision,
            "correction" => Source::Correction,
            other => {
                if let Ok(dimension) = Dimension::parse(other) {
                    Source::Dimension(dimension)
                } else {
                    self.file.problem(
                        at,
                        format_args!(
                            "`from` is `{other}`; known are start, end, minutes, fold, tenant, client, feed, zone, layout, revision, \
                             correction, and what groups are by"
                        ),
                    );
                    return None;
                }
            }
        };
        Some(source)
    }

    fn time(&mut self, section: Section<'_>, of: TimeOf) -> Option<Source> {
        let format = match self.file.text(section, "format") {
            None => Some(TimeFormat::Instant),
            Some((text, at)) => match TimeFormat::parse(text) {
                Ok(format) => Some(format),
                Err(error) => {
                    self.file.problem(at, error);
                    None
                }
            },
        };
        let zone = match self.file.text(section, "zone") {
            None => self.zone,
            Some((text, at)) => match Zone::parse(text) {
                Ok(zone) => Some(zone),
                Err(error) => {
                    self.file.problem(at, error);
                    None
                }
            },
        };
        Some(Source::Time {
            of,
            format: format?,
            zone: zone?,
        })
    }

    fn of_kpi(&mut self, section: Section<'_>) -> Option<Source> {
        self.file.only(
            section,
            &["field", "kpi", "version", "measure", "unit", "places"],
        );
        let name = self.file.plain(section, "kpi")?;
        let version = self
            .file
            .number(section, "version", 1..METRIC_VERSION_MAX + 1);
        let version = version.and_then(|version| u16::try_from(version).ok());
        let measure = match self.file.text(section, "measure") {
            None => Some(Measure::Value),
            Some((text, at)) => {
                let measure = Measure::parse(text);
                if measure.is_none() {
                    let known: Vec<&str> = Measure::WORDS.iter().map(|(word, _)| *word).collect();
                    let known = known.join(", ");
                    self.file.problem(
                        at,
                        format_args!(
                            "`measure` is `{text}`; known are {known} and percentiles such as p90"
                        ),
                    );
                }
                measure
            }
        };
        let shown = self
            .file
            .choice(section, "unit", &Shown::WORDS, Shown::AsStored);
        let most = u64::from(Number::PLACES_MAX);
        let places = self.file.number(section, "places", 0..most + 1);
        let kpi = Kpi {
            name: name.to_owned(),
            version: version.map(MetricVersion),
        };
        let place = self.kpis.iter().position(|known| *known == kpi);
        let place = place.unwrap_or_else(|| {
            self.kpis.push(kpi);
            self.kpis.len() - 1
        });
        let (measure, shown) = (measure?, shown?);
        let whole = measure.is_plain() || shown == Shown::Clock;
        let usual = if whole { 0 } else { PLACES };
        Some(Source::Kpi {
            kpi: place,
            measure,
            shown,
            places: places
                .and_then(|places| u8::try_from(places).ok())
                .unwrap_or(usual),
        })
    }
}
