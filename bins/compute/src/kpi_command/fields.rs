//! `compute kpi fields`.

mod members;
mod operators;

use super::args::{FieldsArgs, Output};
use super::table::{Cell, Table, page_width, wrapped};
use anyhow::bail;
use members::MEMBERS;
use operators::OPERATORS;
use std::io::Write;

pub(super) fn run(args: &FieldsArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let word = args.word.as_deref().unwrap_or_default();
    if args.output == Output::Table && word.is_empty() {
        out.write_all(manual(page_width()).as_bytes())?;
        return Ok(());
    }
    let table = found(word);
    if args.output != Output::Table {
        return table.write(args.output, out);
    }
    if table.is_empty() {
        bail!("nothing has {word:?} in it; `compute kpi fields` lists all there is");
    }
    out.write_all(table.text(page_width()).as_bytes())?;
    Ok(())
}

/// One thing to be known: what it is called, its type in words, what it means.
struct Known {
    name: String,
    kind: String,
    meaning: String,
}

/// What belongs together, under its heads.
struct Section {
    head: [&'static str; 3],
    known: Vec<Known>,
}

fn sections() -> Vec<Section> {
    let known = |name: &str, kind: &str, meaning: &str| Known {
        name: name.to_owned(),
        kind: kind.to_owned(),
        meaning: meaning.to_owned(),
    };
    let mut sections = vec![Section {
        head: ["member of a definition", "what it is", "meaning"],
        known: MEMBERS
            .iter()
            .map(|(name, kind, meaning)| known(name, kind, meaning))
            .collect(),
    }];
    for field in kpi::field_reference() {
        let head = [field.object, "type", "meaning"];
        if sections.last().is_none_or(|last| last.head != head) {
            sections.push(Section {
                head,
                known: Vec::new(),
            });
        }
        let kind = format!("{}{}", field.kind, if field.optional { "?" } else { "" });
        let mut meaning = field.meaning.to_owned();
        if !field.one_of.is_empty() {
            meaning.push_str(" One of: ");
            meaning.push_str(&field.one_of.join(", "));
            meaning.push('.');
        }
        if let Some(section) = sections.last_mut() {
            let name = format!("{}.{}", field.object, field.name);
            section.known.push(known(&name, &kind, &meaning));
        }
    }
    sections.push(Section {
        head: ["function", "result", "meaning"],
        known: kpi::function_reference()
            .iter()
            .map(|function| known(function.form, function.result, function.meaning))
            .collect(),
    });
    sections.push(Section {
        head: ["operator", "result", "meaning"],
        known: OPERATORS
            .iter()
            .map(|operator| known(operator.form, operator.result, operator.meaning))
            .collect(),
    });
    sections
}

/// Everything, for people.
fn manual(width: usize) -> String {
    let mut text = String::new();
    for section in sections() {
        let mut table = Table::new(&section.head).with_whole(section.head[0]);
        for Known {
            name,
            kind,
            meaning,
        } in section.known
        {
            table.push(vec![
                Cell::Text(name),
                Cell::Text(kind),
                Cell::Text(meaning),
            ]);
        }
        text.push_str(&table.text(width));
        text.push('\n');
    }
    for line in wrapped(NOT_STATED, width) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// What the mark behind a type means.
const NOT_STATED: &str = "? = may be not stated: in a filter or an exclusion the condition then does not hold, in a value the metric is \
                          absent. has(), orZero() and orElse() ask.";

/// What has the word in it, in upper or lower case.
fn found(word: &str) -> Table {
    let word = word.to_lowercase();
    let mut table = Table::new(&["name", "type", "meaning"]);
    for known in sections().into_iter().flat_map(|section| section.known) {
        let row = [known.name, known.kind, known.meaning];
        if row.iter().any(|text| text.to_lowercase().contains(&word)) {
            table.push(row.map(Cell::Text).to_vec());
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_finds_fields_and_functions() {
        let text = found("HOURS").text(100);
        assert!(text.contains("inHours"), "{text}");
        assert!(!text.contains("interaction.talk"), "{text}");
        assert!(found("").text(100).contains("interaction.talk"));
        assert!(found("no such word").is_empty());
    }

    #[test]
    fn everything_is_told_within_the_page() {
        let manual = manual(100);
        for part in [
            "on_excluded",
            "interaction.longest_hold",
            "journey.contacts",
            "businessTime(",
            "a && b",
            "? = may be not stated",
        ] {
            assert!(manual.contains(part), "{part}");
        }
        let widest = manual.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{widest:?}\n{manual}");
    }
}
