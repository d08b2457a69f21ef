use super::*;
use crate::receive::budget::Budget;
use crate::receive::decision::Refusal;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use hyper::HeaderMap;
use hyper::header::CONTENT_ENCODING;
use proptest::prelude::*;
use std::io::Write as _;
use std::time::Duration;

const MIB: usize = 1 << 20;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn raw(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn brotli(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ::brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
    encoder.write_all(plain).unwrap();
    encoder.into_inner()
}

fn codings(text: &str) -> Codings {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, text.parse().unwrap());
    Codings::of(&headers).unwrap()
}

struct Outcome {
    result: Result<Bytes, Refusal>,
    peak: usize,
}

/// Inflates within a limit and an allowance; whatever comes of it, the allowance has all of it back afterwards.
async fn inflate(wire: Vec<u8>, encoding: &str, limit: usize, allowance: usize) -> Outcome {
    let budget = Budget::new(allowance);
    let mut hold = budget.hold();
    hold.extend(wire.len()).unwrap();
    let due = Instant::now() + Duration::from_secs(60);
    let wrapped = Wrapped {
        wire: wire.into(),
        codings: codings(encoding),
        limit,
        hold,
    };
    let share = Arc::new(Semaphore::new(1));
    let inflated = Inflater::new().inflate(wrapped, &share, due, None).await;
    let result = inflated.map(|(bytes, hold)| {
        assert_eq!(budget.used(), bytes.len(), "what waits is what is paid for");
        drop(hold);
        bytes
    });
    assert_eq!(budget.used(), 0);
    let peak = budget.peak();
    Outcome { result, peak }
}

/// Some text that compresses as JSON does.
fn text(bytes: usize) -> Vec<u8> {
    (0..)
        .flat_map(|n: u32| format!("{{\"id\":{}}},", n.wrapping_mul(2_654_435_761)).into_bytes())
        .take(bytes)
        .collect()
}

#[tokio::test]
async fn every_coding_comes_back_byte_for_byte() {
    for size in [0, 1, 1000, 100_000, 3_000_000] {
        let plain = text(size);
        for (encoding, wire) in [
            ("gzip", gzip(&plain)),
            ("deflate", zlib(&plain)),
            ("deflate", raw(&plain)),
            ("br", brotli(&plain)),
            ("gzip, br", brotli(&gzip(&plain))),
            ("br, deflate, gzip", gzip(&raw(&brotli(&plain)))),
        ] {
            let outcome = inflate(wire, encoding, 3_000_000, 64 * MIB).await;
            assert!(
                outcome.result == Ok(plain.clone().into()),
                "{encoding} {size}"
            );
        }
    }
}

#[tokio::test]
async fn members_of_gzip_follow_one_another() {
    let wire = [gzip(b"[1,"), gzip(b""), gzip(b"2]")].concat();
    assert_eq!(
        inflate(wire, "gzip", 10, MIB).await.result.unwrap(),
        "[1,2]"
    );
}

/// Pitfall 33: a body that breaks off, is no such coding, or has something behind it.
#[tokio::test]
async fn what_is_no_whole_stream_is_refused() {
    for size in [10, 200_000] {
        let plain = text(size);
        for (encoding, wire) in [
            ("gzip", gzip(&plain)),
            ("deflate", zlib(&plain)),
            ("deflate", raw(&plain)),
            ("br", brotli(&plain)),
            ("deflate, gzip", gzip(&zlib(&plain)[..size / 20])),
        ] {
            if encoding.contains(',') {
                let inner = inflate(wire, encoding, MIB, 64 * MIB).await;
                assert_eq!(inner.result, Err(Refusal::Garbled), "{encoding} {size}");
                continue;
            }
            for cut in [0, 1, 2, 5, wire.len() / 2, wire.len() - 1] {
                let cut = inflate(wire[..cut].to_vec(), encoding, MIB, 64 * MIB).await;
                assert_eq!(cut.result, Err(Refusal::Garbled), "{encoding} {size}");
            }
            let behind = [&wire[..], b"behind"].concat();
            let behind = inflate(behind, encoding, MIB, 64 * MIB).await;
            assert_eq!(behind.result, Err(Refusal::Garbled), "{encoding} {size}");
        }
    }
    let other = inflate(b"{\"plain\":1}".to_vec(), "gzip", MIB, MIB).await;
    assert_eq!(other.result, Err(Refusal::Garbled));
}

