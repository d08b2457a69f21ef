//! A day's quarter hours: computed from the items, held against what is stored, and written where they differ.

use super::WindowError;
use super::changed::Changed;
use super::fold::{Fold, Group};
use super::rules::Rules;
use crate::attributes;
use rustc_hash::FxHashMap;
use schema::UtcMicros;
use store::window_cells::{self, CellRow};
use store::{Transaction, window_items};
use timezone::Places;
use window::{Aggregate, Cell, Day, DayCells, Dimensions, GroupBy, GroupKey};

/// Computes these cells, which are all of one day, and adds the groups in which anything changed. Gives how many items were read.
pub(super) async fn compute(
    tx: &Transaction<'_>,
    tenant: &str,
    (day, cells): (Day, &[Cell]),
    rules: &Rules,
    places: &Places,
    changed: &mut Changed,
) -> Result<u64, WindowError> {
    let (groups, items) = folded(tx, tenant, cells, rules, places).await?;
    let mut todo: FxHashMap<(usize, GroupKey), Option<Group>> = groups
        .into_iter()
        .map(|group| ((group.by, group.key.clone()), Some(group)))
        .collect();
    // Groups that have nothing left are in no item.
    let texts: Vec<String> = rules.by().iter().map(GroupBy::text).collect();
    for (group_by, group_key) in window_cells::filled(tx, tenant, day.0, &mask(cells)).await? {
        // One that no definition has any more stays as it is, as does a key that this release cannot read.
        let Some(by) = texts.iter().position(|text| *text == group_by) else {
            continue;
        };
        if let Ok(key) = GroupKey::parse(&group_key) {
            todo.entry((by, key)).or_default();
        }
    }
    let keys: Vec<(i32, &str, &str)> = todo
        .keys()
        .map(|(by, key)| (day.0, texts[*by].as_str(), key.text()))
        .collect();
    let stored = window_cells::read(tx, tenant, &keys).await?;
    let mut stored: FxHashMap<(&str, &str), DayCells> = stored
        .iter()
        .map(|row| {
            let cells = DayCells::decode(&row.quarters).map_err(|source| WindowError::Cells {
                day,
                group: format!("{} {}", row.group_by, row.group_key),
                source,
            })?;
            Ok(((row.group_by.as_str(), row.group_key.as_str()), cells))
        })
        .collect::<Result<_, WindowError>>()?;
    let (mut put, mut gone) = (Vec::new(), Vec::new());
    for ((by, key), group) in &mut todo {
        let text = texts[*by].as_str();
        let mut day_cells = stored.remove(&(text, key.text())).unwrap_or_default();
        let differing = replace(&mut day_cells, cells, group.as_mut(), rules);
        if differing.is_empty() {
            continue;
        }
        changed.add(*by, key, differing);
        if day_cells.is_empty() {
            gone.push((day.0, text, key.text()));
        } else {
            put.push(CellRow {
                day: day.0,
                group_by: text.to_owned(),
                group_key: key.text().to_owned(),
                filled: day_cells.filled(),
                quarters: day_cells.encode(),
                total: day_cells.total().encode(),
            });
        }
    }
    window_cells::write(tx, tenant, &put, &gone).await?;
    Ok(items)
}

/// What the items of these cells come to, and how many they are.
async fn folded(
    tx: &Transaction<'_>,
    tenant: &str,
    cells: &[Cell],
    rules: &Rules,
    places: &Places,
) -> Result<(Vec<Group>, u64), WindowError> {
    let starts: Vec<UtcMicros> = cells.iter().map(|cell| cell.start()).collect();
    let platform = places.platform(tenant);
    let mut fold = Fold::new(rules);
    let mut items = 0;
    window_items::for_each_of_cells(tx, tenant, &starts, |item| {
        items += 1;
        let attributes = item.attributes.map(attributes::read);
        // Whoever wrote the team down means to correct what is stated.
        let team = item
            .agent_id
            .and_then(|agent| places.team(tenant, agent, item.cell.0));
        let of = Dimensions {
            queue: item.queue_id,
            media: item.media,
            direction: item.direction,
            agent: item.agent_id,
            team: team.or(item.team),
            platform,
            attributes: attributes.as_deref().unwrap_or_default(),
        };
        fold.add(Cell::of(item.cell), &of, item.measures);
    })
    .await?;
    Ok((fold.into_groups(), items))
}

