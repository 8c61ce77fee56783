//! What a file says about one layer: which kind of change it is, and of which shape.

use std::collections::BTreeMap;

use super::file::LoraFile;
use super::keys::{Part, Scope};
use crate::error::{Error, Result};

/// The parts of the change of one layer.
#[derive(Clone, Debug)]
pub(super) struct Module {
    pub scope: Scope,
    /// The layer as the file calls it, without the network.
    pub path: String,
    /// Key and shape of each part.
    parts: BTreeMap<Part, (String, Vec<usize>)>,
}

/// How a change of the weight is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// up · down (Hu et al. 2021, arXiv:2106.09685), for convolutions as LyCORIS' LoCon.
    Lora,
    /// LoCon with a small convolution between (`lora_mid`): a Tucker decomposition.
    LoraTucker,
    /// The elementwise product of two low-rank matrices (FedPara, Hyeon-Woo et al. 2022, arXiv:2108.06098).
    Hada,
    /// The same with a core tensor each.
    HadaTucker,
    /// A Kronecker product (LyCORIS' LoKr, arXiv:2309.14859).
    Kron,
    /// The difference itself.
    Full,
    /// The difference of a norm's weight.
    Norm,
    /// The layer's inputs or outputs scaled (Liu et al. 2022, arXiv:2205.05638).
    Ia3,
}

impl Module {
    pub fn new(scope: Scope, path: String) -> Self {
        Self { scope, path, parts: BTreeMap::new() }
    }

    /// Adds a part; when it is there already, returns the other key.
    pub fn add(&mut self, part: Part, key: String, shape: Vec<usize>) -> Option<String> {
        self.parts.insert(part, (key, shape)).map(|(other, _)| other)
    }

    pub fn key(&self, part: Part) -> Option<&str> {
        self.parts.get(&part).map(|(key, _)| key.as_str())
    }

    /// The shape of a part.
    pub fn part_shape(&self, part: Part) -> Option<&[usize]> {
        self.parts.get(&part).map(|(_, shape)| shape.as_slice())
    }

    /// Only a `weight`, which is no change.
    pub fn is_plain_weight(&self) -> bool {
        self.parts.keys().all(|part| *part == Part::Ia3)
    }

    pub fn into_keys(self) -> impl Iterator<Item = String> {
        self.parts.into_values().map(|(key, _)| key)
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.parts.values().map(|(key, _)| key.as_str())
    }

    /// How many keys of the file it is.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// How the weight is changed; `None` when only the bias is.
    ///
    /// # Errors
    /// When parts are missing, by name.
    pub fn kind(&self, file: &LoraFile) -> Result<Option<Kind>> {
        use Part::{
            Diff, DiffBias, Down, HadaT1, HadaT2, HadaW1a, HadaW1b, HadaW2a, HadaW2b, Ia3, LokrT2, LokrW1,
            LokrW1a, LokrW1b, LokrW2, LokrW2a, LokrW2b, Mid, NormBias, NormWeight, OnInput, Up,
        };
        let has = |parts: &[Part]| parts.iter().any(|part| self.parts.contains_key(part));
        let kind = if has(&[Down, Up, Mid]) {
            self.need(file, &[Down, Up])?;
            if has(&[Mid]) { Kind::LoraTucker } else { Kind::Lora }
        } else if has(&[HadaW1a, HadaW1b, HadaW2a, HadaW2b, HadaT1, HadaT2]) {
            self.need(file, &[HadaW1a, HadaW1b, HadaW2a, HadaW2b])?;
            if has(&[HadaT1, HadaT2]) {
                self.need(file, &[HadaT1, HadaT2])?;
                Kind::HadaTucker
            } else {
                Kind::Hada
            }
        } else if has(&[LokrW1, LokrW1a, LokrW1b, LokrW2, LokrW2a, LokrW2b, LokrT2]) {
            if !has(&[LokrW1]) {
                self.need(file, &[LokrW1a, LokrW1b])?;
            }
            if !has(&[LokrW2]) {
                self.need(file, &[LokrW2a, LokrW2b])?;
            }
            Kind::Kron
        } else if has(&[Ia3, OnInput]) {
            self.need(file, &[Ia3, OnInput])?;
            Kind::Ia3
        } else if has(&[Diff]) {
            Kind::Full
        } else if has(&[NormWeight]) {
            Kind::Norm
        } else if has(&[DiffBias, NormBias]) {
            return Ok(None);
        } else {
            let keys: Vec<&str> = self.keys().collect();
            let message = format!("`{}` stands alone: its layer has no change", keys.join("`, `"));
            return Err(Error::model(file.place(), message).with_hint(super::AGAIN));
        };
        Ok(Some(kind))
    }

    fn need(&self, file: &LoraFile, parts: &[Part]) -> Result<()> {
        match parts.iter().find(|part| !self.parts.contains_key(part)) {
            None => Ok(()),
            Some(missing) => {
                let near = self.keys().next().unwrap_or_default();
                let message = format!("`{near}`: expected the part {missing:?} beside it, there is none");
                Err(Error::model(file.place(), message).with_hint(super::AGAIN))
            }
        }
    }

