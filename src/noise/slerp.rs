//! Mixing two noises, and naming independent streams of random numbers.

/// The web UI's variation noise: walks from `low` (t = 0) to `high` (t = 1) along the sphere.
///
/// `shape` is (channels, rows, columns) of both tensors, row-major. As in stable-diffusion-webui the angle is taken
/// along the *rows* axis, once for each channel and column: an accident of a missing batch axis, kept because
/// variation seeds depend on it. Nearly parallel noises (mean cosine above 0.9995) are mixed linearly, with the
/// weights the wrong way round as there.
///
/// # Panics
/// When a tensor does not have the shape: a bug of the caller.
pub fn slerp(t: f64, low: &[f32], high: &[f32], shape: [usize; 3]) -> Vec<f32> {
    let [channels, rows, columns] = shape;
    assert!(
        low.len() == shape.iter().product::<usize>() && high.len() == low.len(),
        "both noises have the shape {shape:?}"
    );
    let place = |c: usize, y: usize, x: usize| (c * rows + y) * columns + x;
    let cosines: Vec<f64> = (0..channels * columns)
        .map(|i| cosine((0..rows).map(|y| place(i / columns, y, i % columns)), low, high))
        .collect();
    let mean = cosines.iter().sum::<f64>() / cosines.len().max(1) as f64;
    let mix = |i: usize, a: f64, b: f64| (a * f64::from(low[i]) + b * f64::from(high[i])) as f32;
    if mean > 0.9995 {
        return (0..low.len()).map(|i| mix(i, t, 1.0 - t)).collect();
    }
    let weights: Vec<(f64, f64)> = cosines.iter().map(|cosine| arc_weights(t, *cosine)).collect();
    (0..low.len())
        .map(|i| {
            let (a, b) = weights[i / (rows * columns) * columns + i % columns];
            mix(i, a, b)
        })
        .collect()
}

/// Cosine of the angle between two vectors, given by the places of their values.
fn cosine(places: impl Iterator<Item = usize>, low: &[f32], high: &[f32]) -> f64 {
    let (mut dot, mut a, mut b) = (0.0, 0.0, 0.0);
    for i in places {
        let (x, y) = (f64::from(low[i]), f64::from(high[i]));
        dot += x * y;
        a += x * x;
        b += y * y;
    }
    dot / (a.sqrt() * b.sqrt())
}

/// Weights of the two ends at `t` along an arc between vectors with this cosine (Shoemake, *Animating Rotation with
/// Quaternion Curves*, 1985). Where the ends point the same or the opposite way there is no arc
/// (torch divides by zero there): the mix is linear.
pub fn arc_weights(t: f64, cosine: f64) -> (f64, f64) {
    let omega = libm::acos(cosine.clamp(-1.0, 1.0));
    let sine = libm::sin(omega);
    if sine.is_nan() || sine < 1e-6 {
        return (1.0 - t, t);
    }
    (libm::sin((1.0 - t) * omega) / sine, libm::sin(t * omega) / sine)
}

/// The seed of one stream of random numbers: `purpose` names what they are for (`"added noise"`), so that no two parts
/// of the program ever share numbers. The first eight bytes, little-endian, of the BLAKE3 hash (key derivation mode)
/// of seed, frame and purpose.
pub fn stream_seed(seed: u64, frame: u32, purpose: &str) -> u64 {
    let mut hasher = blake3::Hasher::new_derive_key("kinora 2026 random stream");
    hasher.update(&seed.to_le_bytes()).update(&frame.to_le_bytes()).update(purpose.as_bytes());
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::TorchRng;

    #[test]
    fn the_ends_of_the_arc_are_the_noises() {
        let low = TorchRng::new(1).randn(60);
        let high = TorchRng::new(2).randn(60);
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(near(&slerp(0.0, &low, &high, [3, 4, 5]), &low));
        assert!(near(&slerp(1.0, &low, &high, [3, 4, 5]), &high));
    }

    #[test]
    fn degenerate_noises_stay_finite() {
        let ones = vec![1.0; 8];
        let zeros = vec![0.0; 8];
        let minus: Vec<f32> = ones.iter().map(|v| -v).collect();
        for other in [&ones, &zeros, &minus] {
            assert!(slerp(0.3, &ones, other, [2, 2, 2]).iter().all(|v| v.is_finite()));
        }
        assert!(slerp(0.5, &[], &[], [0, 2, 2]).is_empty());
    }

    #[test]
    fn streams_differ_in_each_of_their_names() {
        let seed = stream_seed(1, 2, "a");
        assert_eq!(seed, stream_seed(1, 2, "a"));
        for other in [stream_seed(2, 2, "a"), stream_seed(1, 3, "a"), stream_seed(1, 2, "b")] {
            assert_ne!(seed, other);
        }
    }
}
