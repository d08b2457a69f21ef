//! Rules of ours. Each is a function that names what breaks it; `broken.rs` shows each of them something that does.

mod broken;
mod hardening;
mod references;
mod rollout;
mod wiring;

use crate::installation::Installation;

/// What breaks a rule, one sentence each.
type Problems = Vec<String>;

/// A rule.
type Rule = fn(&Installation) -> Problems;

/// All of them, by name.
const RULES: [(&str, Rule); 16] = [
    ("no pod may do more than it needs", hardening::pods),
    ("no Secret is written down", hardening::no_secrets),
    ("images are of a stated release", hardening::images),
    ("no image is at a registry of others", hardening::registries),
    ("every pod says what it takes", hardening::resources),
    ("probes ask the ops port", rollout::probes),
    ("a stop has time to finish", rollout::grace),
    ("a roll-out takes nothing away", rollout::rolling),
    (
        "every Deployment may lose one pod at a time",
        rollout::disruption,
    ),
    ("replicas are spread", rollout::spread),
    ("one scaler a Deployment", rollout::scalers),
    ("scalers ask for what is exported", rollout::measured),
    ("selectors find their pods", wiring::selectors),
    ("ports meet", wiring::ports),
    ("what is referred to is there", references::known),
    (
        "each ServiceAccount gets one owner's Secrets",
        references::accounts,
    ),
];

#[test]
fn the_servers_are_apart_and_at_a_registry_of_yours() {
    for folder in ["examples/rabbitmq", "examples/postgres"] {
        let Some(of) = Installation::render(folder) else {
            return;
        };
        assert_eq!(hardening::registries(&of), [""; 0], "{folder}");
        let Some(it) = of.get("RabbitmqCluster", "rabbitmq") else {
            continue;
        };
        let apart = &it["spec"]["affinity"]["podAntiAffinity"];
        let (must, should) = (
            &apart["requiredDuringSchedulingIgnoredDuringExecution"][0],
            &apart["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"],
        );
        assert_eq!(must["topologyKey"], "kubernetes.io/hostname");
        assert_eq!(should["topologyKey"], "topology.kubernetes.io/zone");
        assert_eq!(must["labelSelector"], should["labelSelector"]);
    }
}

#[test]
fn the_rules_hold() {
    for overlay in crate::installation::OVERLAYS {
        let Some(of) = Installation::whole(overlay) else {
            return;
        };
        for (name, rule) in RULES {
            assert_eq!(rule(&of), [""; 0], "{overlay}: {name}");
        }
    }
    let Some(of) = Installation::everything() else {
        return;
    };
    for (name, rule) in RULES {
        assert_eq!(rule(&of), [""; 0], "everything: {name}");
    }
}

#[test]
fn the_base_holds_to_what_does_not_depend_on_an_overlay() {
    let Some(of) = Installation::render("base") else {
        return;
    };
    let of_overlays = [
        "images are of a stated release",
        "what is referred to is there",
    ];
    for (name, rule) in RULES {
        if !of_overlays.contains(&name) {
            assert_eq!(rule(&of), [""; 0], "base: {name}");
        }
    }
}
