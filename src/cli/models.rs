//! `kinora models`.

use std::path::Path;

use crate::cli::args::ModelsArgs;
use crate::cli::print;
use crate::error::Result;
use crate::run::inventory::{inventory, json, text};

/// Lists what is found in the model folders.
pub(crate) fn run(args: &ModelsArgs) -> Result<()> {
    let films = args.folder.as_deref().unwrap_or(Path::new("."));
    let found = inventory(films, args.hash)?;
    if args.json { print(&json(&found)?) } else { print(&text(&found)) }
}
