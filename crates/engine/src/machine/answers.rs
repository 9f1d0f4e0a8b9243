//! Sends the requests of a call and decides what follows from their answers.

use std::time::Duration;

use howso_infra_core::error::{OperationVerb, Patience, ProviderError, Verdict, verdict};
use howso_infra_core::{Attributes, ErrorKind, Progress, StepId, Submitted};

use super::{Call, Effect, Next, Phase, RunState, StepState, Then, name_of};
use crate::clock::Moment;
use crate::event::Event;
use crate::journal::record::Record;
use crate::machine::call::Role;
use crate::retries;
use crate::settings::UNKNOWN_MAX;

impl RunState<'_> {
    pub(super) fn call(&mut self, step: StepId) -> &mut Call {
        // A call is made when a step starts and kept; answers come only for steps that started.
        self.state(step).call.as_mut().expect("the step has started")
    }

    /// Records that the call is about to be sent.
    pub(super) fn intend(&mut self, step: StepId) {
        if let Some(record) = self.call(step).intent() {
            self.write(step, record, Then::Submit);
        }
    }

    /// Sends the call; its intent is durable.
    pub(super) fn submit(&mut self, now: Moment, step: StepId) {
        let call = self.call(step);
        call.sent = Some(now);
        let Some(operation) = call.operation.clone() else { return };
        self.state(step).phase = Phase::Submitting;
        self.effects.push(Effect::Submit { step, operation });
    }

    /// Takes an intent back that was recorded and not sent, so that nobody looks for its effect.
    pub(super) fn withdraw(&mut self, step: StepId) {
        let call = self.call(step);
        if call.may_have_happened {
            return;
        }
        let (resource, verb) = (self.state(step).step.resource.clone(), self.verb_of(step));
        self.write(step, Record::Failed { resource, verb, kind: ErrorKind::Cancelled }, Then::GiveUp);
    }

    pub(super) fn poll(&mut self, step: StepId) {
        let Some(ticket) = self.call(step).ticket.clone() else { return };
        self.state(step).phase = Phase::Polling;
        self.effects.push(Effect::Poll { step, ticket });
    }

    pub(super) fn submitted(&mut self, now: Moment, step: StepId, result: Result<Submitted, ProviderError>) {
        if !matches!(self.state(step).phase, Phase::Submitting) {
            return;
        }
        match result {
            Ok(answer) => {
                let call = self.call(step);
                call.answered();
                call.doubt = None;
                self.accepted(step, answer);
            }
            Err(error) => self.submit_failed(now, step, error),
        }
    }

    fn accepted(&mut self, step: StepId, answer: Submitted) {
        match answer {
            Submitted::Settled { physical_id, outputs } => self.settle(step, physical_id, outputs),
            Submitted::Accepted(ticket) => {
                let (resource, verb) = (self.state(step).step.resource.clone(), self.verb_of(step));
                let physical_id = ticket.physical_id.clone();
                self.call(step).ticket = Some(ticket);
                self.write(step, Record::Ticket { resource, verb, physical_id }, Then::Poll);
            }
        }
    }

    fn submit_failed(&mut self, now: Moment, step: StepId, error: ProviderError) {
        let (verb, safety) = (self.verb_of(step), self.state(step).step.create_safety);
        match verdict(&error.kind, verb, safety) {
            Verdict::Retry { after, patience } => self.retry(now, step, error, after, patience, Next::Submit),
            Verdict::Resolve => self.doubt(now, step, error),
            Verdict::Settled => self.settle_as_is(step),
            Verdict::Stop => self.fail(step, error),
        }
    }

    pub(super) fn polled(&mut self, now: Moment, step: StepId, result: Result<Progress, ProviderError>) {
        if !matches!(self.state(step).phase, Phase::Polling) {
            return;
        }
        match result {
            Ok(Progress::Pending { state }) => self.still_pending(now, step, &state),
            Ok(Progress::Settled { outputs }) => {
                let physical_id = self.physical_id_of(step);
                self.settle(step, physical_id, outputs);
            }
            Ok(Progress::Failed(error)) => self.fail(step, error),
            Err(error) => self.poll_failed(now, step, error),
        }
    }

    fn still_pending(&mut self, now: Moment, step: StepId, state: &str) {
        self.call(step).answered();
        let resource = self.state(step).step.resource.clone();
        let elapsed = self.elapsed(now, step);
        self.emit(Event::Progress {
            step,
            resource: resource.clone(),
            state: state.to_owned(),
            elapsed_secs: elapsed.as_secs_f64(),
        });
        let latency = self.state(step).step.latency;
        if elapsed > latency.p95() && !std::mem::replace(&mut self.state(step).is_slow, true) {
            let (elapsed_secs, expected_secs) = (elapsed.as_secs_f64(), latency.median_secs);
            self.emit(Event::SlowerThanUsual { step, resource, elapsed_secs, expected_secs });
        }
        if now >= self.deadline(step) {
            let error = self.too_late(step, &format!("still {state}"));
            return self.fail(step, error);
        }
        if self.only_waits_longer_than_usual() {
            self.state(step).phase = Phase::Unfinished;
            return;
        }
        self.sleep_until_poll(now, step);
    }

    /// Whether something has failed and all that is left is to wait for what takes longer than usual, maybe because of that. The next
    /// run waits for it, when whatever has failed is cured.
    fn only_waits_longer_than_usual(&self) -> bool {
        let is_over = |state: &StepState<'_>| match state.phase {
            Phase::Settled | Phase::Failed | Phase::Skipped | Phase::Unfinished => true,
            Phase::Polling | Phase::Sleeping(Next::Poll) => state.is_slow,
            _ => false,
        };
        !self.failures.is_empty() && self.steps.values().all(is_over)
    }

    pub(super) fn sleep_until_poll(&mut self, now: Moment, step: StepId) {
        let (latency, age) = (self.state(step).step.latency, self.call(step).age(now));
        let until = now + latency.poll_interval(age, self.settings.poll_bounds());
        let until = until.min(self.deadline(step));
        self.sleep(step, until, Next::Poll);
    }

    fn poll_failed(&mut self, now: Moment, step: StepId, error: ProviderError) {
        if error.kind == ErrorKind::Gone {
            let is_new = self.call(step).age(now) < UNKNOWN_MAX.max(self.settings.engine.visibility_window);
            match self.verb_of(step) {
                OperationVerb::Delete => return self.settle_as_is(step),
                // What was just made or changed need not be visible to every reader yet.
                OperationVerb::Create | OperationVerb::Update if is_new => {
                    return self.retry(now, step, error, None, Patience::Deadline, Next::Poll);
                }
                OperationVerb::Create | OperationVerb::Update | OperationVerb::Observe => {}
            }
        }
        self.read_failed(now, step, error, Next::Poll);
    }

    /// Decides what follows from a failed read.
    pub(super) fn read_failed(&mut self, now: Moment, step: StepId, error: ProviderError, next: Next) {
        let safety = self.state(step).step.create_safety;
        match verdict(&error.kind, OperationVerb::Observe, safety) {
            Verdict::Retry { after, patience } => self.retry(now, step, error, after, patience, next),
            Verdict::Resolve | Verdict::Settled | Verdict::Stop => self.fail(step, error),
        }
    }

    /// Waits and sends the request again, unless that was done often enough or it is too late.
    pub(super) fn retry(
        &mut self,
        now: Moment,
        step: StepId,
        error: ProviderError,
        after: Option<Duration>,
        patience: Patience,
        next: Next,
    ) {
        if self.interruption.is_some() {
            self.state(step).phase = Phase::Unfinished;
            if next == Next::Submit {
                self.withdraw(step);
            }
            return;
        }
        let attempts = self.settings.engine.retry_attempts;
        let call = self.call(step);
        let failures = match patience {
            Patience::Attempts => {
                call.failures += 1;
                if call.failures >= attempts {
                    return self.fail(step, error);
                }
                call.failures
            }
            Patience::Deadline => {
                call.waits += 1;
                call.waits
            }
        };
        let deadline = self.deadline(step);
        if now >= deadline || after.is_some_and(|after| now + after >= deadline) {
            let late = self.too_late(step, &error.to_string());
            return self.fail(step, ProviderError { call: error.call, code: error.code, hint: error.hint, ..late });
        }
        let delay = retries::delay(&self.settings.engine, &mut self.random, failures, after);
        let until = (now + delay).min(deadline);
        let resource = self.state(step).step.resource.clone();
        let delay_secs = until.since(now).as_secs_f64();
        self.emit(Event::Retrying { step, resource, error, delay_secs, attempt: failures });
        self.sleep(step, until, next);
    }

    /// Records that the call is done.
    pub(super) fn settle(&mut self, step: StepId, physical_id: String, outputs: Attributes) {
        let (resource, verb) = (self.state(step).step.resource.clone(), self.verb_of(step));
        let call = self.call(step);
        if call.ticket.is_none() {
            let none = Attributes::new();
            call.ticket = Some(call.ticket_for(&resource, &physical_id, &none));
        }
        self.write(step, Record::Settled { resource, verb, physical_id }, Then::Settle { outputs });
    }

    /// Records that what was to be removed is gone.
    pub(super) fn settle_as_is(&mut self, step: StepId) {
        let physical_id = self.physical_id_of(step);
        self.settle(step, physical_id, Attributes::new());
    }

    /// The call is done and recorded.
    pub(super) fn call_settled(&mut self, now: Moment, step: StepId, outputs: Attributes) {
        match self.call(step).role {
            Role::Main => {
                let physical_id = self.physical_id_of(step);
                self.step_settled(now, step, physical_id, outputs);
            }
            Role::Duplicate => self.continue_adoption(step),
        }
    }

    /// Records that the call has failed for good, unless an earlier attempt may still have had an effect: then its intent
    /// stays open for the next run.
    pub(super) fn fail(&mut self, step: StepId, error: ProviderError) {
        let call = self.call(step);
        if call.operation.is_none() || call.may_have_happened {
            return self.step_failed(step, error);
        }
        let (resource, verb) = (self.state(step).step.resource.clone(), self.verb_of(step));
        if matches!(self.interruption, Some(crate::outcome::Interruption::JournalRefused { .. })) {
            return self.step_failed(step, error);
        }
        let record = Record::Failed { resource, verb, kind: error.kind.clone() };
        self.write(step, record, Then::Fail(error));
    }

    fn physical_id_of(&mut self, step: StepId) -> String {
        let call = self.call(step);
        let of_ticket = call.ticket.as_ref().map(|ticket| ticket.physical_id.clone());
        let of_call = || call.operation.as_ref()?.work.physical_id().map(str::to_owned);
        of_ticket.or_else(of_call).unwrap_or_default()
    }

    pub(super) fn elapsed(&mut self, now: Moment, step: StepId) -> Duration {
        self.state(step).started.map_or(Duration::ZERO, |started| now.since(started))
    }

    pub(super) fn deadline(&mut self, step: StepId) -> Moment {
        let patience = self.patience(step);
        self.state(step).started.unwrap_or_default() + patience
    }

    fn patience(&mut self, step: StepId) -> Duration {
        let deadline_max = self.settings.engine.step_deadline_max;
        deadline_max.min(Duration::from_secs(self.state(step).step.deadline_secs))
    }

    pub(super) fn too_late(&mut self, step: StepId, why: &str) -> ProviderError {
        let message = format!("not done after {} s: {why}", self.patience(step).as_secs());
        let (verb, step) = (self.verb_of(step), self.state(step).step);
        ProviderError::new(ErrorKind::Deadline, name_of(verb, &step.resource), message)
    }
}
