//! What a UNet is told beside the picture: the timestep, and SDXL's added vector.

use candle_core::{Device, Result, Tensor};
use candle_nn::VarBuilder;

use super::config::UNetConfig;
use crate::diffusion::nn::{TimestepEmbedding, sinusoid};
use crate::kernels::silu;

/// SDXL's added condition.
#[derive(Clone, Debug)]
pub struct AddedCond {
    /// The pooled text embedding of the second text encoder, `[B, P]`.
    pub text_embeds: Tensor,
    /// Original height and width, crop top and left, target height and width, in pixels: `[B, 6]`.
    pub time_ids: Tensor,
}

/// Makes the embedding that every residual block of a network adds.
#[derive(Clone, Debug)]
pub struct Conditioner {
    channels: usize,
    cosine_first: bool,
    shift: f64,
    time_embedding: TimestepEmbedding,
    added: Option<(usize, TimestepEmbedding)>,
}

impl Conditioner {
    /// From `time_embedding` and, for SDXL, `add_embedding`.
    ///
    /// # Errors
    /// When a weight is missing or has another shape.
    pub fn new(config: &UNetConfig, vb: &VarBuilder) -> Result<Self> {
        let channels = config.block_out_channels[0];
        let width = config.time_width();
        let added = config.addition_time_embed_dim.zip(config.projection_class_embeddings_input_dim);
        let added = added.filter(|_| config.addition_embed_type.is_some());
        let embed = |(each, all)| -> Result<_> {
            Ok((each, TimestepEmbedding::new(all, width, vb.pp("add_embedding"))?))
        };
        Ok(Self {
            channels,
            cosine_first: config.flip_sin_to_cos,
            shift: config.freq_shift,
            time_embedding: TimestepEmbedding::new(channels, width, vb.pp("time_embedding"))?,
            added: added.map(embed).transpose()?,
        })
    }

    /// The embedding, through SiLU: `[timestep.len(), W]`, or `[B, W]` with an added condition.
    ///
    /// # Errors
    /// When the network wants an added condition and there is none, or its width is another.
    pub fn forward(&self, timestep: &[f64], added: Option<&AddedCond>, device: &Device) -> Result<Tensor> {
        let sines = sinusoid(timestep, self.channels, self.cosine_first, self.shift, device)?;
        let mut embedding = self.time_embedding.forward(&sines)?;
        if let Some((_, projection)) = &self.added {
            let vector = self.added_vector(added)?;
            embedding = projection.forward(&vector)?.broadcast_add(&embedding)?;
        }
        silu(&embedding)
    }

    /// SDXL's vector, `[B, P + 6·D]`: the pooled text, then a sinusoid of width D for every number.
    ///
    /// # Errors
    /// When there is no added condition, or this network takes none.
    pub fn added_vector(&self, added: Option<&AddedCond>) -> Result<Tensor> {
        let (Some((width, _)), Some(added)) = (&self.added, added) else {
            let network = if self.added.is_some() { "wants" } else { "takes no" };
            candle_core::bail!("added condition: this network {network} pooled text and time ids");
        };
        let (batch, _) = added.time_ids.dims2()?;
        let ids: Vec<f32> = added.time_ids.flatten_all()?.to_vec1()?;
        let ids: Vec<f64> = ids.into_iter().map(f64::from).collect();
        let sines = sinusoid(&ids, *width, self.cosine_first, self.shift, added.time_ids.device())?;
        Tensor::cat(&[&added.text_embeds, &sines.reshape((batch, ()))?], 1)
    }
}
