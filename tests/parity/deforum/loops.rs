//! Whole runs of Deforum's render loop with a pattern in place of the model, against kinora's loop.
//!
//! With the rules that reproduce Deforum's defects, such as red and blue exchanged inside HSV and LAB.

mod stand_in;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kinora::camera::old_aspect_ratio;
use kinora::canvas::{Canvas, Size};
use kinora::render::frame_loop::{LoopState, Rules, StageTimes, Studio};
use kinora::schedule::deforum::Mode;
use kinora::schedule::deforum::settings::Settings;
use kinora::timeline::deforum::prompts::{PromptMode, PromptSeries};
use kinora::timeline::deforum::settings::{Series, expand_setting};
use kinora::timeline::frame::{
    Border, CadenceParams, Camera, Camera2d, Camera3d, Coherence, ColourParams, ColourReference, DepthParams,
    DepthSource, FlowMethod, FrameParams, FrameSource, HoldParams, HybridComposite, HybridMask,
    HybridMaskKind, HybridMotion, HybridParams, HybridVideo, Making, NoiseKind, NoiseParams, PerspectiveFlip,
    PromptMix, Rng, Sampling, SamplingParams, SharpenParams, ToneParams,
};
use kinora::timeline::seeds::{SeedBehaviour, SeedSequence};
use serde_json::{Value, json};
use stand_in::{Given, Pattern};

use crate::{Case, Verdict, within};

/// Allowed difference of a pixel: warps round differently by one, and the loop feeds that back.
const LARGEST: f64 = 3.0;
/// The same where histograms are matched: one step of a quantile can be several levels.
const LARGEST_MATCHED: f64 = 16.0;
/// Allowed mean difference of a frame.
const MEAN: f64 = 0.01;
/// Both where frames are blended along an estimated flow, which Deforum scales to one pixel: where two estimators
/// point differently, a pixel is off by two pixels' worth of the stand-in's slope of 8.
const FLOWING: (f64, f64) = (24.0, 1.0);
/// Both where a whole picture is moved along the flow to a throw-away painting. The stand-in's stripes of another seed
/// are no moved picture, so that there is no right flow: only the order of things is compared.
const REDONE: (f64, f64) = (255.0, 16.0);

/// All runs below `loop`.
pub fn discover(folder: &Path) -> Vec<Case> {
    let Ok(entries) = std::fs::read_dir(folder.join("loop")) else { return Vec::new() };
    let mut runs: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).collect();
    runs.sort();
    runs.into_iter().map(|run| case(folder, &run)).collect()
}

fn case(folder: &Path, run: &Path) -> Case {
    let name = run.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let recorded: Value = match std::fs::read(run.join("case.json")).map(|b| serde_json::from_slice(&b)) {
        Ok(Ok(recorded)) => recorded,
        _ => return Case::new("deforum/loop", name, || Verdict::Fail("no readable case.json".to_owned())),
    };
    if let Some(why) = unsupported(&recorded["settings_over_base"]) {
        return Case::unsupported("deforum/loop", name, why);
    }
    let (folder, run) = (folder.to_owned(), run.to_owned());
    Case::new("deforum/loop", name, move || {
        Replay::new(&folder, &recorded)
            .and_then(|mut replay| replay.compare(&run))
            .unwrap_or_else(Verdict::Fail)
    })
}

