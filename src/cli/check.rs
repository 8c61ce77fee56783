//! `kinora check`.

use crate::cli::args::{CheckArgs, ReportFormat};
use crate::cli::{print, show};
use crate::error::{Error, Result};
use crate::run::project::Project;
use crate::schedule::report;

/// Checks a film and says what it would be.
pub(crate) fn run(args: &CheckArgs) -> Result<()> {
    let checked = Project::open(&args.film);
    if args.format == ReportFormat::Json {
        let diagnostics = match &checked {
            Ok(project) => &project.warnings,
            Err(Error::Schedule(diagnostics)) => diagnostics,
            Err(_) => return checked.map(drop),
        };
        print(&report::json(diagnostics))?;
        return match checked {
            // The data says it all: no second report on stderr, only the exit code.
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        };
    }
    let project = checked?;
    show(&project.warnings);
    print(&project.summary())
}
