//! Decimal numbers with a fixed count of places, rounded once, half away from zero.

use std::fmt;

/// A number as a contract wants it: so many units of the last place. It is written with all its places, `7.50`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number {
    units: i64,
    places: u8,
}

impl Number {
    /// Most places after the point.
    pub const PLACES_MAX: u8 = 9;
    /// Units have at most eighteen digits, which is what a decimal of 64 bits holds in Parquet.
    const UNITS_MAX: u64 = 999_999_999_999_999_999;

    /// So many units of the last of so many places (more than [`PLACES_MAX`](Self::PLACES_MAX) are that many).
    #[must_use]
    pub fn new(units: i64, places: u8) -> Self {
        Self {
            units,
            places: places.min(Self::PLACES_MAX),
        }
    }

    /// `numerator / denominator`, exact before it is rounded. `None` where the denominator is not positive, or the result has more than
    /// eighteen digits.
    #[must_use]
    pub fn of_ratio(numerator: i128, denominator: i128, places: u8) -> Option<Self> {
        if denominator <= 0 {
            return None;
        }
        let places = places.min(Self::PLACES_MAX);
        let scaled = numerator.checked_mul(10_i128.pow(places.into()))?;
        let (quotient, rest) = (
            scaled.unsigned_abs() / denominator.unsigned_abs(),
            scaled.unsigned_abs() % denominator.unsigned_abs(),
        );
        let up = rest >= denominator.unsigned_abs() - rest;
        let magnitude = i64::try_from(quotient.checked_add(up.into())?).ok()?;
        Self::bounded(if scaled < 0 { -magnitude } else { magnitude }, places)
    }

    /// A number that is stored as a double, rounded. `None` where it is none, or too large.
    #[must_use]
    pub fn of_double(value: f64, places: u8) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let places = places.min(Self::PLACES_MAX);
        let text = format!("{value:.*}", usize::from(places)).replace('.', "");
        Self::bounded(text.parse().ok()?, places)
    }

    fn bounded(units: i64, places: u8) -> Option<Self> {
        (units.unsigned_abs() <= Self::UNITS_MAX).then_some(Self { units, places })
    }

    /// How many units of the last place.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.units
    }

    /// How many places after the point.
    #[must_use]
    pub const fn places(self) -> u8 {
        self.places
    }

    /// With this character for the decimal point.
    #[must_use]
    pub fn text(self, point: char) -> String {
        if self.places == 0 {
            return self.units.to_string();
        }
        let sign = if self.units < 0 { "-" } else { "" };
        let base = 10_u64.pow(self.places.into());
        let magnitude = self.units.unsigned_abs();
        let (whole, fraction) = (magnitude / base, magnitude % base);
        let width = usize::from(self.places);
        format!("{sign}{whole}{point}{fraction:0width$}")
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_rounded_once_and_keeps_its_places() {
        for (numerator, denominator, places, expected) in [
            (7_213_450, 1000, 2, Some("7213.45")),
            (300_000, 1000, 1, Some("300.0")),
            (1, 3, 4, Some("0.3333")),
            (2, 3, 0, Some("1")),
            (1, 2, 0, Some("1")),
            (-1, 2, 0, Some("-1")),
            (-49, 1000, 1, Some("0.0")),
            (i128::from(i64::MAX), 1, 1, None),
            (1, 0, 1, None),
            (1, -1, 1, None),
        ] {
            let found = Number::of_ratio(numerator, denominator, places);
            let text = found.map(|number| number.to_string());
            assert_eq!(text.as_deref(), expected, "{numerator}/{denominator}");
        }
    }

    #[test]
    fn a_double_is_rounded_from_what_it_really_is() {
        for (value, places, expected) in [
            (0.1 + 0.2, 2, Some("0.30")),
            (-0.001, 2, Some("0.00")),
            (1e300, 2, None),
            (f64::NAN, 2, None),
            (42.0, 0, Some("42")),
        ] {
            let text = Number::of_double(value, places).map(|number| number.to_string());
            assert_eq!(text.as_deref(), expected, "{value}");
        }
        assert_eq!(Number::new(-1_234_567, 3).text(','), "-1234,567");
    }

    proptest! {
        #[test]
        fn what_is_rounded_is_within_half_a_unit(n in -1_000_000_000_000_i64..1_000_000_000_000, d in 1_i64..10_000_000, places in 0_u8..=6) {
            let number = Number::of_ratio(n.into(), d.into(), places).unwrap();
            // |units / 10^p - n / d| <= 1 / (2 * 10^p), without a fraction.
            let (units, shift) = (i128::from(number.units()), 10_i128.pow(places.into()));
            let off = (units * i128::from(d) - i128::from(n) * shift).abs() * 2;
            prop_assert!(off <= i128::from(d));
        }
    }
}
