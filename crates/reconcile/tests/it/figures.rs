//! Figures of days, cell by cell.

use crate::{date, day, zone};
use proptest::prelude::*;
use reconcile::{Measure, Native, Ours, Policy, Subject, Tolerance, Verdict, compare};
use timezone::{Days, NaiveDate, Zone};

fn native(subject: &Subject, measure: Measure, of: (Zone, NaiveDate), value: i64) -> Native {
    let (from, to) = day(of.0, of.1);
    Native {
        subject: subject.clone(),
        measure,
        from,
        to,
        zone: of.0,
        value,
        items: None,
    }
}

fn ours(subject: &Subject, measure: Measure, of: (Zone, NaiveDate), value: i64) -> Ours {
    let (from, to) = day(of.0, of.1);
    Ours {
        subject: subject.clone(),
        measure,
        from,
        to,
        zone: of.0,
        value,
        items: 10,
        settled: true,
    }
}

fn verdicts(natives: &[Native], ours: &[Ours], policy: &Policy) -> Vec<Verdict> {
    compare(natives, ours, policy)
        .into_iter()
        .map(|cell| cell.verdict)
        .collect()
}

fn exact() -> Policy {
    Policy::new(Tolerance::GENESYS)
}

const BERLIN: &str = "Europe/Berlin";

#[test]
fn counts_are_exact_and_times_may_be_off_by_what_rounding_makes() {
    let (agent, of) = (Subject::agent("a"), (zone(BERLIN), date(2024, 10, 27)));
    let natives = [
        native(&agent, Measure::Handled, of, 10),
        native(&agent, Measure::Talk, of, 60_000),
    ];
    let mine = |handled, talk| {
        [
            ours(&agent, Measure::Handled, of, handled),
            ours(&agent, Measure::Talk, of, talk),
        ]
    };
    let found = |handled, talk| verdicts(&natives, &mine(handled, talk), &exact());
    assert_eq!(found(10, 60_000), [Verdict::Equal, Verdict::Equal]);
    assert_eq!(
        found(11, 60_010),
        [Verdict::Differs, Verdict::Within { allowed: 10 }]
    );
    assert_eq!(found(10, 60_011)[1], Verdict::Differs);
}

#[test]
fn a_part_that_ours_leaves_out_is_named_and_is_no_gap() {
    // Pitfall 22: dialling 7 s, talk 60 s, wrap-up 20 s; the platform's handle time is 87 s.
    let (agent, of) = (Subject::agent("a"), (zone(BERLIN), date(2024, 5, 15)));
    let natives = [
        native(&agent, Measure::Dial, of, 7_000),
        native(&agent, Measure::Handle, of, 87_000),
    ];
    let policy = exact().leaving_out(Measure::Handle, &[Measure::Dial, Measure::Contact]);
    let cells = compare(
        &natives,
        &[ours(&agent, Measure::Handle, of, 80_000)],
        &policy,
    );
    let handle = cells.iter().find(|c| c.measure == Measure::Handle).unwrap();
    let parts = vec![(Measure::Dial, 7_000)];
    assert_eq!(handle.verdict, Verdict::LeftOut { parts });
    assert!(!handle.verdict.is_finding());
    // Two seconds that nobody left out stay a difference, and so does the same without the stated list.
    let other = [ours(&agent, Measure::Handle, of, 78_000)];
    assert_eq!(
        compare(&natives, &other, &policy)[1].verdict,
        Verdict::Differs
    );
    let unsaid = [ours(&agent, Measure::Handle, of, 80_000)];
    assert_eq!(
        compare(&natives, &unsaid, &exact())[1].verdict,
        Verdict::Differs
    );
}

#[test]
fn a_wrap_up_that_ends_on_the_next_day_is_told_from_an_error() {
    // Pitfall 24: one side dates by the beginning, the other by the end.
    let agent = Subject::agent("a");
    let of = |number| (zone(BERLIN), date(2024, 5, number));
    let natives = [
        native(&agent, Measure::Wrap, of(30), 500_000),
        native(&agent, Measure::Wrap, of(31), 700_000),
    ];
    let mine = [
        ours(&agent, Measure::Wrap, of(30), 760_000),
        ours(&agent, Measure::Wrap, of(31), 440_000),
    ];
    assert_eq!(
        verdicts(&natives, &mine, &exact()),
        [
            Verdict::Neighbour {
                day: date(2024, 5, 31)
            },
            Verdict::Neighbour {
                day: date(2024, 5, 30)
            }
        ]
    );
}

