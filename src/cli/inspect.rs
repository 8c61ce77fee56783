//! `kinora inspect`.

use std::path::PathBuf;

use crate::cli::{complain, print};
use crate::error::{Error, Result};
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
    // One that says nothing never keeps the others back; the last such error ends the run.
    let mut failed: Option<Error> = None;
    let mut printed = 0;
    for picture in &args.pictures {
        let told = inspect(picture).and_then(|found| match args.json {
            true => Ok(format!("{}\n", found.json())),
            false => found.text(),
        });
        match told {
            Ok(text) => {
                let gap = if printed > 0 && !args.json { "\n" } else { "" };
                print(&format!("{gap}{text}"))?;
                printed += 1;
            }
            Err(error) => {
                if let Some(earlier) = failed.replace(error) {
                    complain(&earlier);
                }
            }
        }
    }
    failed.map_or(Ok(()), Err)
}
