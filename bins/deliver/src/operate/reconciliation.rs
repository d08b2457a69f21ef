//! `deliver reconciliation`: the platform's own figures, plans and zones beside ours.

use super::write;
use crate::config::reconciliation::{
    Format, ListArgs, ReconciliationArgs, ReconciliationCommand, RunArgs, ShowArgs,
};
use crate::reconciliation::{Asked, gather, judge, keep};
use anyhow::{Context as _, bail};
use reconcile::{Policy, Report, Tolerance};
use runtime::args::Output;
use runtime::table::table;
use schema::UtcMicros;
use serde_json::json;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};
use store::reconciliation::{self, runs};
use store::{Client, Store, documents};
use timezone::Schedule;

/// Runs the command.
pub async fn reconciliation(args: &ReconciliationArgs) -> anyhow::Result<()> {
    match &args.command {
        ReconciliationCommand::Run(args) => run(args).await,
        ReconciliationCommand::Show(args) => show(args).await,
        ReconciliationCommand::List(args) => list(args).await,
    }
}

async fn run(args: &RunArgs) -> anyhow::Result<()> {
    let now = now();
    let config = args.resolve(now)?;
    let mut client = Store::connect(config.store.clone()).await?.client().await?;
    let (tenant, platform) = of(&client, args).await?;
    let mut policy = Policy::new(Tolerance::GENESYS);
    policy.left_out.clone_from(&config.left_out);
    let asked = Asked {
        tenant,
        platform,
        from: config.from,
        to: config.to,
        hours: hours(&client, args.hours.as_deref()).await?,
        metrics: config.metrics,
        policy,
    };
    let gathered = gather::gather(&client, &asked).await?;
    let report = judge::judge(&asked, &gathered);
    if !args.dry_run {
        let run = keep::keep(&mut client, &report).await?;
        let kept = i64::try_from(args.reconciliation_retention.as_micros()).unwrap_or(i64::MAX);
        let gone = reconciliation::prune(&client, UtcMicros(now.0.saturating_sub(kept))).await?;
        tracing::info!(%run, findings = report.totals.findings, gone, "the platform's figures were compared with ours");
    }
    print(&report, args.format)?;
    if args.fail_on_findings && report.has_findings() {
        bail!("{} findings are to be looked at", report.totals.findings);
    }
    Ok(())
}

/// Whose figures: as named, or the only ones that there are.
async fn of(client: &Client, args: &RunArgs) -> anyhow::Result<(String, String)> {
    if let (Some(tenant), Some(platform)) = (&args.tenant, &args.platform) {
        return Ok((tenant.clone(), platform.clone()));
    }
    let known = reconciliation::platforms(client).await?;
    let fits = |wanted: &Option<String>, found: &String| {
        wanted.as_ref().is_none_or(|wanted| wanted == found)
    };
    let fitting: Vec<_> = known
        .iter()
        .filter(|(tenant, platform)| fits(&args.tenant, tenant) && fits(&args.platform, platform))
        .collect();
    match fitting[..] {
        [one] => Ok(one.clone()),
        [] => bail!(
            "nothing was fetched yet to compare with: `backfill start genesys-figures` or `cxone-figures` does"
        ),
        _ => {
            let names: Vec<_> = fitting
                .iter()
                .map(|(tenant, platform)| format!("{tenant}/{platform}"))
                .collect();
            bail!(
                "--tenant, --platform: figures were fetched of {}; name one",
                names.join(", ")
            )
        }
    }
}

/// The stored schedule of this name; of several versions the newest.
async fn hours(client: &Client, named: Option<&str>) -> anyhow::Result<Option<Schedule>> {
    let Some(named) = named else {
        return Ok(None);
    };
    let (name, version) = match named.split_once('@') {
        Some((name, version)) => {
            let version: u16 = version
                .parse()
                .with_context(|| format!("--hours: {version:?} is no version"))?;
            (name, Some(version))
        }
        None => (named, None),
    };
    let stored = documents::list_schedules(client).await?;
    let fits = |one: &&documents::StoredSchedule| {
        one.name == name && version.is_none_or(|version| one.version.0 == version)
    };
    let Some(found) = stored.iter().filter(fits).max_by_key(|one| one.version) else {
        let names: Vec<_> = stored
            .iter()
            .map(|one| format!("{}@{}", one.name, one.version))
            .collect();
        bail!(
            "--hours: there is no schedule {named}; stored are: {}",
            names.join(", ")
        );
    };
    match Schedule::read(&found.text) {
        Ok(schedule) => Ok(Some(schedule)),
        Err(problems) => {
            let first = problems.first().map(ToString::to_string);
            bail!(
                "--hours: the schedule {named} cannot be read: {}",
                first.unwrap_or_default()
            )
        }
    }
}

async fn show(args: &ShowArgs) -> anyhow::Result<()> {
    let client = Store::connect(args.resolve()?).await?.client().await?;
    let runs = runs::list(&client, None, None, i64::from(u32::MAX)).await?;
    let found = match args.run {
        None => runs.first(),
        Some(wanted) => runs.iter().find(|run| run.run_id == wanted),
    };
    let Some(found) = found else {
        bail!("there is no such comparison; `deliver reconciliation list` has those there are");
    };
    print(&keep::read(&client, found).await?, args.format)
}

async fn list(args: &ListArgs) -> anyhow::Result<()> {
    let client = Store::connect(args.resolve()?).await?.client().await?;
    let limit = i64::from(args.limit);
    let runs = runs::list(&client, args.tenant.as_deref(), None, limit).await?;
    let json = json!({
        "runs": runs.iter().map(|run| json!({
            "run": run.run_id,
            "tenant": run.tenant,
            "platform": run.platform,
            "from": run.from.to_string(),
            "to": run.to.to_string(),
            "run_at": run.run_at.to_string(),
            "findings": run.findings,
        })).collect::<Vec<_>>(),
    });
    let rows: Vec<_> = runs
        .iter()
        .map(|run| {
            vec![
                run.run_id.to_string(),
                run.tenant.clone(),
                run.platform.clone(),
                run.from.to_string(),
                run.to.to_string(),
                run.findings.to_string(),
            ]
        })
        .collect();
    let header = ["run", "tenant", "platform", "from", "to", "findings"];
    write(Output::or_usual(args.output), &json, &table(&header, &rows))
}

fn print(report: &Report, format: Format) -> anyhow::Result<()> {
    let text = match format {
        Format::Markdown => report.markdown(),
        Format::Csv => report.csv()?,
        Format::Json => report.json()?,
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

fn now() -> UtcMicros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
