//! kinora turns a keyframe score (`film.kin`) into a finished film.

pub mod camera;
pub mod canvas;
pub mod colour;
pub mod depth;
pub mod diffusion;
pub mod encode;
pub mod error;
pub mod kernels;
pub mod models;
pub mod noise;
pub mod post;
pub mod render;
pub mod schedule;
pub mod timeline;
