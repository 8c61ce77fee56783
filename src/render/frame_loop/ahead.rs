//! `border = outpaint` with the flat camera: what comes into sight is painted before it does.
//!
//! A latent pixel is eight pixels wide, and a scroll uncovers three at a time: a band of whole latent pixels, with the
//! picture around it, can only be painted outside of the frame. So the loop carries a picture that is wider than the
//! frame. Frames are painted with what of it lies ahead of the camera; when the known part of that has shrunk to half,
//! all that is unknown is painted new in the same run.

use super::continued::continued;
use crate::camera::{Sides, reach, uncovered_sides};
use crate::canvas::{Canvas, Plane, Size};
use crate::render::wide::{Part, Wide};
use crate::timeline::frame::{Camera, Camera2d, FillParams, FrameParams};

/// Pixels of a latent pixel, of every autoencoder there is.
const CELL: usize = 8;

/// The camera and the fill of a frame that is painted with what lies ahead; `None` of one that is not: its border is
/// another, its camera is deep (what that uncovers is rebuilt as it comes into sight), or masks, pictures or the end of a
/// loop belong to the frame alone.
fn camera(params: &FrameParams) -> Option<(&Camera2d, &FillParams)> {
    let (hold, masked) = (&params.hold, params.mask.is_some());
    let masked = masked || hold.noise_mask.is_some() || hold.sharpen_mask.is_some();
    let masked = masked || params.guide.is_some() || params.hybrid.is_some() || params.closing.is_some();
    match (&params.camera, &params.fill) {
        (Camera::Flat(camera), Some(fill)) if fill.outpaint && !masked => Some((camera, fill)),
        _ => None,
    }
}

/// Pixels that are painted ahead: whole latent pixels, three at least.
fn ahead(fill: &FillParams, frame: Size) -> usize {
    let usual = || frame.width.max(frame.height) / 8;
    let wanted = fill.margin.map_or_else(usual, |margin| margin as usize);
    // More than a frame beyond a frame is more than any model looks at.
    wanted.min(frame.width.max(frame.height)).next_multiple_of(CELL).max(3 * CELL)
}

/// The largest picture that is painted for a frame of a film of size `frame`.
pub fn painted_size(params: &FrameParams, frame: Size) -> Size {
    let Some((camera, fill)) = camera(params).filter(|_| !params.cut) else { return frame };
    let sides = uncovered_sides(camera, frame);
    let more = ahead(fill, frame) + CELL;
    let grown = |length: usize, a: bool, b: bool| length + (usize::from(a) + usize::from(b)) * more;
    Size::new(grown(frame.width, sides.left, sides.right), grown(frame.height, sides.top, sides.bottom))
}

/// Share of the frames of a steady camera that rebuild something, 0 to 1.
pub fn rebuilding(params: &FrameParams, frame: Size) -> f64 {
    if params.cut || params.fill.is_none() {
        return 0.0;
    }
    match camera(params) {
        Some((camera, fill)) => (reach(camera, frame) / (ahead(fill, frame) / 2) as f64).min(1.0),
        None => 1.0,
    }
}

/// A frame that is painted with what lies ahead of the camera.
pub(super) struct Ahead {
    wide: Wide,
    /// What of it is painted.
    pub part: Part,
    /// What of that is new; `None` when enough is known.
    pub uncovered: Option<Plane>,
    /// Pixels over which strengths pass into each other.
    pub feather: f64,
}

impl Ahead {
    /// The previous frame and all that is known around it, moved; `None` when the frame is an ordinary one.
    pub fn of(params: &FrameParams, previous: &Canvas, wide: Option<Wide>) -> Option<Self> {
        let (camera, fill) = camera(params)?;
        let frame = previous.size();
        let more = ahead(fill, frame);
        let margin = more + CELL;
        let wide = wide.filter(|wide| wide.margin() == margin);
        let wide = wide.unwrap_or_else(|| Wide::around(previous, margin)).moved(camera);
        let sides = uncovered_sides(camera, frame);
        let part = wide.reaching(sides, more);
        if !wide.lacks(wide.reaching(sides, more / 2)) {
            return Some(Self { wide, part, uncovered: None, feather: 0.0 });
        }
        let feather = fill.feather.min(out_of_sight(&wide, sides, more));
        let part = aligned(&wide, part, sides);
        let uncovered = unseen(&wide, part, sides);
        Some(Self { wide, part, uncovered: Some(uncovered), feather })
    }

