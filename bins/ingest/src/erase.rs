//! `ingest erase`: what is stored of a customer, or of one interaction, goes on request; a proof stays that names nobody.
//!
//! In this order, each step in small transactions that can be repeated: note the request, and mark the interactions it is about; take the
//! customer's key from these and tell their journey that they left; let their raw bytes go, in the log and in quarantine; drop the journey
//! once compute has taken back what it said of it; finish. Whoever was interrupted runs the same command again.
//!
//! What stays: log rows without their bytes (so that a copy is a copy, and brings nothing back), the facts and metrics of the
//! interactions, which name no customer any more, and the interactions' marks: what the platform, the broker's queues or an answer that is
//! under way bring of them later is logged without its bytes and folded without a customer.
//!
//! What it cannot know: contacts of the customer that were not folded when it began, an event that is being logged at the moment of the
//! mark, and quarantined items that had expired before, whose bytes a message that is still with the broker would bring again. A second
//! request, with empty queues, finds the first two.

mod identity;
mod quarantine;
mod report;

use crate::config::store_config;
use anyhow::{Context as _, bail};
use report::Report;
use runtime::args::{CustomerArgs, OpsArgs, PostgresArgs, RawKeyArgs};
use runtime::seal::SealKeys;
use runtime::{Problems, log};
use std::path::PathBuf;
use std::time::Duration;
use store::erasures::{self, Erasure, Subject};
use store::event_log;
use store::interactions;
use store::journeys::{self, Left};
use store::marks::{self, Kind, Mark};
use store::raw::Gone;
use store::{Store, StoreError};
use tokio::time::{Instant, sleep};

/// Interactions unlinked in one transaction.
const INTERACTIONS_AT_ONCE: usize = 200;
/// Rows of the log looked through in one transaction.
const ROWS_AT_ONCE: u32 = 20_000;
/// How often compute is looked after.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Flags of `erase`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("subject").required(true).multiple(true).args(["customer", "hashed_customer", "interaction"]))]
pub struct EraseArgs {
    /// The organisation
    #[arg(long, value_name = "NAME")]
    tenant: String,

    /// A file with the customer's identity (number, address, account) as the platform states it, or several spellings, one a line; `-` reads
    /// them from standard input. Needs the installation's --customer-key
    ///
    /// Never an argument of the command line, which others can read.
    #[arg(long, value_name = "FILE", conflicts_with = "interaction")]
    customer: Option<PathBuf>,

    /// The customer by the keyed hash that interactions and journeys state
    #[arg(long, value_name = "KEY", conflicts_with = "interaction")]
    hashed_customer: Option<String>,

    /// One interaction, by the platform's id
    #[arg(long, value_name = "ID")]
    interaction: Option<String>,

    /// Count what would be erased and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Who asked or who does it, for the proof; without it the database's role
    #[arg(long, value_name = "NAME")]
    by: Option<String>,

    /// How long to wait for compute to take back what it said of the customer's journey
    #[arg(long, default_value = "30s", value_parser = runtime::args::positive_duration, value_name = "DURATION")]
    wait: Duration,

    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    customers: CustomerArgs,
    #[command(flatten)]
    raw_keys: RawKeyArgs,
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    ops: OpsArgs,
}

/// Whom it is about, checked.
#[derive(Debug)]
enum Whom {
    /// Customers, by their keyed hashes: one a spelling that differs.
    Customers(Vec<String>),
    Interaction(String),
}

/// What all steps need.
struct Work {
    store: Store,
    tenant: String,
    keys: Option<SealKeys>,
    by: String,
    dry_run: bool,
    wait: Duration,
    /// Texts that are the person, as they were given; looked for in the quarantine.
    spellings: Vec<identity::Spelling>,
}