#[tokio::test]
async fn the_limit_is_exact() {
    let plain = text(100_000);
    for (encoding, wire) in [("gzip", gzip(&plain)), ("br", brotli(&plain))] {
        let exact = inflate(wire.clone(), encoding, 100_000, 64 * MIB).await;
        assert!(exact.result.is_ok());
        let less = inflate(wire, encoding, 99_999, 64 * MIB).await;
        let limit = 99_999;
        assert_eq!(less.result, Err(Refusal::Inflates { limit }));
    }
}

/// Pitfall 33: a bomb costs the limit, a decoder's memory and itself, whatever it would become.
#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_costs_no_more_than_the_limit() {
    let zeros = vec![0; 64 * MIB];
    let limit = MIB;
    let bombs = [
        ("gzip", gzip(&zeros)),
        ("deflate", raw(&zeros)),
        ("br", brotli(&zeros)),
        // What passes between two layers is bounded as well, though the inner one would yield nothing.
        ("gzip, gzip", gzip(&gzip(&zeros))),
        ("br, gzip", gzip(&zeros)),
        ("gzip, gzip", gzip(&gzip(b"").repeat(1_000_000))),
    ];
    for (encoding, wire) in bombs {
        let bound = wire.len() + 2 * (limit + 1) + 2 * DECODER_BYTES + (1 << 24);
        let outcome = inflate(wire, encoding, limit, 64 * MIB).await;
        let refused = matches!(
            outcome.result,
            Err(Refusal::Inflates { .. } | Refusal::Garbled)
        );
        assert!(refused, "{encoding}: {:?}", outcome.result);
        assert!(outcome.peak <= bound, "{encoding}: {} bytes", outcome.peak);
    }
    let many = gzip(&gzip(b"").repeat(1_000_000));
    let many = inflate(many, "gzip, gzip", limit, 64 * MIB).await;
    assert_eq!(many.result, Err(Refusal::Inflates { limit }));
}

/// Pitfall 33: what is said to suffice does, to the last byte that is allowed.
#[tokio::test]
async fn the_largest_body_fits_into_what_one_body_may_need() {
    for limit in [10, PIECE, PIECE + 1, 100_000, 8 * PIECE - 1, MIB, MIB + 1] {
        let plain = text(limit);
        let mut wide = ::brotli::CompressorWriter::new(Vec::new(), 4096, 1, 24);
        wide.write_all(&plain).unwrap();
        for (encoding, wire) in [
            ("br", wide.into_inner()),
            ("gzip", gzip(&plain)),
            ("br, gzip, deflate", zlib(&gzip(&brotli(&plain)))),
        ] {
            let allowance = bytes_worst(wire.len(), limit);
            let outcome = inflate(wire, encoding, limit, allowance).await;
            assert!(outcome.result.is_ok(), "{encoding} {limit}");
        }
    }
}

#[tokio::test]
async fn what_the_allowance_does_not_have_is_asked_for_again_later() {
    let wire = gzip(&text(MIB));
    let outcome = inflate(wire, "gzip", 2 * MIB, MIB).await;
    let overloaded = Refusal::Unavailable(Unavailable::Overloaded);
    assert_eq!(outcome.result, Err(overloaded));
    assert!(outcome.peak <= MIB);
}

