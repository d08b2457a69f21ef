//! Secrets that cannot be mistaken for anything else, in every place that takes one; then everything that comes out of the binaries is searched
//! for them, in good days and in bad ones, at the highest level of logs.

use crate::harness::{Look, PATIENCE, midnight};
use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use double::emit::Options;
use double::workload::Workload;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use testkit::{Proc, TestBroker, TestDb, TestRoles, eventually, http};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is planted, by what it is for. Slashes and plus signs look otherwise in a URL, in base64 and in hexadecimal.
#[derive(Default)]
struct Planted(BTreeMap<String, String>);

impl Planted {
    fn plant(&mut self, what: &str) -> String {
        let secret = format!("pl4nted/{what}+Zq{}", self.0.len());
        self.0.insert(what.to_owned(), secret.clone());
        secret
    }

    fn plant_url(&mut self, what: &str) -> String {
        encoded(&self.plant(what))
    }

    fn learn(&mut self, what: &str, secret: &str) {
        self.0.insert(what.to_owned(), secret.to_owned());
    }

    /// Where a secret shows, in any of its forms.
    fn found_in(&self, place: &str, text: &[u8]) -> Vec<String> {
        let mut forms = Vec::new();
        for (what, secret) in &self.0 {
            forms.push((what, "as it is", secret.clone()));
            forms.push((what, "as in a URL", encoded(secret)));
            forms.push((what, "as in JSON", secret.replace('/', "\\/")));
            for shift in 0..3 {
                for (engine, name) in [(&STANDARD, "base64"), (&URL_SAFE, "base64 of URLs")] {
                    forms.push((what, name, inside_base64(engine, secret, shift)));
                }
            }
            let hexed = hex::encode(secret);
            forms.push((what, "hexadecimal", hexed));
        }
        let searched = AhoCorasick::new(forms.iter().map(|(_, _, form)| form)).unwrap();
        let mut found: Vec<String> = searched
            .find_overlapping_iter(text)
            .map(|at| {
                let (what, form, _) = &forms[at.pattern().as_usize()];
                let from = at.start().saturating_sub(200);
                let to = (at.end() + 80).min(text.len());
                format!(
                    "{place}: {what} {form}: …{}…",
                    String::from_utf8_lossy(&text[from..to])
                )
            })
            .collect();
        found.dedup();
        found.truncate(3);
        found
    }
}

fn encoded(secret: &str) -> String {
    utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string()
}

/// What is sure to be in the base64 of any text that holds the secret behind `3n + shift` bytes.
fn inside_base64(engine: &impl base64::Engine, secret: &str, shift: usize) -> String {
    let padded = [vec![b'x'; shift], secret.as_bytes().to_vec()].concat();
    let text = engine.encode(padded);
    let whole = (shift + secret.len()) / 3 * 4;
    let from = [0, 2, 3][shift];
    text[from..whole].to_owned()
}

/// A platform that repeats in every answer all that it was sent, and gives out a token that is a secret, too.
struct Echo {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Echo {
    async fn start(token: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let token = token.clone();
                tokio::spawn(async move { answer(stream, &token).await.ok() });
            }
        });
        Self { address, serving }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(mut stream: TcpStream, token: &str) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    let (head, length) = loop {
        let read = stream.read(&mut part).await?;
        if read == 0 {
            return Ok(());
        }
        request.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text[..end]
                .to_lowercase()
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.split("\r\n").next()?.parse().ok())
                .unwrap_or(0);
            break (end + 4, length);
        }
    };
    while request.len() < head + length {
        let read = stream.read(&mut part).await?;
        if read == 0 {
            break;
        }
        request.extend_from_slice(&part[..read]);
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    let refused = path.starts_with("/refused");
    let (status, body) = if path.contains("/token") && !refused {
        let body =
            serde_json::json!({"access_token": token, "token_type": "bearer", "expires_in": 3600});
        ("200 OK", body.to_string())
    } else {
        let status = if refused {
            "401 Unauthorized"
        } else {
            "400 Bad Request"
        };
        let told =
            serde_json::json!({"message": format!("what does this mean? {text}"), "status": 400});
        (status, told.to_string())
    };
    let told = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-you-said: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        path,
        body.len()
    );
    stream.write_all(told.as_bytes()).await?;
    stream.shutdown().await
}

