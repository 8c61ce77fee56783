//! Deforum's settings of a recorded run, as the numbers of a frame.

use std::path::PathBuf;

use kinora::camera::old_aspect_ratio;
use kinora::schedule::deforum::Mode;
use kinora::timeline::deforum::settings::{Series, expand_setting};
use kinora::timeline::frame::{
    Border, CadenceParams, Camera, Camera2d, Camera3d, Coherence, ColourParams, ColourReference, DepthParams,
    DepthSource, FlowMethod, FrameParams, FrameSource, HoldParams, HybridComposite, HybridMask,
    HybridMaskKind, HybridMotion, HybridParams, HybridVideo, Making, NoiseKind, NoiseParams, PerspectiveFlip,
    PromptMix, Rng, Sampling, SamplingParams, SharpenParams, ToneParams,
};
use kinora::timeline::seeds::{SeedBehaviour, SeedSequence};
use serde_json::{Value, json};

use super::{Outcome, Replay, calls_of};

impl Replay {
    pub(super) fn number(&mut self, setting: &'static str, frame: u32) -> Outcome<f64> {
        self.expand(setting)?;
        match &self.series[setting] {
            Series::Numbers(values) => Ok(values[frame as usize]),
            Series::Texts(_) => Err(format!("{setting} is a text")),
        }
    }

    pub(super) fn text(&mut self, setting: &'static str, frame: u32) -> Outcome<String> {
        self.expand(setting)?;
        match &self.series[setting] {
            Series::Texts(values) => Ok(values[frame as usize].clone()),
            Series::Numbers(_) => Err(format!("{setting} is a number")),
        }
    }

    pub(super) fn expand(&mut self, setting: &'static str) -> Outcome<()> {
        if !self.series.contains_key(setting) {
            let series = expand_setting(&self.settings, setting, self.frames, self.seed, Mode::Compat)
                .map_err(|e| e.message)?;
            self.series.insert(setting, series);
        }
        Ok(())
    }

    pub(super) fn is(&self, setting: &str, value: &str) -> bool {
        self.settings.get(setting).is_some_and(|v| v == value)
    }

    pub(super) fn on(&self, setting: &str) -> bool {
        self.settings.get(setting) == Some(&json!(true))
    }

    pub(super) fn seed_at(&mut self, frame: u32) -> Outcome<i64> {
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
    pub(super) fn whole(&self, setting: &str, default: u32) -> u32 {
        let value = self.settings.get(setting);
        let number = value.and_then(|v| v.as_f64().or_else(|| v.as_str()?.trim().parse().ok()));
        number.map_or(default, |n| n as u32)
    }

    pub(super) fn cadence(&self) -> u32 {
        self.whole("diffusion_cadence", 1).max(1)
    }

    pub(super) fn flow_method(&self, setting: &str) -> Option<FlowMethod> {
        match self.settings.get(setting).and_then(Value::as_str) {
            Some("DIS Medium") => Some(FlowMethod::DisMedium),
            Some("DIS Fine") => Some(FlowMethod::DisFine),
            Some("Farneback") => Some(FlowMethod::Farneback),
            _ => None,
        }
    }

    pub(super) fn cadence_at(&mut self, frame: u32) -> Outcome<CadenceParams> {
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

    pub(super) fn flip(&mut self, frame: u32) -> Outcome<Option<PerspectiveFlip>> {
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
    pub(super) fn relief(&self) -> DepthParams {
        // One algorithm sees what is near as large, the others as small.
        let inverse = self.settings.get("depth_algorithm").is_none_or(|name| name == "Midas-3-Hybrid");
        let (near, far) = if inverse { (1.0, 2.0) } else { (2.0, 1.0) };
        DepthParams { near, far, equalise: true, steady: None, ..DepthParams::default() }
    }

    pub(super) fn camera(&mut self, frame: u32) -> Outcome<Camera> {
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

    pub(super) fn border(&self) -> Border {
        let setting = if self.is("animation_mode", "3D") { "padding_mode" } else { "border" };
        match self.settings.get(setting).and_then(Value::as_str) {
            Some("wrap") => Border::Wrap,
            Some("reflection") => Border::Reflect,
            Some("zeros") => Border::Zeros,
            _ => Border::Replicate,
        }
    }

    /// The init picture in the video's place.
    pub(super) fn hybrid(&mut self, frame: u32) -> Outcome<Option<HybridParams>> {
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

    pub(super) fn params(&mut self, frame: u32) -> Outcome<FrameParams> {
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
}
