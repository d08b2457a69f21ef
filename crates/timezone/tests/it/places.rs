//! Whose zone it is.

use crate::{utc, zone};
use timezone::{Asked, Places, ZoneSource};

const PLACES: &str = r#"
places = 7

[[organisation]]
zone = "Europe/Berlin"
[[organisation]]
tenant = "acme"
zone = "US/Eastern"

[[queue]]
id = "support"
zone = "Europe/Lisbon"
[[queue]]
tenant = "acme"
id = "support"
zone = "Central Standard Time"

[[agent]]
id = "anna"
zone = "Atlantic/Canary"
from = 2024-07-01
[[agent]]
id = "anna"
zone = "Europe/Madrid"
[[agent]]
id = "anna"
zone = "+05:30"
from = 2025-01-01T00:00:00+05:30
[[agent]]
tenant = "acme"
id = "bela"
zone = "Europe/Budapest"
from = 2024-01-01T00:00:00Z
"#;

fn places() -> Places {
    Places::read(PLACES).unwrap()
}

const NOBODY: Asked<'static> = Asked {
    tenant: "other",
    agent: None,
    agent_stated: None,
    queue: None,
    schedule: None,
    default: None,
    at_micros: 0,
};

/// The name and the source of the zone in the usual order.
fn found(asked: Asked<'_>) -> (&'static str, &'static str) {
    let resolved = places().resolve(&ZoneSource::ORDER, &asked);
    assert_eq!(resolved.unknown, None);
    (resolved.zone.name(), resolved.source.as_str())
}

#[test]
fn the_documented_example_is_places() {
    let example = crate::schedules::documented_example(include_str!("../../src/places.rs"));
    let places = Places::read(&example).unwrap_or_else(|problems| panic!("{problems:?}"));
    let asked = Asked {
        agent: Some("anna"),
        at_micros: utc("2024-07-01T00:00Z"),
        ..NOBODY
    };
    let resolved = places.resolve(&ZoneSource::ORDER, &asked);
    assert_eq!(resolved.zone.name(), "Atlantic/Canary");
    assert_eq!(places.platform("acme"), Some("genesys"));
    let site = places.zone_of_group("acme", None, None, &[("site", "porto")], None, 0);
    assert_eq!(
        (site.zone.name(), site.source),
        ("Europe/Lisbon", ZoneSource::Attribute)
    );
}

#[test]
fn the_first_source_that_has_a_zone_decides() {
    let mut asked = Asked {
        tenant: "acme",
        default: Some(zone("Asia/Tokyo")),
        ..NOBODY
    };
    assert_eq!(found(asked), ("America/New_York", "organisation"));
    asked.queue = Some("support");
    assert_eq!(found(asked), ("America/Chicago", "queue"));
    asked.schedule = Some(zone("Europe/Paris"));
    assert_eq!(found(asked), ("Europe/Paris", "schedule"));
    asked.agent_stated = Some("america/denver");
    assert_eq!(found(asked), ("America/Denver", "agent"));
}

#[test]
fn the_order_is_the_askers() {
    let asked = Asked {
        tenant: "acme",
        agent_stated: Some("Europe/Rome"),
        queue: Some("support"),
        default: Some(zone("Asia/Tokyo")),
        ..NOBODY
    };
    let first = |order: &[ZoneSource]| places().resolve(order, &asked).source;
    let (agent, queue) = (ZoneSource::Agent, ZoneSource::Queue);
    assert_eq!(first(&[queue, agent]), queue);
    assert_eq!(first(&[agent, queue]), agent);
    assert_eq!(first(&[]), ZoneSource::Default);
    assert_eq!(first(&[ZoneSource::Default, agent]), ZoneSource::Default);
}

#[test]
fn a_tenants_own_entry_goes_before_that_for_all() {
    let asked = Asked {
        queue: Some("support"),
        ..NOBODY
    };
    assert_eq!(found(asked), ("Europe/Lisbon", "queue"));
    assert_eq!(found(NOBODY), ("Europe/Berlin", "organisation"));
    let bela = Asked {
        agent: Some("bela"),
        at_micros: utc("2024-02-01T00:00Z"),
        ..NOBODY
    };
    assert_eq!(found(bela), ("Europe/Berlin", "organisation"));
    let acme = Asked {
        tenant: "acme",
        ..bela
    };
    assert_eq!(found(acme), ("Europe/Budapest", "agent"));
}

