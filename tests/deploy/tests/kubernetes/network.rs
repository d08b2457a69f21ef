//! Who can reach whom, worked out from the NetworkPolicies as a cluster does, beside the arrows of the design's picture.

use crate::installation::{Installation, list, selects, text};
use crate::workload::workloads;
use ipnet::IpNet;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What makes a good object a bad one.
type Change = fn(&mut Value);

/// Somebody in the cluster or outside of it.
#[derive(Debug, Clone)]
enum Party {
    Pod {
        namespace: String,
        labels: Value,
        ports: BTreeMap<String, u64>,
    },
    Outside(IpAddr),
}

/// Ports that are tried: those that anybody here listens on, and a few that nobody should reach.
const PORTS: [(&str, u64); 24] = [
    ("TCP", 22),
    ("TCP", 53),
    ("UDP", 53),
    ("TCP", 80),
    ("TCP", 443),
    ("TCP", 4369),
    ("TCP", 5432),
    ("TCP", 5671),
    ("TCP", 5672),
    ("TCP", 6443),
    ("TCP", 8000),
    ("TCP", 8080),
    ("TCP", 9101),
    ("TCP", 9102),
    ("TCP", 9103),
    ("TCP", 9104),
    ("TCP", 9180),
    ("TCP", 9187),
    ("TCP", 15671),
    ("TCP", 15672),
    ("TCP", 15691),
    ("TCP", 15692),
    ("TCP", 25672),
    ("TCP", 35672),
];

fn pod(namespace: &str, labels: Value) -> Party {
    Party::Pod {
        namespace: namespace.to_owned(),
        labels,
        ports: BTreeMap::new(),
    }
}

/// Everybody else, as their charts and operators label them.
fn others(namespace: &str) -> Vec<(String, Party)> {
    let all = [
        (
            "rabbitmq",
            pod(
                "kpiline-data",
                json!({"app.kubernetes.io/name": "rabbitmq", "app.kubernetes.io/component": "rabbitmq"}),
            ),
        ),
        (
            "postgres",
            pod("kpiline-data", json!({"cnpg.io/cluster": "postgres"})),
        ),
        (
            "ingress",
            pod(
                "ingress-nginx",
                json!({"app.kubernetes.io/component": "controller"}),
            ),
        ),
        (
            "prometheus",
            pod(
                "monitoring",
                json!({"app.kubernetes.io/name": "prometheus"}),
            ),
        ),
        (
            "grafana",
            pod("monitoring", json!({"app.kubernetes.io/name": "grafana"})),
        ),
        ("keda", pod("keda", json!({"app": "keda-operator"}))),
        (
            "operator of rabbitmq",
            pod(
                "rabbitmq-system",
                json!({"app.kubernetes.io/component": "rabbitmq-operator"}),
            ),
        ),
        (
            "operator of postgres",
            pod(
                "cnpg-system",
                json!({"app.kubernetes.io/name": "cloudnative-pg"}),
            ),
        ),
        ("names", pod("kube-system", json!({"k8s-app": "kube-dns"}))),
        ("stranger", pod("default", json!({"app": "anything"}))),
        ("intruder", pod(namespace, json!({"app": "anything"}))),
        ("platform", Party::Outside([203, 0, 113, 7].into())),
        ("own network", Party::Outside([10, 1, 2, 3].into())),
        ("metadata", Party::Outside([169, 254, 169, 254].into())),
        (
            "platform over IPv6",
            Party::Outside("2001:db8::7".parse().unwrap()),
        ),
    ];
    all.into_iter()
        .map(|(name, party)| (name.to_owned(), party))
        .collect()
}

/// Whether a peer of a rule in `namespace` is this party.
fn is_peer(peer: &Value, namespace: &str, party: &Party) -> bool {
    match party {
        Party::Outside(address) => {
            let block = &peer["ipBlock"];
            let inside = |cidr: &Value| text(cidr).parse::<IpNet>().unwrap().contains(address);
            !block.is_null() && inside(&block["cidr"]) && !list(&block["except"]).iter().any(inside)
        }
        // A cluster may count pods among addresses; then what is private is left out all the same.
        Party::Pod {
            namespace: theirs,
            labels,
            ..
        } => {
            if !peer["ipBlock"].is_null() {
                return false;
            }
            let named = json!({ "kubernetes.io/metadata.name": theirs });
            let here = match &peer["namespaceSelector"] {
                Value::Null => theirs == namespace,
                selector => selects(selector, &named),
            };
            here && (peer["podSelector"].is_null() || selects(&peer["podSelector"], labels))
        }
    }
}

