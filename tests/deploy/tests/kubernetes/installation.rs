//! What a kustomization renders to.

use crate::tools;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// All kustomizations that are installed as they are, with a name for messages.
pub(crate) const OVERLAYS: [&str; 2] = ["overlays/dev", "overlays/production"];

/// The objects of one or several kustomizations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Installation {
    /// In the order of rendering.
    pub(crate) objects: Vec<Value>,
}

impl Installation {
    /// Renders a folder below `deploy/kubernetes`; `None` without `kubectl`.
    pub(crate) fn render(folder: &str) -> Option<Self> {
        Self::render_path(&tools::folder().join(folder))
    }

    /// Production and what no overlay names.
    pub(crate) fn everything() -> Option<Self> {
        Self::render_path(&tools::root().join("tests/deploy/kustomize/everything"))
    }

    /// An overlay together with its migration.
    pub(crate) fn whole(overlay: &str) -> Option<Self> {
        let mut both = Self::render(overlay)?;
        let migrate = Self::render(&format!("{overlay}/migrate"))?;
        both.objects.extend(migrate.objects);
        Some(both)
    }

    fn render_path(folder: &Path) -> Option<Self> {
        let output = Command::new(tools::kubectl()?)
            .arg("kustomize")
            .arg(folder)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.is_empty(),
            "{}: {}\n{said}",
            folder.display(),
            output.status
        );
        let text = String::from_utf8(output.stdout).unwrap();
        let objects = serde_saphyr::from_multiple(&text).unwrap();
        Some(Self { objects })
    }

    /// The objects of a kind.
    pub(crate) fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.objects.iter().filter(move |it| it["kind"] == kind)
    }

    /// One object.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Option<&Value> {
        self.objects
            .iter()
            .find(|it| it["kind"] == kind && it["metadata"]["name"] == name)
    }

    /// The same with one object changed: for bad samples.
    pub(crate) fn with(mut self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) -> Self {
        let object = self
            .objects
            .iter_mut()
            .find(|it| it["kind"] == kind && it["metadata"]["name"] == name)
            .unwrap_or_else(|| panic!("there is a {kind} {name}"));
        change(object);
        self
    }

    /// The same without one object.
    pub(crate) fn without(mut self, kind: &str, name: &str) -> Self {
        let before = self.objects.len();
        self.objects
            .retain(|it| !(it["kind"] == kind && it["metadata"]["name"] == name));
        assert_eq!(self.objects.len() + 1, before, "there is a {kind} {name}");
        self
    }
}

/// `Deployment compute`
pub(crate) fn called(object: &Value) -> String {
    format!(
        "{} {}",
        text(&object["kind"]),
        text(&object["metadata"]["name"])
    )
}

/// A string, or nothing.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A list, or none.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Whether labels have all that a `matchLabels` asks for. Other selectors are not used here, and would be overlooked.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    let known = |key: &String| key == "matchLabels";
    let asked = selector.as_object().expect("a selector");
    assert!(asked.keys().all(known), "only matchLabels: {selector}");
    let wanted = selector["matchLabels"].as_object();
    wanted.is_none_or(|all| all.iter().all(|(key, value)| labels[key] == *value))
}
