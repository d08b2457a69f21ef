//! `deliver resync`: the platform ends with what kpiline has now.

use super::{about, write};
use crate::config::{self, ResyncArgs};
use crate::days::Days;
use crate::send;
use schema::Grain;
use serde_json::json;
use store::sync;

/// Queues current values of one target again, pushed before or not.
pub async fn resync(args: &ResyncArgs) -> anyhow::Result<()> {
    let (config, output) = config::viewed(&args.view)?;
    let (mut client, target) = about(config, &args.values.target).await?;
    let values = args.values.of(args.from, args.to);
    let days = Days {
        target: &target,
        metrics: values.metrics,
        agent: args.values.agent.as_deref(),
        from: values.from,
        to: values.to,
    };
    let wants = |grain| target.grains.contains(&grain);
    let (mut count, did) = (0, if args.dry_run { "found" } else { "queued" });
    if args.values.agent.is_none() {
        count += if args.dry_run {
            sync::count_values(&client, &values).await?
        } else {
            sync::requeue(&client, &values).await?
        };
    }
    if wants(Grain::AgentDay) && values.interaction.is_none() {
        count += if args.dry_run {
            days.count(&client, send::now()).await?
        } else {
            days.requeue(&mut client, send::now()).await?
        };
    }
    let json = json!({ "target": target.name, did: count });
    let text = format!("{count} values of {}: {did}\n", target.name);
    write(output, &json, &text)
}
