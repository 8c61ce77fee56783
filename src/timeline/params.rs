//! One frame's parameters, section by section. Defaults are those of the table in
//! `schedule::params` (a test compares them).

use super::cadence;
use super::camera;
use super::closing;
use super::controls;
use super::depth;
use super::fill;
use super::frame::{
    Border, Camera, Camera2d, Camera3d, Coherence, ColourParams, DepthMeaning, FrameParams, FrameSource,
    Making, NoiseKind, NoiseParams, PerspectiveFlip, PromptBlend, PromptMix, Rng, Sampling, SamplingParams,
    SharpenParams,
};
use super::hold;
use super::making;
use super::masks;
use super::reader::Reader;
use super::scene::{Stage, Values};
use super::seed;
use super::source;
use super::{guide, hybrid};
use crate::schedule::diagnostic::Diagnostic;

/// Parameters that only the 3D camera has: one of them makes `animation_mode = auto` 3D.
pub(super) const DEEP: [&str; 10] = [
    "translation_z",
    "rotation_3d_x",
    "rotation_3d_y",
    "rotation_3d_z",
    "fov",
    "aspect_ratio",
    "camera.position",
    "camera.look",
    "camera.target",
    "camera.fov",
];

/// Parameters of the 3D camera that do not make a film 3D.
const ABOUT_DEEP: [&str; 1] = ["aspect_ratio_use_old_formula"];

/// Parameters that only the flat camera has.
const FLAT: [&str; 4] = ["zoom", "angle", "transform_center_x", "transform_center_y"];

/// Samplers whose fresh noise `eta` is the share of.
pub const WITH_ETA: [&str; 10] = [
    "euler_a",
    "dpm2_a",
    "dpm_fast",
    "dpm_adaptive",
    "dpmpp_2s_a",
    "dpmpp_sde",
    "dpmpp_2m_sde",
    "dpmpp_2m_sde_heun",
    "dpmpp_3m_sde",
    "tcd",
];

/// Samplers that add fresh noise besides: always, or by `ddim_eta`.
const WITH_NOISE: [&str; 3] = ["ddim", "ddpm", "lcm"];

/// Settings of fresh noise in force that the scene's sampler has no use for, as far as it is known.
fn unused_noise(values: &Values, warnings: &mut Vec<Diagnostic>) {
    let Some(sampler) = values.constant_choice("sampler") else { return };
    let sampler = sampler.split(' ').next().unwrap_or_default();
    let by_eta = WITH_ETA.contains(&sampler);
    for (name, is_used, hint) in [
        (
            "eta",
            by_eta,
            if sampler == "ddim" { "it is called `ddim_eta` here" } else { "`euler_a` adds noise" },
        ),
        (
            "ddim_eta",
            sampler == "ddim",
            if by_eta { "it is called `eta` here" } else { "say `sampler = ddim`" },
        ),
        ("s_noise", by_eta || WITH_NOISE.contains(&sampler), "`euler_a` adds noise"),
        ("eta_noise_seed_delta", by_eta || WITH_NOISE.contains(&sampler), "`euler_a` adds noise"),
    ] {
        if let Some(line) = values.lines.get(name).filter(|_| !is_used) {
            let message = format!("`{}` has no effect with the sampler `{sampler}`", line.param.name);
            warnings.push(Diagnostic::warning("W05", message, line.span()).hint(hint));
        }
    }
}

