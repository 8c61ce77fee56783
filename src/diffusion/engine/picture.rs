//! Pictures to tensors and back, with diffusers' scaling and rounding (0.42.1, `VaeImageProcessor`).

use candle_core::{DType, Device, Result, Tensor};

use crate::canvas::{Canvas, Size};

/// A picture as `[1, 3, H, W]`, RGB in -1..=1.
///
/// # Errors
/// When the device refuses.
pub fn tensor_from_canvas(canvas: &Canvas, device: &Device) -> Result<Tensor> {
    hint_from_canvas(canvas, device)?.affine(2.0, -1.0)
}

/// A picture as `[1, 3, H, W]`, RGB in 0..=1, as ControlNets want it.
///
/// # Errors
/// When the device refuses.
pub fn hint_from_canvas(canvas: &Canvas, device: &Device) -> Result<Tensor> {
    let values: Vec<f32> = canvas.as_rgb8().iter().map(|v| f32::from(*v) / 255.0).collect();
    let shape = (1, canvas.height(), canvas.width(), 3);
    Tensor::from_vec(values, shape, device)?.permute((0, 3, 1, 2))?.contiguous()
}

/// A tensor `[1, 3, H, W]`, RGB about -1..1, as a picture: clipped, then rounded to the nearest of 256
/// values, halves to even. NaN becomes 0: look for it before.
///
/// # Errors
/// When the shape is another.
pub fn canvas_from_tensor(picture: &Tensor) -> Result<Canvas> {
    let (_, _, height, width) = picture.dims4()?;
    let rows = picture.get(0)?.permute((1, 2, 0))?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let byte = |v: &f32| ((v / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    Ok(Canvas::from_rgb8(Size::new(width, height), rows.iter().map(byte).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_way_there_and_back() {
        let size = Size::new(16, 16);
        let bytes = (0..768).map(|i| (i * 7 % 256) as u8).collect();
        let canvas = Canvas::from_rgb8(size, bytes);
        let tensor = tensor_from_canvas(&canvas, &Device::Cpu).unwrap();
        assert_eq!(tensor.dims(), [1, 3, 16, 16]);
        assert_eq!(canvas_from_tensor(&tensor).unwrap(), canvas);
    }

    #[test]
    fn values_outside_are_clipped() {
        let tensor = Tensor::new(&[[[[-7f32]], [[0.0]], [[1.5]]]], &Device::Cpu).unwrap();
        assert_eq!(canvas_from_tensor(&tensor).unwrap().pixel(0, 0), [0, 128, 255]);
    }
}
