//! The diffusion model behind the loop's painter: found, loaded when first needed, kept.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use candle_core::Device;

use crate::canvas::{Canvas, Size};
use crate::diffusion::controlnet::ControlPlace;
use crate::diffusion::engine::{
    Blend, Engine, MaskFill, Memory, Mix, ModelDefaults, PaintFill, PaintJob, PaintMask,
};
use crate::diffusion::sampler::{self, Sampler, Variation};
use crate::diffusion::sigmas::Spacing;
use crate::error::{Error, Result};
use crate::models::{ModelFolder, digest};
use crate::noise::NoiseKind;
use crate::render::seams::{PaintOnly, PaintRequest, Painter};
use crate::run::caption::stem;
use crate::run::cast::Cast;
use crate::run::controls::controls;
use crate::run::loras::{Finder, Spoken};
use crate::timeline::frame::{self, FrameParams, PromptBlend, PromptMix, SamplingParams};

/// Parts of a model that have weights.
const WEIGHTED: [&str; 4] = ["unet", "vae", "text_encoder", "text_encoder_2"];

/// Where tensors are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "names of devices")]
pub enum DeviceChoice {
    #[default]
    Cpu,
    Cuda,
    Metal,
}

impl DeviceChoice {
    /// Opens the device.
    ///
    /// # Errors
    /// [`Error::Usage`] when this build or machine has no such device.
    pub(crate) fn open(self) -> Result<Device> {
        let refuse = |e: candle_core::Error| Error::Usage {
            message: format!("cannot use this device: {}", e.to_string().lines().next().unwrap_or_default()),
            hint: Some(
                "build with the device's feature (`--features cuda`), or leave out --device".to_owned(),
            ),
        };
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda => Device::new_cuda(0).map_err(refuse),
            Self::Metal => Device::new_metal(0).map_err(refuse),
        }
    }
}

/// A model's name and hash, as pictures say them: of one file the hash that the web UI finds it by.
pub(crate) fn identity(model: &ModelFolder) -> Result<(String, String)> {
    let label = model.label();
    let shown = label.to_string_lossy().into_owned();
    let name = stem(shown.strip_prefix("embedded:").unwrap_or(&shown)).to_owned();
    let hash =
        if label.is_file() { digest::short(&label)? } else { model.fingerprint()?.to_hex()[..10].to_owned() };
    Ok((name, hash))
}

/// Paints with a diffusion model.
pub(crate) struct ModelPainter {
    device: Device,
    films: PathBuf,
    /// The LoRAs that prompts name.
    pub(crate) loras: Finder,
    /// The networks in memory. A film that changes its model swaps them: two at a time may not fit.
    loaded: Option<(Cast, Engine)>,
}

impl ModelPainter {
    /// Loads nothing yet. `films` is the folder that model names are relative to.
    pub(crate) fn new(device: Device, films: &Path) -> Self {
        Self { device, films: films.to_owned(), loras: Finder::new(films), loaded: None }
    }

    /// The folder that names of models are relative to.
    pub(crate) fn films(&self) -> &Path {
        &self.films
    }

    /// The folder of the autoencoder that takes the place of the model's own.
    pub(crate) fn vae(&self, cast: &Cast) -> Result<Option<ModelFolder>> {
        cast.vae(&self.films)
    }

    /// The engine with these networks.
    pub(crate) fn engine(&mut self, cast: &Cast) -> Result<&mut Engine> {
        if self.loaded.as_ref().is_none_or(|(loaded, _)| loaded != cast) {
            self.loaded = None;
            let model = cast.model(&self.films)?;
            let controls = cast.controls(&self.films, &model)?;
            let mut engine = Engine::load(&model, &controls, &self.device)?;
            engine.set_embeddings(crate::run::embeddings::known(&self.films)?)?;
            self.loaded = Some((cast.clone(), engine));
        }
        match &mut self.loaded {
            Some((_, engine)) => Ok(engine),
            None => Err(Error::Bug("a model was loaded and is gone".to_owned())),
        }
    }

