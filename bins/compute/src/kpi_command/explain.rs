//! `compute kpi explain`: why a number is so.
//!
//! [`picture`] lays out what is known of the interaction, [`account`] what each definition makes of it, [`clock`] what local time it
//! counted in; all are pure. Here they get what they need.

mod account;
mod clock;
mod picture;

use super::args::{ExplainArgs, Output};
use super::database;
use super::preview::NOBODYS;
use super::shelf::{Entry, Shelf, definition_of_file, with_documents};
use super::subject::Subject as Named;
use super::table::page_width;
use crate::replay_file::{describe, input, refuse_unreadable};
use account::{Account, Left};
use anyhow::{Context as _, bail};
use kpi::{Catalogue, Definition, Grain, Library, Subject};
use picture::Picture;
use schema::BodyFormat;
use serde_json::json;
use session::Session;
use std::io::Write;
use std::sync::Arc;
use store::definitions::Status;
use store::interactions::{self, Filter};
use store::metrics::{self, StoredMetric};
use store::{Client, Store};

/// Greater than any id of an interaction that platforms give.
const BEHIND_ALL_IDS: &str = "\u{10FFFF}\u{10FFFF}\u{10FFFF}\u{10FFFF}";

/// The interaction, and where it was found.
struct Found {
    tenant: String,
    session: Session,
    swept: bool,
    /// It has ended, or had ended once.
    had_ended: bool,
    /// `None`: of a file, so that no row can be stored.
    rows: Option<Vec<StoredMetric>>,
}

/// A definition to explain the interaction's values of.
struct Chosen {
    definition: Arc<Definition>,
    /// `None`: of a file, or of this release.
    status: Option<Status>,
}

pub(super) async fn run(
    args: &ExplainArgs,
    out: &mut dyn Write,
    remarks: &mut dyn Write,
) -> anyhow::Result<()> {
    let from_database = args.events.is_empty();
    let store = if from_database || database::is_named(&args.postgres) {
        Some(database::open(&args.postgres).await?)
    } else {
        None
    };
    let shelf = match &store {
        Some(_) => Shelf::of_database(&args.postgres).await?,
        None => Shelf::shipped(),
    };
    let found = match &store {
        Some(store) if from_database => stored(args, store).await?,
        _ => of_files(args, remarks)?,
    };
    let library = with_documents(&shelf.library, &args.with)?;
    let (chosen, library) = chosen(args, &shelf, library)?;
    let statuses: Vec<Option<Status>> = chosen.iter().map(|one| one.status).collect();
    let definitions = chosen.into_iter().map(|one| one.definition).collect();
    let catalogue = Catalogue::new(definitions, library);
    let timeline = found.session.timeline().having_ended(found.had_ended);
    let subject = Subject {
        tenant: &found.tenant,
        interaction: &args.interaction,
        timeline: &timeline,
        swept: found.swept,
    };
    let accounts: Vec<Account> = statuses
        .into_iter()
        .enumerate()
        .flat_map(|(place, status)| {
            account::accounts(&catalogue, place, status, &subject, found.rows.as_deref())
        })
        .collect();
    let zone = accounts.iter().find_map(|account| account.zone.clone());
    let picture = Picture::of(&subject, zone);
    let rows = found.rows.as_deref().unwrap_or_default();
    let left = Left::over(&catalogue, &accounts, rows);
    write(&picture, &accounts, &left, args.output, out)
}

fn write(
    picture: &Picture,
    accounts: &[Account],
    left: &[Left],
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match output {
        Output::Csv => account::table(accounts).write(output, out),
        Output::Json => {
            let mut whole = picture.json();
            let accounts: Vec<_> = accounts.iter().map(Account::json).collect();
            whole["kpis"] = json!(accounts);
            let left: Vec<_> = left.iter().map(Left::json).collect();
            whole["stored_besides"] = json!(left);
            writeln!(out, "{}", serde_json::to_string_pretty(&whole)?)?;
            Ok(())
        }
        Output::Table => {
            let width = page_width();
            out.write_all(picture.text(width).as_bytes())?;
            for account in accounts {
                writeln!(out)?;
                out.write_all(account.text(width).as_bytes())?;
            }
            if accounts.is_empty() {
                writeln!(out, "\n{}", picture.silence())?;
            }
            if !left.is_empty() {
                writeln!(out)?;
            }
            for left in left {
                out.write_all(left.text().as_bytes())?;
            }
            Ok(())
        }
    }
}

