use super::tests::{SIZE, engine, job, paint, ramp};
use super::*;
use crate::canvas::Canvas;
use crate::error::Error;

const FILLS: [MaskFill; 4] =
    [MaskFill::Original, MaskFill::Fill, MaskFill::LatentNoise, MaskFill::LatentNothing];

/// A mask of one grey where `inside` says so, else black.
fn mask(size: Size, grey: u8, inside: impl Fn(usize, usize) -> bool) -> Canvas {
    let value = |i: usize| [if inside(i % size.width, i / size.width) { grey } else { 0 }; 3];
    Canvas::from_rgb8(size, (0..size.area()).flat_map(value).collect())
}

fn over<'a>(init: &'a Canvas, mask: &'a Canvas) -> PaintJob<'a> {
    let mask = PaintMask { mask, fill: MaskFill::Original, blur: 0.0, region: None, soft: false };
    PaintJob { init: Some(init), denoise: 0.8, mask: Some(mask), ..job() }
}

fn with<'a>(base: &PaintJob<'a>, change: impl Fn(&mut PaintMask<'a>)) -> PaintJob<'a> {
    let mut job = base.clone();
    job.mask.iter_mut().for_each(change);
    job
}

#[test]
fn what_is_not_masked_stays_to_the_byte_with_every_content() {
    let mut engine = engine();
    let init = ramp();
    let left = mask(SIZE, 255, |x, _| x < 32);
    let base = over(&init, &left);
    let mut seen: Vec<Canvas> = Vec::new();
    for fill in FILLS {
        let painted = paint(&mut engine, &with(&base, |mask| mask.fill = fill));
        assert!((0..64).all(|y| (32..64).all(|x| painted.pixel(x, y) == init.pixel(x, y))), "{fill:?}");
        assert!((0..64).all(|y| (0..32).any(|x| painted.pixel(x, y) != init.pixel(x, y))), "{fill:?}");
        assert!(!seen.contains(&painted), "{fill:?} is like another one");
        seen.push(painted);
    }
}

#[test]
fn an_all_white_mask_is_none_and_a_black_one_leaves_all() {
    let mut engine = engine();
    let init = ramp();
    let (white, black) = (mask(SIZE, 255, |_, _| true), mask(SIZE, 255, |_, _| false));
    let plain = paint(&mut engine, &PaintJob { mask: None, ..over(&init, &white) });
    assert!(paint(&mut engine, &over(&init, &white)) == plain);
    for job in [over(&init, &black), with(&over(&init, &black), |mask| mask.region = Some(8))] {
        assert!(paint(&mut engine, &job) == init);
    }
    assert!(white.clone().negative() == black);
}

#[test]
fn softness_and_blur_count() {
    let mut engine = engine();
    let init = ramp();
    let grey = mask(SIZE, 100, |x, _| x < 32);
    let hard = over(&init, &grey);
    // Less than half: the latent stays, and the pixels are those of the decoded latent, mixed in.
    let soft = with(&hard, |mask| mask.soft = true);
    let blurred = with(&hard, |mask| mask.blur = 4.0);
    let pictures = [&hard, &soft, &blurred].map(|job| paint(&mut engine, job));
    assert!(pictures[0] != pictures[1] && pictures[0] != pictures[2] && pictures[1] != pictures[2]);
    let edge = |canvas: &Canvas| (0..64).any(|y| canvas.pixel(35, y) != init.pixel(35, y));
    assert!(!edge(&pictures[0]) && edge(&pictures[2]));
}

#[test]
fn a_region_is_painted_large_and_put_back() {
    let mut engine = engine();
    let size = Size::new(150, 91);
    let init = ramp().resized(size);
    let spot = mask(size, 255, |x, y| (100..120).contains(&x) && (30..45).contains(&y));
    let base = with(&over(&init, &spot), |mask| mask.region = Some(4));
    let painted = paint(&mut engine, &base);
    assert_eq!(painted.size(), size);
    let inside = |x: usize, y: usize| (100..120).contains(&x) && (30..45).contains(&y);
    let same = |x, y| painted.pixel(x, y) == init.pixel(x, y);
    assert!((0..size.area()).all(|i| inside(i % 150, i / 150) || same(i % 150, i / 150)));
    assert!((100..120).any(|x| (30..45).any(|y| !same(x, y))));
    let wide = paint(&mut engine, &with(&base, |mask| mask.region = Some(30)));
    assert!(wide != painted);
    // A control looks at the same part.
    let hint = mask(size, 255, |x, _| x > 110);
    let control = |hint| PaintControl {
        net: ControlSource::Own,
        hint,
        weight: 1.0,
        start: 0.0,
        end: 1.0,
        mode: crate::diffusion::guidance::ControlMode::Balanced,
    };
    let far = mask(size, 255, |x, _| x > 145);
    let black = mask(size, 0, |_, _| true);
    let [near, far, none] = [&hint, &far, &black]
        .map(|hint| paint(&mut engine, &PaintJob { controls: vec![control(hint)], ..base.clone() }));
    assert!(near != none && far == none, "what lies outside of the region is not seen");
}

#[test]
fn masks_that_make_no_sense_are_refused() {
    let mut engine = engine();
    let init = ramp();
    let white = mask(SIZE, 255, |_, _| true);
    let base = over(&init, &white);
    let empty = Canvas::filled(Size::new(0, 3), [0; 3]);
    for (job, part) in [
        (PaintJob { init: None, ..base.clone() }, "expected a picture under it"),
        (
            PaintJob { init: Some(&empty), ..with(&base, |mask| mask.region = Some(1)) },
            "under it, found none",
        ),
        (with(&base, |mask| mask.mask = &empty), "without pixels"),
        (with(&base, |mask| mask.blur = f64::NAN), "mask blur"),
        (with(&base, |mask| mask.blur = -1.0), "mask blur"),
    ] {
        let error = engine.paint(&job, &mut |_, _| true).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(matches!(error, Error::Usage { .. }) && error.hint().is_some());
    }
}
