use candle_core::Device;

use super::*;
use crate::canvas::Canvas;
use crate::diffusion::guidance::ControlMode;
use crate::diffusion::sampler::Variation;
use crate::error::Error;
use crate::models::ModelFolder;

pub(super) const SIZE: Size = Size::new(64, 64);

pub(super) fn engine() -> Engine {
    Engine::load(&ModelFolder::embedded("kinora-tiny").unwrap(), &[], &Device::Cpu).unwrap()
}

pub(super) fn job() -> PaintJob<'static> {
    let defaults = ModelDefaults {
        size: SIZE,
        steps: 2,
        guidance: 3.0,
        sampler: Sampler::EulerA,
        spacing: Spacing::Karras,
    };
    PaintJob { seed: 5, ..PaintJob::new(SIZE, "the sea, sunset".into(), "fog".into(), &defaults) }
}

pub(super) fn paint(engine: &mut Engine, job: &PaintJob) -> Canvas {
    engine.paint(job, &mut |_, _| true).unwrap().unwrap()
}

pub(super) fn ramp() -> Canvas {
    let grey = |i: usize| [(i % SIZE.width * 4) as u8; 3];
    Canvas::from_rgb8(SIZE, (0..SIZE.area()).flat_map(grey).collect())
}

#[test]
fn the_same_job_gives_the_same_bytes_and_every_setting_counts() {
    let mut engine = engine();
    let mut fresh = self::engine();
    let first = paint(&mut engine, &job());
    assert_eq!(first.size(), SIZE);
    assert!(first == paint(&mut engine, &job()));
    assert!(first == paint(&mut fresh, &job()));
    for other in [
        PaintJob { seed: 6, ..job() },
        PaintJob { prompt: "snow".into(), ..job() },
        PaintJob { negative: "castle".into(), ..job() },
        PaintJob { guidance: 4.0, ..job() },
        PaintJob { steps: 3, ..job() },
        PaintJob { sampler: Sampler::Euler, ..job() },
        PaintJob { spacing: Spacing::SgmUniform, ..job() },
        PaintJob { clip_skip: 2, ..job() },
    ] {
        assert!(first != paint(&mut engine, &other), "{other:?}");
    }
}

#[test]
fn a_control_of_weight_0_or_outside_its_window_is_none() {
    let mut engine = engine();
    let plain = paint(&mut engine, &job());
    let hint = ramp();
    let mut with = |weight, start, mode| {
        let control = PaintControl { net: ControlSource::Own, hint: &hint, weight, start, end: 1.0, mode };
        paint(&mut engine, &PaintJob { controls: vec![control], ..job() })
    };
    assert!(plain == with(0.0, 0.0, ControlMode::Balanced));
    // The window's clock stands at 0 during the first two steps.
    assert!(plain == with(1.0, 0.5, ControlMode::Balanced));
    let modes = [ControlMode::Balanced, ControlMode::Prompt, ControlMode::Control];
    let pictures = modes.map(|mode| with(1.0, 0.0, mode));
    assert!(pictures.iter().all(|picture| *picture != plain));
    assert!(pictures[0] != pictures[1] && pictures[1] != pictures[2]);
}

