//! What nodes offer and pods ask for.

use std::iter::Sum;
use std::ops::Add;

use serde::Serialize;

/// What a node offers to pods, or what pods ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Amounts {
    /// CPU time, in thousandths of a core.
    pub cpu_millicores: u64,
    /// Memory, in mebibytes.
    pub memory_mebibytes: u64,
    /// How many pods.
    pub pods: u64,
}

impl Amounts {
    /// What one pod asks for.
    pub const fn pod(cpu_millicores: u64, memory_mebibytes: u64) -> Self {
        Self { cpu_millicores, memory_mebibytes, pods: 1 }
    }

    /// Whether `other` has room in it.
    pub fn holds(self, other: Self) -> bool {
        self.parts().into_iter().zip(other.parts()).all(|(own, other)| own >= other)
    }

    /// So many times as much.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        self.map(|part| part.saturating_mul(count))
    }

    /// What is left of it without `other`, nothing where that is more.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self {
            cpu_millicores: self.cpu_millicores.saturating_sub(other.cpu_millicores),
            memory_mebibytes: self.memory_mebibytes.saturating_sub(other.memory_mebibytes),
            pods: self.pods.saturating_sub(other.pods),
        }
    }

    /// How many times `one` has room in it. Nothing has room without end, so that zero never divides.
    pub fn holds_times(self, one: Self) -> u64 {
        let parts = self.parts().into_iter().zip(one.parts());
        parts.filter_map(|(own, one)| own.checked_div(one)).min().unwrap_or_default()
    }

    /// The part of `whole` that it takes, in thousandths, by whatever it takes most of; rounded up.
    pub fn share_permille(self, whole: Self) -> u64 {
        let share = |(own, whole): (u64, u64)| match (own, whole) {
            (0, _) => 0,
            (_, 0) => u64::MAX,
            (own, whole) => own.saturating_mul(1000).div_ceil(whole),
        };
        self.parts().into_iter().zip(whole.parts()).map(share).max().unwrap_or_default()
    }

    fn parts(self) -> [u64; 3] {
        [self.cpu_millicores, self.memory_mebibytes, self.pods]
    }

    fn map(self, change: impl Fn(u64) -> u64) -> Self {
        Self {
            cpu_millicores: change(self.cpu_millicores),
            memory_mebibytes: change(self.memory_mebibytes),
            pods: change(self.pods),
        }
    }
}

impl Add for Amounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cpu_millicores: self.cpu_millicores + other.cpu_millicores,
            memory_mebibytes: self.memory_mebibytes + other.memory_mebibytes,
            pods: self.pods + other.pods,
        }
    }
}

impl Sum for Amounts {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}
