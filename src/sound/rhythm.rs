//! Onsets, tempo and beats out of the rises of the spectra.

use super::RATE;
use super::spectrum::{Candidate, HOP, HOPS, Rhythm};

/// Hops before and behind a peak whose mean it must stand out from: 100 and 70 ms, as in Böck, Krebs and
/// Schedl, «Evaluating the online capabilities of onset detection methods» (ISMIR 2012).
const SURROUNDINGS: (usize, usize) = (10, 7);
/// Slowest and fastest tempo, in beats per minute.
const TEMPI: (f64, f64) = (30.0, 240.0);
/// The tempo that is preferred among multiples of one another, and how much: a Gaussian over the octaves
/// (Ellis, «Beat tracking by dynamic programming», 2007).
const PREFERRED: (f64, f64) = (120.0, 1.0);
/// How much of the rise must repeat with the tempo for it to be one.
const CLEAR: f64 = 0.1;
/// How strictly beats keep their distance (Ellis's α).
const TIGHTNESS: f64 = 100.0;

/// The samples at which something begins. A peak counts when it stands out from the mean around it by
/// `threshold`, a share of the largest rise in the whole sound.
pub(super) fn onsets(rhythm: &Rhythm, threshold: f64) -> Vec<i64> {
    let flux = &rhythm.flux;
    let largest = rhythm.candidates.iter().map(|found| flux[found.hop]).fold(0.0, f64::max);
    let stands_out = |found: &&Candidate| {
        let from = found.hop.saturating_sub(SURROUNDINGS.0);
        let around = &flux[from..(found.hop + SURROUNDINGS.1 + 1).min(flux.len())];
        let mean = around.iter().sum::<f64>() / around.len() as f64;
        flux[found.hop] - mean >= threshold * largest
    };
    rhythm.candidates.iter().filter(stands_out).map(|found| found.sample).collect()
}

/// Beats per minute, or `None` when nothing repeats: the lag at which the rise is most like itself, then
/// made exact at 2, 4, 8 ... times that lag. Of a tempo and its double the one nearer to 120 is meant.
pub(super) fn tempo(flux: &[f64]) -> Option<f64> {
    period(&smooth(flux)).map(|hops| 60.0 * HOPS / hops)
}

/// Beats as samples: the series of moments that lie on strong rises and keep the tempo (Ellis 2007).
pub(super) fn beats(rhythm: &Rhythm) -> Vec<i64> {
    let strength = smooth(&rhythm.flux);
    let Some(period) = period(&strength) else { return Vec::new() };
    let spread = (strength.iter().map(|x| x * x).sum::<f64>() / strength.len() as f64).sqrt();
    let lags: Vec<usize> = ((period / 2.0) as usize..=(period * 2.0).ceil() as usize).collect();
    let cost = |lag: &usize| {
        let octaves = libm::log(*lag as f64 / period);
        TIGHTNESS * octaves * octaves
    };
    let costs: Vec<f64> = lags.iter().map(cost).collect();
    let mut score: Vec<f64> = Vec::with_capacity(strength.len());
    let mut link: Vec<Option<usize>> = Vec::with_capacity(strength.len());
    for (at, strength) in strength.iter().enumerate() {
        let chains = lags.iter().zip(&costs).filter_map(|(lag, cost)| {
            let from = at.checked_sub(*lag)?;
            Some((score[from] - cost, from))
        });
        let best = chains.fold(
            (0.0, None),
            |best, (score, from)| {
                if score > best.0 { (score, Some(from)) } else { best }
            },
        );
        score.push(strength / spread + best.0);
        link.push(best.1);
    }
    // The last beat is the best one in the last two periods that has an onset of its own.
    let tail = strength.len().saturating_sub(2 * period.ceil() as usize);
    let last = (tail..strength.len()).max_by(|a, b| score[*a].total_cmp(&score[*b]));
    let chain = std::iter::successors(last, |at| link[*at]);
    let mut hops: Vec<usize> = chain.collect();
    hops.reverse();
    hops.into_iter().map(|hop| exact(rhythm, hop)).collect()
}

/// The sample of a beat: that of the onset within 30 ms, else the hop's own.
fn exact(rhythm: &Rhythm, hop: usize) -> i64 {
    let near = rhythm.candidates.iter().filter(|found| found.hop.abs_diff(hop) <= 3);
    let near = near.min_by_key(|found| found.hop.abs_diff(hop));
    near.map_or((hop * HOP) as i64, |found| found.sample)
}

/// Without its mean, and over 50 ms: peaks one or two hops wide have no exact place.
fn smooth(flux: &[f64]) -> Vec<f64> {
    // A Gaussian of 1.5 hops, cut at 5.
    let weight = |k: usize| libm::exp(-((k * k) as f64) / 4.5);
    let total = 1.0 + 2.0 * (1..=5).map(weight).sum::<f64>();
    let mean = flux.iter().sum::<f64>() / flux.len().max(1) as f64;
    let value = |at: usize, k: usize, back: bool| {
        let place = if back { at.checked_sub(k) } else { Some(at + k) };
        place.and_then(|place| flux.get(place)).copied().unwrap_or(0.0)
    };
    let around = |at: usize| {
        let sides = (1..=5).map(|k| weight(k) * (value(at, k, true) + value(at, k, false)));
        (flux[at] + sides.sum::<f64>()) / total - mean
    };
    (0..flux.len()).map(around).collect()
}