/// Settings in force that the scene's camera or sampler does not use.
pub(super) fn unused(values: &Values, warnings: &mut Vec<Diagnostic>) {
    unused_noise(values, warnings);
    making::unused(values, warnings);
    hold::unused(values, warnings);
    let is_deep = is_deep(values, values.constant_choice("animation_mode").as_deref());
    depth::unused(values, is_deep, warnings);
    let (names, camera, hint) = if is_deep {
        (FLAT.to_vec(), "3D", "use `translation_z` and `rotation_3d_z`, or say `animation_mode = flat`")
    } else {
        (
            [&DEEP[..], &ABOUT_DEEP].concat(),
            "flat",
            "leave `animation_mode` out, or say `animation_mode = depth`",
        )
    };
    for line in names.iter().filter_map(|name| values.lines.get(name)) {
        let message = format!("`{}` has no effect with the {camera} camera", line.param.name);
        warnings.push(Diagnostic::warning("W05", message, line.span()).hint(hint));
    }
    if let Some((call, _)) = values.calls.get("camera.shake").filter(|_| !is_deep) {
        let message = "`camera.shake` has no effect with the flat camera";
        warnings.push(Diagnostic::warning("W05", message, call.span).hint(hint));
    }
}

/// Whether a setting of that name has an effect with the scene's camera, as far as the other settings say.
pub(super) fn has_effect(values: &Values, name: &str) -> bool {
    let is_deep = is_deep(values, values.constant_choice("animation_mode").as_deref());
    match name {
        "reverse" => values.has(name),
        _ if making::composed(values).is_some() && making::is_of_the_loop(name) => false,
        _ if FLAT.contains(&name) => !is_deep,
        // A path of the camera's is there only when it is set.
        _ if name.starts_with("camera.") => is_deep && values.has(name),
        _ if DEEP.contains(&name) || ABOUT_DEEP.contains(&name) => is_deep,
        "depth.near" | "depth.far" => is_deep,
        "init_strength" => {
            values.calls.get("source").is_some_and(|(call, _)| matches!(call.spec.name, "init" | "previous"))
        }
        _ if name.starts_with("perspective_flip") => values.has(name),
        // Nothing stands for these when the film does not set them.
        "mask" | "guide.images" | "image_strength" | "model" => {
            values.has(name) && guide::has_effect(values, name)
        }
        _ if name.starts_with("fill_") => fill::has_effect(values, name),
        _ => {
            masks::has_effect(values, name)
                && hybrid::has_effect(values, name)
                && guide::has_effect(values, name)
        }
    }
}

fn is_deep(values: &Values, mode: Option<&str>) -> bool {
    match mode {
        Some("flat") => false,
        Some("depth") => true,
        _ => DEEP.iter().any(|name| values.has(name)) || camera::shakes(values),
    }
}

/// The parameters of the frame that `reader` reads, in the scene `stage` with number `scene`.
pub(super) fn frame(reader: &mut Reader<'_>, stage: &Stage, scene: usize) -> FrameParams {
    let values = &stage.values;
    let shown = reader.frame;
    let place = stage.grid.at(shown);
    // What the model is told counts at the frame that it paints; frames between show what came of it.
    reader.frame = place.painted;
    let source = source::at(reader, stage, scene);
    let (prompt, negative) = prompts(reader, stage);
    let begins = place.painted == stage.clock.start;
    let sampling = sampling(reader, stage, begins && is_begun_with(&source));
    let controls =
        stage.controls.iter().map(|(name, values)| controls::at(reader, &source, name, values)).collect();
    let (colour, noise) = (colour(reader, values), noise(reader, values));
    let (hold, guide) = (hold::at(reader, stage, &source), guide::at(reader, stage));
    reader.frame = shown;
    let frame = FrameParams {
        frame: shown,
        scene,
        cut: shown == stage.clock.start,
        camera: camera(reader, stage),
        border: border(reader, values),
        fill: fill::at(reader, values),
        depth: depth::source(reader, values),
        relief: depth::params(reader, values),
        colour,
        noise,
        hold,
        sampling,
        prompt,
        negative,
        guide,
        hybrid: hybrid::at(reader, stage, &source),
        making: Making::default(),
        mask: masks::at(reader, stage, &source),
        controls,
        cadence: cadence::at(reader, stage, place),
        tone: cadence::tone(reader, values),
        closing: None,
        source,
    };
    let mut params = FrameParams { making: making::at(reader, stage, &frame), ..frame };
    closing::close(reader, stage, scene, &mut params);
    params
}

