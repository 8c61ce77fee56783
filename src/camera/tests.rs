//! Properties of both cameras.

use proptest::prelude::*;

use super::*;
use crate::canvas::Size;
use crate::timeline::frame::PerspectiveFlip;

const BORDERS: [Border; 4] = [Border::Replicate, Border::Wrap, Border::Reflect, Border::Zeros];

fn picture(width: usize, height: usize, salt: usize) -> Canvas {
    let size = Size::new(width, height);
    Canvas::from_rgb8(size, (0..size.area() * 3).map(|i| ((i + salt) * 7919 % 251) as u8).collect())
}

fn relief(size: Size) -> DepthMap {
    Plane::from_values(size, (0..size.area()).map(|i| (i * 31 % 17) as f32).collect())
}

const STILL: Camera2d = Camera2d::STILL;

const REST: Camera3d = Camera3d { fov: 40.0, sampling: Sampling::Bicubic, ..Camera3d::STILL };

#[test]
fn a_narrower_view_enlarges_about_the_middle() {
    let size = Size::new(9, 5);
    let camera = Camera3d { zoom: 2.0, ..REST };
    let places = deep_positions(size, &camera, &Relief::flat());
    for (i, [x, y]) in places.into_iter().enumerate() {
        let wanted = [4.0 + ((i % 9) as f64 - 4.0) / 2.0, 2.0 + ((i / 9) as f64 - 2.0) / 2.0];
        assert!((x - wanted[0]).abs() < 1e-12 && (y - wanted[1]).abs() < 1e-12, "{i}: {x} {y}");
    }
    // A motion is then the one of the enlarged picture: sampled at half its place, moved as there.
    let moving = Camera3d { translation: [3.0, -2.0, 5.0], rotation: [1.0, 2.0, 3.0], ..camera };
    let whole = deep_positions(Size::new(17, 9), &Camera3d { zoom: 1.0, ..moving }, &Relief::flat());
    let half = deep_positions(size, &moving, &Relief::flat());
    // Column 4 + i of the small picture and column 8 + i of one with twice the points are one place of the scene.
    let (small, large) = (half[2 * 9 + 5], whole[4 * 17 + 9]);
    assert!(((small[0] - 4.0) / 9.0 - (large[0] - 8.0) / 17.0 - (0.5 / 9.0 - 1.0 / 17.0)).abs() < 1e-12);
}