/// Hops from beat to beat.
fn period(strength: &[f64]) -> Option<f64> {
    let likeness = |lag: usize| -> f64 {
        let pairs = strength.iter().zip(&strength[lag.min(strength.len())..]);
        let count = strength.len().saturating_sub(lag).max(1) as f64;
        pairs.map(|(a, b)| a * b).sum::<f64>() / count
    };
    let whole = likeness(0);
    let slowest = ((60.0 * HOPS / TEMPI.0) as usize).min(strength.len() / 2);
    let fastest = (60.0 * HOPS / TEMPI.1) as usize;
    let weight = |lag: usize| {
        let octaves = libm::log2(60.0 * HOPS / lag as f64 / PREFERRED.0) / PREFERRED.1;
        libm::exp(-0.5 * octaves * octaves)
    };
    let lags: Vec<f64> = (0..=slowest + 1).map(likeness).collect();
    let is_peak = |lag: &usize| lags[*lag] >= lags[*lag - 1] && lags[*lag] >= lags[*lag + 1];
    let best = (fastest..=slowest)
        .filter(is_peak)
        .max_by(|a, b| (lags[*a] * weight(*a)).total_cmp(&(lags[*b] * weight(*b))))
        .filter(|lag| whole > 0.0 && lags[*lag] > CLEAR * whole)?;
    let mut period = vertex(best, [lags[best - 1], lags[best], lags[best + 1]]);
    let mut times = 2.0;
    while times * period + 4.0 < strength.len() as f64 / 2.0 && times <= 64.0 {
        let middle = (times * period).round() as usize;
        let near: Vec<f64> = (middle - 3..=middle + 3).map(likeness).collect();
        let top = (1..=5).max_by(|a, b| near[*a].total_cmp(&near[*b])).unwrap_or(3);
        let is_inside = near[top] >= near[top - 1] && near[top] >= near[top + 1];
        // A tempo that drifts is not like itself any more that far away.
        if !is_inside || near[top] < 0.5 * lags[best] {
            break;
        }
        period = vertex(middle - 3 + top, [near[top - 1], near[top], near[top + 1]]) / times;
        times *= 2.0;
    }
    Some(period)
}

/// The top of the parabola through three neighbours, the middle one at `at`.
fn vertex(at: usize, [a, b, c]: [f64; 3]) -> f64 {
    let bend = a - 2.0 * b + c;
    at as f64 + if bend < 0.0 { 0.5 * (a - c) / bend } else { 0.0 }
}

/// The frame in which a moment falls. It is known to half a millisecond; what lies that little before a
/// frame begins belongs to the frame, or a click on the first sample of a frame could come one too early.
pub(super) fn counted(sample: i64) -> i64 {
    sample + i64::from(RATE) / 2000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::spectrum::Spectra;

    /// Clicks of noise that die away in 20 ms.
    fn clicks(bpm: f64, seconds: f64) -> Rhythm {
        let beat = 60.0 / bpm * f64::from(RATE);
        let mut spectra = Spectra::new();
        let mut noise = 1u32;
        for n in 0..(seconds * f64::from(RATE)) as usize {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let since = (n as f64 % beat) / f64::from(RATE);
            let white = f64::from(noise >> 8) / f64::from(1 << 23) - 1.0;
            spectra.push(if since < 0.1 { 0.8 * white * libm::exp(-since / 0.02) } else { 0.0 });
        }
        spectra.finish()
    }

    #[test]
    fn tempi_are_found_to_half_a_beat() {
        for bpm in [72.0, 90.0, 100.0, 120.0, 128.0, 140.3, 160.0] {
            let found = tempo(&clicks(bpm, 20.0).flux).unwrap();
            assert!((found - bpm).abs() < 0.5, "{found} for {bpm}");
        }
    }

    #[test]
    fn beats_lie_on_the_clicks() {
        let rhythm = clicks(120.0, 10.0);
        let found = beats(&rhythm);
        assert!((19..=20).contains(&found.len()), "{found:?}");
        for beat in &found {
            let off = (beat + 11_025).rem_euclid(22_050) - 11_025;
            assert!(off.abs() <= 44, "{beat} is {off} samples off");
        }
        assert_eq!(onsets(&rhythm, 0.2).len(), 20);
    }

    #[test]
    fn silence_and_noise_have_no_tempo() {
        assert_eq!(tempo(&[]), None);
        assert_eq!(tempo(&[0.0; 500]), None);
        let mut noise = 1u32;
        let noise: Vec<f64> = (0..3000)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(noise >> 8)
            })
            .collect();
        assert_eq!(tempo(&noise), None);
    }
}
