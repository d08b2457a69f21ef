//! The tables of the kinds of Genesys: its event bus, and its workflows.

use super::super::kinds::{EventBridge, Kind, Trigger};
use super::Reader;
use runtime::toml_file::Section;
use std::time::Duration;

/// The shortest that Genesys takes.
const EVENT_TTL_MIN: Duration = Duration::from_secs(10);

impl Reader<'_, '_> {
    pub(super) fn event_bridge(&mut self, table: Section<'_>) -> EventBridge {
        let Some(section) = self.file.section(table, "eventbridge") else {
            return EventBridge::default();
        };
        self.file
            .only(section, &["organisation", "suffix", "account", "region"]);
        let mut text = |key: &str, fits: fn(&str) -> bool, what: &str| {
            let (text, at) = self.file.text(section, key)?;
            if !fits(text) {
                self.file
                    .problem(at, format_args!("`{key}` is `{text}`; {what} is expected"));
                return None;
            }
            Some(text.to_owned())
        };
        // They end up in commands and patterns that an operator runs.
        let plain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte))
        };
        let account =
            |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        EventBridge {
            organisation: text("organisation", plain, "the organisation's id"),
            suffix: text("suffix", plain, "the suffix of the event source"),
            account: text("account", account, "an AWS account of twelve digits"),
            region: text("region", plain, "an AWS region"),
        }
    }

    pub(super) fn trigger(&mut self, table: Section<'_>) -> Option<Kind> {
        let Some(section) = self.file.section(table, "trigger") else {
            if !table.table.contains_key("trigger") {
                self.file.problem(
                    table.at,
                    "[subscription.platform.trigger] is missing: the workflow that posts to us",
                );
            }
            return None;
        };
        self.file.only(section, &["workflow", "event_ttl"]);
        let event_ttl = self.file.duration(section, "event_ttl");
        if event_ttl.is_some_and(|ttl| ttl < EVENT_TTL_MIN) {
            self.file.problem(
                section.at,
                format_args!(
                    "`event_ttl` is shorter than {EVENT_TTL_MIN:?}, which the platform refuses"
                ),
            );
        }
        let (workflow, _) = self.file.required(section, "workflow")?;
        Some(Kind::GenesysProcessAutomation(Trigger {
            workflow: workflow.to_owned(),
            event_ttl,
        }))
    }
}
