//! Two-dimensional convolution.

use std::sync::Arc;

use candle_core::{DType, Result, Tensor};

use super::added::Added;
use super::stored::Stored;
use super::{are_ours, direct, winograd, with_stored, with_values};

/// Zeros around the picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// The same on all four sides.
    Even(usize),
    /// One column at the right, one row at the bottom: the VAE encoder's down-sampling.
    RightBottom,
}

/// A 2D cross-correlation with square kernel, as `torch.nn.Conv2d` without groups or dilation.
///
/// The kernel stays in its stored type; arithmetic is `f32`, with the very bits that a widened kernel gives.
#[derive(Clone, Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: usize,
    padding: Padding,
    /// The kernels as Winograd's method wants them, where they are kept.
    kept: Arc<winograd::Kept>,
}

impl Conv2d {
    /// `weight` is `[C_out, C_in, k, k]` of type `f32`, `f16` or `bf16`, `bias` `[C_out]`.
    ///
    /// # Errors
    /// When the kernel is not square or the bias does not fit.
    pub fn new(weight: Tensor, bias: Option<Tensor>, stride: usize, padding: Padding) -> Result<Self> {
        let (outputs, _, height, width) = weight.dims4()?;
        if height != width || stride == 0 {
            candle_core::bail!(
                "convolution: expected a square kernel, found {height}x{width}, stride {stride}"
            );
        }
        if let Some(found) = bias.as_ref().map(Tensor::dims).filter(|d| *d != [outputs]) {
            candle_core::bail!("convolution: expected a bias of {outputs} channels, found {found:?}");
        }
        let bias = bias.map(|bias| bias.to_dtype(DType::F32)).transpose()?;
        Ok(Self { weight, bias, stride, padding, kept: Arc::default() })
    }

