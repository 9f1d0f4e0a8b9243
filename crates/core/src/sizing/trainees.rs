//! The sizes of trainees, and how many of each there are at a time.

use std::fmt;

use serde::Serialize;

use crate::sizing::Amounts;

/// What a trainee of some size asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraineeSize {
    /// Its name: one of the platform's, or a user's own.
    pub name: String,
    /// What its pod requests.
    pub requests: Amounts,
}

/// So many trainees of one size at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trainees {
    /// Their size.
    pub size: TraineeSize,
    /// How many run at the same time, at most.
    pub count: u64,
}

/// A size of the platform: its name, and what it requests of CPU time (millicores) and memory (mebibytes).
type Named = (&'static str, u64, u64);

/// The sizes that the platform names, smallest first (requests of the trainee-scaling example in
/// howsoai/platform-installation-examples, May 2025; `large` is absent from the table there).
const NAMED: [Named; 7] = [
    ("xxx-small", 250, 128),
    ("xx-small", 500, 256),
    ("x-small", 1000, 512),
    ("small", 2000, 1024),
    ("medium", 4000, 2048),
    ("x-large", 6000, 8192),
    ("xx-large", 8000, 12288),
];

impl TraineeSize {
    /// The sizes that the platform names, smallest first.
    pub fn all_named() -> impl DoubleEndedIterator<Item = Self> + ExactSizeIterator {
        NAMED.iter().map(|(name, cpu, memory)| Self { name: (*name).to_owned(), requests: Amounts::pod(*cpu, *memory) })
    }

    /// The size of the platform with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all_named().find(|size| size.name == name)
    }

    /// The names of the platform's sizes, smallest first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.iter().map(|(name, _, _)| *name)
    }

    /// The size at which the platform makes a trainee again that ran out of memory; [`None`] for its largest, and for a user's own.
    pub fn next(&self) -> Option<Self> {
        Self::all_named().skip_while(|size| size.name != self.name).nth(1)
    }
}

impl fmt::Display for TraineeSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_grow_in_every_part() {
        let sizes: Vec<TraineeSize> = TraineeSize::all_named().collect();
        for pair in sizes.windows(2) {
            assert!(pair[1].requests.holds(pair[0].requests) && pair[0].requests != pair[1].requests);
            assert_eq!(pair[0].next().as_ref(), Some(&pair[1]));
        }
        assert_eq!(sizes.last().and_then(TraineeSize::next), None);
        assert_eq!(TraineeSize { name: "mine".to_owned(), requests: Amounts::pod(1, 1) }.next(), None);
    }
}
