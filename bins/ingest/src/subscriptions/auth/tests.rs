use super::super::{Secrets, Subscriptions, parse};
use crate::auth::{Bodies, Reason, Request};
use hyper::HeaderMap;
use schema::UtcMicros;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

const HEAD: &str = "version = 1\n[[subscription]]\nname = \"a\"\npath = \"/a\"\ntenant = \"t\"\nformat = \"genesys-webhook\"\n";

fn read_in(folder: &Path, text: &str) -> Result<Subscriptions, Vec<String>> {
    let text = format!("{HEAD}{text}");
    parse("f", &text, folder, Secrets::Required, &|_| None)
}

fn read(text: &str) -> Result<Subscriptions, Vec<String>> {
    read_in(Path::new("."), text)
}

fn verify(text: &str, lines: &[(&'static str, &str)]) -> Result<(), Reason> {
    let read = read(text).unwrap_or_else(|problems| panic!("{text}: {problems:#?}"));
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    let request = Request {
        headers: &headers,
        peer: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        now: UtcMicros(1_715_783_530_000_000),
    };
    let authentication = read.list[0].authentication.as_ref().unwrap();
    authentication.verify(&request, Bodies::same(b"{}"))
}

#[test]
fn each_way_is_read() {
    let basic = ("authorization", "Basic YnJpZGdlOm5ldw=="); // bridge:new
    let certificate = ("x-forwarded-client-cert", "URI=spiffe://a/b");
    for (way, line) in [
        (
            "way = \"header\"\nheader = \"X-Api-Key\"\nprefix = \"k-\"\nsecrets = [\"a\", \"b\"]",
            ("x-api-key", "k-b"),
        ),
        (
            "way = \"basic\"\nusers = [{ name = \"bridge\", secret = \"old\" }, { name = \"bridge\", secret = { value = \"new\" } }]",
            basic,
        ),
        (
            "way = \"bearer\"\nsecrets = [\"t\"]",
            ("authorization", "Bearer t"),
        ),
        (
            "way = \"client-certificate\"\nproxies = \"127.0.0.0/8\"\nforwarded = {}\nuris = \"spiffe://a/b\"",
            certificate,
        ),
    ] {
        let text = format!("[[subscription.auth]]\n{way}\n");
        assert_eq!(verify(&text, &[line]), Ok(()), "{text}");
        assert_eq!(verify(&text, &[]), Err(Reason::Unsigned), "{text}");
        let name = line.0;
        assert!(verify(&text, &[(name, "Bearer x")]).is_err(), "{text}");
    }
}

/// Each setting of a signature has its effect. Python: `hmac.new(b'key', b'v0:1715783530000:{}', 'sha512')` in base64, where the
/// secret is `6b6579` in hexadecimal.
#[test]
fn a_signature_is_read_with_all_its_settings() {
    let text = r#"
[[subscription.auth]]
way = "hmac"
header = "x-sig"
algorithm = "sha512"
encoding = "base64url"
prefix = "v0="
signed = "v0:{timestamp}:{body}"
over = "plain"
timestamp = { header = "x-sig", prefix = "t=", unit = "ms", tolerance = "1m", future = "10s" }
secrets_in = "hex"
secrets = ["6b6579"]
"#;
    let signature =
        "QRRKuga0symZ-Ui6LSlRQuH2W7r0CmdvyH69-lW1PHGldlmxodiY9rAZbApgE1vvj7TD0AeBX1vtp7KHDwYBIw";
    let line = |time: &str| format!("t={time},v0={signature}");
    let good = line("1715783530000");
    assert_eq!(verify(text, &[("x-sig", &good)]), Ok(()));
    let other = line("1715783530001");
    assert_eq!(verify(text, &[("x-sig", &other)]), Err(Reason::Forged));
    let read = read(text).unwrap();
    let shown = format!("{read:?}");
    for part in ["60s", "10s", "Plain", "Millis", "Sha512"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let whsec = text
        .replace("hex\"", "base64\"")
        .replace("6b6579", "whsec_a2V5");
    assert_eq!(verify(&whsec, &[("x-sig", &good)]), Ok(()));
}

#[test]
fn the_table_and_the_list_count_together() {
    let text = |require| {
        format!(
            "require = \"{require}\"\n[subscription.signature]\nheader = \"x-old\"\nscheme = \"static\"\nsecrets = [\"one\"]\n[[subscription.auth]]\nway = \"bearer\"\nsecrets = [\"two\"]\n"
        )
    };
    let (one, two) = (("x-old", "one"), ("authorization", "Bearer two"));
    assert_eq!(verify(&text("any"), &[one]), Ok(()));
    assert_eq!(verify(&text("any"), &[two]), Ok(()));
    assert_eq!(verify(&text("all"), &[one]), Err(Reason::Unsigned));
    assert_eq!(verify(&text("all"), &[one, two]), Ok(()));
}

#[test]
fn keys_of_issuers_are_read_from_files_and_shared_by_url() {
    let folder = tempfile::tempdir().unwrap();
    let way = |keys: &str| {
        format!(
            "[[subscription.auth]]\nway = \"jwt\"\nissuer = \"i\"\naudience = [\"a\", \"b\"]\nclaims = {{ client_id = \"c\" }}\nscopes = [\"s\"]\n{keys}\n"
        )
    };
    let file = way("keys = { file = \"keys.json\" }");
    let problems = read_in(folder.path(), &file).unwrap_err();
    assert!(
        problems[0].starts_with("f:13: the key set "),
        "{problems:?}"
    );
    std::fs::write(folder.path().join("keys.json"), "{\"keys\":[]}").unwrap();
    let problems = read_in(folder.path(), &file).unwrap_err();
    assert!(
        problems[0].contains("no key that can be used"),
        "{problems:?}"
    );
    let set = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","y":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}]}"#;
    std::fs::write(folder.path().join("keys.json"), set).unwrap();
    let found = read_in(folder.path(), &file).unwrap();
    // Watched as files of secrets are.
    assert_eq!(found.secret_files, [folder.path().join("keys.json")]);
    let url = way("keys = { url = \"https://i.example/keys\" }");
    let other = way("keys = { url = \"https://i.example/keys\", refresh = \"1h\" }");
    let found = read(&format!("{url}{url}{other}")).unwrap();
    assert_eq!(found.remote_keys.len(), 2);
}

#[test]
fn every_problem_of_a_way_is_listed_with_its_line() {
    let text = r#"require = "some"
auth = [
  7,
  {},
  { way = "magic" },
  { way = "header", header = "a b", secrets = [] },
  { way = "basic", users = [] },
  { way = "basic", users = [{ name = "a:b", secret = "s" }, { name = "c" }, 7] },
  { way = "bearer", secrets = [""], user = "x" },
  { way = "hmac", algorithm = "md5", over = "both", signed = "{bdy}", secrets = ["s"] },
  { way = "hmac", signed = "{timestamp}.{body}", secrets = ["s"] },
  { way = "hmac", timestamp = { header = "t" }, secrets = ["s"] },
  { way = "hmac", signed = "{timestamp}{body}", timestamp = { header = "t", unit = "days", tolerance = "soon" }, secrets = ["s"] },
  { way = "hmac", signed = "{timestamp}{body}", timestamp = { header = "t", future = "1m" }, secrets = ["s"] },
  { way = "hmac", secrets_in = "hex", secrets = ["hunter2"] },
  { way = "jwt", secrets = ["short"] },
  { way = "jwt", issuer = "i", audience = "a" },
  { way = "jwt", issuer = [""], audience = 7, leeway = "1h", keys = { url = "http://i.example/keys" } },
  { way = "jwt", issuer = "i", audience = "a", keys = { url = "nonsense", refresh = "1s" } },
  { way = "jwt", issuer = "i", audience = "a", keys = { file = "absent.json", url = "https://x" } },
  { way = "client-certificate", proxies = ["10.0.0.0/33"], forwarded = { from_end = 0 }, subject_header = "s" },
  { way = "client-certificate", proxies = "::1", fingerprints = ["00"], subject_header = "s", subjects = ["x"] },
  { way = "client-certificate", proxies = "::1", subject_header = "s", uris = ["x"] },
]
"#;
    let problems = read(text).unwrap_err();
    let expected = [
        (7, "`require` is `some`; known are any, all"),
        (9, "a [[subscription.auth]] is a table"),
        (10, "`way` is missing"),
        (11, "`way` is `magic`; known are hmac, header, basic"),
        (12, "`header` is `a b`"),
        (12, "`secrets` is empty"),
        (13, "`users` is missing or empty"),
        (14, "a user's name has no colon"),
        (14, "`secret` is missing"),
        (14, "a user is {"),
        (15, "unknown setting `user`"),
        (15, "this secret is empty"),
        (16, "`algorithm` is `md5`"),
        (16, "`over` is `both`; known are wire, plain"),
        (16, "`signed` is `{bdy}`"),
        (17, "`timestamp` does not say"),
        (18, "anybody could renew it"),
        (19, "`unit` is `days`; known are s, ms, iso"),
        (19, "`tolerance` is `soon`"),
        (20, "`future` has a meaning only"),
        (21, "not written as `secrets_in` says"),
        (22, "`issuer` is missing"),
        (22, "`audience` is missing"),
        (22, "at least 32 bytes"),
        (23, "give either `keys`"),
        (24, "`issuer` is empty"),
        (24, "`audience` is of type integer"),
        (24, "`leeway` is more than 15m"),
        (24, "`url` must be https"),
        (25, "`refresh` is shorter"),
        (26, "unknown setting `url`"),
        (26, "absent.json cannot be read"),
        (27, "no network such as"),
        (27, "`from_end` is 0"),
        (27, "no meaning beside `forwarded`"),
        (27, "no certificate is let in"),
        (28, "`00` is no fingerprint"),
        (29, "`subjects` and the header"),
    ];
    for (line, part) in expected {
        assert!(
            problems
                .iter()
                .any(|found| found.starts_with(&format!("f:{line}: ")) && found.contains(part)),
            "no `{part}` in line {line} of {problems:#?}"
        );
    }
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    assert!(!problems.join("").contains("hunter2"), "{problems:?}");
}

/// Pitfall 32: whatever is missing, nothing starts that would take deliveries from everybody.
#[test]
fn pitfall_32_without_a_secret_nothing_starts() {
    for text in [
        "",
        "auth = []\n",
        "[[subscription.auth]]\nway = \"hmac\"\n",
        "[[subscription.auth]]\nway = \"header\"\nheader = \"x\"\nsecrets = []\n",
        "[[subscription.auth]]\nway = \"bearer\"\nsecrets = [{ env = \"ABSENT\" }]\n",
        "[[subscription.auth]]\nway = \"bearer\"\nsecrets = [{ file = \"absent\" }]\n",
        "[[subscription.auth]]\nway = \"basic\"\nusers = [{ name = \"a\", secret = \"\" }]\n",
        "[[subscription.auth]]\nway = \"bearer\"\nsecrets = [\"good\"]\n[[subscription.auth]]\nway = \"hmac\"\nsecrets = [\"\"]\n",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}
