//! Performs what the state machine decides.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::StreamExt;
use futures::future::{BoxFuture, Either, select};
use futures::stream::FuturesUnordered;
use howso_infra_core::error::ProviderError;
use howso_infra_core::{Backend, ErrorKind, Operation, Plan, ResourceId, Scope, StepId, Ticket};
use tokio::sync::mpsc;

use crate::clock::{Clock, Hold, Moment};
use crate::event::Event;
use crate::journal::LEASE_RENEWAL;
use crate::journal::record::Record;
use crate::journal::{Journal, JournalError};
use crate::lease::Lease;
use crate::machine::{Effect, Input, RunState};
use crate::outcome::Outcome;
use crate::settings::RunSettings;

/// What a run works with.
pub struct Surroundings<'a> {
    /// Who looks after which kinds of resources.
    pub backends: &'a [Arc<dyn Backend>],
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How to wait, retry and bound.
    pub settings: &'a RunSettings,
    /// Where events go. Nobody needs to listen. Not bounded, so that a slow view never holds up the cloud; deadlines bound
    /// the number of events.
    pub events: mpsc::UnboundedSender<Event>,
    /// The user's wish that the run ends: the first time in an orderly way, the second time at once.
    pub interrupts: mpsc::Receiver<Interrupt>,
}

/// The user's wish that the run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupt;

/// Carries out a plan.
///
/// The journal must be open and its run begun. Cancelling the future abandons calls in flight, like a crash.
pub async fn run(plan: &Plan, journal: &mut Journal, surroundings: Surroundings<'_>) -> Outcome {
    let Surroundings { backends, clock, settings, events, interrupts } = surroundings;
    let driver = Driver {
        state: RunState::new(plan, settings, clock.now()),
        backends,
        limit: settings.engine.request_timeout.saturating_mul(2),
        events,
        activities: FuturesUnordered::new(),
        records: Vec::new(),
        lease: Lease::new(journal.lease_until()),
        is_renewal_due: false,
        journal: Some(journal),
        clock,
    };
    driver.run(interrupts).await
}

struct Driver<'a> {
    state: RunState<'a>,
    backends: &'a [Arc<dyn Backend>],
    clock: Arc<dyn Clock>,
    /// The longest that a backend may take for an answer.
    limit: Duration,
    events: mpsc::UnboundedSender<Event>,
    /// What is under way. Every answer comes with a hold, so that virtual time waits until it is taken in.
    activities: FuturesUnordered<BoxFuture<'a, (Answer<'a>, Hold)>>,
    /// Records that wait for the next write.
    records: Vec<(StepId, Record)>,
    /// Absent while a write is under way.
    journal: Option<&'a mut Journal>,
    lease: Lease,
    is_renewal_due: bool,
}

enum Answer<'a> {
    Input(Input),
    Written { journal: &'a mut Journal, steps: Vec<StepId>, result: Result<(), JournalError> },
    RenewalDue,
}

