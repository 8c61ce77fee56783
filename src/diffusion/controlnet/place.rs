//! Where a control network lies, and what kind it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device};
use candle_nn::VarBuilder;

use super::file::{self, Watched, renamed};
use super::infer::{self, Shapes};
use super::lora::{self, LowRank};
use super::names::diffusers_names;
use super::{ControlNet, ControlNetConfig, Lllite, lllite};
use crate::diffusion::unet::{UNet, UNetConfig};
use crate::error::{Error, Result};
use crate::models::{ModelFolder, Weight, WeightFile, Weights, model_error};

/// A folder as diffusers saves it, or one file of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlPlace {
    /// `config.json` and weights.
    Folder(ModelFolder),
    /// One `.safetensors` file.
    File(PathBuf),
}

/// A control network of any kind.
#[derive(Clone, Debug)]
pub enum ControlModel {
    /// A ControlNet; a Control-LoRA becomes one.
    Net(Box<ControlNet>),
    /// A ControlLLLite.
    Lllite(Lllite),
}

/// The film's model, which control networks are made for.
#[derive(Debug)]
pub struct ControlBase<'a> {
    /// The UNet.
    pub unet: &'a UNet,
    /// Its config.
    pub config: &'a UNetConfig,
    /// Its weights, in diffusers' names.
    pub folder: &'a ModelFolder,
}

/// What the tensors' names say about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Net,
    LowRank,
    Lllite,
}

impl ControlPlace {
    /// The folder or file at `path`.
    ///
    /// # Errors
    /// [`Error::Model`] when there is none, or the file is of a kind that is not read.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return ModelFolder::open(path).map(Self::Folder);
        }
        if !path.is_file() {
            return Err(Error::model(path, "expected a control network, there is nothing here")
                .with_hint("give a folder in diffusers layout or a .safetensors file"));
        }
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if ending != "safetensors" {
            let message = format!("expected a .safetensors file, found one that ends in `.{ending}`");
            return Err(Error::model(path, message).with_hint(
                "files such as .pth, .ckpt and .bin can run programs when they are read: convert it to safetensors",
            ));
        }
        Ok(Self::File(path.to_owned()))
    }

    /// The path, for messages.
    pub fn label(&self) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.label(),
            Self::File(path) => path.clone(),
        }
    }

    /// Looks at the weights without loading them, and refuses files of other kinds by name.
    ///
    /// # Errors
    /// [`Error::Model`] when they are missing, damaged, or no control network's.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Folder(folder) => {
                folder.require("config.json", "a ControlNet")?;
                folder.check_weights()
            }
            Self::File(path) => {
                let file = file::open(path)?;
                kind(&file).map(|_| ())
            }
        }
    }

    /// A hash of what decides how the network steers.
    ///
    /// # Errors
    /// [`Error::Model`] when a file cannot be read.
    pub fn fingerprint(&self) -> Result<blake3::Hash> {
        match self {
            Self::Folder(folder) => folder.fingerprint(),
            Self::File(path) => {
                let cannot = |e: std::io::Error| Error::model(path, format!("cannot read the file: {e}"));
                let mut hasher = blake3::Hasher::new();
                hasher.update_reader(std::fs::File::open(path).map_err(cannot)?).map_err(cannot)?;
                if let Some(config) = config_beside(path)? {
                    hasher.update(config.to_string().as_bytes());
                }
                Ok(hasher.finalize())
            }
        }
    }

    /// What the weights take.
    ///
    /// # Errors
    /// [`Error::Model`] when a header cannot be read.
    pub fn weigh(&self) -> Result<Weight> {
        match self {
            Self::Folder(folder) => folder.weigh(),
            Self::File(path) => {
                let file = file::open(path)?;
                Ok(Weight { disk: file.size(), memory: file.header().loaded() })
            }
        }
    }

    /// Loads the network for a model.
    ///
    /// # Errors
    /// [`Error::Model`] when a weight is missing, left over or of another shape, the file is of another kind, or
    /// the network is for another family of models; the message names both families.
    pub fn load(&self, base: &ControlBase<'_>, device: &Device) -> Result<ControlModel> {
        let label = self.label();
        let fault = |e: candle_core::Error| {
            model_error(&label, &e).with_hint("take the control network that was made for the film's model")
        };
        let file = match self {
            Self::Folder(folder) => {
                let config: ControlNetConfig = folder.json("config.json")?;
                infer::check_family(&config.unet, base.config).map_err(fault)?;
                return Ok(ControlModel::Net(Box::new(ControlNet::load(folder, device)?)));
            }
            Self::File(path) => file::open(path)?,
        };
        match kind(&file)? {
            Kind::Lllite => {
                let loaded = Lllite::load(&file, base.unet, base.config, device).map_err(fault)?;
                Ok(ControlModel::Lllite(loaded))
            }
            Kind::Net => {
                let given = config_beside(file.path())?;
                let net = load_net(&file, given.as_ref(), base, device, fault)?;
                Ok(ControlModel::Net(Box::new(net)))
            }
            Kind::LowRank => {
                let weights = base.folder.weights(device)?;
                let net = load_low_rank(&file, base, weights, device).map_err(fault)?;
                Ok(ControlModel::Net(Box::new(net)))
            }
        }
    }
}

