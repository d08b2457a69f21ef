//! ConfigMaps and Secrets: those that are referred to are rendered, or README says how they are made; and nobody has another one's.

use super::Problems;
use crate::installation::{Installation, called, list, text};
use crate::readme;
use crate::workload::{Workload, workloads};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Whose secrets a workload may have, by its binary, and by its name where that decides.
fn own(of: Workload<'_>) -> &'static [&'static str] {
    match (of.binary(), of.name()) {
        (_, "migrate") => &["kpiline-migrate"],
        (_, "queues") => &["kpiline-queues"],
        (_, "retention") => &["kpiline-retention"],
        (_, "quarantine-release") => &["kpiline-quarantine-release"],
        (_, "erase") => &["kpiline-erase"],
        ("ingest", "receive") => &["kpiline-receive"],
        ("ingest", _) => &["kpiline-normalise"],
        ("compute", _) => &["kpiline-compute"],
        ("deliver", _) => &["kpiline-deliver", "kpiline-deliver-tokens"],
        ("backfill", _) => &["kpiline-backfill"],
        _ => &[],
    }
}

/// The Secrets of a workload with the keys that it takes.
fn secrets(of: Workload<'_>) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for variable in list(&of.container()["env"]) {
        let from = &variable["valueFrom"]["secretKeyRef"];
        if !from.is_null() {
            found.insert((
                text(&from["name"]).to_owned(),
                text(&from["key"]).to_owned(),
            ));
        }
    }
    for volume in list(&of.pod()["volumes"]) {
        let secret = &volume["secret"];
        let name = text(&secret["secretName"]).to_owned();
        match list(&secret["items"]) {
            _ if secret.is_null() => {}
            // The whole of it: what README lists.
            [] => {
                let keys = readme::secrets().remove(&name).unwrap_or_default();
                found.extend(keys.keys.into_iter().map(|key| (name.clone(), key)));
                if found.iter().all(|(known, _)| *known != name) {
                    found.insert((name, "?".to_owned()));
                }
            }
            items => found.extend(
                items
                    .iter()
                    .map(|it| (name.clone(), text(&it["key"]).to_owned())),
            ),
        }
    }
    found
}

/// Every reference.
pub(super) fn known(of: &Installation) -> Problems {
    let documented = readme::secrets();
    let maps = readme::config_maps();
    let mut problems = Vec::new();
    for it in workloads(of) {
        for (name, key) in secrets(it) {
            if documented
                .get(&name)
                .is_none_or(|secret| !secret.keys.contains(&key))
            {
                problems.push(format!(
                    "{}: README does not know the Secret {name} with {key}",
                    it.called()
                ));
            }
            if !own(it).contains(&name.as_str()) {
                problems.push(format!(
                    "{}: has {name}, which is another one's",
                    it.called()
                ));
            }
        }
        for volume in list(&it.pod()["volumes"]) {
            let map = text(&volume["configMap"]["name"]);
            if !map.is_empty() && of.get("ConfigMap", map).is_none() && !maps.contains(map) {
                problems.push(format!("{}: there is no ConfigMap {map}", it.called()));
            }
            let class = text(&volume["csi"]["volumeAttributes"]["secretProviderClass"]);
            if !volume["csi"].is_null() {
                if of.get("SecretProviderClass", class).is_none() {
                    problems.push(format!(
                        "{}: there is no SecretProviderClass {class}",
                        it.called()
                    ));
                }
                if !own(it).contains(&class) {
                    problems.push(format!(
                        "{}: has {class}, which is another one's",
                        it.called()
                    ));
                }
            }
        }
        problems.extend(files(of, it));
    }
    for ingress in of.of("Ingress") {
        for tls in list(&ingress["spec"]["tls"]) {
            let name = text(&tls["secretName"]);
            if !documented.contains_key(name) {
                problems.push(format!(
                    "{}: README does not know the Secret {name}",
                    called(ingress)
                ));
            }
        }
    }
    for authentication in of.of("TriggerAuthentication") {
        for it in list(&authentication["spec"]["secretTargetRef"]) {
            let known = documented.get(text(&it["name"]));
            if known.is_none_or(|secret| !secret.keys.contains(text(&it["key"]))) {
                problems.push(format!(
                    "{}: README does not know {it}",
                    called(authentication)
                ));
            }
        }
    }
    problems
}

