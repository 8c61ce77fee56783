//! Masked content «fill»: what lies under a mask is painted over with the blurred colours around it.

use super::grey::Grey;
use crate::canvas::{Canvas, Size};

/// Radii of the blurs and how often each is laid over what is there, from the wide to the sharp
/// (sd-webui 1.10, `modules/masking.py`).
const LAYERS: [(f32, usize); 6] = [(256.0, 1), (64.0, 1), (16.0, 2), (4.0, 4), (2.0, 2), (0.0, 1)];

/// The picture with what is under the mask replaced. Blur and compositing are PIL's (12.0), in its 8 bits.
pub(super) fn fill(picture: &Canvas, mask: &Grey) -> Canvas {
    let masked = cut_out(picture, mask);
    let mut result = vec![[0_u8; 4]; picture.size().area()];
    for (radius, repeats) in LAYERS {
        let layer = gaussian(&masked, picture.size(), radius);
        for (below, above) in result.iter_mut().zip(&layer) {
            let above = straight(*above);
            for _ in 0..repeats {
                *below = over(*below, above);
            }
        }
    }
    Canvas::from_rgb8(picture.size(), result.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect())
}

/// The picture with the mask cut out of it: R, G, B times alpha, alpha.
fn cut_out(picture: &Canvas, mask: &Grey) -> Vec<[u8; 4]> {
    let pixels = picture.as_rgb8().as_chunks::<3>().0.iter().zip(&mask.values);
    pixels
        .map(|([r, g, b], mask)| [*r, *g, *b, 255].map(|v| over_255(u32::from(v) * u32::from(255 - mask))))
        .collect()
}

/// A 255th, rounded.
fn over_255(value: u32) -> u8 {
    let value = value + 128;
    (((value >> 8) + value) >> 8) as u8
}

/// The colour without its factor alpha.
fn straight([r, g, b, a]: [u8; 4]) -> [u8; 4] {
    if a == 0 || a == 255 {
        return [r, g, b, a];
    }
    let divided = |v: u8| (255 * u32::from(v) / u32::from(a)).min(255) as u8;
    [divided(r), divided(g), divided(b), a]
}

/// One colour over another (Porter & Duff 1984), seven more bits of precision.
fn over(below: [u8; 4], above: [u8; 4]) -> [u8; 4] {
    let (source, under) = (u32::from(above[3]), u32::from(below[3]));
    if source == 0 {
        return below;
    }
    let alpha = source * 255 + under * (255 - source);
    let of_above = source * 255 * 255 * 128 / alpha;
    let of_below = 255 * 128 - of_above;
    let colour = |i: usize| {
        let sum = u32::from(above[i]) * of_above + u32::from(below[i]) * of_below + (0x80 << 7);
        (((sum >> 8) + sum) >> 8 >> 7) as u8
    };
    [colour(0), colour(1), colour(2), over_255(alpha)]
}

/// PIL's Gaussian blur: three box blurs along the rows, three along the columns.
fn gaussian(pixels: &[[u8; 4]], size: Size, radius: f32) -> Vec<[u8; 4]> {
    let mut pixels = pixels.to_vec();
    if radius == 0.0 {
        return pixels;
    }
    let radius = box_radius(radius);
    let Size { width, height } = size;
    let mut line = vec![[0; 4]; width.max(height)];
    for row in pixels.chunks_exact_mut(width) {
        for _ in 0..PASSES {
            line[..width].copy_from_slice(row);
            box_blur(&line[..width], radius, |x, value| row[x] = value);
        }
    }
    for x in 0..width {
        for _ in 0..PASSES {
            (0..height).for_each(|y| line[y] = pixels[y * width + x]);
            box_blur(&line[..height], radius, |y, value| pixels[y * width + x] = value);
        }
    }
    pixels
}

const PASSES: usize = 3;

