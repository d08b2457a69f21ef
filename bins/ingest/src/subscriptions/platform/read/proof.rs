//! How a probe of ours proves that it is genuine.

use super::super::secret::{Proof, ProofEncoding, ProofScheme, SecretRef};
use super::Reader;
use hyper::header::HeaderName;
use runtime::toml_file::Section;
use toml::de::DeTable;

/// The header of a signature that names none.
const SIGNATURE_HEADER: &str = "x-genesys-signature";

/// How a subscription's deliveries prove to be genuine, in words: what its signature and its other ways say, without the secrets.
pub(in crate::subscriptions) fn ways(subscription: Section<'_>) -> Option<String> {
    let signature = subscription.table.get("signature");
    let signature = signature.and_then(|table| table.get_ref().as_table());
    let signature = signature.map(|members| {
        format!(
            "{} {}",
            text(members, "scheme").unwrap_or("hmac-sha256"),
            signature_header(members)
        )
    });
    let others = subscription
        .table
        .get("auth")
        .and_then(|ways| ways.get_ref().as_array());
    let others = others.into_iter().flat_map(|ways| ways.iter());
    let others = others.filter_map(|way| {
        let members = way.get_ref().as_table()?;
        let way = text(members, "way")?;
        Some(match text(members, "header") {
            Some(header) => format!("{way} {}", header.to_lowercase()),
            None => way.to_owned(),
        })
    });
    let all: Vec<String> = signature.into_iter().chain(others).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// A member that is a text. What is none is said where the table is read for its own sake.
fn text<'t>(members: &'t DeTable<'t>, key: &str) -> Option<&'t str> {
    members.get(key)?.get_ref().as_str()
}

/// The header of a signature, or of an HMAC, which need not name one.
fn signature_header(members: &DeTable<'_>) -> String {
    text(members, "header")
        .unwrap_or(SIGNATURE_HEADER)
        .to_lowercase()
}

impl Reader<'_, '_> {
    /// How a probe proves itself: as it is said there, else as the subscription's signature or the first of its other ways that a probe
    /// can take has it. What AWS sends has a constant header and no signature: there such a header goes before.
    pub(super) fn proof(
        &mut self,
        table: Section<'_>,
        subscription: Section<'_>,
        kind: &str,
    ) -> Option<Proof> {
        if let Some(probe) = self.file.section(table, "probe") {
            self.file
                .only(probe, &["header", "scheme", "encoding", "prefix", "secret"]);
            let header = self.header(probe);
            let scheme = self.scheme(probe);
            let encoding = self.encoding(probe);
            let secret = self.needed_secret(probe, "secret");
            return Some(Proof {
                header: header?,
                scheme: scheme?,
                encoding: encoding?,
                prefix: self.prefix(probe),
                secret: Some(secret?),
            });
        }
        let header = |reader: &Self| reader.proof_by_way(subscription, "header");
        let first = match kind {
            "genesys-eventbridge" => header(self),
            _ => None,
        };
        first
            .or_else(|| self.proof_by_signature(subscription))
            .or_else(|| header(self))
            .or_else(|| self.proof_by_way(subscription, "bearer"))
            .or_else(|| self.proof_by_way(subscription, "hmac"))
    }

    /// By the first [[subscription.auth]] of this way, if a probe can take it. What is wrong there is said where the ways are read.
    fn proof_by_way(&self, subscription: Section<'_>, way: &str) -> Option<Proof> {
        let ways = subscription.table.get("auth")?.get_ref().as_array()?;
        let mut ways = ways.iter().filter_map(|way| way.get_ref().as_table());
        // A probe signs its body with HMAC-SHA256 and no more.
        let simple = |members: &DeTable<'_>| {
            text(members, "algorithm").is_none_or(|name| name == "sha256")
                && !["signed", "timestamp", "secrets_in"]
                    .iter()
                    .any(|key| members.contains_key(*key))
        };
        let members = ways.find(|members| {
            text(members, "way") == Some(way) && (way != "hmac" || simple(members))
        })?;
        let prefix = text(members, "prefix").unwrap_or_default();
        let (header, scheme, prefix) = match way {
            "bearer" => ("authorization".to_owned(), ProofScheme::Static, "Bearer "),
            "hmac" => (signature_header(members), ProofScheme::Hmac, prefix),
            _ => (
                text(members, "header")?.to_lowercase(),
                ProofScheme::Static,
                prefix,
            ),
        };
        Some(Proof {
            header,
            scheme,
            encoding: match text(members, "encoding") {
                None | Some("hex") => ProofEncoding::Hex,
                Some("base64") => ProofEncoding::Base64,
                Some(_) => return None,
            },
            prefix: prefix.to_owned(),
            secret: self.first_secret(members),
        })
    }

    /// By the table `signature`. What is wrong there is said where it is read.
    fn proof_by_signature(&self, subscription: Section<'_>) -> Option<Proof> {
        let signature = subscription.table.get("signature")?;
        let members = signature.get_ref().as_table()?;
        Some(Proof {
            header: signature_header(members),
            scheme: match text(members, "scheme") {
                None | Some("hmac-sha256") => ProofScheme::Hmac,
                Some("static") => ProofScheme::Static,
                Some(_) => return None,
            },
            encoding: match text(members, "encoding") {
                Some("base64") => ProofEncoding::Base64,
                _ => ProofEncoding::Hex,
            },
            prefix: text(members, "prefix").unwrap_or_default().to_owned(),
            secret: self.first_secret(members),
        })
    }

    /// Of several that are in force the first one.
    fn first_secret(&self, members: &DeTable<'_>) -> Option<SecretRef> {
        let secrets = members.get("secrets")?.get_ref().as_array()?;
        self.secret(secrets.iter().next()?)
    }

    fn header(&mut self, table: Section<'_>) -> Option<String> {
        let (text, at) = self.file.required(table, "header")?;
        let name = HeaderName::from_bytes(text.as_bytes()).ok();
        if name.is_none() {
            self.file.problem(
                at,
                format_args!("`header` is `{text}`, which is no header name"),
            );
        }
        name.map(|name| name.as_str().to_owned())
    }

    fn scheme(&mut self, table: Section<'_>) -> Option<ProofScheme> {
        let known = [
            ("hmac-sha256", ProofScheme::Hmac),
            ("static", ProofScheme::Static),
        ];
        self.file.choice(table, "scheme", &known, ProofScheme::Hmac)
    }

    fn encoding(&mut self, table: Section<'_>) -> Option<ProofEncoding> {
        let known = [
            ("hex", ProofEncoding::Hex),
            ("base64", ProofEncoding::Base64),
        ];
        self.file
            .choice(table, "encoding", &known, ProofEncoding::Hex)
    }

    fn prefix(&mut self, table: Section<'_>) -> String {
        let prefix = self.file.text(table, "prefix");
        prefix.map_or_else(String::new, |(text, _)| text.to_owned())
    }
}
