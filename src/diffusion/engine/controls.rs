//! The controls of a job with their networks.

use super::inpaint::Prepared;
use super::paint::usage;
use super::picture::hint_from_canvas;
use super::{ControlSource, Engine, PaintControl, PaintJob, PaintReference};
use crate::diffusion::controlnet::{ControlModel, ControlNet, Lllite};
use crate::diffusion::guidance::{ControlUnit, LlliteUnit};
use crate::diffusion::reference::ReferenceUnit;
use crate::diffusion::sampler::SeededNoise;
use crate::error::Result;

/// Keeps the noise of reference pictures apart from that of the run, which begins with the job's own seed.
const REFERENCE_NOISE: u64 = 0x5ef7_0000;

/// A network that a job asks for.
enum Network<'a> {
    Net(&'a ControlNet),
    Lllite(&'a Lllite),
}

impl Engine {
    /// The job's control networks, each with its hint; of a masked job with the part that is painted.
    pub(super) fn units<'a>(
        &'a self,
        job: &PaintJob,
        masked: Option<&Prepared>,
    ) -> Result<(Vec<ControlUnit<'a>>, Vec<LlliteUnit<'a>>)> {
        let (mut nets, mut lllites) = (Vec::new(), Vec::new());
        for control in &job.controls {
            let hint = match masked {
                Some(masked) => masked.hint(control.hint, job.size),
                None => control.hint.resized(job.size),
            };
            let hint = hint_from_canvas(&hint, &self.device);
            let hint = hint.map_err(|e| self.broken(&e))?;
            let PaintControl { weight, start, end, mode, .. } = *control;
            match self.find_control(control.net)? {
                Network::Net(net) => nets.push(ControlUnit { net, hint, weight, start, end, mode }),
                Network::Lllite(lllite) => {
                    let hint = lllite.look(&hint).map_err(|e| self.broken(&e))?;
                    lllites.push(LlliteUnit { hint, weight, start, end });
                }
            }
        }
        Ok((nets, lllites))
    }

    /// The job's reference pictures as latents. sd-webui takes their noise from the generator that everything
    /// else draws from; here each has a generator of its own, so that a reference changes no other draw.
    pub(super) fn references(&self, job: &PaintJob) -> Result<Vec<ReferenceUnit<'static>>> {
        let unit = |(i, reference): (usize, &PaintReference)| {
            let PaintReference { weight, fidelity, start, end, mode, .. } = *reference;
            let latent = self.encode(&reference.picture.resized(job.size))?;
            let seed = job.seed ^ REFERENCE_NOISE.wrapping_add(i as u64);
            let noise = Box::new(SeededNoise::new(seed, latent.shape().clone(), &self.device));
            Ok(ReferenceUnit { latent, weight, fidelity, start, end, mode, noise })
        };
        job.references.iter().enumerate().map(unit).collect()
    }

    fn find_control(&self, wanted: ControlSource) -> Result<Network<'_>> {
        let found = match wanted {
            ControlSource::Own => self.own_controlnet.as_ref().map(Network::Net),
            ControlSource::Named(name) => {
                self.controls.iter().find(|control| control.0 == name).map(|control| match &control.1 {
                    ControlModel::Net(net) => Network::Net(net),
                    ControlModel::Lllite(lllite) => Network::Lllite(lllite),
                })
            }
        };
        found.ok_or_else(|| match wanted {
            ControlSource::Own => {
                usage("the model brings no control network of its own".to_owned(), "name a control model")
            }
            ControlSource::Named(name) => {
                let names: Vec<&str> = self.control_names().collect();
                let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                usage(format!("control `{name}`: loaded are {names}"), "load it with the model")
            }
        })
    }
}