    /// Opens the LoRAs of the frames that are painted with the networks in memory, so that what is wrong with them is
    /// known before the first frame; what is odd about them is returned.
    pub(crate) fn rehearse<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a FrameParams>,
    ) -> Result<Vec<String>> {
        let Some((cast, engine)) = &mut self.loaded else { return Ok(Vec::new()) };
        let mut files = BTreeSet::new();
        for params in frames.filter(|params| Cast::of(params) == *cast) {
            files.extend(Spoken::of(params)?.files(&self.loras)?);
        }
        engine.check_loras(files.iter().map(PathBuf::as_path))?;
        Ok(engine.take_lora_warnings())
    }

    /// What suits the model, read from its configs: nothing is loaded.
    pub(crate) fn defaults(&self, cast: &Cast) -> Result<ModelDefaults> {
        if let Some((_, engine)) = self.loaded.as_ref().filter(|(loaded, _)| loaded == cast) {
            return Ok(engine.defaults());
        }
        Engine::defaults_of(&cast.model(&self.films)?)
    }

    /// The model of a cast, and the control networks beside it, each with what it does there.
    pub(crate) fn folders(&self, cast: &Cast) -> Result<(ModelFolder, Vec<(String, ControlPlace)>)> {
        let model = cast.model(&self.films)?;
        // The model's own network is among its parts.
        let own = ControlPlace::Folder(model.join("controlnet"));
        let controls = cast.controls(&self.films, &model)?.into_iter().filter(|(_, place)| *place != own);
        let controls = controls.map(|(name, place)| (format!("control {name}"), place)).collect();
        Ok((model, controls))
    }

    /// The name and the hash by which pictures say what they were made with.
    pub(crate) fn identity(&self, cast: &Cast) -> Result<(String, String)> {
        identity(&cast.own_model(&self.films)?)
    }

    /// What painting a picture of `size` takes; `guided` is whether the negative prompt goes through the network too.
    pub(crate) fn memory(&self, cast: &Cast, size: Size, guided: bool) -> Result<Memory> {
        let model = cast.model(&self.films)?;
        let own = ControlPlace::Folder(model.join("controlnet"));
        let controls = cast.controls(&self.films, &model)?.into_iter().map(|(_, place)| place);
        // The model's own network is among its parts.
        let controls: Vec<ControlPlace> = controls.filter(|place| *place != own).collect();
        Engine::memory(&model, &controls, size, guided)
    }

    /// The steps that suit the model.
    pub(crate) fn usual_steps(&mut self, cast: &Cast) -> Result<u32> {
        Ok(self.engine(cast)?.defaults().steps)
    }

    /// A hash of the networks' files. Their weights are looked at too: a file that was cut short is better
    /// known before the first frame than when its scene comes.
    pub(crate) fn fingerprint(&self, cast: &Cast) -> Result<String> {
        let model = cast.model(&self.films)?;
        for part in WEIGHTED.map(|part| model.join(part)).into_iter().filter(ModelFolder::exists) {
            part.check_weights()?;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(model.fingerprint()?.as_bytes());
        for (name, place) in cast.controls(&self.films, &model)? {
            place.check()?;
            hasher.update(name.as_bytes()).update(place.fingerprint()?.as_bytes());
        }
        Ok(hasher.finalize().to_hex()[..32].to_owned())
    }
}

impl Painter for ModelPainter {
    fn paint(
        &mut self,
        request: &PaintRequest<'_>,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        let mask = request.mask.as_ref().map(mask);
        self.paint_masked(request, mask, watch).map_err(|error| at_frame(error, request.params.frame))
    }
}

impl ModelPainter {
    /// As [`Painter::paint`], of the picture underneath only what a mask leaves free. The picture may have any
    /// size where the mask has a region.
    pub(crate) fn paint_masked<'a>(
        &mut self,
        request: &'a PaintRequest<'_>,
        mask: Option<PaintMask<'a>>,
        watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        let spoken = Spoken::of(request.params)?;
        let files = spoken.files(&self.loras)?;
        let engine = self.engine(&Cast::of(request.params))?;
        let job = PaintJob { loras: spoken.uses(&files), mask, ..job(engine, request, &spoken)? };
        engine.paint(&job, watch)
    }
}

/// The frame's mask as the engine takes it.
fn mask<'a>(only: &PaintOnly<'a>) -> PaintMask<'a> {
    let PaintOnly { mask, fill, blur, region } = *only;
    let fill = match fill {
        frame::MaskFill::Fill => MaskFill::Fill,
        frame::MaskFill::Original => MaskFill::Original,
        frame::MaskFill::LatentNoise => MaskFill::LatentNoise,
        frame::MaskFill::LatentNothing => MaskFill::LatentNothing,
    };
    PaintMask { mask, fill, blur, region, soft: false }
}

