//! Durations as platforms write them: seconds as a number, as text with commas between thousands, or ISO 8601 (`PT1M16.5S`).

use crate::scalar::{Scalar, rounded};
use schema::{Millis, UtcMicros};

/// What is said where neither can be read.
pub(crate) const EXPECTED: &str = "a number of seconds, or a duration like PT1M16.5S";

/// The longest that anything lasts: 400 days, beyond which the rules withhold what rests on it.
const PLAUSIBLE_MAX: Millis = Millis(400 * 24 * 3_600_000);

/// Whether something can have lasted so long.
pub(crate) fn is_plausible(lasted: Millis) -> bool {
    (Millis::ZERO..=PLAUSIBLE_MAX).contains(&lasted)
}

/// When something ended that began then and lasted so long. No instant is made of a duration that is none.
pub(crate) fn end(from: UtcMicros, lasted: Millis) -> Option<UtcMicros> {
    is_plausible(lasted).then(|| from.plus(lasted))
}

/// Seconds as text, as milliseconds. A comma is met between thousands.
pub(crate) fn seconds(text: &str) -> Option<Millis> {
    let seconds: f64 = text.replace(',', "").trim_ascii().parse().ok()?;
    from_seconds(seconds)
}

/// Seconds in any of these spellings. `Err` where it is none of them.
pub(crate) fn read(found: &Scalar<'_>) -> Result<Option<Millis>, ()> {
    #[allow(clippy::cast_precision_loss)] // seconds of a state
    match found {
        Scalar::Nothing => Ok(None),
        Scalar::Int(number) => Ok(from_seconds(*number as f64)),
        Scalar::Float(number) => from_seconds(*number).map(Some).ok_or(()),
        Scalar::Text(text) => seconds(text).or_else(|| iso(text)).map(Some).ok_or(()),
        Scalar::Bool(_) | Scalar::List | Scalar::Object => Err(()),
    }
}

fn from_seconds(seconds: f64) -> Option<Millis> {
    seconds
        .is_finite()
        .then(|| Millis(rounded(seconds * 1000.0)))
}

/// An ISO 8601 duration of weeks, days, hours, minutes and seconds. Years and months have no length and are refused.
pub(crate) fn iso(text: &str) -> Option<Millis> {
    let text = text.trim_ascii();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let mut rest = text.strip_prefix(['P', 'p'])?;
    let mut seconds = 0.0;
    let mut in_time = false;
    let mut parts = 0;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix(['T', 't']).filter(|_| !in_time) {
            in_time = true;
            rest = time;
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',')?;
        // `f64` also reads "inf": only digits can stand here.
        let number: f64 = rest[..end].replace(',', ".").parse().ok()?;
        let mut tail = rest[end..].chars();
        let unit = match (tail.next()?.to_ascii_uppercase(), in_time) {
            ('W', false) => 604_800.0,
            ('D', false) => 86_400.0,
            ('H', true) => 3600.0,
            ('M', true) => 60.0,
            ('S', true) => 1.0,
            _ => return None,
        };
        seconds += number * unit;
        rest = tail.as_str();
        parts += 1;
    }
    if parts == 0 {
        return None;
    }
    from_seconds(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_the_same_length() {
        let text = |text: &str| read(&Scalar::Text(text.to_owned().into()));
        assert_eq!(read(&Scalar::Int(76)), Ok(Some(Millis(76_000))));
        assert_eq!(read(&Scalar::Float(76.5)), Ok(Some(Millis(76_500))));
        assert_eq!(text("76.5"), Ok(Some(Millis(76_500))));
        assert_eq!(text("1,076.5"), Ok(Some(Millis(1_076_500))));
        assert_eq!(text("PT1M16.5S"), Ok(Some(Millis(76_500))));
        assert_eq!(text("pt76,5s"), Ok(Some(Millis(76_500))));
        assert_eq!(text("P1DT19H18M29.651S"), Ok(Some(Millis(155_909_651))));
        assert_eq!(text("P2W"), Ok(Some(Millis(1_209_600_000))));
        assert_eq!(text("PT0S"), Ok(Some(Millis(0))));
        assert_eq!(text("-PT1S"), Ok(Some(Millis(-1000))));
        assert_eq!(read(&Scalar::Nothing), Ok(None));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "", "P", "PT", "P1Y", "P1M", "1H", "PT1", "PT1D", "P1H", "PTS", "PT1.1.1S", "inf",
            "P1DT1H1X", "PTT1S", "PT1SÜ",
        ] {
            assert_eq!(read(&Scalar::Text(text.into())), Err(()), "{text}");
        }
        assert_eq!(read(&Scalar::Bool(true)), Err(()));
        assert_eq!(read(&Scalar::Float(f64::NAN)), Err(()));
    }
}