/// A store of secrets asks for the ServiceAccount: who shares one could have whatever any of them has.
pub(super) fn accounts(of: &Installation) -> Problems {
    let mut owners: BTreeMap<&str, BTreeSet<&[&str]>> = BTreeMap::new();
    for it in workloads(of) {
        let account = text(&it.pod()["serviceAccountName"]);
        owners.entry(account).or_default().insert(own(it));
    }
    owners
        .into_iter()
        .filter(|(_, secrets)| secrets.len() > 1)
        .map(|(account, secrets)| format!("ServiceAccount {account}: gets {secrets:?}"))
        .collect()
}

/// Every path that a variable names is a file that a volume brings.
fn files(of: &Installation, it: Workload<'_>) -> Problems {
    let mut there = BTreeSet::new();
    for mount in list(&it.container()["volumeMounts"]) {
        let folder = text(&mount["mountPath"]);
        let volumes = list(&it.pod()["volumes"]).iter();
        let Some(volume) = volumes
            .clone()
            .find(|volume| volume["name"] == mount["name"])
        else {
            return vec![format!("{}: there is no volume for {mount}", it.called())];
        };
        let map = text(&volume["configMap"]["name"]);
        let data = of
            .get("ConfigMap", map)
            .and_then(|it| it["data"].as_object());
        there.extend(
            data.into_iter()
                .flatten()
                .map(|(file, _)| format!("{folder}/{file}")),
        );
        if map == "kpiline-ca" {
            there.insert(format!("{folder}/ca.crt"));
        }
        let secret = text(&volume["secret"]["secretName"]);
        let items = list(&volume["secret"]["items"]).iter();
        there.extend(
            items
                .clone()
                .map(|it| format!("{folder}/{}", text(&it["path"]))),
        );
        if items.len() == 0 {
            let keys = readme::secrets().remove(secret).unwrap_or_default().keys;
            there.extend(keys.iter().map(|key| format!("{folder}/{key}")));
        }
        let class = text(&volume["csi"]["volumeAttributes"]["secretProviderClass"]);
        let objects = of
            .get("SecretProviderClass", class)
            .map(|it| text(&it["spec"]["parameters"]["objects"]).to_owned())
            .unwrap_or_default();
        let objects: Vec<Value> = serde_saphyr::from_str(&objects).unwrap_or_default();
        there.extend(
            objects
                .iter()
                .map(|it| format!("{folder}/{}", text(&it["objectName"]))),
        );
    }
    let named = it
        .values()
        .into_iter()
        .filter(|(_, value)| value.starts_with('/'));
    let named = named.map(|(name, value)| (name.to_owned(), value.to_owned()));
    // Also what the configuration files name.
    let mut all: Vec<(String, String)> = named.collect();
    for volume in list(&it.pod()["volumes"]) {
        let map = text(&volume["configMap"]["name"]);
        let data = of
            .get("ConfigMap", map)
            .and_then(|it| it["data"].as_object());
        for (file, content) in data.into_iter().flatten() {
            let reads_it = it
                .values()
                .values()
                .any(|value| value.ends_with(&format!("/{file}")));
            // normalise and the jobs that only read a name need no secret of the file.
            if reads_it && it.name() != "normalise" {
                let paths = text(content).split("file = \"").skip(1);
                let paths = paths.filter_map(|part| part.split('"').next());
                all.extend(
                    paths
                        .filter(|path| path.starts_with('/'))
                        .map(|path| (file.clone(), path.to_owned())),
                );
            }
        }
    }
    all.into_iter()
        .filter(|(_, path)| !there.contains(path))
        .map(|(name, path)| format!("{}: {name} names {path}, which nobody brings", it.called()))
        .collect()
}