/// Puts what was computed in the place of what is stored and gives, for each cell, the definitions whose sums differ.
fn replace(
    stored: &mut DayCells,
    cells: &[Cell],
    mut group: Option<&mut Group>,
    rules: &Rules,
) -> Vec<(Cell, Vec<i32>)> {
    let mut differing = Vec::new();
    for cell in cells {
        let mut now = group
            .as_mut()
            .map(|group| group.take(*cell).into_entries())
            .unwrap_or_default();
        let before = stored.get(cell.quarter());
        let unknown = before
            .iter()
            .filter(|(definition, _)| rules.get(*definition).is_none());
        now.extend(unknown.cloned());
        now.sort_unstable_by_key(|(definition, _)| *definition);
        let definitions = differences(before, &now);
        if !definitions.is_empty() {
            stored.replace(cell.quarter(), now);
            differing.push((*cell, definitions));
        }
    }
    differing
}

/// The definitions whose aggregates differ; both sides are ascending.
fn differences(before: &[(i32, Aggregate)], now: &[(i32, Aggregate)]) -> Vec<i32> {
    let (mut before, mut now) = (before.iter().peekable(), now.iter().peekable());
    let mut found = Vec::new();
    loop {
        match (before.peek(), now.peek()) {
            (Some((one, _)), Some((other, _))) if one < other => {
                found.push(*one);
                before.next();
            }
            (Some((one, _)), Some((other, _))) if one > other => {
                found.push(*other);
                now.next();
            }
            (Some((one, sums)), Some((_, others))) => {
                if sums != others {
                    found.push(*one);
                }
                before.next();
                now.next();
            }
            (Some((one, _)), None) => {
                found.push(*one);
                before.next();
            }
            (None, Some((other, _))) => {
                found.push(*other);
                now.next();
            }
            (None, None) => return found,
        }
    }
}

fn mask(cells: &[Cell]) -> [u8; 12] {
    let mut mask = [0; 12];
    for cell in cells {
        let quarter = cell.quarter();
        mask[usize::from(quarter / 8)] |= 1 << (quarter % 8);
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use window::{Measure, Wants};

    fn sums(of: &[(i32, i64)]) -> Vec<(i32, Aggregate)> {
        of.iter()
            .map(|(definition, sum)| {
                let mut aggregate = Aggregate::default();
                let measure = Measure {
                    sum: *sum,
                    weight: 1,
                };
                aggregate.add(measure, Wants::default());
                (*definition, aggregate)
            })
            .collect()
    }

    #[test]
    fn what_came_went_or_changed_differs() {
        let before = sums(&[(1, 5), (2, 5), (4, 5), (6, 5)]);
        let now = sums(&[(1, 5), (3, 5), (4, 6), (5, 5)]);
        assert_eq!(differences(&before, &now), [2, 3, 4, 5, 6]);
        assert_eq!(differences(&before, &[]), [1, 2, 4, 6]);
        assert_eq!(differences(&[], &now), [1, 3, 4, 5]);
        assert_eq!(differences(&now, &now), [0_i32; 0]);
    }

    #[test]
    fn the_mask_has_the_quarters_of_the_day() {
        let day = Day(19_800);
        let mut expected = [0; 12];
        (expected[0], expected[11]) = (0b10, 0b1000_0000);
        assert_eq!(mask(&[day.cell(1), day.cell(95)]), expected);
    }
}
