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
//! [`join`] puts a picture into the middle of the one that was painted around it; the *join* band is where one passes
//! into the other, once and for all. [`compose`] draws pictures over each other in a frame. Inside of the join band the
//! outer picture shows the inner one already, only coarser, so that the *over* band mixes two views of the same
//! picture, and leaving out a picture that the one around it shows finely enough changes nothing: no key picture
//! comes or goes with a jump.

mod draw;
mod lanczos;

use crate::canvas::{Canvas, Size};
use draw::{Film, Weigh};

/// How far the frame looks out over the innermost key when that key's bands begin to close, as a share of half the
/// shorter side.
const CLOSING: f64 = 0.4;

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

/// A picture in a frame.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// The picture, of the frame's size.
    pub picture: &'a Canvas,
    /// Where it lies.
    pub placement: Placement,
    /// Share of its bands that is left, 0 to 1: at 0 it is opaque to its very edge.
    pub feather: f64,
}

/// The width of a band in pixels of the picture.
fn band(size: Size, overlap: f64) -> f64 {
    overlap * size.width.min(size.height) as f64 / 2.0
}

/// How far a place of a picture, from its middle, lies inside its edge; negative outside. Pixels.
fn depth(size: Size, (x, y): (f64, f64)) -> f64 {
    (size.width as f64 / 2.0 - x.abs()).min(size.height as f64 / 2.0 - y.abs())
}

/// Whether what is opaque of a placed picture covers the whole frame; with `margin` bands left free at its edge.
pub fn covers(size: Size, placement: Placement, overlap: f64, margin: f64) -> bool {
    // Rounding of scales that are powers must not cost a picture.
    nearest_corner(size, placement) >= margin * band(size, overlap) - 1e-6
}

/// How far inside a placed picture the corner of the frame lies that is nearest to its edge; negative outside. Pixels.
fn nearest_corner(size: Size, placement: Placement) -> f64 {
    let (x, y) = (size.width as f64 / 2.0, size.height as f64 / 2.0);
    // The other two lie opposite.
    let inside = |(x, y)| depth(size, placement.inside(x, y));
    inside((x, y)).min(inside((-x, y)))
}

/// Which of the key pictures that lie at `places`, the innermost one first, make up a frame: the outermost first, each
/// with the share of its bands that is left ([`Layer::feather`]).
///
/// The lowest is the innermost one that covers the frame. Of those inside it each one is drawn whose surroundings are
/// magnified, and so are too coarse to show it. The innermost key has none inside it: its bands close while it comes
/// to fill the frame, so that there it is seen to its very edge.
pub fn chosen(size: Size, places: &[Placement], overlap: f64) -> impl Iterator<Item = (usize, f64)> {
    let last = places.len().saturating_sub(1);
    let lowest = (1..places.len()).find(|key| covers(size, places[*key], overlap, 2.0)).unwrap_or(last);
    let drawn = (0..lowest).rev().take_while(|key| places[key + 1].scale > 1.0).collect::<Vec<usize>>();
    std::iter::once(lowest).filter(move |_| !places.is_empty()).chain(drawn).map(move |key| {
        // As far as the frame looks out over its edge.
        let gap = -nearest_corner(size, places[key]) / (CLOSING * band(size, 1.0));
        (key, if key == 0 { gap.clamp(0.0, 1.0) } else { 1.0 })
    })
}

/// A frame: the layers over each other, the first one lowest and to its very edge (beyond that its edge goes on).
///
/// Each is sampled with Lanczos-3, stretched where it is shrunk so that nothing finer than the frame's pixels is left;
/// a picture that lies whole and straight is taken over to the byte.
pub fn compose(size: Size, layers: &[Layer<'_>], overlap: f64) -> Canvas {
    let mut film = Film::blank(size);
    for (index, layer) in layers.iter().enumerate() {
        let width = band(size, overlap) * layer.feather;
        let weigh = if index == 0 { Weigh::Everything } else { Weigh::Band { from: width, width } };
        film.draw(layer.picture, layer.placement, weigh);
    }
    film.into_canvas()
}

/// The painted picture with `inner` at its place in it, one passing into the other in the join band.
pub fn join(painted: &Canvas, inner: &Canvas, placement: Placement, overlap: f64) -> Canvas {
    let size = painted.size();
    let mut film = Film::of(painted);
    film.draw(inner, placement, Weigh::Band { from: 0.0, width: band(size, overlap) });
    film.into_canvas()
}

/// What is painted over to see around `inner`: it at its place, and around it its mirror image.
pub fn mirrored(inner: &Canvas, placement: Placement) -> Canvas {
    let size = inner.size();
    let mut film = Film::blank(size);
    film.mirror(inner, placement);
    film.draw(inner, placement, Weigh::Band { from: 0.0, width: 0.0 });
    film.into_canvas()
}

/// What is to be painted around a placed picture: white, the join band with it; black is kept.
pub fn around(size: Size, placement: Placement, overlap: f64) -> Canvas {
    let kept = band(size, overlap);
    let mut mask = Canvas::filled(size, [255; 3]);
    let (across, down) = (size.width as f64 / 2.0, size.height as f64 / 2.0);
    for (i, pixel) in mask.as_rgb8_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) = ((i % size.width) as f64 + 0.5 - across, (i / size.width) as f64 + 0.5 - down);
        if depth(size, placement.inside(x, y)) >= kept {
            pixel.fill(0);
        }
    }
    mask
}

#[cfg(test)]
mod tests;
