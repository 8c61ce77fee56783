//! How far each pixel is from a set of pixels.

use crate::canvas::Size;

/// Farther than any picture is wide; squared it is still a number.
const FAR: f32 = 1e9;

/// The squared distance of each pixel's centre to the nearest centre of the set, 0 in it, exact (Felzenszwalb &
/// Huttenlocher 2012, "Distance transforms of sampled functions"). Without a set everything is far.
pub(in crate::diffusion::engine) fn distances(set: &[bool], size: Size) -> Vec<f32> {
    let Size { width, height } = size;
    let mut values: Vec<f32> = set.iter().map(|inside| if *inside { 0.0 } else { FAR }).collect();
    let mut hull = Hull::default();
    for row in values.chunks_exact_mut(width.max(1)) {
        hull.transform(row);
    }
    let mut column = vec![0.0; height];
    for x in 0..width {
        (0..height).for_each(|y| column[y] = values[y * width + x]);
        hull.transform(&mut column);
        (0..height).for_each(|y| values[y * width + x] = column[y]);
    }
    values
}

/// The lower envelope of parabolas: their lowest points, and where each begins to be the lowest.
#[derive(Default)]
struct Hull {
    places: Vec<usize>,
    begins: Vec<f32>,
    line: Vec<f32>,
}

impl Hull {
    /// The lowest of the parabolas that stand on a line's values, at each place of the line.
    fn transform(&mut self, line: &mut [f32]) {
        self.places.clear();
        self.begins.clear();
        self.line.clear();
        self.line.extend_from_slice(line);
        for (place, value) in self.line.iter().enumerate() {
            let mut begin = f32::NEG_INFINITY;
            while let (Some(last), Some(start)) = (self.places.last(), self.begins.last()) {
                begin = crossing((*last, self.line[*last]), (place, *value));
                if begin > *start {
                    break;
                }
                self.places.pop();
                self.begins.pop();
                begin = f32::NEG_INFINITY;
            }
            self.places.push(place);
            self.begins.push(begin);
        }
        let mut at = 0;
        for (x, value) in line.iter_mut().enumerate() {
            while self.begins.get(at + 1).is_some_and(|begin| *begin < x as f32) {
                at += 1;
            }
            let away = x as f32 - self.places[at] as f32;
            *value = (self.line[self.places[at]] + away * away).min(FAR);
        }
    }
}

/// Where the parabola on `b` falls below that on `a`, which stands to the left.
fn crossing(a: (usize, f32), b: (usize, f32)) -> f32 {
    let (x, y) = (a.0 as f64, b.0 as f64);
    (((f64::from(b.1) + y * y) - (f64::from(a.1) + x * x)) / (2.0 * (y - x))) as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn distances_are_those_of_trying_every_pixel(
            w in 1usize..14, h in 1usize..14, bits in prop::collection::vec(prop::bool::weighted(0.1), 200),
        ) {
            let size = Size::new(w, h);
            let set = &bits[..size.area()];
            let found = distances(set, size);
            for (i, found) in found.iter().enumerate() {
                let to = |j: usize| {
                    let (dx, dy) = ((i % w).abs_diff(j % w), (i / w).abs_diff(j / w));
                    (dx * dx + dy * dy) as f32
                };
                let nearest = (0..size.area()).filter(|j| set[*j]).map(to).fold(FAR, f32::min);
                prop_assert_eq!(*found, nearest);
            }
        }
    }
}
