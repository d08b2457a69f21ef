//! Files in, sessions out: each thread folds stretches of the input into shards of its own, which are joined at the end.
//!
//! A stretch begins after the first line end at or behind its first byte and goes on to the end of the line that its last byte is in,
//! so that stretches of a file never share a line. Memory holds one block of text a thread, whatever the size of the files.

use adapter::{ItemError, Mappings, Outcome, Split, Stated, guide};
use anyhow::Context as _;
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use schema::{BodyFormat, Fact, InteractionId};
use session::{Change, Session};
use std::fs::File;
use std::hash::BuildHasher as _;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How much text is read at once.
const BLOCK: usize = 1 << 20;

/// Files are not cut into stretches shorter than this.
const STRETCH_MIN: u64 = 1 << 20;

/// How many bad lines a stretch describes at most.
const BAD_LINES_KEPT: usize = 100;

/// Sessions by interaction.
pub(crate) type Sessions = HashMap<InteractionId, Session, FxBuildHasher>;

/// What the input amounts to.
#[derive(Debug)]
pub(crate) struct Folded {
    /// Every interaction is in exactly one of them.
    pub(crate) shards: Vec<Sessions>,
    pub(crate) counts: Counts,
    /// In the order of the input; not all of them when there are many.
    pub(crate) bad: Vec<BadLine>,
}

/// What became of the items read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) items: u64,
    pub(crate) duplicates: u64,
    pub(crate) revised: u64,
    pub(crate) stale: u64,
    pub(crate) ignored: u64,
    pub(crate) bad: u64,
}

/// A line that could not be understood.
#[derive(Debug)]
pub(crate) struct BadLine {
    pub(crate) file: PathBuf,
    /// From 1.
    pub(crate) line: u64,
    pub(crate) error: ItemError,
}

/// One thread's task: a stretch of a file.
struct Stretch<'a> {
    file: usize,
    path: &'a Path,
    start: u64,
    /// Lines that begin at or behind it are another stretch's; `None` for all there is.
    end: Option<u64>,
}

/// What a stretch was found to hold besides facts.
#[derive(Default)]
struct StretchReport {
    lines: u64,
    counts: Counts,
    bad: Vec<(u64, ItemError)>,
}

/// Reads all the files with so many threads.
pub(crate) fn fold(
    files: &[PathBuf],
    format: &BodyFormat,
    threads: usize,
) -> anyhow::Result<Folded> {
    let stretches = stretches(files, threads)?;
    let next = AtomicUsize::new(0);
    let folded = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| work(&stretches, &next, format, threads)))
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .map_err(|_| anyhow::anyhow!("a reading thread failed"))?
            })
            .collect::<anyhow::Result<Vec<_>>>()
    })?;

    let mut shards: Vec<Vec<Sessions>> = (0..threads).map(|_| Vec::new()).collect();
    let mut reads = Vec::with_capacity(stretches.len());
    for (sessions, read) in folded {
        for (shard, sessions) in shards.iter_mut().zip(sessions) {
            shard.push(sessions);
        }
        reads.extend(read);
    }
    reads.sort_by_key(|(stretch, _)| *stretch);
    let (counts, bad) = settle(&stretches, reads);
    Ok(Folded {
        shards: join(shards),
        counts,
        bad,
    })
}

fn stretches(files: &[PathBuf], threads: usize) -> anyhow::Result<Vec<Stretch<'_>>> {
    let mut stretches = Vec::new();
    for (file, path) in files.iter().enumerate() {
        let length = if path.as_os_str() == "-" {
            None
        } else {
            let metadata = std::fs::metadata(path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            // Pipes and devices have no length to cut.
            metadata.is_file().then_some(metadata.len())
        };
        let parts = length.map_or(1, |length| (length / STRETCH_MIN).clamp(1, threads as u64));
        let cut = |part: u64| length.unwrap_or(0) / parts * part;
        stretches.extend((0..parts).map(|part| Stretch {
            file,
            path,
            start: cut(part),
            end: (part + 1 < parts).then(|| cut(part + 1)),
        }));
    }
    Ok(stretches)
}

type Work = (Vec<Sessions>, Vec<(usize, StretchReport)>);

/// Takes stretches until there are none left.
fn work(
    stretches: &[Stretch<'_>],
    next: &AtomicUsize,
    format: &BodyFormat,
    threads: usize,
) -> anyhow::Result<Work> {
    let mut shards: Vec<Sessions> = (0..threads).map(|_| Sessions::default()).collect();
    let mut reads = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(stretch) = stretches.get(index) else {
            return Ok((shards, reads));
        };
        let mut read = StretchReport::default();
        read_lines(stretch, |line| {
            read.lines += 1;
            read.line(line, format, &mut shards);
        })
        .with_context(|| format!("{} cannot be read", stretch.path.display()))?;
        reads.push((index, read));
    }
}

