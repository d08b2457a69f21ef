//! What of a KPI a column shows, and in which unit.

use crate::figure::Figure;
use crate::number::Number;

/// What of a KPI's windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// The KPI itself, the first of its definition's aggregations. Of one window alone: it is not known how several would make one.
    Value,
    /// The sum of the values over how many there are; a ratio is one of sums.
    Mean,
    /// The sum of the values.
    Sum,
    /// How many values.
    Count,
    /// What the sum is divided by: how many values, of a share of time its milliseconds.
    Denominator,
    /// The least.
    Minimum,
    /// The greatest.
    Maximum,
    /// A percentile that the definition asks for, 0 to 100. Of one window alone.
    Percentile(u8),
}

/// The unit of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    /// As the KPI has it: seconds, counts, shares from 0 to 1.
    AsStored,
    /// Of seconds.
    Milliseconds,
    /// Of seconds.
    Seconds,
    /// Of seconds.
    Minutes,
    /// Of seconds.
    Hours,
    /// Of seconds, as a text `HH:MM:SS`, rounded to the second.
    Clock,
    /// Of shares: from 0 to 1.
    Ratio,
    /// Of shares: from 0 to 100.
    Percent,
}

impl Measure {
    /// The words of files, but those of percentiles (`p90`).
    pub const WORDS: [(&'static str, Self); 7] = [
        ("value", Self::Value),
        ("mean", Self::Mean),
        ("sum", Self::Sum),
        ("count", Self::Count),
        ("denominator", Self::Denominator),
        ("min", Self::Minimum),
        ("max", Self::Maximum),
    ];

    /// The one of this name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        if let Some((_, measure)) = Self::WORDS.iter().find(|(name, _)| *name == word) {
            return Some(*measure);
        }
        let percent = word.strip_prefix('p')?;
        let plain = percent.bytes().all(|byte| byte.is_ascii_digit());
        let percent = percent.parse().ok().filter(|percent| *percent <= 100)?;
        plain.then_some(Self::Percentile(percent))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> String {
        if let Self::Percentile(percent) = self {
            return format!("p{percent}");
        }
        let words = Self::WORDS.iter().find(|(_, measure)| *measure == self);
        words.map_or("value", |(name, _)| name).to_owned()
    }

    /// Whether several windows make one figure of it.
    #[must_use]
    pub const fn adds_up(self) -> bool {
        !matches!(self, Self::Value | Self::Percentile(_))
    }

    /// Whether it is a plain number, whatever the unit of the KPI.
    #[must_use]
    pub const fn is_plain(self) -> bool {
        matches!(self, Self::Count | Self::Denominator)
    }
}

