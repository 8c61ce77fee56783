//! The 2D and the 3D warp.

use kinora::camera::{
    DepthMeaning, Relief, deep_positions, equalise, flat_matrix, flip_matrix, pose, warp_deep,
    warp_deep_float, warp_flat,
};
use kinora::canvas::{Canvas, Size};
use kinora::timeline::frame::{Border, Camera2d, Camera3d, PerspectiveFlip, Sampling};

use super::data::{Entry, Limits, compare, compare_pictures, relative_error};
use crate::{Case, Verdict, within};

/// Cases of `warp2d`.
pub fn flat(entry: &Entry) -> Vec<Case> {
    if border(entry.text("border")).is_none() {
        return vec![entry.unsupported("border", "unknown border rule")];
    }
    let mut cases = vec![entry.case("matrix", flat_numbers)];
    if entry.has("out") {
        cases.push(entry.case("out", |e| {
            // OpenCV 4 samples at 1/32 pixel.
            flat_picture(e, "out", Limits { max: 8.0, mean: 0.25, high: 3.0, share: 1.0 })
        }));
    }
    if entry.has("out_exact") {
        cases.push(
            entry.case("out_exact", |e| {
                flat_picture(e, "out_exact", Limits { mean: 0.05, ..Limits::max(1.0) })
            }),
        );
    }
    cases
}

fn flat_numbers(entry: &Entry) -> Verdict {
    let matrix = flat_matrix(&camera2d(entry), entry.input("input").size());
    // Corner points of the flip pass through f32.
    let limit = if entry.flag("flip") { 1e-6 } else { 1e-9 };
    within(relative_error(matrix.transpose().iter().copied(), entry.field("matrix"), 1e-2), limit)
}

fn flat_picture(entry: &Entry, file: &str, limits: Limits) -> Verdict {
    let input = entry.input("input");
    let rule = border(entry.text("border")).expect("checked");
    let warped = warp_flat(&input, &flat_matrix(&camera2d(entry), input.size()), rule);
    compare_pictures(&warped.canvas, &entry.picture(file), limits)
}

fn camera2d(entry: &Entry) -> Camera2d {
    let flip = entry.flag("flip").then(|| flip(entry));
    // Deforum loses the translation when the flip is on.
    let shift = |key| if flip.is_some() { 0.0 } else { entry.param(key) };
    Camera2d {
        zoom: entry.param("zoom"),
        angle: entry.param("angle"),
        translation_x: shift("translation_x"),
        translation_y: shift("translation_y"),
        center_x: entry.param("transform_center_x"),
        center_y: entry.param("transform_center_y"),
        flip,
        ..Camera2d::STILL
    }
}

fn flip(entry: &Entry) -> PerspectiveFlip {
    PerspectiveFlip {
        theta: entry.param("perspective_flip_theta"),
        phi: entry.param("perspective_flip_phi"),
        gamma: entry.param("perspective_flip_gamma"),
        fv: entry.param("perspective_flip_fv"),
    }
}

fn border(name: &str) -> Option<Border> {
    match name {
        "replicate" | "border" => Some(Border::Replicate),
        "wrap" => Some(Border::Wrap),
        "reflection" => Some(Border::Reflect),
        "zeros" => Some(Border::Zeros),
        _ => None,
    }
}

fn sampling(name: &str) -> Option<Sampling> {
    match name {
        "nearest" => Some(Sampling::Nearest),
        "bilinear" => Some(Sampling::Bilinear),
        "bicubic" => Some(Sampling::Bicubic),
        _ => None,
    }
}

fn meaning(algorithm: &str) -> Option<DepthMeaning> {
    match algorithm {
        "Midas-3-Hybrid" => Some(DepthMeaning::Inverse),
        "Zoe" | "AdaBins" | "Leres" => Some(DepthMeaning::Metric),
        "Midas+AdaBins (old)" | "Zoe+AdaBins (old)" => Some(DepthMeaning::Blended),
        _ => None,
    }
}

/// Cases of `warp3d`.
pub fn deep(entry: &Entry) -> Vec<Case> {
    let known = border(entry.text("border")).is_some()
        && border(entry.text("padding_mode")).is_some()
        && sampling(entry.text("sampling_mode")).is_some()
        && meaning(entry.text("depth_algorithm")).is_some();
    if !known {
        return vec![entry.unsupported("mode", "unknown border, padding, sampling or depth algorithm")];
    }
    let mut cases = vec![entry.case("pose", deep_numbers)];
    if entry.has("equalised") {
        cases.push(entry.case("equalised", equalised));
    }
    if entry.has("float") {
        cases.push(entry.case("float", deep_float));
    }
    if entry.has("out") {
        cases.push(entry.case("out", deep_picture));
    }
    cases
}

