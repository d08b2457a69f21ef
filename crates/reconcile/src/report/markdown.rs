//! As Markdown, for a ticket or a mail.

use super::{Line, Report};
use std::fmt::Write as _;

/// More lines of one kind are in the other formats.
const SHOWN: usize = 200;

pub(super) fn write(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    head(&mut text, report).ok();
    zones(&mut text, report).ok();
    figures(&mut text, report).ok();
    shifts(&mut text, report).ok();
    text
}

fn head(text: &mut String, report: &Report) -> std::fmt::Result {
    let (head, totals) = (&report.head, &report.totals);
    writeln!(
        text,
        "# Reconciliation of {} with {}\n\n{} to {}, zone data {}.\n",
        plain(&head.tenant),
        plain(&head.platform),
        head.from,
        head.to,
        plain(&head.tzdb)
    )?;
    let compared: usize = totals.figures.values().sum();
    writeln!(text, "| | |\n| --- | --- |")?;
    writeln!(text, "| to look at | {} |", totals.findings)?;
    writeln!(text, "| figures compared | {compared} |")?;
    for (word, count) in &totals.figures {
        writeln!(text, "| … {} | {count} |", words(word))?;
    }
    writeln!(text, "| clocks of agents | {} |", totals.agents)?;
    for (word, count) in &totals.zones {
        writeln!(text, "| … {} | {count} |", words(word))?;
    }
    writeln!(
        text,
        "| shifts | {} |\n| … outside of business hours | {} |",
        totals.shifts, totals.shifts_outside
    )?;
    if !report.not_compared.is_empty() {
        let what = report.not_compared.join("; ");
        writeln!(text, "\nNot compared: {}.", plain(&what))?;
    }
    Ok(())
}

fn zones(text: &mut String, report: &Report) -> std::fmt::Result {
    let header = "agent | kind | ours | the platform's | confidence | what";
    section(text, report, "zone", "Zones", header, |line| {
        vec![
            line.agent.clone().unwrap_or_default(),
            words(&line.verdict),
            line.our_zone.clone().unwrap_or_default(),
            line.native_zone.clone().unwrap_or_default(),
            line.confidence.clone().unwrap_or_default(),
            line.detail.clone(),
        ]
    })
}

fn figures(text: &mut String, report: &Report) -> std::fmt::Result {
    let header = "subject | day | measure | ours | the platform's | difference | verdict | what";
    section(text, report, "figure", "Figures", header, |line| {
        let number = |n: Option<i64>| n.map_or_else(|| "–".to_owned(), |n| n.to_string());
        let subject = match (&line.agent, &line.queue) {
            (Some(agent), Some(queue)) => format!("{agent} in {queue}"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => String::new(),
        };
        vec![
            subject,
            line.day.clone().unwrap_or_default(),
            line.measure.clone().unwrap_or_default(),
            number(line.ours),
            number(line.native),
            number(line.difference),
            words(&line.verdict),
            line.detail.clone(),
        ]
    })
}

fn shifts(text: &mut String, report: &Report) -> std::fmt::Result {
    let header = "agent | from | to | zone | what";
    section(
        text,
        report,
        "shift",
        "Shifts outside of business hours",
        header,
        |line| {
            let instant =
                |at: Option<schema::UtcMicros>| at.map(|at| at.to_string()).unwrap_or_default();
            vec![
                line.agent.clone().unwrap_or_default(),
                instant(line.from),
                instant(line.to),
                line.our_zone.clone().unwrap_or_default(),
                line.detail.clone(),
            ]
        },
    )
}

fn section(
    text: &mut String,
    report: &Report,
    kind: &str,
    title: &str,
    header: &str,
    fields: impl Fn(&Line) -> Vec<String>,
) -> std::fmt::Result {
    let of_kind = || report.lines.iter().filter(|line| line.kind == kind);
    let all = of_kind().count();
    if all == 0 {
        return Ok(());
    }
    let rules = vec!["---"; header.split('|').count()].join(" | ");
    writeln!(text, "\n## {title}\n\n| {header} |\n| {rules} |")?;
    for line in of_kind().take(SHOWN) {
        let fields: Vec<_> = fields(line).iter().map(|field| plain(field)).collect();
        writeln!(text, "| {} |", fields.join(" | "))?;
    }
    if all > SHOWN {
        writeln!(
            text,
            "\n… and {} more, which CSV and JSON have.",
            all - SHOWN
        )?;
    }
    Ok(())
}

fn words(word: &str) -> String {
    word.replace('_', " ")
}

/// A text from outside that cannot leave its cell, nor become a link or an element.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '<' | '>' | '`' | '[' | ']' | '*' | '_' | '\\' => plain.extend(['\\', c]),
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn no_text_leaves_its_cell() {
        assert_eq!(plain("a|b\nc"), "a\\|b c");
        assert_eq!(plain("[x](y)"), "\\[x\\](y)");
    }
}
