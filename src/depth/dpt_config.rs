//! What `config.json` says of a dense prediction transformer: transformers' `DPTForDepthEstimation`.

use candle_core::Result;
use serde::Deserialize;

/// `config.json` of transformers' `DPTForDepthEstimation`. Absent keys have its defaults (transformers 5.24).
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct DptConfig {
    /// Channels of a token.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Attention heads of a layer.
    pub num_attention_heads: usize,
    /// Channels inside the feed-forward blocks.
    pub intermediate_size: usize,
    /// The activation; `gelu` is known.
    pub hidden_act: String,
    /// Added to the variance in the layer norms.
    pub layer_norm_eps: f64,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Channels of the picture.
    pub num_channels: usize,
    /// Whether the patches come out of the first stages of a BiT.
    pub is_hybrid: bool,
    /// Whether query, key and value have biases.
    pub qkv_bias: bool,
    /// Layers after which a feature map is taken, the first being 0. Of a hybrid the first two stand for stages
    /// of its BiT.
    pub backbone_out_indices: Vec<usize>,
    /// What becomes of the class token: `ignore`, `add` or `project`.
    pub readout_type: String,
    /// What each feature map's sides are multiplied by; below 1 it is a strided convolution.
    pub reassemble_factors: Vec<f64>,
    /// Channels of each feature map after its projection, from the earliest to the last.
    pub neck_hidden_sizes: Vec<usize>,
    /// Channels in the fusion.
    pub fusion_hidden_size: usize,
    /// Which fused map the head reads; negative counts from the last.
    pub head_in_index: isize,
    /// Whether the fusion has batch norms; `true` is not known.
    pub use_batch_norm_in_fusion_residual: bool,
    /// Whether the fusion's convolutions have biases.
    pub use_bias_in_fusion_residual: Option<bool>,
    /// Whether the head begins with a convolution of its own.
    pub add_projection: bool,
    /// The BiT of a hybrid; anything else below the head is not known.
    pub backbone_config: Option<BitConfig>,
}

impl Default for DptConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: "gelu".to_owned(),
            layer_norm_eps: 1e-12,
            patch_size: 16,
            num_channels: 3,
            is_hybrid: false,
            qkv_bias: true,
            backbone_out_indices: vec![2, 5, 8, 11],
            readout_type: "project".to_owned(),
            reassemble_factors: vec![4.0, 2.0, 1.0, 0.5],
            neck_hidden_sizes: vec![96, 192, 384, 768],
            fusion_hidden_size: 256,
            head_in_index: -1,
            use_batch_norm_in_fusion_residual: false,
            use_bias_in_fusion_residual: None,
            add_projection: false,
            backbone_config: None,
        }
    }
}

impl DptConfig {
    /// Refuses what the network does not know, by the name of its key.
    ///
    /// # Errors
    /// A candle error that says what was expected and found.
    pub(super) fn check(&self) -> Result<()> {
        if self.use_batch_norm_in_fusion_residual {
            candle_core::bail!("config: expected use_batch_norm_in_fusion_residual = false, found true")
        }
        if self.hidden_act != "gelu" {
            candle_core::bail!("config: expected hidden_act = gelu, found {}", self.hidden_act)
        }
        if !["ignore", "add", "project"].contains(&self.readout_type.as_str()) {
            let found = &self.readout_type;
            candle_core::bail!("config: expected readout_type ignore, add or project, found {found}")
        }
        if !self.is_hybrid && self.backbone_config.is_some() {
            candle_core::bail!(
                "config: expected a plain ViT or a hybrid with BiT, found another backbone_config"
            )
        }
        let stages = self.neck_hidden_sizes.len();
        let (taps, factors) = (self.backbone_out_indices.len(), self.reassemble_factors.len());
        if stages < if self.is_hybrid { 3 } else { 1 } || taps != stages || factors != stages {
            candle_core::bail!(
                "config: expected as many neck_hidden_sizes ({stages}) as reassemble_factors ({factors}) and \
                 backbone_out_indices ({taps}), of a hybrid at least three"
            )
        }
        match self.backbone_out_indices.iter().find(|tap| **tap >= self.num_hidden_layers) {
            Some(tap) => candle_core::bail!(
                "backbone_out_indices: expected layers of 0 to {}, found {tap}",
                self.num_hidden_layers.saturating_sub(1)
            ),
            None => Ok(()),
        }
    }
}

