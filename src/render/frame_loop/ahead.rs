//! `border = outpaint` with the flat camera: what comes into sight is painted before it does.
//!
//! A latent pixel is eight pixels wide, and a scroll uncovers three at a time: a band of whole latent pixels, with the
//! picture around it, can only be painted outside of the frame. So the loop carries a picture that is wider than the
//! frame. Frames are painted with what of it lies ahead of the camera; when no more of that is known than the passage
//! between old and new needs, all that is unknown is painted new in the same run.
//!
//! The fewer and the wider the bands are, the better: a band of two latent pixels can hardly be anything but a streak
//! along its join, and what is new is a continuation of what was new before.

use super::continued::continued;
use super::joined::passage;
use crate::camera::{Sides, reach, reach_round, uncovered_sides};
use crate::canvas::{Canvas, Plane, Size};
use crate::noise::stream_seed;
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

/// Whether what is known of a frame that is painted with what lies ahead stays as it is, so that nothing but what is new
/// is painted, held to the scene's look or roughened.
pub(super) fn keeps(params: &FrameParams) -> bool {
    params.sampling.strength >= 1.0
}

/// Seed of the noise of what is new in a frame: the frame's, but where the same side is painted again and again. There
/// the same seed would give the same land again, in a film whose `seed` is fixed.
pub(super) fn seed(params: &FrameParams, is_ahead: bool) -> u64 {
    let seed = params.sampling.seed.cast_unsigned();
    // Generators look at 32 bits.
    if is_ahead { u64::from(stream_seed(seed, params.frame, "outpaint") as u32) } else { seed }
}

/// Pixels that are painted ahead: whole latent pixels, three at least.
///
/// Where the known is kept a painting is needed now and then only, and may be large; else every frame is painted with
/// what lies ahead. Not all round the frame, though: a model that is shown a picture in the middle of a much larger one
/// paints another picture around it, not more of it.
fn ahead(params: &FrameParams, camera: &Camera2d, fill: &FillParams, frame: Size) -> usize {
    let Sides { left, right, top, bottom } = uncovered_sides(camera, frame);
    let is_scroll = !(left && right || top && bottom);
    if keeps(params) && is_scroll { most_ahead(fill, frame) } else { whole_cells(fill, frame, 8) }
}

/// The most pixels that are painted ahead in a film of these settings, whatever its strengths.
fn most_ahead(fill: &FillParams, frame: Size) -> usize {
    whole_cells(fill, frame, 4)
}

/// The margin that is asked for, or that share of the longer side.
fn whole_cells(fill: &FillParams, frame: Size, share: usize) -> usize {
    let longer = frame.width.max(frame.height);
    let wanted = fill.margin.map_or(longer / share, |margin| margin as usize);
    // More than a frame beyond a frame is more than any model looks at.
    wanted.min(longer).next_multiple_of(CELL).max(3 * CELL)
}

/// Pixels beyond the edges that must be known, else the rest is painted: so many as the passage between known and new
/// needs out of sight, one frame later. Half of what is painted at most.
fn enough(camera: &Camera2d, fill: &FillParams, frame: Size, more: usize) -> usize {
    let wanted = fill.feather.max(2.0 * CELL as f64) + reach(camera, frame).ceil();
    (wanted.min(more as f64 / 2.0)) as usize
}

/// The largest picture that is painted for a frame of a film of size `frame`.
pub fn painted_size(params: &FrameParams, frame: Size) -> Size {
    let Some((camera, fill)) = camera(params).filter(|_| !params.cut) else { return frame };
    let sides = uncovered_sides(camera, frame);
    let more = ahead(params, camera, fill, frame) + CELL;
    let grown = |length: usize, a: bool, b: bool| length + (usize::from(a) + usize::from(b)) * more;
    Size::new(grown(frame.width, sides.left, sides.right), grown(frame.height, sides.top, sides.bottom))
}

/// Share of the frames of a steady camera that rebuild something, 0 to 1.
pub fn rebuilding(params: &FrameParams, frame: Size) -> f64 {
    if params.cut || params.fill.is_none() {
        return 0.0;
    }
    match camera(params) {
        Some((camera, fill)) => {
            let more = ahead(params, camera, fill, frame);
            (reach(camera, frame) / (more - enough(camera, fill, frame, more)) as f64).min(1.0)
        }
        None => 1.0,
    }
}

/// Pixels beyond the frame's edges that are remembered: what is painted ahead, and the circle round the frame where the
/// camera turns, so that what a turn brings back into sight is still there.
fn margin(camera: &Camera2d, fill: &FillParams, frame: Size) -> usize {
    // The same for all strengths: those that change on the way lose nothing.
    let painted = most_ahead(fill, frame);
    let round = half_diagonal(frame) - frame.width.min(frame.height) as f64 / 2.0;
    let round = if camera.angle == 0.0 { 0 } else { round.ceil() as usize };
    painted.max(round) + CELL
}

fn half_diagonal(frame: Size) -> f64 {
    let (width, height) = (frame.width as f64, frame.height as f64);
    (width * width + height * height).sqrt() / 2.0
}

