//! The compose project: read by us and by docker-compose, and the configuration of each of our containers checked by the program itself.

use crate::support::{deploy, holds, program, text, yaml};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use testkit::workspace_root;

fn compose() -> Value {
    yaml(&deploy("compose/compose.yml"))
}

/// A service with what it merges in (`<<`), whose own words count first.
fn merged(value: &Value) -> BTreeMap<String, Value> {
    let mut all = value.get("<<").map_or_else(BTreeMap::new, merged);
    for (name, value) in value.as_object().into_iter().flatten() {
        if name != "<<" {
            all.insert(name.clone(), value.clone());
        }
    }
    all
}

fn services() -> BTreeMap<String, BTreeMap<String, Value>> {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    services
        .iter()
        .map(|(name, service)| (name.clone(), merged(service)))
        .collect()
}

/// Those of ours: service, binary, its arguments.
fn ours() -> Vec<(String, String, Vec<String>)> {
    let of = |(name, service): (String, BTreeMap<String, Value>)| {
        let image = service["image"]
            .as_str()?
            .strip_prefix("kpiline-")?
            .strip_suffix(":local")?
            .to_owned();
        let words = service
            .get("command")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let words = words
            .map(|word| word.as_str().unwrap().to_owned())
            .collect();
        Some((name, image, words))
    };
    services().into_iter().filter_map(of).collect()
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

fn environment(service: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let pairs = service
        .get("environment")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    pairs
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn docker_compose_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    holds(
        Command::new("docker-compose")
            .arg("-f")
            .arg(deploy("compose/compose.yml"))
            .args(["config", "--quiet"])
            .current_dir(folder.path()),
    );
}

#[test]
fn all_binaries_run_each_with_its_own_role_and_after_the_migrations() {
    let services = services();
    let ours = ours();
    let mut roles: Vec<(&str, &str, String)> = ours
        .iter()
        .map(|(name, binary, words)| (name.as_str(), binary.as_str(), words.join(" ")))
        .collect();
    roles.sort_unstable();
    let wanted = [
        ("backfill", "backfill", "worker"),
        ("compute", "compute", ""),
        ("deliver", "deliver", ""),
        ("migrate", "compute", "migrate"),
        ("normalise", "ingest", "normalise"),
        ("receive", "ingest", "receive"),
    ];
    assert_eq!(
        roles,
        wanted.map(|(name, binary, words)| (name, binary, words.to_owned()))
    );
    for (name, binary, _) in &ours {
        let service = &services[name];
        let database = environment(service).remove("KPILINE_DATABASE_URL_FILE");
        let role = match name.as_str() {
            "receive" => None,
            "migrate" => Some("/run/secrets/migrate-database-url".to_owned()),
            _ => Some(format!("/run/secrets/{binary}-database-url")),
        };
        assert_eq!(database, role, "{name}");
        if role.is_some() && name != "migrate" {
            let after = &service["depends_on"]["migrate"]["condition"];
            assert_eq!(after, "service_completed_successfully", "{name}");
        }
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(strings(service.get("cap_drop")), ["ALL"], "{name}");
        assert!(
            strings(service.get("security_opt")).contains(&"no-new-privileges:true".to_owned()),
            "{name}"
        );
    }
    for name in ["postgres", "rabbitmq", "prometheus", "grafana"] {
        assert!(services[name].contains_key("healthcheck"), "{name}");
    }
}

#[test]
fn nothing_is_published_beyond_this_machine_and_images_are_pinned() {
    for (name, service) in services() {
        for port in strings(service.get("ports")) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
        assert!(
            !service.contains_key("network_mode") && !service.contains_key("privileged"),
            "{name}"
        );
        let image = service["image"].as_str().unwrap();
        let tag = image.rsplit_once(':').unwrap().1;
        let exact = tag == "local"
            || tag.matches('.').count() >= 1 && tag.chars().any(|c| c.is_ascii_digit());
        assert!(exact && tag != "latest", "{name}: {image}");
    }
}

#[test]
fn no_secret_is_written_down_and_each_that_is_used_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("secrets");
    holds(Command::new(deploy("compose/secrets.sh")).arg(&secrets));
    let compose = compose();
    let declared: BTreeSet<String> = compose["secrets"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    let mut used = BTreeSet::new();
    for (name, service) in services() {
        let of = strings(service.get("secrets"));
        for (variable, value) in environment(&service) {
            if let Some(secret) = value.strip_prefix("/run/secrets/") {
                assert!(
                    of.iter().any(|one| one == secret),
                    "{name}: {variable} names a secret that it does not have"
                );
            }
            let is_secret = [
                "PASSWORD",
                "SECRET",
                "TOKEN",
                "_KEY",
                "DATABASE_URL",
                "AMQP_URL",
            ]
            .iter()
            .any(|word| variable.contains(word));
            assert!(
                !is_secret || value.starts_with('/'),
                "{name}: {variable} holds a value"
            );
        }
        used.extend(of);
    }
    assert_eq!(used, declared);
    for secret in &declared {
        let file = compose["secrets"][secret.as_str()]["file"]
            .as_str()
            .unwrap();
        assert_eq!(file, format!("./secrets/{secret}"));
        assert!(!text(&secrets.join(secret)).trim().is_empty(), "{secret}");
    }
    // Once: what is there stays.
    let before = text(&secrets.join("amqp-url"));
    holds(Command::new(deploy("compose/secrets.sh")).arg(&secrets));
    assert_eq!(text(&secrets.join("amqp-url")), before);
    let conf = text(&secrets.join("rabbitmq.conf"));
    let password = conf
        .lines()
        .find_map(|line| line.strip_prefix("default_pass = "))
        .unwrap();
    assert!(before.contains(&format!(":{password}@")));
}

#[test]
fn every_file_that_is_mounted_is_there() {
    for (name, service) in services() {
        for volume in strings(service.get("volumes")) {
            let from = volume.split(':').next().unwrap();
            let made = from.starts_with("./secrets/") || from == "./feeds";
            if from.starts_with('.') && !made {
                let path = deploy("compose").join(from);
                assert!(path.exists(), "{name}: {}", path.display());
                assert!(volume.ends_with(":ro"), "{name}: {volume}");
            }
        }
    }
}

#[test]
fn every_variable_is_one_that_the_program_reads() {
    let services = services();
    for (name, binary, words) in ours() {
        let help = program(&binary)
            .args(&words)
            .arg("--help")
            .output()
            .unwrap();
        assert!(help.status.success(), "{help:?}");
        // However the lines are broken.
        let help = String::from_utf8(help.stdout).unwrap();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for variable in environment(&services[&name]).keys() {
            assert!(
                help.contains(&format!("[env: {variable}="))
                    || help.contains(&format!("[env: {variable}]")),
                "{name}: `{binary} {} --help` has no {variable}",
                words.join(" ")
            );
        }
    }
}

/// The program itself finds nothing wrong: with the files that are mounted and the secrets that are made, each where it is here.
#[test]
fn every_program_is_content_with_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("secrets");
    holds(Command::new(deploy("compose/secrets.sh")).arg(&secrets));
    let services = services();
    for (name, binary, words) in ours() {
        let arguments: &[&str] = match (binary.as_str(), words.first().map(String::as_str)) {
            ("ingest", Some("receive")) => &["check", "--role", "receive"],
            ("ingest", _) => &["check", "--role", "normalise"],
            ("compute", None) | ("deliver", _) => &["check"],
            // Migrations have no more to check than a URL, and a worker says what is wrong when it starts.
            _ => continue,
        };
        let service = &services[&name];
        let mut places: Vec<(String, String)> =
            vec![("/run/secrets".to_owned(), secrets.display().to_string())];
        for volume in strings(service.get("volumes")) {
            let mut parts = volume.split(':');
            let (from, to) = (parts.next().unwrap(), parts.next().unwrap());
            // What a file names by the container's paths is here elsewhere, too.
            let from = deploy("compose").join(from);
            if !from.is_file() {
                continue;
            }
            let here = folder
                .path()
                .join(to.trim_start_matches('/').replace('/', "-"));
            let content = text(&from).replace("/run/secrets", &secrets.display().to_string());
            std::fs::write(&here, content).unwrap();
            places.push((to.to_owned(), here.display().to_string()));
        }
        let mut check = program(&binary);
        for (variable, mut value) in environment(service) {
            for (there, here) in &places {
                value = value.replace(there.as_str(), here);
            }
            check.env(variable, value);
        }
        holds(check.args(arguments).current_dir(workspace_root()));
    }
}