/// What the loop does not do yet.
fn unsupported(over: &Value) -> Option<String> {
    const KNOWN: [&str; 64] = [
        "diffusion_cadence",
        "optical_flow_cadence",
        "cadence_flow_factor_schedule",
        "diffusion_redo",
        "optical_flow_redo_generation",
        "redo_flow_factor_schedule",
        "color_force_grayscale",
        "legacy_colormatch",
        "color_coherence_image_path",
        "depth_algorithm",
        "aspect_ratio_schedule",
        "aspect_ratio_use_old_formula",
        "near_schedule",
        "far_schedule",
        "enable_perspective_flip",
        "perspective_flip_theta",
        "perspective_flip_phi",
        "perspective_flip_gamma",
        "perspective_flip_fv",
        "seed_iter_N",
        "init_image",
        "hybrid_composite",
        "hybrid_use_init_image",
        "hybrid_use_first_frame_as_init_image",
        "hybrid_comp_alpha_schedule",
        "hybrid_comp_mask_type",
        "hybrid_comp_mask_inverse",
        "hybrid_comp_mask_equalize",
        "hybrid_comp_mask_blend_alpha_schedule",
        "hybrid_comp_mask_contrast_schedule",
        "hybrid_comp_mask_auto_contrast",
        "hybrid_comp_mask_auto_contrast_cutoff_high_schedule",
        "hybrid_comp_mask_auto_contrast_cutoff_low_schedule",
        "animation_mode",
        "zoom",
        "angle",
        "translation_x",
        "translation_y",
        "translation_z",
        "rotation_3d_x",
        "rotation_3d_y",
        "rotation_3d_z",
        "transform_center_x",
        "transform_center_y",
        "strength_schedule",
        "strength",
        "use_init",
        "color_coherence",
        "noise_schedule",
        "noise_type",
        "amount_schedule",
        "kernel_schedule",
        "sigma_schedule",
        "threshold_schedule",
        "contrast_schedule",
        "seed_behavior",
        "seed_schedule",
        "enable_steps_scheduling",
        "steps_schedule",
        "cfg_scale_schedule",
        "border",
        "sampling_mode",
        "padding_mode",
        "fov_schedule",
    ];
    const LOGGED: [&str; 8] = [
        "enable_sampler_scheduling",
        "sampler_schedule",
        "enable_checkpoint_scheduling",
        "checkpoint_schedule",
        "enable_subseed_scheduling",
        "subseed_schedule",
        "subseed_strength_schedule",
        "use_depth_warping",
    ];
    let over = over.as_object()?;
    if let Some(key) = over.keys().find(|k| !KNOWN.contains(&k.as_str()) && !LOGGED.contains(&k.as_str())) {
        return Some(format!("setting `{key}`"));
    }
    let is = |key: &str, value: &str| over.get(key).is_some_and(|v| v == value);
    if over.get("depth_algorithm").and_then(Value::as_str).is_some_and(|name| name.ends_with("(old)")) {
        return Some("depth that is blended of two networks".to_owned());
    }
    let raft = |key: &str| is(key, "RAFT");
    if raft("optical_flow_cadence") || raft("optical_flow_redo_generation") {
        return Some("RAFT, whose weights are not there".to_owned());
    }
    if is("color_coherence", "Video Input") {
        return Some("a video that is not among the data".to_owned());
    }
    let modes = ["2D", "3D"];
    if over.get("animation_mode").is_some_and(|m| !modes.iter().any(|known| m == known)) {
        return Some(format!("animation mode {}", over["animation_mode"]));
    }
    if is("hybrid_comp_mask_type", "Depth") || is("hybrid_comp_mask_type", "Video Depth") {
        return Some("depth from a stand-in network".to_owned());
    }
    let hybrid = over.get("hybrid_composite").is_some_and(|c| c != "None" && c != false);
    if hybrid && over.get("hybrid_use_init_image") != Some(&json!(true)) {
        return Some("a video that is not among the data".to_owned());
    }
    None
}

/// A recorded run that is made again.
struct Replay {
    recorded: Value,
    settings: Settings,
    frames: u32,
    size: Size,
    seed: i64,
    prompts: PromptSeries,
    init: Option<Canvas>,
    folder: PathBuf,
    series: BTreeMap<&'static str, Series>,
}

type Outcome<T> = Result<T, String>;

impl Replay {
    fn new(folder: &Path, recorded: &Value) -> Outcome<Self> {
        let mut settings = json!({
            "noise_schedule": "0: (0)", "amount_schedule": "0: (0)", "color_coherence": "None",
            "diffusion_cadence": 1, "zoom": "0: (1)", "translation_z": "0: (0)", "legacy_colormatch": false,
        });
        for (key, value) in recorded["settings_over_base"].as_object().ok_or("no settings")? {
            settings[key.as_str()] = value.clone();
        }
        let number = |key: &str| recorded[key].as_i64().ok_or_else(|| format!("no {key}"));
        let frames = u32::try_from(number("frames")?).map_err(|e| e.to_string())?;
        let seed = number("start_seed")?;
        let keys = [("0", "first --neg bad"), ("3", "second (w:`t/10`)")];
        let keys = keys.map(|(k, p)| (k.to_owned(), p.to_owned()));
        let prompts =
            PromptSeries::new(&keys, "", "", PromptMode::Hold, frames, seed).map_err(|e| e.message)?;
        let init = match recorded["init_image"].as_str() {
            Some(name) => Some(Canvas::open(&folder.join(name)).map_err(|e| e.to_string())?),
            None => None,
        };
        Ok(Self {
            settings: Settings::read(&settings.to_string()).map_err(|e| e.message)?,
            recorded: recorded.clone(),
            frames,
            size: Size::new(number("width")? as usize, number("height")? as usize),
            seed,
            prompts,
            init,
            folder: folder.to_owned(),
            series: BTreeMap::new(),
        })
    }

