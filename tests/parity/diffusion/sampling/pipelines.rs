//! Whole runs with small networks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{Device, Tensor};
use kinora::canvas::{Canvas, Size};
use kinora::diffusion::controlnet::ControlNet;
use kinora::diffusion::engine::{Engine, MaskFill, PaintJob, PaintMask};
use kinora::diffusion::guidance::{Conditioning, ControlMode, ControlUnit, GuidedDenoiser, Inpaint};
use kinora::diffusion::img2img::{webui_steps, webui_tail};
use kinora::diffusion::sampler::{Denoiser, Predictor, Sampler, VpDenoiser, ddim, resolve};
use kinora::diffusion::sigmas::{BetaPrecision, NoiseSchedule, SchedulerConfig, Spacing, TimestepSpacing};
use kinora::diffusion::unet::{AddedCond, UNet};
use kinora::diffusion::vae::Autoencoder;
use kinora::models::ModelFolder;

use super::timesteps::descend;
use super::{Data, case, compare, relative, states, values, worse};
use crate::{Case, within};

const KIND: &str = "diffusion/pipelines";
/// The peers' own runs differ by 7e-6 between f32 and f64; the README suggests this limit.
const LIMIT: f64 = 1e-3;

pub fn discover(folder: &Path, data: &Arc<Data>) -> Vec<Case> {
    let mut stems: Vec<String> = data.stems(".x");
    stems.retain(|stem| !stem.starts_with("reference."));
    stems.sort();
    let mut cases: Vec<Case> = stems.iter().map(|stem| one(folder, stem, data)).collect();
    for stem in data.stems(".decoded") {
        let (folder, name) = (folder.to_owned(), stem.clone());
        let run = move |data: &Data| decoded(&folder, data, &name);
        cases.push(case(KIND, &format!("{stem}.decoded"), data, run, LIMIT));
    }
    if data.tensors.contains_key("i2i.init") {
        let folder = folder.to_owned();
        cases.push(case(KIND, "i2i.init", data, move |data| encoded(&folder, data), LIMIT));
    }
    cases.extend(engines(folder));
    cases
}

/// Every model folder loads and paints; the weights are random, so that only the way is tested.
fn engines(folder: &Path) -> Vec<Case> {
    let entries = std::fs::read_dir(folder.join("models")).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|e| e.path()).filter(|p| p.join("model_index.json").is_file()).collect();
    folders.sort();
    let case = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Case::new("diffusion/engine", name, move || {
            let mut engine = Engine::load(&ModelFolder::open(&path).unwrap(), &[], &Device::Cpu).unwrap();
            let defaults = engine.defaults();
            let prompt = "a (red:1.2) fox".into();
            let new = PaintJob::new(Size::new(64, 64), prompt, "".into(), &defaults);
            let job = PaintJob { steps: 2, seed: 1, ..new };
            let mut paint = || engine.paint(&job, &mut |_, _| true).unwrap().unwrap();
            let same = paint() == paint();
            within(if same { 0.0 } else { f64::NAN }, 0.0)
        })
    };
    let inpainting = folder.join("models/sd15_inpaint/unet");
    let whole = folder.join("models/sd15");
    let mut cases: Vec<Case> = folders.into_iter().map(case).collect();
    if inpainting.is_dir() && whole.is_dir() {
        cases.push(Case::new("diffusion/engine", "sd15_inpaint", move || inpainted(&whole, &inpainting)));
    }
    cases
}

