//! From the file's tables to tokens, noting every problem on the way.

use super::{Reach, Token, Tokens};
use runtime::toml_file::{Section, TomlFile};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The version of the file this release reads.
const FILE_VERSION: u64 = 1;
const NAME_BYTES_MAX: usize = 128;

pub(super) fn tokens(name: &str, text: &str) -> Result<Tokens, Vec<String>> {
    let mut file = TomlFile::new(name, text);
    let root = file.parse();
    let root = Section {
        table: root.get_ref(),
        at: 0,
    };
    file.only(root, &["version", "token"]);
    if !root.table.contains_key("version") {
        file.problem(0, "`version` is missing; write `version = 1`");
    }
    file.number(root, "version", FILE_VERSION..FILE_VERSION + 1);
    let mut found: Vec<Arc<Token>> = Vec::new();
    // A file without tokens lets nobody in, which is what somebody may want while one is replaced.
    for entry in file.array(root, "token").unwrap_or_default().0 {
        let at = entry.span().start;
        let Some(table) = entry.get_ref().as_table() else {
            file.problem(at, "a [[token]] is a table");
            continue;
        };
        let Some(token) = token(&mut file, Section { table, at }) else {
            continue;
        };
        if found.iter().any(|other| other.name == token.name) {
            file.problem(at, format_args!("two tokens are called `{}`", token.name));
        }
        if found.iter().any(|other| other.digest == token.digest) {
            file.problem(
                at,
                format_args!("`{}` has the digest of another token", token.name),
            );
        }
        found.push(Arc::new(token));
    }
    let problems = file.into_problems();
    if problems.is_empty() {
        Ok(Tokens(found))
    } else {
        Err(problems)
    }
}

fn token(file: &mut TomlFile<'_>, section: Section<'_>) -> Option<Token> {
    file.only(section, &["name", "sha256", "tenants", "scopes", "expires"]);
    let name = file.required(section, "name").and_then(|(name, at)| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.len() <= NAME_BYTES_MAX && name.chars().all(plain) {
            return Some(name.to_owned());
        }
        file.problem(
            at,
            format_args!("`name` is {name:?}; allowed are up to {NAME_BYTES_MAX} letters, digits, '.', '-' and '_'"),
        );
        None
    });
    let digest = file.required(section, "sha256").and_then(|(text, at)| {
        let mut digest = [0; 32];
        // What stands there instead may be the token itself: it is not repeated.
        if hex::decode_to_slice(text, &mut digest).is_err() {
            file.problem(
                at,
                "`sha256` is not 64 hexadecimal digits; `deliver token` prints what belongs there",
            );
            return None;
        }
        Some(digest)
    });
    let tenants = texts(file, section, "tenants");
    let reach = match &tenants {
        None => {
            file.problem(
                section.at,
                "`tenants` is missing: the organisations that the token may read, or [\"*\"]",
            );
            None
        }
        Some(list) if list.is_empty() => {
            file.problem(section.at, "`tenants` names none");
            None
        }
        Some(list) if list.contains("*") && list.len() > 1 => {
            file.problem(
                section.at,
                "`tenants` has \"*\", which is every organisation, and others beside it",
            );
            None
        }
        Some(list) if list.contains("*") => Some(Reach::All),
        Some(list) => Some(Reach::Of(list.iter().cloned().collect())),
    };
    let scopes = texts(file, section, "scopes").unwrap_or_default();
    for scope in &scopes {
        if !["read", "jobs"].contains(&scope.as_str()) {
            file.problem(
                section.at,
                format_args!("`scopes` has {scope:?}; there are \"read\" and \"jobs\""),
            );
        }
    }
    let expires = match file.text(section, "expires") {
        None => None,
        Some((text, at)) => {
            let instant = adapter::instant::parse(text);
            if instant.is_none() {
                file.problem(
                    at,
                    format_args!("`expires` is {text:?}; an instant with a zone is expected, such as \"2027-01-01T00:00:00Z\""),
                );
            }
            instant
        }
    };
    Some(Token {
        name: name?,
        digest: digest?,
        reach: reach?,
        jobs: scopes.contains("jobs"),
        expires,
    })
}

/// The texts of an optional array, sorted; `None` where there is none.
fn texts(file: &mut TomlFile<'_>, section: Section<'_>, key: &str) -> Option<BTreeSet<String>> {
    let (items, _) = file.array(section, key)?;
    let mut texts = BTreeSet::new();
    for item in items {
        match item.get_ref().as_str() {
            Some(text) if !text.trim().is_empty() => {
                texts.insert(text.to_owned());
            }
            _ => file.problem(
                item.span().start,
                format_args!("`{key}` has an entry that is empty or no text"),
            ),
        }
    }
    Some(texts)
}
