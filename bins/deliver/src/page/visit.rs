//! Who looks at which organisation's figures.

use crate::api::problem::{Kind, Problem};
use crate::api::tokens::{Reach, Token};
use crate::api::{Context, now};
use hyper::Uri;
use schema::UtcMicros;
use std::borrow::Cow;
use std::sync::Arc;
use store::Client;
use store::reading::{Tenants, tenants};

/// Organisations that can be chosen from.
const TENANTS_MAX: u32 = 500;

/// A visit to a page.
#[derive(Debug)]
pub(super) struct Visit {
    /// Whose token it is.
    pub(super) token: Arc<Token>,
    /// The organisation that is looked at; `None`: there is none at all.
    pub(super) tenant: Option<String>,
    /// Those that can be looked at.
    pub(super) tenants: Vec<String>,
    /// When the page was asked for.
    pub(super) now: UtcMicros,
    /// The address.
    pub(super) path: String,
    /// What was chosen, in the order of the form; later ones of the same name as well.
    chosen: Vec<(String, String)>,
    /// The page's connection.
    pub(super) client: Client,
}

impl Visit {
    /// Reads the address.
    pub(super) async fn of(
        context: &Context,
        token: &Arc<Token>,
        uri: &Uri,
    ) -> Result<Self, Problem> {
        let query = uri.query().unwrap_or_default();
        let chosen: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (owned(name), owned(value)))
            .collect();
        let client = context.store.client().await?;
        let tenants = match &token.reach {
            Reach::Of(tenants) => tenants.clone(),
            Reach::All => tenants::list(&client, TENANTS_MAX).await?,
        };
        let asked = chosen.iter().find(|(name, _)| name == "tenant");
        let tenant = match asked {
            None => tenants.first().cloned(),
            Some((_, tenant)) if token.covers(tenant) => Some(tenant.clone()),
            Some(_) => {
                return Err(Problem::new(
                    Kind::Forbidden,
                    "your token does not reach this organisation",
                ));
            }
        };
        Ok(Self {
            token: Arc::clone(token),
            tenant,
            tenants,
            now: now(),
            path: uri.path().to_owned(),
            chosen,
            client,
        })
    }

    /// What was chosen of a name, if it was anything.
    pub(super) fn chosen(&self, name: &str) -> Option<&str> {
        self.chosen
            .iter()
            .find(|(chosen, value)| chosen == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// Everything that was chosen of a name.
    pub(super) fn all_chosen<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.chosen
            .iter()
            .filter(move |(chosen, value)| chosen == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// The organisation as a list, as the store takes it.
    pub(super) fn tenant_list(&self) -> &[String] {
        self.tenant.as_slice()
    }

    /// Whose jobs are shown: those of the organisation, and those of all together to who may see all.
    pub(super) fn reach(&self) -> Tenants<'_> {
        match self.token.reach {
            Reach::All => Tenants::OfAndCommon(self.tenant_list()),
            Reach::Of(_) => Tenants::Of(self.tenant_list()),
        }
    }

    /// An address with the organisation in it.
    pub(super) fn address(&self, path: &str, chosen: &[(&str, &str)]) -> String {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        if let Some(tenant) = self.tenant.as_ref().filter(|_| self.tenants.len() > 1) {
            pairs.append_pair("tenant", tenant);
        }
        pairs.extend_pairs(chosen);
        let query = pairs.finish();
        if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        }
    }
}

fn owned(text: Cow<'_, str>) -> String {
    text.into_owned()
}
