//! OpenCV's 8-bit conversions between RGB and HSV or LAB, bit for bit.
//!
//! LAB: sRGB primaries, white point (0.950456, 1, 1.088754), L scaled to 0..255, a and b offset by 128. HSV: H in
//! 0..180 (two degrees a step), S and V in 0..255. The integer scheme (12-bit coefficients, 15-bit cube roots, 14-bit
//! inverse) is that of OpenCV's `color_lab.cpp`; it was checked against OpenCV 5.0 for every fifth plane of colours.
//!
//! One known departure: where OpenCV converts HSV back, the last `width % 32` pixels of a row go through its scalar code,
//! which rounds; all others are truncated. Here every pixel is truncated.

use std::sync::LazyLock;

/// Bits of the linear-light values and of their cube roots.
const ROOT_BITS: u32 = 15;
/// Entries of the cube root table: linear light in eighths of a level, with headroom.
const ROOTS: usize = 3072;
/// One, in the fixed point of the way back.
const BASE: i32 = 1 << 14;

/// Rows: X, Y, Z of linear R, G, B relative to the white point, times 4096.
const TO_XYZ: [[i32; 3]; 3] = [[1777, 1541, 778], [871, 2929, 296], [73, 448, 3575]];
/// Rows: linear R, G, B of X, Y, Z relative to the white point, times 4096.
const FROM_XYZ: [[i32; 3]; 3] = [[12615, -6296, -2223], [-3773, 7684, 185], [217, -836, 4715]];

static TABLES: LazyLock<Tables> = LazyLock::new(Tables::new);

struct Tables {
    /// Linear light of an encoded value, in eighths of a level.
    linear: [i32; 256],
    /// CIE's f of linear light, 15 bits. The second half is never asked for: a mask is cheaper than a check.
    root: [u16; 4096],
    /// Of each L: Y and below it f(Y), 14 bits each.
    light: [i32; 256],
    /// Encoded value of 12-bit linear light.
    encoded: [u8; 4096],
    /// 255 / v and 30 / d in 12-bit fixed point.
    saturation: [i32; 256],
    hue: [i32; 256],
}

impl Tables {
    fn new() -> Self {
        let over = |scale: f64, i: usize| if i == 0 { 0 } else { round(scale * 4096.0 / i as f64) };
        Self {
            linear: std::array::from_fn(|v| round(255.0 * 8.0 * linear(v as f64 / 255.0))),
            root: std::array::from_fn(|i| {
                let f = if i < ROOTS { f64::from(root(i)) } else { 0.0 };
                round(f * f64::from(1 << ROOT_BITS)) as u16
            }),
            light: std::array::from_fn(|i| {
                let (y, f) = light(i as f64);
                y << 16 | f
            }),
            encoded: std::array::from_fn(|i| round(255.0 * encoded(i as f64 / 4096.0)) as u8),
            saturation: std::array::from_fn(|i| over(255.0, i)),
            hue: std::array::from_fn(|i| over(30.0, i)),
        }
    }
}

/// Half to even, as OpenCV rounds.
fn round(v: f64) -> i32 {
    v.round_ties_even() as i32
}

/// The sRGB curve (IEC 61966-2-1), 0..1 to 0..1.
fn linear(v: f64) -> f64 {
    if v <= 0.04045 { v / 12.92 } else { libm::pow((v + 0.055) / 1.055, 2.4) }
}

/// Its inverse.
fn encoded(v: f64) -> f64 {
    if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * libm::pow(v, 1.0 / 2.4) - 0.055 }
}

/// CIE's f of `i` eighths of a level, with the rounding of OpenCV's single-precision arithmetic.
fn root(i: usize) -> f32 {
    let x = 1.0 / 2040.0_f32 * i as f32;
    if x < 216.0 / 24389.0 {
        return (f64::from(x) * f64::from(841.0 / 108.0_f32) + f64::from(16.0 / 116.0_f32)) as f32;
    }
    let exact = cube_root(f64::from(x));
    // OpenCV cuts the double off where a single ends instead of rounding it.
    f64::from_bits(exact.to_bits() >> 29 << 29) as f32
}

/// Cube root of a number in 0.001..2 by the rational approximation that OpenCV uses (error below 2^-24): its last bits
/// decide a few roundings.
fn cube_root(x: f64) -> f64 {
    let (mut fraction, mut scale) = (x, 1.0);
    while fraction < 0.125 {
        fraction *= 8.0;
        scale /= 2.0;
    }
    while fraction >= 1.0 {
        fraction /= 8.0;
        scale *= 2.0;
    }
    let polynomial = |terms: [f64; 5]| terms.iter().fold(0.0, |sum, term| sum * fraction + term);
    let above = polynomial([
        45.254_833_975_680_3,
        192.279_836_835_506_1,
        119.165_482_428_558_16,
        13.432_501_390_862_399,
        0.163_616_122_658_575_42,
    ]);
    let below = polynomial([
        14.808_840_932_191_346,
        151.971_405_104_443_56,
        168.525_441_410_156_83,
        33.990_594_135_021_56,
        1.0,
    ]);
    above / below * scale
}

