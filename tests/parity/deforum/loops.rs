//! Whole runs of Deforum's render loop with a pattern in place of the model, against kinora's loop.
//!
//! With the rules that reproduce Deforum's defects, such as red and blue exchanged inside HSV and LAB.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kinora::canvas::{Canvas, DepthMap, Size};
use kinora::error::Result;
use kinora::render::frame_loop::{LoopState, Rules, StageTimes, Studio};
use kinora::render::seams::{PaintRequest, Painter, Sources};
use kinora::schedule::deforum::Mode;
use kinora::schedule::deforum::settings::Settings;
use kinora::timeline::deforum::prompts::{PromptMode, PromptSeries};
use kinora::timeline::deforum::settings::{Series, expand_setting};
use kinora::timeline::frame::{
    Border, Camera, Camera2d, Camera3d, Coherence, ColourParams, DepthParams, DepthSource, Fit, FrameParams,
    FrameSource, HoldParams, HybridComposite, HybridMask, HybridMaskKind, HybridMotion, HybridParams,
    HybridVideo, Making, NoiseKind, NoiseParams, PromptMix, Rng, Sampling, SamplingParams, SharpenParams,
};
use kinora::timeline::seeds::{SeedBehaviour, SeedSequence};
use serde_json::{Value, json};

use crate::{Case, Verdict, within};

