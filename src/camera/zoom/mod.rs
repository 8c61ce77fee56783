//! Zooms composed of key pictures: one lies inside the other, each shrunk and turned by its [`Placement`].
//!
//! # Bands
//!
//! A key picture's edge has two bands, each `overlap` of half the shorter side wide, counted from the edge inwards:
//!
//! ```text
//! edge |  join: what is painted around passes into the picture  |  over: coarse passes into fine  |  the picture
//! ```
//!
//! What is painted around a picture shows that picture in its middle, and there are two ways to put it there. [`join`]
//! puts it there as it is. [`settle`] gives the middle of the painted picture no more than the picture's colours, and
//! leaves it the strokes and the grain that it was painted with: a picture that is put there as it is stands out as a
//! box of finer grain. [`compose`] draws pictures over each other in a frame, and there the finer one comes in little
//! by little while the one around it is magnified ([`Passage`]), so that no key picture comes or goes with a jump.

mod draw;
mod lanczos;
mod settle;

use crate::canvas::{Canvas, Size};
use draw::{Film, Weigh};
pub use settle::settle;

/// How far the frame looks out over the innermost key when that key's bands begin to close, as a share of half the
/// shorter side.
const CLOSING: f64 = 0.4;

/// Share of the way from one key picture to the next, as logarithm of the scale, on which the finer one has come in.
/// Sooner shows less of what is magnified, later changes less at a time.
const COMING: f64 = 0.8;

/// Exponent of the superellipse that passages run along: a square's corners catch the eye, and a circle leaves the
/// frame's corners to the coarser picture for long.
const ROUNDNESS: f64 = 6.0;

/// Where a picture lies in a frame of the same size: about the common middle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Pixels of the frame for one of the picture, above 0.
    pub scale: f64,
    /// Degrees, counter-clockwise on screen.
    pub angle: f64,
}

impl Placement {
    /// The picture fills the frame.
    pub const WHOLE: Self = Self { scale: 1.0, angle: 0.0 };

    /// The place in the picture, from its middle, that is seen at `(x, y)` from the middle of the frame.
    fn inside(self, x: f64, y: f64) -> (f64, f64) {
        let angle = self.angle.to_radians();
        let (sin, cos) = (libm::sin(angle), libm::cos(angle));
        // On screen y goes down, which turns counter-clockwise round.
        ((x * cos - y * sin) / self.scale, (x * sin + y * cos) / self.scale)
    }

    /// Whether it lies straight, so that rows stay rows.
    fn is_straight(self) -> bool {
        self.angle == 0.0
    }
}

/// How far a picture has come into a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Passage {
    /// Share of its bands that is left, 0 to 1: at 0 it reaches to its very edge.
    pub bands: f64,
    /// How far it has come in, 0 to 1: at 0 nothing of it is seen; on the way it is strongest in its middle.
    pub share: f64,
}

impl Passage {
    /// It is there, but for its bands.
    pub const IN: Self = Self { bands: 1.0, share: 1.0 };

    fn weigh(self, size: Size, overlap: f64) -> Weigh {
        let edge = band(size, overlap) * self.bands;
        let wide = (band(size, 1.0) - edge).max(edge);
        let width = wide + (edge - wide) * self.share;
        Weigh::Band { from: edge, width, most: self.share, round: self.bands }
    }
}

/// A picture in a frame.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// The picture, of the frame's size.
    pub picture: &'a Canvas,
    /// Where it lies.
    pub placement: Placement,
    /// How much of it is seen.
    pub passage: Passage,
}

/// 0 to 1 without corners at either end (Hermite's cubic).
fn smooth(way: f64) -> f64 {
    let way = way.clamp(0.0, 1.0);
    way * way * (3.0 - 2.0 * way)
}

/// The width of a band in pixels of the picture.
fn band(size: Size, overlap: f64) -> f64 {
    overlap * size.width.min(size.height) as f64 / 2.0
}

/// How far a place of a picture, from its middle, lies inside its edge; negative outside. Pixels. With `round` the
/// edge's corners are cut off, 0 (not) to 1 (a superellipse that touches the sides).
fn depth(size: Size, (x, y): (f64, f64), round: f64) -> f64 {
    let half = (size.width as f64 / 2.0, size.height as f64 / 2.0);
    let straight = (half.0 - x.abs()).min(half.1 - y.abs());
    if round == 0.0 {
        return straight;
    }
    // From the middle the distance to the sides is half the shorter side, along the longer one as along the other.
    let least = half.0.min(half.1);
    let inner = (half.0 - least, half.1 - least);
    let (x, y) = ((x.abs() - inner.0).max(0.0) / least, (y.abs() - inner.1).max(0.0) / least);
    let norm = libm::pow(libm::pow(x, ROUNDNESS) + libm::pow(y, ROUNDNESS), 1.0 / ROUNDNESS);
    straight + (least * (1.0 - norm) - straight) * round
}

