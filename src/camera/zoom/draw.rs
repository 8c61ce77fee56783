//! A frame in the making: pictures are drawn over each other in floating point, and rounded once.

use rayon::prelude::*;

use super::lanczos::Taps;
use super::{Placement, depth, smooth};
use crate::canvas::{Canvas, Size};

/// How much of a drawn picture is seen, by the distance from its edge in its own pixels.
#[derive(Clone, Copy, Debug)]
pub(super) enum Weigh {
    /// All of it, and its edge goes on beyond it.
    Everything,
    /// Nothing up to `from`, `most` behind the next `width` pixels.
    Band {
        /// Pixels from its edge.
        from: f64,
        /// Pixels.
        width: f64,
        /// Share that is seen there, 0 to 1.
        most: f64,
        /// How round the lines of equal share are, 0 (the picture's edge) to 1.
        round: f64,
    },
}

impl Weigh {
    /// The share at a place of a picture of that size, from its middle.
    fn at(self, size: Size, place: (f64, f64)) -> f32 {
        let Self::Band { from, width, most, round } = self else { return 1.0 };
        let depth = depth(size, place, round);
        if depth < from.max(0.0) {
            return 0.0;
        }
        (most * smooth(if width > 0.0 { (depth - from) / width } else { 1.0 })) as f32
    }
}

/// The frame: three `f32` a pixel, 0 to 255 and, where Lanczos overshoots, beyond.
pub(super) struct Film {
    size: Size,
    values: Vec<f32>,
}

impl Film {
    pub fn blank(size: Size) -> Self {
        Self { size, values: vec![0.0; size.area() * 3] }
    }

    pub fn of(canvas: &Canvas) -> Self {
        Self { size: canvas.size(), values: canvas.as_rgb8().iter().map(|v| f32::from(*v)).collect() }
    }

    /// Of values, three a pixel, row by row.
    pub fn from_values(size: Size, values: Vec<f32>) -> Self {
        Self { size, values }
    }

