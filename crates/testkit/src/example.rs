//! Whether the example of a settings file shows everything that its reader knows.
//!
//! A reader says what it knows where it is given what it does not know (`runtime::toml_file::TomlFile::only`). So every table of the example,
//! those in comments and those within a line included, is given a setting that nobody knows, and the answers are compared with what
//! the example shows, in force or in a comment.

use std::collections::{BTreeMap, BTreeSet};

/// What no reader knows.
const STRANGER: &str = "not_a_setting";

/// What is wrong with an example: settings, each with its table, that it does not show, and tables that nobody reads. `named` are tables whose
/// members have names of the user's own, such as headers; where these are tables, all of them together show what one may have. `problems`
/// reads a text and lists what is wrong with it, as `name:line: what`.
pub fn not_shown(
    example: &str,
    named: &[&str],
    problems: impl Fn(&str) -> Vec<String>,
) -> Vec<String> {
    let shown = Shown::of(example, named);
    let mut known: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (line, settings) in problems(&shown.text).iter().filter_map(|it| answer(it)) {
        let table = shown.strangers.get(&line).map_or("", String::as_str);
        known.entry(table).or_default().extend(settings);
    }
    let mut wrong = Vec::new();
    for table in shown.strangers.values().collect::<BTreeSet<_>>() {
        if !known.contains_key(table.as_str()) {
            wrong.push(format!("[{table}] is not read"));
        }
    }
    for (table, settings) in &known {
        let here = shown.settings.get(*table);
        for setting in settings {
            if here.is_none_or(|here| !here.contains(setting)) {
                wrong.push(format!("[{table}] `{setting}` is not shown"));
            }
        }
    }
    wrong
}

/// The line and the settings that a reader names there.
fn answer(problem: &str) -> Option<(usize, Vec<String>)> {
    let (place, known) =
        problem.split_once(&format!(": unknown setting `{STRANGER}`; known here: "))?;
    let line = place.rsplit(':').next()?.parse().ok()?;
    Some((line, known.split(", ").map(str::to_owned).collect()))
}

#[derive(Debug, Default)]
struct Shown {
    /// The example with all comments that hold a setting or a table in force, and strangers.
    text: String,
    lines: usize,
    /// The table that the stranger of a line is in; the outermost one is empty.
    strangers: BTreeMap<usize, String>,
    settings: BTreeMap<String, BTreeSet<String>>,
}

impl Shown {
    fn of(example: &str, named: &[&str]) -> Self {
        let mut shown = Self::default();
        let mut table = String::new();
        shown.stranger(&table);
        for line in example.lines().map(in_force) {
            if let Some(header) = header(line) {
                // A name of the user's own is known, whichever it is.
                let is_known = named.contains(&header);
                let of_named = named.iter().find(|named| {
                    let rest = header.strip_prefix(**named);
                    rest.is_some_and(|rest| rest.starts_with('.'))
                });
                let header = of_named.copied().unwrap_or(header);
                header.clone_into(&mut table);
                // A table is a setting of the one around it.
                if let Some((around, name)) = header.rsplit_once('.') {
                    shown.setting(around, name);
                } else {
                    shown.setting("", header);
                }
                shown.line(line);
                if !is_known {
                    shown.stranger(&table);
                }
            } else if let Some((name, value)) = setting(line) {
                shown.setting(&table, name);
                shown.value(&table, name, value);
            }
        }
        shown
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.lines += 1;
    }

    fn stranger(&mut self, table: &str) {
        self.line(&format!("{STRANGER} = 1"));
        self.strangers.insert(self.lines, table.to_owned());
    }

    fn setting(&mut self, table: &str, name: &str) {
        let settings = self.settings.entry(table.to_owned()).or_default();
        settings.insert(name.to_owned());
    }

    /// A line with a value, and a stranger in the table that it holds, if it holds one that is no secret.
    fn value(&mut self, table: &str, name: &str, value: &str) {
        let inner = value.split_once('{').map(|(_, inner)| inner);
        let names: Vec<&str> = inner.into_iter().flat_map(names).collect();
        let secret = names
            .first()
            .is_none_or(|name| ["env", "file", "value"].contains(name));
        if secret {
            self.line(&format!("{name} = {value}"));
            return;
        }
        let table = format!("{table}.{name}");
        for name in names {
            self.setting(&table, name);
        }
        let value = value.replacen('{', &format!("{{ {STRANGER} = 1,"), 1);
        self.line(&format!("{name} = {value}"));
        self.strangers.insert(self.lines, table);
    }
}

