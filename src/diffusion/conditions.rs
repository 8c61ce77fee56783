//! What the prompts say to the networks, call by call.
//!
//! A prompt may change on its way (`[fog:snow:0.5]`) and may consist of several (`sea AND fog`): at every call of
//! the denoiser one [`Stage`] is in force, with one row of embeddings for each text that the network looks at.

use std::sync::Arc;

use candle_core::Tensor;

use super::guidance::Conditioning;
use super::text::Encoded;
use super::unet::AddedCond;

/// Rows that go through the network in one batch at the most: more would need memory without being faster.
const BATCH: usize = 8;

/// The stages of a run.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// The call (from 0) at which each stage begins, ascending, and the stage. The first begins at 0.
    stages: Vec<(usize, Arc<Stage>)>,
}

/// What is in force at a call of the denoiser.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Rows with the prompts, then those with the negative prompt, all in batches of equally long texts.
    batches: Vec<Batch>,
    /// Weight of each row with a prompt.
    positive: Vec<f64>,
    /// Weight of each row with a negative prompt, summing to 1; none without guidance.
    negative: Vec<f64>,
    /// Scale of classifier-free guidance.
    guidance: f64,
}

/// Rows that go through the networks together.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[rows, T, C]`.
    pub context: Tensor,
    /// SDXL's added condition, with as many rows.
    pub added: Option<AddedCond>,
    /// How many of the rows carry a prompt; they come first.
    pub positive: usize,
    /// How many carry a negative prompt.
    pub negative: usize,
}

/// A text with its weight.
pub type Row = (Encoded, f64);

impl Stage {
    /// Puts rows into batches of equally long texts.
    ///
    /// As in sd-webui (`CFGDenoiser`, with its default of not padding), a prompt and a negative prompt of unequal
    /// length go through the network one after the other. `size` makes SDXL's six numbers for a count of rows;
    /// it is asked only where texts have a pooled embedding.
    ///
    /// # Errors
    /// A candle error when texts have unequal widths, or there is none.
    pub fn new(
        positive: &[Row],
        negative: &[Row],
        guidance: f64,
        size: &dyn Fn(usize) -> candle_core::Result<Tensor>,
    ) -> candle_core::Result<Self> {
        if positive.is_empty() {
            candle_core::bail!("expected a prompt, found none")
        }
        let rows: Vec<(&Encoded, bool)> = positive
            .iter()
            .map(|row| (&row.0, true))
            .chain(negative.iter().map(|row| (&row.0, false)))
            .collect();
        let length = |row: &(&Encoded, bool)| row.0.embeddings.dims()[1];
        let batches = rows
            .chunk_by(|a, b| length(a) == length(b))
            .flat_map(|equal| equal.chunks(BATCH))
            .map(|rows| Batch::new(rows, size))
            .collect::<candle_core::Result<_>>()?;
        let weights = |rows: &[Row]| rows.iter().map(|row| row.1).collect();
        Ok(Self { batches, positive: weights(positive), negative: weights(negative), guidance })
    }

    /// The rows in the order in which they go through the networks.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// One prediction of those of all rows, `[rows, C, h, w]`: the negative prompt's, and from there by the
    /// guidance times its weight towards each prompt's (sd-webui's `combine_denoised`; Liu et al. 2022,
    /// arXiv:2206.01714). Weights need not sum to 1.
    ///
    /// # Errors
    /// A candle error when the number of rows is another.
    pub fn guide(&self, out: &Tensor) -> candle_core::Result<Tensor> {
        if self.negative.is_empty() && self.positive == [1.0] {
            return Ok(out.clone());
        }
        let cond = weighted(out, 0, &self.positive)?;
        if self.negative.is_empty() {
            return Ok(cond);
        }
        let uncond = weighted(out, self.positive.len(), &self.negative)?;
        let whole: f64 = self.positive.iter().sum();
        // Weights of blended prompts are computed: (1 - w) + w is 1 to the last bits.
        let pulled = if (whole - 1.0).abs() < 1e-6 { &cond - &uncond } else { cond - (&uncond * whole)? };
        &uncond + (pulled? * self.guidance)?
    }
}

/// The sum of rows times their weights; one row of weight 1 is returned as it is, to the last bit.
fn weighted(out: &Tensor, from: usize, weights: &[f64]) -> candle_core::Result<Tensor> {
    let row = |i: usize| -> candle_core::Result<Tensor> {
        let row = out.narrow(0, from + i, 1)?;
        if weights[i] == 1.0 { Ok(row) } else { row * weights[i] }
    };
    (1..weights.len()).try_fold(row(0)?, |sum, i| sum + row(i)?)
}

