//! Embeddings of several texts become one.

use candle_core::{Result, Tensor};

use super::job::Blend;
use crate::diffusion::text::Encoded;
use crate::noise::arc_weights;

/// The mix of encoded texts, all of the same number of tokens. One text is returned as it is, to the last bit.
///
/// [`Blend::Composed`] does not mix embeddings; here it is the weighted sum.
pub(super) fn blend(parts: &[(&Encoded, f64)], how: Blend) -> Result<Encoded> {
    let tensors = |pick: fn(&Encoded) -> Option<&Tensor>| -> Option<Vec<(&Tensor, f64)>> {
        parts.iter().map(|(encoded, weight)| pick(encoded).map(|tensor| (tensor, *weight))).collect()
    };
    let embeddings = tensors(|encoded| Some(&encoded.embeddings)).unwrap_or_default();
    let pooled = tensors(|encoded| encoded.pooled.as_ref()).filter(|pooled| !pooled.is_empty());
    Ok(Encoded {
        embeddings: mix(&embeddings, how)?,
        pooled: pooled.map(|pooled| mix(&pooled, how)).transpose()?,
    })
}

fn mix(parts: &[(&Tensor, f64)], how: Blend) -> Result<Tensor> {
    let Some(((first, weight), others)) = parts.split_first() else {
        candle_core::bail!("expected a text to encode, found none")
    };
    match (others, how) {
        ([], _) => Ok((*first).clone()),
        (_, Blend::Slerp) => {
            let (mut sum, mut so_far) = ((*first).clone(), *weight);
            for (next, weight) in others {
                so_far += weight;
                sum = slerp(&sum, next, weight / so_far)?;
            }
            Ok(sum)
        }
        _ => {
            let mut sum = (*first * *weight)?;
            for (next, weight) in others {
                sum = (sum + (*next * *weight)?)?;
            }
            Ok(sum)
        }
    }
}

/// From `a` (share 0) to `b` (share 1), each vector of the last axis along the arc between the two. Their lengths
/// differ little (a text encoder ends in a layer norm) and pass into each other linearly.
fn slerp(a: &Tensor, b: &Tensor, share: f64) -> Result<Tensor> {
    let width = a.dims().last().copied().unwrap_or(1).max(1);
    let (low, high) = (values(a)?, values(b)?);
    let mixed = low.chunks(width).zip(high.chunks(width)).flat_map(|(a, b)| on_arc(a, b, share));
    Tensor::from_vec(mixed.collect::<Vec<f32>>(), a.shape(), a.device())?.to_dtype(a.dtype())
}

fn values(x: &Tensor) -> Result<Vec<f32>> {
    x.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1()
}

fn on_arc(a: &[f32], b: &[f32], share: f64) -> Vec<f32> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let (of_a, of_b) = (dot(a, a).sqrt(), dot(b, b).sqrt());
    let length = of_a + (of_b - of_a) * share;
    // A vector of zeros (SDXL's empty negative prompt) has no direction: then the mix is straight.
    let (weight_a, weight_b) = if of_a * of_b > 0.0 {
        let (left, right) = arc_weights(share, dot(a, b) / (of_a * of_b));
        (left * length / of_a, right * length / of_b)
    } else {
        (1.0 - share, share)
    };
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) * weight_a + f64::from(*b) * weight_b) as f32).collect()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn encoded(rows: &[[f32; 3]]) -> Encoded {
        let tensor = Tensor::from_slice(rows.as_flattened(), (rows.len(), 3), &Device::Cpu).unwrap();
        Encoded { embeddings: tensor.unsqueeze(0).unwrap(), pooled: Some(tensor.narrow(0, 0, 1).unwrap()) }
    }

    fn flat(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn half_way_is_the_mean_and_one_text_is_itself() {
        let (a, b) =
            (encoded(&[[1.0, 2.0, 3.0], [0.5, 0.0, -1.0]]), encoded(&[[3.0, 0.0, 1.0], [0.5, 8.0, 1.0]]));
        let half = blend(&[(&a, 0.5), (&b, 0.5)], Blend::Lerp).unwrap();
        assert_eq!(flat(&half.embeddings), [2.0, 1.0, 2.0, 0.5, 4.0, 0.0]);
        assert_eq!(flat(half.pooled.as_ref().unwrap()), [2.0, 1.0, 2.0]);
        for how in [Blend::Lerp, Blend::Slerp, Blend::Composed] {
            assert_eq!(flat(&blend(&[(&a, 1.0)], how).unwrap().embeddings), flat(&a.embeddings));
        }
        assert!(blend(&[], Blend::Lerp).is_err());
    }

    #[test]
    fn the_arc_keeps_lengths_and_survives_zeros() {
        let (a, b) = (encoded(&[[3.0, 0.0, 4.0]]), encoded(&[[0.0, -5.0, 0.0]]));
        for share in [0.1, 0.5, 0.9] {
            let mixed = flat(&blend(&[(&a, 1.0 - share), (&b, share)], Blend::Slerp).unwrap().embeddings);
            let length = mixed.iter().map(|v| v * v).sum::<f32>().sqrt();
            // Both ends have length 5; f32 keeps about seven digits.
            assert!((length - 5.0).abs() < 1e-5, "{share}: {length}");
        }
        let zeros = encoded(&[[0.0; 3]]);
        let mixed = blend(&[(&a, 0.5), (&zeros, 0.5)], Blend::Slerp).unwrap();
        assert_eq!(flat(&mixed.embeddings), [1.5, 0.0, 2.0]);
    }

    #[test]
    fn nearly_opposite_and_equal_vectors_stay_finite() {
        let (a, minus) = (encoded(&[[1.0, 1.0, 0.0]]), encoded(&[[-1.0, -1.0, 0.0]]));
        for other in [&a, &minus] {
            let mixed = blend(&[(&a, 0.3), (other, 0.7)], Blend::Slerp).unwrap();
            assert!(flat(&mixed.embeddings).iter().all(|v| v.is_finite()));
        }
    }
}
