use super::*;
use proptest::prelude::*;

const PLACE: RawPlace<'static> = RawPlace {
    tenant: "acme",
    subscription: "hook",
    delivery: [7; 16],
};

fn key(id: &str, byte: u8) -> Key {
    Key {
        id: id.to_owned(),
        secret: Secret::new(hex::encode([byte; 32])),
        bytes: [byte; 32],
    }
}

fn keys(active: &str) -> SealKeys {
    SealKeys::new(active, vec![key("old", 1), key("new", 2)]).unwrap()
}

#[test]
fn one_key_seals_and_each_opens() {
    let (old, new) = (keys("old"), keys("new"));
    assert_eq!(new.ids().collect::<Vec<_>>(), ["new", "old"]);
    let mut sealer = old.sealer().unwrap();
    assert_eq!(sealer.key_id(), "old");
    let sealed = sealer.seal(&PLACE, b"+15550100123").unwrap();
    assert_eq!(sealed.len(), HEAD + 12 + TAG);
    assert_eq!(new.open("old", &PLACE, &sealed).unwrap(), b"+15550100123");
    assert!(SealKeys::new("absent", vec![key("old", 1)]).is_none());
}

#[test]
fn a_key_that_is_missing_or_another_is_named() {
    let sealed = keys("new").sealer().unwrap().seal(&PLACE, b"x").unwrap();
    let only_old = SealKeys::new("old", vec![key("old", 1)]).unwrap();
    let missing = only_old.open("new", &PLACE, &sealed).unwrap_err();
    assert!(missing.to_string().contains("the key new"), "{missing}");
    let swapped = SealKeys::new("new", vec![key("new", 1)]).unwrap();
    let wrong = swapped.open("new", &PLACE, &sealed).unwrap_err();
    assert_eq!(
        wrong,
        OpenError::Refused {
            key: "new".to_owned()
        }
    );
    // The id is sealed with the bytes: under another name the same key does not open them.
    let renamed = SealKeys::new("other", vec![key("other", 2)]).unwrap();
    assert!(renamed.open("other", &PLACE, &sealed).is_err());
}

#[test]
fn bytes_that_were_moved_do_not_open() {
    let keys = keys("new");
    let sealed = keys.sealer().unwrap().seal(&PLACE, b"x").unwrap();
    for elsewhere in [
        RawPlace {
            tenant: "other",
            ..PLACE
        },
        RawPlace {
            subscription: "other",
            ..PLACE
        },
        RawPlace {
            delivery: [8; 16],
            ..PLACE
        },
        // The border between the two is part of it.
        RawPlace {
            tenant: "acmeh",
            subscription: "ook",
            ..PLACE
        },
    ] {
        assert!(
            keys.open("new", &elsewhere, &sealed).is_err(),
            "{elsewhere:?}"
        );
    }
}

#[test]
fn a_later_envelope_is_refused_by_its_kind() {
    let keys = keys("new");
    let mut sealed = keys.sealer().unwrap().seal(&PLACE, b"x").unwrap();
    sealed[0] = 3;
    let error = keys.open("new", &PLACE, &sealed).unwrap_err();
    assert_eq!(error, OpenError::Kind { found: 3 });
    // Of two kinds that are known, neither passes for the other.
    sealed[0] = PACKED;
    assert!(keys.open("new", &PLACE, &sealed).is_err());
}

#[test]
fn what_postgresql_would_have_compressed_is_packed_before() {
    let keys = keys("new");
    let mut sealer = keys.sealer().unwrap();
    let record = r#"{"name":"tTalk","value":1200,"emitDate":"2026-05-04T10:00:00Z"},"#.repeat(100);
    let mut mixed = 7_u64;
    let noise: Vec<u8> = (0..5_000)
        .map(|_| {
            mixed ^= mixed << 13;
            mixed ^= mixed >> 7;
            mixed ^= mixed << 17;
            mixed.to_le_bytes()[0]
        })
        .collect();
    for (bytes, kind) in [
        (record.as_bytes(), PACKED),
        (&record.as_bytes()[..PACKED_FROM - 1], PLAIN),
        (&noise, PLAIN),
    ] {
        let sealed = sealer.seal(&PLACE, bytes).unwrap();
        assert_eq!(sealed[0], kind);
        assert_eq!(keys.open("new", &PLACE, &sealed).unwrap(), bytes);
        let most = if kind == PACKED {
            bytes.len() / 4
        } else {
            HEAD + bytes.len() + TAG
        };
        assert!(sealed.len() <= most, "{}", sealed.len());
    }
}

#[test]
fn equal_bytes_look_different_each_time_and_no_number_is_used_twice() {
    let keys = keys("new");
    let mut sealer = keys.sealer().unwrap();
    let mut heads = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let sealed = sealer.seal(&PLACE, b"the same").unwrap();
        assert!(heads.insert(sealed[..HEAD].to_vec()));
    }
    // A batch of its own has a salt of its own; so has who has sealed very many.
    sealer.number = PER_SALT;
    for sealed in [
        sealer.seal(&PLACE, b"the same").unwrap(),
        keys.sealer().unwrap().seal(&PLACE, b"the same").unwrap(),
    ] {
        assert!(heads.iter().all(|head| head[..=SALT] != sealed[..=SALT]));
        assert_eq!(keys.open("new", &PLACE, &sealed).unwrap(), b"the same");
    }
}

#[test]
fn nothing_secret_is_shown() {
    let keys = keys("new");
    let shown = format!("{keys:?} {:?}", keys.sealer().unwrap());
    assert!(shown.contains("new") && !shown.contains("0202"), "{shown}");
}

proptest! {
    #[test]
    fn what_is_sealed_opens_to_the_same_bytes(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..3_000),
            proptest::collection::vec(0_u8..4, 0..6_000),
        ],
        tenant in ".{0,12}",
        delivery in any::<[u8; 16]>(),
    ) {
        let place = RawPlace { tenant: &tenant, subscription: "hook", delivery };
        let keys = keys("new");
        let sealed = keys.sealer().unwrap().seal(&place, &bytes).unwrap();
        prop_assert_eq!(keys.open("new", &place, &sealed).unwrap(), bytes);
    }

    #[test]
    fn with_any_bit_changed_or_cut_off_nothing_opens(
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
        cut in any::<prop::sample::Index>(),
    ) {
        let keys = keys("new");
        let sealed = keys.sealer().unwrap().seal(&PLACE, &bytes).unwrap();
        let mut changed = sealed.clone();
        changed[at.index(sealed.len())] ^= 1 << bit;
        prop_assert!(keys.open("new", &PLACE, &changed).is_err());
        prop_assert!(keys.open("new", &PLACE, &sealed[..cut.index(sealed.len())]).is_err());
    }
}
