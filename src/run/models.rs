//! The diffusion model behind the loop's painter: found, loaded when first needed, kept.

use std::path::{Path, PathBuf};

use candle_core::Device;

use crate::canvas::{Canvas, Size};
use crate::diffusion::engine::{
    Blend, ControlSource, Engine, Memory, Mix, ModelDefaults, PaintControl, PaintJob,
};
use crate::diffusion::guidance::ControlMode;
use crate::diffusion::sampler::{self, Sampler, Variation};
use crate::diffusion::sigmas::Spacing;
use crate::error::{Error, Result};
use crate::models::ModelFolder;
use crate::render::seams::{PaintRequest, Painter};
use crate::timeline::frame::{self, FrameParams, PromptBlend, PromptMix, SamplingParams};

/// The model of a film that names none.
pub(crate) const EMBEDDED: &str = "kinora-tiny";

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

/// Which networks a frame needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cast {
    model: Option<String>,
    controls: Vec<(String, Option<String>)>,
}

impl Cast {
    /// The networks of a frame.
    pub(crate) fn of(params: &FrameParams) -> Self {
        Self {
            model: params.sampling.model.clone(),
            controls: params.controls.iter().map(|c| (c.name.clone(), c.model.clone())).collect(),
        }
    }

    /// Whether the film leaves the model to us and no control brings one of its own.
    pub(crate) fn is_embedded(&self) -> bool {
        let embedded =
            |name: &Option<String>| name.as_deref().is_none_or(|n| ModelFolder::embedded(n).is_some());
        embedded(&self.model) && self.controls.iter().all(|(_, model)| embedded(model))
    }

    /// The model's folder.
    ///
    /// # Errors
    /// [`Error::Model`] when there is none of that name.
    pub(crate) fn model(&self, films: &Path) -> Result<ModelFolder> {
        let folder = match &self.model {
            None => ModelFolder::embedded(EMBEDDED)
                .ok_or_else(|| Error::Bug("this build has no embedded model".to_owned()))?,
            Some(name) => find(name, films)?,
        };
        folder.require("model_index.json", "a diffusion model")?;
        Ok(folder)
    }

    /// The folders of the controls; `None` is the model's own network.
    fn controls(&self, films: &Path, model: &ModelFolder) -> Result<Vec<(String, ModelFolder)>> {
        let folder = |(name, given): &(String, Option<String>)| {
            let folder = match given {
                Some(given) => find(given, films)?,
                None => model.join("controlnet"),
            };
            if !folder.exists() {
                return Err(Error::model(
                    &model.label(),
                    format!("expected a ControlNet for `control {name}`, the model brings none of its own"),
                )
                .with_hint(format!("name one: `control {name} {{ model = \"folder\" }}`")));
            }
            folder.require("config.json", "a ControlNet")?;
            Ok((name.clone(), folder))
        };
        self.controls.iter().map(folder).collect()
    }
}

/// A model by its name: an embedded one, or a folder, relative to the film's.
fn find(name: &str, films: &Path) -> Result<ModelFolder> {
    if let Some(folder) = ModelFolder::embedded(name) {
        return Ok(folder);
    }
    if name.trim().is_empty() {
        return Err(Error::model(
            Path::new("\"\""),
            "expected the name of a model folder, found an empty text",
        )
        .with_hint("leave `model` out for the one that is compiled in"));
    }
    let path = films.join(name);
    ModelFolder::open(&path).map_err(|e| match nearest(&path, name) {
        Some(near) => e.with_hint(format!("did you mean `{near}`?")),
        None => e,
    })
}

/// The folder beside a path, or the embedded model, that is named most like it.
fn nearest(path: &Path, name: &str) -> Option<String> {
    let wanted = path.file_name()?.to_string_lossy().into_owned();
    let beside = crate::run::nearest_name(path.parent()?, &wanted, |entry| entry.is_dir());
    beside.or_else(|| {
        let embedded = ModelFolder::embedded_names().into_iter().map(str::to_owned);
        crate::run::nearest_of(embedded, name)
    })
}

/// Paints with a diffusion model.
pub(crate) struct ModelPainter {
    device: Device,
    films: PathBuf,
    /// The networks in memory. A film that changes its model swaps them: two at a time may not fit.
    loaded: Option<(Cast, Engine)>,
}

impl ModelPainter {
    /// Loads nothing yet. `films` is the folder that model names are relative to.
    pub(crate) fn new(device: Device, films: &Path) -> Self {
        Self { device, films: films.to_owned(), loaded: None }
    }

