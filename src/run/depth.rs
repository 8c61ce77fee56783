//! `depth`: the depth of a picture, as a network sees it.

use std::path::{Path, PathBuf};

use crate::camera;
use crate::canvas::{Canvas, Size};
use crate::depth::{DepthEstimator as _, Estimator};
use crate::error::{Error, Result};
use crate::render::depth_file;
use crate::run::models::DeviceChoice;
use crate::run::sources::{EMBEDDED_DEPTH, depth_network};

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The file.
    pub out: PathBuf,
    /// Its size.
    pub size: Size,
    /// The network.
    pub model: String,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { out, size, model } = self;
        writeln!(f, "{}: depth, {size}, 16 bits, near is bright, as {model} sees it", out.display())
    }
}

/// Writes the depth of the picture at `picture` as a grey PNG of 16 bits, `NAME.depth.png` beside it unless `out` says
/// otherwise. `model` is a depth network's name; without it the embedded one looks.
///
/// # Errors
/// [`Error::Input`] when the picture cannot be read, [`Error::Model`] when the network cannot be used,
/// [`Error::Output`] when the file cannot be written, [`Error::Usage`] when it would be the picture itself.
pub fn depth(
    picture: &Path,
    out: Option<&Path>,
    model: Option<&str>,
    device: DeviceChoice,
) -> Result<Report> {
    let out = out.map_or_else(|| picture.with_extension("depth.png"), Path::to_owned);
    if !out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png")) || out == picture {
        return Err(Error::Usage {
            message: format!("expected another file that ends in .png, found {}", out.display()),
            hint: Some("depth is written as a PNG of 16 bits: `-o depth.png`".to_owned()),
        });
    }
    let canvas = Canvas::open_upright(picture)?;
    let network = depth_network(model.map(Path::new), Path::new(""))?;
    let estimate = Estimator::load_on(Some(&network), &device.open()?)?.estimate(&canvas)?;
    let bytes = depth_file::png(&camera::own_scale(&estimate))?;
    std::fs::write(&out, bytes).map_err(|e| Error::output(&out, format!("cannot write the depth: {e}")))?;
    let model = model.unwrap_or(EMBEDDED_DEPTH).to_owned();
    Ok(Report { out, size: canvas.size(), model })
}
