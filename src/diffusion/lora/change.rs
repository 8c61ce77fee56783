//! The numbers: what a module adds to a weight. Everything is computed in f32.

use candle_core::{D, Device, Result, Tensor};

use super::file::LoraFile;
use super::keys::Part;
use super::module::{Kind, Module};

/// One module's change of one weight, scaled by alpha and rank, without the strength of its use.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    pub file: &'a LoraFile,
    pub module: &'a Module,
    pub kind: Kind,
    /// alpha / rank, or 1 where there is none.
    pub scale: f64,
}

impl Change<'_> {
    /// `weight` (f32) with the change at `strength`: W + strength · ΔW.
    ///
    /// With a magnitude (DoRA, Liu et al. 2024, arXiv:2402.09353) ΔW is m · V/‖V‖ − W with V = W + scale · Δ. The
    /// norm is taken over the inputs of each output, or over the outputs of each input, see [`axis`]. The
    /// strength goes straight from W to the full change, as in ComfyUI and A1111 (PEFT and LyCORIS, which know no
    /// strength of a use, agree at 1).
    ///
    /// # Errors
    /// A candle error when a tensor cannot be read or is not finite.
    pub fn apply(&self, weight: &Tensor, strength: f64) -> Result<Tensor> {
        let magnitude = self.module.key(Part::DoraScale).or_else(|| self.module.key(Part::Magnitude));
        let Some(key) = magnitude else {
            let factor = self.scale * strength;
            if self.kind == Kind::Lora {
                // The factor on the small matrix: scaling the product would go once more through the whole weight.
                let (up, down) =
                    (self.get(Part::Up, weight.device())?, self.get(Part::Down, weight.device())?);
                let delta = (rows(&up)? * factor)?.matmul(&rows(&down)?)?;
                return (weight + fit(&delta, weight.dims())?)?.contiguous();
            }
            return (weight + (self.delta(weight)? * factor)?)?.contiguous();
        };
        let direction = (weight + (self.delta(weight)? * self.scale)?)?;
        let magnitude = self.file.tensor(key, weight.device())?;
        let per_output = self.module.key(Part::Magnitude).is_some() || axis(magnitude.dims(), weight.dims())?;
        let (outputs, inputs) = (weight.dims()[0], weight.dims().get(1).copied().unwrap_or(1));
        let rank = weight.dims().len();
        let side = |length: usize, at: usize| -> Vec<usize> {
            (0..rank).map(|i| if i == at { length } else { 1 }).collect()
        };
        // f32's epsilon, as LyCORIS and ComfyUI: a row of zeros must not become NaN.
        let squares = direction.sqr()?;
        let (norm, shape) = if per_output {
            (squares.reshape((outputs, ()))?.sum_keepdim(D::Minus1)?, side(outputs, 0))
        } else {
            let rows = squares.transpose(0, 1)?.contiguous()?.reshape((inputs, ()))?;
            (rows.sum_keepdim(D::Minus1)?, side(inputs, 1))
        };
        let norm = (norm.sqrt()? + f64::from(f32::EPSILON))?.reshape(shape.clone())?;
        let full = direction.broadcast_mul(&magnitude.reshape(shape)?.div(&norm)?)?;
        if strength == 1.0 {
            return full.contiguous();
        }
        (weight + ((full - weight)? * strength)?)?.contiguous()
    }

    /// `bias` with the change at `strength`.
    ///
    /// # Errors
    /// As [`Change::apply`].
    pub fn apply_bias(&self, bias: &Tensor, strength: f64) -> Result<Tensor> {
        let mut bias = bias.clone();
        for (part, scale) in [(Part::DiffBias, 1.0), (Part::NormBias, 1.0), (Part::UpBias, self.scale)] {
            if let Some(key) = self.module.key(part) {
                let delta = self.file.tensor(key, bias.device())?.reshape(bias.shape())?;
                bias = (bias + (delta * (scale * strength))?)?;
            }
        }
        Ok(bias)
    }

    /// Δ in the shape of `weight`.
    fn delta(&self, weight: &Tensor) -> Result<Tensor> {
        let get = |part| self.get(part, weight.device());
        let delta = match self.kind {
            Kind::Lora => rows(&get(Part::Up)?)?.matmul(&rows(&get(Part::Down)?)?)?,
            Kind::LoraTucker => {
                tucker(&get(Part::Mid)?, &rows(&get(Part::Up)?)?.t()?, &rows(&get(Part::Down)?)?)?
            }
            Kind::Hada => {
                let first = rows(&get(Part::HadaW1a)?)?.matmul(&rows(&get(Part::HadaW1b)?)?)?;
                first.mul(&rows(&get(Part::HadaW2a)?)?.matmul(&rows(&get(Part::HadaW2b)?)?)?)?
            }
            Kind::HadaTucker => {
                let half = |core, left, right| tucker(&get(core)?, &rows(&get(left)?)?, &rows(&get(right)?)?);
                let first = half(Part::HadaT1, Part::HadaW1a, Part::HadaW1b)?;
                first.mul(&half(Part::HadaT2, Part::HadaW2a, Part::HadaW2b)?)?
            }
            Kind::Kron => self.kron(weight.device())?,
            Kind::Full => get(Part::Diff)?,
            Kind::Norm => get(Part::NormWeight)?,
            Kind::Ia3 => return self.ia3(weight),
        };
        fit(&delta, weight.dims())
    }

    fn get(&self, part: Part, device: &Device) -> Result<Tensor> {
        match self.module.key(part) {
            Some(key) => self.file.tensor(key, device),
            None => candle_core::bail!("`{}`: expected a part {part:?}, there is none", self.module.path),
        }
    }

    fn kron(&self, device: &Device) -> Result<Tensor> {
        let get = |part| self.get(part, device);
        let has = |part| self.module.key(part).is_some();
        let first = match has(Part::LokrW1) {
            true => get(Part::LokrW1)?,
            false => rows(&get(Part::LokrW1a)?)?.matmul(&rows(&get(Part::LokrW1b)?)?)?,
        };
        let second = if has(Part::LokrW2) {
            get(Part::LokrW2)?
        } else if has(Part::LokrT2) {
            tucker(&get(Part::LokrT2)?, &rows(&get(Part::LokrW2a)?)?, &rows(&get(Part::LokrW2b)?)?)?
        } else {
            rows(&get(Part::LokrW2a)?)?.matmul(&rows(&get(Part::LokrW2b)?)?)?
        };
        // [a, b] ⊗ [c, d·window] = [a·c, b·d·window]: a window stays behind the inputs it belongs to.
        let (first, second) = (rows(&first)?, rows(&second)?);
        let ((a, b), (c, d)) = (first.dims2()?, second.dims2()?);
        first.reshape((a, 1, b, 1))?.broadcast_mul(&second.reshape((1, c, 1, d))?)?.reshape((a * c, b * d))
    }

    /// W · w: of each output, or of each input where `on_input` says so.
    fn ia3(&self, weight: &Tensor) -> Result<Tensor> {
        let factors = self.get(Part::Ia3, weight.device())?.flatten_all()?;
        let on_input = self.get(Part::OnInput, weight.device())?.flatten_all()?.sum_all()?;
        let at = usize::from(on_input.to_scalar::<f32>()? != 0.0);
        let dims = weight.dims();
        if dims.get(at) != Some(&factors.elem_count()) {
            candle_core::bail!(
                "`{}`: expected {:?} factors, found {}",
                self.module.path,
                dims.get(at),
                factors.elem_count()
            );
        }
        let shape: Vec<usize> = (0..dims.len()).map(|i| if i == at { dims[at] } else { 1 }).collect();
        weight.broadcast_mul(&factors.reshape(shape)?)
    }
}

