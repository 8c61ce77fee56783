use std::f64::consts::{LN_2, PI};

use proptest::prelude::*;

use super::*;

const SIZE: Size = Size::new(96, 64);
const OVERLAP: f64 = 0.12;

/// A spiral that looks the same at every power of two: what is seen at `scale` and `angle` of it.
fn spiral(size: Size, scale: f64, angle: f64) -> Canvas {
    let placement = Placement { scale, angle };
    let mut canvas = Canvas::filled(size, [0; 3]);
    let half = (size.width as f64 / 2.0, size.height as f64 / 2.0);
    for (i, pixel) in canvas.as_rgb8_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) = ((i % size.width) as f64 + 0.5 - half.0, (i / size.width) as f64 + 0.5 - half.1);
        let (x, y) = placement.inside(x, y);
        let turns = libm::log(libm::hypot(x, y).max(1e-9)) / LN_2;
        for (channel, value) in pixel.iter_mut().enumerate() {
            let phase = 2.0 * PI * turns + libm::atan2(y, x) + channel as f64;
            *value = (127.5 + 100.0 * libm::cos(phase)).round() as u8;
        }
    }
    canvas
}

/// Fixed noise, a little smoothed: the hardest picture to hide a jump in that a model could paint.
fn noise(size: Size, seed: u64) -> Canvas {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    let rough = Canvas::from_rgb8(Size::new(size.width / 2, size.height / 2), {
        (0..size.width / 2 * (size.height / 2) * 3).map(|_| byte()).collect()
    });
    rough.resized(size)
}

/// Mean and largest difference in grey levels, of pixels at least `away` from the middle.
fn difference(a: &Canvas, b: &Canvas, away: f64) -> (f64, u8) {
    let (size, mut sum, mut count, mut most) = (a.size(), 0.0, 0, 0);
    for y in 0..size.height {
        for x in 0..size.width {
            let from_middle =
                (x as f64 + 0.5 - size.width as f64 / 2.0, y as f64 + 0.5 - size.height as f64 / 2.0);
            if libm::hypot(from_middle.0, from_middle.1) < away {
                continue;
            }
            for (a, b) in a.pixel(x, y).into_iter().zip(b.pixel(x, y)) {
                sum += f64::from(a.abs_diff(b));
                most = most.max(a.abs_diff(b));
                count += 1;
            }
        }
    }
    (sum / f64::from(count), most)
}

/// Key pictures of noise, outermost last, each with the one before in its middle.
fn keys(count: usize, ratio: f64, turn: f64) -> Vec<Canvas> {
    let mut keys = vec![noise(SIZE, 1)];
    for i in 1..count {
        let placement = Placement { scale: 1.0 / ratio, angle: turn };
        keys.push(join(&noise(SIZE, i as u64 + 1), &keys[i - 1], placement, OVERLAP));
    }
    keys
}

/// The frame at `level` (0 is the innermost key, 1 the one around it) of keys a `ratio` and a `turn` apart, drawn by
/// the rule of the render room.
fn frame(keys: &[Canvas], ratio: f64, turn: f64, level: f64) -> Canvas {
    let placement = |key: usize| Placement {
        scale: libm::pow(ratio, key as f64 - level),
        angle: turn * (level - key as f64),
    };
    let places: Vec<Placement> = (0..keys.len()).map(placement).collect();
    let layers: Vec<Layer<'_>> = chosen(SIZE, &places, OVERLAP)
        .map(|(key, passage)| Layer { picture: &keys[key], placement: places[key], passage })
        .collect();
    compose(SIZE, &layers, OVERLAP)
}

#[test]
fn a_whole_straight_picture_stays_to_the_byte() {
    let picture = noise(SIZE, 3);
    let layer = Layer { picture: &picture, placement: Placement::WHOLE, passage: Passage::IN };
    assert_eq!(compose(SIZE, &[layer], OVERLAP), picture);
    let turned = Layer { placement: Placement { angle: 1e-300, ..Placement::WHOLE }, ..layer };
    assert_eq!(compose(SIZE, &[turned], OVERLAP), picture);
}