/// Whether a rule's ports have this one; names are those of the pod that is reached.
fn has_port(rule: &Value, protocol: &str, port: u64, reached: &Party) -> bool {
    let ports = list(&rule["ports"]);
    ports.is_empty()
        || ports.iter().any(|it| {
            let end = it["endPort"].as_u64();
            let number = match (&it["port"], reached) {
                (Value::String(name), Party::Pod { ports, .. }) => ports.get(name).copied(),
                (value, _) => value.as_u64(),
            };
            text(&it["protocol"]) == protocol
                && number.is_some_and(|first| (first..=end.unwrap_or(first)).contains(&port))
        })
}

/// Whether the policies of one side let it through: with none that selects the pod, everything is.
fn lets(
    of: &Installation,
    side: (&str, &str, &str),
    party: &Party,
    other: &Party,
    port: (&str, u64),
    reached: &Party,
) -> bool {
    let (kind, member, peers) = side;
    let Party::Pod {
        namespace, labels, ..
    } = party
    else {
        return true;
    };
    let mut selected = false;
    for policy in of.of("NetworkPolicy") {
        let spec = &policy["spec"];
        let about = text(&policy["metadata"]["namespace"]) == namespace
            && list(&spec["policyTypes"]).iter().any(|it| it == kind)
            && selects(&spec["podSelector"], labels);
        if !about {
            continue;
        }
        selected = true;
        for rule in list(&spec[member]) {
            let from = list(&rule[peers]);
            let peer = from.is_empty() || from.iter().any(|it| is_peer(it, namespace, other));
            if peer && has_port(rule, port.0, port.1, reached) {
                return true;
            }
        }
    }
    !selected
}

/// Each `from → to port` that the policies let through, where one side is ours.
fn arrows(of: &Installation, namespace: &str) -> BTreeSet<String> {
    let ours: Vec<_> = workloads(of)
        .into_iter()
        .map(|it| {
            let ports = it.ports().into_iter();
            let party = Party::Pod {
                namespace: namespace.to_owned(),
                labels: it.labels().clone(),
                ports: ports.map(|(name, port)| (name.to_owned(), port)).collect(),
            };
            (it.name().to_owned(), party)
        })
        .collect();
    let count = ours.len();
    let everybody: Vec<_> = ours.into_iter().chain(others(namespace)).collect();
    open(of, &everybody, |from, to| from < count || to < count)
}

/// The same into the servers, where neither side is ours.
fn arrows_to_servers(of: &Installation) -> BTreeSet<String> {
    let everybody = others("kpiline");
    open(of, &everybody, |_, to| {
        ["rabbitmq", "postgres"].contains(&everybody[to].0.as_str())
    })
}

/// Each `from → to port` that the policies let through, of the pairs that are meant.
fn open(
    of: &Installation,
    everybody: &[(String, Party)],
    meant: impl Fn(usize, usize) -> bool,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, (from, source)) in everybody.iter().enumerate() {
        for (to_at, (to, target)) in everybody.iter().enumerate() {
            if !meant(at, to_at) {
                continue;
            }
            for (protocol, port) in PORTS {
                let goes = lets(
                    of,
                    ("Egress", "egress", "to"),
                    source,
                    target,
                    (protocol, port),
                    target,
                );
                let comes = lets(
                    of,
                    ("Ingress", "ingress", "from"),
                    target,
                    source,
                    (protocol, port),
                    target,
                );
                if goes && comes {
                    found.insert(format!("{from} → {to} {protocol} {port}"));
                }
            }
        }
    }
    found
}

/// A workload, the servers that it reaches, and who reaches it on which port.
type Drawn = (
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, u64)],
);

