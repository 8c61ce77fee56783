//! The text half of CLIP (Radford et al. 2021) as transformers 5.23 has it: `CLIPTextModel` and
//! `CLIPTextModelWithProjection`, of any size.

use candle_core::{D, Device, Tensor};
use candle_nn::{Embedding, LayerNorm, Module, VarBuilder, embedding, layer_norm};
use serde::Deserialize;

use crate::diffusion::nn::{linear, linear_no_bias};
use crate::error::Result;
use crate::kernels::Linear;
use crate::models::ModelFolder;

/// What `config.json` of a text encoder says. Absent keys have transformers' defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct ClipConfig {
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// Channels of a token's embedding.
    pub hidden_size: usize,
    /// Channels inside the feed-forward blocks.
    pub intermediate_size: usize,
    /// Channels of the projected embedding, where there is a projection.
    pub projection_dim: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Attention heads of a layer.
    pub num_attention_heads: usize,
    /// Places for tokens: 77 in every published model.
    pub max_position_embeddings: usize,
    /// Activation of the feed-forward blocks.
    pub hidden_act: Activation,
    /// Added to the variance in the layer norms.
    pub layer_norm_eps: f64,
    /// The token at which the pooled embedding is taken.
    pub eos_token_id: u32,
}

impl Default for ClipConfig {
    fn default() -> Self {
        Self {
            vocab_size: 49408,
            hidden_size: 512,
            intermediate_size: 2048,
            projection_dim: 512,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
            eos_token_id: 49407,
        }
    }
}

impl ClipConfig {
    /// Reads `config.json`: a text encoder's own, or that of a whole CLIP (its `text_config` is used).
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] when the file is missing, is no JSON, or names an activation that
    /// no published text encoder has.
    pub fn load(folder: &ModelFolder) -> Result<Self> {
        #[derive(Deserialize)]
        struct Whole {
            text_config: Option<ClipConfig>,
        }
        match folder.json::<Whole>("config.json")?.text_config {
            Some(config) => Ok(config),
            None => folder.json("config.json"),
        }
    }
}

/// Activation of the feed-forward blocks, by its name in `config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Activation {
    /// x · sigmoid(1.702 x): OpenAI's models.
    #[serde(rename = "quick_gelu")]
    QuickGelu,
    /// The exact (erf) GELU: OpenCLIP's models.
    #[serde(rename = "gelu")]
    Gelu,
    /// The tanh approximation of GELU.
    #[serde(rename = "gelu_new", alias = "gelu_pytorch_tanh")]
    GeluTanh,
}

impl Module for Activation {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::QuickGelu => x * candle_nn::ops::sigmoid(&(x * 1.702)?)?,
            Self::Gelu => x.gelu_erf(),
            Self::GeluTanh => x.gelu(),
        }
    }
}

/// What the encoder makes of a batch of chunks.
#[derive(Clone, Debug)]
pub struct ClipOutput {
    /// Before the first layer and after each one, none of them normed: layers + 1 times `[n, places, C]`.
    pub hidden: Vec<Tensor>,
    /// The last one after the final layer norm, `[n, places, C]`.
    pub last: Tensor,
    /// `last` at the end token, `[n, C]`.
    pub pooled: Tensor,
    /// `pooled` through the projection, `[n, projection_dim]`, where the model has one.
    pub projected: Option<Tensor>,
}

/// A CLIP text encoder.
#[derive(Clone, Debug)]
pub struct ClipTextEncoder {
    config: ClipConfig,
    tokens: Embedding,
    positions: Tensor,
    mask: Tensor,
    layers: Vec<Layer>,
    final_norm: LayerNorm,
    projection: Option<Linear>,
    device: Device,
}

impl ClipTextEncoder {
    /// Loads the weights of `folder` by its `config.json`.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] that names the weight which is missing or has another shape.
    pub fn load(folder: &ModelFolder, device: &Device) -> Result<Self> {
        let config = ClipConfig::load(folder)?;
        folder.network("text encoder", device, |weights| Self::new(config.clone(), weights))
    }

    /// Takes the weights from a tree of transformers' names, with or without `text_model.` before them.
    ///
    /// # Errors
    /// A candle error that names the weight which is missing or has another shape.
    pub fn new(config: ClipConfig, weights: VarBuilder) -> candle_core::Result<Self> {
        let heads = config.num_attention_heads;
        if heads == 0 || !config.hidden_size.is_multiple_of(heads) {
            candle_core::bail!(
                "expected hidden_size {} to be a multiple of {heads} heads",
                config.hidden_size
            )
        }
        let prefixed = weights.contains_tensor("text_model.final_layer_norm.weight");
        let model = if prefixed { weights.pp("text_model") } else { weights.clone() };
        let (width, places) = (config.hidden_size, config.max_position_embeddings);
        let embeddings = model.pp("embeddings");
        let layers = (0..config.num_hidden_layers)
            .map(|i| Layer::new(&config, model.pp("encoder.layers").pp(i)))
            .collect::<candle_core::Result<_>>()?;
        let projection = weights
            .contains_tensor("text_projection.weight")
            .then(|| linear_no_bias(width, config.projection_dim, weights.pp("text_projection")))
            .transpose()?;
        Ok(Self {
            tokens: embedding(config.vocab_size, width, embeddings.pp("token_embedding"))?,
            positions: embeddings.pp("position_embedding").get((places, width), "weight")?,
            mask: causal_mask(places, weights.device())?,
            layers,
            final_norm: layer_norm(width, config.layer_norm_eps, model.pp("final_layer_norm"))?,
            projection,
            device: weights.device().clone(),
            config,
        })
    }

