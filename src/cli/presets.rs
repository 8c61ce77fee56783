//! `kinora presets`.

use crate::cli::args::PresetsArgs;
use crate::cli::print;
use crate::error::{Error, Result};
use crate::schedule::names::did_you_mean;
use crate::schedule::presets::{self, FOLDER, Preset};

/// Prints the names and what they are for, or the text of one.
pub(crate) fn run(args: &PresetsArgs) -> Result<()> {
    let Some(wanted) = &args.name else {
        let list: Vec<String> =
            presets::all().map(|preset| format!("{}\n    {}\n", preset.name, preset.help())).collect();
        return print(&list.join("\n"));
    };
    match presets::all().find(|preset| short(preset) == wanted || preset.name == wanted) {
        Some(preset) => print(preset.text),
        None => {
            let names: Vec<&str> = presets::all().map(|preset| short(&preset)).collect();
            let near = did_you_mean(wanted, names);
            Err(Error::Usage {
                message: format!("there is no preset `{wanted}`"),
                hint: Some(near.unwrap_or_else(|| "`kinora presets` lists them".to_owned())),
            })
        }
    }
}

/// `zoom` for `presets/zoom.kin`.
fn short(preset: &Preset) -> &'static str {
    preset.name.trim_start_matches(FOLDER).trim_end_matches(".kin")
}
