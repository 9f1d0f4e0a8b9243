//! `drift`: what differs.

use super::{Context, stage};
use crate::arguments::DriftArguments;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::view::status::StatusReport;

pub(super) async fn run(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: DriftArguments,
) -> Result<(), Failure> {
    let (spec, session) = context.open(&arguments.spec).await?;
    let (session, _) = stage::settle(arguments.until, &spec, session)?;
    let status = signals.or_stop(session.status()).await??;
    context.console.data(&StatusReport { spec: &spec, status: &status, differences_only: true });
    if status.is_as_wanted() { Ok(()) } else { Err(Failure::Changes) }
}
