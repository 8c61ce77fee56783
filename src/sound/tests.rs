use super::*;

/// Samples that are handed out in uneven pieces, as decoders do.
struct Played {
    rate: u32,
    samples: Vec<f64>,
    at: usize,
}

impl Source for Played {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn read(&mut self) -> Result<Option<Vec<f64>>> {
        let end = (self.at + 1 + (self.at * 7) % 4096).min(self.samples.len());
        let piece = self.samples[self.at..end].to_vec();
        self.at = end;
        Ok((!piece.is_empty()).then_some(piece))
    }
}

const GRID: Grid = Grid { num: 24, den: 1, offset: 0 };

fn request(bands: &[Band], measure: Measure) -> Request {
    Request { bands: bands.to_vec(), measure, after: Vec::new(), grid: GRID }
}

fn hear_at(rate: u32, sound: impl Fn(f64) -> f64, seconds: f64, requests: &[Request]) -> Vec<Answer> {
    let count = (seconds * f64::from(rate)) as usize;
    let samples = (0..count).map(|n| sound(n as f64 / f64::from(rate))).collect();
    analyse(&mut Played { rate, samples, at: 0 }, requests).unwrap()
}

fn curve(answer: &Answer) -> &Curve {
    match answer {
        Answer::Curve(curve) => curve,
        other => panic!("expected a curve, found {other:?}"),
    }
}

fn one(sound: impl Fn(f64) -> f64, seconds: f64, request: Request) -> Curve {
    curve(&hear_at(RATE, sound, seconds, &[request])[0]).clone()
}

fn sine(frequency: f64) -> impl Fn(f64) -> f64 {
    move |time| libm::sin(std::f64::consts::TAU * frequency * time)
}

/// A drum loop of two seconds at 120 beats a minute: a low thump on every beat, noise on every second one.
fn drums(time: f64) -> f64 {
    let since = time % 0.5;
    let thump = libm::exp(-since / 0.08) * libm::sin(std::f64::consts::TAU * 60.0 * since);
    let word = (time * 44_100.0 + 0.5) as u64;
    let noise = (word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1 << 40) >> 33) as f64;
    let back = (time + 0.5) % 1.0;
    0.5 * thump + 0.3 * libm::exp(-back / 0.03) * (noise / f64::from(1u32 << 30) - 1.0)
}

#[test]
fn a_sine_has_its_level() {
    let half = |time: f64| 0.5 * sine(480.0)(time);
    // 480 Hz has 20 periods in a frame: the mean of its square over a frame of 1837 or 1838 samples is off
    // by one sample at most.
    for value in one(half, 2.0, request(&[], Measure::Rms)).values {
        assert!((value - 0.125f64.sqrt()).abs() < 5e-4, "{value}");
    }
    for value in one(half, 2.0, request(&[], Measure::Level)).values {
        assert!((value - 0.5).abs() < 1e-3, "{value}");
    }
    let square = one(|time| sine(480.0)(time).signum(), 1.0, request(&[], Measure::Level));
    assert!(square.values.iter().all(|value| *value <= 1.0));
}

#[test]
fn bands_keep_what_is_theirs() {
    let both = |time: f64| 0.5 * sine(60.0)(time) + 0.5 * sine(5000.0)(time);
    let low = request(&[Band { low: 20.0, high: 120.0 }], Measure::Rms);
    let high = request(&[Band { low: 2000.0, high: 10_000.0 }], Measure::Rms);
    let found = hear_at(RATE, both, 3.0, &[low.clone(), high]);
    for (answer, name) in found.iter().zip(["low", "high"]) {
        // After a second the filters have settled. 60 Hz lies an octave inside its band: 0.1 dB.
        let value = curve(answer).values[40];
        assert!((value / 0.125f64.sqrt() - 1.0).abs() < 0.03, "{name}: {value}");
    }
    let leak = one(sine(5000.0), 3.0, low).values[40];
    assert!(20.0 * libm::log10(leak) < -100.0, "5 kHz leaks into 20-120 Hz: {leak}");
}

#[test]
fn an_envelope_comes_63_percent_of_the_way_in_its_times() {
    // A step from 0 to 1 at 1 s and back at 2 s; frames of a millisecond.
    let step = |time: f64| f64::from((1.0..2.0).contains(&time));
    let times = Times { attack: 0.05, release: 0.2 };
    let grid = Grid { num: 1000, den: 1, offset: 0 };
    let found = one(step, 3.0, Request { grid, ..request(&[], Measure::Envelope(times)) });
    let away = 1.0 - libm::exp(-1.0);
    // A frame holds its largest value, so rising ones are up to a frame early, falling ones not.
    let risen = found.values.iter().position(|value| *value >= away).unwrap();
    assert!((1049..=1050).contains(&risen), "{risen}");
    let fallen = (2000..).find(|frame| found.values[*frame] <= 1.0 - away).unwrap();
    assert!((2200..=2201).contains(&fallen), "{fallen}");
    let at_once = Times { attack: 0.0, release: 0.0 };
    let found = one(step, 3.0, Request { grid, ..request(&[], Measure::Envelope(at_once)) });
    assert_eq!(found.values[999..1001], [0.0, 1.0]);
    assert_eq!(found.values[1999..2001], [1.0, 0.0]);
}

