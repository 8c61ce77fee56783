//! Masked fill and `border = outpaint`: what the camera uncovers is new, what was there keeps its strength.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use candle_core::Device;
use common::Desk;
use kinora::canvas::{Canvas, Plane, Size};
use kinora::diffusion::engine::{Engine, MaskFill, ModelDefaults, PaintFill, PaintJob, PaintMask};
use kinora::diffusion::sampler::{Sampler, resolve, sampler_names};
use kinora::diffusion::sigmas::Spacing;
use kinora::models::ModelFolder;

const SIZE: Size = Size::new(96, 64);

fn engine() -> Engine {
    Engine::load(&ModelFolder::embedded("kinora-tiny").unwrap(), &[], &Device::Cpu).unwrap()
}

fn job(sampler: Sampler) -> PaintJob<'static> {
    let defaults = ModelDefaults { size: SIZE, steps: 6, guidance: 3.0, sampler, spacing: Spacing::Karras };
    let prompt = "mountains and the sea, sunset, oil painting";
    PaintJob { seed: 5, ..PaintJob::new(SIZE, prompt.into(), "fog".into(), &defaults) }
}

fn paint(engine: &mut Engine, job: &PaintJob<'_>) -> Canvas {
    engine.paint(job, &mut |_, _| true).unwrap().unwrap()
}

/// Nothing is known from column `from` on.
fn right_of(from: usize) -> Plane {
    let value = |i: usize| f32::from(u8::from(i % SIZE.width >= from));
    Plane::from_values(SIZE, (0..SIZE.area()).map(value).collect())
}

fn fill(uncovered: &Plane) -> PaintFill<'_> {
    PaintFill { uncovered, denoise: 1.0, feather: 16.0, seed: 5 }
}

/// The picture with columns from `from` on of one grey: what a border knows nothing of.
fn blanked(picture: &Canvas, from: usize) -> Canvas {
    let mut blank = picture.clone();
    let pixels = blank.as_rgb8_mut().chunks_exact_mut(3).enumerate();
    pixels.filter(|(i, _)| i % SIZE.width >= from).for_each(|(_, pixel)| pixel.fill(128));
    blank
}

/// Mean absolute difference over the columns of `columns`.
fn difference(a: &Canvas, b: &Canvas, columns: std::ops::Range<usize>) -> f64 {
    let mut sum = 0.0;
    for y in 0..SIZE.height {
        for x in columns.clone() {
            sum += (0..3).map(|c| f64::from(a.pixel(x, y)[c].abs_diff(b.pixel(x, y)[c]))).sum::<f64>();
        }
    }
    sum / (SIZE.height * columns.len() * 3) as f64
}

/// Mean difference of a column to the one before it.
fn step(picture: &Canvas, column: usize) -> f64 {
    let (height, mut sum) = (picture.height(), 0.0);
    for y in 0..height {
        let (a, b) = (picture.pixel(column - 1, y), picture.pixel(column, y));
        sum += (0..3).map(|c| f64::from(a[c].abs_diff(b[c]))).sum::<f64>();
    }
    sum / (height * 3) as f64
}

/// How much larger the step over a column is than that over an ordinary one (their median).
fn seam(picture: &Canvas, column: usize) -> f64 {
    let mut steps: Vec<f64> = (1..picture.width()).map(|x| step(picture, x)).collect();
    steps.sort_by(f64::total_cmp);
    step(picture, column) / steps[steps.len() / 2].max(1e-9)
}

#[test]
fn with_every_sampler_the_kept_part_stays_to_the_byte_and_the_rest_is_new() {
    let mut engine = engine();
    let original = paint(&mut engine, &job(Sampler::Euler));
    let init = blanked(&original, 64);
    let uncovered = right_of(64);
    for (sampler, _) in sampler_names().iter().map(|name| resolve(name).unwrap()) {
        let job = PaintJob { init: Some(&init), denoise: 0.0, fill: Some(fill(&uncovered)), ..job(sampler) };
        let painted = paint(&mut engine, &job);
        // 16 pixels of feather.
        assert_eq!(difference(&painted, &init, 0..48), 0.0, "{sampler:?}");
        assert!(difference(&painted, &init, 64..96) > 4.0, "{sampler:?}");
        assert!(painted == paint(&mut engine, &job), "{sampler:?} gives other bytes the second time");
    }
}

#[test]
fn the_rest_looks_as_it_does_without_a_fill() {
    let mut engine = engine();
    let original = paint(&mut engine, &job(Sampler::Euler));
    let init = blanked(&original, 64);
    let uncovered = right_of(64);
    // 0.45 lies between two of the six steps.
    for (sampler, denoise) in [(Sampler::Euler, 0.5), (Sampler::Dpmpp2m, 0.45), (Sampler::Ddim, 0.45)] {
        let ordinary = PaintJob { init: Some(&init), denoise, ..job(sampler) };
        let filled = PaintJob { fill: Some(fill(&uncovered)), ..ordinary.clone() };
        let other = PaintJob { seed: 6, ..ordinary.clone() };
        let (ordinary, filled) = (paint(&mut engine, &ordinary), paint(&mut engine, &filled));
        let other = paint(&mut engine, &other);
        let (near, far) = (difference(&filled, &ordinary, 0..40), difference(&other, &ordinary, 0..40));
        // Attention and decoder see the new part: half of what another seed changes is allowed.
        assert!(near < far / 2.0, "{sampler:?}: {near} to an ordinary frame, {far} to another seed");
        assert!(difference(&filled, &ordinary, 64..96) > 2.0 * near, "{sampler:?}");
    }
}

