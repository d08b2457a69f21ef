//! What is wrong with a definition is told at once, and what receivers rely on is one text.

use crate::given::{column, kpi, start, wfm, zone};
use feed::{Csv, Format, LayoutVersion, Measure, Place, Shown, Source};
use window::{Dimension, Size};

#[test]
fn a_good_definition_has_no_problems() {
    let found = wfm().problems();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn every_problem_is_told_at_once() {
    let mut wfm = wfm();
    wfm.name = ".hidden".to_owned();
    wfm.client = "a/b".to_owned();
    wfm.interval = Size::Quarter;
    wfm.window = Size::Half;
    wfm.format = Format::Csv(Csv {
        separator: ';',
        decimal: ';',
        ..Csv::default()
    });
    wfm.columns = vec![
        column("Agent", Source::Dimension(Dimension::Agent)),
        column("agent", kpi(9, Measure::Mean, Shown::AsStored, 0)),
        column(" ", kpi(0, Measure::Value, Shown::AsStored, 0)),
        column("n", kpi(0, Measure::Count, Shown::Seconds, 0)),
        column("t", kpi(1, Measure::Mean, Shown::Clock, 2)),
        column("at", start("%H:%M", zone("Europe/Berlin"))),
    ];
    let found = wfm.problems();
    let places: Vec<Place> = found.iter().map(|problem| problem.place).collect();
    assert_eq!(
        places,
        [
            Place::Feed,
            Place::Client,
            Place::Window,
            Place::Format,
            Place::Column(0),
            Place::Column(1),
            Place::Column(1),
            Place::Column(2),
            Place::Column(2),
            Place::Column(3),
            Place::Column(4),
            Place::Columns,
        ],
        "{found:#?}"
    );
}

/// Half an hour of autumn must be told from the other one, whoever reads the file.
#[test]
fn local_times_without_an_offset_need_a_column_that_tells() {
    let berlin = zone("Europe/Berlin");
    for (format, clock, also, fine) in [
        ("%H:%M", berlin, None, false),
        ("%H:%M", berlin, Some(Source::Fold), true),
        ("%H:%M%:z", berlin, None, true),
        ("epoch_s", berlin, None, true),
        ("%H:%M", zone("UTC"), None, true),
        ("%H:%M", zone("Asia/Kolkata"), None, true),
    ] {
        let mut wfm = wfm();
        wfm.columns[1] = column("Start", start(format, clock));
        wfm.columns
            .extend(also.map(|source| column("Also", source)));
        assert_eq!(wfm.problems().is_empty(), fine, "{format} {clock}");
    }
}

#[test]
fn the_layout_tells_a_change_that_a_receiver_would_see() {
    let same = wfm();
    let mut other = wfm();
    other.layout = LayoutVersion(2);
    other.settle = schema::Millis(1);
    assert_eq!(
        same.layout_text(),
        other.layout_text(),
        "what it is called and when it comes is no layout"
    );
    other.columns.swap(0, 1);
    assert_ne!(same.layout_text(), other.layout_text());
}
