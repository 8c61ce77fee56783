//! `models`: what is found in the model folders, and what it can be used for.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::models::family::{Base, FileKind, family_of};
use crate::models::library::{Entry, Role};
use crate::models::{ModelFolder, WeightFile, Weights, called_depth, digest};
use crate::run::library::library;

/// Digits of the hash that the web UI shows of a LoRA.
const LORA_DIGITS: usize = 12;

/// A model that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// What it is for: `model`, `LoRA`, `VAE` …
    pub role: &'static str,
    /// What a film calls it.
    pub name: String,
    /// What it is: `SDXL`, `LoRA for SD 1.x` …; empty when it cannot be read.
    pub family: String,
    /// What most of its numbers are stored in: `F16`, `BF16`, `F32`; empty when it cannot be read.
    pub precision: String,
    /// Bytes of its weights.
    pub bytes: u64,
    /// The hash that the web UI prints of it, when it is known: ten digits, of a LoRA twelve.
    pub hash: Option<String>,
    /// How a film uses it.
    pub usage: String,
    /// Where it is; empty for what is built in.
    pub path: PathBuf,
    /// Why it cannot be used.
    pub problem: Option<String>,
}

/// Everything that films in the folder `films` can name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inventory {
    /// The model folders that were looked into, besides the films' own.
    pub folders: Vec<PathBuf>,
    /// The models.
    pub models: Vec<Found>,
}

/// Looks through the model folders. With `hash` each file is read whole, once: the hashes are remembered.
///
/// # Errors
/// When the config file cannot be understood, or a file that is to be hashed cannot be read.
pub fn inventory(films: &Path, hash: bool) -> Result<Inventory> {
    let library = library(films)?;
    let mut models: Vec<Found> = ModelFolder::embedded_names().into_iter().filter_map(built_in).collect();
    for entry in library.list() {
        models.push(look(entry, hash)?);
    }
    Ok(Inventory { folders: library.dirs().to_vec(), models })
}

/// A model that is compiled in.
fn built_in(name: &str) -> Option<Found> {
    let folder = ModelFolder::embedded(name)?;
    let role = if folder.has("model_index.json") { Role::Checkpoint } else { Role::Depth };
    let (_, (family, precision, bytes)) = of_folder(&folder).ok()?;
    Some(Found {
        role: role.name(),
        name: name.to_owned(),
        family: format!("{family}, built in"),
        precision,
        bytes,
        hash: None,
        usage: usage(role, name),
        path: PathBuf::new(),
        problem: None,
    })
}

/// What an entry of the library is.
fn look(entry: &Entry, hash: bool) -> Result<Found> {
    let seen = if entry.path.is_dir() {
        ModelFolder::open(&entry.path).and_then(|folder| of_folder(&folder))
    } else if entry.role == Some(Role::Embedding) {
        // Those of PyTorch are read too, by a reader that executes nothing.
        of_file(&entry.path).or_else(|_| of_embedding(&entry.path))
    } else {
        of_file(&entry.path)
    };
    let mut found = Found {
        role: "file",
        name: entry.name.clone(),
        family: String::new(),
        precision: String::new(),
        bytes: std::fs::metadata(&entry.path).map_or(0, |about| about.len()),
        hash: None,
        usage: String::new(),
        path: entry.path.clone(),
        problem: None,
    };
    let mut role = entry.role;
    match seen {
        Ok((kind, (family, precision, bytes))) => {
            (found.family, found.precision, found.bytes) = (family, precision, bytes);
            let own = kind.and_then(role_of);
            if let (Some(placed), Some(own)) = (role, own)
                && placed != own
            {
                found.problem = Some(format!("lies among {}s", placed.name()));
            }
            if kind == Some(FileKind::UNet) {
                found.problem = Some("a UNet alone: text encoders and VAE are missing".to_owned());
            }
            role = own.or(role).filter(|_| kind != Some(FileKind::Unknown));
        }
        Err(error) => {
            let message = match &error {
                Error::Model { message, .. } => message.clone(),
                other => other.to_string(),
            };
            found.problem = Some(message);
        }
    }
    if let Some(role) = role {
        found.role = role.name();
        found.usage = if found.family.is_empty() { String::new() } else { usage(role, &found.name) };
    }
    if entry.path.is_file() {
        found.hash = match role {
            Some(Role::Lora) if hash && !found.family.is_empty() => {
                Some(digest::of_tensors(&entry.path)?.chars().take(LORA_DIGITS).collect())
            }
            Some(Role::Lora) => None,
            _ if hash => Some(digest::short(&entry.path)?),
            _ => digest::known_short(&entry.path),
        };
    }
    Ok(found)
}

type Seen = (String, String, u64);

