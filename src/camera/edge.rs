//! Which pixel stands for a place beyond the edge.

use crate::timeline::frame::Border;

/// A border rule for one pair of axes, as the samplers apply it to each tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// The edge pixel goes on.
    Clamp,
    /// The opposite edge follows.
    Wrap,
    /// Mirrored about the edge of the picture, the edge pixel twice.
    Mirror,
    /// Black.
    Zero,
    /// Mirrored about the centre of the edge pixel up to this many pixels outside (x, y), black beyond: what Deforum
    /// does to pictures moved along a flow.
    Margin(i32, i32),
    /// Mirrored about the centre of the edge pixel, as far as it takes.
    Mirror101,
}

impl From<Border> for Edge {
    fn from(border: Border) -> Self {
        match border {
            Border::Replicate => Self::Clamp,
            Border::Wrap => Self::Wrap,
            Border::Reflect => Self::Mirror,
            Border::Zeros => Self::Zero,
        }
    }
}

impl Edge {
    /// Column that stands for column `x` of a picture `width` wide; `None` is black.
    pub(super) fn column(self, x: i32, width: i32) -> Option<usize> {
        let margin = if let Self::Margin(m, _) = self { m } else { 0 };
        self.index(x, width, margin)
    }

    /// Row that stands for row `y` of a picture `height` high; `None` is black.
    pub(super) fn row(self, y: i32, height: i32) -> Option<usize> {
        let margin = if let Self::Margin(_, m) = self { m } else { 0 };
        self.index(y, height, margin)
    }

    fn index(self, i: i32, n: i32, margin: i32) -> Option<usize> {
        if (0..n).contains(&i) {
            return Some(i as usize);
        }
        match self {
            Self::Clamp => Some(i.clamp(0, n - 1) as usize),
            Self::Wrap => Some(i.rem_euclid(n) as usize),
            Self::Mirror => {
                let folded = i.rem_euclid(2 * n);
                Some(folded.min(2 * n - 1 - folded) as usize)
            }
            Self::Zero => None,
            Self::Margin(..) if i < -margin || i >= n + margin => None,
            Self::Margin(..) | Self::Mirror101 => {
                let period = (2 * (n - 1)).max(1);
                let folded = i.rem_euclid(period);
                Some(folded.min(period - folded).min(n - 1) as usize)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_unrolls_a_row_of_three() {
        let unroll = |edge: Edge| -> Vec<i32> {
            (-4..8).map(|i| edge.column(i, 3).map_or(-1, |i| i as i32)).collect()
        };
        assert_eq!(unroll(Edge::Clamp), [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2]);
        assert_eq!(unroll(Edge::Wrap), [2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1]);
        assert_eq!(unroll(Edge::Mirror), [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
        assert_eq!(unroll(Edge::Zero), [-1, -1, -1, -1, 0, 1, 2, -1, -1, -1, -1, -1]);
        assert_eq!(unroll(Edge::Mirror101), [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]);
        assert_eq!(unroll(Edge::Margin(2, 0)), [-1, -1, 2, 1, 0, 1, 2, 1, 0, -1, -1, -1]);
    }

    #[test]
    fn a_single_pixel_stands_for_everything() {
        for edge in [Edge::Clamp, Edge::Wrap, Edge::Mirror, Edge::Mirror101] {
            assert!((-5..5).all(|i| edge.row(i, 1) == Some(0)), "{edge:?}");
        }
    }
}
