//! Colour, sharpness and noise of a moved picture.

/// Colour, contrast and sharpness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColourParams {
    /// What colours are held to.
    pub coherence: Coherence,
    /// Multiplier of the warped picture's values, 1 changes nothing.
    pub contrast: f64,
    /// Unsharp mask.
    pub sharpen: SharpenParams,
}

/// How colours are matched to the anchor picture: the space of the histograms, or another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "standard names")]
pub enum Coherence {
    None,
    Rgb,
    Hsv,
    Lab,
    /// No histograms: Monge-Kantorovich linear transport, which keeps gradients smooth.
    Mkl,
}

/// Unsharp mask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SharpenParams {
    /// Share of the difference to the blurred picture that is added, 0 is off.
    pub amount: f64,
    /// Pixels, odd.
    pub kernel: u32,
    /// Pixels; 0 derives it from the kernel as OpenCV does.
    pub sigma: f64,
    /// Grey levels below which a difference is left alone.
    pub threshold: f64,
}

/// Noise added before the picture is painted over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseParams {
    /// Share of noise mixed in, 0 to 1; of latent noise what is added, 1 is as much as a picture's own latent.
    pub amount: f64,
    /// Which noise.
    pub kind: NoiseKind,
}

/// Kinds of noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoiseKind {
    /// Independent normal values, added to the latent that painting begins with: the model's own kind of noise.
    Latent,
    /// Independent normal values.
    Uniform,
    /// Normal values shaped by Perlin noise.
    Perlin {
        /// Cells along the rows.
        width: u32,
        /// Cells along the columns.
        height: u32,
        /// Layers, each twice as fine as the one before.
        octaves: u32,
        /// Weight of each layer relative to the one before.
        persistence: f64,
    },
}
