//! Where chance comes from.

use std::sync::{Mutex, PoisonError};

use crate::Error;

/// Where chance comes from.
pub(crate) enum Randomness {
    /// The system, which nobody can foresee.
    System,
    /// A seed, so that a run can be repeated exactly.
    Seeded(Mutex<fastrand::Rng>),
}

impl Randomness {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self::Seeded(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// So many random bytes.
    pub(crate) fn bytes<const COUNT: usize>(&self) -> Result<[u8; COUNT], Error> {
        let mut bytes = [0; COUNT];
        match self {
            Self::System => getrandom::fill(&mut bytes)?,
            Self::Seeded(source) => source.lock().unwrap_or_else(PoisonError::into_inner).fill(&mut bytes),
        }
        Ok(bytes)
    }

    /// A random number.
    pub(crate) fn number(&self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.bytes()?))
    }
}
