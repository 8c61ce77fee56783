//! `kinora params`.

use crate::cli::args::{ParamsArgs, ReportFormat};
use crate::cli::print;
use crate::error::{Error, Result};
use crate::schedule::params;

/// Prints the table, or the part of it that the search finds.
pub(crate) fn run(args: &ParamsArgs) -> Result<()> {
    let search = args.search.join(" ");
    let found = if search.is_empty() { params::all().iter().collect() } else { params::search(&search) };
    if found.is_empty() {
        return Err(Error::Usage {
            message: format!("no parameter's name or help contains `{search}`"),
            hint: Some("`kinora params` alone prints them all".to_owned()),
        });
    }
    if args.markdown {
        return print(&params::markdown(found));
    }
    if args.format == ReportFormat::Json {
        return print(&params::json(found));
    }
    let table: Vec<String> = found.into_iter().map(params::text).collect();
    print(&table.join("\n"))
}
