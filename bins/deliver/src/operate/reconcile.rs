//! `deliver reconcile`: what a platform has beside what kpiline has.
//!
//! What it has is what our log says that it took: neither the custom reports, external metrics and properties of Genesys nor the imports and
//! business data of CXone can be read back by an interface that anybody describes.

mod expected;

use super::{about, write};
use crate::config::{self, ReconcileArgs};
use crate::days::Days;
use crate::targets::Target;
use anyhow::bail;
use platform::instant::rfc3339_millis;
use runtime::table::table;
use schema::{Grain, UtcMicros};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};
use store::Client;
use store::sync::{self, Differing, LastPush, Subject};

/// Where it is read what a platform has.
const SOURCE: &str = "log";
/// How far back without `--from`.
const WEEK: i64 = 7 * 86_400_000_000;
/// What is compared in one go: millions of values of a day take longer than a statement may.
const HOUR: i64 = 3_600_000_000;

/// Compares, prints what differs, and ends with 1 where anything does.
pub async fn reconcile(args: &ReconcileArgs) -> anyhow::Result<()> {
    let (config, output) = config::viewed(&args.view)?;
    let configured = args.target()?;
    let (client, target) = about(config, &args.values.target).await?;
    let to = args.to.unwrap_or_else(now);
    let from = args.from.unwrap_or(UtcMicros(to.0 - WEEK));
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut compared = Compared::default();
    if args.values.agent.is_none() {
        interactions(&client, &configured, args, (from, to), |it| {
            compared.add(it, limit);
        })
        .await?;
    }
    if target.grains.contains(&Grain::AgentDay) && args.values.interaction.is_none() {
        let days = Days {
            target: &target,
            metrics: &args.values.metrics,
            agent: args.values.agent.as_deref(),
            from,
            to,
        };
        compared.add(
            expected::of_days(&client, &configured, days, now()).await?,
            limit,
        );
    }
    let json = json!({
        "target": target.name,
        "source": SOURCE,
        "from": rfc3339_millis(from),
        "to": rfc3339_millis(to),
        "compared": compared.values,
        "differing": compared.differing(),
        "by_reason": compared.by_reason,
        "differences": compared.listed,
    });
    write(output, &json, &compared.text(&target.name))?;
    match compared.differing() {
        0 => Ok(()),
        differing => bail!("{differing} of {} values differ", compared.values),
    }
}

/// Values of interactions and legs, an hour at a time; those of one interaction, which are few, at once.
async fn interactions(
    client: &Client,
    target: &Target,
    args: &ReconcileArgs,
    (from, to): (UtcMicros, UtcMicros),
    mut each: impl FnMut((u64, Vec<Differing>)),
) -> anyhow::Result<()> {
    let step = match args.values.interaction {
        Some(_) => to.0.saturating_sub(from.0),
        None => HOUR,
    };
    let mut begin = from;
    while begin < to {
        let end = UtcMicros(begin.0.saturating_add(step)).min(to);
        let values = args.values.of(Some(begin), Some(end));
        let count = sync::count_values(client, &values).await?;
        let differing = expected::of_interactions(client, target, &values).await?;
        each((count, differing));
        begin = end;
    }
    Ok(())
}

/// What came of a comparison.
#[derive(Debug, Default)]
struct Compared {
    /// Values that the platform should have.
    values: u64,
    by_reason: BTreeMap<&'static str, u64>,
    listed: Vec<Difference>,
}

/// One value that differs.
#[derive(Debug, Serialize)]
struct Difference {
    interaction: Option<String>,
    leg: Option<String>,
    agent: Option<String>,
    day: Option<String>,
    metric: String,
    version: u16,
    /// What kpiline has; absent: no value.
    value: Option<f64>,
    /// What the platform has, as far as is known; absent: none, or unknown.
    platform: Option<f64>,
    /// In a word, see [`reason`].
    reason: &'static str,
    /// The platform's words, or an operator's.
    words: Option<String>,
}

impl Compared {
    fn add(&mut self, (values, differing): (u64, Vec<Differing>), limit: usize) {
        self.values += values;
        for one in &differing {
            self.note(one, limit);
        }
    }

    fn differing(&self) -> u64 {
        self.by_reason.values().sum()
    }

    fn note(&mut self, differing: &Differing, limit: usize) {
        let (reason, words) = reason(differing);
        *self.by_reason.entry(reason).or_default() += 1;
        if self.listed.len() < limit {
            let key = &differing.key;
            let day = key.subject.agent_day();
            self.listed.push(Difference {
                interaction: key.subject.interaction().map(str::to_owned),
                leg: match &key.subject {
                    Subject::Leg { leg, .. } => Some(leg.clone()),
                    Subject::Interaction { .. } | Subject::AgentDay { .. } => None,
                },
                agent: day.map(|(agent, _)| agent.to_owned()),
                day: day.map(|(_, day)| day.to_string()),
                metric: key.metric_type.clone(),
                version: key.metric_version.0,
                value: differing.value,
                platform: differing
                    .last
                    .filter(|last| last.known)
                    .and_then(|last| last.value),
                reason,
                words,
            });
        }
    }