/// Family, precision and bytes of a folder.
fn of_folder(folder: &ModelFolder) -> Result<(Option<FileKind>, Seen)> {
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(rename = "_class_name", default)]
        class: String,
        #[serde(default)]
        cross_attention_dim: serde_json::Value,
    }
    let (mut bytes, mut precision) = (0, String::new());
    let parts = ["unet", "text_encoder", "text_encoder_2", "vae"].map(|part| folder.join(part));
    let is_whole = folder.has("model_index.json");
    let parts: Vec<ModelFolder> =
        if is_whole { parts.into_iter().filter(ModelFolder::exists).collect() } else { vec![folder.clone()] };
    for part in &parts {
        bytes += part.weigh()?.disk;
        if precision.is_empty() {
            precision = part.precision()?;
        }
    }
    let config: Named = folder.json(if is_whole { "model_index.json" } else { "config.json" })?;
    let (kind, family) = match config.class.as_str() {
        class if class.starts_with("StableDiffusionXL") => (FileKind::Checkpoint, "SDXL folder".to_owned()),
        class if is_whole && class.starts_with("StableDiffusion") => {
            let unet: Named = folder.join("unet").json("config.json")?;
            let base = unet
                .cross_attention_dim
                .as_u64()
                .and_then(|width| Base::of_context(usize::try_from(width).ok()?));
            let family = format!("{} folder", base.map_or("Stable Diffusion", |base| base.name()));
            (FileKind::Checkpoint, family)
        }
        "ControlNetModel" => (FileKind::ControlNet, "ControlNet folder".to_owned()),
        "AutoencoderKL" | "AutoencoderTiny" => (FileKind::Vae, "VAE folder".to_owned()),
        "UNet2DConditionModel" => (FileKind::UNet, "UNet folder".to_owned()),
        "" => {
            let called = called_depth(&folder.tensors()?);
            let name = called.unwrap_or_else(|| "depth network".to_owned());
            (FileKind::Depth, format!("{name} folder"))
        }
        other => (FileKind::Unknown, format!("{other} folder")),
    };
    Ok((Some(kind), (family, precision, bytes)))
}

/// Family, precision and bytes of a textual inversion in a PyTorch file.
fn of_embedding(path: &Path) -> Result<(Option<FileKind>, Seen)> {
    use crate::diffusion::text::embeddings::{EmbeddingFile, read};
    let (vectors, base) = match read(path)? {
        EmbeddingFile::One(vectors) => {
            let base = vectors.dims().last().and_then(|width| Base::of_context(*width));
            (vectors, base)
        }
        EmbeddingFile::Two(_, vectors) => (vectors, Some(Base::Xl)),
    };
    let precision = vectors.dtype().as_str().to_owned();
    let family = base.map_or("embedding".to_owned(), |base| format!("embedding for {}", base.name()));
    let bytes = std::fs::metadata(path).map_or(0, |about| about.len());
    Ok((Some(FileKind::Embedding), (family, precision, bytes)))
}

/// Kind, family, precision and bytes of a file.
fn of_file(path: &Path) -> Result<(Option<FileKind>, Seen)> {
    let file = WeightFile::open(path)?;
    let family = family_of(file.header());
    let precision = file.header().precision().unwrap_or_default().to_owned();
    let (size, mut name) = (file.size(), family.to_string());
    if family.kind == FileKind::Depth
        && let Some(called) = called_depth(&Weights::of(&[Arc::new(file)]))
    {
        name = called;
    }
    Ok((Some(family.kind), (name, precision, size)))
}

/// What a kind of file is for; `None` when that is nothing, or its folder must say.
fn role_of(kind: FileKind) -> Option<Role> {
    match kind {
        FileKind::Checkpoint | FileKind::UNet => Some(Role::Checkpoint),
        FileKind::Vae | FileKind::TinyVae => Some(Role::Vae),
        FileKind::Lora => Some(Role::Lora),
        FileKind::Embedding => Some(Role::Embedding),
        FileKind::ControlNet | FileKind::Lllite | FileKind::ControlLora => Some(Role::Control),
        FileKind::Depth => Some(Role::Depth),
        FileKind::Upscaler => Some(Role::Upscaler),
        FileKind::TextEncoder | FileKind::Unknown => None,
    }
}

/// How a film uses a model.
fn usage(role: Role, name: &str) -> String {
    match role {
        Role::Checkpoint => format!("model = {}", quoted(name)),
        Role::Vae => format!("vae = {}", quoted(name)),
        Role::Lora => format!("<lora:{}:1> in a prompt", last(name)),
        Role::Embedding => format!("{} in a prompt", last(name)),
        Role::Control => format!("control x {{ model = {} }}", quoted(name)),
        Role::Depth => format!("depth = network({})", quoted(name)),
        Role::Upscaler => "nothing yet".to_owned(),
    }
}

/// A name as a text of a film.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "\\${"))
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The inventory as JSON.
///
/// # Errors
/// [`Error::Bug`] when it cannot be written, which is not known to happen.
pub fn json(inventory: &Inventory) -> Result<String> {
    serde_json::to_string_pretty(inventory)
        .map(|text| text + "\n")
        .map_err(|e| Error::Bug(format!("the list of models: {e}")))
}

/// The inventory as a table.
pub fn text(inventory: &Inventory) -> String {
    let heads = ["for", "name", "family", "precision", "size", "hash", "use"].map(str::to_owned);
    let row = |found: &Found| {
        let note =
            found.problem.as_ref().map_or_else(|| found.usage.clone(), |problem| format!("! {problem}"));
        let hash = found.hash.clone().unwrap_or_default();
        let precision = found.precision.to_lowercase();
        [
            found.role.to_owned(),
            found.name.clone(),
            found.family.clone(),
            precision,
            size(found.bytes),
            hash,
            note,
        ]
    };
    let mut rows = vec![heads];
    rows.extend(inventory.models.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            // Sizes stand under each other by their last digit.
            4 => format!("{cell:>width$}"),
            _ => format!("{cell:<width$}"),
        });
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    let folders: Vec<String> = inventory.folders.iter().map(|dir| dir.display().to_string()).collect();
    let places = if folders.is_empty() {
        "looked beside the films alone; name model folders with --models-dir, KINORA_MODELS or the config file".to_owned()
    } else {
        format!("looked beside the films and in {}", folders.join(", "))
    };
    text + "\n" + &places + "\n"
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(
            (size(12), size(1536), size(7_000_000_000)),
            ("12 B".into(), "1.5 KiB".into(), "6.5 GiB".into())
        );
    }
}
