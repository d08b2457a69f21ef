//! Places from their document.

use super::{Entries, Places};
use crate::document::{DocumentProblem, Members, Problems, read};
use crate::zone::Zone;
use toml::Spanned;

pub(super) fn places(text: &str) -> Result<Places, Vec<DocumentProblem>> {
    read(text, |document, problems| {
        document.only(
            &[
                "places",
                "organisation",
                "queue",
                "agent",
                "team",
                "attribute",
            ],
            problems,
        );
        let version = document.version("places", problems);
        let mut places = Places::default();
        for table in document.tables("organisation", problems) {
            organisation(table, &mut places, problems);
        }
        for table in document.tables("queue", problems) {
            queue(table, &mut places, problems);
        }
        for table in document.tables("agent", problems) {
            agent(table, &mut places, problems);
        }
        for table in document.tables("team", problems) {
            team(table, &mut places, problems);
        }
        for table in document.tables("attribute", problems) {
            attribute(table, &mut places, problems);
        }
        places.version = version?;
        Some(places)
    })
}

fn organisation(table: Members<'_>, places: &mut Places, problems: &mut Problems) {
    table.only(&["tenant", "zone", "platform"], problems);
    let platform = table.text("platform", problems);
    let zone = zone_unless(table, "platform", problems);
    let entries = entries(table, places, problems);
    if zone.is_none() && platform.is_none() {
        return;
    }
    if entries.organisation.is_some() || entries.platform.is_some() {
        problems.add(table.at, "this organisation has an entry already");
    }
    entries.organisation = zone;
    entries.platform = platform.map(|platform| (*platform.get_ref()).to_owned());
}

fn queue(table: Members<'_>, places: &mut Places, problems: &mut Problems) {
    table.only(&["tenant", "id", "zone"], problems);
    let (zone, id) = (zone(table, problems), id(table, problems));
    let queues = &mut entries(table, places, problems).queues;
    if let (Some(zone), Some(id)) = (zone, id)
        && queues.insert((*id.get_ref()).to_owned(), zone).is_some()
    {
        problems.add(id.span().start, "this queue has an entry already");
    }
}

fn agent(table: Members<'_>, places: &mut Places, problems: &mut Problems) {
    table.only(&["tenant", "id", "zone", "from", "team"], problems);
    let team = table.text("team", problems);
    let zone = zone_unless(table, "team", problems);
    let id = id(table, problems);
    let from = match table.instant("from", problems) {
        Some(from) => Some(from.into_inner()),
        None => (!table.has("from")).then_some(i64::MIN),
    };
    let agents = &mut entries(table, places, problems).agents;
    let (Some(id), Some(from)) = (id, from) else {
        return;
    };
    let stays = agents.entry((*id.get_ref()).to_owned()).or_default();
    let zone = zone.is_none_or(|zone| insert(&mut stays.zones, from, zone));
    let team = team.is_none_or(|team| insert(&mut stays.teams, from, (*team.get_ref()).to_owned()));
    if !(zone && team) {
        problems.add(
            id.span().start,
            "this agent has an entry from that instant already",
        );
    }
}

/// Whether there was none from that instant.
fn insert<T>(since: &mut Vec<(i64, T)>, from: i64, what: T) -> bool {
    match since.binary_search_by_key(&from, |(from, _)| *from) {
        Ok(_) => false,
        Err(index) => {
            since.insert(index, (from, what));
            true
        }
    }
}

fn team(table: Members<'_>, places: &mut Places, problems: &mut Problems) {
    table.only(&["tenant", "id", "zone"], problems);
    let (zone, id) = (table.zone("zone", problems), id(table, problems));
    let teams = &mut entries(table, places, problems).teams;
    if let Some(id) = id
        && teams.insert((*id.get_ref()).to_owned(), zone).is_some()
    {
        problems.add(id.span().start, "this team has an entry already");
    }
}

fn attribute(table: Members<'_>, places: &mut Places, problems: &mut Problems) {
    table.only(&["tenant", "name", "value", "zone"], problems);
    let zone = zone(table, problems);
    table.must_have("name", problems);
    let name = table.text("name", problems);
    table.must_have("value", problems);
    let value = table.text("value", problems);
    let attributes = &mut entries(table, places, problems).attributes;
    if let (Some(zone), Some(name), Some(value)) = (zone, name, value) {
        let values = attributes.entry((*name.get_ref()).to_owned()).or_default();
        let value_text = (*value.get_ref()).to_owned();
        if values.insert(value_text, zone).is_some() {
            let message = "this value of the attribute has an entry already";
            problems.add(value.span().start, message);
        }
    }
}

/// A zone, which may be left out where another member is there.
fn zone_unless(table: Members<'_>, other: &str, problems: &mut Problems) -> Option<Zone> {
    if !table.has("zone") && !table.has(other) {
        problems.add(table.at, format!("`zone` or `{other}` is missing"));
    }
    table.zone("zone", problems)
}

fn zone(table: Members<'_>, problems: &mut Problems) -> Option<Zone> {
    table.must_have("zone", problems);
    table.zone("zone", problems)
}

fn id<'d>(table: Members<'d>, problems: &mut Problems) -> Option<Spanned<&'d str>> {
    table.must_have("id", problems);
    table.text("id", problems)
}

/// Those of the table's tenant.
fn entries<'p>(
    table: Members<'_>,
    places: &'p mut Places,
    problems: &mut Problems,
) -> &'p mut Entries {
    match table.text("tenant", problems) {
        Some(tenant) => places
            .tenants
            .entry(tenant.into_inner().to_owned())
            .or_default(),
        None => &mut places.everywhere,
    }
}
