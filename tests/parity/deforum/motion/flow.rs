//! Optical flow: estimating one, moving along one and judging one.

use kinora::camera::flow::{Flow, FlowBorder, apply, blur, consistency};
use kinora::canvas::{Canvas, Size};
use kinora::flow::{FarnebackSettings, Flow as Estimate, FlowSettings, farneback, flow as estimate};

use super::data::{Array, Entry, Limits, compare, compare_pictures};
use crate::{Case, Verdict};

/// Cases of `flow`, by their own kind.
pub fn cases(entry: &Entry) -> Vec<Case> {
    let kind = format!("{}-{}", entry.kind(), entry.text("kind"));
    let case = |what: &str, run| entry.case_of(kind.clone(), what, run);
    match entry.text("kind") {
        "apply" => [("out", applied as fn(&Entry) -> Verdict), ("out_exact", applied_exactly)]
            .into_iter()
            .filter(|(file, _)| entry.has(file))
            .map(|(file, run)| case(file, run))
            .collect(),
        "consistency" => vec![case("reliable", reliable)],
        "reliable_flow" => vec![case("blurred", blurred), case("out", weakened)],
        "abs_rel" => vec![case("relative", relative), case("absolute", absolute)],
        "estimate" => {
            if method(entry).is_none() {
                let name = format!("{} flow", entry.text("name"));
                return vec![Case::unsupported(kind, name, "flow is estimated by another method")];
            }
            vec![case("flow", estimated)]
        }
        other => vec![Case::unsupported(kind.clone(), entry.text("name"), format!("unknown kind `{other}`"))],
    }
}

/// The estimator of a case.
fn method(entry: &Entry) -> Option<fn(&Canvas, &Canvas) -> Estimate> {
    Some(match entry.text("method") {
        "DIS Medium" => |a, b| estimate(a, b, &FlowSettings::DIS_MEDIUM),
        "DIS Fine" => |a, b| estimate(a, b, &FlowSettings::DIS_FINE),
        "Farneback" => |a, b| farneback(a, b, &FarnebackSettings::default()),
        _ => return None,
    })
}

/// Estimates are judged by the distance between the ends of both vectors of a pixel, in pixels: OpenCV's own are not
/// reproducible bit for bit. Farnebäck's is one formula and its solution, and OpenCV 5 gives what 4.8 gave, so the mean
/// may be 0.02. Dense inverse search of the two differs by up to 0.14 in nine tenths of the pixels, so three times that
/// is allowed there; in the last tenth it loses its way (beside flat areas, by up to eight pixels from the affine
/// motion that these pictures are made with), and what is lost is not worth agreeing with. Not judged is what leaves
/// the picture with its patch of 8x8 pixels: nothing there says where it went.
fn estimated(entry: &Entry) -> Verdict {
    // The arrays were read as blue first, as Deforum's are.
    let pair = [entry.input("input"), entry.picture("second")].map(blue_first);
    let ours = method(entry).expect("checked")(&pair[0], &pair[1]);
    let theirs = flow(&entry.array("flow"));
    let Size { width, height } = ours.size();
    let inside = |at: usize, by: f32, length: usize| (4.0..length as f32 - 4.0).contains(&(at as f32 + by));
    let stays = |i: usize, by: [f32; 2]| inside(i % width, by[0], width) && inside(i / width, by[1], height);
    let ends = ours.vectors().iter().zip(theirs.vectors()).enumerate().filter(|(i, (_, b))| stays(*i, **b));
    let mut errors: Vec<f64> = ends.map(|(_, (a, b))| f64::from((a[0] - b[0]).hypot(a[1] - b[1]))).collect();
    if entry.text("method") == "Farneback" {
        return crate::within(errors.iter().sum::<f64>() / errors.len() as f64, 0.02);
    }
    errors.sort_by(f64::total_cmp);
    crate::within(errors[errors.len() * 9 / 10], 0.41)
}

fn blue_first(mut picture: Canvas) -> Canvas {
    picture.as_rgb8_mut().as_chunks_mut::<3>().0.iter_mut().for_each(|pixel| pixel.reverse());
    picture
}

fn flow(array: &Array) -> Flow {
    Flow::new(array.size(), array.values.as_chunks::<2>().0.to_vec())
}

fn applied(entry: &Entry) -> Verdict {
    // OpenCV 4 samples at 1/32 pixel.
    apply_and_compare(entry, "out", Limits { mean: 0.5, ..Limits::max(8.0) })
}

fn applied_exactly(entry: &Entry) -> Verdict {
    apply_and_compare(entry, "out_exact", Limits { mean: 0.01, ..Limits::max(1.0) })
}

fn apply_and_compare(entry: &Entry, file: &str, limits: Limits) -> Verdict {
    let factor = entry.number("factor") as f32;
    let ours = apply(&entry.input("input"), &flow(&entry.array("flow")), factor, FlowBorder::Deforum);
    compare_pictures(&ours.canvas, &entry.picture(file), limits)
}

fn reliable(entry: &Entry) -> Verdict {
    let ours = consistency(&flow(&entry.array("forward")), &flow(&entry.array("backward")));
    // The second and third channel are computed by Deforum and never used.
    let theirs = entry.array("reliable").channel(0);
    // A pixel on the threshold may fall on the other side of it in another order of additions.
    let flipped = ours.values().iter().zip(&theirs).filter(|(a, b)| a != b).count();
    crate::within(flipped as f64, (theirs.len() / 10_000) as f64)
}

fn blurred(entry: &Entry) -> Verdict {
    let reliable = entry.array("reliable");
    let plane = kinora::canvas::Plane::from_values(reliable.size(), reliable.channel(0));
    let ours = blur(&plane, entry.number("consistency_blur"));
    compare(ours.values(), &entry.array("blurred").channel(0), Limits::max(1e-6))
}

fn weakened(entry: &Entry) -> Verdict {
    let reliable = entry.array("reliable");
    let plane = kinora::canvas::Plane::from_values(reliable.size(), reliable.channel(0));
    let weight = blur(&plane, entry.number("consistency_blur"));
    let ours = flow(&entry.array("forward")).weighted(&weight);
    // f32 numbers of some tens of pixels.
    compare(ours.vectors().as_flattened(), &entry.array("out").values, Limits::max(1e-5))
}

fn relative(entry: &Entry) -> Verdict {
    let ours = flow(&entry.array("flow")).relative();
    compare(ours.vectors().as_flattened(), &entry.array("relative").values, Limits::max(1e-7))
}

fn absolute(entry: &Entry) -> Verdict {
    let ours = flow(&entry.array("relative")).absolute();
    compare(ours.vectors().as_flattened(), &entry.array("absolute").values, Limits::max(1e-6))
}
