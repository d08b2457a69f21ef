use super::*;
use crate::auth::{Bodies, Reason, Request};
use hyper::HeaderMap;
use schema::UtcMicros;

fn read(text: &str) -> Result<Subscriptions, Vec<String>> {
    parse(
        "hooks.toml",
        text,
        Path::new("conf"),
        Secrets::Required,
        &|name| (name == "GOOD").then(|| "from-env".to_owned()),
    )
}

const GOOD: &str = r#"
version = 1

[[subscription]]
name = "genesys-main"
path = "/hooks/genesys"
tenant = "acme"
format = "genesys-webhook"
[subscription.signature]
secrets = ["s3cret", { env = "GOOD" }]

[[subscription]]
name = "cxone"
path = "/hooks/cxone"
tenant = "acme:eu"
format = "mapped"
mapping = "maps/cxone-events.toml"
max_body_bytes = 0x1000
[subscription.signature]
header = "X-Hub-Signature-256"
encoding = "base64"
prefix = "sha256="
secrets = [{ value = "two" }]
"#;

#[test]
fn a_full_file_is_read() {
    let read = read(GOOD).unwrap();
    let genesys = read.named("genesys-main").unwrap();
    assert_eq!(genesys.format, BodyFormat::GenesysWebhook);
    assert_eq!(genesys.max_body_bytes, BODY_BYTES_DEFAULT);
    // HMAC-SHA256 with key `s3cret` over nothing, as `openssl dgst -sha256 -hmac s3cret /dev/null` says it.
    let signature = "91dfac70c5348b04e1babb8b421ac92cec08b565b49ca16130dccb72503647b7";
    let mut headers = HeaderMap::new();
    let verify = |headers: &HeaderMap| {
        let request = Request {
            headers,
            peer: None,
            now: UtcMicros(0),
        };
        let authentication = genesys.authentication.as_ref().unwrap();
        authentication.verify(&request, Bodies::same(b""))
    };
    assert_eq!(verify(&headers), Err(Reason::Unsigned));
    headers.insert("x-genesys-signature", signature.parse().unwrap());
    assert_eq!(verify(&headers), Ok(()));
    let cxone = read.named("cxone").unwrap();
    assert_eq!(
        cxone.format,
        BodyFormat::Mapped {
            mapping: "cxone-events".into()
        }
    );
    assert_eq!(cxone.max_body_bytes, 4096);
    assert_eq!(
        read.mappings["cxone-events"],
        Path::new("conf/maps/cxone-events.toml")
    );
}

#[test]
fn secrets_are_left_alone_where_they_are_not_needed() {
    let text = GOOD.replace("GOOD", "ABSENT");
    assert!(read(&text).is_err());
    let read = parse("f", &text, Path::new("."), Secrets::NotNeeded, &|_| None).unwrap();
    assert!(read.list.iter().all(|found| found.authentication.is_none()));
}

#[test]
fn every_problem_is_listed_with_its_line() {
    let text = r#"colour = "green"

[[subscription]]
name = "a b"
path = "hooks"
format = "xml"
max_body_bytes = 99999999999
[subscription.signature]
header = "not a header"
encoding = "rot13"
secrets = [{ env = "ABSENT" }, "", { file = "absent-file" }, 7]

[[subscription]]
name = 3
path = "/x"
tenant = "t"
format = "mapped"

[[subscription]]
name = "same"
path = "/x"
tenant = ""
format = "genesys-details"
mapping = "m.toml"
[subscription.signature]
secrets = []
"#;
    let problems = read(text).unwrap_err();
    let expected = [
        (1, "unknown setting `colour`"),
        (1, "`version` is missing"),
        (4, "`name` is `a b`"),
        (5, "`path` is `hooks`"),
        (3, "`tenant` is missing"),
        (6, "`format` is `xml`"),
        (7, "`max_body_bytes` is 99999999999"),
        (9, "`header` is `not a header`"),
        (10, "`encoding` is `rot13`"),
        (11, "variable ABSENT is not set"),
        (11, "this secret is empty"),
        (11, "absent-file cannot be read"),
        (11, "a secret is a text"),
        (14, "`name` is of type integer"),
        (17, "needs `mapping`"),
        (13, "[subscription.signature] is missing"),
        (21, "the path `/x` is taken"),
        (22, "`tenant` is empty"),
        (24, "only with format"),
        (26, "`secrets` is empty"),
    ];
    for (line, part) in expected {
        assert!(
            problems
                .iter()
                .any(|found| found.starts_with(&format!("hooks.toml:{line}: "))
                    && found.contains(part)),
            "no `{part}` in line {line} of {problems:#?}"
        );
    }
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
}

#[test]
fn without_a_secret_nothing_starts() {
    for line in ["", "secrets = []", "secrets = [\"\"]", "secrets = \"text\""] {
        let text = GOOD.replace("secrets = [\"s3cret\", { env = \"GOOD\" }]", line);
        assert!(read(&text).is_err(), "{line}");
    }
}