    fn number(&mut self, setting: &'static str, frame: u32) -> Outcome<f64> {
        self.expand(setting)?;
        match &self.series[setting] {
            Series::Numbers(values) => Ok(values[frame as usize]),
            Series::Texts(_) => Err(format!("{setting} is a text")),
        }
    }

    fn text(&mut self, setting: &'static str, frame: u32) -> Outcome<String> {
        self.expand(setting)?;
        match &self.series[setting] {
            Series::Texts(values) => Ok(values[frame as usize].clone()),
            Series::Numbers(_) => Err(format!("{setting} is a number")),
        }
    }

    fn expand(&mut self, setting: &'static str) -> Outcome<()> {
        if !self.series.contains_key(setting) {
            let series = expand_setting(&self.settings, setting, self.frames, self.seed, Mode::Compat)
                .map_err(|e| e.message)?;
            self.series.insert(setting, series);
        }
        Ok(())
    }

    fn is(&self, setting: &str, value: &str) -> bool {
        self.settings.get(setting).is_some_and(|v| v == value)
    }

    fn on(&self, setting: &str) -> bool {
        self.settings.get(setting) == Some(&json!(true))
    }

    fn seed_at(&mut self, frame: u32) -> Outcome<i64> {
        let name = self.settings.get("seed_behavior").and_then(Value::as_str).unwrap_or("iter").to_owned();
        let every = self.whole("seed_iter_N", 1);
        let behaviour = SeedBehaviour::from_deforum(&name, every).ok_or("unknown seed behaviour")?;
        let sequence = SeedSequence::new(self.seed, behaviour);
        let index = u64::from(frame / self.cadence());
        Ok(match behaviour {
            // -1 is handed on: the web UI would draw one.
            SeedBehaviour::Schedule => self.number("seed_schedule", frame)? as i64,
            // Theirs are drawn from the clock.
            SeedBehaviour::Random if index > 0 => {
                let calls = calls_of(&self.recorded, frame);
                calls.last().and_then(|call| call["seed"].as_i64()).ok_or("no seed in the log")?
            }
            _ => sequence.seed(index),
        })
    }

    /// A whole number, which may be written as a text.
    fn whole(&self, setting: &str, default: u32) -> u32 {
        let value = self.settings.get(setting);
        let number = value.and_then(|v| v.as_f64().or_else(|| v.as_str()?.trim().parse().ok()));
        number.map_or(default, |n| n as u32)
    }

    fn cadence(&self) -> u32 {
        self.whole("diffusion_cadence", 1).max(1)
    }

    fn flow_method(&self, setting: &str) -> Option<FlowMethod> {
        match self.settings.get(setting).and_then(Value::as_str) {
            Some("DIS Medium") => Some(FlowMethod::DisMedium),
            Some("DIS Fine") => Some(FlowMethod::DisFine),
            Some("Farneback") => Some(FlowMethod::Farneback),
            _ => None,
        }
    }

    fn cadence_at(&mut self, frame: u32) -> Outcome<CadenceParams> {
        let length = self.cadence();
        let painted = frame - frame % length;
        // Theirs is read at the next painted frame; there is none behind the last.
        let next = (painted + length).min(self.frames - 1);
        Ok(CadenceParams {
            step: frame - painted,
            length,
            opens: painted == 0,
            flow: self.flow_method("optical_flow_cadence"),
            flow_factor: self.number("cadence_flow_factor_schedule", next)?,
            redo: self.whole("diffusion_redo", 0),
            redo_flow: self.flow_method("optical_flow_redo_generation"),
            redo_flow_factor: self.number("redo_flow_factor_schedule", painted)?,
        })
    }

    fn flip(&mut self, frame: u32) -> Outcome<Option<PerspectiveFlip>> {
        if !self.on("enable_perspective_flip") {
            return Ok(None);
        }
        Ok(Some(PerspectiveFlip {
            theta: self.number("perspective_flip_theta", frame)?,
            phi: self.number("perspective_flip_phi", frame)?,
            gamma: self.number("perspective_flip_gamma", frame)?,
            fv: self.number("perspective_flip_fv", frame)?,
        }))
    }