#[test]
fn clicks_are_onsets_in_their_frames() {
    let click = |time: f64| f64::from(((time * 44_100.0).round() as u64).is_multiple_of(22_050));
    let found = hear_at(
        RATE,
        click,
        10.0,
        &[request(&[], Measure::Onset(0.2)), request(&[], Measure::Tempo), request(&[], Measure::Beat)],
    );
    let wanted: Vec<usize> = (0..20).map(|n| n * 12).collect();
    let frames = |answer: &Answer| -> Vec<usize> {
        let values = curve(answer).values.clone();
        values.iter().enumerate().filter(|(_, value)| **value > 0.0).map(|(frame, _)| frame).collect()
    };
    assert_eq!(frames(&found[0]), wanted);
    let Answer::Number(tempo) = found[1] else { panic!("no tempo") };
    assert!((tempo - 120.0).abs() < 0.5, "{tempo}");
    assert!(frames(&found[2]).iter().all(|frame| wanted.contains(frame)));
    assert!(frames(&found[2]).len() >= 19);
}

#[test]
fn drums_are_told_apart() {
    let kick = request(&[Band { low: 30.0, high: 120.0 }], Measure::Onset(0.2));
    let hat = request(&[Band { low: 6000.0, high: 16_000.0 }], Measure::Onset(0.2));
    let found = hear_at(RATE, drums, 8.0, &[kick, hat]);
    let frames = |answer: &Answer| -> Vec<usize> {
        let values = &curve(answer).values;
        (0..values.len()).filter(|frame| values[*frame] > 0.0).collect()
    };
    // A filter at 120 Hz takes some milliseconds to rise, less than a frame of 42.
    assert_eq!(frames(&found[0]), (0..16).map(|n| n * 12).collect::<Vec<_>>());
    assert_eq!(frames(&found[1]), (0..8).map(|n| 12 + n * 24).collect::<Vec<_>>());
}

/// The same sound at three rates. Curves of levels differ by what the filter of the resampler does at the
/// upper end, where `drums` has noise.
#[test]
fn the_rate_of_the_file_does_not_matter() {
    let low = |time: f64| 0.6 * sine(70.0)(time) * (0.5 + 0.5 * sine(1.0)(time));
    let times = Times { attack: 0.005, release: 0.18 };
    let requests = [
        request(&[Band { low: 20.0, high: 120.0 }], Measure::Envelope(times)),
        request(&[], Measure::Rms),
        request(&[], Measure::Level),
    ];
    let base = hear_at(44_100, low, 4.0, &requests);
    for rate in [48_000, 96_000, 22_050] {
        for (a, b) in base.iter().zip(&hear_at(rate, low, 4.0, &requests)) {
            let (a, b) = (curve(a), curve(b));
            assert_eq!(a.values.len(), b.values.len());
            let off = a.values.iter().zip(&b.values).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off < 1e-4, "{rate}: {off}");
        }
    }
    let onsets = request(&[], Measure::Onset(0.2));
    let click = |time: f64| {
        let since = time % 0.5;
        libm::exp(-since / 0.01) * libm::cos(std::f64::consts::TAU * 3000.0 * since)
    };
    let frames = |rate| curve(&hear_at(rate, click, 6.0, std::slice::from_ref(&onsets))[0]).values.clone();
    assert_eq!(frames(44_100).iter().sum::<f64>(), 12.0);
    assert_eq!(frames(44_100), frames(48_000));
    assert_eq!(frames(44_100), frames(96_000));
}

#[test]
fn norm_spans_its_range_and_silence_is_its_low_end() {
    let swell = |time: f64| (time / 4.0) * sine(200.0)(time);
    let norm = |measure| Request { after: vec![After::Norm(2.0, 5.0)], ..request(&[], measure) };
    let found = one(swell, 4.0, norm(Measure::Rms));
    let least = found.values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = found.values.iter().copied().fold(0.0, f64::max);
    assert_eq!((least, most, found.outside), (2.0, 5.0, 2.0));
    for measure in [Measure::Rms, Measure::Level, Measure::Centroid, Measure::Onset(0.2), Measure::Beat] {
        let found = one(|_| 0.0, 2.0, norm(measure));
        assert_eq!(found.values, vec![2.0; 48], "{measure:?}");
        let empty = one(|_| 0.0, 0.0, norm(measure));
        assert!(empty.values.is_empty() && empty.outside == 2.0, "{measure:?}");
    }
    let answers = hear_at(RATE, |_| 0.0, 2.0, &[request(&[], Measure::Tempo)]);
    assert_eq!(answers, [Answer::NoTempo]);
}

#[test]
fn what_else_is_asked_changes_nothing() {
    let times = Times { attack: 0.005, release: 0.18 };
    let requests = [
        request(&[Band { low: 20.0, high: 120.0 }], Measure::Envelope(times)),
        request(&[Band { low: 20.0, high: 120.0 }], Measure::Onset(0.1)),
        request(&[], Measure::Centroid),
        request(&[], Measure::Onset(0.3)),
        request(&[], Measure::Level),
    ];
    let together = hear_at(RATE, drums, 3.0, &requests);
    for (request, answer) in requests.iter().zip(together) {
        assert_eq!(hear_at(RATE, drums, 3.0, std::slice::from_ref(request)), [answer]);
    }
}

#[test]
fn a_pulse_can_be_drawn_out() {
    let pulse = |time: f64| f64::from((time * 44_100.0).round() as u64 == 22_050);
    let fade = After::Envelope(Times { attack: 0.0, release: 1.0 / 24.0 });
    let found = one(pulse, 2.0, Request { after: vec![fade], ..request(&[], Measure::Onset(0.2)) });
    let half = libm::exp(-1.0);
    for (frame, wanted) in [(11, 0.0), (12, 1.0), (13, half), (14, half * half)] {
        assert!((found.values[frame] - wanted).abs() < 1e-12, "{frame}: {}", found.values[frame]);
    }
}
