//! Whatever has pods: Deployments, Jobs and CronJobs, seen alike.

use crate::installation::{Installation, called, list, text};
use serde_json::Value;
use std::collections::BTreeMap;

/// A template of pods.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload<'a> {
    /// The object that has it.
    pub(crate) object: &'a Value,
    template: &'a Value,
}

/// All of an installation.
pub(crate) fn workloads(of: &Installation) -> Vec<Workload<'_>> {
    let template = |object: &Value| match text(&object["kind"]) {
        "Deployment" | "Job" => Some("/spec/template"),
        "CronJob" => Some("/spec/jobTemplate/spec/template"),
        "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Pod" => {
            panic!("{}: the rules do not know this kind", called(object))
        }
        _ => None,
    };
    of.objects
        .iter()
        .filter_map(|object| {
            let template = object.pointer(template(object)?).unwrap();
            Some(Workload { object, template })
        })
        .collect()
}

impl<'a> Workload<'a> {
    /// Its own name.
    pub(crate) fn name(self) -> &'a str {
        text(&self.object["metadata"]["name"])
    }

    /// Kind and name, for messages.
    pub(crate) fn called(self) -> String {
        called(self.object)
    }

    /// Whether it is one that runs for long.
    pub(crate) fn serves(self) -> bool {
        self.object["kind"] == "Deployment"
    }

    /// The labels of its pods.
    pub(crate) fn labels(self) -> &'a Value {
        &self.template["metadata"]["labels"]
    }

    /// What a pod is.
    pub(crate) fn pod(self) -> &'a Value {
        &self.template["spec"]
    }

    /// Its one container.
    pub(crate) fn container(self) -> &'a Value {
        let all = list(&self.pod()["containers"]);
        assert_eq!(all.len(), 1, "{}: one container a pod", self.called());
        assert!(self.pod()["initContainers"].is_null(), "{}", self.called());
        &all[0]
    }

    /// Which of our binaries its image holds.
    pub(crate) fn binary(self) -> &'a str {
        let image = text(&self.container()["image"]);
        let name = image.rsplit('/').next().unwrap_or_default();
        let name = name.split([':', '@']).next().unwrap_or_default();
        name.strip_prefix("kpiline-").unwrap_or_default()
    }

    /// The variables that are stated as values.
    pub(crate) fn values(self) -> BTreeMap<&'a str, &'a str> {
        let all = list(&self.container()["env"]).iter();
        all.filter(|it| !it["value"].is_null())
            .map(|it| (text(&it["name"]), text(&it["value"])))
            .collect()
    }

    /// The names of all variables.
    pub(crate) fn variables(self) -> Vec<&'a str> {
        let all = list(&self.container()["env"]).iter();
        all.map(|it| text(&it["name"])).collect()
    }

    /// The arguments, as they stand.
    pub(crate) fn arguments(self) -> Vec<&'a str> {
        list(&self.container()["args"]).iter().map(text).collect()
    }

    /// The arguments with `$(NAME)` filled in from the variables, as Kubernetes does.
    pub(crate) fn expanded(self) -> Vec<String> {
        let values = self.values();
        let mut all: Vec<String> = self.arguments().into_iter().map(str::to_owned).collect();
        for argument in &mut all {
            for (name, value) in &values {
                *argument = argument.replace(&format!("$({name})"), value);
            }
        }
        all
    }

    /// The container's ports by name.
    pub(crate) fn ports(self) -> BTreeMap<&'a str, u64> {
        list(&self.container()["ports"])
            .iter()
            .map(|it| {
                (
                    text(&it["name"]),
                    it["containerPort"].as_u64().unwrap_or_default(),
                )
            })
            .collect()
    }
}
