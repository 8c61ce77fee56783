//! What a model's weights take on the disk and in memory, from their headers alone.

use super::{ModelFolder, Place};
use crate::error::Result;

/// Bytes of a weight in memory: they are widened to `f32`, see [`ModelFolder::weights`].
const WIDE: u64 = 4;

/// Size of weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Bytes of the files.
    pub disk: u64,
    /// Bytes of the numbers in them once they are loaded.
    pub memory: u64,
}

impl std::ops::AddAssign for Weight {
    fn add_assign(&mut self, other: Self) {
        self.disk += other.disk;
        self.memory += other.memory;
    }
}

impl ModelFolder {
    /// What the weights in this very folder take.
    ///
    /// # Errors
    /// [`Error::Model`] when there are none, or a header cannot be read.
    pub fn weigh(&self) -> Result<Weight> {
        if matches!(self.place, Place::Single(..) | Place::WithVae(..)) {
            let weights = self.tensors()?;
            let (disk, numbers) = weights.extent();
            return Ok(Weight { disk, memory: numbers.saturating_mul(WIDE) });
        }
        let mut sum = Weight::default();
        for file in self.opened()? {
            let memory = file.header().numbers().saturating_mul(WIDE);
            sum += Weight { disk: file.size(), memory };
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_weights_weigh_what_their_files_do_and_twice_that_when_halves_are_widened() {
        let model = ModelFolder::embedded("kinora-tiny").unwrap();
        let weight = model.join("unet").weigh().unwrap();
        let file = model.join("unet").read("diffusion_pytorch_model.safetensors").unwrap();
        assert_eq!(weight.disk, file.len() as u64);
        // The numbers are halves or floats; the header is small beside them.
        let widened = weight.memory as f64 / weight.disk as f64;
        assert!((0.9..2.1).contains(&widened), "{weight:?}");
        assert!(model.join("no-such-part").weigh().is_err());
    }
}
