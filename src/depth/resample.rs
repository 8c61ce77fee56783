//! Interpolation as PyTorch's `interpolate` does it, on planes of `f32`.
//!
//! Both filters are separable: every output sample is a weighted sum of a few samples along x, then
//! along y. Rows are computed independently, so the number of threads does not change a bit.

use rayon::prelude::*;

use crate::canvas::Size;

/// The cubic kernel's parameter in PyTorch's `bicubic` (Keys 1981 has −0.5).
const CUBIC_A: f64 = -0.75;

/// Samples that make up one output sample along an axis.
type Taps = Vec<(usize, f32)>;

/// Resizes planes one after another: bicubic, `align_corners` false, no smoothing when shrinking.
///
/// `values` holds any number of planes of size `from`, row by row.
pub fn bicubic(values: &[f32], from: Size, to: Size) -> Vec<f32> {
    let scale = |a: usize, b: usize| a as f64 / b.max(1) as f64;
    let axis = |a: usize, b: usize| -> Vec<Taps> {
        (0..b).map(|i| cubic_taps((i as f64 + 0.5) * scale(a, b) - 0.5, a)).collect()
    };
    resize(values, from, to, &axis(from.width, to.width), &axis(from.height, to.height))
}

/// Resizes planes one after another: bilinear, `align_corners` false, no smoothing when shrinking.
///
/// `values` holds any number of planes of size `from`, row by row.
pub fn bilinear(values: &[f32], from: Size, to: Size) -> Vec<f32> {
    let scale = |a: usize, b: usize| a as f64 / b.max(1) as f64;
    let axis = |a: usize, b: usize| -> Vec<Taps> {
        (0..b).map(|i| linear_taps(((i as f64 + 0.5) * scale(a, b) - 0.5).max(0.0), a)).collect()
    };
    resize(values, from, to, &axis(from.width, to.width), &axis(from.height, to.height))
}

/// Resizes planes one after another: bilinear, `align_corners` true (corner samples fall on corners).
///
/// `values` holds any number of planes of size `from`, row by row.
pub fn bilinear_corners(values: &[f32], from: Size, to: Size) -> Vec<f32> {
    let scale = |a: usize, b: usize| if b > 1 { (a - 1) as f64 / (b - 1) as f64 } else { 0.0 };
    let axis = |a: usize, b: usize| -> Vec<Taps> {
        (0..b).map(|i| linear_taps(i as f64 * scale(a, b), a)).collect()
    };
    resize(values, from, to, &axis(from.width, to.width), &axis(from.height, to.height))
}

/// Four neighbours of `at` among `count` samples; beyond the border the last one repeats.
fn cubic_taps(at: f64, count: usize) -> Taps {
    let base = at.floor();
    let t = at - base;
    let near = |x: f64| ((CUBIC_A + 2.0) * x - (CUBIC_A + 3.0)) * x * x + 1.0;
    let far = |x: f64| ((CUBIC_A * x - 5.0 * CUBIC_A) * x + 8.0 * CUBIC_A) * x - 4.0 * CUBIC_A;
    let weights = [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)];
    let last = count.saturating_sub(1) as f64;
    let index = |k: usize| (base - 1.0 + k as f64).clamp(0.0, last) as usize;
    (0..4).map(|k| (index(k), weights[k] as f32)).collect()
}

/// The two neighbours of `at` among `count` samples.
fn linear_taps(at: f64, count: usize) -> Taps {
    let last = count.saturating_sub(1);
    let low = (at.floor() as usize).min(last);
    let t = (at - low as f64) as f32;
    vec![(low, 1.0 - t), ((low + 1).min(last), t)]
}

/// Filters along y, then along x, one output row after the other.
fn resize(values: &[f32], from: Size, to: Size, across: &[Taps], down: &[Taps]) -> Vec<f32> {
    let planes = values.len() / from.area().max(1);
    let mut out = vec![0.0; planes * to.area()];
    if out.is_empty() {
        return out;
    }
    out.par_chunks_mut(to.width).enumerate().for_each_init(
        || vec![0.0; from.width],
        |mixed, (row, target)| {
            let plane = &values[row / to.height * from.area()..][..from.area()];
            mix_rows(plane, from.width, &down[row % to.height], mixed);
            for (value, taps) in target.iter_mut().zip(across) {
                *value = taps.iter().map(|(i, weight)| mixed[*i] * weight).sum();
            }
        },
    );
    out
}

/// The weighted sum of a plane's rows.
fn mix_rows(plane: &[f32], width: usize, taps: &Taps, mixed: &mut [f32]) {
    mixed.fill(0.0);
    for (row, weight) in taps {
        let source = &plane[row * width..][..width];
        mixed.iter_mut().zip(source).for_each(|(sum, value)| *sum += value * weight);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_size_changes_nothing() {
        let size = Size::new(5, 3);
        let values: Vec<f32> = (0..30).map(|i| i as f32 * 0.37 - 2.0).collect();
        assert_eq!(bicubic(&values, size, size), values);
        assert_eq!(bilinear_corners(&values, size, size), values);
    }

    /// `torch.nn.functional.interpolate(torch.tensor([[[[0., 1., 4., 9.]]]]), (1, 8), mode="bicubic")`
    /// worked out by hand from its kernel: the weights at t = 0.75 and 0.25 are
    /// (-0.03515625, 0.26171875, 0.87890625, -0.10546875) and their mirror image.
    #[test]
    fn bicubic_uses_pytorchs_kernel_and_border() {
        let out = bicubic(&[0.0, 1.0, 4.0, 9.0], Size::new(4, 1), Size::new(8, 1));
        let w = [-0.035_156_25, 0.261_718_75, 0.878_906_25, -0.105_468_75];
        let expected = [w[3], w[1] + w[0] * 4.0, w[2] + w[3] * 4.0];
        for (found, expected) in out.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{out:?}");
        }
    }

    #[test]
    fn half_pixels_lie_between_centres() {
        let out = bilinear(&[0.0, 4.0], Size::new(2, 1), Size::new(4, 1));
        assert_eq!(out, [0.0, 1.0, 3.0, 4.0]);
    }

    #[test]
    fn aligned_corners_fall_on_corners() {
        let out = bilinear_corners(&[1.0, 3.0, 5.0, 9.0], Size::new(2, 2), Size::new(3, 3));
        assert_eq!(out, [1.0, 2.0, 3.0, 3.0, 4.5, 6.0, 5.0, 7.0, 9.0]);
    }

    proptest! {
        #[test]
        fn a_constant_stays_what_it_is(w in 1_usize..9, h in 1_usize..9, w2 in 1_usize..20, h2 in 1_usize..20) {
            let values = vec![0.7; w * h * 2];
            for resize in [bicubic, bilinear, bilinear_corners] {
                let out = resize(&values, Size::new(w, h), Size::new(w2, h2));
                prop_assert_eq!(out.len(), w2 * h2 * 2);
                prop_assert!(out.iter().all(|v| (v - 0.7).abs() < 1e-6));
            }
        }
    }
}