/// Files and variables of a line whose every secret is planted.
struct World {
    folder: tempfile::TempDir,
    env: Vec<(String, String)>,
    planted: Planted,
    /// What was found, and where.
    found: Vec<String>,
}

impl World {
    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.env.push((name.to_owned(), value.into()));
    }

    fn file(&mut self, variable: &str, text: &str) -> PathBuf {
        let path = self
            .folder
            .path()
            .join(format!("{}.toml", variable.to_lowercase()));
        std::fs::write(&path, text).unwrap();
        self.set(variable, path.display().to_string());
        path
    }

    /// A planted secret in a file of its own.
    fn secret_file(&mut self, what: &str) -> String {
        let path = self.folder.path().join(what);
        let secret = self.planted.plant(what);
        std::fs::write(&path, format!("{secret}\n")).unwrap();
        path.display().to_string()
    }

    /// A planted secret in a variable of its own.
    fn secret_env(&mut self, what: &str) -> String {
        let name = format!("SECRET_{}", what.to_uppercase());
        let secret = self.planted.plant(what);
        self.set(&name, secret);
        name
    }

    fn env<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let own = self
            .env
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        own.chain(more.iter().copied()).collect()
    }

    fn look_at(&mut self, place: &str, text: &[u8]) {
        self.found.extend(self.planted.found_in(place, text));
    }

    fn command_line(&mut self, name: &str, process: &Proc) {
        let path = format!("/proc/{}/cmdline", process.id());
        let line = std::fs::read(Path::new(&path)).unwrap();
        self.look_at(&format!("the command line of {name}"), &line);
    }

    /// Runs a command, good or bad, and reads what it said.
    async fn run(&mut self, binary: &str, arguments: &[&str], more: &[(&str, &str)]) -> String {
        let mut process = Proc::spawn(binary, arguments, &self.env(more));
        process.wait(PATIENCE).await;
        let text = format!("{}\n{}", process.stdout(), process.stderr());
        self.look_at(
            &format!("{binary} {arguments:?} {:?}", names(more)),
            text.as_bytes(),
        );
        text
    }
}

fn names<'a>(more: &[(&'a str, &str)]) -> Vec<&'a str> {
    more.iter().map(|(name, _)| *name).collect()
}

fn subscriptions(world: &mut World) -> String {
    let (hmac, before) = (world.secret_env("hmac"), world.secret_file("hmac_before"));
    let (header, basic, bearer) = (
        world.secret_file("api_key"),
        world.secret_env("basic"),
        world.secret_env("bearer"),
    );
    let handshake = world.secret_env("handshake");
    format!(
        "version = 1\n\n[[subscription]]\nname = \"main\"\npath = \"/hooks/main\"\ntenant = \"acme\"\nformat = \"genesys-webhook\"\n\n\
         [subscription.signature]\nsecrets = [{{ env = \"{hmac}\" }}, {{ file = \"{before}\" }}]\n\n\
         [subscription.handshake.query]\nchallenge = \"hub.challenge\"\ntoken = \"hub.verify_token\"\ntokens = [{{ env = \"{handshake}\" }}]\n\n\
         [[subscription]]\nname = \"keys\"\npath = \"/hooks/keys\"\ntenant = \"acme\"\nformat = \"genesys-webhook\"\n\n\
         [[subscription.auth]]\nway = \"header\"\nheader = \"x-api-key\"\nsecrets = [{{ file = \"{header}\" }}]\n\n\
         [[subscription.auth]]\nway = \"basic\"\nusers = [{{ name = \"bridge\", secret = {{ env = \"{basic}\" }} }}]\n\n\
         [[subscription.auth]]\nway = \"bearer\"\nsecrets = [{{ env = \"{bearer}\" }}]\n"
    )
}

