use super::*;
use std::time::Duration;

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
    assert_eq!(
        genesys.url.as_str(),
        "https://api.example.test/api/v2/analytics/datadefinitions/customreports"
    );
    assert_eq!(
        (genesys.tenant.as_str(), cxone.tenant.as_str()),
        ("acme", "globex")
    );
    assert_eq!(genesys.metrics, ["adjusted_aht", "handle_time"]);
    assert_eq!((genesys.batch_max, genesys.limit.requests), (100, 240));
    assert!(matches!(genesys.grant, Grant::ClientCredentials { .. }));
    assert_eq!(cxone.url.as_str(), "https://api.example.test/eu/import");
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
        (4, "known are genesys-custom-report, cxone-import"),
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
