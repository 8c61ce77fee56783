//! What the files beside a depth network say: `config.json` and `preprocessor_config.json`.

use candle_core::Result as CandleResult;
use serde::Deserialize;

/// `config.json` of transformers' `DepthAnythingForDepthEstimation`. Absent keys have its defaults
/// (transformers 5.23), which are those of the small published model.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct DepthConfig {
    /// The vision transformer below.
    pub backbone_config: BackboneConfig,
    /// Channels of each feature map after its projection, from the earliest layer to the last.
    pub neck_hidden_sizes: Vec<usize>,
    /// What each feature map's sides are multiplied by; below 1 it is a strided convolution.
    pub reassemble_factors: Vec<f64>,
    /// Channels in the fusion.
    pub fusion_hidden_size: usize,
    /// Which fused map the head reads; negative counts from the last.
    pub head_in_index: isize,
    /// Channels in the head.
    pub head_hidden_size: usize,
    /// Whether the output is relative inverse depth or metres.
    pub depth_estimation_type: DepthKind,
    /// Metric models: the largest distance, in metres.
    pub max_depth: Option<f64>,
}

impl Default for DepthConfig {
    fn default() -> Self {
        Self {
            backbone_config: BackboneConfig::default(),
            neck_hidden_sizes: vec![48, 96, 192, 384],
            reassemble_factors: vec![4.0, 2.0, 1.0, 0.5],
            fusion_hidden_size: 64,
            head_in_index: -1,
            head_hidden_size: 32,
            depth_estimation_type: DepthKind::Relative,
            max_depth: None,
        }
    }
}

/// What a network's numbers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DepthKind {
    /// Inverse depth up to scale and shift: large is near.
    Relative,
    /// Distance in metres: large is far.
    Metric,
}

/// The `backbone_config` of a depth network: a DINOv2. Defaults are those of the small model.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct BackboneConfig {
    /// Channels of a token.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Attention heads of a layer.
    pub num_attention_heads: usize,
    /// Channels inside the feed-forward blocks, as a multiple of `hidden_size`.
    pub mlp_ratio: f64,
    /// Added to the variance in the layer norms.
    pub layer_norm_eps: f64,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Channels of the picture.
    pub num_channels: usize,
    /// Whether query, key and value have biases.
    pub qkv_bias: bool,
    /// Whether the feed-forward blocks are gated (the giant model).
    pub use_swiglu_ffn: bool,
    /// Whether each feature map goes through the final layer norm.
    pub apply_layernorm: bool,
    /// Layers after which a feature map is taken: 0 is the embedding, negative counts from the end.
    pub out_indices: Option<Vec<isize>>,
    /// The same by name: `stage3`; used when there are no indices.
    pub out_features: Option<Vec<String>>,
}

impl Default for BackboneConfig {
    fn default() -> Self {
        Self {
            hidden_size: 384,
            num_hidden_layers: 12,
            num_attention_heads: 6,
            mlp_ratio: 4.0,
            layer_norm_eps: 1e-6,
            patch_size: 14,
            num_channels: 3,
            qkv_bias: true,
            use_swiglu_ffn: false,
            apply_layernorm: true,
            out_indices: None,
            out_features: None,
        }
    }
}

impl BackboneConfig {
    /// Layers after which feature maps are taken, 0 being the embedding, in ascending order.
    ///
    /// # Errors
    /// A candle error when the config names a layer that the network does not have, or none at all.
    pub fn taps(&self) -> CandleResult<Vec<usize>> {
        let layers = self.num_hidden_layers;
        let indices = match (&self.out_indices, &self.out_features) {
            (Some(indices), _) => indices.clone(),
            (None, Some(names)) => names.iter().map(|name| stage(name)).collect::<CandleResult<_>>()?,
            (None, None) => candle_core::bail!("expected out_indices or out_features in backbone_config"),
        };
        let mut taps = Vec::with_capacity(indices.len());
        for index in indices {
            let from_start = if index < 0 { index + layers as isize + 1 } else { index };
            match usize::try_from(from_start) {
                Ok(tap) if tap <= layers => taps.push(tap),
                _ => candle_core::bail!("out_indices: expected layers of 0 to {layers}, found {index}"),
            }
        }
        taps.sort_unstable();
        Ok(taps)
    }
}

/// Number of the layer that a stage's name stands for.
fn stage(name: &str) -> CandleResult<isize> {
    let number =
        if name == "stem" { Some(0) } else { name.strip_prefix("stage").and_then(|n| n.parse().ok()) };
    match number {
        Some(number) => Ok(number),
        None => candle_core::bail!("out_features: expected stem or stage<number>, found {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taps(json: &str) -> Option<Vec<usize>> {
        serde_json::from_str::<BackboneConfig>(json).unwrap().taps().ok()
    }

    #[test]
    fn feature_maps_are_named_by_index_or_by_stage() {
        assert_eq!(taps(r#"{"out_indices": [3, -1]}"#), Some(vec![3, 12]));
        assert_eq!(taps(r#"{"out_features": ["stem", "stage7"]}"#), Some(vec![0, 7]));
        assert_eq!(taps(r#"{"out_indices": [13]}"#), None);
        assert_eq!(taps(r#"{"out_features": ["layer7"]}"#), None);
        assert_eq!(taps("{}"), None);
    }
}
