//! The table `registration`: the call by which a platform of the guide is told where to post to.

use super::super::kinds::{Fields, Kind, Registration};
use super::Reader;
use ::platform::client::Method;
use runtime::toml_file::Section;
use serde_json::Value;

impl Reader<'_, '_> {
    pub(super) fn registration(&mut self, table: Section<'_>) -> Option<Kind> {
        let Some(section) = self.file.section(table, "registration") else {
            if !table.table.contains_key("registration") {
                self.file.problem(
                    table.at,
                    "[subscription.platform.registration] is missing: what is posted where to register",
                );
            }
            return None;
        };
        self.file.only(
            section,
            &[
                "path",
                "method",
                "update_path",
                "update_method",
                "body",
                "secret",
                "items",
                "next",
                "id",
                "name",
                "url",
                "topics",
                "state",
                "good_states",
            ],
        );
        let path = self.file.required(section, "path").and_then(|(text, at)| {
            if !text.starts_with('/') {
                self.file
                    .problem(at, format_args!("`path` is `{text}`; it begins with /"));
                return None;
            }
            Some(text.to_owned())
        });
        let update_path = match self.file.text(section, "update_path") {
            Some((text, at)) => {
                if !text.starts_with('/') || !text.contains("{id}") {
                    self.file.problem(
                        at,
                        format_args!("`update_path` is `{text}`; it begins with / and has {{id}}"),
                    );
                }
                Some(text.to_owned())
            }
            None => path
                .as_ref()
                .map(|path| format!("{}/{{id}}", path.trim_end_matches('/'))),
        };
        let method = self.method(section, "method", Method::Post);
        let update_method = self.method(section, "update_method", Method::Put);
        let body = self.body(section);
        let secret = if section.table.contains_key("secret") {
            self.needed_secret(section, "secret")
        } else {
            None
        };
        if let Some(body) = &body
            && secret.is_none()
            && body.to_string().contains("{secret}")
            && !section.table.contains_key("secret")
        {
            self.file.problem(
                section.at,
                "`secret` is missing: the body has {secret} in it",
            );
        }
        let fields = Fields {
            id: self.pointer(section, "id", "/id"),
            name: self.pointer(section, "name", "/name"),
            url: self.pointer(section, "url", "/url"),
            topics: self.pointer(section, "topics", "/topics"),
            state: self.pointer(section, "state", "/state"),
        };
        let good_states = self.good_states(section);
        Some(Kind::GuideWebhook(Box::new(Registration {
            path: path?,
            method: method?,
            update_path: update_path?,
            update_method: update_method?,
            body: body?,
            secret,
            items: self.pointer(section, "items", "/entities"),
            next: self.pointer(section, "next", "/nextUri"),
            fields,
            good_states,
        })))
    }

    fn method(&mut self, section: Section<'_>, key: &str, usual: Method) -> Option<Method> {
        let Some((text, at)) = self.file.text(section, key) else {
            return Some(usual);
        };
        let method = Method::parse(text).filter(|method| *method != Method::Get);
        if method.is_none() {
            self.file.problem(
                at,
                format_args!("`{key}` is `{text}`; known are POST, PUT, PATCH"),
            );
        }
        method
    }

    fn body(&mut self, section: Section<'_>) -> Option<Value> {
        let (text, at) = self.file.required(section, "body")?;
        match serde_json::from_str::<Value>(text) {
            Ok(body) if body.to_string().contains("{url}") => Some(body),
            Ok(_) => {
                self.file.problem(
                    at,
                    "`body` has no {url}: the platform would not know where to post to",
                );
                None
            }
            Err(error) => {
                self.file
                    .problem(at, format_args!("`body` is no JSON: {error}"));
                None
            }
        }
    }

    /// A JSON pointer; the empty one is the answer itself.
    fn pointer(&mut self, section: Section<'_>, key: &str, usual: &str) -> String {
        match self.file.text(section, key) {
            None => usual.to_owned(),
            Some((text, at)) => {
                if !text.is_empty() && !text.starts_with('/') {
                    self.file.problem(
                        at,
                        format_args!(
                            "`{key}` is `{text}`; a JSON pointer such as {usual} is expected"
                        ),
                    );
                }
                text.to_owned()
            }
        }
    }

    fn good_states(&mut self, section: Section<'_>) -> Vec<String> {
        let Some((entries, _)) = self.file.array(section, "good_states") else {
            return ["active", "enabled", "true"].map(str::to_owned).to_vec();
        };
        let mut states = Vec::new();
        for entry in entries {
            match entry.get_ref().as_str() {
                Some(state) => states.push(state.to_lowercase()),
                None => self.file.problem(entry.span().start, "a state is a text"),
            }
        }
        states
    }
}
