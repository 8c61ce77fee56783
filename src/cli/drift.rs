//! `kinora drift`.

use crate::cli::args::DriftArgs;
use crate::cli::{opened, print};
use crate::error::Result;
use crate::progress::say;
use crate::run::project::Purpose;
use crate::run::strip::strip;
use crate::run::{drift, plot};

/// Shows how a rendered film's measures went.
pub(crate) fn run(args: &DriftArgs) -> Result<()> {
    let project = opened(Purpose::Preview, &args.film, args.variant.as_deref())?;
    let found = drift::drift(&project, args.out.as_deref(), args.draft)?;
    if let Some(picture) = &args.plot {
        let chart = found.chart();
        plot::write(&chart, picture)?;
        say(&format!("{}: {} panels", picture.display(), chart.panels.len()));
        return Ok(());
    }
    let width = terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0.into());
    print(&plot::text(&found.chart(), width))?;
    print(&format!("\n{}", strip(&found.drifts)))
}
