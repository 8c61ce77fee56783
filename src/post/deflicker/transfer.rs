//! Between sRGB code values and linear light, by tables.

/// Linear light (0–1) of an sRGB-encoded value (0–1), IEC 61966-2-1.
#[allow(
    clippy::disallowed_methods,
    reason = "fills a table once; rounding to 8 or 16 bits hides the last bit"
)]
fn decode(value: f32) -> f32 {
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// sRGB-encoded value (0–1) of linear light (0–1), the inverse of [`decode`].
#[allow(clippy::disallowed_methods, reason = "rounding to 8 or 16 bits hides the last bit")]
pub(super) fn encode(linear: f32) -> f32 {
    if linear <= 0.003_130_8 { linear * 12.92 } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
}

/// Tables for 8-bit pictures.
pub(super) struct Transfer {
    /// Linear light of each code value.
    pub linear: Vec<f32>,
    /// Code value of each 65535th of linear light: finer than a twelfth of a level everywhere.
    codes: Vec<u8>,
}

impl Transfer {
    const STEPS: f32 = 65_535.0;

    pub(super) fn new() -> Self {
        Self {
            linear: linear_table(u8::MAX.into()),
            codes: (0..=u16::MAX)
                .map(|i| round_to(encode(f32::from(i) / Self::STEPS), 255.0) as u8)
                .collect(),
        }
    }

    /// The code value nearest to `linear`, clipped at white.
    #[inline]
    pub(super) fn code(&self, linear: f32) -> u8 {
        // Never negative or NaN: a product of table entries and finite positive gains.
        self.codes[(linear * Self::STEPS + 0.5).min(Self::STEPS) as usize]
    }
}

/// Linear light of the code values 0 to `top`.
pub(super) fn linear_table(top: u16) -> Vec<f32> {
    (0..=top).map(|value| decode(f32::from(value) / f32::from(top))).collect()
}

/// `value` (0–1) as a code value up to `top`, rounded to the nearest.
pub(super) fn round_to(value: f32, top: f32) -> f32 {
    (value * top + 0.5).floor().clamp(0.0, top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_value_survives_the_way_there_and_back() {
        let transfer = Transfer::new();
        for value in 0..=255u8 {
            assert_eq!(transfer.code(transfer.linear[usize::from(value)]), value);
        }
        for (value, linear) in linear_table(u16::MAX).into_iter().enumerate() {
            assert_eq!(round_to(encode(linear), 65_535.0) as usize, value);
        }
    }
}
