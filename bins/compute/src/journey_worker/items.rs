//! What contacts add to windows by definitions of journeys: compared with what is stored, so that only differences are written.

use schema::UtcMicros;
use std::collections::{BTreeMap, BTreeSet};
use store::marks::{self, Kind, Mark};
use store::window_items::{self, Item, Source};
use store::{StoreError, Transaction};
use window::Cell;

/// One measure of a contact, and the group it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Adds {
    pub(super) cell: Cell,
    pub(super) group: Group,
    /// The number of the definition.
    pub(super) definition: i32,
    pub(super) sum: i64,
    pub(super) weight: i64,
}

/// What windows are grouped by.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) agent: Option<String>,
    pub(super) queue: Option<String>,
    pub(super) media: Option<String>,
    pub(super) direction: Option<String>,
    pub(super) team: Option<String>,
    pub(super) attributes: Option<String>,
}

/// What a contact adds by the definitions that were evaluated; what it adds by others stays.
#[derive(Debug, Default)]
pub(super) struct Contribution {
    /// The numbers of the definitions that were evaluated.
    pub(super) evaluated: BTreeSet<i32>,
    pub(super) adds: Vec<Adds>,
}

/// By organisation and interaction.
pub(super) type Contributions = BTreeMap<(String, String), Contribution>;

/// Writes what differs and marks the quarter hours concerned. Returns how many these are. The journeys of the contacts are locked.
pub(super) async fn write(
    tx: &Transaction<'_>,
    contributions: &Contributions,
) -> Result<u64, StoreError> {
    let keys: Vec<&(String, String)> = contributions.keys().collect();
    let keys: Vec<(&str, &str)> = keys.iter().map(|key| (&*key.0, &*key.1)).collect();
    let mut stored: BTreeMap<(String, String), Vec<Item>> = BTreeMap::new();
    for (tenant, item) in window_items::of_subjects(tx, Source::Journey, &keys).await? {
        let key = (tenant, item.subject.clone());
        stored.entry(key).or_default().push(item);
    }
    let (mut put, mut gone, mut cells) = (Vec::new(), Vec::new(), BTreeSet::new());
    let none = Vec::new();
    let wanted: Vec<_> = contributions
        .iter()
        .map(|(key, contribution)| {
            let before = stored.get(key).unwrap_or(&none);
            (key, before, items(&key.1, before, contribution))
        })
        .collect();
    for ((tenant, subject), before, items) in &wanted {
        for item in items.iter().filter(|item| !before.contains(item)) {
            put.push((tenant.as_str(), item));
            cells.insert((tenant.as_str(), Cell::of(item.cell)));
        }
        for old in before.iter().filter(|old| !items.contains(old)) {
            cells.insert((tenant.as_str(), Cell::of(old.cell)));
            let replaced = items
                .iter()
                .any(|item| (item.cell, item.ordinal) == (old.cell, old.ordinal));
            if !replaced {
                gone.push((tenant.as_str(), subject.as_str(), old.cell, old.ordinal));
            }
        }
    }
    window_items::write(tx, Source::Journey, &put, &gone).await?;
    let marks: Vec<Mark<'_>> = cells
        .iter()
        .map(|(tenant, cell)| Mark {
            kind: Kind::Cell,
            tenant,
            subject: "",
            from: cell.start(),
            to: cell.end(),
        })
        .collect();
    marks::append(tx, &marks).await
}

/// The items of a contact: what it adds now, and what it added by definitions that were not evaluated.
fn items(subject: &str, before: &[Item], contribution: &Contribution) -> Vec<Item> {
    let kept = before.iter().flat_map(|item| {
        let measures = item.measures.iter();
        let kept = measures.filter(|(id, ..)| !contribution.evaluated.contains(id));
        kept.map(|&(definition, sum, weight)| Adds {
            cell: Cell::of(item.cell),
            group: Group {
                agent: item.agent_id.clone(),
                queue: item.queue_id.clone(),
                media: item.media.clone(),
                direction: item.direction.clone(),
                team: item.team.clone(),
                attributes: item.attributes.clone(),
            },
            definition,
            sum,
            weight,
        })
    });
    let mut all: Vec<Adds> = kept.chain(contribution.adds.iter().cloned()).collect();
    all.sort_unstable();
    // A contact that two stretches reached was evaluated twice, with one result.
    all.dedup();
    let mut items: Vec<Item> = Vec::new();
    let mut last: Option<(Cell, Group)> = None;
    for adds in all {
        let measure = (adds.definition, adds.sum, adds.weight);
        let place = (adds.cell, adds.group);
        if last.as_ref() == Some(&place)
            && let Some(item) = items.last_mut()
        {
            item.measures.push(measure);
            continue;
        }
        let cell = place.0.start();
        items.push(Item {
            subject: subject.to_owned(),
            cell,
            ordinal: ordinal(&items, cell),
            agent_id: place.1.agent.clone(),
            queue_id: place.1.queue.clone(),
            media: place.1.media.clone(),
            direction: place.1.direction.clone(),
            team: place.1.team.clone(),
            attributes: place.1.attributes.clone(),
            measures: vec![measure],
        });
        last = Some(place);
    }
    items
}

/// The next number in this cell, from 0.
fn ordinal(items: &[Item], cell: UtcMicros) -> i16 {
    let last = items.last().filter(|item| item.cell == cell);
    last.map_or(0, |item| item.ordinal.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adds(cell: i32, queue: &str, definition: i32, sum: i64) -> Adds {
        Adds {
            cell: Cell(cell),
            group: Group {
                queue: Some(queue.to_owned()),
                ..Group::default()
            },
            definition,
            sum,
            weight: 1,
        }
    }

    fn contribution(evaluated: &[i32], adds: Vec<Adds>) -> Contribution {
        Contribution {
            evaluated: evaluated.iter().copied().collect(),
            adds,
        }
    }

    #[test]
    fn what_other_definitions_added_stays_where_it_was() {
        let both = contribution(&[1, 2], vec![adds(5, "a", 1, 10), adds(5, "a", 2, 20)]);
        let before = items("int", &[], &both);
        assert_eq!(before.len(), 1);
        assert_eq!(before[0].measures, [(1, 10, 1), (2, 20, 1)]);
        // One moves to another queue and cell, the other was not asked.
        let moved = items(
            "int",
            &before,
            &contribution(&[2], vec![adds(6, "b", 2, 21)]),
        );
        let seen: Vec<_> = moved
            .iter()
            .map(|item| (Cell::of(item.cell).0, item.ordinal, item.measures.clone()))
            .collect();
        assert_eq!(seen, [(5, 0, vec![(1, 10, 1)]), (6, 0, vec![(2, 21, 1)])]);
        let apart = items(
            "int",
            &before,
            &contribution(&[2], vec![adds(5, "b", 2, 21)]),
        );
        assert_eq!(apart[1].ordinal, 1);
        assert_eq!(items("int", &moved, &contribution(&[1, 2], vec![])), []);
    }

    #[test]
    fn the_order_changes_nothing() {
        let one = vec![adds(5, "a", 2, 1), adds(5, "a", 1, 1), adds(4, "b", 1, 1)];
        let mut other = one.clone();
        other.reverse();
        other.push(one[0].clone());
        assert_eq!(
            items("int", &[], &contribution(&[1, 2], one)),
            items("int", &[], &contribution(&[1, 2], other))
        );
    }
}
