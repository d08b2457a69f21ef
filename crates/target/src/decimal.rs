//! Numbers as targets show them: rounded to so many decimal places, half away from zero, as text without needless zeros.

use std::fmt;

/// Most decimal places that a target takes.
pub const PLACES_MAX: u8 = 9;

/// A number with a bounded number of decimal places, as it stands in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal(String);

impl Decimal {
    /// `numerator * factor / scale`, exactly, rounded once. `None` where the scale is not positive or the number is absurd.
    #[must_use]
    pub fn of_ratio(numerator: i64, factor: u32, scale: i64, places: u8) -> Option<Self> {
        if scale <= 0 {
            return None;
        }
        let places = places.min(PLACES_MAX);
        let shift = 10_i128.pow(u32::from(places));
        let (scale, sum) = (i128::from(scale), i128::from(numerator));
        let scaled = sum.checked_mul(i128::from(factor))?.checked_mul(shift)?;
        // Half away from zero: the magnitude is rounded, then signed.
        let (quotient, rest) = (scaled.abs() / scale, scaled.abs() % scale);
        let units = quotient + i128::from(rest >= scale - rest);
        let sign = if scaled < 0 && units > 0 { "-" } else { "" };
        let (whole, fraction) = (units / shift, units % shift);
        let text = format!(
            "{sign}{whole}.{fraction:0width$}",
            width = usize::from(places)
        );
        Some(Self(trimmed(&text)))
    }

    /// A number, rounded. `None` where it is none.
    #[must_use]
    pub fn of(value: f64, places: u8) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let places = usize::from(places.min(PLACES_MAX));
        Some(Self(trimmed(&format!("{value:.places$}"))))
    }

    /// As JSON writes it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The nearest number, always the same for one text.
    #[must_use]
    pub fn number(&self) -> f64 {
        self.0.parse().unwrap_or(0.0)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Without zeros at the end of a fraction, without a sign before nothing.
fn trimmed(text: &str) -> String {
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    };
    match text {
        "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_ratio_is_rounded_once_half_away_from_zero() {
        for (numerator, factor, scale, places, expected) in [
            (7_213_400, 1, 1000, 1, "7213.4"),
            (300_000, 1, 1000, 1, "300"),
            (50, 1, 1000, 1, "0.1"),
            (49, 1, 1000, 1, "0"),
            (-50, 1, 1000, 1, "-0.1"),
            (-49, 1, 1000, 1, "0"),
            (1, 1, 3, 5, "0.33333"),
            (2, 100, 3, 2, "66.67"),
            (5, 1, 2, 0, "3"),
            (i64::MAX, 100, 1, 5, "922337203685477580700"),
        ] {
            let decimal = Decimal::of_ratio(numerator, factor, scale, places).unwrap();
            assert_eq!(decimal.text(), expected, "{numerator} * {factor} / {scale}");
        }
        assert_eq!(Decimal::of_ratio(1, 1, 0, 1), None);
    }

    #[test]
    fn a_number_is_written_without_what_it_does_not_need() {
        for (value, places, expected) in [
            (311.0, 0, "311"),
            (311.5, 3, "311.5"),
            (-0.0001, 3, "0"),
            (1e21, 1, "1000000000000000000000"),
            (0.1 + 0.2, 9, "0.3"),
        ] {
            assert_eq!(Decimal::of(value, places).unwrap().text(), expected);
        }
        assert_eq!(Decimal::of(f64::NAN, 1), None);
    }

    proptest! {
        #[test]
        fn what_is_rounded_is_within_half_a_unit(numerator in -1_000_000_000_i64..1_000_000_000, scale in 1_i64..100_000, places in 0_u8..6) {
            let decimal = Decimal::of_ratio(numerator, 1, scale, places).unwrap();
            #[allow(clippy::cast_precision_loss)]
            let exact = numerator as f64 / scale as f64;
            let half = 0.5 / 10_f64.powi(i32::from(places));
            prop_assert!((decimal.number() - exact).abs() <= half * 1.000_001, "{decimal} of {exact}");
            prop_assert_eq!(decimal.text().parse::<f64>().unwrap().to_bits(), decimal.number().to_bits());
        }
    }
}