fn two<'a>(a: (&'a str, f64), b: (&'a str, f64), blend: Blend) -> Mix<'a> {
    Mix { parts: vec![a, b], blend }
}

const BLENDS: [Blend; 3] = [Blend::Lerp, Blend::Slerp, Blend::Composed];

#[test]
fn a_prompt_of_weight_0_is_not_there() {
    let mut engine = engine();
    let plain = paint(&mut engine, &job());
    for blend in BLENDS {
        for mix in [
            two(("the sea, sunset", 1.0), ("snow", 0.0), blend),
            two(("snow", 0.0), ("the sea, sunset", 1.0), blend),
        ] {
            assert!(plain == paint(&mut engine, &PaintJob { prompt: mix, ..job() }), "{blend:?}");
        }
        let negative = two(("fog", 1.0), ("snow", 0.0), blend);
        assert!(plain == paint(&mut engine, &PaintJob { negative, ..job() }));
    }
}

#[test]
fn a_blend_goes_smoothly_from_one_prompt_to_the_other() {
    let mut engine = engine();
    let differs = |a: &Canvas, b: &Canvas| -> u64 {
        a.as_rgb8().iter().zip(b.as_rgb8()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
    };
    for blend in BLENDS {
        let mut at = |way: f64| {
            let prompt = two(("the sea, sunset", 1.0 - way), ("snow", way), blend);
            paint(&mut engine, &PaintJob { prompt, sampler: Sampler::Euler, ..job() })
        };
        let pictures: Vec<Canvas> = [0.0, 0.25, 0.5, 0.75, 1.0].map(&mut at).to_vec();
        let whole = differs(&pictures[0], &pictures[4]);
        assert!(whole > 0);
        for pair in pictures.windows(2) {
            let step = differs(&pair[0], &pair[1]);
            // A jump would make one step the whole way; four even ones are a quarter each.
            assert!(0 < step && step * 3 < whole * 2, "{blend:?}: {step} of {whole}");
        }
        assert!(differs(&pictures[1], &pictures[0]) < differs(&pictures[3], &pictures[0]), "{blend:?}");
    }
}

#[test]
fn the_order_of_pictures_does_not_matter_and_parts_of_any_length_fit() {
    let long = "sea ".repeat(90);
    let mixes = BLENDS.map(|blend| PaintJob { prompt: two((&long, 0.5), ("snow", 0.5), blend), ..job() });
    let mut forth = engine();
    let first: Vec<Canvas> = mixes.iter().map(|job| paint(&mut forth, job)).collect();
    let mut back = engine();
    let mut second: Vec<Canvas> = mixes.iter().rev().map(|job| paint(&mut back, job)).collect();
    second.reverse();
    assert!(first == second);
    assert!(first[0] != first[1] && first[1] != first[2] && first[0] != first[2]);
}

#[test]
fn composed_equal_prompts_are_one_prompt() {
    let mut engine = engine();
    let plain = paint(&mut engine, &job());
    let prompt = two(("the sea, sunset", 0.3), ("the sea, sunset", 0.7), Blend::Composed);
    let hint = ramp();
    let control = PaintControl {
        net: ControlSource::Own,
        hint: &hint,
        weight: 1.0,
        start: 0.0,
        end: 1.0,
        mode: ControlMode::Control,
    };
    let close =
        |a: &Canvas, b: &Canvas| a.as_rgb8().iter().zip(b.as_rgb8()).all(|(a, b)| a.abs_diff(*b) <= 1);
    // 0.3 + 0.7 of the same prediction differs from it in the last bits only.
    assert!(close(&plain, &paint(&mut engine, &PaintJob { prompt: prompt.clone(), ..job() })));
    let controlled = PaintJob { controls: vec![control], ..job() };
    let plain = paint(&mut engine, &controlled);
    assert!(close(&plain, &paint(&mut engine, &PaintJob { prompt, ..controlled })));
}

#[test]
fn a_seed_walks_to_the_next_one() {
    let mut engine = engine();
    for (sampler, every_draw) in [(Sampler::EulerA, true), (Sampler::Euler, false)] {
        let base = PaintJob { sampler, ..job() };
        let mut at = |strength| {
            let variation = Some(Variation { seed: 6, strength, every_draw });
            paint(&mut engine, &PaintJob { variation, ..base.clone() })
        };
        let (start, middle, end) = (at(0.0), at(0.5), at(1.0));
        assert!(start == paint(&mut engine, &base));
        assert!(middle != start && middle != end);
        let next = paint(&mut engine, &PaintJob { seed: 6, ..base });
        // The end of the arc is the other noise up to f32's rounding.
        assert!(end.as_rgb8().iter().zip(next.as_rgb8()).all(|(a, b)| a.abs_diff(*b) <= 1));
    }
    // As in the web UI, a variation seed alone leaves the noise of ancestral steps to the first seed.
    let variation = Some(Variation { seed: 6, strength: 1.0, every_draw: false });
    let varied = paint(&mut engine, &PaintJob { variation, ..job() });
    assert!(varied != paint(&mut engine, &PaintJob { seed: 6, ..job() }));
}

#[test]
fn without_guidance_the_negative_prompt_says_nothing() {
    let mut engine = engine();
    let quiet = PaintJob { guidance: 1.0, ..job() };
    let other = PaintJob { negative: "a castle".into(), ..quiet.clone() };
    assert!(paint(&mut engine, &quiet) == paint(&mut engine, &other));
}

#[test]
fn strength_goes_continuously_from_the_picture_to_a_new_one() {
    let mut engine = engine();
    let init = ramp();
    let over = |denoise| PaintJob { init: Some(&init), denoise, ..job() };
    assert!(paint(&mut engine, &over(0.0)) == init);
    let differs = |a: &Canvas, b: &Canvas| -> u64 {
        a.as_rgb8().iter().zip(b.as_rgb8()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
    };
    let pictures = [0.1, 0.2, 0.21, 0.9].map(|denoise| paint(&mut engine, &over(denoise)));
    assert!(pictures[1] != pictures[2], "2 steps do not make 0.2 and 0.21 the same");
    assert!(differs(&pictures[0], &init) < differs(&pictures[3], &init));
}

#[test]
fn steps_are_counted_and_a_run_can_be_stopped() {
    let mut engine = engine();
    let mut seen = Vec::new();
    let mut watch = |step, of| {
        seen.push((step, of));
        step == 0
    };
    assert!(engine.paint(&PaintJob { steps: 4, ..job() }, &mut watch).unwrap().is_none());
    assert_eq!(seen, [(0, 4), (1, 4)]);
}

#[test]
fn impossible_jobs_are_refused_with_a_hint() {
    let mut engine = engine();
    let small = Canvas::filled(Size::new(8, 8), [9; 3]);
    let hint = ramp();
    let net = ControlSource::Named("pose");
    let control =
        PaintControl { net, hint: &hint, weight: 1.0, start: 0.0, end: 1.0, mode: ControlMode::Balanced };
    for (job, part) in [
        (PaintJob { size: Size::new(65, 64), ..job() }, "multiples of 8"),
        (PaintJob { size: Size::new(0, 64), ..job() }, "multiples of 8"),
        (PaintJob { init: Some(&small), ..job() }, "expected 64x64, found 8x8"),
        (PaintJob { steps: 0, ..job() }, "at least 1"),
        (PaintJob { denoise: f64::NAN, ..job() }, "0 to 1"),
        (PaintJob { guidance: f64::INFINITY, ..job() }, "guidance"),
        (PaintJob { controls: vec![control], ..job() }, "`pose`"),
        (PaintJob { prompt: two(("a", 0.5), ("b", 0.6), Blend::Lerp), ..job() }, "sum of 1, found 1.1"),
        (PaintJob { negative: Mix { parts: Vec::new(), blend: Blend::Lerp }, ..job() }, "sum of 1, found 0"),
    ] {
        let error = engine.paint(&job, &mut |_, _| true).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(matches!(error, Error::Usage { .. }) && error.hint().is_some());
    }
}

#[test]
fn a_prompt_changes_on_its_way() {
    let mut engine = engine();
    let long = PaintJob { steps: 6, sampler: Sampler::Euler, ..job() };
    let mut with = |prompt: &'static str, sampler| {
        paint(&mut engine, &PaintJob { prompt: prompt.into(), sampler, ..long.clone() })
    };
    let (sea, snow) = (with("the sea", Sampler::Euler), with("snow", Sampler::Euler));
    let change = with("[the sea:snow:0.5]", Sampler::Euler);
    assert!(change != sea && change != snow);
    assert!(change == with("[the sea:snow:3]", Sampler::Euler));
    assert!(snow == with("[the sea:snow:0]", Sampler::Euler));
    assert!(sea == with("[the sea:snow:1.0]", Sampler::Euler));
    assert!(sea != with("[the sea|snow]", Sampler::Euler));
    // Heun calls twice a step, and sd-webui counts its calls: 0.5 is the 6th of 12.
    let heun = with("[the sea:snow:0.5]", Sampler::Heun);
    assert!(heun == with("[the sea:snow:6]", Sampler::Heun));
    assert!(heun != with("[the sea:snow:3]", Sampler::Heun));
    // A negative prompt changes too, and is not divided.
    let mut against =
        |negative: &'static str| paint(&mut engine, &PaintJob { negative: negative.into(), ..long.clone() });
    assert!(against("[fog:snow:2]") != against("fog"));
    assert!(against("fog AND snow") != against("fog"));
}

#[test]
fn over_a_picture_the_count_begins_at_0_and_the_share_is_of_the_whole() {
    let mut engine = engine();
    let init = ramp();
    let mut with = |prompt: &'static str| {
        let over = PaintJob { init: Some(&init), denoise: 0.5, steps: 8, sampler: Sampler::Euler, ..job() };
        paint(&mut engine, &PaintJob { prompt: prompt.into(), ..over })
    };
    let sea = with("the sea");
    assert!(sea == with("[the sea:snow:0.5]"));
    assert!(sea != with("[the sea:snow:0.25]"));
    assert!(with("[the sea:snow:2]") == with("[the sea:snow:0.25]"));
}

#[test]
fn prompts_joined_by_and_are_weighed() {
    let mut engine = engine();
    let mut with = |prompt: &str, guidance| {
        paint(&mut engine, &PaintJob { prompt: prompt.into(), guidance, sampler: Sampler::Euler, ..job() })
    };
    let close =
        |a: &Canvas, b: &Canvas| a.as_rgb8().iter().zip(b.as_rgb8()).all(|(a, b)| a.abs_diff(*b) <= 1);
    let sea = with("the sea", 3.0);
    assert!(sea == with("the sea AND snow:0", 3.0));
    // Two halves are a whole, up to the last bits; a weight is a guidance.
    assert!(close(&sea, &with("the sea:0.5 AND the sea:0.5", 3.0)));
    assert!(close(&with("the sea:2", 1.5), &sea));
    assert!(close(&with("the sea:3", 1.0), &sea));
    assert!(sea != with("the sea AND snow", 3.0));
    let error =
        engine.paint(&PaintJob { prompt: "a AND ".repeat(70).as_str().into(), ..job() }, &mut |_, _| true);
    assert!(error.unwrap_err().to_string().contains("joined by AND"));
}

#[test]
fn prompts_of_equally_many_parts_are_blended_part_by_part() {
    let mut engine = engine();
    let mut with = |prompt| paint(&mut engine, &PaintJob { prompt, sampler: Sampler::Euler, ..job() });
    let (a, b) = ("the sea AND snow:0.5", "the sea AND snow:0.5");
    let close =
        |a: &Canvas, b: &Canvas| a.as_rgb8().iter().zip(b.as_rgb8()).all(|(a, b)| a.abs_diff(*b) <= 1);
    let one = with(a.into());
    for blend in BLENDS {
        assert!(close(&one, &with(two((a, 0.25), (b, 0.75), blend))), "{blend:?}");
    }
    // Unequally many: each is looked at for itself, as if it were composed.
    let mixed = two(("the sea AND snow", 0.5), ("a castle", 0.5), Blend::Lerp);
    let composed = Mix { blend: Blend::Composed, ..mixed.clone() };
    assert!(with(mixed) == with(composed));
}

#[test]
fn an_embedding_is_named_like_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("easynegative.safetensors");
    let values: Vec<f32> = (0..3 * 96).map(|i| (i % 7) as f32 / 7.0 - 0.4).collect();
    let vectors = candle_core::Tensor::from_vec(values, (3, 96), &Device::Cpu).unwrap();
    candle_core::safetensors::save(&std::collections::HashMap::from([("emb_params", vectors)]), &path)
        .unwrap();
    let mut engine = engine();
    let with = |engine: &mut Engine, negative: &'static str| {
        paint(engine, &PaintJob { negative: negative.into(), ..job() })
    };
    let word = with(&mut engine, "easynegative");
    engine.set_embeddings(vec![("easynegative".to_owned(), path)]).unwrap();
    let named = with(&mut engine, "EasyNegative");
    assert!(named != word);
    assert!(named != with(&mut engine, "(easynegative:0.5)"));
    assert!(with(&mut engine, "fog") == with(&mut self::engine(), "fog"));
    engine.set_embeddings(Vec::new()).unwrap();
    assert!(word == with(&mut engine, "easynegative"));
}

