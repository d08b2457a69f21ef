//! What differs between two definitions, field by field. Comments and layout do not count, the texts of expressions do.

use super::table::{Cell, Table};
use serde_json::{Map, Value};
use similar::{Algorithm, ChangeTag, capture_diff_slices};
use std::fmt::Write as _;

/// The members of a definition in the order in which people read them; others follow by name.
const ORDER: [&str; 23] = [
    "name",
    "version",
    "unit",
    "priority",
    "scope",
    "title",
    "description",
    "source",
    "aggregations",
    "counted",
    "settles_after",
    "platform",
    "filter",
    "exclusions",
    "value",
    "numerator",
    "denominator",
    "on_excluded",
    "journey",
    "parameters",
    "lists",
    "terms",
    "windows",
];

/// The field that says in which order the exclusions are asked.
const IN_THIS_ORDER: &str = " in this order";

/// One field that differs. A field is its lines: those of a text, the items of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Where: `value`, `parameters.answer_within`, `exclusions.outside_business_hours`.
    pub(crate) field: String,
    /// `None`: the first has no such field.
    pub(crate) old: Option<Vec<String>>,
    /// `None`: the second has no such field.
    pub(crate) new: Option<Vec<String>>,
}

/// The fields that differ between two texts. An error is the parser's, of the first or the second text.
pub(crate) fn differences(
    old: &str,
    new: &str,
) -> Result<Vec<Difference>, Box<dyn std::error::Error + Send + Sync>> {
    let old: Map<String, Value> = toml::from_str(old)?;
    let new: Map<String, Value> = toml::from_str(new)?;
    let (old, new) = (fields(&old), fields(&new));
    let mut names: Vec<&String> = old.iter().map(|(name, _)| name).collect();
    for (name, _) in &new {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort_by_key(|name| (rank(name), name.ends_with(IN_THIS_ORDER)));
    let of = |fields: &[(String, Vec<String>)], wanted: &str| {
        fields
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, lines)| lines.clone())
    };
    Ok(names
        .into_iter()
        .map(|name| Difference {
            field: name.clone(),
            old: of(&old, name),
            new: of(&new, name),
        })
        .filter(|difference| difference.old != difference.new)
        .collect())
}

fn rank(field: &str) -> usize {
    let member = field.split('.').next().unwrap_or(field);
    ORDER
        .iter()
        .position(|known| *known == member)
        .unwrap_or(ORDER.len())
}

/// All fields with their lines, in the order of the file.
fn fields(root: &Map<String, Value>) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for (name, value) in root {
        match value {
            Value::Object(members) => {
                for (member, value) in members {
                    found.push((format!("{name}.{member}"), lines(value)));
                }
            }
            Value::Array(items) if name == "windows" => windows(items, &mut found),
            Value::Array(items) if items.iter().any(Value::is_object) => {
                exclusions(name, items, &mut found);
            }
            value => found.push((name.clone(), lines(value))),
        }
    }
    found
}

/// An exclusion is known by its reason, so that one that is put in between is one difference and not many. Their order counts too.
fn exclusions(name: &str, items: &[Value], found: &mut Vec<(String, Vec<String>)>) {
    let mut reasons: Vec<String> = Vec::new();
    for item in items {
        let stated = item["reason"].as_str().unwrap_or("?");
        let again = reasons
            .iter()
            .filter(|reason| reason.split('#').next() == Some(stated))
            .count();
        let reason = match again {
            0 => stated.to_owned(),
            again => format!("{stated}#{}", again + 1),
        };
        let text = lines(&item["when"]);
        found.push((format!("{name}.{reason}"), text));
        reasons.push(reason);
    }
    if reasons.len() > 1 {
        found.push((format!("{name}{IN_THIS_ORDER}"), reasons));
    }
}

/// Windows are known by their group, whose dimensions have no order, as the windows themselves have none.
fn windows(items: &[Value], found: &mut Vec<(String, Vec<String>)>) {
    for item in items {
        let mut by = lines(&item["by"]);
        by.sort_unstable();
        let group = if by.is_empty() {
            "everything".to_owned()
        } else {
            by.join(",")
        };
        let mut sizes = lines(&item["sizes"]);
        if let Some(shift) = item["shift"].as_str() {
            sizes.push(format!("shift = {shift}"));
        }
        found.push((format!("windows.{group}"), sizes));
    }
}

fn lines(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect(),
        Value::Array(items) => items.iter().flat_map(lines).collect(),
        Value::Null => Vec::new(),
        other => vec![other.to_string()],
    }
}

/// For people: one line where a line does, else the lines that go and come.
pub(crate) fn text(differences: &[Difference]) -> String {
    let mut text = String::new();
    for Difference { field, old, new } in differences {
        let none = Vec::new();
        let (before, after) = (old.as_ref().unwrap_or(&none), new.as_ref().unwrap_or(&none));
        // Writing to a string cannot fail.
        match (before.as_slice(), after.as_slice()) {
            ([before], [after]) if before.len() + after.len() <= 60 => {
                writeln!(text, "{field}: {before} → {after}").ok();
            }
            _ => {
                let word = match (old, new) {
                    (None, _) => " (new)",
                    (_, None) => " (gone)",
                    _ => "",
                };
                writeln!(text, "{field}{word}:").ok();
                for (sign, line) in line_changes(before, after) {
                    writeln!(text, "  {sign} {line}").ok();
                }
            }
        }
    }
    text
}

