//! Large pictures in parts.
//!
//! The parts overlap by as much as a pixel of the result can see, so the joins of convolutions are exact and
//! need no blending. What joins badly in other programs is group norm: a tile's own statistics shift its tone. Here
//! all tiles are normed by the same statistics, those of patches spread evenly over the picture, which
//! go through the network together. So neighbouring tiles agree where they meet (to the rounding of f32), and what remains is
//! the error of the estimate, a smooth change of the whole picture: a seventh of the range at the worst pixel when a network
//! of few random channels decodes a picture of four patches; the joins themselves stay below a ten-thousandth.
//!
//! Only layers that see a few pixels are cut. What looks at the whole picture (the attention in the middle) runs whole.

use candle_core::{Result, Tensor};

use crate::diffusion::nn::Norm;
use crate::kernels::{GroupNorm, Moments};

/// Memory for the maps of a picture that is worked on whole, in bytes: 1024×1024 pixels of Stable Diffusion's
/// autoencoder fit. A number of its own and not the machine's free memory, so that the same film gives the same
/// pictures anywhere.
const WHOLE: usize = 7 << 29;
/// Patches are that many times as wide as the network sees.
const PATCH: usize = 4;
/// Share of a patch on each side whose statistics do not count: it sees the zeros around the patch.
const RIM: usize = 8;

/// How large a picture may be before it is worked on in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiling {
    /// Pixels of the largest picture that is worked on whole. A part has half of them.
    pub largest: usize,
}

impl Tiling {
    /// For a network whose maps take that many bytes for every pixel.
    pub fn within_memory(bytes_per_pixel: usize) -> Self {
        Self { largest: WHOLE / bytes_per_pixel.max(1) }
    }
}

/// How the cut layers change the resolution, and how far they see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layers {
    /// Input pixels for one of the result, along each side; 1 for layers that enlarge.
    pub(super) divide: usize,
    /// Result pixels for one of the input, along each side; 1 for layers that reduce.
    pub(super) multiply: usize,
    /// Input pixels to every side that decide a pixel of the result; a multiple of `divide`.
    pub(super) margin: usize,
}

/// Runs `work` on `x` `[1, C, H, W]`, in parts when the picture is large. `work` is called with a way to apply norms, which it uses
/// for every norm, in the same order every time.
pub(super) fn run(
    x: &Tensor,
    layers: Layers,
    tiling: &Tiling,
    work: impl Fn(&Tensor, &mut Norm) -> Result<Tensor>,
) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    let scale = layers.multiply * layers.multiply;
    if height * width * scale <= tiling.largest {
        return work(x, &mut GroupNorm::forward_silu);
    }
    let moments = sample(x, layers, tiling.largest / scale, &work)?;
    let side = ((tiling.largest / scale / 2) as f64).sqrt() as usize;
    let rows = cut(height, side, layers);
    let columns = cut(width, side, layers);
    let mut strips = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut parts = Vec::with_capacity(columns.len());
        for column in &columns {
            let part = x.narrow(2, row.from, row.len)?.narrow(3, column.from, column.len)?.contiguous()?;
            let mut given = moments.iter();
            let out = work(&part, &mut |norm, x| match given.next() {
                Some(moments) => norm.forward_silu_by(x, moments),
                None => candle_core::bail!("tiles: expected {} norms, found more", moments.len()),
            })?;
            let out = out.narrow(2, row.skip, row.keep)?.narrow(3, column.skip, column.keep)?;
            parts.push(out.contiguous()?);
        }
        strips.push(Tensor::cat(&parts, 3)?);
    }
    Tensor::cat(&strips, 2)
}

/// A part along one side: where it lies in the input, and what is kept of its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    from: usize,
    len: usize,
    skip: usize,
    keep: usize,
}

/// Cuts a side into parts of about `side` pixels, margins included.
fn cut(length: usize, side: usize, layers: Layers) -> Vec<Part> {
    let Layers { divide, multiply, margin } = layers;
    let core = side.saturating_sub(2 * margin).max(margin).max(divide);
    let count = length.div_ceil(core);
    let core = length.div_ceil(count).next_multiple_of(divide);
    let result = |pixels: usize| pixels.div_ceil(divide) * multiply;
    (0..length.div_ceil(core))
        .map(|i| {
            let (start, end) = (i * core, ((i + 1) * core).min(length));
            let from = start.saturating_sub(margin);
            let to = (end + margin).min(length);
            Part { from, len: to - from, skip: result(start - from), keep: result(end - start) }
        })
        .collect()
}

