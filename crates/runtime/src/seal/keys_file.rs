//! The file of keys: TOML, with the key that seals named at the top.
//!
//! ```toml
//! version = 1
//! active = "2026-11"
//!
//! [[key]]
//! id = "2026-11"
//! secret = "…64 hexadecimal digits…"
//! ```

use super::keys::{Key, SealError, SealKeys, random};
use crate::Secret;
use crate::toml_file::{Section, TomlFile};
use toml::de::DeValue;

/// The most bytes of an id: it stands in every row.
const ID_BYTES_MAX: usize = 40;

/// A key could not be added.
#[derive(Debug, thiserror::Error)]
pub enum NewKeyError {
    /// Its id is none.
    #[error(
        "`{id}` is no id of a key; allowed are 1 to {ID_BYTES_MAX} letters, digits, `-`, `_` and `.`"
    )]
    Id {
        /// The id.
        id: String,
    },
    /// There is one of that id.
    #[error("there is a key {id} already; each needs an id of its own, for ever")]
    Taken {
        /// The id.
        id: String,
    },
    /// It could not be drawn.
    #[error("no key could be drawn")]
    Draw(#[source] SealError),
}

impl SealKeys {
    /// Reads the text of a key file. `name` is the file's, for messages, of which none repeats a secret.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<String>> {
        let mut file = TomlFile::new(name, text);
        let root = file.parse();
        let root = Section {
            table: root.get_ref(),
            at: 0,
        };
        file.only(root, &["version", "active", "key"]);
        if file.number(root, "version", 1..2).is_none() && root.table.get("version").is_none() {
            file.problem(0, "`version` is missing; it is 1");
        }
        let active = file.required(root, "active");
        let mut keys: Vec<Key> = Vec::new();
        let (found, at) = file.array(root, "key").unwrap_or_default();
        if found.is_empty() {
            file.problem(at, "no [[key]]: at least one is needed");
        }
        for value in found {
            let at = value.span().start;
            let DeValue::Table(table) = value.get_ref() else {
                file.problem(at, "`key` is no table");
                continue;
            };
            let section = Section { table, at };
            file.only(section, &["id", "secret"]);
            let id = file.required(section, "id");
            let secret = file.required(section, "secret");
            if let Some((id, at)) = id {
                if !is_id(id) {
                    file.problem(at, NewKeyError::Id { id: id.to_owned() });
                } else if keys.iter().any(|key| key.id == id) {
                    file.problem(at, format_args!("two keys have the id `{id}`"));
                }
            }
            let mut bytes = [0; 32];
            if let Some((secret, at)) = secret
                && hex::decode_to_slice(secret, &mut bytes).is_err()
            {
                file.problem(
                    at,
                    "`secret` is not 64 hexadecimal digits; `ingest keys generate` makes one",
                );
            }
            if let (Some((id, _)), Some((secret, _))) = (id, secret) {
                keys.push(Key {
                    id: id.to_owned(),
                    secret: Secret::new(secret),
                    bytes,
                });
            }
        }
        let sealing = active.and_then(|(active, at)| {
            if !keys.iter().any(|key| key.id == active) {
                let ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
                file.problem(
                    at,
                    format_args!(
                        "`active` is `{active}`; there are the keys {}",
                        ids.join(", ")
                    ),
                );
            }
            SealKeys::new(active, keys)
        });
        let problems = file.into_problems();
        match sealing {
            Some(keys) if problems.is_empty() => Ok(keys),
            _ => Err(problems),
        }
    }
}

