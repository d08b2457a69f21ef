//! At start: does the server's copy of the zone database agree with the one compiled in?
//!
//! Local time is resolved by the copy compiled in, and nowhere else. PostgreSQL has one of its own, which people's queries may use; governments
//! change clocks at short notice, so one of the two may be older. A difference in a zone in use is a warning that names zone and
//! instant, so that whoever reads it can judge whether history must be computed anew after an update.

use crate::clock;
use crate::shared::Shared;
use runtime::chain;
use schema::UtcMicros;
use std::collections::BTreeSet;
use store::{Store, StoreError, zones};
use timezone::{TZDB_VERSION, Zone};

/// How far back and ahead the copies are compared: what is computed today, and what schedules plan with.
const YEARS: i64 = 3;
const YEAR_MICROS: i64 = 366 * 86_400 * 1_000_000;

/// A place where the two copies differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The zone, by its name in the database of zones.
    pub zone: &'static str,
    /// The first instant looked at where they differ.
    pub at: UtcMicros,
    /// Seconds ahead of UTC by the copy compiled in.
    pub ours: i32,
    /// By the server's; `None` where it does not know the zone.
    pub servers: Option<i32>,
}

/// Compares once the store answers, and tells.
pub async fn compare(shared: Shared) -> anyhow::Result<()> {
    if !shared.wait_for_store().await {
        return Ok(());
    }
    let store = shared.applier.store();
    match look(store, clock::now()).await {
        Ok((differences, in_use)) => report(&differences, &in_use),
        // Nothing rests on it: computing goes on.
        Err(error) => tracing::warn!(error = %chain(&error), "the zone data could not be compared"),
    }
    Ok(())
}

/// The first difference of each zone around `now`, and the zones in use.
pub async fn look(
    store: &Store,
    now: UtcMicros,
) -> Result<(Vec<Difference>, BTreeSet<String>), StoreError> {
    let client = store.client().await?;
    let in_use = zones::in_use(&client).await?.into_iter().collect();
    let (from, to) = (
        now.0.saturating_sub(YEARS * YEAR_MICROS),
        now.0.saturating_add(YEARS * YEAR_MICROS),
    );
    // Each side of each change of clocks, and both ends: between two of them no offset changes by our copy.
    let mut probes = Vec::new();
    for name in timezone::all_names() {
        let Ok(zone) = Zone::parse(name) else {
            continue;
        };
        let changes = zone
            .transitions(from, to)
            .into_iter()
            .flat_map(|change| [change.at_micros - 1_000_000, change.at_micros]);
        probes.extend(
            [from, to]
                .into_iter()
                .chain(changes)
                .map(|at| (name, zone, UtcMicros(at))),
        );
    }
    let asked: Vec<_> = probes.iter().map(|(name, _, at)| (*name, *at)).collect();
    let answers = zones::server_offsets(&client, &asked).await?;
    Ok((differ(&probes, &answers), in_use))
}

/// The first difference of each zone; the probes of one zone stand together.
fn differ(probes: &[(&'static str, Zone, UtcMicros)], answers: &[Option<i32>]) -> Vec<Difference> {
    let mut differences: Vec<Difference> = Vec::new();
    for ((name, zone, at), servers) in probes.iter().zip(answers) {
        let ours = zone.local(at.0).offset_seconds;
        let known = differences.last().is_some_and(|last| last.zone == *name);
        if *servers != Some(ours) && !known {
            differences.push(Difference {
                zone: name,
                at: *at,
                ours,
                servers: *servers,
            });
        }
    }
    differences
}

fn report(differences: &[Difference], in_use: &BTreeSet<String>) {
    let (used, others): (Vec<&Difference>, Vec<&Difference>) = differences
        .iter()
        .partition(|difference| in_use.contains(difference.zone));
    for difference in &used {
        tracing::warn!(
            zone = difference.zone,
            at = %difference.at,
            ours = difference.ours,
            servers = difference.servers,
            compiled_in = TZDB_VERSION,
            "the server's zone data differ from those compiled in, for a zone in use"
        );
    }
    tracing::info!(
        compiled_in = TZDB_VERSION,
        zones_in_use = in_use.len(),
        differences_in_use = used.len(),
        differences_elsewhere = others.len(),
        "zone data compared with the server's"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_of_each_zone_is_told_and_an_unknown_zone_is_one() {
        let zone = |name| Zone::parse(name).unwrap();
        let (berlin, kolkata) = (zone("Europe/Berlin"), zone("Asia/Kolkata"));
        let winter = UtcMicros::from_millis(1_704_067_200_000);
        let summer = UtcMicros::from_millis(1_719_792_000_000);
        let probes = [
            ("Europe/Berlin", berlin, winter),
            ("Europe/Berlin", berlin, summer),
            ("Asia/Kolkata", kolkata, winter),
            ("Asia/Kolkata", kolkata, summer),
        ];
        let same = [Some(3600), Some(7200), Some(19_800), Some(19_800)];
        assert_eq!(differ(&probes, &same), []);
        let without_summer = [Some(3600), Some(3600), None, None];
        assert_eq!(
            differ(&probes, &without_summer),
            [
                Difference {
                    zone: "Europe/Berlin",
                    at: summer,
                    ours: 7200,
                    servers: Some(3600),
                },
                Difference {
                    zone: "Asia/Kolkata",
                    at: winter,
                    ours: 19_800,
                    servers: None,
                },
            ]
        );
    }
}
