//! As CSV: one row a line of the report.

use super::{Line, Report};

const HEADER: [&str; 16] = [
    "kind",
    "agent",
    "queue",
    "from",
    "to",
    "day",
    "measure",
    "verdict",
    "finding",
    "ours",
    "native",
    "difference",
    "our_zone",
    "native_zone",
    "confidence",
    "detail",
];

pub(super) fn write(report: &Report) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for line in &report.lines {
        writer.write_record(fields(line))?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))?;
    // Every field was text.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn fields(line: &Line) -> [String; HEADER.len()] {
    let text = |text: Option<&str>| plain(text.unwrap_or_default());
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let instant = |at: Option<schema::UtcMicros>| at.map(|at| at.to_string()).unwrap_or_default();
    [
        line.kind.clone(),
        text(line.agent.as_deref()),
        text(line.queue.as_deref()),
        instant(line.from),
        instant(line.to),
        text(line.day.as_deref()),
        text(line.measure.as_deref()),
        line.verdict.clone(),
        line.finding.to_string(),
        number(line.ours),
        number(line.native),
        number(line.difference),
        text(line.our_zone.as_deref()),
        text(line.native_zone.as_deref()),
        text(line.confidence.as_deref()),
        text(Some(&line.detail)),
    ]
}

/// A text from outside that a spreadsheet would take for a formula is marked as text.
fn plain(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn no_text_is_a_formula() {
        assert_eq!(plain("=1+1"), "'=1+1");
        assert_eq!(plain("@x"), "'@x");
        assert_eq!(plain("agent-7"), "agent-7");
    }
}
