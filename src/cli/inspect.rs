//! `kinora inspect`.

use std::path::PathBuf;

use crate::cli::print;
use crate::error::Result;
use crate::run::inspect::inspect;

/// What can be typed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: kinora inspect still.png")]
pub(crate) struct InspectArgs {
    /// The pictures: PNG, JPEG or WebP
    #[arg(required = true)]
    pub(crate) pictures: Vec<PathBuf>,
    /// As JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Says how pictures were made.
pub(crate) fn run(args: &InspectArgs) -> Result<()> {
    for (number, picture) in args.pictures.iter().enumerate() {
        let found = inspect(picture)?;
        if args.json {
            print(&format!("{}\n", found.json()))?;
        } else {
            let gap = if number > 0 { "\n" } else { "" };
            print(&format!("{gap}{}", found.text()?))?;
        }
    }
    Ok(())
}