    /// Its values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    pub fn into_canvas(self) -> Canvas {
        let byte = |v: &f32| v.round().clamp(0.0, 255.0) as u8;
        Canvas::from_rgb8(self.size, self.values.iter().map(byte).collect())
    }

    /// Draws a picture at its place.
    pub fn draw(&mut self, picture: &Canvas, placement: Placement, weigh: Weigh) {
        if placement.is_straight() {
            self.draw_straight(picture, placement.scale, weigh);
        } else {
            self.draw_turned(picture, placement, weigh);
        }
    }

    /// The rows or columns of the frame that a straight picture may be seen in.
    fn seen(length: usize, scale: f64, weigh: Weigh) -> std::ops::Range<usize> {
        if matches!(weigh, Weigh::Everything) {
            return 0..length;
        }
        let (middle, reach) = (length as f64 / 2.0, length as f64 / 2.0 * scale);
        let from = (middle - reach).floor().max(0.0) as usize;
        from..((middle + reach).ceil() as usize).min(length)
    }

    /// The taps of those places along one side.
    fn taps(places: std::ops::Range<usize>, scale: f64, length: usize) -> Vec<Taps> {
        let middle = length as f64 / 2.0;
        let at = |i: usize| (i as f64 + 0.5 - middle) / scale + middle - 0.5;
        places
            .map(|i| {
                let mut taps = Taps::default();
                taps.set(at(i), scale, length);
                taps
            })
            .collect()
    }

    /// First along the rows, then along the columns.
    fn draw_straight(&mut self, picture: &Canvas, scale: f64, weigh: Weigh) {
        let size = self.size;
        let (columns, rows) = (Self::seen(size.width, scale, weigh), Self::seen(size.height, scale, weigh));
        if columns.is_empty() || rows.is_empty() {
            return;
        }
        let across = Self::taps(columns.clone(), scale, size.width);
        let down = Self::taps(rows.clone(), scale, size.height);
        let first = down.iter().map(|taps| taps.first).min().unwrap_or(0);
        let last = down.iter().map(|taps| taps.first + taps.weights.len()).max().unwrap_or(first);
        let wide = columns.len() * 3;
        let mut narrowed = vec![0.0_f32; (last - first) * wide];
        narrowed.par_chunks_exact_mut(wide).enumerate().for_each(|(i, row)| {
            let source = &picture.as_rgb8()[(first + i) * size.width * 3..][..size.width * 3];
            for (pixel, taps) in row.chunks_exact_mut(3).zip(&across) {
                let sources = source[taps.first * 3..].chunks_exact(3);
                pixel.copy_from_slice(&sum(taps, sources.map(|p| [p[0], p[1], p[2]].map(f32::from))));
            }
        });
        let (width, half) = (size.width, (size.width as f64 / 2.0, size.height as f64 / 2.0));
        let rows_of_frame = self.values.par_chunks_exact_mut(width * 3).enumerate();
        rows_of_frame.filter(|(y, _)| rows.contains(y)).for_each(|(y, row)| {
            let taps = &down[y - rows.start];
            let mut made = vec![0.0_f32; wide];
            for (weight, line) in
                taps.weights.iter().zip(narrowed[(taps.first - first) * wide..].chunks(wide))
            {
                made.iter_mut().zip(line).for_each(|(made, value)| *made += weight * value);
            }
            let inside = (y as f64 + 0.5 - half.1) / scale;
            for (x, made) in columns.clone().zip(made.chunks_exact(3)) {
                let place = ((x as f64 + 0.5 - half.0) / scale, inside);
                mix(&mut row[x * 3..x * 3 + 3], made, weigh.at(size, place));
            }
        });
    }

    /// Pixel by pixel, along the picture's own rows and columns.
    fn draw_turned(&mut self, picture: &Canvas, placement: Placement, weigh: Weigh) {
        let size = self.size;
        let half = (size.width as f64 / 2.0, size.height as f64 / 2.0);
        let rows = self.values.par_chunks_exact_mut(size.width * 3).enumerate();
        rows.for_each_init(
            || (Taps::default(), Taps::default()),
            |(across, down), (y, row)| {
                for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
                    let place = placement.inside(x as f64 + 0.5 - half.0, y as f64 + 0.5 - half.1);
                    let weight = weigh.at(size, place);
                    if weight == 0.0 {
                        continue;
                    }
                    across.set(place.0 + half.0 - 0.5, placement.scale, size.width);
                    down.set(place.1 + half.1 - 0.5, placement.scale, size.height);
                    mix(pixel, &sampled(picture, across, down), weight);
                }
            },
        );
    }

    /// Fills the frame with a placed picture and its mirror images around it.
    pub fn mirror(&mut self, picture: &Canvas, placement: Placement) {
        let size = self.size;
        // As large as it lies there, so that nearest pixels are as good as any.
        let side = |length: usize| ((length as f64 * placement.scale).round() as usize).max(1);
        let small = picture.resized(Size::new(side(size.width), side(size.height)));
        let half = (size.width as f64 / 2.0, size.height as f64 / 2.0);
        for (i, pixel) in self.values.chunks_exact_mut(3).enumerate() {
            let (x, y) = ((i % size.width) as f64 + 0.5 - half.0, (i / size.width) as f64 + 0.5 - half.1);
            let place = placement.inside(x, y);
            let column = folded(place.0 / size.width as f64 + 0.5, small.width());
            let row = folded(place.1 / size.height as f64 + 0.5, small.height());
            pixel.copy_from_slice(&small.pixel(column, row).map(f32::from));
        }
    }
}

/// The pixel of a side of `length` at a share of it, which turns back at both ends.
fn folded(share: f64, length: usize) -> usize {
    let within = share.rem_euclid(2.0);
    let share = if within > 1.0 { 2.0 - within } else { within };
    ((share * length as f64) as usize).min(length - 1)
}

/// The weighted sum of pixels.
fn sum(taps: &Taps, pixels: impl Iterator<Item = [f32; 3]>) -> [f32; 3] {
    let mut total = [0.0_f32; 3];
    for (weight, pixel) in taps.weights.iter().zip(pixels) {
        for (total, value) in total.iter_mut().zip(pixel) {
            *total += weight * value;
        }
    }
    total
}

/// The picture at one place.
fn sampled(picture: &Canvas, across: &Taps, down: &Taps) -> [f32; 3] {
    let line = picture.width() * 3;
    let rows = picture.as_rgb8()[down.first * line..].chunks(line).map(|row| {
        let pixels = row[across.first * 3..].chunks_exact(3);
        sum(across, pixels.map(|p| [p[0], p[1], p[2]].map(f32::from)))
    });
    sum(down, rows)
}

fn mix(pixel: &mut [f32], over: &[f32], weight: f32) {
    for (under, over) in pixel.iter_mut().zip(over) {
        // All of it is all of it, whatever rounding makes of what was below.
        *under = if weight >= 1.0 { *over } else { *under + (over - *under) * weight };
    }
}
