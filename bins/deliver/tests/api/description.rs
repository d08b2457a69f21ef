//! The description: it holds for what is answered (every other test checks that), and it is one.

use crate::server::{ACME, Api};
use deliver::api::openapi::document;
use deliver::api::resource::Resource;
use serde_json::Value;
use std::collections::BTreeSet;

#[tokio::test]
async fn the_description_is_served_and_kept() {
    let api = Api::start().await;
    let answer = api.send("GET", "/api/v1/openapi.json", &[], "").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json")
    );
    assert_eq!(answer.json(), document());
    let again = api
        .send(
            "GET",
            "/api/v1/openapi.json",
            &[("If-None-Match", answer.header("etag"))],
            "",
        )
        .await;
    assert_eq!(again.status, 304);
    api.stop().await;
}

#[test]
fn every_resource_is_described_with_its_parameters_and_every_reference_leads_somewhere() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for resource in Resource::ALL {
        let get = &document["paths"][resource.path()]["get"];
        assert!(
            ids.insert(get["operationId"].as_str().unwrap().to_owned()),
            "{resource:?}"
        );
        let described: Vec<_> = get["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let read: Vec<_> = resource
            .about()
            .parameters
            .iter()
            .map(|parameter| parameter.name)
            .collect();
        assert_eq!(described, read);
        assert!(
            get["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .all(|parameter| !parameter["description"].as_str().unwrap().is_empty())
        );
        for status in ["200", "304", "400", "401", "403", "404", "503", "default"] {
            assert!(
                get["responses"][status].is_object(),
                "{resource:?} {status}"
            );
        }
    }
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if name == "$ref" {
                    references.push(value.as_str().unwrap().to_owned());
                }
                collect(value, references);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_what_is() {
    let api = Api::start().await;
    for path in [
        "/api/v1/",
        "/api/v1/metric",
        "/api/v1/kpis/",
        "/api/v1/metrics/1",
    ] {
        let answer = api.send("GET", path, &[], "").await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(
            answer.json()["detail"]
                .as_str()
                .unwrap()
                .contains("/api/v1/windows"),
            "{answer:?}"
        );
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = api
            .send(
                method,
                "/api/v1/kpis",
                &[("Authorization", &format!("Bearer {ACME}"))],
                "",
            )
            .await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, "GET, HEAD"),
            "{method}"
        );
    }
    api.stop().await;
}

#[tokio::test]
async fn a_request_under_way_at_the_stop_is_answered() {
    let api = Api::start().await;
    let answer = api.get("/api/v1/kpis", ACME).await;
    assert_eq!(answer.status, 200);
    let address = api.address;
    api.stop().await;
    assert!(
        tokio::net::TcpStream::connect(address).await.is_err(),
        "nobody listens any more"
    );
}