    /// Outputs and number of values of the changed weight, as the shapes of the parts say. For IA3 `outputs` is 0:
    /// its length is that of one side.
    ///
    /// # Errors
    /// When the parts do not fit each other, or a rank is 0.
    pub fn size(&self, kind: Kind, file: &LoraFile) -> Result<(usize, usize)> {
        let found = match kind {
            Kind::Lora => self.lora_size(),
            Kind::LoraTucker => self.tucker_size(Part::Mid, Part::Up, Part::Down, true),
            Kind::Hada => self.hada_size(),
            Kind::HadaTucker => {
                let first = self.tucker_size(Part::HadaT1, Part::HadaW1a, Part::HadaW1b, false);
                let second = self.tucker_size(Part::HadaT2, Part::HadaW2a, Part::HadaW2b, false);
                first.filter(|first| second == Some(*first))
            }
            Kind::Kron => self.kron_size(),
            Kind::Full => self.part_shape(Part::Diff).and_then(plain_size),
            Kind::Norm => self.part_shape(Part::NormWeight).and_then(plain_size),
            Kind::Ia3 => self.part_shape(Part::Ia3).map(|shape| (0, shape.iter().product())),
        };
        found.filter(|(_, values)| *values > 0).ok_or_else(|| {
            let told: Vec<String> =
                self.parts.values().map(|(key, shape)| format!("`{key}` {shape:?}")).collect();
            let message =
                format!("expected parts of one rank above 0 that fit each other, found {}", told.join(", "));
            Error::model(file.place(), message).with_hint(super::AGAIN)
        })
    }

    /// The rank that alpha is divided by, where the change has one.
    pub fn rank(&self, kind: Kind) -> Option<usize> {
        let first = |part: Part| self.part_shape(part)?.first().copied();
        match kind {
            Kind::Lora | Kind::LoraTucker => first(Part::Down),
            Kind::Hada | Kind::HadaTucker => first(Part::HadaW1b),
            // Neither half decomposed: LyCORIS then takes no alpha. Both: the same rank.
            Kind::Kron => first(Part::LokrW2b).or_else(|| first(Part::LokrW1b)),
            Kind::Full | Kind::Norm | Kind::Ia3 => None,
        }
    }

    fn lora_size(&self) -> Option<(usize, usize)> {
        let (outputs, rank) = matrix(self.part_shape(Part::Up)?)?;
        let (inner, inputs) = matrix(self.part_shape(Part::Down)?)?;
        (rank == inner && rank > 0).then_some((outputs, outputs.checked_mul(inputs)?))
    }

    /// `core` is `[a, b, …]`, `left` has a·outputs values and `right` b·inputs; LoCon's `left` is
    /// `[outputs, a]`, LoHa's `[a, outputs]`.
    fn tucker_size(
        &self,
        core: Part,
        left: Part,
        right: Part,
        outputs_first: bool,
    ) -> Option<(usize, usize)> {
        let core = self.part_shape(core)?;
        let (&[a, b], window) = core.split_first_chunk::<2>()?;
        let (x, y) = matrix(self.part_shape(left)?)?;
        let (outputs, rank) = if outputs_first { (x, y) } else { (y, x) };
        let (inner, inputs) = matrix(self.part_shape(right)?)?;
        let window = window.iter().try_fold(1_usize, |all, side| all.checked_mul(*side))?;
        let values = outputs.checked_mul(inputs)?.checked_mul(window)?;
        (rank == a && inner == b && rank > 0 && inner > 0).then_some((outputs, values))
    }

    fn hada_size(&self) -> Option<(usize, usize)> {
        let product = |a, b| {
            let (outputs, rank) = matrix(self.part_shape(a)?)?;
            let (inner, inputs) = matrix(self.part_shape(b)?)?;
            (rank == inner && rank > 0).then_some((outputs, outputs.checked_mul(inputs)?))
        };
        let first = product(Part::HadaW1a, Part::HadaW1b)?;
        (product(Part::HadaW2a, Part::HadaW2b)? == first).then_some(first)
    }

    fn kron_size(&self) -> Option<(usize, usize)> {
        let product = |a, b| {
            let (outputs, rank) = matrix(self.part_shape(a)?)?;
            let (inner, inputs) = matrix(self.part_shape(b)?)?;
            (rank == inner && rank > 0).then_some((outputs, outputs.checked_mul(inputs)?))
        };
        let first = match self.part_shape(Part::LokrW1) {
            Some(shape) => matrix_size(shape)?,
            None => product(Part::LokrW1a, Part::LokrW1b)?,
        };
        let second = match (self.part_shape(Part::LokrW2), self.part_shape(Part::LokrT2)) {
            (Some(shape), _) => matrix_size(shape)?,
            (None, Some(_)) => self.tucker_size(Part::LokrT2, Part::LokrW2a, Part::LokrW2b, false)?,
            (None, None) => product(Part::LokrW2a, Part::LokrW2b)?,
        };
        Some((first.0.checked_mul(second.0)?, first.1.checked_mul(second.1)?))
    }

    /// Shape of a part that changes a bias.
    pub fn bias_len(&self) -> Option<usize> {
        let shape =
            [Part::DiffBias, Part::NormBias, Part::UpBias].iter().find_map(|part| self.part_shape(*part))?;
        shape.iter().try_fold(1_usize, |all, side| all.checked_mul(*side))
    }
}

/// Rows and all other sides together.
fn matrix(shape: &[usize]) -> Option<(usize, usize)> {
    let (first, rest) = shape.split_first().filter(|(_, rest)| !rest.is_empty())?;
    Some((*first, rest.iter().try_fold(1_usize, |all, side| all.checked_mul(*side))?))
}

/// Outputs and number of values of a tensor that is the change itself.
fn plain_size(shape: &[usize]) -> Option<(usize, usize)> {
    let values = shape.iter().try_fold(1_usize, |all, side| all.checked_mul(*side))?;
    Some((*shape.first()?, values))
}

/// The same of a tensor with at least two sides.
fn matrix_size(shape: &[usize]) -> Option<(usize, usize)> {
    plain_size(shape).filter(|_| shape.len() > 1)
}
