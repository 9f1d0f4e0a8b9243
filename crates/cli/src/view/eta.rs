//! How long a run still takes, by the critical path of its plan.

use std::collections::BTreeMap;
use std::time::Instant;

use howso_infra::core::{Plan, StepId};

/// How long a run still takes.
#[derive(Debug, Default)]
pub(crate) struct Eta {
    /// Of every step that is not done: how long it takes, and how long it and everything that waits for it takes.
    open: BTreeMap<StepId, (f64, f64)>,
    /// When the steps in flight began.
    started: BTreeMap<StepId, Instant>,
}

impl Eta {
    /// The whole plan is open.
    pub(crate) fn new(plan: &Plan) -> Self {
        let remaining = plan.remaining_secs();
        let open = plan.steps.iter().map(|step| {
            let own = step.latency.median_secs;
            (step.id, (own, remaining.get(&step.id).copied().unwrap_or(own)))
        });
        Self { open: open.collect(), started: BTreeMap::new() }
    }

    /// A step begins.
    pub(crate) fn start(&mut self, step: StepId, now: Instant) {
        self.started.insert(step, now);
    }

    /// A step is done, or will not be.
    pub(crate) fn end(&mut self, step: StepId) {
        self.open.remove(&step);
        self.started.remove(&step);
    }

    /// The seconds until the end. A step that is late is expected at any moment.
    pub(crate) fn remaining_secs(&self, now: Instant) -> f64 {
        let left = |(step, (own, path)): (&StepId, &(f64, f64))| match self.started.get(step) {
            Some(started) => (own - now.duration_since(*started).as_secs_f64()).max(0.0) + path - own,
            None => *path,
        };
        self.open.iter().map(left).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::samples;

    #[test]
    fn the_longest_path_counts_and_shrinks_with_time() {
        // A network (5 s), then a control plane (600 s), then two pools (90 s each) at once.
        let prepared = samples::creation();
        let mut eta = Eta::new(&prepared.plan);
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        let near = |eta: &Eta, now, expected: f64| {
            let found = eta.remaining_secs(now);
            assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
        };
        let ids: Vec<StepId> = prepared.plan.steps.iter().map(|step| step.id).collect();
        near(&eta, start, 695.0);
        eta.start(ids[0], start);
        near(&eta, at(2), 693.0);
        eta.end(ids[0]);
        eta.start(ids[1], at(5));
        near(&eta, at(105), 590.0);
        near(&eta, at(5000), 90.0);
        for id in ids {
            eta.end(id);
        }
        near(&eta, at(5000), 0.0);
    }
}
