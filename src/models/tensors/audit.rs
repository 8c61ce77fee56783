//! What is wrong with a network's weights, all of it at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use super::Weights;
use super::header::short;
use crate::error::Error;
use crate::models::folder::model_error;

/// At most this many groups of names, and weights of another shape, are listed.
const LISTED: usize = 6;

/// What a network asked for.
#[derive(Default)]
struct Asked {
    names: BTreeSet<String>,
    missing: BTreeSet<String>,
    /// Expected and found shape.
    misshapen: BTreeMap<String, (Vec<usize>, Vec<usize>)>,
}

/// A backend that has every weight, made of nothing, and notes which of them are not there.
struct Audit {
    weights: Weights,
    asked: Arc<Mutex<Asked>>,
}

impl Audit {
    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimpleBackend for Audit {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let mut asked = self.asked();
        asked.names.insert(name.to_owned());
        match self.weights.shape(name) {
            None => drop(asked.missing.insert(name.to_owned())),
            Some(found) if found != shape.dims() => {
                asked.misshapen.insert(name.to_owned(), (shape.dims().to_vec(), found));
            }
            Some(_) => {}
        }
        Tensor::zeros(shape, dtype, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        let mut asked = self.asked();
        asked.names.insert(name.to_owned());
        let Some(shape) = self.weights.shape(name) else {
            asked.missing.insert(name.to_owned());
            return Err(candle_core::Error::CannotFindTensor { path: name.to_owned() });
        };
        Tensor::zeros(shape, dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.weights.source(name).is_some()
    }
}

impl Weights {
    /// What is wrong with these weights of `path` when `build` could not make a network of them, which is a `what`, and
    /// stopped with `error`: all that are missing or have another shape, grouped and counted; else that error alone.
    pub fn explain<T>(
        &self,
        path: &Path,
        what: &str,
        error: &candle_core::Error,
        build: impl Fn(VarBuilder<'static>) -> Result<T>,
    ) -> Error {
        audit(path, what, self, build).unwrap_or_else(|| model_error(path, error))
    }
}

/// Builds a network of nothing with `build` and compares what it asks for with the weights that are there. `None`
/// when all is there, in its shape.
pub(super) fn audit<T>(
    path: &Path,
    what: &str,
    weights: &Weights,
    build: impl Fn(VarBuilder<'static>) -> Result<T>,
) -> Option<Error> {
    let asked = Arc::new(Mutex::new(Asked::default()));
    let backend = Audit { weights: weights.clone(), asked: asked.clone() };
    // It may stop early, where a weight's shape is asked of the file; what was noted until then counts.
    let _ = build(VarBuilder::from_backend(Box::new(backend), DType::F32, Device::Cpu));
    let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
    if asked.missing.is_empty() && asked.misshapen.is_empty() {
        return None;
    }
    let mut message = format!("expected {} weights of a {what}", asked.names.len());
    if !asked.missing.is_empty() {
        let missing = asked.missing.iter().map(String::as_str);
        message += &format!(", {} missing: {}", are(asked.missing.len()), groups(missing));
    }
    if !asked.misshapen.is_empty() {
        message +=
            &format!(", {} of another shape: {}", are(asked.misshapen.len()), shapes(&asked.misshapen));
    }
    let left: Vec<&str> = weights.names().filter(|name| !asked.names.contains(*name)).collect();
    if !left.is_empty() {
        message += &format!("; {} not known: {}", are(left.len()), groups(left.into_iter()));
    }
    Some(Error::model(path, message).with_hint(if asked.misshapen.len() > asked.missing.len() {
        "the config does not belong to these weights, or the model is of another kind"
    } else {
        "the file is not whole, the config does not belong to these weights, or the model is of another kind"
    }))
}

fn are(count: usize) -> String {
    if count == 1 { "1 is".to_owned() } else { format!("{count} are") }
}

/// `down_blocks.1.* (10), conv_in.bias`
fn groups<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in names {
        let mut parts = name.splitn(3, '.');
        let group = match (parts.next(), parts.next(), parts.next()) {
            (Some(first), Some(second), Some(_)) => format!("{first}.{second}"),
            (Some(first), ..) => first.to_owned(),
            _ => name.to_owned(),
        };
        groups.entry(group).or_default().push(name);
    }
    let shown = groups.iter().take(LISTED).map(|(group, names)| match names.as_slice() {
        [only] => short(only),
        names => format!("{}.* ({})", short(group), names.len()),
    });
    let mut shown: Vec<String> = shown.collect();
    if groups.len() > LISTED {
        shown.push(format!("and {} groups more", groups.len() - LISTED));
    }
    shown.join(", ")
}

fn shapes(misshapen: &BTreeMap<String, (Vec<usize>, Vec<usize>)>) -> String {
    let shown = misshapen.iter().take(LISTED / 2);
    let mut shown: Vec<String> = shown
        .map(|(name, (expected, found))| format!("{} (expected {expected:?}, found {found:?})", short(name)))
        .collect();
    if misshapen.len() > shown.len() {
        shown.push(format!("and {} more", misshapen.len() - shown.len()));
    }
    shown.join(", ")
}
