//! Data made by running Deforum itself.

mod films;
mod import;
mod loops;
mod motion;
mod schedules;

use std::path::Path;

use crate::Case;

/// All cases of the folder.
pub fn discover(folder: &Path) -> Vec<Case> {
    let mut cases = schedules::discover(folder);
    cases.extend(films::discover(folder));
    cases.extend(motion::discover(folder));
    cases.extend(loops::discover(folder));
    cases.extend(import::discover(folder));
    cases
}
