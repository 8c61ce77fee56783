//! Textual inversions: which there are for a film, and which of them its frames name.

use std::path::{Path, PathBuf};

use crate::diffusion::text::compose::{SubPrompt, sub_prompts};
use crate::diffusion::text::editing::Edited;
use crate::error::{Error, Result};
use crate::timeline::frame::{FrameParams, PromptMix};

/// The folder beside the film that is looked through.
const FOLDER: &str = "embeddings";

/// Endings of files that may hold a textual inversion.
const ENDINGS: [&str; 3] = ["safetensors", "pt", "bin"];

/// Folders in folders that are looked through. Without a limit a link to its own folder never ends.
const DEEPEST: u32 = 3;

/// Names and files of the textual inversions beside a film, in name order.
///
/// # Errors
/// [`Error::Model`] when their folder cannot be read.
pub(crate) fn known(films: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let folder = films.join(FOLDER);
    if folder.is_dir() {
        look(&folder, DEEPEST, &mut found)?;
    }
    found.sort();
    Ok(found)
}

fn look(folder: &Path, levels: u32, found: &mut Vec<(String, PathBuf)>) -> Result<()> {
    let cannot = |e: std::io::Error| Error::model(folder, format!("cannot read the folder: {e}"));
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_dir() {
            if levels > 0 {
                look(&path, levels - 1, found)?;
            }
        } else if ENDINGS.contains(&ending.as_str()) {
            found.push((path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), path));
        }
    }
    Ok(())
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
    fn they_are_found_beside_the_film_by_the_names_of_their_files() {
        let films = tempfile::tempdir().unwrap();
        assert!(known(films.path()).unwrap().is_empty());
        let folder = films.path().join("embeddings");
        std::fs::create_dir_all(folder.join("negative")).unwrap();
        for name in ["b.pt", "negative/EasyNegative.safetensors", "a.BIN", "readme.txt", "x.preview.png"] {
            std::fs::write(folder.join(name), "x").unwrap();
        }
        let names: Vec<String> = known(films.path()).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["EasyNegative", "a", "b"]);
    }

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