impl Batch {
    fn new(
        rows: &[(&Encoded, bool)],
        size: &dyn Fn(usize) -> candle_core::Result<Tensor>,
    ) -> candle_core::Result<Self> {
        let embeddings: Vec<&Tensor> = rows.iter().map(|row| &row.0.embeddings).collect();
        let pooled: Option<Vec<&Tensor>> = rows.iter().map(|row| row.0.pooled.as_ref()).collect();
        let added = pooled.map(|pooled| -> candle_core::Result<AddedCond> {
            Ok(AddedCond { text_embeds: Tensor::cat(&pooled, 0)?, time_ids: size(rows.len())? })
        });
        let positive = rows.iter().filter(|row| row.1).count();
        Ok(Self {
            context: Tensor::cat(&embeddings, 0)?,
            added: added.transpose()?,
            positive,
            negative: rows.len() - positive,
        })
    }
}

impl Conditions {
    /// Stages with the calls at which they begin, ascending from 0.
    ///
    /// # Panics
    /// When there is no stage.
    pub fn new(stages: Vec<(usize, Arc<Stage>)>) -> Self {
        assert!(!stages.is_empty(), "a run has a stage");
        Self { stages }
    }

    /// What is in force at a call of the denoiser, from 0.
    pub fn at(&self, call: usize) -> &Arc<Stage> {
        let behind = self.stages.partition_point(|stage| stage.0 <= call);
        &self.stages[behind.saturating_sub(1)].1
    }
}

impl From<Conditioning> for Conditions {
    /// The same throughout a run.
    fn from(all: Conditioning) -> Self {
        let rows = all.context.dims().first().copied().unwrap_or(0);
        let (positive, negative) = match all.parts {
            Some(parts) => (parts.positive, parts.negative),
            None => (vec![1.0], vec![1.0; rows.saturating_sub(1)]),
        };
        let batch = Batch {
            context: all.context,
            added: all.added,
            positive: positive.len(),
            negative: negative.len(),
        };
        let stage = Stage { batches: vec![batch], positive, negative, guidance: all.guidance };
        Self::new(vec![(0, Arc::new(stage))])
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn text(places: usize, value: f32) -> Encoded {
        let embeddings = Tensor::full(value, (1, places, 4), &Device::Cpu).unwrap();
        Encoded { embeddings, pooled: None }
    }

    fn stage(positive: &[(usize, f64)], negative: &[(usize, f64)], guidance: f64) -> Stage {
        let rows = |list: &[(usize, f64)]| -> Vec<Row> {
            list.iter().map(|(places, weight)| (text(*places, 0.5), *weight)).collect()
        };
        let no_size =
            |_: usize| -> candle_core::Result<Tensor> { candle_core::bail!("no size is asked for") };
        Stage::new(&rows(positive), &rows(negative), guidance, &no_size).unwrap()
    }

    fn guided(stage: &Stage, rows: &[f32]) -> f32 {
        let out = Tensor::from_slice(rows, (rows.len(), 1, 1, 1), &Device::Cpu).unwrap();
        stage.guide(&out).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()[0]
    }

    #[test]
    fn weights_times_guidance_are_summed_over_prompts() {
        let one = stage(&[(77, 1.0)], &[(77, 1.0)], 7.0);
        assert_eq!(guided(&one, &[3.0, 1.0]), 1.0 + 7.0 * 2.0);
        let two = stage(&[(77, 1.0), (77, 0.5)], &[(77, 1.0)], 2.0);
        assert_eq!(guided(&two, &[3.0, 5.0, 1.0]), 1.0 + 2.0 * 1.0 * (3.0 - 1.0) + 2.0 * 0.5 * (5.0 - 1.0));
        let against = stage(&[(77, 1.0), (77, -1.0)], &[(77, 1.0)], 2.0);
        assert_eq!(guided(&against, &[3.0, 5.0, 1.0]), 1.0 + 2.0 * 2.0 - 2.0 * 4.0);
        let alone = stage(&[(77, 1.0)], &[], 1.0);
        assert_eq!(guided(&alone, &[3.0]), 3.0);
    }

    #[test]
    fn texts_of_unequal_length_go_separately_and_many_in_turns() {
        let counts = |stage: &Stage| -> Vec<(usize, usize)> {
            stage.batches().iter().map(|b| (b.positive, b.negative)).collect()
        };
        assert_eq!(counts(&stage(&[(77, 1.0)], &[(77, 1.0)], 7.0)), [(1, 1)]);
        assert_eq!(counts(&stage(&[(154, 1.0)], &[(77, 1.0)], 7.0)), [(1, 0), (0, 1)]);
        assert_eq!(counts(&stage(&[(77, 1.0); 12], &[(77, 1.0)], 7.0)), [(8, 0), (4, 1)]);
    }

    #[test]
    fn a_stage_lasts_until_the_next_one_begins() {
        let stages: Vec<Arc<Stage>> =
            [1.0, 2.0, 3.0].map(|g| Arc::new(stage(&[(77, 1.0)], &[(77, 1.0)], g))).to_vec();
        let all = Conditions::new([0, 2, 5].into_iter().zip(stages).collect());
        let found: Vec<f64> = (0..7).map(|call| all.at(call).guidance).collect();
        assert_eq!(found, [1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0]);
    }
}