/// Gives each line of the stretch to `take`, without its end.
fn read_lines(stretch: &Stretch<'_>, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let (mut input, mut offset): (Box<dyn Read>, u64) = if stretch.path.as_os_str() == "-" {
        (Box::new(io::stdin().lock()), 0)
    } else {
        let mut file = File::open(stretch.path)?;
        // One byte earlier: when that is a line end, the line behind it is the first of this stretch.
        let offset = stretch.start.saturating_sub(1);
        if offset > 0 {
            file.seek(SeekFrom::Start(offset))?;
        }
        (Box::new(file), offset)
    };
    let mut skipping = stretch.start > 0;
    let mut block = Vec::with_capacity(2 * BLOCK);
    loop {
        let read = input.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        let whole = if read == 0 {
            block.len()
        } else {
            memchr::memrchr(b'\n', &block).map_or(0, |end| end + 1)
        };
        let mut begin = 0;
        while begin < whole {
            let past = stretch
                .end
                .is_some_and(|end| offset + begin as u64 >= end && !skipping);
            if past {
                return Ok(());
            }
            let end = memchr::memchr(b'\n', &block[begin..whole]).map_or(whole, |end| begin + end);
            if !std::mem::take(&mut skipping) {
                take(&block[begin..end]);
            }
            begin = end + 1;
        }
        block.drain(..whole);
        offset += whole as u64;
        if read == 0 {
            return Ok(());
        }
    }
}

impl StretchReport {
    fn line(&mut self, line: &[u8], format: &BodyFormat, shards: &mut [Sessions]) {
        let line = match line.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if self.lines == 1 => rest,
            _ => line,
        };
        match line.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => {}
            Some(b'[') => match adapter::split(format, line) {
                Split::Items(items) => {
                    for item in items {
                        self.item(&item.raw, shards);
                    }
                }
                // Decoding the line as one item says what is wrong with it.
                Split::Unreadable { .. } => self.item(line, shards),
            },
            Some(_) => self.item(line, shards),
        }
    }

    fn item(&mut self, raw: &[u8], shards: &mut [Sessions]) {
        self.counts.items += 1;
        match guide::decode(raw) {
            Ok(Some((interaction, fact))) => self.insert(interaction, fact, shards),
            // None of the guide's, which the fast path knows alone: perhaps an event of the platform's own.
            Ok(None) => match adapter::map(&BodyFormat::GenesysWebhook, raw, &Mappings::none()) {
                Ok(Outcome::Mapped(mapped)) => match mapped.stated {
                    Stated::Interaction {
                        interaction, facts, ..
                    } => {
                        for fact in facts {
                            self.insert(interaction.clone(), fact, shards);
                        }
                    }
                    Stated::Agent { .. } => self.counts.ignored += 1,
                },
                Ok(Outcome::Ignored { .. }) => self.counts.ignored += 1,
                Err(error) => self.refuse(error),
            },
            Err(error) => self.refuse(error),
        }
    }

    fn insert(&mut self, interaction: InteractionId, fact: Fact, shards: &mut [Sessions]) {
        let sessions = &mut shards[shard(&interaction, shards.len())];
        let change = sessions.entry(interaction).or_default().insert(fact);
        self.counts.add(change);
    }

    fn refuse(&mut self, error: ItemError) {
        self.counts.bad += 1;
        if self.bad.len() < BAD_LINES_KEPT {
            self.bad.push((self.lines, error));
        }
    }
}

impl Counts {
    fn add(&mut self, change: Change) {
        match change {
            Change::New | Change::Overfull => {}
            Change::Revised => self.revised += 1,
            Change::Duplicate => self.duplicates += 1,
            Change::Stale => self.stale += 1,
        }
    }
}

fn shard(interaction: &InteractionId, shards: usize) -> usize {
    // Neither the lowest nor the highest bits: those the map itself goes by.
    #[expect(clippy::cast_possible_truncation, reason = "16 bits are kept")]
    let bits = (FxBuildHasher.hash_one(interaction) >> 40) as u16;
    usize::from(bits) % shards
}

/// Joins what each thread has of a shard, each shard in a thread of its own.
fn join(shards: Vec<Vec<Sessions>>) -> Vec<Sessions> {
    thread::scope(|scope| {
        let joining: Vec<_> = shards
            .into_iter()
            .map(|mut parts| {
                scope.spawn(move || {
                    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
                    let mut parts = parts.into_iter();
                    let mut joined = parts.next().unwrap_or_default();
                    for part in parts {
                        joined.reserve(part.len());
                        for (interaction, session) in part {
                            joined.entry(interaction).or_default().join(session);
                        }
                    }
                    joined
                })
            })
            .collect();
        joining
            .into_iter()
            .map(|shard| shard.join().unwrap_or_default())
            .collect()
    })
}

/// Sums the counts up and turns line numbers within stretches into those of files.
fn settle(stretches: &[Stretch<'_>], reads: Vec<(usize, StretchReport)>) -> (Counts, Vec<BadLine>) {
    let mut counts = Counts::default();
    let mut bad = Vec::new();
    let (mut file, mut lines_before) = (0, 0);
    for (index, read) in reads {
        let stretch = &stretches[index];
        if stretch.file != file {
            (file, lines_before) = (stretch.file, 0);
        }
        let one = read.counts;
        counts.items += one.items;
        counts.duplicates += one.duplicates;
        counts.revised += one.revised;
        counts.stale += one.stale;
        counts.ignored += one.ignored;
        counts.bad += one.bad;
        bad.extend(read.bad.into_iter().map(|(line, error)| BadLine {
            file: stretch.path.to_owned(),
            line: lines_before + line,
            error,
        }));
        lines_before += read.lines;
    }
    (counts, bad)
}
