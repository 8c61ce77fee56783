//! The diffusion model's settings.

/// The diffusion model's settings for a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingParams {
    /// Model folder; `None` is the embedded model.
    pub model: Option<String>,
    /// Autoencoder in place of the model's own.
    pub vae: Option<String>,
    /// Sampler's name as the language writes it (`euler_a`, `dpmpp_2m`); `None` is what suits the model.
    pub sampler: Option<String>,
    /// Spacing of the noise levels (`karras`, `uniform`); `None` is what suits the model.
    pub spacing: Option<String>,
    /// Steps from pure noise, of which img2img runs its share; `None` is what suits the model.
    pub steps: Option<u32>,
    /// Classifier-free guidance scale; `None` is what suits the model.
    pub guidance: Option<f64>,
    /// Share of the picture underneath that is kept, 0 to 1 (denoise = 1 - strength). At a cut with an
    /// init picture this is `init_strength`.
    pub strength: f64,
    /// Seed of this frame's noise.
    pub seed: i64,
    /// Seed of a second noise, of which `subseed_strength` is mixed in.
    pub subseed: i64,
    /// Share of the way from the noise of `seed` to that of `subseed`, 0 to 1, along the arc between them; 0 is
    /// the noise of `seed` alone.
    pub subseed_strength: f64,
    /// Whether the frame is on its way from one seed to the next (a fractional `seed`): then every draw of noise
    /// is mixed, so that arriving at the next seed is no jump. Else, as in the web UI, only the start noise is.
    pub seed_walk: bool,
    /// Whose noise a seed stands for.
    pub rng: Rng,
    /// Share of fresh noise of samplers that add some; `None` is what each of them takes.
    pub eta: Option<f64>,
    /// The same of DDIM.
    pub ddim_eta: Option<f64>,
    /// Multiplier of all fresh noise, 1 by theory.
    pub s_noise: f64,
    /// Added to the seed of the fresh noise.
    pub eta_noise_seed_delta: u32,
    /// Layers of the text encoder left out, counted as the web UI does: 1 is none.
    pub clip_skip: u32,
}

/// Generators of random numbers that pictures are known by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rng {
    /// PyTorch's on the CPU.
    #[default]
    Cpu,
    /// CUDA's, as Nvidia cards draw.
    Nv,
}
