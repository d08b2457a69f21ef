//! The subscriptions at a glance.

use super::apis::Apis;
use super::inspect::inspect;
use super::table::table;
use super::{Chosen, open};
use crate::format_words::words;
use crate::subscriptions::Subscription;
use serde_json::{Value, json};
use std::io::Write as _;
use store::subscriptions;
use store::subscriptions::{Gap, Standing};

/// Gaps that are shown.
const GAPS_MAX: i64 = 1_000;

/// One line.
struct Line<'l> {
    subscription: &'l Subscription,
    kind: &'static str,
    platform: String,
    standing: Option<&'l Standing>,
    gaps: Vec<&'l Gap>,
}

/// Prints the list.
pub(super) async fn run(chosen: Chosen, json: bool, offline: bool) -> anyhow::Result<()> {
    let (mut standings, mut gaps) = (Vec::new(), Vec::new());
    if let Some(store) = &chosen.store {
        let client = store.client().await?;
        standings = subscriptions::list(&client).await?;
        gaps = subscriptions::open_gaps(&client, GAPS_MAX).await?;
    }
    let (mut apis, mut lines) = (Apis::new(chosen.store), Vec::new());
    for subscription in &chosen.subscriptions {
        let ours = |name: &str, tenant: &str| {
            name == subscription.name.as_str() && tenant == subscription.tenant.as_str()
        };
        lines.push(Line {
            subscription,
            kind: subscription
                .platform
                .as_ref()
                .map_or("none", |platform| platform.kind.word()),
            platform: state(&mut apis, subscription, offline).await,
            standing: standings
                .iter()
                .find(|found| ours(&found.subscription, &found.tenant)),
            gaps: gaps
                .iter()
                .filter(|found| ours(&found.subscription, &found.tenant))
                .collect(),
        });
    }
    let mut out = std::io::stdout().lock();
    if json {
        let lines: Vec<Value> = lines.iter().map(Line::json).collect();
        serde_json::to_writer_pretty(&mut out, &lines)?;
        writeln!(out)?;
    } else {
        let rows: Vec<Vec<String>> = lines.iter().map(Line::cells).collect();
        let head = [
            "name",
            "tenant",
            "path",
            "format",
            "authentication",
            "kind",
            "platform",
            "last delivery",
            "state",
            "gaps",
        ];
        out.write_all(table(&head, &rows).as_bytes())?;
    }
    Ok(())
}

/// How the platform has it, in a few words.
async fn state(apis: &mut Apis, subscription: &Subscription, offline: bool) -> String {
    let Some(platform) = subscription.platform.as_ref().filter(|_| !offline) else {
        return "-".to_owned();
    };
    match open(apis, subscription, platform) {
        Ok(None) => "-".to_owned(),
        Err(error) => format!("unknown: {}", runtime::chain(error.as_ref())),
        Ok(Some(api)) => {
            let seen = inspect(&api, subscription, platform).await;
            match seen.findings.len() {
                0 => seen.view.word().to_owned(),
                1 => format!("{}, 1 problem", seen.view.word()),
                count => format!("{}, {count} problems", seen.view.word()),
            }
        }
    }
}

impl Line<'_> {
    fn authentication(&self) -> String {
        self.subscription
            .ways
            .clone()
            .unwrap_or_else(|| "-".to_owned())
    }

    fn cells(&self) -> Vec<String> {
        let last = self.standing.and_then(|found| found.last_received_at);
        vec![
            self.subscription.name.to_string(),
            self.subscription.tenant.to_string(),
            self.subscription.path.clone(),
            words(&self.subscription.format),
            self.authentication(),
            self.kind.to_owned(),
            self.platform.clone(),
            last.map_or("-".to_owned(), |at| at.to_string()),
            self.standing
                .map_or("-", |found| found.state.word())
                .to_owned(),
            self.gaps.len().to_string(),
        ]
    }

    fn json(&self) -> Value {
        let at = |at: Option<schema::UtcMicros>| at.map(|at| at.to_string());
        json!({
            "name": self.subscription.name.as_str(),
            "tenant": self.subscription.tenant.as_str(),
            "path": self.subscription.path,
            "format": words(&self.subscription.format),
            "authentication": self.subscription.ways,
            "kind": self.kind,
            "platform": self.platform,
            "last_received_at": at(self.standing.and_then(|found| found.last_received_at)),
            "state": self.standing.map(|found| found.state.word()),
            "since": at(self.standing.map(|found| found.since)),
            "reason": self.standing.map(|found| found.reason.as_str()),
            "checked_at": at(self.standing.and_then(|found| found.checked_at)),
            "findings": self.standing.map(|found| found.findings.as_str()),
            "gaps": self.gaps.iter().map(|gap| json!({
                "id": gap.id, "from": gap.from.to_string(), "to": gap.to.to_string(), "reason": gap.reason,
            })).collect::<Vec<_>>(),
        })
    }
}
