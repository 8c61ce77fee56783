//! A network's weights with changes in them: what networks are built from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};

use super::change::Change;
use super::layers::Shapes;
use super::resolve::Target;

/// The weights of one network, and the LoRAs that are in force on them.
///
/// Networks are built from [`PatchedWeights::builder`], as often as the LoRAs change. A weight is always computed
/// from the pristine one, which is never written to, so nothing drifts. Weights that no LoRA changes are read
/// once and shared by all later builds; changed ones are read anew from the base (a mapped file) and exist once,
/// as f32, in the network.
#[derive(Clone)]
pub struct PatchedWeights {
    shared: Arc<Shared>,
}

struct Shared {
    base: VarBuilder<'static>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    shapes: Shapes,
    changes: BTreeMap<String, Vec<(Target, f64)>>,
    /// Unchanged weights, for the next build. Empty until the first LoRA: a film without any keeps nothing twice.
    kept: BTreeMap<String, Tensor>,
    keeps: bool,
}

impl std::fmt::Debug for PatchedWeights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.shared.state();
        f.debug_struct("PatchedWeights")
            .field("weights", &state.shapes.len())
            .field("changed", &state.changes.len())
            .finish()
    }
}

impl PatchedWeights {
    /// The weights of `base`, unchanged.
    pub fn new(base: VarBuilder<'static>) -> Self {
        Self { shared: Arc::new(Shared { base: base.root(), state: Mutex::default() }) }
    }

    /// What a network is built from.
    pub fn builder(&self) -> VarBuilder<'static> {
        let base = &self.shared.base;
        VarBuilder::from_backend(Box::new(Backend(self.shared.clone())), base.dtype(), base.device().clone())
    }

    /// Names and shapes of the weights that were asked for so far: after a build, those of the whole network.
    pub fn shapes(&self) -> Shapes {
        self.shared.state().shapes.clone()
    }

    /// The changes that the next build has, by the name of the weight; they are applied in this order.
    pub(super) fn set(&self, changes: BTreeMap<String, Vec<(Target, f64)>>) {
        let mut state = self.shared.state();
        state.keeps |= !changes.is_empty();
        state.kept.retain(|name, _| !changes.contains_key(name));
        state.changes = changes;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, name: &str, read: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
        let (kept, changes) = {
            let state = self.state();
            (state.kept.get(name).cloned(), state.changes.get(name).cloned())
        };
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let pristine = read()?;
        let mut state = self.state();
        state.shapes.insert(name.to_owned(), pristine.dims().to_vec());
        let Some(changes) = changes else {
            if state.keeps {
                state.kept.insert(name.to_owned(), pristine.clone());
            }
            return Ok(pristine);
        };
        drop(state);
        let is_bias = name.ends_with(".bias");
        changes.iter().try_fold(pristine.to_dtype(DType::F32)?, |weight, (target, strength)| {
            let change = Change {
                file: &target.file,
                module: &target.file.modules[target.module],
                kind: target.kind,
                scale: target.scale,
            };
            if is_bias { change.apply_bias(&weight, *strength) } else { change.apply(&weight, *strength) }
        })
    }
}

struct Backend(Arc<Shared>);

impl SimpleBackend for Backend {
    fn get(&self, shape: Shape, name: &str, init: Init, dtype: DType, _: &Device) -> Result<Tensor> {
        let weight =
            self.0.get(name, || self.0.base.get_with_hints_dtype(shape.clone(), name, init, dtype))?;
        if weight.shape() == &shape {
            return Ok(weight);
        }
        Err(candle_core::Error::UnexpectedShape {
            msg: format!("shape mismatch for {name}"),
            expected: shape,
            got: weight.shape().clone(),
        })
    }

    fn get_unchecked(&self, name: &str, dtype: DType, _: &Device) -> Result<Tensor> {
        self.0.get(name, || self.0.base.get_unchecked_dtype(name, dtype))
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.base.contains_tensor(name)
    }
}