/// The arrows of the design's picture: who needs which servers, and who may come in where.
fn drawn(amqp: u64, windows_apart: bool) -> BTreeSet<String> {
    const POSTGRES: &[&str] = &["postgres"];
    const RABBITMQ: &[&str] = &["rabbitmq"];
    const BOTH: &[&str] = &["postgres", "rabbitmq"];
    const ALL: &[&str] = &["postgres", "rabbitmq", "platforms"];
    let mut table: Vec<Drawn> = vec![
        (
            "receive",
            RABBITMQ,
            &[("ingress", 8080), ("prometheus", 9101)],
        ),
        ("normalise", BOTH, &[("prometheus", 9101)]),
        ("compute", BOTH, &[("prometheus", 9102)]),
        ("deliver", ALL, &[("ingress", 9180), ("prometheus", 9104)]),
        ("backfill", ALL, &[("prometheus", 9103)]),
        ("settlement", RABBITMQ, &[]),
        ("reconciliation-plans", RABBITMQ, &[]),
        ("reconciliation-figures", RABBITMQ, &[]),
        ("reconciliation", POSTGRES, &[]),
        ("retention", POSTGRES, &[]),
        ("backfill-start", &["postgres", "platforms"], &[]),
        ("quarantine-release", BOTH, &[]),
        ("erase", POSTGRES, &[]),
        ("migrate", POSTGRES, &[]),
        ("queues", RABBITMQ, &[]),
    ];
    if windows_apart {
        table.push(("compute-windows", BOTH, &[("prometheus", 9102)]));
    }
    let mut all = BTreeSet::new();
    for (name, servers, incoming) in table {
        all.insert(format!("{name} → names TCP 53"));
        all.insert(format!("{name} → names UDP 53"));
        for server in servers {
            match *server {
                "postgres" => all.insert(format!("{name} → postgres TCP 5432")),
                "rabbitmq" => all.insert(format!("{name} → rabbitmq TCP {amqp}")),
                _ => {
                    all.insert(format!("{name} → platform over IPv6 TCP 443"));
                    all.insert(format!("{name} → platform TCP 443"))
                }
            };
        }
        for (who, port) in incoming {
            all.insert(format!("{who} → {name} TCP {port}"));
        }
    }
    all
}

/// The arrows into the servers of the examples that do not come from ours.
const TO_SERVERS: [(&str, &str, &[u64]); 8] = [
    ("rabbitmq", "rabbitmq", &[4369, 25672, 35672]),
    ("operator of rabbitmq", "rabbitmq", &[15671]),
    ("keda", "rabbitmq", &[15671]),
    ("prometheus", "rabbitmq", &[15691]),
    ("postgres", "postgres", &[5432, 8000]),
    ("operator of postgres", "postgres", &[5432, 8000]),
    ("grafana", "postgres", &[5432]),
    ("prometheus", "postgres", &[9187]),
];

fn drawn_to_servers() -> BTreeSet<String> {
    let one = |(from, to, ports): (&str, &str, &[u64])| {
        let arrow = |port| format!("{from} → {to} TCP {port}");
        ports.iter().map(arrow).collect::<Vec<_>>()
    };
    TO_SERVERS.into_iter().flat_map(one).collect()
}

fn difference(left: &BTreeSet<String>, right: &BTreeSet<String>) -> Vec<String> {
    left.difference(right).cloned().collect()
}

/// An overlay, its migration, and the servers beside it.
fn cluster(overlay: &str) -> Option<Installation> {
    let mut of = Installation::whole(overlay)?;
    // The servers of the examples let in whoever is in the namespace `kpiline`: of dev another one would be named there.
    if overlay == "overlays/production" {
        for folder in ["examples/rabbitmq", "examples/postgres"] {
            of.objects.extend(Installation::render(folder)?.objects);
        }
    }
    Some(of)
}

#[test]
fn only_the_arrows_of_the_picture_are_open() {
    for (overlay, namespace, amqp, apart) in [
        ("overlays/production", "kpiline", 5671, true),
        ("overlays/dev", "kpiline-dev", 5672, false),
    ] {
        let Some(of) = cluster(overlay) else { return };
        let (open, wanted) = (arrows(&of, namespace), drawn(amqp, apart));
        assert_eq!(
            difference(&open, &wanted),
            [""; 0],
            "{overlay}: open, and not in the picture"
        );
        assert_eq!(
            difference(&wanted, &open),
            [""; 0],
            "{overlay}: in the picture, and closed"
        );
    }
}

