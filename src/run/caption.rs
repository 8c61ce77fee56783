//! What a picture's file says about its making, in the web UI's words: see [`infotext`](crate::infotext).
//!
//! Everything in it comes from the numbers and the files that the picture was made with, never from a clock or
//! a path of this machine, so that the same picture is the same file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::canvas::Size;
use crate::diffusion::engine::ModelDefaults;
use crate::diffusion::sampler::Sampler;
use crate::error::{Error, Result};
use crate::infotext::{Parameters, written_pairs};
use crate::models::digest;
use crate::render::frame_loop::Planned;
use crate::render::store;
use crate::run::cast::Cast;
use crate::run::loras::Spoken;
use crate::run::models::{ModelPainter, identity, sampling};
use crate::timeline::frame::{
    ControlInput, ControlMode, ControlParams, Fit, FrameParams, FrameSource, PromptBlend, Rng,
};

/// Letters of a hash that are written, as many as the web UI writes.
const HASH: usize = 10;

/// Letters of a LoRA's hash that are written, as many as the web UI writes.
const LORA_HASH: usize = 12;

/// A model as it is written down.
#[derive(Clone, Debug)]
pub(crate) struct Maker {
    /// Its name, as the web UI has it: of a file without its ending, of a folder the folder's.
    pub(crate) name: String,
    /// The start of its hash.
    pub(crate) hash: String,
    /// Name and hash of the autoencoder that takes the place of the model's own.
    pub(crate) vae: Option<(String, String)>,
    /// What fills the gaps in a frame's numbers.
    pub(crate) defaults: ModelDefaults,
}

/// A picture that went into another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// How it was named; of an absolute path only the file's name.
    pub(crate) name: String,
    /// The start of its file's hash.
    pub(crate) hash: String,
}

/// Describes pictures; hashes of models and files are computed once.
pub(crate) struct Captions<'a> {
    painter: &'a ModelPainter,
    folder: &'a Path,
    makers: BTreeMap<Cast, Maker>,
    files: BTreeMap<PathBuf, Shown>,
    loras: BTreeMap<PathBuf, String>,
}

impl<'a> Captions<'a> {
    /// Nothing is read yet. `folder` is what names of files are relative to.
    pub(crate) fn new(painter: &'a ModelPainter, folder: &'a Path) -> Self {
        Self { painter, folder, makers: BTreeMap::new(), files: BTreeMap::new(), loras: BTreeMap::new() }
    }

    /// Describes the frames that are to be made.
    pub(crate) fn describe(&mut self, plan: &mut [Planned], size: Size) -> Result<()> {
        // A composed frame was not painted: its key pictures were, and they say how.
        let is_painted = |planned: &&mut Planned| !planned.done && planned.params.making.compose.is_none();
        for planned in plan.iter_mut().filter(is_painted) {
            planned.text = self.frame(&planned.params, size)?.text();
        }
        Ok(())
    }

    /// Describes a key picture that is to be painted.
    pub(crate) fn describe_key(&mut self, planned: &mut Planned, size: Size) -> Result<()> {
        if !planned.done {
            planned.text = self.frame(&planned.params, size)?.text();
        }
        Ok(())
    }

    /// A frame of a film. Of what it was painted over only a file can be named.
    fn frame(&mut self, params: &FrameParams, size: Size) -> Result<Parameters> {
        let from_text = params.source == FrameSource::Text;
        // Frames between painted ones show what was painted at the first of them.
        let begins = params.cut || params.cadence.opens;
        let painted_over = !(from_text || begins && params.source == FrameSource::Previous);
        let init = match &params.source {
            FrameSource::Still(path) => Some(path),
            FrameSource::Init(path) if begins => Some(path),
            _ => None,
        };
        let init = init.map(|path| self.shown(path)).transpose()?;
        // 1 - strength has digits that nobody wrote.
        let denoise = ((1.0 - params.sampling.strength) * 1e9).round() / 1e9;
        let mut found = self.still(params, size, painted_over.then_some(denoise), init.as_ref())?;
        cadence(&mut found, params);
        close(&mut found);
        Ok(found)
    }