/// The error of a model that failed while it painted, with the frame's number. Frames before it are finished.
fn at_frame(error: Error, frame: u32) -> Error {
    match error {
        Error::Model { path, message, hint } => {
            Error::Render { frame, message: format!("model {}: {message}", path.display()), hint }
        }
        other => other,
    }
}

/// The engine's order for a frame: what the film leaves open is filled with what suits the model.
fn job<'a>(engine: &Engine, request: &'a PaintRequest<'_>, spoken: &'a Spoken) -> Result<PaintJob<'a>> {
    let PaintRequest { params, size, init, hints, anew, .. } = request;
    let defaults = engine.defaults();
    let SamplingParams { steps, guidance, strength, seed, clip_skip, .. } = params.sampling;
    let SamplingParams { subseed, subseed_strength, seed_walk, .. } = params.sampling;
    let SamplingParams { rng, eta, ddim_eta, s_noise, eta_noise_seed_delta, .. } = params.sampling;
    let (sampler, spacing) = sampling(&defaults, &params.sampling)?;
    let (controls, references) = controls(params, hints);
    Ok(PaintJob {
        size: *size,
        init: *init,
        denoise: if init.is_some() { 1.0 - strength } else { 1.0 },
        prompt: mix(&spoken.prompt),
        negative: mix(&spoken.negative),
        steps: steps.unwrap_or(defaults.steps),
        guidance: guidance.unwrap_or(defaults.guidance),
        sampler,
        spacing,
        seed: seed.cast_unsigned(),
        noise: match rng {
            frame::Rng::Cpu => NoiseKind::TorchCpu,
            frame::Rng::Nv => NoiseKind::PhiloxNv,
        },
        ensd: eta_noise_seed_delta,
        eta: if sampler == Sampler::Ddim { ddim_eta } else { eta },
        s_noise,
        noise_multiplier: params.hold.noise_multiplier,
        latent_noise: match params.noise.kind {
            frame::NoiseKind::Latent => params.noise.amount,
            _ => 0.0,
        },
        mask: None,
        fill: anew.map(|anew| PaintFill {
            uncovered: anew.uncovered,
            denoise: 1.0 - anew.strength,
            feather: anew.feather,
            seed: anew.seed,
        }),
        variation: (subseed_strength > 0.0).then(|| Variation {
            seed: subseed.cast_unsigned(),
            strength: subseed_strength,
            every_draw: seed_walk,
        }),
        clip_skip,
        controls,
        references,
        loras: Vec::new(),
    })
}

/// A frame's prompts as the engine takes them.
fn mix(prompts: &PromptMix) -> Mix<'_> {
    Mix {
        parts: prompts.parts.iter().map(|(text, weight)| (text.as_str(), *weight)).collect(),
        blend: match prompts.blend {
            PromptBlend::Lerp => Blend::Lerp,
            PromptBlend::Slerp => Blend::Slerp,
            PromptBlend::Composed => Blend::Composed,
        },
    }
}

/// Sampler and spacing of a frame. A sampler's name may bring a spacing («DPM++ 2M Karras»).
pub(crate) fn sampling(defaults: &ModelDefaults, params: &SamplingParams) -> Result<(Sampler, Spacing)> {
    let (sampler, implied) = match &params.sampler {
        None => (defaults.sampler, Some(defaults.spacing)),
        Some(name) => sampler::resolve(name).ok_or_else(|| Error::Usage {
            message: format!("there is no sampler called `{name}`"),
            hint: Some(format!("there are {}", sampler::sampler_names().join(", "))),
        })?,
    };
    let spacing = match &params.spacing {
        None => implied.unwrap_or(defaults.spacing),
        Some(name) => Spacing::from_name(name).ok_or_else(|| Error::Usage {
            message: format!("there is no spacing called `{name}`"),
            hint: Some(format!("there are {}", sampler::spacing_names().join(", "))),
        })?,
    };
    Ok((sampler, spacing))
}

/// The size of pictures a film's first model was made for.
pub(crate) fn native_size(painter: &mut ModelPainter, params: &FrameParams) -> Result<Size> {
    Ok(painter.engine(&Cast::of(params))?.defaults().size)
}
