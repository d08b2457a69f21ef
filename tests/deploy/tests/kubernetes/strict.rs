//! Every object read into the typed structs of the Kubernetes API, or into ours of custom resources, and written again: what is not the same
//! afterwards was not understood, a misspelt member first of all.

use crate::custom;
use crate::installation::{Installation, OVERLAYS, called, text};
use k8s_openapi::api;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What makes a good object a bad one.
type Change = fn(&mut Value);

/// Reads and writes again.
fn through<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, String> {
    let read: T = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    serde_json::to_value(&read).map_err(|error| error.to_string())
}

fn again(object: &Value) -> Result<Value, String> {
    match (text(&object["apiVersion"]), text(&object["kind"])) {
        ("v1", "Namespace") => through::<api::core::v1::Namespace>(object),
        ("v1", "ServiceAccount") => through::<api::core::v1::ServiceAccount>(object),
        ("v1", "Service") => through::<api::core::v1::Service>(object),
        ("v1", "ConfigMap") => through::<api::core::v1::ConfigMap>(object),
        ("apps/v1", "Deployment") => through::<api::apps::v1::Deployment>(object),
        ("batch/v1", "Job") => through::<api::batch::v1::Job>(object),
        ("batch/v1", "CronJob") => through::<api::batch::v1::CronJob>(object),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => {
            through::<api::autoscaling::v2::HorizontalPodAutoscaler>(object)
        }
        ("policy/v1", "PodDisruptionBudget") => {
            through::<api::policy::v1::PodDisruptionBudget>(object)
        }
        ("networking.k8s.io/v1", "NetworkPolicy") => {
            through::<api::networking::v1::NetworkPolicy>(object)
        }
        ("networking.k8s.io/v1", "Ingress") => through::<api::networking::v1::Ingress>(object),
        ("scheduling.k8s.io/v1", "PriorityClass") => {
            through::<api::scheduling::v1::PriorityClass>(object)
        }
        (group, kind) => custom::through(group, kind, object)
            .unwrap_or_else(|| Err("there is no struct of this kind".to_owned())),
    }
}

/// Where two values differ.
fn differences(path: &str, given: &Value, written: &Value, found: &mut Vec<String>) {
    match (given, written) {
        (Value::Object(given), Value::Object(written)) => {
            let names = given.keys().chain(written.keys());
            let mut names: Vec<_> = names.collect();
            names.sort();
            names.dedup();
            for name in names {
                let value = |of: &serde_json::Map<String, Value>| {
                    of.get(name).cloned().unwrap_or(Value::Null)
                };
                differences(
                    &format!("{path}/{name}"),
                    &value(given),
                    &value(written),
                    found,
                );
            }
        }
        (Value::Array(given), Value::Array(written)) if given.len() == written.len() => {
            for (at, (given, written)) in given.iter().zip(written).enumerate() {
                differences(&format!("{path}/{at}"), given, written, found);
            }
        }
        _ if given != written => found.push(format!("{path}: {given} is read as {written}")),
        _ => {}
    }
}

fn not_understood(of: &Installation) -> Vec<String> {
    let mut problems = Vec::new();
    for object in &of.objects {
        match again(object) {
            Err(error) => problems.push(format!("{}: {error}", called(object))),
            Ok(written) => {
                let mut found = Vec::new();
                differences("", object, &written, &mut found);
                problems.extend(found.iter().map(|it| format!("{}: {it}", called(object))));
            }
        }
    }
    problems
}

#[test]
fn every_object_is_understood_to_the_last_member() {
    let folders = [
        "base",
        "overlays/dev/migrate",
        "overlays/production/migrate",
        "examples/rabbitmq",
        "examples/postgres",
    ];
    for folder in folders.into_iter().chain(OVERLAYS) {
        let Some(of) = Installation::render(folder) else {
            return;
        };
        assert!(!of.objects.is_empty());
        assert_eq!(not_understood(&of), [""; 0], "{folder}");
    }
    let Some(of) = Installation::everything() else {
        return;
    };
    assert_eq!(not_understood(&of), [""; 0], "everything");
}

#[test]
fn what_is_misspelt_misplaced_or_of_another_type_is_named() {
    let Some(of) = Installation::render("overlays/production") else {
        return;
    };
    let bad: [(&str, &str, Change, &str); 6] = [
        (
            "Deployment",
            "compute",
            |it| it["spec"]["template"]["spec"]["terminationGracePeriod"] = json!(40),
            "Deployment compute: /spec/template/spec/terminationGracePeriod: 40 is read as null",
        ),
        (
            "Deployment",
            "compute",
            |it| it["spec"]["replica"] = json!(2),
            "Deployment compute: /spec/replica: 2 is read as null",
        ),
        (
            "CronJob",
            "retention",
            |it| it["spec"]["schedule"] = json!(4),
            "CronJob retention: invalid type",
        ),
        (
            "ScaledObject",
            "compute",
            |it| it["spec"]["maxReplicas"] = json!(4),
            "ScaledObject compute: unknown field `maxReplicas`",
        ),
        (
            "PodMonitor",
            "kpiline",
            |it| it["spec"]["podMetricsEndpoints"][0]["schema"] = json!("https"),
            "PodMonitor kpiline: unknown field `schema`",
        ),
        (
            "NetworkPolicy",
            "nobody",
            |it| it["kind"] = json!("NetworkPolicies"),
            "NetworkPolicies nobody: there is no struct of this kind",
        ),
    ];
    for (kind, name, change, words) in bad {
        let found = not_understood(&of.clone().with(kind, name, change));
        assert!(
            found.len() == 1 && found[0].starts_with(words),
            "{words}: {found:?}"
        );
    }
}