    /// The kernel, `[C_out, C_in, k, k]`, in its stored type.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The bias, `[C_out]`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// `[B, C_in, H, W]` → `[B, C_out, H', W']`.
    ///
    /// # Errors
    /// When the channels do not fit or the picture is smaller than the kernel.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_with(x, None, None)
    }

    /// The same with a `shift` per channel, `[1, C_out]` or `[B, C_out]`, and a `residual` per result added.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    pub fn forward_with(
        &self,
        x: &Tensor,
        shift: Option<&Tensor>,
        residual: Option<&Tensor>,
    ) -> Result<Tensor> {
        let shape = self.shape(x)?;
        let direct::Shape { batch, outputs, out_size, .. } = shape;
        let dims = [batch, outputs, out_size.0, out_size.1];
        if let Some(found) = shift.map(Tensor::dims).filter(|d| *d != [1, outputs] && *d != [batch, outputs])
        {
            candle_core::bail!("convolution: expected a shift [{batch}, {outputs}], found {found:?}");
        }
        if let Some(found) = residual.map(Tensor::dims).filter(|found| *found != dims) {
            candle_core::bail!("convolution: expected {dims:?} to add to, found {found:?}");
        }
        let tensors = [Some(x), self.bias.as_ref(), shift, residual];
        let given: Vec<&Tensor> = tensors.into_iter().flatten().collect();
        if !are_ours(&given) || !self.weight.device().is_cpu() || x.elem_count() == 0 {
            return self.composed(x, shift, residual);
        }
        let out = with_stored(&self.weight, |weight| {
            with_values(&given, |values| {
                let mut rest = values[1..].iter().copied();
                let mut next = |present: bool| if present { rest.next() } else { None };
                let bias = next(self.bias.is_some());
                let added =
                    Added { bias, shift: next(shift.is_some()), residual: next(residual.is_some()), outputs };
                self.convolve(values[0], weight, &added, &shape)
            })
        })??;
        Tensor::from_vec(out, &dims, x.device())
    }

    /// The sizes for a picture.
    fn shape(&self, x: &Tensor) -> Result<direct::Shape> {
        let (batch, inputs, height, width) = x.dims4()?;
        let (outputs, expected, kernel, _) = self.weight.dims4()?;
        if inputs != expected {
            candle_core::bail!("convolution: expected {expected} input channels, found {inputs}");
        }
        let (before, both) = match self.padding {
            Padding::Even(pad) => (pad, 2 * pad),
            Padding::RightBottom => (0, 1),
        };
        if height + both < kernel || width + both < kernel {
            candle_core::bail!(
                "convolution: expected at least {kernel}x{kernel} pixels, found {width}x{height}"
            );
        }
        let out_side = |side: usize| (side + both - kernel) / self.stride + 1;
        Ok(direct::Shape {
            batch,
            inputs,
            outputs,
            size: (height, width),
            out_size: (out_side(height), out_side(width)),
            kernel,
            stride: self.stride,
            before,
        })
    }

    /// By the faster of two methods. Which one depends on the sizes alone.
    fn convolve(&self, x: &[f32], weight: Stored, added: &Added, shape: &direct::Shape) -> Vec<f32> {
        let direct::Shape { batch, inputs, outputs, size: (height, width), .. } = *shape;
        let mut out = vec![0.0; batch * outputs * shape.out_size.0 * shape.out_size.1];
        let tiled = winograd::Shape { batch, inputs, outputs, height, width };
        if shape.kernel == 3 && self.stride == 1 && self.padding == Padding::Even(1) && tiled.pays() {
            winograd::convolve(x, weight, &self.kept, added, &tiled, &mut out);
        } else {
            direct::convolve(x, weight, added, shape, &mut out);
        }
        out
    }

    /// The same from candle's operations.
    fn composed(&self, x: &Tensor, shift: Option<&Tensor>, residual: Option<&Tensor>) -> Result<Tensor> {
        let weight = self.weight.to_dtype(x.dtype())?;
        let mut y = match self.padding {
            Padding::Even(pad) => x.conv2d(&weight, pad, self.stride, 1, 1)?,
            Padding::RightBottom => {
                x.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?.conv2d(&weight, 0, self.stride, 1, 1)?
            }
        };
        if let Some(bias) = &self.bias {
            y = y.broadcast_add(&bias.to_dtype(x.dtype())?.reshape((1, (), 1, 1))?)?;
        }
        if let Some(shift) = shift {
            y = y.broadcast_add(&shift.unsqueeze(2)?.unsqueeze(3)?)?;
        }
        residual.map_or(Ok(y.clone()), |residual| y + residual)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::{relative_error, test_values, with_threads};

    fn conv(inputs: usize, outputs: usize, kernel: usize, stride: usize, padding: Padding) -> Conv2d {
        let shape = (outputs, inputs, kernel, kernel);
        let weight = test_values(inputs * outputs * kernel * kernel, 1);
        let bias = Tensor::from_vec(test_values(outputs, 2), outputs, &Device::Cpu).unwrap();
        let weight = Tensor::from_vec(weight, shape, &Device::Cpu).unwrap();
        Conv2d::new(weight, Some(bias), stride, padding).unwrap()
    }

    fn input(batch: usize, channels: usize, height: usize, width: usize) -> Tensor {
        let values = test_values(batch * channels * height * width, 3);
        Tensor::from_vec(values, (batch, channels, height, width), &Device::Cpu).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        // 2e-5: Winograd's rounding (5e-6 at these sizes) with room for the worst of many cases.
        #[test]
        fn it_is_candles_for_any_size(
            batch in 1usize..3, inputs in 1usize..20, outputs in 1usize..20,
            height in 3usize..24, width in 3usize..24, kind in 0usize..6,
        ) {
            let (kernel, stride, padding) = [
                (3, 1, Padding::Even(1)), (3, 2, Padding::Even(1)), (3, 2, Padding::RightBottom),
                (1, 1, Padding::Even(0)), (5, 1, Padding::Even(2)), (3, 1, Padding::Even(0)),
            ][kind];
            let conv = conv(inputs, outputs, kernel, stride, padding);
            let x = input(batch, inputs, height, width);
            let error = relative_error(&conv.forward(&x).unwrap(), &conv.composed(&x, None, None).unwrap());
            prop_assert!(error < 2e-5, "{error:.2e}");
        }
    }

    #[test]
    fn strips_and_blocks_join_without_seams() {
        // 9 · 300 numbers for each of 40 columns: 19 rows fill a strip. 2 · 16 · 25 tiles: 13 blocks. 1200 pixels and
        // 130 channels: three products each way.
        for (conv, x) in [
            (conv(300, 4, 3, 1, Padding::Even(1)), input(1, 300, 70, 40)),
            (conv(9, 8, 3, 1, Padding::Even(1)), input(2, 9, 62, 97)),
            (conv(70, 130, 1, 1, Padding::Even(0)), input(2, 70, 30, 40)),
        ] {
            assert!(
                relative_error(&conv.forward(&x).unwrap(), &conv.composed(&x, None, None).unwrap()) < 2e-5
            );
        }
    }

    #[test]
    fn stored_halves_change_no_bit_and_what_is_added_is_added() {
        // Winograd's method with kernels made at every use and kept, the direct one, and windows of one pixel.
        for (inputs, outputs, kernel, stride, side) in
            [(300, 260, 3, 1, 13), (20, 12, 3, 1, 11), (12, 37, 3, 2, 18), (40, 33, 1, 1, 9)]
        {
            let full = conv(inputs, outputs, kernel, stride, Padding::Even(kernel / 2));
            let x = input(2, inputs, side, side);
            let plain = full.forward(&x).unwrap();
            let residual =
                Tensor::from_vec(test_values(plain.elem_count(), 5), plain.shape(), &Device::Cpu).unwrap();
            let shift = Tensor::from_vec(test_values(2 * outputs, 6), (2, outputs), &Device::Cpu).unwrap();
            for dtype in [DType::F16, DType::BF16] {
                let stored = Conv2d {
                    weight: full.weight.to_dtype(dtype).unwrap(),
                    ..conv(1, outputs, 1, stride, full.padding)
                };
                let widened = Conv2d {
                    weight: stored.weight.to_dtype(DType::F32).unwrap(),
                    kept: Arc::default(),
                    ..stored.clone()
                };
                let run = |conv: &Conv2d| {
                    let out = conv.forward_with(&x, Some(&shift), Some(&residual)).unwrap();
                    out.flatten_all().unwrap().to_vec1::<f32>().unwrap()
                };
                assert_eq!(run(&stored), run(&widened));
                let ours = stored.forward_with(&x, Some(&shift), Some(&residual)).unwrap();
                let candles = stored.composed(&x, Some(&shift), Some(&residual)).unwrap();
                assert!(relative_error(&ours, &candles) < 2e-5);
            }
            assert!(full.forward_with(&x, Some(&residual), None).is_err());
            assert!(full.forward_with(&x, None, Some(&shift)).is_err());
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        for conv in [conv(16, 24, 3, 1, Padding::Even(1)), conv(16, 72, 3, 2, Padding::Even(1))] {
            let x = input(2, 16, 33, 29);
            let run = |threads| {
                let out = with_threads(threads, || conv.forward(&x).unwrap());
                out.flatten_all().unwrap().to_vec1::<f32>().unwrap()
            };
            assert_eq!(run(1), run(3));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let conv = conv(4, 4, 3, 1, Padding::Even(0));
        assert!(conv.forward(&input(1, 3, 8, 8)).is_err());
        assert!(conv.forward(&input(1, 4, 2, 8)).is_err());
        assert!(Conv2d::new(conv.weight.clone(), Some(input(1, 1, 1, 3)), 1, Padding::Even(1)).is_err());
        assert!(Conv2d::new(conv.weight.clone(), None, 0, Padding::Even(1)).is_err());
    }
}