/// Whether a scene's first frame is painted over a picture that its other frames are not.
fn is_begun_with(source: &FrameSource) -> bool {
    matches!(source, FrameSource::Init(_) | FrameSource::InitVideo(..) | FrameSource::SceneBefore)
}

pub(super) fn prompts(reader: &mut Reader<'_>, stage: &Stage) -> (PromptMix, PromptMix) {
    let values = &stage.values;
    if let Some((series, clock)) = &stage.prompts {
        let frame = reader.frame.saturating_sub(clock.start);
        return match series.at(frame) {
            Ok(found) => (PromptMix::plain(found.positive.trim()), PromptMix::plain(found.negative.trim())),
            Err(error) => {
                let span = values.lines.get("prompt").map_or_else(Default::default, |line| line.span());
                reader.wrong("E82", &error.message, span, error.hint);
                (PromptMix::plain(""), PromptMix::plain(""))
            }
        };
    }
    let blend = blend(reader, values);
    (reader.prompt(values, "prompt", blend), reader.prompt(values, "negative", blend))
}

fn blend(reader: &mut Reader<'_>, values: &Values) -> PromptBlend {
    match reader.maybe_choice(values, "prompt.blend").as_deref() {
        Some("slerp") => PromptBlend::Slerp,
        Some("composed") => PromptBlend::Composed,
        _ => PromptBlend::Lerp,
    }
}

pub(super) fn camera(reader: &mut Reader<'_>, stage: &Stage) -> Camera {
    let values = &stage.values;
    let mode = reader.maybe_choice(values, "animation_mode");
    let is_deep = is_deep(values, mode.as_deref());
    let flip = flip(reader, values);
    let mut number = |name: &str, default: f64| reader.number(values, name, default);
    if !is_deep {
        return Camera::Flat(Camera2d {
            zoom: number("zoom", 1.0),
            angle: number("angle", 0.0),
            translation_x: number("translation_x", 0.0),
            translation_y: number("translation_y", 0.0),
            center_x: number("transform_center_x", 0.5),
            center_y: number("transform_center_y", 0.5),
            sampling: sampling_mode(reader, values),
            flip,
        });
    }
    let mut deep = Camera3d {
        translation: ["translation_x", "translation_y", "translation_z"].map(|name| number(name, 0.0)),
        rotation: ["rotation_3d_x", "rotation_3d_y", "rotation_3d_z"].map(|name| number(name, 0.0)),
        fov: number("fov", 70.0),
        zoom: 1.0,
        aspect_ratio: number("aspect_ratio", 1.0),
        old_aspect: reader.maybe_switch(values, "aspect_ratio_use_old_formula").unwrap_or(false),
        meaning: DepthMeaning::Inverse,
        sampling: sampling_mode(reader, values),
        flip,
    };
    camera::steer(reader, stage, &mut deep);
    Camera::Deep(deep)
}

fn sampling_mode(reader: &mut Reader<'_>, values: &Values) -> Sampling {
    match reader.maybe_choice(values, "sampling_mode").as_deref() {
        Some("nearest") => Sampling::Nearest,
        Some("bilinear") => Sampling::Bilinear,
        Some("bicubic") => Sampling::Bicubic,
        Some("lanczos") => Sampling::Lanczos,
        _ => Sampling::Lagrange,
    }
}

/// The perspective flip: when it is switched on, or when one of its angles is set and it is not switched off.
fn flip(reader: &mut Reader<'_>, values: &Values) -> Option<PerspectiveFlip> {
    const ANGLES: [&str; 4] =
        ["perspective_flip_theta", "perspective_flip_phi", "perspective_flip_gamma", "perspective_flip_fv"];
    let is_set = ANGLES.iter().any(|name| values.has(name));
    if !reader.maybe_switch(values, "enable_perspective_flip").unwrap_or(is_set) {
        return None;
    }
    let [theta, phi, gamma, fv] = ANGLES;
    Some(PerspectiveFlip {
        theta: reader.number(values, theta, 0.0),
        phi: reader.number(values, phi, 0.0),
        gamma: reader.number(values, gamma, 0.0),
        fv: reader.number(values, fv, 53.0),
    })
}