fn targets(world: &mut World, echo: &Echo) -> String {
    let url = echo.url();
    let (good, refused) = (
        world.secret_file("target_client"),
        world.secret_env("target_refused"),
    );
    let header = world.secret_env("target_header");
    let pace =
        "[target.rate]\nrequests = 600\nperiod = \"1m\"\n\n[target.retry]\nfirst = \"200ms\"\n";
    let credentials = |path: &str, secret: String| {
        format!(
            "[target.credentials]\ntoken_url = \"{url}{path}/oauth/token\"\nclient_id = \"a-client\"\nclient_secret = {secret}\n\n{pace}\n"
        )
    };
    let head = |name: &str, platform: &str, path: &str| {
        format!(
            "[[target]]\nname = \"{name}\"\ntenant = \"acme\"\nplatform = \"{platform}\"\nbase_url = \"{url}{path}\"\n\
             metrics = [\"handle_time\"]\nnot_before = \"at_once\"\n"
        )
    };
    format!(
        "version = 1\n\n{}\n{}{}\n{}{}path = \"/rows\"\ngrains = [\"interaction\"]\n\n[target.headers]\nX-Api-Key = {{ env = \"{header}\" }}\n\n\
         [target.body]\nitem = \'\'\'{{\"id\": {{{{ key }}}}, \"value\": {{{{ value }}}}}}\'\'\'\nbatch = \'\'\'{{\"rows\": [{{{{ items }}}}]}}\'\'\'\n\n{pace}",
        head("good", "genesys-custom-report", ""),
        credentials("", format!("{{ file = \"{good}\" }}")),
        head("refused", "genesys-custom-report", "/refused"),
        credentials("/refused", format!("{{ env = \"{refused}\" }}")),
        head("warehouse", "http", ""),
    )
}

fn feeds(world: &mut World, echo: &Echo) -> String {
    let url = echo.url();
    let (header, access, key) = (
        world.secret_env("feed_header"),
        world.secret_env("s3_access"),
        world.secret_file("s3_key"),
    );
    let from = midnight(3);
    let feed = |name: &str, sink: &str| {
        format!(
            "[[feed]]\nname = \"{name}\"\ntenant = \"acme\"\nlayout = 1\nby = [\"queue\"]\ninterval = \"day\"\nzone = \"UTC\"\nsettle = \"1s\"\n\
             from = \"{from}\"\nfile = \"{{feed}}/{{start}}_r{{revision}}.{{ext}}\"\nformat = \"csv\"\n\n\
             [[feed.column]]\nfield = \"Queue\"\nfrom = \"queue\"\n\n[[feed.column]]\nfield = \"Start\"\nfrom = \"start\"\n\n[[feed.column]]\nfield = \"AHT\"\nkpi = \"handle_time\"\nmeasure = \"mean\"\n\n\
             [feed.sink]\n{sink}\n[feed.retry]\nfirst = \"200ms\"\n\n"
        )
    };
    format!(
        "version = 1\n\n{}{}",
        feed(
            "plan",
            &format!(
                "kind = \"http\"\nurl = \"{url}/files/{{file}}\"\nheaders = {{ X-Api-Key = {{ env = \"{header}\" }} }}\n"
            )
        ),
        feed(
            "lake",
            &format!(
                "kind = \"s3\"\nendpoint = \"{url}\"\nregion = \"us-east-1\"\nbucket = \"lake\"\nstyle = \"path\"\n\
                 access_key = {{ env = \"{access}\" }}\nsecret_key = {{ file = \"{key}\" }}\n"
            )
        )
    )
}

