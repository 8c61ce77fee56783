//! What a run's prompts say, call by call: texts only, nothing is encoded.

use std::collections::{BTreeMap, BTreeSet};

use super::job::Mix;
use crate::diffusion::text::compose::sub_prompts;
use crate::diffusion::text::editing::Edited;
use crate::error::{Error, Result};

/// Prompts joined by `AND` that are taken at the most: the network looks at each of them in every step.
const MOST: usize = 64;

/// A prompt that may change on its way.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    edited: Edited,
    /// See [`Edited::ends`].
    ends: Vec<usize>,
    calls: usize,
    /// The weight that the prompt itself says, by `AND`.
    pub(super) weight: f64,
}

/// A text of a [`Mix`]: the prompts that `AND` joins in it.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) voices: Vec<Voice>,
    /// Its weight in the mix, not 0.
    pub(super) weight: f64,
}

impl Voice {
    fn new(text: &str, weight: f64, calls: usize) -> Self {
        let edited = Edited::read(text);
        Self { ends: edited.ends(calls), edited, calls, weight }
    }

    /// The text in force at a call.
    pub(super) fn at(&self, call: usize) -> String {
        self.edited.at(Edited::count_at(&self.ends, call), self.calls)
    }

    /// Every text that is ever in force, each with how often the plan names it; one alone counts once.
    pub(super) fn texts(&self) -> Vec<(String, usize)> {
        let mut texts: BTreeMap<String, usize> = BTreeMap::new();
        for end in &self.ends {
            *texts.entry(self.edited.at(*end, self.calls)).or_default() += 1;
        }
        if texts.len() == 1 {
            texts.values_mut().for_each(|times| *times = 1);
        }
        texts.into_iter().collect()
    }
}

/// The texts of a mix that have a weight, in a run of `calls` planned calls. A negative prompt is not divided by
/// `AND`.
///
/// # Errors
/// [`Error::Usage`] when too many prompts are joined.
pub(super) fn parts(mix: &Mix<'_>, negative: bool, calls: usize) -> Result<Vec<Part>> {
    let heard = mix.parts.iter().filter(|part| part.1 != 0.0);
    let part = |(text, weight): &(&str, f64)| -> Result<Part> {
        if negative {
            return Ok(Part { voices: vec![Voice::new(text, 1.0, calls)], weight: *weight });
        }
        let subs = sub_prompts(text);
        if subs.len() > MOST {
            return Err(Error::Usage {
                message: format!(
                    "prompt: expected at most {MOST} prompts joined by AND, found {}",
                    subs.len()
                ),
                hint: Some("the network looks at each of them in every step; join fewer".to_owned()),
            });
        }
        let voices = subs.iter().map(|sub| Voice::new(sub.text, sub.weight, calls)).collect();
        Ok(Part { voices, weight: *weight })
    };
    heard.map(part).collect()
}

/// The calls at which any text changes, ascending from 0.
pub(super) fn changes<'a>(parts: impl Iterator<Item = &'a Part>) -> BTreeSet<usize> {
    let ends = parts.flat_map(|part| &part.voices).flat_map(|voice| voice.ends.iter().map(|end| end + 1));
    std::iter::once(0).chain(ends).collect()
}

/// Whether guidance 1 is the prompt alone: then the weights that `AND` gives sum to 1.
pub(super) fn sums_to_one(parts: &[Part]) -> bool {
    let sum = |part: &Part| part.voices.iter().map(|voice| voice.weight).sum::<f64>();
    parts.iter().all(|part| (sum(part) - 1.0).abs() < 1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_prompt_changes_for_itself() {
        let mix = "[a:b:2] AND [c:d:0.5] :0.3".into();
        let parts = parts(&mix, false, 10).unwrap();
        let voices = &parts[0].voices;
        assert_eq!(voices.iter().map(|voice| voice.weight).collect::<Vec<_>>(), [1.0, 0.3]);
        assert_eq!(changes(parts.iter()), BTreeSet::from([0, 3, 6, 11]));
        let at = |call| voices.iter().map(|voice| voice.at(call)).collect::<String>();
        assert_eq!([at(0), at(2), at(3), at(5), at(6)], ["a c", "a c", "b c", "b c", "b d"]);
        assert_eq!(voices[0].texts().len(), 2);
        assert!(!sums_to_one(&parts));
    }

    #[test]
    fn a_negative_prompt_is_not_divided() {
        let parts = parts(&"fog AND rain :2".into(), true, 10).unwrap();
        assert_eq!(parts[0].voices[0].at(0), "fog AND rain :2");
        assert!(sums_to_one(&parts));
    }

    #[test]
    fn too_many_prompts_are_refused() {
        let error = parts(&"a AND ".repeat(30_000).as_str().into(), false, 10).unwrap_err();
        assert!(error.to_string().contains("at most 64") && error.to_string().contains("30001"), "{error}");
    }
}
