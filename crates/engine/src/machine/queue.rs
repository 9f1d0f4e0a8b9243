//! Decides which step starts next, and what follows from the end of one.

use std::collections::BTreeSet;

use howso_infra_core::error::{OperationVerb, ProviderError, StepFailure};
use howso_infra_core::{Attributes, StepId};

use super::operation::{self, Beginning, Known};
use super::{Call, Phase, RunState, StepState};
use crate::clock::Moment;
use crate::event::Event;
use crate::machine::call::Role;
use crate::outcome::SettledStep;

impl<'a> RunState<'a> {
    /// Starts what can start, longest remaining path first.
    pub(super) fn start_ready(&mut self, now: Moment) {
        let room = usize::try_from(self.settings.engine.parallelism).unwrap_or(usize::MAX).max(1);
        while self.in_flight() < room {
            let Some(step) = self.next_ready() else { return };
            self.start(now, step);
        }
    }

    fn next_ready(&self) -> Option<StepId> {
        let can_start = |state: &&StepState<'a>| {
            matches!(state.phase, Phase::Ready)
                && state.step.lane.as_ref().is_none_or(|lane| !self.lanes.contains(lane))
        };
        // What an earlier run began has its lane already: whoever else started in it would be refused.
        let has_lane = |state: &StepState<'a>| state.step.lane.is_some() && state.step.action.is_wait();
        let ready = self.steps.values().filter(can_start);
        // Among equals the first of the plan.
        let first = ready.rev().max_by(|left, right| {
            let remaining_secs = |state: &StepState<'a>| self.remaining_secs[&state.step.id];
            has_lane(left).cmp(&has_lane(right)).then_with(|| remaining_secs(left).total_cmp(&remaining_secs(right)))
        });
        first.map(|state| state.step.id)
    }

    fn start(&mut self, now: Moment, id: StepId) {
        let step = self.state(id).step;
        self.emit(Event::StepStarted {
            step: id,
            resource: step.resource.clone(),
            verb: step.action.verb(),
            expected_secs: step.latency.median_secs,
        });
        self.state(id).started = Some(now);
        let known = Known { identity: &self.plan.identity, outputs: &self.outputs, physical_ids: &self.physical_ids };
        match operation::begin(step, &known) {
            Ok(beginning) => {
                self.lanes.extend(&step.lane);
                self.begin(now, id, beginning);
            }
            Err(error) => self.step_failed(id, error),
        }
    }

    fn begin(&mut self, now: Moment, id: StepId, beginning: Beginning) {
        match beginning {
            Beginning::Call(operation) => {
                self.state(id).call = Some(Call::new(operation, Role::Main));
                self.intend(id);
            }
            Beginning::Wait(ticket) => {
                self.state(id).call = Some(Call::waiting(ticket, now));
                self.poll(id);
            }
        }
    }

    /// Ends a step well, and makes those ready that waited only for it.
    pub(super) fn step_settled(&mut self, now: Moment, id: StepId, physical_id: String, outputs: Attributes) {
        let state = self.state(id);
        state.phase = Phase::Settled;
        let step = state.step;
        let elapsed_secs = state.started.map_or(0.0, |started| now.since(started).as_secs_f64());
        let verb = step.action.verb();
        self.leave_lane(id);
        self.learn(id, &physical_id, outputs);
        self.settled.push(SettledStep { step: id, resource: step.resource.clone(), verb, physical_id, elapsed_secs });
        self.emit(Event::StepSettled { step: id, resource: step.resource.clone(), verb, elapsed_secs });
        for dependent in self.dependents(id) {
            let is_settled =
                |before: &StepId| self.steps.get(before).is_some_and(|state| matches!(state.phase, Phase::Settled));
            if self.steps[&dependent].step.depends_on.iter().all(is_settled) {
                self.state(dependent).phase = Phase::Ready;
            }
        }
    }

    /// Keeps what others may refer to. What is made anew has none of the former outputs; other calls add to them.
    fn learn(&mut self, id: StepId, physical_id: &str, outputs: Attributes) {
        use howso_infra_core::plan::Action;
        let step = self.state(id).step;
        match step.action {
            Action::Create { .. } => {
                self.outputs.insert(step.resource.clone(), outputs);
                self.physical_ids.insert(step.resource.clone(), physical_id.to_owned());
            }
            Action::Update { .. } | Action::AwaitReady { .. } => {
                self.outputs.entry(step.resource.clone()).or_default().extend(outputs);
            }
            Action::Delete { .. } | Action::AwaitGone { .. } => {}
        }
    }

    /// Ends a step badly, and skips everything that waits for it, directly or through others.
    pub(super) fn step_failed(&mut self, id: StepId, error: ProviderError) {
        let state = self.state(id);
        state.phase = Phase::Failed;
        let step = state.step;
        let (resource, verb) = (step.resource.clone(), step.action.verb());
        self.leave_lane(id);
        self.emit(Event::StepFailed { step: id, resource: resource.clone(), verb, error: error.clone() });
        let skipped = self.skip_after(id);
        self.failures.push(StepFailure { resource, verb, error, skipped });
    }

    fn skip_after(&mut self, failed: StepId) -> usize {
        let because = self.state(failed).step.resource.clone();
        let (mut skipped, mut open) = (0, vec![failed]);
        while let Some(next) = open.pop() {
            for id in self.dependents(next) {
                self.state(id).phase = Phase::Skipped;
                let resource = self.state(id).step.resource.clone();
                self.emit(Event::StepSkipped { step: id, resource, because: because.clone() });
                skipped += 1;
                open.push(id);
            }
        }
        skipped
    }

    /// The steps that wait for `id`, as far as they are still waiting.
    fn dependents(&self, id: StepId) -> BTreeSet<StepId> {
        let waits =
            |state: &&StepState<'a>| matches!(state.phase, Phase::Waiting) && state.step.depends_on.contains(&id);
        self.steps.values().filter(waits).map(|state| state.step.id).collect()
    }

    fn leave_lane(&mut self, id: StepId) {
        let state = self.state(id);
        // A step that never began holds no lane.
        if state.call.is_some()
            && let Some(lane) = &state.step.lane
        {
            self.lanes.remove(lane);
        }
    }

    /// The verb of the call under way.
    pub(super) fn verb_of(&self, id: StepId) -> OperationVerb {
        let state = &self.steps[&id];
        state.call.as_ref().map_or(state.step.action.verb(), Call::verb)
    }
}
