//! Linear layers.

use candle_core::{D, DType, Result, Tensor};
use candle_nn::Module;

use super::{are_ours, dense, with_stored, with_values};

/// x Wᵀ + b, as `torch.nn.Linear`, with weights that stay in their stored type.
///
/// Arithmetic is `f32`. Halves are widened on the way into the processor's cache, which gives the very bits
/// that widened weights give, in half the memory.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// `weight` is `[outputs, inputs]` of type `f32`, `f16` or `bf16`, `bias` `[outputs]`.
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// The weights, `[outputs, inputs]`, in their stored type.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The bias, `[outputs]`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// `[…, inputs]` → `[…, outputs]`, with `residual` `[…, outputs]` added.
    ///
    /// # Errors
    /// When the shapes do not belong together.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.run(x, Some(residual))
    }

    fn run(&self, x: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        let (outputs, inputs) = self.weight.dims2()?;
        let mut dims = x.dims().to_vec();
        let Some(last) = dims.last_mut().filter(|last| **last == inputs) else {
            candle_core::bail!("linear: expected {inputs} inputs, found {:?}", x.dims());
        };
        *last = outputs;
        if let Some(residual) = residual.filter(|r| r.dims() != dims) {
            candle_core::bail!("linear: expected {dims:?} to add to, found {:?}", residual.dims());
        }
        let bias = match &self.bias {
            Some(bias) if bias.dims() != [outputs] => {
                candle_core::bail!("linear: expected a bias of {outputs}, found {:?}", bias.dims())
            }
            Some(bias) => Some(bias.to_dtype(DType::F32)?),
            None => None,
        };
        let others: Vec<&Tensor> = [Some(x), bias.as_ref(), residual].into_iter().flatten().collect();
        if !are_ours(&others) || !self.weight.device().is_cpu() || x.elem_count() == 0 {
            return self.composed(x, bias, residual);
        }
        let mut out = vec![0.0; x.elem_count() / inputs * outputs];
        let shape = dense::Shape { rows: x.elem_count() / inputs, inputs, outputs };
        with_stored(&self.weight, |weight| {
            with_values(&others, |values| {
                let mut rest = values[1..].iter().copied();
                let bias = bias.as_ref().and_then(|_| rest.next());
                dense::product(values[0], weight, bias, rest.next(), shape, &mut out);
            })
        })??;
        Tensor::from_vec(out, dims, x.device())
    }

    /// The same from candle's operations.
    fn composed(&self, x: &Tensor, bias: Option<Tensor>, residual: Option<&Tensor>) -> Result<Tensor> {
        let layer = candle_nn::Linear::new(self.weight.to_dtype(x.dtype())?, bias);
        let out = layer.forward(&x.contiguous()?)?;
        match residual {
            Some(residual) => out + residual,
            None => Ok(out),
        }
    }
}

impl Module for Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, None)
    }
}

/// Linear layers of one input as one layer, whose outputs follow one another.
///
/// # Errors
/// When the inputs differ, or some layers have a bias and some have none.
pub fn joined(layers: &[Linear]) -> Result<Linear> {
    let weights: Vec<&Tensor> = layers.iter().map(Linear::weight).collect();
    let biases: Vec<&Tensor> = layers.iter().filter_map(Linear::bias).collect();
    if !biases.is_empty() && biases.len() != layers.len() {
        candle_core::bail!("linear: expected a bias in all of {} layers or in none", layers.len());
    }
    let bias = (!biases.is_empty()).then(|| Tensor::cat(&biases, 0)).transpose()?;
    Ok(Linear::new(Tensor::cat(&weights, D::Minus(2))?, bias))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::{relative_error, test_values, with_threads};

    fn tensor(shape: &[usize], seed: u64) -> Tensor {
        Tensor::from_vec(test_values(shape.iter().product(), seed), shape, &Device::Cpu).unwrap()
    }

    fn bits(x: &Tensor) -> Vec<u32> {
        x.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn it_is_candles_for_any_size_and_stored_halves_change_no_bit(
            rows in 1usize..70, inputs in 1usize..600, outputs in 1usize..70, kind in 0usize..4,
        ) {
            let (x, weight) = (tensor(&[rows, inputs], 1), tensor(&[outputs, inputs], 2));
            let bias = (kind % 2 == 0).then(|| tensor(&[outputs], 3));
            let residual = (kind / 2 == 0).then(|| tensor(&[rows, outputs], 4));
            let layer = Linear::new(weight.clone(), bias.clone());
            let ours = layer.run(&x, residual.as_ref()).unwrap();
            let candles = layer.composed(&x, bias.clone(), residual.as_ref()).unwrap();
            // Sums of up to 600 products in another order.
            prop_assert!(relative_error(&ours, &candles) < 5e-6);
            for dtype in [DType::F16, DType::BF16] {
                let stored = weight.to_dtype(dtype).unwrap();
                let widened = Linear::new(stored.to_dtype(DType::F32).unwrap(), bias.clone());
                let stored = Linear::new(stored, bias.clone()).run(&x, residual.as_ref()).unwrap();
                prop_assert_eq!(bits(&stored), bits(&widened.run(&x, residual.as_ref()).unwrap()));
            }
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let layer = Linear::new(tensor(&[100, 300], 1), None);
        let x = tensor(&[2, 600, 300], 2);
        let run = |threads| with_threads(threads, || bits(&layer.forward(&x).unwrap()));
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn joined_layers_give_what_each_gives() {
        let layers: Vec<Linear> =
            (0..3).map(|i| Linear::new(tensor(&[5 + i, 7], i as u64), Some(tensor(&[5 + i], 9)))).collect();
        let x = tensor(&[2, 4, 7], 5);
        let all = joined(&layers).unwrap().forward(&x).unwrap();
        assert_eq!(bits(&all.narrow(2, 11, 7).unwrap()), bits(&layers[2].forward(&x).unwrap()));
        assert!(joined(&[layers[0].clone(), Linear::new(tensor(&[3, 7], 1), None)]).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let layer = Linear::new(tensor(&[4, 6], 1), None);
        assert!(layer.forward(&tensor(&[3, 5], 2)).is_err());
        assert!(layer.forward_add(&tensor(&[3, 6], 2), &tensor(&[3, 5], 2)).is_err());
        assert!(Linear::new(tensor(&[4, 6], 1), Some(tensor(&[5], 1))).forward(&tensor(&[3, 6], 2)).is_err());
    }
}
