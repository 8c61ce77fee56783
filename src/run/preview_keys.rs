//! Composed zooms in a preview: their key pictures are the grid, mirrored around itself.

use crate::canvas::{Canvas, Size};
use crate::error::Result;
use crate::render::frame_loop::Studio;
use crate::render::zoom::Chain;
use crate::timeline::frame::FrameParams;

/// The composed scenes of a film, and the key pictures of the one that is being shown.
pub(crate) struct PreviewedZooms {
    chains: Vec<Chain>,
    keys: Option<(usize, Vec<Canvas>)>,
}

impl PreviewedZooms {
    /// Of a film with these frames, all of them in order.
    pub fn of(frames: &[FrameParams], size: Size) -> Result<Self> {
        Ok(Self { chains: Chain::all(frames, size)?, keys: None })
    }

    /// The frame, when it is composed.
    pub fn frame(&mut self, params: &FrameParams, studio: &mut Studio<'_>) -> Result<Option<Canvas>> {
        let Some(chain) = self.chains.iter().find(|chain| chain.has(params.frame)) else { return Ok(None) };
        if self.keys.as_ref().is_none_or(|(scene, _)| *scene != chain.scene) {
            self.keys = Some((chain.scene, painted(chain, studio)?));
        }
        let pictures = self.keys.as_ref().map_or(&[][..], |(_, pictures)| pictures);
        Ok(Some(chain.composed(params.frame, |key| pictures.get(key))))
    }
}

/// Every key picture of a chain.
fn painted(chain: &Chain, studio: &mut Studio<'_>) -> Result<Vec<Canvas>> {
    let mut pictures: Vec<Canvas> = Vec::with_capacity(chain.keys.len());
    for (number, key) in chain.keys.iter().enumerate() {
        let around = pictures.last().zip(chain.inner(number));
        let over = key.over.and_then(|over| pictures.get(over));
        let first = pictures.first();
        let made = studio.key(key, around, over, first, chain.compose.overlap, &mut |_, _| true)?;
        pictures.extend(made);
    }
    Ok(pictures)
}
