//! Configuration problems are collected and listed together: an operator repairs all of them in one round.

use std::fmt::Write as _;

/// Everything found wrong with a configuration so far.
#[derive(Debug, Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Nothing wrong yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one problem: which setting, what was found, what is allowed.
    pub fn push(&mut self, problem: impl Into<String>) {
        self.0.push(problem.into());
    }

    /// Takes the value of a check, or notes its error under the setting's name.
    pub fn take<T, E: std::fmt::Display>(
        &mut self,
        setting: &str,
        checked: Result<T, E>,
    ) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(error) => {
                self.push(format!("{setting}: {error}"));
                None
            }
        }
    }

    /// True when nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problems, in the order in which they were found.
    #[must_use]
    pub fn list(&self) -> &[String] {
        &self.0
    }

    /// An error that lists all of them, or nothing.
    pub fn into_result(self) -> anyhow::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut text = match self.0.len() {
            1 => String::from("the configuration has 1 problem:"),
            n => format!("the configuration has {n} problems:"),
        };
        for problem in &self.0 {
            // Writing to a string cannot fail.
            write!(text, "\n  - {problem}").ok();
        }
        Err(anyhow::anyhow!(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_listed_at_once() {
        let mut problems = Problems::new();
        problems.push("--a: is missing");
        assert_eq!(
            problems.take("--b", "x".parse::<u8>().map_err(|_| "no number")),
            None
        );
        let text = problems.into_result().unwrap_err().to_string();
        assert_eq!(
            text,
            "the configuration has 2 problems:\n  - --a: is missing\n  - --b: no number"
        );
    }

    #[test]
    fn no_problem_is_no_error() {
        assert!(Problems::new().into_result().is_ok());
    }
}