/// Y and f(Y) of an 8-bit L.
fn light(l: f64) -> (i32, i32) {
    let base = f64::from(BASE);
    let f = l * 5.0 / (3.0 * 17.0 * 29.0) + 16.0 / 116.0;
    // Below L = 8 the curve is a straight line.
    let y = if l <= 20.0 { l * 20.0 * 9.0 / (17.0 * 29.0 * 29.0 * 29.0) } else { f * f * f };
    (round(base * y), round(base * f))
}

/// Inverse of CIE's f in fixed point, for numbers of 16 bits; integer divisions as OpenCV makes them.
#[inline(always)]
fn cube(i: i32) -> i32 {
    // A quotient that is no whole number is farther from one than single precision errs, and below 4000.
    let quotient = (i * 108) as f32 / 841.0;
    // SAFETY: a quotient of a number of 24 bits is a number, and fits.
    let line = unsafe { quotient.to_int_unchecked::<i32>() } - BASE * 16 / 116 * 108 / 841;
    // On the curve i is positive, where a shift is a division.
    let curve = (((i * i) >> 14) * i) >> 14;
    if i <= 3390 { line } else { curve }
}

#[inline(always)]
fn descale(v: i32, bits: u32) -> i32 {
    (v + (1 << (bits - 1))) >> bits
}

/// Pixels whose channels lie in lists of their own: arithmetic goes through many at a time, and look-ups between two
/// such passes through one at a time.
const BLOCK: usize = 128;

type Lists<T> = [[T; BLOCK]; 3];

/// Converts pixels from RGB to LAB in place. `red` is the channel that counts as red, 0 or 2; green is 1 and the
/// other one blue.
pub(super) fn to_lab(pixels: &mut [[u8; 3]], red: usize) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { avx2::to_lab(pixels, red) };
    }
    to_lab_anywhere(pixels, red);
}

#[inline(always)]
fn to_lab_anywhere(pixels: &mut [[u8; 3]], red: usize) {
    for block in pixels.chunks_mut(BLOCK) {
        to_lab_block(block, red);
    }
}

/// Both ways compiled for wide registers: the same operations in the same order. Each is a function of its own because
/// what a closure does is not sure to be compiled into the one that calls it.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    #[target_feature(enable = "avx2")]
    pub(super) fn to_lab(pixels: &mut [[u8; 3]], red: usize) {
        super::to_lab_anywhere(pixels, red);
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn from_roots(pixels: &mut [[u8; 3]], roots: &[[i32; 256]; 3], red: usize) {
        super::from_roots_anywhere(pixels, roots, red);
    }
}

#[inline(always)]
fn to_lab_block(pixels: &mut [[u8; 3]], red: usize) {
    let (tables, mut xyz) = (&*TABLES, [[0; BLOCK]; 3]);
    let mut lab = [[0; BLOCK]; 3];
    let [x, y, z] = &mut xyz;
    for (i, pixel) in pixels.iter().enumerate().take(BLOCK) {
        x[i] = tables.linear[usize::from(pixel[red])];
        y[i] = tables.linear[usize::from(pixel[1])];
        z[i] = tables.linear[usize::from(pixel[2 - red])];
    }
    weigh_light(&mut xyz);
    for list in &mut xyz {
        for value in list.iter_mut() {
            *value = i32::from(tables.root[*value as usize & 4095]);
        }
    }
    weigh_roots(&xyz, &mut lab);
    for (i, pixel) in pixels.iter_mut().enumerate().take(BLOCK) {
        *pixel = [lab[0][i], lab[1][i], lab[2][i]];
    }
}

/// Linear R, G, B in eighths of a level to X, Y, Z relative to the white point.
#[inline(always)]
fn weigh_light([a, b, c]: &mut Lists<i32>) {
    for i in 0..BLOCK {
        let row = |weights: [i32; 3]| descale(a[i] * weights[0] + b[i] * weights[1] + c[i] * weights[2], 12);
        let xyz = [row(TO_XYZ[0]), row(TO_XYZ[1]), row(TO_XYZ[2])];
        (a[i], b[i], c[i]) = (xyz[0], xyz[1], xyz[2]);
    }
}