/// The fractional radius of a box that, applied three times, is like a Gaussian of this deviation (Gwosdek et
/// al. 2011, "Theoretical foundations of Gaussian convolution by extended box filtering").
fn box_radius(deviation: f32) -> f32 {
    let variance = deviation * deviation / PASSES as f32;
    let length = (12.0 * f64::from(variance) + 1.0).sqrt() as f32;
    let whole = ((length - 1.0) / 2.0).floor();
    let rest = (2.0 * whole + 1.0) * (whole * (whole + 1.0) - 3.0 * variance);
    whole + rest / (6.0 * (variance - (whole + 1.0) * (whole + 1.0)))
}

/// A box blur of a line, whose last values go on beyond its ends. The fraction of the radius is the weight of
/// one more value at either end.
fn box_blur(line: &[[u8; 4]], radius: f32, mut put: impl FnMut(usize, [u8; 4])) {
    let whole = radius as usize;
    let weight = ((1 << 24) as f32 / (radius * 2.0 + 1.0)) as u32;
    let edge = ((1 << 24) - (whole as u32 * 2 + 1) * weight) / 2;
    let at = |place: i64| line[place.clamp(0, line.len() as i64 - 1) as usize].map(u32::from);
    let reach = whole as i64;
    let mut sum = [0; 4];
    for place in -reach..=reach {
        let value = at(place);
        (0..4).for_each(|c| sum[c] += value[c]);
    }
    for x in 0..line.len() {
        let place = x as i64;
        let (before, after) = (at(place - reach - 1), at(place + reach + 1));
        let value = |c: usize| ((sum[c] * weight + (before[c] + after[c]) * edge + (1 << 23)) >> 24) as u8;
        put(x, [value(0), value(1), value(2), value(3)]);
        let first = at(place - reach);
        (0..4).for_each(|c| sum[c] = sum[c] + after[c] - first[c]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> (Canvas, Grey) {
        let size = Size::new(8, 6);
        let picture = Canvas::from_rgb8(size, (0..size.area() * 3).map(|i| (i * 53 % 256) as u8).collect());
        let mask = |i: usize| [0, 0, 255, 255, 128, 0, 0, 10][i % 8];
        (picture, Grey { size, values: (0..size.area()).map(mask).collect() })
    }

    #[test]
    fn fills_as_pil_does() {
        let (picture, mask) = case();
        let filled = fill(&picture, &mask);
        // The same with Pillow 13.0.
        assert_eq!(filled.as_rgb8(), PIL);
    }

    const PIL: [u8; 144] = [
        0, 53, 106, 159, 212, 9, 126, 120, 109, 114, 130, 119, 114, 158, 177, 27, 80, 133, 186, 239, 36, 89,
        141, 192, 248, 45, 98, 151, 204, 1, 134, 117, 115, 119, 127, 123, 111, 151, 174, 19, 72, 125, 178,
        231, 28, 82, 134, 185, 240, 37, 90, 143, 196, 249, 143, 113, 123, 126, 124, 128, 111, 145, 171, 11,
        64, 117, 170, 223, 20, 73, 126, 177, 232, 29, 82, 135, 188, 241, 151, 107, 132, 134, 118, 134, 110,
        139, 170, 3, 56, 109, 162, 215, 12, 66, 118, 168, 224, 21, 74, 127, 180, 233, 158, 105, 136, 141,
        114, 140, 110, 133, 168, 251, 48, 101, 154, 207, 4, 59, 111, 162, 216, 13, 66, 119, 172, 225, 162,
        101, 140, 145, 111, 143, 109, 127, 165, 243, 40, 93, 146, 199, 252, 50, 103, 154,
    ];

    #[test]
    fn nothing_masked_is_the_picture_and_all_masked_is_black() {
        let (picture, mask) = case();
        let all = |value| Grey { values: vec![value; mask.values.len()], ..mask.clone() };
        assert_eq!(fill(&picture, &all(0)), picture);
        assert!(fill(&picture, &all(255)).as_rgb8().iter().all(|v| *v == 0));
    }
}
