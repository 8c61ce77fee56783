//! «Did you mean»: the nearest names to one that does not exist.

/// At most this many names are offered.
const OFFERED: usize = 3;

/// The names of `known` that `written` may have been meant as, nearest first: those within an edit
/// distance (Damerau-Levenshtein, letter case ignored) of 2 or a third of the length, whichever is
/// larger, but always less than the length; of those only the ones as near as the nearest.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let length = written.chars().count();
    if length > 64 {
        return Vec::new();
    }
    let limit = (length / 3).max(2).min(length.saturating_sub(1));
    let lower = written.to_lowercase();
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    found.sort_unstable();
    found.dedup();
    let best = found.first().map_or(0, |(distance, _)| *distance);
    found.into_iter().filter(|(distance, _)| *distance <= best).map(|(_, name)| name).take(OFFERED).collect()
}

/// `did you mean `a`, `b` or `c`?`, or nothing when no name is near.
pub fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names = nearest(written, known);
    (!names.is_empty()).then(|| format!("did you mean {}?", alternatives(&names)))
}

/// `` `a`, `b` or `c` ``.
pub fn alternatives<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 6] = ["strength", "steps", "sin", "sinh", "zoom", "translation_x"];

    #[test]
    fn a_swapped_letter_finds_the_name() {
        assert_eq!(nearest("strenght", KNOWN), ["strength"]);
        assert_eq!(nearest("sni", KNOWN), ["sin"]);
        assert_eq!(nearest("Zoom", KNOWN), ["zoom"]);
    }

    #[test]
    fn far_names_are_not_offered() {
        assert!(nearest("qwertz", KNOWN).is_empty());
        assert!(nearest("x", KNOWN).is_empty());
        assert_eq!(did_you_mean("brightness", KNOWN), None);
    }

    #[test]
    fn at_most_three_are_offered() {
        assert_eq!(nearest("ab1", ["ab2", "ab3", "ab4", "ab5"]).len(), 3);
        assert_eq!(alternatives(&["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
