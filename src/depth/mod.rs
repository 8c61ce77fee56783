//! Depth of a picture: from a network, from a reference picture, or flat.
