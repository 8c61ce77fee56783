//! Inpainting: the pixels and latents around a run with a mask, by sd-webui's rules (1.10,
//! `StableDiffusionProcessingImg2Img.init`).

mod distance;
mod fill;
mod grey;
mod region;

use candle_core::{Device, Tensor};

pub(super) use self::distance::distances;
use self::grey::Grey;
use self::region::Region;
use super::job::{MaskFill, PaintJob, PaintMask};
use super::picture::tensor_from_canvas;
use crate::canvas::{Canvas, Size};

/// A job's mask and picture, made ready.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    /// The picture that the run goes out from, in the size of the job.
    pub init: Canvas,
    /// The mask in that size.
    mask: Grey,
    mask_of: PaintMask<'a>,
    original: &'a Canvas,
    /// How much of the painted picture is seen, in the size of the original.
    seen: Grey,
    region: Option<Region>,
}

impl<'a> Prepared<'a> {
    /// Makes mask and picture ready; `None` when nothing is to be repainted.
    pub fn new(job: &PaintJob<'a>, mask: PaintMask<'a>, original: &'a Canvas) -> Option<Self> {
        let blurred = Grey::of(&mask.mask.resized(original.size())).blurred(mask.blur);
        if blurred.values.iter().all(|v| *v == 0) {
            return None;
        }
        let region = match mask.region {
            Some(padding) => Some(Region::around(&blurred, padding, job.size)?),
            None => None,
        };
        let (init, ready, seen) = match region {
            Some(region) => {
                let part = region::fitted(&region.of(&blurred.to_canvas()), job.size);
                (region::fitted(&region.of(original), job.size), Grey::channel(&part), blurred)
            }
            None => {
                // Twice as opaque: what the mask covers half way or more is the painted picture alone.
                let doubled = blurred.values.iter().map(|v| v.saturating_mul(2)).collect();
                let seen = Grey { values: doubled, ..blurred.clone() };
                (original.clone(), blurred, seen)
            }
        };
        let init = if mask.fill == MaskFill::Original { init } else { fill::fill(&init, &ready) };
        Some(Self { init, mask: ready, mask_of: mask, original, seen, region })
    }

    /// What of the latent of `unit` pixels a side is kept: `[1, 1, h, w]`, 0 repaint to 1 keep.
    pub fn keep(&self, unit: usize, device: &Device) -> candle_core::Result<Tensor> {
        let size = Size::new(self.mask.size.width / unit, self.mask.size.height / unit);
        let small = self.mask.resized(size);
        let kept = |v: &u8| {
            let repaint = f32::from(*v) / 255.0;
            1.0 - if self.mask_of.soft { repaint } else { repaint.round_ties_even() }
        };
        let values: Vec<f32> = small.values.iter().map(kept).collect();
        Tensor::from_vec(values, (1, 1, size.height, size.width), device)
    }

    /// The latent of the first picture with the masked content that was asked for. `noise` is the start noise of
    /// the job's seed.
    pub fn content(&self, init: Tensor, keep: &Tensor, noise: &Tensor) -> candle_core::Result<Tensor> {
        match self.mask_of.fill {
            MaskFill::Original | MaskFill::Fill => Ok(init),
            MaskFill::LatentNoise => {
                init.broadcast_mul(keep)? + noise.broadcast_mul(&keep.affine(-1.0, 1.0)?)?
            }
            MaskFill::LatentNothing => init.broadcast_mul(keep),
        }
    }

    /// What a model for inpainting is shown of the picture: `[1, 3, H, W]`, grey where it is repainted; and the
    /// mask `[1, 1, H, W]`, 1 repaint.
    pub fn shown(&self, device: &Device) -> candle_core::Result<(Tensor, Tensor)> {
        let Size { width, height } = self.mask.size;
        let share = |v: &u8| {
            let repaint = f32::from(*v) / 255.0;
            if self.mask_of.soft { repaint } else { repaint.round_ties_even() }
        };
        let values: Vec<f32> = self.mask.values.iter().map(share).collect();
        let mask = Tensor::from_vec(values, (1, 1, height, width), device)?;
        let picture = tensor_from_canvas(&self.init, device)?.broadcast_mul(&mask.affine(-1.0, 1.0)?)?;
        Ok((picture, mask))
    }

    /// The part of a control's picture that belongs to what is painted.
    pub fn hint(&self, hint: &Canvas, size: Size) -> Canvas {
        match &self.region {
            Some(region) => region::fitted(&region.of(&hint.resized(self.original.size())), size),
            None => hint.resized(size),
        }
    }

    /// The painted picture at its place, under what the mask leaves of the original.
    pub fn finish(&self, painted: Canvas) -> Canvas {
        let mut whole = match &self.region {
            None => painted,
            Some(region) => {
                let mut whole = self.original.clone();
                region.put(&region::covering(&painted, region.size), &mut whole);
                whole
            }
        };
        let pairs = whole.as_rgb8_mut().chunks_exact_mut(3).zip(self.original.as_rgb8().chunks_exact(3));
        for ((painted, original), seen) in pairs.zip(&self.seen.values) {
            for (painted, original) in painted.iter_mut().zip(original) {
                let seen = u32::from(*seen);
                let sum = u32::from(*painted) * seen + u32::from(*original) * (255 - seen);
                *painted = ((sum + 127) / 255) as u8;
            }
        }
        whole
    }
}

/// Every `unit`-th value of `[1, 1, H, W]` in both directions: torch's nearest neighbours.
pub(super) fn thinned(mask: &Tensor, unit: usize) -> candle_core::Result<Tensor> {
    let (_, _, height, width) = mask.dims4()?;
    mask.reshape((1, 1, height / unit, unit, width / unit, unit))?
        .narrow(3, 0, 1)?
        .narrow(5, 0, 1)?
        .reshape((1, 1, height / unit, width / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_takes_the_first_of_each_square() {
        let mask = Tensor::arange(0f32, 24.0, &Device::Cpu).unwrap().reshape((1, 1, 4, 6)).unwrap();
        let thin: Vec<f32> = thinned(&mask, 2).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(thin, [0.0, 2.0, 4.0, 12.0, 14.0, 16.0]);
    }
}
