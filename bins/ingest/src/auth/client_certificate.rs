//! Mutual TLS that a proxy of ours has ended: it verified the client's certificate and says whose it was in headers.
//!
//! Anybody can write such a header. It is believed only from the addresses of those proxies, and they must replace what a client
//! sends under that name: nginx by `proxy_set_header`, Envoy by `SANITIZE_SET` (with `APPEND_FORWARD` only the last element is the
//! proxy's own word, which is the one that counts).

mod forwarded;

use super::Request;
use super::digests::Digests;
use super::reason::Reason;
use forwarded::Asserted;
use hyper::HeaderMap;
use hyper::header::HeaderName;
use ipnet::IpNet;
use std::net::IpAddr;

/// How the proxy says it.
#[derive(Debug, Clone)]
pub enum Assertion {
    /// One value in one header, as nginx, HAProxy and load balancers are set up to.
    Headers {
        /// The header that says whether the certificate was verified, and the value for yes. Absent where the proxy lets nobody
        /// through without.
        verified: Option<(HeaderName, String)>,
        /// The header with the fingerprint in hexadecimal, colons allowed.
        fingerprint: Option<HeaderName>,
        /// The header with the subject's distinguished name.
        subject: Option<HeaderName>,
        /// The header with the URI (a SPIFFE id).
        uri: Option<HeaderName>,
    },
    /// Envoy's `x-forwarded-client-cert`: `Hash=…;Subject="…";URI=…`, one element a proxy.
    Forwarded {
        /// The header.
        header: HeaderName,
        /// Which element counts, from the end: 1 is what the proxy that connects to us says of its client.
        from_end: usize,
    },
}

/// The certificates that are let in; one that has any of these.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// SHA-256 or SHA-1 of the certificate, as bytes.
    pub fingerprints: Option<Digests>,
    /// Distinguished names, exactly as the proxy writes them.
    pub subjects: Option<Digests>,
    /// URIs, exactly.
    pub uris: Option<Digests>,
}

/// Checks what a trusted proxy asserts.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    proxies: Vec<IpNet>,
    assertion: Assertion,
    allowed: Allowed,
}

impl ClientCertificate {
    /// `None` without a proxy or without a certificate: such a check would accept nobody.
    pub fn new(proxies: Vec<IpNet>, assertion: Assertion, allowed: Allowed) -> Option<Self> {
        let nobody =
            allowed.fingerprints.is_none() && allowed.subjects.is_none() && allowed.uris.is_none();
        (!proxies.is_empty() && !nobody).then_some(Self {
            proxies,
            assertion,
            allowed,
        })
    }

    /// Looks at who is connected, then at what he says.
    pub(super) fn check(&self, request: &Request<'_>) -> Result<(), Reason> {
        let asserted = self.assertion.read(request.headers)?;
        if !request.peer.is_some_and(|peer| self.trusts(peer)) {
            return Err(Reason::UntrustedPeer);
        }
        if self.assertion.is_verified(request.headers) && self.allowed.has(&asserted) {
            Ok(())
        } else {
            Err(Reason::Forged)
        }
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        // On a socket for both families an IPv4 peer has an IPv6 form.
        let peer = peer.to_canonical();
        self.proxies.iter().any(|proxies| proxies.contains(&peer))
    }
}

impl Assertion {
    fn read(&self, headers: &HeaderMap) -> Result<Asserted, Reason> {
        match self {
            Self::Headers {
                fingerprint,
                subject,
                uri,
                ..
            } => {
                let value = |name: &Option<HeaderName>| match name {
                    Some(name) => single(headers, name),
                    None => Ok(None),
                };
                let asserted = Asserted {
                    fingerprint: value(fingerprint)?.and_then(fingerprint_bytes),
                    subject: value(subject)?.map(<[u8]>::to_vec),
                    uris: value(uri)?.map(<[u8]>::to_vec).into_iter().collect(),
                };
                let nothing = [fingerprint, subject, uri]
                    .iter()
                    .all(|name| value(name).is_ok_and(|value| value.is_none()));
                if nothing {
                    return Err(Reason::Unsigned);
                }
                Ok(asserted)
            }
            Self::Forwarded { header, from_end } => {
                let lines: Vec<_> = headers.get_all(header).iter().collect();
                let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
                if lines.iter().all(|line| line.trim_ascii().is_empty()) {
                    return Err(Reason::Unsigned);
                }
                forwarded::element(&lines.join(&b','), *from_end).ok_or(Reason::Forged)
            }
        }
    }

    fn is_verified(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Headers {
                verified: Some((name, yes)),
                ..
            } => single(headers, name).is_ok_and(|value| value == Some(yes.as_bytes())),
            Self::Headers { verified: None, .. } | Self::Forwarded { .. } => true,
        }
    }
}

impl Allowed {
    fn has(&self, asserted: &Asserted) -> bool {
        let contains = |allowed: &Option<Digests>, value: &[u8]| {
            allowed
                .as_ref()
                .is_some_and(|allowed| bool::from(allowed.contain(value)))
        };
        let fingerprint = asserted
            .fingerprint
            .as_deref()
            .is_some_and(|value| contains(&self.fingerprints, value));
        let subject = asserted
            .subject
            .as_deref()
            .is_some_and(|value| contains(&self.subjects, value));
        let uri = asserted
            .uris
            .iter()
            .any(|value| contains(&self.uris, value));
        fingerprint || subject || uri
    }
}

/// The one value of a header, `None` where it is absent or empty. Two lines mean that the proxy has let the client's pass.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h [u8]>, Reason> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(Reason::Forged),
        (value, _) => Ok(value
            .map(|value| value.as_bytes().trim_ascii())
            .filter(|value| !value.is_empty())),
    }
}

/// The bytes of a fingerprint in hexadecimal, with or without colons, in either case: 32 of SHA-256 or 20 of SHA-1.
pub fn fingerprint_bytes(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| *byte != b':').collect();
    let bytes = hex::decode(digits).ok()?;
    [32, 20].contains(&bytes.len()).then_some(bytes)
}

#[cfg(test)]
mod tests;