/// Allowed difference of a pixel: warps round differently by one, and the loop feeds that back.
const LARGEST: f64 = 3.0;
/// The same where histograms are matched: one step of a quantile can be several levels.
const LARGEST_MATCHED: f64 = 16.0;
/// Allowed mean difference of a frame.
const MEAN: f64 = 0.01;

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
    const KNOWN: [&str; 43] = [
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
    let deep = is("animation_mode", "3D");
    if deep && over.get("use_depth_warping") != Some(&json!(false)) {
        return Some("depth from a stand-in network".to_owned());
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
    let matched = over.get("color_coherence").is_some_and(|c| c != "None");
    if matched && over.get("use_init") == Some(&json!(true)) {
        return Some("colour anchor of a run that begins with a picture".to_owned());
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
    series: BTreeMap<&'static str, Series>,
}

type Outcome<T> = std::result::Result<T, String>;

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
        let behaviour = SeedBehaviour::from_deforum(&name, 1).ok_or("unknown seed behaviour")?;
        let sequence = SeedSequence::new(self.seed, behaviour);
        Ok(match behaviour {
            SeedBehaviour::Schedule => {
                sequence.scheduled(self.number("seed_schedule", frame)?, u64::from(frame))
            }
            _ => sequence.seed(u64::from(frame)),
        })
    }

    fn camera(&mut self, frame: u32) -> Outcome<Camera> {
        if !self.is("animation_mode", "3D") {
            return Ok(Camera::Flat(Camera2d {
                zoom: self.number("zoom", frame)?,
                angle: self.number("angle", frame)?,
                translation_x: self.number("translation_x", frame)?,
                translation_y: self.number("translation_y", frame)?,
                center_x: self.number("transform_center_x", frame)?,
                center_y: self.number("transform_center_y", frame)?,
                flip: None,
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
            zoom: 1.0,
            aspect_ratio: self.number("aspect_ratio_schedule", frame)?,
            sampling: match self.settings.get("sampling_mode").and_then(Value::as_str) {
                Some("bilinear") => Sampling::Bilinear,
                Some("nearest") => Sampling::Nearest,
                _ => Sampling::Bicubic,
            },
            flip: None,
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
        let with_init = self.init.is_some();
        let slider = self.settings.get("strength").and_then(Value::as_f64).unwrap_or(0.8);
        let strength =
            if frame == 0 { slider } else { self.number("strength_schedule", frame)?.clamp(0.0, 1.0) };
        let prompt = self.prompts.at(frame).map_err(|e| e.message)?;
        let perlin = self.is("noise_type", "perlin");
        let scheduled = self.on("enable_steps_scheduling");
        Ok(FrameParams {
            frame,
            scene: 0,
            cut: frame == 0,
            source: if with_init { FrameSource::Init(PathBuf::new()) } else { FrameSource::Previous },
            camera: self.camera(frame)?,
            border: self.border(),
            fill: None,
            depth: DepthSource::Flat,
            relief: DepthParams::default(),
            colour: ColourParams {
                coherence: match self.settings.get("color_coherence").and_then(Value::as_str) {
                    Some("LAB") => Coherence::Lab,
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
            hold: HoldParams::default(),
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
            controls: Vec::new(),
        })
    }

    /// Runs the loop; the log must agree exactly, the pictures within the tolerance.
    fn compare(&mut self, run: &Path) -> Outcome<Verdict> {
        let matched = !self.is("color_coherence", "None");
        let limit = if matched { LARGEST_MATCHED } else { LARGEST };
        let mut painter = Pattern;
        let mut sources = Given(self.init.clone());
        let mut studio = Studio {
            painter: &mut painter,
            sources: &mut sources,
            size: self.size,
            rules: Rules::DEFORUM,
            times: StageTimes::default(),
        };
        let mut state = LoopState::default();
        let mut worst: f64 = 0.0;
        for frame in 0..self.frames {
            let params = self.params(frame)?;
            self.log_agrees(frame, &params)?;
            let made = studio.frame(&params, &mut state, &mut |_, _| true).map_err(|e| e.to_string())?;
            let made = made.ok_or("the painter gave up")?;
            let theirs = Canvas::open(&run.join(format!("{frame:03}.png"))).map_err(|e| e.to_string())?;
            let differences =
                made.canvas.as_rgb8().iter().zip(theirs.as_rgb8()).map(|(a, b)| f64::from(a.abs_diff(*b)));
            let (largest, sum) = differences.fold((0.0f64, 0.0), |(m, s), d| (m.max(d), s + d));
            let mean = sum / theirs.as_rgb8().len() as f64;
            if mean > MEAN {
                return Ok(Verdict::Fail(format!(
                    "frame {frame}: mean difference {mean:.4}, allowed {MEAN}"
                )));
            }
            worst = worst.max(largest);
        }
        Ok(within(worst, limit))
    }

    fn log_agrees(&mut self, frame: u32, params: &FrameParams) -> Outcome<()> {
        let log = self.recorded["generate_calls"][frame as usize].clone();
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

/// The recorded runs' stand-in for a model (see the data's README).
struct Pattern;

impl Painter for Pattern {
    fn paint(
        &mut self,
        request: &PaintRequest<'_>,
        _watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        let params = request.params;
        let (seed, strength) = (params.sampling.seed.rem_euclid(1 << 32), params.sampling.strength);
        let triangle = |v: i64| match v.rem_euclid(512) {
            v if v > 255 => 511 - v,
            v => v,
        };
        let mut canvas = Canvas::filled(request.size, [0; 3]);
        let width = request.size.width;
        for (i, value) in canvas.as_rgb8_mut().iter_mut().enumerate() {
            let (x, y, channel) = ((i / 3 % width) as i64, (i / 3 / width) as i64, (i % 3) as i64);
            let pattern =
                triangle(3 * x + 5 * y + 17 * seed + 40 * channel + 7 * i64::from(params.frame)) as f64;
            *value = match request.init {
                Some(init) => {
                    (f64::from(init.as_rgb8()[i]) * strength + pattern * (1.0 - strength) + 0.5).floor() as u8
                }
                None => pattern as u8,
            };
        }
        Ok(Some(canvas))
    }
}

/// The init picture of a run, if it has one.
struct Given(Option<Canvas>);

impl Sources for Given {
    fn picture(&mut self, _path: &Path, size: Size, _fit: Fit) -> Result<Canvas> {
        Ok(self.0.as_ref().map_or_else(|| Canvas::filled(size, [0; 3]), |init| init.resized(size)))
    }

    fn edges(&mut self, path: &Path, size: Size, fit: Fit, (low, high): (f64, f64)) -> Result<Canvas> {
        Ok(kinora::edges::canny(&self.picture(path, size, fit)?, low, high))
    }

    fn depth(&mut self, _source: &DepthSource, picture: &Canvas) -> Result<DepthMap> {
        Ok(DepthMap::filled(picture.size(), 1.0))
    }

    fn hint(&self, depth: &DepthMap) -> Canvas {
        Canvas::filled(depth.size(), [128; 3])
    }
}
