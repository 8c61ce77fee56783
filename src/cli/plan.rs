//! `kinora plan`.

use crate::cli::args::{PlanArgs, ReportFormat};
use crate::cli::{print, show};
use crate::error::Result;
use crate::run::plan::{self, PlanOptions};
use crate::run::project::Project;

/// Says what rendering a film will take.
pub(crate) fn run(args: &PlanArgs) -> Result<()> {
    let project = Project::open(&args.film)?;
    show(&project.warnings);
    let options = PlanOptions { out: args.out.clone(), measure: args.measure };
    let plan = plan::plan(&project, &options)?;
    match args.format {
        ReportFormat::Json => print(&plan::json(&plan)?),
        ReportFormat::Text => print(&plan::text(&plan)),
    }
}
