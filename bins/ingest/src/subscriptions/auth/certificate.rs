//! `way = "client-certificate"`: mutual TLS that a proxy has ended.
//!
//! ```toml
//! [[subscription.auth]]
//! way = "client-certificate"
//! proxies = ["10.0.0.0/8", "127.0.0.1"] # who may say so: the addresses that connect
//! verified = { header = "ssl-client-verify", value = "SUCCESS" } # left out where the proxy lets nobody through without
//! fingerprint_header = "ssl-client-fingerprint" # the headers with what is said; one of these three at least
//! subject_header = "ssl-client-subject-dn"
//! uri_header = "ssl-client-uri"
//! # forwarded = { header = "x-forwarded-client-cert", from_end = 1 } # Envoy's, instead of these four
//! fingerprints = ["46:8e:…"]           # who is let in: any of these
//! subjects = ["CN=bridge,O=Acme"]
//! uris = ["spiffe://acme/bridge"]
//! ```

use super::super::Reader;
use super::{Noted, owned};
use crate::auth::client_certificate::{Allowed, Assertion, ClientCertificate, fingerprint_bytes};
use crate::auth::digests::Digests;
use hyper::header::HeaderName;
use ipnet::IpNet;
use runtime::toml_file::Section;
use std::net::IpAddr;

/// Envoy's header.
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
/// The settings of single headers.
const SINGLE: [&str; 4] = [
    "verified",
    "fingerprint_header",
    "subject_header",
    "uri_header",
];

impl Reader<'_> {
    pub(super) fn certificate(&mut self, section: Section<'_>) -> Option<ClientCertificate> {
        self.file.only(
            section,
            &[
                "way",
                "proxies",
                "verified",
                "fingerprint_header",
                "subject_header",
                "uri_header",
                "forwarded",
                "fingerprints",
                "subjects",
                "uris",
            ],
        );
        let proxies = self.proxies(section);
        let assertion = if section.table.contains_key("forwarded") {
            self.forwarded(section)
        } else {
            self.headers(section)
        };
        let allowed = self.allowed(section);
        let (proxies, assertion, allowed) = (proxies?, assertion?, allowed?);
        if let Assertion::Headers {
            fingerprint,
            subject,
            uri,
            ..
        } = &assertion
        {
            for (key, header, list) in [
                ("fingerprints", fingerprint, &allowed.fingerprints),
                ("subjects", subject, &allowed.subjects),
                ("uris", uri, &allowed.uris),
            ] {
                if header.is_some() != list.is_some() {
                    self.file.problem(
                        section.at,
                        format_args!("`{key}` and the header that states them belong together: one of the two is missing"),
                    );
                    return None;
                }
            }
        }
        ClientCertificate::new(proxies, assertion, allowed)
    }

    fn proxies(&mut self, section: Section<'_>) -> Option<Vec<IpNet>> {
        let texts = self.some_texts(section, "proxies")?;
        let proxies: Vec<_> = texts
            .into_iter()
            .map(|(text, at)| {
                let address = text.parse::<IpAddr>().map(IpNet::from).ok();
                let net = address.or_else(|| text.parse().ok());
                if net.is_none() {
                    self.file.problem(
                        at,
                        format_args!("`proxies` has `{text}`, which is no address such as 10.0.0.7 and no network such as 10.0.0.0/8"),
                    );
                }
                net
            })
            .collect();
        proxies.into_iter().collect()
    }

    fn headers(&mut self, section: Section<'_>) -> Option<Assertion> {
        let verified = self.verified(section);
        let fingerprint = self.optional_header(section, "fingerprint_header");
        let subject = self.optional_header(section, "subject_header");
        let uri = self.optional_header(section, "uri_header");
        let (fingerprint, subject, uri) = (fingerprint.ok()?, subject.ok()?, uri.ok()?);
        if fingerprint.is_none() && subject.is_none() && uri.is_none() {
            self.file.problem(
                section.at,
                "no header is named that states the certificate: `fingerprint_header`, `subject_header`, `uri_header` or `forwarded`",
            );
            return None;
        }
        Some(Assertion::Headers {
            verified: verified.ok()?,
            fingerprint,
            subject,
            uri,
        })
    }

    fn verified(&mut self, section: Section<'_>) -> Result<Option<(HeaderName, String)>, Noted> {
        if !section.table.contains_key("verified") {
            return Ok(None);
        }
        let verified = self.file.section(section, "verified").ok_or(Noted)?;
        self.file.only(verified, &["header", "value"]);
        let header = self.required_header(verified, "header");
        let value = self.file.required(verified, "value");
        let (header, (value, _)) = header.zip(value).ok_or(Noted)?;
        Ok(Some((header, value.to_owned())))
    }

    fn forwarded(&mut self, section: Section<'_>) -> Option<Assertion> {
        for key in SINGLE {
            if let Some(value) = section.table.get(key) {
                self.file.problem(
                    value.span().start,
                    format_args!("`{key}` has no meaning beside `forwarded`"),
                );
            }
        }
        let forwarded = self.file.section(section, "forwarded")?;
        self.file.only(forwarded, &["header", "from_end"]);
        let header = self.optional_header(forwarded, "header");
        let from_end = if forwarded.table.contains_key("from_end") {
            self.file.number(forwarded, "from_end", 1..9)
        } else {
            Some(1)
        };
        Some(Assertion::Forwarded {
            header: header.ok()?.unwrap_or(FORWARDED),
            from_end: usize::try_from(from_end?).ok()?,
        })
    }

    fn allowed(&mut self, section: Section<'_>) -> Option<Allowed> {
        let fingerprints = self.texts(section, "fingerprints").and_then(|texts| {
            let bytes: Vec<_> = texts
                .into_iter()
                .map(|(text, at)| {
                    let bytes = fingerprint_bytes(text.as_bytes());
                    if bytes.is_none() {
                        self.file.problem(
                            at,
                            format_args!("`{text}` is no fingerprint: SHA-256 or SHA-1 in hexadecimal, colons allowed"),
                        );
                    }
                    bytes
                })
                .collect();
            bytes.into_iter().collect::<Option<Vec<_>>>()
        });
        let subjects = self.texts(section, "subjects").map(owned);
        let uris = self.texts(section, "uris").map(owned);
        let (fingerprints, subjects, uris) = (fingerprints?, subjects?, uris?);
        if fingerprints.is_empty() && subjects.is_empty() && uris.is_empty() {
            self.file.problem(
                section.at,
                "no certificate is let in: `fingerprints`, `subjects` and `uris` are all missing",
            );
            return None;
        }
        Some(Allowed {
            fingerprints: Digests::of(&fingerprints),
            subjects: Digests::of(&subjects),
            uris: Digests::of(&uris),
        })
    }
}
