//! What stands for a model, for pictures and for depth in the recorded runs (see the data's README).

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kinora::canvas::{Canvas, DepthMap, Size};
use kinora::error::Result;
use kinora::render::seams::{PaintRequest, Painter, Sources};
use kinora::timeline::frame::{DepthSource, Fit, FrameParams};
use serde_json::Value;

/// The recorded runs' stand-in for a model (see the data's README).
pub struct Pattern {
    /// The log of the recorded run.
    pub calls: Vec<Value>,
    /// How often it was asked.
    pub painted: Rc<Cell<usize>>,
}

impl Pattern {
    /// The seed of this painting: of one that does not count Deforum draws it from the clock, so that it can only be
    /// had from the log.
    fn seed(&self, params: &FrameParams) -> i64 {
        let at = self.painted.replace(self.painted.get() + 1);
        let frame = |at: usize| self.calls.get(at).and_then(|call| call["frame"].as_u64());
        let counts = frame(at) != Some(u64::from(params.frame)) || frame(at + 1) != frame(at);
        let drawn = self.calls.get(at).and_then(|call| call["seed"].as_i64()).filter(|_| !counts);
        drawn.unwrap_or(params.sampling.seed)
    }
}

impl Painter for Pattern {
    fn paint(
        &mut self,
        request: &PaintRequest<'_>,
        _watch: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Canvas>> {
        let params = request.params;
        let (seed, strength) = (self.seed(params).rem_euclid(1 << 32), params.sampling.strength);
        let triangle = |v: i64| match v.rem_euclid(512) {
            v if v > 255 => 511 - v,
            v => v,
        };
        let mut canvas = Canvas::filled(request.size, [0; 3]);
        let width = request.size.width;
        for (i, value) in canvas.as_rgb8_mut().iter_mut().enumerate() {
            let (x, y, channel) = ((i / 3 % width) as i64, (i / 3 / width) as i64, (i % 3) as i64);
            let pattern =
                triangle(3 * x + 5 * y + 17 * seed + 40 * channel + 7 * i64::from(params.frame)) as f64;
            *value = match request.init {
                Some(init) => {
                    (f64::from(init.as_rgb8()[i]) * strength + pattern * (1.0 - strength) + 0.5).floor() as u8
                }
                None => pattern as u8,
            };
        }
        Ok(Some(canvas))
    }
}

/// The init picture of a run, if it has one.
pub struct Given {
    pub init: Option<Canvas>,
    pub folder: PathBuf,
}

impl Sources for Given {
    fn picture(&mut self, path: &Path, size: Size, _fit: Fit) -> Result<Canvas> {
        if !path.as_os_str().is_empty() {
            return Ok(Canvas::open(&self.folder.join(path))?.resized(size));
        }
        Ok(self.init.as_ref().map_or_else(|| Canvas::filled(size, [0; 3]), |init| init.resized(size)))
    }

    fn edges(&mut self, path: &Path, size: Size, fit: Fit, (low, high): (f64, f64)) -> Result<Canvas> {
        Ok(kinora::edges::canny(&self.picture(path, size, fit)?, low, high))
    }

    fn depth(&mut self, _source: &DepthSource, picture: &Canvas) -> Result<DepthMap> {
        // Blue first, as the recorded stand-in saw it.
        let near = |[r, g, b]: &[u8; 3]| {
            (0.299 * f64::from(*b) + 0.587 * f64::from(*g) + 0.114 * f64::from(*r)) as f32
        };
        let values = picture.as_rgb8().as_chunks::<3>().0.iter().map(near).collect();
        Ok(DepthMap::from_values(picture.size(), values))
    }

    fn hint(&self, depth: &DepthMap) -> Canvas {
        Canvas::filled(depth.size(), [128; 3])
    }
}