    fn text(&self, target: &str) -> String {
        let mut text = String::new();
        if !self.listed.is_empty() {
            let head = [
                "interaction",
                "leg",
                "metric",
                "version",
                "kpiline",
                "platform",
                "reason",
                "words",
            ];
            let rows: Vec<_> = self.listed.iter().map(Difference::row).collect();
            text = table(&head, &rows);
            text.push('\n');
        }
        let differing = self.differing();
        // Writing to a string cannot fail.
        write!(
            text,
            "{target}: {differing} of {} values differ, by our log",
            self.values
        )
        .ok();
        for (reason, count) in &self.by_reason {
            write!(text, ", {count} {reason}").ok();
        }
        text.push('\n');
        text
    }
}

impl Difference {
    fn row(&self) -> Vec<String> {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |it| it.to_string());
        let subject = self.interaction.clone().unwrap_or_else(|| {
            let part = |part: &Option<String>| part.clone().unwrap_or_default();
            format!("{} {}", part(&self.agent), part(&self.day))
        });
        vec![
            subject,
            self.leg.clone().unwrap_or_default(),
            self.metric.clone(),
            self.version.to_string(),
            number(self.value),
            number(self.platform),
            self.reason.to_owned(),
            self.words.clone().unwrap_or_default(),
        ]
    }
}

/// Why a value differs, in a word, and in whose words.
///
/// - `waiting`: it is queued or on its way. `held`: it is queued, and what it is of has not settled.
/// - `unknown`: nobody knows whether the platform has it; it is pushed again.
/// - `rejected`, `expired`, `skipped`: the platform refused it, it is too old for the platform, an operator gave it up.
/// - `stale`: kpiline has no value any more, and the platform keeps the one it has.
/// - `outdated`, `missing`: the platform has an older one or none, and nothing is queued that would change it: `resync`.
fn reason(differing: &Differing) -> (&'static str, Option<String>) {
    if let Some((state, words)) = &differing.queued {
        let reason = match state.as_str() {
            "rejected" if differing.value.is_none() => "stale",
            "rejected" => "rejected",
            "unknown" => "unknown",
            "held" => "held",
            _ => "waiting",
        };
        return (reason, words.clone());
    }
    if differing.value.is_none() {
        return ("stale", None);
    }
    match (&differing.given_up, differing.last) {
        (Some((fate, words)), _) => {
            let reason = match fate.as_str() {
                "skipped" => "skipped",
                "expired" => "expired",
                _ => "rejected",
            };
            (reason, words.clone())
        }
        (None, Some(LastPush { known: false, .. })) => ("unknown", None),
        (None, Some(_)) => ("outdated", None),
        (None, None) => ("missing", None),
    }
}

fn now() -> UtcMicros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::MetricVersion;
    use store::sync::MetricKey;

    fn differing(value: Option<f64>, last: Option<bool>) -> Differing {
        Differing {
            key: MetricKey {
                tenant: "acme".to_owned(),
                subject: Subject::of_interaction("int_1", ""),
                metric_type: "handle_time".to_owned(),
                metric_version: MetricVersion(1),
            },
            value,
            revision: 3,
            last: last.map(|known| LastPush {
                known,
                revision: 2,
                value: Some(1.5),
            }),
            timestamp_utc: UtcMicros(0),
            agent_id: None,
            queue_id: None,
            queued: None,
            given_up: None,
        }
    }

    fn word(word: &str) -> (String, Option<String>) {
        (word.to_owned(), Some("why".to_owned()))
    }

    #[test]
    fn each_difference_has_its_reason() {
        let value = Some(2.5);
        for (found, reason_wanted) in [
            (differing(value, None), "missing"),
            (differing(value, Some(true)), "outdated"),
            (differing(value, Some(false)), "unknown"),
            (differing(None, Some(true)), "stale"),
        ] {
            assert_eq!(reason(&found), (reason_wanted, None));
        }
        for (state, wanted) in [
            ("pending", "waiting"),
            ("leased", "waiting"),
            ("held", "held"),
            ("unknown", "unknown"),
            ("rejected", "rejected"),
        ] {
            let found = Differing {
                queued: Some(word(state)),
                ..differing(value, Some(true))
            };
            assert_eq!(reason(&found), (wanted, Some("why".to_owned())));
        }
        for (fate, wanted) in [
            ("skipped", "skipped"),
            ("expired", "expired"),
            ("rejected", "rejected"),
        ] {
            let found = Differing {
                given_up: Some(word(fate)),
                ..differing(value, None)
            };
            assert_eq!(reason(&found), (wanted, Some("why".to_owned())));
        }
    }

    #[test]
    fn all_are_counted_and_as_many_listed_as_are_wanted() {
        let mut compared = Compared {
            values: 10,
            ..Compared::default()
        };
        for _ in 0..3 {
            compared.note(&differing(Some(2.5), Some(true)), 2);
        }
        assert_eq!((compared.differing(), compared.listed.len()), (3, 2));
        let text = compared.text("main");
        assert!(text.contains("int_1"), "{text}");
        assert!(
            text.ends_with("main: 3 of 10 values differ, by our log, 3 outdated\n"),
            "{text}"
        );
    }
}
