//! Whose clock counts: the order of sources, what is said of them, places and schedules.

use crate::call::{Call, at, definition};
use kpi::{Definition, Library, Metadata};
use schema::{DurationKind::Talk, State};
use timezone::{Places, Schedule};

fn call(zone: Option<&str>) -> Call {
    Call::default()
        .told(at(0).queue("support").agent("anna", zone).lasts(Talk, 1000))
        .ended()
}

fn source(metadata: &Metadata) -> (Option<&str>, Option<&str>, Option<&str>) {
    (
        metadata.zone,
        metadata.zone_source,
        metadata.zone_stated.as_deref(),
    )
}

#[test]
fn without_a_zone_it_is_utc_and_says_so_and_an_unknown_zone_is_kept() {
    let metadata = |zone| call(zone).measured("adjusted_aht").metadata;
    assert_eq!(source(&metadata(None)), (Some("UTC"), Some("none"), None));
    let unknown = metadata(Some("Mars/Phobos"));
    assert_eq!(
        source(&unknown),
        (Some("UTC"), Some("unknown"), Some("Mars/Phobos"))
    );
    assert_eq!(unknown.unknown_zone(), Some(("agent", "Mars/Phobos")));
    assert_eq!(
        source(&metadata(Some("us/eastern"))),
        (Some("America/New_York"), Some("agent"), None)
    );
}

const HOURS: &str = "value = 'localHour(interaction.started_at)'\n";

#[test]
fn the_default_zone_stands_in_for_a_missing_and_for_an_unknown_one() {
    for (zone, stated) in [(None, None), (Some("x"), Some("x"))] {
        let own = definition(
            "number",
            &format!("{HOURS}[zone]\ndefault = 'Asia/Kathmandu'"),
        );
        let row = call(zone).measured_by(own, Library::shipped());
        assert_eq!(row.value, Some(19.0));
        assert_eq!(
            source(&row.metadata),
            (Some("Asia/Kathmandu"), Some("default"), stated)
        );
    }
}

#[test]
fn the_order_of_sources_is_the_definitions() {
    let places = "places = 3\n[[organisation]]\ntenant = 'acme'\nzone = 'America/Chicago'\n[[queue]]\ntenant = 'acme'\nid = 'support'\nzone = 'Europe/Berlin'\n[[agent]]\ntenant = 'acme'\nid = 'bo'\nzone = 'Asia/Tokyo'\n";
    let schedule = "schedule = 'office'\nversion = 2\nzone = 'Australia/Lord_Howe'\n[weekly]\neveryday = ['08:00-18:00']\n";
    let library = || {
        Library::new(
            [Schedule::read(schedule).unwrap()],
            Places::read(places).unwrap(),
        )
    };
    let cases = [
        ("", Some("America/New_York"), "America/New_York", "agent"),
        ("", None, "Australia/Lord_Howe", "schedule"),
        (
            "order = ['agent', 'queue', 'schedule']",
            None,
            "Europe/Berlin",
            "queue",
        ),
        (
            "order = ['organisation', 'agent']",
            Some("Asia/Tokyo"),
            "America/Chicago",
            "organisation",
        ),
        ("order = []", Some("Asia/Tokyo"), "UTC", "none"),
    ];
    for (order, agent, zone, from) in cases {
        let text = format!(
            "name = 'own'\nversion = 1\nunit = 'share'\nvalue = 'inHours(interaction.started_at, schedules.office)'\n[schedules]\noffice = 'office@2'\n[zone]\n{order}\n"
        );
        let own = Definition::read("own", &text, &library()).unwrap();
        let row = call(agent).measured_by(own, library());
        assert_eq!(
            (row.metadata.zone, row.metadata.zone_source),
            (Some(zone), Some(from)),
            "{order}"
        );
        assert_eq!(row.provenance.places, Some(3));
        assert_eq!(
            row.provenance.schedules.as_deref(),
            Some(&["office@2".into()][..])
        );
        assert_eq!(row.provenance.tzdb, Some(timezone::TZDB_VERSION));
    }
}

