//! What a model's weights take on the disk and in memory, from their headers alone.

use super::{ModelFolder, Place};
use crate::error::Result;

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
    /// [`crate::error::Error::Model`] when there are none, or a header cannot be read.
    pub fn weigh(&self) -> Result<Weight> {
        if matches!(self.place, Place::Single(..) | Place::WithVae(..)) {
            let weights = self.tensors()?;
            let (disk, memory) = weights.extent();
            return Ok(Weight { disk, memory });
        }
        let mut sum = Weight::default();
        for file in self.opened()? {
            sum += Weight { disk: file.size(), memory: file.header().loaded() };
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_weights_weigh_what_their_files_do() {
        let model = ModelFolder::embedded("kinora-tiny").unwrap();
        let weight = model.join("unet").weigh().unwrap();
        let file = model.join("unet").read("diffusion_pytorch_model.safetensors").unwrap();
        assert_eq!(weight.disk, file.len() as u64);
        // The numbers are halves or floats, which stay what they are; the header is small beside them.
        let kept = weight.memory as f64 / weight.disk as f64;
        assert!((0.9..1.0).contains(&kept), "{weight:?}");
        assert!(model.join("no-such-part").weigh().is_err());
    }
}
