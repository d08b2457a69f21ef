//! JSON as bytes: where values begin and end, and what a value's content is, whatever its spelling.
//!
//! Splitting looks at strings and brackets only, so that one damaged element of an array does not hide its neighbours; whether an
//! element is JSON is seen when it is mapped. Nothing here allocates for what it skips, and nothing recurses on outside data
//! deeper than [`DEPTH_MAX`].

use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::ops::Range;

/// Deeper nesting than this is refused (the same limit as the JSON parser's).
const DEPTH_MAX: usize = 127;

/// The position of the first byte at or after `at` that is no white space.
pub(crate) fn skip_blank(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The position behind the value that starts at `at` (no white space before it), or `None` when it does not end.
pub(crate) fn skip_value(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => skip_string(bytes, at),
        b'{' | b'[' => skip_nested(bytes, at),
        _ => {
            let end = bytes[at..]
                .iter()
                .position(|byte| b" \n\r\t,:]}[{\"".contains(byte))
                .map_or(bytes.len(), |length| at + length);
            (end > at).then_some(end)
        }
    }
}

fn skip_nested(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = skip_string(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

fn skip_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The elements of the array that starts at `at`, and the position behind it; `Err` with the position where it breaks.
pub(crate) fn elements(bytes: &[u8], at: usize) -> Result<(Vec<Range<usize>>, usize), usize> {
    let mut found = Vec::new();
    let mut at = skip_blank(bytes, at + 1);
    while bytes.get(at) != Some(&b']') {
        let end = skip_value(bytes, at).ok_or(at)?;
        found.push(at..end);
        at = skip_blank(bytes, end);
        match bytes.get(at) {
            Some(b',') => at = skip_blank(bytes, at + 1),
            Some(b']') => {}
            _ => return Err(at),
        }
    }
    Ok((found, at + 1))
}

/// The members of the object that starts at `at`: names as spelled, without quotes, and values.
pub(crate) fn members(bytes: &[u8], at: usize) -> Option<Vec<(Range<usize>, Range<usize>)>> {
    let mut found = Vec::new();
    let mut at = skip_blank(bytes, at + 1);
    while *bytes.get(at)? != b'}' {
        if bytes[at] != b'"' {
            return None;
        }
        let end = skip_string(bytes, at)?;
        let name = at + 1..end - 1;
        at = skip_blank(bytes, end);
        if *bytes.get(at)? != b':' {
            return None;
        }
        at = skip_blank(bytes, at + 1);
        let end = skip_value(bytes, at)?;
        found.push((name, at..end));
        at = skip_blank(bytes, end);
        match bytes.get(at)? {
            b',' => at = skip_blank(bytes, at + 1),
            b'}' => {}
            _ => return None,
        }
    }
    Some(found)
}

/// The digest of a value's content: the same for every spelling of it (white space, order of members, escapes), other for
/// other content. Of members with one name the last counts, as in the parser. Numbers count as spelled: `1` is not `1.0`.
///
/// `bytes` should be JSON; of what is none the bytes themselves are digested.
pub fn digest(bytes: &[u8]) -> [u8; 16] {
    let mut out = Vec::with_capacity(bytes.len());
    let start = skip_blank(bytes, 0);
    match canonical(bytes, start, &mut out, 0) {
        Some(end) if skip_blank(bytes, end) == bytes.len() => hash(&out),
        _ => hash(bytes),
    }
}

/// The digest of some members of an object, by name as spelled; the others do not count.
pub(crate) fn digest_of(bytes: &[u8], counts: impl Fn(&[u8]) -> bool) -> [u8; 16] {
    let mut out = Vec::with_capacity(bytes.len());
    let start = skip_blank(bytes, 0);
    match object(bytes, start, &mut out, 0, counts) {
        Some(_) if bytes.get(start) == Some(&b'{') => hash(&out),
        _ => hash(bytes),
    }
}

/// The first half of the SHA-256.
pub(crate) fn hash(bytes: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&Sha256::digest(bytes)[..16]);
    half
}

/// Writes the value at `at` in its one spelling. Members stand in the order of their names; no comma between them, because each
/// begins with a quote.
fn canonical(bytes: &[u8], at: usize, out: &mut Vec<u8>, depth: usize) -> Option<usize> {
    if depth > DEPTH_MAX {
        return None;
    }
    match bytes.get(at)? {
        b'"' => string(bytes, at, out),
        b'[' => {
            out.push(b'[');
            let mut at = skip_blank(bytes, at + 1);
            while *bytes.get(at)? != b']' {
                at = skip_blank(bytes, canonical(bytes, at, out, depth + 1)?);
                match bytes.get(at)? {
                    b',' => {
                        out.push(b',');
                        at = skip_blank(bytes, at + 1);
                    }
                    b']' => {}
                    _ => return None,
                }
            }
            out.push(b']');
            Some(at + 1)
        }
        b'{' => object(bytes, at, out, depth, |_| true),
        _ => {
            let end = skip_value(bytes, at)?;
            out.extend_from_slice(&bytes[at..end]);
            Some(end)
        }
    }
}

/// Writes the members of the object at `at` that count, in the order of their names.
fn object(
    bytes: &[u8],
    at: usize,
    out: &mut Vec<u8>,
    depth: usize,
    counts: impl Fn(&[u8]) -> bool,
) -> Option<usize> {
    out.push(b'{');
    let base = out.len();
    let mut pieces = Vec::new();
    let mut at = skip_blank(bytes, at + 1);
    while *bytes.get(at)? != b'}' {
        if bytes[at] != b'"' {
            return None;
        }
        let name = at;
        let from = out.len();
        let name_end = string(bytes, at, out)?;
        let key = from..out.len();
        at = skip_blank(bytes, name_end);
        if *bytes.get(at)? != b':' {
            return None;
        }
        at = skip_blank(bytes, at + 1);
        if counts(&bytes[name + 1..name_end - 1]) {
            at = canonical(bytes, at, out, depth + 1)?;
            pieces.push((key, out.len()));
        } else {
            out.truncate(from);
            at = skip_value(bytes, at)?;
        }
        at = skip_blank(bytes, at);
        match bytes.get(at)? {
            b',' => at = skip_blank(bytes, at + 1),
            b'}' => {}
            _ => return None,
        }
    }
    order(out, base, pieces);
    out.push(b'}');
    Some(at + 1)
}

/// Sorts the members written to `out` from `base` on by name; of several with one name the last stays.
fn order(out: &mut Vec<u8>, base: usize, mut pieces: Vec<(Range<usize>, usize)>) {
    if pieces
        .windows(2)
        .all(|pair| out[pair[0].0.clone()] < out[pair[1].0.clone()])
    {
        return;
    }
    // Stable, so members with one name keep their order and the last of them is the one to keep.
    pieces.sort_by(|(a, _), (b, _)| out[a.clone()].cmp(&out[b.clone()]));
    let mut sorted = Vec::with_capacity(out.len() - base);
    for (index, (key, end)) in pieces.iter().enumerate() {
        let last = pieces
            .get(index + 1)
            .is_none_or(|(next, _)| out[next.clone()] != out[key.clone()]);
        if last {
            sorted.extend_from_slice(&out[key.start..*end]);
        }
    }
    out.truncate(base);
    out.extend_from_slice(&sorted);
}

/// Writes the string at `at` in its one spelling: escaped only where it must be.
fn string(bytes: &[u8], at: usize, out: &mut Vec<u8>) -> Option<usize> {
    let end = skip_string(bytes, at)?;
    let inside = &bytes[at + 1..end - 1];
    out.push(b'"');
    if memchr::memchr(b'\\', inside).is_none() {
        out.extend_from_slice(inside);
    } else {
        let mut rest = inside;
        while let Some(slash) = memchr::memchr(b'\\', rest) {
            out.extend_from_slice(&rest[..slash]);
            let (unit, length) = escape(&rest[slash..])?;
            match unit {
                Unit::Char(char) if char >= ' ' && char != '"' && char != '\\' => {
                    let mut buffer = [0; 4];
                    out.extend_from_slice(char.encode_utf8(&mut buffer).as_bytes());
                }
                Unit::Char(char) => {
                    out.extend_from_slice(format!("\\u{:04x}", u32::from(char)).as_bytes());
                }
                Unit::Lone(code) => out.extend_from_slice(format!("\\u{code:04x}").as_bytes()),
            }
            rest = &rest[slash + length..];
        }
        out.extend_from_slice(rest);
    }
    out.push(b'"');
    Some(end)
}

enum Unit {
    Char(char),
    /// Half of a surrogate pair without the other half: no character, but JSON text may spell it.
    Lone(u16),
}

/// What an escape at the start of `text` means and how many bytes it takes.
fn escape(text: &[u8]) -> Option<(Unit, usize)> {
    let char = match text.get(1)? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(text),
        other @ (b'"' | b'\\' | b'/') => char::from(*other),
        _ => return None,
    };
    Some((Unit::Char(char), 2))
}

