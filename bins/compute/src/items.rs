//! What a subject adds to windows: held against what is stored, so that only differences are written and only their cells are marked.

use schema::UtcMicros;
use std::collections::{BTreeMap, BTreeSet};
use store::marks::{self, Kind, Mark};
use store::window_items::{self, Item, Source};
use store::{StoreError, Transaction};
use window::Cell;

/// One measure of a subject, where it counts and in which group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Adds<'a> {
    /// The quarter hour.
    pub cell: Cell,
    /// The agent.
    pub agent: Option<&'a str>,
    /// The queue.
    pub queue: Option<&'a str>,
    /// The medium.
    pub media: Option<&'a str>,
    /// Who began it.
    pub direction: Option<&'a str>,
    /// The team as stated.
    pub team: Option<&'a str>,
    /// Declared attributes, a JSON object.
    pub attributes: Option<&'a str>,
    /// The number of the definition.
    pub definition: i32,
    /// The scaled value.
    pub sum: i64,
    /// What it is divided by.
    pub weight: i64,
}

/// What one subject adds by the definitions that were evaluated; what it adds by others stays.
#[derive(Debug, Clone)]
pub struct Contribution<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The interaction or the agent.
    pub subject: &'a str,
    /// Whether anything may be stored of it.
    pub known: bool,
    /// The numbers of the definitions that were evaluated.
    pub evaluated: &'a BTreeSet<i32>,
    /// What it adds.
    pub adds: Vec<Adds<'a>>,
}

/// The cells in which anything changed, by organisation.
pub type Cells = BTreeSet<(String, Cell)>;

/// Writes what differs and notes the cells concerned. Whoever calls holds the lock on what the subjects belong to.
pub async fn write(
    tx: &Transaction<'_>,
    source: Source,
    contributions: &[Contribution<'_>],
    cells: &mut Cells,
) -> Result<(), StoreError> {
    let known: Vec<(&str, &str)> = contributions
        .iter()
        .filter(|contribution| contribution.known)
        .map(|contribution| (contribution.tenant, contribution.subject))
        .collect();
    let mut stored: BTreeMap<(String, String), Vec<Item>> = BTreeMap::new();
    for (tenant, item) in window_items::of_subjects(tx, source, &known).await? {
        let key = (tenant, item.subject.clone());
        stored.entry(key).or_default().push(item);
    }
    let none = Vec::new();
    let mut key = (String::new(), String::new());
    let (mut put, mut gone) = (Vec::new(), Vec::new());
    for contribution in contributions {
        let before = if contribution.known {
            contribution.tenant.clone_into(&mut key.0);
            contribution.subject.clone_into(&mut key.1);
            stored.get(&key).unwrap_or(&none)
        } else {
            &none
        };
        let items = items(contribution, before);
        for old in before {
            let now = items
                .iter()
                .find(|item| (item.cell, item.ordinal) == (old.cell, old.ordinal));
            if now != Some(old) {
                cells.insert((contribution.tenant.to_owned(), Cell::of(old.cell)));
            }
            if now.is_none() {
                gone.push((
                    contribution.tenant,
                    contribution.subject,
                    old.cell,
                    old.ordinal,
                ));
            }
        }
        for item in items {
            if !before.contains(&item) {
                cells.insert((contribution.tenant.to_owned(), Cell::of(item.cell)));
                put.push((contribution.tenant, item));
            }
        }
    }
    let put: Vec<(&str, &Item)> = put.iter().map(|(tenant, item)| (*tenant, item)).collect();
    window_items::write(tx, source, &put, &gone).await
}

/// Marks these cells.
pub async fn mark(tx: &Transaction<'_>, cells: &Cells) -> Result<u64, StoreError> {
    let marks: Vec<Mark<'_>> = cells
        .iter()
        .map(|(tenant, cell)| of_cell(tenant, *cell))
        .collect();
    marks::append(tx, &marks).await
}

/// The mark of a cell.
pub fn of_cell(tenant: &str, cell: Cell) -> Mark<'_> {
    Mark {
        kind: Kind::Cell,
        tenant,
        subject: "",
        from: cell.start(),
        to: cell.end(),
    }
}