fn deep_numbers(entry: &Entry) -> Verdict {
    let pose = pose(&camera3d(entry));
    let rotation = pose.rotation.transpose();
    let errors = [
        relative_error(rotation.iter().copied(), entry.field("rotation_matrix"), 1.0),
        relative_error(pose.translation, entry.field("translation"), 1.0),
    ];
    // Theirs are f32: a few units in the last place of numbers up to 1.
    within(errors[0].max(errors[1]), if errors.iter().any(|e| e.is_nan()) { -1.0 } else { 1e-6 })
}

fn equalised(entry: &Entry) -> Verdict {
    let depth = entry.input_plane("depth").expect("a depth map that was equalised");
    let theirs = entry.array("equalised");
    let Some(ours) = equalise(&depth) else { return Verdict::Fail("found nothing to equalise".to_owned()) };
    // One rounding to f32 of numbers up to 1.
    compare(ours.values(), &theirs.values, Limits::max(1e-6))
}

fn deep_float(entry: &Entry) -> Verdict {
    let (input, camera, relief) = scene(entry);
    let rule = border(entry.text("padding_mode")).expect("checked");
    let theirs = entry.array("float").values;
    let flipped = camera.flip.map_or_else(
        || input.clone(),
        |flip| {
            let matrix = flip_matrix(&flip, input.size());
            warp_flat(&input, &matrix, border(entry.text("border")).expect("checked")).canvas
        },
    );
    let ours = warp_deep_float(&flipped, &camera, rule, &relief);
    if camera.flip.is_some() {
        // The flip before it was sampled at 1/32 pixel.
        return compare(&ours, &theirs, Limits { mean: 0.25, ..Limits::max(4.0) });
    }
    if camera.sampling == Sampling::Nearest {
        return nearest(&ours, &theirs, &ties(input.size(), &camera, &relief));
    }
    compare(&ours, &theirs, Limits { mean: 0.001, ..Limits::max(0.1) })
}

fn deep_picture(entry: &Entry) -> Verdict {
    let (input, camera, relief) = scene(entry);
    let (padding, rule) = (entry.text("padding_mode"), entry.text("border"));
    let (padding, rule) = (border(padding).expect("checked"), border(rule).expect("checked"));
    let ours = warp_deep(&input, &camera, padding, rule, &relief).canvas;
    let theirs = entry.picture("out");
    if camera.flip.is_some() {
        return compare_pictures(&ours, &theirs, Limits { mean: 0.5, ..Limits::max(4.0) });
    }
    if camera.sampling == Sampling::Nearest {
        let ties = ties(input.size(), &camera, &relief);
        return nearest(&super::data::levels(&ours), &super::data::levels(&theirs), &ties);
    }
    compare_pictures(&ours, &theirs, Limits { share: 0.25, ..Limits::max(1.0) })
}

/// The picture, the camera and the relief of a case.
fn scene(entry: &Entry) -> (Canvas, Camera3d, Relief) {
    let input = entry.input("input");
    let camera = camera3d(entry);
    let relief = Relief::new(entry.input_plane("depth").as_ref(), camera.meaning);
    (input, camera, relief)
}

fn camera3d(entry: &Entry) -> Camera3d {
    let three = |prefix: &str| ["x", "y", "z"].map(|axis| entry.param(&format!("{prefix}{axis}")));
    let old = entry.flag("aspect_ratio_use_old_formula");
    Camera3d {
        translation: three("translation_"),
        rotation: three("rotation_3d_"),
        fov: entry.param("fov"),
        zoom: 1.0,
        aspect_ratio: entry.param("aspect_ratio"),
        old_aspect: old,
        meaning: meaning(entry.text("depth_algorithm")).expect("checked"),
        sampling: sampling(entry.text("sampling_mode")).expect("checked"),
        flip: entry.flag("enable_perspective_flip").then(|| flip(entry)),
    }
}

/// For each pixel, whether its position lies half-way between two pixels but for the rounding of f32.
fn ties(size: Size, camera: &Camera3d, relief: &Relief) -> Vec<bool> {
    let tie = |v: f64| ((v - v.floor()) - 0.5).abs() < 1e-3;
    deep_positions(size, camera, relief).into_iter().map(|[x, y]| tie(x) || tie(y)).collect()
}

/// Nearest sampling is exact where the position does not lie on a tie.
fn nearest(ours: &[f32], theirs: &[f32], ties: &[bool]) -> Verdict {
    if ours.len() != theirs.len() {
        return Verdict::Fail(format!("{} values, expected {}", ours.len(), theirs.len()));
    }
    let values = ours.iter().zip(theirs).enumerate().filter(|(i, _)| !ties[i / 3]);
    // The lift of the old algorithms is rounded to f32 at 255.
    within(values.fold(0.0, |worst: f64, (_, (a, b))| worst.max(f64::from((a - b).abs()))), 2e-5)
}
