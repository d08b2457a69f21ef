//! Numbers in bytes: seven bits a byte, from the lowest, the high bit says that more follow. Every number has one form, the shortest.

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Made by a release that packs in another way.
    #[error("packed in format {0}, which this release does not know")]
    Version(u8),
    /// Cut short.
    #[error("the bytes end too early")]
    End,
    /// More than one packed thing.
    #[error("{0} bytes are left over")]
    Left(usize),
    /// Something that packing never writes.
    #[error("the bytes hold {0}")]
    Content(&'static str),
}

pub(crate) fn put_unsigned(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(low(number) | 0x80);
        number >>= 7;
    }
    bytes.push(low(number));
}

/// Small numbers of either sign are short: 0, -1, 1, -2, …
pub(crate) fn put_signed(bytes: &mut Vec<u8>, number: i64) {
    put_unsigned(bytes, (number << 1 ^ number >> 63).cast_unsigned());
}

/// As [`put_signed`].
pub(crate) fn put_wide(bytes: &mut Vec<u8>, number: i128) {
    let mut number = ((number << 1) ^ (number >> 127)).cast_unsigned();
    loop {
        match u64::try_from(number) {
            Ok(rest) => return put_unsigned(bytes, rest),
            Err(_) => bytes.push(number.to_le_bytes()[0] | 0x80),
        }
        number >>= 7;
    }
}

#[allow(clippy::cast_possible_truncation)]
const fn low(number: u64) -> u8 {
    number as u8 & 0x7f
}

/// What is left to be read.
pub(crate) struct Reader<'a>(&'a [u8]);

const LONG: DecodeError = DecodeError::Content("a number that is too long");

impl<'a> Reader<'a> {
    /// After the version, which must be `version`.
    pub(crate) fn of(bytes: &'a [u8], version: u8) -> Result<Self, DecodeError> {
        match bytes.split_first() {
            Some((first, rest)) if *first == version => Ok(Self(rest)),
            Some((first, _)) => Err(DecodeError::Version(*first)),
            None => Err(DecodeError::End),
        }
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.0.split_first().ok_or(DecodeError::End)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (first, rest) = self.0.split_first_chunk().ok_or(DecodeError::End)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, DecodeError> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(first.into());
        }
        let mut number = u64::from(first & 0x7f);
        for shift in (7..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(LONG);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return if byte == 0 { Err(LONG) } else { Ok(number) };
            }
        }
        Err(LONG)
    }

    pub(crate) fn signed(&mut self) -> Result<i64, DecodeError> {
        let number = self.unsigned()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(crate) fn wide(&mut self) -> Result<i128, DecodeError> {
        let mut number = 0_u128;
        for shift in (0..u128::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(LONG);
            }
            number |= bits << shift;
            if byte < 0x80 {
                if byte == 0 && shift > 0 {
                    return Err(LONG);
                }
                return Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
            }
        }
        Err(LONG)
    }

    /// How many things follow, each of at least one byte: so no more than bytes are left, and room for them can be made at once.
    pub(crate) fn length(&mut self) -> Result<usize, DecodeError> {
        let length = self.unsigned()?;
        let length = usize::try_from(length).map_err(|_| DecodeError::End)?;
        if length > self.0.len() {
            return Err(DecodeError::End);
        }
        Ok(length)
    }

    /// That nothing is left.
    pub(crate) const fn finish(self) -> Result<(), DecodeError> {
        match self.0.len() {
            0 => Ok(()),
            left => Err(DecodeError::Left(left)),
        }
    }
}