/// Keys that show a known picture compose to that picture at any magnification: within 2 levels on average and 8
/// anywhere, which is what 8-bit keys magnified by up to R / (1 - 2 overlap) leave of waves of 6 pixels and more.
/// Nearer to the middle than 8 pixels the spiral's waves are finer than that.
#[test]
fn a_known_picture_is_composed_as_it_would_be_seen_directly() {
    for turn in [0.0, 12.0] {
        let keys: Vec<Canvas> =
            (0..4).map(|key| spiral(SIZE, libm::exp2(-f64::from(key)), f64::from(key) * turn)).collect();
        for step in 0..=30 {
            let level = f64::from(step) * 0.1;
            let composed = frame(&keys, 2.0, turn, level);
            let seen = spiral(SIZE, libm::exp2(-level), level * turn);
            let (mean, most) = difference(&composed, &seen, 8.0);
            assert!(mean < 2.0 && most <= 8, "level {level}, turn {turn}: {mean} {most}");
        }
    }
}

/// The step over the level of a key is no larger than the steps beside it: nothing pops.
#[test]
fn no_key_comes_or_goes_with_a_jump() {
    for (ratio, turn) in [(2.0, 0.0), (1.5, 0.0), (2.0, 8.0)] {
        let keys = keys(5, ratio, turn);
        let step = 0.004;
        let frames: Vec<Canvas> =
            (0..700).map(|i| frame(&keys, ratio, turn, 0.5 + f64::from(i) * step)).collect();
        let jumps: Vec<f64> = frames.windows(2).map(|pair| difference(&pair[0], &pair[1], 0.0).0).collect();
        for (i, around) in jumps.windows(3).enumerate() {
            let beside = around[0].max(around[2]);
            let level = 0.5 + (i + 1) as f64 * step;
            assert!(
                around[1] <= beside * 1.15 + 0.05,
                "ratio {ratio}, turn {turn}, level {level}: {around:?}"
            );
        }
    }
}

#[test]
fn the_innermost_key_is_shown_as_it_is_at_its_level() {
    for turn in [0.0, 8.0] {
        let keys = keys(3, 2.0, turn);
        assert_eq!(frame(&keys, 2.0, turn, 0.0), keys[0]);
    }
}

/// A painted picture takes over the colours in its middle and keeps its own grain, and nowhere is there an edge: the
/// colours step by no more than a twentieth of their difference from pixel to pixel, where a picture that is put there
/// as it is steps by a sixth.
#[test]
fn a_settled_picture_has_the_colours_of_the_inner_one_and_no_edge() {
    let size = Size::new(256, 256);
    let (painted, inner) = (Canvas::filled(size, [60; 3]), Canvas::filled(size, [160; 3]));
    let placement = Placement { scale: 0.5, angle: 0.0 };
    let steepest = |picture: &Canvas| {
        let level = |x: usize| f64::from(picture.pixel(x, 128)[0]);
        (1..256).map(|x| (level(x) - level(x - 1)).abs()).fold(0.0, f64::max)
    };
    let settled = settle(&painted, &inner, placement, OVERLAP);
    assert_eq!((settled.pixel(128, 128), settled.pixel(10, 128)), ([160; 3], [60; 3]));
    assert!(steepest(&settled) <= 11.0, "{}", steepest(&settled));
    assert!(steepest(&join(&painted, &inner, placement, OVERLAP)) > 15.0);
    let grain = Canvas::from_rgb8(
        size,
        (0..256 * 256).flat_map(|i| [60 + (i + i / 256) % 2 * 20; 3]).map(|v| v as u8).collect(),
    );
    let settled = settle(&grain, &inner, placement, OVERLAP);
    let (a, b) = (settled.pixel(128, 128)[0], settled.pixel(129, 128)[0]);
    assert_eq!(a.abs_diff(b), 20, "{a} {b}");
}