fn line_changes<'a>(old: &'a [String], new: &'a [String]) -> Vec<(char, &'a String)> {
    capture_diff_slices(Algorithm::Myers, old, new)
        .iter()
        .flat_map(|operation| operation.iter_changes(old, new))
        .map(|change| {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            let line = change
                .old_index()
                .map(|index| &old[index])
                .or_else(|| change.new_index().map(|index| &new[index]));
            (sign, line)
        })
        .filter_map(|(sign, line)| Some((sign, line?)))
        .collect()
}

/// For programs.
pub(crate) fn table(differences: &[Difference]) -> Table {
    let mut table = Table::new(&["field", "old", "new"]);
    for difference in differences {
        let joined = |lines: &Option<Vec<String>>| Cell::of(lines.as_ref().map(|l| l.join("\n")));
        table.push(vec![
            Cell::text(&difference.field),
            joined(&difference.old),
            joined(&difference.new),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = r#"
name = "aht" # a comment
version = 1
unit = "seconds"
value = "orZero(interaction.talk) + orZero(interaction.hold)"
aggregations = ["mean", "sum"]
[[exclusions]]
reason = "closed"
when = "!inHours(interaction.started_at, schedules.hours)"
[[exclusions]]
reason = "spam"
when = "interaction.disposition in lists.spam"
[parameters]
limit = "20s"
[lists]
spam = ["A", "B"]
"#;

    fn changed(changes: &[(&str, &str)]) -> String {
        let mut second = FIRST.to_owned();
        for (from, to) in changes {
            assert!(second.contains(from), "{from}");
            second = second.replace(from, to);
        }
        text(&differences(FIRST, &second).unwrap())
    }

    #[test]
    fn comments_and_layout_are_no_difference() {
        assert_eq!(
            changed(&[
                (" # a comment", ""),
                ("[\"A\", \"B\"]", "[\n \"A\",\n \"B\",\n]")
            ]),
            ""
        );
    }

    #[test]
    fn short_fields_take_one_line_and_lists_show_their_items() {
        assert_eq!(
            changed(&[
                ("version = 1", "version = 2"),
                ("\"20s\"", "\"30s\""),
                ("\"B\"]", "\"C\", \"D\"]")
            ]),
            "version: 1 → 2\nparameters.limit: 20s → 30s\nlists.spam:\n    A\n  - B\n  + C\n  + D\n"
        );
    }

    #[test]
    fn windows_are_told_apart_by_their_groups() {
        let old = "[[windows]]\nby = []\nsizes = [\"day\"]\n[[windows]]\nby = [\"queue\", \"media\"]\nsizes = [\"15m\", \"day\"]\n";
        let new = "[[windows]]\nby = [\"media\", \"queue\"]\nsizes = [\"15m\", \"shift\"]\nshift = \"nights\"\n[[windows]]\nby = [\"agent\"]\nsizes = [\"day\"]\n";
        assert_eq!(
            text(&differences(old, new).unwrap()),
            "windows.everything (gone):\n  - day\nwindows.media,queue:\n    15m\n  - day\n  + shift\n  + shift = nights\nwindows.agent (new):\n  + day\n"
        );
        assert_eq!(text(&differences(old, old).unwrap()), "");
    }

    #[test]
    fn an_expression_of_several_lines_is_compared_line_by_line() {
        let was = "\"orZero(interaction.talk) + orZero(interaction.hold)\"";
        let is = "'''\norZero(interaction.talk)\n+ orZero(interaction.wrap)'''";
        assert_eq!(
            changed(&[(was, is)]),
            "value:\n  - orZero(interaction.talk) + orZero(interaction.hold)\n  + orZero(interaction.talk)\n  + + orZero(interaction.wrap)\n"
        );
    }

    #[test]
    fn exclusions_are_known_by_their_reason_and_their_order_counts() {
        let third = "[[exclusions]]\nreason = \"test\"\nwhen = \"interaction.queue == 'test'\"\n[[exclusions]]\nreason = \"closed\"";
        assert_eq!(
            changed(&[("[[exclusions]]\nreason = \"closed\"", third)]),
            "exclusions.test (new):\n  + interaction.queue == 'test'\nexclusions in this order:\n  + test\n    closed\n    spam\n"
        );
        let text = changed(&[("\"closed\"", "\"x\""), ("\"spam\"", "\"closed\"")]);
        assert!(text.contains("exclusions.closed:"), "{text}");
    }

    #[test]
    fn a_text_that_is_no_toml_is_an_error() {
        assert!(differences(FIRST, "name = ").is_err());
    }

    #[test]
    fn programs_get_fields_with_old_and_new() {
        let found = differences(FIRST, &FIRST.replace("\"20s\"", "\"30s\"")).unwrap();
        assert_eq!(
            table(&found).json(),
            serde_json::json!([{"field": "parameters.limit", "old": "20s", "new": "30s"}])
        );
    }
}
