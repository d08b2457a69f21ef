//! `ingest subscription register | verify | list`: the platform's side of the subscriptions.
//!
//! One file a kind of platform (`guide_webhook`, `event_bridge`, `process_automation`); `inspect` looks, `register` sets up, `probe`
//! posts to our own endpoint. The watchdog uses the same looks. Nothing here needs the secrets of receive, except a probe.

pub mod apis;
mod event_bridge;
pub mod finding;
mod guide_webhook;
pub mod inspect;
mod list;
pub mod outcome;
mod probe;
mod process_automation;
pub mod register;
mod table;
mod topics;
mod verify;

use crate::config::{SubscriptionsArgs, store_config};
use crate::subscriptions::platform::{Kind, Platform};
use crate::subscriptions::{self, Secrets, Subscription};
use anyhow::{Context as _, bail};
use apis::Apis;
use clap::Subcommand;
use finding::Finding;
use outcome::{Done, Mode, Pushed};
use platform::api::Api;
use runtime::args::{OpsArgs, PostgresArgs};
use runtime::toml_file::secret::environment;
use runtime::{Problems, log};
use std::io::Write as _;
use std::sync::Arc;
use store::Store;

/// Flags of `subscription`.
#[derive(Debug, clap::Args)]
pub struct SubscriptionArgs {
    #[command(subcommand)]
    command: SubscriptionCommand,
}

/// The subcommands of `subscription`.
#[derive(Debug, Subcommand)]
enum SubscriptionCommand {
    /// Set subscriptions up on their platforms, where they have an API for it; print what to set up by hand where not
    Register {
        #[command(flatten)]
        common: CommonArgs,
        /// Say what would be done and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Send the secret of registrations again though nothing else has changed: it was replaced, and no platform shows it
        #[arg(long)]
        replace_secret: bool,
    },
    /// Compare the platforms' side with the file: every difference at once, exit code 1 where there is one
    Verify {
        #[command(flatten)]
        common: CommonArgs,
        /// Post to our own delivery URLs, too: an unsigned body, which must be refused, and a signed one without events
        #[arg(long)]
        probe: bool,
    },
    /// List subscriptions: path, format, authentication, state on the platform, and, with --database-url, the last delivery
    List {
        #[command(flatten)]
        common: CommonArgs,
        /// Ask no platform
        #[arg(long)]
        offline: bool,
    },
}

/// What all of them take.
#[derive(Debug, clap::Args)]
struct CommonArgs {
    #[command(flatten)]
    subscriptions: SubscriptionsArgs,
    /// Write JSON
    #[arg(long)]
    json: bool,
    /// Only these subscriptions, by name
    names: Vec<String>,
    /// With a database the platforms are asked within the limits that all processes share, else within a fifth of
    /// [subscription.platform.rate]: what the others send is not known then
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    ops: OpsArgs,
}

/// The subscriptions that are meant, and the store, where there is one.
struct Chosen {
    subscriptions: Vec<Subscription>,
    store: Option<Store>,
}

/// Does what the command line says.
pub async fn run(args: SubscriptionArgs) -> anyhow::Result<()> {
    match args.command {
        SubscriptionCommand::Register {
            common,
            dry_run,
            replace_secret,
        } => {
            let chosen = common.open().await?;
            let pushed = if replace_secret {
                Pushed::Always
            } else {
                Pushed::WithChanges
            };
            registering(chosen, common.json, dry_run, pushed).await
        }
        SubscriptionCommand::Verify { common, probe } => {
            let chosen = common.open().await?;
            verify::run(chosen, common.json, probe).await
        }
        SubscriptionCommand::List { common, offline } => {
            let chosen = common.open().await?;
            list::run(chosen, common.json, offline).await
        }
    }
}

