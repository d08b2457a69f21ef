//! What is in a table, and when it differs.

use crate::given::{at, column, figure, kpi, wfm, window};
use feed::{Cell, Filter, Issue, Measure, Number, Revision, Shown, Source, Table};
use proptest::prelude::*;
use schema::UtcMicros;
use window::{Size, Window};

fn first() -> Window {
    window("2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z")
}

fn number(units: i64, places: u8) -> Cell {
    Cell::Number(Number::new(units, places))
}

#[test]
fn a_group_is_a_row_and_what_it_lacks_is_null() {
    let figures = [
        figure(0, Some("sales"), first(), (7, 7), "count"),
        figure(1, Some("sales"), first(), (65_700, 2), "seconds"),
        figure(0, None, first(), (1, 1), "count"),
        figure(2, None, first(), (2, 3), "share"),
    ];
    let table = Table::of(&wfm(), first(), &figures).unwrap();
    let cells: Vec<_> = table
        .rows()
        .iter()
        .map(|row| [&row[0], &row[2], &row[3], &row[4]])
        .collect();
    let sales = Cell::Text("sales".to_owned());
    assert_eq!(
        cells,
        [
            [&sales, &number(7, 0), &number(329, 1), &Cell::Null],
            [&Cell::Null, &number(1, 0), &Cell::Null, &number(6667, 2)],
        ]
    );
}

#[test]
fn windows_of_a_shorter_size_add_up_and_are_rounded_once() {
    let mut wfm = wfm();
    wfm.window = Size::Quarter;
    let quarters = [
        window("2026-10-25T00:30:00Z", "2026-10-25T00:45:00Z"),
        window("2026-10-25T00:45:00Z", "2026-10-25T01:00:00Z"),
    ];
    let figures: Vec<_> = quarters
        .into_iter()
        .zip([(100_000, 3), (1, 4)])
        .map(|(window, sums)| figure(1, Some("sales"), window, sums, "seconds"))
        .collect();
    let table = Table::of(&wfm, first(), &figures).unwrap();
    // 100.001 s over seven, not the mean of two means.
    assert_eq!(table.rows()[0][3], number(143, 1));
}

#[test]
fn what_cannot_be_made_up_says_everything_that_is_in_the_way() {
    let mut wfm = wfm();
    wfm.columns.push(column(
        "P90",
        kpi(1, Measure::Percentile(90), Shown::Minutes, 1),
    ));
    let early = window("2026-10-25T00:15:00Z", "2026-10-25T00:45:00Z");
    let figures = [
        figure(0, Some("sales"), early, (7, 7), "count"),
        figure(1, Some("sales"), first(), (1, 1), "count"),
        figure(2, Some("sales"), first(), (i64::MAX, 1), "share"),
    ];
    let found = Table::of(&wfm, first(), &figures).unwrap_err();
    let kinds: Vec<&str> = found
        .0
        .iter()
        .map(|issue| match issue {
            Issue::Astride { .. } => "astride",
            Issue::Unit { .. } => "unit",
            Issue::TooLarge { .. } => "too large",
            Issue::Several { .. } => "several",
            Issue::NoDate { .. } => "no date",
        })
        .collect();
    assert_eq!(kinds, ["astride", "unit", "unit", "too large"], "{found}");
}

#[test]
fn only_groups_that_the_filter_lets_through_are_rows() {
    let mut wfm = wfm();
    wfm.filter = Some(Filter::compile("row.queue != 'test'", &wfm.by).unwrap());
    let figures = [
        figure(0, Some("sales"), first(), (7, 7), "count"),
        figure(0, Some("test"), first(), (7, 7), "count"),
        figure(0, None, first(), (7, 7), "count"),
    ];
    assert_eq!(Table::of(&wfm, first(), &figures).unwrap().rows().len(), 1);
}

#[test]
fn the_hour_that_comes_twice_is_told_apart_by_a_column() {
    let mut wfm = wfm();
    wfm.columns = vec![
        column("Second", Source::Fold),
        column("Minutes", Source::Minutes),
        column("Offered", kpi(0, Measure::Count, Shown::AsStored, 0)),
    ];
    let told = |from: &str, to: &str| {
        let interval = window(from, to);
        let figures = [figure(0, Some("sales"), interval, (7, 7), "count")];
        let table = Table::of(&wfm, interval, &figures).unwrap();
        table.rows()[0][..2].to_vec()
    };
    let plain = |fold| vec![number(fold, 0), number(30, 0)];
    assert_eq!(
        told("2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z"),
        plain(0)
    );
    assert_eq!(
        told("2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"),
        plain(1)
    );
    assert_eq!(
        told("2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"),
        plain(1)
    );
    assert_eq!(
        told("2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z"),
        plain(0)
    );
}

proptest! {
    /// The digest is of the content: not of the order in which figures come, nor of what the columns say of the sending.
    #[test]
    fn a_digest_differs_exactly_where_the_content_does(
        sums in prop::collection::vec((0_i64..50, 1_i64..5), 1..20), revision in 1_u32..9, changed in 0_usize..20, by in 1_i64..9,
    ) {
        let queues: Vec<String> = (0..sums.len()).map(|n| format!("q{n:02}")).collect();
        let figures: Vec<_> = sums
            .iter()
            .zip(&queues)
            .map(|(sums, queue)| figure(0, Some(queue), first(), (sums.0, sums.1), "count"))
            .collect();
        let wfm = wfm();
        let table = |figures: &[feed::Figure]| Table::of(&wfm, first(), figures).unwrap();
        let digest = table(&figures).digest();
        let mut reversed = figures.clone();
        reversed.reverse();
        prop_assert_eq!(table(&reversed).digest(), digest);
        prop_assert_eq!(table(&figures).sent_as(Revision(revision), revision > 1).digest(), digest);
        let mut other = figures.clone();
        let changed = changed % other.len();
        other[changed].items += by;
        prop_assert_ne!(table(&other).digest(), digest);
        other.remove(changed);
        prop_assert_ne!(table(&other).digest(), digest);
    }

    #[test]
    fn an_empty_interval_differs_from_the_next_one(quarters in 1_i64..100) {
        let wfm = wfm();
        let later = Window {
            start: UtcMicros(at("2026-10-25T00:30:00Z").0 + quarters * 1_800_000_000),
            end: UtcMicros(at("2026-10-25T01:00:00Z").0 + quarters * 1_800_000_000),
        };
        let empty = |interval| Table::of(&wfm, interval, &[]).unwrap().digest();
        prop_assert_ne!(empty(first()), empty(later));
    }
}
