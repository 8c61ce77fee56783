//! LoRAs of a film: the tags in its prompts, the files they mean, and what is wrong with them.

mod diagnose;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

pub(crate) use diagnose::diagnose;

use crate::diffusion::engine::LoraUse;
use crate::diffusion::text::tags::{LoraTag, in_force, lora_tags, split_loras};
use crate::error::{Error, Result};
use crate::timeline::frame::{FrameParams, PromptMix};

/// Folders beside a film in which LoRAs are looked for, the film's own first.
const FOLDERS: [&str; 3] = ["", "loras", "lora"];

/// A LoRA with the strengths that a frame has it with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FrameLora {
    /// Its name as the prompt says it.
    pub name: String,
    /// Strength of the change of the UNet.
    pub unet: f64,
    /// Strength of the change of the text encoders.
    pub text: f64,
}

/// A frame's prompts without their tags, and what the tags say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spoken {
    pub prompt: PromptMix,
    pub negative: PromptMix,
    pub loras: Vec<FrameLora>,
}

impl Spoken {
    /// Reads the prompts of a frame.
    ///
    /// On the way from one prompt to another each one's LoRAs count by its share: one that both name keeps its weight,
    /// one that only the next names fades in.
    ///
    /// # Errors
    /// [`Error::Render`] when a tag is malformed or stands in the negative prompt.
    pub(crate) fn of(params: &FrameParams) -> Result<Self> {
        let failed = |message: String, hint: &str| {
            Error::Render { frame: params.frame, message, hint: None }.with_hint(hint)
        };
        for (text, _) in &params.negative.parts {
            if let Some((at, _)) = lora_tags(text).into_iter().next() {
                let message = format!("`{}` stands in the negative prompt", &text[at]);
                return Err(failed(message, NEGATIVE));
            }
        }
        let mut loras: Vec<FrameLora> = Vec::new();
        let mut parts: Vec<(String, f64)> = Vec::new();
        for (text, share) in &params.prompt.parts {
            let (text, tags) = split_loras(text).map_err(|e| failed(e.message, &e.hint))?;
            for LoraTag { name, unet, text } in in_force(&tags) {
                match loras.iter_mut().find(|known| known.name == name) {
                    Some(known) => {
                        known.unet += unet * share;
                        known.text += text * share;
                    }
                    None => loras.push(FrameLora { name, unet: unet * share, text: text * share }),
                }
            }
            // Prompts that differ in their tags alone are one text: it is encoded once, and not blended.
            match parts.iter_mut().find(|(known, _)| *known == text) {
                Some((_, known)) => *known += share,
                None => parts.push((text, *share)),
            }
        }
        let prompt = match parts.as_slice() {
            [(text, _)] => PromptMix::plain(text.clone()),
            _ => PromptMix { parts, blend: params.prompt.blend },
        };
        Ok(Self { prompt, negative: params.negative.clone(), loras })
    }

    /// The files of the LoRAs, found by their names.
    ///
    /// # Errors
    /// [`Error::Model`] when there is none of a name.
    pub(crate) fn files(&self, finder: &Finder) -> Result<Vec<PathBuf>> {
        self.loras.iter().map(|lora| finder.find(&lora.name)).collect()
    }

    /// The LoRAs as the engine takes them.
    pub(crate) fn uses<'a>(&self, files: &'a [PathBuf]) -> Vec<LoraUse<'a>> {
        let uses = self.loras.iter().zip(files);
        uses.map(|(lora, file)| LoraUse { file, unet: lora.unet, text: lora.text }).collect()
    }
}

/// Finds LoRAs by their names, each once: a film names the same ones for many frames.
#[derive(Debug)]
pub(crate) struct Finder {
    films: PathBuf,
    known: Mutex<BTreeMap<String, PathBuf>>,
}

impl Finder {
    /// For the films in the folder `films`.
    pub(crate) fn new(films: &Path) -> Self {
        Self { films: films.to_owned(), known: Mutex::default() }
    }

    /// The file of a LoRA.
    ///
    /// # Errors
    /// As [`find`].
    pub(crate) fn find(&self, name: &str) -> Result<PathBuf> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = known.get(name) {
            return Ok(path.clone());
        }
        let path = find(&self.films, name)?;
        known.insert(name.to_owned(), path.clone());
        Ok(path)
    }
}

/// Why a tag in the negative prompt is refused.
const NEGATIVE: &str = "a LoRA changes the model, not a prompt: put the tag into the prompt, with a weight below 0 to turn it round";

