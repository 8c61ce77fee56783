//! The generators that pictures are known by.

use super::{TorchRng, philox_randn};

/// Whose normals a seed stands for: the web UI's «random number generator source».
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NoiseKind {
    /// PyTorch's CPU generator: «CPU», and what diffusers draws on a machine without a graphics card.
    #[default]
    TorchCpu,
    /// CUDA's generator, computed on the CPU: «NV», and what the web UI's «GPU» draws on Nvidia cards.
    PhiloxNv,
}

impl NoiseKind {
    /// A generator with this seed. PyTorch's CPU generator looks at the low 32 bits alone.
    pub fn generator(self, seed: u64) -> Generator {
        Generator(match self {
            Self::TorchCpu => State::Torch(Box::new(TorchRng::new(seed))),
            Self::PhiloxNv => State::Philox { seed, offset: 0 },
        })
    }

    /// The first `n` normals of a seed.
    pub fn randn(self, seed: u64, n: usize) -> Vec<f32> {
        self.generator(seed).randn(n)
    }
}

/// A generator and how far it has come.
#[derive(Clone, Debug)]
pub struct Generator(State);

#[derive(Clone, Debug)]
enum State {
    Torch(Box<TorchRng>),
    Philox { seed: u64, offset: u32 },
}

impl Generator {
    /// The next `n` normals of mean 0 and variance 1.
    pub fn randn(&mut self, n: usize) -> Vec<f32> {
        match &mut self.0 {
            State::Torch(rng) => rng.randn(n),
            State::Philox { seed, offset } => {
                let values = philox_randn(*seed, *offset, n);
                *offset = offset.wrapping_add(1);
                values
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_go_on_where_the_last_one_ended() {
        let mut torch = NoiseKind::TorchCpu.generator(5);
        let mut plain = TorchRng::new(5);
        assert_eq!((torch.randn(20), torch.randn(20)), (plain.randn(20), plain.randn(20)));
        let mut nv = NoiseKind::PhiloxNv.generator(5);
        assert_eq!((nv.randn(20), nv.randn(20)), (philox_randn(5, 0, 20), philox_randn(5, 1, 20)));
        assert_eq!(NoiseKind::PhiloxNv.randn(5, 20), philox_randn(5, 0, 20));
    }
}