/// Pixels from the frame's middle within which something must be known: a camera that only turns never looks beyond the
/// circle round the frame and what its pixels are mixed of there.
fn sight(camera: &Camera2d, frame: Size) -> f64 {
    if reach_round(camera, frame) > 0.0 { f64::INFINITY } else { half_diagonal(frame) + 2.0 }
}

/// A frame that is painted with what lies ahead of the camera.
pub(super) struct Ahead {
    /// What is known, as it was painted.
    wide: Wide,
    /// As it is seen now.
    seen: Wide,
    /// What of that is painted.
    pub part: Part,
    /// What of the part is new; `None` when enough is known.
    pub uncovered: Option<Plane>,
    /// Pixels over which strengths pass into each other.
    pub feather: f64,
    /// Beyond which the camera looks.
    sides: Sides,
    /// What is known stays as it is.
    keeps: bool,
    /// Pixels over which what is new passes into what the scene is held to.
    passage: f64,
}

impl Ahead {
    /// The previous frame and all that is known around it, moved; `None` when the frame is an ordinary one.
    pub fn of(params: &FrameParams, previous: &Canvas, wide: Option<Wide>) -> Option<Self> {
        let (camera, fill) = camera(params)?;
        let (frame, keeps) = (previous.size(), keeps(params));
        let margin = margin(camera, fill, frame);
        let wide = wide.unwrap_or_else(|| Wide::around(previous, margin)).with_margin(margin).moved(camera);
        let seen = wide.seen(camera.sampling);
        let (more, radius) = (ahead(params, camera, fill, frame), sight(camera, frame));
        let sides = uncovered_sides(camera, frame);
        let part = seen.reaching(sides, more);
        let passage = fill.feather;
        if !seen.lacks(seen.reaching(sides, enough(camera, fill, frame, more)), radius) {
            return Some(Self { wide, seen, part, uncovered: None, feather: 0.0, sides, keeps, passage });
        }
        let known = |reach: &usize| !seen.lacks(seen.reaching(sides, *reach), radius);
        let feather = fill.feather.min(out_of_sight(more, known));
        let part = aligned(&seen, part, sides);
        let uncovered = Some(unseen(&seen, part, sides));
        Some(Self { wide, seen, part, uncovered, feather, sides, keeps, passage })
    }

    /// Whether nothing is painted: the frame is what is known, as it is seen now.
    pub fn is_known(&self) -> bool {
        self.keeps && self.uncovered.is_none()
    }

    /// What of the painted part the scene's look is judged by: what is seen of it, or, where that is not painted, what will
    /// be once the camera has moved on. The part as a whole is not like a frame: beyond its edges there is more sky or
    /// more ground, and a film that is matched by them drifts away from its first frame.
    pub fn judged(&self, picture: &Canvas) -> Canvas {
        let (seen, part) = (self.seen.middle(), self.part);
        if !self.keeps {
            return picture.cut(seen.left - part.left, seen.top - part.top, seen.size);
        }
        let Sides { left, right, top, bottom } = self.sides;
        // The end that the camera moves to, or all of an axis on which both ends are.
        let along = |before: bool, behind: bool, length: usize, frame: usize| match (before, behind) {
            (true, true) => (0, length),
            (true, false) => (0, frame),
            _ => (length - frame, frame),
        };
        let (x, width) = along(left, right, part.size.width, seen.size.width);
        let (y, height) = along(top, bottom, part.size.height, seen.size.height);
        picture.cut(x, y, Size::new(width, height))
    }

    /// What was painted, held to the scene's look: where what is known stays as it is, only what is new is held, the more
    /// the farther it is from what is known.
    pub fn held(&self, painted: &Canvas, held: Canvas) -> Canvas {
        match &self.uncovered {
            Some(uncovered) if self.keeps => passage(painted, &held, uncovered, self.passage),
            _ => held,
        }
    }

    /// The picture that is painted over.
    pub fn picture(&self) -> Canvas {
        continued(&self.seen.cut(self.part), &self.seen.unknown(self.part))
    }

    /// A picture of the frame that goes on to the edges of what is painted.
    pub fn around(&self, picture: &Canvas) -> Canvas {
        let Size { width, height } = self.part.size;
        let (left, top) = (self.seen.middle().left, self.seen.middle().top);
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
        if self.is_known() {
            return (self.seen.cut(self.seen.middle()), self.wide);
        }
        let Self { mut seen, part, uncovered, .. } = self;
        seen.put(part, painted);
        if let Some(uncovered) = uncovered {
            seen.learn(part, &uncovered);
        }
        // Wide kernels look a little beyond what is known: it goes on there as if it were.
        let (whole, middle) = (seen.whole(), seen.middle());
        let around = continued(&seen.cut(whole), &seen.unknown(whole));
        seen.put(whole, &around);
        (seen.cut(middle), seen)
    }
}

/// Fewer pixels are no passage.
const FEWEST: usize = 4;

/// Pixels beyond the frame's edges that are known: the feather stays among them, so that nothing changes in sight.
/// Without end where they are too few and the frame itself must be joined to what is new.
fn out_of_sight(more: usize, is_known: impl FnMut(&usize) -> bool) -> f64 {
    (FEWEST..=more).take_while(is_known).last().map_or(f64::INFINITY, |known| known as f64)
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
