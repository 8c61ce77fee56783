//! LoRAs at work in an engine: opened once, put into the networks' weights when their strengths change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Device;
use candle_nn::VarBuilder;

use super::{Engine, LoraUse};
use crate::diffusion::lora::{Lora, LoraFile, Networks, PatchedWeights, patch_text, patch_unet};
use crate::diffusion::text::clip::{ClipConfig, ClipTextEncoder};
use crate::diffusion::unet::{UNet, UNetConfig};
use crate::error::{Error, Result};
use crate::models::{ModelFolder, model_error};

/// A LoRA's file with its strength.
type Strength = (PathBuf, f64);

/// The weights of a model's networks, and the LoRAs in them.
#[derive(Debug)]
pub(super) struct LoraShelf {
    unet: PatchedWeights,
    unet_config: UNetConfig,
    text: Vec<(PatchedWeights, ClipConfig)>,
    unet_place: PathBuf,
    text_places: Vec<PathBuf>,
    /// Files that were opened, matched with the model.
    known: BTreeMap<PathBuf, Arc<Lora>>,
    in_unet: Vec<Strength>,
    in_text: Vec<Strength>,
    warnings: Vec<String>,
}

impl LoraShelf {
    /// The weights of a model without any LoRA.
    pub(super) fn new(model: &ModelFolder, is_pair: bool, device: &Device) -> Result<Self> {
        let folder = model.join("unet");
        let encoders: &[&str] = if is_pair { &["text_encoder", "text_encoder_2"] } else { &["text_encoder"] };
        let load = |part: &&str| -> Result<_> {
            let folder = model.join(part);
            Ok((PatchedWeights::new(folder.weights(device)?), ClipConfig::load(&folder)?))
        };
        Ok(Self {
            unet: PatchedWeights::new(folder.weights(device)?),
            unet_config: folder.json("config.json")?,
            text: encoders.iter().map(load).collect::<Result<_>>()?,
            unet_place: folder.label(),
            text_places: encoders.iter().map(|part| model.join(part).label()).collect(),
            known: BTreeMap::new(),
            in_unet: Vec::new(),
            in_text: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// What a text encoder is built from.
    pub(super) fn text_weights(&self, index: usize) -> VarBuilder<'static> {
        self.text[index].0.builder()
    }

    /// The UNet with what is in its weights now.
    pub(super) fn build_unet(&self) -> Result<UNet> {
        UNet::new(&self.unet_config, self.unet.builder()).map_err(|e| model_error(&self.unet_place, &e))
    }

    fn build_text(&self, index: usize) -> Result<ClipTextEncoder> {
        let (weights, config) = &self.text[index];
        ClipTextEncoder::new(config.clone(), weights.builder())
            .map_err(|e| model_error(&self.text_places[index], &e))
    }

    /// Opens a file and matches it with the model, once.
    fn open(&mut self, path: &Path) -> Result<Arc<Lora>> {
        if let Some(known) = self.known.get(path) {
            return Ok(known.clone());
        }
        let weights: Vec<PatchedWeights> = self.text.iter().map(|(weights, _)| weights.clone()).collect();
        let lora =
            Arc::new(Lora::new(Arc::new(LoraFile::open(path)?), &Networks::new(&self.unet, &weights))?);
        self.warnings.extend(lora.warning());
        self.known.insert(path.to_owned(), lora.clone());
        Ok(lora)
    }
}

impl Engine {
    /// Opens LoRA files and matches them with the model, so that what is wrong with them is known before a picture is
    /// painted.
    ///
    /// # Errors
    /// [`Error::Model`] when a file cannot be read, or was made for another family of models.
    pub fn check_loras<'a>(&mut self, files: impl IntoIterator<Item = &'a Path>) -> Result<()> {
        files.into_iter().try_for_each(|file| self.loras.open(file).map(drop))
    }

    /// What was odd about the LoRAs that were opened since this was last asked: keys that fit nothing.
    pub fn take_lora_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.loras.warnings)
    }

    /// The network that predicts the noise.
    pub(super) fn unet(&self) -> Result<&UNet> {
        self.unet.as_ref().ok_or_else(|| Error::Bug("the UNet is gone".to_owned()))
    }

    /// Puts exactly these LoRAs into the weights. Nothing is done when they are there already.
    pub(super) fn apply_loras(&mut self, uses: &[LoraUse]) -> Result<()> {
        let loras = uses.iter().map(|lora| self.loras.open(lora.file)).collect::<Result<Vec<_>>>()?;
        let wanted = |pick: fn(&LoraUse) -> f64, has: fn(&Lora) -> bool| -> (Vec<Strength>, Vec<Arc<Lora>>) {
            let used = uses.iter().zip(&loras).filter(|(lora, file)| pick(lora) != 0.0 && has(file));
            used.map(|(lora, file)| ((lora.file.to_owned(), pick(lora)), file.clone())).unzip()
        };
        let (unet, unet_files) = wanted(|lora| lora.unet, Lora::has_unet);
        if unet != self.loras.in_unet {
            self.patch_unet(unet, &unet_files)?;
        }
        let (text, text_files) = wanted(|lora| lora.text, Lora::has_text);
        if text != self.loras.in_text {
            self.patch_text(text, &text_files)?;
        }
        Ok(())
    }

    fn patch_unet(&mut self, wanted: Vec<Strength>, files: &[Arc<Lora>]) -> Result<()> {
        patch_unet(&self.loras.unet, &with_strengths(&wanted, files));
        // Two networks at a time may not fit.
        self.unet = None;
        self.loras.in_unet = wanted;
        match self.loras.build_unet() {
            Ok(unet) => self.unet = Some(unet),
            Err(error) => {
                patch_unet(&self.loras.unet, &[]);
                self.loras.in_unet = Vec::new();
                self.unet = Some(self.loras.build_unet()?);
                return Err(error);
            }
        }
        Ok(())
    }

    fn patch_text(&mut self, wanted: Vec<Strength>, files: &[Arc<Lora>]) -> Result<()> {
        let uses = with_strengths(&wanted, files);
        // Until all encoders are built anew nothing is said about what is in them.
        self.loras.in_text = vec![(PathBuf::new(), f64::NAN)];
        for index in 0..self.loras.text.len() {
            patch_text(&self.loras.text[index].0, index, &uses);
            let encoder = self.loras.build_text(index)?;
            self.prompts.stack_mut().set_encoder(index, encoder);
        }
        self.loras.in_text = wanted;
        Ok(())
    }
}

