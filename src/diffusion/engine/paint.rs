//! Paints one picture.

use std::ops::ControlFlow;

use candle_core::Tensor;

use super::picture::{canvas_from_tensor, hint_from_canvas, tensor_from_canvas};
use super::prompts::Asked;
use super::{ControlSource, Engine, PaintControl, PaintJob};
use crate::canvas::Canvas;
use crate::diffusion::conditions::Conditions;
use crate::diffusion::controlnet::ControlNet;
use crate::diffusion::guidance::{ControlUnit, GuidedDenoiser};
use crate::diffusion::img2img::continuous_tail;
use crate::diffusion::sampler::{Run, SeededNoise, mix};
use crate::error::{Error, Result};
use crate::models::model_error;

impl Engine {
    /// Paints the picture that `job` asks for, or gives `None` when `watch` said stop.
    ///
    /// `watch` is called once a step with the step (from 0) and the number of steps; it returns whether to
    /// go on. The same job gives the same bytes on the same machine.
    ///
    /// # Errors
    /// [`Error::Usage`] when the job contradicts itself or the model; [`Error::Model`] when the model fails
    /// or its picture is broken (NaN, or black throughout where nothing was black).
    pub fn paint(
        &mut self,
        job: &PaintJob,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        self.check(job)?;
        self.apply_loras(&job.loras)?;
        let denoise = if job.init.is_some() { job.denoise } else { 1.0 };
        let sigmas = continuous_tail(job.sampler, job.spacing, job.steps as usize, denoise, &self.schedule);
        if let (Some(init), true) = (job.init, sigmas.is_empty()) {
            return Ok(Some(init.clone()));
        }
        let asked = Asked {
            prompt: &job.prompt,
            negative: &job.negative,
            clip_skip: job.clip_skip,
            guidance: job.guidance,
            size: job.size,
            calls: job.sampler.planned_calls(job.steps),
        };
        let conditions = self.prompts.conditions(&asked, &self.device)?;
        match self.sample(job, conditions, &sigmas, watch) {
            Ok(latent) => self.develop(&latent, job).map(Some),
            Err(Error::Interrupted) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// The picture as the model's latent `[1, C, h, w]`, in the UNet's scale.
    fn encode(&self, canvas: &Canvas) -> Result<Tensor> {
        tensor_from_canvas(canvas, &self.device)
            .and_then(|x| self.vae.encode(&x))
            .map_err(|e| self.broken(&e))
    }

    /// Runs the sampler from noise, on top of the first picture where there is one.
    fn sample(
        &self,
        job: &PaintJob,
        conditions: Conditions,
        sigmas: &[f64],
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Tensor> {
        let unit = self.size_unit();
        let shape = (1, self.vae.latent_channels(), job.size.height / unit, job.size.width / unit);
        let mut noise = SeededNoise::new(job.seed, shape, &self.device).varied(job.variation);
        let start = noise.draw()?;
        let x = match job.init {
            Some(init) => mix([(1.0, &self.encode(init)?), (sigmas[0], &start)])?,
            None => mix([(sigmas[0], &start)])?,
        };
        let steps = sigmas.len() - 1;
        let controls = job.controls.iter().map(|c| self.control(c, job)).collect::<Result<_>>()?;
        let mut model = GuidedDenoiser::new(self.unet()?, &self.schedule, conditions, steps, &self.place)
            .with_controls(controls);
        let mut each = |step: &crate::diffusion::sampler::Step| match watch(step.index, step.of) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        let mut run = Run { model: &mut model as _, noise: &mut noise, watch: &mut each };
        job.sampler.sample(&mut run, x, sigmas, &self.schedule)
    }

    /// The latent as a picture.
    fn develop(&self, latent: &Tensor, job: &PaintJob) -> Result<Canvas> {
        let failed = |what: &str| {
            Error::model(&self.place, format!("expected a picture, the model gave {what}"))
                .with_hint("lower guidance, or try another sampler or spacing; the weights may be damaged")
        };
        if !is_finite(latent).map_err(|e| self.broken(&e))? {
            return Err(failed("numbers that are not finite (NaN)"));
        }
        let picture = self.vae.decode(latent).map_err(|e| self.broken(&e))?;
        if !is_finite(&picture).map_err(|e| self.broken(&e))? {
            return Err(failed("numbers that are not finite (NaN) when its latent was decoded"));
        }
        let canvas = canvas_from_tensor(&picture).map_err(|e| self.broken(&e))?;
        if is_black(&canvas) && !job.init.is_some_and(is_black) {
            return Err(failed("one that is black throughout"));
        }
        Ok(canvas)
    }

    /// A control of the job with its network.
    fn control<'a>(&'a self, control: &PaintControl, job: &PaintJob) -> Result<ControlUnit<'a>> {
        let hint = hint_from_canvas(&control.hint.resized(job.size), &self.device);
        Ok(ControlUnit {
            net: self.find_control(control.net)?,
            hint: hint.map_err(|e| self.broken(&e))?,
            weight: control.weight,
            start: control.start,
            end: control.end,
            mode: control.mode,
        })
    }

    fn find_control(&self, wanted: ControlSource) -> Result<&ControlNet> {
        let found = match wanted {
            ControlSource::Own => self.own_controlnet.as_ref(),
            ControlSource::Named(name) => self.controls.iter().find(|c| c.0 == name).map(|c| &c.1),
        };
        found.ok_or_else(|| match wanted {
            ControlSource::Own => {
                usage("the model brings no control network of its own".to_owned(), "name a control model")
            }
            ControlSource::Named(name) => {
                let names: Vec<&str> = self.control_names().collect();
                let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                usage(format!("control `{name}`: loaded are {names}"), "load it with the model")
            }
        })
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
        if let Some(init) = job.init.filter(|init| init.size() != size) {
            let message = format!("first picture: expected {size}, found {}", init.size());
            return Err(usage(message, "bring it to the size of the film"));
        }
        if job.steps == 0 {
            return Err(usage("steps: expected at least 1, found 0".to_owned(), "20 is usual"));
        }
        if !(0.0..=1.0).contains(&job.denoise) {
            return Err(usage(format!("denoise: expected 0 to 1, found {}", job.denoise), "0.5 is usual"));
        }
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

    fn broken(&self, error: &candle_core::Error) -> Error {
        model_error(&self.place, error)
    }
}

fn usage(message: String, hint: &str) -> Error {
    Error::Usage { message, hint: Some(hint.to_owned()) }
}

/// Whether all values are finite.
fn is_finite(x: &Tensor) -> candle_core::Result<bool> {
    Ok(x.flatten_all()?.to_vec1::<f32>()?.iter().all(|v| v.is_finite()))
}

fn is_black(canvas: &Canvas) -> bool {
    canvas.as_rgb8().iter().all(|v| *v == 0)
}
