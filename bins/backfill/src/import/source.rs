//! The bytes of a file, whatever they are packed in: plain, or gzip of one or many members.
//!
//! Gzip is known by how it begins and not by the file's name. It is unpacked as it is read, a little at a time, so that no size of what is in
//! it matters. What breaks off or is damaged is an error that says where in the file; what came before it was read.

use flate2::bufread::GzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What gzip begins with.
const GZIP: &[u8] = b"\x1f\x8b";
const CHUNK: usize = 128 * 1024;

/// What is read.
#[derive(Debug)]
pub(super) enum Source {
    Plain(BufReader<Counted>),
    Gzip(Box<Members>),
}

/// How far a file was read, for whoever watches.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter(Arc<AtomicU64>);

impl Meter {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A file, or standard input, of which the bytes are counted.
pub(super) struct Counted {
    from: Box<dyn Read + Send>,
    meter: Meter,
}

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Counted").field(&self.meter.bytes()).finish()
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.meter.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Source {
    /// Opens a file at so many bytes of what is in it.
    pub(super) fn open(path: &Path, skip: u64, meter: &Meter) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut begin = [0; 2];
        let packed = is_gzip(&mut file, &mut begin)?;
        let at = if packed { 0 } else { skip };
        file.seek(SeekFrom::Start(at))?;
        meter.0.store(at, Ordering::Relaxed);
        let counted = Counted {
            from: Box::new(file),
            meter: meter.clone(),
        };
        let mut source = Self::of(counted)?;
        if packed {
            let skipped = io::copy(&mut source.by_ref().take(skip), &mut io::sink())?;
            if skipped < skip {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "it is shorter than it was",
                ));
            }
        }
        Ok(source)
    }

    /// Standard input, which can be read once.
    pub(super) fn standard_input(meter: &Meter) -> io::Result<Self> {
        Self::of(Counted {
            from: Box::new(io::stdin()),
            meter: meter.clone(),
        })
    }

    fn of(counted: Counted) -> io::Result<Self> {
        let mut reader = BufReader::with_capacity(CHUNK, counted);
        // One look is enough: what is shorter than two bytes is not packed, and a pipe gives more at once.
        Ok(if reader.fill_buf()?.starts_with(GZIP) {
            Self::Gzip(Box::new(Members::new(reader)))
        } else {
            Self::Plain(reader)
        })
    }
}

fn is_gzip(file: &mut File, begin: &mut [u8; 2]) -> io::Result<bool> {
    match file.read_exact(begin) {
        Ok(()) => Ok(begin == GZIP),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(members) => members.read(buffer),
        }
    }
}

/// The members of a gzip, one after the other, as if they were one.
#[derive(Debug)]
pub(super) struct Members {
    member: Option<GzDecoder<BufReader<Counted>>>,
}

/// A gzip that is not whole. The same file gives it every time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the gzip {what} at about byte {at} of the file")]
pub struct GzipError {
    at: u64,
    what: String,
}

impl Members {
    fn new(reader: BufReader<Counted>) -> Self {
        Self {
            member: Some(GzDecoder::new(reader)),
        }
    }

    /// The member that follows, if there is one: zeros behind the last are what tapes fill up with.
    fn following(
        mut reader: BufReader<Counted>,
    ) -> io::Result<Option<GzDecoder<BufReader<Counted>>>> {
        loop {
            let buffer = reader.fill_buf()?;
            let Some(first) = buffer.first() else {
                return Ok(None);
            };
            if *first == GZIP[0] {
                return Ok(Some(GzDecoder::new(reader)));
            }
            let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
            if zeros == 0 {
                let at = place(&reader);
                return Err(damaged(at, "is followed by something else".to_owned()));
            }
            reader.consume(zeros);
        }
    }
}

impl Read for Members {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            match member.read(buffer) {
                Ok(0) if !buffer.is_empty() => {
                    let ended = self.member.take();
                    if let Some(ended) = ended {
                        self.member = Self::following(ended.into_inner())?;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(damaged(place(member.get_ref()), "breaks off".to_owned()));
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
                    ) =>
                {
                    let what = format!("is damaged ({error})");
                    return Err(damaged(place(member.get_ref()), what));
                }
                other => return other,
            }
        }
        Ok(0)
    }
}

