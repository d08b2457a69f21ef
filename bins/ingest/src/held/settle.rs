//! What releasing and discarding have in common: what there is to do is counted first, and said at the end.

use super::args::MeantArgs;
use super::groups;
use serde_json::json;
use store::quarantine::{self, Filter, Matching};
use store::{Client, Store};

/// Groups that a trial lists.
const GROUPS_MAX: u32 = 50;

/// What a command is about to do.
pub(super) struct Task {
    /// Which items: none that is held only later.
    pub(super) filter: Filter,
    /// How many there were at the beginning.
    pub(super) found: Matching,
    /// Those that were named and are not held.
    pub(super) unfit: Vec<Kept>,
}

/// An item that stays as it was.
pub(super) struct Kept {
    pub(super) number: i64,
    pub(super) why: String,
}

/// Counts what is to be done; `None` where it is only to be said, which has been done then.
pub(super) async fn begin(
    store: &Store,
    meant: &MeantArgs,
    verb: &str,
) -> anyhow::Result<Option<Task>> {
    let mut filter = meant.filter();
    let client = store.client().await?;
    let unfit = unfit(&client, &meant.numbers()).await?;
    let found = quarantine::matching(&client, &filter).await?;
    // What is refused again while this goes on has a greater number: it is not taken a second time.
    filter.through = Some(found.last);
    if !meant.dry_run {
        return Ok(Some(Task {
            filter,
            found,
            unfit,
        }));
    }
    let held = Filter {
        status: Some(quarantine::Status::Held),
        ..filter
    };
    let list = quarantine::groups(&client, &held, GROUPS_MAX).await?;
    let Matching { items, bytes, .. } = found;
    if meant.json {
        let list: Vec<_> = list.iter().map(groups::json).collect();
        let told = json!({
            "dry_run": true, "matching": items, "bytes": bytes, "groups": list, "kept": kept_json(&unfit),
        });
        println!("{}", serde_json::to_string_pretty(&told)?);
    } else {
        groups::print(&list, false)?;
        println!("dry run: {items} held items ({bytes} bytes) would be {verb}");
        say(&unfit);
    }
    refuse(&unfit)?;
    Ok(None)
}

/// Those of the numbers that are of no item, or of one that was settled before.
async fn unfit(client: &Client, numbers: &[i64]) -> anyhow::Result<Vec<Kept>> {
    let mut unfit = Vec::new();
    for number in numbers {
        let why = match quarantine::find(client, *number)
            .await?
            .map(|item| item.status)
        {
            Some(quarantine::Status::Held) => continue,
            Some(settled) => format!("{} already", settled.as_str()),
            None => "there is none".to_owned(),
        };
        unfit.push(Kept {
            number: *number,
            why,
        });
    }
    Ok(unfit)
}

fn say(unfit: &[Kept]) {
    for Kept { number, why } in unfit {
        println!("{number}: {why}");
    }
}

fn refuse(unfit: &[Kept]) -> anyhow::Result<()> {
    match unfit {
        [] => Ok(()),
        [one] => anyhow::bail!("{} is no held item: {}", one.number, one.why),
        _ => anyhow::bail!("{} of the numbers are no held items", unfit.len()),
    }
}

fn kept_json(kept: &[Kept]) -> Vec<serde_json::Value> {
    kept.iter()
        .map(|kept| json!({ "number": kept.number, "why": kept.why }))
        .collect()
}

/// Says what was done; an error where something stays that should not.
pub(super) fn end(
    meant: &MeantArgs,
    task: &Task,
    verb: &str,
    done: i64,
    kept: &[Kept],
) -> anyhow::Result<()> {
    let of = meant.named().unwrap_or(task.found.items);
    if meant.json {
        let all = [kept_json(&task.unfit), kept_json(kept)].concat();
        let told = json!({ "matching": task.found.items, verb: done, "kept": all });
        println!("{}", serde_json::to_string_pretty(&told)?);
    } else {
        println!("{done} of {of} items {verb}");
        for Kept { number, why } in kept {
            println!("{number} stays: {why}");
        }
        say(&task.unfit);
    }
    if kept.is_empty() {
        return refuse(&task.unfit);
    }
    anyhow::bail!(
        "{} items stay in quarantine as they were; nothing of them was lost",
        kept.len()
    )
}
