//! A run: holds the lease, and changes things.

use howso_infra_core::plan::Direction;
use howso_infra_core::provider::Access;
use howso_infra_core::{Finding, Leftover, Plan};
use howso_infra_engine::journal::RunResult;
use howso_infra_engine::{Interruption, Journal, Outcome, RunSettings};
use tokio::sync::mpsc;

use crate::event::{Event, Phase};
use crate::interrupt::Interrupts;
use crate::prepare::{Goal, Prepared, is_present};
use crate::{Error, Session};

/// A command that holds the lease of a cluster. [`Run::execute`] and [`Run::release`] give the lease free. A run that is
/// dropped gives a local lease free as well, and leaves one in a bucket to run out by itself, within a minute.
pub struct Run<'a> {
    session: &'a Session,
    goal: Goal,
    journal: Journal,
    prepared: Prepared,
}

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// What happened to the steps.
    pub outcome: Outcome,
    /// What was still to be done when everything was read again; absent when the run did not come to that. A plan that is
    /// not empty here is a fault.
    pub remaining: Option<Plan>,
    /// What a removal left behind.
    pub leftovers: Vec<Leftover>,
    /// How to reach the cluster, when its control plane can be used.
    pub access: Option<Access>,
}

impl Finished {
    /// Whether reading again showed that nothing is left to do and nothing was left behind.
    fn is_clean(&self) -> bool {
        self.outcome.is_complete() && self.remaining.as_ref().is_some_and(Plan::is_empty) && self.leftovers.is_empty()
    }
}

impl Session {
    /// Takes the lease, reads what is there and plans the way to `goal`.
    pub async fn begin(&self, goal: Goal) -> Result<Run<'_>, Error> {
        let journal = self.open_journal().await?;
        match self.prepare_with(goal, journal.state()).await {
            Ok(prepared) => Ok(Run { session: self, goal, journal, prepared }),
            Err(error) => {
                // Why it could not be prepared is the news; a lease that could not be given free runs out by itself.
                let _ = journal.close().await;
                Err(error)
            }
        }
    }
}