/// How far into the file a reader is.
fn place(reader: &BufReader<Counted>) -> u64 {
    let read = reader.get_ref().meter.bytes();
    read.saturating_sub(reader.buffer().len() as u64)
}

fn damaged(at: u64, what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, GzipError { at, what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;
    use tempfile::NamedTempFile;

    pub(super) fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn file(bytes: &[u8]) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file.flush().unwrap();
        file
    }

    /// What a file gives, and how it ends.
    fn read(bytes: &[u8], skip: u64) -> (Vec<u8>, Option<String>) {
        let file = file(bytes);
        let mut source = match Source::open(file.path(), skip, &Meter::default()) {
            Ok(source) => source,
            Err(error) => return (Vec::new(), Some(error.to_string())),
        };
        let mut found = Vec::new();
        let mut part = [0; 1000];
        loop {
            match source.read(&mut part) {
                Ok(0) => return (found, None),
                Ok(length) => found.extend_from_slice(&part[..length]),
                Err(error) => return (found, Some(error.to_string())),
            }
        }
    }

    fn text() -> Vec<u8> {
        (0..50_000_u32)
            .flat_map(|n| n.to_string().into_bytes())
            .collect()
    }

    #[test]
    fn a_file_is_read_from_any_place_whatever_it_is_packed_in() {
        let text = text();
        let (first, second) = text.split_at(70_001);
        let members = [packed(first), packed(b""), packed(second)].concat();
        let padded = [packed(&text), vec![0; 1024]].concat();
        for bytes in [text.clone(), packed(&text), members, padded] {
            for skip in [0, 1, 70_001, text.len() - 1, text.len()] {
                let (found, error) = read(&bytes, skip as u64);
                assert!(
                    found == text[skip..] && error.is_none(),
                    "{skip}: {error:?}"
                );
            }
        }
        assert_eq!(read(b"", 0), (vec![], None));
        assert_eq!(read(b"\x1f", 0), (vec![0x1f], None));
    }

    #[test]
    fn a_gzip_that_is_not_whole_gives_what_it_has_and_says_where_it_ends() {
        let text = text();
        let whole = packed(&text);
        let (found, error) = read(&whole[..whole.len() / 2], 0);
        assert!(!found.is_empty() && text.starts_with(&found));
        assert_eq!(
            error.unwrap(),
            format!(
                "the gzip breaks off at about byte {} of the file",
                whole.len() / 2
            )
        );
        // Only the length at its end is missing.
        let (found, error) = read(&whole[..whole.len() - 3], 0);
        assert!(found == text && error.unwrap().contains("breaks off"));
        let mut damaged = whole.clone();
        let last = damaged.len() - 6;
        damaged[last] ^= 1;
        let (_, error) = read(&damaged, 0);
        assert!(error.unwrap().contains("is damaged"));
        let (found, error) = read(&[&whole[..], b"what is this"].concat(), 0);
        assert!(found == text);
        let error = error.unwrap();
        assert_eq!(
            error,
            format!(
                "the gzip is followed by something else at about byte {} of the file",
                whole.len()
            )
        );
        // Two members of which the second breaks off at once.
        let (found, error) = read(&[&whole[..], &whole[..5]].concat(), 0);
        assert!(found == text && error.unwrap().contains("breaks off"));
    }

    #[test]
    fn what_unpacks_to_very_much_is_unpacked_a_little_at_a_time() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let zeros = vec![b' '; 1 << 20];
        for _ in 0..64 {
            encoder.write_all(&zeros).unwrap();
        }
        let bomb = file(&encoder.finish().unwrap());
        let meter = Meter::default();
        let mut source = Source::open(bomb.path(), 0, &meter).unwrap();
        let mut part = vec![0; 1 << 16];
        assert!(source.read(&mut part).unwrap() > 0);
        assert!(meter.bytes() <= 2 * CHUNK as u64);
        assert_eq!(
            io::copy(&mut source, &mut io::sink()).unwrap() >> 20,
            63,
            "all of it comes"
        );
    }
}