/// A model for inpainting, made of another one's parts, with a mask and without.
fn inpainted(whole: &Path, unet: &Path) -> crate::Verdict {
    let folder = tempfile::tempdir().unwrap();
    let parts = std::fs::read_dir(whole).unwrap().flatten().map(|entry| entry.path());
    for part in parts.filter(|part| !part.ends_with("unet")).chain([unet.to_owned()]) {
        copy(&part, &folder.path().join(part.file_name().unwrap()));
    }
    let mut engine = Engine::load(&ModelFolder::open(folder.path()).unwrap(), &[], &Device::Cpu).unwrap();
    assert!(engine.is_inpainting_model());
    let size = Size::new(64, 64);
    let picture = |value: fn(usize) -> u8| {
        Canvas::from_rgb8(size, (0..size.area()).flat_map(|i| [value(i); 3]).collect())
    };
    let (init, other) = (picture(|i| (i * 3 % 256) as u8), picture(|i| (i / 16 % 256) as u8));
    let mask = picture(|i| if i % 64 < 32 { 255 } else { 0 });
    let new = PaintJob::new(size, "a fox".into(), "".into(), &engine.defaults());
    let new = PaintJob { steps: 2, ..new };
    let masked = |init| PaintJob {
        init: Some(init),
        mask: Some(PaintMask { mask: &mask, fill: MaskFill::Original, blur: 0.0, region: None, soft: false }),
        ..new.clone()
    };
    let mut paint = |job: &PaintJob| engine.paint(job, &mut |_, _| true).unwrap().unwrap();
    let (first, second, third) = (paint(&masked(&init)), paint(&masked(&other)), paint(&new));
    let right = |canvas: &Canvas| (0..64).all(|y| (32..64).all(|x| canvas.pixel(x, y) == init.pixel(x, y)));
    // At full strength nothing of the picture is left in the start but what the UNet is shown of it.
    let left = |canvas: &Canvas| -> Vec<_> { (0..64).map(|y| canvas.pixel(8, y)).collect() };
    let fine = right(&first) && left(&first) != left(&second) && left(&first) != left(&third);
    within(if fine { 0.0 } else { f64::NAN }, 0.0)
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

/// Which model a run was made with, and what was special about it.
struct Recipe {
    name: String,
    folder: PathBuf,
    model: &'static str,
    sampler: Sampler,
    kind: Kind,
}

enum Kind {
    /// From noise: the spacing.
    Text(Spacing),
    /// From a picture: spacing, strength, and whether the number of steps is kept.
    Picture(Spacing, f64, bool),
    /// From a picture with sd-webui's DDIM: strength.
    Ddim(f64),
    /// The rest of the picture is put back at each step.
    Blend,
    /// The UNet sees mask and masked picture.
    NineChannels,
    /// ControlNets: weight, window, mode.
    Control(Vec<(f64, f64, f64, ControlMode)>),
}

fn one(folder: &Path, stem: &str, data: &Arc<Data>) -> Case {
    let Some((model, sampler, kind)) = read_name(stem) else {
        return Case::unsupported(KIND, stem, "a run of an unknown name");
    };
    let recipe = Recipe { name: stem.to_owned(), folder: folder.to_owned(), model, sampler, kind };
    case(KIND, stem, data, move |data| recipe.run(data), LIMIT)
}

fn read_name(stem: &str) -> Option<(&'static str, Sampler, Kind)> {
    let (what, rest) = stem.split_once('.')?;
    let rest = rest.strip_prefix("blend.").unwrap_or(rest);
    let (rest, model) = match rest.split_once('.') {
        Some(("sd2v", tail)) => (tail, "sd2v"),
        Some(("sdxl", tail)) => (tail, "sdxl"),
        _ if rest == "sdxl" => (rest, "sdxl"),
        _ => (rest, "sd15"),
    };
    if what == "control" {
        // The names do not say the sampler; see `Recipe::control_sampler`.
        return Some((model, Sampler::EulerA, Kind::Control(read_control(rest)?)));
    }
    let (rest, strength) = match rest.rsplit_once(".s") {
        Some((head, s)) => (head, s.parse::<f64>().ok()),
        None => (rest, None),
    };
    let (rest, fixed) = rest.strip_prefix("fixsteps.").map_or((rest, false), |tail| (tail, true));
    let (name, spacing) = match rest.split_once('.') {
        Some((name, spacing)) => (name, Spacing::from_name(spacing)?),
        None => (rest, Spacing::Uniform),
    };
    let sampler = resolve(name)?.0;
    let kind = match (what, strength) {
        ("t2i", None) => Kind::Text(spacing),
        ("i2i", Some(s)) if sampler == Sampler::Ddim => Kind::Ddim(s),
        ("i2i", Some(s)) => Kind::Picture(spacing, s, fixed),
        ("inpaint", None) => Kind::Blend,
        ("inpaint9", None) => Kind::NineChannels,
        _ => return None,
    };
    Some((model, sampler, kind))
}

fn read_control(rest: &str) -> Option<Vec<(f64, f64, f64, ControlMode)>> {
    match rest {
        "sdxl" => return Some(vec![(1.0, 0.0, 1.0, ControlMode::Balanced)]),
        // The data does not name the settings; these reproduce each of its steps.
        "two_units" => {
            return Some(vec![(0.8, 0.0, 1.0, ControlMode::Balanced), (0.4, 0.0, 0.5, ControlMode::Prompt)]);
        }
        _ => {}
    }
    let (numbers, mode) = rest.strip_prefix('w')?.rsplit_once('.')?;
    let (numbers, end) = numbers.split_once('-')?;
    // w0.5.0.2-0.7: weight and start have one dot each.
    let mut parts = numbers.splitn(3, '.');
    let weight = format!("{}.{}", parts.next()?, parts.next()?).parse().ok()?;
    let mode = match mode {
        "balanced" => ControlMode::Balanced,
        "prompt" => ControlMode::Prompt,
        "control" => ControlMode::Control,
        _ => return None,
    };
    Some(vec![(weight, parts.next()?.parse().ok()?, end.parse().ok()?, mode)])
}

impl Recipe {
    fn models(&self) -> PathBuf {
        self.folder.join("models")
    }

    fn run(&self, data: &Data) -> f64 {
        let schedule = schedule(&self.models().join(self.model).join("scheduler/scheduler_config.json"));
        let unet = match self.kind {
            Kind::NineChannels => self.models().join("sd15_inpaint/unet"),
            _ => self.models().join(self.model).join("unet"),
        };
        let unet = UNet::load(&ModelFolder::open(&unet).unwrap(), &Device::Cpu).unwrap();
        let wanted = data.rows(&format!("{}.x", self.name));
        let nets = self.controlnets();
        let model =
            GuidedDenoiser::new(&unet, &schedule, self.conditioning(data), wanted.len(), Path::new("oracle"))
                .with_controls(self.units(data, &nets));
        let mut model = match self.kind {
            Kind::Blend => model.with_inpaint(Inpaint::Blend {
                keep: data.tensor("mask.keep").clone(),
                init: data.tensor("i2i.init").clone(),
            }),
            Kind::NineChannels => model.with_inpaint(Inpaint::Channels(
                data.tensor("inpaint9.concat_mask_then_masked_latent").clone(),
            )),
            _ => model,
        };
        if let Kind::Ddim(strength) = self.kind {
            return self.run_ddim(data, &schedule, &mut model, &wanted, strength);
        }
        let sigmas = data.list(&format!("{}.sigmas", self.name));
        let (start, grid) = self.start(data, &sigmas, &schedule);
        let x = wanted[0].clone();
        let noise = data.noise(&format!("{}.noise", self.name));
        let sampler = self.control_sampler(noise.left());
        let mut found =
            states(&mut model as &mut dyn Denoiser, noise, |run| sampler.sample(run, x, &sigmas, &schedule));
        let out = model.keep(found.pop().unwrap(), 0.0).unwrap();
        let out = relative(&values(&out), &data.list(&format!("{}.out", self.name)));
        worse(worse(start, grid), worse(out, compare(&found, &wanted, |i| i)))
    }

    /// Runs with controls are Euler a where noise is recorded, else DPM++ 2M.
    fn control_sampler(&self, draws: usize) -> Sampler {
        if matches!(self.kind, Kind::Control(_)) && draws == 0 { Sampler::Dpmpp2m } else { self.sampler }
    }

    /// Errors of the first state and of the levels, where their rule is known.
    fn start(&self, data: &Data, sigmas: &[f64], schedule: &NoiseSchedule) -> (f64, f64) {
        let scaled = (data.tensor("noise0") * sigmas[0]).unwrap();
        let first = data.rows(&format!("{}.x", self.name))[0].clone();
        let steps = |key: &str| data.json["steps"][key].as_u64().unwrap() as usize;
        match self.kind {
            Kind::Text(spacing) => {
                let own = self.sampler.sigmas(steps("t2i"), spacing, schedule);
                (relative(&values(&scaled), &values(&first)), relative(&own, sigmas))
            }
            Kind::Picture(spacing, strength, fixed) => {
                let x = (data.tensor("i2i.init") + scaled).unwrap();
                let (n, run) =
                    webui_steps(if fixed { sigmas.len() - 1 } else { steps("i2i") }, strength, fixed);
                let own = self.sampler.sigmas(n, spacing, schedule);
                (relative(&values(&x), &values(&first)), relative(webui_tail(&own, run), sigmas))
            }
            _ => (0.0, 0.0),
        }
    }

    fn run_ddim(
        &self,
        data: &Data,
        schedule: &NoiseSchedule,
        model: &mut GuidedDenoiser,
        wanted: &[Tensor],
        strength: f64,
    ) -> f64 {
        let n = data.json["steps"]["i2i"].as_u64().unwrap() as usize;
        let mut timesteps = TimestepSpacing::Ddim.timesteps(n, schedule.sigmas().len());
        timesteps.reverse();
        // sd-webui keeps the lowest of the timesteps, and begins at the level of the next one.
        let run = webui_steps(n, strength, false).1 - 1;
        let alpha = schedule.alpha_at(timesteps[run] as f64);
        let init = (data.tensor("i2i.init") * alpha.sqrt()).unwrap();
        let x = (init + (data.tensor("noise0") * (1.0 - alpha).sqrt()).unwrap()).unwrap();
        let kept: Vec<f64> = timesteps[..run].iter().map(|t| *t as f64).collect();
        let hops = descend(&kept, schedule);
        let mut model = VpDenoiser(model);
        let found =
            states(&mut model as &mut dyn Predictor, data.noise("none"), |run| ddim(run, x, &hops, 0.0));
        compare(&found, wanted, |i| i)
    }

    fn conditioning(&self, data: &Data) -> Conditioning {
        let rows = |a: &str, b: &str| Tensor::cat(&[data.tensor(a), data.tensor(b)], 0).unwrap();
        if self.model != "sdxl" {
            let guidance = data.json["cfg"].as_f64().unwrap();
            return Conditioning { context: rows("cond", "uncond"), added: None, guidance, parts: None };
        }
        Conditioning {
            context: rows("sdxl.cond", "sdxl.uncond"),
            added: Some(AddedCond {
                text_embeds: data.tensor("sdxl.text_embeds_cond_uncond").clone(),
                time_ids: data.tensor("sdxl.time_ids").clone(),
            }),
            guidance: data.json["cfg_sdxl"].as_f64().unwrap(),
            parts: None,
        }
    }

    fn controlnets(&self) -> BTreeMap<&'static str, ControlNet> {
        let folder = match (&self.kind, self.model) {
            (Kind::Control(_), "sdxl") => "controlnet_sdxl_depth",
            (Kind::Control(_), _) => "controlnet_sd15_depth",
            _ => return BTreeMap::new(),
        };
        let folder = ModelFolder::open(&self.models().join(folder)).unwrap();
        BTreeMap::from([("depth", ControlNet::load(&folder, &Device::Cpu).unwrap())])
    }

    fn units<'a>(&self, data: &Data, nets: &'a BTreeMap<&'static str, ControlNet>) -> Vec<ControlUnit<'a>> {
        let Kind::Control(settings) = &self.kind else { return Vec::new() };
        let unit = |(i, (weight, start, end, mode)): (usize, &(f64, f64, f64, ControlMode))| ControlUnit {
            net: &nets["depth"],
            hint: data.tensor(if i == 0 { "control.hint01" } else { "control.hint01_second" }).clone(),
            weight: *weight,
            start: *start,
            end: *end,
            mode: *mode,
        };
        settings.iter().enumerate().map(unit).collect()
    }
}

