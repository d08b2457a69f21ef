//! Who may post: each way over HTTP, rotated while it runs.

use crate::line::{Answer, Line, PATIENCE, answer, event, sign};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use testkit::eventually;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A secret of every way, to be looked for where it must not be.
const PLANTED: &str = "hunter2-hunter2-hunter2-hunter2-!";

/// Where to, with which headers, and the status and word of the answer.
type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, u16, &'a str);

/// Writes a subscription at `/hooks/NAME` for each of these.
fn write(line: &Line, subscriptions: &[(&str, &str)]) {
    let mut text = "version = 1\n".to_owned();
    for (name, settings) in subscriptions {
        writeln!(
            text,
            "[[subscription]]\nname = \"{name}\"\npath = \"/hooks/{name}\"\ntenant = \"acme\"\nformat = \"genesys-webhook\"\n{settings}"
        )
        .unwrap();
    }
    std::fs::write(line.file(), text).unwrap();
}

async fn post(http: SocketAddr, name: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut head = format!(
        "POST /hooks/{name} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    let mut stream = TcpStream::connect(http).await.unwrap();
    let bytes = [head.as_bytes(), b"\r\n", body].concat();
    stream.write_all(&bytes).await.unwrap();
    answer(&mut stream).await
}

/// The status and, of a refusal, its word.
fn verdict(answered: &Answer) -> (u16, &str) {
    (
        answered.status,
        answered.body["error"].as_str().unwrap_or(""),
    )
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// A key of an issuer.
struct Issuer {
    kid: &'static str,
    key: EcdsaKeyPair,
}

impl Issuer {
    fn new(kid: &'static str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        Self { kid, key }
    }

    fn jwk(&self) -> Value {
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        json!({"kty": "EC", "crv": "P-256", "kid": self.kid, "x": encode(x), "y": encode(y)})
    }

    fn set(keys: &[&Self]) -> String {
        json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}).to_string()
    }

    /// The header of a request with a token for this audience.
    fn bearer(&self, audience: &str, exp: u64) -> String {
        let header = json!({"alg": "ES256", "kid": self.kid});
        let claims = json!({"iss": "https://login.example", "aud": audience, "exp": exp});
        let message = [header, claims]
            .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
            .join(".");
        let signature = self
            .key
            .sign(&SystemRandom::new(), message.as_bytes())
            .unwrap();
        format!("Bearer {message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn good(&self) -> String {
        self.bearer("kpiline", now() + 600)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_lets_the_right_in_and_nobody_else() {
    let line = Line::new().await;
    let secrets = format!("secrets = [\"{PLANTED}\"]");
    let certificate = |proxies: &str| {
        format!(
            "[[subscription.auth]]\nway = \"client-certificate\"\nproxies = [\"{proxies}\"]\nforwarded = {{}}\nuris = [\"spiffe://acme/bridge\"]"
        )
    };
    let ways = [
        ("old", format!("[subscription.signature]\n{secrets}")),
        (
            "expert",
            format!(
                "[[subscription.auth]]\nway = \"hmac\"\nheader = \"x-nexus-signature-256\"\nprefix = \"sha256=\"\nsigned = \"{{timestamp}}.{{body}}\"\ntimestamp = {{ header = \"x-nexus-timestamp\", tolerance = \"5m\" }}\n{secrets}"
            ),
        ),
        (
            "open-messaging",
            format!(
                "[[subscription.auth]]\nway = \"hmac\"\nheader = \"x-hub-signature-256\"\nprefix = \"sha256=\"\nencoding = \"base64\"\n{secrets}"
            ),
        ),
        (
            "key",
            format!("[[subscription.auth]]\nway = \"header\"\nheader = \"x-api-key\"\n{secrets}"),
        ),
        (
            "basic",
            format!(
                "[[subscription.auth]]\nway = \"basic\"\nusers = [{{ name = \"bridge\", secret = \"{PLANTED}\" }}]"
            ),
        ),
        (
            "bearer",
            format!("[[subscription.auth]]\nway = \"bearer\"\n{secrets}"),
        ),
        (
            "jwt",
            format!(
                "[[subscription.auth]]\nway = \"jwt\"\nissuer = \"https://login.example\"\naudience = \"kpiline\"\n{secrets}"
            ),
        ),
        ("proxy", certificate("127.0.0.1")),
        ("stranger", certificate("10.0.0.0/8")),
        (
            "both",
            format!(
                "require = \"all\"\n[subscription.signature]\n{secrets}\n[[subscription.auth]]\nway = \"bearer\"\n{secrets}"
            ),
        ),
    ];
    let ways = ways
        .each_ref()
        .map(|(name, settings)| (*name, settings.as_str()));
    write(&line, &ways);
    let mut receive = line.start(&["receive"], &[("KPILINE_LOG_LEVEL", "debug")]);
    let ready = receive.wait_ready().await;
    let http = ready.http_address();
    let text = event("e1");
    let body = text.as_bytes();

    let own = sign(PLANTED, body);
    let other = sign("other", body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, PLANTED.as_bytes());
    let stamped = |at: u64| {
        let text = [at.to_string().as_bytes(), b".", body].concat();
        let signature = hex::encode(hmac::sign(&key, &text));
        (format!("sha256={signature}"), at.to_string())
    };
    let hub = format!("sha256={}", STANDARD.encode(hmac::sign(&key, body)));
    let basic = |secret: &str| format!("Basic {}", STANDARD.encode(format!("bridge:{secret}")));
    let token = |audience: &str, exp: u64| {
        let claims = json!({"iss": "https://login.example", "aud": audience, "exp": exp});
        let message = [json!({"alg": "HS256"}), claims]
            .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
            .join(".");
        let signature = hmac::sign(&key, message.as_bytes());
        format!("Bearer {message}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let fresh = stamped(now());
    // Pitfall 39: small skew is tolerated, ten minutes are not; old only with an old signature.
    let ahead = stamped(now() + 240);
    let far_ahead = stamped(now() + 600);
    let old = stamped(now() - 26 * 3600);
    let millis = stamped(now() * 1000);
    let bearer = format!("Bearer {PLANTED}");
    let right = basic(PLANTED);
    let wrong = basic("hunter3");
    let signature = "x-genesys-signature";
    let nexus = "x-nexus-signature-256";
    let at = "x-nexus-timestamp";
    let forwarded = "x-forwarded-client-cert";
    let (valid, expired, foreign) = (
        token("kpiline", now() + 60),
        token("kpiline", now() - 3600),
        token("others", now() + 60),
    );
    let cases: Vec<Case<'_>> = vec![
        ("old", vec![(signature, &own)], 202, ""),
        ("old", vec![(signature, &other)], 401, "forged"),
        ("old", vec![], 401, "unsigned"),
        ("expert", vec![(nexus, &fresh.0), (at, &fresh.1)], 202, ""),
        ("expert", vec![(nexus, &ahead.0), (at, &ahead.1)], 202, ""),
        (
            "expert",
            vec![(nexus, &far_ahead.0), (at, &far_ahead.1)],
            401,
            "stale",
        ),
        ("expert", vec![(nexus, &old.0), (at, &old.1)], 401, "stale"),
        (
            "expert",
            vec![(nexus, &millis.0), (at, &millis.1)],
            401,
            "stale",
        ),
        (
            "expert",
            vec![(nexus, &old.0), (at, &fresh.1)],
            401,
            "forged",
        ),
        ("expert", vec![(nexus, &fresh.0)], 401, "unsigned"),
        (
            "open-messaging",
            vec![("x-hub-signature-256", &hub)],
            202,
            "",
        ),
        (
            "open-messaging",
            vec![("x-hub-signature-256", &own)],
            401,
            "forged",
        ),
        ("key", vec![("x-api-key", PLANTED)], 202, ""),
        ("key", vec![("x-api-key", "hunter3")], 401, "forged"),
        ("key", vec![(signature, &own)], 401, "unsigned"),
        ("basic", vec![("authorization", &right)], 202, ""),
        ("basic", vec![("authorization", &wrong)], 401, "forged"),
        ("basic", vec![("authorization", &bearer)], 401, "unsigned"),
        ("bearer", vec![("authorization", &bearer)], 202, ""),
        ("bearer", vec![("authorization", "Bearer x")], 401, "forged"),
        ("jwt", vec![("authorization", &valid)], 202, ""),
        ("jwt", vec![("authorization", &expired)], 401, "expired"),
        (
            "jwt",
            vec![("authorization", &foreign)],
            401,
            "not_permitted",
        ),
        ("jwt", vec![("authorization", &bearer)], 401, "forged"),
        (
            "proxy",
            vec![(forwarded, "URI=spiffe://acme/bridge")],
            202,
            "",
        ),
        (
            "proxy",
            vec![(forwarded, "URI=spiffe://acme/other")],
            401,
            "forged",
        ),
        (
            "stranger",
            vec![(forwarded, "URI=spiffe://acme/bridge")],
            401,
            "unsigned",
        ),
        (
            "both",
            vec![(signature, &own), ("authorization", &bearer)],
            202,
            "",
        ),
        ("both", vec![(signature, &own)], 401, "unsigned"),
        ("both", vec![("authorization", &bearer)], 401, "unsigned"),
        (
            "both",
            vec![(signature, &other), ("authorization", &bearer)],
            401,
            "forged",
        ),
    ];
    let mut accepted = 0;
    for (name, headers, status, word) in &cases {
        let answered = post(http, name, headers, body).await;
        assert_eq!(
            verdict(&answered),
            (*status, *word),
            "{name} {headers:?} {answered:?}"
        );
        accepted += u32::from(answered.status == 202);
        assert!(
            !answered.body.to_string().contains("hunter"),
            "{answered:?}"
        );
    }
    // One body that came twice to a subscription waits behind the others.
    let stored = line.broker.depth(broker::Queue::Raw).await
        + line.broker.depth(broker::Queue::RawSuspect).await;
    assert_eq!(stored, accepted);
    // Counted by reason; what the sender is not told, the operator is.
    for (outcome, count) in [
        ("unsigned", 6),
        ("untrusted_peer", 1),
        ("stale", 3),
        ("expired", 1),
        ("not_permitted", 1),
    ] {
        let series = format!("kpiline_ingest_deliveries_total{{outcome=\"{outcome}\"}}");
        let counted = testkit::http::metric(ready.ops_address(), &series).await;
        assert!(
            (counted.unwrap() - f64::from(count)).abs() < 0.5,
            "{outcome}"
        );
    }
    receive.signal("TERM");
    receive.wait(PATIENCE).await;
    let log = receive.stderr();
    assert!(log.contains("refused a delivery"), "{log}");
    assert!(!log.contains("hunter"), "{log}");
}

/// Pitfall 36: old, new and an unknown version in one header, by blank and by comma; the receiver's secrets change while it runs.
#[tokio::test(flavor = "multi_thread")]
async fn pitfall_36_two_signatures_while_a_secret_is_rotated() {
    let line = Line::new().await;
    let rotate = |secrets: &str| {
        let settings = format!(
            "[[subscription.auth]]\nway = \"hmac\"\nheader = \"x-signature\"\nprefix = \"v1=\"\nsecrets = [{secrets}]"
        );
        write(&line, &[("a", &settings)]);
    };
    rotate("\"old\"");
    let mut receive = line.start(&["receive"], &[]);
    let http = receive.wait_ready().await.http_address();
    let text = event("e1");
    let body = text.as_bytes();
    let (old, new) = (sign("old", body), sign("new", body));
    let with = async |value: &str| {
        let answered = post(http, "a", &[("x-signature", value)], body).await;
        answered.status
    };
    for value in [
        format!("v1={old} v1={new} v2=abc"),
        format!("v2={old},v1={new},v1={old}"),
    ] {
        assert_eq!(with(&value).await, 202, "{value}");
    }
    assert_eq!(with(&format!("v2={old}")).await, 401, "unknown version");
    assert_eq!(with(&format!("v1={new}")).await, 401);
    rotate("\"new\", \"old\"");
    receive.signal("HUP");
    eventually(PATIENCE, "the new one", async || {
        with(&format!("v1={new}")).await == 202
    })
    .await;
    assert_eq!(with(&format!("v1={old}")).await, 202);
    rotate("\"new\"");
    receive.signal("HUP");
    eventually(PATIENCE, "the old one alone refused", async || {
        with(&format!("v1={old}")).await == 401
    })
    .await;
    assert_eq!(with(&format!("v1={old} v1={new}")).await, 202);
}

/// A file with an issuer's keys is read again when it changes, without a signal and without a change of the other file.
#[tokio::test(flavor = "multi_thread")]
async fn an_issuers_keys_are_rotated_in_their_file() {
    let line = Line::new().await;
    let (first, second) = (Issuer::new("k1"), Issuer::new("k2"));
    let keys = line.file().with_file_name("keys.json");
    std::fs::write(&keys, Issuer::set(&[&first])).unwrap();
    write(
        &line,
        &[(
            "a",
            "[[subscription.auth]]\nway = \"jwt\"\nissuer = \"https://login.example\"\naudience = \"kpiline\"\nkeys = { file = \"keys.json\" }",
        )],
    );
    let mut receive = line.start(&["receive"], &[]);
    let http = receive.wait_ready().await.http_address();
    let with = async |issuer: &Issuer| {
        let token = issuer.good();
        let text = event("e1");
        let headers = [("authorization", token.as_str())];
        post(http, "a", &headers, text.as_bytes()).await.status
    };
    assert_eq!((with(&first).await, with(&second).await), (202, 401));
    std::fs::write(&keys, Issuer::set(&[&second])).unwrap();
    eventually(PATIENCE, "the new key", async || with(&second).await == 202).await;
    assert_eq!(with(&first).await, 401);
}

/// An issuer's keys behind HTTP on this machine.
struct KeyServer {
    set: Arc<Mutex<String>>,
    asked: Arc<Mutex<u32>>,
}

impl KeyServer {
    fn start(listener: TcpListener, set: String) -> Self {
        let set = Arc::new(Mutex::new(set));
        let asked = Arc::new(Mutex::new(0));
        let server = Self {
            set: Arc::clone(&set),
            asked: Arc::clone(&asked),
        };
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let byte = stream.read_u8().await.unwrap();
                    head.push(byte);
                }
                *asked.lock().unwrap() += 1;
                let body = set.lock().unwrap().clone();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        server
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuers_keys_are_fetched_when_they_are_needed_and_no_oftener() {
    let line = Line::new().await;
    let (first, second, nobody) = (Issuer::new("k1"), Issuer::new("k2"), Issuer::new("k3"));
    // A port that nobody listens on, yet.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    write(
        &line,
        &[(
            "a",
            &format!(
                "[[subscription.auth]]\nway = \"jwt\"\nissuer = \"https://login.example\"\naudience = \"kpiline\"\nkeys = {{ url = \"http://{address}/keys\", refresh = \"1h\", refresh_min = \"200ms\" }}"
            ),
        )],
    );
    let mut receive = line.start(&["receive"], &[]);
    let http = receive.wait_ready().await.http_address();
    let with = async |issuer: &Issuer| {
        let token = issuer.good();
        let text = event("e1");
        let headers = [("authorization", token.as_str())];
        post(http, "a", &headers, text.as_bytes()).await
    };
    // No fault of the sender: it shall come again.
    let away = with(&first).await;
    assert_eq!(verdict(&away), (503, "keys_unavailable"), "{away:?}");
    assert!(away.head.contains("retry-after: "), "{away:?}");

    let listener = TcpListener::bind(address).await.unwrap();
    let server = KeyServer::start(listener, Issuer::set(&[&first]));
    eventually(PATIENCE, "keys", async || with(&first).await.status == 202).await;
    // The issuer begins to sign with another key: the first token that names it has it fetched, long before the hour.
    *server.set.lock().unwrap() = Issuer::set(&[&first, &second]);
    eventually(PATIENCE, "another key", async || {
        with(&second).await.status == 202
    })
    .await;
    // Keys that nobody has are no reason to ask each time; each such token waits for one fetch after it was first seen.
    eventually(PATIENCE, "nobody's", async || {
        verdict(&with(&nobody).await) == (401, "forged")
    })
    .await;
    let (begun, before) = (Instant::now(), *server.asked.lock().unwrap());
    let mut refused = 0;
    eventually(PATIENCE, "asked again", async || {
        for _ in 0..10 {
            let answered = with(&nobody).await;
            let known = [(401, "forged"), (503, "keys_unavailable")];
            assert!(known.contains(&verdict(&answered)), "{answered:?}");
        }
        refused += 10;
        *server.asked.lock().unwrap() > before
    })
    .await;
    let asked = *server.asked.lock().unwrap() - before;
    let most = begun.elapsed().as_millis() / Duration::from_millis(200).as_millis() + 2;
    assert!(u128::from(asked) <= most, "{asked} of at most {most}");
    assert!(asked < refused, "{asked} for {refused} tokens");
    // A reload keeps them; the issuer is not asked in between.
    receive.signal("HUP");
    receive
        .wait_line("read again", PATIENCE, |found| {
            found.to_string().contains("were read again")
        })
        .await;
    *server.set.lock().unwrap() = "nonsense".to_owned();
    assert_eq!(with(&second).await.status, 202);
}