proptest! {
    #[test]
    fn a_camera_at_rest_changes_nothing(w in 1_usize..24, h in 1_usize..24, salt in 0_usize..99, b in 0_usize..4) {
        let canvas = picture(w, h, salt);
        let depth = relief(canvas.size());
        let flat = warp(&canvas, &Camera::Flat(STILL), BORDERS[b], None);
        let deep = warp(&canvas, &Camera::Deep(REST), BORDERS[b], Some(&depth));
        for warped in [flat, deep] {
            prop_assert_eq!(&warped.canvas, &canvas);
            prop_assert!(warped.coverage.values().iter().all(|c| *c == 1.0));
        }
    }

    #[test]
    fn wrapping_by_the_whole_picture_is_the_identity(w in 1_usize..24, h in 1_usize..24, n in -3_i32..4) {
        let canvas = picture(w, h, 5);
        let camera = Camera2d {
            translation_x: f64::from(n) * w as f64,
            translation_y: -f64::from(n) * h as f64,
            ..STILL
        };
        prop_assert_eq!(warp(&canvas, &Camera::Flat(camera), Border::Wrap, None).canvas, canvas);
    }

    #[test]
    fn a_whole_translation_copies_pixels(dx in -5_i32..6, dy in -5_i32..6) {
        let canvas = picture(8, 6, 3);
        let camera =
            Camera2d { translation_x: f64::from(dx), translation_y: f64::from(dy), ..STILL };
        let warped = warp(&canvas, &Camera::Flat(camera), Border::Zeros, None);
        for (x, y) in (0..8).flat_map(|x| (0..6).map(move |y| (x, y))) {
            let (sx, sy) = (x - dx, y - dy);
            let inside = (0..8).contains(&sx) && (0..6).contains(&sy);
            let want = if inside { canvas.pixel(sx as usize, sy as usize) } else { [0; 3] };
            prop_assert_eq!(warped.canvas.pixel(x as usize, y as usize), want);
            prop_assert_eq!(warped.coverage.values()[(y * 8 + x) as usize], f32::from(inside));
        }
    }

    #[test]
    fn a_flat_colour_stays_with_any_camera(
        t in prop::array::uniform3(-300.0_f64..300.0),
        r in prop::array::uniform3(-200.0_f64..200.0),
        fov in -170.0_f64..170.0,
        b in 0_usize..3,
        s in 0_usize..5,
    ) {
        let sampling =
            [Sampling::Nearest, Sampling::Bilinear, Sampling::Bicubic, Sampling::Lanczos, Sampling::Lagrange][s];
        let flip = Some(PerspectiveFlip { theta: r[0], phi: r[1] / 4.0, gamma: r[2] / 4.0, fv: 53.0 });
        let canvas = Canvas::filled(Size::new(13, 9), [0, 100, 255]);
        let camera = Camera3d { translation: t, rotation: r, fov, sampling, flip, ..REST };
        let depth = relief(canvas.size());
        let warped = warp(&canvas, &Camera::Deep(camera), BORDERS[b], Some(&depth));
        prop_assert_eq!(warped.canvas, canvas);
    }

    #[test]
    fn any_numbers_give_a_picture(v in prop::array::uniform8(prop::num::f64::ANY), b in 0_usize..4) {
        let canvas = picture(7, 5, 1);
        let flip = Some(PerspectiveFlip { theta: v[0], phi: v[1], gamma: v[2], fv: v[3] });
        let flat = Camera2d {
            zoom: v[0], angle: v[1], translation_x: v[2], translation_y: v[3],
            center_x: v[4], center_y: v[5], flip: if v[6] > 0.0 { flip } else { None }, ..STILL
        };
        let deep = Camera3d {
            translation: [v[0], v[1], v[2]], rotation: [v[3], v[4], v[5]], fov: v[6],
            aspect_ratio: v[7], flip: flat.flip, ..REST
        };
        let depth = relief(canvas.size());
        prop_assert_eq!(warp(&canvas, &Camera::Flat(flat), BORDERS[b], None).canvas.size(), canvas.size());
        prop_assert_eq!(warp(&canvas, &Camera::Deep(deep), BORDERS[b], Some(&depth)).canvas.size(), canvas.size());
    }
}

#[test]
fn zoom_zero_shows_the_border_only() {
    let canvas = picture(6, 4, 2);
    let warped = warp(&canvas, &Camera::Flat(Camera2d { zoom: 0.0, ..STILL }), Border::Zeros, None);
    assert_eq!(warped.canvas, Canvas::filled(canvas.size(), [0; 3]));
    assert!(warped.coverage.values().iter().all(|c| *c == 0.0));
}

#[test]
fn directions_are_those_that_deforum_measures() {
    // deforum-behaviour, section 10: 512 pixels, fov 70, z = 1; offsets of the middle of the picture.
    let size = Size::new(512, 512);
    let middle = 256 * 512 + 256;
    let moved = |camera: Camera3d| {
        let [x, y] = deep_positions(size, &camera, &Relief::flat())[middle];
        [256.0 - x, 256.0 - y]
    };
    let base = Camera3d { fov: 70.0, ..REST };
    let near = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).abs() < 0.06 && (a[1] - b[1]).abs() < 0.06;
    assert!(near(moved(Camera3d { translation: [10.0, 0.0, 0.0], ..base }), [-18.3, 0.0]));
    assert!(near(moved(Camera3d { translation: [0.0, 10.0, 0.0], ..base }), [0.0, 18.3]));
    assert!(near(moved(Camera3d { rotation: [0.0, 1.0, 0.0], ..base }), [-6.4, 0.0]));
    assert!(near(moved(Camera3d { rotation: [1.0, 0.0, 0.0], ..base }), [0.0, 6.4]));
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let canvas = picture(65, 43, 9);
    let depth = relief(canvas.size());
    let camera = Camera::Deep(Camera3d { translation: [9.0, 4.0, 30.0], rotation: [1.0, 2.0, 3.0], ..REST });
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| warp(&canvas, &camera, Border::Reflect, Some(&depth)))
    };
    assert_eq!(run(1), run(4));
}
/// A picture with detail down to a few pixels, its frequency rising from the middle outwards.
fn detailed(side: usize) -> Canvas {
    let size = Size::new(side, side);
    let middle = side as f64 / 2.0;
    let value = |i: usize| {
        let (x, y) = ((i / 3 % side) as f64 - middle, (i / 3 / side) as f64 - middle);
        (128.0 + 60.0 * libm::cos((x * x + y * y) / side as f64 + (i % 3) as f64)) as u8
    };
    Canvas::from_rgb8(size, (0..size.area() * 3).map(value).collect())
}

