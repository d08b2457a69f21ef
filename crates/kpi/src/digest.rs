//! What tells whether two documents say the same: comments, layout and the order of members are free, everything else counts.

use crate::document::whole_number;
use sha2::{Digest as _, Sha256};
use toml::de::{DeTable, DeValue};

/// The digest of a document's content (a definition, a schedule, places); of a text that is no TOML, of what can be made out of it.
///
/// A text stored under a number never changes: two texts are the same exactly if their digests are equal.
pub fn content_digest(text: &str) -> [u8; 32] {
    let (table, _) = DeTable::parse_recoverable(text);
    digest(table.get_ref())
}

/// SHA-256 over the parsed content: every value with its type, every text with its length, members by name.
pub(crate) fn digest(table: &DeTable<'_>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    digest_table(&mut hasher, table);
    hasher.finalize().into()
}

fn digest_table(hasher: &mut Sha256, table: &DeTable<'_>) {
    let mut members: Vec<(&str, &DeValue<'_>)> = table
        .iter()
        .map(|(key, value)| (key.get_ref().as_ref(), value.get_ref()))
        .collect();
    members.sort_by_key(|(name, _)| *name);
    digest_part(hasher, b'{', &members.len().to_string());
    for (name, value) in members {
        digest_part(hasher, b'k', name);
        digest_value(hasher, value);
    }
}

fn digest_value(hasher: &mut Sha256, value: &DeValue<'_>) {
    match value {
        DeValue::String(text) => digest_part(hasher, b's', text),
        DeValue::Integer(number) => match whole_number(value) {
            Some(whole) => digest_part(hasher, b'i', &whole.to_string()),
            None => digest_part(hasher, b'i', number.as_str()),
        },
        DeValue::Float(number) => {
            let number = number.as_str();
            let bits = number.parse().map(f64::to_bits);
            digest_part(
                hasher,
                b'f',
                &bits.map_or_else(|_| number.to_owned(), |bits| bits.to_string()),
            );
        }
        DeValue::Boolean(truth) => digest_part(hasher, b'b', if *truth { "1" } else { "0" }),
        DeValue::Datetime(instant) => digest_part(hasher, b'd', &instant.to_string()),
        DeValue::Array(items) => {
            digest_part(hasher, b'[', &items.len().to_string());
            for item in items {
                digest_value(hasher, item.get_ref());
            }
        }
        DeValue::Table(table) => digest_table(hasher, table),
    }
}

fn digest_part(hasher: &mut Sha256, kind: u8, text: &str) {
    hasher.update([kind]);
    hasher.update((text.len() as u64).to_be_bytes());
    hasher.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::content_digest;

    #[test]
    fn comments_layout_and_the_order_of_members_are_free_and_nothing_else_is() {
        let one = content_digest("a = 1\nb = 'x' # why\n[t]\nc = [1, 2]\n");
        assert_eq!(content_digest("b=\"x\"\na=1\nt = { c = [1,2] }"), one);
        for other in [
            "a = 1.0\nb = 'x'\n[t]\nc = [1, 2]\n",
            "a = 1\nb = 'x '\n[t]\nc = [1, 2]\n",
            "a = 1\nb = 'x'\n[t]\nc = [2, 1]\n",
            "a = 1\nb = 'x'\n[u]\nc = [1, 2]\n",
            "a = 1\nb = 'x'\n",
        ] {
            assert_ne!(content_digest(other), one, "{other}");
        }
    }
}