#[test]
fn what_is_new_has_noise_of_its_own_seed() {
    let mut engine = engine();
    let original = paint(&mut engine, &job(Sampler::Euler));
    let init = blanked(&original, 64);
    let uncovered = right_of(64);
    // One that draws no more noise, one that does, one whose noise is a Brownian motion.
    for sampler in [Sampler::Euler, Sampler::EulerA, Sampler::Dpmpp2mSde] {
        let first =
            PaintJob { init: Some(&init), denoise: 0.5, fill: Some(fill(&uncovered)), ..job(sampler) };
        let other = PaintFill { seed: 77, ..fill(&uncovered) };
        let other = PaintJob { fill: Some(other), ..first.clone() };
        let (first, other) = (paint(&mut engine, &first), paint(&mut engine, &other));
        let (known, new) = (difference(&first, &other, 0..32), difference(&first, &other, 64..96));
        // The known part sees the new one through attention and decoder.
        assert!(
            new > 4.0 && known < new / 3.0,
            "{sampler:?}: {known} where it is known, {new} where it is new"
        );
    }
}

#[test]
fn a_fill_that_asks_for_nothing_is_none() {
    let mut engine = engine();
    let original = paint(&mut engine, &job(Sampler::Euler));
    let plain = PaintJob { init: Some(&original), denoise: 0.5, ..job(Sampler::Euler) };
    let (nowhere, somewhere) = (right_of(96), right_of(64));
    let expected = paint(&mut engine, &plain);
    let none = PaintJob { fill: Some(fill(&nowhere)), ..plain.clone() };
    assert!(paint(&mut engine, &none) == expected);
    let same = PaintFill { denoise: 0.5, ..fill(&somewhere) };
    assert!(paint(&mut engine, &PaintJob { fill: Some(same), ..plain.clone() }) == expected);
    let kept = PaintFill { denoise: 0.0, feather: 0.0, ..fill(&nowhere) };
    assert!(paint(&mut engine, &PaintJob { denoise: 0.0, fill: Some(kept), ..plain }) == original);
}

#[test]
fn what_is_new_is_new_under_a_mask_too() {
    let mut engine = engine();
    let original = paint(&mut engine, &job(Sampler::Euler));
    let init = blanked(&original, 64);
    let uncovered = right_of(64);
    let nothing = Canvas::filled(SIZE, [0; 3]);
    let mask = PaintMask { mask: &nothing, fill: MaskFill::Original, blur: 0.0, region: None, soft: false };
    let base = PaintJob { init: Some(&init), denoise: 0.5, mask: Some(mask), ..job(Sampler::Euler) };
    let filled = PaintJob { fill: Some(fill(&uncovered)), ..base.clone() };
    let painted = paint(&mut engine, &filled);
    assert_eq!(difference(&painted, &init, 0..64), 0.0);
    assert!(difference(&painted, &init, 64..96) > 4.0);
    let part = PaintMask { region: Some(8), ..mask };
    let refused = engine.paint(&PaintJob { mask: Some(part), ..filled }, &mut |_, _| true).unwrap_err();
    assert!(refused.to_string().contains("mask over the whole picture"), "{refused}");
}

#[test]
fn impossible_fills_are_refused() {
    let mut engine = engine();
    let init = Canvas::filled(SIZE, [90; 3]);
    let (uncovered, small) = (right_of(64), Plane::filled(Size::new(8, 8), 1.0));
    let base = PaintJob { init: Some(&init), fill: Some(fill(&uncovered)), ..job(Sampler::Euler) };
    let with = |fill| PaintJob { fill: Some(fill), ..base.clone() };
    for (job, says) in [
        (PaintJob { init: None, ..base.clone() }, "a picture under it"),
        (with(fill(&small)), "a plane of 96x64, found 8x8"),
        (with(PaintFill { denoise: 1.5, ..fill(&uncovered) }), "found 1.5"),
        (with(PaintFill { feather: f64::NAN, ..fill(&uncovered) }), "found NaN"),
    ] {
        let refused = engine.paint(&job, &mut |_, _| true).unwrap_err().to_string();
        assert!(refused.contains(says), "`{says}` is missing in {refused}");
    }
}

