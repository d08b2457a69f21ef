//! Durations as platforms write them: seconds as a number, as text with commas between thousands, or ISO 8601 (`PT1M16.5S`).

use crate::scalar::{Scalar, rounded};
use schema::{Millis, UtcMicros};

/// What is said where neither can be read.
pub(crate) const EXPECTED: &str = "a number of seconds, or a duration like PT1M16.5S";

/// The longest that anything lasts: 400 days, beyond which the rules withhold what rests on it.
const PLAUSIBLE_MAX: Millis = Millis(400 * 24 * 3_600_000);

/// What is said where nothing can have lasted so long.
pub(crate) const PLAUSIBLE: &str = "a duration of 0 to 400 days";

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
    let text = text.trim_ascii();
    if !text.contains(',') {
        return from_seconds(text.parse().ok()?);
    }
    // A comma anywhere else may be a decimal one, and a guess would be a thousand times off.
    let whole = text.split('.').next()?;
    let mut groups = whole.split(',');
    let first = groups.next()?.trim_start_matches(['-', '+']);
    let is_grouped = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
    is_grouped
        .then(|| text.replace(',', "").parse().ok())
        .flatten()
        .and_then(from_seconds)
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
        assert_eq!(text(" 12,001,076 "), Ok(Some(Millis(12_001_076_000))));
        assert_eq!(text("-1,076.5"), Ok(Some(Millis(-1_076_500))));
        assert_eq!(text("PT1M16.5S"), Ok(Some(Millis(76_500))));
        assert_eq!(text("pt76,5s"), Ok(Some(Millis(76_500))));
        assert_eq!(text("P1DT19H18M29.651S"), Ok(Some(Millis(155_909_651))));
        assert_eq!(text("P2W"), Ok(Some(Millis(1_209_600_000))));
        assert_eq!(text("PT0S"), Ok(Some(Millis(0))));
        assert_eq!(text("-PT1S"), Ok(Some(Millis(-1000))));
        assert_eq!(read(&Scalar::Nothing), Ok(None));
    }

    #[test]
    fn no_instant_is_made_of_a_length_that_is_none() {
        let from = UtcMicros::from_millis(1_715_783_530_451);
        assert_eq!(end(from, Millis(0)), Some(from));
        assert_eq!(end(from, Millis(1000)), Some(from.plus(Millis(1000))));
        assert!(end(from, PLAUSIBLE_MAX).is_some());
        for absurd in [-1, PLAUSIBLE_MAX.0 + 1, i64::MAX, i64::MIN] {
            assert_eq!(end(from, Millis(absurd)), None);
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "", "P", "PT", "P1Y", "P1M", "1H", "PT1", "PT1D", "P1H", "PTS", "PT1.1.1S", "inf",
            "P1DT1H1X", "PTT1S", "PT1SÜ", "1,5", "1,07,6.5", ",076", "1,0765",
        ] {
            assert_eq!(read(&Scalar::Text(text.into())), Err(()), "{text}");
        }
        assert_eq!(read(&Scalar::Bool(true)), Err(()));
        assert_eq!(read(&Scalar::Float(f64::NAN)), Err(()));
    }
}
