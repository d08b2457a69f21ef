//! Places from their document.

use super::{Entries, Places};
use crate::document::{DocumentProblem, Members, Problems, read};
use crate::zone::Zone;
use toml::Spanned;

pub(super) fn places(text: &str) -> Result<Places, Vec<DocumentProblem>> {
    read(text, |document, problems| {
        document.only(&["places", "organisation", "queue", "agent"], problems);
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
        places.version = version?;
        Some(places)
    })
}

fn organisation(table: Members<'_>, places: &mut Places, problems: &mut Problems) {
    table.only(&["tenant", "zone"], problems);
    let zone = zone(table, problems);
    let entries = entries(table, places, problems);
    if let Some(zone) = zone
        && entries.organisation.replace(zone).is_some()
    {
        problems.add(table.at, "this organisation has an entry already");
    }
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
    table.only(&["tenant", "id", "zone", "from"], problems);
    let (zone, id) = (zone(table, problems), id(table, problems));
    let from = match table.instant("from", problems) {
        Some(from) => Some(from.into_inner()),
        None => (!table.has("from")).then_some(i64::MIN),
    };
    let agents = &mut entries(table, places, problems).agents;
    if let (Some(zone), Some(id), Some(from)) = (zone, id, from) {
        let stays = agents.entry((*id.get_ref()).to_owned()).or_default();
        match stays.binary_search_by_key(&from, |(from, _)| *from) {
            Ok(_) => problems.add(
                id.span().start,
                "this agent has an entry from that instant already",
            ),
            Err(index) => stays.insert(index, (from, zone)),
        }
    }
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
