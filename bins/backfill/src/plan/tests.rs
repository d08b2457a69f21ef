use super::*;
use proptest::prelude::*;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// 2024-03-01T00:00:00Z.
const MARCH: i64 = 1_709_251_200_000_000;

fn genesys() -> Kind {
    Kind::Genesys(GenesysSettings::default())
}

fn wanted(source: Source, from: i64, to: i64) -> Wanted<'static> {
    Wanted {
        source,
        from: UtcMicros(from),
        to: UtcMicros(to),
        ids: &[],
    }
}

fn later(available: Option<i64>) -> Known {
    Known {
        now: UtcMicros(MARCH + 100 * DAY),
        available_to: available.map(UtcMicros),
    }
}

#[test]
fn days_are_days_whatever_the_stretch_begins_with() {
    let wanted = wanted(
        Source::GenesysConversations,
        MARCH + 5 * HOUR,
        MARCH + 2 * DAY + HOUR,
    );
    let pieces = plan(&wanted, &genesys(), &later(None)).unwrap();
    let ends: Vec<_> = pieces.iter().map(|piece| piece.to.0 - MARCH).collect();
    assert_eq!(ends, [DAY, 2 * DAY, 2 * DAY + HOUR]);
    assert!(pieces.iter().all(|piece| piece.cursor_json().is_none()));
}