#[test]
fn an_agent_who_moves_takes_the_new_zone_from_that_instant() {
    let anna = |instant: &str| {
        found(Asked {
            agent: Some("anna"),
            // Corrected by what was written down.
            agent_stated: Some("Europe/Oslo"),
            at_micros: utc(instant),
            ..NOBODY
        })
    };
    assert_eq!(anna("1969-01-01T00:00Z"), ("Europe/Madrid", "agent"));
    assert_eq!(anna("2024-06-30T23:59:59Z"), ("Europe/Madrid", "agent"));
    assert_eq!(anna("2024-07-01T00:00Z"), ("Atlantic/Canary", "agent"));
    assert_eq!(anna("2024-12-31T18:29:59Z"), ("Atlantic/Canary", "agent"));
    assert_eq!(anna("2024-12-31T18:30Z"), ("+05:30", "agent"));
    let bela = |instant: &str| {
        found(Asked {
            tenant: "acme",
            agent: Some("bela"),
            agent_stated: Some("Europe/Oslo"),
            at_micros: utc(instant),
            ..NOBODY
        })
    };
    assert_eq!(bela("2023-12-31T23:59:59Z"), ("Europe/Oslo", "agent"));
    assert_eq!(bela("2024-01-01T00:00Z"), ("Europe/Budapest", "agent"));
}

#[test]
fn a_name_that_cannot_be_used_is_told_and_the_next_source_asked() {
    let asked = Asked {
        agent_stated: Some("Foo Standard Time"),
        ..NOBODY
    };
    let resolved = places().resolve(&ZoneSource::ORDER, &asked);
    assert_eq!(resolved.zone.name(), "Europe/Berlin");
    assert_eq!(resolved.source, ZoneSource::Organisation);
    let unknown = Some((ZoneSource::Agent, "Foo Standard Time"));
    assert_eq!(resolved.unknown, unknown);

    let alone = Places::empty().resolve(&ZoneSource::ORDER, &asked);
    assert_eq!(alone.source, ZoneSource::None, "UTC, and it shows");
    assert_eq!(alone.zone.name(), "UTC");
    assert_eq!(alone.unknown, unknown);
}

#[test]
fn a_name_that_would_not_have_decided_is_no_finding() {
    let asked = Asked {
        agent: Some("anna"),
        agent_stated: Some("Foo Standard Time"),
        ..NOBODY
    };
    assert_eq!(found(asked), ("Europe/Madrid", "agent"));
}

#[test]
fn a_blank_name_states_nothing() {
    let asked = Asked {
        agent_stated: Some("  "),
        ..NOBODY
    };
    assert_eq!(found(asked), ("Europe/Berlin", "organisation"));
}

#[test]
fn all_problems_are_told_at_once_with_their_places() {
    let text = "\
places = 0
colour = 1

[[organisation]]
zone = \"Nowhere\"
[[organisation]]
zone = \"Europe/Berlin\"
[[organisation]]
zone = \"Europe/Rome\"

[[queue]]
id = 5
[[queue]]
tenant = \"\"
id = \"a\"
zone = \"UTC\"

[[agent]]
id = \"anna\"
zone = \"UTC\"
from = 2024-01-01T08:00:00
[[agent]]
id = \"bela\"
zone = \"UTC\"
[[agent]]
id = \"bela\"
zone = \"Z\"
until = 2024-01-01
";
    let problems = Places::read(text).unwrap_err();
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "1:10: `places` must be a version from 1 to 32767, not 0",
            "2:1: unknown member `colour`; known are places, organisation, queue, agent, team, attribute",
            "5:8: unknown time zone \"Nowhere\": an IANA name such as Europe/Berlin, a Windows name or an offset such as +05:30 is needed",
            "8:1: this organisation has an entry already",
            "11:1: `zone` is missing",
            "12:6: `id` must be a text, not 5",
            "14:10: `tenant` is empty",
            "21:8: `from` must be an instant such as 2024-12-24T08:00:00Z, or a date, without quotes, not 2024-01-01T08:00:00",
            "26:6: this agent has an entry from that instant already",
            "28:1: unknown member `until`; known are tenant, id, zone, from, team",
        ]
    );
}

