//! The table itself. Names are Deforum's where Deforum has one without a suffix; ranges in the last
//! calls of a line are «impossible outside», then «unusual outside».

use super::build::{number, param};
use super::calls;
use super::{Kind, Measure, Param, Places};

const INFINITE: f64 = f64::INFINITY;

/// Every parameter, in the order of the manual.
pub fn all() -> &'static [Param] {
    TABLE
}

static TABLE: &[Param] = &[
    // What is seen.
    param("prompt", Kind::Text, "\"\"", "what is to be seen; `${expr}` puts a number into the text")
        .alias(&["prompts", "animation_prompts", "positive"]),
    param("negative", Kind::Text, "\"\"", "what is not to be seen")
        .alias(&["negative_prompt", "animation_prompts_negative"]),
    param("prompt.blend", Kind::Choice(calls::BLENDS), "lerp", "how a prompt passes into the next one over a key with an ease: mixed embeddings (`lerp`, `slerp`), or one prediction of the noise for each (`composed`, the web UI's AND)").fixed(),
    param("source", Kind::Call, "text", "what the first frame, or every frame, is painted over").with(calls::SOURCE).fixed(),
    param("model", Kind::File, "", "a checkpoint by name: a .safetensors file or a folder as diffusers saves it, beside the film or in the model folders, or an embedded model; without it `kinora-tiny` paints").fixed(),
    param("vae", Kind::File, "", "an autoencoder by name, in place of the model's own: a .safetensors file or a folder").fixed(),
    // How the picture moves.
    param("animation_mode", Kind::Choice(calls::MODES), "auto", "`flat` moves the picture in its plane, `depth` as a relief; `auto` is `depth` when a 3D parameter is set").fixed(),
    number("zoom", Measure::Factor, "1", "enlargement per frame; above 1 goes in").possible(0.001, 1000.0).usual(0.5, 1.5),
    number("angle", Measure::Turn, "0", "turn per frame in degrees, counter-clockwise").usual(-90.0, 90.0),
    number("translation_x", Measure::Shift, "0", "way per frame to the right in pixels; in 3D the camera's, in units of 1/200").usual(-512.0, 512.0),
    number("translation_y", Measure::Shift, "0", "way per frame down in pixels; in 3D in units of 1/200").usual(-512.0, 512.0),
    number("translation_z", Measure::Shift, "0", "way of the camera forward per frame, in units of 1/200").usual(-100.0, 100.0),
    number("transform_center_x", Measure::Plain, "0.5", "centre of zoom and angle, share of the width").usual(-1.0, 2.0),
    number("transform_center_y", Measure::Plain, "0.5", "centre of zoom and angle, share of the height").usual(-1.0, 2.0),
    number("rotation_3d_x", Measure::Turn, "0", "turn of the camera about x per frame in degrees: up and down").usual(-45.0, 45.0),
    number("rotation_3d_y", Measure::Turn, "0", "turn of the camera about y per frame in degrees: left and right").usual(-45.0, 45.0),
    number("rotation_3d_z", Measure::Turn, "0", "roll of the camera per frame in degrees, counter-clockwise").usual(-45.0, 45.0),
    number("fov", Measure::Angle, "70", "field of view of the 3D camera in degrees; below 0 mirrors all motion").alias(&["fov_schedule"]).possible(-179.9, 179.9).usual(10.0, 150.0),
    number("aspect_ratio", Measure::Plain, "1", "divides the horizontal motion of the 3D camera").alias(&["aspect_ratio_schedule"]).possible(0.001, 1000.0).usual(0.25, 4.0),
    param("camera.position", Kind::Vector, "", "where the 3D camera is: right, up and forward in units of the scene, whose nearest point is 1 and farthest 2 away; 1 is 200 of `translation_z`"),
    param("camera.look", Kind::Vector, "[0, 0, 1]", "direction that the 3D camera looks in: right, up and forward, of any length"),
    number("camera.fov", Measure::Angle, "70", "field of view of the 3D camera in degrees; when it narrows, the picture grows").possible(0.1, 179.9).usual(10.0, 150.0),
    param("camera.shake", Kind::Call, "none", "a shake of the 3D camera").with(calls::SHAKE).fixed(),
    param("enable_perspective_flip", Kind::Switch, "false", "switches the perspective flip on; setting one of its angles does too").fixed(),
    number("perspective_flip_theta", Measure::Angle, "0", "perspective flip about z in degrees"),
    number("perspective_flip_phi", Measure::Angle, "0", "perspective flip about x in degrees"),
    number("perspective_flip_gamma", Measure::Angle, "0", "perspective flip about y in degrees"),
    number("perspective_flip_fv", Measure::Angle, "53", "field of view of the perspective flip in degrees").possible(0.1, 179.9),
    param("border", Kind::Choice(calls::BORDERS), "replicate", "what stands beyond the edge of a moved picture").alias(&["padding_mode"]),
    param("sampling_mode", Kind::Choice(calls::SAMPLING), "bicubic", "how the 3D camera samples the picture").fixed(),
    param("depth", Kind::Call, "network", "where the distance of each pixel comes from").with(calls::DEPTH).fixed(),
    // How much of it is kept.
    number("strength", Measure::Plain, "0.65", "share of the picture underneath that is kept, 0 to 1").alias(&["strength_schedule"]).possible(0.0, 1.0),
    number("denoise", Measure::Plain, "0.35", "share of the picture underneath that is made new: 1 - strength").alias(&["denoising_strength"]).possible(0.0, 1.0),
    number("init_strength", Measure::Plain, "0.8", "`strength` of the first frame, over the picture of `source = init(...)`").possible(0.0, 1.0),
    number("noise", Measure::Plain, "0.02", "share of noise mixed into the picture before it is painted over").alias(&["noise_schedule"]).possible(0.0, 1.0).usual(0.0, 0.3),
    param("noise_type", Kind::Choice(calls::NOISE), "perlin", "which noise is mixed in").fixed(),
    param("perlin_octaves", Kind::Integer, "4", "layers of perlin noise, each twice as fine").fixed().possible(1.0, 8.0),
    number("perlin_persistence", Measure::Plain, "0.5", "weight of each layer of perlin noise relative to the one before").fixed().possible(0.0, 10.0).usual(0.0, 1.0),
    param("perlin_w", Kind::Integer, "8", "cells of perlin noise along the rows").fixed().possible(1.0, 256.0),
    param("perlin_h", Kind::Integer, "8", "cells of perlin noise along the columns").fixed().possible(1.0, 256.0),
    // Which frames are painted.
    param("cadence", Kind::Integer, "1", "every n-th frame is painted, and the frames between show the last two painted ones, moved and blended; keys of what the model is told fall on painted frames").alias(&["diffusion_cadence"]).fixed().possible(1.0, 1000.0).usual(1.0, 12.0),
    param("optical_flow_cadence", Kind::Choice(calls::FLOWS), "none", "how the motion between two painted pictures is found, along which they are blended").fixed(),
    number("cadence_flow_factor", Measure::Plain, "1", "multiplier of the motion of `optical_flow_cadence`").alias(&["cadence_flow_factor_schedule"]).possible(-100.0, 100.0).usual(-2.0, 2.0),
    param("diffusion_redo", Kind::Integer, "0", "times that a frame is painted over what was just painted, with other seeds, before it counts").fixed().possible(0.0, 50.0).usual(0.0, 5.0),
    param("optical_flow_redo_generation", Kind::Choice(calls::FLOWS), "none", "a frame is painted once with another seed first, moved once more as that moved it, and painted over").fixed(),
    number("redo_flow_factor", Measure::Plain, "1", "multiplier of the motion of `optical_flow_redo_generation`").alias(&["redo_flow_factor_schedule"]).possible(-100.0, 100.0).usual(-2.0, 2.0),
    // Colour and sharpness.
    param("grayscale", Kind::Switch, "false", "makes the film grey").alias(&["color_force_grayscale"]).fixed(),
    param("legacy_colormatch", Kind::Switch, "false", "colours are held before a frame is painted over and not afterwards, as in Deforum's old files").fixed(),
    number("contrast", Measure::Plain, "1", "multiplier of the moved picture's values").alias(&["contrast_schedule"]).possible(0.0, 100.0).usual(0.5, 1.5),
    param("coherence", Kind::Choice(calls::COHERENCE), "lab", "colour space in which colours are held to the scene's first frame").alias(&["color_coherence"]).fixed(),
    number("sharpen.amount", Measure::Plain, "0", "share of the difference to the blurred picture that is added, 0 is off").alias(&["amount", "amount_schedule"]).possible(0.0, 100.0).usual(0.0, 2.0),
    param("sharpen.kernel", Kind::Integer, "5", "width of the blur in pixels, odd").alias(&["kernel", "kernel_schedule"]).possible(1.0, 255.0).usual(1.0, 31.0),
    number("sharpen.sigma", Measure::Plain, "1", "strength of the blur in pixels; 0 derives it from the kernel").alias(&["sigma", "sigma_schedule"]).possible(0.0, 1000.0).usual(0.0, 20.0),
    number("sharpen.threshold", Measure::Plain, "0", "grey levels below which a difference is left alone").alias(&["threshold", "threshold_schedule"]).possible(0.0, 255.0),
    // The diffusion model.
    param("steps", Kind::Integer, "", "steps from pure noise, of which a frame runs its share; what suits the model when left out").alias(&["steps_schedule"]).possible(1.0, 1000.0).usual(1.0, 150.0),
    number("guidance", Measure::Plain, "", "classifier-free guidance scale; what suits the model when left out").alias(&["cfg_scale", "cfg_scale_schedule", "scale"]).possible(0.0, 1000.0).usual(0.0, 30.0),
    param("sampler", Kind::Choice(calls::SAMPLERS), "", "the sampler; what suits the model when left out").alias(&["sampler_schedule"]),
    param("spacing", Kind::Choice(calls::SPACINGS), "", "spacing of the noise levels; what suits the model when left out").alias(&["scheduler"]).fixed(),
    number("seed", Measure::Plain, "0", "seed of the noise; with keys, or using the time, the seed of each frame, and a fraction walks from one seed's noise to the next one's").with(calls::SEED).possible(-1.0, INFINITE),
    param("seed_schedule", Kind::Integer, "", "seeds by frame, for `seed_behavior = schedule`; -1 is a random one").possible(-1.0, INFINITE),
    param("subseed", Kind::Integer, "1", "seed of a second noise, for `subseed_strength`; -1 is a random one").alias(&["subseed_schedule"]).possible(-1.0, INFINITE),
    number("subseed_strength", Measure::Plain, "0", "share of the way from the noise of `seed` to that of `subseed`, 0 to 1").alias(&["subseed_strength_schedule"]).possible(0.0, 1.0),
    param("seed_behavior", Kind::Choice(calls::SEEDS), "iter", "how the seed goes on from frame to frame").fixed(),
    param("rng", Kind::Choice(calls::RNG), "cpu", "whose noise a seed stands for: `cpu` is PyTorch's, `nv` what the web UI draws on Nvidia cards").alias(&["randn_source"]).fixed(),
    number("eta", Measure::Plain, "", "share of fresh noise of samplers that add some, 0 adds none; 1 when left out, as in the web UI, and 0.3 for `tcd`").alias(&["ancestral_eta_schedule", "eta_ancestral"]).possible(0.0, 10.0).usual(0.0, 1.0),
    number("ddim_eta", Measure::Plain, "", "share of fresh noise of `ddim`; 0 when left out, as in the web UI").alias(&["ddim_eta_schedule", "eta_ddim"]).possible(0.0, 10.0).usual(0.0, 1.0),
    number("s_noise", Measure::Plain, "1", "multiplier of all fresh noise that samplers add").possible(0.0, 10.0).usual(0.8, 1.2),
    param("eta_noise_seed_delta", Kind::Integer, "0", "added to the seed of the fresh noise that samplers add; 31337 for pictures of NovelAI").alias(&["ensd"]).possible(0.0, 4_294_967_295.0),
    param("clip_skip", Kind::Integer, "1", "layers of the text encoder left out, counted as the web UI does: 1 is none").alias(&["clipskip", "clipskip_schedule"]).possible(1.0, 24.0).usual(1.0, 4.0),
    // Length, size and file.
    number("frames", Measure::Time, "", "length of a film without scenes").alias(&["max_frames"]).at(Places::FILM.and(Places::VIDEO)).fixed().possible(1.0, 10_000_000.0),
    number("fps", Measure::Rate, "12", "frames per second, exact: `12`, `23.976`, `24000/1001`").at(Places::FILM.and(Places::VIDEO)).fixed().possible(0.001, 1000.0).usual(1.0, 120.0),
    number("bpm", Measure::Plain, "", "beats per minute, for times in `b` and `bar` (four beats)").at(Places::FILM.and(Places::VIDEO)).fixed().possible(0.001, 10_000.0).usual(20.0, 400.0),
    param("size", Kind::Size, "", "width and height of the frames; what suits the model when left out").at(Places::FILM.and(Places::VIDEO)).fixed().possible(8.0, 16384.0),
    param("out", Kind::File, "", "the finished film; its ending says which kind of file").at(Places::FILM.and(Places::VIDEO)).fixed(),
    // Controls.
    param("model", Kind::File, "", "control network: a folder as diffusers saves it, or a .safetensors file (ControlNet, Control-LoRA, ControlLLLite); without it the one that belongs to the film's model").at(Places::CONTROL).fixed(),
    param("image", Kind::File, "", "a picture that counts for every frame").alias(&["vid_path"]).at(Places::CONTROL).fixed(),
    param("from", Kind::Choice(calls::FROM), "", "`depth`: the network is shown the frame's depth; `as_is`: the picture of `image`; `canny`: the edges of `image`, or of the moved previous frame; `reference`: the model itself looks at `image`, or at the scene's first frame").alias(&["module"]).at(Places::CONTROL).fixed(),
    param("resize", Kind::Choice(calls::FITS), "crop", "how `image` is brought to the frame's shape: cut off (`crop`), drawn to it (`stretch`), or inside with the rest filled (`fit`)").alias(&["resize_mode"]).at(Places::CONTROL).fixed(),
    param("invert", Kind::Switch, "false", "shows the network the negative; for white lines on black where the picture has black lines on white").at(Places::CONTROL).fixed(),
    number("canny.low", Measure::Plain, "100", "gradient above which an edge goes on, for `from = canny`").at(Places::CONTROL).possible(0.0, 2040.0).usual(1.0, 1000.0),
    number("canny.high", Measure::Plain, "200", "gradient above which an edge begins, for `from = canny`").at(Places::CONTROL).possible(0.0, 2040.0).usual(1.0, 1000.0),
    number("fidelity", Measure::Plain, "0.5", "how far the negative prompt is kept from seeing the picture, for `from = reference`: more is closer to it").alias(&["style_fidelity"]).at(Places::CONTROL).possible(0.0, 1.0),
    number("weight", Measure::Plain, "1", "multiplier of the network's influence; of a reference the share of the model's blocks that look at it").at(Places::CONTROL).possible(-10.0, 10.0).usual(0.0, 2.0),
    number("start", Measure::Plain, "0", "share of the steps after which it begins").alias(&["guidance_start"]).at(Places::CONTROL).possible(0.0, 1.0),
    number("end", Measure::Plain, "1", "share of the steps after which it ends").alias(&["guidance_end"]).at(Places::CONTROL).possible(0.0, 1.0),
    param("mode", Kind::Choice(calls::CONTROL_MODES), "balanced", "whose word counts more, the prompt's or the network's").alias(&["control_mode"]).at(Places::CONTROL).fixed(),
    // After rendering.
    param("interpolate", Kind::Call, "none", "pictures between the frames").with(calls::INTERPOLATE).at(Places::POST).fixed(),
    param("deflicker", Kind::Call, "none", "evens out changes of brightness").with(calls::DEFLICKER).at(Places::POST).fixed(),
    param("encode", Kind::Call, "h264", "how the film is compressed").with(calls::ENCODE).at(Places::POST).fixed(),
];