/// Whether a `dora_scale` scales each output. LyCORIS wrote it as `[1, inputs, …]` first and as `[outputs, 1, …]`
/// (`wd_on_output`) later; one number a row without other sides is per output, as in the paper's reference.
///
/// # Errors
/// When it has neither's length.
pub(super) fn axis(magnitude: &[usize], weight: &[usize]) -> Result<bool> {
    let count: usize = magnitude.iter().product();
    let outputs = weight.first().copied().unwrap_or(0);
    let inputs = weight.get(1).copied().unwrap_or(0);
    if magnitude.first() == Some(&outputs) && count == outputs {
        Ok(true)
    } else if magnitude.len() > 1 && magnitude[1] == inputs && count == inputs {
        Ok(false)
    } else {
        candle_core::bail!(
            "dora_scale: expected {outputs} outputs or [1, {inputs}] inputs, found shape {magnitude:?}"
        )
    }
}

/// A tensor as a matrix: its first side, and all others.
fn rows(x: &Tensor) -> Result<Tensor> {
    if x.dims().len() == 2 { Ok(x.clone()) } else { x.flatten_from(1) }
}

/// Σ core[a, b, w] · left[a, o] · right[b, i] as `[o, i·w]`: a Tucker decomposition with window w.
fn tucker(core: &Tensor, left: &Tensor, right: &Tensor) -> Result<Tensor> {
    let (a, b) = (core.dims()[0], core.dims()[1]);
    let core = core.reshape((a, b, ()))?;
    let (outputs, inputs, window) = (left.dims()[1], right.dims()[1], core.dims()[2]);
    // [o, a] · [a, b·w] = [o, b, w], then [o·w, b] · [b, i] = [o, w, i].
    let outer = left.t()?.contiguous()?.matmul(&core.reshape((a, b * window))?)?;
    let outer = outer.reshape((outputs, b, window))?.transpose(1, 2)?.contiguous()?;
    let full = outer.reshape((outputs * window, b))?.matmul(&right.contiguous()?)?;
    full.reshape((outputs, window, inputs))?
        .transpose(1, 2)?
        .contiguous()?
        .reshape((outputs, inputs * window))
}

/// The change in the shape of the weight. That of a first convolution with fewer inputs than the model's (a LoRA
/// of the base model at work in one for inpainting) leaves the others alone, as in A1111.
fn fit(delta: &Tensor, dims: &[usize]) -> Result<Tensor> {
    let count: usize = dims.iter().product();
    let &[outputs, inputs, height, width] = dims else { return delta.reshape(dims) };
    if delta.elem_count() == count {
        return delta.reshape(dims);
    }
    let own = delta.elem_count() / (outputs * height * width).max(1);
    let delta = delta.reshape((outputs, own, height, width))?;
    delta.pad_with_zeros(1, 0, inputs.saturating_sub(own))
}
