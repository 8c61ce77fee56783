//! Fields of a Parseq document: their values at every frame, and lines that say the same.

use serde_json::{Map, Value as Json};

use super::eval::{Moment, evaluate, points};
use super::fields::{Motion, default};
use super::formula::{Node, parse};
use super::native::{KnownNames, Nothing, OF_THE_KEYS, Writer};
use crate::import::print::{expression, number};
use crate::import::reduce::Key;

/// What the fields of a document are computed with.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// By frame.
    pub keyframes: Vec<(f64, Map<String, Json>)>,
    pub fps: f64,
    pub bpm: f64,
}

/// A field of a document.
#[derive(Clone, Debug)]
pub(super) struct Series {
    /// Frames and values of its keys.
    keys: Vec<(f64, f64)>,
    /// Formulas from the frame on at which each stands.
    formulas: Vec<(f64, Node)>,
    fps: f64,
    bpm: f64,
    first: f64,
    last: f64,
}

impl Document {
    pub fn first(&self) -> f64 {
        self.keyframes.first().map_or(0.0, |key| key.0)
    }

    pub fn last(&self) -> f64 {
        self.keyframes.last().map_or(0.0, |key| key.0)
    }

    /// A field with the keys Parseq adds at both ends.
    ///
    /// # Errors
    /// A formula that cannot be read, with its frame.
    pub fn field(&self, name: &str) -> Result<Series, (f64, String, String)> {
        let value = |map: &Map<String, Json>| as_number(map.get(name)?);
        let mut keys: Vec<(f64, f64)> =
            self.keyframes.iter().filter_map(|(frame, map)| Some((*frame, value(map)?))).collect();
        let (first, last) = (self.first(), self.last());
        let (at_first, at_last) =
            (keys.first().map_or(default(name), |k| k.1), keys.last().map_or(default(name), |k| k.1));
        if keys.first().is_none_or(|key| key.0 > first) {
            keys.insert(0, (first, at_first));
        }
        if keys.last().is_none_or(|key| key.0 < last) {
            keys.push((last, at_last));
        }
        let mut formulas = Vec::new();
        for (frame, map) in &self.keyframes {
            let text = match map.get(&format!("{name}_i")) {
                Some(Json::String(text)) if !text.trim().is_empty() => text.clone(),
                Some(Json::Number(value)) => value.to_string(),
                _ => continue,
            };
            let node = parse(&text).map_err(|error| (*frame, text.clone(), error))?;
            formulas.push((*frame, node));
        }
        Ok(Series { keys, formulas, fps: self.fps, bpm: self.bpm, first, last })
    }
}

/// A number, also one in quotes, as Parseq's grid has them.
pub(super) fn as_number(value: &Json) -> Option<f64> {
    match value {
        Json::Number(value) => value.as_f64(),
        Json::String(text) => text.trim().parse().ok().filter(|value: &f64| value.is_finite()),
        _ => None,
    }
}

impl Series {
    /// The value of every frame.
    ///
    /// # Errors
    /// The first frame that cannot be computed, and why.
    pub fn values(&self) -> Result<Vec<f64>, String> {
        let count = (self.last - self.first) as u32;
        (0..=count)
            .map(|i| {
                let moment = self.moment(self.first + f64::from(i));
                self.formula(moment.frame).map_or(Ok(moment.linear()), |node| evaluate(node, &moment))
            })
            .collect()
    }

