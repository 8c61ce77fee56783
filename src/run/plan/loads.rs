//! The models that frames load.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

use crate::error::Result;
use crate::models::ModelFolder;
use crate::render::frame_loop::{independent, stores_depth};
use crate::run::cast::Cast;
use crate::run::models::ModelPainter;
use crate::run::sources::depth_network;
use crate::timeline::frame::{Camera, ControlInput, DepthSource, FrameParams, HybridMaskKind};

/// Folders of a model that hold weights which are loaded.
const PARTS: [&str; 5] = ["unet", "vae", "text_encoder", "text_encoder_2", "controlnet"];

/// A model that is loaded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelLoad {
    /// What it does: `diffusion`, `control NAME`, `depth`.
    pub role: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The first frame that needs it.
    pub frame: u32,
    /// Bytes of its weights on the disk.
    pub disk_bytes: u64,
    /// Bytes of its weights in memory.
    pub memory_bytes: u64,
}

/// What the frames load, in order, and the most that is in memory at once: the diffusion model of the
/// moment beside every depth network so far.
pub(super) fn models(todo: &[&FrameParams], painter: &ModelPainter) -> Result<(Vec<ModelLoad>, u64)> {
    let mut loads: Vec<ModelLoad> = Vec::new();
    let mut depths: BTreeSet<Option<PathBuf>> = BTreeSet::new();
    let mut loaded: Option<Cast> = None;
    let (mut own, mut beside, mut most) = (0, 0, 0);
    for params in todo {
        let cast = Cast::of(params);
        if loaded.as_ref() != Some(&cast) {
            let (model, controls) = painter.folders(&cast)?;
            let mut added = vec![load("diffusion".to_owned(), &model, params.frame)?];
            for (role, place) in controls {
                let weight = place.weigh()?;
                added.push(ModelLoad {
                    role,
                    folder: place.label(),
                    frame: params.frame,
                    disk_bytes: weight.disk,
                    memory_bytes: weight.memory,
                });
            }
            own = added.iter().map(|load| load.memory_bytes).sum();
            loads.extend(added);
            loaded = Some(cast);
        }
        if let DepthSource::Network(folder) = &params.depth
            && looks_at_depth(params)
            && depths.insert(folder.clone())
        {
            let network = depth_network(folder.as_deref(), painter.films())?;
            let load = load("depth".to_owned(), &network, params.frame)?;
            beside += load.memory_bytes;
            loads.push(load);
        }
        most = most.max(own + beside);
    }
    Ok((loads, most))
}

/// Whether the frame asks for the depth of the picture underneath.
fn looks_at_depth(params: &FrameParams) -> bool {
    let hinted = params.controls.iter().any(|control| control.input == ControlInput::Depth);
    let masked = params.hybrid.as_ref().is_some_and(|hybrid| {
        hybrid
            .mask
            .is_some_and(|mask| matches!(mask.kind, HybridMaskKind::Depth | HybridMaskKind::VideoDepth))
    });
    let moved = matches!(params.camera, Camera::Deep(_)) && !independent(params);
    hinted || masked || stores_depth(params) || moved
}

fn load(role: String, folder: &ModelFolder, frame: u32) -> Result<ModelLoad> {
    let mut weight = crate::models::Weight::default();
    let parts: Vec<ModelFolder> =
        PARTS.iter().map(|part| folder.join(part)).filter(ModelFolder::exists).collect();
    if parts.is_empty() {
        weight += folder.weigh()?;
    }
    for part in parts {
        weight += part.weigh()?;
    }
    let (disk_bytes, memory_bytes) = (weight.disk, weight.memory);
    Ok(ModelLoad { role, folder: folder.label(), frame, disk_bytes, memory_bytes })
}
