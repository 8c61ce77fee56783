//! Calls that parameters can be set to, and the words of choices.

use super::build::{arg, call, choice};
use super::{ArgSpec, CallSpec, Choice, Kind, Measure};

const ANY: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

pub(super) static DEPTH: &[CallSpec] = &[
    call("flat", &[], "everything at the same distance"),
    call(
        "network",
        &[arg(
            "model",
            Kind::File,
            Some("\"\""),
            ANY,
            "name of a depth network; the embedded one when left out",
        )],
        "a depth network looks at the picture that is being moved",
    ),
    call(
        "picture",
        &[arg("file", Kind::File, None, ANY, "picture whose brightness is nearness")],
        "one picture is the depth of every frame",
    ),
    call(
        "pictures",
        &[
            arg(
                "file",
                Kind::File,
                None,
                ANY,
                "pictures with a number in their names, `depth/%04d.png`; or a folder of pictures, or a video",
            ),
            arg("first", Kind::Integer, Some("0"), (0.0, 1e9), "number of the first one"),
        ],
        "every frame has a picture of its own whose brightness is nearness: white is `depth.near`, black `depth.far`",
    ),
];

static SHAKES: &[Choice] =
    &[choice("handheld", &["hand_held"]), choice("vehicle", &[]), choice("quake", &["earthquake"])];

pub(super) static SHAKE: &[CallSpec] = &[
    call("none", &[], "the camera is still"),
    call(
        "shake",
        &[
            arg("style", Kind::Choice(SHAKES), None, ANY, "how it shakes"),
            arg("amount", Kind::Number(Measure::Plain), Some("1"), (0.0, 100.0), "multiplier, 1 is strong"),
            arg(
                "seed",
                Kind::Integer,
                Some("0"),
                ANY,
                "another number shakes otherwise; the film's seed counts too",
            ),
            arg("speed", Kind::Number(Measure::Plain), Some("1"), (0.001, 1000.0), "multiplier of its pace"),
        ],
        "a seeded shake on top of any motion of the 3D camera",
    ),
];

pub(super) static METHOD: &[CallSpec] = &[
    call("loop", &[], "each frame is painted over the one before, moved"),
    call(
        "compose",
        &[
            arg(
                "ratio",
                Kind::Number(Measure::Plain),
                Some("2"),
                (1.1, 8.0),
                "how much smaller a key picture is in the next one",
            ),
            arg(
                "overlap",
                Kind::Number(Measure::Plain),
                Some("0.12"),
                (0.02, 0.3),
                "width of the passage between two pictures, share of half the shorter side",
            ),
            arg(
                "refine",
                Kind::Number(Measure::Plain),
                Some("0.5"),
                (0.0, 1.0),
                "how much of a whole key picture is made new, so that it hangs together; at 0 the next one shows it unchanged, as a finer picture in it",
            ),
        ],
        "zooms through key pictures, each painted around the one before: no frame is painted by itself",
    ),
];

pub(super) static SOURCE: &[CallSpec] = &[
    call("text", &[], "the first frame comes from the prompt alone"),
    call(
        "init",
        &[arg("file", Kind::File, None, ANY, "the picture")],
        "the first frame is painted over a picture, at `init_strength`",
    ),
    call(
        "still",
        &[arg("file", Kind::File, None, ANY, "the picture")],
        "every frame is painted over the same picture",
    ),
    call(
        "video",
        CLIP,
        "every frame is painted over its frame of a video, or of a folder of numbered pictures",
    ),
    call(
        "previous",
        &[],
        "the first frame of a scene is painted over the last one of the scene before, at `init_strength`",
    ),
];

/// What a video is given by.
static CLIP: &[ArgSpec] = &[
    arg("file", Kind::File, None, ANY, "a video file, or a folder of pictures in the order of their names"),
    arg("every", Kind::Integer, Some("1"), (1.0, 1e6), "every so many of its frames, counted from its start"),
    arg("from", Kind::Integer, Some("0"), (0.0, 1e9), "its first frame that is used"),
    arg("to", Kind::Integer, Some("-1"), (-1.0, 1e9), "its last frame that is used; -1 is the end"),
];

/// Where the film's sound may come from besides a file.
pub(super) static AUDIO: &[CallSpec] = &[
    call("none", &[], "the film is silent"),
    call("source", &[], "the sound of the video of `source` or `hybrid`"),
];