    /// What the encoder was built from.
    pub fn config(&self) -> &ClipConfig {
        &self.config
    }

    /// Where the encoder computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether the pooled embedding is projected (SDXL's second encoder).
    pub fn has_projection(&self) -> bool {
        self.projection.is_some()
    }

    /// Encodes chunks of equal length, at most as many tokens each as the model has places.
    ///
    /// # Errors
    /// A candle error when the lengths differ or a token is not in the vocabulary.
    pub fn forward(&self, chunks: &[Vec<u32>]) -> candle_core::Result<ClipOutput> {
        self.forward_with(chunks, &[], &|_| true)
    }

    /// The same with vectors in the place of some tokens' embeddings, and with those hidden states alone that
    /// `keep` wants (by number, 0 before the first layer); the others are empty.
    ///
    /// `vectors` has for each chunk (or for none) places and vectors `[n, C]`, ascending and apart.
    ///
    /// # Errors
    /// Those of [`ClipTextEncoder::forward`], and when vectors have another width or do not fit.
    pub fn forward_with(
        &self,
        chunks: &[Vec<u32>],
        vectors: &[Vec<(usize, Tensor)>],
        keep: &dyn Fn(usize) -> bool,
    ) -> candle_core::Result<ClipOutput> {
        let length = chunks.first().map_or(0, Vec::len);
        let ids = Tensor::new(chunks.concat(), &self.device)?.reshape((chunks.len(), length))?;
        let positions = self.positions.narrow(0, 0, length)?;
        let mask = self.mask.narrow(0, 0, length)?.narrow(1, 0, length)?;
        let words = with_vectors(self.tokens.forward(&ids)?, vectors)?;
        let mut state = words.broadcast_add(&positions)?;
        let nothing = Tensor::zeros(0, state.dtype(), &self.device)?;
        let kept = |i: usize, state: &Tensor| if keep(i) { state.clone() } else { nothing.clone() };
        let mut hidden = vec![kept(0, &state)];
        for (i, layer) in self.layers.iter().enumerate() {
            state = layer.forward(&state, &mask)?;
            hidden.push(kept(i + 1, &state));
        }
        let last = self.normed(&state)?;
        let pooled = self.pooled(&last, chunks)?;
        let projected = self.projection.as_ref().map(|p| p.forward(&pooled)).transpose()?;
        Ok(ClipOutput { hidden, last, pooled, projected })
    }

    /// The final layer norm of a hidden state.
    ///
    /// # Errors
    /// A candle error when the width differs from the model's.
    pub fn normed(&self, hidden: &Tensor) -> candle_core::Result<Tensor> {
        self.final_norm.forward(hidden)
    }

    /// `last` at each chunk's end token.
    fn pooled(&self, last: &Tensor, chunks: &[Vec<u32>]) -> candle_core::Result<Tensor> {
        let rows = chunks
            .iter()
            .enumerate()
            .map(|(i, tokens)| last.get(i)?.get(end_of_text(tokens, self.config.eos_token_id)))
            .collect::<candle_core::Result<Vec<_>>>()?;
        Tensor::stack(&rows, 0)
    }
}

/// Embeddings `[n, places, C]` with vectors in the place of some.
fn with_vectors(words: Tensor, vectors: &[Vec<(usize, Tensor)>]) -> candle_core::Result<Tensor> {
    if vectors.iter().all(Vec::is_empty) {
        return Ok(words);
    }
    let chunk = |(i, vectors): (usize, &Vec<(usize, Tensor)>)| -> candle_core::Result<Tensor> {
        let words = words.get(i)?;
        let (mut pieces, mut done) = (Vec::new(), 0);
        for (at, vectors) in vectors {
            pieces.push(words.narrow(0, done, at - done)?);
            pieces.push(vectors.clone());
            done = at + vectors.dim(0)?;
        }
        pieces.push(words.narrow(0, done, words.dim(0)? - done)?);
        Tensor::cat(&pieces, 0)
    };
    Tensor::stack(&vectors.iter().enumerate().map(chunk).collect::<candle_core::Result<Vec<_>>>()?, 0)
}

