//! The chart for the terminal: a few lines of braille a curve, eight dots a character.

use std::fmt::Write as _;

use super::scale::{Scale, label, round_step};
use super::{Chart, Curve};

/// Lines a curve takes.
const ROWS: usize = 4;
/// Columns for the numbers at the left.
const LABEL: usize = 10;
/// Narrower than this nothing can be read.
const LEAST: usize = 40;

/// Bits of the dots of a braille character by row and column (Unicode, block U+2800).
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// The chart in lines of at most `width` columns.
pub fn sketch(chart: &Chart, width: usize) -> String {
    let columns = width.max(LEAST) - LABEL - 1;
    let mut out = format!("{}: {}\n", chart.title, chart.subtitle());
    if chart.scenes.iter().any(|(name, _)| !name.is_empty()) {
        let _ = writeln!(out, "{:>LABEL$} {}", "scene", stretches(chart, columns));
    }
    for panel in &chart.panels {
        let _ = writeln!(out, "\n{}", panel.title);
        for curve in &panel.curves {
            lines(chart, curve, columns, &mut out);
        }
    }
    if chart.panels.is_empty() {
        out.push_str("the film sets no numbers\n");
    } else {
        axes(chart, columns, &mut out);
    }
    let still = chart.still_line();
    if !still.is_empty() {
        let line: String = format!("stays: {still}").chars().take(width.max(LEAST)).collect();
        let _ = writeln!(out, "{line}");
    }
    out
}

/// The column that shows a frame.
fn column(chart: &Chart, frame: f64, columns: usize) -> usize {
    ((frame / f64::from(chart.frames.max(1)) * columns as f64) as usize).min(columns - 1)
}

/// `|forest        |sea`
fn stretches(chart: &Chart, columns: usize) -> String {
    let mut row = vec![' '; columns];
    for (index, (name, start)) in chart.scenes.iter().enumerate() {
        let from = column(chart, (*start).into(), columns);
        let next = chart.scenes.get(index + 1).map_or(columns, |(_, n)| column(chart, (*n).into(), columns));
        row[from] = '│';
        for (place, letter) in row[(from + 1).min(next)..next].iter_mut().zip(name.chars()) {
            *place = letter;
        }
    }
    text(row)
}

fn text(row: Vec<char>) -> String {
    row.into_iter().collect::<String>().trim_end().to_owned()
}

fn lines(chart: &Chart, curve: &Curve, columns: usize, out: &mut String) {
    let _ = writeln!(out, "{:>LABEL$} {}", "", curve.name);
    let scale = Scale::holding(curve.values.iter().copied(), 4.0);
    let (low, high) = ends(&curve.values);
    for (index, row) in dots(chart, curve, &scale, columns).into_iter().enumerate() {
        let number = match index {
            0 => number(high),
            i if i + 1 == ROWS => number(low),
            _ => String::new(),
        };
        let _ = writeln!(out, "{number:>LABEL$} {}", text(row));
    }
    if !curve.keys.is_empty() {
        let mut row = vec![' '; columns];
        for key in &curve.keys {
            row[column(chart, *key, columns)] = '◆';
        }
        let _ = writeln!(out, "{:>LABEL$} {}", "keys", text(row));
    }
}

fn ends(values: &[f64]) -> (f64, f64) {
    let finite = values.iter().filter(|v| v.is_finite());
    finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)))
}

/// A number in at most nine columns.
fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e6).contains(&size) {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The curve as characters, the top line first. Every column of dots reaches from the lowest to the
/// highest value of its frames, and to where the column before ended.
fn dots(chart: &Chart, curve: &Curve, scale: &Scale, columns: usize) -> Vec<Vec<char>> {
    let (wide, tall) = (columns * 2, ROWS * 4);
    let mut bits = vec![vec![0_u8; columns]; ROWS];
    let height = |value: f64| ((1.0 - scale.share(value)) * (tall - 1) as f64).round() as usize;
    let mut before: Option<usize> = None;
    for x in 0..wide {
        let Some((low, high, last, starts)) = stretch(chart, curve, x, wide) else {
            before = None;
            continue;
        };
        let (mut top, mut bottom) = (height(high), height(low));
        if let Some(before) = before.filter(|_| !starts) {
            // Up to the neighbouring dot: the line has no gap and no dot twice.
            top = top.min(if before < top { before + 1 } else { top });
            bottom = bottom.max(if before > bottom { before - 1 } else { bottom });
        }
        for y in top..=bottom.min(tall - 1) {
            bits[y / 4][x / 2] |= DOTS[y % 4][x % 2];
        }
        before = Some(height(last));
    }
    let blank =
        |bits: &u8| if *bits == 0 { ' ' } else { char::from_u32(0x2800 + u32::from(*bits)).unwrap_or(' ') };
    bits.iter().map(|row| row.iter().map(blank).collect()).collect()
}

/// Lowest, highest and last value of the frames under column `x` of `wide`, and whether a scene begins.
fn stretch(chart: &Chart, curve: &Curve, x: usize, wide: usize) -> Option<(f64, f64, f64, bool)> {
    let count = curve.values.len();
    let from = x * count / wide;
    let to = ((x + 1) * count / wide).max(from + 1).min(count);
    let own = &curve.values[from..to];
    let (low, high) = ends(own);
    let last = *own.iter().rfind(|v| v.is_finite())?;
    let begins = x * count % wide < count;
    let starts = (from..to).any(|frame| chart.is_cut(frame)) && begins;
    if count >= wide {
        return Some((low, high, last, starts));
    }
    // Fewer frames than dots: straight on to the next frame, unless a scene begins there or the value jumps.
    let next = curve.values.get(from + 1).copied().filter(|v| v.is_finite() && !chart.is_cut(from + 1));
    let at = (x * count) as f64 / wide as f64;
    let value = next.map_or(last, |next| match curve.jump(from, from + 1) {
        Some(jump) if at < jump => last,
        Some(_) => next,
        None => last + (next - last) * (at - from as f64),
    });
    Some((value, value, value, starts))
}

/// Frames and seconds below everything.
fn axes(chart: &Chart, columns: usize, out: &mut String) {
    let frames = f64::from(chart.frames);
    let few = (columns as f64 / 12.0).max(2.0);
    let frame_step = round_step(frames / few).max(1.0);
    let seconds = chart.seconds(frames);
    let second_step = round_step(seconds / few);
    let each = f64::from(chart.rate.num) / f64::from(chart.rate.den);
    let row = |step: f64, unit: &str, each: f64| {
        let mut row = vec![' '; columns];
        let mut free = 0;
        for i in 0..=(frames / (step * each)).floor() as u32 {
            let value = f64::from(i) * step;
            let at = column(chart, value * each, columns);
            let label = format!("{}{unit}", label(value, step));
            if at >= free && at + label.chars().count() <= columns {
                row[at..].iter_mut().zip(label.chars()).for_each(|(place, letter)| *place = letter);
                free = at + label.chars().count() + 1;
            }
        }
        text(row)
    };
    let _ = writeln!(out, "\n{:>LABEL$} {}", "frame", row(frame_step, "", 1.0));
    let _ = writeln!(out, "{:>LABEL$} {}", "", row(second_step, "s", each));
}