fn platforms(world: &mut World, echo: &Echo) -> String {
    let url = echo.url();
    let (good, refused) = (
        world.secret_env("platform_client"),
        world.secret_file("platform_refused"),
    );
    let platform = |name: &str, path: &str, secret: String| {
        format!(
            "[[platform]]\nname = \"{name}\"\ntenant = \"acme\"\nplatform = \"genesys\"\nbase_url = \"{url}{path}\"\n\n[platform.credentials]\n\
             token_url = \"{url}{path}/oauth/token\"\nclient_id = \"a-client-{name}\"\nclient_secret = {secret}\n\n\
             [platform.rate]\nrequests = 600\nperiod = \"1m\"\n\n[platform.retry]\nfirst = \"200ms\"\nlongest = \"1s\"\n\n"
        )
    };
    format!(
        "version = 1\n\n{}{}",
        platform("good", "", format!("{{ env = \"{good}\" }}")),
        platform("refused", "/refused", format!("{{ file = \"{refused}\" }}"))
    )
}

/// Wrong in every way a file or a flag can be, with a secret in it each time.
async fn bad_days(world: &mut World, db: &TestDb, broker: &TestBroker) {
    let host = db.url().rsplit('@').next().unwrap().to_owned();
    let amqp = broker.url().rsplit('@').next().unwrap().to_owned();
    let wrong = world.planted.plant_url("amqp_wrong");
    let lost = world.planted.plant_url("database_lost");
    // Not encoded on purpose: what belongs into a URL as %2F and %2B.
    let raw = world.planted.plant("in_a_broken_url");
    let urls = [
        ("KPILINE_AMQP_URL", format!("amqp://nobody:{wrong}@{amqp}")),
        (
            "KPILINE_AMQP_URL",
            format!("amqp://nobody:{wrong}@127.0.0.1:1/%2f"),
        ),
        ("KPILINE_AMQP_URL", format!("amqps://nobody:{wrong}@{amqp}")),
        ("KPILINE_AMQP_URL", format!("amqp://nobody:{raw}@{amqp}")),
        (
            "KPILINE_AMQP_URL",
            format!("amqp://nobody:{wrong}@host:port/"),
        ),
        ("KPILINE_AMQP_URL", format!("http://nobody:{raw}@{amqp}")),
        (
            "KPILINE_DATABASE_URL",
            format!("postgres://nobody:{lost}@{host}"),
        ),
        (
            "KPILINE_DATABASE_URL",
            format!("postgres://nobody:{lost}@127.0.0.1:1/d"),
        ),
        (
            "KPILINE_DATABASE_URL",
            format!("postgres://nobody:{lost}@{host}?sslmode=verify-full"),
        ),
        (
            "KPILINE_DATABASE_URL",
            format!("postgres://nobody:{raw}?{raw}@{host}?{raw}={raw}"),
        ),
        (
            "KPILINE_DATABASE_URL",
            format!("postgres://nobody:x@y@{raw}/{host}?port={raw}"),
        ),
        (
            "KPILINE_DATABASE_URL",
            format!("mysql://nobody:{raw}@{host}"),
        ),
    ];
    for (variable, url) in &urls {
        let more = [
            (*variable, url.as_str()),
            ("KPILINE_AMQP_CONNECT_TIMEOUT", "1s"),
        ];
        let commands: &[(&str, &[&str])] = if *variable == "KPILINE_AMQP_URL" {
            &[
                ("ingest", &["queues", "declare"]),
                (
                    "backfill",
                    &[
                        "request",
                        "genesys-conversations",
                        "--platform",
                        "good",
                        "--last",
                        "1day",
                        "--metric-version",
                        "1",
                    ],
                ),
            ]
        } else {
            &[
                ("ingest", &["quarantine", "list"]),
                ("compute", &["kpi", "list"]),
                ("compute", &["migrate"]),
                ("backfill", &["status"]),
                ("deliver", &["status"]),
            ]
        };
        for (binary, arguments) in commands {
            world.run(binary, arguments, &more).await;
        }
        for binary in ["ingest", "compute", "backfill", "deliver"] {
            world.run(binary, &["check"], &more).await;
        }
    }
    // Files that hold secrets where they do not belong.
    let stray = world.planted.plant("stray");
    let broken = [
        (
            "ingest",
            "KPILINE_SUBSCRIPTIONS",
            format!(
                "version = 1\n[[subscription]]\nname = \"a\"\npath = \"/a\"\ntenant = \"t\"\nformat = \"genesys-webhook\"\n[subscription.signature]\nsecret = \"{stray}\"\n"
            ),
        ),
        (
            "ingest",
            "KPILINE_SUBSCRIPTIONS",
            format!(
                "version = 1\n[[subscription]]\nname = \"a\"\npath = \"/a\"\ntenant = \"t\"\nformat = \"genesys-webhook\"\n[subscription.signature]\nsecrets = \"{stray}\"\n"
            ),
        ),
        (
            "ingest",
            "KPILINE_SUBSCRIPTIONS",
            format!(
                "version = 1\n[[subscription]]\nname = \"a\"\npath = \"/a\"\ntenant = \"t\"\nformat = \"genesys-webhook\"\n[subscription.signature]\nsecrets = [{{ value = \"{stray}\", file = \"x\" }}, \"{stray}\n"
            ),
        ),
        (
            "ingest",
            "KPILINE_SUBSCRIPTIONS",
            format!(
                "version = 1\n[[subscription]]\nname = \"a\"\npath = \"/a\"\ntenant = \"t\"\nformat = \"genesys-webhook\"\n[subscription.signature]\nsecrets = [\"{stray}\"]\nencoding = \"base64\"\nsecrets_in = \"base64\"\n"
            ),
        ),
        (
            "deliver",
            "KPILINE_TARGETS",
            format!(
                "version = 1\n[[target]]\nname = \"a\"\ntenant = \"t\"\nplatform = \"http\"\nbase_url = \"https://u:{raw}@h\"\nmetrics = [\"aht\"]\n[target.headers]\nX-Key = \"{stray}\\u0007\"\n[target.credentials]\nclient_secret = {{ valeu = \"{stray}\" }}\n"
            ),
        ),
        (
            "deliver",
            "KPILINE_TARGETS",
            format!(
                "version = 1\n[[target]]\nname = \"a\"\nclient_secret = {{ value = \"{stray}\" \n"
            ),
        ),
        (
            "deliver",
            "KPILINE_FEEDS",
            format!(
                "version = 1\n[[feed]]\nname = \"a\"\n[feed.sink]\nkind = \"s3\"\nendpoint = \"https://u:{raw}@h\"\nsecret_key = [\"{stray}\"]\naccess_key = {{ value = 3, env = \"{stray}\" }}\n"
            ),
        ),
        (
            "backfill",
            "KPILINE_PLATFORMS",
            format!(
                "version = 1\n[[platform]]\nname = \"a\"\nbase_url = \"ftp://u:{raw}@h\"\n[platform.credentials]\ntoken_url = \"https://u:{raw}@h/t\"\nclient_secret = {{ value = [\"{stray}\"] }}\n"
            ),
        ),
    ];
    for (number, (binary, variable, text)) in broken.iter().enumerate() {
        let path = world.folder.path().join(format!("broken-{number}.toml"));
        std::fs::write(&path, text).unwrap();
        let path = path.display().to_string();
        let said = world.run(binary, &["check"], &[(variable, &path)]).await;
        assert!(!said.trim().is_empty(), "{binary} says nothing of {text}");
    }
    let keys = world.folder.path().join("broken-keys.toml");
    std::fs::write(
        &keys,
        format!("version = 1\n[[key]]\nid = \"a\"\nsecret = \"{stray}\"\n"),
    )
    .unwrap();
    let keys = keys.display().to_string();
    world
        .run("ingest", &["check"], &[("KPILINE_RAW_KEYS_FILE", &keys)])
        .await;
    let notify = format!("ftp://u:{raw}@h/");
    world
        .run("backfill", &["check"], &[("KPILINE_NOTIFY_URL", &notify)])
        .await;
    let mut worker = Proc::spawn(
        "backfill",
        &["worker"],
        &world.env(&[("KPILINE_NOTIFY_URL", notify.as_str())]),
    );
    worker.wait(PATIENCE).await;
    let text = worker.stderr();
    world.look_at("a worker with a wrong --notify-url", text.as_bytes());
    world
        .run(
            "deliver",
            &["check"],
            &[("KPILINE_API_SESSION_KEY", "short")],
        )
        .await;
}

