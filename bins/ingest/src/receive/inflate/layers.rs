//! The decoders, one behind another.

use super::DECODER_BYTES;
use crate::receive::coding::{Coding, Codings};
use brotli_decompressor::{BrotliDecoderParameter, Decompressor};
use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use std::io::{self, BufRead, BufReader, Cursor, Read};

/// What flows through a layer's buffer at a time.
const BUFFER: usize = 16 * 1024;
/// How much larger than its content an intermediate layer may be: codings add a little to what they cannot make smaller.
const SLACK: u64 = 64 * 1024;
/// log2 of the largest window of RFC 7932.
const WINDOW_BITS_MAX: u32 = 24;

/// The plain side of the last layer.
pub(super) type Reader = Box<dyn Read + Send>;
type Source = Box<dyn BufRead + Send>;

/// An intermediate layer yields more than anything allowed could need: a bomb in a bomb.
#[derive(Debug, thiserror::Error)]
#[error("an intermediate layer is larger than any body allowed")]
pub(super) struct TooMuch;

/// Puts the decoders one behind another. `limit` bounds what passes between two of them.
pub(super) fn open(wire: Bytes, codings: Codings, limit: usize) -> io::Result<Reader> {
    let mut source: Source = Box::new(Cursor::new(wire));
    let mut layers = codings.layers().rev().peekable();
    while let Some(coding) = layers.next() {
        let reader = decoder(coding, source)?;
        if layers.peek().is_none() {
            return Ok(reader);
        }
        let left = SLACK.saturating_add(limit as u64);
        source = Box::new(BufReader::with_capacity(BUFFER, Bounded { reader, left }));
    }
    Ok(source)
}

/// About how much memory the decoders take. A brotli stream states its window in its first byte; that of an inner layer is not seen yet.
pub(super) fn bytes_needed(wire: &[u8], codings: Codings) -> usize {
    let mut seen = wire.first().copied();
    let layer = |coding| {
        let first = seen.take();
        match coding {
            Coding::Gzip | Coding::Deflate => DECODER_BYTES,
            Coding::Brotli => {
                let bits = first.map_or(WINDOW_BITS_MAX, window_bits);
                DECODER_BYTES + (1 << bits)
            }
        }
    };
    codings.layers().rev().map(layer).sum()
}

/// The most that decoders take of which one has the largest window.
pub(super) fn bytes_worst() -> usize {
    3 * DECODER_BYTES + (1 << WINDOW_BITS_MAX)
}

/// WBITS of RFC 7932, 9.1. The pattern of larger windows, which the decoder refuses, counts as the largest.
fn window_bits(first: u8) -> u32 {
    match (first & 1, first >> 1 & 7, first >> 4 & 7) {
        (0, ..) => 16,
        (_, 0, 0) => 17,
        (_, 0, 1) => WINDOW_BITS_MAX,
        (_, 0, bits) => 8 + u32::from(bits),
        (_, bits, _) => 17 + u32::from(bits),
    }
}

fn decoder(coding: Coding, source: Source) -> io::Result<Reader> {
    Ok(match coding {
        Coding::Gzip => Box::new(MultiGzDecoder::new(source)),
        Coding::Deflate => deflate(source)?,
        Coding::Brotli => {
            let mut decoder = Decompressor::new(source, BUFFER);
            // A window of up to 1 GiB is no part of `br`.
            decoder.set_parameter(BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
            Box::new(Whole(decoder))
        }
    })
}

/// zlib where the first two bytes say so. Read as bare deflate, these two would be a stored block with rubbish in its padding, which no
/// compressor writes.
fn deflate(mut source: Source) -> io::Result<Reader> {
    let mut head = Vec::with_capacity(2);
    source.by_ref().take(2).read_to_end(&mut head)?;
    let zlib = match head[..] {
        [method, flags] => {
            method & 0x0f == 8 && method >> 4 <= 7 && u16::from_be_bytes([method, flags]) % 31 == 0
        }
        _ => false,
    };
    let whole = Cursor::new(head).chain(source);
    Ok(if zlib {
        Box::new(Whole(ZlibDecoder::new(whole)))
    } else {
        Box::new(Whole(DeflateDecoder::new(whole)))
    })
}

/// Ends with an error where the stream ends and bytes follow: they would be part of the delivery, and nobody would read them.
struct Whole<D>(D);

trait Rest: Read {
    fn rest(&mut self) -> io::Result<&[u8]>;
}

impl<R: BufRead> Rest for ZlibDecoder<R> {
    fn rest(&mut self) -> io::Result<&[u8]> {
        self.get_mut().fill_buf()
    }
}

impl<R: BufRead> Rest for DeflateDecoder<R> {
    fn rest(&mut self) -> io::Result<&[u8]> {
        self.get_mut().fill_buf()
    }
}

impl Rest for Decompressor<Source> {
    fn rest(&mut self) -> io::Result<&[u8]> {
        // Once it has said that it is done, it complains of what is left in its own buffer.
        while self.read(&mut [0])? != 0 {}
        self.get_mut().fill_buf()
    }
}

impl<D: Rest> Read for Whole<D> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(into)?;
        if read == 0 && !into.is_empty() && !self.0.rest()?.is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(read)
    }
}

struct Bounded {
    reader: Reader,
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other(TooMuch))?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brotli_window_is_read_as_the_standard_says() {
        // RFC 7932, 9.1: the codes, least significant bit first.
        for (first, bits) in [
            (0b0000_0000, 16),
            (0b0000_0001, 17),
            (0b0000_0011, 18),
            (0b0000_1111, 24),
            (0b0010_0001, 10),
            (0b0111_0001, 15),
            (0b0001_0001, 24),
        ] {
            assert_eq!(window_bits(first), bits, "{first:#b}");
        }
    }
}