fn with_strengths<'a>(wanted: &[Strength], files: &'a [Arc<Lora>]) -> Vec<(&'a Lora, f64)> {
    files.iter().map(Arc::as_ref).zip(wanted.iter().map(|(_, strength)| *strength)).collect()
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::*;
    use crate::canvas::{Canvas, Size};
    use crate::diffusion::engine::PaintJob;
    use crate::diffusion::sampler::Sampler;
    use crate::diffusion::sigmas::Spacing;

    fn engine() -> Engine {
        Engine::load(&ModelFolder::embedded("kinora-tiny").unwrap(), &[], &Device::Cpu).unwrap()
    }

    /// Writes a LoRA for layers of the tiny model, which have 96 inputs and outputs.
    fn write(path: &Path, layers: &[&str]) {
        let values = |rows: usize, columns: usize| -> Tensor {
            let wave = (0..rows * columns).map(|i| libm::sin(i as f64 * 0.7) as f32 * 0.3);
            Tensor::from_vec(wave.collect(), (rows, columns), &Device::Cpu).unwrap()
        };
        let tensors = layers.iter().flat_map(|layer| {
            [("lora_down", values(4, 96)), ("lora_up", values(96, 4))]
                .map(|(part, x)| (format!("{layer}.{part}.weight"), x.to_dtype(DType::F16).unwrap()))
        });
        safetensors::serialize_to_file(tensors, None, path).unwrap();
    }

    const UNET: &str = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_v";
    const TEXT: &str = "lora_te_text_model_encoder_layers_1_self_attn_v_proj";

    fn paint(engine: &mut Engine, loras: &[LoraUse]) -> Canvas {
        let new = PaintJob::new(Size::new(64, 64), "the sea".into(), "fog".into(), &engine.defaults());
        let job = PaintJob {
            steps: 2,
            guidance: 3.0,
            sampler: Sampler::Euler,
            spacing: Spacing::Karras,
            seed: 5,
            loras: loras.to_vec(),
            ..new
        };
        engine.paint(&job, &mut |_, _| true).unwrap().unwrap()
    }

    #[test]
    fn pictures_depend_on_the_strengths_of_now_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (unet, text) = (folder.path().join("u.safetensors"), folder.path().join("t.safetensors"));
        write(&unet, &[UNET]);
        write(&text, &[TEXT, UNET]);
        let mut engine = engine();
        let base = paint(&mut engine, &[]);
        let of = |unet_at: f64, text_at: f64| {
            vec![
                LoraUse { file: &unet, unet: unet_at, text: 1.0 },
                LoraUse { file: &text, unet: 0.0, text: text_at },
            ]
        };
        let first = paint(&mut engine, &of(0.8, 0.5));
        let less = paint(&mut engine, &of(0.4, 0.5));
        let without_text = paint(&mut engine, &of(0.8, 0.0));
        assert!(first != base && less != first && without_text != first);
        assert!(paint(&mut engine, &of(0.0, 0.0)) == base);
        for step in 0..20 {
            engine.apply_loras(&of(f64::from(step) * 0.1 - 1.0, 0.3 * f64::from(step % 3))).unwrap();
        }
        assert!(paint(&mut engine, &of(0.8, 0.5)) == first);
        assert!(paint(&mut engine, &[]) == base);
        let mut fresh = self::engine();
        assert!(paint(&mut fresh, &of(0.8, 0.5)) == first);
        // The order of a job's LoRAs is that of the sums; with one for each network it cannot matter.
        let mut turned = of(0.8, 0.5);
        turned.reverse();
        assert!(paint(&mut fresh, &turned) == first);
    }

    #[test]
    fn a_lora_that_cannot_be_used_leaves_the_model_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (good, bad) = (folder.path().join("good.safetensors"), folder.path().join("bad.safetensors"));
        write(&good, &[UNET]);
        let mut engine = engine();
        let base = paint(&mut engine, &[]);
        let with = paint(&mut engine, &[LoraUse { file: &good, unet: 1.0, text: 1.0 }]);
        write(&bad, &["lora_unet_double_blocks_0_qkv"]);
        let error = engine.apply_loras(&[LoraUse { file: &bad, unet: 1.0, text: 1.0 }]).unwrap_err();
        assert!(error.to_string().contains("this LoRA is for Flux"), "{error}");
        let nan = Tensor::full(f32::NAN, (96, 4), &Device::Cpu).unwrap();
        let down = Tensor::zeros((4, 96), DType::F32, &Device::Cpu).unwrap();
        let broken = folder.path().join("broken.safetensors");
        let parts = [(format!("{UNET}.lora_down.weight"), down), (format!("{UNET}.lora_up.weight"), nan)];
        safetensors::serialize_to_file(parts, None, &broken).unwrap();
        let error = engine.apply_loras(&[LoraUse { file: &broken, unet: 1.0, text: 1.0 }]).unwrap_err();
        assert!(error.to_string().contains("NaN"), "{error}");
        assert!(paint(&mut engine, &[]) == base);
        assert!(paint(&mut engine, &[LoraUse { file: &good, unet: 1.0, text: 1.0 }]) == with);
    }
}
