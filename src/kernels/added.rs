//! What a convolution's sums are added to.

/// Numbers that are added to the result of a convolution `[batch, outputs, pixels]`.
#[derive(Clone, Copy, Default)]
pub(super) struct Added<'a> {
    /// One per channel.
    pub(super) bias: Option<&'a [f32]>,
    /// One per channel, for all pictures or for each: `[1 or batch, outputs]`.
    pub(super) shift: Option<&'a [f32]>,
    /// One per result.
    pub(super) residual: Option<&'a [f32]>,
    /// Channels of the result.
    pub(super) outputs: usize,
}

impl Added<'_> {
    /// Bias and shift of a picture's channel.
    pub(super) fn offset(&self, item: usize, channel: usize) -> f32 {
        let shift = self.shift.map_or(0.0, |shift| {
            let row = if shift.len() == self.outputs { 0 } else { item };
            shift[row * self.outputs + channel]
        });
        self.bias.map_or(0.0, |bias| bias[channel]) + shift
    }

    /// Writes all that is added to the results from number `from` on, which belong to one channel of one picture.
    pub(super) fn begin(&self, item: usize, channel: usize, from: usize, target: &mut [f32]) {
        let offset = self.offset(item, channel);
        match self.residual {
            None => target.fill(offset),
            Some(residual) => {
                for (target, value) in target.iter_mut().zip(&residual[from..]) {
                    *target = offset + value;
                }
            }
        }
    }
}