fn border(reader: &mut Reader<'_>, values: &Values) -> Border {
    match reader.maybe_choice(values, "border").as_deref() {
        Some("wrap") => Border::Wrap,
        Some("reflect") => Border::Reflect,
        Some("zeros") => Border::Zeros,
        _ => Border::Replicate,
    }
}

fn colour(reader: &mut Reader<'_>, values: &Values) -> ColourParams {
    let coherence = match reader.maybe_choice(values, "coherence").as_deref() {
        Some("none") => Coherence::None,
        Some("rgb") => Coherence::Rgb,
        Some("hsv") => Coherence::Hsv,
        Some("mkl") => Coherence::Mkl,
        _ => Coherence::Lab,
    };
    let kernel = reader.number(values, "sharpen.kernel", 5.0) as u32;
    ColourParams {
        coherence,
        contrast: reader.number(values, "contrast", 1.0),
        sharpen: SharpenParams {
            amount: reader.number(values, "sharpen.amount", 0.5),
            // A kernel has a middle pixel; what was computed even becomes the next odd width.
            kernel: kernel | 1,
            sigma: reader.number(values, "sharpen.sigma", 1.0),
            threshold: reader.number(values, "sharpen.threshold", 0.0),
        },
    }
}

fn noise(reader: &mut Reader<'_>, values: &Values) -> NoiseParams {
    let kind = match reader.maybe_choice(values, "noise_type").as_deref() {
        Some("uniform") => NoiseKind::Uniform,
        Some("latent") => NoiseKind::Latent,
        _ => NoiseKind::Perlin {
            width: reader.maybe_count(values, "perlin_w").unwrap_or(8),
            height: reader.maybe_count(values, "perlin_h").unwrap_or(8),
            octaves: reader.maybe_count(values, "perlin_octaves").unwrap_or(4),
            persistence: reader.number(values, "perlin_persistence", 0.5),
        },
    };
    NoiseParams { amount: reader.number(values, "noise", 0.08), kind }
}

fn sampling(reader: &mut Reader<'_>, stage: &Stage, over_init: bool) -> SamplingParams {
    let values = &stage.values;
    let sampler = reader.maybe_choice(values, "sampler");
    let (sampler, spelled) = match sampler.as_deref().and_then(|text| text.split_once(' ')) {
        Some((sampler, spacing)) => (Some(sampler.to_owned()), Some(spacing.to_owned())),
        None => (sampler, None),
    };
    let kept = match reader.maybe_number(values, "denoise") {
        Some(denoise) => 1.0 - denoise,
        None => reader.number(values, "strength", 0.5),
    };
    let kept = match reader.maybe_number(values, "image_strength") {
        Some(strength) if values.has("guide.images") => strength,
        _ => kept,
    };
    let seeds = seed::at(reader, stage);
    SamplingParams {
        model: reader.maybe_text(values, "model"),
        vae: reader.maybe_text(values, "vae"),
        sampler,
        spacing: reader.maybe_choice(values, "spacing").or(spelled),
        steps: reader.maybe_count(values, "steps"),
        guidance: reader.maybe_number(values, "guidance"),
        strength: if over_init { reader.number(values, "init_strength", 0.8) } else { kept },
        seed: seeds.seed,
        subseed: seeds.subseed,
        subseed_strength: seeds.strength,
        seed_walk: seeds.walks,
        rng: match reader.maybe_choice(values, "rng").as_deref() {
            Some("nv") => Rng::Nv,
            _ => Rng::Cpu,
        },
        eta: reader.maybe_number(values, "eta"),
        ddim_eta: reader.maybe_number(values, "ddim_eta"),
        s_noise: reader.number(values, "s_noise", 1.0),
        eta_noise_seed_delta: reader.maybe_count(values, "eta_noise_seed_delta").unwrap_or(0),
        clip_skip: reader.maybe_count(values, "clip_skip").unwrap_or(1),
    }
}
