//! Decides what a run does next: a pure state machine without time, tasks or I/O.
//!
//! Whoever drives it performs the effects in the order in which they come and feeds every answer back as an input. A step
//! never has more than one effect under way that is answered, so that a crash between any two effects can be enumerated.

mod answers;
mod call;
mod operation;
mod queue;
mod resolution;
mod resolve;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use howso_infra_core::error::{OperationVerb, ProviderError, StepFailure};
use howso_infra_core::kind::Lane;
use howso_infra_core::{
    Attributes, Observation, Observed, Operation, Plan, Progress, ResourceId, Scope, Step, StepId, Submitted, Ticket,
};

use crate::clock::Moment;
use crate::event::Event;
use crate::journal::record::Record;
use crate::outcome::{Counts, Interruption, Outcome, SettledStep};
use crate::settings::RunSettings;
use call::Call;

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The run begins.
    Started,
    /// The record that a step asked for is durable.
    Recorded {
        /// The step.
        step: StepId,
    },
    /// A submitted operation was answered.
    Submitted {
        /// The step.
        step: StepId,
        /// The answer.
        result: Result<Submitted, ProviderError>,
    },
    /// A poll was answered.
    Polled {
        /// The step.
        step: StepId,
        /// The answer.
        result: Result<Progress, ProviderError>,
    },
    /// A lookup was answered.
    LookedUp {
        /// The step.
        step: StepId,
        /// The answer.
        result: Result<Observation, ProviderError>,
    },
    /// The pause that a step asked for is over.
    TimerDue {
        /// The step.
        step: StepId,
    },
    /// The user wants the run to end.
    Interrupted,
    /// The journal cannot be written: nothing may be changed any more.
    JournalRefused {
        /// Why.
        message: String,
        /// What a person can do about it.
        hint: Option<String>,
    },
}

/// What to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Make a record durable; answered by [`Input::Recorded`].
    Write {
        /// The step.
        step: StepId,
        /// The record.
        record: Record,
    },
    /// Send a mutating call; answered by [`Input::Submitted`].
    Submit {
        /// The step.
        step: StepId,
        /// The call.
        operation: Box<Operation>,
    },
    /// Ask how far an accepted call is; answered by [`Input::Polled`].
    Poll {
        /// The step.
        step: StepId,
        /// What is asked about.
        ticket: Ticket,
    },
    /// Look at one resource; answered by [`Input::LookedUp`].
    LookUp {
        /// The step.
        step: StepId,
        /// The resource.
        scope: Box<Scope>,
    },
    /// Wait; answered by [`Input::TimerDue`].
    Sleep {
        /// The step.
        step: StepId,
        /// Until when.
        until: Moment,
    },
    /// Tell what happened.
    Emit(Event),
    /// The run is over; no answer is waited for any more.
    Finish(Box<Outcome>),
}

/// Everything that a run knows.
pub struct RunState<'a> {
    plan: &'a Plan,
    settings: &'a RunSettings,
    began: Moment,
    steps: BTreeMap<StepId, StepState<'a>>,
    /// The expected seconds from each step to the end of everything that waits for it.
    remaining_secs: BTreeMap<StepId, f64>,
    lanes: BTreeSet<&'a Lane>,
    outputs: BTreeMap<ResourceId, Attributes>,
    /// The identifiers of resources made by this run.
    physical_ids: BTreeMap<ResourceId, String>,
    settled: Vec<SettledStep>,
    failures: Vec<StepFailure>,
    interruption: Option<Interruption>,
    random: fastrand::Rng,
    effects: Vec<Effect>,
    is_finished: bool,
}

struct StepState<'a> {
    step: &'a Step,
    phase: Phase,
    started: Option<Moment>,
    /// The call under way; absent before the step starts.
    call: Option<Call>,
    /// The call of the step, while a duplicate is deleted.
    main_call: Option<Call>,
    /// The resource that is used because a lost call made it.
    adopted: Option<Observed>,
    /// Others that lost calls made, still to be deleted.
    duplicates: VecDeque<Observed>,
    is_slow: bool,
}

/// Where a step stands.
#[derive(Debug)]
enum Phase {
    /// Steps it depends on are not settled.
    Waiting,
    /// It can start as soon as there is room.
    Ready,
    /// A record is being written.
    Recording(Then),
    /// An operation is being answered.
    Submitting,
    /// A poll is being answered.
    Polling,
    /// A lookup is being answered.
    LookingUp,
    /// A pause before the next request.
    Sleeping(Next),
    Settled,
    Failed,
    Skipped,
    /// Given up because the run is interrupted, or has failed and nothing follows.
    Unfinished,
}