#[test]
fn a_definition_that_asks_for_no_local_time_states_no_zone() {
    let row = call(Some("America/New_York")).measured("talk_time");
    assert_eq!(source(&row.metadata), (None, None, None));
    assert_eq!(row.provenance.tzdb, None);
    // Nor does a zone named in the call make the subject's one matter.
    let own = definition(
        "number",
        "value = 'localHour(interaction.started_at, \"Asia/Kathmandu\")'",
    );
    let row = call(Some("America/New_York")).measured_by(own, Library::shipped());
    assert_eq!(row.value, Some(19.0));
    assert_eq!(row.metadata.zone, None);
}

#[test]
fn local_days_weeks_and_months_are_those_of_the_zone() {
    // 2024-12-31T23:30 in New York is 2025-01-01T04:30Z.
    let new_year = 1_735_705_800 - crate::call::TEN_IN_NEW_YORK / 1000;
    let call = Call::default()
        .told(at(new_year).agent("anna", Some("America/New_York")))
        .told(at(new_year + 60).state(State::Completed));
    for (function, here, in_utc) in [
        ("localDay", "2024-12-31", "2025-01-01"),
        ("localMonth", "2024-12", "2025-01"),
        ("localWeek", "2025-W01", "2025-W01"),
    ] {
        let own = format!(
            "value = '{function}(interaction.started_at) == \"{here}\" && {function}(interaction.started_at, \"UTC\") == \"{in_utc}\"'"
        );
        let row = call.measured_by(definition("share", &own), Library::shipped());
        assert_eq!(row.value, Some(1.0), "{function}");
    }
    let own = "value = 'localWeekday(interaction.started_at) * 10000 + localMinute(interaction.started_at)'";
    let row = call.measured_by(definition("number", own), Library::shipped());
    assert_eq!(row.value, Some(21_410.0), "a Tuesday at 23:30");
}

#[test]
fn the_hours_of_a_leg_are_those_of_its_agent() {
    use schema::LegKind::Agent;
    let own = definition(
        "number",
        "scope = 'leg'\nvalue = 'localHour(leg.started_at)'",
    );
    let call = Call::default()
        .told(
            at(0)
                .agent("anna", Some("America/New_York"))
                .leg("1", Agent, |_| ()),
        )
        .told(
            at(60)
                .agent("bishal", Some("Asia/Kathmandu"))
                .leg("2", Agent, |_| ()),
        )
        .ended();
    let catalogue = kpi::Catalogue::new(vec![std::sync::Arc::new(own)], Library::shipped());
    let rows = call.rows_of(&catalogue);
    let hours: Vec<_> = rows
        .iter()
        .map(|row| (row.value, row.metadata.zone))
        .collect();
    assert_eq!(
        hours,
        [
            (Some(10.0), Some("America/New_York")),
            (Some(19.0), Some("Asia/Kathmandu"))
        ]
    );
}

/// A definition that is stored is read again whenever the catalogue changes: were the trial to use the places, an entry for
/// somebody could switch off what is computed for all.
#[test]
fn no_places_make_a_definition_unreadable() {
    // All samples begin in one hour; in New York it is this one.
    let rest = "value = '1.0 / double(localHour(interaction.started_at) - 10)'\n[zone]\norder = ['organisation']\n";
    let text = definition("number", rest).text().to_owned();
    for zone in ["America/New_York", "UTC", "Asia/Kathmandu"] {
        let places = format!("places = 1\n[[organisation]]\nzone = '{zone}'\n");
        let library = Library::shipped().with([], Some(Places::read(&places).unwrap()));
        let read = Definition::read("own.toml", &text, &library);
        assert!(read.is_ok(), "{zone}: {:?}", read.err());
    }
}
