//! Mapping files.

use crate::error::ItemError;
use crate::map::Outcome;
use std::collections::BTreeMap;

/// One mapping file, read and checked.
#[derive(Debug, Clone)]
pub struct Mapping {}

/// The mapping files of an installation, by name.
#[derive(Debug, Clone, Default)]
pub struct Mappings(BTreeMap<String, Mapping>);

impl Mappings {
    /// No mapping files.
    pub fn none() -> Self {
        Self::default()
    }

    pub(crate) fn get(&self, name: &str) -> Result<&Mapping, ItemError> {
        self.0.get(name).ok_or_else(|| {
            ItemError::new("(mapping)", name, "the name of a configured mapping file")
        })
    }
}

impl Mapping {
    pub(crate) fn map(&self, raw: &[u8]) -> Result<Outcome, ItemError> {
        Err(ItemError::item(raw, "a mapped item"))
    }
}