    /// What the settings of any picture say. `denoise` is given when it was painted over another one, and that
    /// one where it is a file. [`close`] comes behind it.
    pub(crate) fn still(
        &mut self,
        params: &FrameParams,
        size: Size,
        denoise: Option<f64>,
        init: Option<&Shown>,
    ) -> Result<Parameters> {
        let maker = self.maker(&Cast::of(params))?;
        let mut found = Parameters {
            prompt: params.prompt.to_string(),
            negative: params.negative.to_string(),
            pairs: Vec::new(),
        };
        settings(&mut found, params, size, &maker)?;
        if let Some((name, hash)) = maker.vae {
            found.set("VAE hash", hash);
            found.set("VAE", name);
        }
        variation(&mut found, params);
        if let Some(denoise) = denoise {
            found.set("Denoising strength", denoise);
        }
        if params.sampling.clip_skip > 1 {
            found.set("Clip skip", params.sampling.clip_skip);
        }
        noise(&mut found, params, sampling(&maker.defaults, &params.sampling)?.0);
        if let Some(init) = init {
            found.set("Init image", &init.name);
            found.set("Init image hash", &init.hash);
        }
        for (number, control) in params.controls.iter().enumerate() {
            let unit = self.control(control)?;
            found.set(&format!("ControlNet {number}"), written_pairs(&unit));
        }
        found.set("Lora hashes", self.loras(params)?);
        if params.prompt.parts.len() > 1 {
            let blend = match params.prompt.blend {
                PromptBlend::Lerp => "lerp",
                PromptBlend::Slerp => "slerp",
                PromptBlend::Composed => "composed",
            };
            found.set("Prompt blend", blend);
        }
        Ok(found)
    }

    /// LoRAs with their hashes, as the web UI lists them: `ink: 0123456789ab, neon: …`.
    fn loras(&mut self, params: &FrameParams) -> Result<String> {
        let spoken = Spoken::of(params)?;
        let files = spoken.files(&self.painter.loras)?;
        let mut listed = Vec::new();
        for (lora, file) in spoken.loras.iter().zip(files) {
            let hash = match self.loras.get(&file) {
                Some(hash) => hash.clone(),
                None => {
                    let mut hash = digest::of_tensors(&file)?;
                    hash.truncate(LORA_HASH);
                    self.loras.insert(file, hash.clone());
                    hash
                }
            };
            listed.push(format!("{}: {hash}", lora.name));
        }
        Ok(listed.join(", "))
    }

    /// The model of a picture.
    pub(crate) fn maker(&mut self, cast: &Cast) -> Result<Maker> {
        if let Some(maker) = self.makers.get(cast) {
            return Ok(maker.clone());
        }
        let (name, hash) = self.painter.identity(cast)?;
        let defaults = self.painter.defaults(cast)?;
        let vae = self.painter.vae(cast)?.map(|vae| identity(&vae)).transpose()?;
        let maker = Maker { name, hash, vae, defaults };
        self.makers.insert(cast.clone(), maker.clone());
        Ok(maker)
    }

    /// A picture by its file.
    pub(crate) fn shown(&mut self, path: &Path) -> Result<Shown> {
        if let Some(shown) = self.files.get(path) {
            return Ok(shown.clone());
        }
        let bytes =
            std::fs::read(path).map_err(|e| Error::input(path, format!("cannot read the file: {e}")))?;
        let relative = path.strip_prefix(self.folder).unwrap_or(path);
        let named = if relative.is_absolute() { relative.file_name().map(Path::new) } else { None };
        let name = named.unwrap_or(relative).to_string_lossy().replace('\\', "/");
        let shown = Shown { name, hash: short_hash(&bytes) };
        self.files.insert(path.to_owned(), shown.clone());
        Ok(shown)
    }

