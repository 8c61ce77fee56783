//! Which weights of a model a file changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::axis;
use super::family;
use super::file::LoraFile;
use super::keys::{Part, Scope};
use super::layers::Layers;
use super::module::{Kind, Module};
use super::weights::PatchedWeights;
use crate::error::{Error, Result};

/// One module of a file, ready to change a weight.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub file: Arc<LoraFile>,
    /// Its place in the file's list.
    pub module: usize,
    pub kind: Kind,
    pub scale: f64,
}

/// A file matched with a model: what it changes, by the weights' names in the diffusers layout.
#[derive(Clone, Debug)]
pub struct Lora {
    unet: Vec<(String, Target)>,
    /// For each text encoder.
    text: Vec<Vec<(String, Target)>>,
    unmatched: Vec<String>,
    place: std::path::PathBuf,
}

/// The networks of a model that LoRAs change.
#[derive(Debug)]
pub struct Networks {
    unet: Layers,
    text: Vec<Layers>,
}

impl Networks {
    /// From the weights of the UNet and the text encoders, after the networks have been built.
    pub fn new(unet: &PatchedWeights, text: &[PatchedWeights]) -> Self {
        Self {
            unet: Layers::unet(&unet.shapes()),
            text: text.iter().map(|weights| Layers::text(&weights.shapes())).collect(),
        }
    }

    /// The network of a module and its layer there: 0 is the UNet.
    fn find<'a>(&'a self, module: &Module) -> Option<(usize, &'a Layers, &'a str)> {
        let unet = || self.unet.find(&module.path).map(|layer| (0, &self.unet, layer));
        let text = |index: usize| {
            let layers = self.text.get(index)?;
            Some((index + 1, layers, layers.find(&module.path)?))
        };
        match module.scope {
            Scope::Unet => unet(),
            Scope::Text(index) => text(index),
            Scope::Any => unet().or_else(|| (0..self.text.len()).find_map(text)),
        }
    }
}

impl Lora {
    /// Matches a file with a model.
    ///
    /// # Errors
    /// [`Error::Model`] when nothing of the file belongs to the model, or the sizes are others (both families are
    /// named), or a part is broken.
    pub fn new(file: Arc<LoraFile>, networks: &Networks) -> Result<Self> {
        let mut changes: Vec<Vec<(String, Target)>> = vec![Vec::new(); 1 + networks.text.len()];
        let (mut unmatched, mut matched) = (file.unknown.clone(), 0);
        for (index, module) in file.modules.iter().enumerate() {
            let kind = module.kind(&file)?;
            let size = kind.map(|kind| module.size(kind, &file)).transpose()?;
            let scale = scale(&file, module, kind)?;
            let Some((network, layers, layer)) = networks.find(module) else {
                unmatched.extend(module.keys().map(str::to_owned));
                continue;
            };
            let target =
                || Target { file: file.clone(), module: index, kind: kind.unwrap_or(Kind::Full), scale };
            let mut found = false;
            if let (Some(kind), Some(size), Some(shape)) = (kind, size, layers.shape(layer, "weight")) {
                if !fits(kind, size, shape) || !magnitude_fits(module, shape) {
                    return Err(other_size(&file, networks, module, layer, size, shape));
                }
                changes[network].push((format!("{layer}.weight"), target()));
                found = true;
            }
            if let (Some(length), Some(shape)) = (module.bias_len(), layers.shape(layer, "bias")) {
                if shape != [length] {
                    return Err(other_size(&file, networks, module, layer, (length, length), shape));
                }
                changes[network].push((format!("{layer}.bias"), target()));
                found = true;
            }
            matched += usize::from(found) * module.len();
            if !found {
                unmatched.extend(module.keys().map(str::to_owned));
            }
        }
        if matched == 0 {
            return Err(other_family(&file, networks, &unmatched));
        }
        let text = changes.split_off(1);
        let unet = changes.pop().unwrap_or_default();
        Ok(Self { unet, text, unmatched, place: file.place().to_owned() })
    }

    /// Keys that fit nothing in the model; they have no effect.
    pub fn unmatched(&self) -> &[String] {
        &self.unmatched
    }

    /// One line about the keys that fit nothing, if there are any.
    pub fn warning(&self) -> Option<String> {
        let first = self.unmatched.first()?;
        let (count, changed) = (self.unmatched.len(), self.weights().count());
        let keys = if count == 1 { "key fits" } else { "keys fit" };
        Some(format!(
            "LoRA {}: {count} {keys} nothing in this model (such as `{first}`); {changed} weights are changed",
            self.place.display()
        ))
    }

    /// The weights that it changes: `unet`, `text_encoder` or `text_encoder_2`, and the weight's name there.
    pub fn weights(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let parts = ["text_encoder", "text_encoder_2", "text_encoder_3"];
        let unet = self.unet.iter().map(|(name, _)| ("unet", name.as_str()));
        let text = self
            .text
            .iter()
            .zip(parts)
            .flat_map(|(list, part)| list.iter().map(move |(name, _)| (part, name.as_str())));
        unet.chain(text)
    }

