//! Paints one picture.

use std::ops::ControlFlow;

use candle_core::{DType, Tensor};

use super::guard::{Flaw, Precision, guarded};
use super::inpaint::{Prepared, thinned};
use super::picture::{canvas_from_tensor, tensor_from_canvas};
use super::prompts::Asked;
use super::rebuild::{Parted, Rebuild, Tail};
use super::{Engine, PaintJob, PaintMask};
use crate::canvas::{Canvas, Plane};
use crate::diffusion::conditions::Conditions;
use crate::diffusion::guidance::{GuidedDenoiser, Inpaint};
use crate::diffusion::img2img::continuous_tail;
use crate::diffusion::sampler::{BrownianNoise, NoiseSource, Run, SamplerSettings, SeededNoise, Step, mix};
use crate::error::{Error, Result};
use crate::models::model_error;
use crate::noise::stream_seed;

/// What the stream of random numbers is for that latent noise is drawn from; the job's seed is the frame's.
const LATENT_NOISE: &str = "latent noise";

/// What a run goes over.
struct Over<'a> {
    masked: Option<&'a Prepared<'a>>,
    rebuild: Option<&'a Rebuild>,
    tail: &'a Tail<'a>,
}

/// A mask that leaves free what is uncovered.
fn lightened(mask: &Canvas, uncovered: &Plane) -> Canvas {
    let mut mask = mask.resized(uncovered.size());
    let pixels = mask.as_rgb8_mut().as_chunks_mut::<3>().0.iter_mut();
    pixels.zip(uncovered.values()).filter(|(_, v)| **v > 0.5).for_each(|(pixel, _)| *pixel = [255; 3]);
    mask
}