#[test]
fn a_text_that_is_no_toml_is_told_by_its_place() {
    let problems = Places::read("places = 1\n[[agent]\nid = \n").unwrap_err();
    assert_eq!((problems[0].line, problems[0].column), (2, 9));
}

#[test]
fn a_version_is_needed_and_kept() {
    assert_eq!(places().version(), 7);
    assert_eq!(Places::empty().version(), 0);
    let problems = Places::read("").unwrap_err();
    assert_eq!(problems[0].to_string(), "1:1: `places` is missing");
}

const GROUPS: &str = r#"
places = 8

[[organisation]]
zone = "Europe/Berlin"
platform = "genesys"
[[organisation]]
tenant = "acme"
platform = "cxone"

[[queue]]
id = "support"
zone = "Europe/Lisbon"

[[agent]]
id = "anna"
zone = "Europe/Madrid"
team = "service"
[[agent]]
id = "anna"
from = 2024-07-01
team = "sales"
[[agent]]
id = "anna"
from = 2024-09-01
zone = "Atlantic/Canary"
[[agent]]
tenant = "acme"
id = "anna"
from = 2024-01-01
team = "night"

[[team]]
id = "sales"
zone = "Europe/Rome"
[[team]]
id = "service"
[[team]]
tenant = "acme"
id = "sales"
zone = "America/Denver"

[[attribute]]
name = "site"
value = "porto"
zone = "Europe/Lisbon"
[[attribute]]
name = "site"
value = "funchal"
zone = "Atlantic/Madeira"
[[attribute]]
tenant = "acme"
name = "site"
value = "porto"
zone = "America/Sao_Paulo"
"#;

#[test]
fn platforms_and_teams_are_known() {
    let places = Places::read(GROUPS).unwrap();
    assert_eq!(places.platform("acme"), Some("cxone"));
    assert_eq!(places.platform("other"), Some("genesys"));
    assert_eq!(Places::empty().platform("acme"), None);
    let team = |tenant, instant| places.team(tenant, "anna", utc(instant));
    assert_eq!(team("other", "1990-01-01T00:00Z"), Some("service"));
    assert_eq!(team("other", "2024-06-30T23:59:59Z"), Some("service"));
    assert_eq!(team("other", "2024-07-01T00:00Z"), Some("sales"));
    assert_eq!(
        team("other", "2024-10-01T00:00Z"),
        Some("sales"),
        "another zone, the same team"
    );
    assert_eq!(team("acme", "2024-02-01T00:00Z"), Some("night"));
    assert_eq!(
        team("acme", "2023-02-01T00:00Z"),
        Some("service"),
        "as for all tenants"
    );
    assert_eq!(places.team("other", "bela", 0), None);
    // The zone goes on where an entry has a team alone.
    let zone = |instant| {
        let asked = Asked {
            agent: Some("anna"),
            at_micros: utc(instant),
            ..NOBODY
        };
        places.resolve(&ZoneSource::ORDER, &asked).zone.name()
    };
    assert_eq!(zone("2024-08-01T00:00Z"), "Europe/Madrid");
    assert_eq!(zone("2024-09-01T00:00Z"), "Atlantic/Canary");
}