/// Root mean square of the difference in the middle quarter.
fn difference(a: &Canvas, b: &Canvas) -> f64 {
    let side = a.width();
    let middle = side / 4..side * 3 / 4;
    let mut sum = 0.0;
    for (x, y) in middle.clone().flat_map(|x| middle.clone().map(move |y| (x, y))) {
        let pairs = a.pixel(x, y).into_iter().zip(b.pixel(x, y));
        sum += pairs.map(|(a, b)| f64::from(a.abs_diff(b)).powi(2)).sum::<f64>();
    }
    (sum / (middle.len() * middle.len() * 3) as f64).sqrt()
}

#[test]
fn the_default_keeps_detail_over_a_hundred_warps() {
    let canvas = detailed(128);
    let turned = |sampling| {
        let camera = Camera::Flat(Camera2d { angle: 3.6, sampling, ..STILL });
        (0..100).fold(canvas.clone(), |seen, _| warp(&seen, &camera, Border::Replicate, None).canvas)
    };
    // A hundred turns by 3.6 degrees are the picture itself.
    let [linear, cubic, lanczos, best] =
        [Sampling::Bilinear, Sampling::Bicubic, Sampling::Lanczos, STILL.sampling]
            .map(|sampling| difference(&turned(sampling), &canvas));
    assert!(
        best < 6.0 && best < lanczos && best < cubic && best < linear / 4.0,
        "{best} {lanczos} {cubic} {linear}"
    );
}

#[test]
fn a_zoom_out_takes_the_mean_of_what_falls_together() {
    // Stripes of one pixel: skipping would show one colour or the other.
    let size = Size::new(64, 64);
    let stripes = (0..size.area()).flat_map(|i| [if i % 2 == 0 { 0 } else { 200 }; 3]).collect();
    let canvas = Canvas::from_rgb8(size, stripes);
    for sampling in [Sampling::Bilinear, Sampling::Bicubic, Sampling::Lanczos, Sampling::Lagrange] {
        let camera = Camera2d { zoom: 0.25, sampling, ..STILL };
        let deep = Camera3d { translation: [0.0, 0.0, -600.0], fov: 90.0, sampling, ..Camera3d::STILL };
        for camera in [Camera::Flat(camera), Camera::Deep(deep)] {
            let small = warp(&canvas, &camera, Border::Reflect, None).canvas;
            let seen = small.pixel(33, 33)[0];
            assert!(seen.abs_diff(100) <= 14, "{sampling:?} {camera:?}: {seen}");
        }
    }
}

#[test]
fn flip_and_move_are_one_sampling_of_what_two_would_show() {
    let canvas = detailed(96);
    let flip = Some(PerspectiveFlip { theta: 5.0, phi: 8.0, gamma: -6.0, fv: 53.0 });
    let camera =
        Camera3d { translation: [3.0, 2.0, 12.0], rotation: [0.5, 1.0, -2.0], flip, ..Camera3d::STILL };
    let once = warp(&canvas, &Camera::Deep(camera), Border::Replicate, None);
    let twice = warp_as(Manner::Deforum, &canvas, &Camera::Deep(camera), Border::Replicate, None);
    // The same places: what differs is what the second sampling and the bilinear flip took away.
    assert!(difference(&once.canvas, &twice.canvas) < 8.0, "{}", difference(&once.canvas, &twice.canvas));
    let differ = once.coverage.values().iter().zip(twice.coverage.values()).filter(|(a, b)| a != b).count();
    assert!(differ < 96 * 4, "coverage differs in {differ} pixels");
    // And sharper than both steps.
    let detail = |canvas: &Canvas| {
        let rows = canvas.as_rgb8().chunks(96 * 3);
        rows.flat_map(|row| row.windows(4)).map(|w| f64::from(w[0].abs_diff(w[3])).powi(2)).sum::<f64>()
    };
    assert!(detail(&once.canvas) > detail(&twice.canvas));
}

