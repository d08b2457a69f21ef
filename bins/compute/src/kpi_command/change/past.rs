//! What a version that is switched on lacks of the past, and the command that computes it.

use crate::kpi_command::database;
use crate::kpi_command::subject::Exact;
use runtime::args::PostgresArgs;
use schema::{BodyFormat, MetricVersion, UtcMicros};
use std::collections::BTreeSet;
use store::definitions::{self, Coverage};
use store::{Client, event_log};

const DAY_MICROS: i64 = 86_400_000_000;
/// Events of the log looked at in one statement.
const EVENTS_AT_ONCE: u32 = 100_000;

/// What there is to be computed for a version that has just been switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    /// Nothing has ended yet.
    None,
    /// Interactions dated from this instant to that one.
    Span(UtcMicros, UtcMicros),
    /// Nobody could tell.
    Unknown,
}

impl Past {
    pub(super) fn words(self, version: MetricVersion) -> String {
        match self {
            Self::None => "no interaction has ended yet, there is nothing to compute".to_owned(),
            Self::Span(first, last) => {
                let (from, to) = days_around(first, last);
                command(&written(from), &written(to), version)
            }
            Self::Unknown => command("…", "…", version),
        }
    }
}

/// The past of a version that has just been switched on. It is, so that no error here may look as if it were not.
pub(super) async fn of(args: &PostgresArgs, exact: &Exact) -> Past {
    let looked = async {
        let store = database::open(args).await?;
        let client = store.client().await?;
        let coverage = definitions::coverage(&client, &exact.name, None, exact.version).await?;
        anyhow::Ok(coverage.span)
    };
    match looked.await {
        Ok(Some((first, last))) => Past::Span(first, last),
        Ok(None) => Past::None,
        Err(_) => Past::Unknown,
    }
}

/// Why a candidate cannot be shown in place of the current version (or of none) yet, and what makes it possible; `None`: it can.
pub(super) async fn incomplete(
    client: &Client,
    exact: &Exact,
    current: Option<MetricVersion>,
) -> anyhow::Result<Option<String>> {
    let coverage = definitions::coverage(client, &exact.name, current, exact.version).await?;
    if coverage.missing == 0 {
        return Ok(None);
    }
    Ok(Some(refused(client, exact, current, &coverage).await))
}

/// What to say of a candidate that is incomplete.
pub(super) async fn refused(
    client: &Client,
    exact: &Exact,
    current: Option<MetricVersion>,
    coverage: &Coverage,
) -> String {
    let mappings = match coverage.span {
        Some((first, last)) => mappings(client, days_around(first, last)).await,
        None => None,
    };
    refusal(exact, current, coverage, mappings.as_ref())
}

/// The mappings by which the events of a stretch of the log are read; `None` where nobody could tell.
async fn mappings(client: &Client, (from, to): (UtcMicros, UtcMicros)) -> Option<BTreeSet<String>> {
    let formats = event_log::formats(client, from, to, None, None, EVENTS_AT_ONCE)
        .await
        .ok()?;
    let formats = formats.keys();
    Some(
        formats
            .filter_map(|format| match serde_json::from_str(format) {
                Ok(BodyFormat::Mapped { mapping }) => Some(mapping.to_string()),
                _ => None,
            })
            .collect(),
    )
}

fn refusal(
    exact: &Exact,
    current: Option<MetricVersion>,
    coverage: &Coverage,
    mappings: Option<&BTreeSet<String>>,
) -> String {
    let Coverage {
        current_rows,
        missing,
        example,
        span,
    } = coverage;
    let example = example
        .as_ref()
        .map(|(tenant, interaction)| format!(", such as {interaction} of {tenant}"))
        .unwrap_or_default();
    let lacking = match current {
        Some(current) => format!(
            "of {current_rows} rows of {}@{current}, {missing} belong to interactions that, as they are, {exact} was not computed for{example}",
            exact.name
        ),
        None => format!(
            "of {current_rows} interactions that ended, there are {missing} that, as they are, it was not computed for{example}"
        ),
    };
    let past = span.map_or(Past::Unknown, |(first, last)| Past::Span(first, last));
    let with_mappings = match mappings {
        None => "\nWhere events of a `mapped` subscription are among them, add --mapping FILE for each mapping"
            .to_owned(),
        Some(mappings) if mappings.is_empty() => String::new(),
        Some(mappings) => {
            let names: Vec<&str> = mappings.iter().map(String::as_str).collect();
            format!(
                "\nThere are events of `mapped` subscriptions among them: add --mapping FILE for each of these mappings: {}",
                names.join(", ")
            )
        }
    };
    format!(
        "{exact} is incomplete: {lacking}. Nothing was changed. Compute them first:\n  {} --wait{with_mappings}",
        past.words(exact.version)
    )
}

fn command(from: &str, to: &str, version: MetricVersion) -> String {
    format!("backfill replay --from {from} --to {to} --metric-version {version}")
}

/// The whole days in UTC that hold everything an interaction dated in this span was told by, but for rarities: one more on either side.
fn days_around(first: UtcMicros, last: UtcMicros) -> (UtcMicros, UtcMicros) {
    let day = |micros: i64| UtcMicros(micros.div_euclid(DAY_MICROS).saturating_mul(DAY_MICROS));
    (
        day(first.0.saturating_sub(DAY_MICROS)),
        day(last.0.saturating_add(2 * DAY_MICROS)),
    )
}

fn written(at: UtcMicros) -> String {
    at.to_string().replace(".000Z", "Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coverage() -> Coverage {
        Coverage {
            current_rows: 100,
            missing: 7,
            example: Some(("acme".to_owned(), "int_1".to_owned())),
            // 2024-03-05T10:00:00Z to 2024-03-07T23:59:59.999999Z.
            span: Some((
                UtcMicros(1_709_632_800_000_000),
                UtcMicros(1_709_855_999_999_999),
            )),
        }
    }

    fn refused(current: Option<u16>, mappings: Option<&[&str]>) -> String {
        let exact: Exact = "talk_time@2".parse().unwrap();
        let mappings: Option<BTreeSet<String>> =
            mappings.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        refusal(
            &exact,
            current.map(MetricVersion),
            &coverage(),
            mappings.as_ref(),
        )
    }

    #[test]
    fn an_incomplete_candidate_is_refused_with_the_command_that_completes_it() {
        let text = refused(Some(1), Some(&[]));
        for part in [
            "of 100 rows of talk_time@1, 7 ",
            "int_1 of acme",
            "backfill replay --from 2024-03-04T00:00:00Z --to 2024-03-09T00:00:00Z --metric-version 2 --wait",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("--mapping"), "{text}");
        let first = refused(None, Some(&[]));
        assert!(
            first.contains("of 100 interactions that ended, there are 7 "),
            "{first}"
        );
    }

    #[test]
    fn a_refusal_names_the_mappings_that_the_replay_needs() {
        let named = refused(Some(1), Some(&["b", "a"]));
        assert!(
            named.ends_with("for each of these mappings: a, b"),
            "{named}"
        );
        let unknown = refused(Some(1), None);
        assert!(
            unknown.ends_with("add --mapping FILE for each mapping"),
            "{unknown}"
        );
    }

    #[test]
    fn where_nobody_can_tell_the_span_the_command_leaves_it_open() {
        assert_eq!(
            Past::Unknown.words(MetricVersion(3)),
            "backfill replay --from … --to … --metric-version 3"
        );
        assert!(
            Past::None
                .words(MetricVersion(3))
                .contains("nothing to compute")
        );
    }
}
