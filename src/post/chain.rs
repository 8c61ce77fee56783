//! Stored frames through deflicker and interpolation into a sink.
//!
//! The order is fixed. Deflicker comes first: it needs the statistics of the whole sequence, so it reads
//! every frame once before the first one leaves, and flow is found more surely when the light is steady.
//! Interpolation follows, and needs two neighbouring frames at a time. The sink takes them one by one. At no time are more
//! frames in memory than two of the input and those between them, so length costs a few kilobytes a frame.

use std::sync::atomic::{AtomicBool, Ordering};

use super::deflicker::{Analyser, Correction, Method};
use super::interpolate::{Interpolator, Output};
use crate::canvas::Canvas;
use crate::encode::{Fps, FrameSink};
use crate::error::{Error, Result};
use crate::flow::FlowSettings;

/// Frames that can be read again in any order: a store, a folder of pictures, a list in memory.
pub trait FrameSource {
    /// How many there are.
    fn count(&self) -> usize;

    /// Frame `number`, from 0.
    ///
    /// # Errors
    /// When it cannot be read.
    fn frame(&self, number: usize) -> Result<Canvas>;
}

impl FrameSource for [Canvas] {
    fn count(&self) -> usize {
        self.len()
    }

    fn frame(&self, number: usize) -> Result<Canvas> {
        Ok(self[number].clone())
    }
}

/// Pictures in files, in this order.
impl FrameSource for [std::path::PathBuf] {
    fn count(&self) -> usize {
        self.len()
    }

    fn frame(&self, number: usize) -> Result<Canvas> {
        Canvas::open(&self[number])
    }
}

/// What happens between the store and the sink.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// How flicker is taken out; `None` leaves it.
    pub deflicker: Option<Method>,
    /// Frame rate of the source.
    pub fps_in: Fps,
    /// Frame rate of the sink; the same leaves every frame as it is.
    pub fps_out: Fps,
    /// How much work the in-between frames take.
    pub flow: FlowSettings,
    /// Numbers of source frames that begin a new scene, ascending: nothing is smoothed or made across them.
    pub cuts: Vec<usize>,
    /// The last frame leads into the first: flicker is measured round the seam, and between them frames are made as
    /// anywhere else. The first frame is not repeated.
    pub closed: bool,
}

/// Where the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whether the flicker is being measured (first pass) or frames are being made.
    pub measuring: bool,
    /// Source frames done in this pass.
    pub done: usize,
    /// Source frames in all.
    pub total: usize,
}

impl Chain {
    /// Frames that come out of `count` source frames.
    ///
    /// # Errors
    /// [`Error::Usage`] for impossible frame rates.
    pub fn frames_out(&self, count: usize) -> Result<u64> {
        Ok(self.interpolator()?.frames_out(count as u64))
    }

    /// Runs the chain and finishes the sink. Returns the number of frames that the sink was given.
    ///
    /// # Errors
    /// [`Error::Usage`] for impossible settings, before anything is read; errors of source, stages and sink,
    /// those that do not name a file with the number of the source frame; [`Error::Interrupted`] once `cancel`
    /// is set, when the sink is dropped unfinished.
    pub fn run(
        &self,
        source: &(impl FrameSource + ?Sized),
        mut sink: Box<dyn FrameSink>,
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(Step),
    ) -> Result<u64> {
        let mut interpolator = self.interpolator()?;
        let total = source.count();
        let margin = self.margin(total);
        let correction = self.measure(source, margin, cancel, progress)?;
        let corrected = |number: usize| -> Result<Canvas> {
            let mut frame = source.frame(number).map_err(|e| at_frame(number, e))?;
            if let Some(correction) = &correction {
                correction.apply(number + margin, &mut frame);
            }
            Ok(frame)
        };
        let wanted = self.frames_out(total)?;
        let mut given = 0;
        for number in 0..total {
            stop(cancel)?;
            interpolator.push(corrected(number)?)?;
            let left = wanted - given;
            given +=
                hand_over(&mut interpolator, sink.as_mut(), left, cancel).map_err(|e| at_frame(number, e))?;
            progress(Step { measuring: false, done: number + 1, total });
        }
        if self.closed && total > 1 {
            interpolator.push(corrected(0)?)?;
        } else {
            interpolator.finish();
        }
        given += hand_over(&mut interpolator, sink.as_mut(), wanted - given, cancel)?;
        sink.finish()?;
        Ok(given)
    }

    fn interpolator(&self) -> Result<Interpolator> {
        Interpolator::new(self.fps_in, self.fps_out, self.cuts.iter().map(|c| *c as u64), self.flow)
    }

    /// Frames of the end that are looked at before the first one as well, and of the beginning after the last one, so
    /// that smoothing goes round: as far as it reaches.
    fn margin(&self, total: usize) -> usize {
        let reach = match self.deflicker {
            Some(Method::GainCurve { sigma } | Method::GainMap { sigma, .. }) => {
                (4.0 * sigma).ceil() as usize
            }
            Some(Method::Histogram { radius, .. }) => radius,
            Some(Method::LookAhead { size, .. }) => size,
            None => 0,
        };
        if self.closed && self.cuts.is_empty() { reach.min(total) } else { 0 }
    }

