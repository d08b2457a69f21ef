//! `ingest try`: what a body would become, without a server.

use crate::line::{PATIENCE, event};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use testkit::Proc;

/// A folder with a subscriptions file, a mapping and bodies. Its secrets are files that do not exist.
struct Desk(TempDir);

const MAPPING: &str = "version = 1\nitems = \"batch\"\n[event]\nid = \"id\"\nat = \"at\"\ninteraction = \"call\"\n\
    state = { path = \"what\", values = { End = \"completed\" }, other = \"ignore\" }\nagent = \"agent\"\nagent_zone = \"zone\"\n\
    queue = \"queue\"\ndisposition = \"code\"\ncustomer = \"from\"\n[event.attributes]\nbrand = \"brand\"\n\
    [durations.talk]\npath = \"talk\"\nunit = \"s\"\n";

const BATCH: &str = r#"{"batch":[
    {"id":"e1","at":"2024-11-02T10:00:00+01:00","call":"c1","what":"End","agent":7,"zone":"US/Mountain","queue":"q","code":"sold","from":"+15550100101","brand":"b","talk":61.5},
    {"id":"e2","at":"2024-11-02T10:00:00Z","call":"c2","what":"End","agent":8,"zone":"Mars/Base"},
    {"id":"e3","at":"2024-11-02T10:00:00Z","call":"c3","what":"Recorded"},
    {"id":"e4","at":"1970-01-01T00:00:00Z","call":"c4","what":"End"}]}"#;

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let subscription = |name: &str, format: &str| {
            format!(
                "[[subscription]]\nname = \"{name}\"\npath = \"/{name}\"\ntenant = \"acme\"\n{format}\n\
                 [subscription.signature]\nsecrets = [{{ file = \"nowhere\" }}]\n"
            )
        };
        let text = format!(
            "version = 1\n{}{}",
            subscription(
                "genesys",
                "format = \"genesys-webhook\"\nmax_body_bytes = 1000"
            ),
            subscription("mapped", "format = \"mapped\"\nmapping = \"m.toml\"")
        );
        desk.write("subscriptions.toml", &text);
        desk.write("m.toml", MAPPING);
        desk
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Exit status, output and errors of `ingest try`, without database, broker or secrets.
    async fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let file = self.0.path().join("subscriptions.toml");
        let env = [("KPILINE_SUBSCRIPTIONS", file.to_str().unwrap())];
        let arguments = [&["try"], arguments].concat();
        let (status, out, err) = Proc::run("ingest", &arguments, &env, PATIENCE).await;
        (status.code().unwrap(), out, err)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_is_shown_as_what_it_becomes_or_why_not() {
    let desk = Desk::new();
    let body = desk.write("batch.json", BATCH);
    let (code, out, err) = desk.run(&["mapped", text(&body)]).await;
    assert_eq!(code, 1, "{out}{err}");
    for part in [
        "item 0: mapped",
        "event         e1",
        "instant       2024-11-02T09:00:00.000Z",
        "interaction   c1",
        "state       completed (terminal)",
        "agent       7",
        "zone        America/Denver (stated as US/Mountain)",
        "queue       q",
        "disposition sold",
        "talk        61500 ms (1 min 1.500 s)",
        "attribute   brand = b",
        "customer      stated (--show-personal shows it)",
        "zone        UNKNOWN: Mars/Base",
        "item 2: ignored, of kind Recorded",
        "item 3: REFUSED",
        "field         timestamp",
        "expected      an instant from the year 2000",
        "4 items: 2 mapped, 1 ignored, 1 refused",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
    assert!(err.contains("1 of 4 items would be refused"), "{err}");
    assert!(!out.contains("5550100101"), "{out}");
    let (_, out, _) = desk.run(&["mapped", text(&body), "--show-personal"]).await;
    assert!(out.contains("customer      +15550100101"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_programs_read_it_as_json() {
    let desk = Desk::new();
    let body = desk.write("batch.json", BATCH);
    let (code, out, _) = desk.run(&["mapped", text(&body), "--json"]).await;
    assert_eq!(code, 1);
    assert!(!out.contains("5550100101"), "{out}");
    let shown: Value = serde_json::from_str(&out).unwrap();
    let count = |name: &str| shown[name].as_u64().unwrap();
    assert_eq!(
        (count("mapped"), count("ignored"), count("refused")),
        (2, 1, 1)
    );
    let first = &shown["items"][0];
    assert_eq!(first["interaction"], "c1");
    assert_eq!(first["customer_stated"], true);
    let fact = &first["facts"][0];
    assert_eq!(fact["durations"]["talk_ms"], 61_500);
    assert_eq!(fact["attributes"]["brand"], "b");
    assert_eq!(fact["agent"]["zone"], "America/Denver");
    assert_eq!(shown["items"][1]["facts"][0]["agent"]["zone_unknown"], true);
    assert_eq!(shown["items"][2]["kind"], "Recorded");
    let refused = &shown["items"][3];
    assert_eq!(
        (&refused["stage"], &refused["field"]),
        (&"map".into(), &"timestamp".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_body_ends_well_and_one_that_is_none_is_refused_whole() {
    let desk = Desk::new();
    let good = desk.write("good.json", &event("e1"));
    let (code, out, err) = desk.run(&["genesys", text(&good)]).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("1 item: 1 mapped"), "{out}");
    let bad = desk.write("bad.txt", "It was a quiet day.");
    let (code, out, _) = desk.run(&["genesys", text(&bad)]).await;
    assert_eq!(code, 1);
    assert!(out.contains("the body as a whole: REFUSED"), "{out}");
    assert!(out.contains("stage         split"), "{out}");
    let large = desk.write(
        "large.json",
        &format!(
            "[{}]",
            [event("e"), event("f"), event("g"), event("h")].join(",")
        ),
    );
    let (code, out, _) = desk.run(&["genesys", text(&large)]).await;
    assert_eq!(code, 0);
    assert!(out.contains("receive takes at most 1000"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_with_nothing_in_it_is_what_receive_makes_of_it() {
    let desk = Desk::new();
    for body in ["", " [ ] ", "{}"] {
        let file = desk.write("nothing.json", body);
        let (code, out, err) = desk.run(&["genesys", text(&file)]).await;
        assert_eq!((code, err.as_str()), (0, ""), "{body}: {out}");
        assert!(out.contains("format genesys-webhook"), "{out}");
        assert!(out.contains("nothing in it: answered 202 nothing"), "{out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_is_tried_before_any_subscription_names_it() {
    let desk = Desk::new();
    let body = desk.write(
        "one.json",
        r#"{"id":"e1","at":"2024-11-02T10:00:00Z","call":"c1","what":"End"}"#,
    );
    let mapping = desk.write("new.toml", MAPPING);
    let (code, out, err) = desk.run(&["--mapping", text(&mapping), text(&body)]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("interaction   c1"), "{out}");
    // Every problem of a mapping at once, and nothing tried.
    let broken = desk.write("broken.toml", "version = 2\n[event]\nid = \"a..b\"\n");
    let (code, out, err) = desk.run(&["--mapping", text(&broken), text(&body)]).await;
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    for part in [
        "broken.toml:1: version",
        "event.at is missing",
        "a name is empty",
    ] {
        assert!(err.contains(part), "{part} in {err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_tried_is_a_mistake_of_the_command_line() {
    let desk = Desk::new();
    let body = desk.write("good.json", &event("e1"));
    for (arguments, part) in [
        (
            &["nobody", text(&body)][..],
            "has no subscription `nobody`; it has genesys, mapped",
        ),
        (&["genesys"], "<FILE>"),
        (
            &["genesys", "/nowhere/body"],
            "/nowhere/body: cannot be read",
        ),
        (
            &["genesys", text(&body), "--mapping", "m.toml"],
            "cannot be used with",
        ),
    ] {
        let (code, out, err) = desk.run(arguments).await;
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(part), "{part} in {err}");
    }
}
