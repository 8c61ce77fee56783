//! Prompts that pass into each other: what the web UI composes (`(a):0.75 AND (b):0.25`) as keys with an ease.

use super::bench::Bench;
use super::score::Value;

/// Texts with their weights.
pub(super) type Mix = Vec<(String, f64)>;

/// A key of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FadeKey {
    pub time: String,
    /// As the film writes it, in quotes.
    pub text: String,
    /// Whether the prompt before passes into it.
    pub fades: bool,
}

/// The keys as a value; those that change nothing are left out.
pub(super) fn value(keys: &[FadeKey]) -> Value {
    let same = |a: Option<&FadeKey>, b: &FadeKey| a.is_some_and(|a| a.text == b.text);
    let mut written: Vec<String> = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|at| keys.get(at));
        // A fade needs the key that it begins at, also where the text is the one before.
        let begins = keys.get(index + 1).is_some_and(|next| next.fades && next.text != key.text);
        if same(before, key) && !begins {
            continue;
        }
        let ease = if key.fades && before.is_some() && !same(before, key) { " ~linear" } else { "" };
        written.push(format!("{}: {}{ease}", key.time, key.text));
    }
    match (written.as_slice(), keys.first()) {
        ([_], Some(first)) => Value::One(first.text.clone()),
        ([], _) => Value::One("\"\"".to_owned()),
        _ => Value::Keys(written),
    }
}

/// Whether a value has an ease between prompts.
pub(super) fn is_faded(value: &Value) -> bool {
    matches!(value, Value::Keys(keys) if keys.iter().any(|key| key.ends_with(" ~linear")))
}

/// The first frame at which a line with composed fades tells something else than `wanted`, by more than
/// `limit` in a weight; `Err` when the film cannot have the line.
pub(super) fn difference(
    bench: &Bench,
    lets: &[String],
    value: &Value,
    wanted: &[Mix],
    limit: f64,
) -> Result<Option<usize>, ()> {
    let found = bench.mixes(lets, &value.text()).ok_or(())?;
    let is_same = |(found, wanted): (&Mix, &Mix)| {
        let (found, wanted) = (merged(found, limit), merged(wanted, limit));
        found.len() == wanted.len()
            && found.iter().zip(&wanted).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() <= limit)
    };
    Ok(found.iter().zip(wanted).position(|pair| !is_same(pair)))
}

/// By text: equal ones are one prediction, and those without weight are none.
fn merged(mix: &Mix, limit: f64) -> Mix {
    let mut out: Mix = Vec::new();
    for (text, weight) in mix {
        match out.iter_mut().find(|(known, _)| known == text.trim()) {
            Some((_, sum)) => *sum += weight,
            None => out.push((text.trim().to_owned(), *weight)),
        }
    }
    out.retain(|(_, weight)| weight.abs() > limit);
    out.sort_by(|a, b| a.0.cmp(&b.0));
    out
}

/// What Deforum's Interpolation mode writes: `(a):0.75 AND (b):0.25`, or one text.
pub(super) fn deforum(text: &str) -> Mix {
    let part = |text: &str| {
        let (inside, weight) = text.trim().strip_prefix('(')?.rsplit_once("):")?;
        Some((inside.trim().to_owned(), weight.parse().ok()?))
    };
    let text = text.trim();
    let two = |(at, _): (usize, &str)| Some(vec![part(&text[..at])?, part(&text[at + 5..])?]);
    text.match_indices(" AND ").find_map(two).unwrap_or_else(|| vec![(text.to_owned(), 1.0)])
}

/// What Parseq renders where two prompts overlap: `a: 0.7500 AND b: 0.2500`, or one text.
pub(super) fn parseq(text: &str) -> Mix {
    let part = |text: &str| {
        let (inside, weight) = text.rsplit_once(": ")?;
        Some((inside.trim().to_owned(), weight.trim().parse().ok()?))
    };
    let text = text.trim();
    let parts: Option<Mix> = text.split(" AND ").map(part).collect();
    parts.filter(|parts| parts.len() > 1).unwrap_or_else(|| vec![(text.to_owned(), 1.0)])
}

/// The keys of prompts that are rendered frame by frame: texts that hold, and between them fades of two,
/// from the frame at which the second has no weight to the one at which it has all. `None` where more than
/// two are mixed.
pub(super) fn keys(mixes: &[Mix], quote: impl Fn(&str) -> String) -> Option<Vec<FadeKey>> {
    let key = |frame: usize, text: &str, fades| FadeKey { time: frame.to_string(), text: quote(text), fades };
    let mut keys: Vec<FadeKey> = Vec::new();
    let mut held: Option<&str> = None;
    let mut frame = 0;
    while let Some(mix) = mixes.get(frame) {
        if let [(text, _)] = mix.as_slice() {
            if held != Some(text) {
                keys.push(key(frame, text, false));
            }
            held = Some(text);
            frame += 1;
            continue;
        }
        let [a, b] = mix.as_slice() else { return None };
        let is_alike = |mix: &Mix| mix.len() == 2 && mix[0].0 == a.0 && mix[1].0 == b.0;
        let end = frame + mixes[frame..].iter().take_while(|mix| is_alike(mix)).count();
        let ends = &mixes[end - 1];
        let is_forward = if held == Some(&b.0) { false } else { held == Some(&a.0) || ends[1].1 >= b.1 };
        let (from, to) = if is_forward { (0, 1) } else { (1, 0) };
        let starts_at = if mix[to].1 == 0.0 { frame } else { frame.saturating_sub(1) };
        let is_over = ends[from].1 == 0.0;
        if held != Some(&mix[from].0) || starts_at > 0 {
            keys.push(key(starts_at, &mix[from].0, false));
        }
        keys.push(key(if is_over { end - 1 } else { end }, &mix[to].0, true));
        held = Some(&mix[to].0);
        frame = end;
    }
    keys.dedup_by(|next, key| next.time == key.time && next.text == key.text);
    Some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_are_read_as_they_are_written() {
        let two = |a: &str, wa, b: &str, wb| vec![(a.to_owned(), wa), (b.to_owned(), wb)];
        assert_eq!(deforum(" ( a (cat:1.2)  ):0.75 AND  ( b):0.25"), two("a (cat:1.2)", 0.75, "b", 0.25));
        assert_eq!(deforum(" a AND (b:1.1) "), [("a AND (b:1.1)".to_owned(), 1.0)]);
        assert_eq!(parseq("a, x: 2 y: 0.7500 AND b: 0.2500"), two("a, x: 2 y", 0.75, "b", 0.25));
        assert_eq!(parseq("a AND b"), [("a AND b".to_owned(), 1.0)]);
    }

    #[test]
    fn runs_of_two_become_fades() {
        let texts = ["a", "a", "a: 1 AND b: 0.000", "a: 0.5000 AND b: 0.5000", "a: 0.000 AND b: 1", "b", "a"];
        let mixes: Vec<Mix> = texts.iter().map(|text| parseq(text)).collect();
        let keys = keys(&mixes, |text| format!("\"{text}\"")).unwrap();
        assert_eq!(value(&keys).text(), "0: \"a\", 2: \"a\", 4: \"b\" ~linear, 6: \"a\"");
        let bench = Bench { frames: 7, fps: "12".into(), bpm: None, seed: 0 };
        assert_eq!(difference(&bench, &[], &value(&keys), &mixes, 5e-5), Ok(None));
        let mut other = mixes.clone();
        other[3] = parseq("a: 0.6000 AND b: 0.4000");
        assert_eq!(difference(&bench, &[], &value(&keys), &other, 5e-5), Ok(Some(3)));
    }
}