/// Posts a body with these headers, and gives the answer.
async fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}

async fn get(address: SocketAddr, path: &str, headers: &str) -> Vec<u8> {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}

/// Senders, good ones and some that send another's secret or a wrong one.
async fn senders(world: &mut World, http: SocketAddr) {
    let secret = |world: &World, what: &str| world.planted.0[what].clone();
    let workload = Workload::new(30, 9);
    let options = Options::to("", secret(world, "hmac"));
    let signer = options.signer().unwrap();
    let mut answers = Vec::new();
    for body in &workload.events {
        let signature = signer.sign(body);
        answers.push(
            post(
                http,
                "/hooks/main",
                &[("x-genesys-signature", &signature)],
                body,
            )
            .await,
        );
    }
    let wrong = world.planted.plant("sent_by_somebody");
    let body = &workload.events[0];
    let basic =
        |user: &str, secret: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")));
    for (name, value) in [
        ("x-api-key", secret(world, "api_key")),
        ("authorization", basic("bridge", &secret(world, "basic"))),
        (
            "authorization",
            format!("Bearer {}", secret(world, "bearer")),
        ),
        ("x-api-key", wrong.clone()),
        ("authorization", basic("bridge", &wrong)),
        ("authorization", basic(&wrong, "x")),
        ("authorization", format!("Bearer {wrong}")),
        ("x-genesys-signature", wrong.clone()),
        ("cookie", wrong.clone()),
    ] {
        answers.push(post(http, "/hooks/keys", &[(name, &value)], body).await);
        answers.push(post(http, "/hooks/main", &[(name, &value)], body).await);
    }
    let token = encoded(&secret(world, "handshake"));
    for token in [token, encoded(&wrong)] {
        let path = format!("/hooks/main?hub.challenge=7&hub.verify_token={token}");
        answers.push(get(http, &path, "").await);
    }
    for answer in answers {
        world.look_at("an answer to a sender", &answer);
    }
}

