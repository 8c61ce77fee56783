//! The motion between two pictures, by the methods that films name.

use crate::camera::flow::{Flow, FlowBorder};
use crate::canvas::Canvas;
use crate::flow::{FarnebackSettings, FlowSettings, farneback, flow};
use crate::timeline::frame::FlowMethod;

/// Where the pixels of `first` are in `second`.
pub(super) fn motion(first: &Canvas, second: &Canvas, method: FlowMethod) -> Flow {
    let found = match method {
        FlowMethod::DisMedium => flow(first, second, &FlowSettings::DIS_MEDIUM),
        FlowMethod::DisFine => flow(first, second, &FlowSettings::DIS_FINE),
        FlowMethod::Farneback => farneback(first, second, &FarnebackSettings::default()),
    };
    Flow::new(found.size(), found.vectors().to_vec())
}

/// What stands beyond the edge of a picture that is moved along a flow.
pub(super) fn flow_border(as_deforum: bool) -> FlowBorder {
    if as_deforum { FlowBorder::Deforum } else { FlowBorder::Reflect }
}
