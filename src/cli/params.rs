//! `kinora params`.

use crate::cli::args::ParamsArgs;
use crate::cli::print;
use crate::error::{Error, Result};
use crate::schedule::params;

/// Prints the table, or the part of it that the search finds.
pub(crate) fn run(args: &ParamsArgs) -> Result<()> {
    let found = match &args.search {
        None => params::all().iter().collect(),
        Some(search) => params::search(search),
    };
    if found.is_empty() {
        let search = args.search.as_deref().unwrap_or_default();
        return Err(Error::Usage {
            message: format!("no parameter's name or help contains `{search}`"),
            hint: Some("`kinora params` alone prints them all".to_owned()),
        });
    }
    if args.markdown {
        return print(&params::markdown(found));
    }
    let table: Vec<String> = found.into_iter().map(params::text).collect();
    print(&table.join("\n"))
}
