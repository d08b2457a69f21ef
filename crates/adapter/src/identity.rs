//! Who a customer is, on the short way from an item to the keyed hash.

use std::fmt;

/// Bytes that need no allocation: an id of 36 characters and nearly every number and address.
const SHORT: usize = 62;

/// Who a customer is, as the platform states it: an id, a number, an address. Personal data: it is hashed under a key or dropped, and
/// neither logged nor published nor shown by `Debug`.
///
/// It is kept in place, because every item that names a customer makes one, also where nobody has a key for it.
#[derive(Clone, PartialEq, Eq)]
pub struct CustomerIdentity(Text);

#[derive(Clone, PartialEq, Eq)]
enum Text {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Box<str>),
}

impl CustomerIdentity {
    /// Wraps the text as it is.
    pub fn new(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        let mut bytes = [0; SHORT];
        let place = bytes.get_mut(..text.len());
        Self(match (place, u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Text::Short { length, bytes }
            }
            _ => Text::Long(text.into()),
        })
    }

    /// The text: for the hash, and nothing else.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Short { length, bytes } => bytes
                .get(..usize::from(*length))
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .unwrap_or_default(),
            Text::Long(text) => text,
        }
    }
}

impl fmt::Debug for CustomerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerIdentity")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_any_length_is_kept_whole_and_not_shown() {
        for length in [0, 1, 36, SHORT - 1, SHORT, SHORT + 1, 300, 70_000] {
            let text = "x".repeat(length);
            let identity = CustomerIdentity::new(&text);
            assert_eq!(identity.as_str(), text);
            assert_eq!(
                matches!(identity.0, Text::Short { .. }),
                length <= SHORT,
                "{length}"
            );
            assert_eq!(identity, CustomerIdentity::new(&text));
            assert_eq!(format!("{identity:?}"), "CustomerIdentity");
        }
        let wide = "ü".repeat(SHORT / 2);
        assert_eq!(CustomerIdentity::new(&wide).as_str(), wide);
    }
}
