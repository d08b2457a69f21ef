//! An end-to-end probe: posts to our own delivery URL, as the platform would, a body without events. A good answer says that name, TLS,
//! proxy, path, signature and broker are as they should be; nothing is left behind.

use super::finding::Finding;
use crate::subscriptions::Subscription;
use crate::subscriptions::platform::Platform;
use platform::client::{Client, Timeouts};
use platform::outcome::Answer;
use platform::secret::Secret;
use schema::BodyFormat;
use std::time::Duration;
use url::Url;

/// A list of no events, which every format of JSON takes.
const NOTHING: &[u8] = b"[]";
/// What event buses wait for.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    read: Duration::from_secs(5),
    total: Duration::from_secs(5),
};

/// What is wrong with the endpoint.
pub(super) async fn probe(
    subscription: &Subscription,
    platform: &Platform,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let Some(url) = &platform.delivery_url else {
        return vec![endpoint("", "no `delivery_url` to probe".to_owned())];
    };
    let at = url.as_str();
    let client = match Client::new(url, TIMEOUTS) {
        Ok(client) => client,
        Err(error) => return vec![endpoint(at, runtime::chain(&error))],
    };
    let mut findings = Vec::new();
    match post(&client, url, None).await {
        Ok(answer) if matches!(answer.status, 401 | 403) => {}
        Ok(answer) if (200..300).contains(&answer.status) => findings.push(endpoint(
            at,
            "takes what is not signed: anybody could post".to_owned(),
        )),
        // Said once, below.
        Ok(_) | Err(_) => {}
    }
    if !takes_nothing(&subscription.format) {
        return findings;
    }
    let proof = platform
        .proof
        .as_ref()
        .ok_or_else(|| "no way to prove a probe; add [subscription.platform.probe]".to_owned())
        .and_then(|proof| proof.header(NOTHING, variable));
    let header = match proof {
        Ok(header) => header,
        Err(why) => {
            findings.push(endpoint(at, why));
            return findings;
        }
    };
    match post(&client, url, Some(header)).await {
        Ok(answer) if (200..300).contains(&answer.status) => {}
        Ok(answer) => findings.push(endpoint(at, words(&answer))),
        Err(why) => findings.push(endpoint(at, why)),
    }
    findings
}

/// Whether an empty list is a body of this format. Of a report it would be a damaged one.
fn takes_nothing(format: &BodyFormat) -> bool {
    !matches!(
        format,
        BodyFormat::CxoneCallDetail { .. } | BodyFormat::CxoneAgentStateLog { .. }
    )
}

async fn post(
    client: &Client,
    url: &Url,
    header: Option<(String, Secret)>,
) -> Result<Answer, String> {
    let headers: Vec<_> = header.into_iter().collect();
    client
        .post_raw(url, &headers, "application/json", NOTHING.to_vec())
        .await
        .map_err(|error| runtime::chain(&error))
}

fn words(answer: &Answer) -> String {
    let status = answer.status;
    let body: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    let detail = body
        .as_ref()
        .and_then(|body| body.get("detail"))
        .and_then(serde_json::Value::as_str)
        .map_or_else(String::new, |detail| format!(": {detail}"));
    let what = match status {
        401 | 403 => "does not take our own proof",
        404 => "has no such path",
        503 => "cannot store anything now",
        300..=399 => "sends deliveries elsewhere, where no platform follows",
        _ => "refuses a signed delivery",
    };
    format!("answers HTTP {status}, it {what}{detail}")
}

fn endpoint(url: &str, why: String) -> Finding {
    Finding::Endpoint {
        url: url.to_owned(),
        why,
    }
}
