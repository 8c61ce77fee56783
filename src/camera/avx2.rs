//! What the compiler does not find in the inner loops of sampling, written out for AVX2. Operations and their order are
//! those of the plain code beside each call, so that the results are, to the last bit.

use std::arch::x86_64::*;

use super::sample::Texel;

/// The sum of two by two pixels, of which each row comes in a register of eight bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn bilinear(rows: [&[u8; 8]; 2], wx: [f32; 2], wy: [f32; 2], lift: f32) -> Texel {
    let upper = _mm256_mul_ps(widen(rows[0]), _mm256_set1_ps(wy[0]));
    let down = _mm256_add_ps(upper, _mm256_mul_ps(widen(rows[1]), _mm256_set1_ps(wy[1])));
    // The second pixel begins at the fourth place.
    let second = _mm256_permutevar8x32_ps(down, _mm256_setr_epi32(3, 4, 5, 6, 0, 0, 0, 0));
    let sum = _mm_set1_ps(lift);
    let sum = _mm_add_ps(sum, _mm_mul_ps(_mm256_castps256_ps128(down), _mm_set1_ps(wx[0])));
    stored(_mm_add_ps(sum, _mm_mul_ps(_mm256_castps256_ps128(second), _mm_set1_ps(wx[1]))))
}

/// The sum of N by N pixels; `HALF` is half of N.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn weigh<const N: usize, const HALF: usize>(
    rows: [&[Texel; N]; N],
    wx: &[f32; N],
    wy: &[f32; N],
    lift: f32,
) -> Texel {
    const { assert!(HALF * 2 == N) };
    let mut down = [_mm256_setzero_ps(); HALF];
    for (row, wy) in rows.iter().zip(wy) {
        let wy = _mm256_set1_ps(*wy);
        for (sum, pair) in down.iter_mut().zip(row.as_chunks::<2>().0) {
            // SAFETY: a pair of pixels is eight f32.
            let pair = unsafe { _mm256_loadu_ps(pair.as_flattened().as_ptr()) };
            *sum = _mm256_add_ps(*sum, _mm256_mul_ps(pair, wy));
        }
    }
    let mut sum = _mm_set1_ps(lift);
    for (pair, wx) in down.iter().zip(wx.as_chunks::<2>().0) {
        sum = _mm_add_ps(sum, _mm_mul_ps(_mm256_castps256_ps128(*pair), _mm_set1_ps(wx[0])));
        sum = _mm_add_ps(sum, _mm_mul_ps(_mm256_extractf128_ps::<1>(*pair), _mm_set1_ps(wx[1])));
    }
    stored(sum)
}

/// R, G, B of pixels as bytes: rounded half to even, or cut off after a slack was added. What is beyond 0..=255 is brought there.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn bytes(texels: &[Texel; 4], truncated: Option<f32>) -> [u8; 16] {
    let whole = |texel: &Texel| {
        // SAFETY: a pixel is four f32.
        let texel = unsafe { _mm_loadu_ps(texel.as_ptr()) };
        match truncated {
            Some(slack) => _mm_cvttps_epi32(_mm_add_ps(texel, _mm_set1_ps(slack))),
            None => _mm_cvtps_epi32(texel),
        }
    };
    let [a, b, c, d] = [whole(&texels[0]), whole(&texels[1]), whole(&texels[2]), whole(&texels[3])];
    let four = _mm_packus_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d));
    let rgb = _mm_shuffle_epi8(four, _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
    let mut bytes = [0; 16];
    // SAFETY: 16 bytes are written to 16 bytes.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), rgb) };
    bytes
}

/// Eight bytes as eight `f32`.
#[inline]
#[target_feature(enable = "avx2")]
fn widen(bytes: &[u8; 8]) -> __m256 {
    let bytes = _mm_cvtsi64_si128(i64::from_le_bytes(*bytes));
    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))
}

#[inline]
#[target_feature(enable = "avx2")]
fn stored(sum: __m128) -> Texel {
    let mut texel = [0.0; 4];
    // SAFETY: four f32 are written to four f32.
    unsafe { _mm_storeu_ps(texel.as_mut_ptr(), sum) };
    texel
}
