//! Outlines of a picture, as line control networks are shown them.
//!
//! Canny 1986, "A Computational Approach to Edge Detection", with the choices of OpenCV's `Canny` (4.x, aperture 3,
//! L1 gradient), whose bytes it reproduces: of the three channels each pixel takes the one that changes most,
//! the direction is cut into four by integer tangents, and ties go as they go there.

use crate::canvas::{Canvas, Size};

/// tan 22.5°, with 15 bits behind the point.
const TAN_22: i64 = 13573;

/// The edges of `picture`, white on black, a pixel wide.
///
/// An edge begins where the gradient (|∂x| + |∂y|, Sobel, 0 to 2040) is above `high`, and goes on over
/// neighbours above `low`; the fractions of both are cut off, and the smaller one is `low`.
pub fn canny(picture: &Canvas, low: f64, high: f64) -> Canvas {
    let (low, high) = if low > high { (high, low) } else { (low, high) };
    let (low, high) = (low.floor() as i64, high.floor() as i64);
    let gradient = Gradient::of(picture);
    let mut edges = Edges { size: picture.size(), marks: vec![Mark::No; picture.size().area()] };
    let mut beginnings = Vec::new();
    for y in 0..picture.height() {
        for x in 0..picture.width() {
            let strength = gradient.strength(x as isize, y as isize);
            if strength > low && gradient.is_ridge(x as isize, y as isize) {
                edges.marks[y * picture.width() + x] = Mark::Perhaps;
                if strength > high {
                    beginnings.push((x, y));
                }
            }
        }
    }
    edges.follow(beginnings);
    let byte = |mark: &Mark| [if *mark == Mark::Edge { 255 } else { 0 }; 3];
    Canvas::from_rgb8(picture.size(), edges.marks.iter().flat_map(byte).collect())
}

/// What is known of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    No,
    /// An edge if one leads to it.
    Perhaps,
    Edge,
}

struct Edges {
    size: Size,
    marks: Vec<Mark>,
}

impl Edges {
    /// Marks what hangs together with the beginnings, over corners too.
    fn follow(&mut self, mut open: Vec<(usize, usize)>) {
        while let Some((x, y)) = open.pop() {
            let mark = &mut self.marks[y * self.size.width + x];
            if *mark != Mark::Perhaps {
                continue;
            }
            *mark = Mark::Edge;
            for near_y in y.saturating_sub(1)..=(y + 1).min(self.size.height - 1) {
                for near_x in x.saturating_sub(1)..=(x + 1).min(self.size.width - 1) {
                    open.push((near_x, near_y));
                }
            }
        }
    }
}

/// The gradient of every pixel.
struct Gradient {
    size: Size,
    across: Vec<i64>,
    down: Vec<i64>,
}

impl Gradient {
    /// Sobel's derivatives of the channel that changes most; beyond the border the picture goes on as it ends.
    fn of(picture: &Canvas) -> Self {
        let (width, height) = (picture.width(), picture.height());
        let rgb = picture.as_rgb8();
        let mut gradient =
            Self { size: picture.size(), across: vec![0; width * height], down: vec![0; width * height] };
        for y in 0..height {
            let rows = [y.saturating_sub(1), y, (y + 1).min(height - 1)];
            for x in 0..width {
                let columns = [x.saturating_sub(1), x, (x + 1).min(width - 1)];
                let at = |row: usize, column: usize, channel: usize| {
                    i64::from(rgb[(rows[row] * width + columns[column]) * 3 + channel])
                };
                let mut most = (-1, 0, 0);
                for c in 0..3 {
                    let across = at(0, 2, c) - at(0, 0, c) + 2 * (at(1, 2, c) - at(1, 0, c)) + at(2, 2, c)
                        - at(2, 0, c);
                    let down = at(2, 0, c) - at(0, 0, c) + 2 * (at(2, 1, c) - at(0, 1, c)) + at(2, 2, c)
                        - at(0, 2, c);
                    let strength = across.abs() + down.abs();
                    // Of equals the first channel counts.
                    if strength > most.0 {
                        most = (strength, across, down);
                    }
                }
                (gradient.across[y * width + x], gradient.down[y * width + x]) = (most.1, most.2);
            }
        }
        gradient
    }

