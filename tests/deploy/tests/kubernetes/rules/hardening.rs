//! What a pod may do and take.

use super::Problems;
use crate::installation::{Installation, called, list, text};
use crate::workload::workloads;
use serde_json::{Value, json};

/// No root, no rights, no writing, no API of the cluster.
pub(super) fn pods(of: &Installation) -> Problems {
    let mut problems = Vec::new();
    for it in workloads(of) {
        let (pod, container) = (it.pod(), it.container());
        let wanted = [
            (pod, "/automountServiceAccountToken", json!(false)),
            (pod, "/enableServiceLinks", json!(false)),
            (pod, "/securityContext/runAsNonRoot", json!(true)),
            (pod, "/securityContext/runAsUser", json!(65532)),
            (
                pod,
                "/securityContext/seccompProfile/type",
                json!("RuntimeDefault"),
            ),
            (
                container,
                "/securityContext/allowPrivilegeEscalation",
                json!(false),
            ),
            (
                container,
                "/securityContext/readOnlyRootFilesystem",
                json!(true),
            ),
            (
                container,
                "/securityContext/capabilities",
                json!({"drop": ["ALL"]}),
            ),
        ];
        for (place, path, value) in wanted {
            let is = place.pointer(path).unwrap_or(&Value::Null);
            if *is != value {
                problems.push(format!("{}: {path} is {is} and not {value}", it.called()));
            }
        }
        let unwanted = [
            (pod, "/hostNetwork"),
            (pod, "/hostPID"),
            (pod, "/hostIPC"),
            (container, "/securityContext/privileged"),
            (container, "/securityContext/runAsUser"),
            (container, "/securityContext/seccompProfile"),
        ];
        for (place, path) in unwanted {
            if let Some(is) = place.pointer(path) {
                problems.push(format!("{}: {path} is {is}", it.called()));
            }
        }
        for volume in list(&pod["volumes"]) {
            let kinds = ["configMap", "secret", "csi", "emptyDir"];
            if !kinds.iter().any(|kind| !volume[kind].is_null()) {
                problems.push(format!(
                    "{}: the volume {volume} is of the node",
                    it.called()
                ));
            }
        }
        for mount in list(&container["volumeMounts"]) {
            if mount["readOnly"] != true {
                problems.push(format!(
                    "{}: may write to {}",
                    it.called(),
                    text(&mount["mountPath"])
                ));
            }
        }
    }
    for account in of.of("ServiceAccount") {
        if account["automountServiceAccountToken"] != false {
            problems.push(format!("{}: mounts its token", called(account)));
        }
    }
    problems
}

/// Secrets are made by whoever installs, and never lie beside the manifests.
pub(super) fn no_secrets(of: &Installation) -> Problems {
    of.of("Secret").map(called).collect()
}

/// A tag or a digest, and not one that means another image tomorrow.
pub(super) fn images(of: &Installation) -> Problems {
    let mut problems = Vec::new();
    for it in workloads(of) {
        let image = text(&it.container()["image"]);
        let name = image.rsplit('/').next().unwrap_or_default();
        let stated = image.contains("@sha256:")
            || name
                .split_once(':')
                .is_some_and(|(_, tag)| !["", "latest"].contains(&tag));
        if !stated {
            problems.push(format!(
                "{}: the image {image} states no release",
                it.called()
            ));
        }
    }
    problems
}

/// Where an image names a registry, that is the placeholder for yours.
pub(super) fn registries(of: &Installation) -> Problems {
    fn images<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        if let Some(members) = value.as_object() {
            let named = ["image", "imageName"].map(|member| text(&value[member]));
            found.extend(named.iter().filter(|image| !image.is_empty()));
            members.values().for_each(|it| images(it, found));
        }
        for it in list(value) {
            images(it, found);
        }
    }
    let mut found = Vec::new();
    of.objects.iter().for_each(|it| images(it, &mut found));
    found.sort_unstable();
    found.dedup();
    let elsewhere = |image: &&str| {
        let host = image.split_once('/').map_or("", |(host, _)| host);
        host.contains(['.', ':']) && host != "registry.example.com"
    };
    found
        .into_iter()
        .filter(elsewhere)
        .map(str::to_owned)
        .collect()
}

/// Cores and memory, the most not less than the least.
pub(super) fn resources(of: &Installation) -> Problems {
    let mut problems = Vec::new();
    for it in workloads(of) {
        let resources = &it.container()["resources"];
        for what in ["cpu", "memory"] {
            let amount = |kind: &str| amount(text(&resources[kind][what]));
            match (amount("requests"), amount("limits")) {
                (Some(least), Some(most)) if least <= most => {}
                _ => problems.push(format!(
                    "{}: {what} is not bounded: {resources}",
                    it.called()
                )),
            }
        }
    }
    problems
}

/// `250m`, `2`, `512Mi`, `1Gi` in thousandths.
fn amount(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let factor = match unit {
        "m" => 1,
        "" => 1000,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        _ => return None,
    };
    Some(number.parse::<u64>().ok()? * factor)
}
