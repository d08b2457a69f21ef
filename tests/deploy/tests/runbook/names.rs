//! Names: metrics, anchors, files.

use crate::text::{runbook, text};
use deploy::{SECTIONS, anchor, deploy, exported, sections};
use std::collections::BTreeSet;

#[test]
fn every_metric_exists() {
    let exported = exported();
    let text = runbook();
    let other = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '_');
    let roles = ["kpiline_owner", "kpiline_read", "kpiline_retention"];
    let named: BTreeSet<_> = text
        .split(other)
        .filter(|word| word.starts_with("kpiline_") && !roles.contains(word))
        .collect();
    // A histogram is spoken of by what its three series have in common.
    let is_exported = |name: &str| {
        exported.contains_key(name) || exported.contains_key(&format!("{name}_bucket"))
    };
    let unknown: Vec<_> = named.iter().filter(|name| !is_exported(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(named.len() > 15, "{named:?}");
}

/// What stands behind `(` up to `)` after `](`.
fn links(text: &str) -> Vec<&str> {
    let parts = text.split("](").skip(1);
    parts.filter_map(|part| part.split(')').next()).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let text = text();
    let sections = sections(&text);
    for wanted in SECTIONS {
        assert!(sections.contains_key(wanted), "there is no part {wanted}");
    }
    for link in links(&text) {
        if let Some(anchor) = link.strip_prefix('#') {
            assert!(sections.contains_key(anchor), "#{anchor} leads nowhere");
        } else if !link.contains("://") {
            let file = link.split('#').next().unwrap();
            assert!(deploy(file).exists(), "{link} leads nowhere");
        }
    }
}

/// The list at its top is what is there, in that order.
#[test]
fn the_contents_are_in_the_order_of_the_sections() {
    let text = text();
    let contents = text.split("\n## ").next().unwrap();
    let listed: Vec<_> = links(contents)
        .into_iter()
        .filter_map(|link| link.strip_prefix('#'))
        .collect();
    let mut fenced = false;
    let mut there = Vec::new();
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        if let Some(heading) = line.strip_prefix("## ").filter(|_| !fenced) {
            there.push(anchor(heading));
        }
    }
    assert_eq!(listed, there);
}

/// Where each process is asked: the ports are those of the manifests, and of what Prometheus asks in the compose project.
#[test]
fn ops_ports_are_those_that_the_processes_have() {
    let text = runbook();
    let compose = deploy::text(&deploy("compose/prometheus.yml"));
    let mut seen = 0;
    for row in text.lines().filter(|line| line.starts_with("| 91")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let port = cells[1];
        for span in row.split('`').skip(1).step_by(2) {
            if let Some(name) = span.strip_prefix("deployment/") {
                let manifest = deploy::text(&deploy(&format!("kubernetes/base/{name}.yaml")));
                assert!(
                    manifest.contains(&format!("value: 0.0.0.0:{port}\n")),
                    "{span}: {port}"
                );
                seen += 1;
            } else if let Some(place) = span.strip_prefix("http://") {
                assert!(compose.contains(&format!("\"{place}\"")), "{place}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 10);
}
