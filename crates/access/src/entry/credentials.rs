//! The table `credentials`.

use super::{Entry, Query, http_url};
use platform::secret::Secret;
use platform::token::Grant;
use runtime::toml_file::secret::Secrets;
use runtime::toml_file::{Section, TomlFile};
use url::Url;

/// How a credential is turned into a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantKind {
    /// OAuth client credentials (Genesys).
    ClientCredentials,
    /// An access key (CXone).
    AccessKey,
}

impl GrantKind {
    /// The grant of this client, or key, at this token endpoint.
    #[must_use]
    pub fn grant(self, url: Url, id: String, secret: Secret) -> Grant {
        match self {
            Self::ClientCredentials => Grant::ClientCredentials {
                url,
                client_id: id,
                client_secret: secret,
            },
            Self::AccessKey => Grant::AccessKey {
                url,
                key_id: id,
                key_secret: secret,
            },
        }
    }
}

impl Entry<'_> {
    /// The table `credentials`, which must be there, with its secrets. `usual` is the kind of grant where none is named.
    pub fn grant(
        &self,
        file: &mut TomlFile<'_>,
        usual: Option<GrantKind>,
        secrets: Secrets<'_>,
    ) -> Option<Grant> {
        let Some(table) = file.section(self.section, "credentials") else {
            if !self.section.table.contains_key("credentials") {
                file.problem(
                    self.section.at,
                    format_args!("[{}.credentials] is missing", self.name),
                );
            }
            return None;
        };
        let (url, kind) = token_endpoint(file, table, None, usual);
        let id = file.secret(table, "client_id", secrets);
        let secret = file.secret(table, "client_secret", secrets);
        let (id, secret) = (id?.expose().to_owned(), Secret::new(secret?.expose()));
        Some(kind?.grant(url?, id, secret))
    }
}

/// What a table `credentials` says besides its secrets: where tokens are had, and by which grant.
pub fn token_endpoint(
    file: &mut TomlFile<'_>,
    credentials: Section<'_>,
    usual_url: Option<Url>,
    usual_kind: Option<GrantKind>,
) -> (Option<Url>, Option<GrantKind>) {
    file.only(
        credentials,
        &["grant", "token_url", "client_id", "client_secret"],
    );
    let url = if credentials.table.contains_key("token_url") {
        http_url(file, credentials, "token_url", Query::Refused)
    } else {
        if usual_url.is_none() {
            file.problem(credentials.at, "`token_url` is missing");
        }
        usual_url
    };
    let known = [
        ("client-credentials", Some(GrantKind::ClientCredentials)),
        ("access-key", Some(GrantKind::AccessKey)),
    ];
    let kind = file.choice(credentials, "grant", &known, usual_kind);
    (url, kind.flatten())
}