impl Engine {
    /// Paints the picture that `job` asks for, or gives `None` when `watch` said stop.
    ///
    /// `watch` is called once a step with the step (from 0) and the number of steps; it returns whether to
    /// go on. The same job gives the same bytes on the same machine.
    ///
    /// # Errors
    /// [`Error::Usage`] when the job contradicts itself or the model; [`Error::Model`] when the model fails
    /// or its picture is broken: NaN, black or of one colour where nothing was, or the picture that was to be
    /// painted over. Where networks compute in half precision it is made once more in single precision before.
    pub fn paint(
        &mut self,
        job: &PaintJob,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        self.check(job)?;
        self.apply_loras(&job.loras)?;
        let denoise = if job.init.is_some() { job.denoise } else { 1.0 };
        let spacing = job.spacing.for_family(self.is_xl);
        let rebuild = Rebuild::of(job)?;
        let tail =
            |denoise| continuous_tail(job.sampler, spacing, job.steps as usize, denoise, &self.schedule);
        let legs = rebuild.as_ref().map_or_else(|| vec![tail(denoise)], |rebuild| rebuild.legs(&tail));
        let denoise = rebuild.as_ref().map_or(denoise, Rebuild::denoise);
        if let (Some(init), true) = (job.init, legs[0].is_empty()) {
            return Ok(Some(init.clone()));
        }
        // What is new is new even where the mask would keep it: nothing is there to be kept.
        let lightened = job.mask.zip(job.fill).map(|(mask, fill)| lightened(mask.mask, fill.uncovered));
        let mask = job.mask.map(|mask| PaintMask { mask: lightened.as_ref().unwrap_or(mask.mask), ..mask });
        let masked = match (mask, job.init) {
            (Some(mask), Some(init)) => match Prepared::new(job, mask, init) {
                None => return Ok(Some(init.clone())),
                masked => masked,
            },
            _ => None,
        };
        let asked = Asked {
            prompt: &job.prompt,
            negative: &job.negative,
            clip_skip: job.clip_skip,
            guidance: job.guidance,
            size: job.size,
            calls: job.sampler.planned_calls(job.steps),
        };
        let conditions = self.prompts.conditions(&asked, &self.device)?;
        let run = Over { masked: masked.as_ref(), rebuild: rebuild.as_ref(), tail: &tail };
        // Every device computes in f32 today, see `Precision`.
        let made = guarded(Precision::Single, |_| {
            let latent = self.sample(job, &run, conditions.clone(), &legs, watch)?;
            self.develop(&latent, masked.as_ref().map(|masked| &masked.init).or(job.init), denoise)
        });
        match made {
            Ok(Ok(canvas)) => {
                let canvas = match &masked {
                    Some(masked) => masked.finish(canvas),
                    None => canvas,
                };
                Ok(Some(match (&rebuild, job.init) {
                    (Some(rebuild), Some(init)) => rebuild.finish(canvas, init),
                    _ => canvas,
                }))
            }
            Ok(Err(flaw)) => Err(self.flawed(flaw, job)),
            Err(Error::Interrupted) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// The picture as the model's latent `[1, C, h, w]`, in the UNet's scale.
    pub(super) fn encode(&self, canvas: &Canvas) -> Result<Tensor> {
        tensor_from_canvas(canvas, &self.device)
            .and_then(|x| self.vae.encode(&x))
            .map_err(|e| self.broken(&e))
    }

    /// Runs the sampler from noise, on top of the first picture where there is one, down each of the `legs`.
    fn sample(
        &self,
        job: &PaintJob,
        ground: &Over<'_>,
        conditions: Conditions,
        legs: &[Vec<f64>],
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Tensor> {
        let masked = ground.masked;
        let (mut start, mut noise) = self.noise(job, job.seed)?;
        if let Some(rebuild) = ground.rebuild.filter(|rebuild| rebuild.seed != job.seed) {
            let (other, new) = self.noise(job, rebuild.seed)?;
            let is_new = rebuild.reseeded(self.size_unit(), &self.device).map_err(|e| self.broken(&e))?;
            let parted = Parted { known: noise, new, is_new };
            start = parted.joined(&start, &other)?;
            noise = Box::new(parted);
        }
        let steps = legs.iter().map(|sigmas| sigmas.len() - 1).sum();
        let (controls, lllites) = self.units(job, masked)?;
        let mut model = GuidedDenoiser::new(self.unet()?, &self.schedule, conditions, steps, &self.place)
            .with_controls(controls)
            .with_lllites(lllites)
            .with_references(self.references(job)?);
        let over = if job.init.is_some() { job.noise_multiplier } else { 1.0 };
        let mut x = mix([(legs[0][0] * over, &start)])?;
        if let Some(init) = masked.map(|masked| &masked.init).or(job.init) {
            let mut latent = self.roughened(job, self.encode(init)?)?;
            if let Some(masked) = masked {
                let blend = self.blend(job, masked, latent)?;
                latent = blend.1.clone();
                model = model.with_inpaint(Inpaint::Blend { keep: blend.0, init: blend.1 });
            }
            if let Some(rebuild) = ground.rebuild {
                let starts = rebuild.starts(self.size_unit(), ground.tail, &self.device);
                let starts = starts.map_err(|e| self.broken(&e))?;
                model = model.with_inpaint(Inpaint::Levels { starts, init: latent.clone() });
            }
            x = mix([(1.0, &latent), (1.0, &x)])?;
        }
        if self.inpaints {
            model = model.with_inpaint(Inpaint::Channels(self.inpainting_channels(job, ground)?));
        }
        let settings = SamplerSettings { eta: job.eta, s_noise: job.s_noise, ..SamplerSettings::default() };
        let mut done = 0;
        for sigmas in legs {
            model.go_on_from(done);
            let mut each = |step: &Step| match watch(done + step.index, steps.max(done + step.of)) {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            };
            let mut run = Run { model: &mut model as _, noise: noise.as_mut(), watch: &mut each };
            x = job.sampler.sample_with(settings, &mut run, x, sigmas, &self.schedule)?;
            done += sigmas.len() - 1;
        }
        model.keep(x, 0.0)
    }

    /// The noise that a run begins with, and that which its sampler draws on the way.
    fn noise(&self, job: &PaintJob, seed: u64) -> Result<(Tensor, Box<dyn NoiseSource>)> {
        let shape = self.latent_shape(job);
        let mut noise = SeededNoise::of(job.noise, seed, shape, &self.device)
            .varied(job.variation)
            .with_seed_delta(job.ensd);
        let start = noise.draw()?;
        if !job.sampler.draws_brownian_noise() {
            return Ok((start, Box::new(noise)));
        }
        let spacing = job.spacing.for_family(self.is_xl);
        let levels = job.sampler.sigmas(job.steps as usize, spacing, &self.schedule);
        let brownian = BrownianNoise::new(job.noise, seed, &levels, shape, &self.device);
        Ok((start, Box::new(brownian.varied(job.noise, &levels, job.variation))))
    }

    /// The latent of the first picture with the noise that is added to it.
    fn roughened(&self, job: &PaintJob, latent: Tensor) -> Result<Tensor> {
        if job.latent_noise == 0.0 {
            return Ok(latent);
        }
        let seed = stream_seed(job.seed, 0, LATENT_NOISE);
        let noise = SeededNoise::of(job.noise, seed, self.latent_shape(job), &self.device).draw()?;
        mix([(1.0, &latent), (job.latent_noise, &noise)])
    }

    /// Shape of the latent of a job.
    fn latent_shape(&self, job: &PaintJob) -> (usize, usize, usize, usize) {
        let unit = self.size_unit();
        (1, self.vae.latent_channels(), job.size.height / unit, job.size.width / unit)
    }

    /// What a mask keeps of the latent, and the latent that it is kept of.
    fn blend(&self, job: &PaintJob, masked: &Prepared, init: Tensor) -> Result<(Tensor, Tensor)> {
        let keep = masked.keep(self.size_unit(), &self.device).map_err(|e| self.broken(&e))?;
        // The web UI takes the noise of the seed without its variation.
        let noise = SeededNoise::of(job.noise, job.seed, self.latent_shape(job), &self.device).draw()?;
        let init = masked.content(init, &keep, &noise).map_err(|e| self.broken(&e))?;
        Ok((keep, init))
    }

    /// What a UNet for inpainting sees behind the latent: mask and masked picture, at full strength
    /// («inpainting conditioning mask strength» 1). Without a mask all is masked, and the picture is grey.
    fn inpainting_channels(&self, job: &PaintJob, over: &Over<'_>) -> Result<Tensor> {
        let filled = || over.rebuild?.shown(job.init?, self.size_unit(), &self.device);
        let channels = || {
            let shown = match over.masked {
                Some(masked) => Some(masked.shown(&self.device)),
                None => filled(),
            };
            let (picture, mask) = match shown {
                Some(shown) => shown?,
                None => {
                    let (height, width) = (job.size.height, job.size.width);
                    let zeros =
                        |channels| Tensor::zeros((1, channels, height, width), DType::F32, &self.device);
                    (zeros(3)?, zeros(1)?.affine(1.0, 1.0)?)
                }
            };
            Tensor::cat(&[&thinned(&mask, self.size_unit())?, &self.vae.encode(&picture)?], 1)
        };
        channels().map_err(|e: candle_core::Error| self.broken(&e))
    }

    /// The latent as a picture, or what is wrong with it.
    fn develop(
        &self,
        latent: &Tensor,
        init: Option<&Canvas>,
        denoise: f64,
    ) -> Result<std::result::Result<Canvas, Flaw>> {
        if !is_finite(latent).map_err(|e| self.broken(&e))? {
            return Ok(Err(Flaw::Latent));
        }
        let picture = self.vae.decode(latent).map_err(|e| self.broken(&e))?;
        if !is_finite(&picture).map_err(|e| self.broken(&e))? {
            return Ok(Err(Flaw::Decoded));
        }
        let canvas = canvas_from_tensor(&picture).map_err(|e| self.broken(&e))?;
        Ok(Flaw::of(&canvas, init, denoise).map_or(Ok(canvas), Err))
    }

    /// The error of a broken picture.
    fn flawed(&self, flaw: Flaw, job: &PaintJob) -> Error {
        let text = job.prompt.parts.iter().max_by(|a, b| a.1.total_cmp(&b.1)).map_or("", |part| part.0);
        let short: String = text.chars().take(40).collect();
        let more = if short.len() < text.len() { "…" } else { "" };
        let message = format!(
            "expected a picture, the model gave {} (seed {}, prompt `{short}{more}`)",
            flaw.describe(),
            job.seed
        );
        Error::model(&self.place, message).with_hint(flaw.hint())
    }

    /// Refuses what cannot be painted before anything is computed.
    fn check(&self, job: &PaintJob) -> Result<()> {
        let (size, unit) = (job.size, self.size_unit());
        if size.area() == 0 || !size.width.is_multiple_of(unit) || !size.height.is_multiple_of(unit) {
            let fit = |side: usize| (side + unit / 2) / unit * unit;
            let (width, height) = (fit(size.width).max(unit), fit(size.height).max(unit));
            let message = format!("size: expected multiples of {unit} for this model, found {size}");
            return Err(usage(message, &format!("take {width}x{height}")));
        }
        let any_size = job.mask.is_some_and(|mask| mask.region.is_some());
        if let Some(init) = job.init.filter(|init| init.size() != size && !any_size) {
            let message = format!("first picture: expected {size}, found {}", init.size());
            return Err(usage(message, "bring it to the size of the film"));
        }
        if job.steps == 0 {
            return Err(usage("steps: expected at least 1, found 0".to_owned(), "20 is usual"));
        }
        if !(0.0..=1.0).contains(&job.denoise) {
            return Err(usage(format!("denoise: expected 0 to 1, found {}", job.denoise), "0.5 is usual"));
        }
        self.check_noise(job)?;
        check_mask(job)?;
        for (what, mix) in [("prompt", &job.prompt), ("negative prompt", &job.negative)] {
            let sum = mix.parts.iter().fold(0.0, |sum, part| sum + part.1);
            // Weights are computed: (1 - w) + w is 1 to the last bits.
            if (sum - 1.0).abs() > 1e-6 || sum.is_nan() {
                let message = format!("weights of the {what}: expected a sum of 1, found {sum}");
                return Err(usage(message, "divide them by their sum"));
            }
        }
        if let Some(lora) = job.loras.iter().find(|lora| !(lora.unet.is_finite() && lora.text.is_finite())) {
            let message = format!("strength of the LoRA {}: expected a number", lora.file.display());
            return Err(usage(message, "0.8 is usual"));
        }
        if !job.guidance.is_finite() {
            let message = format!("guidance: expected a number, found {}", job.guidance);
            return Err(usage(message, "7 is usual"));
        }
        Ok(())
    }

    /// Refuses impossible settings of the noise.
    fn check_noise(&self, job: &PaintJob) -> Result<()> {
        let not_negative = |what: &str, value: f64| {
            let fine = value.is_finite() && value >= 0.0;
            let refuse = || usage(format!("{what}: expected 0 or more, found {value}"), "1 is usual");
            if fine { Ok(()) } else { Err(refuse()) }
        };
        not_negative("eta", job.eta.unwrap_or(1.0))?;
        not_negative("noise multiplier", job.noise_multiplier)?;
        not_negative("latent noise", job.latent_noise)?;
        not_negative("s_noise", job.s_noise)
    }

    pub(super) fn broken(&self, error: &candle_core::Error) -> Error {
        model_error(&self.place, error)
    }
}

/// Refuses masks that cannot be painted by.
fn check_mask(job: &PaintJob) -> Result<()> {
    let Some(mask) = &job.mask else { return Ok(()) };
    let empty = |canvas: &Canvas| canvas.size().area() == 0;
    if job.init.is_none_or(empty) {
        let hint = "give the picture whose parts are kept, or leave the mask out";
        return Err(usage("mask: expected a picture under it, found none".to_owned(), hint));
    }
    if empty(mask.mask) {
        return Err(usage("mask: expected a picture, found one without pixels".to_owned(), "leave it out"));
    }
    if !(mask.blur.is_finite() && mask.blur >= 0.0) {
        let message = format!("mask blur: expected 0 or more pixels, found {}", mask.blur);
        return Err(usage(message, "4 is usual"));
    }
    Ok(())
}

pub(super) fn usage(message: String, hint: &str) -> Error {
    Error::Usage { message, hint: Some(hint.to_owned()) }
}

/// Whether all values are finite.
fn is_finite(x: &Tensor) -> candle_core::Result<bool> {
    Ok(x.flatten_all()?.to_vec1::<f32>()?.iter().all(|v| v.is_finite()))
}