/// The noise that a model was trained with.
pub fn schedule(file: &Path) -> NoiseSchedule {
    let config: SchedulerConfig = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    NoiseSchedule::with_precision(&config, BetaPrecision::F64).unwrap()
}

fn autoencoder(folder: &Path) -> Autoencoder {
    let folder = ModelFolder::open(&folder.join("models/sd15/vae")).unwrap();
    Autoencoder::load(&folder, &Device::Cpu).unwrap()
}

fn decoded(folder: &Path, data: &Data, name: &str) -> f64 {
    let picture = autoencoder(folder).decode(data.tensor(&format!("{name}.out"))).unwrap();
    relative(&values(&picture), &data.list(&format!("{name}.decoded")))
}

/// The latent of the first picture: a draw of the autoencoder's distribution with recorded noise.
fn encoded(folder: &Path, data: &Data) -> f64 {
    let Autoencoder::Kl(vae) = autoencoder(folder) else { panic!("expected an AutoencoderKL") };
    let posterior = vae.encode(data.tensor("i2i.image")).unwrap();
    let drawn = (posterior.mean + (posterior.std * data.tensor("i2i.vae_noise")).unwrap()).unwrap();
    let scale = data.json["latents_scale"].as_f64().unwrap();
    relative(&values(&(drawn * scale).unwrap()), &data.list("i2i.init"))
}
