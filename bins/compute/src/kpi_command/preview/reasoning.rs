//! Why a row changes: the rule at which two evaluations part. Pure.

/// One rule of one evaluation, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// `filter`, `exclusion outside_business_hours`, `value` …
    pub(crate) name: String,
    /// The expression.
    pub(crate) text: String,
    /// What it gave.
    pub(crate) result: String,
    /// What it looked at, and what that was.
    pub(crate) inputs: Vec<(String, String)>,
}

/// Where two evaluations part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parting {
    /// The rule of the old definition, where there is one.
    pub(crate) old: Option<Rule>,
    /// The same of the new one.
    pub(crate) new: Option<Rule>,
}

/// The rule that makes the difference, if rules do: where both came to the same last rule, the first one whose results differ; else one of
/// the two last rules, in which the two differ or which the other does not have.
pub(crate) fn parting(old: &[Rule], new: &[Rule]) -> Option<Parting> {
    let of = |rules: &[Rule], name: &str| rules.iter().find(|rule| rule.name == name).cloned();
    let mut differing = old.iter().filter_map(|before| {
        let after = of(new, &before.name).filter(|after| after.result != before.result)?;
        Some(Parting {
            old: Some(before.clone()),
            new: Some(after),
        })
    });
    let (before, after) = (old.last()?, new.last()?);
    if before.name == after.name {
        return differing.next();
    }
    // A difference in an intermediate result explains nothing when it did not lead to the decision.
    differing
        .find(|parting| parting.is_about(&before.name) || parting.is_about(&after.name))
        .or_else(|| {
            Some(Parting {
                old: Some(before.clone()),
                new: Some(after.clone()),
            })
        })
}

impl Parting {
    fn is_about(&self, name: &str) -> bool {
        self.old
            .iter()
            .chain(&self.new)
            .any(|rule| rule.name == name)
    }

    /// In one line: `exclusion closed: false → true`, `value: 65.7s → exclusion spam: true`.
    pub(crate) fn line(&self) -> String {
        match (&self.old, &self.new) {
            (None, None) => String::new(),
            (Some(old), Some(new)) if old.name == new.name => {
                format!("{}: {} → {}", old.name, old.result, new.result)
            }
            (Some(old), Some(new)) => {
                format!(
                    "{}: {} → {}: {}",
                    old.name, old.result, new.name, new.result
                )
            }
            (Some(old), None) => format!("{}, only in the old: {}", old.name, old.result),
            (None, Some(new)) => format!("{}, only in the new: {}", new.name, new.result),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(rules: &[(&str, &str)]) -> Vec<Rule> {
        rules
            .iter()
            .map(|(name, result)| Rule {
                name: (*name).to_owned(),
                text: String::new(),
                result: (*result).to_owned(),
                inputs: Vec::new(),
            })
            .collect()
    }

    fn line(old: &[(&str, &str)], new: &[(&str, &str)]) -> String {
        parting(&rules(old), &rules(new)).map_or_else(String::new, |parting| parting.line())
    }

    #[test]
    fn the_rule_that_parts_two_evaluations_is_named() {
        let value = ("value", "65.7s");
        for (old, new, wanted) in [
            (
                vec![value],
                vec![("value", "45.2s")],
                "value: 65.7s → 45.2s",
            ),
            (
                vec![("exclusion closed", "false"), value],
                vec![("exclusion closed", "true")],
                "exclusion closed: false → true",
            ),
            (
                vec![value],
                vec![("exclusion spam", "true")],
                "value: 65.7s → exclusion spam: true",
            ),
            (
                vec![("exclusion closed", "true")],
                vec![value],
                "exclusion closed: true → value: 65.7s",
            ),
            (vec![value], vec![value], ""),
            (vec![], vec![], ""),
        ] {
            assert_eq!(line(&old, &new), wanted);
        }
    }

    #[test]
    fn a_term_that_differs_without_deciding_is_not_blamed() {
        let old = [
            ("term offered", "true"),
            ("exclusion closed", "false"),
            ("value", "1"),
        ];
        let new = [("term offered", "false"), ("exclusion closed", "true")];
        assert_eq!(line(&old, &new), "exclusion closed: false → true");
    }
}
