//! `kinora check`.

use crate::cli::args::{CheckArgs, ReportFormat};
use crate::cli::{print, show};
use crate::error::{Error, Result};
use crate::run::project::Project;
use crate::schedule::diagnostic::Diagnostics;
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
        print(&format!("{}\n", report::json(diagnostics)))?;
        // The data says it all: no second report on stderr, only the exit code.
        return checked.map(drop).map_err(|_| Error::Schedule(Diagnostics::default()));
    }
    let project = checked?;
    show(&project.warnings);
    print(&project.summary())
}
