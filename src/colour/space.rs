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
    /// For each encoded value of R, of G and of B: what it adds to X, Y and Z (in 2^-15 of a level).
    linear: [[[i32; 4]; 256]; 3],
    /// CIE's f of linear light, 15 bits.
    root: Vec<u16>,
    /// Of each L: what its Y adds to linear R, G and B (26 bits), and f(Y), 14 bits.
    light: [([i32; 4], i32); 256],
    /// Encoded value of 12-bit linear light.
    encoded: Vec<u8>,
    /// 255 / v and 30 / d in 12-bit fixed point.
    saturation: [i32; 256],
    hue: [i32; 256],
}

impl Tables {
    fn new() -> Self {
        let over = |scale: f64, i: usize| if i == 0 { 0 } else { round(scale * 4096.0 / i as f64) };
        Self {
            linear: std::array::from_fn(|c| {
                std::array::from_fn(|v| {
                    let linear = round(255.0 * 8.0 * linear(v as f64 / 255.0));
                    column(TO_XYZ, c).map(|weight| weight * linear)
                })
            }),
            root: (0..ROOTS).map(|i| round(f64::from(root(i)) * f64::from(1 << ROOT_BITS)) as u16).collect(),
            light: std::array::from_fn(|i| {
                let (y, f) = light(i as f64);
                (column(FROM_XYZ, 1).map(|weight| weight * y), f)
            }),
            encoded: (0..4096).map(|i| round(255.0 * encoded(f64::from(i) / 4096.0)) as u8).collect(),
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

/// Inverse of CIE's f in fixed point; integer divisions as OpenCV makes them.
#[inline(always)]
fn cube(i: i32) -> i32 {
    let line = i * 108 / 841 - BASE * 16 / 116 * 108 / 841;
    // On the curve i is positive, where a shift is a division.
    let curve = (((i * i) >> 14) * i) >> 14;
    if i <= 3390 { line } else { curve }
}

/// A column of a matrix, padded to the width of a register.
const fn column(matrix: [[i32; 3]; 3], c: usize) -> [i32; 4] {
    [matrix[0][c], matrix[1][c], matrix[2][c], 0]
}

#[inline(always)]
fn sum(a: [i32; 4], b: [i32; 4]) -> [i32; 4] {
    std::array::from_fn(|i| a[i].wrapping_add(b[i]))
}

#[inline(always)]
fn scaled(a: [i32; 4], by: i32) -> [i32; 4] {
    a.map(|v| v.wrapping_mul(by))
}

#[inline(always)]
fn descale(v: i32, bits: u32) -> i32 {
    (v + (1 << (bits - 1))) >> bits
}

/// Converts a row of pixels from RGB to LAB in place.
pub(super) fn to_lab(pixels: &mut [[u8; 3]]) {
    const SCALE: i32 = (116 * 255 + 50) / 100;
    const SHIFT: i32 = -((16 * 255 * (1 << ROOT_BITS) + 50) / 100);
    let tables = &*TABLES;
    let root: &[u16; ROOTS] = tables.root.first_chunk().expect("the table has that many entries");
    let [red, green, blue] = &tables.linear;
    for pixel in pixels {
        let [r, g, b] = pixel.map(usize::from);
        let xyz = sum(sum(red[r], green[g]), blue[b]).map(|v| descale(v, 12) as usize);
        let [fx, fy, fz] = [xyz[0], xyz[1], xyz[2]].map(|v| i32::from(root[v]));
        let middle = 128 << ROOT_BITS;
        *pixel = [
            descale(SCALE * fy + SHIFT, ROOT_BITS),
            descale(500 * (fx - fy) + middle, ROOT_BITS),
            descale(200 * (fy - fz) + middle, ROOT_BITS),
        ]
        .map(|v| v.clamp(0, 255) as u8);
    }
}

/// Converts a row of pixels from LAB to RGB in place.
pub(super) fn from_lab(pixels: &mut [[u8; 3]]) {
    let tables = &*TABLES;
    let encoded: &[u8; 4096] = tables.encoded.first_chunk().expect("the table has that many entries");
    for pixel in pixels {
        let [l, a, b] = pixel.map(i32::from);
        let (grey, fy) = tables.light[l as usize];
        let da = ((5 * a * 53687 + (1 << 7)) >> 13) - 128 * BASE / 500;
        let db = ((b * 41943 + (1 << 4)) >> 9) - 128 * BASE / 200 + 1;
        let x = scaled(const { column(FROM_XYZ, 0) }, cube(fy + da));
        let z = scaled(const { column(FROM_XYZ, 2) }, cube(fy - db));
        let linear = sum(sum(x, grey), z).map(|v| descale(v, 14).clamp(0, 4095) as usize);
        *pixel = [linear[0], linear[1], linear[2]].map(|v| encoded[v]);
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

    #[test]
    fn opencv_converts_these_alike() {
        // cv2.cvtColor (5.0.0) of single pixels: COLOR_RGB2LAB, COLOR_LAB2RGB, COLOR_RGB2HSV.
        for (rgb, lab, hsv) in CASES {
            assert_eq!(convert(to_lab, rgb), lab, "{rgb:?}");
            assert_eq!(convert(to_hsv, rgb), hsv, "{rgb:?}");
        }
        for (lab, rgb) in BACK {
            assert_eq!(convert(from_lab, lab), rgb, "{lab:?}");
        }
    }

    #[test]
    fn every_value_converts_without_panic_and_grey_stays_grey() {
        let noise = TorchRng::new(4).rand(300_000);
        let mut pixels: Vec<[u8; 3]> =
            noise.as_chunks::<3>().0.iter().map(|p| p.map(|v| (v * 256.0) as u8)).collect();
        pixels.extend([[0, 0, 0], [0, 255, 255], [0, 0, 255], [255, 0, 0], [255, 255, 255], [0, 255, 0]]);
        for f in [to_lab, from_lab, to_hsv, from_hsv] {
            f(&mut pixels.clone());
        }
        for v in 0..=255 {
            assert_eq!(convert(from_hsv, convert(to_hsv, [v; 3])), [v; 3]);
            let back = convert(from_lab, convert(to_lab, [v; 3]));
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
