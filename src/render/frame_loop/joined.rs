//! From what was there to what is new.

use crate::canvas::{Canvas, Plane};

/// `near` where it is known (not above 0.5 in `unknown`), and on from there more and more `far`, which it is wholly `over`
/// pixels away.
pub(super) fn passage(near: &Canvas, far: &Canvas, unknown: &Plane, over: f64) -> Canvas {
    let shares = distances(unknown).into_iter().map(|distance| match over > 0.0 {
        true => smooth(f64::from(distance) / over),
        false => f64::from(u8::from(distance > 0.0)),
    });
    let pixels = near.as_rgb8().as_chunks::<3>().0.iter().zip(far.as_rgb8().as_chunks::<3>().0);
    let mixed = pixels.zip(shares).flat_map(|((near, far), share)| {
        let mixed = |c: usize| f64::from(near[c]) + (f64::from(far[c]) - f64::from(near[c])) * share;
        [0, 1, 2].map(|c| mixed(c).round_ties_even() as u8)
    });
    Canvas::from_rgb8(near.size(), mixed.collect())
}

/// 0 to 1 without corners at either end (Hermite's cubic).
fn smooth(way: f64) -> f64 {
    let way = way.clamp(0.0, 1.0);
    way * way * (3.0 - 2.0 * way)
}

/// Pixels from each unknown one to the nearest known one, 0 for those: the chamfer distance with steps of 3 and 4 thirds
/// (Borgefors 1986), which is never more than a twelfth off. Far away where nothing is known.
fn distances(unknown: &Plane) -> Vec<f32> {
    let (width, height) = (unknown.size().width, unknown.size().height);
    let far = 3 * (width + height);
    let mut thirds: Vec<usize> = unknown.values().iter().map(|v| if *v > 0.5 { far } else { 0 }).collect();
    let mut look = |x: usize, y: usize, neighbours: [(isize, isize, usize); 4]| {
        let nearest = neighbours.into_iter().filter_map(|(dx, dy, step)| {
            let (x, y) = (x.checked_add_signed(dx)?, y.checked_add_signed(dy)?);
            (x < width && y < height).then(|| thirds[y * width + x] + step)
        });
        let nearest = nearest.min().unwrap_or(far);
        let own = &mut thirds[y * width + x];
        *own = nearest.min(*own);
    };
    for y in 0..height {
        (0..width).for_each(|x| look(x, y, [(-1, 0, 3), (-1, -1, 4), (0, -1, 3), (1, -1, 4)]));
    }
    for y in (0..height).rev() {
        (0..width).rev().for_each(|x| look(x, y, [(1, 0, 3), (1, 1, 4), (0, 1, 3), (-1, 1, 4)]));
    }
    thirds.into_iter().map(|third| third as f32 / 3.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Size;

    #[test]
    fn what_is_known_stays_and_what_is_far_is_held() {
        let size = Size::new(40, 9);
        let unknown = (0..size.area()).map(|i| f32::from(u8::from(i % 40 >= 10))).collect();
        let unknown = Plane::from_values(size, unknown);
        let (near, far) = (Canvas::filled(size, [40; 3]), Canvas::filled(size, [240; 3]));
        let mixed = passage(&near, &far, &unknown, 16.0);
        let row: Vec<u8> = (0..40).map(|x| mixed.pixel(x, 4)[0]).collect();
        assert!(row[..10].iter().all(|v| *v == 40) && row[26..].iter().all(|v| *v == 240), "{row:?}");
        assert!(row.is_sorted() && row.windows(2).all(|pair| pair[1] - pair[0] < 20), "{row:?}");
        let hard = passage(&near, &far, &unknown, 0.0);
        assert!(hard.pixel(9, 0) == [40; 3] && hard.pixel(10, 0) == [240; 3]);
        assert_eq!(passage(&near, &far, &Plane::filled(size, 1.0), 16.0), far);
    }

    #[test]
    fn distances_are_those_to_the_nearest_known_pixel() {
        let size = Size::new(31, 31);
        let mut unknown = Plane::filled(size, 1.0);
        unknown.values_mut()[15 * 31 + 15] = 0.0;
        for (i, distance) in distances(&unknown).into_iter().enumerate() {
            let (dx, dy) = ((i % 31) as f64 - 15.0, (i / 31) as f64 - 15.0);
            let exact = (dx * dx + dy * dy).sqrt();
            assert!((f64::from(distance) - exact).abs() <= exact / 12.0, "{distance} for {exact}");
        }
    }
}
