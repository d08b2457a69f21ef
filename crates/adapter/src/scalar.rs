//! One JSON value as it stands, so that a value of another type than documented becomes a named error and not a syntax error.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A JSON value; the insides of lists and objects are skipped.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Scalar<'a> {
    /// Not there, or `null`: no platform makes a difference between the two.
    #[default]
    Nothing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    List,
    Object,
}

/// What is said where a duration cannot be read.
pub(crate) const DURATION: &str = "a number of milliseconds";

impl<'a> Scalar<'a> {
    /// An id or another name: text that is not empty, or a whole number (some platforms send ids as numbers).
    /// U+0000 becomes the replacement mark, because no database text can hold it.
    pub(crate) fn name(&self) -> Result<Option<Cow<'_, str>>, ()> {
        match self {
            Self::Nothing => Ok(None),
            Self::Text(text) if text.is_empty() => Ok(None),
            Self::Text(text) => Ok(Some(storable(text))),
            Self::Int(number) => Ok(Some(Cow::Owned(number.to_string()))),
            Self::Bool(_) | Self::Float(_) | Self::List | Self::Object => Err(()),
        }
    }

    /// A duration: a whole number, a number with a fraction (rounded), or either of them as text. Size and sign are kept:
    /// what is absurd is for the rules to withhold.
    pub(crate) fn millis(&self) -> Result<Option<i64>, ()> {
        match self {
            Self::Nothing => Ok(None),
            Self::Int(number) => Ok(Some(*number)),
            Self::Float(number) => Ok(Some(rounded(*number))),
            Self::Text(text) => {
                let text = text.trim_ascii();
                if let Ok(number) = text.parse::<i64>() {
                    return Ok(Some(number));
                }
                // `f64` also reads "inf" and "nan": only digits make a number here.
                match text.parse::<f64>() {
                    Ok(number)
                        if number.is_finite() && text.contains(|c: char| c.is_ascii_digit()) =>
                    {
                        Ok(Some(rounded(number)))
                    }
                    _ => Err(()),
                }
            }
            Self::Bool(_) | Self::List | Self::Object => Err(()),
        }
    }

    /// The value as an error repeats it.
    pub(crate) fn shown(&self) -> Cow<'_, str> {
        match self {
            Self::Nothing => Cow::Borrowed("nothing"),
            Self::Bool(flag) => Cow::Owned(flag.to_string()),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Float(number) => Cow::Owned(number.to_string()),
            Self::Text(text) => Cow::Owned(format!("{text:?}")),
            Self::List => Cow::Borrowed("a list"),
            Self::Object => Cow::Borrowed("an object"),
        }
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Rounded half away from zero; what does not fit saturates, which is as absurd as it was.
#[allow(clippy::cast_possible_truncation)]
pub(crate) fn rounded(number: f64) -> i64 {
    number.round() as i64
}

/// Text that a database can hold.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if text.as_bytes().contains(&0) {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Scalar::Nothing)
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
                Ok(Scalar::Bool(flag))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Scalar::Int(number))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Scalar::Int(i64::try_from(number).unwrap_or(i64::MAX)))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Scalar::Float(number))
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::List)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Object)
            }
        }
        deserializer.deserialize_any(Any)
    }
}
