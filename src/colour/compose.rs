//! Two pictures made one, and what masks are made with: the 8-bit arithmetic of PIL (Pillow 10), which
//! sd-webui-deforum 32242685 composes with.

use crate::canvas::Canvas;

/// Grey values of a picture (PIL's `convert("L")`: ITU-R 601-2 in 16-bit fixed point, rounded), one a pixel.
pub fn luma(canvas: &Canvas) -> Vec<u8> {
    let grey = |p: &[u8; 3]| {
        let [r, g, b] = p.map(u32::from);
        ((r * 19_595 + g * 38_470 + b * 7_471 + 0x8000) >> 16) as u8
    };
    canvas.as_rgb8().as_chunks::<3>().0.iter().map(grey).collect()
}

/// `(1 - alpha) * a + alpha * b` (PIL's `Image.blend`): in single precision, cut off, and clamped when `alpha` lies
/// outside of 0 to 1.
///
/// # Panics
/// When the sizes differ: a bug of the caller.
pub fn blend(a: &Canvas, b: &Canvas, alpha: f64) -> Canvas {
    assert_eq!(a.size(), b.size(), "pictures of one size are blended");
    Canvas::from_rgb8(a.size(), blended(a.as_rgb8(), b.as_rgb8(), alpha))
}

/// [`blend`] of bytes.
pub fn blended(a: &[u8], b: &[u8], alpha: f64) -> Vec<u8> {
    // PIL takes the ends as they are.
    if alpha == 0.0 {
        return a.to_vec();
    }
    if alpha == 1.0 {
        return b.to_vec();
    }
    let alpha = alpha as f32;
    // The cast cuts off and clamps; PIL does both, the latter only where it is needed.
    let mix = |(a, b): (&u8, &u8)| {
        let (a, b) = (i32::from(*a), i32::from(*b));
        (a as f32 + alpha * (b - a) as f32) as u8
    };
    a.iter().zip(b).map(mix).collect()
}

/// `inside` where the mask is 255, `outside` where it is 0 (PIL's `Image.composite`).
///
/// # Panics
/// When there is not one mask value a pixel, or the sizes differ: a bug of the caller.
pub fn composite(inside: &Canvas, outside: &Canvas, mask: &[u8]) -> Canvas {
    assert_eq!(inside.size(), outside.size(), "pictures of one size are composed");
    assert_eq!(mask.len(), inside.size().area(), "a mask has one value a pixel");
    let pixels = inside.as_rgb8().as_chunks::<3>().0.iter().zip(outside.as_rgb8().as_chunks::<3>().0);
    let rgb = pixels.zip(mask).flat_map(|((a, b), mask)| {
        let mix = |channel: usize| {
            let m = u32::from(*mask);
            let sum = u32::from(a[channel]) * m + u32::from(b[channel]) * (255 - m) + 128;
            (((sum >> 8) + sum) >> 8) as u8
        };
        [mix(0), mix(1), mix(2)]
    });
    Canvas::from_rgb8(inside.size(), rgb.collect())
}

/// Equal shares of the pixels for all values (PIL's `ImageOps.equalize`).
pub fn equalized(grey: &[u8]) -> Vec<u8> {
    let histogram = histogram(grey);
    let used: Vec<u64> = histogram.iter().copied().filter(|count| *count > 0).collect();
    let Some((_, others)) = used.split_last().filter(|(_, others)| !others.is_empty()) else {
        return grey.to_vec();
    };
    let step = others.iter().sum::<u64>() / 255;
    if step == 0 {
        return grey.to_vec();
    }
    let mut sum = step / 2;
    let table: Vec<u8> = histogram
        .iter()
        .map(|count| {
            let value = (sum / step).min(255) as u8;
            sum += count;
            value
        })
        .collect();
    grey.iter().map(|value| table[usize::from(*value)]).collect()
}

