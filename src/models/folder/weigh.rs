//! What a model's weights take on the disk and in memory, from their headers alone.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use super::{ModelFolder, Place, embedded_bytes};
use crate::error::{Error, Result};

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
        let mut sum = Weight::default();
        for file in self.weight_files()? {
            let label = self.label().join(&file);
            let (size, header) = match &self.place {
                Place::Disk(path) => on_disk(&path.join(&file))
                    .map_err(|e| Error::model(&label, format!("cannot read the weights: {e}")))?,
                Place::Embedded(path) => in_memory(embedded_bytes(path, &file).unwrap_or_default()),
            };
            let memory = loaded(&header).ok_or_else(|| {
                Error::model(&label, "expected a safetensors file, its header cannot be read")
            })?;
            sum += Weight { disk: size, memory };
        }
        Ok(sum)
    }
}

/// The file's size and its header.
fn on_disk(path: &Path) -> std::io::Result<(u64, Vec<u8>)> {
    let mut file = std::fs::File::open(path)?;
    let size = file.metadata()?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let mut header = Vec::new();
    file.take(u64::from_le_bytes(length).min(size)).read_to_end(&mut header)?;
    Ok((size, header))
}

fn in_memory(bytes: &[u8]) -> (u64, Vec<u8>) {
    let length = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length)) as usize;
    let end = length.saturating_add(8).min(bytes.len());
    (bytes.len() as u64, bytes.get(8..end).unwrap_or_default().to_vec())
}

/// Bytes of a header's tensors once they are loaded: halves stay halves, all else is widened to `f32`.
fn loaded(header: &[u8]) -> Option<u64> {
    let header: BTreeMap<String, serde_json::Value> = serde_json::from_slice(header).ok()?;
    let bytes = |tensor: &serde_json::Value| {
        let sides = tensor.get("shape")?.as_array()?.iter().filter_map(serde_json::Value::as_u64);
        let is_half = matches!(tensor.get("dtype")?.as_str(), Some("F16" | "BF16"));
        Some(sides.fold(if is_half { 2_u64 } else { 4 }, u64::saturating_mul))
    };
    Some(header.values().filter_map(bytes).fold(0, u64::saturating_add))
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
        let header = br#"{"a":{"dtype":"F16","shape":[3,5]},"b":{"dtype":"F64","shape":[2]},"__metadata__":{"x":"1"}}"#;
        assert_eq!(loaded(header), Some(2 * 15 + 4 * 2));
        assert!(model.join("no-such-part").weigh().is_err());
    }
}