/// Does what the command line says.
pub async fn run(args: EraseArgs) -> anyhow::Result<()> {
    let mut problems = Problems::new();
    let postgres = args.postgres.resolve(&mut problems);
    args.ops.resolve(&mut problems);
    let secret = args.customers.resolve(&mut problems);
    let keys = args.raw_keys.resolve(&mut problems);
    if args.customer.is_some() && secret.is_none() {
        problems.push("--customer: needs --customer-key (or --customer-key-file), which identities are hashed under");
    }
    problems.into_result()?;
    log::init(&args.ops);
    let spellings = match &args.customer {
        Some(file) => identity::read(file)?,
        None => Vec::new(),
    };
    let whom = match (&args.interaction, secret) {
        (Some(id), _) => Whom::Interaction(id.clone()),
        (None, secret) => {
            let mut found: Vec<String> = args.hashed_customer.iter().cloned().collect();
            if let Some(secret) = secret.filter(|_| args.customer.is_some()) {
                found.extend(identity::keys(
                    &spellings,
                    secret.expose().as_bytes(),
                    &args.tenant,
                )?);
            }
            found.sort_unstable();
            found.dedup();
            Whom::Customers(found)
        }
    };
    let store = Store::connect(store_config(&postgres, "kpiline ingest erase")).await?;
    let work = Work {
        by: match args.by {
            Some(by) => by,
            None => store::erasures::role(&store.client().await?).await?,
        },
        store,
        tenant: args.tenant,
        keys,
        dry_run: args.dry_run,
        wait: args.wait,
        spellings,
    };
    let report = work.erase(&whom).await?;
    report.write(args.json)?;
    report.whole()
}

impl Work {
    async fn erase(&self, whom: &Whom) -> anyhow::Result<Report> {
        let mut report = Report {
            dry_run: self.dry_run,
            ..Report::default()
        };
        match whom {
            Whom::Interaction(id) => {
                let ids = [id.clone()];
                self.subject(Subject::Interaction(id), &ids, &mut report)
                    .await?;
            }
            Whom::Customers(keys) => {
                for key in keys {
                    let ids =
                        erasures::interactions_of(&self.store.client().await?, &self.tenant, key)
                            .await?;
                    self.subject(Subject::Customer(key), &ids, &mut report)
                        .await?;
                }
            }
        }
        Ok(report)
    }

