//! Optical flow: moving along one and judging one. Estimating it is not the camera's business.

use kinora::camera::flow::{Flow, FlowBorder, apply, blur, consistency};

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
            let name = format!("{} flow", entry.text("name"));
            vec![Case::unsupported(kind, name, "flow is estimated by another method")]
        }
        other => vec![Case::unsupported(kind.clone(), entry.text("name"), format!("unknown kind `{other}`"))],
    }
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