    /// The first pass, when there is one.
    fn measure(
        &self,
        source: &(impl FrameSource + ?Sized),
        margin: usize,
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Option<Correction>> {
        let Some(method) = self.deflicker else { return Ok(None) };
        let mut analyser = Analyser::new(method)?;
        let total = source.count();
        for at in 0..total + 2 * margin {
            stop(cancel)?;
            let number = (at + total - margin) % total;
            analyser.push(&source.frame(number).map_err(|e| at_frame(number, e))?)?;
            progress(Step { measuring: true, done: at + 1, total: total + 2 * margin });
        }
        Ok(Some(analyser.finish(&self.cuts)))
    }
}

/// Gives the sink what is ready, at most `left` frames.
fn hand_over(
    interpolator: &mut Interpolator,
    sink: &mut dyn FrameSink,
    left: u64,
    cancel: &AtomicBool,
) -> Result<u64> {
    let mut given = 0;
    while given < left
        && let Output::Frame(frame) = interpolator.pop()
    {
        stop(cancel)?;
        sink.push(&frame)?;
        given += 1;
    }
    Ok(given)
}

fn stop(cancel: &AtomicBool) -> Result<()> {
    if cancel.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
}

/// Adds the frame to an error of the video, which knows no place; all others name a file or a frame.
fn at_frame(number: usize, error: Error) -> Error {
    match error {
        Error::Video { message, hint } => {
            Error::Render { frame: number as u32, message: format!("video: {message}"), hint }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Size;
    use crate::encode::MemorySink;

    fn chain(from: u32, to: u32) -> Chain {
        Chain {
            deflicker: None,
            fps_in: Fps::new(from, 1),
            fps_out: Fps::new(to, 1),
            flow: FlowSettings::default(),
            cuts: Vec::new(),
            closed: false,
        }
    }

    fn greys(values: &[u8]) -> Vec<Canvas> {
        values.iter().map(|v| Canvas::filled(Size::new(16, 12), [*v; 3])).collect()
    }

    fn run(chain: &Chain, frames: &[Canvas]) -> Result<Vec<u8>> {
        let sink = MemorySink::default();
        let kept = sink.frames.clone();
        let given = chain.run(frames, Box::new(sink), &AtomicBool::new(false), &mut |_| {})?;
        let kept = kept.lock().unwrap();
        assert_eq!((given, given), (kept.len() as u64, chain.frames_out(frames.len())?));
        Ok(kept.iter().map(|f| f.pixel(3, 3)[0]).collect())
    }

    #[test]
    fn without_stages_frames_pass_through() {
        assert_eq!(run(&chain(12, 12), &greys(&[5, 99, 7])).unwrap(), [5, 99, 7]);
        assert_eq!(run(&chain(12, 24), &[]).unwrap(), [0u8; 0]);
    }

    #[test]
    fn both_stages_work_together() {
        let flickering = greys(&[100, 110, 98, 112, 101, 109, 97, 111]);
        let deflickered = Chain { deflicker: Some(Method::GAIN_CURVE), ..chain(12, 24) };
        let levels = run(&deflickered, &flickering).unwrap();
        assert_eq!(levels.len(), 16);
        let spread = levels.iter().max().unwrap() - levels.iter().min().unwrap();
        assert!(spread <= 6, "of 15 levels {spread} are left: {levels:?}");
    }

    #[test]
    fn a_closed_film_leads_from_its_last_frame_to_its_first() {
        let closed = Chain { closed: true, ..chain(12, 24) };
        assert_eq!(
            run(&closed, &greys(&[100, 140, 180, 140])).unwrap(),
            [100, 120, 140, 160, 180, 160, 140, 120]
        );
        assert_eq!(run(&Chain { closed: true, ..chain(12, 12) }, &greys(&[5, 99, 7])).unwrap(), [5, 99, 7]);
        assert_eq!(run(&closed, &greys(&[9])).unwrap(), [9, 9]);
    }

    #[test]
    fn a_closed_film_is_steadied_round_its_seam() {
        // The same round, begun at another frame, comes out the same.
        let flickering: Vec<u8> = (0..24).map(|i| 100 + (i * 7 % 24) / 2).collect();
        let turned: Vec<u8> = (0..24).map(|i| flickering[(i + 9) % 24]).collect();
        let closed = Chain { deflicker: Some(Method::GAIN_CURVE), closed: true, ..chain(12, 12) };
        let (straight, turned) =
            (run(&closed, &greys(&flickering)).unwrap(), run(&closed, &greys(&turned)).unwrap());
        for i in 0..24 {
            let difference = straight[(i + 9) % 24].abs_diff(turned[i]);
            assert!(difference <= 1, "frame {i}: {straight:?} {turned:?}");
        }
    }

    #[test]
    fn an_error_names_the_frame() {
        let mut frames = greys(&[1, 2, 3]);
        frames[2] = Canvas::filled(Size::new(9, 9), [0; 3]);
        let error = run(&chain(12, 24), &frames).unwrap_err();
        assert!(error.to_string().starts_with("frame 2: "), "{error}");
    }

    #[test]
    fn a_cancelled_chain_stops() {
        let frames = greys(&[1, 2, 3]);
        let cancel = AtomicBool::new(true);
        let outcome =
            chain(12, 24).run(frames.as_slice(), Box::<MemorySink>::default(), &cancel, &mut |_| {});
        assert!(matches!(outcome, Err(Error::Interrupted)));
    }
}
