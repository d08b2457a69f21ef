//! Is a delivery genuine? Decided before anything reads the body.
//!
//! No platform signs all of its webhooks in one way, relays re-sign, and event buses only send along what their connection was told
//! to; so the ways are configuration, several in one subscription, each with several secrets while one is rotated. One file per
//! way. Everything secret is compared in constant time, whatever its length and whichever of several it is, and nothing secret can be
//! printed.
//!
//! A check has two steps, so that a request without credentials costs no memory for its body: [`Authentication::admit`] looks at
//! the head, and what is then still open ([`Admission::AfterBody`], which is to say a signature over the body) is settled by
//! [`Pending::verify`] over the bytes.

pub mod authorization;
pub mod basic;
pub mod bearer;
pub mod client_certificate;
pub mod digests;
pub mod header;
pub mod hmac;
pub mod jwt;
pub mod reason;

pub use reason::Reason;

use hyper::HeaderMap;
use schema::UtcMicros;
use std::net::IpAddr;
use std::time::Duration;

/// What is known of a request before its body.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The header lines.
    pub headers: &'a HeaderMap,
    /// Who is at the other end of the connection; a proxy, mostly. Absent only where there is no connection.
    pub peer: Option<IpAddr>,
    /// Now.
    pub now: UtcMicros,
}

/// A body in both of its forms, which are the same bytes unless it was compressed.
#[derive(Debug, Clone, Copy)]
pub struct Bodies<'a> {
    /// As it came over the wire.
    pub wire: &'a [u8],
    /// Decompressed.
    pub plain: &'a [u8],
}

impl<'a> Bodies<'a> {
    /// A body that was not compressed.
    pub fn same(bytes: &'a [u8]) -> Self {
        Self {
            wire: bytes,
            plain: bytes,
        }
    }
}

/// One way of proving to be the sender.
#[derive(Debug, Clone)]
pub enum Way {
    /// A signature over the body.
    Hmac(hmac::Hmac),
    /// A header that carries a secret, an API key for example.
    Header(header::ConstantHeader),
    /// User and secret.
    Basic(basic::Basic),
    /// A constant bearer token.
    Bearer(bearer::Bearer),
    /// A bearer token signed by an issuer.
    Jwt(jwt::Jwt),
    /// A client certificate that a proxy of ours has verified.
    ClientCertificate(client_certificate::ClientCertificate),
}

impl Way {
    /// What the head alone says; `None` for a signature, which needs the body, if there is one to check.
    fn head(&self, request: &Request<'_>) -> Option<Result<(), Reason>> {
        match self {
            Self::Hmac(way) => way.present(request.headers).err().map(Err),
            Self::Header(way) => Some(way.check(request.headers)),
            Self::Basic(way) => Some(way.check(request.headers)),
            Self::Bearer(way) => Some(way.check(request.headers)),
            Self::Jwt(way) => Some(way.check(request.headers)),
            Self::ClientCertificate(way) => Some(way.check(request)),
        }
    }
}

/// How many of a subscription's ways a request has to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Require {
    /// One, whichever.
    #[default]
    Any,
    /// Each of them.
    All,
}

/// All that one subscription asks of a request.
#[derive(Debug, Clone)]
pub struct Authentication {
    ways: Vec<Way>,
    require: Require,
}

/// What a request's head has shown.
#[derive(Debug)]
pub enum Admission<'a> {
    /// The sender is proved already.
    Genuine,
    /// There is a signature, and it is over the body.
    AfterBody(Pending<'a>),
}

/// A check that waits for the body.
#[derive(Debug)]
pub struct Pending<'a> {
    authentication: &'a Authentication,
    /// Why nothing in the head was enough, as far as something was tried.
    head: Option<Reason>,
}

impl Authentication {
    /// `None` without a way: such a check would accept everybody, or nobody.
    pub fn new(ways: Vec<Way>, require: Require) -> Option<Self> {
        (!ways.is_empty()).then_some(Self { ways, require })
    }

    /// What the head decides. Waits, at most so long, where a token may be of a key that an issuer has not yet been asked for.
    pub async fn admit(
        &self,
        request: &Request<'_>,
        patience: Duration,
    ) -> Result<Admission<'_>, Reason> {
        let decided = self.decide(request);
        if !matches!(decided, Err(Reason::KeysUnavailable)) {
            return decided;
        }
        for way in &self.ways {
            if let Way::Jwt(way) = way {
                way.look_again(request.headers, patience).await;
            }
        }
        self.decide(request)
    }

    /// What the head decides, with the keys that are known now.
    pub fn decide(&self, request: &Request<'_>) -> Result<Admission<'_>, Reason> {
        let mut refused: Option<Reason> = None;
        let mut open = false;
        for way in &self.ways {
            match (way.head(request), self.require) {
                (None, _) => open = true,
                (Some(Ok(())), Require::Any) => return Ok(Admission::Genuine),
                (Some(Ok(())), Require::All) => {}
                (Some(Err(reason)), Require::Any) => refused = refused.max(Some(reason)),
                (Some(Err(reason)), Require::All) => {
                    refused = Some(refused.map_or(reason, |before| before.min(reason)));
                }
            }
        }
        match (self.require, refused, open) {
            (Require::Any, head, true) => Ok(Admission::AfterBody(Pending {
                authentication: self,
                head,
            })),
            (Require::All, None, true) => Ok(Admission::AfterBody(Pending {
                authentication: self,
                head: None,
            })),
            (Require::All, None, false) => Ok(Admission::Genuine),
            (_, refused, _) => Err(refused.unwrap_or(Reason::Unsigned)),
        }
    }

    /// Both steps at once, with the keys that are known now.
    pub fn verify(&self, request: &Request<'_>, bodies: Bodies<'_>) -> Result<(), Reason> {
        match self.decide(request)? {
            Admission::Genuine => Ok(()),
            Admission::AfterBody(pending) => pending.verify(request, bodies),
        }
    }
}

impl Pending<'_> {
    /// Whether the check needs the decompressed body. Where it does not, nothing need be decompressed for a stranger.
    pub fn needs_plain(&self) -> bool {
        self.signatures().any(|way| way.over() == hmac::Over::Plain)
    }

    /// What the body decides.
    pub fn verify(&self, request: &Request<'_>, bodies: Bodies<'_>) -> Result<(), Reason> {
        let mut found = self
            .signatures()
            .map(|way| way.check(request, bodies).err());
        match self.authentication.require {
            Require::Any => {
                let mut worst = self.head;
                for refused in found {
                    match refused {
                        None => return Ok(()),
                        reason => worst = worst.max(reason),
                    }
                }
                Err(worst.unwrap_or(Reason::Unsigned))
            }
            Require::All => found.find_map(|refused| refused).map_or(Ok(()), Err),
        }
    }

    fn signatures(&self) -> impl Iterator<Item = &hmac::Hmac> {
        self.authentication.ways.iter().filter_map(|way| match way {
            Way::Hmac(way) => Some(way),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