/// The file of a LoRA: a path, or a name with or without its ending, in letters of any case.
///
/// # Errors
/// [`Error::Model`] with the nearest name when there is none.
pub(crate) fn find(films: &Path, name: &str) -> Result<PathBuf> {
    let direct = films.join(name);
    if direct.is_file() {
        return Ok(direct);
    }
    let entries = entries(films);
    let wanted = name.to_lowercase();
    let fits = |path: &&PathBuf| {
        let lower = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().to_lowercase());
        lower(path.file_stem()).as_ref() == Some(&wanted) || lower(path.file_name()).as_ref() == Some(&wanted)
    };
    if let Some(found) = entries.iter().find(fits) {
        return Ok(found.clone());
    }
    let error = Error::model(Path::new(name), "there is no LoRA of that name");
    Err(match nearest(&entries, name) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error.with_hint(WHERE),
    })
}

/// Where LoRAs are looked for.
const WHERE: &str = "a LoRA is a .safetensors file beside the film or in `loras/` there";

/// The stem that is most like `name`.
fn nearest(entries: &[PathBuf], name: &str) -> Option<String> {
    let stems = entries.iter().filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
    crate::run::nearest_of(stems, name)
}

/// The files that can be LoRAs, by name.
fn entries(films: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for folder in FOLDERS.map(|folder| films.join(folder)) {
        let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
        let mut here: Vec<PathBuf> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors")))
            .collect();
        here.sort();
        all.extend(here);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule;
    use crate::timeline::frame::PromptBlend;
    use crate::timeline::{Options, Timeline};

    fn frame(film: &str, frame: u32) -> FrameParams {
        let (film, _) = schedule::read("film.kin", &format!("kinora 1\n{film}")).unwrap();
        Timeline::new(&film, &Options::default()).unwrap().at(frame).unwrap()
    }

    fn loras(spoken: &Spoken) -> Vec<(&str, f64, f64)> {
        spoken.loras.iter().map(|lora| (lora.name.as_str(), lora.unet, lora.text)).collect()
    }

    #[test]
    fn a_weight_is_scheduled_by_a_hole_in_the_prompt() {
        let film = "frames = 11\nprompt = \"sea <lora:rainbow:${0.2 + 0.06 * t}> sky\"\n";
        for (at, weight) in [(0, 0.2), (5, 0.5), (10, 0.8)] {
            let spoken = Spoken::of(&frame(film, at)).unwrap();
            assert!(spoken.prompt == "sea  sky");
            assert_eq!(spoken.loras.len(), 1);
            assert!((spoken.loras[0].unet - weight).abs() < 1e-9, "{at}: {:?}", spoken.loras);
        }
    }

    #[test]
    fn a_lora_that_one_prompt_names_fades_in_with_it() {
        let film =
            "frames = 5\nprompt = 0f: \"sea <lora:a:0.5>\", 4f: \"snow <lora:a:0.5><lora:b:1:0>\" ~linear\n";
        let spoken = Spoken::of(&frame(film, 1)).unwrap();
        assert_eq!(loras(&spoken), [("a", 0.5, 0.5), ("b", 0.0, 0.25)]);
        assert_eq!(spoken.prompt.parts, [("sea ".to_owned(), 0.75), ("snow ".to_owned(), 0.25)]);
        let end = Spoken::of(&frame(film, 4)).unwrap();
        assert_eq!(loras(&end), [("a", 0.5, 0.5), ("b", 0.0, 1.0)]);
    }

    #[test]
    fn prompts_that_differ_in_tags_alone_are_one_text() {
        let mix = PromptMix {
            parts: vec![("sea <lora:a:0>".to_owned(), 0.25), ("sea <lora:a:1>".to_owned(), 0.75)],
            blend: PromptBlend::Composed,
        };
        let spoken =
            Spoken::of(&FrameParams { prompt: mix, ..frame("frames = 1\nprompt = \"a\"\n", 0) }).unwrap();
        assert!(spoken.prompt == "sea ");
        assert_eq!(loras(&spoken), [("a", 0.75, 0.75)]);
    }

    #[test]
    fn what_cannot_be_followed_is_told_with_the_frame() {
        for (film, part) in [
            ("frames = 3\nprompt = \"sea <lora:a:${t}${t}.${t}.>\"\n", "found `22.2.`"),
            ("frames = 3\nprompt = \"sea\"\nnegative = \"<lora:a:1>\"\n", "negative prompt"),
        ] {
            let error = Spoken::of(&frame(film, 2)).unwrap_err();
            assert!(error.to_string().contains(part) && error.to_string().contains("frame 2"), "{error}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn a_file_is_found_by_its_name_beside_the_film() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("loras")).unwrap();
        for name in ["loras/Neon.safetensors", "ink.v2.safetensors", "ink.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        for name in ["neon", "Neon", "neon.safetensors", "loras/Neon.safetensors"] {
            assert_eq!(
                find(folder.path(), name).unwrap(),
                folder.path().join("loras/Neon.safetensors"),
                "{name}"
            );
        }
        assert_eq!(find(folder.path(), "ink.v2").unwrap(), folder.path().join("ink.v2.safetensors"));
        let error = find(folder.path(), "noen").unwrap_err();
        assert_eq!(error.hint(), Some("did you mean `Neon`?"));
    }
}
