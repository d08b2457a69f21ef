//! The course of a value in a few pixels, drawn on the server.

use maud::{Markup, html};
use std::fmt::Write as _;

const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 28.0;
/// So that the line's ends are not cut.
const EDGE: f64 = 2.5;

/// A line through the values, with gaps where one is absent and a ring at the last one where that may still change. What it shows is said
/// in words beside it, so it is hidden from those who listen.
pub(super) fn line(values: &[Option<f64>], last_is_open: bool) -> Markup {
    let points = points(values);
    let last = points.iter().rev().flatten().next().copied();
    html! {
        svg .spark viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            path d=(path(&points)) vector-effect="non-scaling-stroke";
        }
        @if let Some((x, y)) = last {
            svg .dot viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                // A line of no length with round ends is a dot, whatever the picture is stretched to.
                path .open[last_is_open] d={ "M" (rounded(x)) " " (rounded(y)) "h0" } vector-effect="non-scaling-stroke";
            }
        }
    }
}

/// Where the values are; those that are absent are nowhere.
fn points(values: &[Option<f64>]) -> Vec<Option<(f64, f64)>> {
    let known = || values.iter().flatten().copied();
    let least = known().fold(f64::INFINITY, f64::min);
    let most = known().fold(f64::NEG_INFINITY, f64::max);
    let span = most - least;
    let steps = values.len().saturating_sub(1).max(1);
    #[allow(clippy::cast_precision_loss, reason = "a few dozen values")]
    let step = (WIDTH - 2.0 * EDGE) / steps as f64;
    let mut x = EDGE - step;
    values
        .iter()
        .map(|value| {
            x += step;
            // Values that are all the same are in the middle.
            let share = value.map(|value| {
                if span > 0.0 {
                    (value - least) / span
                } else {
                    0.5
                }
            });
            share.map(|share| (x, HEIGHT - EDGE - share * (HEIGHT - 2.0 * EDGE)))
        })
        .collect()
}

fn path(points: &[Option<(f64, f64)>]) -> String {
    let mut path = String::new();
    let mut drawing = false;
    for point in points {
        if let Some((x, y)) = point {
            let command = if drawing { 'L' } else { 'M' };
            // Writing to a string cannot fail.
            write!(path, "{command}{} {}", rounded(*x), rounded(*y)).ok();
        }
        drawing = point.is_some();
    }
    path
}

fn rounded(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_from_edge_to_edge_and_has_gaps() {
        let points = points(&[Some(1.0), None, Some(3.0), Some(2.0), Some(1.0)]);
        assert_eq!(path(&points), "M2.5 25.5M60 2.5L88.8 14L117.5 25.5");
    }

    #[test]
    fn values_that_are_all_the_same_are_in_the_middle_and_none_are_nothing() {
        assert_eq!(path(&points(&[Some(7.0), Some(7.0)])), "M2.5 14L117.5 14");
        assert_eq!(path(&points(&[Some(7.0)])), "M2.5 14");
        assert_eq!(path(&points(&[None, None])), "");
        assert_eq!(path(&points(&[])), "");
    }
}
