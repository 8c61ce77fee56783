//! What a still's file says about its making.

use std::path::Path;

use super::inputs::{Inputs, Mask};
use super::{FILLS, HERE, StillOptions, frame};
use crate::error::Result;
use crate::infotext::Parameters;
use crate::run::caption::{Captions, close};
use crate::run::models::ModelPainter;
use crate::timeline::frame::FrameParams;

/// The text.
pub(super) fn said(
    params: &FrameParams,
    options: &StillOptions,
    inputs: &Inputs,
    painter: &ModelPainter,
) -> Result<String> {
    let mut captions = Captions::new(painter, Path::new(HERE));
    let init = options.init.as_deref().map(|path| captions.shown(path)).transpose()?;
    let denoise = init.is_some().then(|| options.denoise.unwrap_or(frame::DENOISE));
    let mut found = captions.still(params, inputs.said_size(), denoise, init.as_ref())?;
    if let Some(mask) = &inputs.mask {
        if let Some(path) = &options.masking.mask {
            let shown = captions.shown(path)?;
            found.set("Mask image", shown.name);
            found.set("Mask image hash", shown.hash);
        }
        masking(&mut found, options, mask);
    }
    close(&mut found);
    Ok(found.text())
}

/// The mask's settings; the web UI leaves out what is usual.
fn masking(found: &mut Parameters, options: &StillOptions, mask: &Mask) {
    if let Some([x, y, width, height]) = options.masking.region {
        found.set("Mask region", format!("{x},{y},{width},{height}"));
    }
    found.set("Mask blur", mask.blur);
    if options.masking.invert {
        found.set("Mask mode", "Inpaint not masked");
    }
    if let Some((_, name)) = FILLS.iter().find(|(fill, _)| *fill == mask.fill) {
        found.set("Masked content", name);
    }
    if let Some(padding) = mask.region {
        found.set("Inpaint area", "Only masked");
        found.set("Masked area padding", padding);
    }
    if mask.soft {
        found.set("Soft mask", "True");
    }
}
