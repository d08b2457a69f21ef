//! From rows of the windows to the figures of intervals.

use feed::Figure;
use std::collections::BTreeMap;
use store::feeds::FigureRow;
use window::{GroupKey, Window};

/// The figures of each of so many intervals; of one whose rows cannot be read, why not.
#[must_use]
pub fn by_interval(rows: Vec<FigureRow>, intervals: usize) -> Vec<Result<Vec<Figure>, String>> {
    let mut found: Vec<Result<Vec<Figure>, String>> = vec![Ok(Vec::new()); intervals];
    for row in rows {
        let Some(interval) = found.get_mut(row.interval) else {
            continue;
        };
        if let Ok(figures) = interval {
            match figure(row) {
                Ok(figure) => figures.push(figure),
                Err(why) => *interval = Err(why),
            }
        }
    }
    found
}

fn figure(row: FigureRow) -> Result<Figure, String> {
    let group = GroupKey::parse(&row.group_key).map_err(|error| error.to_string())?;
    let percentiles: BTreeMap<String, f64> = match &row.percentiles_json {
        None => BTreeMap::new(),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| format!("the percentiles of a window cannot be read: {error}"))?,
    };
    Ok(Figure {
        kpi: row.kpi,
        version: row.version,
        group,
        window: Window {
            start: row.window_start,
            end: row.window_end,
        },
        items: row.items,
        numerator: row.numerator,
        denominator: row.denominator,
        scale: row.scale,
        minimum: row.minimum,
        maximum: row.maximum,
        percentiles,
        value: row.value,
        unit: row.unit,
    })
}
