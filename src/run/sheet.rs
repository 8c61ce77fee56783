//! A contact sheet: frames at even distances, each with its number and the keys up to the next.

use std::path::Path;

use super::letters::{fit, height, write};
use crate::canvas::{Canvas, Size};
use crate::error::{Error, Result};
use crate::timeline::Timeline;
use crate::timeline::explain::KeyPlace;

/// Columns and most rows.
const CELLS: (usize, usize) = (5, 6);
/// Width of a cell in pixels.
const WIDTH: usize = 256;
/// Between cells.
const GAP: usize = 6;
const SCALE: usize = 2;
const PAPER: [u8; 3] = [24, 24, 28];
const NUMBER: [u8; 3] = [235, 235, 235];
const KEY: [u8; 3] = [240, 180, 90];

/// The sheet of a film: which frames it shows, and those that are there.
pub(super) struct Sheet {
    frames: Vec<u32>,
    canvas: Canvas,
    cell: Size,
    labels: Vec<(String, String)>,
    filled: usize,
}

impl Sheet {
    /// An empty sheet for frames of `size`.
    pub(super) fn new(timeline: &Timeline, size: Size) -> Self {
        let count = timeline.frames();
        let cells = (CELLS.0 * CELLS.1).min(count as usize);
        let at = |i: usize| (i as u64 * u64::from(count - 1) / (cells as u64 - 1).max(1)) as u32;
        let frames: Vec<u32> = (0..cells).map(at).collect();
        let keys = timeline.keys();
        let labels = (0..cells)
            .map(|i| {
                let end = frames.get(i + 1).copied().unwrap_or(u32::MAX);
                let within = |key: &KeyPlace| (frames[i]..end).contains(&(key.frame.max(0.0) as u32));
                let mut names: Vec<&str> =
                    keys.iter().filter(|(_, key)| within(key)).map(|(name, _)| name.as_str()).collect();
                names.dedup();
                let seconds = timeline.seconds(f64::from(frames[i]));
                (format!("{}  {seconds:.2}s", frames[i]), names.join(" "))
            })
            .collect();
        let cell = Size::new(WIDTH, (WIDTH * size.height / size.width).clamp(16, 4 * WIDTH));
        let rows = cells.div_ceil(CELLS.0);
        let across = CELLS.0.min(cells);
        let whole = Size::new(
            across * (cell.width + GAP) + GAP,
            rows * (cell.height + 2 * height(SCALE) + GAP) + GAP,
        );
        Self { frames, canvas: Canvas::filled(whole, PAPER), cell, labels, filled: 0 }
    }

    /// Takes a frame, when the sheet shows it. Frames come in order.
    pub(super) fn take(&mut self, frame: u32, picture: &Canvas) {
        if self.frames.get(self.filled) != Some(&frame) {
            return;
        }
        let (column, row) = (self.filled % CELLS.0, self.filled / CELLS.0);
        let left = GAP + column * (self.cell.width + GAP);
        let top = GAP + row * (self.cell.height + 2 * height(SCALE) + GAP);
        let small = picture.resized(self.cell);
        let (from, to) = (self.cell.width * 3, self.canvas.width() * 3);
        for (y, line) in small.as_rgb8().chunks(from).enumerate() {
            let at = (top + y) * to + left * 3;
            self.canvas.as_rgb8_mut()[at..at + from].copy_from_slice(line);
        }
        let (number, keys) = self.labels[self.filled].clone();
        let below = top + self.cell.height + SCALE;
        write(&mut self.canvas, (left, below), &number, SCALE, NUMBER);
        let keys: String = keys.chars().take(fit(self.cell.width, SCALE)).collect();
        write(&mut self.canvas, (left, below + height(SCALE)), &keys, SCALE, KEY);
        self.filled += 1;
    }

    /// Writes the sheet.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.canvas.to_png()?)
            .map_err(|e| Error::output(path, format!("cannot write the contact sheet: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Options;

    #[test]
    fn a_sheet_shows_the_first_and_the_last_frame_and_names_the_keys() {
        let text = "kinora 1\nprompt = \"a\"\nframes = 100\nzoom = 0: 1, 50: 1.1, 99: 1\n";
        let (film, _) = crate::schedule::read("film.kin", text).unwrap();
        let timeline = Timeline::new(&film, &Options::default()).unwrap();
        let sheet = Sheet::new(&timeline, Size::new(64, 32));
        assert_eq!((sheet.frames.len(), sheet.frames[0], sheet.frames[29]), (30, 0, 99));
        assert!(sheet.frames.is_sorted());
        let named: Vec<usize> = (0..30).filter(|i| sheet.labels[*i].1 == "zoom").collect();
        assert_eq!(named, [0, 14, 29]);
    }

    #[test]
    fn a_film_of_one_frame_has_a_sheet() {
        let (film, _) = crate::schedule::read("film.kin", "kinora 1\nprompt = \"a\"\nframes = 1\n").unwrap();
        let timeline = Timeline::new(&film, &Options::default()).unwrap();
        let mut sheet = Sheet::new(&timeline, Size::new(8, 8));
        let before = sheet.canvas.clone();
        sheet.take(0, &Canvas::filled(Size::new(8, 8), [200; 3]));
        assert_ne!(sheet.canvas, before);
    }
}