    /// Whether it changes a text encoder at all.
    pub fn has_text(&self) -> bool {
        self.text.iter().any(|list| !list.is_empty())
    }

    /// Whether it changes the UNet at all.
    pub fn has_unet(&self) -> bool {
        !self.unet.is_empty()
    }
}

/// Puts LoRAs with their strengths into the weights of the UNet; the next build of the network has them. A strength
/// of 0 is as good as absent.
pub fn patch_unet(weights: &PatchedWeights, uses: &[(&Lora, f64)]) {
    weights.set(gather(uses.iter().map(|(lora, strength)| (&lora.unet, *strength))));
}

/// The same for text encoder `index`.
pub fn patch_text(weights: &PatchedWeights, index: usize, uses: &[(&Lora, f64)]) {
    let lists = uses.iter().filter_map(|(lora, strength)| Some((lora.text.get(index)?, *strength)));
    weights.set(gather(lists));
}

fn gather<'a>(
    lists: impl Iterator<Item = (&'a Vec<(String, Target)>, f64)>,
) -> BTreeMap<String, Vec<(Target, f64)>> {
    let mut changes: BTreeMap<String, Vec<(Target, f64)>> = BTreeMap::new();
    for (list, strength) in lists.filter(|(_, strength)| *strength != 0.0) {
        for (name, target) in list {
            changes.entry(name.clone()).or_default().push((target.clone(), strength));
        }
    }
    changes
}

/// alpha / rank; 1 where the file says no alpha or the change has no rank.
fn scale(file: &LoraFile, module: &Module, kind: Option<Kind>) -> Result<f64> {
    let Some(key) = module.key(Part::Alpha) else { return Ok(1.0) };
    let alpha = file.number(key)?;
    Ok(kind.and_then(|kind| module.rank(kind)).map_or(1.0, |rank| alpha / rank as f64))
}

fn fits(kind: Kind, (outputs, values): (usize, usize), shape: &[usize]) -> bool {
    let count: usize = shape.iter().product();
    match (kind, shape) {
        (Kind::Ia3, [rows, columns, ..]) => values == *rows || values == *columns,
        // The first convolution of an inpainting model: see `change::fit`.
        (_, &[rows, 9, height, width]) if values == rows * 4 * height * width => outputs == rows,
        (_, [rows, ..]) => outputs == *rows && values == count,
        (_, []) => false,
    }
}

fn magnitude_fits(module: &Module, shape: &[usize]) -> bool {
    let count = |part| module.part_shape(part).map(|shape| shape.iter().product::<usize>());
    let magnitude = count(Part::Magnitude).is_none_or(|count| Some(&count) == shape.first());
    magnitude && module.part_shape(Part::DoraScale).is_none_or(|scale| axis(scale, shape).is_ok())
}

/// The width of the context that the file was made for.
fn context(file: &LoraFile) -> Option<usize> {
    let looks = |module: &&Module| {
        matches!(module.scope, Scope::Unet | Scope::Any)
            && ["attn2_to_k", "attn2.to_k"].iter().any(|end| module.path.ends_with(end))
    };
    file.modules.iter().filter(looks).find_map(|module| {
        let (outputs, values) = module.size(module.kind(file).ok()??, file).ok()?;
        values.checked_div(outputs)
    })
}

fn families(file: &LoraFile, networks: &Networks) -> (Option<String>, String) {
    let known = file.modules.iter().flat_map(Module::keys);
    let keys: Vec<&str> = known.chain(file.unknown.iter().map(String::as_str)).collect();
    (family::of_file(&keys, context(file), file.header()), family::of_model(&networks.unet))
}

const OTHER: &str = "LoRAs work on models of the family they were trained on";

fn other_family(file: &LoraFile, networks: &Networks, unmatched: &[String]) -> Error {
    let (made_for, model) = families(file, networks);
    let made_for = made_for.unwrap_or_else(|| "another family of models".to_owned());
    let first = unmatched.first().map(String::as_str).unwrap_or_default();
    let message = format!(
        "this LoRA is for {made_for}, the model is {model}: none of its {} keys fits (such as `{first}`)",
        unmatched.len()
    );
    Error::model(file.place(), message).with_hint(OTHER)
}

fn other_size(
    file: &LoraFile,
    networks: &Networks,
    module: &Module,
    layer: &str,
    (outputs, values): (usize, usize),
    shape: &[usize],
) -> Error {
    let (made_for, model) = families(file, networks);
    let key = module.keys().next().unwrap_or_default();
    let found = format!("{outputs} outputs and {values} values");
    match made_for.filter(|made_for| *made_for != model) {
        Some(made_for) => {
            let message = format!(
                "this LoRA is for {made_for}, the model is {model}: `{key}` changes {found}, `{layer}` has shape {shape:?}"
            );
            Error::model(file.place(), message).with_hint(OTHER)
        }
        None => {
            let message =
                format!("`{key}`: expected a change of the shape {shape:?} of `{layer}`, found {found}");
            Error::model(file.place(), message).with_hint(super::AGAIN)
        }
    }
}
