use super::*;
use crate::subscriptions::parse;
use hyper::Request;
use std::path::Path;

const HEAD: &str = "version = 1\n[[subscription]]\nname = \"a\"\npath = \"/a\"\ntenant = \"t\"\nformat = \"genesys-webhook\"\n";
const SIGNATURE: &str = "[subscription.signature]\nsecrets = [\"s\"]\n";

fn read(settings: &str) -> Result<Transport, Vec<String>> {
    read_as(settings, Secrets::Required)
}

fn read_as(settings: &str, secrets: Secrets) -> Result<Transport, Vec<String>> {
    let signature = if settings.contains("[subscription.signature]") {
        ""
    } else {
        SIGNATURE
    };
    let text = format!("{HEAD}{settings}\n{signature}");
    let read = parse("s.toml", &text, Path::new("."), secrets, &|_| None)?;
    Ok(read.list.into_iter().next().unwrap().transport)
}

#[test]
fn without_settings_nothing_is_limited_and_no_handshake_answered() {
    let read = read("").unwrap();
    assert_eq!(read.max_inflated_bytes, 8 << 20);
    assert_eq!(read.form_field, "payload");
    assert_eq!(read.bounds, Bounds::default());
    let handshake = read.handshake;
    assert!(handshake.get.is_none() && handshake.query.is_none());
    assert!(handshake.body.is_none() && handshake.origin.is_none());
}

#[test]
fn what_may_be_sent_plain_may_be_inflated() {
    let inflated = |settings| read(settings).unwrap().max_inflated_bytes;
    assert_eq!(inflated("max_body_bytes = 10485760"), 10_485_760);
    assert_eq!(
        inflated("max_body_bytes = 10485760\nmax_inflated_bytes = 5"),
        5
    );
}

#[test]
fn every_setting_is_read() {
    let read = read(
        r#"form_field = "p"
[subscription.limits]
requests_per_second = 20
requests_at_once = 7
memory_percent = 10
[subscription.signature]
over = "plain"
secrets = ["s"]
[subscription.handshake]
get = "ok"
[subscription.handshake.query]
challenge = "hub.challenge"
token = "hub.verify_token"
tokens = ["right"]
[subscription.handshake.body]
answer = "text"
[subscription.handshake.origin]
allowed = ["Emitter.Example.com"]
"#,
    )
    .unwrap();
    assert_eq!(read.form_field, "p");
    let rate = read.bounds.rate.unwrap();
    assert_eq!((rate.per_second.get(), rate.burst.get()), (20, 20));
    assert_eq!(read.bounds.at_once, Some(7));
    assert_eq!(read.bounds.memory_percent, Some(10));
    let handshake = read.handshake;
    assert_eq!(handshake.get, Some(Presence::Ok));
    let uri = "/a?hub.challenge=1&hub.verify_token=right";
    let (head, ()) = Request::get(uri).body(()).unwrap().into_parts();
    assert!(handshake.greet(&head).is_ok());
    let body = handshake.body.unwrap();
    assert_eq!(
        (body.member.as_str(), body.value.as_str()),
        ("type", "url_verification")
    );
    assert_eq!(body.echo, Echo::Text);
    let origins = handshake.origin.unwrap();
    assert_eq!(origins.allowed, ["emitter.example.com"]);
    assert_eq!(origins.per_second.map(NonZeroU32::get), Some(20));
}

#[test]
fn every_problem_is_named_with_its_line() {
    let problems = read(
        r#"max_inflated_bytes = 99000000
form_field = ""
[subscription.limits]
burst = 5
memory_percent = 101
colour = 1
[subscription.handshake]
get = "maybe"
[subscription.handshake.query]
token = "t"
[subscription.handshake.body]
answer = "xml"
[subscription.handshake.origin]
"#,
    )
    .unwrap_err()
    .join("\n");
    for part in [
        "s.toml:7: `max_inflated_bytes` is 99000000",
        "s.toml:8: `form_field` is empty",
        "`burst` has a meaning only with",
        "s.toml:11: `memory_percent` is 101; allowed are 1 to 100",
        "s.toml:12: unknown setting `colour`",
        "s.toml:14: `get` is `maybe`; known are no-content, ok",
        "`challenge` is missing",
        "write both or none",
        "s.toml:18: `answer` is `xml`; known are json, text",
        "`allowed` is missing",
    ] {
        assert!(problems.contains(part), "{part} in {problems}");
    }
}

#[test]
fn a_role_without_secrets_is_not_asked_for_tokens() {
    let settings = "[subscription.handshake.query]\nchallenge = \"c\"\ntoken = \"t\"\ntokens = [{ file = \"absent\" }]\n";
    let missing = read(settings).unwrap_err().join("\n");
    assert!(missing.contains("absent"), "{missing}");
    assert!(read_as(settings, Secrets::NotNeeded).is_ok());
}