fn is_id(id: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// The text of a new key file with one key of this id.
pub fn generated(id: &str) -> Result<Secret, NewKeyError> {
    Ok(text(id, &[(id, &drawn(id)?)]))
}

/// The text of a key file with these keys and a new one, which seals from then on.
pub fn rotated(keys: &SealKeys, id: &str) -> Result<Secret, NewKeyError> {
    if keys.ids().any(|known| known == id) {
        return Err(NewKeyError::Taken { id: id.to_owned() });
    }
    let new = drawn(id)?;
    let mut all = vec![(id, &new)];
    all.extend(keys.keys().iter().map(|key| (key.id.as_str(), &key.secret)));
    Ok(text(id, &all))
}

fn drawn(id: &str) -> Result<Secret, NewKeyError> {
    if !is_id(id) {
        return Err(NewKeyError::Id { id: id.to_owned() });
    }
    let bytes: [u8; 32] = random().map_err(NewKeyError::Draw)?;
    Ok(Secret::new(hex::encode(bytes)))
}

fn text(active: &str, keys: &[(&str, &Secret)]) -> Secret {
    let mut text = format!(
        "# The keys that raw bytes are sealed under. Without the key a row names nobody reads its bytes again: keep a copy apart from the\n\
         # database, and each key for as long as rows name it (SELECT DISTINCT raw_key FROM event_log).\n\
         version = 1\nactive = \"{active}\"\n"
    );
    for (id, secret) in keys {
        let secret = secret.expose();
        text += &["\n[[key]]\nid = \"", id, "\"\nsecret = \"", secret, "\"\n"].concat();
    }
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::RawPlace;

    fn problems(text: &str) -> Vec<String> {
        SealKeys::parse("keys.toml", text).unwrap_err()
    }

    #[test]
    fn a_generated_file_is_read_and_a_rotated_one_opens_what_was_sealed_before() {
        let first = generated("2026-05").unwrap();
        let before = SealKeys::parse("f", first.expose()).unwrap();
        let place = RawPlace {
            tenant: "t",
            subscription: "s",
            delivery: [0; 16],
        };
        let sealed = before.sealer().unwrap().seal(&place, b"bytes").unwrap();
        let second = rotated(&before, "2026-11").unwrap();
        let after = SealKeys::parse("f", second.expose()).unwrap();
        assert_eq!(after.ids().collect::<Vec<_>>(), ["2026-11", "2026-05"]);
        assert_eq!(after.sealer().unwrap().key_id(), "2026-11");
        assert_eq!(after.open("2026-05", &place, &sealed).unwrap(), b"bytes");
        assert_ne!(first.expose(), generated("2026-05").unwrap().expose());
    }

    #[test]
    fn an_id_is_short_plain_and_never_used_twice() {
        let keys = SealKeys::parse("f", generated("a").unwrap().expose()).unwrap();
        assert!(matches!(
            rotated(&keys, "a"),
            Err(NewKeyError::Taken { .. })
        ));
        for id in ["", "a b", "a\"b", &"x".repeat(41)] {
            assert!(matches!(generated(id), Err(NewKeyError::Id { .. })), "{id}");
        }
    }

    #[test]
    fn every_problem_is_listed_with_its_line_and_no_secret() {
        let secret = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let text = format!(
            "version = 2\nactive = \"c\"\ncolour = 1\n[[key]]\nid = \"a\"\nsecret = \"{}\"\n[[key]]\nid = \"a\"\nsecret = \"{secret}\"\n[[key]]\nid = \"b c\"\n",
            &secret[1..]
        );
        let found = problems(&text).join("\n");
        for part in [
            "keys.toml:1: `version` is 2",
            "keys.toml:3: unknown setting `colour`",
            "keys.toml:6: `secret` is not 64 hexadecimal digits",
            "keys.toml:8: two keys have the id `a`",
            "keys.toml:11: `b c` is no id",
            "keys.toml:10: `secret` is missing",
            "keys.toml:2: `active` is `c`",
        ] {
            assert!(found.contains(part), "{part} in {found}");
        }
        assert!(!found.contains(&secret[2..20]), "{found}");
        let empty = problems("").join("\n");
        for part in ["`version` is missing", "`active` is missing", "no [[key]]"] {
            assert!(empty.contains(part), "{part} in {empty}");
        }
    }
}
