//! Who asks, and what that token reaches.

use super::Context;
use super::problem::{Kind, Problem};
use super::query::{self, Parameter, Query};
use super::tokens::{Reach, Refused, Token};
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use schema::UtcMicros;
use std::sync::Arc;
use store::reading::Tenants;

/// Which organisation.
pub const TENANT: Parameter = Parameter {
    name: "tenant",
    kind: query::Kind::Text,
    required: false,
    about: "The organisation. A token for one organisation needs no such parameter.",
    example: None,
};

/// A request's token.
#[derive(Debug, Clone)]
pub struct Access {
    token: Arc<Token>,
}

impl Access {
    /// Of somebody with this token.
    #[must_use]
    pub const fn of(token: Arc<Token>) -> Self {
        Self { token }
    }

    /// By `Authorization: Bearer` (RFC 6750, section 2.1), and by nothing else: no cookie speaks for a program.
    pub fn bearer(context: &Context, headers: &HeaderMap, now: UtcMicros) -> Result<Self, Problem> {
        let refused = |detail: &str| Problem::new(Kind::Unauthorised, detail);
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next();
        if values.next().is_some() {
            return Err(refused("there is more than one Authorization"));
        }
        let shown = value
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
            .map(|(_, token)| token.trim());
        let Some(shown) = shown.filter(|token| !token.is_empty()) else {
            return Err(refused("send it as `Authorization: Bearer TOKEN`"));
        };
        match context.tokens.get().find(shown, now) {
            Ok(token) => Ok(Self { token }),
            Err(Refused::Unknown) => Err(refused("the token is not known here")),
            Err(Refused::Expired) => Err(refused("the token has expired")),
        }
    }

    /// The token.
    #[must_use]
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The organisation that is asked about: the one that was named, or the only one that the token reaches.
    pub fn tenant(&self, query: &Query) -> Result<String, Problem> {
        match (query.text(&TENANT), &self.token.reach) {
            (Some(tenant), _) => self.covering(tenant).map(str::to_owned),
            (None, Reach::Of(tenants)) if tenants.len() == 1 => {
                Ok(tenants.first().cloned().unwrap_or_default())
            }
            (None, Reach::Of(tenants)) => {
                let allowed = format!("one of {}", tenants.join(", "));
                Err(Problem::parameter(TENANT.name, None, allowed))
            }
            (None, Reach::All) => Err(Problem::parameter(
                TENANT.name,
                None,
                "must be there: the token reaches every organisation",
            )),
        }
    }

    /// The organisations that are asked about: the one that was named, or all that the token reaches.
    pub fn tenants(&self, query: &Query) -> Result<Option<Vec<String>>, Problem> {
        if let Some(tenant) = query.text(&TENANT) {
            return Ok(Some(vec![self.covering(tenant)?.to_owned()]));
        }
        Ok(match &self.token.reach {
            Reach::All => None,
            Reach::Of(tenants) => Some(tenants.clone()),
        })
    }

    fn covering<'a>(&self, tenant: &'a str) -> Result<&'a str, Problem> {
        if self.token.covers(tenant) {
            return Ok(tenant);
        }
        // Whether there is such an organisation is nobody's business who may not read it.
        Err(Problem::new(
            Kind::Forbidden,
            "the token does not reach this organisation",
        ))
    }
}

/// As the store takes them.
#[must_use]
pub fn reach(tenants: Option<&[String]>) -> Tenants<'_> {
    tenants.map_or(Tenants::All, Tenants::Of)
}
