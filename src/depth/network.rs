//! A depth network of any kind that is known: which one it is, and its weights.

use candle_core::{Device, Result as CandleResult, Tensor};
use candle_nn::VarBuilder;
use serde_json::Value;

use super::anything::DepthAnything;
use super::config::{DepthConfig, DepthKind};
use super::dpt::Dpt;
use super::dpt_config::DptConfig;
use crate::error::{Error, Result};
use crate::models::ModelFolder;

/// What `config.json` describes.
#[derive(Clone, Debug)]
pub enum NetworkConfig {
    /// Depth Anything, of either version: transformers' `DepthAnythingForDepthEstimation`.
    Anything(DepthConfig),
    /// A dense prediction transformer, MiDaS 3: transformers' `DPTForDepthEstimation`.
    Dpt(Box<DptConfig>),
}

impl NetworkConfig {
    /// Reads `config.json`, which says by `model_type` or `architectures` what it describes. One that does not is
    /// that of a Depth Anything.
    ///
    /// # Errors
    /// [`Error::Model`] when the file cannot be understood, or describes another kind of network.
    pub fn load(folder: &ModelFolder) -> Result<Self> {
        const FILE: &str = "config.json";
        let said: Value = folder.json(FILE)?;
        let class = said["architectures"][0].as_str().unwrap_or_default();
        let kind = said["model_type"].as_str().unwrap_or(match class {
            "" | "DepthAnythingForDepthEstimation" => "depth_anything",
            "DPTForDepthEstimation" => "dpt",
            other => other,
        });
        // What transformers writes as null has its default.
        let filled = without_nulls(said.clone());
        let wrong = |e: serde_json::Error| {
            Error::model(&folder.label().join(FILE), format!("cannot understand this file: {e}"))
        };
        match kind {
            "depth_anything" => serde_json::from_value(filled).map(Self::Anything).map_err(wrong),
            "dpt" => serde_json::from_value(filled).map(|config| Self::Dpt(Box::new(config))).map_err(wrong),
            other => Err(Error::model(
                &folder.label().join(FILE),
                format!("expected a depth network of the kind depth_anything or dpt, found {other}"),
            )
            .with_hint("Depth Anything (V1, V2) and MiDaS 3 (DPT-Large, DPT-Hybrid) are read")),
        }
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        other => other,
    }
}

/// The network, of any size that its config describes.
#[derive(Clone, Debug)]
pub struct DepthNetwork {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Anything(Box<DepthAnything>),
    Dpt(Box<Dpt>),
}

impl DepthNetwork {
    /// Loads the weights of `folder` by its `config.json`, under transformers' names or those of the
    /// original repositories.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] that names the weights which are missing or have another shape.
    pub fn load(folder: &ModelFolder, device: &Device) -> Result<Self> {
        let config = NetworkConfig::load(folder)?;
        folder.network("depth network", device, |weights| Self::of(&config, weights))
    }

    /// Takes the weights from a tree of names of either kind.
    ///
    /// # Errors
    /// A candle error that names the weight which is missing or has another shape.
    pub fn of(config: &NetworkConfig, weights: VarBuilder) -> CandleResult<Self> {
        let kind = match config {
            NetworkConfig::Anything(config) => Kind::Anything(Box::new(DepthAnything::new(config, weights)?)),
            NetworkConfig::Dpt(config) => Kind::Dpt(Box::new(Dpt::new(config, weights)?)),
        };
        Ok(Self { kind })
    }

    /// A Depth Anything out of a tree of names of either kind.
    ///
    /// # Errors
    /// A candle error that names the weight which is missing or has another shape.
    pub fn new(config: &DepthConfig, weights: VarBuilder) -> CandleResult<Self> {
        Self::of(&NetworkConfig::Anything(config.clone()), weights)
    }

    /// What the numbers of [`DepthNetwork::forward`] mean.
    pub fn kind(&self) -> DepthKind {
        match &self.kind {
            Kind::Anything(network) => network.kind(),
            Kind::Dpt(_) => DepthKind::Relative,
        }
    }

    /// Side of a patch in pixels: pictures' sides should be multiples of it.
    pub fn patch_size(&self) -> usize {
        match &self.kind {
            Kind::Anything(network) => network.patch_size(),
            Kind::Dpt(network) => network.patch_size(),
        }
    }

    /// Patches, class token and positions, before the first layer: `[B, 1 + patches, hidden]`.
    ///
    /// # Errors
    /// When the picture is smaller than a patch.
    pub fn embeddings(&self, pixels: &Tensor) -> CandleResult<Tensor> {
        match &self.kind {
            Kind::Anything(network) => network.embeddings(pixels),
            Kind::Dpt(network) => network.embeddings(pixels),
        }
    }

    /// The transformer's feature maps, the class token first: `[B, 1 + patches, hidden]` each.
    ///
    /// # Errors
    /// When the picture is smaller than a patch.
    pub fn features(&self, pixels: &Tensor) -> CandleResult<Vec<Tensor>> {
        match &self.kind {
            Kind::Anything(network) => network.features(pixels),
            Kind::Dpt(network) => network.features(pixels),
        }
    }

    /// Normalised pixels `[B, 3, H, W]` → depth `[B, H, W]`, sides rounded down to whole patches.
    ///
    /// # Errors
    /// When the picture is smaller than a patch.
    pub fn forward(&self, pixels: &Tensor) -> CandleResult<Tensor> {
        match &self.kind {
            Kind::Anything(network) => network.forward(pixels),
            Kind::Dpt(network) => network.forward(pixels),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_of_another_model_names_the_weight() {
        let folder = ModelFolder::embedded("kinora-depth").unwrap();
        let mut config: DepthConfig = folder.json("config.json").unwrap();
        config.neck_hidden_sizes[1] = 97;
        let build = |weights| DepthNetwork::new(&config, weights);
        let error = folder.network("depth network", &Device::Cpu, build).unwrap_err().to_string();
        assert!(error.contains("of another shape") && error.contains("97"), "{error}");
        assert!(error.contains("reassemble_stage.layers.1.projection.weight"), "{error}");
    }
}