/// The items of a subject: what it adds now, and what it added by definitions that were not evaluated. What belongs to one group in one
/// cell is one item; a number tells the groups of a cell apart.
fn items(contribution: &Contribution<'_>, before: &[Item]) -> Vec<Item> {
    let kept = before.iter().flat_map(|item| {
        let measures = item.measures.iter();
        let kept = measures.filter(|(id, ..)| !contribution.evaluated.contains(id));
        kept.map(|&(definition, sum, weight)| Adds {
            cell: Cell::of(item.cell),
            agent: item.agent_id.as_deref(),
            queue: item.queue_id.as_deref(),
            media: item.media.as_deref(),
            direction: item.direction.as_deref(),
            team: item.team.as_deref(),
            attributes: item.attributes.as_deref(),
            definition,
            sum,
            weight,
        })
    });
    let mut all: Vec<Adds<'_>> = kept.chain(contribution.adds.iter().copied()).collect();
    all.sort_unstable();
    let mut items: Vec<Item> = Vec::new();
    let mut last: Option<Adds<'_>> = None;
    for adds in all {
        let measure = (adds.definition, adds.sum, adds.weight);
        let group = Adds {
            definition: 0,
            sum: 0,
            weight: 0,
            ..adds
        };
        match items.last_mut() {
            Some(item) if last == Some(group) => item.measures.push(measure),
            before => {
                let ordinal = match (before, last) {
                    (Some(item), Some(last)) if last.cell == adds.cell => {
                        item.ordinal.saturating_add(1)
                    }
                    _ => 0,
                };
                items.push(adds.item(contribution.subject, ordinal, measure));
            }
        }
        last = Some(group);
    }
    items
}

impl Adds<'_> {
    fn item(&self, subject: &str, ordinal: i16, measure: (i32, i64, i64)) -> Item {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let start: UtcMicros = self.cell.start();
        Item {
            subject: subject.to_owned(),
            cell: start,
            ordinal,
            agent_id: owned(self.agent),
            queue_id: owned(self.queue),
            media: owned(self.media),
            direction: owned(self.direction),
            team: owned(self.team),
            attributes: owned(self.attributes),
            measures: vec![measure],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adds(cell: i32, agent: Option<&str>, definition: i32, sum: i64) -> Adds<'_> {
        Adds {
            cell: Cell(cell),
            agent,
            queue: None,
            media: None,
            direction: None,
            team: None,
            attributes: None,
            definition,
            sum,
            weight: 1,
        }
    }

    fn of<'a>(evaluated: &'a BTreeSet<i32>, adds: Vec<Adds<'a>>) -> Contribution<'a> {
        Contribution {
            tenant: "acme",
            subject: "int_1",
            known: true,
            evaluated,
            adds,
        }
    }

    type Short<'a> = (i32, i16, Option<&'a str>, &'a [(i32, i64, i64)]);

    fn short(items: &[Item]) -> Vec<Short<'_>> {
        items
            .iter()
            .map(|item| {
                (
                    Cell::of(item.cell).0,
                    item.ordinal,
                    item.agent_id.as_deref(),
                    item.measures.as_slice(),
                )
            })
            .collect()
    }

    #[test]
    fn one_group_in_one_cell_is_one_item_whatever_the_order() {
        let evaluated = BTreeSet::from([1, 2]);
        let mut all = vec![
            adds(7, Some("anna"), 2, 5),
            adds(7, None, 1, 3),
            adds(7, Some("anna"), 1, 4),
            adds(9, None, 1, 6),
            adds(7, Some("anna"), 1, 4),
        ];
        let items = items(&of(&evaluated, all.clone()), &[]);
        let expected: [Short<'_>; 3] = [
            (7, 0, None, &[(1, 3, 1)]),
            // Two legs of one agent are two values, also where they are alike.
            (7, 1, Some("anna"), &[(1, 4, 1), (1, 4, 1), (2, 5, 1)]),
            (9, 0, None, &[(1, 6, 1)]),
        ];
        assert_eq!(short(&items), expected);
        all.reverse();
        assert_eq!(super::items(&of(&evaluated, all), &[]), items);
    }

    #[test]
    fn what_was_not_evaluated_stays_and_what_was_is_replaced() {
        let all = BTreeSet::from([1, 2]);
        let adds_all = vec![adds(7, Some("anna"), 1, 4), adds(7, Some("anna"), 2, 5)];
        let before = items(&of(&all, adds_all), &[]);
        let second = BTreeSet::from([2]);
        let now = items(&of(&second, vec![adds(8, Some("bo"), 2, 6)]), &before);
        let expected: [Short<'_>; 2] = [
            (7, 0, Some("anna"), &[(1, 4, 1)]),
            (8, 0, Some("bo"), &[(2, 6, 1)]),
        ];
        assert_eq!(short(&now), expected);
        let nothing = items(&of(&all, Vec::new()), &now);
        assert_eq!(nothing, []);
    }
}
