//! README of `deploy/kubernetes`, read by a machine: its tables and commands fit what is there.

use crate::binaries::{knows, misses_only_its_servers, setting};
use crate::installation::{Installation, list, text};
use crate::tools;
use crate::workload::workloads;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// A row of the table of Secrets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secret {
    /// What is in it.
    pub(crate) keys: BTreeSet<String>,
    /// Whom PostgreSQL knows its owner as.
    user: Option<String>,
}

fn readme() -> String {
    std::fs::read_to_string(tools::folder().join("README.md")).unwrap()
}

/// What stands between backquotes.
fn quoted(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The table "Where secrets come from".
pub(crate) fn secrets() -> BTreeMap<String, Secret> {
    let mut all = BTreeMap::new();
    for line in readme()
        .lines()
        .filter(|line| line.starts_with("| `kpiline-"))
    {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let secret = Secret {
            keys: quoted(cells[2]).into_iter().collect(),
            user: quoted(cells[4]).pop(),
        };
        for name in quoted(cells[1]) {
            all.insert(name, secret.clone());
        }
    }
    all
}

/// The ConfigMaps that it has people make.
pub(crate) fn config_maps() -> BTreeSet<String> {
    let words = commands();
    words
        .iter()
        .filter_map(|it| it.split_once("create configmap "))
        .filter_map(|(_, rest)| rest.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// Its shell blocks.
fn blocks() -> Vec<String> {
    let text = readme();
    let blocks = text.split("```sh\n").skip(1);
    blocks
        .filter_map(|block| block.split("```").next())
        .map(str::to_owned)
        .collect()
}

/// The commands of its shell blocks, each on one line.
fn commands() -> Vec<String> {
    let text = blocks().concat().replace("\\\n", " ");
    text.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// Whom PostgreSQL knows the owner of each Secret as.
const USERS: [(&str, &str); 8] = [
    ("kpiline-normalise", "kpiline_ingest"),
    ("kpiline-compute", "kpiline_compute"),
    ("kpiline-backfill", "kpiline_backfill"),
    ("kpiline-deliver", "kpiline_deliver"),
    ("kpiline-retention", "kpiline_retention"),
    ("kpiline-quarantine-release", "kpiline_ingest"),
    ("kpiline-erase", "kpiline_erase"),
    ("kpiline-migrate", "kpiline_owner"),
];

/// Whom RabbitMQ knows the owner of each Secret as.
const BROKER_USERS: [(&str, &str); 7] = [
    ("kpiline-receive", "kpiline-ingest-receive"),
    ("kpiline-normalise", "kpiline-ingest-normalise"),
    ("kpiline-compute", "kpiline-compute"),
    ("kpiline-backfill", "kpiline-backfill"),
    ("kpiline-deliver", "kpiline-deliver"),
    // It publishes to whichever queue an item came from.
    ("kpiline-quarantine-release", "kpiline-admin"),
    ("kpiline-queues", "kpiline-admin"),
];

#[test]
fn every_binary_has_a_database_user_of_its_own() {
    let users: BTreeMap<_, _> = secrets()
        .into_iter()
        .filter_map(|(name, secret)| Some((name, secret.user?)))
        .collect();
    let wanted = USERS.map(|(name, user)| (name.to_owned(), user.to_owned()));
    assert_eq!(users, BTreeMap::from(wanted));
    // The commands say the same.
    for (name, user) in USERS {
        let command = commands()
            .into_iter()
            .find(|it| it.contains(&format!("secret generic {name} ")))
            .unwrap();
        assert!(
            command.contains(&format!("database-url=\"postgres://{user}:")),
            "{command}"
        );
    }
    // And the example of PostgreSQL makes them.
    let Some(of) = Installation::render("examples/postgres") else {
        return;
    };
    let cluster = of.get("Cluster", "postgres").unwrap();
    let made: BTreeSet<_> = list(&cluster["spec"]["managed"]["roles"])
        .iter()
        .chain([&json!({"name": cluster["spec"]["bootstrap"]["initdb"]["owner"]})])
        .map(|it| text(&it["name"]).to_owned())
        .collect();
    assert!(
        USERS.iter().all(|(_, user)| made.contains(*user)),
        "{made:?}"
    );
}

#[test]
fn every_secret_with_an_address_of_the_broker_names_its_user() {
    let of_broker = |(name, secret): (String, Secret)| {
        let wanted = secret.keys.contains("amqp-url");
        wanted.then_some(name)
    };
    let named: BTreeSet<_> = secrets().into_iter().filter_map(of_broker).collect();
    let known = BROKER_USERS.map(|(name, _)| name.to_owned());
    assert_eq!(named, BTreeSet::from(known));
    let rights = tools::root().join("deploy/rabbitmq/definitions.json");
    let rights = std::fs::read_to_string(rights).unwrap();
    for (name, user) in BROKER_USERS {
        let command = commands()
            .into_iter()
            .find(|it| it.contains(&format!("secret generic {name} ")))
            .unwrap();
        let words = format!("amqp-url=\"amqps://{user}:");
        assert!(command.contains(&words), "{command}");
        assert!(rights.contains(&format!("\"user\": \"{user}\"")), "{user}");
    }
}

#[test]
fn the_commands_make_every_secret_with_every_key() {
    let commands = commands();
    for (name, secret) in secrets() {
        let command = commands
            .iter()
            .find(|it| it.contains("create secret ") && it.contains(&format!(" {name} ")))
            .unwrap_or_else(|| panic!("nothing makes {name}"));
        if command.contains("secret tls ") {
            assert!(command.contains("--cert=") && command.contains("--key="));
            continue;
        }
        for key in secret.keys {
            let made = ["literal", "file"].iter().any(|from| {
                let words = format!("--from-{from}={key}");
                command
                    .split(' ')
                    .any(|word| word == words || word.starts_with(&format!("{words}=")))
            });
            assert!(made, "{name} without {key}: {command}");
        }
    }
}

#[test]
fn the_servers_secrets_are_in_the_commands() {
    let commands = commands().join("\n");
    for folder in ["examples/rabbitmq", "examples/postgres"] {
        let Some(of) = Installation::render(folder) else {
            return;
        };
        let mut named = BTreeSet::new();
        for object in &of.objects {
            secret_names(object, "", &mut named);
        }
        assert!(!named.is_empty());
        for name in named {
            let of_a_role = name.strip_prefix("postgres-").is_some_and(|role| {
                let loops = commands.lines().filter(|it| it.starts_with("for role in "));
                loops
                    .flat_map(|it| it.split([' ', ';']))
                    .any(|it| it == role)
            });
            assert!(
                of_a_role || commands.contains(&format!(" {name} ")),
                "nothing makes {name}"
            );
        }
    }
}

/// The names of Secrets, wherever an object has one.
fn secret_names(value: &Value, member: &str, named: &mut BTreeSet<String>) {
    const PLAIN: [&str; 4] = [
        "secretName",
        "caSecretName",
        "serverTLSSecret",
        "serverCASecret",
    ];
    const NESTED: [&str; 4] = ["passwordSecret", "secret", "accessKeyId", "secretAccessKey"];
    match value {
        Value::String(name) if PLAIN.contains(&member) => {
            named.insert(name.clone());
        }
        Value::Object(members) => {
            if NESTED.contains(&member) && members.contains_key("name") {
                named.insert(text(&value["name"]).to_owned());
            }
            for (member, value) in members {
                secret_names(value, member, named);
            }
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| secret_names(value, member, named)),
        _ => {}
    }
}

#[test]
fn every_folder_and_object_of_a_command_exists() {
    let Some(of) = Installation::whole("overlays/production") else {
        return;
    };
    let mut objects = 0;
    for word in readme()
        .split_whitespace()
        .map(|it| it.trim_matches(['`', '.', ',', ':', ';', ')', '(']))
    {
        if word.starts_with("deploy/kubernetes/") {
            assert!(
                tools::root()
                    .join(word)
                    .join("kustomization.yaml")
                    .is_file(),
                "{word}"
            );
        }
        let word = word.strip_prefix("--from=").unwrap_or(word);
        let (kind, name) = word.split_once('/').unwrap_or_default();
        let kind = match kind {
            "deployment" => "Deployment",
            "cronjob" => "CronJob",
            "service" => "Service",
            "job" if ["migrate", "queues"].contains(&name) => "Job",
            _ => continue,
        };
        objects += 1;
        assert!(of.get(kind, name).is_some(), "{word}");
    }
    assert!(objects > 10, "{objects}");
}

#[test]
fn what_is_run_in_a_pod_is_a_command_of_its_binary() {
    let Some(of) = Installation::render("overlays/production") else {
        return;
    };
    let readme = readme().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut commands = 0;
    for (at, between) in readme.match_indices(" -- /kpiline ") {
        let (before, after) = (&readme[..at], &readme[at + between.len()..]);
        let all = workloads(&of);
        let pod = all
            .iter()
            .find(|it| before.ends_with(&format!(" deployment/{}", it.name())));
        let command = after.split(['`', '#']).next().unwrap_or_default();
        let words: Vec<_> = command
            .split(' ')
            .take_while(|word| !word.is_empty() && !word.starts_with('-'))
            .map(str::to_owned)
            .collect();
        assert!(
            pod.is_some_and(|it| knows(it.binary(), &words)),
            "{words:?}"
        );
        commands += 1;
    }
    assert!(commands > 4, "{commands}");
}

#[test]
fn each_stage_has_its_line_that_scales_it() {
    let Some(of) = Installation::render("overlays/production") else {
        return;
    };
    let readme = readme();
    for it in workloads(&of).into_iter().filter(|it| it.serves()) {
        let name = it.name();
        let scaler = [
            ("HorizontalPodAutoscaler", "hpa"),
            ("ScaledObject", "scaledobject"),
        ]
        .into_iter()
        .find(|(kind, _)| of.get(kind, name).is_some());
        let command = match scaler {
            Some((_, short)) => format!("| `{name}` | `kubectl -n kpiline patch {short} {name} "),
            None => format!("| `{name}` | `kubectl -n kpiline scale deployment/{name} "),
        };
        assert!(readme.contains(&command), "{command}");
    }
}

/// The job that is made from a CronJob, as `kubectl create job --from=cronjob/… --dry-run=client -o yaml` writes it and `kubectl` with these
/// arguments then changes it.
fn made_from(of: &Installation, name: &str, kubectl: &Path, arguments: &[&str]) -> Installation {
    let mut job = of.get("CronJob", name).unwrap()["spec"]["jobTemplate"].clone();
    job["apiVersion"] = json!("batch/v1");
    job["kind"] = json!("Job");
    job["metadata"] = json!({"name": name, "namespace": "kpiline-dev"});
    let output = tools::piped(Command::new(kubectl).args(arguments), &job.to_string());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    Installation {
        objects: serde_saphyr::from_multiple(&text).unwrap(),
    }
}

#[test]
fn a_backfill_begins_with_the_values_of_the_command() {
    let (Some(of), Some(kubectl)) = (Installation::render("overlays/dev"), tools::kubectl()) else {
        return;
    };
    let command = readme().replace("\\\n", " ").replace("2024-0", "2025-0");
    let values: Vec<_> = command
        .split_once("kubectl set env --local -f - -o yaml ")
        .and_then(|(_, rest)| rest.split_once('|'))
        .map(|(values, _)| values.split_whitespace().collect())
        .unwrap();
    let set = ["set", "env", "--local", "-f", "-", "-o", "yaml"];
    let made = made_from(
        &of,
        "backfill-start",
        &kubectl,
        &[&set[..], &values[..]].concat(),
    );
    let arguments = workloads(&made)[0].expanded().join(" ");
    assert_eq!(
        arguments,
        "start genesys-conversations --platform genesys-main --from 2025-03-01T00:00:00Z --to 2025-04-01T00:00:00Z --metric-version 1 --promote offer"
    );
}

#[test]
fn a_repair_only_counts_until_it_has_the_arguments_of_the_command() {
    let (Some(of), Some(kubectl)) = (Installation::render("overlays/dev"), tools::kubectl()) else {
        return;
    };
    let readme = readme();
    for name in ["quarantine-release", "erase"] {
        let template = of.get("CronJob", name).unwrap();
        assert_eq!(template["spec"]["suspend"], true, "{name}");
        let stands = workloads(&of).into_iter().find(|it| it.name() == name);
        assert!(stands.unwrap().arguments().contains(&"--dry-run"), "{name}");
        let patch = readme
            .split_once(&format!("--from=cronjob/{name} --dry-run=client"))
            .and_then(|(_, rest)| rest.split_once(" --type json -p '"))
            .and_then(|(_, rest)| rest.split_once('\''))
            .map(|(patch, _)| patch)
            .unwrap();
        let arguments = [
            "patch", "--local", "-f", "-", "-o", "yaml", "--type", "json", "-p", patch,
        ];
        let made = made_from(&of, name, &kubectl, &arguments);
        let it = workloads(&made)[0];
        assert!(!it.arguments().contains(&"--dry-run"), "{name}");
        assert_eq!(misses_only_its_servers(&made, it), Ok(()));
        // Who reads standard input has one.
        let reads = it.arguments().contains(&"-");
        assert_eq!(it.container()["stdinOnce"] == true, reads, "{name}");
        assert_eq!(it.container()["stdin"] == true, reads, "{name}");
    }
}

#[test]
fn the_ports_of_operation_are_those_of_the_pods() {
    let Some(of) = Installation::render("overlays/production") else {
        return;
    };
    let (readme, commands) = (readme(), commands());
    let mut forwarded = 0;
    for it in workloads(&of).into_iter().filter(|it| it.serves()) {
        let (name, port) = (it.name(), it.ports()["ops"]);
        assert!(
            readme.contains(&format!("`{name}` {port}")),
            "{name} {port}"
        );
        let command = format!("port-forward deployment/{name} ");
        for (_, rest) in commands.iter().filter_map(|it| it.split_once(&command)) {
            assert_eq!(rest.split(' ').next(), Some(port.to_string().as_str()));
            forwarded += 1;
        }
    }
    assert!(forwarded > 0);
}

#[test]
fn compute_is_scaled_by_how_long_facts_have_waited() {
    let Some(of) = Installation::render("overlays/production") else {
        return;
    };
    let triggers = &of.get("ScaledObject", "compute").unwrap()["spec"]["triggers"];
    let age = list(triggers)
        .iter()
        .map(|it| &it["metadata"])
        .find(|it| text(&it["query"]).contains("kpiline_events_oldest_seconds"));
    let most = text(&age.expect("one that asks for the age")["threshold"]);
    let words = format!("would take more than {most} s or have waited for so long");
    assert!(readme().contains(&words), "{words}");
}

#[test]
fn the_rules_for_prometheus_become_objects() {
    // The command as it stands, with a `kubectl` that writes down what it is given.
    let blocks = blocks();
    let command = blocks.iter().find(|it| it.contains("PrometheusRule"));
    let command = command.unwrap();
    let output = Command::new("sh")
        .args(["-ec", &format!("kubectl() {{ echo ---; cat; }}\n{command}")])
        .current_dir(tools::root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let written = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&written).unwrap();
    let mut names = BTreeSet::new();
    for object in objects {
        let (group, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        assert_eq!(kind, "PrometheusRule");
        let read = crate::custom::through(group, kind, &object);
        names.insert(text(&object["metadata"]["name"]).to_owned());
        assert_eq!(read, Some(Ok(object)));
    }
    let files = std::fs::read_dir(tools::root().join("deploy/prometheus")).unwrap();
    let files: BTreeSet<_> = files
        .filter_map(|it| it.unwrap().file_name().into_string().ok())
        .filter_map(|it| it.strip_suffix(".rules.yml").map(str::to_owned))
        .collect();
    assert_eq!(names, files);
}

/// The most connections of all pools, by the database's user.
fn connections(of: &Installation) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for it in workloads(of) {
        let Some(pool) = setting(it, "KPILINE_DATABASE_POOL_MAX") else {
            continue;
        };
        let most = |kind: &str, member: &str| {
            of.get(kind, it.name())
                .and_then(|it| it["spec"][member].as_u64())
        };
        let replicas = most("HorizontalPodAutoscaler", "maxReplicas")
            .or_else(|| most("ScaledObject", "maxReplicaCount"))
            .or_else(|| it.object["spec"]["replicas"].as_u64())
            .unwrap_or(1);
        // One more of each while it rolls, and what is opened beside the pool.
        let replicas = replicas + u64::from(it.serves());
        let beside = match it.name() {
            "compute" | "compute-windows" => 2,
            "deliver" => 4,
            _ => 0,
        };
        let user = USERS
            .iter()
            .find(|(secret, _)| uses(it.pod(), it.container(), secret))
            .map_or("nobody", |(_, user)| user);
        *all.entry(user.to_owned()).or_insert(0) +=
            replicas * (pool.parse::<u64>().unwrap() + beside);
    }
    all
}

/// Whether a pod is given a Secret.
fn uses(pod: &Value, container: &Value, secret: &str) -> bool {
    let volume = list(&pod["volumes"])
        .iter()
        .any(|it| it["secret"]["secretName"] == secret);
    let variable = list(&container["env"])
        .iter()
        .any(|it| it["valueFrom"]["secretKeyRef"]["name"] == secret);
    volume || variable
}

#[test]
fn postgresql_has_connections_for_all_that_scaling_allows() {
    let (Some(of), Some(servers)) = (
        Installation::whole("overlays/production"),
        Installation::render("examples/postgres"),
    ) else {
        return;
    };
    let needed = connections(&of);
    let spec = &servers.get("Cluster", "postgres").unwrap()["spec"];
    for role in list(&spec["managed"]["roles"]) {
        let needed = needed.get(text(&role["name"])).copied().unwrap_or(0);
        assert!(
            role["connectionLimit"].as_u64().unwrap() >= needed,
            "{role} needs {needed}"
        );
    }
    let all: u64 = needed.values().sum();
    let allowed: u64 = text(&spec["postgresql"]["parameters"]["max_connections"])
        .parse()
        .unwrap();
    assert!(all + 20 <= allowed, "{needed:?}");
    let words = format!("need {all} of the {allowed}");
    assert!(
        readme().contains(&words),
        "README says something else: {words}"
    );
}
