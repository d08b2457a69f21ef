use super::*;
use crate::subscriptions::{Secrets, Subscriptions, parse};
use std::path::Path;

const HEAD: &str = r#"version = 1
[[subscription]]
name = "a"
path = "/a"
tenant = "t"
format = "genesys-webhook"
[subscription.signature]
header = "X-Signature"
encoding = "base64"
prefix = "sha256="
secrets = [{ env = "SIGNING" }]
"#;

fn read(platform: &str) -> Result<Subscriptions, Vec<String>> {
    let text = format!("{HEAD}{platform}");
    parse(
        "f.toml",
        &text,
        Path::new("conf"),
        Secrets::NotNeeded,
        &|_| None,
    )
}

fn one(platform: &str) -> Platform {
    read(platform).unwrap().list.remove(0).platform.unwrap()
}

#[test]
fn a_subscription_needs_no_platform() {
    assert!(read("").unwrap().list[0].platform.is_none());
    let none = one("[subscription.platform]\nkind = \"none\"\n");
    assert!(!none.can_be_asked());
    assert_eq!(none.quiet_after, None);
}

#[test]
fn a_region_gives_the_hosts_of_genesys() {
    let platform = one(r#"
[subscription.platform]
kind = "genesys-eventbridge"
region = "eu-central-1"
delivery_url = "https://hooks.example.com/a"
topics = ["v2.detail.events.conversation.{id}.acw"]
quiet_after = "30m"
quiet_when = "always"
[subscription.platform.credentials]
client_id = { env = "ID" }
client_secret = { env = "SECRET" }
[subscription.platform.eventbridge]
account = "123456789012"
"#);
    assert!(platform.can_be_asked());
    let base = platform.base_url.as_ref().unwrap().as_str();
    assert_eq!(base, "https://api.mypurecloud.de/");
    assert_eq!(platform.quiet_after, Some(Duration::from_secs(1800)));
    assert_eq!(platform.quiet_when, QuietWhen::Always);
    let known = |name: &str| (name == "ID").then(|| "client".to_owned());
    let credential = platform.credential(&known).unwrap().unwrap();
    assert_eq!(
        credential,
        "client@https://login.mypurecloud.de/oauth/token https://api.mypurecloud.de/"
    );
    // Secrets are not needed to read the file, and missed with their line when they are used.
    let error = platform
        .credentials
        .as_ref()
        .unwrap()
        .grant(&known)
        .unwrap_err();
    assert!(
        error.starts_with("f.toml:22: ") && error.contains("SECRET"),
        "{error}"
    );
}

#[test]
fn the_proof_of_a_probe_is_that_of_the_signature_unless_it_has_its_own() {
    let of = |platform: &str| one(platform).proof.unwrap();
    let signing = |name: &str| (name == "SIGNING").then(|| "key".to_owned());
    let (name, value) = of("[subscription.platform]\nkind = \"none\"\n")
        .header(b"[]", &signing)
        .unwrap();
    assert_eq!(name, "x-signature");
    // echo -n '[]' | openssl dgst -sha256 -hmac key -binary | base64
    assert_eq!(
        value.expose(),
        "sha256=jPPVhLrEIHDkTySaVQkQvQB30YqcxipUxZxnWEWL8Bo="
    );
    let own = of(
        "[subscription.platform]\nkind = \"none\"\n[subscription.platform.probe]\nheader = \"X-Api-Key\"\nscheme = \"static\"\nsecret = \"it\"\n",
    );
    let (name, value) = own.header(b"[]", &|_| None).unwrap();
    assert_eq!((name.as_str(), value.expose()), ("x-api-key", "it"));
}

#[test]
fn without_a_signature_a_probe_takes_the_first_other_way_that_it_can() {
    const HEADER: &str = "[[subscription.auth]]\nway = \"header\"\nheader = \"X-Api-Key\"\nsecrets = [\"it\", \"old\"]\n";
    const BEARER: &str = "[[subscription.auth]]\nway = \"bearer\"\nsecrets = [\"token\"]\n";
    const HMAC: &str = "[[subscription.auth]]\nway = \"hmac\"\nheader = \"X-Signed\"\nprefix = \"v1=\"\nsecrets = [\"key\"]\n";
    const OTHER_HMAC: &str =
        "[[subscription.auth]]\nway = \"hmac\"\nalgorithm = \"sha512\"\nsecrets = [\"key\"]\n";
    let proof = |signature: &str, ways: &[&str], kind: &str| {
        let text = format!(
            "version = 1\n[[subscription]]\nname = \"a\"\npath = \"/a\"\ntenant = \"t\"\nformat = \"genesys-webhook\"\n\
             {signature}{}[subscription.platform]\nkind = \"{kind}\"\ndelivery_url = \"https://h.example/a\"\ntopics = [\"t\"]\n",
            ways.concat()
        );
        let read = parse(
            "f.toml",
            &text,
            Path::new("conf"),
            Secrets::NotNeeded,
            &|_| None,
        );
        read.unwrap().list.remove(0).platform.unwrap().proof
    };
    let sent = |signature: &str, ways: &[&str], kind: &str| {
        let (name, value) = proof(signature, ways, kind)
            .unwrap()
            .header(b"[]", &|_| None)
            .unwrap();
        (name, value.expose().to_owned())
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let key = pair("x-api-key", "it");
    assert_eq!(sent("", &[HMAC, BEARER, HEADER], "none"), key);
    let token = pair("authorization", "Bearer token");
    assert_eq!(sent("", &[HMAC, BEARER], "none"), token);
    let (name, value) = sent("", &[OTHER_HMAC, HMAC], "none");
    assert_eq!(name, "x-signed");
    assert!(value.starts_with("v1=8cf3d584"), "{value}");
    assert!(proof("", &[OTHER_HMAC], "none").is_none());
    // The signature goes before, but for AWS, which signs nothing.
    let signature = "[subscription.signature]\nsecrets = [\"key\"]\n";
    assert_eq!(sent(signature, &[HEADER], "none").0, "x-genesys-signature");
    assert_eq!(sent(signature, &[HEADER], "genesys-eventbridge"), key);
}

#[test]
fn a_registration_says_where_everything_is() {
    let platform = one(r#"
[subscription.platform]
kind = "guide-webhook"
base_url = "https://api.example.com"
delivery_url = "https://hooks.example.com/a"
[subscription.platform.registration]
path = "/webhooks"
update_method = "PATCH"
body = '{"target": {"url": "{url}"}, "topics": "{topics}"}'
url = "/target/url"
good_states = ["RUNNING"]
"#);
    assert_eq!(platform.topics, ["analytics:events:publish"]);
    let Kind::GuideWebhook(registration) = &platform.kind else {
        panic!("{:?}", platform.kind)
    };
    assert_eq!(registration.update_path, "/webhooks/{id}");
    assert_eq!(registration.items, "/entities");
    assert_eq!(registration.good_states, ["running"]);
    let found = serde_json::json!({"id": 7, "target": {"url": "u"}, "topics": [{"id": "x"}, "y"]});
    let fields = &registration.fields;
    assert_eq!(fields.text(&found, Field::Id).as_deref(), Some("7"));
    assert_eq!(fields.text(&found, Field::Url).as_deref(), Some("u"));
    assert_eq!(fields.text(&found, Field::State), None);
    assert_eq!(fields.topics(&found).unwrap(), ["x", "y"]);
}

#[test]
fn every_problem_is_listed_with_its_line() {
    let problems = read(
        r#"
[subscription.platform]
kind = "genesys-process-automation"
region = "moon-1"
topics = []
quiet_after = "5s"
quiet_when = "never"
colour = 1
[subscription.platform.credentials]
grant = "magic"
client_id = 5
[subscription.platform.rate]
requests = 1
burst = 2
[subscription.platform.trigger]
event_ttl = "1s"
[subscription.platform.eventbridge]
account = "1"
[subscription.platform.probe]
header = "a b"
scheme = "none"
"#,
    )
    .unwrap_err()
    .join("\n");
    for part in [
        "f.toml:19: unknown setting `colour`",
        "`region` is `moon-1`; known are us-east-1",
        "`topics` is empty",
        "f.toml:17: `quiet_after` is 5s",
        "`quiet_when` is `never`",
        "`delivery_url` is missing",
        "`token_url` is missing",
        "`grant` is `magic`",
        "`client_id` is a text",
        "`client_secret` is missing",
        "[subscription.platform.rate]: a burst of 2",
        "[subscription.platform.eventbridge] has a meaning only with",
        "`workflow` is missing",
        "`event_ttl` is shorter than 10s",
        "`header` is `a b`",
        "`scheme` is `none`",
        "`secret` is missing",
    ] {
        assert!(problems.contains(part), "{part} in\n{problems}");
    }
    let problems = read("[subscription.platform]\nkind = \"guide-webhook\"\nbase_url = \"https://user:pass@h\"\n[subscription.platform.registration]\npath = \"x\"\nmethod = \"GET\"\nbody = '{\"s\": \"{secret}\"}'\nid = \"id\"\n")
        .unwrap_err()
        .join("\n");
    for part in [
        "`base_url` is no URL",
        "`path` is `x`",
        "`method` is `GET`",
        "`body` has no {url}",
        "`id` is `id`; a JSON pointer",
    ] {
        assert!(problems.contains(part), "{part} in\n{problems}");
    }
    assert!(!problems.contains("pass"), "{problems}");
    let kind = read("[subscription.platform]\nkind = \"carrier-pigeon\"\n").unwrap_err();
    assert!(
        kind.join("\n")
            .contains("known are guide-webhook, genesys-eventbridge")
    );
    let asked = "[subscription.platform]\nkind = \"cxone-digital\"\n[subscription.platform.credentials]\nclient_id = \"a\"\nclient_secret = \"b\"\ntoken_url = \"https://h\"\n";
    assert!(
        read(asked)
            .unwrap_err()
            .join("\n")
            .contains("has no API that could be asked")
    );
}

/// The example's settings, which are comments, by table.
fn example() -> std::collections::BTreeMap<String, String> {
    let path = testkit::workspace_root().join("deploy/config/subscriptions.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, from) = text.split_once("# [subscription.platform]").unwrap();
    let mut tables = std::collections::BTreeMap::new();
    let mut table = "[subscription.platform]".to_owned();
    for line in from
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('#'))
    {
        let line = line.trim_start_matches("# ");
        let key = line.split_once(" = ").map_or("", |(key, _)| key);
        if line.starts_with("[subscription.platform") {
            let (name, _) = line.split_once(']').unwrap();
            table = format!("{name}]");
        } else if !key.is_empty()
            && key
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            let settings: &mut String = tables.entry(table.clone()).or_default();
            settings.push_str(line);
            settings.push('\n');
        }
    }
    tables
}

#[test]
fn the_example_is_good_whichever_kind_is_chosen() {
    let example = example();
    assert_eq!(example.len(), 7, "{:?}", example.keys());
    for (kind, own) in [
        ("genesys-eventbridge", "eventbridge"),
        ("genesys-process-automation", "trigger"),
        ("guide-webhook", "registration"),
    ] {
        let mut text = String::new();
        for (table, settings) in &example {
            let others = ["eventbridge", "trigger", "registration"];
            if others
                .iter()
                .any(|other| *other != own && table.contains(other))
            {
                continue;
            }
            let mut settings = settings.replace("\"genesys-eventbridge\"", &format!("\"{kind}\""));
            if own == "registration" {
                settings = settings.replace(
                    "region = \"eu-central-1\"",
                    "base_url = \"https://api.example.com\"",
                );
                if table.ends_with("credentials]") {
                    settings.push_str("token_url = \"https://login.example.com/token\"\n");
                }
            }
            text = format!("{text}{table}\n{settings}");
        }
        let platform = one(&text);
        assert_eq!(platform.kind.word(), kind);
        assert!(platform.can_be_asked() && !platform.topics.is_empty());
    }
}
