//! Our networks against candle-transformers', where reading and measuring found those right: the UNet of Stable
//! Diffusion 1.5's topology and the decoder of its autoencoder, with small random weights.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::stable_diffusion::{
    unet_2d::{BlockConfig, UNet2DConditionModel, UNet2DConditionModelConfig},
    vae::{AutoEncoderKL, AutoEncoderKLConfig},
};
use kinora::diffusion::unet::{UNet, UNetConfig};
use kinora::diffusion::vae::{Autoencoder, AutoencoderConfig};
use serde_json::json;

/// Weights that depend on the name alone, so both networks see the same.
struct Seeded;

impl candle_nn::var_builder::SimpleBackend for Seeded {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let fan_in = shape.dims()[1..].iter().product::<usize>().max(1) as f64;
        let values = random(shape.elem_count(), name);
        let x = Tensor::from_vec(values, shape, device)?.to_dtype(dtype)?;
        // Norm weights near one, all else small enough that activations stay near one.
        if name.contains("norm") && name.ends_with("weight") {
            x.affine(0.1, 1.0)
        } else {
            x.affine(1.5 / fan_in.sqrt(), 0.0)
        }
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> candle_core::Result<Tensor> {
        // The layers that may be stored in two shapes: square projections of an attention.
        let width = match name {
            n if n.starts_with("decoder") || n.starts_with("encoder") => 16,
            n if n.starts_with("down_blocks.0.") => 32,
            n if n.starts_with("up_blocks.3.") => 32,
            _ => 64,
        };
        self.get((width, width).into(), name, candle_nn::Init::Const(0.0), dtype, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        // A mark behind a name asks whether the weight is stored in halves: none is.
        !name.ends_with("query.weight") && !name.contains('\u{0}')
    }
}

/// Values in −1..1 from a name, by splitmix64.
fn random(count: usize, name: &str) -> Vec<f32> {
    let mut state = name.bytes().fold(0u64, |h, b| h.wrapping_mul(0x0100_0000_01b3) ^ u64::from(b));
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn tensor(shape: impl Into<Shape>, name: &str) -> Tensor {
    let shape = shape.into();
    Tensor::from_vec(random(shape.elem_count(), name), shape, &Device::Cpu)
        .expect("the shape holds the values")
}

fn builder() -> VarBuilder<'static> {
    VarBuilder::from_backend(Box::new(Seeded), DType::F32, Device::Cpu)
}

/// Largest absolute difference over the largest absolute value.
fn difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let values =
        |x: &Tensor| x.flatten_all().expect("any shape is flattened").to_vec1::<f32>().expect("f32 values");
    let (a, b) = (values(a), values(b));
    let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    let largest = b.iter().fold(0f32, |m, x| m.max(x.abs()));
    assert!(largest > 1e-3 && a.iter().all(|x| x.is_finite()), "the weights make nothing of the input");
    worst / largest
}

/// Stable Diffusion 1.5's topology, 32 and 64 channels wide: candle has 32 norm groups built in.
fn config() -> UNetConfig {
    let down = ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"];
    let up = ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"];
    serde_json::from_value(json!({
        "block_out_channels": [32, 64, 64, 64], "down_block_types": down, "up_block_types": up,
        "layers_per_block": 2, "cross_attention_dim": 12, "attention_head_dim": 2,
    }))
    .expect("a complete config")
}

fn peer_unet() -> UNet2DConditionModel {
    let block = |out_channels, attends: bool| BlockConfig {
        out_channels,
        use_cross_attn: attends.then_some(1),
        attention_head_dim: 2,
    };
    let config = UNet2DConditionModelConfig {
        blocks: vec![block(32, true), block(64, true), block(64, true), block(64, false)],
        center_input_sample: false,
        cross_attention_dim: 12,
        downsample_padding: 1,
        flip_sin_to_cos: true,
        freq_shift: 0.0,
        layers_per_block: 2,
        mid_block_scale_factor: 1.0,
        norm_eps: 1e-5,
        norm_num_groups: 32,
        sliced_attention_size: None,
        use_linear_projection: false,
    };
    UNet2DConditionModel::new(builder(), 4, 4, false, config).expect("every name has weights")
}

