//! The form, the chart and its table.

use super::choice::{BY_ZONE, Choice, SPANS};
use super::series::{Cell, Chart, LINES_MAX, group_name};
use crate::api::catalogue::{Kpi, Kpis};
use crate::page::layout;
use crate::page::visit::Visit;
use crate::page::words::{self, badge, count};
use maud::{Markup, html};
use store::definitions::Status;
use store::reading::windows::WindowState;
use window::Size;

/// Everything that can be chosen. It is sent as a whole, so that the keyboard never changes a page by passing over it.
pub(super) fn form(visit: &Visit, kpis: &Kpis, choice: &Choice<'_>, chart: &Chart) -> Markup {
    let Some(first) = choice.first() else {
        return html! {};
    };
    let mut names: Vec<&Kpi> = kpis
        .all()
        .iter()
        .filter(|kpi| {
            !kpi.windows().is_empty() && matches!(kpi.status, Status::Current | Status::Candidate)
        })
        .collect();
    names.dedup_by(|one, other| one.name == other.name);
    names.sort_by(|one, other| one.title().cmp(other.title()));
    html! {
        form .choice method="get" action=(visit.path) {
            @if visit.tenants.len() > 1 { @if let Some(tenant) = &visit.tenant { input type="hidden" name="tenant" value=(tenant); } }
            p { label for="metric" { "KPI" }
                select #metric name="metric" { @for kpi in &names { option value=(kpi.name) selected[kpi.name == first.name] { (kpi.title()) } } } }
            p { label for="by" { "By" }
                select #by name="by" { @for by in &choice.groupings { option value=(by) selected[*by == choice.by] { (grouping(by)) } } } }
            p { label for="size" { "Windows of" }
                select #size name="size" { @for size in &choice.sizes { option value=(size.name()) selected[*size == choice.size] { (size_name(*size)) } } } }
            p { label for="span" { "The last" }
                select #span name="span" { @for (name, words, _) in SPANS { option value=(name) selected[name == choice.span.0] { (words) } } } }
            @if choice.known.len() > 1 {
                fieldset { legend { "Versions" }
                    @for kpi in &choice.known {
                        label { input type="checkbox" name="version" value=(kpi.version.0) checked[choice.versions.iter().any(|one| one.version == kpi.version)];
                            " " (kpi.version.0) " " span .of { (kpi.status) } }
                    }
                }
            }
            @if !chart.groups.is_empty() {
                details .groups open[!choice.groups.is_empty()] {
                    summary { (grouping(&choice.by)) ": " (chart.shown.len()) " of " (chart.groups.len()) " shown" }
                    fieldset { legend { "Up to " (LINES_MAX) " are drawn, those with the most in them where none is picked" }
                        @for group in &chart.groups {
                            label { input type="checkbox" name="group" value=(group.group_key) checked[choice.groups.contains(&group.group_key)];
                                " " (group_name(&group.group_key)) " " span .of { (count(group.items)) } }
                        }
                    }
                }
            }
            button type="submit" { "Show" }
        }
    }
}

fn grouping(by: &str) -> String {
    match by {
        "" => "Whole organisation".to_owned(),
        BY_ZONE => "Zone".to_owned(),
        by => {
            let named: Vec<&str> = by
                .split(',')
                .map(|one| one.strip_prefix("attribute:").unwrap_or(one))
                .collect();
            let text = named.join(" and ");
            let mut letters = text.chars();
            letters.next().map_or_else(String::new, |first| {
                first.to_uppercase().chain(letters).collect()
            })
        }
    }
}

const fn size_name(size: Size) -> &'static str {
    match size {
        Size::Quarter => "15 minutes",
        Size::Half => "30 minutes",
        Size::Hour => "an hour",
        Size::Day => "a day",
        Size::Week => "a week",
        Size::Month => "a month",
        Size::Shift => "a shift",
    }
}

/// The chart, drawn by the script from the table beneath it, which says the same.
pub(super) fn chart(choice: &Choice<'_>, chart: &Chart) -> Markup {
    let Some(first) = choice.first() else {
        return html! {};
    };
    html! {
        @for stretch in chart.untrusted.iter().take(3) {
            p .note { (badge("bad", "data missing")) " "
                @if stretch.platform.is_empty() { "From " } @else { (stretch.platform) ", from " }
                (words::utc(stretch.from)) @match stretch.to { Some(to) => { " to " (words::utc(to)) }, None => " on" } ": " (stretch.reason) }
        }
        @if choice.shortened {
            p .note { "Windows of " (size_name(choice.size)) " are shown for " (choice.span.1) " at most." }
        }
        @if chart.rows.is_empty() {
            (layout::nothing("There is no such window in this stretch."))
        } @else {
            section #trend data-live="" aria-labelledby="trend-title" {
                figure .chart data-unit=(chart.unit) {
                    figcaption #trend-title { (first.title()) span .of { (grouping(&choice.by)) ", windows of " (size_name(choice.size)) ", the last " (choice.span.1) } }
                    p .summary { (summary(chart)) }
                    div .plot role="img" aria-label={ "Chart of " (first.title()) ". " (summary(chart)) " The figures are in the table below." } hidden {}
                    p .legend aria-hidden="true" hidden {}
                }
                details .figures {
                    summary { "Figures" }
                    div .wide tabindex="0" role="group" aria-label="Figures" { (table(chart)) }
                }
            }
        }
    }
}

fn table(chart: &Chart) -> Markup {
    html! {
        table .values {
            thead { tr { th scope="col" { "Window" } @for line in &chart.lines { th scope="col" .number { (line) } } th scope="col" { "State" } } }
            tbody {
                @for row in &chart.rows {
                    @let state = state(&row.cells);
                    tr data-t=(row.start.seconds()) data-state=(state.as_str()) data-doubtful[row.doubtful] {
                        th scope="row" { time datetime=(row.start) { (row.name) } }
                        @for cell in &row.cells {
                            @match cell {
                                Some(cell) => td .number data-v=[cell.value] title={ "of " (count(cell.items)) } { (words::value(cell.value, &chart.unit)) },
                                None => td .number { span .unseen { "no window" } },
                            }
                        }
                        td { @match state {
                            WindowState::Open => (badge("busy", "open")),
                            WindowState::Settling => (badge("busy", "settling")),
                            WindowState::Settled => "settled",
                        } @if row.doubtful { " " (badge("bad", "data missing")) } }
                    }
                }
            }
        }
    }
}

/// The state of the one that is the least settled.
fn state(cells: &[Option<Cell>]) -> WindowState {
    let states = cells.iter().flatten().map(|cell| cell.state);
    states.max().unwrap_or(WindowState::Settled)
}

/// What the chart shows, in a sentence.
fn summary(chart: &Chart) -> String {
    let values = chart
        .rows
        .iter()
        .flat_map(|row| &row.cells)
        .flatten()
        .filter_map(|cell| cell.value);
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values {
        least = least.min(value);
        most = most.max(value);
    }
    let moving = chart
        .rows
        .iter()
        .filter(|row| state(&row.cells) != WindowState::Settled)
        .count();
    let lines = match chart.lines.len() {
        1 => String::new(),
        lines => format!("{lines} lines, "),
    };
    let stretch = match (chart.rows.first(), chart.rows.last()) {
        (Some(first), Some(last)) => format!(
            "{lines}{} windows from {} to {}. ",
            chart.rows.len(),
            first.name,
            last.name
        ),
        _ => String::new(),
    };
    let range = if least <= most {
        format!(
            "Values from {} to {}.",
            words::value(Some(least), &chart.unit),
            words::value(Some(most), &chart.unit)
        )
    } else {
        "No window has a value.".to_owned()
    };
    let moving = match moving {
        0 => String::new(),
        1 => " 1 may still change.".to_owned(),
        moving => format!(" {moving} may still change."),
    };
    let doubtful = match chart.rows.iter().filter(|row| row.doubtful).count() {
        0 => String::new(),
        rows => format!(" Of {rows} data are missing or late."),
    };
    format!("{stretch}{range}{moving}{doubtful}")
}

/// What the KPI is.
pub(super) fn about(choice: &Choice<'_>) -> Markup {
    let text = choice
        .first()
        .and_then(|kpi| Some((kpi, kpi.text.as_ref()?)));
    html! {
        @if let Some((kpi, text)) = text {
            section .what aria-labelledby="what-title" {
                h2 #what-title { "What it is" }
                @if !text.description.is_empty() { p { (text.description) } }
                @if !text.source.is_empty() { p .of { (text.source) } }
                p .of { code { (kpi.name) "@" (kpi.version.0) } ", " (kpi.status) ", " (text.scope) }
            }
        }
    }
}