/// What kind of network a file holds.
fn kind(file: &WeightFile) -> Result<Kind> {
    let has = |prefix: &str| file.header().has_prefix(prefix);
    if has(lllite::PREFIX) {
        return Ok(Kind::Lllite);
    }
    if file.header().tensors.contains_key(lora::MARK) {
        return Ok(Kind::LowRank);
    }
    let refuse = |found: &str, hint: &str| {
        Err(Error::model(file.path(), format!("expected a control network, found {found}")).with_hint(hint))
    };
    const HINT: &str = "kinora reads ControlNets, Control-LoRAs and ControlLLLites";
    if ["task_embedding", "control_add_embedding.", "control_model.task_embedding"].iter().any(|p| has(p)) {
        return refuse("a ControlNet Union", "take one of the single ControlNets");
    }
    if ["control_model.", "input_hint_block.", "controlnet_cond_embedding."].iter().any(|p| has(p)) {
        return Ok(Kind::Net);
    }
    if has("lora_unet_") || has("lora_te") || has("unet.") {
        return refuse("a LoRA", "write `<lora:name:1>` into the prompt");
    }
    if has("model.diffusion_model.") || has("first_stage_model.") {
        return refuse("a whole checkpoint", "name it as the film's `model`");
    }
    if has("ip_adapter.") || has("image_proj.") {
        return refuse("an IP-Adapter", HINT);
    }
    if has("adapter.") || has("body.0.") {
        return refuse("a T2I-Adapter", HINT);
    }
    let first =
        file.header().tensors.keys().next().map_or("nothing at all".to_owned(), |name| format!("`{name}` …"));
    refuse(&format!("other weights: {first}"), HINT)
}

/// The config that stands beside a file, if one does: `NAME.config.json`, or `NAME.json` when it is one.
fn config_beside(path: &Path) -> Result<Option<serde_json::Value>> {
    for ending in ["config.json", "json"] {
        let beside = path.with_extension(ending);
        let Ok(text) = std::fs::read(&beside) else { continue };
        match serde_json::from_slice::<serde_json::Value>(&text) {
            // Web UIs keep notes on a model in such files, too.
            Ok(config) if config.get("block_out_channels").is_some() => return Ok(Some(config)),
            Err(e) if ending == "config.json" => {
                return Err(Error::model(&beside, format!("cannot understand this file: {e}")));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// A file with all weights of a ControlNet.
fn load_net(
    file: &Arc<WeightFile>,
    given: Option<&serde_json::Value>,
    base: &ControlBase<'_>,
    device: &Device,
    fault: impl Fn(candle_core::Error) -> Error,
) -> Result<ControlNet> {
    let names = diffusers_names(file.header().tensors.keys().map(String::as_str));
    let weights = renamed(file, &names);
    let config = infer::config(&shapes(&weights), base.config).and_then(|config| {
        infer::check_family(&config.unet, base.config)?;
        match given {
            Some(given) => infer::overridden(config, given),
            None => Ok(config),
        }
    });
    let config = config.map_err(&fault)?;
    let backend = Watched::new(weights.clone());
    let taken = backend.taken();
    let build = |weights: VarBuilder<'static>| ControlNet::new(&config, weights);
    let net = build(VarBuilder::from_backend(Box::new(backend), DType::F32, device.clone()))
        .map_err(|e| weights.explain(file.path(), "ControlNet", &e, build))?;
    let taken = taken.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let left: Vec<&String> = names.iter().filter(|(name, _)| !taken.contains(*name)).map(|n| n.1).collect();
    if let Some(first) = left.first() {
        let message = format!("{} weights have no place in a ControlNet, such as `{first}`", left.len());
        return Err(fault(candle_core::Error::Msg(message)));
    }
    Ok(net)
}

/// A file with a change of the model's own encoder.
fn load_low_rank(
    file: &Arc<WeightFile>,
    base: &ControlBase<'_>,
    weights: VarBuilder<'static>,
    device: &Device,
) -> candle_core::Result<ControlNet> {
    let names = diffusers_names(file.header().tensors.keys().map(String::as_str));
    let own = renamed(file, &names);
    let config = infer::lora_config(&shapes(&own), base.config)?;
    check_low_rank(file, &names, &weights, base.config)?;
    let backend = LowRank::new(own, weights);
    ControlNet::new(&config, VarBuilder::from_backend(Box::new(backend), DType::F32, device.clone()))
}

/// Refuses a Control-LoRA for another model: what it changes must be there.
fn check_low_rank(
    file: &WeightFile,
    names: &std::collections::BTreeMap<String, String>,
    weights: &VarBuilder<'_>,
    config: &UNetConfig,
) -> candle_core::Result<()> {
    let changed = names.iter().filter_map(|(name, own)| Some((name.strip_suffix(".up")?, own)));
    let homeless: Vec<&String> = changed
        .filter(|(layer, _)| !weights.contains_tensor(&format!("{layer}.weight")))
        .map(|(_, own)| own)
        .collect();
    if let Some(first) = homeless.first() {
        candle_core::bail!(
            "expected a Control-LoRA for {}, which the film's model is; {} of the layers that it changes are not \
             there, such as `{first}`",
            infer::family(config),
            homeless.len()
        );
    }
    let wrong = names.iter().find_map(|(name, own)| {
        let layer = name.strip_suffix("attn2.to_k.down")?;
        let found = file.header().shape(own)?.get(1)?;
        let expected = weights.get_unchecked(&format!("{layer}attn2.to_k.weight")).ok()?.dim(1).ok()?;
        (*found != expected).then_some((*found, expected))
    });
    if let Some((found, expected)) = wrong {
        candle_core::bail!(
            "expected a Control-LoRA for {} (text of width {expected}), found one for text of width {found}",
            infer::family(config)
        );
    }
    Ok(())
}

fn shapes(weights: &Weights) -> Shapes {
    weights.names().filter_map(|name| Some((name.to_owned(), weights.shape(name)?))).collect()
}