/// The definitions asked for; without any, those that are computed (of a store) or all (of this release), as far as they are about
/// one interaction.
fn chosen(
    args: &ExplainArgs,
    shelf: &Shelf,
    mut library: Library,
) -> anyhow::Result<(Vec<Chosen>, Library)> {
    let choose = |entry: &Entry| -> anyhow::Result<Chosen> {
        Ok(Chosen {
            definition: entry.definition()?,
            status: entry.status,
        })
    };
    let computed = |entry: &&Entry| entry.status.is_none_or(Status::is_switched_on);
    let mut chosen = Vec::new();
    if args.kpi.is_empty() {
        // One that this release cannot read is no reason not to explain the others.
        let readable = shelf.entries.iter().filter(computed);
        chosen.extend(readable.filter_map(|entry| choose(entry).ok()));
        chosen.retain(|one| elsewhere(&one.definition).is_none());
        if chosen.is_empty() {
            bail!("no definition is switched on; name one with --kpi");
        }
        return Ok((chosen, library));
    }
    for subject in &args.kpi {
        match subject {
            Named::File(path) => {
                let (definition, with) = definition_of_file(path, &library)?;
                library = with;
                chosen.push(Chosen {
                    definition,
                    status: None,
                });
            }
            Named::Stored(reference) if reference.version.is_some() => {
                chosen.push(choose(shelf.find(reference)?)?);
            }
            Named::Stored(reference) => {
                let versions = shelf.versions(&reference.name)?;
                let before = chosen.len();
                for entry in versions.iter().copied().filter(|entry| computed(entry)) {
                    chosen.push(choose(entry)?);
                }
                if chosen.len() == before {
                    let newest = versions.last().context("it has no version")?;
                    chosen.push(choose(newest)?);
                }
            }
        }
    }
    if let Some(why) = chosen.iter().find_map(|one| elsewhere(&one.definition)) {
        bail!("{why}");
    }
    Ok((chosen, library))
}

/// Where to look for what a definition gives that is not about one interaction alone.
fn elsewhere(definition: &Definition) -> Option<String> {
    let label = format!("{}@{}", definition.name(), definition.version());
    match definition.scope() {
        Grain::Interaction | Grain::Leg => None,
        Grain::Journey => Some(format!(
            "{label} is about journeys: its value depends on the customer's other contacts, which are not looked at here. Its rows say the \
             reason (in metrics_current), and `compute kpi preview {label}` evaluates it over all contacts"
        )),
        Grain::AgentTime => Some(format!(
            "{label} is about the time of agents, not about interactions: it has windows only, in window_metrics_current"
        )),
    }
}

async fn stored(args: &ExplainArgs, store: &Store) -> anyhow::Result<Found> {
    let client = store.client().await?;
    let id = &args.interaction;
    let tenant = match &args.tenant {
        Some(tenant) => tenant.clone(),
        None => owner(&client, id).await?,
    };
    let Some(row) = interactions::get(&client, &tenant, id).await? else {
        bail!(
            "{tenant} has no interaction {id}; an id is written exactly as the platform states it"
        );
    };
    let session = Session::from_json(&row.state_json)
        .with_context(|| format!("what is stored of {id} of {tenant} cannot be read"))?;
    Ok(Found {
        rows: Some(metrics::of_interaction(&client, &tenant, id).await?),
        tenant,
        session,
        swept: row.swept,
        had_ended: row.had_ended,
    })
}

/// The only organisation that has an interaction of this id.
async fn owner(client: &Client, id: &str) -> anyhow::Result<String> {
    let mut owners = Vec::new();
    let mut after: Option<(String, &str)> = None;
    loop {
        // One look into the key for each organisation: the first of its interactions, then on behind all of them.
        let behind = after.as_ref().map(|(tenant, id)| (tenant.as_str(), *id));
        let page = interactions::page(client, &Filter::default(), behind, 1).await?;
        let Some(next) = page.into_iter().next() else {
            break;
        };
        if interactions::get(client, &next.tenant, id).await?.is_some() {
            owners.push(next.tenant.clone());
        }
        after = Some((next.tenant, BEHIND_ALL_IDS));
    }
    match (owners.pop(), owners.is_empty()) {
        (Some(owner), true) => Ok(owner),
        (Some(last), false) => bail!(
            "{} and {last} each have an interaction {id}; say which with --tenant",
            owners.join(", ")
        ),
        (None, _) => bail!(
            "there is no interaction {id}; an id is written exactly as the platform states it"
        ),
    }
}

fn of_files(args: &ExplainArgs, mut remarks: &mut dyn Write) -> anyhow::Result<Found> {
    let mut folded = input::fold(&args.events, &BodyFormat::GenesysWebhook, 1)?;
    describe(&folded.bad, folded.counts.bad, &mut remarks)?;
    refuse_unreadable(&folded.counts)?;
    let wanted = schema::InteractionId::new(&args.interaction);
    let session = folded
        .shards
        .iter_mut()
        .find_map(|sessions| sessions.remove(&wanted))
        .with_context(|| format!("no event of the files is about interaction {wanted}"))?;
    Ok(Found {
        tenant: args.tenant.clone().unwrap_or_else(|| NOBODYS.to_owned()),
        session,
        swept: false,
        had_ended: false,
        rows: None,
    })
}