    /// The engine with these networks.
    pub(crate) fn engine(&mut self, cast: &Cast) -> Result<&mut Engine> {
        if self.loaded.as_ref().is_none_or(|(loaded, _)| loaded != cast) {
            self.loaded = None;
            let model = cast.model(&self.films)?;
            let controls = cast.controls(&self.films, &model)?;
            let engine = Engine::load(&model, &controls, &self.device)?;
            self.loaded = Some((cast.clone(), engine));
        }
        match &mut self.loaded {
            Some((_, engine)) => Ok(engine),
            None => Err(Error::Bug("a model was loaded and is gone".to_owned())),
        }
    }

    /// What suits the model, read from its configs: nothing is loaded.
    pub(crate) fn defaults(&self, cast: &Cast) -> Result<ModelDefaults> {
        if let Some((_, engine)) = self.loaded.as_ref().filter(|(loaded, _)| loaded == cast) {
            return Ok(engine.defaults());
        }
        Engine::defaults_of(&cast.model(&self.films)?)
    }

    /// The folders that are loaded for a cast, each with what it does there.
    pub(crate) fn folders(&self, cast: &Cast) -> Result<Vec<(String, ModelFolder)>> {
        let model = cast.model(&self.films)?;
        let own = model.join("controlnet");
        let mut folders = vec![("diffusion".to_owned(), model.clone())];
        // The model's own network is among its parts.
        let controls = cast.controls(&self.films, &model)?.into_iter().filter(|(_, folder)| *folder != own);
        folders.extend(controls.map(|(name, folder)| (format!("control {name}"), folder)));
        Ok(folders)
    }

    /// What painting a picture of `size` takes; `guided` is whether the negative prompt goes through the network too.
    pub(crate) fn memory(&self, cast: &Cast, size: Size, guided: bool) -> Result<Memory> {
        let model = cast.model(&self.films)?;
        let own = model.join("controlnet");
        let controls = cast.controls(&self.films, &model)?.into_iter().map(|(_, folder)| folder);
        // The model's own network is among its parts.
        let controls: Vec<ModelFolder> = controls.filter(|folder| *folder != own).collect();
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
        for (name, folder) in cast.controls(&self.films, &model)? {
            folder.check_weights()?;
            hasher.update(name.as_bytes()).update(folder.fingerprint()?.as_bytes());
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
        let engine = self.engine(&Cast::of(request.params))?;
        let job = job(engine, request)?;
        engine.paint(&job, watch)
    }
}

/// The engine's order for a frame: what the film leaves open is filled with what suits the model.
fn job<'a>(engine: &Engine, request: &'a PaintRequest<'_>) -> Result<PaintJob<'a>> {
    let PaintRequest { params, size, init, hints } = request;
    let defaults = engine.defaults();
    let SamplingParams { steps, guidance, strength, seed, clip_skip, .. } = params.sampling;
    let SamplingParams { subseed, subseed_strength, seed_walk, .. } = params.sampling;
    let (sampler, spacing) = sampling(engine, &params.sampling)?;
    let controls = params.controls.iter().zip(hints).filter_map(|(control, hint)| {
        Some(PaintControl {
            net: ControlSource::Named(&control.name),
            hint: hint.as_ref()?,
            weight: control.weight,
            start: control.start,
            end: control.end,
            mode: match control.mode {
                frame::ControlMode::Balanced => ControlMode::Balanced,
                frame::ControlMode::Prompt => ControlMode::Prompt,
                frame::ControlMode::Control => ControlMode::Control,
            },
        })
    });
    Ok(PaintJob {
        size: *size,
        init: *init,
        denoise: if init.is_some() { 1.0 - strength } else { 1.0 },
        prompt: mix(&params.prompt),
        negative: mix(&params.negative),
        steps: steps.unwrap_or(defaults.steps),
        guidance: guidance.unwrap_or(defaults.guidance),
        sampler,
        spacing,
        seed: seed.cast_unsigned(),
        variation: (subseed_strength > 0.0).then(|| Variation {
            seed: subseed.cast_unsigned(),
            strength: subseed_strength,
            every_draw: seed_walk,
        }),
        clip_skip,
        controls: controls.collect(),
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
fn sampling(engine: &Engine, params: &SamplingParams) -> Result<(Sampler, Spacing)> {
    let defaults = engine.defaults();
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