#[test]
fn a_syntax_error_has_a_line() {
    let problems = read("version = 1\n[[subscription]\n").unwrap_err();
    assert!(problems[0].starts_with("hooks.toml:2: "), "{problems:?}");
}

#[test]
fn every_format_can_be_declared_and_local_ones_with_their_zone() {
    let with = |format: &str, zone: &str| {
        let text = GOOD.replacen(
            "format = \"genesys-webhook\"",
            &format!("format = \"{format}\"{zone}"),
            1,
        );
        read(&text).map(|read| read.list[0].format.clone())
    };
    let zone = "\nzone = \"America/Denver\"";
    let denver = "America/Denver";
    for (name, zone, format) in [
        ("genesys-webhook", "", BodyFormat::GenesysWebhook),
        ("genesys-details", "", BodyFormat::GenesysDetails),
        ("genesys-user-details", "", BodyFormat::GenesysUserDetails),
        ("genesys-schedules", "", BodyFormat::GenesysSchedules),
        ("cxone-contacts", "", BodyFormat::CxoneContacts),
        ("cxone-contact-states", "", BodyFormat::CxoneContactStates),
        ("cxone-digital", "", BodyFormat::CxoneDigital),
        ("cxone-agent-states", "", BodyFormat::CxoneAgentStates),
        (
            "cxone-call-detail",
            zone,
            BodyFormat::CxoneCallDetail {
                zone: denver.into(),
            },
        ),
        (
            "cxone-agent-state-log",
            zone,
            BodyFormat::CxoneAgentStateLog {
                zone: denver.into(),
            },
        ),
    ] {
        assert!(FORMATS.contains(&name), "{name}");
        assert_eq!(with(name, zone).unwrap(), format);
        let wrong = with(
            name,
            if zone.is_empty() {
                "\nzone = \"UTC\""
            } else {
                ""
            },
        );
        let problem = &wrong.unwrap_err()[0];
        let expected = if zone.is_empty() {
            "hooks.toml:9: `zone` has a meaning only with"
        } else {
            "hooks.toml:8: format"
        };
        assert!(problem.starts_with(expected), "{problem}");
    }
    let nowhere = with("cxone-agent-state-log", "\nzone = \"Mountain Time\"").unwrap_err();
    assert!(
        nowhere[0].starts_with("hooks.toml:9: `zone`: ") && nowhere[0].contains("Mountain Time"),
        "{nowhere:?}"
    );
}

#[test]
fn the_example_file_is_good() {
    let text = include_str!("../../../../deploy/config/subscriptions.toml");
    let read = parse("example", text, Path::new("."), Secrets::NotNeeded, &|_| {
        None
    });
    assert_eq!(read.map(|read| read.list.len()), Ok(5));
}

#[test]
fn the_example_file_shows_every_setting() {
    let text = include_str!("../../../../deploy/config/subscriptions.toml");
    let mut wrong = testkit::example::not_shown(text, &[], |text| {
        // What a subscription has at its platform depends on the kind.
        let kinds = [
            "genesys-eventbridge",
            "genesys-process-automation",
            "guide-webhook",
        ];
        let of_kind = |kind| {
            let text = text.replace(kinds[0], kind);
            let read = parse("example", &text, Path::new("."), Secrets::Required, &|_| {
                None
            });
            read.unwrap_err()
        };
        kinds.into_iter().flat_map(of_kind).collect()
    });
    // Claims have whatever names their issuer gives them.
    wrong.retain(|found| found != "[subscription.auth.claims] is not read");
    assert_eq!(wrong, [] as [&str; 0]);
}

/// The examples of ways that are commented out: without the blank that words have behind the sign.
#[test]
fn the_example_files_ways_are_good() {
    let text = include_str!("../../../../deploy/config/subscriptions.toml");
    let ways: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| !line.is_empty() && !line.starts_with(' '))
        .collect();
    let head = "version = 1\n[[subscription]]\nname = \"a\"\npath = \"/a\"\ntenant = \"t\"\nformat = \"genesys-webhook\"\n";
    let text = format!("{head}{}\n", ways.join("\n"));
    let secret = |_: &str| Some("c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0".to_owned());
    let read = parse("example", &text, Path::new("."), Secrets::Required, &secret);
    let read = read.unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    assert_eq!(text.matches("\nway = ").count(), 8);
    assert_eq!(read.remote_keys.len(), 1);
}

#[test]
fn two_mapping_files_of_one_name_are_refused() {
    let other = r#"
[[subscription]]
name = "third"
path = "/third"
tenant = "t"
format = "mapped"
mapping = "other/cxone-events.toml"
[subscription.signature]
secrets = ["x"]
"#;
    let problems = read(&format!("{GOOD}{other}")).unwrap_err();
    assert!(problems[0].contains("two mapping files"), "{problems:?}");
}