/// What the driver waited for.
enum Next<'a> {
    /// The user; [`None`] when nobody can interrupt any more.
    Interrupt(Option<Interrupt>),
    /// Something that was under way.
    Answer(Option<(Answer<'a>, Hold)>),
}

impl<'a> Driver<'a> {
    async fn run(mut self, mut interrupts: mpsc::Receiver<Interrupt>) -> Outcome {
        let mut hold = self.clock.hold();
        let mut can_be_interrupted = true;
        if self.lease.expires() {
            self.schedule_renewal();
        }
        let mut outcome = self.apply(Input::Started);
        loop {
            if let Some(outcome) = outcome {
                self.finish_writing().await;
                // What is no longer waited for must not let virtual time go on.
                self.activities.clear();
                drop(hold);
                return outcome;
            }
            self.write_records();
            drop(hold);
            let next = tokio::select! {
                biased;
                interrupt = interrupts.recv(), if can_be_interrupted => Next::Interrupt(interrupt),
                answer = self.activities.next() => Next::Answer(answer),
            };
            (outcome, hold) = match next {
                Next::Answer(answer) => {
                    // A run that is not finished waits for something.
                    let (answer, hold) = answer.expect("something is under way until the run is finished");
                    (self.take_in(answer), hold)
                }
                Next::Interrupt(Some(Interrupt)) => {
                    let hold = self.clock.hold();
                    (self.apply(Input::Interrupted), hold)
                }
                Next::Interrupt(None) => {
                    can_be_interrupted = false;
                    (None, self.clock.hold())
                }
            };
        }
    }

    fn take_in(&mut self, answer: Answer<'a>) -> Option<Outcome> {
        match answer {
            Answer::Input(input) => self.apply(input),
            Answer::RenewalDue => {
                self.is_renewal_due = true;
                self.schedule_renewal();
                None
            }
            Answer::Written { journal, steps, result } => {
                self.lease.renew(journal.lease_until());
                self.journal = Some(journal);
                match result {
                    Ok(()) => {
                        let mut steps = steps.into_iter();
                        steps.find_map(|step| self.apply(Input::Recorded { step }))
                    }
                    Err(error) => {
                        self.records.clear();
                        self.apply(refusal(&error))
                    }
                }
            }
        }
    }

    fn apply(&mut self, input: Input) -> Option<Outcome> {
        let mut outcome = None;
        for effect in self.state.apply(self.clock.now(), input) {
            match effect {
                Effect::Write { step, record } => self.records.push((step, record)),
                Effect::Submit { step, operation } => self.submit(step, operation),
                Effect::Poll { step, ticket } => self.poll(step, ticket),
                Effect::LookUp { step, scope } => self.look_up(step, *scope),
                Effect::Sleep { step, until } => self.sleep(step, until),
                Effect::Emit(event) => {
                    // A view that is gone misses nothing.
                    let _ = self.events.send(event);
                }
                Effect::Finish(end) => outcome = Some(*end),
            }
        }
        outcome
    }

    /// Writes everything that waits, unless a write is under way: then it goes with the next.
    fn write_records(&mut self) {
        if self.records.is_empty() && !self.is_renewal_due {
            return;
        }
        let Some(journal) = self.journal.take() else { return };
        self.is_renewal_due = false;
        let (steps, records): (Vec<_>, Vec<_>) = std::mem::take(&mut self.records).into_iter().unzip();
        self.start(async move {
            let result = journal.append(records).await;
            Answer::Written { journal, steps, result }
        });
    }

    /// Lets the write under way end, so that the journal is whole for whoever uses it next.
    async fn finish_writing(&mut self) {
        while self.journal.is_none()
            && let Some((answer, _)) = self.activities.next().await
        {
            if let Answer::Written { journal, .. } = answer {
                self.journal = Some(journal);
            }
        }
    }

    fn schedule_renewal(&mut self) {
        let timer = self.clock.timer(self.clock.now() + LEASE_RENEWAL);
        self.activities.push(timer.map(|hold| (Answer::RenewalDue, hold)).boxed());
    }

    fn sleep(&mut self, step: StepId, until: Moment) {
        let timer = self.clock.timer(until);
        self.activities.push(timer.map(move |hold| (Answer::Input(Input::TimerDue { step }), hold)).boxed());
    }

    fn submit(&mut self, step: StepId, operation: Box<Operation>) {
        let backend = self.backend(&operation.resource);
        let late = self.late(ErrorKind::Ambiguous, "submit", &operation.resource);
        // Whether it was sent is not known, as with a lost answer. If another run has the lease now, the next write tells.
        let fenced = ProviderError { message: "the lease of the journal ended meanwhile".to_owned(), ..late.clone() };
        let (clock, limit, lease) = (Arc::clone(&self.clock), self.limit, self.lease.clone());
        self.start(async move {
            let call = async { backend?.submit(&operation).await };
            let call = async { lease.guard(clock.as_ref(), call).await.unwrap_or(Err(fenced)) };
            Answer::Input(Input::Submitted { step, result: limited(clock.as_ref(), limit, call, late).await })
        });
    }

    fn poll(&mut self, step: StepId, ticket: Ticket) {
        let backend = self.backend(&ticket.resource);
        let late = self.late(ErrorKind::Transient, "poll", &ticket.resource);
        let (clock, limit) = (Arc::clone(&self.clock), self.limit);
        self.start(async move {
            let call = async { backend?.poll(&ticket).await };
            Answer::Input(Input::Polled { step, result: limited(clock.as_ref(), limit, call, late).await })
        });
    }

    fn look_up(&mut self, step: StepId, scope: Scope) {
        let id = match &scope {
            Scope::Resource { id, .. } => id.clone(),
            // The state machine asks for single resources only.
            Scope::Cluster { .. } => return,
        };
        let backend = self.backend(&id);
        let late = self.late(ErrorKind::Transient, "observe", &id);
        let (clock, limit) = (Arc::clone(&self.clock), self.limit);
        self.start(async move {
            let call = async { backend?.observe(&scope).await };
            Answer::Input(Input::LookedUp { step, result: limited(clock.as_ref(), limit, call, late).await })
        });
    }

    fn start(&mut self, activity: impl Future<Output = Answer<'a>> + Send + 'a) {
        let hold = self.clock.hold();
        self.activities.push(activity.map(|answer| (answer, hold)).boxed());
    }

    /// The backend that looks after a resource.
    fn backend(&self, resource: &ResourceId) -> Result<&'a dyn Backend, ProviderError> {
        let owner =
            self.backends.iter().find(|backend| backend.kinds().iter().any(|kind| kind.name == resource.kind()));
        owner.map(AsRef::as_ref).ok_or_else(|| {
            let message = format!("no backend looks after {}", resource.kind());
            ProviderError::new(ErrorKind::Bug, format!("route {resource}"), message)
        })
    }

    fn late(&self, kind: ErrorKind, call: &str, resource: &ResourceId) -> ProviderError {
        let message = format!("no answer within {} s", self.limit.as_secs_f64());
        ProviderError::new(kind, format!("{call} {resource}"), message)
    }
}

/// Waits for a backend's answer, but not for ever: bounding a request is the backend's duty, and this is the bound on that.
async fn limited<T>(
    clock: &dyn Clock,
    limit: Duration,
    call: impl Future<Output = Result<T, ProviderError>>,
    late: ProviderError,
) -> Result<T, ProviderError> {
    let timer = clock.timer(clock.now() + limit);
    match select(Box::pin(call), timer).await {
        Either::Left((result, _)) => result,
        Either::Right((hold, call)) => {
            // In this order, so that a pause inside the call ends while virtual time stands still.
            drop(call);
            drop(hold);
            Err(late)
        }
    }
}

/// An error of the journal as the state machine takes it, with its causes.
fn refusal(error: &JournalError) -> Input {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        message = format!("{message}: {source}");
        cause = source.source();
    }
    Input::JournalRefused { message, hint: error.hint() }
}
