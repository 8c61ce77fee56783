//! The presets that are compiled into the program: the `.kin` files of the folder `presets`.

include!(concat!(env!("OUT_DIR"), "/presets.rs"));

/// What a preset's name begins with in `use`.
pub const FOLDER: &str = "presets/";

/// A preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// As `use` names it: `presets/zoom.kin`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl Preset {
    /// The comment at its head without the signs, one line.
    pub fn help(&self) -> String {
        let lines = self.text.lines().skip_while(|line| !line.starts_with('#'));
        let words: Vec<&str> = lines
            .map_while(|line| line.strip_prefix('#'))
            .map(str::trim)
            .take_while(|l| !l.is_empty())
            .collect();
        words.join(" ")
    }
}

/// All presets, sorted by name.
pub fn all() -> impl ExactSizeIterator<Item = Preset> {
    PRESETS.iter().map(|(name, text)| Preset { name, text })
}

/// The preset that `use` calls `name`.
pub fn find(name: &str) -> Option<Preset> {
    all().find(|preset| preset.name == name)
}
