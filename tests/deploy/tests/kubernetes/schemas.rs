//! Kubernetes' own schemas, those of the oldest release that we support and of the newest that the validator knows.

use crate::installation::{Installation, OVERLAYS};
use crate::tools;
use serde_json::json;

/// README names the oldest.
pub(crate) const RELEASES: [&str; 2] = ["1.33", "1.37"];

/// Custom resources: `custom` has their structs.
const CUSTOM: [&str; 6] = [
    "keda.sh/v1alpha1",
    "monitoring.coreos.com/v1",
    "secrets-store.csi.x-k8s.io/v1",
    "rabbitmq.com/v1beta1",
    "postgresql.cnpg.io/v1",
    "barmancloud.cnpg.io/v1",
];

/// What is wrong, or `None` where nothing could be validated.
fn invalid(of: &Installation, release: &str) -> Option<Vec<String>> {
    let script = tools::root().join("tests/deploy/tests/kubernetes/validate.py");
    let objects = serde_json::to_string(&of.objects).unwrap();
    let mut validator = tools::validator()?;
    validator.arg(script).arg(release).args(CUSTOM);
    let output = tools::piped(&mut validator, &objects);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

#[test]
fn every_object_is_valid() {
    let mut all = Installation::everything().unwrap_or_default();
    let folders = [
        "overlays/dev/migrate",
        "overlays/production/migrate",
        "examples/rabbitmq",
        "examples/postgres",
    ];
    for folder in folders.into_iter().chain(OVERLAYS) {
        let Some(of) = Installation::render(folder) else {
            return;
        };
        all.objects.extend(of.objects);
    }
    for release in RELEASES {
        let Some(problems) = invalid(&all, release) else {
            return;
        };
        assert_eq!(problems, [""; 0], "Kubernetes {release}");
    }
}

#[test]
fn what_kubernetes_would_refuse_is_named() {
    let Some(of) = Installation::render("overlays/production") else {
        return;
    };
    let bad = of
        .with("Deployment", "compute", |it| {
            it["spec"]["replicas"] = json!("two");
        })
        .with("Service", "receive", |it| it["spec"]["prots"] = json!([]))
        .with("CronJob", "retention", |it| {
            it["apiVersion"] = json!("batch/v1beta1");
        });
    let Some(problems) = invalid(&bad, RELEASES[0]) else {
        return;
    };
    for words in [
        "Deployment compute: spec/replicas",
        "Service receive: spec",
        "CronJob retention",
    ] {
        let named = problems.iter().filter(|it| it.starts_with(words)).count();
        assert_eq!(named, 1, "{words}: {problems:?}");
    }
    assert_eq!(problems.len(), 3, "{problems:?}");
}
