//! Colour match, noise, unsharp mask and contrast.

use kinora::colour::{Anchor, ChannelOrder, Overflow};
use kinora::noise::{NoiseOptions, Outside, TorchRng, add_with, perlin};
use kinora::timeline::frame::{Coherence, NoiseKind, NoiseParams, SharpenParams};

use super::data::{Entry, Limits, compare, compare_pictures};
use crate::{Case, Verdict};

/// Cases of `colour`: exact.
pub fn colour(entry: &Entry) -> Vec<Case> {
    if coherence(entry.text("mode")).is_none() {
        return vec![entry.unsupported("mode", "unknown colour space")];
    }
    vec![entry.case("out", |entry| {
        let mode = coherence(entry.text("mode")).expect("checked");
        // The arrays were handed over as they are stored.
        let anchor = Anchor::new(&entry.input("reference"), mode, ChannelOrder::Rgb);
        compare_pictures(&anchor.matched(&entry.input("input")), &entry.picture("out"), Limits::max(0.0))
    })]
}

fn coherence(mode: &str) -> Option<Coherence> {
    match mode {
        "LAB" => Some(Coherence::Lab),
        "HSV" => Some(Coherence::Hsv),
        "RGB" => Some(Coherence::Rgb),
        _ => None,
    }
}

/// Cases of `contrast`: exact.
pub fn contrast(entry: &Entry) -> Vec<Case> {
    vec![entry.case("out", |entry| {
        let ours = kinora::colour::contrast(&entry.input("input"), entry.number("contrast"), Overflow::Wrap);
        compare_pictures(&ours, &entry.picture("out"), Limits::max(0.0))
    })]
}

/// Cases of `sharpen`. OpenCV's blur is reproduced bit for bit, so the result is exact.
pub fn sharpen(entry: &Entry) -> Vec<Case> {
    if entry.flag("mask") && !entry.has("mask") {
        return vec![entry.unsupported("mask", "a mask without a file")];
    }
    vec![entry.case("out", |entry| {
        let params = SharpenParams {
            amount: entry.number("amount"),
            kernel: entry.number("kernel") as u32,
            sigma: entry.number("sigma"),
            threshold: entry.number("threshold"),
        };
        let mask = entry.has("mask").then(|| entry.mask("mask"));
        let ours = kinora::colour::sharpen(&entry.input("input"), &params, mask.as_ref());
        compare_pictures(&ours, &entry.picture("out"), Limits::max(0.0))
    })]
}

/// Cases of `noise`.
pub fn noise(entry: &Entry) -> Vec<Case> {
    if kind(entry).is_none() || entry.flag("invert_mask") && !entry.has("mask") {
        return vec![entry.unsupported("type", "unknown noise, or an inverted mask without a file")];
    }
    let mut cases = vec![entry.case("out", noise_picture)];
    if entry.has("randn") {
        cases.push(entry.case("randn", |entry| {
            let theirs = entry.array("randn").values;
            // Logarithm and sine come from another library than torch's.
            compare(&rng(entry).randn(theirs.len()), &theirs, Limits::max(2e-6))
        }));
    }
    if entry.has("perlin") {
        cases.push(entry.case("perlin", perlin_field));
    }
    cases
}

fn perlin_field(entry: &Entry) -> Verdict {
    let theirs = entry.array("perlin");
    let Some(NoiseKind::Perlin { width, height, octaves, persistence }) = kind(entry) else {
        return Verdict::Fail("a Perlin field of another noise".to_owned());
    };
    let mut rng = rng(entry);
    rng.randn(3 * theirs.size().area());
    let ours = perlin(theirs.size(), [width, height], octaves, persistence, &mut rng);
    // Their positions in the finest cells are remainders of f32 up to 64: 4e-6 each, times gradients and easing.
    compare(ours.values(), &theirs.values, Limits::max(1e-4))
}

fn noise_picture(entry: &Entry) -> Verdict {
    let params = NoiseParams { amount: entry.number("amount"), kind: kind(entry).expect("checked") };
    let mut mask = entry.has("mask").then(|| entry.mask("mask"));
    if let Some(mask) = mask.as_mut().filter(|_| entry.flag("invert_mask")) {
        mask.values_mut().iter_mut().for_each(|v| *v = 1.0 - *v);
    }
    let options = NoiseOptions { mask: mask.as_ref(), outside: Outside::Grey, blue_first: false };
    let ours = add_with(&entry.input("input"), &params, seed(entry), options);
    compare_pictures(&ours, &entry.picture("out"), Limits { mean: 0.05, ..Limits::max(1.0) })
}

fn kind(entry: &Entry) -> Option<NoiseKind> {
    let number =
        |i: usize| entry.field("perlin")[i].as_f64().unwrap_or_else(|| panic!("`perlin` has four numbers"));
    match entry.text("noise_type") {
        "uniform" => Some(NoiseKind::Uniform),
        "perlin" => Some(NoiseKind::Perlin {
            width: number(0) as u32,
            height: number(1) as u32,
            octaves: number(2) as u32,
            persistence: number(3),
        }),
        _ => None,
    }
}

fn seed(entry: &Entry) -> u64 {
    entry.field("seed").as_i64().expect("a whole seed") as u64
}

fn rng(entry: &Entry) -> TorchRng {
    TorchRng::new(seed(entry))
}
