use super::tests::{SIZE, engine, job, paint, ramp};
use super::*;
use crate::canvas::Canvas;
use crate::diffusion::sampler::{Variation, resolve, sampler_names};
use crate::noise::NoiseKind;

fn close(a: &Canvas, b: &Canvas) -> bool {
    a.as_rgb8().iter().zip(b.as_rgb8()).all(|(a, b)| a.abs_diff(*b) <= 1)
}

#[test]
fn noise_settings_count_where_there_is_noise_and_only_there() {
    let mut engine = engine();
    let ancestral = PaintJob { steps: 3, ..job() };
    let plain = PaintJob { sampler: Sampler::Euler, ..ancestral.clone() };
    let change = |base: &PaintJob<'static>| {
        [
            PaintJob { ensd: 31337, ..base.clone() },
            PaintJob { s_noise: 0.5, ..base.clone() },
            PaintJob { eta: Some(0.4), ..base.clone() },
        ]
    };
    let (first, second) = (paint(&mut engine, &ancestral), paint(&mut engine, &plain));
    for (a, b) in change(&ancestral).iter().zip(&change(&plain)) {
        assert!(paint(&mut engine, a) != first, "{a:?}");
        assert!(paint(&mut engine, b) == second, "{b:?}");
    }
    assert!(paint(&mut engine, &PaintJob { noise: NoiseKind::PhiloxNv, ..plain.clone() }) != second);
    // Without fresh noise an ancestral sampler is Euler's method.
    assert!(close(&paint(&mut engine, &PaintJob { eta: Some(0.0), ..ancestral.clone() }), &second));
    // Noise of no strength is no noise, but the steps are as long as with it.
    assert!(paint(&mut engine, &PaintJob { s_noise: 0.0, ..ancestral }) != second);
}

#[test]
fn brownian_noise_has_a_seed_and_walks_between_two() {
    let mut engine = engine();
    for name in ["dpmpp_sde", "dpmpp_2m_sde", "dpmpp_3m_sde"] {
        let base = PaintJob { sampler: resolve(name).unwrap().0, steps: 3, ..job() };
        let first = paint(&mut engine, &base);
        assert!(first == paint(&mut engine, &base), "{name}");
        assert!(first == paint(&mut engine, &PaintJob { ensd: 9, ..base.clone() }), "{name}");
        assert!(
            first != paint(&mut engine, &PaintJob { noise: NoiseKind::PhiloxNv, ..base.clone() }),
            "{name}"
        );
        let mut at = |strength| {
            let variation = Some(Variation { seed: 6, strength, every_draw: true });
            paint(&mut engine, &PaintJob { variation, ..base.clone() })
        };
        let (start, middle, end) = (at(0.0), at(0.5), at(1.0));
        assert!(start == first && middle != first && middle != end, "{name}");
        assert!(close(&end, &paint(&mut engine, &PaintJob { seed: 6, ..base })), "{name}");
    }
}

#[test]
fn every_sampler_paints_over_a_picture_with_continuous_strength() {
    let mut engine = engine();
    let init = ramp();
    for name in sampler_names() {
        let (sampler, _) = resolve(name).unwrap();
        let at = |denoise| PaintJob {
            init: Some(&init),
            denoise,
            sampler,
            spacing: sampler.usual_spacing(),
            steps: 4,
            ..job()
        };
        let pictures = [0.5, 0.55, 0.6].map(|denoise| paint(&mut engine, &at(denoise)));
        assert!(pictures[0] != pictures[1] && pictures[1] != pictures[2], "{name}");
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let init = ramp();
    for name in ["euler_a", "dpmpp_sde", "unipc"] {
        let job = PaintJob {
            init: Some(&init),
            denoise: 0.7,
            sampler: resolve(name).unwrap().0,
            noise: NoiseKind::PhiloxNv,
            ..job()
        };
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| paint(&mut engine(), &job))
        };
        assert!(on(1) == on(3), "{name}");
    }
}

#[test]
fn noise_of_the_start_and_of_the_latent_counts_over_a_picture_and_only_there() {
    let mut engine = engine();
    let init = ramp();
    let over = PaintJob { init: Some(&init), denoise: 0.5, steps: 4, ..job() };
    let plain = paint(&mut engine, &over);
    let changed = [
        PaintJob { noise_multiplier: 1.2, ..over.clone() },
        PaintJob { noise_multiplier: 0.0, ..over.clone() },
        PaintJob { latent_noise: 0.3, ..over.clone() },
        PaintJob { latent_noise: 0.3, seed: 6, ..over.clone() },
    ];
    let pictures = changed.map(|job| {
        let picture = paint(&mut engine, &job);
        assert!(picture == paint(&mut engine, &job), "{job:?}");
        picture
    });
    for (i, picture) in pictures.iter().enumerate() {
        assert!(*picture != plain && !pictures[..i].contains(picture), "{i}");
    }
    // From text alone there is nothing to add to, and the whole noise is needed.
    let text = PaintJob { init: None, ..over };
    let from_text = paint(&mut engine, &text);
    assert!(from_text == paint(&mut engine, &PaintJob { noise_multiplier: 1.2, latent_noise: 0.3, ..text }));
}

#[test]
fn impossible_noise_is_refused() {
    let mut engine = engine();
    for (job, part) in [
        (PaintJob { eta: Some(-0.1), ..job() }, "eta: expected 0 or more"),
        (PaintJob { eta: Some(f64::NAN), ..job() }, "eta"),
        (PaintJob { s_noise: f64::INFINITY, ..job() }, "s_noise"),
        (PaintJob { noise_multiplier: -1.0, ..job() }, "noise multiplier: expected 0 or more"),
        (PaintJob { latent_noise: f64::NAN, ..job() }, "latent noise"),
    ] {
        let error = engine.paint(&job, &mut |_, _| true).unwrap_err();
        assert!(error.to_string().contains(part) && error.hint().is_some(), "{error}");
    }
    assert_eq!(paint(&mut engine, &PaintJob { eta: Some(3.0), ..job() }).size(), SIZE);
}