    /// Everything about one customer's key, or one interaction.
    async fn subject(
        &self,
        subject: Subject<'_>,
        interactions: &[String],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        if self.dry_run {
            return self.would(subject, interactions, report).await;
        }
        let mut erasure = self.begin(subject, interactions).await?;
        report.erasures.push(erasure.id.to_string());
        let mut keys = self.unlink(&mut erasure).await?;
        self.walk(&mut erasure).await?;
        let needles = quarantine::Needles::new(&self.spellings, subject, &erasure.interactions);
        let found = quarantine::search(&self.store, &self.tenant, &needles, self.keys.as_ref())
            .await
            .context("look through the quarantine")?;
        erasure.quarantined += signed(self.discard(&found.items).await?);
        self.note(&erasure).await?;
        let searched = found.bodies.is_empty() && found.unopened.is_empty();
        report.unopened.extend(found.unopened);
        report.bodies.extend(found.bodies);
        if let Subject::Customer(key) = subject {
            keys.push(key.to_owned());
        }
        keys.sort_unstable();
        keys.dedup();
        let journeys = self.drop_journeys(&keys).await?;
        report.add(&erasure);
        report.journeys_wait |= !journeys;
        if searched && journeys {
            let mut client = self.store.client().await?;
            let tx = client.transaction().await?;
            erasures::finish(&tx, &erasure).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn begin(
        &self,
        subject: Subject<'_>,
        interactions: &[String],
    ) -> Result<Erasure, StoreError> {
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let found = erasures::begin(&tx, &self.tenant, subject, interactions, &self.by).await?;
        tx.commit().await?;
        // A fold that did not see the marks may still bring keys in; the next step takes them.
        let tx = client.transaction().await?;
        erasures::wait_for_folds(&tx).await?;
        tx.commit().await?;
        Ok(found)
    }

    async fn note(&self, erasure: &Erasure) -> Result<(), StoreError> {
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        erasures::note(&tx, erasure).await?;
        tx.commit().await
    }

    /// Takes the customers' keys from the interactions, and returns which these were.
    async fn unlink(&self, erasure: &mut Erasure) -> Result<Vec<String>, StoreError> {
        let mut keys = Vec::new();
        let ids = erasure.interactions.clone();
        for part in ids.chunks(INTERACTIONS_AT_ONCE) {
            let mut client = self.store.client().await?;
            let tx = client.transaction().await?;
            // Interactions first, then journeys: the order in which everybody locks.
            let linked = erasures::linked(&tx, &self.tenant, part).await?;
            let ids: Vec<&str> = linked.iter().map(|it| it.interaction_id.as_str()).collect();
            erasure.unlinked += signed(erasures::unlink(&tx, &self.tenant, &ids).await?);
            let (mut left, mut touched) = (Vec::new(), Vec::new());
            for it in &linked {
                let Some(key) = it.customer_key.as_deref() else {
                    continue;
                };
                left.push(Left {
                    tenant: &self.tenant,
                    customer_key: key,
                    interaction_id: &it.interaction_id,
                });
                // One that has not begun is no contact.
                if let Some(from) = it.started_at {
                    touched.push(Mark {
                        kind: Kind::Journey,
                        tenant: &self.tenant,
                        subject: key,
                        from,
                        to: it.ended_at.unwrap_or(from).max(from),
                    });
                }
                keys.push(key.to_owned());
            }
            let asked: Vec<(&str, &str)> = part
                .iter()
                .map(|id| (self.tenant.as_str(), id.as_str()))
                .collect();
            interactions::answered(&tx, &asked).await?;
            journeys::left(&tx, &left).await?;
            marks::append(&tx, &touched).await?;
            erasures::note(&tx, erasure).await?;
            tx.commit().await?;
        }
        Ok(keys)
    }

    /// Lets the raw bytes of their events go, wherever they lie in the log.
    async fn walk(&self, erasure: &mut Erasure) -> Result<(), StoreError> {
        while !erasure.walked && !erasure.interactions.is_empty() {
            let mut client = self.store.client().await?;
            let tx = client.transaction().await?;
            let ids = &erasure.interactions;
            let page = event_log::find_of_interactions(
                &tx,
                &self.tenant,
                ids,
                erasure.after,
                ROWS_AT_ONCE,
            )
            .await?;
            match page.last {
                None => erasure.walked = true,
                Some(last) => {
                    let cleared = event_log::clear(&tx, &page.places, Gone::Erased).await?;
                    erasure.events += signed(cleared);
                    erasure.after = last;
                }
            }
            erasures::note(&tx, erasure).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn discard(&self, items: &[i64]) -> Result<u64, StoreError> {
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let erased = store::quarantine::erase(&tx, items).await?;
        tx.commit().await?;
        Ok(erased)
    }

    /// Drops what is remembered of journeys as soon as compute is done with them. `false`: it was not within the patience.
    async fn drop_journeys(&self, keys: &[String]) -> Result<bool, StoreError> {
        let patience = Instant::now() + self.wait;
        let mut rest: Vec<&String> = keys.iter().collect();
        loop {
            let mut client = self.store.client().await?;
            let tx = client.transaction().await?;
            let mut waiting = Vec::new();
            for key in rest {
                if !erasures::drop_journey(&tx, &self.tenant, key).await? {
                    waiting.push(key);
                }
            }
            tx.commit().await?;
            drop(client);
            if waiting.is_empty() {
                return Ok(true);
            }
            if Instant::now() >= patience {
                return Ok(false);
            }
            rest = waiting;
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Counts and changes nothing.
    async fn would(
        &self,
        subject: Subject<'_>,
        interactions: &[String],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let linked = erasures::linked(&tx, &self.tenant, interactions).await?;
        tx.rollback().await?;
        report.interactions += signed(linked.len() as u64);
        let mut after = event_log::Place::START;
        while !interactions.is_empty() {
            let page = event_log::find_of_interactions(
                &client,
                &self.tenant,
                interactions,
                after,
                ROWS_AT_ONCE,
            )
            .await?;
            let Some(last) = page.last else { break };
            report.events += signed(page.places.len() as u64);
            after = last;
        }
        drop(client);
        let needles = quarantine::Needles::new(&self.spellings, subject, interactions);
        let found =
            quarantine::search(&self.store, &self.tenant, &needles, self.keys.as_ref()).await?;
        report.quarantined += signed(found.items.len() as u64);
        report.unopened.extend(found.unopened);
        report.bodies.extend(found.bodies);
        Ok(())
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// An identity file must say somebody.
fn nobody() -> anyhow::Result<()> {
    bail!("--customer: the file names nobody: no line of it is a number, an address or an account")
}
