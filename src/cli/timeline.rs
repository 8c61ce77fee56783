//! `kinora timeline`.

use crate::cli::args::{TableFormat, TimelineArgs};
use crate::cli::{print, show};
use crate::error::Result;
use crate::run::table;
use crate::timeline::{Compat, Options};

/// Prints a film's values per frame.
pub(crate) fn run(args: &TimelineArgs) -> Result<()> {
    let options = Options {
        seed: args.seed,
        compat: args.compat.map_or(Compat::Native, Into::into),
        ..Options::default()
    };
    let (table, warnings) = table::table(&args.film, args.names.into(), &options)?;
    show(&warnings);
    match args.format {
        TableFormat::Json => print(&table::json(&table)?),
        TableFormat::Csv => print(&table::csv(&table)),
    }
}