fn unicode(text: &[u8]) -> Option<(Unit, usize)> {
    let first = code(text)?;
    if let Some(char) = char::from_u32(u32::from(first)) {
        return Some((Unit::Char(char), 6));
    }
    if first < 0xdc00
        && let Some(second @ 0xdc00..=0xdfff) = text.get(6..).and_then(code)
    {
        let point = 0x1_0000 + ((u32::from(first) - 0xd800) << 10) + (u32::from(second) - 0xdc00);
        return Some((Unit::Char(char::from_u32(point)?), 12));
    }
    Some((Unit::Lone(first), 6))
}

/// The code of `\uXXXX` at the start of `text`.
fn code(text: &[u8]) -> Option<u16> {
    let [b'\\', b'u', digits @ ..] = text.get(..6)? else {
        return None;
    };
    digits.iter().try_fold(0_u16, |code, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(code << 4 | u16::try_from(digit).ok()?)
    })
}

/// The text with each half surrogate pair spelled as the replacement mark. The parser refuses such halves although JSON allows
/// them, and no database text can hold them.
pub(crate) fn mend(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut mended: Vec<u8> = Vec::new();
    let mut kept = 0;
    let mut at = 0;
    while let Some(slash) = bytes.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        at += slash;
        match escape(&bytes[at..]) {
            Some((Unit::Char(_), length)) => at += length,
            Some((Unit::Lone(_), length)) => {
                mended.extend_from_slice(&bytes[kept..at]);
                mended.extend_from_slice(b"\\ufffd");
                at += length;
                kept = at;
            }
            None => at += 2,
        }
    }
    if kept == 0 {
        return Cow::Borrowed(bytes);
    }
    mended.extend_from_slice(&bytes[kept..]);
    Cow::Owned(mended)
}