impl Run<'_> {
    /// What was read and planned.
    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// How to reach the cluster that is there, when its control plane can be used.
    pub async fn access(&self) -> Result<Option<Access>, Error> {
        Ok(self.session.provider.access(&self.prepared.observation).await?)
    }

    /// Checks whether the plan can succeed, by reads alone.
    pub async fn preflight(&self) -> Vec<Finding> {
        self.session.preflight(&self.prepared).await
    }

    /// Refuses a saved plan that was made for something else than what is wanted and there now.
    pub fn refuse_if_changed(&self, saved: &Plan) -> Result<(), Error> {
        let plan = &self.prepared.plan;
        let what = if saved.direction != plan.direction || saved.identity.cluster != plan.identity.cluster {
            "the command"
        } else if saved.observed_digest != plan.observed_digest {
            // What is wanted follows in parts from what is there, so this comes first.
            "the cloud"
        } else if saved.spec_digest != plan.spec_digest {
            "the specification"
        } else {
            return Ok(());
        };
        Err(Error::PlanOutdated { what })
    }

    /// Gives the lease free without having changed anything.
    pub async fn release(self) -> Result<(), Error> {
        Ok(self.journal.close().await?)
    }

    /// Carries out the plan, then reads again and plans again.
    pub async fn execute(mut self, interrupts: Interrupts) -> Result<Finished, Error> {
        let result = self.carry_out(interrupts).await;
        let is_gone = self.prepared.plan.direction == Direction::Down && result.as_ref().is_ok_and(Finished::is_clean);
        let ended = if is_gone { self.journal.retire().await } else { self.journal.close().await };
        match result {
            // The end of the journal matters only to a run that went well until then; else it hides what happened.
            Ok(finished) if finished.outcome.is_complete() => ended.map(|()| finished).map_err(Error::from),
            result => result,
        }
    }

    async fn carry_out(&mut self, interrupts: Interrupts) -> Result<Finished, Error> {
        self.prepared.check_fit()?;
        let identity = self.prepared.plan.identity.clone();
        if self.journal.state().deployment().is_none()
            && (!self.prepared.plan.steps.is_empty() || is_present(&self.prepared.observation, &identity))
        {
            self.journal.record_deployment(&identity.deployment).await?;
        }
        let outcome =
            if self.prepared.plan.steps.is_empty() { Outcome::default() } else { self.run_plan(interrupts).await? };
        match self.prepared.plan.direction {
            Direction::Up if outcome.is_complete() => self.verify(outcome).await,
            Direction::Down if outcome.is_complete() => self.audit(outcome).await,
            // What is left behind may be what was in the way. What failed is told all the same when nobody can look.
            Direction::Down if outcome.interruption.is_none() => {
                let leftovers = self.find_leftovers().await.unwrap_or_default();
                Ok(Finished { outcome, remaining: None, leftovers, access: None })
            }
            Direction::Up | Direction::Down => {
                Ok(Finished { outcome, remaining: None, leftovers: Vec::new(), access: None })
            }
        }
    }

    async fn run_plan(&mut self, interrupts: Interrupts) -> Result<Outcome, Error> {
        let session = self.session;
        session.begin_phase(Phase::Running);
        let plan = &self.prepared.plan;
        let command = match plan.direction {
            Direction::Up => "up",
            Direction::Down => "down",
        };
        self.journal.note_observed(&self.prepared.observation).await?;
        self.journal.begin_run(command, plan.identity.generation).await?;
        let settings = RunSettings::new(session.spec.engine.clone(), session.randomness.number()?);
        let (sender, mut events) = mpsc::unbounded_channel();
        let surroundings = howso_infra_engine::Surroundings {
            backends: &session.backends,
            clock: session.clock.clone(),
            settings: &settings,
            events: sender,
            interrupts: interrupts.into_receiver(),
        };
        let observer = session.observer();
        let telling = async {
            while let Some(event) = events.recv().await {
                observer(&Event::Engine(event));
            }
        };
        let running = howso_infra_engine::run(plan, &mut self.journal, surroundings);
        let (outcome, ()) = futures::join!(running, telling);
        let result = match &outcome.interruption {
            _ if outcome.is_complete() => RunResult::Complete,
            Some(Interruption::Requested | Interruption::Forced) => RunResult::Interrupted,
            Some(Interruption::JournalRefused { .. }) => return Ok(outcome),
            None if outcome.settled.is_empty() => RunResult::Failed,
            None => RunResult::Partial,
        };
        self.journal.end_run(result).await?;
        Ok(outcome)
    }

    /// Reads and plans again. What a cloud shows late gets one more look after the time in which it must become visible.
    async fn verify(&mut self, outcome: Outcome) -> Result<Finished, Error> {
        let session = self.session;
        if outcome.settled.is_empty() {
            let access = session.provider.access(&self.prepared.observation).await?;
            return Ok(Finished { outcome, remaining: None, leftovers: Vec::new(), access });
        }
        session.begin_phase(Phase::Verifying);
        self.prepared = session.prepare_again(self.goal, self.journal.state()).await?;
        if !self.prepared.plan.is_empty() {
            session.clock.sleep(session.spec.engine.visibility_window).await;
            self.prepared = session.prepare_again(self.goal, self.journal.state()).await?;
        }
        let access = session.provider.access(&self.prepared.observation).await?;
        let remaining = Some(self.prepared.plan.clone());
        Ok(Finished { outcome, remaining, leftovers: Vec::new(), access })
    }

    /// Looks for what the removal left behind. A clean removal ends the deployment: the next `up` starts a new one.
    async fn audit(&self, outcome: Outcome) -> Result<Finished, Error> {
        let session = self.session;
        let leftovers = self.find_leftovers().await?;
        let mut remaining = session.prepare_again(self.goal, self.journal.state()).await?.plan;
        if !remaining.is_empty() {
            session.clock.sleep(session.spec.engine.visibility_window).await;
            remaining = session.prepare_again(self.goal, self.journal.state()).await?.plan;
        }
        Ok(Finished { outcome, remaining: Some(remaining), leftovers, access: None })
    }

    async fn find_leftovers(&self) -> Result<Vec<Leftover>, Error> {
        let session = self.session;
        session.begin_phase(Phase::Auditing);
        let identity = &self.prepared.plan.identity;
        let mut leftovers = Vec::new();
        for backend in &session.backends {
            leftovers.extend(session.reading(async || backend.audit(identity).await).await?);
        }
        Ok(leftovers)
    }
}
