//! A picture cut into patches, and the places that they stand at.

use candle_core::{Result, Tensor};
use candle_nn::{Module as _, VarBuilder};

use super::linear::weight;
use crate::canvas::Size;
use crate::kernels::Linear;

/// The patch convolution: its stride is its kernel.
#[derive(Clone, Debug)]
pub(super) struct Patches {
    projection: Linear,
    side: usize,
}

impl Patches {
    /// Reads `weight` `[width, channels, side, side]` and `bias`.
    pub(super) fn new(width: usize, channels: usize, side: usize, weights: &VarBuilder) -> Result<Self> {
        if side == 0 {
            candle_core::bail!("expected a patch_size above 0")
        }
        let kernel = weight(weights, (width, channels, side, side))?;
        let projection = Linear::new(kernel.flatten_from(1)?, Some(weights.get(width, "bias")?));
        Ok(Self { projection, side })
    }

    /// Patches across and down of a picture of `[B, C, H, W]`; what is left over is not seen.
    pub(super) fn grid(&self, pixels: &Tensor) -> Result<Size> {
        let (_, _, height, width) = pixels.dims4()?;
        let grid = Size::new(width / self.side, height / self.side);
        if grid.area() == 0 {
            candle_core::bail!("expected at least {0}x{0} pixels, found {width}x{height}", self.side)
        }
        Ok(grid)
    }

    /// `[B, C, H, W]` → `[B, patches, width]`.
    pub(super) fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        let (batch, channels, _, _) = pixels.dims4()?;
        let (grid, side) = (self.grid(pixels)?, self.side);
        // A convolution whose stride is its kernel is a matrix product over cut-out patches.
        let patches = pixels
            .narrow(2, 0, grid.height * side)?
            .narrow(3, 0, grid.width * side)?
            .reshape((batch * channels, grid.height, side, grid.width, side))?
            .permute((0, 1, 3, 2, 4))?
            .contiguous()?
            .reshape((batch, channels, grid.area(), side * side))?
            .transpose(1, 2)?
            .contiguous()?
            .reshape((batch, grid.area(), channels * side * side))?;
        self.projection.forward(&patches)
    }
}

/// A filter on planes of a size, to another size.
pub(super) type Filter = fn(&[f32], Size, Size) -> Vec<f32>;

/// The position embedding `[1, 1 + places, width]`, resampled to another grid than it was trained for.
pub(super) fn positions_for(positions: &Tensor, grid: Size, filter: Filter) -> Result<Tensor> {
    let (_, count, width) = positions.dims3()?;
    let places = count.saturating_sub(1);
    let side = places.isqrt();
    if side == 0 || side * side != places {
        candle_core::bail!("position_embeddings: expected a square grid, found {places} places")
    }
    if grid == Size::new(side, side) {
        return Ok(positions.clone());
    }
    let class = positions.narrow(1, 0, 1)?;
    let planes = positions.narrow(1, 1, places)?.get(0)?.t()?.contiguous()?;
    let planes = planes.flatten_all()?.to_vec1::<f32>()?;
    let resized = filter(&planes, Size::new(side, side), grid);
    let resized = Tensor::from_vec(resized, (width, grid.area()), positions.device())?;
    Tensor::cat(&[class, resized.t()?.contiguous()?.unsqueeze(0)?], 1)
}

/// Class token `[1, 1, width]` before the patches, and the positions added.
pub(super) fn placed(class: &Tensor, patches: &Tensor, positions: &Tensor) -> Result<Tensor> {
    let class = class.expand((patches.dim(0)?, 1, patches.dim(2)?))?;
    Tensor::cat(&[&class, patches], 1)?.broadcast_add(positions)
}
