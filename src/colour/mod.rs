//! Colour coherence, contrast and sharpness of 8-bit pictures.
