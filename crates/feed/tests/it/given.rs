//! A feed as a planning tool wants it, and figures for it.

use feed::{
    Column, Csv, Definition, Empty, Figure, FileName, Format, Kpi, LayoutVersion, Measure, Shown,
    Source, TimeFormat, TimeOf,
};
use schema::{MetricVersion, Millis, UtcMicros};
use std::collections::BTreeMap;
use timezone::Zone;
use window::{Dimension, GroupBy, GroupKey, Size, Window};

/// An instant from its text in RFC 3339, UTC.
pub(crate) fn at(text: &str) -> UtcMicros {
    UtcMicros(expression::parse_timestamp(text).unwrap())
}

pub(crate) fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

pub(crate) fn column(field: &str, source: Source) -> Column {
    Column {
        field: field.to_owned(),
        source,
    }
}

pub(crate) fn start(format: &str, zone: Zone) -> Source {
    Source::Time {
        of: TimeOf::Start,
        format: TimeFormat::parse(format).unwrap(),
        zone,
    }
}

pub(crate) fn kpi(kpi: usize, measure: Measure, shown: Shown, places: u8) -> Source {
    Source::Kpi {
        kpi,
        measure,
        shown,
        places,
    }
}

/// Half hours of Berlin by queue: offered contacts, mean handle time in seconds, service level in per cent.
pub(crate) fn wfm() -> Definition {
    let berlin = zone("Europe/Berlin");
    Definition {
        name: "wfm".to_owned(),
        tenant: "acme".into(),
        client: "planning".to_owned(),
        layout: LayoutVersion(1),
        by: GroupBy::parse("queue").unwrap(),
        interval: Size::Half,
        zone: berlin,
        window: Size::Half,
        settle: Millis(20 * 60_000),
        filter: None,
        empty: Empty::Send,
        format: Format::Csv(Csv::default()),
        kpis: ["offered", "handle_time", "service_level"]
            .map(|name| Kpi {
                name: name.to_owned(),
                version: None,
            })
            .into(),
        columns: vec![
            column("Queue", Source::Dimension(Dimension::Queue)),
            column("Start", start("instant", berlin)),
            column("Offered", kpi(0, Measure::Count, Shown::AsStored, 0)),
            column("AHT", kpi(1, Measure::Mean, Shown::Seconds, 1)),
            column("SL", kpi(2, Measure::Mean, Shown::Percent, 2)),
            column("Rev", Source::Revision),
            column("Corr", Source::Correction),
        ],
        file_name: FileName::parse(FileName::USUAL).unwrap(),
    }
}

/// One KPI of one queue, over the whole interval.
pub(crate) fn figure(
    kpi: usize,
    queue: Option<&str>,
    window: Window,
    sums: (i64, i64),
    unit: &str,
) -> Figure {
    let (numerator, denominator) = sums;
    Figure {
        kpi,
        version: MetricVersion::FIRST,
        group: GroupKey::new([queue]),
        window,
        items: denominator,
        numerator,
        denominator,
        scale: if unit == "seconds" { 1000 } else { 1 },
        minimum: None,
        maximum: None,
        percentiles: BTreeMap::new(),
        value: None,
        unit: unit.to_owned(),
    }
}

pub(crate) fn window(start: &str, end: &str) -> Window {
    Window {
        start: at(start),
        end: at(end),
    }
}
