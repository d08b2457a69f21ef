//! The rules of the architecture, checked: which crate may use which, what the pure crates may pull in, what every member
//! inherits. A new arrow between crates is made by editing the table here, in the same change.

// A test that cannot be set up has failed.
#![allow(clippy::unwrap_used)]

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use std::collections::{BTreeMap, BTreeSet};

/// Who may use whom, besides dev-dependencies. Words ← pure ← edges ← access ← binaries.
const MAY_USE: &[(&str, &[&str])] = &[
    ("schema", &[]),
    ("timezone", &[]),
    ("expression", &[]),
    ("adapter", &["schema", "timezone"]),
    ("session", &["schema"]),
    ("window", &["schema", "timezone"]),
    ("agent", &["schema"]),
    ("freshness", &["schema"]),
    ("reconcile", &["schema", "timezone"]),
    (
        "kpi",
        &[
            "schema",
            "session",
            "timezone",
            "expression",
            "window",
            "agent",
        ],
    ),
    ("target", &["schema", "timezone", "expression"]),
    ("feed", &["schema", "timezone", "expression", "window"]),
    // Whom to trust at the other end of a connection: the same for every server of ours.
    ("tls", &[]),
    ("store", &["schema", "tls"]),
    ("broker", &["schema", "tls"]),
    ("platform", &["schema"]),
    ("runtime", &["tls"]),
    // Between the edges and the binaries: what several of these have in common of several of those.
    ("access", &["platform", "runtime", "store"]),
    (
        "ingest",
        &[
            "schema",
            "adapter",
            "freshness",
            "timezone",
            "access",
            "platform",
            "broker",
            "runtime",
            "store",
        ],
    ),
    (
        "compute",
        &[
            "schema", "adapter", "session", "agent", "window", "kpi", "timezone", "broker",
            "runtime", "store",
        ],
    ),
    (
        "backfill",
        &[
            "schema",
            "adapter",
            "timezone",
            "reconcile",
            "access",
            "platform",
            "broker",
            "runtime",
            "store",
        ],
    ),
    (
        "deliver",
        &[
            "schema",
            "adapter",
            "session",
            "window",
            "kpi",
            "freshness",
            "feed",
            "reconcile",
            "target",
            "timezone",
            "access",
            "platform",
            "broker",
            "runtime",
            "store",
        ],
    ),
    // For tests only; nothing above may use them but as dev-dependencies.
    ("testkit", &["schema", "broker", "store"]),
    // The platforms' stand-in knows nothing of ours: it is written against the platforms' notes.
    ("double", &[]),
    ("deploy", &["runtime", "testkit"]),
    ("system", &[]),
];

/// Crates without I/O, clock, environment, randomness or logs.
const PURE: &[&str] = &[
    "schema",
    "timezone",
    "expression",
    "adapter",
    "session",
    "agent",
    "window",
    "kpi",
    "target",
    "feed",
    "reconcile",
];

/// What a pure crate must not pull in, directly or through anything.
const IMPURE: &[&str] = &[
    "tokio",
    "hyper",
    "lapin",
    "tokio-postgres",
    "deadpool-postgres",
    "reqwest",
    "clap",
    "tracing",
    "prometheus-client",
    "rand",
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .exec()
        .unwrap()
}

fn uses(package: &Package, kind: DependencyKind) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(move |dependency| dependency.kind == kind)
        .map(|dependency| dependency.name.as_str())
}

#[test]
fn dependencies_point_one_way() {
    let metadata = metadata();
    let members: BTreeMap<_, _> = metadata
        .workspace_packages()
        .into_iter()
        .map(|p| (p.name.to_string(), p))
        .collect();
    let table: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    assert_eq!(
        members.keys().map(String::as_str).collect::<Vec<_>>(),
        table.keys().copied().collect::<Vec<_>>(),
        "every member has its line in the table, and only members have"
    );
    for (name, package) in &members {
        for used in uses(package, DependencyKind::Normal).filter(|used| table.contains_key(used)) {
            assert!(
                table[name.as_str()].contains(&used),
                "{name} may not use {used}"
            );
        }
    }
}

#[test]
fn the_double_knows_nothing_of_ours_not_even_in_its_tests() {
    let metadata = metadata();
    let double = metadata
        .workspace_packages()
        .into_iter()
        .find(|package| package.name.as_str() == "double")
        .unwrap();
    let ours: BTreeSet<_> = MAY_USE.iter().map(|(name, _)| *name).collect();
    for dependency in &double.dependencies {
        assert!(
            !ours.contains(dependency.name.as_str()),
            "the double may not use {}",
            dependency.name
        );
    }
}

#[test]
fn pure_crates_pull_in_nothing_impure() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().unwrap();
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    for pure in PURE {
        let root = metadata
            .workspace_packages()
            .into_iter()
            .find(|package| package.name.as_str() == *pure)
            .unwrap();
        let mut todo = vec![&root.id];
        let mut seen = BTreeSet::new();
        while let Some(id) = todo.pop() {
            if !seen.insert(id) {
                continue;
            }
            let name = metadata[id].name.as_str();
            assert!(!IMPURE.contains(&name), "{pure} pulls in {name}");
            let normal = nodes[id].deps.iter().filter(|dep| {
                dep.dep_kinds
                    .iter()
                    .any(|k| k.kind == DependencyKind::Normal)
            });
            todo.extend(normal.map(|dep| &dep.pkg));
        }
    }
}

#[test]
fn every_member_inherits_lints_versions_and_licence() {
    for package in metadata().workspace_packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{} inherits the lints",
            package.name
        );
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            assert!(
                manifest.contains(&format!("{key}.workspace = true")),
                "{} inherits {key}",
                package.name
            );
        }
        for line in manifest
            .lines()
            .skip_while(|line| !line.contains("dependencies]"))
        {
            let states_a_version = line.contains("version = ")
                || line
                    .split_once(" = ")
                    .is_some_and(|(_, v)| v.starts_with('"'));
            assert!(
                !states_a_version || line.starts_with('['),
                "{}: `{line}` states a version of its own",
                package.name
            );
        }
    }
}

#[test]
fn the_customers_top_level_holds() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "crates",
        "bins",
        "deploy",
        "migrations",
        "justfile",
        "tests",
        "README.md",
        "target",
    ];
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    for entry in std::fs::read_dir(root).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let tool_file = name.starts_with('.')
            || name.starts_with("LICENSE")
            || ["deny.toml", "rust-toolchain.toml"].contains(&name.as_str());
        assert!(
            allowed.contains(&name.as_str()) || tool_file,
            "{name} does not belong at the top"
        );
    }
}