/// The moments of every norm, estimated on patches of `area` pixels together.
fn sample(
    x: &Tensor,
    layers: Layers,
    area: usize,
    work: &impl Fn(&Tensor, &mut Norm) -> Result<Tensor>,
) -> Result<Vec<Moments>> {
    let (_, _, height, width) = x.dims4()?;
    let side = PATCH * layers.margin.max(layers.divide);
    let count = ((area as f64).sqrt() as usize / side).max(2);
    let (rows, tall) = spread(height, side, count, layers.divide);
    let (columns, wide) = spread(width, side, count, layers.divide);
    let mut patches = Vec::with_capacity(rows.len() * columns.len());
    for row in &rows {
        for column in &columns {
            patches.push(x.narrow(2, *row, tall)?.narrow(3, *column, wide)?);
        }
    }
    let mut recorded = Vec::new();
    work(&Tensor::cat(&patches, 0)?, &mut |norm, x| {
        let (_, _, tall, wide) = x.dims4()?;
        let inner = x.narrow(2, tall / RIM, tall - 2 * (tall / RIM))?;
        let inner = inner.narrow(3, wide / RIM, wide - 2 * (wide / RIM))?;
        let moments = norm.moments(&inner)?;
        let out = norm.forward_silu_by(x, &moments)?;
        recorded.push(moments);
        Ok(out)
    })?;
    Ok(recorded)
}

