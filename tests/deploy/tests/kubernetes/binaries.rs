//! The real binaries, beside what the manifests ask of them: every argument and every variable is in their `--help`, they take the arguments
//! as they stand, and they find nothing wrong in the configuration.

use crate::installation::{Installation, OVERLAYS, list, text};
use crate::tools;
use crate::workload::{Workload, workloads};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

/// What makes a good object a bad one.
type Change = fn(&mut Value);

/// Runs one of our binaries without anything of our own environment.
fn run(binary: &str, arguments: &[String], variables: &BTreeMap<String, String>) -> Output {
    Command::new(tools::binary(binary))
        .args(arguments)
        .env_clear()
        .envs(variables)
        .output()
        .unwrap()
}

/// What a command's `--help` says, as one line.
fn help(binary: &str, command: &[String]) -> String {
    let mut arguments = command.to_vec();
    arguments.push("--help".to_owned());
    let output = run(binary, &arguments, &BTreeMap::new());
    let said = String::from_utf8_lossy(&output.stdout);
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a binary has such a command.
pub(crate) fn knows(binary: &str, words: &[String]) -> bool {
    help(binary, words).contains(&format!("Usage: {binary} {}", words.join(" ")))
}

/// The commands that arguments begin with: what is before the first flag, as far as the binary knows it as a command.
fn command(of: Workload<'_>) -> Vec<String> {
    let mut words = Vec::new();
    for word in of.expanded() {
        let mut longer = words.clone();
        longer.push(word.clone());
        if word.starts_with('-') || !knows(of.binary(), &longer) {
            break;
        }
        words = longer;
    }
    words
}

/// The variables that a help text names.
fn variables(help: &str) -> BTreeSet<String> {
    let parts = help.split("[env: ").skip(1);
    parts
        .filter_map(|part| part.split(['=', ']']).next())
        .map(|name| name.trim().to_owned())
        .collect()
}

/// The default of a variable that a help text names.
pub(crate) fn default_of(help: &str, variable: &str) -> Option<String> {
    let at = help.find(&format!("[env: {variable}="))?;
    let (_, rest) = help[at..].split_once("[default: ")?;
    Some(rest.split(']').next()?.to_owned())
}

/// The same of a workload's command.
pub(crate) fn setting(of: Workload<'_>, variable: &str) -> Option<String> {
    let stated = of.values().get(variable).map(|it| (*it).to_owned());
    stated.or_else(|| default_of(&help(of.binary(), &command(of)), variable))
}

/// Variables of ours that the configuration files name: `{ env = "…" }`.
fn named_by_files(of: &Installation) -> BTreeSet<String> {
    let files = of.of("ConfigMap").filter_map(|it| it["data"].as_object());
    let texts = files.flat_map(serde_json::Map::values).map(text);
    texts
        .flat_map(|it| it.split("env = \"").skip(1))
        .filter_map(|it| it.split('"').next())
        .map(str::to_owned)
        .collect()
}

/// What is in a workload's arguments and variables, and not in the binary.
fn unknown(of: &Installation) -> Vec<String> {
    let mut problems = Vec::new();
    let of_files = named_by_files(of);
    for it in workloads(of) {
        let command = command(it);
        if command.is_empty() {
            problems.push(format!("{}: states no command", it.called()));
        }
        let help = help(it.binary(), &command);
        let known: BTreeSet<_> = help
            .split([' ', '=', ',', '.', ';', '`'])
            .filter(|word| word.starts_with("--"))
            .collect();
        for word in it.expanded() {
            if word.starts_with("--") && !known.contains(word.as_str()) {
                problems.push(format!("{}: has no {word}", it.called()));
            }
            if word.contains("$(") {
                problems.push(format!("{}: {word} is not filled in", it.called()));
            }
        }
        let variables = variables(&help);
        for name in it.variables() {
            let asked = variables.contains(name)
                || of_files.contains(name)
                || it
                    .arguments()
                    .iter()
                    .any(|word| word.contains(&format!("$({name})")));
            if !asked {
                problems.push(format!("{}: nobody reads {name}", it.called()));
            }
        }
    }
    problems
}

#[test]
fn every_argument_and_variable_is_in_the_help() {
    for overlay in OVERLAYS {
        let Some(of) = Installation::whole(overlay) else {
            return;
        };
        assert!(workloads(&of).len() >= 12);
        assert_eq!(unknown(&of), [""; 0], "{overlay}");
    }
}

#[test]
fn a_misspelt_argument_or_variable_is_named() {
    let Some(of) = Installation::render("overlays/dev") else {
        return;
    };
    let before = unknown(&of).len();
    let container = |it: &mut Value, change: fn(&mut Value)| {
        let of_job = it["kind"] == "CronJob";
        let place = if of_job {
            "/spec/jobTemplate/spec/template/spec/containers/0"
        } else {
            "/spec/template/spec/containers/0"
        };
        change(it.pointer_mut(place).unwrap());
    };
    let bad: [(&str, &str, Change, &str); 4] = [
        (
            "Deployment",
            "normalise",
            |it| it["env"][0]["name"] = json!("KPILINE_SUBSCRIPTION"),
            "Deployment normalise: nobody reads KPILINE_SUBSCRIPTION",
        ),
        (
            "Deployment",
            "receive",
            |it| {
                it["env"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({"name": "KPILINE_DATABASE_URL", "value": "x"}));
            },
            "Deployment receive: nobody reads KPILINE_DATABASE_URL",
        ),
        (
            "CronJob",
            "settlement",
            |it| it["args"][4] = json!("--newest"),
            "CronJob settlement: has no --newest",
        ),
        (
            "CronJob",
            "settlement",
            |it| it["env"][0]["name"] = json!("PLATFROM"),
            "CronJob settlement: $(PLATFORM) is not filled in",
        ),
    ];
    for (kind, name, change, words) in bad {
        let changed = of.clone().with(kind, name, |it| container(it, change));
        let found = unknown(&changed);
        assert!(found.contains(&words.to_owned()), "{words}: {found:?}");
        assert!(found.len() > before);
    }
}

/// The flag that a variable with a server's address stands for.
fn address(variable: &str) -> Option<String> {
    let name = variable.strip_suffix("_FILE").unwrap_or(variable);
    let name = name.strip_prefix("KPILINE_")?;
    let flag = name.to_lowercase().replace('_', "-");
    name.ends_with("_URL").then(|| format!("--{flag}"))
}

/// Runs a workload as it stands, but without the addresses of servers that it is given: it has to come as far as to miss these and nothing else.
/// A value that is wrong on purpose stands in for what would serve.
pub(crate) fn misses_only_its_servers(of: &Installation, it: Workload<'_>) -> Result<(), String> {
    let mut arguments = it.expanded();
    if it.serves() {
        // Its configuration files are looked at by another test.
        arguments.extend(["--log-format".to_owned(), "loud".to_owned()]);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut variables = laid_out(of, it, folder.path());
    variables.retain(|name, _| address(name).is_none());
    let output = run(it.binary(), &arguments, &variables);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // clap reads everything before it complains of the value that is wrong on purpose; a command lists all that it misses.
    let good = if it.serves() {
        said.contains("invalid value 'loud' for '--log-format")
    } else {
        let given: BTreeSet<_> = it.variables().into_iter().filter_map(address).collect();
        let problems = said.lines().filter_map(|line| line.strip_prefix("  - "));
        let missing = |problem: &str| {
            let flag = problem
                .strip_suffix("): is missing")?
                .split_once(" (or ")?
                .0;
            Some(flag.to_owned())
        };
        let missed: BTreeSet<_> = problems
            .map(|problem| missing(problem).unwrap_or_else(|| problem.to_owned()))
            .collect();
        output.status.code() == Some(1) && !given.is_empty() && missed == given
    };
    good.then_some(())
        .ok_or_else(|| format!("{} {arguments:?}: {said}", it.called()))
}

#[test]
fn the_binaries_take_the_arguments_as_they_stand() {
    for overlay in OVERLAYS {
        let Some(of) = Installation::whole(overlay) else {
            return;
        };
        let problems: Vec<_> = workloads(&of)
            .into_iter()
            .filter_map(|it| misses_only_its_servers(&of, it).err())
            .collect();
        assert_eq!(problems, [""; 0], "{overlay}");
    }
    let Some(of) = Installation::render("overlays/dev") else {
        return;
    };
    let container = "/spec/jobTemplate/spec/template/spec/containers/0";
    let bad: [(&str, Change, &str); 3] = [
        (
            "settlement",
            |it| it["args"][5] = json!("8 fortnights"),
            "8 fortnights",
        ),
        // It needs an address that nobody gives it.
        (
            "quarantine-release",
            |it| it["env"] = json!([it["env"][0]]),
            "--amqp-url (or",
        ),
        // It is given one that it does not need.
        (
            "retention",
            |it| it["env"][0]["name"] = json!("KPILINE_AMQP_URL"),
            "--database-url (or",
        ),
    ];
    for (name, change, words) in bad {
        let bad = of.clone().with("CronJob", name, |it| {
            change(it.pointer_mut(container).unwrap());
        });
        let all = workloads(&bad);
        let it = all.into_iter().find(|it| it.name() == name).unwrap();
        let said = misses_only_its_servers(&bad, it).unwrap_err();
        assert!(said.contains(words), "{name}: {said}");
    }
}

/// What works on personal data in production, and lacks the keys or does not say for how long.
fn unsealed(of: &Installation) -> Vec<String> {
    let mut problems = Vec::new();
    for it in workloads(of) {
        let known = variables(&help(it.binary(), &command(it)));
        for name in [
            "KPILINE_RAW_KEYS_FILE",
            "KPILINE_RAW_RETENTION",
            "KPILINE_CUSTOMER_KEY_FILE",
        ] {
            if known.contains(name) && !it.variables().contains(&name) {
                problems.push(format!("{}: without {name}", it.called()));
            }
        }
    }
    problems
}

#[test]
fn in_production_raw_bytes_are_sealed_and_go() {
    let Some(of) = Installation::whole("overlays/production") else {
        return;
    };
    assert_eq!(unsealed(&of), [""; 0]);
    let bad = of.with("Deployment", "normalise", |it| {
        let all = it.pointer_mut("/spec/template/spec/containers/0/env");
        let all = all.unwrap().as_array_mut().unwrap();
        all.retain(|it| !text(&it["name"]).starts_with("KPILINE_RAW_"));
    });
    let words = ["KEYS_FILE", "RETENTION"]
        .map(|name| format!("Deployment normalise: without KPILINE_RAW_{name}"));
    assert_eq!(unsealed(&bad), words);
}

/// Lays a workload's files where the manifests put them, in a folder instead of the root; its variables, which name them there.
fn laid_out(of: &Installation, it: Workload<'_>, folder: &Path) -> BTreeMap<String, String> {
    let place = |path: &str| format!("{}{path}", folder.display());
    let mounts = list(&it.container()["volumeMounts"]);
    for mount in mounts {
        let path = place(text(&mount["mountPath"]));
        std::fs::create_dir_all(&path).unwrap();
        let volumes = list(&it.pod()["volumes"]);
        let volume = volumes
            .iter()
            .find(|volume| volume["name"] == mount["name"])
            .unwrap();
        let map = text(&volume["configMap"]["name"]);
        for (file, content) in of
            .get("ConfigMap", map)
            .and_then(|it| it["data"].as_object())
            .into_iter()
            .flatten()
        {
            let content =
                text(content).replace("\"/run/kpiline", &format!("\"{}", place("/run/kpiline")));
            std::fs::write(Path::new(&path).join(file), content).unwrap();
        }
        if map == "kpiline-ca" {
            std::fs::write(Path::new(&path).join("ca.crt"), CA).unwrap();
        }
        let secret = &volume["secret"];
        for item in list(&secret["items"]) {
            let file = text(&item["path"]);
            std::fs::write(Path::new(&path).join(file), secret_of(file)).unwrap();
        }
        if text(&secret["secretName"]) == "kpiline-deliver-tokens" {
            std::fs::write(Path::new(&path).join("tokens.toml"), "version = 1\n").unwrap();
        }
    }
    let mut variables = BTreeMap::new();
    for variable in list(&it.container()["env"]) {
        let value = match &variable["value"] {
            Value::Null => secret_of(text(&variable["valueFrom"]["secretKeyRef"]["key"])),
            value if text(value).starts_with("/etc/") || text(value).starts_with("/run/") => {
                place(text(value))
            }
            value => text(value).to_owned(),
        };
        variables.insert(text(&variable["name"]).to_owned(), value);
    }
    variables
}

/// What a binary's `check` says of the files of an overlay.
fn checked(of: &Installation, name: &str, check: &[&str], folder: &Path) -> Result<(), String> {
    let it = workloads(of)
        .into_iter()
        .find(|it| it.name() == name)
        .unwrap();
    let variables = laid_out(of, it, folder);
    let arguments: Vec<_> = check.iter().map(|it| (*it).to_owned()).collect();
    let output = run(it.binary(), &arguments, &variables);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() {
        Ok(())
    } else {
        Err(said)
    }
}

/// An authority that nobody has the key of.
const CA: &str = include_str!("ca.crt");

/// As `ingest keys generate` makes one.
const RAW_KEYS: &str = r#"version = 1
active = "first"

[[key]]
id = "first"
secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
"#;

/// Something that a secret could be.
fn secret_of(key: &str) -> String {
    match key {
        "database-url" => "postgres://user:password@postgres.example.com/kpiline?sslmode=require",
        "amqp-url" => "amqps://user:password@rabbitmq.example.com/%2f",
        "raw-keys.toml" => RAW_KEYS,
        _ => "0123456789abcdef0123456789abcdef",
    }
    .to_owned()
}

const CHECKS: [(&str, &[&str]); 5] = [
    ("receive", &["check", "--role", "receive"]),
    ("normalise", &["check", "--role", "normalise"]),
    ("compute", &["check"]),
    ("deliver", &["check"]),
    ("backfill", &["check"]),
];

#[test]
fn the_binaries_find_nothing_wrong_in_the_configuration() {
    for overlay in OVERLAYS {
        let Some(of) = Installation::render(overlay) else {
            return;
        };
        for (name, check) in CHECKS {
            let folder = tempfile::tempdir().unwrap();
            let found = checked(&of, name, check, folder.path());
            assert_eq!(found, Ok(()), "{overlay}: {name}");
        }
    }
}

#[test]
fn a_fault_in_the_configuration_is_found() {
    let Some(of) = Installation::render("overlays/production") else {
        return;
    };
    let map = |prefix: &str| {
        let names = of.of("ConfigMap").map(|it| text(&it["metadata"]["name"]));
        names
            .filter(|name| name.starts_with(prefix))
            .map(str::to_owned)
            .next()
            .unwrap()
    };
    let bad = of
        .clone()
        .with("ConfigMap", &map("ingest-config"), |it| {
            it["data"]["subscriptions.toml"] = json!("version = 2\n");
        })
        .with("ConfigMap", &map("deliver-config"), |it| {
            it["data"]["targets.toml"] = json!("version = 1\n[[target]]\nname = 7\n");
        });
    for (name, file) in [
        ("receive", "subscriptions.toml"),
        ("deliver", "targets.toml"),
    ] {
        let check = CHECKS.iter().find(|it| it.0 == name).unwrap().1;
        let folder = tempfile::tempdir().unwrap();
        let said = checked(&bad, name, check, folder.path()).unwrap_err();
        assert!(said.contains(file), "{name}: {said}");
    }
}
