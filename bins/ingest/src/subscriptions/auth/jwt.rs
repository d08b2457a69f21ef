//! `way = "jwt"`: tokens of an issuer.
//!
//! ```toml
//! [[subscription.auth]]
//! way = "jwt"
//! issuer = "https://login.example"     # or several
//! audience = "kpiline"                 # or several; any of them. May be left out only with `claims`
//! claims = { client_id = "bridge" }    # each of them, with this value or one of several
//! scopes = ["events:write"]            # all of them
//! leeway = "1m"                        # between the clocks
//! keys = { url = "https://login.example/keys", refresh = "15m", refresh_min = "30s" } # RS256 and ES256
//! # keys = { file = "issuer-keys.json" } # the same from a file
//! # secrets = [{ file = "token-secret" }] # HS256
//! ```

use super::super::Reader;
use super::owned;
use crate::auth::jwt::{Expected, Jwt, KeySet, Keys, Pace, RemoteKeys};
use runtime::toml_file::Section;
use std::time::Duration;
use url::Url;

/// How far clocks may be apart where nothing is configured.
const LEEWAY_DEFAULT: Duration = Duration::from_secs(60);
/// The most that can be configured: beyond, an expired token is simply taken.
const LEEWAY_MAX: Duration = Duration::from_secs(15 * 60);

impl Reader<'_> {
    pub(super) fn jwt(&mut self, section: Section<'_>) -> Option<Jwt> {
        self.file.only(
            section,
            &[
                "way", "issuer", "audience", "claims", "scopes", "leeway", "keys", "secrets",
            ],
        );
        let issuers = self.some_texts(section, "issuer");
        let audiences = self.texts(section, "audience");
        let claims = self.claims(section);
        if audiences.as_ref().is_some_and(Vec::is_empty)
            && claims.as_ref().is_some_and(Vec::is_empty)
        {
            self.file.problem(
                section.at,
                "`audience` is missing: a token for anybody would do. Where the issuer's tokens have none, `claims` must say whom they are for",
            );
        }
        let scopes = self.texts(section, "scopes");
        let leeway = self.leeway(section);
        let keys = self.token_keys(section);
        let expected = Expected {
            issuers: owned(issuers?),
            audiences: owned(audiences?),
            claims: claims?,
            scopes: owned(scopes?),
            leeway: leeway?,
        };
        Jwt::new(keys?, expected)
    }

    fn leeway(&mut self, section: Section<'_>) -> Option<Duration> {
        let Some(value) = section.table.get("leeway") else {
            return Some(LEEWAY_DEFAULT);
        };
        let leeway = self.file.duration(section, "leeway")?;
        if leeway > LEEWAY_MAX {
            let minutes = LEEWAY_MAX.as_secs() / 60;
            self.file.problem(
                value.span().start,
                format_args!("`leeway` is more than {minutes}m"),
            );
            return None;
        }
        Some(leeway)
    }

    fn claims(&mut self, section: Section<'_>) -> Option<Vec<(String, Vec<String>)>> {
        if !section.table.contains_key("claims") {
            return Some(Vec::new());
        }
        let table = self.file.section(section, "claims")?;
        let claims: Vec<_> = table
            .table
            .keys()
            .map(|name| {
                let name = name.get_ref().as_ref();
                let values = self.texts(table, name)?;
                Some((name.to_owned(), owned(values)))
            })
            .collect();
        claims.into_iter().collect()
    }

    fn token_keys(&mut self, section: Section<'_>) -> Option<Keys> {
        match (
            section.table.contains_key("keys"),
            section.table.contains_key("secrets"),
        ) {
            (true, false) => {
                let keys = self.file.section(section, "keys")?;
                self.public_keys(keys)
            }
            (false, true) => {
                let secrets = self.secrets(section)?;
                match KeySet::secrets(&secrets) {
                    Ok(keys) => Some(Keys::Known(keys)),
                    Err(error) => {
                        self.file
                            .problem(section.at, format_args!("`secrets`: {error}"));
                        None
                    }
                }
            }
            _ => {
                self.file.problem(
                    section.at,
                    "give either `keys` = { url = … } or { file = … } (RS256, ES256) or `secrets` (HS256): a public key must never be taken for a secret",
                );
                None
            }
        }
    }

    fn public_keys(&mut self, keys: Section<'_>) -> Option<Keys> {
        if keys.table.contains_key("file") {
            self.file.only(keys, &["file"]);
            let (file, at) = self.file.required(keys, "file")?;
            let path = self.folder.join(file);
            self.found.secret_files.push(path.clone());
            let read = std::fs::read(&path).map_err(|error| format!("cannot be read: {error}"));
            let read = read
                .and_then(|json| KeySet::public(&json).map_err(|error| error.to_string()))
                .map_err(|error| format!("the key set {} {error}", path.display()));
            return match read {
                Ok(keys) => Some(Keys::Known(keys)),
                Err(problem) => {
                    self.file.problem(at, problem);
                    None
                }
            };
        }
        self.file.only(keys, &["url", "refresh", "refresh_min"]);
        let (text, at) = self.file.required(keys, "url")?;
        let pace = self.pace(keys)?;
        let url: Url = match text.parse() {
            Ok(url) => url,
            Err(error) => {
                self.file.problem(at, format_args!("`url`: {error}"));
                return None;
            }
        };
        if let Some(known) = self
            .found
            .remote_keys
            .iter()
            .find(|keys| keys.is(&url, pace))
        {
            return Some(Keys::Remote(known.clone()));
        }
        match RemoteKeys::new(url, pace) {
            Ok(keys) => {
                self.found.remote_keys.push(keys.clone());
                Some(Keys::Remote(keys))
            }
            Err(error) => {
                self.file.problem(at, format_args!("`url` {error}"));
                None
            }
        }
    }

    fn pace(&mut self, keys: Section<'_>) -> Option<Pace> {
        let default = Pace::default();
        let mut read = |key, default| {
            if keys.table.contains_key(key) {
                self.file.duration(keys, key)
            } else {
                Some(default)
            }
        };
        let refresh = read("refresh", default.refresh);
        let refresh_min = read("refresh_min", default.refresh_min);
        let pace = Pace {
            refresh: refresh?,
            refresh_min: refresh_min?,
        };
        if pace.refresh < pace.refresh_min {
            self.file.problem(
                keys.at,
                "`refresh` is shorter than `refresh_min`, the least time between two fetches",
            );
            return None;
        }
        Some(pace)
    }
}
