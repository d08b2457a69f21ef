//! How pods come and go.

use super::Problems;
use crate::binaries::setting;
use crate::installation::{Installation, called, list, selects, text};
use crate::workload::{Workload, workloads};
use serde_json::Value;
use std::time::Duration;

fn serving(of: &Installation) -> impl Iterator<Item = Workload<'_>> {
    workloads(of).into_iter().filter(|it| it.serves())
}

/// All three, on the port that the process serves them on; each variable that says where to listen has its port declared.
pub(super) fn probes(of: &Installation) -> Problems {
    let mut problems = Vec::new();
    for it in serving(of) {
        let ports = it.ports();
        for (probe, path) in [
            ("startupProbe", "/healthz"),
            ("livenessProbe", "/healthz"),
            ("readinessProbe", "/readyz"),
        ] {
            let asked = &it.container()[probe]["httpGet"];
            if text(&asked["path"]) != path || text(&asked["port"]) != "ops" {
                problems.push(format!("{}: {probe} asks {asked}", it.called()));
            }
        }
        for (variable, port) in [
            ("KPILINE_OPS_LISTEN", "ops"),
            ("KPILINE_HTTP_LISTEN", "http"),
            ("KPILINE_API_LISTEN", "page"),
        ] {
            let listens = it.values().get(variable).map(|it| (*it).to_owned());
            let declared = ports.get(port).map(|port| format!("0.0.0.0:{port}"));
            if listens != declared || (port == "ops" && listens.is_none()) {
                problems.push(format!(
                    "{}: {variable} is {listens:?}, its port {declared:?}",
                    it.called()
                ));
            }
        }
    }
    problems
}

/// Who stops has the pause before, its own time to finish, and five seconds.
pub(super) fn grace(of: &Installation) -> Problems {
    let mut problems = Vec::new();
    for it in workloads(of) {
        let given = it.pod()["terminationGracePeriodSeconds"].as_u64();
        let pause = it.container()["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64();
        let drain = setting(it, "KPILINE_SHUTDOWN_GRACE")
            .and_then(|it| humantime::parse_duration(&it).ok())
            .unwrap_or(Duration::MAX);
        let needed = drain.as_secs().saturating_add(pause.unwrap_or(0) + 5);
        if given.is_none_or(|given| given < needed) {
            problems.push(format!(
                "{}: has {given:?} s to stop and needs {needed} s",
                it.called()
            ));
        }
        // Requests go on coming until everybody has heard that the pod is going.
        let answers = of
            .of("Service")
            .any(|service| selects_pods(&service["spec"]["selector"], it.labels()));
        if answers && pause.is_none_or(|pause| pause < 5) {
            problems.push(format!(
                "{}: stops taking requests before anybody knows",
                it.called()
            ));
        }
    }
    problems
}

/// The selector of a Service: labels as they are.
fn selects_pods(selector: &Value, labels: &Value) -> bool {
    selects(&serde_json::json!({ "matchLabels": selector }), labels)
}

/// The new pod is ready before an old one goes.
pub(super) fn rolling(of: &Installation) -> Problems {
    serving(of)
        .filter(|it| {
            let strategy = &it.object["spec"]["strategy"];
            let rolls = strategy["type"].is_null() || strategy["type"] == "RollingUpdate";
            let rolling = &strategy["rollingUpdate"];
            !rolls || rolling["maxUnavailable"] != 0 || rolling["maxSurge"].as_u64() == Some(0)
        })
        .map(|it| format!("{}: takes pods away", it.called()))
        .collect()
}

/// One budget for each, and none that forbids to empty a node.
pub(super) fn disruption(of: &Installation) -> Problems {
    let mut problems = Vec::new();
    for it in serving(of) {
        let budgets = of
            .of("PodDisruptionBudget")
            .filter(|budget| selects(&budget["spec"]["selector"], it.labels()))
            .collect::<Vec<_>>();
        if budgets.len() != 1 || budgets[0]["spec"]["maxUnavailable"] != 1 {
            problems.push(format!("{}: has {} budgets", it.called(), budgets.len()));
        }
    }
    for budget in of.of("PodDisruptionBudget") {
        if !serving(of).any(|it| selects(&budget["spec"]["selector"], it.labels())) {
            problems.push(format!("{}: is of nobody", called(budget)));
        }
    }
    problems
}

/// Over zones and nodes, those of one release among themselves.
pub(super) fn spread(of: &Installation) -> Problems {
    let mut problems = Vec::new();
    for it in serving(of) {
        for key in ["topology.kubernetes.io/zone", "kubernetes.io/hostname"] {
            let found = list(&it.pod()["topologySpreadConstraints"])
                .iter()
                .find(|constraint| constraint["topologyKey"] == key);
            let good = found.is_some_and(|constraint| {
                let keys = list(&constraint["matchLabelKeys"]);
                selects(&constraint["labelSelector"], it.labels())
                    && keys.iter().any(|key| key == "app.kubernetes.io/name")
                    && keys.iter().any(|key| key == "pod-template-hash")
            });
            if !good {
                problems.push(format!("{}: is not spread over {key}", it.called()));
            }
        }
    }
    problems
}

/// Each scaler has its Deployment, which states no number of its own; two would fight.
pub(super) fn scalers(of: &Installation) -> Problems {
    let mut problems = Vec::new();
    let scalers: Vec<_> = of
        .of("HorizontalPodAutoscaler")
        .chain(of.of("ScaledObject"))
        .collect();
    for scaler in &scalers {
        let name = text(&scaler["spec"]["scaleTargetRef"]["name"]);
        match of.get("Deployment", name) {
            None => problems.push(format!(
                "{}: scales {name}, which is not there",
                called(scaler)
            )),
            Some(it) if !it["spec"]["replicas"].is_null() => {
                problems.push(format!(
                    "{}: states replicas beside {}",
                    called(it),
                    called(scaler)
                ));
            }
            Some(_) => {}
        }
        let rivals = scalers
            .iter()
            .filter(|it| it["spec"]["scaleTargetRef"]["name"] == name)
            .count();
        if rivals > 1 {
            problems.push(format!("{}: has a rival", called(scaler)));
        }
    }
    for it in serving(of) {
        let scaled = scalers
            .iter()
            .any(|scaler| scaler["spec"]["scaleTargetRef"]["name"] == it.name());
        if !scaled && it.object["spec"]["replicas"].is_null() {
            problems.push(format!(
                "{}: states no replicas, and nobody scales it",
                it.called()
            ));
        }
    }
    problems
}

/// What a scaler asks Prometheus for is what a process exports: else it would hear nothing, and do nothing.
pub(super) fn measured(of: &Installation) -> Problems {
    let exported = deploy::exported();
    let mut problems = Vec::new();
    for scaler in of.of("ScaledObject") {
        for trigger in list(&scaler["spec"]["triggers"]) {
            let query = text(&trigger["metadata"]["query"]);
            let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            for name in words.filter(|word| word.starts_with("kpiline_")) {
                if !exported.contains_key(name) {
                    problems.push(format!("{}: nobody exports {name}", called(scaler)));
                }
            }
        }
    }
    problems
}