/// Where `count` patches of `side` begin that are spread over a length, and how long they are.
fn spread(length: usize, side: usize, count: usize, unit: usize) -> (Vec<usize>, usize) {
    if length <= side {
        return (vec![0], length);
    }
    let count = count.min(length.div_ceil(side)).max(2);
    let start = |i: usize| i * (length - side) / (count - 1) / unit * unit;
    ((0..count).map(start).collect(), side)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Shape};
    use candle_nn::var_builder::SimpleBackend;
    use candle_nn::{Init, VarBuilder};
    use proptest::prelude::*;

    use super::*;
    use crate::diffusion::vae::{AutoencoderKl, KlConfig};

    /// Weights that keep the size of what goes through them, by their name.
    struct Made;

    fn hash(x: u64) -> f32 {
        let mut x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 31)).wrapping_mul(0x2545_f491_4f6c_dd1d);
        ((x >> 40) as f32 / (1u64 << 23) as f32) - 1.0
    }

    impl SimpleBackend for Made {
        fn get(&self, shape: Shape, name: &str, _: Init, _: DType, device: &Device) -> Result<Tensor> {
            let seed = name.bytes().fold(7u64, |h, b| h.wrapping_mul(131).wrapping_add(b.into()));
            let inputs: usize = shape.dims()[1..].iter().product();
            let (middle, spread) = match shape.rank() {
                1 if name.ends_with("bias") => (0.0, 0.1),
                1 => (1.0, 0.2),
                _ => (0.0, (3.0 / inputs as f32).sqrt()),
            };
            let values = (0..shape.elem_count() as u64).map(|i| middle + spread * hash(seed ^ (i << 8)));
            Tensor::from_vec(values.collect::<Vec<f32>>(), shape, device)
        }

        fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
            // The attention's layers alone are asked for without their shape.
            let shape = if name.ends_with("weight") { vec![16, 16] } else { vec![16] };
            self.get(shape.into(), name, Init::Const(0.0), dtype, device)
        }

        fn contains_tensor(&self, _: &str) -> bool {
            false
        }
    }

    impl Made {
        fn network() -> AutoencoderKl {
            let config: KlConfig = serde_json::from_str(
                r#"{"block_out_channels": [8, 12, 16], "norm_num_groups": 4, "layers_per_block": 1}"#,
            )
            .unwrap();
            AutoencoderKl::new(&config, VarBuilder::from_backend(Box::new(Self), DType::F32, Device::Cpu))
                .unwrap()
        }
    }

    /// Waves over the picture with some grain.
    fn picture(channels: usize, height: usize, width: usize) -> Tensor {
        let value = |i: usize| {
            let (c, y, x) = (i / (height * width), i / width % height, i % width);
            let wave =
                (y as f32 / height as f32 * 9.0 + c as f32).sin() * (x as f32 / width as f32 * 7.0).cos();
            0.7 * wave + 0.3 * hash(i as u64)
        };
        let values: Vec<f32> = (0..channels * height * width).map(value).collect();
        Tensor::from_vec(values, (1, channels, height, width), &Device::Cpu).unwrap()
    }

    fn values(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Largest difference and largest step of the difference between neighbours, over the range of `whole`.
    fn differences(tiled: &Tensor, whole: &Tensor) -> (f32, f32) {
        assert_eq!(tiled.dims(), whole.dims());
        let (_, _, height, width) = whole.dims4().unwrap();
        let (a, b) = (values(tiled), values(whole));
        let range = b.iter().fold(f32::MIN, |m, v| m.max(*v)) - b.iter().fold(f32::MAX, |m, v| m.min(*v));
        let off: Vec<f32> = a.iter().zip(&b).map(|(a, b)| (a - b) / range).collect();
        let step = |i: usize, j: usize| (off[i] - off[j]).abs();
        let mut seam = 0f32;
        for i in 0..off.len() {
            if i % width > 0 {
                seam = seam.max(step(i, i - 1));
            }
            if i / width % height > 0 {
                seam = seam.max(step(i, i - width));
            }
        }
        (off.iter().fold(0f32, |m, v| m.max(v.abs())), seam)
    }

    #[test]
    fn tiles_join_without_a_seam_and_near_the_whole_picture() {
        let whole = Made::network();
        let tiled = Made::network().with_tiling(Tiling { largest: 128 * 128 });
        let latent = picture(4, 72, 60);
        let (a, b) = (tiled.decode(&latent).unwrap(), whole.decode(&latent).unwrap());
        let (decoded, _) = differences(&a, &b);
        let image = picture(3, 288, 240);
        let (a, b) = (tiled.encode(&image).unwrap().mean, whole.encode(&image).unwrap().mean);
        let (encoded, _) = differences(&a, &b);
        println!("decode {decoded:.3}, encode {encoded:.3} of the range");
        // The worst pixel, in a network of few random channels, with statistics of a quarter of the picture: 0.145 and
        // 0.334 when this was written. Measuring the statistics again over all parts does not bring it down before
        // there were as many rounds as norms.
        assert!(decoded < 0.35 && encoded < 0.35, "decode {decoded:.3}, encode {encoded:.3} of the range");
    }

    #[test]
    fn with_the_same_statistics_the_cuts_leave_no_trace() {
        // Two tilings whose patches are the same and whose cuts are not: what differs is what the cuts do.
        let network = Made::network();
        let x = network.decoder_head(&picture(4, 72, 60)).unwrap();
        let layers = network.tail_layers();
        let work = |x: &Tensor, norm: &mut Norm| network.decoder_tail(x, norm);
        let moments = sample(&x, layers, 128 * 128 / 4, &work).unwrap();
        let mut given = moments.iter();
        let whole = work(&x, &mut |norm, x| norm.forward_silu_by(x, given.next().unwrap())).unwrap();
        let tiled = run(&x, layers, &Tiling { largest: 128 * 128 }, work).unwrap();
        let (error, seam) = differences(&tiled, &whole);
        // Rounding of f32 alone: Winograd's tiles begin elsewhere.
        assert!(error < 1e-4 && seam < 1e-4, "{error:.1e}, {seam:.1e}");
    }

    proptest! {
        #[test]
        fn parts_cover_a_side_exactly(
            length in 1usize..3000, side in 1usize..700, margin in 0usize..9, kind in 0usize..4,
        ) {
            let divide = if kind < 2 { 1 << (2 * kind) } else { 1 };
            let multiply = if kind < 2 { 1 } else { 1 << (kind - 1) };
            let layers = Layers { divide, multiply, margin: margin * divide };
            let parts = cut(length, side, layers);
            let kept: usize = parts.iter().map(|part| part.keep).sum();
            prop_assert_eq!(kept, length.div_ceil(divide) * multiply);
            for part in &parts {
                prop_assert!(part.from % divide == 0 && part.from + part.len <= length);
                prop_assert!(part.skip + part.keep <= part.len.div_ceil(divide) * multiply);
            }
        }

        #[test]
        fn patches_lie_inside(length in 1usize..3000, side in 1usize..300, count in 2usize..9) {
            let (starts, len) = spread(length, side, count, 4);
            prop_assert!(starts.iter().all(|start| start + len <= length));
        }
    }
}