    /// What the depth of a run means.
    fn relief(&self) -> DepthParams {
        // One algorithm sees what is near as large, the others as small.
        let inverse = self.settings.get("depth_algorithm").is_none_or(|name| name == "Midas-3-Hybrid");
        let (near, far) = if inverse { (1.0, 2.0) } else { (2.0, 1.0) };
        DepthParams { near, far, equalise: true, steady: None, ..DepthParams::default() }
    }

    fn camera(&mut self, frame: u32) -> Outcome<Camera> {
        let flip = self.flip(frame)?;
        if !self.is("animation_mode", "3D") {
            // Deforum loses the translation when the flip is on.
            let kept = if flip.is_some() { 0.0 } else { 1.0 };
            return Ok(Camera::Flat(Camera2d {
                zoom: self.number("zoom", frame)?,
                angle: self.number("angle", frame)?,
                translation_x: kept * self.number("translation_x", frame)?,
                translation_y: kept * self.number("translation_y", frame)?,
                center_x: self.number("transform_center_x", frame)?,
                center_y: self.number("transform_center_y", frame)?,
                flip,
                ..Camera2d::STILL
            }));
        }
        let three = |replay: &mut Self, names: [&'static str; 3]| -> Outcome<[f64; 3]> {
            Ok([
                replay.number(names[0], frame)?,
                replay.number(names[1], frame)?,
                replay.number(names[2], frame)?,
            ])
        };
        Ok(Camera::Deep(Camera3d {
            translation: three(self, ["translation_x", "translation_y", "translation_z"])?,
            rotation: three(self, ["rotation_3d_x", "rotation_3d_y", "rotation_3d_z"])?,
            fov: self.number("fov_schedule", frame)?,
            aspect_ratio: if self.on("aspect_ratio_use_old_formula") {
                old_aspect_ratio(self.size)
            } else {
                self.number("aspect_ratio_schedule", frame)?
            },
            sampling: match self.settings.get("sampling_mode").and_then(Value::as_str) {
                Some("bilinear") => Sampling::Bilinear,
                Some("nearest") => Sampling::Nearest,
                _ => Sampling::Bicubic,
            },
            flip,
            ..Camera3d::STILL
        }))
    }

    fn border(&self) -> Border {
        let setting = if self.is("animation_mode", "3D") { "padding_mode" } else { "border" };
        match self.settings.get(setting).and_then(Value::as_str) {
            Some("wrap") => Border::Wrap,
            Some("reflection") => Border::Reflect,
            Some("zeros") => Border::Zeros,
            _ => Border::Replicate,
        }
    }

    /// The init picture in the video's place.
    fn hybrid(&mut self, frame: u32) -> Outcome<Option<HybridParams>> {
        let word = |setting: &str| {
            let value = self.settings.get(setting).and_then(Value::as_str).unwrap_or("None");
            value.to_owned()
        };
        let composite = match word("hybrid_composite").as_str() {
            "Normal" => HybridComposite::Normal,
            "Before Motion" => HybridComposite::BeforeMotion,
            "After Generation" => HybridComposite::AfterGeneration,
            _ => return Ok(None),
        };
        let (kind, equalize) = (word("hybrid_comp_mask_type"), word("hybrid_comp_mask_equalize"));
        let kind = match kind.as_str() {
            "Blend" => {
                Some(HybridMaskKind::Blend(self.number("hybrid_comp_mask_blend_alpha_schedule", frame)?))
            }
            "Difference" => Some(HybridMaskKind::Difference),
            _ => None,
        };
        let stretched = self.on("hybrid_comp_mask_auto_contrast");
        let mut cutoff = |setting| self.number(setting, frame).map(f64::trunc);
        let cutoffs = (
            cutoff("hybrid_comp_mask_auto_contrast_cutoff_low_schedule")?,
            cutoff("hybrid_comp_mask_auto_contrast_cutoff_high_schedule")?,
        );
        let contrast = self.number("hybrid_comp_mask_contrast_schedule", frame)?;
        let mask = kind.map(|kind| HybridMask {
            kind,
            inverse: self.on("hybrid_comp_mask_inverse"),
            equalize_before: matches!(equalize.as_str(), "Before" | "Both"),
            equalize_after: matches!(equalize.as_str(), "After" | "Both"),
            contrast,
            auto_contrast: stretched.then_some(cutoffs),
        });
        Ok(Some(HybridParams {
            video: HybridVideo::Still(PathBuf::new()),
            composite,
            alpha: self.number("hybrid_comp_alpha_schedule", frame)?,
            mask,
            motion: HybridMotion::None,
            from_generated: false,
        }))
    }