#[test]
fn only_who_serves_scales_or_watches_reaches_the_servers_besides() {
    let Some(of) = cluster("overlays/production") else {
        return;
    };
    let (open, wanted) = (arrows_to_servers(&of), drawn_to_servers());
    assert_eq!(difference(&open, &wanted), [""; 0], "open, and not wanted");
    assert_eq!(difference(&wanted, &open), [""; 0], "wanted, and closed");
    // A hole and a wall.
    let bare = of.clone().without("NetworkPolicy", "rabbitmq");
    let arrow = "stranger → rabbitmq TCP 15692".to_owned();
    assert!(difference(&arrows_to_servers(&bare), &wanted).contains(&arrow));
    let closed = of.with("NetworkPolicy", "postgres", |it| {
        it["spec"]["ingress"] = json!([]);
    });
    let arrow = "grafana → postgres TCP 5432".to_owned();
    assert!(difference(&wanted, &arrows_to_servers(&closed)).contains(&arrow));
}

#[test]
fn each_server_is_watched_by_a_port_that_prometheus_reaches() {
    let Some(of) = cluster("overlays/production") else {
        return;
    };
    // As the operators call them.
    for (server, name, port) in [
        ("rabbitmq", "prometheus-tls", 15691),
        ("postgres", "metrics", 9187),
    ] {
        let monitor = &of.get("PodMonitor", server).unwrap()["spec"];
        let others = others("kpiline");
        let Some((_, Party::Pod { labels, .. })) = others.iter().find(|it| it.0 == server) else {
            panic!("{server} is no pod");
        };
        assert!(selects(&monitor["selector"], labels), "{monitor}");
        assert_eq!(monitor["podMetricsEndpoints"][0]["port"], name);
        let arrow = format!("prometheus → {server} TCP {port}");
        assert!(drawn_to_servers().contains(&arrow));
    }
}

#[test]
fn what_normalise_and_receive_may_ask_besides_is_a_component_each() {
    let Some(of) = Installation::everything() else {
        return;
    };
    let open = arrows(&of, "kpiline");
    for name in ["normalise", "receive"] {
        assert!(open.contains(&format!("{name} → platform TCP 443")));
        assert!(!open.contains(&format!("{name} → metadata TCP 443")));
    }
}

#[test]
fn a_hole_and_a_wall_are_both_found() {
    let Some(of) = cluster("overlays/production") else {
        return;
    };
    let wanted = drawn(5671, true);
    // Without the policy that denies, whoever has no other one of that direction is open: pods of jobs, that nobody should reach.
    let open = of
        .clone()
        .without("NetworkPolicy", "nobody")
        .without("NetworkPolicy", "prometheus-to-ops");
    assert!(
        difference(&arrows(&open, "kpiline"), &wanted)
            .contains(&"stranger → retention TCP 22".to_owned())
    );
    let holes: [(&str, Change, &str); 4] = [
        (
            "to-platforms",
            |it| it["spec"]["egress"][0]["to"][0]["ipBlock"]["except"] = json!([]),
            "backfill → metadata TCP 443",
        ),
        (
            "to-postgres",
            |it| it["spec"]["podSelector"] = json!({}),
            "receive → postgres TCP 5432",
        ),
        (
            "webhooks-to-receive",
            |it| it["spec"]["ingress"][0]["from"] = json!([{"namespaceSelector": {}}]),
            "stranger → receive TCP 8080",
        ),
        (
            "readers-to-deliver",
            |it| it["spec"]["ingress"][0]["ports"] = json!([]),
            "ingress → deliver TCP 22",
        ),
    ];
    for (policy, change, arrow) in holes {
        let open = arrows(&of.clone().with("NetworkPolicy", policy, change), "kpiline");
        // The servers have walls of their own.
        let arrow = arrow.to_owned();
        let found = difference(&open, &wanted);
        if policy == "to-postgres" {
            assert!(!found.contains(&arrow), "PostgreSQL's own policy holds");
            let bare = of
                .clone()
                .with("NetworkPolicy", policy, change)
                .without("NetworkPolicy", "postgres");
            assert!(difference(&arrows(&bare, "kpiline"), &wanted).contains(&arrow));
        } else {
            assert!(found.contains(&arrow), "{policy}: {found:?}");
        }
    }
    let closed = of.without("NetworkPolicy", "to-names");
    assert!(
        difference(&wanted, &arrows(&closed, "kpiline"))
            .contains(&"compute → names UDP 53".to_owned())
    );
}
