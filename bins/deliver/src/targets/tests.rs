use super::*;
use schema::Grain;
use std::time::Duration;
use target::Kind;

const GOOD: &str = r#"
version = 1

[[target]]
name = "genesys-main"
tenant = "acme"
platform = "genesys-custom-report"
base_url = "https://api.example.test/"
metrics = ["handle_time", "adjusted_aht"]

[target.credentials]
token_url = "https://login.example.test/oauth/token"
client_id = "client"
client_secret = { env = "SECRET" }

[[target]]
name = "cxone-main"
tenant = "globex"
platform = "cxone-import"
base_url = "https://api.example.test/eu"
path = "/import"
metrics = ["handle_time"]
versions = [2, 1]
batch_max = 5000
not_before = "at_once"
credentials = { token_url = "https://login.example.test/key", client_id = "k", client_secret = { value = "s" } }
rate = { requests = 10, period = "10s", burst = 2 }
timeouts = { total = "20s" }
retry = { first = "10ms", longest = "1s", breaker_failures = 3, breaker_cool_down = "100ms" }
"#;

fn read(text: &str) -> Result<Vec<Target>, Vec<String>> {
    parse("targets.toml", text, Path::new("."), &|name| {
        (name == "SECRET").then(|| "s3cret".to_owned())
    })
}

#[test]
fn a_good_file_is_read_whole() {
    let targets = read(GOOD).unwrap();
    let [genesys, cxone] = targets.as_slice() else {
        panic!("{targets:?}")
    };
    assert_eq!(genesys.url.as_str(), "https://api.example.test/");
    assert_eq!(
        (genesys.tenant.as_str(), cxone.tenant.as_str()),
        ("acme", "globex")
    );
    assert_eq!(genesys.metrics, ["adjusted_aht", "handle_time"]);
    assert_eq!((genesys.batch_max, genesys.limit.requests), (100, 240));
    assert!(matches!(genesys.grant, Grant::ClientCredentials { .. }));
    assert_eq!(cxone.url.as_str(), "https://api.example.test/eu");
    assert_eq!(cxone.adapter.kind(), Kind::CxoneImport);
    assert_eq!(cxone.grains, [Grain::Interaction, Grain::Leg]);
    assert_eq!(
        (cxone.batch_max, cxone.versions.as_slice()),
        (5000, &[MetricVersion(1), MetricVersion(2)][..])
    );
    assert_eq!(cxone.timeouts.total, Duration::from_secs(20));
    assert_eq!(cxone.breaker.failures, 3);
    assert!(matches!(cxone.grant, Grant::AccessKey { .. }));
    assert!(!format!("{targets:?}").contains("s3cret"));
}

#[test]
fn every_problem_is_listed_with_its_line() {
    let problems = read(
        r#"version = 1
[[target]]
name = "a b"
platform = "salesforce"
base_url = "ftp://user:hunter2@host"
metrics = []
colour = "green"
[target.credentials]
token_url = "https://login.example.test/"
client_id = { env = "ABSENT" }
client_secret = { file = "no-such-file" }
[[target]]
name = "b"
tenant = " acme"
platform = "genesys-custom-report"
base_url = "https://api.example.test"
metrics = ["x", "x"]
versions = [0]
batch_max = 101
not_before = "later"
credentials = { token_url = "https://login.example.test/", client_id = "i", client_secret = "s" }
rate = { requests = 3, burst = 4 }
timeouts = { read = "0s" }
"#,
    )
    .unwrap_err();
    for (line, words) in [
        (2, "`tenant` is missing"),
        (3, "`name` is `a b`"),
        (
            4,
            "known are genesys-custom-report, cxone-import, genesys-external-metrics",
        ),
        (5, "`base_url` is no URL"),
        (6, "`metrics` is empty"),
        (7, "unknown setting `colour`"),
        (10, "ABSENT is not set"),
        (11, "no-such-file cannot be read"),
        (14, "`tenant` is \" acme\""),
        (17, "named twice"),
        (18, "a version is a whole number"),
        (19, "`batch_max` is 101; allowed are 1 to 100"),
        (20, "`not_before` is `later`; known are at_once, settled"),
        (22, "a burst of 4 is more than the 3 requests"),
        (23, "must be longer than zero"),
    ] {
        let prefix = format!("targets.toml:{line}: ");
        assert!(
            problems
                .iter()
                .any(|problem| problem.starts_with(&prefix) && problem.contains(words)),
            "{prefix}{words} is not in {problems:#?}"
        );
    }
    assert_eq!(problems.len(), 15, "{problems:#?}");
    assert!(!problems.iter().any(|problem| problem.contains("hunter2")));
}

