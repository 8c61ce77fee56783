//! kinora turns a keyframe score (`film.kin`) into a finished film.
//!
//! Text becomes a timeline, a timeline becomes frame parameters, parameters drive one loop, the loop
//! fills a store, and everything after the store is a pure function of it.
//!
//! ```text
//! .kin text ─parse→ syntax ─check→ Film ─→ Timeline ─at(i)→ FrameParams (plain numbers)
//! FrameParams + LoopState ─┬ depth, camera, flow: depth of the previous frame → warp, and what it uncovered
//!                          ├ colour, noise: match to the anchor, contrast, sharpen, noise
//!                          ├ condition: depth, edges or given pictures → residuals and attention
//!                          └ diffusion: encode → noised latent → sampler → decode → Canvas
//! key pictures of a zoom ─compose→ Canvas, each frame by itself
//! Canvas ─store→ PNG + journal line ─post→ deflicker → interpolate ─encode→ hidden file ─→ final name
//! ```
//!
//! | room | what it is | may use |
//! |---|---|---|
//! | `schedule` | the language: text becomes a checked tree, or diagnostics | – |
//! | `sound` | sound becomes numbers: levels, onsets, tempo | – |
//! | `timeline` | a checked film becomes plain numbers for any frame | schedule, sound |
//! | `infotext` | what a picture says about its making, as web UIs write it | – |
//! | `import` | files of other programs become films | schedule, timeline, infotext |
//! | `canvas` | the pixel types that cross rooms, and how loops over them are compiled | – |
//! | `models` | model files: folders, single files, compiled in; found by name, checked, recognised | – |
//! | `kernels` | the CPU operations that decide speed | – |
//! | `flow` | dense optical flow: where a picture's pixels are in another | canvas |
//! | `camera` | 2D and 3D warps | canvas, timeline |
//! | `colour` | coherence, contrast, sharpness | canvas, timeline |
//! | `noise` | every random number, noise pictures | canvas, timeline |
//! | `depth` | depth networks, reference depth | canvas, noise, kernels, models |
//! | `diffusion` | text encoders, UNet, ControlNet, autoencoders, samplers | canvas, noise, kernels, models |
//! | `edges` | outlines of a picture | canvas |
//! | `render` | the frame loop, the store, the journal | canvas, timeline, flow, camera, colour, noise, edges, infotext, progress |
//! | `post` | interpolation, deflicker | canvas, flow, encode |
//! | `plot` | a film's curves as a picture and for the terminal | schedule, timeline |
//! | `encode` | video files and pictures, in and out | canvas |
//! | `progress` | what a run tells, and how it is stopped | – |
//! | `error` | one error type and the exit codes; free to all | schedule |
//! | `lsp` | the language server: what an editor asks about a film | schedule, timeline |
//! | `run` | the rooms wired together, one screen a command | all |
//! | `cli` | arguments, one file a command | all |
//!
//! Of `timeline`, the rooms of pixels use the plain numbers in `timeline::frame` alone. `tests/rooms.rs` reads
//! this table and holds it against the code.

pub mod camera;
pub mod canvas;
pub mod cli;
pub mod colour;
pub mod depth;
pub mod diffusion;
pub mod edges;
pub mod encode;
pub mod error;
pub mod flow;
pub mod import;
pub mod infotext;
pub mod kernels;
pub mod lsp;
pub mod models;
pub mod noise;
pub mod plot;
pub mod post;
pub mod progress;
pub mod render;
pub mod run;
pub mod schedule;
pub mod sound;
pub mod timeline;
