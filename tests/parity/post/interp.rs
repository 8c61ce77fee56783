//! In-between frames against the true ones: scenes whose even frames are given and whose odd ones are truth.
//!
//! Tolerance: no more than 0.5 dB of PSNR below the plain-flow peer (OpenCV's DIS medium, both pictures
//! averaged), over the whole frame and without a border of 16 pixels.

use std::path::{Path, PathBuf};

use kinora::canvas::{Canvas, Size};
use kinora::flow::FlowSettings;
use kinora::post::interpolate::Between;
use serde_json::Value;

use super::{entries, json};
use crate::{Case, Verdict, within};

const KIND: &str = "post/interp";
const BORDER: usize = 16;

pub fn discover(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for name in entries(folder) {
        let path = folder.join(&name);
        if name == "metrics.json" {
            continue;
        } else if path.join("f00.png").is_file() {
            let metrics = folder.join("metrics.json");
            cases.push(Case::new(KIND, name.clone(), move || scene(&path, &json(&metrics)[&name])));
        } else {
            cases.push(Case::unsupported(KIND, name, "kinora runs no RIFE network yet"));
        }
    }
    cases
}

/// `f00.png`, `f01.png`, … as far as they go.
fn frames(folder: &Path) -> Vec<Canvas> {
    let path = |i: usize| -> PathBuf { folder.join(format!("f{i:02}.png")) };
    (0..).map(path).take_while(|p| p.is_file()).map(|p| Canvas::open(&p).unwrap()).collect()
}

fn scene(folder: &Path, metrics: &Value) -> Verdict {
    let frames = frames(folder);
    let odd: Vec<usize> = (1..frames.len().saturating_sub(1)).step_by(2).collect();
    let mut sums = [0.0; 2];
    for &i in &odd {
        let between = Between::new(&frames[i - 1], &frames[i + 1], &FlowSettings::default()).at(0.5);
        sums[0] += psnr(&between, &frames[i], 0);
        sums[1] += psnr(&between, &frames[i], BORDER);
    }
    let found = sums.map(|sum| sum / odd.len() as f64);
    let Some((peer, [whole, inner])) = plain_flow(metrics) else {
        return Verdict::Fail("metrics.json names no peer with flow for this scene".to_owned());
    };
    println!(
        "interp {}: {:.2} / {:.2} dB, {peer} {whole:.2} / {inner:.2}",
        folder.display(),
        found[0],
        found[1]
    );
    within((whole - found[0]).max(inner - found[1]), 0.5)
}

/// The plain average along a flow, else the best of the methods with that flow.
fn plain_flow(metrics: &Value) -> Option<(&str, [f64; 2])> {
    let numbers = |v: &Value| Some([v["psnr"].as_f64()?, v["psnr_inner"].as_f64()?]);
    let peers = metrics.as_object()?.iter().filter(|(name, _)| name.starts_with("DIS"));
    let known = peers.filter_map(|(name, v)| Some((name.as_str(), numbers(v)?)));
    known.max_by(|a, b| {
        let key = |p: &(&str, [f64; 2])| (p.0.contains("plain"), p.1[0]);
        key(a).partial_cmp(&key(b)).unwrap()
    })
}

/// Peak signal-to-noise ratio of all three channels, without a border, in dB.
fn psnr(a: &Canvas, b: &Canvas, border: usize) -> f64 {
    let Size { width, height } = a.size();
    let mut sum = 0.0;
    for y in border..height - border {
        for x in border..width - border {
            let pairs = a.pixel(x, y).into_iter().zip(b.pixel(x, y));
            sum += pairs.map(|(a, b)| (f64::from(a) - f64::from(b)).powi(2)).sum::<f64>();
        }
    }
    let mean = sum / ((width - 2 * border) * (height - 2 * border) * 3) as f64;
    10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10()
}
