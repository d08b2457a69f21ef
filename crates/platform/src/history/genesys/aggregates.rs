//! The platform's own sums, to compare ours with.

use super::Genesys;
use super::jobs::read;
use crate::api::Call;
use crate::history::{HistoryError, routes};
use crate::instant::{self, interval};
use schema::UtcMicros;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is summed up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aggregates<'a> {
    /// From, inclusive.
    pub from: UtcMicros,
    /// To, exclusive.
    pub to: UtcMicros,
    /// ISO duration of the parts (`PT30M`, `PT1H`, `P1D`); `None`: the whole stretch.
    pub granularity: Option<&'a str>,
    /// IANA zone that parts of a day or more keep to.
    pub zone: Option<&'a str>,
    /// Dimensions (`queueId`, `mediaType`, `userId` …).
    pub group_by: &'a [&'a str],
    /// Metrics (`nOffered`, `tAnswered`, `tHandle` …); none: all.
    pub metrics: &'a [&'a str],
    /// The filter as it is (`{type, clauses | predicates}`).
    pub filter: Option<&'a Value>,
}

/// One metric of one group in one part of the stretch.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// Dimension and value.
    pub group: BTreeMap<String, String>,
    /// The part's beginning.
    pub from: UtcMicros,
    /// The part's end.
    pub to: UtcMicros,
    /// The metric.
    pub metric: String,
    /// Of which status, where the metric has one (presence, routing status).
    pub qualifier: Option<String>,
    /// The numbers.
    pub stats: Stats,
}

/// What the platform says of a metric. Times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// How many.
    pub count: Option<f64>,
    /// Their sum.
    pub sum: Option<f64>,
    /// The smallest.
    pub min: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
    /// Of a ratio (service level): above the line.
    pub numerator: Option<f64>,
    /// Below the line.
    pub denominator: Option<f64>,
    /// The ratio itself.
    pub ratio: Option<f64>,
    /// What it should be.
    pub target: Option<f64>,
    /// Of an observation: as it is now.
    pub current: Option<f64>,
}

#[derive(Deserialize)]
struct Answered {
    #[serde(default)]
    results: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    group: BTreeMap<String, String>,
    #[serde(default)]
    data: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    interval: String,
    #[serde(default)]
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    #[serde(rename = "metric")]
    name: String,
    qualifier: Option<String>,
    #[serde(default)]
    stats: Stats,
}

impl Genesys {
    /// Sums over conversations. `POST /api/v2/analytics/conversations/aggregates/query` [notes 2.4].
    ///
    /// A metric falls into the part in which it was *emitted*, not in which its conversation began: near a boundary nOffered is not
    /// tAnswered + tAbandon + tFlowOut.
    pub async fn aggregates(&self, asked: Aggregates<'_>) -> Result<Vec<Aggregate>, HistoryError> {
        let path = "/api/v2/analytics/conversations/aggregates/query";
        self.sums(&asked, routes::AGGREGATES_QUERY, path).await
    }

    /// Sums over users' statuses (tAgentRoutingStatus, tSystemPresence, tOrganizationPresence; by `userId` only).
    /// `POST /api/v2/analytics/users/aggregates/query` [notes 7].
    pub async fn user_aggregates(
        &self,
        asked: Aggregates<'_>,
    ) -> Result<Vec<Aggregate>, HistoryError> {
        let path = "/api/v2/analytics/users/aggregates/query";
        self.sums(&asked, routes::USERS_AGGREGATES_QUERY, path)
            .await
    }

    /// How many conversations had something happen in a stretch of time (`nConversations`), as the platform sums up.
    pub async fn conversations_counted(
        &self,
        from: UtcMicros,
        to: UtcMicros,
    ) -> Result<u64, HistoryError> {
        let found = self
            .aggregates(Aggregates {
                from,
                to,
                granularity: None,
                zone: None,
                group_by: &[],
                metrics: &["nConversations"],
                filter: None,
            })
            .await?;
        let count: f64 = found.iter().filter_map(|one| one.stats.count).sum();
        // A count of conversations is far below 2^53.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(count.max(0.0) as u64)
    }

    async fn sums(
        &self,
        asked: &Aggregates<'_>,
        route: &str,
        path: &str,
    ) -> Result<Vec<Aggregate>, HistoryError> {
        let body = body(asked);
        let answer = self
            .api
            .fetch(Call::post(route, path, &body).of_history())
            .await
            .map_err(HistoryError::of_stretch)?;
        flat(&answer.body)
    }
}

fn body(asked: &Aggregates<'_>) -> Value {
    let mut body = json!({"interval": interval(asked.from, asked.to)});
    let mut put = |name: &str, value: Value| body[name] = value;
    if let Some(granularity) = asked.granularity {
        put("granularity", json!(granularity));
    }
    if let Some(zone) = asked.zone {
        put("timeZone", json!(zone));
    }
    if !asked.group_by.is_empty() {
        put("groupBy", json!(asked.group_by));
    }
    if !asked.metrics.is_empty() {
        put("metrics", json!(asked.metrics));
    }
    if let Some(filter) = asked.filter {
        put("filter", filter.clone());
    }
    body
}

/// All numbers of an answer, one after the other. An absent list is empty.
fn flat(body: &[u8]) -> Result<Vec<Aggregate>, HistoryError> {
    const WHAT: &str = "an aggregates query";
    if body.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let answered: Answered = read(body, WHAT)?;
    let mut found = Vec::new();
    for Group { group, data } in answered.results {
        for part in data {
            let ends = part.interval.split_once('/');
            let ends =
                ends.and_then(|(from, to)| Some((instant::parse(from)?, instant::parse(to)?)));
            let Some((from, to)) = ends else {
                return Err(HistoryError::shape(
                    WHAT,
                    format!("{:?} is no interval with a zone", part.interval),
                ));
            };
            found.extend(part.metrics.into_iter().map(|metric| Aggregate {
                group: group.clone(),
                from,
                to,
                metric: metric.name,
                qualifier: metric.qualifier,
                stats: metric.stats,
            }));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_results_has_none_and_a_wrong_one_is_an_error() {
        assert!(flat(b"{}").unwrap().is_empty());
        assert!(flat(b"").unwrap().is_empty());
        assert!(flat(b"[1]").is_err());
        let local = br#"{"results":[{"data":[{"interval":"2024-01-01T00:00:00/2024-01-02T00:00:00","metrics":[]}]}]}"#;
        assert!(flat(local).is_err(), "whose midnight?");
    }

    #[test]
    fn numbers_come_with_their_group_and_part() {
        let body = br#"{"results":[{"group":{"queueId":"q"},"data":[{"interval":"2025-01-25T21:00:00.000Z/2025-02-01T21:00:00.000Z",
            "metrics":[{"metric":"nOffered","stats":{"count":877}},{"metric":"oServiceLevel","stats":{"ratio":0.5,"numerator":1,"denominator":2,"target":0.8}}]}]}]}"#;
        let found = flat(body).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].stats.count, Some(877.0));
        assert_eq!(found[0].group["queueId"], "q");
        assert_eq!(found[1].stats.denominator, Some(2.0));
    }
}
