//! How our units travel in PostgreSQL's binary format.

use bytes::{BufMut, BytesMut};
use schema::UtcMicros;
use std::borrow::Cow;
use std::error::Error;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// From 1970, where our instants start, to 2000, where PostgreSQL's do.
const EPOCH_SHIFT: i64 = 946_684_800_000_000;

/// A `timestamptz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(pub(crate) UtcMicros);

impl ToSql for Instant {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        // The ends of the range mean infinity to PostgreSQL; neither is an instant anyone stated.
        let micros = self
            .0
            .0
            .checked_sub(EPOCH_SHIFT)
            .ok_or("instant out of range")?;
        if micros == i64::MAX || micros == i64::MIN {
            return Err("instant out of range".into());
        }
        out.put_i64(micros);
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Instant {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        Ok(Self(UtcMicros(micros.saturating_add(EPOCH_SHIFT))))
    }

    accepts!(TIMESTAMPTZ);
}

/// A `date`, as days since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Date(pub(crate) i32);

/// From 1970 to 2000, in days.
const EPOCH_SHIFT_DAYS: i32 = 10_957;

impl ToSql for Date {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        // As with instants, the ends mean infinity.
        match self.0.checked_sub(EPOCH_SHIFT_DAYS) {
            None | Some(i32::MIN | i32::MAX) => Err("day out of range".into()),
            Some(days) => {
                out.put_i32(days);
                Ok(IsNull::No)
            }
        }
    }

    accepts!(DATE);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Date {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let days = i32::from_be_bytes(raw.try_into()?);
        Ok(Self(days.saturating_add(EPOCH_SHIFT_DAYS)))
    }

    accepts!(DATE);
}

/// A `bit(96)`: the quarter hours of a day, bit q of byte q / 8. On the wire and to the eye the first one is on the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quarters(pub(crate) [u8; 12]);

impl ToSql for Quarters {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i32(96);
        for byte in self.0 {
            out.put_u8(byte.reverse_bits());
        }
        Ok(IsNull::No)
    }

    accepts!(BIT);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Quarters {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match raw.split_at_checked(4) {
            Some(([0, 0, 0, 96], bits)) => {
                let bits: [u8; 12] = bits.try_into()?;
                Ok(Self(bits.map(u8::reverse_bits)))
            }
            _ => Err("not 96 bits".into()),
        }
    }

    accepts!(BIT);
}

/// A `jsonb` document that is already text; sent without another copy and parsed once, by the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Json<'a>(pub(crate) Cow<'a, str>);

impl<'a> Json<'a> {
    /// The document with what JSONB cannot hold replaced.
    pub(crate) fn new(text: &'a str) -> Self {
        Self(crate::json::storable(text))
    }
}

impl ToSql for Json<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_u8(1); // the version of the binary format
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    accepts!(JSONB);
    to_sql_checked!();
}

/// A `jsonb` document as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonText(pub(crate) String);

impl<'a> FromSql<'a> for JsonText {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match raw.split_first() {
            Some((1, text)) => Ok(Self(std::str::from_utf8(text)?.to_owned())),
            _ => Err("unknown version of the jsonb format".into()),
        }
    }

    accepts!(JSONB);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_comes_back_to_the_microsecond() {
        for micros in [0, 1, -1, 1_715_783_530_451_237, EPOCH_SHIFT] {
            let mut out = BytesMut::new();
            Instant(UtcMicros(micros))
                .to_sql(&Type::TIMESTAMPTZ, &mut out)
                .unwrap();
            assert_eq!(
                Instant::from_sql(&Type::TIMESTAMPTZ, &out).unwrap(),
                Instant(UtcMicros(micros))
            );
        }
    }

    #[test]
    fn an_instant_postgresql_would_take_for_infinity_is_refused() {
        for micros in [i64::MIN, i64::MIN + EPOCH_SHIFT] {
            assert!(
                Instant(UtcMicros(micros))
                    .to_sql(&Type::TIMESTAMPTZ, &mut BytesMut::new())
                    .is_err()
            );
        }
    }
}
