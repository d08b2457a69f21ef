//! Who is found by whom.

use super::Problems;
use crate::installation::{Installation, called, list, selects, text};
use crate::workload::{Workload, workloads};
use serde_json::{Value, json};

fn selected<'a>(of: &'a Installation, selector: &Value) -> Vec<Workload<'a>> {
    workloads(of)
        .into_iter()
        .filter(|it| selects(selector, it.labels()))
        .collect()
}

/// A Deployment owns its pods and no others; a Service sends to one of them.
pub(super) fn selectors(of: &Installation) -> Problems {
    let mut problems = Vec::new();
    for it in of.of("Deployment") {
        let found: Vec<_> = selected(of, &it["spec"]["selector"])
            .iter()
            .map(|it| it.name())
            .collect();
        if found != [text(&it["metadata"]["name"])] {
            problems.push(format!("{}: selects the pods of {found:?}", called(it)));
        }
    }
    for it in of.of("Service") {
        let found = selected(of, &json!({ "matchLabels": it["spec"]["selector"] }));
        if found.len() != 1 || !found[0].serves() {
            problems.push(format!(
                "{}: sends to {} workloads",
                called(it),
                found.len()
            ));
        }
    }
    for it in of.of("PodMonitor") {
        let found = selected(of, &it["spec"]["selector"]);
        for pod in workloads(of).into_iter().filter(|it| it.serves()) {
            if !found.iter().any(|it| it.name() == pod.name()) {
                problems.push(format!("{}: does not watch {}", called(it), pod.name()));
            }
        }
    }
    for it in workloads(of) {
        let (own, part) = (
            &it.labels()["app.kubernetes.io/name"],
            &it.labels()["app.kubernetes.io/part-of"],
        );
        if own != it.name() || part != "kpiline" {
            problems.push(format!(
                "{}: its pods are labelled {}",
                it.called(),
                it.labels()
            ));
        }
        let account = text(&it.pod()["serviceAccountName"]);
        if of.get("ServiceAccount", account).is_none() {
            problems.push(format!(
                "{}: there is no ServiceAccount {account:?}",
                it.called()
            ));
        }
    }
    let namespaces: std::collections::BTreeSet<_> = of
        .objects
        .iter()
        .filter(|it| !["Namespace", "PriorityClass"].contains(&text(&it["kind"])))
        .map(|it| text(&it["metadata"]["namespace"]))
        .collect();
    if namespaces.len() != 1 || namespaces.contains("") {
        problems.push(format!("objects are in the namespaces {namespaces:?}"));
    }
    problems
}

/// Each port that is spoken of is one that somebody has.
pub(super) fn ports(of: &Installation) -> Problems {
    let mut problems = Vec::new();
    for service in of.of("Service") {
        let pods = selected(of, &json!({ "matchLabels": service["spec"]["selector"] }));
        for port in list(&service["spec"]["ports"]) {
            let target = text(&port["targetPort"]);
            if !pods.iter().any(|it| it.ports().contains_key(target)) {
                problems.push(format!(
                    "{}: no pod has the port {target:?}",
                    called(service)
                ));
            }
        }
    }
    for ingress in of.of("Ingress") {
        for path in list(&ingress["spec"]["rules"])
            .iter()
            .flat_map(|rule| list(&rule["http"]["paths"]))
        {
            let backend = &path["backend"]["service"];
            let service = of.get("Service", text(&backend["name"]));
            let has = service.is_some_and(|it| {
                list(&it["spec"]["ports"])
                    .iter()
                    .any(|port| port["name"] == backend["port"]["name"])
            });
            if !has {
                problems.push(format!("{}: there is no {backend}", called(ingress)));
            }
        }
        let hosts: Vec<_> = list(&ingress["spec"]["tls"])
            .iter()
            .flat_map(|it| list(&it["hosts"]))
            .collect();
        for rule in list(&ingress["spec"]["rules"]) {
            if !hosts.contains(&&rule["host"]) {
                problems.push(format!(
                    "{}: {} has no certificate",
                    called(ingress),
                    rule["host"]
                ));
            }
        }
    }
    // Named ports of policies; that the numbers are right is shown by `network`.
    for policy in of.of("NetworkPolicy") {
        let pods = selected(of, &policy["spec"]["podSelector"]);
        for port in list(&policy["spec"]["ingress"])
            .iter()
            .flat_map(|it| list(&it["ports"]))
        {
            let name = text(&port["port"]);
            if !pods.iter().any(|it| it.ports().contains_key(name)) {
                problems.push(format!("{}: no pod has the port {port}", called(policy)));
            }
        }
    }
    for monitor in of.of("PodMonitor") {
        let pods = selected(of, &monitor["spec"]["selector"]);
        for endpoint in list(&monitor["spec"]["podMetricsEndpoints"]) {
            let served: Vec<_> = pods.iter().filter(|it| it.serves()).collect();
            if !served
                .iter()
                .all(|it| it.ports().contains_key(text(&endpoint["port"])))
            {
                problems.push(format!("{}: not every pod has {endpoint}", called(monitor)));
            }
        }
    }
    problems
}
