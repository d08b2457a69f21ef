//! Where a page ended, as a text that only this program reads.
//!
//! It holds the key of the page's last row, and of which list: behind a cursor of another list nothing would be meant. What a reader may see
//! is decided by its token anew at each page, never by the cursor.

use super::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// A row's key has ids of others' making in it: this much and no more.
pub const CURSOR_BYTES_MAX: usize = 4096;

/// The cursor behind a row with this key, of the list that is known by its identity; `None` where the key is too long for one.
pub fn write<K: Serialize>(list: &str, key: &K) -> Option<String> {
    let bytes = serde_json::to_vec(&(of(list), key)).ok()?;
    let text = URL_SAFE_NO_PAD.encode(bytes);
    (text.len() <= CURSOR_BYTES_MAX).then_some(text)
}

/// The key behind which a page begins.
pub fn read<K: DeserializeOwned>(list: &str, text: Option<&str>) -> Result<Option<K>, Problem> {
    let Some(text) = text else {
        return Ok(None);
    };
    let decoded = URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<(String, K)>(&bytes).ok());
    match decoded {
        Some((list_of, key)) if list_of == of(list) => Ok(Some(key)),
        _ => Err(Problem::parameter(
            "cursor",
            Some(text),
            "the `next` of an earlier page of the same list, with the same parameters",
        )),
    }
}

/// A short name for a list.
fn of(list: &str) -> String {
    let digest = Sha256::digest(list.as_bytes());
    hex::encode(digest.iter().take(8).copied().collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_belongs_to_its_list() {
        let key = (7_i64, "int\"_1".to_owned());
        let text = write("a", &key).unwrap();
        assert_eq!(
            read::<(i64, String)>("a", Some(&text)),
            Ok(Some(key.clone()))
        );
        assert_eq!(read::<(i64, String)>("a", None), Ok(None));
        assert!(read::<(i64, String)>("b", Some(&text)).is_err());
        assert!(read::<(i64, i64)>("a", Some(&text)).is_err());
        for wrong in ["", "%", "AAAA", &text[1..]] {
            assert!(read::<(i64, String)>("a", Some(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(write("a", &"x".repeat(5000)), None);
    }
}
