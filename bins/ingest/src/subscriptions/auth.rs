//! How deliveries prove to be genuine: the `[subscription.signature]` table and the `[[subscription.auth]]` list.
//!
//! ```toml
//! [[subscription]]
//! require = "any"                      # or "all"; of the signature and every [[subscription.auth]]
//!
//! [[subscription.auth]]
//! way = "header"                       # or hmac, basic, bearer, jwt, client-certificate
//! header = "x-api-key"
//! secrets = [{ file = "api-key" }]
//! ```

mod certificate;
mod hmac;
mod jwt;

use super::Reader;
use crate::auth::basic::Basic;
use crate::auth::bearer::Bearer;
use crate::auth::digests::Digests;
use crate::auth::header::ConstantHeader;
use crate::auth::{Authentication, Require, Way};
use hyper::header::HeaderName;
use runtime::toml_file::Section;

/// The ways there are.
const WAYS: [&str; 6] = [
    "hmac",
    "header",
    "basic",
    "bearer",
    "jwt",
    "client-certificate",
];

/// What a member says cannot be used, and the problem has been noted. (That it is absent is `Ok(None)`.)
struct Noted;

impl Reader<'_> {
    /// Everything a subscription asks of a request, or `None` after noting what is wrong or missing.
    pub(super) fn authentication(&mut self, section: Section<'_>) -> Option<Authentication> {
        let require = self.choice(
            section,
            "require",
            &[("any", Require::Any), ("all", Require::All)],
        );
        let mut ways = Vec::new();
        if section.table.contains_key("signature") {
            ways.push(self.signature(section));
        }
        if let Some((entries, at)) = self.file.array(section, "auth") {
            if entries.is_empty() {
                self.file
                    .problem(at, "`auth` is empty: without a way anybody could post");
            }
            for entry in entries {
                let at = entry.span().start;
                ways.push(if let Some(table) = entry.get_ref().as_table() {
                    self.way(Section { table, at })
                } else {
                    self.file.problem(at, "a [[subscription.auth]] is a table");
                    None
                });
            }
        } else if ways.is_empty() && !section.table.contains_key("auth") {
            self.file.problem(
                section.at,
                "[subscription.signature] is missing, and there is no [[subscription.auth]]: without a secret anybody could post",
            );
        }
        let ways: Option<Vec<_>> = ways.into_iter().collect();
        Authentication::new(ways?, require?)
    }

    fn way(&mut self, section: Section<'_>) -> Option<Way> {
        let (way, at) = self.file.required(section, "way")?;
        match way {
            "hmac" => self.hmac(section).map(Way::Hmac),
            "header" => self.header_way(section).map(Way::Header),
            "basic" => self.basic(section).map(Way::Basic),
            "bearer" => {
                self.file.only(section, &["way", "secrets"]);
                let tokens = Digests::of(&self.secrets(section)?)?;
                Some(Way::Bearer(Bearer::new(tokens)))
            }
            "jwt" => self.jwt(section).map(Way::Jwt),
            "client-certificate" => self.certificate(section).map(Way::ClientCertificate),
            other => {
                let known = WAYS.join(", ");
                self.file
                    .problem(at, format_args!("`way` is `{other}`; known are {known}"));
                None
            }
        }
    }

    fn header_way(&mut self, section: Section<'_>) -> Option<ConstantHeader> {
        self.file
            .only(section, &["way", "header", "prefix", "secrets"]);
        let header = self.required_header(section, "header");
        let prefix = self.prefix(section);
        let secrets = self.secrets(section);
        Some(ConstantHeader::new(
            header?,
            prefix,
            Digests::of(&secrets?)?,
        ))
    }

    fn basic(&mut self, section: Section<'_>) -> Option<Basic> {
        self.file.only(section, &["way", "users"]);
        let entries = match self.file.array(section, "users") {
            Some((entries, _)) if !entries.is_empty() => entries,
            found => {
                let absent = found.is_some() || !section.table.contains_key("users");
                if absent {
                    self.file.problem(
                        section.at,
                        "`users` is missing or empty: without one nobody could post",
                    );
                }
                return None;
            }
        };
        let mut users = Vec::new();
        for entry in entries {
            let at = entry.span().start;
            let Some(table) = entry.get_ref().as_table() else {
                self.file
                    .problem(at, "a user is { name = …, secret = { file = … } }");
                users.push(None);
                continue;
            };
            let user = Section { table, at };
            self.file.only(user, &["name", "secret"]);
            let name = self.file.required(user, "name");
            let name = name.filter(|(name, at)| {
                let fits = !name.contains(':');
                if !fits {
                    self.file
                        .problem(*at, "a user's name has no colon in Basic authentication");
                }
                fits
            });
            let secret = if let Some(secret) = user.table.get("secret") {
                self.secret(secret)
            } else {
                self.file.problem(at, "`secret` is missing");
                None
            };
            users.push(name.and_then(|(name, _)| Some((name.to_owned(), secret?))));
        }
        let users: Option<Vec<_>> = users.into_iter().collect();
        Basic::new(&users?)
    }

    /// A choice among words; the default where nothing is said.
    pub(super) fn choice<T: Copy + Default>(
        &mut self,
        section: Section<'_>,
        key: &str,
        known: &[(&str, T)],
    ) -> Option<T> {
        self.file.choice(section, key, known, T::default())
    }

    fn prefix(&mut self, section: Section<'_>) -> Option<String> {
        self.file
            .text(section, "prefix")
            .map(|(text, _)| text.to_owned())
            .filter(|text| !text.is_empty())
    }

    /// A header's name; `None` after noting that it is absent or none.
    fn required_header(&mut self, section: Section<'_>, key: &str) -> Option<HeaderName> {
        let (text, at) = self.file.required(section, key)?;
        self.header_name(key, text, at)
    }

    /// A header's name where one is stated.
    fn optional_header(
        &mut self,
        section: Section<'_>,
        key: &str,
    ) -> Result<Option<HeaderName>, Noted> {
        if !section.table.contains_key(key) {
            return Ok(None);
        }
        let (text, at) = self.file.text(section, key).ok_or(Noted)?;
        self.header_name(key, text, at).map(Some).ok_or(Noted)
    }

    fn header_name(&mut self, key: &str, text: &str, at: usize) -> Option<HeaderName> {
        let header = HeaderName::from_bytes(text.as_bytes()).ok();
        if header.is_none() {
            self.file.problem(
                at,
                format_args!("`{key}` is `{text}`, which is no header name"),
            );
        }
        header
    }

    /// One text or a list of them, none of them empty, each with its place. Nothing where the member is absent; `None` after noting
    /// what is wrong.
    fn texts<'t>(&mut self, section: Section<'t>, key: &str) -> Option<Vec<(&'t str, usize)>> {
        let Some(value) = section.table.get(key) else {
            return Some(Vec::new());
        };
        let texts = if value.get_ref().as_str().is_some() {
            vec![self.file.text(section, key)]
        } else {
            let (entries, at) = self.file.array(section, key)?;
            if entries.is_empty() {
                self.file.problem(at, format_args!("`{key}` is empty"));
                return None;
            }
            let text = |entry: &&'t toml::Spanned<toml::de::DeValue<'t>>| {
                let text = entry.get_ref().as_str();
                (text, entry.span().start)
            };
            entries
                .iter()
                .map(text)
                .map(|(text, at)| {
                    if text.is_none() {
                        self.file
                            .problem(at, format_args!("`{key}` has texts, and this is none"));
                    }
                    text.map(|text| (text, at))
                })
                .collect()
        };
        let texts: Option<Vec<_>> = texts.into_iter().collect();
        let texts = texts?;
        let mut good = true;
        for (text, at) in &texts {
            if text.trim().is_empty() {
                self.file.problem(*at, format_args!("`{key}` is empty"));
                good = false;
            }
        }
        good.then_some(texts)
    }

    /// Notes that a member is missing if `texts` has found none.
    fn some_texts<'t>(&mut self, section: Section<'t>, key: &str) -> Option<Vec<(&'t str, usize)>> {
        let texts = self.texts(section, key)?;
        if texts.is_empty() {
            self.file
                .problem(section.at, format_args!("`{key}` is missing"));
            return None;
        }
        Some(texts)
    }
}

/// The texts without their places.
fn owned(texts: Vec<(&str, usize)>) -> Vec<String> {
    texts.into_iter().map(|(text, _)| text.to_owned()).collect()
}

#[cfg(test)]
mod tests;
