//! Which attributes of interactions are kept.

use std::collections::BTreeSet;

/// Flags for attributes.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Attributes")]
pub struct AttributeArgs {
    /// The names of Genesys participant attributes that are kept, so that windows can be grouped by them (`attribute:NAME`)
    ///
    /// Attributes are whatever flows and agents wrote there, personal data too, so none is read but these. Only conversation detail
    /// records of a details job have them. Give every `ingest` and `backfill` of an installation the same ones; of the past they come with
    /// `backfill replay`. A mapping file names the attributes it reads by itself.
    #[arg(
        long,
        env = "KPILINE_ATTRIBUTES",
        value_delimiter = ',',
        value_parser = clap::builder::NonEmptyStringValueParser::new(),
        value_name = "NAME,…"
    )]
    attributes: Vec<String>,
}

impl AttributeArgs {
    /// The names.
    pub fn names(&self) -> BTreeSet<String> {
        self.attributes.iter().cloned().collect()
    }
}
