//! The chart as SVG 1.1. Same film, same bytes.

use std::fmt::Write as _;

use super::scale::{Scale, label, round_step};
use super::{Chart, Curve, Panel};

/// Pixels of the whole picture.
const WIDTH: f64 = 1200.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 26.0;
/// Title and subtitle.
const TOP: f64 = 64.0;
/// A strip of scenes or prompts.
const STRIP: f64 = 24.0;
/// A panel's title and legend, its curves, and what is free below.
const HEAD: f64 = 30.0;
const BODY: f64 = 150.0;
const BELOW: f64 = 14.0;
/// Both axes and what stays.
const BOTTOM: f64 = 74.0;

/// Colours that people with any kind of colour vision tell apart (Okabe and Ito, «Color Universal
/// Design», 2008); the yellow is darkened, it would be lost on white.
const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444", "#9a7d0a"];
/// Curves beyond the eighth of a panel are dashed.
const DASHES: [&str; 3] = ["", " stroke-dasharray=\"7 3\"", " stroke-dasharray=\"2 3\""];

/// Width of a letter of the 12-pixel font, on the safe side.
const LETTER: f64 = 6.6;

/// The chart as an SVG document.
pub fn picture(chart: &Chart) -> String {
    Drawing { chart, out: String::new(), y: TOP }.draw()
}