/// Pitfall: asynchronous jobs know nothing later than their date, so what is newer is queried for.
#[test]
fn what_jobs_have_no_data_for_is_queried_day_by_day() {
    let edge = MARCH + DAY + HOUR / 2;
    let wanted = wanted(Source::GenesysConversations, MARCH, MARCH + 2 * DAY + HOUR);
    let pieces = plan(&wanted, &genesys(), &later(Some(edge))).unwrap();
    let shown: Vec<_> = pieces
        .iter()
        .map(|piece| (piece.to.0 - MARCH, piece.way == Way::Query))
        .collect();
    assert_eq!(
        shown,
        [
            (DAY, false),
            (DAY + HOUR / 2, false),
            (2 * DAY, true),
            (2 * DAY + HOUR, true)
        ]
    );
    assert_eq!(
        pieces[3].cursor_json().as_deref(),
        Some(r#"{"way":"query"}"#)
    );
}

#[test]
fn what_has_not_settled_is_due_when_it_has() {
    let now = MARCH + DAY;
    let known = Known {
        now: UtcMicros(now),
        available_to: None,
    };
    let kind = Kind::Cxone(CxoneSettings::default());
    let wanted = wanted(Source::CxoneContacts, MARCH - DAY, MARCH + 2 * DAY);
    let pieces = plan(&wanted, &kind, &known).unwrap();
    let due: Vec<_> = pieces.iter().map(|piece| piece.due_at.0 - now).collect();
    let lag = 900_000_000;
    assert_eq!(due, [0, lag, DAY + lag]);
    assert_eq!(pieces[1].chunk(known.now).due_in, Duration::from_secs(900));
}

#[test]
fn ids_are_looked_up_some_at_a_time() {
    let ids: Vec<String> = (0..120).map(|id| format!("c{id}")).collect();
    // At CXone one by one, and each is asked for the contacts that it led to.
    let cxone = Kind::Cxone(CxoneSettings::default());
    for (source, kind, calls) in [
        (Source::GenesysLookup, genesys(), 3),
        (Source::CxoneLookup, cxone, 240),
    ] {
        let wanted = Wanted {
            ids: &ids,
            ..wanted(source, MARCH, MARCH)
        };
        let pieces = plan(&wanted, &kind, &later(None)).unwrap();
        let found: Vec<String> = pieces
            .iter()
            .flat_map(|piece| match &piece.way {
                Way::Ids(ids) => ids.clone(),
                _ => Vec::new(),
            })
            .collect();
        assert_eq!(found, ids);
        let cost = estimate(source, &kind, &pieces, None, Duration::from_secs(1));
        assert_eq!(
            (cost.chunks, cost.calls, cost.records),
            (3, calls, Some(120))
        );
    }
}

#[test]
fn what_cannot_be_planned_says_why() {
    let empty = wanted(Source::GenesysConversations, MARCH, MARCH);
    let foreign = wanted(Source::CxoneContacts, MARCH, MARCH + DAY);
    let ever = wanted(Source::GenesysConversations, i64::MIN / 2, i64::MAX / 2);
    let nothing = wanted(Source::GenesysLookup, MARCH, MARCH);
    let known = later(None);
    assert!(matches!(
        plan(&empty, &genesys(), &known),
        Err(PlanError::Empty { .. })
    ));
    assert!(matches!(
        plan(&foreign, &genesys(), &known),
        Err(PlanError::Foreign { .. })
    ));
    assert!(matches!(
        plan(&ever, &genesys(), &known),
        Err(PlanError::TooMany { .. })
    ));
    assert_eq!(plan(&nothing, &genesys(), &known), Err(PlanError::NoIds));
}

#[test]
fn calls_follow_from_records_and_time_from_calls() {
    let wanted = wanted(Source::GenesysConversations, MARCH, MARCH + 10 * DAY);
    let pieces = plan(&wanted, &genesys(), &later(None)).unwrap();
    // 10 days of 1,000 conversations: 5 pages each, and 4 calls around them.
    let second = Duration::from_secs(1);
    let cost = estimate(wanted.source, &genesys(), &pieces, Some(10_000), second);
    assert_eq!((cost.chunks, cost.calls, cost.pages), (10, 90, Some(50)));
    assert_eq!(cost.time, Duration::from_secs(90));
    let unknown = estimate(wanted.source, &genesys(), &pieces, None, second);
    assert_eq!((unknown.calls, unknown.pages), (50, None));
}

/// An extraction costs half a minute however few calls it takes.
#[test]
fn extractions_take_their_time() {
    let kind = Kind::Cxone(CxoneSettings::default());
    let wanted = wanted(Source::CxoneExtraction, MARCH, MARCH + 45 * DAY);
    let pieces = plan(&wanted, &kind, &later(None)).unwrap();
    assert!(
        pieces
            .iter()
            .all(|piece| piece.to.0 - piece.from.0 <= 15 * DAY)
    );
    let cost = estimate(
        wanted.source,
        &kind,
        &pieces,
        None,
        Duration::from_millis(1),
    );
    assert_eq!(
        cost.time,
        Duration::from_secs(30) * u32::try_from(pieces.len()).unwrap()
    );
}

fn sources() -> impl Strategy<Value = (Source, Kind)> {
    prop_oneof![
        Just((Source::GenesysConversations, genesys())),
        Just((Source::GenesysUsers, genesys())),
        Just((Source::CxoneContacts, Kind::Cxone(CxoneSettings::default()))),
        Just((Source::CxoneReport, Kind::Cxone(CxoneSettings::default()))),
        Just((
            Source::CxoneExtraction,
            Kind::Cxone(CxoneSettings::default())
        )),
    ]
}

proptest! {
    /// Whatever is asked for is covered once: no instant twice, none left out, no chunk longer than its span or fetched too early.
    #[test]
    fn chunks_are_half_open_gapless_and_never_early(
        (source, kind) in sources(),
        from in -40 * DAY..40 * DAY,
        length in 1..30 * DAY,
        now in -60 * DAY..60 * DAY,
        edge in proptest::option::of(-50 * DAY..50 * DAY),
    ) {
        let known = Known { now: UtcMicros(MARCH + now), available_to: edge.map(|edge| UtcMicros(MARCH + edge)) };
        let wanted = wanted(source, MARCH + from, MARCH + from + length);
        let pieces = plan(&wanted, &kind, &known).unwrap();
        prop_assert_eq!(pieces[0].from, wanted.from);
        prop_assert_eq!(pieces[pieces.len() - 1].to, wanted.to);
        let lag = match &kind { Kind::Genesys(s) => s.query_lag, Kind::Cxone(s) => s.lag };
        for pair in pieces.windows(2) {
            prop_assert_eq!(pair[0].to, pair[1].from);
        }
        for piece in &pieces {
            let longest = match (&kind, &piece.way) {
                (Kind::Genesys(s), Way::Query) => s.query_span,
                (Kind::Genesys(s), _) => s.job_span,
                (Kind::Cxone(s), _) => span(source, s),
            };
            prop_assert!(piece.from < piece.to);
            prop_assert!(piece.to.0 - piece.from.0 <= micros(longest));
            // Cut at whole spans, but for the ends and the date that jobs have data up to.
            let cut = piece.to.0 % micros(longest) == 0;
            prop_assert!(cut || piece.to == wanted.to || Some(piece.to) == known.available_to);
            prop_assert!(piece.due_at >= known.now && piece.due_at.0 >= piece.to.0 + micros(lag));
            prop_assert!(piece.due_at == known.now || piece.due_at.0 == piece.to.0 + micros(lag));
            if let (Kind::Genesys(_), Some(edge)) = (&kind, known.available_to) {
                prop_assert_eq!(piece.way == Way::Query, piece.from >= edge);
                prop_assert!(piece.way == Way::Query || piece.to <= edge);
            }
        }
    }

    /// More records never cost less.
    #[test]
    fn estimates_grow_with_records((source, kind) in sources(), days in 1..40_i64, records in 0..1_000_000_u64, more in 0..1_000_000_u64) {
        let wanted = wanted(source, MARCH, MARCH + days * DAY);
        let pieces = plan(&wanted, &kind, &later(None)).unwrap();
        let second = Duration::from_secs(1);
        let few = estimate(source, &kind, &pieces, Some(records), second);
        let many = estimate(source, &kind, &pieces, Some(records + more), second);
        prop_assert!(few.calls <= many.calls && few.time <= many.time);
        prop_assert!(few.calls >= few.chunks);
        prop_assert_eq!(few.records, Some(records));
    }
}
