//! Properties of both cameras.

use proptest::prelude::*;

use super::*;
use crate::canvas::Size;
use crate::timeline::frame::{Camera2d, Camera3d, PerspectiveFlip, Sampling};

const BORDERS: [Border; 4] = [Border::Replicate, Border::Wrap, Border::Reflect, Border::Zeros];

fn picture(width: usize, height: usize, salt: usize) -> Canvas {
    let size = Size::new(width, height);
    Canvas::from_rgb8(size, (0..size.area() * 3).map(|i| ((i + salt) * 7919 % 251) as u8).collect())
}

fn relief(size: Size) -> DepthMap {
    Plane::from_values(size, (0..size.area()).map(|i| (i * 31 % 17) as f32).collect())
}

const STILL: Camera2d = Camera2d {
    zoom: 1.0,
    angle: 0.0,
    translation_x: 0.0,
    translation_y: 0.0,
    center_x: 0.5,
    center_y: 0.5,
    flip: None,
};

const REST: Camera3d = Camera3d {
    translation: [0.0; 3],
    rotation: [0.0; 3],
    fov: 40.0,
    zoom: 1.0,
    aspect_ratio: 1.0,
    sampling: Sampling::Bicubic,
    flip: None,
};

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
        s in 0_usize..3,
    ) {
        let sampling = [Sampling::Nearest, Sampling::Bilinear, Sampling::Bicubic][s];
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
            center_x: v[4], center_y: v[5], flip: if v[6] > 0.0 { flip } else { None },
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
