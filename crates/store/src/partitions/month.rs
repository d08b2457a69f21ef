//! UTC calendar months as numbers.

use schema::UtcMicros;

const DAY: i64 = 86_400_000_000;

/// A UTC calendar month from 1999-10 on: a window that holds the first instant of 2000 may begin in one of the months before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    number: u32,
    start: UtcMicros,
    end: UtcMicros,
}

impl Month {
    /// The month an instant is in; `None` before 1999-10 and after 9999.
    pub fn of(instant: UtcMicros) -> Option<Self> {
        let (year, month) = civil(instant.0.div_euclid(DAY));
        let year = i32::try_from(year)
            .ok()
            .filter(|year| (2000..=9999).contains(year) || (*year == 1999 && month >= 10))?;
        Some(Self::new(year, month))
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        if self.number == 12 {
            Self::new(self.year + 1, 1)
        } else {
            Self::new(self.year, self.number + 1)
        }
    }

    /// Whether the instant is in it: from its first to before its end.
    pub fn contains(self, instant: UtcMicros) -> bool {
        self.start <= instant && instant < self.end
    }

    /// Its first day as `2024-05-01`.
    pub fn first_day(self) -> String {
        format!("{:04}-{:02}-01", self.year, self.number)
    }

    /// Its first instant.
    pub fn start(self) -> UtcMicros {
        self.start
    }

    /// The first instant after it.
    pub fn end(self) -> UtcMicros {
        self.end
    }

    fn new(year: i32, month: u32) -> Self {
        let (next_year, next_month) = if month == 12 {
            (year + 1, 1)
        } else {
            (year, month + 1)
        };
        Self {
            year,
            number: month,
            start: UtcMicros(days(i64::from(year), i64::from(month)) * DAY),
            end: UtcMicros(days(i64::from(next_year), i64::from(next_month)) * DAY),
        }
    }
}

/// Days from 1970-01-01 to the first of a month of the proleptic Gregorian calendar.
///
/// Counted in years that start in March, so that the leap day is the last of its year.
fn days(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let before_month = (153 * from_march + 2) / 5;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + before_month
        - 719_468
}

/// Year and month of a day counted from 1970-01-01.
fn civil(day: i64) -> (i64, u32) {
    // The average Gregorian year is 146097/400 days: the guess is off by one at most.
    let guess = 1970 + day.saturating_mul(400).div_euclid(146_097);
    let year = if days(guess, 1) > day {
        guess - 1
    } else if days(guess + 1, 1) <= day {
        guess + 1
    } else {
        guess
    };
    let month = (2..=12)
        .take_while(|month| days(year, *month) <= day)
        .count();
    (year, u32::try_from(month + 1).unwrap_or(12))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> UtcMicros {
        UtcMicros(seconds * 1_000_000)
    }

    #[test]
    fn a_month_holds_its_first_instant_and_not_the_next_ones() {
        let may = Month::of(at(1_714_521_600)).unwrap(); // 2024-05-01T00:00:00Z
        assert_eq!(may.first_day(), "2024-05-01");
        assert_eq!(
            Month::of(UtcMicros(may.start().0 - 1)).unwrap().first_day(),
            "2024-04-01"
        );
        assert_eq!(Month::of(UtcMicros(may.end().0 - 1)).unwrap(), may);
        assert_eq!(Month::of(may.end()).unwrap(), may.next());
    }

    #[test]
    fn months_follow_one_another_without_gap_over_leap_years() {
        let mut month = Month::of(at(946_684_800)).unwrap(); // 2000-01-01
        for _ in 0..12 * 401 {
            let next = month.next();
            assert_eq!(month.end(), next.start());
            let length = (month.end().0 - month.start().0) / DAY;
            assert!((28..=31).contains(&length), "{month:?}");
            assert_eq!(Month::of(next.start()).unwrap(), next);
            month = next;
        }
        assert_eq!(month.first_day(), "2401-01-01");
        assert_eq!(
            (month.start().0 / 1_000_000, days(2024, 3) - days(2024, 2)),
            (13_601_088_000, 29)
        );
    }

    #[test]
    fn instants_of_no_plausible_month_have_none() {
        for instant in [
            at(0),
            at(938_735_999), // 1999-09-30T23:59:59Z
            UtcMicros(i64::MIN),
            UtcMicros(i64::MAX),
        ] {
            assert_eq!(Month::of(instant), None);
        }
    }
}