impl CommonArgs {
    async fn open(&self) -> anyhow::Result<Chosen> {
        let mut problems = Problems::new();
        let postgres = &self.postgres;
        let wanted = postgres.database_url.is_some() || postgres.database_url_file.is_some();
        let postgres = wanted.then(|| postgres.resolve(&mut problems));
        self.ops.resolve(&mut problems);
        let mut list = match &self.subscriptions.subscriptions {
            None => {
                problems.push("--subscriptions (or KPILINE_SUBSCRIPTIONS): is missing");
                Vec::new()
            }
            Some(file) => match subscriptions::load(file, Secrets::NotNeeded) {
                Ok(read) => read.list,
                Err(found) => {
                    for problem in found {
                        problems.push(problem);
                    }
                    Vec::new()
                }
            },
        };
        for name in &self.names {
            if problems.is_empty() && !list.iter().any(|found| found.name.as_str() == name) {
                problems.push(format!("{name}: no subscription has this name"));
            }
        }
        problems.into_result()?;
        log::init(&self.ops);
        if !self.names.is_empty() {
            list.retain(|found| self.names.iter().any(|name| found.name.as_str() == name));
        }
        let store = match postgres {
            Some(postgres) => {
                let config = store_config(&postgres, "kpiline ingest subscription");
                Some(Store::connect(config).await?)
            }
            None => None,
        };
        Ok(Chosen {
            subscriptions: list,
            store,
        })
    }
}

/// The API of a subscription's platform, if there is one to ask.
fn open(
    apis: &mut Apis,
    subscription: &Subscription,
    platform: &Platform,
) -> anyhow::Result<Option<Arc<Api>>> {
    apis.open(platform, &environment)
        .with_context(|| format!("the platform of {} cannot be asked", subscription.name))
}

async fn registering(
    chosen: Chosen,
    json: bool,
    dry_run: bool,
    pushed: Pushed,
) -> anyhow::Result<()> {
    if pushed == Pushed::Always && !chosen.subscriptions.iter().any(registers_a_secret) {
        bail!(
            "--replace-secret: no subscription that is meant has a secret in [subscription.platform.registration]"
        );
    }
    let (mut apis, mut all) = (Apis::new(chosen.store), Vec::new());
    for subscription in &chosen.subscriptions {
        let Some(platform) = &subscription.platform else {
            continue;
        };
        let mode = if dry_run {
            Mode::DryRun
        } else {
            Mode::Apply(&environment)
        };
        // One that cannot be asked is a problem of its own: what was done for the others is still told.
        let done = match open(&mut apis, subscription, platform) {
            Ok(api) => {
                register::register(api.as_deref(), subscription, platform, pushed, mode).await
            }
            Err(error) => Done {
                findings: vec![Finding::Unknown {
                    what: "the platform's side".to_owned(),
                    why: runtime::chain(error.as_ref()),
                }],
                ..Done::default()
            },
        };
        all.push((subscription, platform, done));
    }
    if all.is_empty() {
        bail!(
            "no subscription that is meant has a [subscription.platform]: there is nothing to register"
        );
    }
    let mut out = std::io::stdout().lock();
    if json {
        let all: Vec<_> = all
            .iter()
            .map(|(subscription, platform, done)| {
                done.json(subscription.name.as_str(), platform.kind.word())
            })
            .collect();
        serde_json::to_writer_pretty(&mut out, &all)?;
        writeln!(out)?;
    } else {
        for (subscription, platform, done) in &all {
            writeln!(out, "{} ({})", subscription.name, platform.kind.word())?;
            write_done(&mut out, done)?;
        }
    }
    let problems: usize = all.iter().map(|(_, _, done)| done.findings.len()).sum();
    if problems > 0 {
        bail!("{problems} problems on the platforms' side");
    }
    Ok(())
}

fn registers_a_secret(subscription: &Subscription) -> bool {
    let platform = subscription.platform.as_ref();
    platform.is_some_and(|platform| match &platform.kind {
        Kind::GuideWebhook(registration) => registration.secret.is_some(),
        _ => false,
    })
}

fn write_done(out: &mut impl std::io::Write, done: &Done) -> std::io::Result<()> {
    for step in &done.steps {
        let id = step
            .id
            .as_deref()
            .map_or_else(String::new, |id| format!(" {id}"));
        writeln!(out, "  {}: {}{id}", step.outcome, step.what)?;
    }
    for finding in &done.findings {
        writeln!(out, "  problem: {finding}")?;
    }
    for text in &done.by_hand {
        writeln!(out, "  by hand: {}", text.replace('\n', "\n    "))?;
    }
    Ok(())
}
