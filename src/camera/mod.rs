//! How a picture is moved: the 2D warp, and the 3D warp over a depth map.
