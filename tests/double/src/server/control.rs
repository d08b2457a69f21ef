//! The control endpoints: what a shell script asks and tells the double.

use super::Shared;
use crate::config::{Limit, Script};
use crate::history::Change;
use crate::http::{Answer, empty, json};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request};
use serde_json::json;

/// Bound of a control request's body.
const BYTES_MAX: usize = 1 << 20;

/// Answers one control request.
pub(super) async fn answer(request: Request<Incoming>, shared: &Shared) -> Answer {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let body = Limited::new(request.into_body(), BYTES_MAX)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let Ok(body) = body else {
        return json(413, &json!({ "problem": "the body is too large" }));
    };
    match (&method, path.as_str()) {
        (&Method::GET, "/control" | "/control/" | "/control/state") => {
            json(200, &shared.ledger().snapshot())
        }
        (&Method::GET, "/control/table") => {
            let ledger = shared.ledger();
            let rows: Vec<_> = ledger
                .table
                .iter()
                .map(|(key, cell)| json!({ "key": key, "cell": cell }))
                .collect();
            json(200, &rows)
        }
        (&Method::GET, "/control/requests") => json(200, &shared.ledger().requests),
        (&Method::GET, "/control/violations") => json(200, &shared.ledger().violations),
        (&Method::GET, "/control/history") => json(200, &shared.ledger().history_account()),
        (&Method::GET, "/control/history/calls") => {
            let ledger = shared.ledger();
            let calls = ledger.history.iter().flat_map(|history| &history.books.calls);
            let calls: Vec<_> = calls
                .map(|call| {
                    json!({
                        "at_unix_ms": call.at_unix_ms, "client": call.client, "route": call.route, "status": call.status,
                        "fault": call.fault, "early": call.early,
                    })
                })
                .collect();
            json(200, &calls)
        }
        (&Method::POST, "/control/history") => {
            tell::<Change>(&body, |it| shared.change_history(&it))
        }
        (&Method::POST, "/control/faults") => tell::<Script>(&body, |it| shared.set_faults(it)),
        (&Method::POST, "/control/limit") => {
            tell::<Option<Limit>>(&body, |it| shared.ledger().config.limit = it)
        }
        (&Method::POST, "/control/poison") => {
            tell::<Vec<String>>(&body, |it| shared.ledger().config.poison = it)
        }
        (&Method::POST, "/control/revoke") => {
            shared.ledger().tokens.clear();
            empty(204)
        }
        (&Method::POST, "/control/reset") => {
            shared.ledger().reset();
            empty(204)
        }
        _ => json(
            404,
            &json!({ "problem": "GET state, table, requests, violations, history, history/calls; POST history, faults, limit, poison, revoke, reset" }),
        ),
    }
}

fn tell<T: serde::de::DeserializeOwned>(body: &Bytes, set: impl FnOnce(T)) -> Answer {
    match serde_json::from_slice(body) {
        Ok(told) => {
            set(told);
            empty(204)
        }
        Err(problem) => json(400, &json!({ "problem": problem.to_string() })),
    }
}
