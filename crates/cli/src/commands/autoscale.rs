//! `autoscale`: workers of a local cluster come and go with the pods that need them.

use std::time::Duration;

use howso_infra::core::plan::Direction;
use howso_infra::{Session, interrupt};

use super::Context;
use crate::arguments::AutoscaleArguments;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::view::style::duration;

/// How long between two looks: a look takes three reads of a server on the same machine.
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub(super) async fn run(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: AutoscaleArguments,
) -> Result<(), Failure> {
    let (_, session) = context.open(&arguments.spec).await?;
    Box::pin(watch(context, signals, &session, arguments.idle_for)).await
}

/// Watches until it is interrupted, which is its regular end: the workers that are there stay.
pub(super) async fn watch(
    context: &Context<'_>,
    signals: &mut Signals,
    session: &Session,
    idle_for: Duration,
) -> Result<(), Failure> {
    let mut autoscaler = signals.or_stop(Box::pin(session.autoscaler(idle_for))).await??;
    let idle_for = duration(idle_for.as_secs_f64());
    context
        .console
        .note(format!("watching pods; a worker goes when nothing ran on it for {idle_for} (Ctrl-C ends this)"));
    loop {
        let Ok(looked) = signals.or_stop(Box::pin(autoscaler.look())).await else { break };
        if let Some(resize) = looked? {
            let (trigger, interrupts) = interrupt::channel();
            let finished = signals.or_tell(&trigger, Box::pin(autoscaler.carry_out(&resize, interrupts))).await??;
            finished.map(|finished| Failure::of_finished(Direction::Up, finished)).transpose()?;
        }
        // One that came at the end of a run had nothing to stop there.
        if signals.have_come() || signals.or_stop(tokio::time::sleep(LOOK_EVERY)).await.is_err() {
            break;
        }
    }
    context.console.note("not watching any more; the workers stay as they are");
    Ok(())
}