#[test]
fn one_credential_has_one_limit() {
    let one = r#"
[[target]]
name = "NAME"
tenant = "acme"
platform = "genesys-custom-report"
base_url = "https://api.example.test"
metrics = ["x"]
credentials = { token_url = "https://login.example.test/", client_id = "i", client_secret = "s" }
rate = { requests = REQUESTS }
"#;
    let target =
        |name: &str, requests: &str| one.replace("NAME", name).replace("REQUESTS", requests);
    let same = format!("version = 1\n{}{}", target("a", "60"), target("b", "60"));
    assert_eq!(read(&same).unwrap().len(), 2);
    let other = format!("version = 1\n{}{}", target("a", "60"), target("b", "61"));
    let problems = read(&other).unwrap_err();
    assert!(
        problems[0].contains("the limit belongs to the credential"),
        "{problems:?}"
    );
}

#[test]
fn a_file_without_version_or_targets_says_so() {
    let problems = read("").unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    let problems = read("version = 2\n[[target]\n").unwrap_err();
    assert!(
        problems
            .iter()
            .any(|problem| problem.starts_with("targets.toml:")),
        "{problems:?}"
    );
}

const EXAMPLE: &str = include_str!("../../../../deploy/config/targets.toml");

fn example(text: &str) -> Result<Vec<Target>, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    for name in ["genesys-client-secret", "cxone-access-key-secret"] {
        std::fs::write(folder.path().join(name), "secret").unwrap();
    }
    let variable = |_: &str| Some("set".to_owned());
    parse("targets.toml", text, folder.path(), &variable)
}

#[test]
fn the_example_shows_every_setting() {
    let named = [
        "target.headers",
        "target.definitions",
        "target.properties",
        "target.fields",
    ];
    let wrong = testkit::example::not_shown(EXAMPLE, &named, |text| example(text).unwrap_err());
    assert_eq!(wrong, [] as [&str; 0]);
}

#[test]
fn what_the_example_states_is_what_holds_where_nothing_is_said() {
    let found = example(EXAMPLE).unwrap();
    let of = |name: &str| found.iter().find(|target| target.name == name).unwrap();
    let (genesys, cxone) = (of("genesys-main"), of("cxone-main"));
    let bare = |platform: &str| {
        let text = format!(
            "version = 1\n[[target]]\nname = \"bare\"\ntenant = \"acme\"\nplatform = \"{platform}\"\nbase_url = \"https://api.example.com\"\n\
             metrics = [\"handle_time\"]\n\
             credentials = {{ token_url = \"https://login.example.com\", client_id = \"id\", client_secret = \"secret\" }}\n"
        );
        example(&text).unwrap().remove(0)
    };
    let usual = bare("genesys-custom-report");
    assert_eq!(genesys.limit, usual.limit);
    assert_eq!(
        (&genesys.versions, genesys.batch_max),
        (&usual.versions, usual.batch_max)
    );
    let usual = bare("cxone-import");
    assert_eq!(usual.limit.requests, 120);
    assert_eq!(cxone.timeouts, usual.timeouts);
    assert_eq!(
        (cxone.schedule, cxone.breaker),
        (usual.schedule, usual.breaker)
    );
}

/// What is shown to be copied is right.
#[test]
fn the_example_is_read_whole() {
    let targets = example(EXAMPLE).unwrap();
    let kinds: Vec<Kind> = targets.iter().map(|target| target.adapter.kind()).collect();
    assert_eq!(
        kinds
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        Kind::ALL.len(),
        "one of each kind: {kinds:?}"
    );
    let of = |name: &str| targets.iter().find(|target| target.name == name).unwrap();
    assert_eq!(of("genesys-performance").grains, [Grain::AgentDay]);
    assert_eq!(of("cxone-contacts").not_before, NotBefore::Settled);
    assert_eq!(of("genesys-main").not_before, NotBefore::AtOnce);
    let http = of("warehouse");
    assert!(matches!(http.grant, Grant::Open { .. }));
    assert_eq!(http.headers[0].0, "X-Api-Key");
    assert!(!format!("{http:?}").contains("\"set\""));
}