/// A scroll to the left, 64 by 64, three pixels a frame, of which nothing but what enters is painted.
fn scroll(frames: u32) -> String {
    format!(
        "kinora 1\nvideo {{ size = 64x64  fps = 4 }}\nframes = {frames}\nsteps = 6\n\
         prompt = \"mountains and the sea, sunset, oil painting\"\n\
         translation_x = -3\nborder = outpaint\nstrength = 1\nnoise = 0\ncoherence = none\n\
         sharpen.amount = 0\ndrift.correct = 0\n"
    )
}

fn frame(desk: &Desk, film: &str, number: u32) -> Canvas {
    Canvas::open(&desk.path(&format!("{film}.frames/{number:06}.png"))).unwrap()
}

#[test]
fn a_scroll_at_full_strength_only_moves_what_is_painted_and_shows_no_seam() {
    let desk = Desk::new();
    desk.write("film.kin", scroll(24));
    desk.run(&["render", "film.kin"]).expect(0);
    // The second frame joins the first one, softly; from then on all that happens is out of sight.
    for number in 1..23 {
        let (now, next) = (frame(&desk, "film", number), frame(&desk, "film", number + 1));
        let same = (0..64).all(|y| (0..61).all(|x| next.pixel(x, y) == now.pixel(x + 3, y)));
        assert!(same, "frame {} is not frame {number}, moved", number + 1);
    }
    // The panorama of what entered, 63 columns behind the 64 of the second frame.
    let mut columns = frame(&desk, "film", 1).cut(0, 0, Size::new(64 + 66, 64));
    for number in 2..24 {
        let picture = frame(&desk, "film", number);
        let at = 64 + (number as usize - 2) * 3;
        for y in 0..64 {
            for x in 0..3 {
                let place = (y * columns.width() + at + x) * 3;
                columns.as_rgb8_mut()[place..place + 3].copy_from_slice(&picture.pixel(61 + x, y));
            }
        }
    }
    // New land was joined at the first frame's edge, and wherever less than half of the 24 columns ahead was
    // known: no step there is beyond what the picture has elsewhere. A frame that is not joined has one.
    let width = columns.width();
    let largest = (1..width).map(|x| seam(&columns, x)).fold(0.0, f64::max);
    let join = seam(&columns, 61);
    assert!(join < 3.5, "the step at the first join is {join} times an ordinary one");
    assert!(largest < 6.0, "the largest step is {largest} times an ordinary one");
    let mut torn = columns.clone();
    for y in 0..64 {
        for x in 61..width {
            let place = (y * width + x) * 3;
            torn.as_rgb8_mut()[place..place + 3].copy_from_slice(&columns.pixel((x + 40) % width, 63 - y));
        }
    }
    assert!(seam(&torn, 61) > 6.0, "a torn picture has a seam of {}", seam(&torn, 61));
}

#[test]
fn an_interrupted_outpainting_goes_on_with_what_lies_ahead() {
    let desk = Desk::new();
    let film = scroll(12).replace("strength = 1\nnoise = 0", "strength = 0.6\nnoise = 0.05");
    desk.write("whole.kin", &film);
    desk.write("broken.kin", &film);
    desk.run(&["render", "whole.kin"]).expect(0);
    desk.run(&["render", "broken.kin"]).expect(0);
    // The sixth frame is lost, and what lies ahead of the ninth is damaged later.
    std::fs::remove_file(desk.path("broken.frames/000005.png")).unwrap();
    desk.run(&["render", "broken.kin"]).expect(0).says(&["5 of 12 frames were there already"]);
    let same = |what: &str| {
        for number in 0..12 {
            assert!(
                frame(&desk, "whole", number) == frame(&desk, "broken", number),
                "{what}: frame {number}"
            );
        }
    };
    same("a lost frame");
    std::fs::write(desk.path("broken.frames/ahead/000008.png"), b"damaged").unwrap();
    desk.run(&["render", "broken.kin"]).expect(0).says(&["8 of 12 frames were there already"]);
    same("damage ahead");
}

#[test]
fn turns_zooms_out_and_the_deep_camera_are_filled() {
    let desk = Desk::new();
    for (name, motion) in [
        ("turn", "angle = 4"),
        ("out", "zoom = 0.94"),
        ("diagonal", "translation_x = -5\ntranslation_y = 4"),
        ("deep", "translation_x = 20\ntranslation_z = -10\ndepth = flat"),
    ] {
        let film = |border: &str| {
            scroll(5)
                .replace("translation_x = -3", motion)
                .replace("border = outpaint", border)
                .replace("strength = 1\n", "strength = 0.7\n")
        };
        desk.write(&format!("{name}.kin"), film("border = outpaint"));
        desk.write(&format!("{name}-smeared.kin"), film("border = replicate"));
        desk.run(&["render", &format!("{name}.kin")]).expect(0);
        desk.run(&["render", &format!("{name}-smeared.kin")]).expect(0);
        let (filled, smeared) = (frame(&desk, name, 4), frame(&desk, &format!("{name}-smeared"), 4));
        assert_eq!(filled.size(), Size::new(64, 64));
        assert!(filled != smeared, "{name}");
    }
}