fn wrapped(wire: Vec<u8>, encoding: &str) -> Wrapped {
    let mut hold = Budget::new(64 * MIB).hold();
    hold.extend(wire.len()).unwrap();
    Wrapped {
        wire: wire.into(),
        codings: codings(encoding),
        limit: 2 * MIB,
        hold,
    }
}

fn turns(count: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(count))
}

#[tokio::test(start_paused = true)]
async fn whoever_has_no_turn_in_time_comes_again() {
    let overloaded = Some(Refusal::Unavailable(Unavailable::Overloaded));
    for (all, own) in [(0, 1), (1, 0)] {
        let inflater = Inflater { turns: turns(all) };
        let due = Instant::now() + Duration::from_secs(4);
        let body = wrapped(brotli(b"[]"), "br");
        let waited = inflater.inflate(body, &turns(own), due, None).await;
        assert_eq!(waited.err(), overloaded);
        assert_eq!(Instant::now(), due);
    }
}

/// A subscription that has used its turns up waits for those, and holds none that others could use.
#[tokio::test]
async fn one_subscription_does_not_take_the_turns_of_the_others() {
    let inflater = Inflater { turns: turns(1) };
    let (busy, other) = (turns(0), turns(1));
    let due = Instant::now() + Duration::from_secs(60);
    let waits = inflater.inflate(wrapped(brotli(b"[]"), "br"), &busy, due, None);
    let mut waits = std::pin::pin!(waits);
    let early = tokio::time::timeout(Duration::ZERO, waits.as_mut()).await;
    assert!(early.is_err());
    let served = inflater.inflate(wrapped(brotli(b"[1]"), "br"), &other, due, None);
    assert_eq!(served.await.unwrap().0, "[1]");
    busy.add_permits(1);
    assert_eq!(waits.await.unwrap().0, "[]");
}

/// What costs time by the size of the plain body is done where no connection waits for it.
#[tokio::test]
async fn a_large_body_is_checked_on_the_thread_that_inflates_it() {
    let here = std::thread::current().id();
    let due = Instant::now() + Duration::from_secs(60);
    for (size, elsewhere) in [(10, false), (MIB, true)] {
        let plain = text(size);
        let expected = Bytes::from(plain.clone());
        let check: Check = Box::new(move |found| {
            assert_eq!(*found, expected);
            assert_eq!(std::thread::current().id() != here, elsewhere);
            Ok(())
        });
        let wire = gzip(&plain);
        let passed = Inflater::new()
            .inflate(wrapped(wire.clone(), "gzip"), &turns(1), due, Some(check))
            .await;
        assert!(passed.is_ok(), "{size}");
        let check: Check = Box::new(|_| Err(Refusal::Garbled));
        let refused = Inflater::new()
            .inflate(wrapped(wire, "gzip"), &turns(1), due, Some(check))
            .await;
        assert_eq!(refused.err(), Some(Refusal::Garbled), "{size}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever comes is answered, within the limit and the allowance.
    #[test]
    fn no_bytes_panic_or_exceed_the_limit(
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        plain in proptest::collection::vec(0_u8..4, 0..2000),
        cut in 0_usize..100,
        flip in any::<(u16, u8)>(),
        encoding in proptest::sample::select(vec!["gzip", "deflate", "br", "gzip, br", "deflate, deflate"]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut damaged = match encoding {
            "gzip" => gzip(&plain),
            "deflate" => raw(&plain),
            "br" => brotli(&plain),
            "gzip, br" => brotli(&gzip(&plain)),
            _ => zlib(&raw(&plain)),
        };
        damaged.truncate(damaged.len() * cut / 99);
        if let Some(byte) = damaged.get_mut(usize::from(flip.0) % 300) {
            *byte ^= flip.1;
        }
        for wire in [noise, damaged] {
            let outcome = runtime.block_on(inflate(wire, encoding, 1500, 64 * MIB));
            if let Ok(bytes) = outcome.result {
                prop_assert!(bytes.len() <= 1500);
            }
        }
    }
}