    /// The picture that is painted over.
    pub fn picture(&self) -> Canvas {
        continued(&self.wide.cut(self.part), &self.wide.unknown(self.part))
    }

    /// A picture of the frame that goes on to the edges of what is painted.
    pub fn around(&self, picture: &Canvas) -> Canvas {
        let Size { width, height } = self.part.size;
        let (left, top) = (self.wide.middle().left, self.wide.middle().top);
        let at = |place: usize, offset: usize, start: usize, length: usize| {
            (place + offset).saturating_sub(start).min(length - 1)
        };
        let pixels = (0..width * height).flat_map(|i| {
            let x = at(i % width, self.part.left, left, picture.width());
            let y = at(i / width, self.part.top, top, picture.height());
            picture.pixel(x, y)
        });
        Canvas::from_rgb8(self.part.size, pixels.collect())
    }

    /// What is seen of the painted part, and all that is known now.
    pub fn finish(self, painted: &Canvas) -> (Canvas, Wide) {
        let Self { mut wide, part, uncovered, .. } = self;
        wide.put(part, painted);
        if let Some(uncovered) = uncovered {
            wide.learn(part, &uncovered);
        }
        (wide.cut(wide.middle()), wide)
    }
}

/// Fewer pixels are no passage.
const FEWEST: usize = 4;

/// Pixels beyond the frame's edges that are known: the feather stays among them, so that nothing changes in sight.
/// Without end where they are too few and the frame itself must be joined to what is new.
fn out_of_sight(wide: &Wide, sides: Sides, more: usize) -> f64 {
    let known = (FEWEST..=more).take_while(|reach| !wide.lacks(wide.reaching(sides, *reach))).last();
    known.map_or(f64::INFINITY, |known| known as f64)
}

/// The part and a latent pixel more, moved so that the line where the known ends runs between two latent pixels: then
/// none of them is half known. Only where one side of an axis is uncovered: a scroll.
fn aligned(wide: &Wide, part: Part, sides: Sides) -> Part {
    let unknown = wide.unknown(part);
    let (width, height) = (part.size.width, part.size.height);
    let is_unknown = |x: usize, y: usize| unknown.values()[y * width + x] > 0.5;
    let across = |x: usize| is_unknown(x, height / 2);
    let down = |y: usize| is_unknown(width / 2, y);
    let (left, width) = shifted(part.left, width, (sides.left, sides.right), &across);
    let (top, height) = shifted(part.top, height, (sides.top, sides.bottom), &down);
    Part { left, top, size: Size::new(width, height) }
}

/// Start and length of a part along one axis.
fn shifted(
    start: usize,
    length: usize,
    sides: (bool, bool),
    is_unknown: &dyn Fn(usize) -> bool,
) -> (usize, usize) {
    match sides {
        (false, true) => {
            let known = (length / 2..length).find(|place| is_unknown(*place)).unwrap_or(length);
            (start + known % CELL - CELL, length + CELL)
        }
        (true, false) => {
            let known = (0..length / 2).rfind(|place| is_unknown(*place)).map_or(0, |place| place + 1);
            (start - (CELL - known % CELL) % CELL, length + CELL)
        }
        _ => (start, length),
    }
}

/// What is unknown of a part, but for what the alignment added beyond sides that nobody looks at.
fn unseen(wide: &Wide, part: Part, sides: Sides) -> Plane {
    let middle = wide.middle();
    let mut unknown = wide.unknown(part);
    let width = part.size.width;
    for (i, value) in unknown.values_mut().iter_mut().enumerate() {
        let (x, y) = (part.left + i % width, part.top + i / width);
        let beyond = [
            !sides.left && x < middle.left,
            !sides.right && x >= middle.left + middle.size.width,
            !sides.top && y < middle.top,
            !sides.bottom && y >= middle.top + middle.size.height,
        ];
        if beyond.contains(&true) {
            *value = 0.0;
        }
    }
    unknown
}
