//! `kinora plot`.

use crate::cli::args::PlotArgs;
use crate::cli::{print, show};
use crate::error::Result;
use crate::progress::say;
use crate::run::plot;

/// Draws a film's curves.
pub(crate) fn run(args: &PlotArgs) -> Result<()> {
    let (chart, warnings) = plot::chart(&args.film)?;
    show(&warnings);
    let Some(out) = &args.out else {
        let width = terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| width.0.into());
        return print(&plot::text(&chart, width));
    };
    plot::write(&chart, out)?;
    say(&format!("{}: {} panels", out.display(), chart.panels.len()));
    Ok(())
}
