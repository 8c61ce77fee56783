//! The one table of parameters: it feeds the checker, did-you-mean, `kinora params` and the manual.

pub mod alone;
mod build;
mod calls;
mod render;
mod table;

pub(crate) use render::range;
pub use render::{json, markdown, text};
pub use table::all;

use super::names::nearest;

/// What a number measures, and so which units it may carry and what a bare number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Just a number; `%` is hundredths.
    Plain,
    /// A factor per frame: `1.02`, `1.35x/s`.
    Factor,
    /// An angle per frame in degrees: `2`, `2deg`, `40deg/s`.
    Turn,
    /// An angle in degrees that stays: `70`, `70deg`.
    Angle,
    /// A way per frame in pixels (in 3D: Deforum's units, 1/200 of the world's): `10`, `-40px/s`.
    Shift,
    /// A time in frames: `120`, `8s`, `4b`.
    Time,
    /// A number of something per second: `24`, `24000/1001`.
    Rate,
    /// Cycles per second: `440Hz`, `440`.
    Frequency,
}

impl Measure {
    /// For «takes ...».
    pub fn describe(self) -> &'static str {
        match self {
            Self::Plain => "a plain number",
            Self::Factor => "a factor",
            Self::Turn | Self::Angle => "an angle",
            Self::Shift => "a distance",
            Self::Time => "a time",
            Self::Rate => "a number per second",
            Self::Frequency => "a frequency",
        }
    }

    /// Whether a bare number is an amount per frame.
    pub fn is_per_frame(self) -> bool {
        matches!(self, Self::Factor | Self::Turn | Self::Shift)
    }
}

/// A word a choice can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// As the language writes it.
    pub name: &'static str,
    /// Other spellings, Deforum's first; letter case does not matter.
    pub aliases: &'static [&'static str],
}

/// The type of a parameter or argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Number(Measure),
    /// Three numbers: `[x, y, z]`.
    Vector,
    /// A whole number; fractions are cut off towards zero, as Deforum does.
    Integer,
    /// A truth value.
    Switch,
    /// One of some words.
    Choice(&'static [Choice]),
    /// Text with holes.
    Text,
    /// The name of a file, relative to the film.
    File,
    /// A size such as `1024x576`.
    Size,
    /// Only the parameter's calls.
    Call,
}

/// A call a parameter can be set to: `gain_map(sigma=6)`. Without required arguments the brackets
/// may be left out.
#[derive(Debug, PartialEq)]
pub struct CallSpec {
    /// As it is written.
    pub name: &'static str,
    /// Its arguments in order.
    pub args: &'static [ArgSpec],
    /// One line.
    pub help: &'static str,
}

impl CallSpec {
    /// How it is written: `gain_map(sigma=6)`, `flow(fps)`, `none`.
    pub fn signature(&self) -> String {
        let args: Vec<String> = self
            .args
            .iter()
            .map(|arg| arg.default.map_or(arg.name.to_owned(), |default| format!("{}={default}", arg.name)))
            .collect();
        if args.is_empty() { self.name.to_owned() } else { format!("{}({})", self.name, args.join(", ")) }
    }
}

/// An argument of a call.
#[derive(Debug, PartialEq)]
pub struct ArgSpec {
    /// As it is written.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// What it is when it is left out, as the language writes it; `None` makes it required.
    pub default: Option<&'static str>,
    /// Values outside are impossible.
    pub possible: (f64, f64),
    /// One line.
    pub help: &'static str,
}

/// Where a parameter may stand; a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places(u8);

impl Places {
    /// The top of the film.
    pub const FILM: Self = Self(1);
    /// A `scene` block.
    pub const SCENE: Self = Self(2);
    /// The `video` block.
    pub const VIDEO: Self = Self(4);
    /// A `control` block.
    pub const CONTROL: Self = Self(8);
    /// The `post` block.
    pub const POST: Self = Self(16);

    /// Both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it holds all of `other`.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of the blocks, for people.
    pub fn names(self) -> Vec<&'static str> {
        [
            (Self::FILM, "film"),
            (Self::SCENE, "scene"),
            (Self::VIDEO, "video"),
            (Self::CONTROL, "control"),
            (Self::POST, "post"),
        ]
        .into_iter()
        .filter(|(place, _)| self.has(*place))
        .map(|(_, name)| name)
        .collect()
    }
}

/// A parameter of the language.
#[derive(Debug, PartialEq)]
pub struct Param {
    /// The one name.
    pub name: &'static str,
    /// Deforum's spellings.
    pub aliases: &'static [&'static str],
    /// Where it may stand.
    pub places: Places,
    /// Its type.
    pub kind: Kind,
    /// Calls it may be set to besides.
    pub calls: &'static [CallSpec],
    /// Whether it may have keys and use the time.
    pub keyed: bool,
    /// What it is when it is not given, as the language writes it; empty when that depends on other things.
    pub default: &'static str,
    /// Values outside are impossible: an error.
    pub possible: (f64, f64),
    /// Values outside are unusual: a warning.
    pub usual: (f64, f64),
    /// One line.
    pub help: &'static str,
}

impl Param {
    /// Whether `written` is its name or an alias.
    pub fn is_called(&self, written: &str) -> bool {
        self.name == written || self.aliases.contains(&written)
    }

