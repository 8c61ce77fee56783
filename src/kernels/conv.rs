//! Two-dimensional convolution.

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Tensor};

use super::{are_ours, direct, winograd, with_values};

/// Zeros around the picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// The same on all four sides.
    Even(usize),
    /// One column at the right, one row at the bottom: the VAE encoder's down-sampling.
    RightBottom,
}

/// A 2D cross-correlation with square kernel, as `torch.nn.Conv2d` without groups or dilation.
#[derive(Clone, Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: usize,
    padding: Padding,
    /// The kernels as Winograd's method wants them, made at the first use.
    packed: Arc<OnceLock<Arc<Vec<f32>>>>,
}

/// Winograd's kernels take four times the memory of the weights; above this product of channels
/// (150 MB packed) the direct method has enough work per weight anyway.
const WINOGRAD_MOST_WEIGHTS: usize = 1 << 20;
/// Below this number of channels or tiles the transforms cost more than they save.
const WINOGRAD_FEWEST_CHANNELS: usize = 8;
const WINOGRAD_FEWEST_TILES: usize = 8;

impl Conv2d {
    /// `weight` is `[C_out, C_in, k, k]`, `bias` `[C_out]`.
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
        Ok(Self { weight, bias, stride, padding, packed: Arc::default() })
    }

    /// The kernel, `[C_out, C_in, k, k]`.
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
        let out_size = (out_side(height), out_side(width));
        let shape = direct::Shape {
            batch,
            inputs,
            outputs,
            size: (height, width),
            out_size,
            kernel,
            stride: self.stride,
            before,
        };
        let bias = self.bias.as_ref().unwrap_or(&self.weight);
        if !are_ours(&[x, &self.weight, bias]) || x.elem_count() == 0 {
            return self.composed(x);
        }
        let out = with_values(&[x, &self.weight, bias], |values| {
            self.convolve(values[0], values[1], self.bias.as_ref().map(|_| values[2]), &shape)
        })?;
        Tensor::from_vec(out, (batch, outputs, out_size.0, out_size.1), x.device())
    }

    /// By the faster of two methods. Which one depends on the sizes alone.
    fn convolve(&self, x: &[f32], weight: &[f32], bias: Option<&[f32]>, shape: &direct::Shape) -> Vec<f32> {
        let direct::Shape { batch, inputs, outputs, size: (height, width), .. } = *shape;
        let mut out = vec![0.0; batch * outputs * shape.out_size.0 * shape.out_size.1];
        let tiled = winograd::Shape { batch, inputs, outputs, height, width };
        if self.is_winograd() && tiled.tiles() >= WINOGRAD_FEWEST_TILES {
            winograd::convolve(x, &self.packed(weight, outputs, inputs), bias, &tiled, &mut out);
        } else {
            direct::convolve(x, weight, bias, shape, &mut out);
        }
        out
    }

    /// The weights for Winograd's method. Not made inside the lock: a thread that waits for the others of its
    /// pool may take up another forward pass meanwhile, and would wait for itself.
    fn packed(&self, weight: &[f32], outputs: usize, inputs: usize) -> Arc<Vec<f32>> {
        if let Some(packed) = self.packed.get() {
            return packed.clone();
        }
        let packed = Arc::new(winograd::pack(weight, outputs, inputs));
        self.packed.get_or_init(|| packed).clone()
    }

    /// Whether Winograd's method applies and pays for these weights.
    fn is_winograd(&self) -> bool {
        let dims = self.weight.dims();
        dims[2] == 3
            && self.stride == 1
            && self.padding == Padding::Even(1)
            && dims[0].min(dims[1]) >= WINOGRAD_FEWEST_CHANNELS
            && dims[0] * dims[1] <= WINOGRAD_MOST_WEIGHTS
    }

    /// The same from candle's operations.
    fn composed(&self, x: &Tensor) -> Result<Tensor> {
        let y = match self.padding {
            Padding::Even(pad) => x.conv2d(&self.weight, pad, self.stride, 1, 1)?,
            Padding::RightBottom => x.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?.conv2d(
                &self.weight,
                0,
                self.stride,
                1,
                1,
            )?,
        };
        match &self.bias {
            Some(bias) => y.broadcast_add(&bias.reshape((1, (), 1, 1))?),
            None => Ok(y),
        }
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
            let error = relative_error(&conv.forward(&x).unwrap(), &conv.composed(&x).unwrap());
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
            assert!(relative_error(&conv.forward(&x).unwrap(), &conv.composed(&x).unwrap()) < 2e-5);
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