    pub fn moment(&self, frame: f64) -> Moment<'_> {
        let active = self.keys.iter().rev().find(|key| key.0 <= frame).map_or(0.0, |key| key.0);
        Moment { frame, fps: self.fps, bpm: self.bpm, active, keys: &self.keys, last: self.last }
    }

    fn formula(&self, frame: f64) -> Option<&Node> {
        self.formulas.iter().rev().find(|(at, _)| *at <= frame).map(|(_, node)| node)
    }

    /// The one formula of all frames, as long as it does not look at keys.
    pub fn whole(&self, time: &str, known: &dyn KnownNames) -> Option<String> {
        let [(at, node)] = self.formulas.as_slice() else { return None };
        if *at > self.first || node.mentions(OF_THE_KEYS) {
            return None;
        }
        expression(&Writer { time, at: self.moment(self.first), known }.write(node)?)
    }

    /// Lines that may say what the field says, best first, with the `fn` lines they need.
    pub fn candidates(&self, name: &str, motion: Motion) -> Vec<(Vec<String>, String)> {
        // Documents that begin later have a time of their own.
        if self.first != 0.0 {
            return Vec::new();
        }
        if motion == Motion::Value {
            let whole = self.whole("t", &Nothing).map(|text| (Vec::new(), text));
            let keyed = self.keyed().map(|text| (Vec::new(), text));
            return whole.into_iter().chain(keyed).collect();
        }
        let Some(body) = self.whole("f", &Nothing) else { return Vec::new() };
        let path = format!("{}_path", name.replace('.', "_"));
        let sign = if motion == Motion::Ratio { "/" } else { "-" };
        let line = format!("where(t > 0, {path}(t) {sign} {path}(t - 1), {path}(0))");
        vec![(vec![format!("fn {path}(f) = {body}")], line)]
    }

    /// The field as one expression of `t`, its stretches chosen by `where`; for names in prompts.
    pub fn as_expression(&self) -> Option<String> {
        if self.first != 0.0 {
            return None;
        }
        if let Some(text) = self.values().ok().and_then(|values| crate::import::track::constant(&values)) {
            return Some(text);
        }
        let starts = self.starts();
        let stretch = |start: &f64| {
            let at = self.moment(*start);
            let linear = Node::Name("L".to_owned());
            Writer { time: "t", at, known: &Nothing }.write(self.formula(*start).unwrap_or(&linear))
        };
        let mut parts = starts.iter().rev().filter(|start| **start < self.last || self.last == 0.0);
        let last = parts.next()?;
        let mut whole = expression(&stretch(last)?)?;
        let mut until = *last;
        for start in parts {
            whole = format!("where(t < {until}, {}, {whole})", expression(&stretch(start)?)?);
            until = *start;
        }
        Some(whole)
    }

    /// Where a key or a formula stands.
    fn starts(&self) -> Vec<f64> {
        let formulas = self.formulas.iter().map(|formula| formula.0);
        let mut starts: Vec<f64> = self.keys.iter().map(|key| key.0).chain(formulas).collect();
        starts.sort_by(f64::total_cmp);
        starts.dedup();
        starts
    }

    /// A key for every stretch between two keys or formulas.
    fn keyed(&self) -> Option<String> {
        let starts = self.starts();
        let mut keys: Vec<Key> = Vec::new();
        let mut ease = None;
        let mut running: Option<(&Node, bool)> = None;
        for start in starts {
            let node = self.formula(start);
            let looks_at_keys = node.is_none_or(|node| node.mentions(OF_THE_KEYS));
            // An expression that does not look at keys goes on through them.
            if let (Some((before, false)), Some(node)) = (running, node)
                && before == node
            {
                continue;
            }
            let moment = self.moment(start);
            let at_key = moment.active == start;
            let (value, leaves) = match node {
                None => (number(moment.linear()), None),
                Some(Node::Name(name)) if name == "L" => (number(moment.linear()), None),
                Some(Node::Name(name)) if name == "S" => {
                    (number(moment.active_value()), Some("cut".to_owned()))
                }
                Some(Node::Call(name, args)) if name == "bez" && at_key && only_a_curve(args) => {
                    let [x1, y1, x2, y2] = points(args, &moment).ok()?.map(number);
                    (number(moment.active_value()), Some(format!("cubic-bezier({x1}, {y1}, {x2}, {y2})")))
                }
                Some(node) => {
                    (expression(&Writer { time: "t", at: moment, known: &Nothing }.write(node)?)?, None)
                }
            };
            let time = start.to_string();
            let text = match ease.replace(leaves).flatten() {
                Some(name) if css(&name).is_some() => format!("{value} ~{}", css(&name).unwrap_or_default()),
                Some(name) => format!("{value} ~{name}"),
                None => value,
            };
            keys.push(Key { time, value: text, cut: false });
            running = node.map(|node| (node, looks_at_keys));
        }
        Some(keys.iter().map(Key::text).collect::<Vec<_>>().join(", "))
    }
}

/// CSS's name of a curve.
fn css(ease: &str) -> Option<&'static str> {
    Some(match ease {
        "cubic-bezier(0.42, 0, 1, 1)" => "ease-in",
        "cubic-bezier(0, 0, 0.58, 1)" => "ease-out",
        "cubic-bezier(0.42, 0, 0.58, 1)" => "ease-in-out",
        "cubic-bezier(0.25, 0.1, 0.25, 1)" => "ease",
        _ => return None,
    })
}

/// Whether a `bez` goes from this key to the next, whatever its curve is.
fn only_a_curve(args: &[(Option<String>, Node)]) -> bool {
    let is_named = args.iter().any(|(name, _)| name.is_some());
    let curve = |name: &str| matches!(name, "x1" | "y1" | "x2" | "y2" | "c" | "curve");
    if is_named { args.iter().all(|(name, _)| name.as_deref().is_some_and(curve)) } else { args.len() <= 4 }
}
