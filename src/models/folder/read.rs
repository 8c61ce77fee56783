//! Finds and opens the files of a folder's weights.

use std::collections::BTreeSet;
use std::sync::Arc;

use candle_core::Device;
use candle_nn::VarBuilder;

use super::{ModelFolder, Place, embedded_bytes, model_error};
use crate::error::{Error, Result};
use crate::models::single::TOKENIZER;
use crate::models::tensors::{WeightFile, Weights};

/// Names under which weights are looked for in a folder, best first.
const WEIGHTS: [&str; 4] = [
    "diffusion_pytorch_model.safetensors",
    "model.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    "model.fp16.safetensors",
];

/// Names of lists of shards, best first. diffusers puts the variant at either place.
const INDICES: [&str; 5] = [
    "diffusion_pytorch_model.safetensors.index.json",
    "model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors.index.fp16.json",
    "model.safetensors.index.fp16.json",
    "diffusion_pytorch_model.fp16.safetensors.index.json",
];

impl ModelFolder {
    /// The folder's weights on `device` as a tree of names: `f32`, or as they are for those who ask
    /// [`stored`](crate::models::stored).
    ///
    /// # Errors
    /// [`Error::Model`] when there are none, or the file is truncated or no safetensors file.
    pub fn weights(&self, device: &Device) -> Result<VarBuilder<'static>> {
        Ok(self.tensors()?.builder(device))
    }

    /// The network that `build` makes of the folder's weights; `what` it is stands in errors («UNet»).
    ///
    /// # Errors
    /// As [`ModelFolder::weights`]; when weights are missing or have another shape, all of them in one error, grouped
    /// and counted.
    pub fn network<T>(
        &self,
        what: &str,
        device: &Device,
        build: impl Fn(VarBuilder<'static>) -> candle_core::Result<T>,
    ) -> Result<T> {
        let weights = self.tensors()?;
        build(weights.clone().builder(device)).map_err(|error| self.explain(what, &error, build))
    }

    /// What is wrong when `build` could not make a network of the folder's weights and stopped with `error`: every
    /// weight that is missing or has another shape.
    pub fn explain<T>(
        &self,
        what: &str,
        error: &candle_core::Error,
        build: impl Fn(VarBuilder<'static>) -> candle_core::Result<T>,
    ) -> Error {
        match self.tensors() {
            Ok(weights) => weights.explain(&self.label(), what, error, build),
            Err(_) => model_error(&self.label(), error),
        }
    }

    /// The folder's weights by name, none of them read yet.
    ///
    /// # Errors
    /// As [`ModelFolder::weights`].
    pub fn tensors(&self) -> Result<Weights> {
        if let Place::WithVae(model, _) = &self.place {
            return model.tensors();
        }
        if let Place::Single(single, part) = &self.place {
            let own = single.weights(part).cloned();
            return own
                .ok_or_else(|| Error::model(&self.label(), single.lacks(part)).with_hint(single.hint(part)));
        }
        Ok(Weights::of(&self.opened()?))
    }

    /// What most numbers of the folder's weights are stored in, as files name it: `F16`, `F32` …
    ///
    /// # Errors
    /// As [`ModelFolder::weights`].
    pub fn precision(&self) -> Result<String> {
        Ok(self.tensors()?.precision().unwrap_or_default())
    }

    /// CLIP's tokenizer, which is compiled in for models that bring none.
    pub fn clip_tokenizer() -> Self {
        Self { place: Place::Embedded(TOKENIZER.to_owned()) }
    }

    /// The folder's files of weights, their heads checked.
    pub(super) fn opened(&self) -> Result<Vec<Arc<WeightFile>>> {
        let files = self.weight_files()?;
        let open = |name: &String| match &self.place {
            Place::Disk(path) => WeightFile::open(&path.join(name)),
            Place::Embedded(path) => {
                WeightFile::embedded(&self.label().join(name), embedded_bytes(path, name).unwrap_or_default())
            }
            Place::Single(..) | Place::WithVae(..) => {
                Err(Error::Bug("a single file has no files of weights".to_owned()))
            }
        };
        files.iter().map(|name| open(name).map(Arc::new)).collect()
    }

    /// Names of the files that hold the weights: one, or the shards that an index names.
    fn weight_files(&self) -> Result<Vec<String>> {
        if let Some(name) = WEIGHTS.iter().find(|name| self.has(name)) {
            return Ok(vec![(*name).to_owned()]);
        }
        if let Some(index) = INDICES.iter().find(|name| self.has(name)) {
            let listed: ShardIndex = self.json(index)?;
            let shards: BTreeSet<String> = listed.weight_map.into_values().collect();
            // A list is no way out of the folder.
            return match shards.iter().find(|name| name.contains(['/', '\\']) || name.starts_with('.')) {
                None => Ok(shards.into_iter().collect()),
                Some(odd) => {
                    let message = format!("expected names of files in this folder, found `{odd}`");
                    Err(Error::model(&self.label().join(index), message))
                }
            };
        }
        Err(Error::model(&self.label(), format!("expected weights here ({})", WEIGHTS.join(" or ")))
            .with_hint("copy the whole model folder; .bin and .ckpt files must be converted to safetensors"))
    }
}

/// diffusers' and transformers' list of shards.
#[derive(serde::Deserialize)]
struct ShardIndex {
    weight_map: std::collections::BTreeMap<String, String>,
}
