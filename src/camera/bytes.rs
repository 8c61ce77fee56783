//! Sampled values brought to 8 bit.

#[cfg(target_arch = "x86_64")]
use super::avx2;
use super::sample::Texel;

/// Added before truncating to 8 bit, so that the rounding of weights does not darken a flat area by one level
/// a frame. Far below what truncation itself does.
const SLACK: f32 = 1.0 / 1024.0;

/// How a value becomes a byte. What is beyond 0..=255 is brought there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// Half to even.
    Round,
    /// Cut off, as in Deforum's 3D warp.
    Truncate,
}

impl Finish {
    /// Brings a row to 8 bit.
    ///
    /// # Safety
    /// With `AVX2` the processor must have AVX2.
    #[inline(always)]
    pub(super) unsafe fn row<const AVX2: bool>(self, texels: &[Texel], out: &mut [u8]) {
        let mut done = 0;
        #[cfg(target_arch = "x86_64")]
        if AVX2 {
            let slack = (self == Self::Truncate).then_some(SLACK);
            // Sixteen bytes are written of which twelve count, while there is room for all.
            for four in texels.as_chunks::<4>().0 {
                let Some(to) = out[done * 3..].first_chunk_mut::<16>() else { break };
                // SAFETY: the caller's promise.
                *to = unsafe { avx2::bytes(four, slack) };
                done += 4;
            }
        }
        let rest = texels[done..].iter().zip(out[done * 3..].as_chunks_mut::<3>().0);
        match self {
            Self::Round => {
                for (texel, pixel) in rest {
                    *pixel = [texel[0], texel[1], texel[2]].map(rounded);
                }
            }
            Self::Truncate => {
                for (texel, pixel) in rest {
                    *pixel = [texel[0], texel[1], texel[2]].map(|v| (v + SLACK) as u8);
                }
            }
        }
    }
}

/// Clamps and rounds half to even.
#[inline(always)]
fn rounded(v: f32) -> u8 {
    // Adding 1.5 * 2^23 rounds half to even and leaves the integer in the low bits.
    (v.clamp(0.0, 255.0) + 12_582_912.0).to_bits() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_level_and_what_is_beyond_to_the_ends() {
        let values = [-3.0, -0.5, 0.5, 1.5, 2.49, 2.5, 254.5, 254.51, 255.4, 400.0];
        assert_eq!(values.map(rounded), [0, 0, 0, 2, 2, 2, 254, 255, 255, 255]);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_written_out_path_agrees_for_rows_of_any_length() {
        if !is_x86_feature_detected!("avx2") {
            return;
        }
        // Halves, quarters, and far beyond both ends.
        let texels: Vec<Texel> =
            (0..97).map(|i| [i, 37 * i % 97, 61 * i % 97, 0].map(|v| v as f32 * 3.25 - 40.0)).collect();
        for (finish, n) in
            [Finish::Round, Finish::Truncate].into_iter().flat_map(|f| (0..97).map(move |n| (f, n)))
        {
            let (mut plain, mut wide) = (vec![0; n * 3], vec![0; n * 3]);
            // SAFETY: the processor has AVX2.
            unsafe {
                finish.row::<false>(&texels[..n], &mut plain);
                finish.row::<true>(&texels[..n], &mut wide);
            }
            assert_eq!(plain, wide, "{finish:?} of {n}");
        }
    }
}