/// CIE's f of X, Y, Z to L, a, b.
#[inline(always)]
fn weigh_roots([x, y, z]: &Lists<i32>, lab: &mut Lists<u8>) {
    const SCALE: i32 = (116 * 255 + 50) / 100;
    const SHIFT: i32 = -((16 * 255 * (1 << ROOT_BITS) + 50) / 100);
    const MIDDLE: i32 = 128 << ROOT_BITS;
    let level = |v: i32| descale(v, ROOT_BITS).clamp(0, 255) as u8;
    for i in 0..BLOCK {
        lab[0][i] = level(SCALE * y[i] + SHIFT);
        lab[1][i] = level(500 * (x[i] - y[i]) + MIDDLE);
        lab[2][i] = level(200 * (y[i] - z[i]) + MIDDLE);
    }
}

/// Looks each channel of LAB pixels up in its table and converts them to RGB in place. `red` is the channel that
/// becomes red, 0 or 2.
pub(super) fn from_lab(pixels: &mut [[u8; 3]], curves: &[[u8; 256]; 3], red: usize) {
    let tables = &*TABLES;
    let curve = |c: usize, v: usize| usize::from(curves[c][v]);
    let light = std::array::from_fn(|l| tables.light[curve(0, l)]);
    let a = std::array::from_fn(|a| ((5 * curve(1, a) as i32 * 53687 + (1 << 7)) >> 13) - 128 * BASE / 500);
    let b = std::array::from_fn(|b| ((curve(2, b) as i32 * 41943 + (1 << 4)) >> 9) - 128 * BASE / 200 + 1);
    let roots = [light, a, b];
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { avx2::from_roots(pixels, &roots, red) };
    }
    from_roots_anywhere(pixels, &roots, red);
}

#[inline(always)]
fn from_roots_anywhere(pixels: &mut [[u8; 3]], roots: &[[i32; 256]; 3], red: usize) {
    for block in pixels.chunks_mut(BLOCK) {
        from_lab_block(block, roots, red);
    }
}

#[inline(always)]
fn from_lab_block(pixels: &mut [[u8; 3]], roots: &[[i32; 256]; 3], red: usize) {
    let mut lists = [[0; BLOCK]; 3];
    let [light, a, b] = &mut lists;
    for (i, pixel) in pixels.iter().enumerate().take(BLOCK) {
        light[i] = roots[0][usize::from(pixel[0])];
        a[i] = roots[1][usize::from(pixel[1])];
        b[i] = roots[2][usize::from(pixel[2])];
    }
    cube_roots(&mut lists);
    let encoded = |v: i32| TABLES.encoded[v as usize & 4095];
    for (i, pixel) in pixels.iter_mut().enumerate().take(BLOCK) {
        pixel[red] = encoded(lists[0][i]);
        pixel[1] = encoded(lists[1][i]);
        pixel[2 - red] = encoded(lists[2][i]);
    }
}

/// Light, a and b as the tables hold them to linear R, G and B of 12 bits.
#[inline(always)]
fn cube_roots([light, a, b]: &mut Lists<i32>) {
    for i in 0..BLOCK {
        let (y, f) = (light[i] >> 16, light[i] & 0xFFFF);
        let (x, z) = (cube(f + a[i]), cube(f - b[i]));
        let row = |weights: [i32; 3]| {
            let sum = x.wrapping_mul(weights[0]).wrapping_add(y * weights[1]);
            descale(sum.wrapping_add(z.wrapping_mul(weights[2])), 14).clamp(0, 4095)
        };
        let rgb = [row(FROM_XYZ[0]), row(FROM_XYZ[1]), row(FROM_XYZ[2])];
        (light[i], a[i], b[i]) = (rgb[0], rgb[1], rgb[2]);
    }
}

/// Converts a row of pixels from RGB to HSV in place.
pub(super) fn to_hsv(pixels: &mut [[u8; 3]]) {
    let tables = &*TABLES;
    for pixel in pixels {
        let [r, g, b] = pixel.map(i32::from);
        let v = r.max(g).max(b);
        let d = v - r.min(g).min(b);
        let s = descale(d * tables.saturation[v as usize], 12);
        let sixths = if v == r {
            g - b
        } else if v == g {
            b - r + 2 * d
        } else {
            r - g + 4 * d
        };
        let h = descale(sixths * tables.hue[d as usize], 12);
        *pixel = [if h < 0 { h + 180 } else { h }, s, v].map(|v| v.clamp(0, 255) as u8);
    }
}

/// Converts a row of pixels from HSV to RGB in place.
pub(super) fn from_hsv(pixels: &mut [[u8; 3]]) {
    for pixel in pixels {
        *pixel = hsv_pixel(*pixel);
    }
}

