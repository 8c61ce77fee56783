//! What a picture may look like beyond what is known of it, before anything is painted there.

use crate::canvas::{Canvas, Plane, Size};

/// The picture with what is unknown (above 0.5) filled by the colours around it, the smoother the farther away: the
/// mean of what is known, coarse to fine (the pull-push of Gortler et al. 1996, "The Lumigraph"). What is known stays.
///
/// Smooth is best to begin with: noise of a strong level leaves of it only what it says of light and colour, and that
/// is the surroundings'. Smeared edge pixels leave streaks instead, and a mirrored picture its axis.
pub(super) fn continued(picture: &Canvas, unknown: &Plane) -> Canvas {
    let pixels = picture.as_rgb8().as_chunks::<3>().0.iter().zip(unknown.values());
    let finest = pixels.map(|(rgb, unknown)| known(*rgb, *unknown <= 0.5)).collect();
    let mut layers = vec![Layer { size: picture.size(), cells: finest }];
    while let Some(last) = layers.last().filter(|layer| layer.size.area() > 1 && layer.is_holey()) {
        layers.push(last.pulled());
    }
    while let Some(coarse) = layers.pop() {
        match layers.last_mut() {
            Some(fine) => fine.push(&coarse),
            None => return coarse.over(picture, unknown),
        }
    }
    picture.clone()
}

/// A colour times the share of it that is known, and that share.
type Cell = [f32; 4];

fn known([r, g, b]: [u8; 3], is_known: bool) -> Cell {
    if is_known { [f32::from(r), f32::from(g), f32::from(b), 1.0] } else { [0.0; 4] }
}

struct Layer {
    size: Size,
    cells: Vec<Cell>,
}

impl Layer {
    fn is_holey(&self) -> bool {
        self.cells.iter().any(|cell| cell[3] < 1.0)
    }

    fn at(&self, x: usize, y: usize) -> Cell {
        self.cells[y.min(self.size.height - 1) * self.size.width + x.min(self.size.width - 1)]
    }

    /// Half as fine: sums of four, of which a share of one is enough to be sure.
    fn pulled(&self) -> Self {
        let size = Size::new(self.size.width.div_ceil(2), self.size.height.div_ceil(2));
        let cell = |i: usize| {
            let (x, y) = (i % size.width * 2, i / size.width * 2);
            let mut sum = [0.0; 4];
            for cell in [self.at(x, y), self.at(x + 1, y), self.at(x, y + 1), self.at(x + 1, y + 1)] {
                (0..4).for_each(|c| sum[c] += cell[c]);
            }
            let scale = 1.0 / f32::max(sum[3], 1.0);
            sum.map(|v| v * scale)
        };
        Self { size, cells: (0..size.area()).map(cell).collect() }
    }

    /// What is missing here, out of the layer that is half as fine.
    fn push(&mut self, coarse: &Self) {
        for (i, cell) in self.cells.iter_mut().enumerate().filter(|(_, cell)| cell[3] < 1.0) {
            let below = coarse.between(i % self.size.width, i / self.size.width);
            let missing = 1.0 - cell[3];
            (0..4).for_each(|c| cell[c] += missing * below[c]);
        }
    }

    /// Bilinear at a pixel of the layer that is twice as fine.
    fn between(&self, x: usize, y: usize) -> Cell {
        let nearest = |at: usize, length: usize| {
            let (near, is_odd) = (at / 2, at % 2 == 1);
            (near, if is_odd { (near + 1).min(length - 1) } else { near.saturating_sub(1) })
        };
        let ((x0, x1), (y0, y1)) = (nearest(x, self.size.width), nearest(y, self.size.height));
        let corners = [(x0, y0, 9.0), (x1, y0, 3.0), (x0, y1, 3.0), (x1, y1, 1.0)];
        let mut sum = [0.0; 4];
        for (x, y, weight) in corners {
            let cell = self.at(x, y);
            (0..4).for_each(|c| sum[c] += cell[c] * weight / 16.0);
        }
        sum
    }

    /// The picture with this layer where it is unknown.
    fn over(&self, picture: &Canvas, unknown: &Plane) -> Canvas {
        let mut filled = picture.clone();
        let pixels = filled.as_rgb8_mut().as_chunks_mut::<3>().0.iter_mut();
        for ((pixel, cell), _) in pixels.zip(&self.cells).zip(unknown.values()).filter(|(_, u)| **u > 0.5) {
            *pixel = [cell[0], cell[1], cell[2]].map(|v| v.round().clamp(0.0, 255.0) as u8);
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_known_stays_and_the_rest_lies_between_its_colours(
            w in 1usize..20, h in 1usize..20, values in prop::collection::vec(40u8..200, 1200),
            holes in prop::collection::vec(prop::bool::weighted(0.6), 400),
        ) {
            let size = Size::new(w, h);
            let picture = Canvas::from_rgb8(size, values[..size.area() * 3].to_vec());
            let holes = holes[..size.area()].iter().map(|hole| f32::from(u8::from(*hole))).collect();
            let unknown = Plane::from_values(size, holes);
            prop_assume!(unknown.values().contains(&0.0));
            let filled = continued(&picture, &unknown);
            let bytes = filled.as_rgb8().as_chunks::<3>().0.iter().zip(picture.as_rgb8().as_chunks::<3>().0);
            for ((filled, original), unknown) in bytes.zip(unknown.values()) {
                prop_assert!(*unknown > 0.5 || filled == original);
                prop_assert!(filled.iter().all(|v| (39..=200).contains(v)), "{filled:?}");
            }
        }
    }

    #[test]
    fn an_edge_goes_on_in_its_own_colours() {
        let size = Size::new(32, 16);
        let colour = |i: usize| if i / 32 < 8 { [200, 0, 0] } else { [0, 0, 200] };
        let picture = Canvas::from_rgb8(size, (0..size.area()).flat_map(colour).collect());
        let unknown = (0..size.area()).map(|i| f32::from(u8::from(i % 32 >= 24))).collect();
        let filled = continued(&picture, &Plane::from_values(size, unknown));
        let (above, below) = (filled.pixel(24, 2), filled.pixel(24, 13));
        assert!(above[0] > 2 * above[2] && below[2] > 2 * below[0], "{above:?} {below:?}");
    }
}
