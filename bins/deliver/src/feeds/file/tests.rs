use super::*;
use crate::feeds::sink::Place;
use feed::{Format, Measure, Source};
use schema::MetricVersion;
use std::time::Duration;
use window::Size;

const GOOD: &str = r#"
version = 1

[[feed]]
name = "wfm-voice"
tenant = "acme"
client = "planning"
layout = 1
by = ["queue"]
interval = "30m"
zone = "Europe/Berlin"
settle = "20m"
filter = "row.queue != 'test'"
csv = { separator = ";", decimal = "," }
column = [
    { field = "Queue", from = "queue" },
    { field = "Start", from = "start", format = "%d.%m.%Y %H:%M %:z" },
    { field = "Offered", kpi = "offered", measure = "count" },
    { field = "AHT", kpi = "handle_time", version = 2, measure = "mean", unit = "min", places = 2 },
    { field = "AHT min", kpi = "handle_time", version = 2, measure = "min" },
]
sink = { kind = "http", url = "https://wfm.example.test/in/{file}", headers = { X-Key = { env = "SECRET" } } }

[[feed]]
name = "lake"
tenant = "globex"
layout = 3
by = []
interval = "day"
window = "15m"
zone = "Asia/Kathmandu"
from = "2026-11-01T00:00:00+05:45"
empty = "skip"
format = "parquet"
file = "kpi/{feed}/date={date}/{start}-{revision}.{ext}"
timeouts = { total = "5s" }
column = [{ field = "talk", kpi = "talk_time", measure = "sum" }]
[feed.sink]
kind = "s3"
endpoint = "https://store.example.test"
bucket = "lake"
prefix = "raw/kpi/"
access_key = "AK"
secret_key = { env = "SECRET" }
"#;

fn read(text: &str) -> Result<Vec<Feed>, Vec<String>> {
    parse("feeds.toml", text, Path::new("/etc/kpiline"), &|name| {
        (name == "SECRET").then(|| "s3cret".to_owned())
    })
}

#[test]
fn a_good_file_is_read_whole() {
    let feeds = read(GOOD).unwrap();
    let [wfm, lake] = feeds.as_slice() else {
        panic!("{feeds:?}")
    };
    let definition = &wfm.definition;
    assert_eq!(
        (definition.interval, definition.window),
        (Size::Half, Size::Half)
    );
    assert_eq!(
        definition.kpis.len(),
        2,
        "one KPI in two columns is asked for once"
    );
    assert_eq!(definition.kpis[1].version, Some(MetricVersion(2)));
    assert!(matches!(
        definition.columns[2].source,
        Source::Kpi {
            measure: Measure::Count,
            places: 0,
            ..
        }
    ));
    assert!(matches!(&wfm.place, Place::Http(place) if place.headers.len() == 1));
    assert_eq!(wfm.correct_for, Duration::from_secs(7 * 86_400));
    assert_eq!(
        (lake.definition.interval, lake.definition.window),
        (Size::Day, Size::Quarter)
    );
    assert_eq!(lake.definition.format, Format::Parquet);
    assert_eq!(lake.definition.client, "globex");
    assert_eq!(
        lake.from.map(|from| from.to_string()).as_deref(),
        Some("2026-10-31T18:15:00.000Z")
    );
    assert_eq!(lake.timeouts.total, Duration::from_secs(5));
    assert!(!format!("{feeds:?}").contains("s3cret"));
}

#[test]
fn the_example_in_the_repository_is_good_but_for_its_secrets() {
    let text = include_str!("../../../../../deploy/config/feeds.toml");
    let secret = "{ file = \"lake-secret-key\" }";
    assert!(text.contains(secret));
    let text = text.replace(secret, "{ env = \"LAKE_SECRET_KEY\" }");
    let feeds = parse("feeds.toml", &text, Path::new("."), &|_| {
        Some("secret".to_owned())
    });
    assert!(feeds.is_ok(), "{feeds:?}");
}