#[inline(always)]
fn hsv_pixel([h, s, v]: [u8; 3]) -> [u8; 3] {
    let sixths = f32::from(h) * (6.0 / 180.0);
    let sector = sixths as u8;
    let h = sixths - f32::from(sector);
    let (s, v) = (f32::from(s) * (1.0 / 255.0), f32::from(v) * (1.0 / 255.0));
    let low = v * (1.0 - s);
    let falling = v * one_minus(s, h);
    let rising = v * one_minus(s, 1.0 - h);
    let rgb = match sector % 6 {
        0 => [v, rising, low],
        1 => [falling, v, low],
        2 => [low, v, rising],
        3 => [low, falling, v],
        4 => [rising, low, v],
        _ => [v, low, falling],
    };
    rgb.map(|v| (v * 255.0) as u8)
}

/// `1 - a * b` rounded once, as a fused multiply–add does: the product of two singles is exact in a double.
#[inline(always)]
fn one_minus(a: f32, b: f32) -> f32 {
    (1.0 - f64::from(a) * f64::from(b)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::TorchRng;

    fn convert(f: fn(&mut [[u8; 3]]), pixel: [u8; 3]) -> [u8; 3] {
        let mut row = [pixel];
        f(&mut row);
        row[0]
    }

    fn lab_of(pixels: &mut [[u8; 3]]) {
        to_lab(pixels, 0);
    }

    fn rgb_of(pixels: &mut [[u8; 3]]) {
        from_lab(pixels, &[std::array::from_fn(|v| v as u8); 3], 0);
    }

    #[test]
    fn the_cube_divides_as_integers_do() {
        for i in -32768..=3390 {
            assert_eq!(cube(i), i * 108 / 841 - BASE * 16 / 116 * 108 / 841, "{i}");
        }
    }

    #[test]
    fn opencv_converts_these_alike() {
        // cv2.cvtColor (5.0.0) of single pixels: COLOR_RGB2LAB, COLOR_LAB2RGB, COLOR_RGB2HSV.
        for (rgb, lab, hsv) in CASES {
            assert_eq!(convert(lab_of, rgb), lab, "{rgb:?}");
            assert_eq!(convert(to_hsv, rgb), hsv, "{rgb:?}");
        }
        for (lab, rgb) in BACK {
            assert_eq!(convert(rgb_of, lab), rgb, "{lab:?}");
        }
    }

    #[test]
    fn every_value_converts_without_panic_and_grey_stays_grey() {
        let noise = TorchRng::new(4).rand(300_000);
        let mut pixels: Vec<[u8; 3]> =
            noise.as_chunks::<3>().0.iter().map(|p| p.map(|v| (v * 256.0) as u8)).collect();
        pixels.extend([[0, 0, 0], [0, 255, 255], [0, 0, 255], [255, 0, 0], [255, 255, 255], [0, 255, 0]]);
        for f in [lab_of, rgb_of, to_hsv, from_hsv] {
            f(&mut pixels.clone());
        }
        for v in 0..=255 {
            assert_eq!(convert(from_hsv, convert(to_hsv, [v; 3])), [v; 3]);
            let back = convert(rgb_of, convert(lab_of, [v; 3]));
            assert!(back.iter().all(|b| b.abs_diff(v) <= 1), "{v}: {back:?}");
        }
    }

    const CASES: [([u8; 3], [u8; 3], [u8; 3]); 10] = [
        ([0, 0, 0], [0, 128, 128], [0, 0, 0]),
        ([255, 255, 255], [255, 128, 128], [0, 0, 255]),
        ([255, 0, 0], [136, 208, 195], [0, 255, 255]),
        ([0, 255, 0], [224, 42, 211], [60, 255, 255]),
        ([0, 0, 255], [82, 207, 20], [120, 255, 255]),
        ([71, 100, 225], [119, 158, 61], [114, 175, 225]),
        ([128, 64, 32], [89, 153, 159], [10, 191, 128]),
        ([10, 20, 30], [15, 128, 120], [105, 170, 30]),
        ([200, 199, 198], [205, 128, 129], [15, 3, 200]),
        ([1, 254, 3], [223, 42, 211], [60, 254, 254]),
    ];

    const BACK: [([u8; 3], [u8; 3]); 6] = [
        ([0, 1, 73], [0, 51, 79]),
        ([128, 128, 128], [119, 119, 119]),
        ([255, 0, 0], [0, 255, 255]),
        ([200, 255, 255], [255, 0, 0]),
        ([50, 90, 200], [19, 58, 0]),
        ([120, 150, 20], [0, 115, 255]),
    ];
}