#[test]
fn the_unet_of_stable_diffusion_1_5_is_candles() {
    let (x, context) = (tensor((2, 4, 16, 24), "x"), tensor((2, 7, 12), "context"));
    let ours = UNet::new(&config(), builder()).unwrap();
    for t in [1.0, 500.0, 999.0] {
        let expected = peer_unet().forward(&x, t, &context).unwrap();
        let found = ours.forward(&x, &[t], &context, None, None).unwrap();
        // candle's feed-forward takes the tanh approximation of GELU: up to 4e-4 per value of a gate.
        let error = difference(&found, &expected);
        assert!(error < 2e-3, "t = {t}: {error:.2e}");
    }
}

#[test]
fn the_decoder_of_the_autoencoder_is_candles() {
    let config = AutoEncoderKLConfig {
        block_out_channels: vec![8, 16],
        layers_per_block: 1,
        latent_channels: 4,
        norm_num_groups: 4,
        use_quant_conv: true,
        use_post_quant_conv: true,
    };
    let peer = AutoEncoderKL::new(builder(), 3, 3, config).unwrap();
    let ours: AutoencoderConfig = serde_json::from_value(json!({
        "_class_name": "AutoencoderKL", "block_out_channels": [8, 16], "layers_per_block": 1,
        "norm_num_groups": 4, "scaling_factor": 0.5,
    }))
    .unwrap();
    let ours = Autoencoder::new(&ours, builder()).unwrap();
    let z = tensor((1, 4, 9, 13), "z");
    // The scaling is ours alone. No approximation on either side: rounding only.
    let error = difference(&ours.decode(&(&z * 0.5).unwrap()).unwrap(), &peer.decode(&z).unwrap());
    assert!(error < 2e-5, "{error:.2e}");
    assert_eq!((ours.downscale(), ours.latent_channels()), (2, 4));
}

#[test]
fn items_of_a_batch_do_not_see_each_other_and_may_have_their_own_timestep() {
    let ours = UNet::new(&config(), builder()).unwrap();
    let (x, context) = (tensor((2, 4, 12, 20), "x"), tensor((2, 7, 12), "context"));
    let both = ours.forward(&x, &[10.5, 700.0], &context, None, None).unwrap();
    for (i, t) in [(0, 10.5), (1, 700.0)] {
        let item = |x: &Tensor| x.narrow(0, i, 1).unwrap();
        let alone = ours.forward(&item(&x), &[t], &item(&context), None, None).unwrap();
        // Which convolution is used depends on the batch: rounding of the two methods.
        assert!(difference(&item(&both), &alone) < 2e-5);
    }
}

#[test]
fn what_does_not_fit_is_an_error_that_says_so() {
    let ours = UNet::new(&config(), builder()).unwrap();
    let (x, context) = (tensor((2, 4, 8, 8), "x"), tensor((2, 7, 12), "context"));
    let message = |r: candle_core::Result<Tensor>| r.unwrap_err().to_string();
    let three = message(ours.forward(&x, &[1.0, 2.0, 3.0], &context, None, None));
    assert!(three.contains("found 3"), "{three}");
    let channels = message(ours.forward(&tensor((2, 9, 8, 8), "x"), &[1.0], &context, None, None));
    assert!(channels.contains("expected 4") && channels.contains("found 9"), "{channels}");
    let weights: BTreeMap<String, Tensor> = BTreeMap::new();
    let empty = VarBuilder::from_backend(Box::new(Empty(weights)), DType::F32, Device::Cpu);
    let missing = UNet::new(&config(), empty).unwrap_err().to_string();
    assert!(missing.contains("conv_in.weight"), "{missing}");
}

/// No weights at all.
struct Empty(BTreeMap<String, Tensor>);

impl candle_nn::var_builder::SimpleBackend for Empty {
    fn get(
        &self,
        _: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.get_unchecked(name, dtype, device)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        let missing = || candle_core::Error::CannotFindTensor { path: name.to_owned() };
        self.0.get(name).cloned().ok_or_else(missing)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}