    /// A ControlNet, as sd-webui-controlnet lists its units.
    fn control(&mut self, control: &ControlParams) -> Result<Vec<(String, String)>> {
        let mode = match control.mode {
            ControlMode::Balanced => "Balanced",
            ControlMode::Prompt => "My prompt is more important",
            ControlMode::Control => "ControlNet is more important",
        };
        let (module, path) = match &control.input {
            ControlInput::Depth => ("depth", None),
            ControlInput::Picture(path) => ("none", Some(path)),
            ControlInput::Canny { image, .. } => ("canny", image.as_ref()),
            ControlInput::Reference { image, .. } => ("reference_only", image.as_ref()),
        };
        let picture = path.map(|path| self.shown(path)).transpose()?;
        let model = control.model.as_deref().map_or("own", stem);
        let mut unit = Parameters::default();
        unit.set("Module", module);
        unit.set("Model", model);
        unit.set("Weight", control.weight);
        unit.set("Guidance Start", control.start);
        unit.set("Guidance End", control.end);
        unit.set("Control Mode", mode);
        unit.set("Resize Mode", resize_mode(control.fit));
        if control.invert {
            unit.set("Invert", "True");
        }
        match &control.input {
            ControlInput::Canny { low, high, .. } => {
                unit.set("Threshold A", low);
                unit.set("Threshold B", high);
            }
            ControlInput::Reference { fidelity, .. } => unit.set("Threshold A", fidelity),
            ControlInput::Depth | ControlInput::Picture(_) => {}
        }
        unit.set("Name", &control.name);
        if let Some(picture) = picture {
            unit.set("Input", picture.name);
            unit.set("Input hash", picture.hash);
        }
        Ok(unit.pairs)
    }
}

/// The web UI's name of a way to bring a picture to a shape.
pub(crate) fn resize_mode(fit: Fit) -> &'static str {
    match fit {
        Fit::Crop => "Crop and Resize",
        Fit::Stretch => "Just Resize",
        Fit::Inside => "Resize and Fill",
    }
}

/// The settings that every picture has.
fn settings(found: &mut Parameters, params: &FrameParams, size: Size, maker: &Maker) -> Result<()> {
    let set = &params.sampling;
    let (sampler, spacing) = sampling(&maker.defaults, set)?;
    found.set("Steps", set.steps.unwrap_or(maker.defaults.steps));
    found.set("Sampler", sampler.shown());
    found.set("Schedule type", spacing.shown());
    found.set("CFG scale", set.guidance.unwrap_or(maker.defaults.guidance));
    found.set("Seed", set.seed);
    found.set("Size", size);
    found.set("Model hash", &maker.hash);
    found.set("Model", &maker.name);
    Ok(())
}

/// Which of the frames between two painted ones it is, and how often a painted one was painted.
fn cadence(found: &mut Parameters, params: &FrameParams) {
    let set = &params.cadence;
    if set.length > 1 {
        found.set("Cadence", format!("{} of {}", set.step + 1, set.length));
    }
    if set.redo > 0 {
        found.set("Diffusion redo", set.redo);
    }
    if let Some(method) = set.redo_flow {
        found.set("Flow redo", format!("{method:?}"));
    }
}

/// A second seed.
fn variation(found: &mut Parameters, params: &FrameParams) {
    let set = &params.sampling;
    if set.subseed_strength > 0.0 {
        found.set("Variation seed", set.subseed);
        found.set("Variation seed strength", set.subseed_strength);
        if set.seed_walk {
            found.set("Seed walk", "True");
        }
    }
}

/// Whose noise it is. The web UI leaves the generator out when it is the graphics card's; here it is never.
fn noise(found: &mut Parameters, params: &FrameParams, sampler: Sampler) {
    let set = &params.sampling;
    if set.eta_noise_seed_delta != 0 {
        found.set("ENSD", set.eta_noise_seed_delta);
    }
    found.set(
        "RNG",
        match set.rng {
            Rng::Cpu => "CPU",
            Rng::Nv => "NV",
        },
    );
    let (name, eta) = if sampler == Sampler::Ddim { ("Eta DDIM", set.ddim_eta) } else { ("Eta", set.eta) };
    if let Some(eta) = eta {
        found.set(name, eta);
    }
    if set.s_noise != 1.0 {
        found.set("Sigma noise", set.s_noise);
    }
    if params.hold.noise_multiplier != 1.0 {
        found.set("Noise multiplier", params.hold.noise_multiplier);
    }
}

/// What stands at the end of every text.
pub(crate) fn close(found: &mut Parameters) {
    found.set("Version", concat!("kinora ", env!("CARGO_PKG_VERSION")));
}

/// The last part of a model's name, without the ending of its file.
pub(crate) fn stem(name: &str) -> &str {
    let last = name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(name);
    last.strip_suffix(".safetensors").unwrap_or(last)
}

/// The start of a file's hash.
pub(crate) fn short_hash(bytes: &[u8]) -> String {
    store::hash(bytes)[..HASH].to_owned()
}