/// How a scene follows another.
pub(super) static TRANSITION: &[CallSpec] = &[
    call("cut", &[], "from one frame to the next"),
    call(
        "crossfade",
        &[arg(
            "length",
            Kind::Number(Measure::Time),
            Some("12"),
            (1.0, 1e6),
            "frames in which the scene comes in",
        )],
        "the last picture of the scene before moves on and fades out over the scene's first frames",
    ),
];

/// What a film follows.
pub(super) static HYBRID: &[CallSpec] = &[
    call("none", &[], "nothing"),
    call("video", CLIP, "picture n of a video at frame n"),
    call("still", &[arg("file", Kind::File, None, ANY, "the picture")], "the same picture at every frame"),
];

pub(super) static HYBRID_COMPOSITES: &[Choice] = &[
    choice("none", &[]),
    choice("normal", &[]),
    choice("before_motion", &[]),
    choice("after_generation", &[]),
];

pub(super) static HYBRID_MASKS: &[Choice] = &[
    choice("none", &[]),
    choice("depth", &[]),
    choice("video_depth", &[]),
    choice("blend", &[]),
    choice("difference", &[]),
];

pub(super) static HYBRID_EQUALIZE: &[Choice] =
    &[choice("none", &[]), choice("before", &[]), choice("after", &[]), choice("both", &[])];

pub(super) static HYBRID_MOTIONS: &[Choice] =
    &[choice("none", &[]), choice("optical_flow", &[]), choice("perspective", &[]), choice("affine", &[])];

pub(super) static FLOWS: &[Choice] = &[choice("dis_medium", &[]), choice("dis_fine", &[])];

/// Where `{video_mask}` may come from besides a picture.
pub(super) static MASK_FILE: &[CallSpec] = &[
    call("video", CLIP, "picture n of a video at frame n"),
    call("alpha", &[], "where the picture of `source` is transparent"),
];

pub(super) static COLOUR_VIDEO: &[CallSpec] =
    &[call("video", CLIP, "picture n of a video, or of a folder of pictures, at frame n")];

/// The web UI's «masked content», in the order of Deforum's numbers.
pub(super) static MASK_FILLS: &[Choice] = &[
    choice("fill", &["0"]),
    choice("original", &["1"]),
    choice("latent_noise", &["2"]),
    choice("latent_nothing", &["3"]),
];

pub(super) static SEED: &[CallSpec] = &[call(
    "each_frame",
    &[arg("start", Kind::Integer, Some("0"), ANY, "the first frame's seed")],
    "a new seed for every frame: start, start + 1, ...",
)];

pub(super) static INTERPOLATE: &[CallSpec] = &[
    call("none", &[], "frames stay as they are"),
    call(
        "flow",
        &[arg("fps", Kind::Number(Measure::Rate), None, (0.001, 1000.0), "frames per second afterwards")],
        "pictures between the frames, along the motion between them",
    ),
];

pub(super) static DEFLICKER: &[CallSpec] = &[
    call("none", &[], "frames stay as they are"),
    call(
        "gain_curve",
        &[arg(
            "sigma",
            Kind::Number(Measure::Time),
            Some("6"),
            (0.0, 10_000.0),
            "width of the smoothing over time, frames",
        )],
        "one gain per frame and channel",
    ),
    call(
        "gain_map",
        &[arg(
            "sigma",
            Kind::Number(Measure::Time),
            Some("6"),
            (0.0, 10_000.0),
            "width of the smoothing over time, frames",
        )],
        "a smooth map of gains per frame: also for flicker in parts of the picture",
    ),
];

static PRESETS: &[Choice] = &[
    choice("ultrafast", &[]),
    choice("superfast", &[]),
    choice("veryfast", &[]),
    choice("faster", &[]),
    choice("fast", &[]),
    choice("medium", &[]),
    choice("slow", &[]),
    choice("slower", &[]),
    choice("veryslow", &[]),
];

pub(super) static ENCODE: &[CallSpec] = &[call(
    "h264",
    &[
        arg(
            "crf",
            Kind::Integer,
            Some("17"),
            (0.0, 51.0),
            "quality, lower is better; 17 is as good as no loss",
        ),
        arg("preset", Kind::Choice(PRESETS), Some("medium"), ANY, "time spent against size"),
    ],
    "H.264 in yuv420p",
)];

pub(super) static BLENDS: &[Choice] = &[
    choice("lerp", &["linear"]),
    choice("slerp", &["spherical"]),
    choice("composed", &["AND", "composable"]),
];

pub(super) static MODES: &[Choice] = &[
    choice("auto", &[]),
    choice("flat", &["2D"]),
    choice("depth", &["3D"]),
    choice("video_input", &[]),
    choice("interpolation", &[]),
];