/// Place of the end token. Configs of the first models say 2, which their vocabulary does not mean: then
/// it is the first largest id, as in transformers.
fn end_of_text(tokens: &[u32], eos: u32) -> usize {
    let wanted = if eos == 2 { tokens.iter().copied().max().unwrap_or(eos) } else { eos };
    tokens.iter().position(|token| *token == wanted).unwrap_or(0)
}

/// 0 where a token (row) may look at another (column), −∞ behind it.
fn causal_mask(places: usize, device: &Device) -> candle_core::Result<Tensor> {
    let values: Vec<f32> =
        (0..places * places).map(|i| if i % places > i / places { f32::NEG_INFINITY } else { 0.0 }).collect();
    Tensor::from_vec(values, (places, places), device)
}

#[derive(Clone, Debug)]
struct Layer {
    norm1: LayerNorm,
    attention: Attention,
    norm2: LayerNorm,
    widen: Linear,
    activation: Activation,
    narrow: Linear,
}

impl Layer {
    fn new(config: &ClipConfig, weights: VarBuilder) -> candle_core::Result<Self> {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        Ok(Self {
            norm1: layer_norm(width, config.layer_norm_eps, weights.pp("layer_norm1"))?,
            attention: Attention::new(width, config.num_attention_heads, weights.pp("self_attn"))?,
            norm2: layer_norm(width, config.layer_norm_eps, weights.pp("layer_norm2"))?,
            widen: linear(width, inner, weights.pp("mlp.fc1"))?,
            activation: config.hidden_act,
            narrow: linear(inner, width, weights.pp("mlp.fc2"))?,
        })
    }

    fn forward(&self, x: &Tensor, mask: &Tensor) -> candle_core::Result<Tensor> {
        let x = (x + self.attention.forward(&self.norm1.forward(x)?, mask)?)?;
        let inner = self.activation.forward(&self.widen.forward(&self.norm2.forward(&x)?)?)?;
        x + self.narrow.forward(&inner)?
    }
}

#[derive(Clone, Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    heads: usize,
}

impl Attention {
    fn new(width: usize, heads: usize, weights: VarBuilder) -> candle_core::Result<Self> {
        let projection = |name: &str| linear(width, width, weights.pp(name));
        Ok(Self {
            query: projection("q_proj")?,
            key: projection("k_proj")?,
            value: projection("v_proj")?,
            out: projection("out_proj")?,
            heads,
        })
    }

    fn forward(&self, x: &Tensor, mask: &Tensor) -> candle_core::Result<Tensor> {
        let (batch, length, width) = x.dims3()?;
        let head = width / self.heads;
        let split = |layer: &Linear| {
            layer.forward(x)?.reshape((batch, length, self.heads, head))?.transpose(1, 2)?.contiguous()
        };
        let scale = 1.0 / (head as f64).sqrt();
        let (query, key, value) = ((split(&self.query)? * scale)?, split(&self.key)?, split(&self.value)?);
        let scores = query.matmul(&key.t()?)?.broadcast_add(mask)?;
        let mixed = candle_nn::ops::softmax_last_dim(&scores)?.matmul(&value)?;
        self.out.forward(&mixed.transpose(1, 2)?.flatten_from(D::Minus2)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::model_error;

    #[test]
    fn the_end_is_the_first_end_token_or_for_2_the_first_largest() {
        assert_eq!(end_of_text(&[5, 1, 9, 9], 9), 2);
        assert_eq!(end_of_text(&[5, 1, 9, 0, 9], 2), 2);
        assert_eq!(end_of_text(&[5, 1, 2, 9], 2), 3);
        assert_eq!(end_of_text(&[5, 1], 9), 0);
    }

    #[test]
    fn later_tokens_do_not_change_earlier_embeddings() {
        let folder = ModelFolder::embedded("kinora-tiny").unwrap().join("text_encoder");
        let encoder = ClipTextEncoder::load(&folder, &Device::Cpu).unwrap();
        let rows = |tokens: Vec<u32>| -> Vec<Vec<f32>> {
            encoder.forward(&[tokens]).unwrap().last.get(0).unwrap().to_vec2().unwrap()
        };
        let (a, b) = (rows(vec![1132, 320, 5, 6]), rows(vec![1132, 320, 77, 1133]));
        assert_eq!(a[..2], b[..2]);
        assert_ne!(a[2], b[2]);
    }

    #[test]
    fn a_config_that_does_not_fit_names_the_weight_and_both_shapes() {
        let folder = ModelFolder::embedded("kinora-tiny").unwrap().join("text_encoder");
        let config = ClipConfig { vocab_size: 7, ..ClipConfig::load(&folder).unwrap() };
        let error = ClipTextEncoder::new(config, folder.weights(&Device::Cpu).unwrap()).unwrap_err();
        let error = model_error(&folder.label(), &error).to_string();
        assert!(error.contains("token_embedding") && error.contains("[7, 96]"), "{error}");
    }
}
