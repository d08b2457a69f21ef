//! What a job says at its end, on stdout.

use crate::config::Output;
use serde_json::{Map, Value};
use std::io::Write as _;

/// Named results, in the order in which they are written.
#[derive(Debug, Default)]
pub(crate) struct Summary(Vec<(&'static str, Value)>);

impl Summary {
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// As the JSON object that is kept with the job.
    pub(crate) fn json(&self) -> Value {
        let members: Map<String, Value> = self
            .0
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        Value::Object(members)
    }

    /// Writes it to stdout.
    pub(crate) fn write(&self, output: Output) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        match output {
            Output::Json => writeln!(out, "{}", self.json())?,
            Output::Text => {
                for (name, value) in &self.0 {
                    match value {
                        Value::String(text) => writeln!(out, "{name:<20} {text}")?,
                        Value::Null => {}
                        Value::Array(values) => {
                            for value in values {
                                writeln!(out, "{name:<20} {value}")?;
                            }
                        }
                        other => writeln!(out, "{name:<20} {other}")?,
                    }
                }
            }
        }
        out.flush()?;
        Ok(())
    }
}
