//! A platform with a past, and a platforms file that names it.

use crate::world::World;
use double::config::History;
use double::{Config, Double};
use serde_json::Value;
use tempfile::TempDir;

/// The first instant of the platform's past; three days follow.
pub(crate) const FROM: &str = "2025-01-06T00:00:00Z";
/// The end of it.
pub(crate) const TO: &str = "2025-01-09T00:00:00Z";
/// Where an access key is turned into a token.
const ACCESS_KEY: &str = "/authentication/v1/token/access-key";
/// Conversations in these three days.
pub(crate) const CONVERSATIONS: u64 = 300;

/// The entry `g` of a platforms file: the Genesys side of the double at this URL.
pub(crate) fn genesys(url: &str, settings: &str) -> String {
    let base = stated(url);
    entry(("g", "genesys"), &base, url, "/oauth/token", settings)
}

/// The entry `c`: its CXone side.
pub(crate) fn cxone(url: &str, settings: &str) -> String {
    let base = stated(url);
    entry(("c", "cxone"), &base, url, ACCESS_KEY, settings)
}

/// The entry `t`: the same access key once more; the token says where its API is.
pub(crate) fn cxone_by_token(url: &str, settings: &str) -> String {
    entry(("t", "cxone"), "", url, ACCESS_KEY, settings)
}

fn stated(url: &str) -> String {
    format!("base_url = \"{url}\"\n")
}

fn entry(
    (name, platform): (&str, &str),
    base: &str,
    url: &str,
    token: &str,
    settings: &str,
) -> String {
    format!(
        r#"
[[platform]]
name = "{name}"
tenant = "acme"
platform = "{platform}"
{base}credentials = {{ token_url = "{url}{token}", client_id = "double-client", client_secret = "double-secret" }}
{settings}"#
    )
}

pub(crate) struct Past {
    pub(crate) world: World,
    _double: Double,
    folder: TempDir,
}

impl Past {
    /// A platform whose credential has these permissions; `None`: all.
    pub(crate) async fn new(permissions: Option<&[&str]>) -> Self {
        let mut config = Config {
            history: Some(History {
                days: 3,
                conversations: CONVERSATIONS,
                ..History::default()
            }),
            ..Config::default()
        };
        config.admin.permissions =
            permissions.map(|all| all.iter().map(|one| (*one).to_owned()).collect());
        let double = Double::start(config).await.unwrap();
        let folder = TempDir::new().unwrap();
        let url = double.url();
        let settings = "rate = { requests = 2000, period = \"10s\" }\nretry = { first = \"20ms\", longest = \"200ms\" }\n";
        let text = format!(
            "version = 1\n{}{}",
            genesys(&url, settings),
            cxone(&url, settings)
        );
        std::fs::write(folder.path().join("platforms.toml"), text).unwrap();
        Self {
            world: World::new().await,
            _double: double,
            folder,
        }
    }

    pub(crate) fn file(&self) -> String {
        let file = self.folder.path().join("platforms.toml");
        file.to_str().unwrap().to_owned()
    }

    /// Begins a job of this source about the whole past, under version 2.
    pub(crate) async fn start(
        &self,
        source: &str,
        platform: &str,
        more: &[&str],
    ) -> (std::process::ExitStatus, String, String) {
        let file = self.file();
        let usual = [
            "start",
            source,
            "--platforms",
            &file,
            "--platform",
            platform,
            "--from",
            FROM,
            "--to",
            TO,
            "--metric-version",
            "2",
        ];
        self.world.run(&[&usual[..], more].concat()).await
    }

    /// The same, which must end well; what it says.
    pub(crate) async fn started(&self, source: &str, platform: &str, more: &[&str]) -> Value {
        let (status, stdout, stderr) = self.start(source, platform, more).await;
        assert!(status.success(), "{stderr}");
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
    }
}
