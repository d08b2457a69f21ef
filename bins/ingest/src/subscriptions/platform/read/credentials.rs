//! Who asks the platform, and secrets of which the file says where they are.

use super::super::secret::{Credentials, SecretRef};
use super::{Reader, genesys_host};
use access::entry::{GrantKind, token_endpoint};
use runtime::toml_file::Section;
use runtime::toml_file::secret::SecretSource;
use toml::Spanned;
use toml::de::DeValue;

impl Reader<'_, '_> {
    pub(super) fn credentials(
        &mut self,
        table: Section<'_>,
        kind: &str,
        domain: Option<&str>,
    ) -> Option<Credentials> {
        let credentials = self.file.section(table, "credentials")?;
        if matches!(kind, "none" | "cxone-digital") {
            self.file.problem(
                credentials.at,
                format_args!(
                    "kind \"{kind}\" has no API that could be asked: leave the credentials out"
                ),
            );
        }
        let usual_url = genesys_host(domain, "login").map(|mut url| {
            url.set_path("/oauth/token");
            url
        });
        let usual_kind = Some(GrantKind::ClientCredentials);
        let (token_url, kind) = token_endpoint(self.file, credentials, usual_url, usual_kind);
        let client_id = self.needed_secret(credentials, "client_id");
        let client_secret = self.needed_secret(credentials, "client_secret");
        Some(Credentials {
            kind: kind?,
            token_url: token_url?,
            client_id: client_id?,
            client_secret: client_secret?,
        })
    }

    /// Where a secret is that must be stated.
    pub(super) fn needed_secret(&mut self, section: Section<'_>, key: &str) -> Option<SecretRef> {
        let (source, at) = self.file.secret_source(section, key, self.folder)?;
        Some(SecretRef {
            place: self.file.place(at),
            source,
        })
    }

    /// Where a secret is. What is none is nothing.
    pub(super) fn secret(&self, entry: &Spanned<DeValue<'_>>) -> Option<SecretRef> {
        Some(SecretRef {
            place: self.file.place(entry.span().start),
            source: SecretSource::parse(entry, self.folder)?,
        })
    }
}
