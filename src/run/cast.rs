//! Which networks a frame is painted with, and where they lie.

use std::path::Path;

use crate::diffusion::controlnet::ControlPlace;
use crate::diffusion::engine::check_vae;
use crate::error::{Error, Result};
use crate::models::ModelFolder;
use crate::models::library::Role;
use crate::run::controls::find_control;
use crate::run::library::library;
use crate::timeline::frame::{ControlInput, FrameParams};

/// The model of a film that names none.
pub(crate) const EMBEDDED: &str = "kinora-tiny";

/// Which networks a frame needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cast {
    model: Option<String>,
    vae: Option<String>,
    controls: Vec<(String, Option<String>)>,
}

impl Cast {
    /// The networks of a frame.
    pub(crate) fn of(params: &FrameParams) -> Self {
        // A reference is looked at by the film's own model.
        let networks = params.controls.iter().filter(|c| !matches!(c.input, ControlInput::Reference { .. }));
        Self {
            model: params.sampling.model.clone(),
            vae: params.sampling.vae.clone(),
            controls: networks.map(|c| (c.name.clone(), c.model.clone())).collect(),
        }
    }

    /// Whether the film leaves the model to us and no control brings one of its own.
    pub(crate) fn is_embedded(&self) -> bool {
        let embedded =
            |name: &Option<String>| name.as_deref().is_none_or(|n| ModelFolder::embedded(n).is_some());
        embedded(&self.model) && self.vae.is_none() && self.controls.iter().all(|(_, model)| embedded(model))
    }

    /// The model's folder.
    ///
    /// # Errors
    /// [`Error::Model`] when there is none of that name.
    pub(crate) fn model(&self, films: &Path) -> Result<ModelFolder> {
        let folder = self.own_model(films)?;
        match self.vae(films)? {
            None => Ok(folder),
            Some(vae) => {
                check_vae(&vae, &folder)?;
                folder.with_vae(vae)
            }
        }
    }

    /// The model as it is, with its own autoencoder.
    pub(super) fn own_model(&self, films: &Path) -> Result<ModelFolder> {
        let folder = match &self.model {
            None => ModelFolder::embedded(EMBEDDED)
                .ok_or_else(|| Error::Bug("this build has no embedded model".to_owned()))?,
            Some(name) => find(Role::Checkpoint, name, films)?,
        };
        folder.require("model_index.json", "a diffusion model")?;
        Ok(folder)
    }

    /// The folder of the autoencoder that takes the place of the model's own.
    pub(crate) fn vae(&self, films: &Path) -> Result<Option<ModelFolder>> {
        let Some(name) = &self.vae else { return Ok(None) };
        let found = find(Role::Vae, name, films)?;
        // Of a whole model its autoencoder is meant.
        Ok(Some(if found.has("model_index.json") { found.join("vae") } else { found }))
    }

    /// Where the controls' networks lie; `None` is the model's own network.
    pub(super) fn controls(&self, films: &Path, model: &ModelFolder) -> Result<Vec<(String, ControlPlace)>> {
        let place = |(name, given): &(String, Option<String>)| {
            let place = match given {
                Some(given) => find_control(given, films)?,
                None => ControlPlace::Folder(model.join("controlnet")),
            };
            if matches!(&place, ControlPlace::Folder(folder) if !folder.exists()) {
                return Err(Error::model(
                    &model.label(),
                    format!("expected a ControlNet for `control {name}`, the model brings none of its own"),
                )
                .with_hint(format!("name one: `control {name} {{ model = \"folder\" }}`")));
            }
            if let ControlPlace::Folder(folder) = &place {
                folder.require("config.json", "a ControlNet")?;
            }
            Ok((name.clone(), place))
        };
        self.controls.iter().map(place).collect()
    }
}

/// A model by its name: an embedded one, or one of the library.
pub(crate) fn find(role: Role, name: &str, films: &Path) -> Result<ModelFolder> {
    if let Some(folder) = ModelFolder::embedded(name) {
        return Ok(folder);
    }
    if name.trim().is_empty() {
        return Err(Error::model(
            Path::new("\"\""),
            "expected the name of a model folder, found an empty text",
        )
        .with_hint("leave `model` out for the one that is compiled in"));
    }
    let found = library(films)?.find(role, name);
    let near = || crate::run::nearest_of(ModelFolder::embedded_names().into_iter().map(str::to_owned), name);
    let path = found.map_err(|e| match near() {
        Some(near) => e.with_hint(format!("did you mean `{near}`?")),
        None => e,
    })?;
    ModelFolder::open(&path)
}
