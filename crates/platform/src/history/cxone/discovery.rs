//! Where a tenant's API is: never a host in a file, tenants are moved.

use crate::client::{CallError, Client, Timeouts};
use crate::outcome::SHORT_ANSWER;
use crate::token::{TokenError, Tokens};
use serde::Deserialize;
use std::time::Duration;
use url::Url;

/// A token that was granted less than so long ago says where the API is; an older one may have been granted before the tenant moved.
pub const TOKEN_BELIEVED: Duration = Duration::from_secs(60);

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discovery {
    /// The tenant's published configuration: `GET {host}/.well-known/cxone-configuration?tenantId=` → `api_endpoint` [notes 6].
    Configuration(Url),
    /// The token endpoint: its answer to an access key says `resource_server_base_uri` [notes 6].
    Token,
}

/// It cannot be found out now.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// No token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// No answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Whoever is asked is in trouble: ask again later.
    #[error("{asked} failed: {why}")]
    Failed {
        /// Who was asked.
        asked: String,
        /// What it says.
        why: String,
    },
    /// An answer without it.
    #[error("{asked} does not say where the API is: {why}")]
    Unsaid {
        /// Who was asked.
        asked: String,
        /// What it says.
        why: String,
    },
}

#[derive(Deserialize)]
struct Configuration {
    api_endpoint: String,
}

/// The base URL of a tenant's API. Keep it for a while, and ask again, not too often, after a connection failed or a 404 came for what is no
/// single thing.
///
/// `tokens` are those that the API is asked with: one that is granted on this occasion is theirs. One that was granted less than `believed`
/// ago is taken at its word ([`TOKEN_BELIEVED`] as a rule).
pub async fn discover(
    discovery: &Discovery,
    tokens: &Tokens,
    timeouts: Timeouts,
    believed: Duration,
) -> Result<Url, DiscoveryError> {
    match discovery {
        Discovery::Configuration(document) => {
            let answer = Client::new(document, timeouts)?
                .get_open(document, SHORT_ANSWER)
                .await?;
            let unsaid = |why: String| DiscoveryError::Unsaid {
                asked: document.to_string(),
                why,
            };
            match answer.status {
                200 => {}
                408 | 425 | 429 | 500.. => {
                    return Err(DiscoveryError::Failed {
                        asked: document.to_string(),
                        why: answer.words(None),
                    });
                }
                _ => return Err(unsaid(answer.words(None))),
            }
            let found: Configuration = serde_json::from_slice(&answer.body)
                .map_err(|problem| unsaid(problem.to_string()))?;
            base(&found.api_endpoint).ok_or_else(|| unsaid(found.api_endpoint.clone()))
        }
        Discovery::Token => of_token(tokens, believed).await,
    }
}

/// The base URL that came with the token.
async fn of_token(tokens: &Tokens, believed: Duration) -> Result<Url, DiscoveryError> {
    let said = tokens.resource_server(believed).await?.unwrap_or_default();
    base(&said).ok_or_else(|| DiscoveryError::Unsaid {
        asked: tokens.grant().url().to_string(),
        why: if said.is_empty() {
            "the token came without resource_server_base_uri".to_owned()
        } else {
            said
        },
    })
}

/// The host alone: what paths stand behind it differs by kind of call.
fn base(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return None;
    }
    // Of a token it may be the reporting API itself.
    let path = url.path().to_ascii_lowercase();
    let kept = path
        .find("/incontactapi")
        .map_or(path.trim_end_matches('/').len(), |at| at);
    let kept = url.path().get(..kept).unwrap_or_default().to_owned();
    url.set_path(&kept);
    url.set_query(None);
    url.set_fragment(None);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_what_all_calls_have_in_common() {
        let at = |text: &str| base(text).map(String::from);
        let host = Some("https://api-na1.example.com/".to_owned());
        assert_eq!(at("https://api-na1.example.com"), host);
        assert_eq!(at("https://api-na1.example.com/inContactAPI/"), host);
        assert_eq!(
            at("https://api-na1.example.com/incontactapi/services/v27.0"),
            host
        );
        assert_eq!(
            at("https://gateway.example.com/cx/"),
            Some("https://gateway.example.com/cx".to_owned())
        );
        assert_eq!(at("ftp://x.example.com"), None);
        assert_eq!(at(""), None);
    }
}
