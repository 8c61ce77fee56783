//! The drift of a film's measures as a strip of blocks for the terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::colour::{COMPARED, Measures};
use crate::render::frame_loop::{FIRST, RECENT};

/// Columns of a strip.
const COLUMNS: usize = 48;
/// Eight heights; the reference stands between the fourth and the fifth.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A drift that fills the strip, when none is larger.
const FULL: f64 = 0.3;

/// The drift of the compared measures at each frame, in the order of [`COMPARED`]: as shares of what the frame's scene
/// measured at its first frames. `cuts` are the first frames of the scenes.
pub fn drifts(measures: &BTreeMap<u32, Measures>, cuts: &[u32]) -> BTreeMap<u32, [f64; 4]> {
    let scene = |frame: u32| cuts.partition_point(|cut| *cut <= frame);
    let mut scenes: BTreeMap<usize, Vec<(u32, Measures)>> = BTreeMap::new();
    for (frame, measured) in measures {
        scenes.entry(scene(*frame)).or_default().push((*frame, *measured));
    }
    let mut found = BTreeMap::new();
    for frames in scenes.values() {
        let first: Vec<Measures> = frames.iter().take(FIRST).map(|(_, measured)| *measured).collect();
        let Some(reference) = Measures::median(&first) else { continue };
        found.extend(frames.iter().map(|(frame, measured)| (*frame, measured.drift(&reference))));
    }
    found
}

/// A line for each measure: its course, and the median of the last few frames. Nothing for fewer than two frames.
pub fn strip(drifts: &BTreeMap<u32, [f64; 4]>) -> String {
    let mut out = String::new();
    if drifts.len() < 2 {
        return out;
    }
    for (index, name) in COMPARED.iter().enumerate() {
        let course: Vec<f64> = drifts.values().map(|drift| drift[index]).collect();
        let mut last: Vec<f64> = course.iter().rev().take(RECENT).copied().collect();
        last.sort_by(f64::total_cmp);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name:<12} {}  {:+.0} %", blocks(&course), last[last.len() / 2] * 100.0);
    }
    out
}

fn blocks(course: &[f64]) -> String {
    let columns = course.len().min(COLUMNS);
    let means: Vec<f64> = (0..columns)
        .map(|column| {
            let own = &course[column * course.len() / columns..(column + 1) * course.len() / columns];
            own.iter().sum::<f64>() / own.len() as f64
        })
        .collect();
    let full = means.iter().fold(FULL, |full, drift| full.max(drift.abs()));
    let block = |drift: &f64| {
        let height = ((drift / full + 1.0) / 2.0 * (BLOCKS.len() - 1) as f64).round();
        BLOCKS[(height as usize).min(BLOCKS.len() - 1)]
    };
    means.iter().map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::{Canvas, Size};

    fn measured(values: impl Iterator<Item = u8>) -> BTreeMap<u32, Measures> {
        let grey = |value| Measures::of(&Canvas::filled(Size::new(8, 8), [value; 3]));
        (0..).zip(values.map(grey)).collect()
    }

    #[test]
    fn each_scene_is_compared_with_its_own_beginning() {
        let found = drifts(&measured([100, 100, 100, 50, 50, 60].into_iter()), &[0, 3]);
        assert_eq!((found[&2][0], found[&3][0]), (0.0, 0.0));
        assert!((found[&5][0] - 0.2).abs() < 1e-6);
    }

    #[test]
    fn a_strip_falls_as_the_film_darkens() {
        let values = (0..FIRST).map(|_| 200).chain((0..200).map(|i| 200 - i / 2));
        let text = strip(&drifts(&measured(values), &[0]));
        let luma = text.lines().next().unwrap();
        assert!(luma.starts_with("luma ") && luma.ends_with("-49 %"), "{luma}");
        let bars: Vec<char> = luma.chars().filter(|c| BLOCKS.contains(c)).collect();
        assert_eq!(bars.len(), COLUMNS);
        assert!(bars.is_sorted_by(|a, b| a >= b) && bars[0] > bars[47], "{luma}");
        assert_eq!(text.lines().count(), 4);
        assert_eq!(strip(&drifts(&measured([1].into_iter()), &[0])), "");
    }
}