#[test]
fn a_window_that_may_change_is_open_and_one_without_a_counterpart_is_told() {
    let (queue, of) = (Subject::queue("q"), (zone(BERLIN), date(2024, 5, 15)));
    let other = Subject::queue("other");
    let natives = [
        native(&queue, Measure::Offered, of, 5),
        native(&queue, Measure::Abandoned, of, 0),
        native(&queue, Measure::Answered, of, 4),
    ];
    let mine = [
        Ours {
            settled: false,
            ..ours(&queue, Measure::Offered, of, 3)
        },
        ours(&other, Measure::Offered, of, 2),
        // Nobody asked the platform about handle times of queues.
        ours(&other, Measure::Handle, of, 2),
    ];
    let cells = compare(&natives, &mine, &exact());
    let of = |subject: &Subject, measure| {
        let found = cells
            .iter()
            .find(|cell| cell.subject == *subject && cell.measure == measure);
        found.map(|cell| cell.verdict.clone())
    };
    assert_eq!(of(&queue, Measure::Offered), Some(Verdict::Open));
    assert_eq!(of(&queue, Measure::Abandoned), Some(Verdict::Equal));
    assert_eq!(of(&queue, Measure::Answered), Some(Verdict::OnlyNative));
    assert_eq!(of(&other, Measure::Offered), Some(Verdict::OnlyOurs));
    assert_eq!(of(&other, Measure::Handle), None);
}

#[test]
fn a_day_of_another_clock_is_not_compared_but_named() {
    let agent = Subject::agent("a");
    let (berlin, new_york) = (zone(BERLIN), zone("America/New_York"));
    let of = date(2024, 10, 29);
    let natives = [native(&agent, Measure::Handle, (berlin, of), 100)];
    let mine = [ours(&agent, Measure::Handle, (new_york, of), 100)];
    let cells = compare(&natives, &mine, &exact());
    assert_eq!(cells.len(), 1);
    // New York has summer time still: five hours.
    assert_eq!(
        cells[0].verdict,
        Verdict::OtherDay {
            begins_later: 5 * 3_600,
            zone: new_york
        }
    );
    assert_eq!((cells[0].native, cells[0].ours), (Some(100), Some(100)));
}

const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Asia/Kathmandu",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "America/Santiago",
    "UTC",
];

prop_compose! {
    fn natives()(
        rows in proptest::collection::vec(
            (0_usize..3, 0_usize..ZONES.len(), 0_u64..5, 0_usize..Measure::ALL.len(), 0_i64..1_000_000),
            0..60,
        )
    ) -> Vec<Native> {
        let mut rows: Vec<Native> = rows
            .into_iter()
            .map(|(who, at, days, measure, value)| {
                let of = date(2024, 10, 25) + Days::new(days);
                let subject = Subject::agent(&format!("agent-{who}"));
                native(&subject, Measure::ALL[measure], (zone(ZONES[at]), of), value)
            })
            .collect();
        // One number a cell: which of several holds depends on their order, by what is said.
        rows.sort_by_key(|one| (one.subject.clone(), one.measure, one.from, one.to));
        rows.dedup_by_key(|one| (one.subject.clone(), one.measure, one.from, one.to));
        rows
    }
}

fn mirrored(natives: &[Native]) -> Vec<Ours> {
    natives
        .iter()
        .map(|one| Ours {
            subject: one.subject.clone(),
            measure: one.measure,
            from: one.from,
            to: one.to,
            zone: one.zone,
            value: one.value,
            items: 1,
            settled: true,
        })
        .collect()
}

proptest! {
    /// What is the same on both sides is equal throughout, whatever days of whatever zones.
    #[test]
    fn the_same_numbers_are_equal(natives in natives()) {
        let cells = compare(&natives, &mirrored(&natives), &exact());
        prop_assert_eq!(cells.len(), natives.len());
        for cell in cells {
            prop_assert_eq!(cell.verdict, Verdict::Equal);
        }
    }

    /// The order in which numbers come does not matter, and every number of the platform has exactly one cell.
    #[test]
    fn order_does_not_matter(natives in natives(), others in natives(), seed in any::<u64>()) {
        let ours = mirrored(&others);
        let there = compare(&natives, &ours, &exact());
        let (mut turned, mut turned_ours) = (natives.clone(), ours.clone());
        turned.reverse();
        let middle = usize::try_from(seed % 64).unwrap().min(turned_ours.len());
        turned_ours.rotate_left(middle);
        prop_assert_eq!(&there, &compare(&turned, &turned_ours, &exact()));
        let with_native = there.iter().filter(|cell| cell.native.is_some()).count();
        prop_assert_eq!(with_native, natives.len());
    }

    /// One number that is off by more than is allowed is always told, and alone.
    #[test]
    fn one_wrong_number_is_found(natives in natives(), place in any::<prop::sample::Index>(), by in 2_i64..1_000_000) {
        prop_assume!(!natives.is_empty());
        let mut ours = mirrored(&natives);
        let place = place.index(ours.len());
        ours[place].value += by;
        let cells = compare(&natives, &ours, &exact());
        let wrong: Vec<_> = cells.iter().filter(|cell| cell.verdict.is_finding()).collect();
        prop_assert_eq!(wrong.len(), 1);
        prop_assert_eq!(&wrong[0].subject, &ours[place].subject);
        prop_assert_eq!(wrong[0].difference(), by);
    }
}
