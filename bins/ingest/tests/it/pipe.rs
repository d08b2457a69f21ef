//! Damaged requests on the way of the fuzz target `http`: the handler without a socket, and without a process.

// It stands outside of the workspace.
#[allow(unreachable_pub)]
#[path = "../../../../tests/fuzz/src/exchange.rs"]
mod exchange;

use exchange::exchange;
use std::path::Path;

/// Puts bytes in, takes some away, doubles some, by a generator that gives the same numbers in every run.
fn damaged(seed: &[u8], dice: &mut u64) -> Vec<u8> {
    const PIECES: [&[u8]; 10] = [
        b"\r\n",
        b"\r\n\r\n",
        b"\0",
        b"\xff",
        b"content-length: 18446744073709551616\r\n",
        b"content-length: 5\r\n",
        b"transfer-encoding: chunked\r\n",
        b"ffffffffffffffff\r\n",
        b"expect: 100-continue\r\n",
        b"content-encoding: gzip, gzip\r\n",
    ];
    let mut below = |bound: usize| {
        *dice ^= *dice << 13;
        *dice ^= *dice >> 7;
        *dice ^= *dice << 17;
        usize::try_from(*dice % u64::try_from(bound.max(1)).unwrap()).unwrap()
    };
    let mut request = seed.to_vec();
    for _ in 0..=below(3) {
        let at = below(request.len());
        match below(4) {
            0 => request[at] = u8::try_from(below(256)).unwrap(),
            1 => request.truncate(at + 1),
            2 => {
                request.splice(at..at, PIECES[below(PIECES.len())].iter().copied());
            }
            _ => {
                let line = request[at..].iter().position(|byte| *byte == b'\n');
                let part = request[at..=at + line.unwrap_or(0)].to_vec();
                request.splice(at..at, part);
            }
        }
    }
    request
}

#[test]
fn damaged_requests_are_answered_or_end_their_connection() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/seeds/http");
    let mut files: Vec<_> = std::fs::read_dir(seeds)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut dice = 0x9e37_79b9_7f4a_7c15;
    for file in files {
        let seed = std::fs::read(file).unwrap();
        for end in 0..=seed.len() {
            exchange(&seed[..end]);
        }
        for _ in 0..300 {
            exchange(&damaged(&seed, &mut dice));
        }
    }
    exchange(
        &[
            b"POST /f HTTP/1.1\r\n".as_slice(),
            &b"x: y\r\n".repeat(50_000),
        ]
        .concat(),
    );
}