/// Names with the frames from which they hold, and the two colours that take turns.
type Strip = (Vec<(String, u32)>, [&'static str; 2]);

struct Drawing<'a> {
    chart: &'a Chart,
    out: String,
    y: f64,
}

impl Drawing<'_> {
    fn draw(mut self) -> String {
        let chart = self.chart;
        let strips = self.strips();
        let tall = HEAD + BODY + BELOW;
        let height = TOP + STRIP * strips.len() as f64 + tall * chart.panels.len().max(1) as f64 + BOTTOM;
        let _ = write!(
            self.out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" \
             font-size=\"12\">\n<title>{}</title>\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
            escaped(&chart.title)
        );
        self.text(LEFT, 28.0, &chart.title, "font-size=\"17\" font-weight=\"bold\" fill=\"#111111\"");
        self.text(LEFT, 47.0, &chart.subtitle(), "fill=\"#666666\"");
        for (stretches, fill) in strips {
            self.strip(&stretches, fill);
        }
        let top = self.y;
        for panel in &chart.panels {
            self.panel(panel);
        }
        if chart.panels.is_empty() {
            self.text(LEFT, self.y + 60.0, "the film sets no numbers", "fill=\"#666666\"");
            self.y += tall;
        }
        self.cuts(top, self.y - BELOW);
        self.axes();
        self.out.push_str("</svg>\n");
        self.out
    }

    /// Scenes and prompts, where there are any, each with its colours.
    fn strips(&self) -> Vec<Strip> {
        let scenes = self.chart.scenes.iter().any(|(name, _)| !name.is_empty());
        let mut strips = Vec::new();
        if scenes {
            strips.push((self.chart.scenes.clone(), ["#dfe7f2", "#eef2f8"]));
        }
        if self.chart.prompts.iter().any(|(text, _)| !text.is_empty()) {
            strips.push((self.chart.prompts.clone(), ["#f6ecd9", "#fbf5ea"]));
        }
        strips
    }

    fn x(&self, frame: f64) -> f64 {
        LEFT + frame / f64::from(self.chart.frames.max(1)) * (WIDTH - LEFT - RIGHT)
    }

    fn strip(&mut self, stretches: &[(String, u32)], fill: [&str; 2]) {
        for (index, (name, start)) in stretches.iter().enumerate() {
            let end = stretches.get(index + 1).map_or(self.chart.frames, |(_, next)| *next);
            let (x, right) = (self.x((*start).into()), self.x(end.into()));
            let _ = writeln!(
                self.out,
                "<rect x=\"{x:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{}\"/>",
                self.y,
                right - x,
                STRIP - 4.0,
                fill[index % 2]
            );
            let room = ((right - x - 10.0) / LETTER).max(0.0) as usize;
            let shown = fitting(name, room);
            let (at, y) = (x + 5.0, self.y + 14.5);
            self.text(at, y, &shown, "fill=\"#333333\"");
        }
        self.y += STRIP;
    }

    fn panel(&mut self, panel: &Panel) {
        let values = panel.curves.iter().flat_map(|curve| curve.values.iter().copied());
        let scale = Scale::holding(values, 4.0);
        let _ = writeln!(self.out, "<g class=\"panel\"><title>{}</title>", escaped(panel.title));
        self.legend(panel);
        let top = self.y + HEAD;
        self.frame(&scale, top);
        for (index, curve) in panel.curves.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let dash = DASHES[(index / COLOURS.len()) % DASHES.len()];
            self.curve(curve, &scale, top, colour, dash);
        }
        self.out.push_str("</g>\n");
        self.y = top + BODY + BELOW;
    }

    fn legend(&mut self, panel: &Panel) {
        let y = self.y + 20.0;
        self.text(LEFT, y, panel.title, "font-weight=\"bold\" fill=\"#222222\"");
        let mut x = LEFT + panel.title.len() as f64 * (LETTER + 0.9) + 18.0;
        for (index, curve) in panel.curves.iter().enumerate() {
            let length = 34.0 + curve.name.len() as f64 * LETTER;
            if x + length > WIDTH - RIGHT {
                let more = format!("and {} more", panel.curves.len() - index);
                self.text(x, y, &more, "fill=\"#666666\"");
                break;
            }
            let _ = writeln!(
                self.out,
                "<path d=\"M{x:.2} {:.2}h18\" stroke=\"{}\" stroke-width=\"2.5\"{}/>",
                y - 4.0,
                COLOURS[index % COLOURS.len()],
                DASHES[(index / COLOURS.len()) % DASHES.len()]
            );
            self.text(x + 23.0, y, &curve.name, "fill=\"#222222\"");
            x += length + 8.0;
        }
    }

    /// The panel's box with its lines and numbers.
    fn frame(&mut self, scale: &Scale, top: f64) {
        let (right, bottom) = (WIDTH - RIGHT, top + BODY);
        for tick in scale.ticks() {
            let y = bottom - scale.share(tick) * BODY;
            let colour = if tick == 0.0 { "#b5b5b5" } else { "#e8e8e8" };
            let _ = writeln!(self.out, "<path d=\"M{LEFT} {y:.2}H{right}\" stroke=\"{colour}\"/>");
            let label = scale.label(tick);
            self.text(LEFT - 7.0, y + 4.0, &label, "text-anchor=\"end\" font-size=\"11\" fill=\"#666666\"");
        }
        let (step, _) = self.frame_step();
        for frame in self.ticks(step) {
            let x = self.x(frame);
            let _ = writeln!(self.out, "<path d=\"M{x:.2} {top:.2}V{bottom:.2}\" stroke=\"#f0f0f0\"/>");
        }
        let _ = writeln!(
            self.out,
            "<rect x=\"{LEFT}\" y=\"{top:.2}\" width=\"{:.2}\" height=\"{BODY}\" fill=\"none\" stroke=\"#cccccc\"/>",
            right - LEFT
        );
    }

    fn curve(&mut self, curve: &Curve, scale: &Scale, top: f64, colour: &str, dash: &str) {
        let y = |value: f64| top + BODY - scale.share(value) * BODY;
        let mut path = String::new();
        let mut before: Option<(usize, f64)> = None;
        for (frame, value) in self.points(curve) {
            if !value.is_finite() {
                before = None;
                continue;
            }
            // A cut is no way from one value to the other.
            before = before.filter(|_| !self.chart.is_cut(frame));
            // A jump is none either, but it is seen.
            if let Some((from, held)) = before
                && let Some(jump) = curve.jump(from, frame)
            {
                let _ = write!(path, "L{:.2} {:.2}V{:.2}", self.x(jump), y(held), y(value));
            }
            let pen = if before.is_none() { 'M' } else { 'L' };
            let _ = write!(path, "{pen}{:.2} {:.2}", self.x(frame as f64), y(value));
            before = Some((frame, value));
        }
        // A single frame, or the last of a scene of one, is a point: a path without length is not drawn.
        if !path.contains('L') {
            path.push_str("h2");
        }
        let _ = writeln!(
            self.out,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.7\" \
             stroke-linejoin=\"round\"{dash}><title>{}</title></path>",
            escaped(&curve.name)
        );
        // Many keys stand close: smaller marks keep the curve visible.
        let radius = if curve.keys.len() > 60 { 1.7 } else { 3.2 };
        for (key, ends) in curve.keys.iter().zip(&curve.ends) {
            let at = if *ends { (key - 1.0).max(0.0) } else { *key };
            let Some(value) = value_at(curve, at) else { continue };
            let _ = writeln!(
                self.out,
                "<circle cx=\"{:.2}\" cy=\"{:.2}\" r=\"{radius}\" fill=\"#ffffff\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
                self.x(*key),
                y(value)
            );
        }
    }

    /// The points of a curve: all, or the lowest and the highest of each column of pixels.
    fn points(&self, curve: &Curve) -> Vec<(usize, f64)> {
        let columns = (WIDTH - LEFT - RIGHT) as usize;
        let all = curve.values.iter().copied().enumerate();
        if curve.values.len() <= 2 * columns {
            return all.collect();
        }
        let mut points = Vec::new();
        let mut from = 0;
        for column in 1..=columns {
            let to = column * curve.values.len() / columns;
            points.extend(ends(&curve.values[from..to]).into_iter().map(|(at, value)| (from + at, value)));
            from = to;
        }
        points
    }

    fn cuts(&mut self, top: f64, bottom: f64) {
        for (_, start) in self.chart.scenes.iter().filter(|(_, start)| *start > 0) {
            let x = self.x((*start).into());
            let _ = writeln!(
                self.out,
                "<path class=\"cut\" d=\"M{x:.2} {top:.2}V{bottom:.2}\" stroke=\"#c0392b\" stroke-dasharray=\"4 3\"/>"
            );
        }
    }

    /// Frames between two ticks, and seconds between two ticks.
    fn frame_step(&self) -> (f64, f64) {
        let frames = f64::from(self.chart.frames);
        let seconds = self.chart.seconds(frames);
        (round_step(frames / 12.0).max(1.0), round_step(seconds / 12.0))
    }

    fn ticks(&self, step: f64) -> Vec<f64> {
        let count = (f64::from(self.chart.frames) / step).floor() as u32;
        (0..=count).map(|i| f64::from(i) * step).collect()
    }

    fn axes(&mut self) {
        let y = self.y - BELOW;
        let (frame_step, second_step) = self.frame_step();
        let middle = "text-anchor=\"middle\" font-size=\"11\" fill=\"#444444\"";
        for frame in self.ticks(frame_step) {
            let x = self.x(frame);
            let _ = writeln!(self.out, "<path d=\"M{x:.2} {y:.2}v5\" stroke=\"#999999\"/>");
            self.text(x, y + 18.0, &label(frame, frame_step), middle);
        }
        let each = f64::from(self.chart.rate.num) / f64::from(self.chart.rate.den);
        for frame in self.ticks(second_step * each) {
            let text = format!("{} s", label(frame / each, second_step));
            self.text(self.x(frame), y + 34.0, &text, &middle.replace("#444444", "#888888"));
        }
        self.text(LEFT - 14.0, y + 18.0, "frame", "text-anchor=\"end\" font-size=\"11\" fill=\"#444444\"");
        let still = self.chart.still_line();
        if !still.is_empty() {
            let line = fitting(&format!("stays:  {still}"), ((WIDTH - LEFT - RIGHT) / LETTER) as usize);
            self.text(LEFT, y + 58.0, &line, "fill=\"#666666\"");
        }
    }

    fn text(&mut self, x: f64, y: f64, text: &str, how: &str) {
        if !text.is_empty() {
            let _ = writeln!(self.out, "<text x=\"{x:.2}\" y=\"{y:.2}\" {how}>{}</text>", escaped(text));
        }
    }
}

