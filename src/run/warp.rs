//! `warp`: one frame's motion, applied to one picture.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use candle_core::Device;

use crate::camera::{Manner, Relief, flat_matrix, flip_matrix, pose, warp_over_as};
use crate::canvas::{Canvas, Plane, Size};
use crate::error::{Error, Result};
use crate::render::frame_loop::{distances, is_deep};
use crate::render::seams::Sources as _;
use crate::run::project::Project;
use crate::run::sources::Files;
use crate::timeline::frame::{Camera, Fit};

/// What the user asks for.
#[derive(Clone, Debug)]
pub struct WarpOptions {
    /// The picture that is moved.
    pub image: PathBuf,
    /// The frame whose motion moves it.
    pub frame: u32,
    /// Where the moved picture goes; `None` is beside the first, with the frame in its name.
    pub out: Option<PathBuf>,
    /// Where the coverage goes: white where the moved picture still shows the given one.
    pub coverage: Option<PathBuf>,
    /// Whose way of moving counts.
    pub manner: Manner,
}

/// Moves the picture, and says how.
///
/// # Errors
/// When a picture or a depth network cannot be used, or a picture cannot be written.
pub fn warp(project: &Project, options: &WarpOptions) -> Result<String> {
    let params = project.timeline.at(options.frame)?;
    let mut files = Files::new(Device::Cpu, project.folder());
    let picture = match project.timeline.size() {
        Some((width, height)) => {
            files.picture(&options.image, Size::new(width as usize, height as usize), Fit::Crop)?
        }
        None => Canvas::open_upright(&options.image)?,
    };
    // What a render moves is the frame before, with the depth that is its own.
    let depth = if params.cut { params.depth.clone() } else { params.depth.before() };
    let relief = match is_deep(&params) {
        true => distances(&params, files.depth(&depth, &picture)?),
        false => Relief::flat(),
    };
    let warped = warp_over_as(options.manner, &picture, &params.camera, params.border, &relief);
    let out = options.out.clone().unwrap_or_else(|| beside(&options.image, options.frame));
    save(&out, &warped.canvas)?;
    if let Some(path) = &options.coverage {
        save(path, &mask(&warped.coverage))?;
    }
    let size = picture.size();
    let mut text = told(&params.camera, size);
    let share = f64::from(warped.coverage.values().iter().sum::<f32>()) / size.area() as f64;
    let _ = writeln!(text, "border      {:?}", params.border);
    let _ = writeln!(text, "covered     {:.2} % of {size}", share * 100.0);
    if params.cut {
        let _ = writeln!(
            text,
            "note        frame {} begins a scene: a render does not move anything there",
            options.frame
        );
    }
    let _ = writeln!(text, "{}", out.display());
    Ok(text)
}

fn beside(image: &Path, frame: u32) -> PathBuf {
    let stem = image.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    image.with_file_name(format!("{stem}.warp-{frame}.png"))
}

fn save(path: &Path, picture: &Canvas) -> Result<()> {
    std::fs::write(path, picture.to_png()?)
        .map_err(|e| Error::output(path, format!("cannot write the picture: {e}")))
}

fn mask(coverage: &Plane) -> Canvas {
    let grey = coverage.values().iter().flat_map(|c| [(c * 255.0) as u8; 3]).collect();
    Canvas::from_rgb8(coverage.size(), grey)
}

/// The camera in numbers.
fn told(camera: &Camera, size: Size) -> String {
    let mut text = String::new();
    let mut rows = |name: &str, rows: Vec<Vec<f64>>| {
        for (i, row) in rows.iter().enumerate() {
            let numbers: Vec<String> = row.iter().map(|v| format!("{:>14.8}", v + 0.0)).collect();
            let _ = writeln!(text, "{:<11} {}", if i == 0 { name } else { "" }, numbers.join(" "));
        }
    };
    let three = |m: nalgebra::Matrix3<f64>| (0..3).map(|i| (0..3).map(|j| m[(i, j)]).collect()).collect();
    match camera {
        // Column vectors, source to destination pixels.
        Camera::Flat(flat) => {
            rows("matrix", three(flat_matrix(flat, size)));
            let _ = writeln!(text, "sampling    {:?}", flat.sampling);
        }
        Camera::Deep(deep) => {
            let pose = pose(deep);
            rows("rotation", three(pose.rotation));
            rows("translation", vec![pose.translation.to_vec()]);
            rows("focal", vec![vec![pose.focal]]);
            if let Some(flip) = deep.flip {
                rows("flip", three(flip_matrix(&flip, size)));
            }
            let _ = writeln!(text, "sampling    {:?}", deep.sampling);
        }
    }
    text
}