/// A target of a kind with these settings.
fn of_kind(kind: &str, settings: &str) -> Result<Vec<Target>, Vec<String>> {
    read(&format!(
        r#"version = 1
[[target]]
name = "one"
tenant = "acme"
platform = "{kind}"
base_url = "https://api.example.test"
metrics = ["aht", "hold"]
credentials = {{ token_url = "https://login.example.test/", client_id = "i", client_secret = "s" }}
{settings}
"#
    ))
}

#[test]
fn what_is_wrong_with_a_kinds_own_settings_is_listed_with_lines() {
    for (kind, settings, expected) in [
        (
            "genesys-external-metrics",
            "versions = [1, 2]\nuser = \"name\"\n[target.definitions.aht]\nunit = \"Hours\"\nprecision = 6\n[target.definitions.talk]\nunit = \"Seconds\"",
            &[
                "2: `versions` names several",
                "10: `user` is `name`; known are id, email",
                "12: `unit` is `Hours`; known are Seconds, Percent, Number, Currency",
                "13: `precision` is 6; allowed are 0 to 5",
                "14: `talk` is not among `metrics`",
                ": [target.definitions.hold]: `unit` is missing",
            ][..],
        ),
        (
            "genesys-external-metrics",
            "grains = [\"leg\"]",
            &["9: this platform takes values of: agent_day"],
        ),
        (
            "genesys-external-metrics",
            "definitions.aht = { name = \"A\", unit = \"Seconds\" }\ndefinitions.hold = { name = \"A\", unit = \"Seconds\" }",
            &["2: two KPIs have the definition `A`"],
        ),
        (
            "genesys-conversation-properties",
            "path = \"/c/{contract}\"\nfields = {}\nproperties.aht.type = \"uuid\"",
            &[
                "9: `path` is `/c/{contract}`: `{contract}` is none of",
                "10: unknown setting `fields`",
                "11: `type` is `uuid`; known are real, integer, bool, string",
            ],
        ),
        (
            "cxone-business-data",
            "path = \"/{leg}\"\nfilter = \"row.quene == 'x' && row.version\"",
            &[
                "9: `path` is `/{leg}`: `{leg}` is in it, and the grain interaction has none",
                "10: `filter` at 1:5: a row has no field `quene`; did you mean `queue`?",
            ],
        ),
        (
            "http",
            "method = \"GET\"\n[target.headers]\nContent-Type = \"x\"\n\"a b\" = \"x\"\n[target.answer]\nkey = \"id\"\n[target.body]\nitem = \"{{ value }\"",
            &[
                "9: `method` is `GET`; known are POST, PUT, PATCH",
                "11: `Content-Type` is set by deliver itself",
                "12: `a b` is no name of a header",
                "14: `key` is `id`; a JSON pointer is expected",
            ],
        ),
        (
            "http",
            "[target.body]\nitem = \"{{ valeu }}\"\nbatch = \"[]\"",
            &["10: the template `item`, line 1: undefined value"],
        ),
        ("http", "", &["2: [target.body] is missing"]),
    ] {
        let problems = of_kind(kind, settings).unwrap_err();
        for words in expected {
            let words = if words.starts_with(':') {
                (*words).to_owned()
            } else {
                format!("targets.toml:{words}")
            };
            assert!(
                problems.iter().any(|problem| problem.contains(&words)),
                "{words} is not in {problems:#?}"
            );
        }
    }
}

#[test]
fn a_kind_takes_what_its_settings_say() {
    let good = [
        (
            "genesys-external-metrics",
            "definitions.aht.unit = \"Seconds\"\ndefinitions.hold = { unit = \"Percent\", points = \"one\" }",
        ),
        ("genesys-conversation-properties", ""),
        ("cxone-business-data", "grains = [\"leg\"]"),
        (
            "http",
            "path = \"/day/{agent}/{day}\"\ngrains = [\"agent_day\"]\n[target.body]\nitem = \"{{ numerator }}\"",
        ),
    ];
    for (kind, settings) in good {
        let targets = of_kind(kind, settings).unwrap();
        assert_eq!(targets[0].adapter.name(), kind);
    }
}
