//! Which attributes of interactions are kept.

use std::collections::BTreeSet;

/// Flags for attributes.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Attributes")]
pub struct AttributeArgs {
    /// The name of a Genesys participant attribute that is kept, so that windows can be grouped by it (`attribute:NAME`); may be given
    /// several times
    ///
    /// Attributes are whatever flows and agents wrote there, personal data too, so none is read but these. Only conversation detail
    /// records of a details job have them. Give every `ingest` and `backfill` of an installation the same ones; of the past they come with
    /// `backfill replay`. A mapping file names the attributes it reads by itself.
    #[arg(
        long = "attribute",
        env = "KPILINE_ATTRIBUTES",
        value_delimiter = ',',
        value_parser = clap::builder::NonEmptyStringValueParser::new(),
        value_name = "NAME"
    )]
    attributes: Vec<String>,
}

impl AttributeArgs {
    /// The names.
    pub fn names(&self) -> BTreeSet<String> {
        self.attributes.iter().cloned().collect()
    }
}
