//! A server of the API with some tokens, and a client that shows everything of an answer.

use broker::BrokerConfig;
use deliver::api::args::ApiArgs;
use deliver::api::handler::Handler;
use deliver::api::server::Server;
use deliver::api::session::Sessions;
use deliver::api::tokens::{LiveTokens, parse};
use deliver::api::{Context, openapi};
use runtime::Metrics;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use store::{Store, StoreConfig};
use testkit::TestDb;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::schema;

/// Reads acme alone.
pub(crate) const ACME: &str = "token-of-acme";
/// Reads everybody.
pub(crate) const ALL: &str = "token-of-all";
/// Reads two organisations.
pub(crate) const TWO: &str = "token-of-two";
/// May ask for jobs of acme, too.
pub(crate) const ASKER: &str = "token-of-asker";
/// Was good once.
pub(crate) const OVER: &str = "token-that-is-over";

/// A server of the API.
pub(crate) struct Api {
    pub(crate) db: TestDb,
    pub(crate) store: Store,
    pub(crate) address: SocketAddr,
    pub(crate) tokens: LiveTokens,
    stop: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
    description: Value,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// The text of a tokens file with those above.
pub(crate) fn tokens_file() -> String {
    let entry = |name: &str, token: &str, tenants: &str, more: &str| {
        let digest = hex::encode(Sha256::digest(token.as_bytes()));
        format!(
            "[[token]]\nname = \"{name}\"\nsha256 = \"{digest}\"\ntenants = {tenants}\n{more}\n"
        )
    };
    [
        "version = 1\n".to_owned(),
        entry("acme", ACME, "[\"acme\"]", ""),
        entry("all", ALL, "[\"*\"]", ""),
        entry(
            "asker",
            ASKER,
            "[\"acme\"]",
            "scopes = [\"read\", \"jobs\"]",
        ),
        entry("two", TWO, "[\"acme\", \"globex\"]", ""),
        entry(
            "over",
            OVER,
            "[\"acme\"]",
            "expires = \"2024-01-01T00:00:00Z\"",
        ),
    ]
    .concat()
}

impl Api {
    /// On a database with nothing in it but the schema.
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// With a broker for what is asked for.
    pub(crate) async fn start_with(broker: Option<BrokerConfig>) -> Self {
        let db = TestDb::new().await;
        let store = db.store().await;
        let reading = Store::connect(StoreConfig {
            read_only: true,
            ..StoreConfig::new(db.url(), "kpiline test api")
        })
        .await
        .unwrap();
        let tokens = LiveTokens::new(parse("tokens.toml", &tokens_file()).unwrap());
        let context = Context::new(
            reading,
            tokens.clone(),
            Sessions::new(None, false),
            &[],
            broker,
            Duration::ZERO,
        );
        let handler = Handler::new(context, Metrics::new("deliver", "test"));
        let server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = server.address();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(server.serve(handler, stop.clone()));
        Self {
            db,
            store,
            address,
            tokens,
            stop,
            serving,
            description: openapi::document(),
        }
    }

    /// Asks with a token; what is answered is what the description says.
    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        let authorization = format!("Bearer {token}");
        let answer = self
            .send("GET", path, &[("Authorization", &authorization)], "")
            .await;
        schema::check_answer(&self.description, path, &answer);
        answer
    }

    /// As [`Self::get`], of what must be there.
    pub(crate) async fn json(&self, path: &str, token: &str) -> Value {
        let answer = self.get(path, token).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    /// Sends a request as it is.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if !body.is_empty() {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        let text = tokio::time::timeout(Duration::from_secs(20), async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream
                .write_all(format!("{head}\r\n{body}").as_bytes())
                .await
                .unwrap();
            let mut text = Vec::new();
            stream.read_to_end(&mut text).await.unwrap();
            String::from_utf8(text).unwrap()
        })
        .await
        .unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        Answer {
            status,
            headers,
            body: body.to_owned(),
        }
    }

    /// Stops it, and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }
}

/// The flags parse by themselves, so that their default is what is documented.
#[test]
fn without_a_tokens_file_nothing_is_served() {
    use clap::{Args as _, FromArgMatches as _};
    let parse = |arguments: &[&str]| {
        let command = ApiArgs::augment_args(clap::Command::new("deliver"));
        let matches = command.try_get_matches_from(arguments).unwrap();
        let mut problems = runtime::Problems::new();
        let config = ApiArgs::from_arg_matches(&matches)
            .unwrap()
            .resolve(&mut problems);
        (config, problems)
    };
    let (config, problems) = parse(&["deliver"]);
    assert!(config.is_none() && problems.is_empty());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.toml");
    std::fs::write(&file, tokens_file()).unwrap();
    let file = file.to_str().unwrap();
    let (config, problems) = parse(&["deliver", "--api-tokens", file]);
    let config = config.unwrap();
    assert_eq!(
        (config.listen.to_string().as_str(), config.tokens.len()),
        ("127.0.0.1:9180", 5)
    );
    assert!(problems.is_empty());
    let (config, problems) = parse(&[
        "deliver",
        "--api-tokens",
        "none.toml",
        "--api-session-key",
        "short",
        "--api-statement-timeout",
        "1h",
    ]);
    let text = problems.into_result().unwrap_err().to_string();
    assert!(config.is_none());
    for words in [
        "none.toml: cannot be read",
        "--api-session-key: has fewer than 16 bytes",
        "--api-statement-timeout",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
}
