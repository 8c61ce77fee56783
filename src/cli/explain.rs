//! `kinora explain`.

use crate::cli::args::{ExplainArgs, ReportFormat};
use crate::cli::{print, show};
use crate::error::Result;
use crate::run::explain;

/// Says where each value of a frame comes from.
pub(crate) fn run(args: &ExplainArgs) -> Result<()> {
    let (explanation, warnings) = explain::explain(&args.film, &args.frame, args.tokens)?;
    show(&warnings);
    match args.format {
        ReportFormat::Json => print(&explain::json(&explanation)?),
        ReportFormat::Text => print(&explain::text(&args.film, &explanation)),
    }
}
