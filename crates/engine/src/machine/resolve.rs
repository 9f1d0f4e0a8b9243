//! Finds out whether a call whose answer was lost had an effect, and goes on from there.

use howso_infra_core::error::ProviderError;
use howso_infra_core::{Observation, Observed, Status, StepId};

use super::call::{Call, Role};
use super::resolution::{Question, Resolution, resolve};
use super::{Effect, Next, Phase, RunState, Then, operation};
use crate::clock::Moment;
use crate::event::Event;
use crate::journal::record::Record;
use crate::retries;
use crate::settings::RESOLUTIONS_MAX;

impl RunState<'_> {
    /// Begins to find out whether the call had an effect.
    pub(super) fn doubt(&mut self, now: Moment, step: StepId, error: ProviderError) {
        let call = self.call(step);
        call.may_have_happened = true;
        call.resolutions += 1;
        call.lookups = 0;
        call.failures = 0;
        if call.resolutions > RESOLUTIONS_MAX {
            let hint = "run the command again: it looks at what is there and goes on";
            return self.fail(step, error.with_hint(hint));
        }
        call.doubt = Some((error.clone(), now));
        let resource = self.state(step).step.resource.clone();
        self.emit(Event::Resolving { step, resource, error });
        if self.interruption.is_some() {
            self.state(step).phase = Phase::Unfinished;
        } else {
            self.look_up(now, step);
        }
    }

    pub(super) fn look_up(&mut self, now: Moment, step: StepId) {
        let deployment = &self.plan.identity.deployment;
        let call = self.call(step);
        call.looked = now;
        call.lookups += 1;
        let Some(scope) = call.scope(deployment) else { return };
        self.state(step).phase = Phase::LookingUp;
        self.effects.push(Effect::LookUp { step, scope: Box::new(scope) });
    }

    pub(super) fn looked_up(&mut self, now: Moment, step: StepId, result: Result<Observation, ProviderError>) {
        if !matches!(self.state(step).phase, Phase::LookingUp) {
            return;
        }
        if self.interruption.is_some() {
            self.state(step).phase = Phase::Unfinished;
            return;
        }
        let kind = self.state(step).step.resource.kind();
        let gap = |observation: &Observation| observation.gap(kind).map(|gap| gap.error.clone());
        match result {
            Ok(observation) => match gap(&observation) {
                None => self.conclude(now, step, &observation),
                Some(error) => self.read_failed(now, step, error, Next::LookUp),
            },
            Err(error) => self.read_failed(now, step, error, Next::LookUp),
        }
    }

    fn conclude(&mut self, now: Moment, step: StepId, observation: &Observation) {
        let (safety, window) = (self.state(step).step.create_safety, self.settings.engine.visibility_window);
        let call = self.call(step);
        call.answered();
        let (Some(operation), Some((doubt, since))) = (&call.operation, &call.doubt) else { return };
        let is_visible_by_now = call.looked.since(*since) >= window;
        let resolution = resolve(&Question { operation, doubt, safety, is_visible_by_now }, observation);
        match resolution {
            Resolution::Adopt { kept, duplicates } => self.adopt(step, kept, duplicates),
            Resolution::Settled { outputs } => self.found_settled(step, outputs),
            Resolution::UnderWay { observed } => self.wait_for(step, &observed),
            Resolution::SendAgain => self.send_again(now, step, is_visible_by_now),
            Resolution::LookAgain => self.look_again(now, step),
            Resolution::Fail(error) => {
                // What stands on a name that only one can have tells that the call made nothing.
                self.call(step).may_have_happened = false;
                self.fail(step, error);
            }
        }
    }

    fn found_settled(&mut self, step: StepId, outputs: howso_infra_core::Attributes) {
        let physical_id = {
            let call = self.call(step);
            call.may_have_happened = false;
            call.operation.as_ref().and_then(|operation| operation.work.physical_id()).unwrap_or_default().to_owned()
        };
        self.settle(step, physical_id, outputs);
    }

    /// Sends the call again after a pause that grows with every resolution.
    fn send_again(&mut self, now: Moment, step: StepId, is_conclusive: bool) {
        let resolutions = self.call(step).resolutions;
        let deadline = self.deadline(step);
        if now >= deadline {
            let error = self.doubted(step);
            return self.fail(step, error);
        }
        if is_conclusive {
            self.call(step).may_have_happened = false;
        }
        let delay = retries::delay(&self.settings.engine, &mut self.random, resolutions, None);
        self.sleep(step, (now + delay).min(deadline), Next::Submit);
    }

    /// Looks again after a pause that grows with every lookup, and once more exactly when the window is over.
    fn look_again(&mut self, now: Moment, step: StepId) {
        let window = self.settings.engine.visibility_window;
        let bounds = self.settings.poll_bounds();
        let deadline = self.deadline(step);
        if now >= deadline {
            let error = self.doubted(step);
            return self.fail(step, error);
        }
        let call = self.call(step);
        let pause = bounds.min.saturating_mul(2_u32.saturating_pow(call.lookups.saturating_sub(1))).min(bounds.max);
        let window_ends = call.doubt.as_ref().map_or(now, |(_, since)| *since + window);
        let next = now + pause;
        let until = if now < window_ends { next.min(window_ends) } else { next };
        self.sleep(step, until.min(deadline), Next::LookUp);
    }

    /// The error for an effect that could not be found out in time.
    fn doubted(&mut self, step: StepId) -> ProviderError {
        let why = self.call(step).doubt.as_ref().map(|(error, _)| error.to_string()).unwrap_or_default();
        self.too_late(step, &format!("its effect could not be found out after: {why}"))
    }

    /// Uses what a lost call made, once its duplicates are gone.
    fn adopt(&mut self, step: StepId, kept: Observed, duplicates: Vec<Observed>) {
        let resource = self.state(step).step.resource.clone();
        let physical_id = kept.physical_id.clone();
        self.emit(Event::Adopted { step, resource, physical_id, duplicates: duplicates.len() });
        self.call(step).may_have_happened = false;
        let state = self.state(step);
        state.adopted = Some(kept);
        state.duplicates = duplicates.into();
        self.continue_adoption(step);
    }

    /// Deletes the next duplicate, or goes on with the resource that is kept.
    pub(super) fn continue_adoption(&mut self, step: StepId) {
        let identity = &self.plan.identity;
        let is_interrupted = self.interruption.is_some();
        let state = self.state(step);
        if let Some(duplicate) = state.duplicates.pop_front() {
            if is_interrupted {
                state.phase = Phase::Unfinished;
                return;
            }
            let resource = &state.step.resource;
            let operation = operation::delete(identity, resource, &duplicate.physical_id, &duplicate.attributes);
            let call = state.call.replace(Call::new(operation, Role::Duplicate));
            if let Some(main) = call.filter(|call| call.role == Role::Main) {
                state.main_call = Some(main);
            }
            return self.intend(step);
        }
        let Some(kept) = state.adopted.take() else { return };
        self.go_on_with(step, &kept);
    }

    fn go_on_with(&mut self, step: StepId, kept: &Observed) {
        let state = self.state(step);
        if let Some(main) = state.main_call.take() {
            state.call = Some(main);
        }
        match &kept.status {
            Status::Ready | Status::Degraded { .. } => {
                self.settle(step, kept.physical_id.clone(), kept.outputs.clone());
            }
            Status::Pending { .. } | Status::Deleting | Status::Failed { .. } => self.wait_for(step, kept),
        }
    }

    /// Records a ticket for what was found under way, and polls it.
    fn wait_for(&mut self, step: StepId, observed: &Observed) {
        let (resource, verb) = (self.state(step).step.resource.clone(), self.verb_of(step));
        let call = self.call(step);
        call.may_have_happened = false;
        let physical_id = observed.physical_id.clone();
        call.ticket = Some(call.ticket_for(&resource, &physical_id, &observed.attributes));
        self.write(step, Record::Ticket { resource, verb, physical_id }, Then::Poll);
    }
}