/// The lowest and the highest of some values, in their order; one of them when they are the same.
fn ends(values: &[f64]) -> Vec<(usize, f64)> {
    let finite = || values.iter().copied().enumerate().filter(|(_, v)| v.is_finite());
    let low = finite().min_by(|a, b| a.1.total_cmp(&b.1));
    let high = finite().max_by(|a, b| a.1.total_cmp(&b.1));
    let mut found: Vec<(usize, f64)> = low.into_iter().chain(high).collect();
    found.sort_by_key(|(at, _)| *at);
    found.dedup_by_key(|(at, _)| *at);
    found
}

/// The value at a key, which need not stand at a whole frame.
fn value_at(curve: &Curve, frame: f64) -> Option<f64> {
    let at = |i: usize| curve.values.get(i).copied().filter(|v| v.is_finite());
    let (before, after) = (frame.floor(), frame.ceil());
    let low = at(before as usize)?;
    let high = at(after as usize).unwrap_or(low);
    Some(low + (high - low) * (frame - before))
}

/// At most `room` letters of a text.
fn fitting(text: &str, room: usize) -> String {
    match text.chars().count() {
        length if length <= room => text.to_owned(),
        _ if room < 4 => String::new(),
        _ => text.chars().take(room - 1).chain(['…']).collect(),
    }
}

/// Text for XML: marks escaped, characters that XML cannot hold replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if (c as u32) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