    /// The words it can be set to.
    pub fn choices(&self) -> &'static [Choice] {
        match self.kind {
            Kind::Choice(choices) => choices,
            _ => &[],
        }
    }
}

/// The parameter of that name or alias that may stand at `place`.
pub fn find_in(place: Places, written: &str) -> Option<&'static Param> {
    all().iter().find(|param| param.places.has(place) && param.is_called(written))
}

/// The parameter of that name or alias, wherever it may stand.
pub fn find(written: &str) -> Option<&'static Param> {
    all().iter().find(|param| param.is_called(written))
}

/// Parameters in whose name, aliases, choices or help `words` all begin a word (letter case ignored), those that are
/// called so first; when there are none, those in which they occur at all; else those with the nearest names. A
/// control's settings may be called as reports call them: `control.from`.
pub fn search(words: &str) -> Vec<&'static Param> {
    let words = words.trim().to_lowercase();
    let words = words.strip_prefix("control.").unwrap_or(&words);
    let each: Vec<&str> = words.split_whitespace().collect();
    let anywhere = |text: &str, word: &str| text.contains(word);
    for is_there in [begins_a_word, anywhere as fn(&str, &str) -> bool] {
        let mut found: Vec<&Param> = all()
            .iter()
            .filter(|param| each.iter().all(|word| mentions(param, |text| is_there(text, word))))
            .collect();
        if !found.is_empty() {
            found.sort_by_key(|param| !param.is_called(words));
            return found;
        }
    }
    let near = nearest(&each.join("_"), all().iter().map(|param| param.name));
    all().iter().filter(|param| near.contains(&param.name)).collect()
}

/// Whether `word` stands in `text` with no letter or digit before it: `eta` in `ddim_eta`, not in `theta`.
fn begins_a_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| !text[..at].ends_with(char::is_alphanumeric))
}

fn mentions(param: &Param, is_there: impl Fn(&str) -> bool) -> bool {
    let choices = param.choices().iter().flat_map(|choice| choice.aliases.iter().chain([&choice.name]));
    let calls = param.calls.iter().map(|call| &call.name);
    let names = param.aliases.iter().chain([&param.name, &param.help]);
    names.chain(choices).chain(calls).any(|text| is_there(&text.to_lowercase()))
}

/// The choice of that name or alias; letter case, and `-` or blank for `_`, do not matter.
pub fn find_choice(choices: &'static [Choice], written: &str) -> Option<&'static Choice> {
    // The checker spells choices out, so that this is what every frame asks for.
    if let Some(choice) = choices.iter().find(|choice| choice.name == written) {
        return Some(choice);
    }
    let written = fold(written);
    choices
        .iter()
        .find(|choice| choice.aliases.iter().chain([&choice.name]).any(|name| fold(name) == written))
}

fn fold(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_called_so_is_found_first_and_parts_of_words_last() {
        let names = |words: &str| search(words).iter().map(|param| param.name).collect::<Vec<_>>();
        assert_eq!(names("eta"), ["eta", "ddim_eta", "eta_noise_seed_delta"]);
        assert_eq!(names("control.fidelity"), ["fidelity"]);
        assert_eq!(names("ENSD"), ["eta_noise_seed_delta"]);
        assert!(names("flicker").iter().any(|name| name.contains("deflicker")), "{:?}", names("flicker"));
        assert!(names("zom").contains(&"zoom"));
    }

    #[test]
    fn no_name_means_two_things_in_one_place() {
        for place in [Places::FILM, Places::SCENE, Places::VIDEO, Places::CONTROL, Places::POST] {
            let mut seen = BTreeSet::new();
            for param in all().iter().filter(|param| param.places.has(place)) {
                for name in param.aliases.iter().chain([&param.name]) {
                    assert!(seen.insert(*name), "`{name}` twice in {:?}", place.names());
                }
            }
        }
    }

    #[test]
    fn usual_ranges_lie_within_possible_ones_and_help_is_there() {
        for param in all() {
            assert!(param.possible.0 <= param.usual.0 && param.usual.1 <= param.possible.1, "{}", param.name);
            assert!(!param.help.is_empty() && !param.help.ends_with('.'), "{}", param.name);
            assert!(!param.places.names().is_empty(), "{}", param.name);
        }
    }

    #[test]
    fn deforum_names_find_the_parameter() {
        for (alias, name) in [
            ("strength_schedule", "strength"),
            ("cfg_scale_schedule", "guidance"),
            ("amount_schedule", "sharpen.amount"),
            ("max_frames", "frames"),
        ] {
            assert_eq!(find(alias).map(|param| param.name), Some(name), "{alias}");
        }
        assert!(search("colour space").iter().any(|param| param.name == "coherence"));
        assert!(search("strenght").iter().any(|param| param.name == "strength"));
    }

    #[test]
    fn choices_are_found_in_any_spelling() {
        let Kind::Choice(samplers) = find("sampler").unwrap().kind else { panic!("a choice") };
        for written in ["euler_a", "Euler a", "EULER A"] {
            assert_eq!(find_choice(samplers, written).unwrap().name, "euler_a");
        }
        assert!(find_choice(samplers, "eulr").is_none());
    }
}