#[test]
fn the_model_says_what_it_does_best() {
    let engine = engine();
    let defaults = engine.defaults();
    assert_eq!(defaults.size, Size::new(256, 256));
    assert_eq!((defaults.steps, defaults.guidance), (7, 3.5));
    assert_eq!((defaults.sampler, defaults.spacing), (Sampler::Dpmpp2m, Spacing::Karras));
    assert!(engine.own_controlnet().is_some());
}

#[test]
fn unknown_models_are_refused_by_name() {
    for (index, part) in [
        (r#"{"_class_name": "FluxPipeline"}"#, "FluxPipeline"),
        (
            r#"{"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet1DModel"]}"#,
            "UNet1DModel",
        ),
        ("{}", "_class_name"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model_index.json"), index).unwrap();
        let model = ModelFolder::open(folder.path()).unwrap();
        let error = Engine::load(&model, &[], &Device::Cpu).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn models_with_other_inputs_are_refused_before_their_weights_are_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model_index.json"), r#"{"_class_name": "StableDiffusionPipeline"}"#)
        .unwrap();
    std::fs::create_dir(folder.path().join("unet")).unwrap();
    std::fs::write(folder.path().join("unet/config.json"), r#"{"in_channels": 8}"#).unwrap();
    let error = Engine::load(&ModelFolder::open(folder.path()).unwrap(), &[], &Device::Cpu).unwrap_err();
    assert!(error.to_string().contains("expected 4, or 9 for inpainting, found 8"), "{error}");
}