#[test]
fn every_problem_is_listed_with_its_line() {
    let text = r#"version = 1
[[feed]]
name = "a b"
tenant = "acme"
by = ["colour"]
interval = "20m"
zone = "Mars/Base"
settle = "soon"
from = "yesterday"
empty = "maybe"
file = "{start}"
format = "xml"
colour = "green"
[[feed.column]]
field = "x"
[[feed.column]]
field = "y"
from = "colour"
[[feed.column]]
field = "z"
kpi = "offered"
measure = "average"
unit = "furlong"
places = 10
[[feed.column]]
field = "t"
from = "start"
format = "iso"
[feed.sink]
kind = "s3"
bucket = "b"
prefix = "../x"
secret_key = { env = "ABSENT" }
"#;
    let problems = read(text).unwrap_err();
    let expected = [
        "feeds.toml:13: unknown setting `colour`",
        "feeds.toml:3: `name` is `a b`",
        "feeds.toml:2: `layout` is missing",
        "feeds.toml:5: unknown dimension \"colour\"",
        "feeds.toml:6: `interval` is `20m`; known are 15m, 30m, 60m, day",
        "feeds.toml:7: unknown time zone \"Mars/Base\"",
        "feeds.toml:9: `from` is `yesterday`",
        "feeds.toml:8: `settle` is `soon`",
        "feeds.toml:10: `empty` is `maybe`",
        "feeds.toml:11: `file` is `{start}`: it needs {revision}",
        "feeds.toml:12: `format` is `xml`",
        "feeds.toml:14: a column has exactly one of",
        "feeds.toml:18: `from` is `colour`",
        "feeds.toml:22: `measure` is `average`",
        "feeds.toml:23: `unit` is `furlong`",
        "feeds.toml:24: `places` is 10; allowed are 0 to 9",
        "feeds.toml:28: \"iso\" is no time format",
        "feeds.toml:29: `endpoint` is missing",
        "feeds.toml:32: `prefix` is `../x`",
        "feeds.toml:29: `access_key` is missing",
        "feeds.toml:33: `secret_key`: the environment variable ABSENT is not set",
    ];
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problem} is not {expected}");
    }
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
}

#[test]
fn what_is_wrong_as_a_whole_is_told_where_it_stands() {
    for (from, to, expected) in [
        (
            "from = \"start\", format = \"%d.%m.%Y %H:%M %:z\"",
            "from = \"start\", format = \"%H:%M\"",
            "feeds.toml:4: Europe/Berlin shows one hour of autumn twice",
        ),
        (
            "from = \"queue\"",
            "from = \"agent\"",
            "feeds.toml:16: `agent` is not among",
        ),
        ("window = \"15m\"", "", "feeds.toml:40: [feed.column] "),
        (
            "layout = 3\nby = []",
            "layout = 3\nby = []\nclient = \"a/b\"",
            "feeds.toml:29: `client` is `a/b`",
        ),
        (
            "interval = \"30m\"",
            "interval = \"30m\"\nwindow = \"day\"",
            "feeds.toml:11: intervals of 30m are not made of windows of day",
        ),
        (
            "/in/{file}",
            "/in",
            "feeds.toml:22: a PUT replaces what is there",
        ),
        (
            "csv = { separator = \";\", decimal = \",\" }",
            "csv = { separator = \",\", decimal = \",\" }",
            "feeds.toml:14: `separator` and `decimal` are one character",
        ),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let found = read(&GOOD.replace(from, to)).err().unwrap_or_default();
        if expected.contains("[feed.column]") {
            assert!(
                found.is_empty(),
                "a sum adds up whatever the windows: {found:?}"
            );
        } else {
            assert!(found[0].starts_with(expected), "{found:?}");
        }
    }
}

#[test]
fn two_feeds_never_write_one_file() {
    let second = GOOD.replace("\nname = \"lake\"", "\nname = \"lake.2\"");
    let second = second.split("[[feed]]").nth(2).unwrap();
    let both = format!("{GOOD}\n[[feed]]\n{second}");
    // Their names are part of their files' names, and one is not the beginning of the other one's part.
    assert!(read(&both).is_ok());
    let met = both.replace("kpi/{feed}/date", "kpi/date");
    let found = read(&met).unwrap_err();
    assert!(
        found[0].contains("the files of feed `lake` go there too"),
        "{found:?}"
    );
}