/// Two key pictures that have nothing in common pass into each other without a jump and without an edge.
#[test]
fn a_finer_picture_comes_in_little_by_little() {
    let keys =
        [Canvas::filled(SIZE, [200; 3]), Canvas::filled(SIZE, [50; 3]), Canvas::filled(SIZE, [120; 3])];
    let middle =
        |level: f64| f64::from(frame(&keys, 2.0, 0.0, level).pixel(SIZE.width / 2, SIZE.height / 2)[0]);
    // At its level nothing is seen in a key of the one inside it.
    assert!(middle(1.0) == 50.0, "{}", middle(1.0));
    let seen: Vec<f64> = (0..=100).map(|i| middle(1.0 - f64::from(i) / 100.0)).collect();
    let most = seen.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    assert!(seen.windows(2).all(|pair| pair[1] >= pair[0]) && seen[100] == 200.0, "{seen:?}");
    // 150 levels on a hundred steps, at the steepest a Hermite of four fifths of the way.
    assert!(most <= 150.0 / 80.0 * 1.5 + 1.0, "{most}");
}

#[test]
fn what_is_kept_of_the_mask_is_what_the_join_keeps() {
    let (inner, placement) = (noise(SIZE, 1), Placement { scale: 0.5, angle: 5.0 });
    let mask = around(SIZE, placement, OVERLAP);
    let (a, b) = (noise(SIZE, 2), Canvas::filled(SIZE, [9, 90, 200]));
    let (a, b) = (join(&a, &inner, placement, OVERLAP), join(&b, &inner, placement, OVERLAP));
    let pixels = mask.as_rgb8().chunks(3).zip(a.as_rgb8().chunks(3)).zip(b.as_rgb8().chunks(3));
    let kept: Vec<bool> = pixels.filter(|((mask, _), _)| mask[0] == 0).map(|((_, a), b)| a == b).collect();
    assert!(kept.len() > SIZE.area() / 8 && kept.iter().all(|same| *same));
}

#[test]
fn the_mirror_goes_on_where_the_picture_ends() {
    let picture = spiral(SIZE, 1.0, 0.0);
    let spread = mirrored(&picture, Placement { scale: 0.5, angle: 0.0 });
    // Left and right of the picture's left edge.
    let (edge, row) = (SIZE.width / 4, SIZE.height / 2);
    let beside = |x: usize| spread.pixel(x, row)[0];
    assert!(beside(edge - 1).abs_diff(beside(edge)) < 16, "{} {}", beside(edge - 1), beside(edge));
}

proptest! {
    #[test]
    fn one_colour_stays_that_colour(scale in 0.02_f64..4.0, angle in -180.0_f64..180.0, level in 0_u8..=255) {
        let picture = Canvas::filled(SIZE, [level, 255 - level, 7]);
        let whole = Layer { picture: &picture, placement: Placement::WHOLE, passage: Passage::IN };
        let placed = Layer { placement: Placement { scale, angle }, ..whole };
        prop_assert_eq!(compose(SIZE, &[whole, placed], OVERLAP), picture);
    }

    #[test]
    fn what_covers_leaves_nothing_of_what_is_below(scale in 1.0_f64..3.0, angle in -30.0_f64..30.0) {
        let placement = Placement { scale, angle };
        prop_assume!(covers(SIZE, placement, OVERLAP, 2.0));
        let (above, below) = (noise(SIZE, 1), Canvas::filled(SIZE, [255, 0, 0]));
        let over = Layer { picture: &above, placement, passage: Passage::IN };
        let under = Layer { picture: &below, placement: Placement::WHOLE, passage: Passage::IN };
        prop_assert_eq!(compose(SIZE, &[under, over], OVERLAP), compose(SIZE, &[over], OVERLAP));
    }
}
