//! Secrets of the platform's side: named when the file is read, fetched when they are used, so that a process that asks no platform needs
//! none of them.

use ::platform::secret::Secret;
use ::platform::token::Grant;
use access::entry::GrantKind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use runtime::chain;
use runtime::toml_file::secret::SecretSource;
use url::Url;

/// A secret, by where it is.
#[derive(Debug, Clone)]
pub struct SecretRef {
    /// File and line that name it.
    pub(super) place: String,
    pub(super) source: SecretSource,
}

impl SecretRef {
    /// Fetches it, or says with file and line why not. Blanks behind what is not in the file itself are no part of it.
    pub fn fetch(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Secret, String> {
        let place = &self.place;
        let text = match &self.source {
            SecretSource::Value(secret) => return Ok(Secret::new(secret.expose())),
            elsewhere => elsewhere
                .text(variable)
                .map_err(|error| format!("{place}: {}", chain(&error)))?,
        };
        match text.trim_end() {
            "" => Err(format!("{place}: this secret is empty")),
            text => Ok(Secret::new(text)),
        }
    }
}

/// Who asks the platform.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub(super) kind: GrantKind,
    pub(super) token_url: Url,
    pub(super) client_id: SecretRef,
    pub(super) client_secret: SecretRef,
}

impl Credentials {
    /// The grant, with its secrets.
    pub fn grant(&self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Grant, String> {
        let url = self.token_url.clone();
        let id = self.client_id.fetch(variable)?.expose().to_owned();
        let secret = self.client_secret.fetch(variable)?;
        Ok(self.kind.grant(url, id, secret))
    }
}

/// How a delivery of ours proves that it is genuine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofScheme {
    /// HMAC-SHA256 over the raw body.
    Hmac,
    /// The header carries the secret.
    Static,
}

/// How an HMAC is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofEncoding {
    /// Hexadecimal.
    Hex,
    /// Base64.
    Base64,
}

/// What a delivery carries to be taken for genuine.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The header's name.
    pub header: String,
    /// What is in it.
    pub scheme: ProofScheme,
    /// How an HMAC is written.
    pub encoding: ProofEncoding,
    /// What stands before it.
    pub prefix: String,
    /// The secret.
    pub secret: Option<SecretRef>,
}

impl Proof {
    /// The header of a delivery with this body.
    pub fn header(
        &self,
        body: &[u8],
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(String, Secret), String> {
        let Some(secret) = &self.secret else {
            return Err(
                "no secret to prove a probe with; add [subscription.platform.probe]".to_owned(),
            );
        };
        let secret = secret.fetch(variable)?;
        let value = match self.scheme {
            ProofScheme::Static => secret.expose().to_owned(),
            ProofScheme::Hmac => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
                let bytes = hmac::sign(&key, body);
                match self.encoding {
                    ProofEncoding::Hex => hex::encode(bytes),
                    ProofEncoding::Base64 => STANDARD.encode(bytes),
                }
            }
        };
        let value = Secret::new(format!("{}{value}", self.prefix));
        Ok((self.header.clone(), value))
    }

    /// The way in words, without the secret.
    pub fn words(&self) -> String {
        match self.scheme {
            ProofScheme::Hmac => format!("hmac-sha256 in {}", self.header),
            ProofScheme::Static => format!("the secret in {}", self.header),
        }
    }
}
