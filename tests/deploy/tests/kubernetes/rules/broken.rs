//! What breaks each rule, and that the rule says so.

use super::RULES;
use crate::installation::Installation;
use serde_json::{Value, json};
use std::collections::BTreeSet;

type Change = fn(Installation) -> Installation;

const POD: &str = "/spec/template/spec";
const CONTAINER: &str = "/spec/template/spec/containers/0";

/// Sets a member of a Deployment, below its pod or its container.
fn set(of: Installation, name: &str, place: &str, member: &str, value: Value) -> Installation {
    of.with("Deployment", name, |it| {
        it.pointer_mut(place).unwrap()[member] = value;
    })
}

/// Rule, change, and what the rule says of it.
const BROKEN: [(&str, Change, &str); 52] = [
    (
        "no pod may do more than it needs",
        |of| {
            set(
                of,
                "compute",
                CONTAINER,
                "securityContext",
                json!({"privileged": true}),
            )
        },
        "Deployment compute: /securityContext/privileged is true",
    ),
    (
        "no pod may do more than it needs",
        |of| {
            set(
                of,
                "compute",
                CONTAINER,
                "securityContext",
                json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}),
            )
        },
        "Deployment compute: /securityContext/readOnlyRootFilesystem is null and not true",
    ),
    (
        "no pod may do more than it needs",
        |of| {
            set(
                of,
                "compute",
                CONTAINER,
                "securityContext",
                json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}}),
            )
        },
        "Deployment compute: /securityContext/capabilities is",
    ),
    (
        "no pod may do more than it needs",
        |of| {
            set(
                of,
                "compute",
                CONTAINER,
                "securityContext",
                json!({"allowPrivilegeEscalation": true, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}}),
            )
        },
        "Deployment compute: /securityContext/allowPrivilegeEscalation is true",
    ),
    (
        "no pod may do more than it needs",
        |of| {
            set(
                of,
                "deliver",
                POD,
                "securityContext",
                json!({"runAsNonRoot": true, "runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}}),
            )
        },
        "Deployment deliver: /securityContext/runAsUser is 0",
    ),
    (
        "no pod may do more than it needs",
        |of| {
            set(
                of,
                "deliver",
                POD,
                "securityContext",
                json!({"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "Unconfined"}}),
            )
        },
        "Deployment deliver: /securityContext/seccompProfile/type is \"Unconfined\"",
    ),
    (
        "no pod may do more than it needs",
        |of| set(of, "deliver", POD, "hostNetwork", json!(true)),
        "Deployment deliver: /hostNetwork is true",
    ),
    (
        "no pod may do more than it needs",
        |of| {
            set(
                of,
                "deliver",
                POD,
                "automountServiceAccountToken",
                json!(true),
            )
        },
        "Deployment deliver: /automountServiceAccountToken is true",
    ),
    (
        "no pod may do more than it needs",
        |of| {
            set(
                of,
                "deliver",
                POD,
                "volumes",
                json!([{"name": "node", "hostPath": {"path": "/"}}]),
            )
        },
        "Deployment deliver: the volume",
    ),
    (
        "no pod may do more than it needs",
        |of| {
            set(
                of,
                "deliver",
                "/spec/template/spec/containers/0/volumeMounts/0",
                "readOnly",
                json!(false),
            )
        },
        "Deployment deliver: may write to /etc/kpiline",
    ),
    (
        "no pod may do more than it needs",
        |of| {
            of.with("CronJob", "retention", |it| {
                it.pointer_mut("/spec/jobTemplate/spec/template/spec/containers/0")
                    .unwrap()["securityContext"] = json!({});
            })
        },
        "CronJob retention: /securityContext/readOnlyRootFilesystem",
    ),
    (
        "no pod may do more than it needs",
        |of| {
            of.with("ServiceAccount", "backfill-jobs", |it| {
                it["automountServiceAccountToken"] = json!(true);
            })
        },
        "ServiceAccount backfill-jobs: mounts its token",
    ),
    (
        "no Secret is written down",
        |mut of| {
            of.objects.push(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "kpiline-compute", "namespace": "kpiline"}, "stringData": {"amqp-url": "amqp://"}}));
            of
        },
        "Secret kpiline-compute",
    ),
    (
        "images are of a stated release",
        |of| {
            set(
                of,
                "compute",
                CONTAINER,
                "image",
                json!("registry.example.com:5000/kpiline-compute"),
            )
        },
        "Deployment compute: the image registry.example.com:5000/kpiline-compute states no release",
    ),
    (
        "images are of a stated release",
        |of| {
            set(
                of,
                "compute",
                CONTAINER,
                "image",
                json!("kpiline-compute:latest"),
            )
        },
        "Deployment compute: the image kpiline-compute:latest",
    ),
    (
        "no image is at a registry of others",
        |of| {
            set(
                of,
                "compute",
                CONTAINER,
                "image",
                json!("registry.example.org/kpiline-compute:0.1.0"),
            )
        },
        "registry.example.org/kpiline-compute:0.1.0",
    ),
    (
        "every pod says what it takes",
        |of| {
            set(
                of,
                "compute",
                CONTAINER,
                "resources",
                json!({"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}),
            )
        },
        "Deployment compute: memory is not bounded",
    ),
    (
        "every pod says what it takes",
        |of| {
            set(
                of,
                "compute",
                CONTAINER,
                "resources",
                json!({"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"cpu": "500m", "memory": "1Gi"}}),
            )
        },
        "Deployment compute: cpu is not bounded",
    ),
    (
        "probes ask the ops port",
        |of| set(of, "normalise", CONTAINER, "readinessProbe", Value::Null),
        "Deployment normalise: readinessProbe asks null",
    ),
    (
        "probes ask the ops port",
        |of| {
            set(
                of,
                "normalise",
                CONTAINER,
                "livenessProbe",
                json!({"httpGet": {"path": "/readyz", "port": "ops"}}),
            )
        },
        "Deployment normalise: livenessProbe asks",
    ),
    (
        "probes ask the ops port",
        |of| {
            set(
                of,
                "normalise",
                CONTAINER,
                "ports",
                json!([{"name": "ops", "containerPort": 9102}]),
            )
        },
        "Deployment normalise: KPILINE_OPS_LISTEN is",
    ),
    (
        "probes ask the ops port",
        |of| {
            of.with("Deployment", "receive", |it| {
                it.pointer_mut("/spec/template/spec/containers/0/env/1")
                    .unwrap()["value"] = json!("127.0.0.1:8080");
            })
        },
        "Deployment receive: KPILINE_HTTP_LISTEN is",
    ),
    (
        "a stop has time to finish",
        |of| {
            set(
                of,
                "normalise",
                POD,
                "terminationGracePeriodSeconds",
                json!(30),
            )
        },
        "Deployment normalise: has Some(30) s to stop and needs 35 s",
    ),
    (
        "a stop has time to finish",
        |of| {
            set(
                of,
                "receive",
                POD,
                "terminationGracePeriodSeconds",
                json!(30),
            )
        },
        "Deployment receive: has Some(30) s to stop and needs 40 s",
    ),
    (
        "a stop has time to finish",
        |of| set(of, "receive", CONTAINER, "lifecycle", Value::Null),
        "Deployment receive: stops taking requests before anybody knows",
    ),
    (
        "a stop has time to finish",
        |of| {
            of.with("CronJob", "settlement", |it| {
                it.pointer_mut("/spec/jobTemplate/spec/template/spec")
                    .unwrap()["terminationGracePeriodSeconds"] = json!(10);
            })
        },
        "CronJob settlement: has Some(10) s to stop and needs 25 s",
    ),
    (
        "a roll-out takes nothing away",
        |of| {
            set(
                of,
                "receive",
                "/spec/strategy/rollingUpdate",
                "maxUnavailable",
                json!(1),
            )
        },
        "Deployment receive: takes pods away",
    ),
    (
        "a roll-out takes nothing away",
        |of| {
            set(
                of,
                "receive",
                "/spec",
                "strategy",
                json!({"type": "Recreate"}),
            )
        },
        "Deployment receive: takes pods away",
    ),
    (
        "every Deployment may lose one pod at a time",
        |of| of.without("PodDisruptionBudget", "compute-windows"),
        "Deployment compute-windows: has 0 budgets",
    ),
    (
        "every Deployment may lose one pod at a time",
        |of| {
            of.with("PodDisruptionBudget", "compute", |it| {
                it["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] = json!("compte");
            })
        },
        "PodDisruptionBudget compute: is of nobody",
    ),
    (
        "every Deployment may lose one pod at a time",
        |of| {
            of.with("PodDisruptionBudget", "compute", |it| {
                it["spec"]["maxUnavailable"] = json!(0);
            })
        },
        "Deployment compute: has 1 budgets",
    ),
    (
        "replicas are spread",
        |of| set(of, "compute", POD, "topologySpreadConstraints", json!([])),
        "Deployment compute: is not spread over topology.kubernetes.io/zone",
    ),
    (
        "one scaler a Deployment",
        |of| set(of, "receive", "/spec", "replicas", json!(2)),
        "Deployment receive: states replicas beside HorizontalPodAutoscaler receive",
    ),
    (
        "one scaler a Deployment",
        |of| {
            of.with("ScaledObject", "compute", |it| {
                it["spec"]["scaleTargetRef"]["name"] = json!("normalise");
            })
        },
        "ScaledObject compute: has a rival",
    ),
    (
        "one scaler a Deployment",
        |of| {
            of.with("ScaledObject", "compute", |it| {
                it["spec"]["scaleTargetRef"]["name"] = json!("computer");
            })
        },
        "ScaledObject compute: scales computer, which is not there",
    ),
    (
        "one scaler a Deployment",
        |of| of.without("ScaledObject", "compute"),
        "Deployment compute: states no replicas, and nobody scales it",
    ),
    (
        "scalers ask for what is exported",
        |of| {
            of.with("ScaledObject", "compute", |it| {
                it["spec"]["triggers"][2]["metadata"]["query"] = json!("max(kpiline_events_age)");
            })
        },
        "ScaledObject compute: nobody exports kpiline_events_age",
    ),
    (
        "selectors find their pods",
        |of| {
            of.with("Deployment", "compute", |it| {
                it["spec"]["selector"]["matchLabels"] =
                    json!({"app.kubernetes.io/part-of": "kpiline"});
            })
        },
        "Deployment compute: selects the pods of",
    ),
    (
        "selectors find their pods",
        |of| {
            of.with("Service", "deliver", |it| {
                it["spec"]["selector"] = json!({"app.kubernetes.io/name": "delivery"});
            })
        },
        "Service deliver: sends to 0 workloads",
    ),
    (
        "selectors find their pods",
        |of| {
            of.with("PodMonitor", "kpiline", |it| {
                it["spec"]["selector"]["matchLabels"] =
                    json!({"app.kubernetes.io/name": "compute"});
            })
        },
        "PodMonitor kpiline: does not watch receive",
    ),
    (
        "selectors find their pods",
        |of| set(of, "compute", POD, "serviceAccountName", Value::Null),
        "Deployment compute: there is no ServiceAccount \"\"",
    ),
    (
        "selectors find their pods",
        |of| {
            of.with("Service", "deliver", |it| {
                it["metadata"]["namespace"] = json!("default");
            })
        },
        "objects are in the namespaces",
    ),
    (
        "ports meet",
        |of| {
            of.with("Service", "deliver", |it| {
                it["spec"]["ports"][0]["targetPort"] = json!("http");
            })
        },
        "Service deliver: no pod has the port \"http\"",
    ),
    (
        "ports meet",
        |of| {
            of.with("Ingress", "page", |it| {
                it.pointer_mut("/spec/rules/0/http/paths/0/backend/service/port")
                    .unwrap()["name"] = json!("http");
            })
        },
        "Ingress page: there is no",
    ),
    (
        "ports meet",
        |of| of.with("Ingress", "page", |it| it["spec"]["tls"] = json!([])),
        "Ingress page: \"kpi.example.com\" has no certificate",
    ),
    (
        "ports meet",
        |of| {
            of.with("NetworkPolicy", "webhooks-to-receive", |it| {
                it["spec"]["ingress"][0]["ports"][0]["port"] = json!("page");
            })
        },
        "NetworkPolicy webhooks-to-receive: no pod has the port",
    ),
    (
        "ports meet",
        |of| {
            of.with("PodMonitor", "kpiline", |it| {
                it["spec"]["podMetricsEndpoints"][0]["port"] = json!("page");
            })
        },
        "PodMonitor kpiline: not every pod has",
    ),
    (
        "what is referred to is there",
        |of| {
            set(
                of,
                "compute",
                "/spec/template/spec/volumes/0/secret/items/0",
                "key",
                json!("database"),
            )
        },
        "Deployment compute: README does not know the Secret kpiline-compute with database",
    ),
    (
        "what is referred to is there",
        |of| {
            set(
                of,
                "compute",
                "/spec/template/spec/volumes/0/secret",
                "secretName",
                json!("kpiline-deliver"),
            )
        },
        "Deployment compute: has kpiline-deliver, which is another one's",
    ),
    (
        "what is referred to is there",
        |of| {
            set(
                of,
                "backfill",
                "/spec/template/spec/volumes/0/configMap",
                "name",
                json!("backfill-configs"),
            )
        },
        "Deployment backfill: there is no ConfigMap backfill-configs",
    ),
    (
        "what is referred to is there",
        |of| {
            of.with("Deployment", "deliver", |it| {
                it.pointer_mut("/spec/template/spec/containers/0/env/0")
                    .unwrap()["value"] = json!("/etc/kpiline/target.toml");
            })
        },
        "Deployment deliver: KPILINE_TARGETS names /etc/kpiline/target.toml, which nobody brings",
    ),
    (
        "each ServiceAccount gets one owner's Secrets",
        |of| {
            of.with("CronJob", "retention", |it| {
                it.pointer_mut("/spec/jobTemplate/spec/template/spec")
                    .unwrap()["serviceAccountName"] = json!("backfill-jobs");
            })
        },
        "ServiceAccount backfill-jobs: gets ",
    ),
];

#[test]
fn each_rule_names_what_breaks_it() {
    let Some(of) = Installation::whole("overlays/production") else {
        return;
    };
    let mut shown = BTreeSet::new();
    for (name, change, words) in BROKEN {
        let rule = RULES.iter().find(|it| it.0 == name).unwrap().1;
        let found = rule(&change(of.clone()));
        assert!(
            found.iter().any(|it| it.starts_with(words)),
            "{name}: {words}: {found:?}"
        );
        shown.insert(name);
    }
    assert_eq!(shown.len(), RULES.len(), "each rule has a bad sample");
}

#[test]
fn what_a_store_of_secrets_does_not_have_is_named() {
    let Some(of) = Installation::everything() else {
        return;
    };
    let rule = RULES
        .iter()
        .find(|it| it.0 == "what is referred to is there")
        .unwrap()
        .1;
    let found = rule(&of.clone().without("SecretProviderClass", "kpiline-compute"));
    assert!(
        found.contains(
            &"Deployment compute: there is no SecretProviderClass kpiline-compute".to_owned()
        ),
        "{found:?}"
    );
    let found = rule(&of.with("SecretProviderClass", "kpiline-compute", |it| {
        it["spec"]["parameters"]["objects"] = json!("[]");
    }));
    assert!(
        found
            .iter()
            .any(|it| it.ends_with("names /run/kpiline/secrets/amqp-url, which nobody brings")),
        "{found:?}"
    );
}
