//! What a model predicts, and its scheduler's config.

use std::path::Path;

use serde_json::{Value, json};

use crate::models::family::Base;
use crate::models::tensors::WeightFile;

/// What a model was trained to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prediction {
    /// The velocity instead of the noise.
    pub(super) is_v: bool,
    /// Whether the last timestep is pure noise.
    pub(super) zero_snr: bool,
}

/// A text beside the model is read no further than this.
const LONGEST: u64 = 1 << 20;

impl Prediction {
    pub(super) fn of(file: &WeightFile, base: Option<Base>) -> Self {
        let header = file.header();
        let zero_snr = header.tensors.contains_key("ztsnr");
        let noted = ["modelspec.prediction_type", "modelspec.predict_key", "prediction_type"];
        let noted =
            noted.iter().find_map(|key| header.metadata.get(*key)).map(|text| text.trim().to_lowercase());
        let is_v = if header.tensors.contains_key("v_pred") {
            true
        } else if let Some(noted) = noted {
            noted.starts_with('v')
        } else if let Some(named) = yaml(&file.path().with_extension("yaml")) {
            named
        } else {
            base == Some(Base::Sd2) && !is_called_base(file.path())
        };
        Self { is_v, zero_snr }
    }

    /// The noise schedule that all of these models were trained with (`linear_start`, `linear_end` in their
    /// configs).
    pub(super) fn scheduler(self) -> Value {
        json!({
            "_class_name": "EulerDiscreteScheduler",
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "num_train_timesteps": 1000,
            "prediction_type": if self.is_v { "v_prediction" } else { "epsilon" },
            "rescale_betas_zero_snr": self.zero_snr,
        })
    }
}

/// What the config of the original code beside a model says, when there is one: whether it predicts `v`.
fn yaml(path: &Path) -> Option<bool> {
    if std::fs::metadata(path).ok()?.len() > LONGEST {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    let is_v = |line: &str| {
        let value = line.trim().strip_prefix("parameterization:")?;
        Some(value.trim().trim_matches(['"', '\'']) == "v")
    };
    Some(text.lines().find_map(is_v).unwrap_or(false))
}

/// Whether a Stable Diffusion 2 file is called as those that predict noise are.
fn is_called_base(path: &Path) -> bool {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    name.contains("base") || name.contains("512")
}