    fn params(&mut self, frame: u32) -> Outcome<FrameParams> {
        let shown = frame;
        let frame = shown - shown % self.cadence();
        let with_init = self.init.is_some();
        let slider = self.settings.get("strength").and_then(Value::as_f64).unwrap_or(0.8);
        let strength =
            if frame == 0 { slider } else { self.number("strength_schedule", frame)?.clamp(0.0, 1.0) };
        let unclamped = self.number("strength_schedule", frame)?;
        let prompt = self.prompts.at(frame).map_err(|e| e.message)?;
        let perlin = self.is("noise_type", "perlin");
        let scheduled = self.on("enable_steps_scheduling");
        Ok(FrameParams {
            frame: shown,
            scene: 0,
            cut: shown == 0,
            source: if with_init { FrameSource::Init(PathBuf::new()) } else { FrameSource::Previous },
            camera: self.camera(shown)?,
            border: self.border(),
            fill: None,
            depth: if self.on("use_depth_warping") { DepthSource::Network(None) } else { DepthSource::Flat },
            relief: self.relief(),
            colour: ColourParams {
                coherence: match self.settings.get("color_coherence").and_then(Value::as_str) {
                    Some("LAB" | "Image") => Coherence::Lab,
                    Some("HSV") => Coherence::Hsv,
                    Some("RGB") => Coherence::Rgb,
                    _ => Coherence::None,
                },
                contrast: self.number("contrast_schedule", frame)?,
                sharpen: SharpenParams {
                    amount: self.number("amount_schedule", frame)?,
                    kernel: self.number("kernel_schedule", frame)? as u32,
                    sigma: self.number("sigma_schedule", frame)?,
                    threshold: self.number("threshold_schedule", frame)?,
                },
            },
            noise: NoiseParams {
                amount: self.number("noise_schedule", frame)?,
                kind: if perlin {
                    NoiseKind::Perlin { width: 8, height: 8, octaves: 4, persistence: 0.5 }
                } else {
                    NoiseKind::Uniform
                },
            },
            hold: if self.is("color_coherence", "Image") {
                let path = self.settings.get("color_coherence_image_path").and_then(Value::as_str);
                let reference = ColourReference::Picture(PathBuf::from(path.unwrap_or_default()));
                HoldParams { reference, ..HoldParams::default() }
            } else {
                HoldParams::default()
            },
            making: Making::default(),
            sampling: SamplingParams {
                model: None,
                vae: None,
                sampler: None,
                spacing: None,
                steps: Some(if scheduled { self.number("steps_schedule", frame)? as u32 } else { 25 }),
                guidance: Some(self.number("cfg_scale_schedule", frame)?),
                strength,
                seed: self.seed_at(frame)?,
                subseed: 1,
                subseed_strength: 0.0,
                seed_walk: false,
                rng: Rng::Cpu,
                eta: None,
                ddim_eta: None,
                s_noise: 1.0,
                eta_noise_seed_delta: 0,
                clip_skip: 1,
            },
            prompt: PromptMix::plain(prompt.prepared),
            negative: PromptMix::plain(prompt.negative),
            guide: None,
            hybrid: self.hybrid(frame)?,
            mask: None,
            closing: None,
            controls: Vec::new(),
            cadence: self.cadence_at(shown)?,
            tone: ToneParams {
                grayscale: self.on("color_force_grayscale"),
                legacy_match: self.on("legacy_colormatch"),
                renews_reference: unclamped == 0.0,
            },
        })
    }

