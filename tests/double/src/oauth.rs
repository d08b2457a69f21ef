//! Tokens: OAuth client credentials (Genesys) and access keys (CXone), and who holds a good one.

use crate::http::{Answer, json};
use crate::ledger::Ledger;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::time::{Duration, Instant};

/// Which grant is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grant {
    /// `POST /oauth/token`.
    ClientCredentials,
    /// `POST /authentication/v1/token/access-key`.
    AccessKey,
}

/// Answers a request for a token. `authorization` is that header, `url` the double's own.
pub(crate) fn grant(
    ledger: &mut Ledger,
    grant: Grant,
    authorization: Option<&str>,
    body: &[u8],
    url: &str,
) -> Answer {
    let asked = match grant {
        Grant::ClientCredentials => client_credentials(authorization, body),
        Grant::AccessKey => access_key(body),
    };
    let (id, secret) = match asked {
        Ok(pair) => pair,
        Err(error) => return refuse(400, error),
    };
    let known = ledger
        .config
        .clients
        .iter()
        .any(|client| client.id == id && client.secret == secret);
    if !known {
        return refuse(401, "invalid_client");
    }
    let lives = match grant {
        Grant::ClientCredentials => ledger.config.token.oauth_seconds,
        Grant::AccessKey => ledger.config.token.access_key_seconds,
    };
    let honoured = ledger
        .config
        .token
        .honoured_ms
        .map_or(Duration::from_secs(lives), Duration::from_millis);
    let token = format!("{:016x}{:016x}", ledger.random.bits(), ledger.random.bits());
    ledger.grants += 1;
    ledger
        .tokens
        .insert(token.clone(), (id, Instant::now() + honoured));
    match grant {
        Grant::ClientCredentials => json(
            200,
            &json!({ "access_token": token, "token_type": "bearer", "expires_in": lives }),
        ),
        Grant::AccessKey => json(
            200,
            &json!({
                "access_token": token, "token_type": "Bearer", "expires_in": lives,
                "refresh_token": format!("r{token}"), "resource_server_base_uri": url,
            }),
        ),
    }
}

/// Whose good token this `Authorization` header carries; else why it is none.
pub(crate) fn holder(ledger: &Ledger, authorization: Option<&str>) -> Result<String, &'static str> {
    let token = authorization
        .and_then(|text| strip_scheme(text, "bearer"))
        .ok_or("no bearer token")?;
    match ledger.tokens.get(token) {
        None => Err("unknown token"),
        Some((_, until)) if *until <= Instant::now() => Err("expired token"),
        Some((client, _)) => Ok(client.clone()),
    }
}

fn refuse(status: u16, error: &str) -> Answer {
    json(
        status,
        &json!({ "error": error, "error_description": "the client, its secret or the grant is not known here" }),
    )
}

fn client_credentials(
    authorization: Option<&str>,
    body: &[u8],
) -> Result<(String, String), &'static str> {
    let mut form: std::collections::HashMap<String, String> =
        url::form_urlencoded::parse(body).into_owned().collect();
    if form.get("grant_type").map(String::as_str) != Some("client_credentials") {
        return Err("unsupported_grant_type");
    }
    if let Some(basic) = authorization.and_then(|text| strip_scheme(text, "basic")) {
        let pair = STANDARD.decode(basic).map_err(|_| "invalid_request")?;
        let pair = String::from_utf8(pair).map_err(|_| "invalid_request")?;
        let (id, secret) = pair.split_once(':').ok_or("invalid_request")?;
        return Ok((id.to_owned(), secret.to_owned()));
    }
    match (form.remove("client_id"), form.remove("client_secret")) {
        (Some(id), Some(secret)) => Ok((id, secret)),
        _ => Err("invalid_request"),
    }
}

fn access_key(body: &[u8]) -> Result<(String, String), &'static str> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Asked {
        access_key_id: String,
        access_key_secret: String,
    }
    serde_json::from_slice(body)
        .map(|asked: Asked| (asked.access_key_id, asked.access_key_secret))
        .map_err(|_| "invalid_request")
}

/// What follows the scheme's name, whatever its case.
fn strip_scheme<'a>(header: &'a str, scheme: &str) -> Option<&'a str> {
    let (name, rest) = header.split_once(' ')?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}
