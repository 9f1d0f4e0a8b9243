//! Interrupting a run: once to stop starting, twice to stop waiting.

use howso_infra_engine::Interrupt;
use tokio::sync::mpsc;

/// Makes a trigger and the end that a run listens to.
pub fn channel() -> (Trigger, Interrupts) {
    // The run understands two interruptions; more say nothing new.
    let (sender, receiver) = mpsc::channel(2);
    (Trigger(sender), Interrupts(receiver))
}

/// Interrupts a run.
#[derive(Clone, Debug)]
pub struct Trigger(mpsc::Sender<Interrupt>);

/// What a run listens to.
#[derive(Debug)]
pub struct Interrupts(mpsc::Receiver<Interrupt>);

impl Trigger {
    /// The first time: nothing new is started, and calls under way are awaited. The second time: nothing is awaited.
    pub fn fire(&self) {
        // A run that has ended, or that was told twice already, needs no more telling.
        let _ = self.0.try_send(Interrupt);
    }
}

impl Interrupts {
    /// A run that nothing interrupts.
    pub fn never() -> Self {
        channel().1
    }

    pub(crate) fn into_receiver(self) -> mpsc::Receiver<Interrupt> {
        self.0
    }
}
