//! `compute kpi fields`.

use super::args::{FieldsArgs, Output};
use super::table::{Cell, Table};
use anyhow::bail;
use std::io::Write;

pub(super) fn run(args: &FieldsArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    if args.output == Output::Table && args.word.is_none() {
        out.write_all(kpi::reference().as_bytes())?;
        return Ok(());
    }
    let table = table(args.word.as_deref().unwrap_or_default());
    if table.is_empty() && args.output == Output::Table {
        bail!(
            "no field and no function has {:?} in it; `compute kpi fields` lists all",
            args.word.as_deref().unwrap_or_default()
        );
    }
    table.write(args.output, out)
}

/// Fields and functions that have the word in them, in upper or lower case.
fn table(word: &str) -> Table {
    let word = word.to_lowercase();
    let mut table = Table::new(&["name", "type", "meaning"]);
    for field in kpi::field_reference() {
        let name = format!("{}.{}", field.object, field.name);
        let kind = format!("{}{}", field.kind, if field.optional { "?" } else { "" });
        let mut meaning = field.meaning.to_owned();
        if !field.one_of.is_empty() {
            meaning.push_str(" One of: ");
            meaning.push_str(&field.one_of.join(", "));
            meaning.push('.');
        }
        push(&mut table, &word, [name, kind, meaning]);
    }
    for function in kpi::function_reference() {
        let row = [function.form, function.result, function.meaning];
        push(&mut table, &word, row.map(str::to_owned));
    }
    table
}

fn push(table: &mut Table, word: &str, row: [String; 3]) {
    if row.iter().any(|text| text.to_lowercase().contains(word)) {
        table.push(row.map(Cell::Text).to_vec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_finds_fields_and_functions() {
        let text = table("HOURS").text();
        assert!(text.contains("inHours"), "{text}");
        assert!(!text.contains("interaction.talk"), "{text}");
        assert!(table("").text().contains("interaction.talk"));
        assert!(table("no such word").is_empty());
    }
}