/// A line without the sign of a comment, where what is behind it is a table or a setting.
fn in_force(line: &str) -> &str {
    let without = line.trim_start_matches('#').trim_start();
    if header(without).is_some() || setting(without).is_some() {
        without
    } else {
        line
    }
}

fn header(line: &str) -> Option<&str> {
    let name = line.trim_start_matches('[').split(']').next()?;
    (line.starts_with('[') && name.split('.').all(is_name)).then_some(name)
}

fn setting(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    (is_name(name) && !value.is_empty()).then_some((name, value))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// The names of what is set within a line, at the first level.
fn names(inner: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut depth, mut from) = (0_i32, 0);
    for (at, character) in inner.char_indices() {
        match character {
            '{' | '[' => depth += 1,
            '}' | ']' if depth == 0 => break,
            '}' | ']' => depth -= 1,
            ',' if depth == 0 => from = at + 1,
            '=' if depth == 0 => found.push(inner[from..at].trim()),
            _ => {}
        }
    }
    found.retain(|name| is_name(name));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a reader that knows these settings, by table.
    fn reader(known: &[(&str, &str)]) -> impl Fn(&str) -> Vec<String> {
        move |text| {
            let mut table = String::new();
            let mut problems = Vec::new();
            for (number, line) in text.lines().enumerate() {
                if let Some(name) = header(line) {
                    name.clone_into(&mut table);
                }
                let within = setting(line).filter(|(_, value)| value.contains(STRANGER));
                let place = match within {
                    Some((name, _)) => format!("{table}.{name}"),
                    None => table.clone(),
                };
                if let Some((_, known)) = known.iter().find(|(of, _)| *of == place)
                    && line.contains(STRANGER)
                {
                    problems.push(format!(
                        "f:{}: unknown setting `{STRANGER}`; known here: {known}",
                        number + 1
                    ));
                }
            }
            problems
        }
    }

    #[test]
    fn what_is_shown_in_force_in_a_comment_or_within_a_line_is_shown() {
        let example = "version = 1 # of the file\n# A word: about = signs.\n[[place]]\nname = \"a\"\n# size = 2\n\
                       secret = { env = \"S\" }\n# [place.rate]\n#burst = 1\nkeys = { url = \"x\", every = [{ a = 1 }] }\n";
        let all = [
            ("", "version, place"),
            ("place", "name, size, secret, rate"),
            ("place.rate", "burst, keys"),
            ("place.rate.keys", "url, every"),
        ];
        assert_eq!(not_shown(example, &[], reader(&all)), [] as [&str; 0]);
        let more = [
            ("", "version, place"),
            ("place", "name, size, secret, rate, colour"),
            ("place.rate", "burst, keys, lapse"),
        ];
        assert_eq!(
            not_shown(example, &[], reader(&more)),
            [
                "[place.rate.keys] is not read",
                "[place] `colour` is not shown",
                "[place.rate] `lapse` is not shown"
            ]
        );
    }

    #[test]
    fn tables_by_names_of_the_users_own_show_their_settings_together() {
        let example = "[place]\n[place.keys]\nanything = 1\n[place.doors.front]\nwide = 1\n[place.doors.back]\n# high = 1\n";
        let known = [
            ("", "place"),
            ("place", "keys, doors"),
            ("place.doors.front", "wide, high"),
            ("place.doors.back", "wide, high"),
        ];
        let named = ["place.keys", "place.doors"];
        assert_eq!(not_shown(example, &named, reader(&known)), [] as [&str; 0]);
        let known = [
            ("", "place"),
            ("place", "keys, doors"),
            ("place.doors.front", "wide, high, deep"),
            ("place.doors.back", "wide, high, deep"),
        ];
        assert_eq!(
            not_shown(example, &named, reader(&known)),
            ["[place.doors] `deep` is not shown"]
        );
    }
}