#[test]
fn prometheus_asks_every_program_and_reads_its_configuration() {
    let file = yaml(&deploy("compose/prometheus.yml"));
    let job = &file["scrape_configs"][0];
    assert_eq!(job["job_name"], "kpiline", "alerts ask for it by its name");
    let targets: BTreeSet<String> = strings(job["static_configs"][0].get("targets"))
        .into_iter()
        .collect();
    let wanted: BTreeSet<String> = ours()
        .into_iter()
        .filter(|(_, _, words)| words != &["migrate"])
        .map(|(name, ..)| format!("{name}:9100"))
        .collect();
    assert_eq!(targets, wanted);
    // The port is the image's, unless somebody says otherwise.
    assert!(text(&deploy("image/Dockerfile")).contains("KPILINE_OPS_LISTEN=0.0.0.0:9100"));
    // Where the rules are is said of the container: here they are elsewhere.
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("prometheus.yml");
    let rules = deploy("prometheus/kpiline.rules.yml");
    let config = text(&deploy("compose/prometheus.yml")).replace(
        "/etc/prometheus/rules/kpiline.rules.yml",
        rules.to_str().unwrap(),
    );
    std::fs::write(&here, config).unwrap();
    holds(
        Command::new("promtool")
            .args(["check", "config"])
            .arg(&here),
    );
}