#[test]
fn a_group_has_the_zone_of_the_narrowest_that_has_one() {
    let places = Places::read(GROUPS).unwrap();
    let porto = [("colour", "red"), ("site", "porto")];
    let found = |tenant, agent, team, attributes: &[(&str, &str)], queue| {
        let at = utc("2024-08-01T00:00Z");
        let resolved = places.zone_of_group(tenant, agent, team, attributes, queue, at);
        assert_eq!(resolved.unknown, None);
        (resolved.zone.name(), resolved.source.as_str())
    };
    let (sales, support) = (Some("sales"), Some("support"));
    let anna = Some(("anna", Some("Europe/Oslo")));
    assert_eq!(
        found("other", anna, sales, &porto, support),
        ("Europe/Madrid", "agent")
    );
    let bela = Some(("bela", Some("Europe/Oslo")));
    assert_eq!(
        found("other", bela, sales, &porto, support),
        ("Europe/Oslo", "agent")
    );
    let unknown = Some(("bela", None));
    assert_eq!(
        found("other", unknown, sales, &porto, support),
        ("Europe/Rome", "team")
    );
    assert_eq!(
        found("acme", None, sales, &porto, support),
        ("America/Denver", "team")
    );
    let service = Some("service");
    assert_eq!(
        found("other", None, service, &porto, support),
        ("Europe/Lisbon", "attribute")
    );
    assert_eq!(
        found("acme", None, None, &porto, support),
        ("America/Sao_Paulo", "attribute")
    );
    assert_eq!(
        found("acme", None, None, &[("site", "funchal")], None),
        ("Atlantic/Madeira", "attribute")
    );
    assert_eq!(
        found("other", None, service, &[("site", "faro")], support),
        ("Europe/Lisbon", "queue")
    );
    assert_eq!(
        found("other", None, None, &[], Some("sales")),
        ("Europe/Berlin", "organisation")
    );
    assert_eq!(
        found("acme", None, None, &[], None),
        ("Europe/Berlin", "organisation")
    );
}

#[test]
fn a_group_whose_zone_is_not_known_says_so() {
    let places = Places::read(GROUPS).unwrap();
    let wrong = Some(("bela", Some("Foo Standard Time")));
    let told = Some((ZoneSource::Agent, "Foo Standard Time"));
    let resolved = places.zone_of_group("other", wrong, Some("sales"), &[], None, 0);
    assert_eq!(
        (resolved.source, resolved.unknown),
        (ZoneSource::Team, told)
    );
    let nobody = Places::empty().zone_of_group("other", wrong, Some("sales"), &[], None, 0);
    assert_eq!((nobody.source, nobody.unknown), (ZoneSource::None, told));
    assert_eq!(nobody.zone.name(), "UTC");
    // Teams and attributes are of groups: what is asked by the usual order has neither.
    let order = [
        ZoneSource::Team,
        ZoneSource::Attribute,
        ZoneSource::Organisation,
    ];
    let source = places.resolve(&order, &NOBODY).source;
    assert_eq!(source, ZoneSource::Organisation);
}

#[test]
fn problems_of_what_groups_need_are_told() {
    let text = "\
places = 1

[[organisation]]
tenant = \"acme\"
[[organisation]]
platform = \"genesys\"
[[organisation]]
zone = \"UTC\"
[[organisation]]
tenant = \"b\"
platform = 5

[[agent]]
id = \"anna\"
[[agent]]
id = \"anna\"
team = \"sales\"
from = 2024-01-01
[[agent]]
id = \"anna\"
team = \"service\"
from = 2024-01-01T00:00:00Z

[[team]]
zone = \"UTC\"
[[team]]
id = \"sales\"
[[team]]
id = \"sales\"
zone = \"Mars\"
members = []

[[attribute]]
name = \"site\"
[[attribute]]
name = \"site\"
value = \"porto\"
zone = \"UTC\"
[[attribute]]
name = \"site\"
value = \"porto\"
zone = \"UTC\"
colour = 1
";
    let problems = Places::read(text).unwrap_err();
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "3:1: `zone` or `platform` is missing",
            "7:1: this organisation has an entry already",
            "11:12: `platform` must be a text, not 5",
            "13:1: `zone` or `team` is missing",
            "20:6: this agent has an entry from that instant already",
            "24:1: `id` is missing",
            "29:6: this team has an entry already",
            "30:8: unknown time zone \"Mars\": an IANA name such as Europe/Berlin, a Windows name or an offset such as +05:30 is needed",
            "31:1: unknown member `members`; known are tenant, id, zone",
            "33:1: `zone` is missing",
            "33:1: `value` is missing",
            "41:9: this value of the attribute has an entry already",
            "43:1: unknown member `colour`; known are tenant, name, value, zone",
        ]
    );
}
