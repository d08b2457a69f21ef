//! `[subscription.signature]`, and `way = "hmac"` with all its settings.
//!
//! ```toml
//! [[subscription.auth]]
//! way = "hmac"
//! header = "x-nexus-signature-256"     # x-genesys-signature where left out
//! algorithm = "sha256"                 # or sha512; sha1 for senders that know nothing else
//! encoding = "hex"                     # or base64, base64url, which both read either alphabet
//! prefix = "sha256="                   # before each signature; those without are ignored
//! signed = "{timestamp}.{body}"        # {body} alone where left out; also {header:NAME}
//! over = "wire"                        # or plain: the decompressed body
//! secrets_in = "text"                  # or hex, base64 (a leading whsec_ is passed over): how the key's bytes are written
//! secrets = [{ file = "expert-secret" }]
//! timestamp = { header = "x-nexus-timestamp", unit = "s", tolerance = "5m", future = "5m" } # unit: s, ms, iso
//! ```

use super::super::Reader;
use super::Noted;
use crate::auth::Way;
use crate::auth::digests::Digests;
use crate::auth::header::ConstantHeader;
use crate::auth::hmac::{
    Algorithm, Encoding, FUTURE_DEFAULT, Hmac, Over, Scheme, Template, Timestamp, Unit,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use hyper::header::HeaderName;
use runtime::toml_file::Section;

/// The header assumed where none is configured.
const SIGNATURE_HEADER: HeaderName = HeaderName::from_static("x-genesys-signature");
/// What some senders write before a secret in base64.
const SECRET_PREFIX: &[u8] = b"whsec_";

/// How a secret's bytes are written.
#[derive(Debug, Clone, Copy, Default)]
enum SecretsIn {
    #[default]
    Text,
    Hex,
    Base64,
}

/// The two schemes of the old table.
#[derive(Debug, Clone, Copy, Default)]
enum OldScheme {
    #[default]
    Hmac,
    Static,
}

impl Reader<'_> {
    /// The table that was there before the list: SHA-256 over the body, or a constant header.
    pub(super) fn signature(&mut self, section: Section<'_>) -> Option<Way> {
        let signature = self.file.section(section, "signature")?;
        self.file.only(
            signature,
            &["header", "scheme", "encoding", "prefix", "over", "secrets"],
        );
        let header = self.optional_header(signature, "header");
        let scheme = self.choice(
            signature,
            "scheme",
            &[
                ("hmac-sha256", OldScheme::Hmac),
                ("static", OldScheme::Static),
            ],
        );
        let encoding = self.encoding(signature);
        let prefix = self.prefix(signature);
        let over = self.over(signature);
        let secrets = self.secrets(signature);
        let header = header.ok()?.unwrap_or(SIGNATURE_HEADER);
        let (encoding, over, secrets) = (encoding?, over?, secrets?);
        match scheme? {
            OldScheme::Hmac => {
                let scheme = Scheme {
                    encoding,
                    prefix,
                    over,
                    ..Scheme::plain(header)
                };
                Hmac::new(scheme, &secrets).map(Way::Hmac)
            }
            OldScheme::Static => {
                let way = ConstantHeader::new(header, prefix, Digests::of(&secrets)?);
                Some(Way::Header(way))
            }
        }
    }

    pub(super) fn hmac(&mut self, section: Section<'_>) -> Option<Hmac> {
        self.file.only(
            section,
            &[
                "way",
                "header",
                "algorithm",
                "encoding",
                "prefix",
                "signed",
                "over",
                "secrets",
                "secrets_in",
                "timestamp",
            ],
        );
        let header = self.optional_header(section, "header");
        let algorithm = self.choice(
            section,
            "algorithm",
            &[
                ("sha256", Algorithm::Sha256),
                ("sha512", Algorithm::Sha512),
                ("sha1", Algorithm::Sha1),
            ],
        );
        let encoding = self.encoding(section);
        let prefix = self.prefix(section);
        let signed = self.signed(section);
        let over = self.over(section);
        let header = header.map(|found| found.unwrap_or(SIGNATURE_HEADER));
        let timestamp = self.timestamp(section);
        let secrets = self.keys(section);
        let signed = match (signed, &timestamp) {
            (Some((signed, at)), Ok(timestamp)) => self
                .agree(&signed, at, timestamp.as_ref())
                .then_some(signed),
            _ => None,
        };
        let scheme = Scheme {
            header: header.ok()?,
            algorithm: algorithm?,
            encoding: encoding?,
            prefix,
            signed: signed?,
            over: over?,
            timestamp: timestamp.ok()?,
        };
        Hmac::new(scheme, &secrets?)
    }

    /// Which bytes are signed of a body that travels compressed.
    fn over(&mut self, section: Section<'_>) -> Option<Over> {
        let known = [("wire", Over::Wire), ("plain", Over::Plain)];
        self.choice(section, "over", &known)
    }

    fn encoding(&mut self, section: Section<'_>) -> Option<Encoding> {
        self.choice(
            section,
            "encoding",
            &[
                ("hex", Encoding::Hex),
                ("base64", Encoding::Base64),
                ("base64url", Encoding::Base64),
            ],
        )
    }

    fn signed(&mut self, section: Section<'_>) -> Option<(Template, usize)> {
        if !section.table.contains_key("signed") {
            return Some((Template::body(), section.at));
        }
        let (text, at) = self.file.text(section, "signed")?;
        match Template::parse(text) {
            Ok(template) => Some((template, at)),
            Err(error) => {
                self.file
                    .problem(at, format_args!("`signed` is `{text}`: {error}"));
                None
            }
        }
    }

    /// A timestamp that is not signed can be written by anybody; one that is signed must be somewhere.
    fn agree(&mut self, signed: &Template, at: usize, timestamp: Option<&Timestamp>) -> bool {
        match (signed.has_timestamp(), timestamp) {
            (true, None) => {
                self.file.problem(
                    at,
                    "`signed` has {timestamp}, and `timestamp` does not say in which header it is",
                );
                false
            }
            (false, Some(_)) => {
                self.file.problem(
                    at,
                    "`timestamp` is not part of `signed`: anybody could renew it; write for example signed = \"{timestamp}.{body}\"",
                );
                false
            }
            (true, Some(_)) | (false, None) => true,
        }
    }

    fn timestamp(&mut self, section: Section<'_>) -> Result<Option<Timestamp>, Noted> {
        if !section.table.contains_key("timestamp") {
            return Ok(None);
        }
        let table = self.file.section(section, "timestamp").ok_or(Noted)?;
        self.file
            .only(table, &["header", "prefix", "unit", "tolerance", "future"]);
        let header = self.required_header(table, "header");
        let prefix = self.prefix(table);
        let unit = self.choice(
            table,
            "unit",
            &[
                ("s", Unit::Seconds),
                ("ms", Unit::Millis),
                ("iso", Unit::Iso),
            ],
        );
        let tolerance = self.file.duration(table, "tolerance");
        let future = self.file.duration(table, "future");
        let wrong = |key: &str, found: bool| table.table.contains_key(key) && !found;
        if wrong("tolerance", tolerance.is_some()) || wrong("future", future.is_some()) {
            return Err(Noted);
        }
        if future.is_some() && tolerance.is_none() {
            self.file.problem(
                table.at,
                "`future` has a meaning only with `tolerance`: without it any age will do",
            );
            return Err(Noted);
        }
        Ok(Some(Timestamp {
            header: header.ok_or(Noted)?,
            prefix,
            unit: unit.ok_or(Noted)?,
            tolerance,
            future: future.unwrap_or(FUTURE_DEFAULT),
        }))
    }

    /// The secrets as the bytes that they stand for.
    fn keys(&mut self, section: Section<'_>) -> Option<Vec<Vec<u8>>> {
        let written = self.choice(
            section,
            "secrets_in",
            &[
                ("text", SecretsIn::Text),
                ("hex", SecretsIn::Hex),
                ("base64", SecretsIn::Base64),
            ],
        );
        let secrets = self.secrets(section);
        let (written, secrets) = (written?, secrets?);
        let keys: Option<Vec<_>> = secrets
            .iter()
            .map(|secret| written.bytes(secret).filter(|bytes| !bytes.is_empty()))
            .collect();
        if keys.is_none() {
            let at = section
                .table
                .get("secrets")
                .map_or(section.at, |value| value.span().start);
            self.file
                .problem(at, "a secret is not written as `secrets_in` says, or empty");
        }
        keys
    }
}

impl SecretsIn {
    fn bytes(self, secret: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Text => Some(secret.to_vec()),
            Self::Hex => hex::decode(secret).ok(),
            Self::Base64 => {
                let secret = secret.strip_prefix(SECRET_PREFIX).unwrap_or(secret);
                [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
                    .iter()
                    .find_map(|engine| engine.decode(secret).ok())
            }
        }
    }
}