/// The distance to the mean times `factor` (PIL's `ImageEnhance.Contrast`).
pub fn contrasted(grey: &[u8], factor: f64) -> Vec<u8> {
    let sum: u64 = grey.iter().map(|value| u64::from(*value)).sum();
    let mean = (sum as f64 / grey.len().max(1) as f64 + 0.5) as u8;
    blended(&vec![mean; grey.len()], grey, factor)
}

/// The low and the high percentile (0 to 100) become 0 and 255 (Deforum's `autocontrast_grayscale`).
pub fn autocontrasted(grey: &[u8], low: f64, high: f64) -> Vec<u8> {
    let (least, most) = (percentile(grey, low), percentile(grey, high));
    let range = most - least;
    // The peer divides by zero here; a mask of one value has no contrast to stretch.
    if range == 0.0 {
        return grey.to_vec();
    }
    // Beyond the percentiles is clipped before the cast.
    let stretch = |value: &u8| (255.0 * (f64::from(*value) - least) / range).clamp(0.0, 255.0) as u8;
    grey.iter().map(stretch).collect()
}

/// NumPy's `percentile`, linear between neighbours.
fn percentile(grey: &[u8], percent: f64) -> f64 {
    let histogram = histogram(grey);
    let last = grey.len().saturating_sub(1) as f64;
    let place = (percent / 100.0).clamp(0.0, 1.0) * last;
    let at = |rank: f64| {
        let mut below = 0;
        let found = histogram.iter().position(|count| {
            below += count;
            below as f64 > rank
        });
        found.unwrap_or(255) as f64
    };
    let (lower, upper) = (at(place.floor()), at(place.ceil()));
    lower + (upper - lower) * place.fract()
}

fn histogram(grey: &[u8]) -> [u64; 256] {
    let mut counts = [0; 256];
    grey.iter().for_each(|value| counts[usize::from(*value)] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::canvas::Size;

    #[test]
    fn masks_choose_and_blends_cut_off() {
        let (a, b) = (Canvas::filled(Size::new(3, 1), [200; 3]), Canvas::filled(Size::new(3, 1), [101; 3]));
        let made = composite(&a, &b, &[255, 0, 128]);
        assert_eq!([made.pixel(0, 0)[0], made.pixel(1, 0)[0], made.pixel(2, 0)[0]], [200, 101, 151]);
        assert_eq!(blend(&a, &b, 0.4).pixel(0, 0)[0], 160);
        // 200 - 1.5 * 99
        assert_eq!(blend(&a, &b, 1.5).pixel(0, 0)[0], 51);
        assert_eq!(blend(&a, &b, -3.0).pixel(0, 0)[0], 255);
    }

    #[test]
    fn grey_is_stretched_and_equalised() {
        assert_eq!(luma(&Canvas::from_rgb8(Size::new(2, 1), vec![255, 0, 0, 0, 255, 0])), [76, 150]);
        assert_eq!(autocontrasted(&[50, 100, 150], 0.0, 100.0), [0, 127, 255]);
        assert_eq!(autocontrasted(&[7, 7], 0.0, 100.0), [7, 7]);
        assert_eq!(contrasted(&[100, 200], 0.0), [150, 150]);
        let ramp: Vec<u8> = (0..=255).flat_map(|value| [value / 4; 4]).collect();
        let flat = equalized(&ramp);
        assert_eq!((flat[0], flat[1023]), (0, 255));
        assert!(flat.is_sorted());
    }

    proptest! {
        #[test]
        fn nothing_leaves_the_range_of_its_ends(
            a in prop::collection::vec(any::<u8>(), 12), b in prop::collection::vec(any::<u8>(), 12),
            alpha in 0.0_f64..1.0, mask in prop::collection::vec(any::<u8>(), 4)
        ) {
            let size = Size::new(2, 2);
            let (a, b) = (Canvas::from_rgb8(size, a), Canvas::from_rgb8(size, b));
            for made in [blend(&a, &b, alpha), composite(&a, &b, &mask)] {
                for ((made, a), b) in made.as_rgb8().iter().zip(a.as_rgb8()).zip(b.as_rgb8()) {
                    prop_assert!((a.min(b)..=a.max(b)).contains(&made));
                }
            }
        }
    }
}