/// Whether what is opaque of a placed picture covers the whole frame; with `margin` bands left free at its edge.
pub fn covers(size: Size, placement: Placement, overlap: f64, margin: f64) -> bool {
    // Rounding of scales that are powers must not cost a picture.
    let round = if margin > 0.0 { 1.0 } else { 0.0 };
    nearest_corner(size, placement, round) >= margin * band(size, overlap) - 1e-6
}

/// How far inside a placed picture the corner of the frame lies that is nearest to its edge; negative outside. Pixels.
fn nearest_corner(size: Size, placement: Placement, round: f64) -> f64 {
    let (x, y) = (size.width as f64 / 2.0, size.height as f64 / 2.0);
    // The other two lie opposite.
    let inside = |(x, y)| depth(size, placement.inside(x, y), round);
    inside((x, y)).min(inside((-x, y)))
}

/// Which of the key pictures that lie at `places`, the innermost one first, make up a frame: the outermost first, each
/// with how far it has come in.
///
/// The lowest is the innermost one that covers the frame. Of those inside it each one is drawn whose surroundings are
/// magnified, and so are too coarse to show it; the more they are, the more of it. The innermost key has none inside
/// it: its bands close while it comes to fill the frame, so that there it is seen to its very edge.
pub fn chosen(size: Size, places: &[Placement], overlap: f64) -> impl Iterator<Item = (usize, Passage)> {
    let last = places.len().saturating_sub(1);
    let lowest = (1..places.len()).find(|key| covers(size, places[*key], overlap, 2.0)).unwrap_or(last);
    let drawn = (0..lowest).rev().take_while(|key| places[key + 1].scale > 1.0).collect::<Vec<usize>>();
    std::iter::once(lowest).filter(move |_| !places.is_empty()).chain(drawn).map(move |key| {
        // As far as the frame looks out over its edge.
        let gap = -nearest_corner(size, places[key], 0.0) / (CLOSING * band(size, 1.0));
        let bands = if key == 0 { gap.clamp(0.0, 1.0) } else { 1.0 };
        (key, Passage { bands, share: come_in(places, key) })
    })
}

/// How far a key picture has come in: 0 where the one around it fills the frame, 1 before it does so itself.
fn come_in(places: &[Placement], key: usize) -> f64 {
    let Some(around) = places.get(key + 1) else { return 1.0 };
    let way = libm::log(around.scale) / libm::log(around.scale / places[key].scale);
    smooth(way / COMING)
}

/// A frame: the layers over each other, the first one lowest and to its very edge (beyond that its edge goes on).
///
/// Each is sampled with Lanczos-3, stretched where it is shrunk so that nothing finer than the frame's pixels is left;
/// a picture that lies whole and straight is taken over to the byte.
pub fn compose(size: Size, layers: &[Layer<'_>], overlap: f64) -> Canvas {
    let mut film = Film::blank(size);
    for (index, layer) in layers.iter().enumerate() {
        let weigh = if index == 0 { Weigh::Everything } else { layer.passage.weigh(size, overlap) };
        film.draw(layer.picture, layer.placement, weigh);
    }
    film.into_canvas()
}

/// The painted picture with `inner` at its place in it as it is, one passing into the other in the join band.
pub fn join(painted: &Canvas, inner: &Canvas, placement: Placement, overlap: f64) -> Canvas {
    let size = painted.size();
    let mut film = Film::of(painted);
    let width = band(size, overlap);
    film.draw(inner, placement, Weigh::Band { from: 0.0, width, most: 1.0, round: 0.0 });
    film.into_canvas()
}

/// The picture to its very edge, and nothing beyond.
const WHOLE: Weigh = Weigh::Band { from: 0.0, width: 0.0, most: 1.0, round: 0.0 };

/// What is painted over to see around `inner`: it at its place, and around it its mirror image.
pub fn mirrored(inner: &Canvas, placement: Placement) -> Canvas {
    let size = inner.size();
    let mut film = Film::blank(size);
    film.mirror(inner, placement);
    film.draw(inner, placement, WHOLE);
    film.into_canvas()
}

/// What is to be painted around a placed picture: white, the join band with it; black is kept.
pub fn around(size: Size, placement: Placement, overlap: f64) -> Canvas {
    let kept = band(size, overlap);
    let mut mask = Canvas::filled(size, [255; 3]);
    let (across, down) = (size.width as f64 / 2.0, size.height as f64 / 2.0);
    for (i, pixel) in mask.as_rgb8_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) = ((i % size.width) as f64 + 0.5 - across, (i / size.width) as f64 + 0.5 - down);
        if depth(size, placement.inside(x, y), 0.0) >= kept {
            pixel.fill(0);
        }
    }
    mask
}

#[cfg(test)]
mod tests;
