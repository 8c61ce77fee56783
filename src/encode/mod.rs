//! Pictures become a video file, and a video file pictures.
