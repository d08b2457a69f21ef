//! Numbers, times and states as people read them.

use maud::{Markup, html};
use schema::UtcMicros;
use timezone::{Datelike as _, Zone};

/// A thin space between thousands: not taken for a decimal sign anywhere.
const THOUSANDS: char = '\u{202f}';

/// A value in its unit; a dash where it is absent.
pub(super) fn value(value: Option<f64>, unit: &str) -> String {
    let Some(value) = value else {
        return "–".to_owned();
    };
    match unit {
        "seconds" => duration(value),
        "share" => format!("{}\u{202f}%", decimals(value * 100.0, 1)),
        "count" => decimals(value, 0),
        _ => decimals(value, if value.abs() < 100.0 { 2 } else { 0 }),
    }
}

/// `8.5 s`, `4:32`, `1:04:32`.
pub(super) fn duration(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "−" } else { "" };
    let seconds = seconds.abs();
    if seconds < 59.95 {
        return format!("{sign}{seconds:.1}\u{202f}s");
    }
    // Rounded first, so that no sixty seconds are shown.
    let whole = format!("{seconds:.0}").parse::<u64>().unwrap_or(u64::MAX);
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours == 0 {
        format!("{sign}{minutes}:{seconds:02}")
    } else {
        format!(
            "{sign}{}:{minutes:02}:{seconds:02}",
            grouped(&hours.to_string())
        )
    }
}

/// A number with so many decimals, and none that are zero for a whole number.
fn decimals(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest)
            if rest
                .bytes()
                .any(|byte| byte.is_ascii_digit() && byte != b'0') =>
        {
            ("−", rest)
        }
        Some(rest) => ("", rest),
        None => ("", text.as_str()),
    };
    match text.split_once('.') {
        Some((whole, rest)) => format!("{sign}{}.{rest}", grouped(whole)),
        None => format!("{sign}{}", grouped(text)),
    }
}

/// A whole number.
pub(super) fn count(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let sign = if count < 0 { "−" } else { "" };
    format!("{sign}{}", grouped(&digits))
}

fn grouped(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(THOUSANDS);
        }
        grouped.push(digit);
    }
    grouped
}

/// How long ago an instant was, or how far ahead: `3 min`, `2 h`, `5 d`.
pub(super) fn distance(at: UtcMicros, now: UtcMicros) -> String {
    let seconds = now.since(at).0 / 1000;
    let text = match seconds.unsigned_abs() {
        seconds @ 0..=59 => format!("{seconds}\u{202f}s"),
        seconds @ 60..=3599 => format!("{}\u{202f}min", seconds / 60),
        seconds @ 3600..=172_799 => format!("{}\u{202f}h", seconds / 3600),
        seconds => format!("{}\u{202f}d", seconds / 86_400),
    };
    if seconds < 0 {
        format!("in {text}")
    } else {
        format!("{text} ago")
    }
}

/// How long ago, with the instant itself for whoever wants it.
pub(super) fn ago(at: UtcMicros, now: UtcMicros) -> Markup {
    let exact = utc(at);
    html! { time datetime=(at) title=(exact) { (distance(at, now)) } }
}

/// An instant by the clock of UTC.
pub(super) fn utc(at: UtcMicros) -> String {
    let local = Zone::UTC.local(at.0);
    format!(
        "{} {:02}:{:02}:{:02} UTC",
        local.date, local.hour, local.minute, local.second
    )
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// How a window of this size is called by its beginning, by the clock of its zone: `Mon 13 May`, `Mon 13 May 14:30`, `May 2024`.
pub(super) fn window(start: UtcMicros, zone: Zone, size: &str) -> String {
    let local = zone.local(start.0);
    let date = local.date;
    let month = MONTHS
        .get(date.month0() as usize)
        .copied()
        .unwrap_or_default();
    let day = DAYS
        .get(date.weekday().num_days_from_monday() as usize)
        .copied()
        .unwrap_or_default();
    match size {
        "month" => format!("{month} {}", date.year()),
        "week" => format!(
            "{} {month} {}, week {}",
            date.day(),
            date.year(),
            date.iso_week().week()
        ),
        "day" => format!("{day} {} {month}", date.day()),
        _ => format!(
            "{day} {} {month} {:02}:{:02}",
            date.day(),
            local.hour,
            local.minute
        ),
    }
}

/// A state as a small label; `tone` is `good`, `busy`, `bad` or `plain`. The word says it, the colour only repeats it.
pub(super) fn badge(tone: &str, word: &str) -> Markup {
    html! { span class={ "badge " (tone) } { (word) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_in_their_unit() {
        let cases = [
            (Some(8.46), "seconds", "8.5\u{202f}s"),
            (Some(59.96), "seconds", "1:00"),
            (Some(272.4), "seconds", "4:32"),
            (Some(3599.6), "seconds", "1:00:00"),
            (Some(45_296.0), "seconds", "12:34:56"),
            (Some(-61.0), "seconds", "−1:01"),
            (Some(0.8125), "share", "81.2\u{202f}%"),
            (Some(1_234_567.0), "count", "1\u{202f}234\u{202f}567"),
            (Some(-0.2), "count", "0"),
            (Some(1.5), "number", "1.50"),
            (Some(1234.5), "number", "1\u{202f}234"),
            (None, "share", "–"),
        ];
        for (number, unit, wanted) in cases {
            assert_eq!(value(number, unit), wanted, "{number:?} {unit}");
        }
    }

    #[test]
    fn windows_are_called_by_the_clock_of_their_zone() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        // 2024-05-12T22:30:00Z
        let at = UtcMicros(1_715_553_000_000_000);
        assert_eq!(window(at, berlin, "30m"), "Mon 13 May 00:30");
        assert_eq!(window(at, Zone::UTC, "30m"), "Sun 12 May 22:30");
        assert_eq!(window(at, berlin, "day"), "Mon 13 May");
        assert_eq!(window(at, berlin, "month"), "May 2024");
    }

    #[test]
    fn distances_have_one_unit() {
        let now = UtcMicros(1_000_000_000_000);
        let at = |seconds: i64| UtcMicros(now.0 - seconds * 1_000_000);
        for (seconds, wanted) in [
            (0, "0\u{202f}s ago"),
            (59, "59\u{202f}s ago"),
            (60, "1\u{202f}min ago"),
            (7200, "2\u{202f}h ago"),
            (172_800, "2\u{202f}d ago"),
            (-90, "in 1\u{202f}min"),
        ] {
            assert_eq!(distance(at(seconds), now), wanted);
        }
    }
}