pub(super) static BORDERS: &[Choice] = &[
    choice("replicate", &["border"]),
    choice("wrap", &[]),
    choice("reflect", &["reflection"]),
    choice("zeros", &[]),
    choice("outpaint", &[]),
];

pub(super) static COHERENCE: &[Choice] = &[
    choice("none", &[]),
    choice("rgb", &["Match Frame 0 RGB"]),
    choice("hsv", &["Match Frame 0 HSV"]),
    choice("lab", &["Match Frame 0 LAB"]),
    choice("mkl", &["monge_kantorovich"]),
    choice("image", &["Video Input"]),
];

pub(super) static DRIFT: &[Choice] =
    &[choice("all", &[]), choice("colour", &["color"]), choice("sharpness", &[])];

pub(super) static SAMPLING: &[Choice] = &[
    choice("nearest", &[]),
    choice("bilinear", &[]),
    choice("bicubic", &[]),
    choice("lanczos", &["lanczos3"]),
    choice("lagrange", &[]),
];

/// Ways to find the motion between two pictures.
pub(super) static CADENCE_FLOWS: &[Choice] = &[
    choice("none", &[]),
    choice("dis_medium", &["DIS Medium"]),
    choice("dis_fine", &["DIS Fine"]),
    choice("farneback", &[]),
];

pub(super) static NOISE: &[Choice] = &[choice("uniform", &[]), choice("perlin", &[]), choice("latent", &[])];

pub(super) static RNG: &[Choice] = &[choice("cpu", &[]), choice("nv", &["gpu", "philox"])];

pub(super) static SEEDS: &[Choice] = &[
    choice("iter", &[]),
    choice("fixed", &[]),
    choice("random", &[]),
    choice("ladder", &[]),
    choice("alternate", &[]),
    choice("schedule", &[]),
];

pub(super) static CONTROL_MODES: &[Choice] = &[
    choice("balanced", &[]),
    choice("prompt", &["My prompt is more important"]),
    choice("control", &["ControlNet is more important"]),
];

pub(super) static FROM: &[Choice] = &[
    choice("depth", &[]),
    choice("as_is", &["none"]),
    choice("canny", &[]),
    choice("reference", &["reference_only"]),
];

/// sd-webui-controlnet's resize modes.
pub(super) static FITS: &[Choice] = &[
    choice("crop", &["Crop and Resize", "Inner Fit (Scale to Fit)", "Scale to Fit (Inner Fit)"]),
    choice("stretch", &["Just Resize"]),
    choice("fit", &["Resize and Fill", "Outer Fit (Shrink to Fit)", "Envelope (Outer Fit)"]),
];

/// Samplers with the names that the web UI shows. A test holds the list against the samplers that there are.
pub(super) static SAMPLERS: &[Choice] = &[
    choice("euler", &[]),
    choice("euler_a", &["Euler a", "euler_ancestral"]),
    choice("heun", &[]),
    choice("dpm2", &["dpm_2"]),
    choice("dpm2_a", &["DPM2 a", "dpm_2_ancestral"]),
    choice("lms", &[]),
    choice("dpm_fast", &["DPM fast"]),
    choice("dpm_adaptive", &["DPM adaptive"]),
    choice("dpmpp_2s_a", &["DPM++ 2S a", "dpmpp_2s_ancestral"]),
    choice("dpmpp_2m", &["DPM++ 2M"]),
    choice("dpmpp_sde", &["DPM++ SDE"]),
    choice("dpmpp_2m_sde", &["DPM++ 2M SDE"]),
    choice("dpmpp_2m_sde_heun", &["DPM++ 2M SDE Heun"]),
    choice("dpmpp_3m_sde", &["DPM++ 3M SDE"]),
    choice("unipc", &[]),
    choice("ddim", &[]),
    choice("plms", &[]),
    choice("lcm", &[]),
    choice("tcd", &[]),
];

/// Spacings of the noise levels, with the names that the web UI shows.
pub(super) static SPACINGS: &[Choice] = &[
    choice("uniform", &[]),
    choice("normal", &[]),
    choice("karras", &[]),
    choice("exponential", &[]),
    choice("polyexponential", &[]),
    choice("sgm_uniform", &["SGM Uniform", "trailing"]),
    choice("simple", &[]),
    choice("ddim_uniform", &[]),
    choice("kl_optimal", &["KL Optimal"]),
    choice("ays", &["Align Your Steps"]),
    choice("ays_sd15", &["Align Your Steps SD 1.5"]),
    choice("ays_sdxl", &["Align Your Steps XL"]),
    choice("beta", &[]),
];