/// What follows when a record is durable.
#[derive(Debug)]
enum Then {
    Submit,
    Poll,
    Settle { outputs: Attributes },
    Fail(ProviderError),
    GiveUp,
}

/// What follows a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Submit,
    Poll,
    LookUp,
}

impl Phase {
    /// Whether something is under way for the step.
    fn is_in_flight(&self) -> bool {
        match self {
            Self::Recording(_) | Self::Submitting | Self::Polling | Self::LookingUp | Self::Sleeping(_) => true,
            Self::Waiting | Self::Ready | Self::Settled | Self::Failed | Self::Skipped | Self::Unfinished => false,
        }
    }
}

impl<'a> RunState<'a> {
    /// Prepares a run that begins `now`.
    pub fn new(plan: &'a Plan, settings: &'a RunSettings, now: Moment) -> Self {
        let prepare = |step: &'a Step| StepState {
            step,
            phase: if step.depends_on.is_empty() { Phase::Ready } else { Phase::Waiting },
            started: None,
            call: None,
            main_call: None,
            adopted: None,
            duplicates: VecDeque::new(),
            is_slow: false,
        };
        Self {
            plan,
            settings,
            began: now,
            steps: plan.steps.iter().map(|step| (step.id, prepare(step))).collect(),
            remaining_secs: plan.remaining_secs(),
            lanes: BTreeSet::new(),
            outputs: plan.outputs.clone(),
            physical_ids: BTreeMap::new(),
            settled: Vec::new(),
            failures: Vec::new(),
            interruption: None,
            random: fastrand::Rng::with_seed(settings.seed),
            effects: Vec::new(),
            is_finished: false,
        }
    }

    /// Takes in what happened and says what to do about it.
    pub fn apply(&mut self, now: Moment, input: Input) -> Vec<Effect> {
        if self.is_finished {
            return Vec::new();
        }
        match input {
            Input::Started => {
                let expected_secs = self.plan.expected_secs();
                self.emit(Event::RunStarted { steps: self.plan.steps.len(), expected_secs });
            }
            Input::Recorded { step } => self.recorded(now, step),
            Input::Submitted { step, result } => self.submitted(now, step, result),
            Input::Polled { step, result } => self.polled(now, step, result),
            Input::LookedUp { step, result } => self.looked_up(now, step, result),
            Input::TimerDue { step } => self.timer_due(now, step),
            Input::Interrupted => self.interrupted(now),
            Input::JournalRefused { message, hint } => self.refused(Interruption::JournalRefused { message, hint }),
        }
        if self.interruption.is_none() {
            self.start_ready(now);
        }
        self.finish_when_done(now);
        std::mem::take(&mut self.effects)
    }

    fn emit(&mut self, event: Event) {
        self.effects.push(Effect::Emit(event));
    }

    fn in_flight(&self) -> usize {
        self.steps.values().filter(|state| state.phase.is_in_flight()).count()
    }

    fn state(&mut self, step: StepId) -> &mut StepState<'a> {
        // Steps are never removed, and inputs name steps that effects named before.
        self.steps.get_mut(&step).expect("the step is one of the plan")
    }

    fn write(&mut self, step: StepId, record: Record, then: Then) {
        if matches!(self.interruption, Some(Interruption::JournalRefused { .. })) {
            self.state(step).phase = Phase::Unfinished;
            return;
        }
        self.state(step).phase = Phase::Recording(then);
        self.effects.push(Effect::Write { step, record });
    }

    fn sleep(&mut self, step: StepId, until: Moment, next: Next) {
        if self.interruption.is_some() {
            self.state(step).phase = Phase::Unfinished;
            return;
        }
        self.state(step).phase = Phase::Sleeping(next);
        self.effects.push(Effect::Sleep { step, until });
    }

    fn recorded(&mut self, now: Moment, step: StepId) {
        let state = self.state(step);
        if !matches!(state.phase, Phase::Recording(_)) {
            return;
        }
        let Phase::Recording(then) = std::mem::replace(&mut state.phase, Phase::Unfinished) else { return };
        let is_interrupted = self.interruption.is_some();
        match then {
            Then::Submit if is_interrupted => self.withdraw(step),
            Then::Submit => self.submit(now, step),
            Then::Poll if is_interrupted => {}
            Then::Poll => self.sleep_until_poll(now, step),
            Then::Settle { outputs } => self.call_settled(now, step, outputs),
            Then::Fail(error) => self.step_failed(step, error),
            Then::GiveUp => {}
        }
    }

    fn timer_due(&mut self, now: Moment, step: StepId) {
        let Phase::Sleeping(next) = self.state(step).phase else { return };
        match next {
            Next::Submit => self.intend(step),
            Next::Poll => self.poll(step),
            Next::LookUp => self.look_up(now, step),
        }
    }

    /// The first time, calls in flight are waited for; the second time, not even those.
    fn interrupted(&mut self, now: Moment) {
        if self.interruption.is_none() {
            self.refused(Interruption::Requested);
            let in_flight = self.in_flight();
            self.emit(Event::Interrupted { in_flight });
        } else {
            if self.interruption == Some(Interruption::Requested) {
                self.interruption = Some(Interruption::Forced);
            }
            self.give_up_where(Phase::is_in_flight);
            self.finish_when_done(now);
        }
    }

    /// Starts nothing new. When the journal refused, what it was to record stays unrecorded.
    fn refused(&mut self, interruption: Interruption) {
        match interruption {
            Interruption::Requested | Interruption::Forced => {
                let unsent = |state: &&StepState<'_>| matches!(state.phase, Phase::Sleeping(Next::Submit));
                let unsent: Vec<StepId> = self.steps.values().filter(unsent).map(|state| state.step.id).collect();
                self.give_up_where(|phase| matches!(phase, Phase::Sleeping(_)));
                for step in unsent {
                    self.withdraw(step);
                }
            }
            Interruption::JournalRefused { .. } => {
                self.give_up_where(|phase| matches!(phase, Phase::Sleeping(_) | Phase::Recording(_)));
            }
        }
        self.interruption = Some(interruption);
    }

    fn give_up_where(&mut self, is_meant: impl Fn(&Phase) -> bool) {
        for state in self.steps.values_mut().filter(|state| is_meant(&state.phase)) {
            state.phase = Phase::Unfinished;
        }
    }

    fn finish_when_done(&mut self, now: Moment) {
        if self.is_finished || self.in_flight() > 0 {
            return;
        }
        let stuck = |state: &&StepState<'_>| matches!(state.phase, Phase::Waiting | Phase::Ready);
        if self.interruption.is_none()
            && let Some(step) = self.steps.values().find(stuck).map(|state| state.step.id)
        {
            // Only a plan that somebody else wrote can be like this.
            let error = operation::bug(self.steps[&step].step, "the steps before it never end");
            self.step_failed(step, error);
            return self.finish_when_done(now);
        }
        let counts = self.counts();
        let skipped = |state: &&StepState<'_>| matches!(state.phase, Phase::Skipped);
        let outcome = Outcome {
            settled: std::mem::take(&mut self.settled),
            failures: std::mem::take(&mut self.failures),
            skipped: self.steps.values().filter(skipped).map(|state| state.step.id).collect(),
            interruption: self.interruption.take(),
            outputs: std::mem::take(&mut self.outputs),
            counts,
        };
        self.is_finished = true;
        self.emit(Event::RunFinished { counts, elapsed_secs: now.since(self.began).as_secs_f64() });
        self.effects.push(Effect::Finish(Box::new(outcome)));
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts { total: self.steps.len(), ..Counts::default() };
        for state in self.steps.values() {
            match state.phase {
                Phase::Waiting | Phase::Ready => counts.not_started += 1,
                Phase::Settled => counts.settled += 1,
                Phase::Failed => counts.failed += 1,
                Phase::Skipped => counts.skipped += 1,
                Phase::Unfinished
                | Phase::Recording(_)
                | Phase::Submitting
                | Phase::Polling
                | Phase::LookingUp
                | Phase::Sleeping(_) => counts.unfinished += 1,
            }
        }
        counts
    }
}

/// The name of a call about which no answer says more.
fn name_of(verb: OperationVerb, resource: &ResourceId) -> String {
    let verb = match verb {
        OperationVerb::Observe => "observe",
        OperationVerb::Create => "create",
        OperationVerb::Update => "update",
        OperationVerb::Delete => "delete",
    };
    format!("{verb} {resource}")
}