impl Shown {
    /// The words of files.
    pub const WORDS: [(&'static str, Self); 8] = [
        ("as_stored", Self::AsStored),
        ("ms", Self::Milliseconds),
        ("s", Self::Seconds),
        ("min", Self::Minutes),
        ("h", Self::Hours),
        ("hh:mm:ss", Self::Clock),
        ("ratio", Self::Ratio),
        ("percent", Self::Percent),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let words = Self::WORDS.iter().find(|(_, shown)| *shown == self);
        words.map_or("as_stored", |(name, _)| name)
    }

    /// Whether a KPI of this unit can be shown so.
    pub(crate) fn fits(self, unit: &str) -> bool {
        match self {
            Self::AsStored => true,
            Self::Milliseconds | Self::Seconds | Self::Minutes | Self::Hours | Self::Clock => {
                unit == "seconds"
            }
            Self::Ratio | Self::Percent => unit == "share",
        }
    }

    /// What the stored number is multiplied by and divided by.
    const fn factor(self) -> (i32, i32) {
        match self {
            Self::AsStored | Self::Seconds | Self::Clock | Self::Ratio => (1, 1),
            Self::Milliseconds => (1000, 1),
            Self::Minutes => (1, 60),
            Self::Hours => (1, 3600),
            Self::Percent => (100, 1),
        }
    }

    /// A whole number of seconds as `HH:MM:SS`.
    pub(crate) fn clock(seconds: i64) -> String {
        let sign = if seconds < 0 { "-" } else { "" };
        let all = seconds.unsigned_abs();
        let (hours, minutes, rest) = (all / 3600, all / 60 % 60, all % 60);
        format!("{sign}{hours:02}:{minutes:02}:{rest:02}")
    }
}

/// What came of asking for a figure.
pub(crate) enum Found {
    /// This.
    Number(Number),
    /// Nothing: absent, which is not zero.
    Absent,
    /// It is beyond 64 bits.
    TooLarge,
    /// It is of several windows, and does not add up.
    Several,
}

/// One measure of one group's windows in an interval. Sums are added and divided as whole numbers, and rounded once.
pub(crate) fn of(figures: &[&Figure], measure: Measure, shown: Shown, places: u8) -> Found {
    let Some(first) = figures.first() else {
        return Found::Absent;
    };
    if figures.len() > 1 && !measure.adds_up() {
        return Found::Several;
    }
    let (times, by) = shown.factor();
    let total = |of: fn(&Figure) -> i64| -> i128 {
        figures.iter().map(|figure| i128::from(of(figure))).sum()
    };
    let sum = || total(|figure| figure.numerator);
    // One definition always has the same scale.
    let scale = i128::from(first.scale) * i128::from(by);
    let double = |value: Option<f64>| match value {
        None => Found::Absent,
        Some(value) => number(Number::of_double(
            value * f64::from(times) / f64::from(by),
            places,
        )),
    };
    let extreme = |of: fn(&Figure) -> Option<f64>, better: fn(f64, f64) -> f64| {
        double(
            figures
                .iter()
                .filter_map(|figure| of(figure))
                .reduce(better),
        )
    };
    match measure {
        Measure::Value => double(first.value),
        Measure::Percentile(percent) => {
            let name = format!("p{percent}");
            double(first.percentiles.get(&name).copied())
        }
        Measure::Mean => {
            let values = total(|figure| figure.denominator);
            if values <= 0 {
                return Found::Absent;
            }
            let Some(divisor) = scale.checked_mul(values) else {
                return Found::TooLarge;
            };
            number(Number::of_ratio(sum() * i128::from(times), divisor, places))
        }
        Measure::Sum => number(Number::of_ratio(sum() * i128::from(times), scale, places)),
        Measure::Count => number(Number::of_ratio(total(|figure| figure.items), 1, places)),
        Measure::Denominator => number(Number::of_ratio(
            total(|figure| figure.denominator),
            1,
            places,
        )),
        Measure::Minimum => extreme(|figure| figure.minimum, f64::min),
        Measure::Maximum => extreme(|figure| figure.maximum, f64::max),
    }
}

fn number(number: Option<Number>) -> Found {
    number.map_or(Found::TooLarge, Found::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_means_what_its_name_says() {
        for (word, measure) in Measure::WORDS {
            assert_eq!(Measure::parse(word), Some(measure));
            assert_eq!(measure.name(), word);
        }
        assert_eq!(Measure::parse("p90"), Some(Measure::Percentile(90)));
        assert_eq!(Measure::Percentile(5).name(), "p5");
        for word in ["p", "p101", "p+5", "average", ""] {
            assert_eq!(Measure::parse(word), None, "{word}");
        }
        for (word, shown) in Shown::WORDS {
            assert_eq!(shown.name(), word);
        }
    }

    #[test]
    fn seconds_are_shown_as_a_clock_would() {
        for (seconds, text) in [
            (0, "00:00:00"),
            (3_725, "01:02:05"),
            (-61, "-00:01:01"),
            (360_000, "100:00:00"),
        ] {
            assert_eq!(Shown::clock(seconds), text);
        }
    }
}
