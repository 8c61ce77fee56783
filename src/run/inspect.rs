//! `inspect`: what a picture says about its making.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::infotext::{Container, Found, Parameters, find};

/// A picture can be large, and so can what it says; a film is not looked into.
const LARGEST: u64 = 1 << 30;

/// What a pair is to kinora.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Part of how the picture is made again.
    Used,
    /// Tells where the picture comes from, and changes nothing.
    Note,
    /// Changed the picture, and kinora does not have it.
    Unsupported,
}

/// Pairs that are part of how a picture is made again.
const USED: [&str; 30] = [
    "Steps",
    "Sampler",
    "Schedule type",
    "CFG scale",
    "Seed",
    "Size",
    "Model hash",
    "Model",
    "Variation seed",
    "Variation seed strength",
    "Seed walk",
    "Denoising strength",
    "Clip skip",
    "RNG",
    "Init image",
    "Init image hash",
    "Mask image",
    "Mask image hash",
    "Mask region",
    "Mask blur",
    "Mask mode",
    "Masked content",
    "Inpaint area",
    "Masked area padding",
    "ENSD",
    "Eta",
    "Sigma noise",
    "Soft mask",
    "VAE",
    "VAE hash",
];

/// Pairs that change nothing.
const NOTES: [&str; 17] = [
    "Version",
    "User",
    "Lora hashes",
    "TI hashes",
    "Hashes",
    "Script",
    "Template",
    "Negative Template",
    "Civitai resources",
    "Civitai metadata",
    "Created Date",
    "Batch size",
    "Batch pos",
    "Discard penultimate sigma",
    "Downcast alphas_cumprod",
    "Pad conds",
    "Sdp attention",
];

/// What a pair is to kinora. Values that say «off» are notes.
pub(crate) fn meaning(name: &str, value: &str) -> Meaning {
    let usual = [
        ("Emphasis", "Original"),
        ("FP8 weight", "Disable"),
        ("VAE Encoder", "Full"),
        ("VAE Decoder", "Full"),
        ("Conditional mask weight", "1.0"),
        ("Image CFG scale", "1.5"),
        ("Prompt blend", "composed"),
        ("Beta schedule alpha", "0.6"),
        ("Beta schedule beta", "0.6"),
    ];
    match name {
        _ if USED.contains(&name) || crate::run::still::is_control(name) => Meaning::Used,
        _ if NOTES.contains(&name) || name.starts_with("Module ") => Meaning::Note,
        _ if usual.contains(&(name, value)) => Meaning::Note,
        _ => Meaning::Unsupported,
    }
}

/// A picture that was looked into.
#[derive(Clone, Debug)]
pub struct Inspected {
    path: PathBuf,
    format: &'static str,
    size: Option<(u32, u32)>,
    found: Found,
    parameters: Option<Parameters>,
}

/// Looks into a picture.
///
/// # Errors
/// [`Error::Input`] when the file cannot be read or is no PNG, JPEG or WebP.
pub fn inspect(path: &Path) -> Result<Inspected> {
    let cannot = |e: std::io::Error| Error::input(path, format!("cannot read the picture: {e}"));
    let length = std::fs::metadata(path).map_err(cannot)?.len();
    if length > LARGEST {
        return Err(Error::input(path, format!("expected a picture, found a file of {length} bytes")));
    }
    let bytes = std::fs::read(path).map_err(cannot)?;
    let Some(container) = Container::of(&bytes) else {
        return Err(Error::input(path, "expected a picture, the file is no PNG, JPEG or WebP")
            .with_hint("pictures that a web UI saved say how they were made"));
    };
    let found = find(&bytes);
    let parameters = match &found {
        Found::Text(text) => Parameters::read(text),
        _ => None,
    };
    let size = image::ImageReader::new(std::io::Cursor::new(&bytes))
        .with_guessed_format()
        .ok()
        .and_then(|reader| reader.into_dimensions().ok());
    Ok(Inspected { path: path.to_owned(), format: container.name(), size, found, parameters })
}

impl Inspected {
    /// What the picture says.
    ///
    /// # Errors
    /// [`Error::Input`] when it says nothing that is understood.
    pub fn parameters(&self) -> Result<&Parameters> {
        self.parameters.as_ref().ok_or_else(|| match self.found {
            Found::Foreign(program) => Error::input(
                &self.path,
                format!("the picture's settings are in {program}'s form, which is not read"),
            )
            .with_hint("kinora reads the text that the A1111 web UI, Forge and kinora itself write"),
            _ => Error::input(&self.path, "the picture does not say how it was made").with_hint(
                "web UIs write it when they are told to; programs that change pictures often throw it away",
            ),
        })
    }

    /// Whether kinora made it.
    pub fn by_kinora(&self) -> bool {
        self.program() == Some("kinora")
    }

    /// The program that made it, as far as that is known.
    pub fn program(&self) -> Option<&'static str> {
        if let Found::Foreign(program) = self.found {
            return Some(program);
        }
        let version = self.parameters.as_ref()?.get("Version").unwrap_or_default();
        Some(match version {
            v if v.starts_with("kinora") => "kinora",
            "ComfyUI" => "ComfyUI",
            v if v.starts_with('f') || v == "neo" => "Forge",
            _ => "A1111",
        })
    }

    /// Pairs that changed the picture and that kinora does not have.
    fn unsupported(&self) -> impl Iterator<Item = &str> {
        let pairs = self.parameters.iter().flat_map(|found| &found.pairs);
        pairs
            .filter(|(name, value)| meaning(name, value) == Meaning::Unsupported)
            .map(|(name, _)| name.as_str())
    }

    /// To read.
    ///
    /// # Errors
    /// As [`Inspected::parameters`].
    pub fn text(&self) -> Result<String> {
        let found = self.parameters()?;
        let mut text = format!("{}: {}", self.path.display(), self.format);
        if let Some((width, height)) = self.size {
            let _ = write!(text, ", {width}x{height}");
        }
        if let Some(program) = self.program() {
            let _ = write!(text, ", made by {program}");
        }
        text.push('\n');
        let words = [("Prompt", &found.prompt), ("Negative prompt", &found.negative)];
        let words = words.into_iter().filter(|(_, text)| !text.is_empty());
        let lines: Vec<(&str, &String)> =
            words.chain(found.pairs.iter().map(|(name, value)| (name.as_str(), value))).collect();
        let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in lines {
            let mark = if meaning(name, value) == Meaning::Unsupported && !name.ends_with("rompt") {
                "  (kinora does not have it)"
            } else {
                ""
            };
            let value = value.replace('\n', &format!("\n{:width$}  ", ""));
            let _ = writeln!(text, "{name:width$}  {value}{mark}");
        }
        Ok(text)
    }

    /// As data. A picture that says nothing is no error here.
    pub fn json(&self) -> Value {
        let found = self.parameters.as_ref();
        let pairs = found.map(|found| {
            let pair = |(name, value): &(String, String)| (name.clone(), Value::from(value.as_str()));
            Value::Object(found.pairs.iter().map(pair).collect::<Map<_, _>>())
        });
        let raw = match &self.found {
            Found::Text(text) => Some(text),
            _ => None,
        };
        json!({
            "file": self.path.display().to_string(),
            "format": self.format,
            "width": self.size.map(|size| size.0),
            "height": self.size.map(|size| size.1),
            "program": self.program(),
            "prompt": found.map(|found| &found.prompt),
            "negative": found.map(|found| &found.negative),
            "parameters": pairs,
            "unsupported": self.unsupported().collect::<Vec<_>>(),
            "text": raw,
        })
    }
}
