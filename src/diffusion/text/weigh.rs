//! What weights do to embeddings.

use candle_core::{Result, Tensor};

use super::Emphasis;
use super::chunk::Chunk;

/// Hidden states of a text's chunks, `[n, places, C]`, with the chunks, and how often the text counts.
pub(super) type Unweighed<'a> = (Tensor, &'a [Chunk], usize);

/// Multiplies each token by its weight, as the emphasis mode says; a chunk without emphasis stays as it is to the
/// last bit. All texts have the same number of chunks.
///
/// A1111 encodes the texts of a prompt that changes in one batch, a text as often as it comes up, and restores the
/// mean of the batch chunk by chunk: so emphasis in one of them has an effect on the others. Here it has too.
pub(super) fn weigh(texts: &[Unweighed<'_>], emphasis: Emphasis) -> Result<Vec<Tensor>> {
    let neutral = |chunk: &Chunk| chunk.weights.iter().all(|weight| *weight == 1.0);
    let is_read = !matches!(emphasis, Emphasis::Ignore | Emphasis::Literal);
    if !is_read || texts.iter().all(|(_, chunks, _)| chunks.iter().all(neutral)) {
        return Ok(texts.iter().map(|text| text.0.clone()).collect());
    }
    let count = texts.first().map_or(0, |text| text.1.len());
    let mut rows: Vec<Vec<Tensor>> = texts.iter().map(|_| Vec::with_capacity(count)).collect();
    for i in 0..count {
        let before = texts.iter().map(|text| text.0.get(i)).collect::<Result<Vec<_>>>()?;
        let weights = texts.iter().map(|text| text.1[i].weights.as_slice());
        let weighed = if texts.iter().all(|text| neutral(&text.1[i])) {
            before
        } else {
            let times: Vec<usize> = texts.iter().map(|text| text.2).collect();
            weigh_chunks(&before, weights, &times, emphasis)?
        };
        rows.iter_mut().zip(weighed).for_each(|(rows, row)| rows.push(row));
    }
    rows.iter().map(|rows| Tensor::stack(rows, 0)).collect()
}

/// Weighs one chunk `[places, C]` of each text.
fn weigh_chunks<'a>(
    chunks: &[Tensor],
    weights: impl Iterator<Item = &'a [f64]>,
    times: &[usize],
    emphasis: Emphasis,
) -> Result<Vec<Tensor>> {
    let weighed = |(chunk, weights): (&Tensor, &[f64])| {
        let factors: Vec<f32> = weights.iter().map(|weight| *weight as f32).collect();
        chunk.broadcast_mul(&Tensor::from_vec(factors, (weights.len(), 1), chunk.device())?)
    };
    let weighed = chunks.iter().zip(weights).map(weighed).collect::<Result<Vec<_>>>()?;
    if emphasis == Emphasis::NoNorm {
        return Ok(weighed);
    }
    let ratio = sum(chunks, times)? / sum(&weighed, times)?;
    if !ratio.is_finite() {
        return Ok(weighed);
    }
    weighed.iter().map(|chunk| chunk.affine(ratio, 0.0)).collect()
}

/// Sum of all values. The mean of a layer norm's output lies near 0: summed in f32 it would have few true digits.
fn sum(chunks: &[Tensor], times: &[usize]) -> Result<f64> {
    let mut sum = 0.0;
    for (chunk, times) in chunks.iter().zip(times) {
        let values = chunk.flatten_all()?.to_vec1::<f32>()?;
        sum += values.iter().map(|v| f64::from(*v)).sum::<f64>() * *times as f64;
    }
    Ok(sum)
}
