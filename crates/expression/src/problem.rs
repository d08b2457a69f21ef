//! What is wrong with an expression.

use crate::host::Position;
use std::fmt;

/// One thing that is wrong with an expression's text, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Problem {
    /// From 1, within the expression's text.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// For people: what is wrong, and what could be meant.
    pub message: String,
}

impl Problem {
    pub(crate) fn at(position: Position, message: impl Into<String>) -> Problem {
        Problem {
            line: position.line,
            column: position.column,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// How many names are listed when one is not known.
const LISTED: usize = 16;

/// What a name could have been meant to be: ` (did you mean …?)`, or which there are when they are few, or nothing.
pub(crate) fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let near = known
        .iter()
        .map(|candidate| (distance(name, candidate), *candidate))
        .min()
        .filter(|(distance, _)| *distance <= ((name.chars().count() + 1) / 3).max(1));
    match near {
        Some((_, candidate)) => format!("; did you mean `{candidate}`?"),
        None if known.is_empty() => "; there are none".to_owned(),
        None if known.len() <= LISTED => format!("; there are {}", listed(&known)),
        None => String::new(),
    }
}

fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// How many letters must be put in, taken out, or changed; two neighbours swapped count once.
fn distance(a: &str, b: &str) -> usize {
    /// Names are short; a longer text is not near to one.
    const LONGEST: usize = 64;
    let (a, b): (Vec<char>, Vec<char>) = (
        a.to_lowercase().chars().collect(),
        b.to_lowercase().chars().collect(),
    );
    if a.len().max(b.len()) > LONGEST {
        return usize::MAX;
    }
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, y) in b.iter().enumerate() {
            row[j + 1] = (last[j] + usize::from(x != y))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                row[j + 1] = row[j + 1].min(before_last[j - 1] + 1);
            }
        }
        before_last = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_corrected_to_the_nearest() {
        let known = ["inbound", "outbound"];
        assert_eq!(suggest("inbond", known), "; did you mean `inbound`?");
        assert_eq!(suggest("inbuond", known), "; did you mean `inbound`?");
    }

    #[test]
    fn a_name_far_from_all_lists_them_when_they_are_few() {
        assert_eq!(suggest("zzz", ["a1", "b2"]), "; there are `a1`, `b2`");
        assert_eq!(suggest("zzz", []), "; there are none");
        let many: Vec<String> = (0..20).map(|i| format!("name{i}")).collect();
        assert_eq!(suggest("zzz", many.iter().map(String::as_str)), "");
    }

    #[test]
    fn capitals_are_not_far() {
        assert_eq!(
            suggest("InHours", ["inHours", "x"]),
            "; did you mean `inHours`?"
        );
    }
}