/// Everything the API and the page say.
async fn readers(world: &mut World, api: SocketAddr, token: &str) {
    let authorized = format!("authorization: Bearer {token}\r\n");
    let described = get(api, "/api/v1/openapi.json", &authorized).await;
    let described = String::from_utf8_lossy(&described).into_owned();
    let body = described.split_once("\r\n\r\n").unwrap().1;
    // Chunked or not: the document is between the first and the last brace.
    let json = &body[body.find('{').unwrap()..=body.rfind('}').unwrap()];
    let description: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    let mut paths: Vec<String> = description["paths"]
        .as_object()
        .map(|paths| paths.keys().cloned().collect())
        .unwrap_or_default();
    paths.retain(|path| !path.contains('{'));
    assert!(paths.len() > 5, "{paths:?}");
    paths.push("/".to_owned());
    for path in paths {
        for headers in [
            authorized.as_str(),
            "authorization: Bearer nonsense\r\n",
            "",
        ] {
            let path = if path.contains('?') {
                path.clone()
            } else {
                format!("{path}?tenant=acme")
            };
            let said = get(api, &path, headers).await;
            world.look_at(&format!("GET {path}"), &said);
        }
    }
}

/// Every row of every table.
async fn rows(world: &mut World, look: &Look) {
    let tables = look
        .0
        .query(
            "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') \
                AND NOT c.relispartition",
            &[],
        )
        .await
        .unwrap();
    for table in tables {
        let table: String = table.get(0);
        let sql = format!("SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM {table} t");
        let text = look.text(&sql).await;
        world.look_at(&format!("table {table}"), text.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_of_anywhere() {
    let db = TestDb::new().await;
    let broker = TestBroker::declared().await;
    let roles = TestRoles::none(&db);
    let mut planted = Planted::default();
    let password = planted.plant("database");
    let role = roles.name("line");
    db.client()
        .await
        .batch_execute(&format!(
            "CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{password}'"
        ))
        .await
        .unwrap();
    let host = db.url().split_once("://").unwrap().1;
    let host = host.rsplit('@').next().unwrap().to_owned();
    let echo = Echo::start(planted.plant("access_token")).await;
    let mut world = World {
        folder: tempfile::tempdir().unwrap(),
        env: Vec::new(),
        planted,
        found: Vec::new(),
    };
    world.set(
        "KPILINE_DATABASE_URL",
        format!("postgres://{role}:{}@{host}", encoded(&password)),
    );
    world.set("KPILINE_AMQP_URL", broker.url());
    world.set("KPILINE_QUEUE_PREFIX", broker.prefix());
    world.set("KPILINE_LOG_LEVEL", "trace");
    world.set("KPILINE_LEASE", "3s");
    let text = subscriptions(&mut world);
    world.file("KPILINE_SUBSCRIPTIONS", &text);
    let text = targets(&mut world, &echo);
    world.file("KPILINE_TARGETS", &text);
    let text = feeds(&mut world, &echo);
    world.file("KPILINE_FEEDS", &text);
    let text = platforms(&mut world, &echo);
    world.file("KPILINE_PLATFORMS", &text);
    let customer = world.secret_file("customer_key");
    world.set("KPILINE_CUSTOMER_KEY_FILE", customer);
    let session = world.planted.plant("session_key");
    world.set("KPILINE_API_SESSION_KEY", session);
    let notify = world.planted.plant("notify");
    world.set("KPILINE_NOTIFY_SECRET", notify);
    world.set("KPILINE_NOTIFY_URL", format!("{}/notices", echo.url()));
    let keys = world.folder.path().join("raw-keys.toml");
    let keys = keys.display().to_string();
    world.run("ingest", &["keys", "generate", &keys], &[]).await;
    let generated = std::fs::read_to_string(&keys).unwrap();
    let key = generated
        .split('"')
        .filter(|part| part.len() > 30)
        .max_by_key(|part| part.len())
        .unwrap();
    world.planted.learn("raw_key", key);
    world.set("KPILINE_RAW_KEYS_FILE", keys);
    let (status, entry, shown) = Proc::run(
        "deliver",
        &["token", "--name", "t", "--tenant", "*"],
        &[],
        PATIENCE,
    )
    .await;
    assert!(status.success(), "{shown}");
    // Shown once, to whoever made it.
    let token = shown.lines().last().unwrap().trim().to_owned();
    world.planted.learn("api_token", &token);
    world.file("KPILINE_API_TOKENS", &format!("version = 1\n{entry}\n"));
    world.set("KPILINE_API_LISTEN", "127.0.0.1:0");

    for binary in ["ingest", "backfill", "deliver"] {
        let said = world.run(binary, &["check"], &[]).await;
        assert!(!said.contains("problem"), "{binary}: {said}");
    }
    // Help shows what the variables hold, where it may.
    for (binary, arguments) in [
        ("ingest", &["serve", "--help"][..]),
        ("ingest", &["erase", "--help"]),
        ("ingest", &["quarantine", "release", "--help"]),
        ("compute", &["serve", "--help"]),
        ("compute", &["migrate", "--help"]),
        ("backfill", &["worker", "--help"]),
        ("backfill", &["replay", "--help"]),
        ("deliver", &["serve", "--help"]),
    ] {
        let said = world.run(binary, arguments, &[]).await;
        assert!(said.contains("KPILINE_DATABASE_URL"), "{binary}: {said}");
    }
    let spawn = |world: &World, binary: &str, arguments: &[&str]| {
        Proc::spawn(binary, arguments, &world.env(&[]))
    };
    let mut processes = [
        (
            "ingest",
            spawn(&world, "ingest", &["serve", "--http-listen", "127.0.0.1:0"]),
        ),
        ("compute", spawn(&world, "compute", &["serve"])),
        (
            "backfill",
            spawn(&world, "backfill", &["worker", "--lanes", "1"]),
        ),
        ("deliver", spawn(&world, "deliver", &["serve"])),
    ];
    let mut addresses = Vec::new();
    for (_, process) in &mut processes {
        addresses.push(process.wait_ready().await);
    }
    senders(&mut world, addresses[0].http_address()).await;
    let look = Look(db.client().await);
    for platform in ["good", "refused"] {
        let start = [
            "start",
            "genesys-conversations",
            "--platform",
            platform,
            "--from",
            "2024-03-01T00:00:00Z",
            "--to",
            "2024-03-02T00:00:00Z",
            "--metric-version",
            "1",
            "--promote",
            "never",
            "--offline",
        ];
        // Refused when it asks first, and begun without asking.
        world.run("backfill", &start[..start.len() - 1], &[]).await;
        world.run("backfill", &start, &[]).await;
    }
    world.run("backfill", &["check", "--online"], &[]).await;
    for (what, sql) in [
        (
            "rows that a target refused",
            "SELECT count(*) FROM metric_sync_requests",
        ),
        (
            "files that a receiver refused",
            "SELECT count(*) FROM feed_deliveries",
        ),
        (
            "a target without a token",
            "SELECT count(*) FROM sync_targets WHERE target = 'refused'",
        ),
        (
            "chunks that wait",
            "SELECT (SELECT count(*) FROM backfill_chunks WHERE last_error IS NOT NULL) + (SELECT count(*) FROM backfill_jobs WHERE state = 'paused')",
        ),
    ] {
        eventually(PATIENCE, what, async || {
            let count = look.number(sql).await;
            if count > 0 { Ok(()) } else { Err(count) }
        })
        .await;
    }
    for arguments in [
        &["status"][..],
        &["breaker", "list"],
        &["feed", "list"],
        &["reconcile", "--target", "warehouse"],
    ] {
        world.run("deliver", arguments, &[]).await;
    }
    world.run("backfill", &["status"], &[]).await;
    world.run("ingest", &["subscription", "list"], &[]).await;
    readers(&mut world, addresses[3].http_address(), &token).await;
    for ((name, process), ready) in processes.iter_mut().zip(&addresses) {
        world.command_line(name, process);
        for path in ["/metrics", "/healthz", "/readyz"] {
            let (_, text) = http::get(ready.ops_address(), path).await.unwrap();
            world.look_at(&format!("{path} of {name}"), text.as_bytes());
        }
        process.term(PATIENCE).await;
        let log = process.stderr();
        assert!(log.len() > 1000, "{name} logs nothing at trace");
        world.look_at(&format!("the log of {name}"), log.as_bytes());
    }
    rows(&mut world, &look).await;
    bad_days(&mut world, &db, &broker).await;

    world.found.sort();
    world.found.dedup();
    assert!(
        world.found.is_empty(),
        "{} places:\n{}",
        world.found.len(),
        world.found.join("\n\n")
    );
}

/// What would be found is found: each form of a secret, wherever it lies.
#[tokio::test]
async fn a_secret_is_known_in_all_its_forms() {
    let mut planted = Planted::default();
    let secret = planted.plant("x");
    for text in [
        format!("a {secret} b"),
        format!("postgres://u:{}@h", encoded(&secret)),
        format!("Basic {}", STANDARD.encode(format!("user:{secret}"))),
        format!("Basic {}", STANDARD.encode(format!("a:{secret}"))),
        format!("Basic {}", URL_SAFE.encode(format!("bc:{secret}!"))),
        hex::encode(&secret),
    ] {
        assert!(
            !planted.found_in("here", text.as_bytes()).is_empty(),
            "{text}"
        );
    }
    assert!(planted.found_in("here", b"nothing of the kind").is_empty());
}
