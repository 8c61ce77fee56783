//! The frame loop, its state, and the store with its journal.
//!
//! The loop is a recurrence: each frame is painted over the moved frame before it. It knows motion,
//! colour and noise, and nothing of models: what paints and what sees depth are the two seams.

pub mod beside;
pub mod depth_file;
pub mod frame_loop;
pub mod journal;
pub mod made;
pub mod seams;
pub mod store;
pub mod wide;
pub mod zoom;