    /// 0 beyond the border.
    fn strength(&self, x: isize, y: isize) -> i64 {
        let (width, height) = (self.size.width as isize, self.size.height as isize);
        if !(0..width).contains(&x) || !(0..height).contains(&y) {
            return 0;
        }
        let at = (y * width + x) as usize;
        self.across[at].abs() + self.down[at].abs()
    }

    /// Whether a pixel inside is stronger than its two neighbours along the gradient.
    fn is_ridge(&self, x: isize, y: isize) -> bool {
        let at = y as usize * self.size.width + x as usize;
        let (across, down) = (self.across[at], self.down[at]);
        let here = self.strength(x, y);
        let (run, rise) = (across.abs() * TAN_22, down.abs() << 15);
        if rise < run {
            return here > self.strength(x - 1, y) && here >= self.strength(x + 1, y);
        }
        // tan 67.5° = tan 22.5° + 2.
        if rise > run + (across.abs() << 16) {
            return here > self.strength(x, y - 1) && here >= self.strength(x, y + 1);
        }
        let side = if (across ^ down) < 0 { -1 } else { 1 };
        here > self.strength(x - side, y - 1) && here > self.strength(x + side, y + 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grey(size: Size, value: impl Fn(usize, usize) -> u8) -> Canvas {
        let pixel = |i: usize| [value(i % size.width, i / size.width); 3];
        Canvas::from_rgb8(size, (0..size.area()).flat_map(pixel).collect())
    }

    #[test]
    fn a_step_is_one_line() {
        let step = grey(Size::new(16, 8), |x, _| if x < 8 { 0 } else { 200 });
        let edges = canny(&step, 100.0, 200.0);
        for y in 0..8 {
            let row: Vec<usize> = (0..16).filter(|x| edges.pixel(*x, y)[0] == 255).collect();
            assert_eq!(row.len(), 1, "row {y}");
            assert!(row[0] == 7 || row[0] == 8);
        }
    }

    #[test]
    fn weak_edges_stay_only_where_a_strong_one_leads_to_them() {
        // A contrast that fades downwards: 4 · 200 at the top, 4 · 20 below.
        let fading = grey(Size::new(16, 16), |x, y| {
            if x < 8 {
                0
            } else if y < 4 {
                200
            } else {
                40
            }
        });
        let alone = grey(Size::new(16, 16), |x, _| if x < 8 { 0 } else { 40 });
        let lit = |canvas: &Canvas, y| (0..16).any(|x| canvas.pixel(x, y)[0] == 255);
        assert!(lit(&canny(&fading, 100.0, 400.0), 14));
        assert!(!lit(&canny(&alone, 100.0, 400.0), 14));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_knows_no_colour_but_black_and_white_and_higher_thresholds_find_less(
            bytes in prop::collection::vec(any::<u8>(), 7 * 9 * 3),
            low in 0.0..1000.0f64, more in 0.0..500.0f64, high in 0.0..1000.0f64,
        ) {
            let picture = Canvas::from_rgb8(Size::new(7, 9), bytes);
            let few = canny(&picture, low + more, low.max(high) + more);
            let many = canny(&picture, low, low.max(high));
            for (a, b) in few.as_rgb8().iter().zip(many.as_rgb8()) {
                prop_assert!(*a == 0 || *a == 255);
                prop_assert!(a <= b);
            }
            prop_assert_eq!(canny(&picture, low, high), canny(&picture, high, low));
        }

        #[test]
        fn the_negative_has_the_same_edges(bytes in prop::collection::vec(any::<u8>(), 8 * 8 * 3)) {
            let picture = Canvas::from_rgb8(Size::new(8, 8), bytes.clone());
            let negative = Canvas::from_rgb8(Size::new(8, 8), bytes.iter().map(|b| 255 - b).collect());
            prop_assert_eq!(canny(&picture, 50.0, 150.0), canny(&negative, 50.0, 150.0));
        }
    }
}
