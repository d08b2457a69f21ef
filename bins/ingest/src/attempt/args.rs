//! The flags of `try`.

use runtime::args::AttributeArgs;
use std::path::PathBuf;

/// Flags of `try`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "ingest try [OPTIONS] <SUBSCRIPTION> <FILE>\n       ingest try [OPTIONS] --mapping <MAPPING> <FILE>",
    after_help = "Exit status: 0 when every item was mapped or ignored, 1 when one was refused, 2 when nothing could be tried.\n\n\
                  Examples:\n  \
                  ingest try genesys-main body.json --subscriptions subscriptions.toml\n  \
                  ingest try --mapping new.toml event.json\n  \
                  zcat bodies.json.gz | ingest try genesys-main - --json"
)]
pub struct TryArgs {
    /// The subscription whose body it is; left out with --mapping
    #[arg(value_name = "SUBSCRIPTION")]
    pub(super) first: String,

    /// The file with the body, byte for byte as it was posted; - for the standard input
    #[arg(
        value_name = "FILE",
        required_unless_present = "mapping",
        conflicts_with = "mapping"
    )]
    pub(super) second: Option<String>,

    /// Read the body by this mapping file, whether a subscription names it or not
    #[arg(long, value_name = "MAPPING")]
    pub(super) mapping: Option<PathBuf>,

    /// The TOML file with the subscriptions
    #[arg(long, env = "KPILINE_SUBSCRIPTIONS", value_name = "FILE")]
    pub(super) subscriptions: Option<PathBuf>,

    /// Show who the customer is, too, and not only that the item says it
    #[arg(long)]
    pub(super) show_personal: bool,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) attributes: AttributeArgs,
}