    /// Runs the loop; the log must agree exactly, the pictures within the tolerance.
    fn compare(&mut self, run: &Path) -> Outcome<Verdict> {
        let matched = !self.is("color_coherence", "None");
        let limit = if matched { LARGEST_MATCHED } else { LARGEST };
        let redone = self.flow_method("optical_flow_redo_generation").is_some();
        let flowing = self.flow_method("optical_flow_cadence").is_some();
        let (limit, most) = match (redone, flowing) {
            (true, _) => REDONE,
            (_, true) => FLOWING,
            _ => (limit, MEAN),
        };
        let calls = self.recorded["generate_calls"].as_array().cloned().ok_or("no log")?;
        let painted = Rc::new(Cell::new(0));
        let mut painter = Pattern { calls, painted: Rc::clone(&painted) };
        let mut sources = Given { init: self.init.clone(), folder: self.folder.clone() };
        let mut studio = Studio {
            painter: &mut painter,
            sources: &mut sources,
            size: self.size,
            rules: Rules::DEFORUM,
            times: StageTimes::default(),
        };
        let mut state = LoopState::default();
        let mut worst: f64 = 0.0;
        // The last picture that is painted with a cadence is never seen.
        let last = (self.frames - 1) / self.cadence() * self.cadence();
        let written = if self.cadence() > 1 { last } else { self.frames };
        let theirs = (0..written).map(|frame| json!(frame)).collect::<Vec<_>>();
        if self.recorded["frames_written"].as_array().is_some_and(|known| *known != theirs) {
            return Err(format!(
                "{} frames are written here, there {}",
                written, self.recorded["frames_written"]
            ));
        }
        for frame in 0..=last.max(written - 1) {
            let params = self.params(frame)?;
            let before = painted.get();
            let made = studio.frame(&params, &mut state, &mut |_, _| true).map_err(|e| e.to_string())?;
            let made = made.ok_or("the painter gave up")?;
            let logged = calls_of(&self.recorded, frame);
            if painted.get() - before != logged.len() {
                let found = painted.get() - before;
                return Err(format!("frame {frame}: painted {found} times, expected {}", logged.len()));
            }
            if let Some(call) = logged.last() {
                self.log_agrees(frame, &params, call)?;
            }
            if frame >= written {
                continue;
            }
            let theirs = Canvas::open(&run.join(format!("{frame:03}.png"))).map_err(|e| e.to_string())?;
            let differences =
                made.canvas.as_rgb8().iter().zip(theirs.as_rgb8()).map(|(a, b)| f64::from(a.abs_diff(*b)));
            let (largest, sum) = differences.fold((0.0f64, 0.0), |(m, s), d| (m.max(d), s + d));
            let mean = sum / theirs.as_rgb8().len() as f64;
            if mean > most {
                return Ok(Verdict::Fail(format!(
                    "frame {frame}: mean difference {mean:.4}, allowed {most}"
                )));
            }
            worst = worst.max(largest);
        }
        Ok(within(worst, limit))
    }

    fn log_agrees(&mut self, frame: u32, params: &FrameParams, log: &Value) -> Outcome<()> {
        let sampling = &params.sampling;
        let mut ours = json!({
            "frame": frame,
            "seed": sampling.seed,
            "strength": sampling.strength,
            "has_init": frame > 0 || self.init.is_some(),
            "steps": sampling.steps,
            "scale": sampling.guidance,
            "prompt": params.prompt.to_string(),
            "sampler": null, "checkpoint": null, "subseed": -1, "subseed_strength": 0.0,
        });
        if self.on("enable_sampler_scheduling") {
            ours["sampler"] = json!(self.text("sampler_schedule", frame)?.to_lowercase());
        }
        if self.on("enable_checkpoint_scheduling") {
            ours["checkpoint"] = json!(self.text("checkpoint_schedule", frame)?);
        }
        if self.on("enable_subseed_scheduling") {
            ours["subseed"] = json!(self.number("subseed_schedule", frame)? as i64);
            ours["subseed_strength"] = json!(self.number("subseed_strength_schedule", frame)?);
        }
        for (key, theirs) in log.as_object().ok_or("no log of this frame")? {
            let same = match (theirs.as_f64(), ours[key.as_str()].as_f64()) {
                (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
                _ => *theirs == ours[key.as_str()],
            };
            if !same {
                return Err(format!("frame {frame}: {key} is {}, expected {theirs}", ours[key.as_str()]));
            }
        }
        Ok(())
    }
}

/// The logged calls of a frame; the last one is the one that counts.
fn calls_of(recorded: &Value, frame: u32) -> Vec<Value> {
    let calls = recorded["generate_calls"].as_array().cloned().unwrap_or_default();
    calls.into_iter().filter(|call| call["frame"].as_u64() == Some(u64::from(frame))).collect()
}