/// The `backbone_config` of a hybrid: a BiT (Kolesnikov et al. 2019). Defaults are transformers' for DPT.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct BitConfig {
    /// `bit` is known.
    pub model_type: String,
    /// Channels after the first convolution.
    pub embedding_size: usize,
    /// Channels of each stage.
    pub hidden_sizes: Vec<usize>,
    /// Layers of each stage.
    pub depths: Vec<usize>,
    /// `bottleneck` is known.
    pub layer_type: String,
    /// `relu` is known.
    pub hidden_act: String,
    /// `same` is known.
    pub global_padding: Option<String>,
    /// Whether the pooling is padded like the convolutions; `true` is known.
    pub embedding_dynamic_padding: bool,
    /// Groups of each norm.
    pub num_groups: usize,
    /// Multiplies the channels; 1 is known.
    pub width_factor: usize,
}

impl Default for BitConfig {
    fn default() -> Self {
        Self {
            model_type: "bit".to_owned(),
            embedding_size: 64,
            hidden_sizes: vec![256, 512, 1024, 2048],
            depths: vec![3, 4, 9],
            layer_type: "bottleneck".to_owned(),
            hidden_act: "relu".to_owned(),
            global_padding: Some("same".to_owned()),
            embedding_dynamic_padding: true,
            num_groups: 32,
            width_factor: 1,
        }
    }
}

impl BitConfig {
    /// Refuses what is not known.
    pub(super) fn check(&self) -> Result<()> {
        let padding = self.global_padding.as_deref().unwrap_or("none").to_lowercase();
        let found = [&self.model_type, &self.layer_type, &self.hidden_act].map(String::as_str);
        if found != ["bit", "bottleneck", "relu"] || padding != "same" {
            candle_core::bail!(
                "backbone_config: expected bit, bottleneck, relu and same padding, found {}, {padding} padding",
                found.join(", ")
            )
        }
        if !self.embedding_dynamic_padding || self.width_factor != 1 {
            candle_core::bail!(
                "backbone_config: expected embedding_dynamic_padding = true and width_factor = 1"
            )
        }
        if self.num_groups == 0 {
            candle_core::bail!("backbone_config: expected num_groups above 0")
        }
        // Feature maps of the first two stages, tokens of the third.
        if self.depths.len() != 3 || self.hidden_sizes.len() < 3 {
            candle_core::bail!("backbone_config: expected depths of three stages, found {:?}", self.depths)
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> String {
        let config: DptConfig = serde_json::from_str(json).unwrap();
        config.check().unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_known_is_refused_by_its_key() {
        assert!(refusal(r#"{"use_batch_norm_in_fusion_residual": true}"#).contains("use_batch_norm"));
        assert!(refusal(r#"{"readout_type": "sum"}"#).contains("readout_type"));
        assert!(refusal(r#"{"backbone_out_indices": [2, 5, 8, 12]}"#).contains("found 12"));
        assert!(refusal(r#"{"backbone_config": {"model_type": "swin"}}"#).contains("backbone_config"));
        assert!(refusal(r#"{"neck_hidden_sizes": [1, 2]}"#).contains("(2)"));
        assert!(DptConfig::default().check().is_ok());
        let bit = |json: &str| serde_json::from_str::<BitConfig>(json).unwrap().check();
        assert!(
            bit(r#"{"layer_type": "preactivation"}"#).is_err()
                && bit("{}").is_ok()
                && bit(r#"{"num_groups": 0}"#).is_err()
        );
    }
}
