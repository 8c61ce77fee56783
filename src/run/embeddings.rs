//! Textual inversions: which there are for a film, and which of them its frames name.

use std::path::{Path, PathBuf};

use crate::diffusion::text::compose::{SubPrompt, sub_prompts};
use crate::diffusion::text::editing::Edited;
use crate::error::Result;
use crate::run::library::library;
use crate::timeline::frame::{FrameParams, PromptMix};

/// Names and files of the textual inversions that a film can name.
///
/// # Errors
/// Those of [`library`].
pub(crate) fn known(films: &Path) -> Result<Vec<(String, PathBuf)>> {
    Ok(library(films)?.embeddings())
}

/// Those that a frame's prompts may name. Which of them a prompt does name, its model's tokenizer decides; here one
/// too many costs nothing but a hash.
pub(crate) fn named<'a>(
    params: &FrameParams,
    known: &'a [(String, PathBuf)],
) -> impl Iterator<Item = &'a (String, PathBuf)> {
    let texts = if known.is_empty() { Vec::new() } else { texts(params) };
    known.iter().filter(move |(name, _)| {
        let name = letters(name);
        texts.iter().any(|text| text.contains(&name))
    })
}

/// Everything that a frame's prompts ever say, in letters alone.
fn texts(params: &FrameParams) -> Vec<String> {
    let steps = params.sampling.steps.unwrap_or(20) as usize;
    let said = |mix: &PromptMix| -> Vec<String> {
        let parts = mix.parts.iter().flat_map(|(text, _)| sub_prompts(text).into_iter().chain([whole(text)]));
        let at = |part: SubPrompt<'_>| -> Vec<String> {
            let edited = Edited::read(part.text);
            // Samplers plan one call a step or two.
            let calls = [steps, 2 * steps].into_iter();
            let texts = calls.flat_map(|calls| {
                let ends = edited.ends(calls).into_iter();
                ends.map(|end| letters(&edited.at(end, calls))).collect::<Vec<_>>()
            });
            let mut texts: Vec<String> = texts.collect();
            texts.sort();
            texts.dedup();
            texts
        };
        parts.flat_map(at).collect()
    };
    let mut texts = said(&params.prompt);
    texts.extend(said(&params.negative));
    texts
}

/// A negative prompt, which is not divided.
fn whole(text: &str) -> SubPrompt<'_> {
    SubPrompt { text, weight: 1.0 }
}

/// What is left of a text when all is dropped that tokenizers may write in several ways.
fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_names_what_its_prompts_ever_say() {
        let text = "kinora 1\nframes = 1\nprompt = \"a (bad hand\\\\_v4:1.2) [x|ea]sy\"\nnegative = \"EASYnegative\"\n";
        let (film, _) = crate::schedule::read("film.kin", text).unwrap();
        let timeline = crate::timeline::Timeline::new(&film, &crate::timeline::Options::default()).unwrap();
        let params = timeline.at(0).unwrap();
        let known: Vec<(String, PathBuf)> = ["easynegative", "bad-hand_v4", "easy", "bad2", "negativeprompt"]
            .map(|name| (name.to_owned(), PathBuf::from(name)))
            .to_vec();
        let found: Vec<&str> = named(&params, &known).map(|(name, _)| name.as_str()).collect();
        assert_eq!(found, ["easynegative", "bad-hand_v4", "easy"]);
    }
}