#[test]
fn the_translation_is_lost_in_deforums_manner_only() {
    let canvas = picture(24, 16, 4);
    let flip = Some(PerspectiveFlip { theta: 4.0, phi: 2.0, gamma: 1.0, fv: 53.0 });
    let moving = Camera::Flat(Camera2d { translation_x: 5.0, flip, ..STILL });
    let still = Camera::Flat(Camera2d { flip, ..STILL });
    let see = |manner, camera| warp_as(manner, &canvas, camera, Border::Zeros, None).canvas;
    assert_eq!(see(Manner::Deforum, &moving), see(Manner::Deforum, &still));
    assert_ne!(see(Manner::Native, &moving), see(Manner::Native, &still));
}

#[test]
fn the_old_formula_is_the_pictures_own_aspect() {
    let canvas = picture(24, 12, 4);
    let camera = Camera3d { translation: [9.0, 0.0, 0.0], ..Camera3d::STILL };
    let see = |camera| warp(&canvas, &Camera::Deep(camera), Border::Replicate, None).canvas;
    let old = see(Camera3d { old_aspect: true, ..camera });
    assert_eq!(old, see(Camera3d { aspect_ratio: 2.0, ..camera }));
    assert_ne!(old, see(camera));
}

/// The coverage that the places a camera asks for must have: inside the source, half a pixel around its outer centres.
fn covers(size: Size, places: &[[f64; 2]]) -> Vec<Option<bool>> {
    let inside = |v: f64, n: usize| {
        let (low, high) = (v + 0.5, n as f64 - 0.5 - v);
        // On the very edge rounding decides.
        if low.abs() < 1e-4 || high.abs() < 1e-4 { None } else { Some(low > 0.0 && high > 0.0) }
    };
    places.iter().map(|[x, y]| Some(inside(*x, size.width)? && inside(*y, size.height)?)).collect()
}

proptest! {
    #[test]
    fn coverage_is_where_the_inverse_map_finds_the_source(
        zoom in 0.3_f64..3.0, angle in -180.0_f64..180.0, t in prop::array::uniform2(-30.0_f64..30.0),
        c in prop::array::uniform2(-0.5_f64..1.5), tilt in prop::array::uniform3(-25.0_f64..25.0),
        deep in any::<bool>(), flipped in any::<bool>(), b in 0_usize..4, s in 0_usize..5,
    ) {
        let size = Size::new(23, 17);
        let canvas = picture(size.width, size.height, 8);
        let all = [Sampling::Nearest, Sampling::Bilinear, Sampling::Bicubic, Sampling::Lanczos, Sampling::Lagrange];
        let flip = flipped.then_some(PerspectiveFlip { theta: tilt[0], phi: tilt[1], gamma: tilt[2], fv: 53.0 });
        let depth = relief(size);
        let (camera, places) = if deep {
            let camera = Camera3d {
                translation: [t[0], t[1], t[0] * 2.0], rotation: tilt, flip, sampling: all[s], ..Camera3d::STILL
            };
            let places = deep_positions(size, &camera, &Relief::new(Some(&depth), DepthMeaning::Inverse));
            (Camera::Deep(camera), places)
        } else {
            let camera = Camera2d {
                zoom, angle, translation_x: t[0], translation_y: t[1], center_x: c[0], center_y: c[1], flip,
                sampling: all[s],
            };
            let back = flat_matrix(&camera, size).try_inverse().unwrap();
            let place = |i: usize| {
                let p = back * nalgebra::Vector3::new((i % size.width) as f64, (i / size.width) as f64, 1.0);
                [p.x / p.z, p.y / p.z]
            };
            (Camera::Flat(camera), (0..size.area()).map(place).collect())
        };
        let warped = warp(&canvas, &camera, BORDERS[b], Some(&depth));
        for (found, wanted) in warped.coverage.values().iter().zip(covers(size, &places)) {
            if let Some(wanted) = wanted {
                prop_assert_eq!(*found, f32::from(wanted));
            }
        }
    }
}
