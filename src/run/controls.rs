//! The controls of a frame: where their networks lie, and what the engine is told of them.

use std::path::Path;

use crate::canvas::Canvas;
use crate::diffusion::controlnet::ControlPlace;
use crate::diffusion::engine::{ControlSource, PaintControl, PaintReference};
use crate::diffusion::guidance::ControlMode;
use crate::error::{Error, Result};
use crate::models::ModelFolder;
use crate::models::library::Role;
use crate::run::library::library;
use crate::timeline::frame::{self, ControlInput, FrameParams};

/// A control network by its name: an embedded one, or a folder or file of the library.
pub(super) fn find_control(name: &str, films: &Path) -> Result<ControlPlace> {
    if let Some(folder) = ModelFolder::embedded(name) {
        return Ok(ControlPlace::Folder(folder));
    }
    if name.trim().is_empty() {
        let message = "expected the name of a control network, found an empty text";
        return Err(Error::model(Path::new("\"\""), message)
            .with_hint("leave `model` out for the one that belongs to the film's model"));
    }
    ControlPlace::open(&library(films)?.find(Role::Control, name)?)
}

/// A frame's controls with what they are shown.
pub(super) fn controls<'a>(
    params: &'a FrameParams,
    hints: &'a [Option<Canvas>],
) -> (Vec<PaintControl<'a>>, Vec<PaintReference<'a>>) {
    let (mut controls, mut references) = (Vec::new(), Vec::new());
    for (control, hint) in params.controls.iter().zip(hints) {
        // Nothing to show: a first frame, see `PaintRequest::hints`.
        let Some(hint) = hint else { continue };
        let (weight, start, end) = (control.weight, control.start, control.end);
        let mode = match control.mode {
            frame::ControlMode::Balanced => ControlMode::Balanced,
            frame::ControlMode::Prompt => ControlMode::Prompt,
            frame::ControlMode::Control => ControlMode::Control,
        };
        if let ControlInput::Reference { fidelity, .. } = control.input {
            references.push(PaintReference { picture: hint, weight, fidelity, start, end, mode });
        } else {
            let net = ControlSource::Named(&control.name);
            controls.push(PaintControl { net, hint, weight, start, end, mode });
        }
    }
    (controls, references)
}
