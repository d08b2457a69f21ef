//! Durations and numbers as people write them.

use schema::UtcMicros;
use std::fmt;
use std::time::Duration;

/// `47 s`, `2 min 10 s`, `1 h 5 min`, `3 d 4 h`.
pub(crate) struct Lasting(pub(crate) Duration);

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
        let largest = units.iter().position(|(length, _)| seconds >= *length);
        let Some(largest) = largest else {
            return write!(f, "{} ms", self.0.as_millis());
        };
        let mut left = seconds;
        // The largest unit and the next one: nobody wants to know the seconds of an hour.
        for (nth, (length, unit)) in units.iter().skip(largest).take(2).enumerate() {
            let number = left / length;
            left %= length;
            if nth == 0 {
                write!(f, "{number} {unit}")?;
            } else if number > 0 {
                write!(f, " {number} {unit}")?;
            }
        }
        Ok(())
    }
}

/// `1,234,567`
pub(crate) struct Grouped(pub(crate) u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (nth, digit) in digits.chars().enumerate() {
            if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// From one instant to another; nothing where the clock was set back.
pub(crate) fn passed(from: UtcMicros, to: UtcMicros) -> Duration {
    let micros = to.0.saturating_sub(from.0);
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

/// So long before an instant.
pub(crate) fn before(at: UtcMicros, by: Duration) -> UtcMicros {
    let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    UtcMicros(at.0.saturating_sub(by))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_are_enough() {
        for (seconds, wanted) in [
            (0, "0 ms"),
            (47, "47 s"),
            (60, "1 min"),
            (130, "2 min 10 s"),
            (3_600 + 300 + 7, "1 h 5 min"),
            (86_400 * 3 + 3_600 * 4, "3 d 4 h"),
        ] {
            assert_eq!(Lasting(Duration::from_secs(seconds)).to_string(), wanted);
        }
    }

    #[test]
    fn digits_are_grouped_from_the_right() {
        for (number, wanted) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(Grouped(number).to_string(), wanted);
        }
    }
}
